/* Named fault points, for crash tests. Compiled in only with LARDER_FAULTS; a release build has none.
 * The environment variable LARDER_FAULT="name:N" makes the Nth pass of that point end the process by SIGKILL,
 * "name:N:error" makes it return an error instead. Points are listed in fault_list.h, sorted. */
#ifndef LDR_BASE_FAULT_H
#define LDR_BASE_FAULT_H
#ifdef LARDER_FAULTS
int ldr_fault_hit(const char *name); /* 0, or LDR_E_IO when the point is armed with error */
#define LDR_FAULT(name) ldr_fault_hit(#name)
#else
#define LDR_FAULT(name) 0
#endif
#endif
