/*
 * See round.h.
 */
#include "snapd/round.h"

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/repeat.h"
#include "snapd/sealer.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	INLINE_MAX = 60000,      /* bytes of a result in the packet */
	SETTLE_BYTES = 64 << 20, /* asked for: then the index is committed */
	GROW_BEGIN_MS = 500,     /* everything else starts as well */
	GROW_IDLE_MS = 10,       /* nothing was committed for so long, */
	GROW_STEP_MS = 5,        /* then a step each */
	GROW_FULL_MS = 1000,     /* the disk is full: perhaps no more */
	GROW_REST_MS = 1000 /* nothing was committed for so long: give back */
};

/* What waits for the commit: an answer, or a reading. */
struct pending {
	struct pending *next;
	uint64_t client;
	struct message answer;
	struct buf data;
	struct reading *reading;
	uint64_t bulk;  /* bytes that it is the answer to */
	size_t patient; /* changes */
	bool is_in_log; /* or will be, in this round; or needs not to be */
};

struct round {
	struct round_options options;
	struct pending *first;
	struct pending **last;
	struct pending *held; /* committed, and not told yet */
	struct pending **last_held;
	struct timer *hold; /* runs while there are some */
	size_t patient;     /* changes of the pending ones */
	bool is_urgent;     /* one of them is not patient */
	bool is_due;        /* nobody is urgent, but it was put off for long */
	struct timer *patience; /* runs while there are patient ones only */
	bool has_accepted;      /* answers that wait for the log */
	struct timer *settle;   /* runs while the index has not what it has */
	struct timer *growth;
	bool is_resting; /* nothing was committed since the timer started */
	bool is_failed;
};

bool
round_is_failed(const struct round *round)
{
	return round->is_failed;
}

static struct pending *
add_pending(struct round *round, uint64_t client)
{
	struct pending *pending = memory_new(1, sizeof(*pending));

	pending->client = client;
	buf_init(&pending->data, READING_MAX_BYTES);
	*round->last = pending;
	round->last = &pending->next;
	return pending;
}

/* Its disk is waited for at the end of this round. */
static void
hurry(struct round *round, const struct pending *pending)
{
	if (pending->is_in_log)
		round->has_accepted = true;
	else
		round->is_urgent = true;
}

/* Who was patient: the log is enough for what it has. */
static void
wait_no_longer(struct round *round)
{
	for (struct pending *p = round->first; p != NULL; p = p->next)
		if (p->is_in_log)
			round->has_accepted = true;
		else
			round->is_due = true;
}

static void
wait_for(struct round *round, struct pending *pending, size_t patient)
{
	pending->patient = patient;
	if (patient > 0 && round->patient == 0)
		timer_start(round->patience, round->options.patience_ms);
	round->patient += patient;
	if (patient == 0)
		hurry(round, pending);
	else if (round->patient >= ROUND_PATIENT_MAX)
		wait_no_longer(round);
}

/* Of a batch that is refused nothing has to be on disk. */
static bool
is_refused(const struct message *answer)
{
	return answer->type == MESSAGE_batch_done &&
	       answer->batch_done.status != STATUS_OK;
}

void
round_answer(struct round *round, uint64_t client, const struct message *answer,
    struct text data, size_t patient)
{
	struct pending *pending = add_pending(round, client);

	pending->answer = *answer;
	buf_put(&pending->data, data.data, data.size);
	pending->is_in_log = round->options.log != NULL && is_refused(answer);
	wait_for(round, pending, patient);
}

void
round_answer_accepted(struct round *round, uint64_t client,
    const struct message *answer, const struct accept_record *record)
{
	struct pending *pending = add_pending(round, client);
	struct accept_log *log = round->options.log;
	struct journal *journal = round->options.journal;

	pending->answer = *answer;
	pending->is_in_log =
	    log != NULL &&
	    accept_log_add(log, journal->committed.sequence, record);
	if (pending->is_in_log)
		journal_is_in_log(journal);
	hurry(round, pending);
}

/* Filing alone begins no log anew: where the index is lost, what stands there
 * from before is the mail that came last. */
