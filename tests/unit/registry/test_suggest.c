#include "unit/registry/defs_text.h"

static const char *nearest(const char *word)
{
    static const char *const words[] = {"description", "entity",    "features", "name", "online",
                                        "owner",       "retention", "source",   "tags", "ttl"};
    struct ldr_suggest s;
    ldr_suggest_init(&s, slice_of(word));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        ldr_suggest_offer(&s, words[i]);
    return s.best ? s.best : "";
}

static void typing_errors_are_near(void **state)
{
    (void)state;
    assert_string_equal(nearest("tll"), "ttl");          /* replaced */
    assert_string_equal(nearest("naem"), "name");        /* swapped */
    assert_string_equal(nearest("onlin"), "online");     /* left out */
    assert_string_equal(nearest("sourcce"), "source");   /* doubled */
    assert_string_equal(nearest("TTL"), "ttl");          /* case */
    assert_string_equal(nearest("desc"), "description"); /* cut */
    assert_string_equal(nearest("enttiy"), "entity");
    assert_string_equal(nearest("feature"), "features");
}

static void other_words_are_not(void **state)
{
    (void)state;
    assert_string_equal(nearest(""), "");
    assert_string_equal(nearest("x"), "");
    assert_string_equal(nearest("batch_source"), "");
    assert_string_equal(nearest("schema"), "");
    char longer[200];
    memset(longer, 'a', sizeof longer);
    longer[199] = '\0';
    assert_string_equal(nearest(longer), "");
}

static void equal_distance_takes_the_first_by_name(void **state)
{
    (void)state;
    struct ldr_suggest s;
    ldr_suggest_init(&s, slice_of("bat"));
    ldr_suggest_offer(&s, "hat");
    ldr_suggest_offer(&s, "cat");
    ldr_suggest_offer(&s, "rat");
    assert_string_equal(s.best, "cat");
}

static void kinds_are_read_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum ldr_kind kind;
    } good[] = {
        {"entity", LDR_KIND_ENTITY},
        {"entities", LDR_KIND_ENTITY},
        {"source", LDR_KIND_SOURCE},
        {"sources", LDR_KIND_SOURCE},
        {"feature-view", LDR_KIND_VIEW},
        {"feature-views", LDR_KIND_VIEW},
        {"feature_views", LDR_KIND_VIEW},
        {"feature view", LDR_KIND_VIEW},
        {"views", LDR_KIND_VIEW},
        {"feature", LDR_KIND_FEATURE},
        {"features", LDR_KIND_FEATURE},
        {"project", LDR_KIND_PROJECT},
        {"feature-service", LDR_KIND_SERVICE},
        {"feature-services", LDR_KIND_SERVICE},
        {"services", LDR_KIND_SERVICE},
    };
    enum ldr_kind k;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(ldr_kind_parse(good[i].text, &k), 0);
        assert_int_equal(k, good[i].kind);
    }
    assert_int_equal(ldr_kind_parse("", &k), LDR_E_INVALID);
    assert_int_equal(ldr_kind_parse("featureviews", &k), LDR_E_INVALID);
    assert_int_equal(ldr_kind_parse("entitys", &k), LDR_E_INVALID);
    for (int i = LDR_KIND_ENTITY; i <= LDR_KIND_PROJECT; i++) {
        assert_int_equal(ldr_kind_parse(ldr_kind_name((enum ldr_kind)i), &k), 0);
        assert_int_equal(k, i);
    }
    assert_string_equal(ldr_kind_name((enum ldr_kind)0), "thing");
    assert_string_equal(ldr_kind_name((enum ldr_kind)99), "thing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typing_errors_are_near),
        cmocka_unit_test(other_words_are_not),
        cmocka_unit_test(equal_distance_takes_the_first_by_name),
        cmocka_unit_test(kinds_are_read_as_people_write_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
