/* What callers say about a view's columns and values, held against its definition. */
#include <stdlib.h>

#include "client/store.h"

int ldr_view_key_part(const struct ldr_view_entry *v, const char *name)
{
    for (uint32_t i = 0; i < v->entity->nkeys; i++) {
        if (strcmp(v->entity->keys[i], name) == 0)
            return (int)i;
    }
    return -1;
}

static int unknown_name(const struct ldr_view_entry *v, const char *name, struct ldr_err *err)
{
    struct ldr_suggest near;
    ldr_suggest_init(&near, ldr_slice_str(name));
    for (uint32_t i = 0; i < v->def->nfeatures; i++)
        ldr_suggest_offer(&near, v->def->features[i].about.name);
    for (uint32_t i = 0; i < v->entity->nkeys; i++)
        ldr_suggest_offer(&near, v->entity->keys[i]);
    return ldr_fail(err, LDR_E_INVALID, "feature view '%s' has no feature or join key '%.*s'%s%s%s",
                    v->def->about.name, LDR_NAME_MAX, name, LDR_SUGGEST(&near));
}

int ldr_view_bind(const struct ldr_view_entry *v, const char *const *names, size_t n, int32_t *bound,
                  struct ldr_err *err)
{
    bool seen_key[LDR_KEY_PARTS_MAX] = {false};
    bool *seen = ldr_calloc(NULL, v->schema->ncols, sizeof *seen);
    if (!seen)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    int rc = 0;
    for (size_t i = 0; !rc && i < n; i++) {
        if (!names[i]) {
            rc = ldr_fail(err, LDR_E_INVALID, "column %zu has no name", i);
            break;
        }
        int part = ldr_view_key_part(v, names[i]);
        bool *mark;
        if (part >= 0) {
            bound[i] = -1 - part;
            mark = &seen_key[part];
        } else {
            bound[i] = ldr_schema_slot(v->schema, ldr_slice_str(names[i]));
            if (bound[i] < 0) {
                rc = unknown_name(v, names[i], err);
                break;
            }
            mark = &seen[bound[i]];
        }
        if (*mark)
            rc = ldr_fail(err, LDR_E_INVALID, "'%s' is given twice", names[i]);
        *mark = true;
    }
    for (uint32_t i = 0; !rc && i < v->entity->nkeys; i++) {
        if (!seen_key[i])
            rc = ldr_fail(err, LDR_E_INVALID, "the join key '%s' of feature view '%s' is missing",
                          v->entity->keys[i], v->def->about.name);
    }
    free(seen);
    return rc;
}

/* "VALUE is WHAT BOUND", each text cut to what fits. */
static void say_bound(char why[LDR_WHY_MAX], const struct ldr_value *v, const char *what,
                      const struct ldr_value *bound)
{
    struct ldr_buf a, b;
    ldr_buf_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    ldr_value_format(v, &a);
    ldr_value_format(bound, &b);
    struct ldr_err text;
    ldr_fail(&text, LDR_E_INVALID, "%.80s is %s %.80s", ldr_buf_cstr(&a), what, ldr_buf_cstr(&b));
    size_t n = strnlen(text.message, LDR_WHY_MAX - 1);
    memcpy(why, text.message, n);
    why[n] = '\0';
    ldr_buf_close(&a);
    ldr_buf_close(&b);
}

static bool is_nan(const struct ldr_value *v)
{
    return (v->type == LDR_FLOAT64 && v->f64 != v->f64) || (v->type == LDR_FLOAT32 && v->f32 != v->f32);
}

int ldr_view_check_row(const struct ldr_view_entry *v, const struct ldr_value *values,
                       const struct ldr_feature_def **feature, char why[LDR_WHY_MAX])
{
    static const char null_text[] = "null is not allowed here";
    for (uint32_t i = 0; i < v->nchecked; i++) {
        const struct ldr_feature_def *f = v->checked[i];
        const struct ldr_checks *k = &f->checks;
        const struct ldr_value *x = &values[f->slot];
        *feature = f;
        if (x->null) {
            if (!k->not_null)
                continue;
            memcpy(why, null_text, sizeof null_text);
            return LDR_E_INVALID;
        }
        /* NaN is above everything in the order of values; as a bound would have it, it is outside of both. */
        if (k->has_min && (is_nan(x) || ldr_value_cmp(x, &k->min) < 0)) {
            say_bound(why, x, is_nan(x) ? "not at least the minimum" : "below the minimum", &k->min);
            return LDR_E_INVALID;
        }
        if (k->has_max && ldr_value_cmp(x, &k->max) > 0) {
            say_bound(why, x, is_nan(x) ? "not at most the maximum" : "above the maximum", &k->max);
            return LDR_E_INVALID;
        }
    }
    return 0;
}
