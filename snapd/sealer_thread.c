/*
 * The sealer's thread: writes bulk as it comes, makes a pass when one is due,
 * and waits, see sealer.h.  A batch for the index is handed over by a pointer,
 * and the thread waits until it is applied.
 */
#include "snapd/sealer_parts.h"

#include "common/clock.h"
#include "common/log.h"
#include "snapd/as_of.h"
#include "snapd/bulk_writing.h"

#include <time.h>
#include <unistd.h>

enum {
	LOOK_EVERY_S = 1
};

void
bulk_queue_put(struct bulk_queue *queue, struct bulk *list)
{
	*queue->last = list;
	while (*queue->last != NULL)
		queue->last = &(*queue->last)->next;
}

struct bulk *
bulk_queue_take(struct bulk_queue *queue)
{
	struct bulk *list = queue->first;

	queue->first = NULL;
	queue->last = &queue->first;
	return list;
}

static void
wake_loop(struct sealer *sealer)
{
	uint64_t one = 1;

	if (write(sealer->event_fd, &one, sizeof(one)) < 0)
		fatal("eventfd");
}

bool
sealer_thread_is_stopping(void *context)
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
	list = bulk_queue_take(&sealer->come);
	pthread_mutex_unlock(&sealer->lock);
	return list;
}

static void
give_back(struct sealer *sealer, struct bulk *list, bool is_bad)
{
	sealer->written += bytes_of(list);
	pthread_mutex_lock(&sealer->lock);
	bulk_queue_put(&sealer->gone, list);
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
	struct bulk_writing *writing = bulk_writing_begin(sealing, list);
	struct bulk *next;
	int result = 0;

	for (; list != NULL && result == 0; list = next) {
		result = bulk_writing_place(&writing, error);
		next = NULL;
		if (result == 0 && may_go_on(sealer))
			next = take_bulk(sealer);
		if (next != NULL)
			writing = bulk_writing_begin(sealing, next);
		if (result == 0)
			result = bulk_writing_commit(sealing, list, error);
		give_back(sealer, list, result != 0);
	}
	if (list != NULL) {
		bulk_writing_drop(&writing);
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

int
sealer_thread_apply(
    void *context, struct seal_batch *batch, struct error *error)
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

void *
sealer_thread_run(void *context)
{
	struct sealer *sealer = context;
	struct sealing *sealing = &sealer->sealing;
	struct error error = { .code = ERROR_NONE };
	int done;

	while (!sealer_thread_is_stopping(sealer)) {
		done = write_bulk(sealer, &error);
		if (done == 0)
			done = work(sealer, &error);
		if (done == 1 && !sealer_thread_is_stopping(sealer))
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
