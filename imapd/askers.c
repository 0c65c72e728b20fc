/*
 * See askers.h.
 */
#include "imapd/askers.h"

#include "common/memory.h"

#include <stdlib.h>

struct asker {
	struct asker *next;
	asker_done *done;
	void *context;
};

bool
askers_add(struct asker **askers, asker_done *done, void *context)
{
	struct asker *asker = memory_new(1, sizeof(*asker));
	bool is_first = *askers == NULL;

	asker->done = done;
	asker->context = context;
	asker->next = *askers;
	*askers = asker;
	return is_first;
}

void
askers_tell(struct asker **askers, enum status status)
{
	struct asker *asker = *askers, *next;

	*askers = NULL;
	for (; asker != NULL; asker = next) {
		next = asker->next;
		if (asker->done != NULL)
			asker->done(status, asker->context);
		free(asker);
	}
}

void
askers_cancel(struct asker *askers, void *context)
{
	for (; askers != NULL; askers = askers->next)
		if (askers->context == context)
			askers->done = NULL;
}
