/* "did you mean": the nearest word by edits (insert, delete, replace, swap of neighbours). */
#include "ops/cli.h"

#define WORD_MAX 40

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned edits(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned d[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= na; i++)
        d[i][0] = (unsigned)i;
    for (size_t j = 0; j <= nb; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        for (size_t j = 1; j <= nb; j++) {
            unsigned v = least(d[i - 1][j], d[i][j - 1]) + 1;
            v = least(v, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                v = least(v, d[i - 2][j - 2] + 1);
            d[i][j] = v;
        }
    }
    return d[na][nb];
}

const char *ldr_suggest_word(const char *word, const char *const *among, size_t n)
{
    size_t len = strlen(word);
    const char *best = NULL;
    unsigned best_edits = len < 4 ? 2 : 1 + (unsigned)len / 3;
    if (len == 0 || len > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t m = strlen(among[i]);
        if (m > WORD_MAX)
            continue;
        unsigned e = edits(word, len, among[i], m);
        /* "online" for "get-online-features" is a guess worth offering, behind any slip of the finger */
        if (e >= best_edits && len >= 4 && strstr(among[i], word) && !best)
            best = among[i];
        if (e < best_edits) {
            best_edits = e;
            best = among[i];
        }
    }
    return best;
}
