/*
 * Sessions that wait for one answer of the store: it is asked once for all of
 * them.
 */
#ifndef IMAPD_ASKERS_H
#define IMAPD_ASKERS_H

#include "common/status.h"

#include <stdbool.h>

struct asker;

typedef void asker_done(enum status status, void *context);

/* True: this is the first one, and the store has to be asked. */
bool askers_add(struct asker **askers, asker_done *done, void *context);
/* The answer is there: all are told, and the list is empty before. */
void askers_tell(struct asker **askers, enum status status);
/* Whoever has this context is told nothing any more. */
void askers_cancel(struct asker *askers, void *context);

#endif
