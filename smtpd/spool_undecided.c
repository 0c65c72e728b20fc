/*
 * See spool_undecided.h.
 */
#include "smtpd/spool_undecided.h"

#include "common/codec.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/table.h"
#include "smtpd/spool_sent.h"

#include <stdlib.h>

enum {
	AGAIN_MS = 5000, /* until it is decided */
	OVERDUE_S = 60,  /* the queue knows whether it still waits */
	AT_ONCE = 100    /* are offered */
};

struct spool_undecided {
	struct spool *spool;
	struct table *owners; /* message -> struct owner */
	struct timer *again;
	bool is_due;          /* `again` runs */
	unsigned int offered; /* in this round of offers */
};

/* Whose it is to decide, as long as its channel is there. */
struct owner {
	uint64_t instance;
	bool is_gone;
};

/* What was said of one, until that is on disk. */
struct decision {
	struct spool_change change;
	struct spool_undecided *undecided;
	struct delivery_id delivery;
	bool is_kept;
	bool is_news; /* it was undecided until now */
	uint64_t id;
	uint32_t account;
	struct spool_arrival arrival;
};

/* -- Who is asked -- */

static void
offer_later(struct spool_undecided *undecided)
{
	if (!undecided->is_due)
		timer_start(undecided->again, AGAIN_MS);
	undecided->is_due = true;
}

void
spool_undecided_add(struct spool_undecided *undecided, uint64_t id,
    uint64_t instance, bool is_gone)
{
	struct owner *owner = memory_new(1, sizeof(*owner));

	owner->instance = instance;
	owner->is_gone = is_gone;
	offer_later(undecided);
	free(table_put_u64(undecided->owners, id, owner));
}

/* Its queue is there and said nothing: a body that was long on its way to the
 * disk comes behind the word on it, if that was a no. */
static bool
is_overdue(const struct spool_message *message)
{
	return spool_now() / 1000 - message->time > OVERDUE_S;
}

static int
offer(void *context, uint64_t id, uint32_t decider)
{
	struct message message = { .type = MESSAGE_spool_undecided };
	struct spool_undecided *undecided = context;
	struct spool *spool = undecided->spool;
	const struct owner *owner = table_find_u64(undecided->owners, id);
	struct channel *queue = spool_some_queue(spool);
	struct spool_message row;
	struct error error;

	if (owner == NULL)
		return 0;
	if (queue == NULL ||
	    spool_store_message(spool->store, id, &row, &error) != 1)
		return 1;
	if (!owner->is_gone && !is_overdue(&row))
		return 0;
	if (undecided->offered++ >= AT_ONCE)
		return 1;
	message.spool_undecided.decider = decider;
	message.spool_undecided.delivery = row.delivery;
	return channel_send(queue, &message, NULL, 0) == -1;
}

void
spool_undecided_offer(struct spool_undecided *undecided)
{
	struct error error;

	if (table_count(undecided->owners) == 0)
		return;
	undecided->offered = 0;
	if (spool_store_each_undecided(
		undecided->spool->store, offer, undecided, &error) == -1)
		log_alarm("spool-damaged", "error=\"%s\"", error.text);
	offer_later(undecided);
}

static void
offer_again(void *context)
{
	struct spool_undecided *undecided = context;

	undecided->is_due = false;
	spool_undecided_offer(undecided);
}

void
spool_undecided_lose(struct spool_undecided *undecided, uint64_t instance)
{
	size_t position = 0;
	struct owner *owner;
	void *value;

	while (table_next(undecided->owners, &position, NULL, NULL, &value)) {
		owner = value;
		if (owner->instance == instance)
			owner->is_gone = true;
	}
	spool_undecided_offer(undecided);
}

/* -- What is decided -- */

static int
apply(struct spool_change *change, struct error *error)
{
	struct decision *decision = (struct decision *)change;
	int result = spool_store_decide(decision->undecided->spool->store,
	    &decision->delivery, decision->is_kept, &decision->id,
	    &decision->account, error);

	decision->is_news = result == 1;
	decision->arrival.report_count = 0;
	if (result == 1 && decision->is_kept)
		result = spool_arrive_now(decision->undecided->spool,
		    decision->id, &decision->arrival, error);
	return result == -1 ? -1 : 0;
}

/* What was given back may be sent now. */
static void
tell_sent(struct spool *spool, uint32_t account)
{
	struct message message = { .type = MESSAGE_spool_sent };
	struct channel *queue = spool_some_queue(spool);
	struct writer writer;
	struct error error;
	uint8_t bytes[8];
	uint32_t sent;

	if (queue == NULL || account == 0 ||
	    spool_sent_find(spool_store_env(spool->store), account,
		spool_now() / 1000, &sent, &error) == -1)
		return;
	writer_init(&writer, bytes, sizeof(bytes));
	writer_put_u32(&writer, account);
	writer_put_u32(&writer, sent);
	message.spool_sent.accounts = text_make(bytes, writer.size);
	(void)channel_send(queue, &message, NULL, 0);
}

static void
done(struct spool_change *change, enum status status)
{
	struct decision *decision = (struct decision *)change;
	struct spool_undecided *undecided = decision->undecided;
	char id[33];

	if (status == STATUS_OK && decision->is_news) {
		text_format_hex(decision->delivery.bytes, 16, id);
		log_info(decision->is_kept ? "mail-decided" : "mail-withdrawn",
		    "qid=%s account=%u", id, decision->account);
		free(table_remove_u64(undecided->owners, decision->id));
		if (decision->is_kept)
			spool_arrived(
			    undecided->spool, decision->id, &decision->arrival);
		else
			tell_sent(undecided->spool, decision->account);
	}
	free(decision);
}

void
spool_undecided_hear(
    struct spool_undecided *undecided, const struct message_spool_decide *said)
{
	struct decision *decision = memory_new(1, sizeof(*decision));

	decision->change.apply = apply;
	decision->change.done = done;
	decision->change.is_must = true;
	decision->undecided = undecided;
	decision->delivery = said->delivery;
	decision->is_kept = said->is_kept != 0;
	spool_round_add(undecided->spool->round, &decision->change);
}

/* -- All together -- */

static int
know(void *context, uint64_t id, uint32_t decider)
{
	spool_undecided_add(context, id, 0, true);
	return 0;
}

struct spool_undecided *
spool_undecided_new(struct spool *spool, struct error *error)
{
	struct spool_undecided *undecided = memory_new(1, sizeof(*undecided));

	undecided->spool = spool;
	undecided->owners = table_new();
	undecided->again = timer_new(spool->loop, offer_again, undecided);
	if (spool_store_each_undecided(spool->store, know, undecided, error) ==
	    -1)
		spool_undecided_free(&undecided);
	return undecided;
}

void
spool_undecided_free(struct spool_undecided **undecided)
{
	size_t position = 0;
	void *value;

	if (*undecided == NULL)
		return;
	while (table_next((*undecided)->owners, &position, NULL, NULL, &value))
		free(value);
	table_free(&(*undecided)->owners);
	timer_free(&(*undecided)->again);
	memory_free(undecided);
}
