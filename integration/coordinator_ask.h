/* What a drill asks coordinators. 0: no answer within two seconds. */
#ifndef INTEGRATION_COORDINATOR_ASK_H
#define INTEGRATION_COORDINATOR_ASK_H
#include "client/cluster/cluster.h"

/* Version of the definitions that somebody among these knows; strict: that is in force. */
uint64_t ask_version(struct ldr_cluster_control *c, bool strict);
/* Number of the member that leads. */
uint64_t ask_leader(struct ldr_cluster_control *c);
/* How many members have told where they serve clients. */
uint32_t ask_addresses(struct ldr_cluster_control *c);
#endif
