/* The checker of registry histories: right ones pass, each kind of wrong one is told by its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "integration/soak/history.h"

#define APPLY(c, from, to, ex, val) \
    {.kind = HISTORY_APPLY,         \
     .client = (c),                 \
     .from_us = (from),             \
     .to_us = (to),                 \
     .expect = (ex),                \
     .value = (val),                \
     .version = (ex) + 1}
#define ENDS(how, c, from, to, ex, val) \
    {.kind = HISTORY_APPLY,             \
     .end = (how),                      \
     .client = (c),                     \
     .from_us = (from),                 \
     .to_us = (to),                     \
     .expect = (ex),                    \
     .value = (val)}
#define READ(c, from, to, ver, val) \
    {.kind = HISTORY_READ, .client = (c), .from_us = (from), .to_us = (to), .version = (ver), .value = (val)}
#define PEEK(c, from, to, ver, val) \
    {.kind = HISTORY_PEEK, .client = (c), .from_us = (from), .to_us = (to), .version = (ver), .value = (val)}
#define CHECK(ops, text) check(ops, sizeof(ops) / sizeof *(ops), text)

/* text: what the complaint must say; NULL = there is none. The order of operations must not matter. */
static struct history_tally check(struct history_op *ops, size_t n, const char *text)
{
    struct history_tally t = {0};
    for (size_t turn = 0; turn < n; turn++) {
        char why[512] = "";
        bool ok = history_check(ops, n, 7, &t, why, sizeof why);
        if (ok != (text == NULL) || (text && !strstr(why, text)))
            fail_msg("found '%s', expected '%s'", why, text ? text : "");
        struct history_op first = ops[0];
        memmove(ops, ops + 1, (n - 1) * sizeof *ops);
        ops[n - 1] = first;
    }
    return t;
}

static void right_ones_pass(void **state)
{
    (void)state;
    struct history_op ops[] = {
        READ(1, 0, 5, 7, 0),      APPLY(1, 10, 20, 7, 100),
        READ(2, 12, 14, 7, 0),    READ(2, 15, 25, 8, 100), /* both while the apply is under way */
        APPLY(2, 30, 40, 8, 101), ENDS(HISTORY_CONFLICT, 1, 32, 50, 8, 102),
        PEEK(3, 60, 61, 7, 0),    PEEK(3, 61, 62, 2, 0), /* an old answer is no fault of a look */
        READ(3, 62, 70, 9, 101),  ENDS(HISTORY_FAILED, 3, 71, 72, 9, 103),
    };
    struct history_tally t = CHECK(ops, NULL);
    assert_int_equal(t.applied, 2);
    assert_int_equal(t.read, 4);
    assert_int_equal(t.peeked, 2);
    assert_int_equal(t.conflicts, 1);
    assert_int_equal(t.failed, 1);
    assert_int_equal(t.versions, 2);
    assert_true(history_check(NULL, 0, 7, &t, NULL, 0));
}

static void what_is_in_doubt_may_appear_or_not(void **state)
{
    (void)state;
    struct history_op never[] = {ENDS(HISTORY_IN_DOUBT, 1, 10, 20, 7, 100), READ(2, 50, 60, 7, 0)};
    assert_int_equal(CHECK(never, NULL).in_doubt_seen, 0);
    struct history_op late[] = {ENDS(HISTORY_IN_DOUBT, 1, 10, 20, 7, 100), READ(2, 50, 60, 7, 0),
                                READ(2, 61, 70, 8, 100)};
    assert_int_equal(CHECK(late, NULL).in_doubt_seen, 1);
    /* seen by its successor alone, and by a conflict alone */
    struct history_op under[] = {ENDS(HISTORY_IN_DOUBT, 1, 10, 20, 7, 100),
                                 ENDS(HISTORY_IN_DOUBT, 2, 11, 20, 7, 101), READ(3, 25, 26, 8, 0),
                                 APPLY(3, 30, 40, 8, 102)};
    assert_int_equal(CHECK(under, NULL).in_doubt_seen, 1);
    struct history_op told[] = {ENDS(HISTORY_IN_DOUBT, 1, 10, 20, 7, 100),
                                ENDS(HISTORY_CONFLICT, 2, 15, 30, 7, 101)};
    CHECK(told, NULL);
    struct history_op early[] = {PEEK(2, 1, 9, 8, 100), ENDS(HISTORY_IN_DOUBT, 1, 10, 20, 7, 100)};
    CHECK(early, "client 1's apply (version 8) began 1 us after the end of client 2's look");
    struct history_op twice[] = {ENDS(HISTORY_IN_DOUBT, 1, 10, 20, 7, 100), READ(2, 30, 31, 8, 100),
                                 READ(2, 32, 33, 9, 100)};
    CHECK(twice, "version 9 (value 100, 0 = nobody was told) is there, but no apply");
}

static void stale_reads_are_found(void **state)
{
    (void)state;
    struct history_op after_apply[] = {APPLY(1, 10, 20, 7, 100), READ(2, 21, 30, 7, 0)};
    CHECK(after_apply,
          "client 2's read (version 7) began 1 us after the end of client 1's apply (version 8)");
    /* behind what another reader saw, though the apply itself is in doubt and has no end */
    struct history_op after_read[] = {ENDS(HISTORY_IN_DOUBT, 1, 10, 20, 7, 100), READ(2, 11, 15, 8, 100),
                                      READ(3, 16, 30, 7, 0)};
    CHECK(after_read, "client 3's read (version 7) began 1 us after the end of client 2's read (version 8)");
    /* several versions behind */
    struct history_op far[] = {APPLY(1, 10, 20, 7, 100), APPLY(1, 21, 30, 8, 101), APPLY(1, 31, 40, 9, 102),
                               READ(2, 35, 50, 9, 101), READ(3, 41, 50, 9, 101)};
    CHECK(far, "client 3's read (version 9)");
    struct history_op before[] = {READ(2, 0, 5, 6, 0)};
    CHECK(before, "found version 6; at the beginning it was 7");
}

