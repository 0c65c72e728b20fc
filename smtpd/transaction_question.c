/*
 * What another queue had begun, or this one could not say: the spool has the
 * message and asks, and the snapshot store knows whether it was accepted.
 */
#include "smtpd/transaction_state.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAX_QUESTIONS = 16 /* the others of a channel are for mail that comes */
};

void
transaction_decide(
    struct queue *queue, const struct delivery_id *delivery, bool is_kept)
{
	struct message message = { .type = MESSAGE_spool_decide };

	if (queue->spool == NULL)
		return; /* it asks when it is back */
	message.spool_decide.delivery = *delivery;
	message.spool_decide.is_kept = is_kept;
	(void)channel_send(queue->spool, &message, NULL, 0);
}

/* It has its own answer, in a moment. */
static bool
is_at_work(const struct queue *queue, const struct delivery_id *delivery)
{
	const struct transaction *t;
	size_t position = 0;
	void *value;

	while (table_next(queue->accepts, &position, NULL, NULL, &value)) {
		t = value;
		if (memcmp(&t->delivery, delivery, sizeof(*delivery)) == 0)
			return true;
	}
	return false;
}

void
transaction_undecided(
    struct queue *queue, const struct message_spool_undecided *said)
{
	struct message message = { .type = MESSAGE_find_delivery };
	struct message_find_delivery *find = &message.find_delivery;
	struct delivery_id *delivery;

	if (queue->store != STATUS_OK ||
	    table_count(queue->questions) >= MAX_QUESTIONS ||
	    is_at_work(queue, &said->delivery))
		return; /* it is asked again */
	find->tag = ++queue->next_tag;
	find->account = said->decider;
	find->delivery = said->delivery;
	if (channel_send(queue->snapd, &message, NULL, 0) == -1)
		return;
	delivery = memory_new(1, sizeof(*delivery));
	*delivery = said->delivery;
	table_put_u64(queue->questions, find->tag, delivery);
}

void
transaction_found(struct queue *queue, uint64_t tag, enum status status)
{
	struct delivery_id *delivery = table_remove_u64(queue->questions, tag);

	if (delivery != NULL &&
	    (status == STATUS_OK || status == STATUS_MISSING))
		transaction_decide(queue, delivery, status == STATUS_OK);
	free(delivery);
}

void
transaction_forget_questions(struct queue *queue)
{
	size_t position = 0;
	void *value;

	while (table_next(queue->questions, &position, NULL, NULL, &value))
		free(value);
	table_free(&queue->questions);
	queue->questions = table_new();
}
