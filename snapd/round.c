/*
 * See round.h.
 */
#include "snapd/round.h"

#include "common/log.h"
#include "common/memory.h"
#include "snapd/idle_growth.h"
#include "snapd/pending.h"
#include "snapd/repeat.h"
#include "snapd/sealer.h"

enum {
	SETTLE_BYTES = 64 << 20 /* asked for: then the index is committed */
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
	struct idle_growth *growth;
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

/* -- The end of a round -- */

void
round_fail(struct round *round, const struct error *error)
{
	if (round->is_failed)
		return;
	round->is_failed = true;
	idle_growth_stop(round->growth);
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
	pending_send(round->options.snapd, held, STATUS_OK);
	pending_free(held);
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
			pending_send(round->options.snapd, pending, status);
		pending_free(pending);
	}
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
		pending_send(round->options.snapd, pending, STATUS_OK);
		pending_free(pending);
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
	idle_growth_committed(round->growth);
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
	round->growth = idle_growth_new(options->loop, options->store);
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
		pending_free(pending);
	}
	timer_free(&round->hold);
	timer_free(&round->patience);
	timer_free(&round->settle);
	idle_growth_free(&round->growth);
	memory_free(pointer);
}
