/*
 * The sealer's half in the loop: see sealer.h.  It begins and ends the thread
 * (sealer_thread.c), applies what that hands over, a slice in a round of the
 * journal, and gives bulk back to its owners.
 */
#include "snapd/sealer.h"

#include "common/log.h"
#include "common/memory.h"
#include "snapd/seal_bulk.h"
#include "snapd/sealer_parts.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What became of the batch, for the thread. */
static void
end_batch(struct sealer *sealer, const struct error *error)
{
	pthread_mutex_lock(&sealer->lock);
	if (error == NULL)
		sealer->batch = NULL;
	else
		sealer->batch_error = *error;
	sealer->is_failed = error != NULL;
	pthread_cond_broadcast(&sealer->wake);
	pthread_mutex_unlock(&sealer->lock);
}

static struct seal_batch *
present_batch(struct sealer *sealer)
{
	struct seal_batch *batch;

	pthread_mutex_lock(&sealer->lock);
	batch = sealer->is_failed ? NULL : sealer->batch;
	pthread_mutex_unlock(&sealer->lock);
	return batch;
}

/* One slice of it goes into this round of the journal. */
static void
apply_slice(void *context)
{
	struct sealer *sealer = context;
	struct seal_batch *batch = present_batch(sealer);
	struct error error = { .code = ERROR_NONE };

	if (batch == NULL || sealer->is_in_round)
		return;
	if (seal_batch_apply(batch, sealer->journal, SEALER_SLICE_US, &error) !=
	    0)
		end_batch(sealer, &error);
	else
		sealer->is_in_round = true;
}

/* Those whose pass has ended, or all: then with this error. */
static void
tell_waiters(struct sealer *sealer, const struct error *ended)
{
	struct waiter **link = &sealer->waiters, *waiter;
	struct sealer_state state;
	bool is_bad;

	sealer_get_state(sealer, &state);
	pthread_mutex_lock(&sealer->lock);
	is_bad = sealer->is_last_bad;
	pthread_mutex_unlock(&sealer->lock);
	while ((waiter = *link) != NULL) {
		if (ended == NULL &&
		    state.passes + state.failures <= waiter->after) {
			link = &waiter->next;
			continue;
		}
		*link = waiter->next;
		waiter->done(waiter->context, ended != NULL ? ended
					      : is_bad      ? &state.error
							    : NULL);
		free(waiter);
	}
}

/* The bulk that was written goes back to its owners, in order. */
static void
return_bulk(struct sealer *sealer, bool is_ending)
{
	struct bulk *list, *next;

	pthread_mutex_lock(&sealer->lock);
	list = bulk_queue_take(&sealer->gone);
	if (is_ending) {
		bulk_queue_put(&sealer->gone, list);
		bulk_queue_put(&sealer->gone, bulk_queue_take(&sealer->come));
		list = bulk_queue_take(&sealer->gone);
	}
	pthread_mutex_unlock(&sealer->lock);
	for (; list != NULL; list = next) {
		next = list->next;
		list->next = NULL;
		list->done(list, is_ending);
	}
}

static void
on_batch(int fd, int events, void *context)
{
	struct sealer *sealer = context;
	struct sealer_state state;
	uint64_t count;
	bool is_broken;

	(void)events;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&sealer->lock);
	is_broken = sealer->is_broken;
	pthread_mutex_unlock(&sealer->lock);
	sealer_get_state(sealer, &state);
	if (state.failures > sealer->reported)
		log_warning("seal", "error=\"%s\"", state.error.text);
	sealer->reported = state.failures;
	tell_waiters(sealer, NULL);
	if (!is_broken)
		return_bulk(sealer, false);
	if (is_broken && sealer->options.failed != NULL)
		sealer->options.failed(sealer->options.context, &state.error);
	else if (!is_broken)
		apply_slice(sealer);
}

void
sealer_round_ended(struct sealer *sealer, enum status status)
{
	struct seal_batch *batch;
	struct error error;

	if (sealer == NULL || !sealer->is_in_round)
		return;
	sealer->is_in_round = false;
	batch = present_batch(sealer);
	if (batch == NULL)
		return;
	seal_batch_committed(batch, status == STATUS_OK);
	if (status != STATUS_OK) {
		error_set(&error,
		    status == STATUS_FULL ? ERROR_FULL : ERROR_SYSTEM,
		    "the index was not committed");
		end_batch(sealer, &error);
	} else if (batch->committed.done == batch->count) {
		end_batch(sealer, NULL);
	} else {
		timer_start(sealer->pause, SEALER_PAUSE_MS);
	}
}

