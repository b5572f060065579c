/* output_file.h: results as text: standard output, or a file that appears only when it is complete. Internal
 * to client/. */
#ifndef LDR_CLIENT_OUTPUT_FILE_H
#define LDR_CLIENT_OUTPUT_FILE_H
#include "base/base.h"

struct ldr_output_file {
    const char *path;    /* as asked for */
    char *target, *temp; /* NULL: written to directly */
    int fd;
    bool own_fd;
};
/* NULL or "-": standard output. What is no plain file (a pipe, a device) is written to directly. path is
 * borrowed. Close it also after a failure. */
int ldr_output_open(struct ldr_output_file *o, const char *path, struct ldr_err *err);
int ldr_output_write(struct ldr_output_file *o, struct ldr_slice text, struct ldr_err *err);
int ldr_output_commit(struct ldr_output_file *o, struct ldr_err *err); /* the file appears under its name */
void ldr_output_close(struct ldr_output_file *o); /* without a commit: nothing is left behind */
#endif
