/*
 * The end of a try, of patience, or of a parcel.
 */
#include "smtpd/spool_settle.h"

#include "common/dsn.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/smtp_verdict.h"
#include "smtpd/spool_body.h"
#include "smtpd/spool_reporting.h"

#include <stdlib.h>
#include <string.h>

/* What is gathered about a parcel before anything of it is written. */
struct work {
	struct spool_store *store;
	struct spool_settlement *settlement;
	struct spool_message message;
	char sender[SPOOL_MAX_ADDRESS]; /* the message's: it outlives writes */
	struct spool_parcel parcel;
	/* Of each recipient, as it will be; texts lie in the environment or in
	 * the outcomes, until the first write. */
	struct spool_recipient *recipients;
	bool *is_changed;
};

static const struct spool_words given_up[] = {
	[SPOOL_EXPIRED] = { 0, { "5.4.7", 5 },
	    { "It was tried until it was too old.", 34 }, { NULL, 0 } },
	[SPOOL_BOUNCED] = { 0, { "5.7.0", 5 },
	    { "The administrator returned it.", 30 }, { NULL, 0 } },
};

static const struct spool_words out_of_time = { 0, { "5.4.7", 5 },
	{ "The time is over within which you wanted it delivered.", 54 },
	{ NULL, 0 } };

/* 1, 0 if the parcel is gone, -1. */
static int
read_all(struct work *work, struct error *error)
{
	uint64_t id = work->settlement->message;
	int found = spool_store_parcel(
	    work->store, id, work->settlement->parcel, &work->parcel, error);

	if (found == 1)
		found =
		    spool_store_message(work->store, id, &work->message, error);
	if (found != 1)
		return found;
	work->settlement->delivery = work->message.delivery;
	if (work->message.sender.size > 0)
		memcpy(work->sender, work->message.sender.data,
		    work->message.sender.size);
	work->message.sender.data = work->sender;
	work->recipients =
	    memory_new(work->parcel.count, sizeof(*work->recipients));
	work->is_changed =
	    memory_new(work->parcel.count, sizeof(*work->is_changed));
	for (uint16_t i = 0; i < work->parcel.count; i++)
		if (spool_store_recipient(work->store, id,
			work->parcel.first + i, &work->recipients[i],
			error) != 1)
			return error_set(error, ERROR_DAMAGED,
			    "spool: a recipient is missing");
	return 1;
}

static void
change(struct work *work, uint16_t n, enum spool_state state,
    const struct spool_words *words)
{
	struct spool_recipient *recipient = &work->recipients[n];

	if (recipient->state != SPOOL_WAITING)
		return;
	recipient->state = (uint8_t)state;
	recipient->time = work->settlement->now;
	recipient->words = *words;
	work->is_changed[n] = true;
}

/* For people: the last words that a host said stand behind ours. */
static struct spool_words
last_words(const struct work *work, uint16_t n)
{
	const struct spool_recipient *recipient = &work->recipients[n];
	struct spool_words words = recipient->words.text.size > 0
				       ? recipient->words
				       : work->parcel.words;

	if (words.text.size == 0)
		words = given_up[work->settlement->cause];
	if (work->settlement->cause == SPOOL_EXPIRED &&
	    work->parcel.flags & SPOOL_BY_RETURN &&
	    work->settlement->now >= work->parcel.deliver_by)
		words = out_of_time;
	words.enhanced = given_up[work->settlement->cause].enhanced;
	return words;
}

static void
apply_outcomes(struct work *work)
{
	const struct spool_settlement *settlement = work->settlement;
	const struct spool_outcome *outcome;
	struct spool_words words;

	for (size_t i = 0; i < settlement->count; i++) {
		outcome = &settlement->outcomes[i];
		if (outcome->recipient >= work->parcel.first &&
		    outcome->recipient - work->parcel.first <
			work->parcel.count)
			change(work, outcome->recipient - work->parcel.first,
			    outcome->state, &outcome->words);
	}
	if (settlement->cause != SPOOL_EXPIRED &&
	    settlement->cause != SPOOL_BOUNCED)
		return;
	for (uint16_t i = 0; i < work->parcel.count; i++) {
		words = last_words(work, i);
		change(work, i, SPOOL_FAILED, &words);
	}
}

static bool
is_waiting(const struct work *work)
{
	for (uint16_t i = 0; i < work->parcel.count; i++)
		if (work->recipients[i].state == SPOOL_WAITING)
			return true;
	return false;
}

/* -- Reports -- */

/* Who set a time hears when it goes where nobody keeps to it, or with a trace
 * wherever it goes (RFC 2852), unless he asked to hear of other things only. */
static bool
follows_time(const struct work *work)
{
	return work->parcel.deliver_by != 0 &&
	       (!(work->parcel.flags & SPOOL_BY_RETURN) ||
		   work->message.flags & TRANSACTION_BY_TRACE);
}

/* RFC 3461 section 4.1: without NOTIFY, of failure and of delay. */
static bool
wants(const struct work *work, const struct spool_recipient *recipient,
    enum report_kind kind)
{
	unsigned int notify = recipient->notify;

	if (notify & DSN_NOTIFY_NEVER)
		return false;
	if (kind == REPORT_SUCCESS && follows_time(work) &&
	    (notify == 0 || notify & DSN_NOTIFY_DELAY))
		return true;
	if (kind == REPORT_SUCCESS)
		return notify & DSN_NOTIFY_SUCCESS;
	if (notify == 0)
		return true;
	return notify &
	       (kind == REPORT_DELAY ? DSN_NOTIFY_DELAY : DSN_NOTIFY_FAILURE);
}

