/*
 * See segment_use.h.
 */
#include "snapd/segment_use.h"

static struct key
key_of(uint32_t segment)
{
	struct key key = { .size = 0 };

	key_put_u32(&key, segment);
	return key;
}

int
segment_use_find(struct transaction *transaction, uint32_t segment,
    struct segment_use *use, struct error *error)
{
	struct key key = key_of(segment);
	struct text value;
	int found;

	*use = (struct segment_use){ .state = SEGMENT_OPEN };
	found = store_get(transaction, DB_SEGMENT_USE, &key, &value, error);
	if (found == 1 && segment_use_decode(value, use) != 0)
		return error_set(
		    error, ERROR_DAMAGED, "store: malformed segment row");
	return found;
}

int
segment_use_put(struct transaction *transaction, uint32_t segment,
    const struct segment_use *use, struct error *error)
{
	struct key key = key_of(segment);
	uint8_t data[SEGMENT_USE_SIZE];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	writer_put_u8(&w, use->state);
	writer_put_u32(&w, use->values);
	writer_put_u32(&w, use->blocks);
	writer_put_u64(&w, use->live_bytes);
	writer_put_u64(&w, use->dead_bytes);
	writer_put_raw(&w, use->hash.bytes, sizeof(use->hash.bytes));
	return store_put(
	    transaction, DB_SEGMENT_USE, &key, text_make(data, w.size), error);
}

int
segment_use_add(struct transaction *transaction, uint32_t segment, int64_t live,
    int64_t dead, struct error *error)
{
	struct segment_use use;

	if (segment_use_find(transaction, segment, &use, error) < 0)
		return -1;
	use.live_bytes += (uint64_t)live;
	use.dead_bytes += (uint64_t)dead;
	return segment_use_put(transaction, segment, &use, error);
}
