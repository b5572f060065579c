/* ops/: the `larder` command line. main.c calls this and nothing else. */
#ifndef LDR_OPS_H
#define LDR_OPS_H

/* Runs one command line. argv may be permuted. Returns the exit code of the process. */
int ldr_ops_main(int argc, char **argv);
#endif
