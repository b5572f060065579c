/* shim.c: included into the module's source by ffi_build.py, behind Python.h, shim.h and larder.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ArrowSchema *larder_new_schema(void)
{
    return calloc(1, sizeof(struct ArrowSchema));
}

struct ArrowArray *larder_new_array(void)
{
    return calloc(1, sizeof(struct ArrowArray));
}

void larder_release_schema(struct ArrowSchema *s)
{
    if (s && s->release)
        s->release(s);
}

void larder_release_array(struct ArrowArray *a)
{
    if (a && a->release)
        a->release(a);
}

void larder_release_stream(struct ArrowArrayStream *s)
{
    if (s && s->release)
        s->release(s);
}

/* A consumer that moved the content away has set its `release` to NULL. */
static void schema_capsule_destroy(PyObject *capsule)
{
    struct ArrowSchema *s = PyCapsule_GetPointer(capsule, "arrow_schema");
    larder_release_schema(s);
    free(s);
}

static void array_capsule_destroy(PyObject *capsule)
{
    struct ArrowArray *a = PyCapsule_GetPointer(capsule, "arrow_array");
    larder_release_array(a);
    free(a);
}

void *larder_schema_destructor(void)
{
    return (void *)schema_capsule_destroy;
}

void *larder_array_destructor(void)
{
    return (void *)array_capsule_destroy;
}

int larder_stream_schema(struct ArrowArrayStream *s, struct ArrowSchema *out)
{
    return s->get_schema(s, out);
}

int larder_stream_next(struct ArrowArrayStream *s, struct ArrowArray *out)
{
    return s->get_next(s, out);
}

const char *larder_stream_error(struct ArrowArrayStream *s)
{
    const char *text = s->get_last_error(s);
    return text ? text : "";
}

static void put_cell(const struct ldr_column_data *c, size_t i, struct ldr_datum *out)
{
    memset(out, 0, sizeof *out);
    out->type = c->type;
    if (c->validity && !(c->validity[i / 8] >> (i % 8) & 1)) {
        out->status = LDR_NULL_VALUE;
        out->null = true;
        return;
    }
    switch (c->type) {
    case LDR_BOOL:
        out->v.b = ((const uint8_t *)c->data)[i / 8] >> (i % 8) & 1;
        break;
    case LDR_INT32:
        out->v.i = ((const int32_t *)c->data)[i];
        break;
    case LDR_STRING:
    case LDR_BYTES:
        out->v.s.n = (size_t)(c->offsets[i + 1] - c->offsets[i]);
        out->v.s.p = out->v.s.n ? (const char *)c->data + c->offsets[i] : "";
        break;
    default:
        out->v.i = ((const int64_t *)c->data)[i];
    }
}

void larder_rows_of(const struct ldr_column_data *cols, size_t ncols, size_t nrows, struct ldr_datum *out)
{
    for (size_t row = 0; row < nrows; row++)
        for (size_t k = 0; k < ncols; k++)
            put_cell(&cols[k], row, &out[row * ncols + k]);
}

static void end_now(int status, void *unused)
{
    (void)unused;
    fflush(NULL);
    _exit(status);
}

void larder_exit_at_once(void)
{
    on_exit(end_now, NULL); /* runs before everything that was registered before the fork */
}
