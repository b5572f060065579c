/* change.h: how definitions change; the command itself stands in store.h. Internal to client/. */
#ifndef LDR_CLIENT_CHANGE_H
#define LDR_CLIENT_CHANGE_H
#include "client/store.h"

/* Removes the facts of deleted views that a crash or a failure has left. What cannot be removed now stays
 * noted and is tried again when the store is opened: nothing can read it. */
void ldr_change_finish_drops(struct ldr_store *s);
#endif
