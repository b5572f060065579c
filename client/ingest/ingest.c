/* ldr_ingest_file: one file into one view. */
#include "client/ingest/ingest.h"

int ldr_ingest_file(struct ldr_store *s, const struct ldr_ingest *in, const struct ldr_work *work,
                    struct ldr_write_report *report, struct ldr_err *err)
{
    struct ldr_write_report own;
    report = report ? report : &own;
    *report = (struct ldr_write_report){0};
    ldr_err_clear(err);
    int entered = ldr_store_enter(s, err);
    if (entered)
        return entered;
    if (!in->view || !in->path)
        return ldr_fail(err, LDR_E_INVALID, "a view and a path are needed");
    if (in->has_range && in->from_us > in->to_us)
        return ldr_fail(err, LDR_E_INVALID, "the range ends before it starts");
    if (in->has_created_at && (in->created_at_us < LDR_TIME_MIN_US || in->created_at_us > LDR_TIME_MAX_US))
        return ldr_fail(err, LDR_E_INVALID, "the created time is outside the years 0001 to 9999");
    struct ldr_catalog *c = ldr_store_catalog(s);
    const struct ldr_view_entry *view;
    int rc = ldr_catalog_view(c, in->view, &view, err);
    if (rc == 0)
        rc = ldr_ingest_run(s, view, in, work, report, err);
    ldr_catalog_release(c);
    return rc;
}