static bool
put_in_log(
    const struct round *round, const struct accept_batch *batch, size_t patient)
{
	struct accept_log *log = round->options.log;
	struct journal *journal = round->options.journal;
	uint64_t stands_on = journal->committed.sequence;

	if (log == NULL || !journal_is_repeatable(journal) ||
	    (patient > 0 && !accept_log_is_begun(log, stands_on)) ||
	    !accept_log_add_batch(log, stands_on, batch))
		return false;
	journal_is_in_log(journal);
	return true;
}

void
round_answer_applied(struct round *round, uint64_t client,
    const struct message *answer, struct text data,
    const struct accept_batch *batch, size_t patient)
{
	struct pending *pending = add_pending(round, client);

	pending->answer = *answer;
	buf_put(&pending->data, data.data, data.size);
	pending->is_in_log = put_in_log(round, batch, patient);
	wait_for(round, pending, patient);
}

bool
round_has_delivery(
    const struct round *round, const struct delivery_id *delivery)
{
	const struct accept_log *log = round->options.log;

	return log != NULL && accept_log_has_delivery(log, delivery);
}

void
round_answer_bulk(struct round *round, uint64_t client,
    const struct message *answer, struct text data, uint64_t bytes)
{
	struct pending **at = round->last;

	round_answer(round, client, answer, data, 0);
	(*at)->bulk = bytes;
}

void
round_read(struct round *round, uint64_t client, struct reading *reading)
{
	add_pending(round, client)->reading = reading;
	round->is_urgent = true;
}

/* The status field of the answers that follow a change. */
static void
set_status(struct message *answer, enum status status)
{
	switch ((int)answer->type) {
	case MESSAGE_accepted:
		answer->accepted.status = (uint8_t)status;
		break;
	case MESSAGE_delivery_found:
		answer->delivery_found.status = (uint8_t)status;
		break;
	case MESSAGE_batch_done:
		answer->batch_done.status = (uint8_t)status;
		break;
	case MESSAGE_control_done:
		answer->control_done.status = (uint8_t)status;
		break;
	case MESSAGE_witness_heard:
		answer->witness_heard.status = (uint8_t)status;
		break;
	default:
		break;
	}
}

/* Points the answer at its data: -1, or a descriptor that goes with it. */
static int
attach_data(struct message *answer, const struct buf *data, enum status status)
{
	struct text text = text_make(data->data, data->size);
	struct error error;

	switch ((int)answer->type) {
	case MESSAGE_control_row:
		answer->control_row.record = text;
		return -1;
	case MESSAGE_control_done:
		answer->control_done.text = text;
		return -1;
	case MESSAGE_batch_done:
		if (status != STATUS_OK)
			return -1;
		answer->batch_done.size = data->size;
		answer->batch_done.results = text;
		if (data->size <= INLINE_MAX)
			return -1;
		answer->batch_done.results = text_make(NULL, 0);
		return file_sealed_memory(
		    "results", data->data, data->size, &error);
	default:
		return -1;
	}
}

static void
send_pending(struct round *round, struct pending *pending, enum status status)
{
	struct client *client =
	    snapd_client(round->options.snapd, pending->client);
	struct message *answer = &pending->answer;
	int fd;

	if (client == NULL)
		return;
	if (pending->reading != NULL) {
		snapd_read_on(client, pending->reading);
		pending->reading = NULL;
		return;
	}
	/* A row of what was not committed says nothing. */
	if (status != STATUS_OK && answer->type == MESSAGE_control_row)
		return;
	if (status != STATUS_OK)
		set_status(answer, status);
	fd = attach_data(answer, &pending->data, status);
	if (channel_send(client->channel, answer, &fd, fd >= 0) != 0)
		log_warning("answer-dropped", "peer=%s account=%u",
		    role_name(client->role), client->account);
	if (fd >= 0)
		close(fd);
}

static void
free_pending(struct pending *pending)
{
	buf_clear(&pending->data);
	reading_free(&pending->reading);
	free(pending);
}

/* -- The end of a round -- */

void
round_fail(struct round *round, const struct error *error)
{
	if (round->is_failed)
		return;
	round->is_failed = true;
	log_alarm("store-failed", "error=\"%s\"", error->text);
	if (round->options.failed != NULL)
		round->options.failed(round->options.context);
}

/* What was answered because the log has it went with the others that found no
 * room; for so few there is the reserve. */
