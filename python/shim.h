/* shim.h: what the Python module has in C besides liblarder. Read by the C compiler and by cffi. */
struct ldr_column_data;
struct ldr_datum;

/* The Arrow C data interface, as its specification declares it. */
struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};
struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};
struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

/* Heap memory whose content a capsule's destructor releases, and which it frees then. */
struct ArrowSchema *larder_new_schema(void);
struct ArrowArray *larder_new_array(void);
/* Destructors of capsules: of type void (*)(PyObject *). */
void *larder_schema_destructor(void);
void *larder_array_destructor(void);
/* Releases what is in it, if anything; the memory stays. */
void larder_release_schema(struct ArrowSchema *s);
void larder_release_array(struct ArrowArray *a);
void larder_release_stream(struct ArrowArrayStream *s);
int larder_stream_schema(struct ArrowArrayStream *s, struct ArrowSchema *out);
int larder_stream_next(struct ArrowArrayStream *s, struct ArrowArray *out);
const char *larder_stream_error(struct ArrowArrayStream *s);

/* Key columns (scalars, offsets ascending) as rows of data: out has nrows * ncols places. */
void larder_rows_of(const struct ldr_column_data *cols, size_t ncols, size_t nrows, struct ldr_datum *out);

/* In a child that was forked off with an open store: makes exit() end it at once. RocksDB's destructors would
 * wait for threads that exist in the parent alone. Python has finalized by then: files are flushed. */
void larder_exit_at_once(void);
