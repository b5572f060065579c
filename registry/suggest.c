/* Edit distance over short words: insert, delete, replace, and swap of neighbours cost one each; case costs
 * nothing. */
#include "registry/suggest.h"

#define WORD_MAX 48 /* longer names are seldom typing errors of each other, and cost time */

static unsigned lower(unsigned c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

static unsigned distance(const uint8_t *a, size_t na, const char *b, size_t nb)
{
    unsigned row[3][WORD_MAX + 1];
    for (size_t j = 0; j <= nb; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned *now = row[i % 3], *prev = row[(i - 1) % 3], *prev2 = row[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned ca = lower(a[i - 1]), cb = lower((uint8_t)b[j - 1]);
            now[j] = min3(prev[j] + 1, now[j - 1] + 1, prev[j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == lower((uint8_t)b[j - 2]) && lower(a[i - 2]) == cb &&
                prev2[j - 2] + 1 < now[j])
                now[j] = prev2[j - 2] + 1;
        }
    }
    return row[na % 3][nb];
}

/* How many edits still look like a slip: none in one or two letters, then one for every three. */
static unsigned tolerance(size_t n)
{
    return n < 3 ? 0 : n < 6 ? 1 : n < 9 ? 2 : 3;
}

void ldr_suggest_init(struct ldr_suggest *s, struct ldr_slice word)
{
    s->word = word;
    s->best = NULL;
    s->distance = tolerance(word.n) + 1;
}

static bool is_prefix(const uint8_t *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (lower(a[i]) != lower((uint8_t)b[i]))
            return false;
    }
    return true;
}

void ldr_suggest_offer(struct ldr_suggest *s, const char *candidate)
{
    size_t n = s->word.n, m = strlen(candidate), least = n < m ? n : m;
    if (n == 0 || n > WORD_MAX || m > WORD_MAX)
        return;
    unsigned d = distance(s->word.p, n, candidate, m);
    /* "desc" for "description": many edits, yet clear. Ranks behind any real typing error. */
    if (least >= 3 && d > tolerance(n) && is_prefix(s->word.p, candidate, least))
        d = tolerance(n);
    if (d < s->distance || (d == s->distance && s->best && strcmp(candidate, s->best) < 0)) {
        s->distance = d;
        s->best = candidate;
    }
}