static void
commit_logged(struct round *round)
{
	struct journal *journal = round->options.journal;
	struct error error = { .code = ERROR_NONE };

	if (round->options.log == NULL || !accept_log_has(round->options.log))
		return;
	if (repeat_log(journal, round->options.log, &error) < 0 ||
	    journal_commit(journal, &error) != STATUS_OK)
		round_fail(round, &error);
}

static enum status
commit(struct round *round)
{
	struct error error = { .code = ERROR_NONE };
	enum status status = STATUS_OK;

	if (round->is_failed)
		status =
		    STATUS_UNAVAILABLE; /* the sealer's part is not there */
	else if (round->options.journal != NULL)
		status = journal_commit(round->options.journal, &error);
	if (status == STATUS_FULL)
		commit_logged(round);
	else if (status != STATUS_OK)
		round_fail(round, &error);
	if (round->options.log != NULL && !round->is_failed)
		accept_log_clear(round->options.log);
	timer_stop(round->settle);
	sealer_round_ended(snapd_sealer(round->options.snapd), status);
	return status;
}

static void
send_held(struct round *round)
{
	struct pending *held = round->held;

	round->held = held->next;
	if (round->held == NULL) {
		round->last_held = &round->held;
		timer_stop(round->hold);
	}
	send_pending(round, held, STATUS_OK);
	free_pending(held);
}

static void
send_one(void *context)
{
	struct round *round = context;

	timer_start(round->hold, round->options.hold_ms);
	send_held(round);
}

static bool
is_behind(struct round *round)
{
	struct sealer *sealer = snapd_sealer(round->options.snapd);

	return sealer != NULL && sealer_is_behind(sealer);
}

static bool
has_held(const struct round *round, uint64_t client)
{
	const struct pending *held = round->held;

	while (held != NULL && held->client != client)
		held = held->next;
	return held != NULL;
}

/* Whether it is kept for later, now that it is committed. */
static bool
hold(struct round *round, struct pending *pending)
{
	if (pending->answer.type != MESSAGE_batch_done ||
	    pending->reading != NULL)
		return false;
	if (pending->bulk > 0)
		sealer_add_bulk(
		    snapd_sealer(round->options.snapd), pending->bulk);
	if (!has_held(round, pending->client) &&
	    (pending->bulk == 0 || !is_behind(round)))
		return false;
	if (round->held == NULL)
		timer_start(round->hold, round->options.hold_ms);
	pending->next = NULL;
	*round->last_held = pending;
	round->last_held = &pending->next;
	return true;
}

static void
answer_all(struct round *round, enum status status)
{
	struct pending *pending = round->first, *next;

	round->first = NULL;
	round->last = &round->first;
	round->patient = 0;
	round->is_urgent = round->is_due = false;
	round->has_accepted = false;
	timer_stop(round->patience);
	/* In order; and a sealer that finds no room is not waited for. */
	while (status != STATUS_OK && !round->is_failed && round->held != NULL)
		send_held(round);
	for (; pending != NULL; pending = next) {
		next = pending->next;
		if (status == STATUS_OK && hold(round, pending))
			continue;
		if (!round->is_failed)
			send_pending(round, pending, status);
		free_pending(pending);
	}
}

/* Behind a commit. */
static void
grow_behind(struct round *round)
{
	struct store *store = round->options.store;

	round->is_resting = false;
	if (store_grow(store, false))
		timer_start(round->growth, GROW_IDLE_MS);
	else if (store_has_spare(store))
		timer_start(round->growth, GROW_REST_MS);
}

/* Its client is to be told of nothing before: answers are known by their order.
 */
static bool
is_next(const struct round *round, const struct pending *pending)
{
	const struct pending *p = round->first;

	while (p != pending && p->client != pending->client)
		p = p->next;
	return p == pending;
}

/* Those that the log has. The others go on waiting, and who is behind one. */
static void
answer_accepted(struct round *round)
{
	struct pending **at = &round->first, *pending;

	round->has_accepted = false;
	while ((pending = *at) != NULL) {
		if (!pending->is_in_log || !is_next(round, pending)) {
			at = &pending->next;
			continue;
		}
		*at = pending->next;
		round->patient -= pending->patient;
		if (hold(round, pending))
			continue;
		send_pending(round, pending, STATUS_OK);
		free_pending(pending);
	}
	round->last = at;
	if (round->patient == 0)
		timer_stop(round->patience);
}

