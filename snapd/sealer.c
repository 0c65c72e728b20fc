/*
 * The sealer's thread and its other half in the loop: see sealer.h.  One lock;
 * a batch is handed over by a pointer, and the thread waits until it is
 * applied.
 */
#include "snapd/sealer.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/as_of.h"
#include "snapd/seal_bulk.h"
#include "snapd/sealing.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
	LOOK_EVERY_S = 1
};

struct bulk_queue {
	struct bulk *first;
	struct bulk **last;
};

/* Who waits for a pass. */
struct waiter {
	struct waiter *next;
	uint64_t after; /* passes that must have ended */
	void (*done)(void *context, const struct error *error);
	void *context;
};

struct sealer {
	struct journal *journal;
	struct waiter *waiters;
	struct sealer_options options;
	struct sealing sealing; /* the thread's */
	struct watch *watch;
	struct timer *pause;
	int event_fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct seal_batch *batch; /* that the loop applies */
	struct error batch_error;
	bool is_failed;   /* the batch */
	bool is_in_round; /* something of it stands in the open round */
	bool is_requested;
	bool is_working;
	bool is_stopping;
	bool is_broken;
	int64_t behind_ms; /* when that was first seen; 0: it is not */
	bool is_quiet;     /* nothing came for a second; the thread's */
	struct sealer_state state;
	bool is_last_bad;             /* the pass that ended last */
	struct bulk_queue come, gone; /* to be written, and written */
	uint64_t
	    written;   /* bytes of bulk that no pass followed; the thread's */
	uint64_t bulk; /* bytes that came since the last pass began */
	uint64_t bulk_in_pass; /* that it moves */
	uint64_t reported;     /* failures that were logged; the loop's */
};

/* -- Queues of bulk -- */

static void
queue_put(struct bulk_queue *queue, struct bulk *list)
{
	*queue->last = list;
	while (*queue->last != NULL)
		queue->last = &(*queue->last)->next;
}

static struct bulk *
queue_take(struct bulk_queue *queue)
{
	struct bulk *list = queue->first;

	queue->first = NULL;
	queue->last = &queue->first;
	return list;
}

/* -- In the thread -- */

static void
wake_loop(struct sealer *sealer)
{
	uint64_t one = 1;

	if (write(sealer->event_fd, &one, sizeof(one)) < 0)
		fatal("eventfd");
}

static bool
is_stopping(void *context)
{
	struct sealer *sealer = context;
	bool is_so;

	pthread_mutex_lock(&sealer->lock);
	is_so = sealer->is_stopping;
	pthread_mutex_unlock(&sealer->lock);
	return is_so;
}

static uint64_t
bytes_of(const struct bulk *list)
{
	uint64_t bytes = 0;
	size_t i;

	for (; list != NULL; list = list->next)
		for (i = 0; i < list->count; i++)
			bytes += list->bodies[i].bytes.size;
	return bytes;
}

static struct bulk *
take_bulk(struct sealer *sealer)
{
	struct bulk *list;

	pthread_mutex_lock(&sealer->lock);
	list = queue_take(&sealer->come);
	pthread_mutex_unlock(&sealer->lock);
	return list;
}

static void
give_back(struct sealer *sealer, struct bulk *list, bool is_bad)
{
	sealer->written += bytes_of(list);
	pthread_mutex_lock(&sealer->lock);
	queue_put(&sealer->gone, list);
	sealer->is_last_bad = is_bad;
	pthread_mutex_unlock(&sealer->lock);
	wake_loop(sealer);
}

/* May more bulk be begun behind what is written?  Not where a pass is due,
 * unless one waits for the loop. */
static bool
may_go_on(struct sealer *sealer)
{
	bool may;

	pthread_mutex_lock(&sealer->lock);
	may = !sealer->is_stopping &&
	      (sealer->batch != NULL ||
		  (!sealer->is_requested &&
		      sealer->written < sealer->options.at_bytes));
	pthread_mutex_unlock(&sealer->lock);
	return may;
}

/* All of the list, and what comes meanwhile. */
static int
write_lists(struct sealer *sealer, struct bulk *list, struct error *error)
{
	struct sealing *sealing = &sealer->sealing;
	struct bulk_writing *writing = sealing_bulk_begin(sealing, list);
	struct bulk *next;
	int result = 0;

	for (; list != NULL && result == 0; list = next) {
		result = sealing_bulk_place(&writing, error);
		next = NULL;
		if (result == 0 && may_go_on(sealer))
			next = take_bulk(sealer);
		if (next != NULL)
			writing = sealing_bulk_begin(sealing, next);
		if (result == 0)
			result = sealing_bulk_commit(sealing, list, error);
		give_back(sealer, list, result != 0);
	}
	if (list != NULL) {
		sealing_bulk_drop(&writing);
		give_back(sealer, list, true);
	}
	return result;
}