static void lost_applies_are_found(void **state)
{
    (void)state;
    /* the version is given a second time, by somebody who could be told the old one again */
    struct history_op again[] = {APPLY(1, 10, 20, 7, 100), ENDS(HISTORY_IN_DOUBT, 2, 30, 40, 7, 101),
                                 READ(3, 50, 60, 8, 101)};
    CHECK(again, "version 8 has value 101; acknowledged was value 100 of client 1");
    struct history_op back[] = {APPLY(1, 10, 20, 7, 100), APPLY(1, 21, 30, 8, 101), READ(2, 40, 50, 8, 100)};
    CHECK(back, "client 2's read (version 8) began 10 us after the end of client 1's apply (version 9)");
}

static void two_winners_are_found(void **state)
{
    (void)state;
    struct history_op acked[] = {APPLY(1, 10, 20, 7, 100), APPLY(2, 11, 21, 7, 101)};
    CHECK(acked, "two applies were acknowledged for version 8");
    struct history_op seen[] = {ENDS(HISTORY_IN_DOUBT, 1, 10, 20, 7, 100),
                                ENDS(HISTORY_IN_DOUBT, 2, 10, 20, 7, 101), READ(3, 30, 31, 8, 100),
                                PEEK(4, 30, 31, 8, 101)};
    CHECK(seen, "version 8 was value 10");
}

static void what_nobody_did_is_found(void **state)
{
    (void)state;
    struct history_op refused[] = {ENDS(HISTORY_FAILED, 1, 10, 20, 7, 100), READ(2, 30, 31, 8, 100)};
    CHECK(refused, "no apply of it was acknowledged or in doubt");
    struct history_op conflict[] = {ENDS(HISTORY_CONFLICT, 1, 10, 20, 7, 100), READ(2, 30, 31, 7, 0)};
    CHECK(conflict, "version 8 (value 0, 0 = nobody was told) is there, but no apply");
    struct history_op gap[] = {READ(2, 30, 31, 9, 55), APPLY(1, 1, 2, 7, 54)};
    CHECK(gap, "version 9 (value 55");
    struct history_op far[] = {READ(2, 30, 31, 5000, 55)};
    CHECK(far, "cannot have made it");
    struct history_op wrong_version[] = {APPLY(1, 10, 20, 7, 100)};
    wrong_version[0].version = 12;
    CHECK(wrong_version, "gave version 12");
    struct history_op unborn[] = {ENDS(HISTORY_CONFLICT, 1, 10, 20, 7, 100), APPLY(2, 25, 30, 7, 101)};
    CHECK(unborn, "was refused as too late, 5 us before");
    struct history_op future[] = {READ(2, 1, 9, 8, 100), APPLY(1, 10, 20, 7, 100)};
    CHECK(future, "client 1's apply (version 8) began 1 us after the end of client 2's read");
}

/* Histories of a register that is simulated pass; the same with one answer made older or newer do not. */
static void random_histories(void **state)
{
    (void)state;
    enum { OPS = 400, CLIENTS = 5 };
    uint64_t draw = 4711;
    unsigned caught = 0;
#define DRAW(below) (((draw = draw * UINT64_C(6364136223846793005) + 1442695040888963407u) >> 33) % (below))
    for (unsigned round = 0; round < 200; round++) {
        struct history_op ops[OPS];
        uint64_t version = 7, value = 0, told[CLIENTS], free_us[CLIENTS] = {0}, at = 100;
        char why[512];
        struct history_tally t;
        for (unsigned i = 0; i < CLIENTS; i++)
            told[i] = 7;
        for (unsigned i = 0; i < OPS; i++) { /* each takes effect at `at`, somewhere inside its time */
            struct history_op *o = &ops[i];
            unsigned c = (unsigned)DRAW(CLIENTS);
            at += 1 + DRAW(20);
            at = at > free_us[c] ? at : free_us[c] + 1;
            uint64_t since = at - free_us[c], fate = DRAW(10);
            *o = (struct history_op){.client = c, .from_us = at - DRAW(since < 30 ? since : 30)};
            o->to_us = at + DRAW(30);
            free_us[c] = o->to_us;
            if (DRAW(2)) {
                o->kind = HISTORY_READ;
                o->version = told[c] = version;
                o->value = DRAW(2) ? value : 0;
                continue;
            }
            o->expect = told[c];
            o->value = 1000 + i;
            o->end = fate == 0 ? HISTORY_IN_DOUBT : told[c] != version ? HISTORY_CONFLICT : HISTORY_OK;
            if (told[c] == version && (fate || DRAW(2))) {
                version++;
                value = o->value;
                o->version = version;
                if (o->end == HISTORY_OK)
                    told[c] = version;
            }
        }
        if (!history_check(ops, OPS, 7, &t, why, sizeof why))
            fail_msg("round %u: %s", round, why);
        struct history_op *victim = &ops[OPS / 2 + DRAW(OPS / 2)];
        if (victim->kind == HISTORY_READ && victim->version > 9) {
            victim->version -= 2; /* of the past: another value, or too old */
            caught += !history_check(ops, OPS, 7, &t, why, sizeof why);
        }
    }
    assert_true(caught > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_ones_pass),       cmocka_unit_test(what_is_in_doubt_may_appear_or_not),
        cmocka_unit_test(stale_reads_are_found), cmocka_unit_test(lost_applies_are_found),
        cmocka_unit_test(two_winners_are_found), cmocka_unit_test(what_nobody_did_is_found),
        cmocka_unit_test(random_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