/* Nothing but what is in the log, and what is patient: the log is enough.
 * false: the index has to, because it may not find the room later, or the log
 * finds none now, or so much is asked of it that others would be refused for
 * what they only might need. */
static bool
log_accepted(struct round *round)
{
	struct accept_log *log = round->options.log;
	bool was_empty = !accept_log_has(log);
	struct error error;

	if (round->options.journal->round_bytes >= SETTLE_BYTES ||
	    !store_is_assured(round->options.store))
		return false;
	if (accept_log_sync(log, &error) != 0) {
		if (error.code != ERROR_FULL)
			round_fail(round, &error);
		return false;
	}
	answer_accepted(round);
	if (was_empty)
		timer_start(round->settle, round->options.settle_ms);
	return true;
}

/* Whether nobody waits for a commit now. Mail never waits for one that nobody
 * waits for: it has its answer before. */
static bool
can_wait(struct round *round)
{
	struct accept_log *log = round->options.log;

	if (round->is_urgent || round->is_failed)
		return false;
	if (round->has_accepted && !log_accepted(round))
		return false;
	return !round->is_due &&
	       (round->patient > 0 || (log != NULL && accept_log_has(log)));
}

static bool
is_changed(const struct round *round)
{
	const struct journal *journal = round->options.journal;

	return journal != NULL && journal->round != NULL;
}

static void
end_round(struct round *round)
{
	bool was_changed = is_changed(round);

	answer_all(round, commit(round));
	if (!was_changed || round->is_failed)
		return;
	snapd_tell_followers(
	    round->options.snapd, round->options.journal->committed.sequence);
	grow_behind(round);
}

static void
on_round(void *context)
{
	struct round *round = context;

	while (round->held != NULL && !is_behind(round))
		send_held(round);
	if (!is_changed(round) || !can_wait(round))
		end_round(round);
}

static void
lose_patience(void *context)
{
	struct round *round = context;

	wait_no_longer(round);
}

static void
settle(void *context)
{
	struct round *round = context;

	round->is_due = true;
}

void
round_settle(struct round *round)
{
	const struct journal *journal = round->options.journal;

	if (round->options.log != NULL && !round->is_failed &&
	    accept_log_is_begun(
		round->options.log, journal->committed.sequence))
		end_round(round);
}

static void
grow(void *context)
{
	struct round *round = context;
	struct store *store = round->options.store;

	if (round->is_failed)
		return;
	if (store_grow(store, true)) {
		timer_start(round->growth,
		    store_disk_is_full(store) ? GROW_FULL_MS : GROW_STEP_MS);
	} else if (store_has_spare(store)) {
		if (round->is_resting)
			store_give_back(store);
		round->is_resting = true;
		timer_start(round->growth, GROW_REST_MS);
	}
}

struct round *
round_new(const struct round_options *options)
{
	struct round *round = memory_new(1, sizeof(*round));

	round->options = *options;
	if (options->patience_ms == 0)
		round->options.patience_ms = ROUND_PATIENCE_MS;
	if (options->hold_ms == 0)
		round->options.hold_ms = ROUND_HOLD_MS;
	if (options->settle_ms == 0)
		round->options.settle_ms = ROUND_SETTLE_MS;
	round->last = &round->first;
	round->last_held = &round->held;
	round->hold = timer_new(options->loop, send_one, round);
	round->patience = timer_new(options->loop, lose_patience, round);
	round->settle = timer_new(options->loop, settle, round);
	round->growth = timer_new(options->loop, grow, round);
	if (options->store != NULL && store_grow(options->store, false))
		timer_start(round->growth, GROW_BEGIN_MS);
	event_loop_on_round(options->loop, on_round, round);
	return round;
}

void
round_free(struct round **pointer)
{
	struct round *round = *pointer;
	struct pending *pending;

	if (round == NULL)
		return;
	event_loop_on_round(round->options.loop, NULL, NULL);
	*round->last_held = round->first;
	while ((pending = round->held) != NULL) {
		round->held = pending->next;
		free_pending(pending);
	}
	timer_free(&round->hold);
	timer_free(&round->patience);
	timer_free(&round->settle);
	timer_free(&round->growth);
	memory_free(pointer);
}
