/* One run. */
#ifndef LDR_TESTS_SIM_WORLD_H
#define LDR_TESTS_SIM_WORLD_H
#include "sim.h"

struct sim_result {
    bool failed, invalid; /* invalid: too little succeeded for the run to say anything */
    char failure[1024];
    struct sim_stats st;
    uint64_t now;
};
void sim_run(uint64_t seed, bool trace, struct sim_result *out);
#endif
