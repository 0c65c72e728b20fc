/*
 * See spool_round.h.
 */
#include "smtpd/spool_round.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"

#include <stdlib.h>

enum {
	FULL_AGAIN_MS = 1000
};

struct spool_round {
	struct spool_store *store;
	void (*failed)(void *context);
	void *context;
	struct spool_change *first;
	struct spool_change **last;
	struct timer *again; /* the disk was full */
	bool is_failed;
	bool is_full; /* it was said */
};

/* A turn of the loop is enough. */
static void
try_again(void *context)
{
}

struct spool_round *
spool_round_new(struct event_loop *loop, struct spool_store *store,
    void (*failed)(void *context), void *context)
{
	struct spool_round *round = memory_new(1, sizeof(*round));

	round->store = store;
	round->failed = failed;
	round->context = context;
	round->last = &round->first;
	round->again = timer_new(loop, try_again, round);
	return round;
}

static void
finish(struct spool_change *change, enum status status)
{
	struct spool_change *next;

	for (; change != NULL; change = next) {
		next = change->next;
		change->done(
		    change, status == STATUS_OK ? change->status : status);
	}
}

void
spool_round_free(struct spool_round **round)
{
	struct spool_change *first;

	if (*round == NULL)
		return;
	first = (*round)->first;
	(*round)->first = NULL;
	finish(first, STATUS_UNAVAILABLE);
	timer_free(&(*round)->again);
	memory_free(round);
}

bool
spool_round_is_failed(const struct spool_round *round)
{
	return round->is_failed;
}

void
spool_round_fail(struct spool_round *round, const struct error *error)
{
	if (round->is_failed)
		return;
	round->is_failed = true;
	log_alarm("spool-failed", "error=\"%s\"", error->text);
	round->failed(round->context);
}

void
spool_round_add(struct spool_round *round, struct spool_change *change)
{
	change->next = NULL;
	*round->last = change;
	round->last = &change->next;
}

enum status
spool_round_status(const struct error *error)
{
	switch (error->code) {
	case ERROR_FULL:
		return STATUS_FULL;
	case ERROR_LIMIT:
		return STATUS_LIMIT;
	case ERROR_MISSING:
		return STATUS_MISSING;
	case ERROR_DAMAGED:
		return STATUS_DAMAGED;
	case ERROR_SYSTEM:
	case ERROR_UNAVAILABLE:
		return STATUS_UNAVAILABLE;
	default:
		return STATUS_INVALID;
	}
}

/* STATUS_OK, STATUS_FULL, or STATUS_UNAVAILABLE: the disk failed. */
static enum status
commit(struct spool_round *round, struct error *error)
{
	int result = spool_store_begin(round->store, error);

	for (struct spool_change *change = round->first;
	     result == 0 && change != NULL; change = change->next) {
		change->status = STATUS_OK;
		if (change->apply(change, error) == 0)
			continue;
		change->status = spool_round_status(error);
		if (change->status == STATUS_UNAVAILABLE)
			result = -1;
		else if (change->status == STATUS_DAMAGED)
			log_alarm("spool-damaged", "error=\"%s\"", error->text);
	}
	if (result == 0)
		result = spool_store_forget(
		    round->store, clock_wall_us() / 1000000, error);
	if (result == 0)
		result = spool_store_commit(round->store, error);
	else
		spool_store_abort(round->store);
	return result == 0 ? STATUS_OK
			   : (error->code == ERROR_FULL ? STATUS_FULL
							: STATUS_UNAVAILABLE);
}

/* Takes those that must be said in the end out of the list. */
static struct spool_change *
keep_must(struct spool_round *round, struct spool_change *first)
{
	struct spool_change *refused = NULL, **last = &refused, *change;

	while ((change = first) != NULL) {
		first = change->next;
		if (change->is_must) {
			spool_round_add(round, change);
			continue;
		}
		change->next = NULL;
		*last = change;
		last = &change->next;
	}
	if (round->first != NULL)
		timer_start(round->again, FULL_AGAIN_MS);
	return refused;
}

static void
tell_full(struct spool_round *round, enum status status)
{
	bool is_full = status == STATUS_FULL;

	if (is_full && !round->is_full)
		log_alarm("spool-full", "status=full");
	round->is_full = is_full;
}

void
spool_round_run(struct spool_round *round)
{
	struct spool_change *first = round->first;
	struct error error = { .code = ERROR_NONE };
	enum status status;

	if (first == NULL || round->is_failed)
		return;
	status = commit(round, &error);
	if (status == STATUS_UNAVAILABLE) {
		spool_round_fail(round, &error);
		return;
	}
	round->first = NULL;
	round->last = &round->first;
	tell_full(round, status);
	if (status == STATUS_FULL)
		first = keep_must(round, first);
	finish(first, status);
}