/* Writes the bulk that has come, if there is any; as long as segments cannot be
 * written it goes back as it is. */
static int
write_bulk(struct sealer *sealer, struct error *error)
{
	struct sealing *sealing = &sealer->sealing;
	struct bulk *list = take_bulk(sealer);
	bool is_bad;

	if (list == NULL)
		return 0;
	pthread_mutex_lock(&sealer->lock);
	is_bad = sealer->is_last_bad;
	pthread_mutex_unlock(&sealer->lock);
	if (!is_bad && sealing->writer == NULL &&
	    sealing_replay(sealing, error) != 0) {
		give_back(sealer, list, true);
		return -1;
	}
	if (!is_bad)
		return write_lists(sealer, list, error);
	give_back(sealer, list, true);
	return 0;
}

/* Until the loop has applied the batch, or will not; with the lock. */
static int
wait_applied(struct sealer *sealer, struct error *error)
{
	bool can_write = sealer->sealing.writer != NULL;
	int result = 0;

	while (sealer->batch != NULL && !sealer->is_failed &&
	       !sealer->is_stopping) {
		if (!can_write || sealer->come.first == NULL) {
			pthread_cond_wait(&sealer->wake, &sealer->lock);
			continue;
		}
		pthread_mutex_unlock(&sealer->lock);
		if (write_bulk(sealer, error) != 0)
			result = -1;
		pthread_mutex_lock(&sealer->lock);
	}
	return result;
}

static int
apply(void *context, struct seal_batch *batch, struct error *error)
{
	struct sealer *sealer = context;
	int result;

	pthread_mutex_lock(&sealer->lock);
	sealer->batch = batch;
	sealer->is_failed = false;
	wake_loop(sealer);
	result = wait_applied(sealer, error);
	if (sealer->is_failed)
		*error = sealer->batch_error;
	else if (sealer->batch != NULL)
		error_set(error, ERROR_BUSY, "stopping");
	if (sealer->batch != NULL)
		result = -1;
	sealer->batch = NULL;
	pthread_mutex_unlock(&sealer->lock);
	seal_batch_clear(batch);
	return result;
}

/* Is there anything to do?  -1: the index cannot be read. */
static int
is_due(struct sealer *sealer, struct error *error)
{
	struct transaction *t =
	    transaction_begin(sealer->sealing.store, false, error);
	int64_t now_ms = clock_monotonic_us() / 1000, after_ms;
	uint64_t staged, sealed = 0;
	bool is_behind;

	if (t == NULL)
		return -1;
	staged = store_count(t, DB_CHUNK) * STORE_CHUNK_SIZE;
	if (seal_batch_sealed(t, &sealed, error) != 0) {
		transaction_abort(&t);
		return -1;
	}
	is_behind = staged > 0 || as_of_last_sequence(t) > sealed;
	transaction_abort(&t);
	if (!is_behind)
		sealer->behind_ms = 0;
	else if (sealer->behind_ms == 0)
		sealer->behind_ms = now_ms;
	pthread_mutex_lock(&sealer->lock);
	after_ms = sealer->options.after_ms;
	pthread_mutex_unlock(&sealer->lock);
	return is_behind && (staged >= sealer->options.at_bytes ||
				sealer->written >= sealer->options.at_bytes ||
				now_ms - sealer->behind_ms >= after_ms);
}

static bool
take_request(struct sealer *sealer)
{
	bool is_requested;

	pthread_mutex_lock(&sealer->lock);
	is_requested = sealer->is_requested;
	sealer->is_requested = false;
	/* From here on a request is for the pass after this one. */
	sealer->is_working = is_requested;
	pthread_mutex_unlock(&sealer->lock);
	return is_requested;
}

/* Waits, no longer than the given time, for a request, bulk or the end; did
 * neither come? */
static bool
wait_some(struct sealer *sealer, int64_t ms)
{
	struct timespec until;
	int waited = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (ms + 999) / 1000;
	pthread_mutex_lock(&sealer->lock);
	while (!sealer->is_stopping && !sealer->is_requested &&
	       sealer->come.first == NULL && waited == 0)
		waited = pthread_cond_timedwait(
		    &sealer->wake, &sealer->lock, &until);
	pthread_mutex_unlock(&sealer->lock);
	return waited != 0;
}

