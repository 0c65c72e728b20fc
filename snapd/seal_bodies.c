/*
 * Which bodies are sealed, and when the index is told: see sealing.h.
 */
#include "common/memory.h"
#include "snapd/seal_blocks.h"

#include <stdlib.h>
#include <string.h>

enum {
	HAND_AT = 1024 /* bodies that the index is told of at once */
};

/* -- Which are staged -- */

static int
by_account(const void *a, const void *b)
{
	const struct sealing_body *x = a, *y = b;

	if (x->account != y->account)
		return x->account < y->account ? -1 : 1;
	return x->blob < y->blob ? -1 : x->blob > y->blob;
}

/* One body whose chunks begin at or after `blob`: 1, 0 or -1. */
static int
next_staged(struct transaction *t, uint64_t blob, struct object *object,
    struct error *error)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	key_put_u64(&from, blob);
	cursor = cursor_open(t, DB_CHUNK, &from, error);
	if (cursor == NULL)
		return -1;
	got = cursor_next(cursor, &key, &value, error);
	blob = got == 1 ? key_u64_at(key, 0) : 0;
	cursor_close(&cursor);
	if (got != 1)
		return got;
	got = object_store_find(t, blob, object, error);
	/* Of a blob that is gone only chunks are left: they are freed too. */
	if (got == 0)
		*object = (struct object){ .blob = blob, .is_sealed = true };
	return got < 0 ? -1 : 1;
}

int
sealing_list(struct sealing *sealing, struct transaction *t, uint64_t *from,
    struct sealing_body **list, size_t *count, struct error *error)
{
	struct object object;
	int got = 1;

	*list = memory_new(SEALING_LIST, sizeof(**list));
	*count = 0;
	while (*count < SEALING_LIST &&
	       (got = next_staged(t, *from, &object, error)) == 1) {
		*from = object.blob + 1;
		if (object.is_sealed)
			seal_batch_add(&sealing->batch, SEAL_FREE)->blob =
			    object.blob;
		else
			(*list)[(*count)++] =
			    (struct sealing_body){ object.account, object.blob,
				    object.size };
	}
	if (got < 0)
		memory_free(list);
	else
		qsort(*list, *count, sizeof(**list), by_account);
	return got < 0 ? -1 : 0;
}

int
sealing_bodies(struct sealing *sealing, struct error *error)
{
	size_t count = SEALING_LIST;
	struct sealing_body *list;
	struct transaction *t;
	uint64_t from = 0;
	int result = 0;

	while (result == 0 && count == SEALING_LIST &&
	       !sealing->is_stopping(sealing->context)) {
		t = transaction_begin(sealing->store, false, error);
		if (t == NULL)
			return -1;
		result = sealing_list(sealing, t, &from, &list, &count, error);
		transaction_abort(&t);
		if (result != 0)
			return -1;
		result = sealing_copy(sealing, list, count, 0, error);
		free(list);
	}
	return result;
}

/* -- Copying -- */

static int
hand_if_due(
    struct sealing *sealing, struct seal_blocks *blocks, struct error *error)
{
	if (sealing->batch.count < HAND_AT)
		return 0;
	return seal_blocks_flush(blocks, error) == 0
		   ? sealing_hand(sealing, error)
		   : -1;
}

static int
copy_one(struct sealing *sealing, struct seal_blocks *blocks,
    const struct sealing_body *body, uint32_t from, struct error *error)
{
	struct transaction *t = transaction_begin(sealing->store, false, error);
	struct object object;
	int found;

	if (t == NULL)
		return -1;
	found = object_store_find(t, body->blob, &object, error);
	transaction_abort(&t);
	if (found != 1 || object.is_sealed != (from != 0))
		return found < 0 ? -1 : 0;
	return seal_blocks_add(blocks, &object, NULL, error) == 0
		   ? hand_if_due(sealing, blocks, error)
		   : -1;
}

int
sealing_copy(struct sealing *sealing, const struct sealing_body *bodies,
    size_t count, uint32_t from, struct error *error)
{
	struct seal_blocks *blocks =
	    seal_blocks_new(sealing, &sealing->batch, from);
	int result = 0;
	size_t i;

	for (i = 0; i < count && result == 0; i++) {
		if (sealing->is_stopping(sealing->context))
			break;
		result = copy_one(sealing, blocks, &bodies[i], from, error);
	}
	if (result == 0)
		result = seal_blocks_flush(blocks, error);
	if (result == 0)
		result = sealing_hand(sealing, error);
	seal_blocks_free(&blocks);
	return result;
}