static void
start_thread(struct sealer *sealer)
{
	pthread_condattr_t attributes;
	sigset_t all, old;

	pthread_mutex_init(&sealer->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&sealer->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	/* Signals belong to the loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&sealer->thread, NULL, sealer_thread_run, sealer) !=
	    0)
		fatal("no sealer thread");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

struct sealer *
sealer_new(struct event_loop *loop, struct journal *journal,
    struct segments *segments, const struct sealer_options *options)
{
	struct sealer *sealer = memory_new(1, sizeof(*sealer));

	sealer->journal = journal;
	sealer->options = *options;
	if (options->at_bytes == 0)
		sealer->options.at_bytes = SEALER_AT_BYTES;
	if (options->after_ms == 0)
		sealer->options.after_ms = SEALER_AFTER_MS;
	if (options->hold_bytes == 0)
		sealer->options.hold_bytes = SEALER_HOLD_BYTES;
	sealer->sealing.store = journal->store;
	sealer->sealing.segments = segments;
	sealer->sealing.apply = sealer_thread_apply;
	sealer->sealing.is_stopping = sealer_thread_is_stopping;
	sealer->sealing.context = sealer;
	sealing_init(&sealer->sealing);
	(void)bulk_queue_take(&sealer->come);
	(void)bulk_queue_take(&sealer->gone);
	sealer->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sealer->event_fd < 0)
		fatal("no eventfd");
	sealer->watch =
	    watch_new(loop, sealer->event_fd, WATCH_READ, on_batch, sealer);
	sealer->pause = timer_new(loop, apply_slice, sealer);
	start_thread(sealer);
	return sealer;
}

void
sealer_configure(struct sealer *sealer, int64_t after_ms)
{
	pthread_mutex_lock(&sealer->lock);
	sealer->options.after_ms = after_ms;
	pthread_mutex_unlock(&sealer->lock);
}

void
sealer_request(struct sealer *sealer,
    void (*done)(void *context, const struct error *error), void *context)
{
	struct waiter *waiter;

	pthread_mutex_lock(&sealer->lock);
	if (done != NULL) {
		waiter = memory_new(1, sizeof(*waiter));
		waiter->after = sealer->state.passes + sealer->state.failures +
				sealer->is_working;
		waiter->done = done;
		waiter->context = context;
		waiter->next = sealer->waiters;
		sealer->waiters = waiter;
	}
	sealer->is_requested = true;
	pthread_cond_broadcast(&sealer->wake);
	pthread_mutex_unlock(&sealer->lock);
}

void
sealer_bulk(struct sealer *sealer, struct bulk *bulk)
{
	bulk->next = NULL;
	pthread_mutex_lock(&sealer->lock);
	bulk_queue_put(&sealer->come, bulk);
	pthread_cond_broadcast(&sealer->wake);
	pthread_mutex_unlock(&sealer->lock);
}

void
sealer_add_bulk(struct sealer *sealer, uint64_t bytes)
{
	bool is_much;

	pthread_mutex_lock(&sealer->lock);
	sealer->bulk += bytes;
	is_much = sealer->bulk >= sealer->options.hold_bytes / 4;
	pthread_mutex_unlock(&sealer->lock);
	if (is_much)
		sealer_request(sealer, NULL, NULL);
}

bool
sealer_is_behind(struct sealer *sealer)
{
	bool is_behind;

	pthread_mutex_lock(&sealer->lock);
	is_behind =
	    !sealer->is_last_bad &&
	    sealer->bulk + sealer->bulk_in_pass >= sealer->options.hold_bytes;
	pthread_mutex_unlock(&sealer->lock);
	return is_behind;
}

void
sealer_get_state(struct sealer *sealer, struct sealer_state *state)
{
	pthread_mutex_lock(&sealer->lock);
	*state = sealer->state;
	pthread_mutex_unlock(&sealer->lock);
}

void
sealer_free(struct sealer **sealer)
{
	struct sealer *s = *sealer;
	struct error ended;

	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->is_stopping = true;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	error_set(&ended, ERROR_UNAVAILABLE, "snapd is ending");
	tell_waiters(s, &ended);
	return_bulk(s, true);
	timer_free(&s->pause);
	watch_free(&s->watch);
	close(s->event_fd);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	memory_free(sealer);
}