/* Waits for so long, or for a request. Bulk goes back meanwhile. */
static void
wait_for_retry(struct sealer *sealer)
{
	int64_t until_ms = clock_monotonic_us() / 1000 + SEALER_RETRY_MS;
	struct error none;
	int64_t left_ms;

	while ((left_ms = until_ms - clock_monotonic_us() / 1000) > 0) {
		(void)wait_some(sealer, left_ms);
		pthread_mutex_lock(&sealer->lock);
		if (sealer->come.first == NULL)
			left_ms = 0;
		pthread_mutex_unlock(&sealer->lock);
		if (left_ms == 0)
			break;
		(void)write_bulk(sealer, &none);
	}
}

/* What can wait while bulk comes: sums of full segments, and files of those
 * that were dropped. */
static int
tidy(struct sealer *sealer, struct error *error)
{
	struct sealing *sealing = &sealer->sealing;

	if (!sealer->is_quiet || sealing->writer == NULL)
		return 0;
	if (sealing->has_ended && sealing_finish_full(sealing, error) != 0)
		return -1;
	return table_count(sealing->dropped) > 0
		   ? sealing_finish_dropped(sealing, error)
		   : 0;
}

/* 1 if a pass was made, 0 if none was due, -1. */
static int
work(struct sealer *sealer, struct error *error)
{
	struct sealing *sealing = &sealer->sealing;
	bool is_requested = take_request(sealer);
	int due = is_requested ? 1 : is_due(sealer, error);

	if (due == 0)
		return tidy(sealer, error);
	if (due != 1)
		return due;
	pthread_mutex_lock(&sealer->lock);
	sealer->is_working = true;
	sealer->bulk_in_pass = sealer->bulk;
	sealer->bulk = 0;
	pthread_mutex_unlock(&sealer->lock);
	if (sealing->writer == NULL && sealing_replay(sealing, error) != 0)
		return -1;
	sealing->has_ended = true;
	if (sealing_pass(sealing, error) != 0 ||
	    (is_requested ? sealing_finish_full : sealing_end)(
		sealing, error) != 0 ||
	    sealing_finish_dropped(sealing, error) != 0)
		return -1;
	sealer->behind_ms = 0;
	sealer->written = 0;
	return 1;
}

static void
note(struct sealer *sealer, const struct error *error)
{
	pthread_mutex_lock(&sealer->lock);
	if (error == NULL)
		sealer->state.passes++;
	else
		sealer->state.failures++;
	if (error != NULL)
		sealer->state.error = *error;
	sealer->is_last_bad = error != NULL;
	sealer->is_working = false;
	sealer->bulk_in_pass = 0;
	pthread_mutex_unlock(&sealer->lock);
	wake_loop(sealer);
}

/* The loop ends the process: a sync that failed is never done again. */
static void
give_up(struct sealer *sealer)
{
	pthread_mutex_lock(&sealer->lock);
	sealer->is_broken = true;
	pthread_mutex_unlock(&sealer->lock);
	wake_loop(sealer);
}

static void *
run(void *context)
{
	struct sealer *sealer = context;
	struct sealing *sealing = &sealer->sealing;
	struct error error = { .code = ERROR_NONE };
	int done;

	while (!is_stopping(sealer)) {
		done = write_bulk(sealer, &error);
		if (done == 0)
			done = work(sealer, &error);
		if (done == 1 && !is_stopping(sealer))
			note(sealer, NULL);
		if (done >= 0) {
			sealer->is_quiet =
			    wait_some(sealer, LOOK_EVERY_S * 1000);
			continue;
		}
		/* What was not told to the index is found by the replay. */
		seal_batch_clear(&sealing->batch);
		segment_writer_free(&sealing->writer);
		note(sealer, &error);
		if (error.code == ERROR_SYSTEM) {
			give_up(sealer);
			break;
		}
		wait_for_retry(sealer);
	}
	sealing_clear(sealing);
	return NULL;
}

/* -- In the loop -- */

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
	list = queue_take(&sealer->gone);
	if (is_ending) {
		queue_put(&sealer->gone, list);
		queue_put(&sealer->gone, queue_take(&sealer->come));
		list = queue_take(&sealer->gone);
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
	if (pthread_create(&sealer->thread, NULL, run, sealer) != 0)
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
	sealer->sealing.apply = apply;
	sealer->sealing.is_stopping = is_stopping;
	sealer->sealing.context = sealer;
	sealing_init(&sealer->sealing);
	(void)queue_take(&sealer->come);
	(void)queue_take(&sealer->gone);
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
	queue_put(&sealer->come, bulk);
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