static bool
is_for(const struct work *work, uint16_t n, enum report_kind kind)
{
	enum spool_state state = (enum spool_state)work->recipients[n].state;

	switch (kind) {
	case REPORT_FAILURE:
		return work->is_changed[n] && state == SPOOL_FAILED;
	case REPORT_SUCCESS:
		return work->is_changed[n] && state == SPOOL_PASSED_ON;
	default:
		return work->settlement->cause == SPOOL_LATE &&
		       state == SPOOL_WAITING;
	}
}

static size_t
choose(const struct work *work, enum report_kind kind,
    struct report_recipient *chosen)
{
	const struct spool_recipient *recipient;
	size_t count = 0;

	for (uint16_t i = 0; i < work->parcel.count; i++) {
		recipient = &work->recipients[i];
		if (!is_for(work, i, kind) || !wants(work, recipient, kind))
			continue;
		chosen[count++] = (struct report_recipient){
			.address = recipient->address,
			.original = recipient->original,
			.words = recipient->words.text.size > 0
				     ? recipient->words
				     : work->parcel.words,
			.time = recipient->time,
		};
	}
	return count;
}

/* A report of that kind, formatted into `to`. 1, 0: nobody wants one, -1. */
static int
make_report(const struct work *work, enum report_kind kind,
    struct delivery_id *delivery, struct buf *to, struct error *error)
{
	struct report_recipient *chosen =
	    memory_new(work->parcel.count, sizeof(*chosen));
	size_t count = choose(work, kind, chosen);
	const struct spool_reporting reporting = { .kind = kind,
		.host = work->settlement->host,
		.now = work->settlement->now,
		.expire_s = work->settlement->expire_s,
		.id = work->settlement->message,
		.message = &work->message,
		.deliver_by = work->parcel.deliver_by,
		.recipients = chosen,
		.count = count };
	int result = 0;

	if (count > 0 && work->message.sender.size == 0)
		log_info("bounce-dropped", "recipients=%zu", count);
	else if (count > 0)
		result = spool_reporting_write(
			     work->store, &reporting, delivery, to, error) == -1
			     ? -1
			     : 1;
	free(chosen);
	return result;
}

/* -- Writing -- */

static int
write_recipients(struct work *work, struct error *error)
{
	struct spool_recipient stored;

	for (uint16_t i = 0; i < work->parcel.count; i++) {
		if (!work->is_changed[i])
			continue;
		/* Read again: what was read before may have moved. */
		if (spool_store_recipient(work->store,
			work->settlement->message, work->parcel.first + i,
			&stored, error) != 1)
			return -1;
		stored.state = work->recipients[i].state;
		stored.time = work->recipients[i].time;
		stored.words = work->recipients[i].words;
		if (spool_store_set_recipient(work->store,
			work->settlement->message, work->parcel.first + i,
			&stored, error) == -1)
			return -1;
	}
	return 0;
}

static int
write_parcel(struct work *work, struct error *error)
{
	const struct spool_settlement *settlement = work->settlement;
	struct spool_parcel parcel;

	if (spool_store_parcel(work->store, settlement->message,
		settlement->parcel, &parcel, error) != 1)
		return -1;
	if (settlement->is_try)
		parcel.tries++;
	if (settlement->next != 0)
		parcel.next = settlement->next;
	if (settlement->cause == SPOOL_LATE)
		parcel.flags |= SPOOL_NOTICED;
	if (settlement->words.text.size > 0)
		parcel.words = settlement->words;
	return spool_store_set_parcel(work->store, &parcel, error);
}

/* Reports are formatted before the first write, which may move what was read.
 * After what was given up nothing is left to be written but its end. */
static int
settle(struct work *work, struct error *error)
{
	static const enum report_kind kinds[] = { REPORT_FAILURE,
		REPORT_SUCCESS, REPORT_DELAY };
	struct spool_settlement *settlement = work->settlement;
	struct delivery_id deliveries[3];
	struct buf reports[3];
	int result = 0, made[3] = { 0, 0, 0 };

	apply_outcomes(work);
	for (int i = 0; i < 3; i++) {
		buf_init(&reports[i], SPOOL_MAX_REPORT);
		if (result != -1)
			result = made[i] = make_report(
			    work, kinds[i], &deliveries[i], &reports[i], error);
	}
	settlement->is_over = !is_waiting(work);
	if (result != -1 && !settlement->is_over)
		result = write_recipients(work, error) == -1
			     ? -1
			     : write_parcel(work, error);
	for (int i = 0; i < 3; i++) {
		if (result != -1 && made[i] == 1)
			result = spool_reporting_keep(work->store,
			    work->message.sender, work->message.flags,
			    settlement->now, &deliveries[i], &reports[i],
			    &settlement->reports[settlement->report_count++],
			    error);
		buf_clear(&reports[i]);
	}
	if (result != -1 && settlement->is_over)
		result =
		    spool_store_end_parcel(work->store, settlement->message,
			settlement->parcel, settlement->now, error);
	return result == -1 ? -1 : 0;
}

int
spool_settle(struct spool_store *store, struct spool_settlement *settlement,
    struct error *error)
{
	struct work work = { .store = store, .settlement = settlement };
	int result;

	settlement->report_count = 0;
	settlement->is_over = false;
	result = read_all(&work, error);
	if (result == 0)
		settlement->is_over = true;
	else if (result == 1)
		result = settle(&work, error);
	free(work.recipients);
	free(work.is_changed);
	return result == -1 ? -1 : 0;
}
