/*
 * Replay and the end of segments: see sealing.h.
 */
#include "snapd/sealing.h"

#include "common/file.h"
#include "common/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
sealing_init(struct sealing *sealing)
{
	buf_init(&sealing->raw, BLOCK_MAX_RAW);
	sealing->packer = block_packer_new();
	sealing->queue = pack_queue_new(sealing->packer);
	sealing->value = memory_new(1, SEGMENT_VALUE_SIZE);
	sealing->spared = table_new();
	sealing->dropped = table_new();
	sealing->grace_us = (int64_t)SEALING_GRACE_S * 1000000;
}

void
sealing_clear(struct sealing *sealing)
{
	size_t position = 0;
	void *since;

	seal_batch_clear(&sealing->batch);
	segment_writer_free(&sealing->writer);
	buf_clear(&sealing->raw);
	pack_queue_free(&sealing->queue);
	block_packer_free(&sealing->packer);
	packed_block_clear(&sealing->packed);
	memory_free(&sealing->value);
	memory_free(&sealing->loads);
	while (table_next(sealing->dropped, &position, NULL, NULL, &since))
		free(since);
	table_free(&sealing->dropped);
	table_free(&sealing->spared);
}

int
sealing_pack(struct sealing *sealing, struct error *error)
{
	return block_pack(sealing->packer,
	    text_make(sealing->raw.data, sealing->raw.size), &sealing->packed,
	    error);
}

int
sealing_hand(struct sealing *sealing, struct error *error)
{
	struct block_at end = segment_writer_end(sealing->writer);
	struct seal_item *known;

	if (segment_writer_commit(sealing->writer, error) != 0)
		return -1;
	if (end.segment != 0) {
		known = seal_batch_add(&sealing->batch, SEAL_KNOWN);
		known->segment = end.segment;
		known->end = end;
	}
	if (sealing->batch.count == 0)
		return 0;
	return sealing->apply(sealing->context, &sealing->batch, error);
}

/* -- Replay -- */

/* The body that the entry is the next part of, or begins. */
static struct seal_item *
item_of(struct seal_batch *batch, const struct block_entry *entry)
{
	struct seal_item *item;

	if (entry->offset > 0)
		return batch->count > 0 &&
			       batch->items[batch->count - 1].blob ==
				   entry->blob
			   ? &batch->items[batch->count - 1]
			   : NULL;
	item = seal_batch_add(batch, SEAL_REPLAYED);
	item->blob = entry->blob;
	item->hash = entry->hash;
	return item;
}

static uint64_t
size_of(const struct seal_item *item)
{
	uint64_t size = 0;
	uint32_t i;

	for (i = 0; i < item->count; i++)
		size += item->places[i].length;
	return size;
}

/* A body whose end was never written stays staged. */
static void
drop_partial(struct seal_batch *batch, uint64_t size)
{
	struct seal_item *last;

	if (batch->count == 0)
		return;
	last = &batch->items[batch->count - 1];
	if (last->kind != SEAL_REPLAYED || size_of(last) >= size)
		return;
	free(last->places);
	batch->count--;
}

static int
replay_block(struct sealing *sealing, const struct block_at *at,
    uint64_t *last_size, struct error *error)
{
	struct block *block = segments_read(sealing->segments, at, error);
	struct block_entry entry;
	struct seal_item *item;
	struct place place;
	uint32_t count, i;

	if (block == NULL)
		return -1;
	if (block->head.kind != BLOCK_BODIES ||
	    block_entries(block->raw, &count) != 0)
		count = 0;
	place.at = *at;
	place.offset = 4 + count * BLOCK_ENTRY_SIZE;
	for (i = 0; i < count; i++) {
		if (block_entry_get(block->raw, i, &entry) != 0)
			break;
		if (entry.offset == 0)
			drop_partial(&sealing->batch, *last_size);
		*last_size = entry.size;
		place.length = entry.length;
		item = item_of(&sealing->batch, &entry);
		if (item != NULL)
			seal_item_add(item, &place);
		place.offset += entry.length;
	}
	block_release(&block);
	return 0;
}

static int
replay_value(struct sealing *sealing, struct block_at *at, uint32_t values,
    uint64_t *last_size, struct error *error)
{
	struct segment_env *env =
	    segments_get(sealing->segments, at->segment, error);
	struct block_head head;
	struct error why;
	size_t offset;
	int found;

	if (env == NULL ||
	    segment_env_value(env, at->value, sealing->value, error) < 0)
		return -1;
	for (;; at->block++) {
		found =
		    block_find(sealing->value, at->block, &head, &offset, &why);
		/* What is damaged is the verifier's to tell. */
		if (found != 1)
			break;
		if (replay_block(sealing, at, last_size, error) != 0)
			return -1;
	}
	if (at->value + 1 < values) {
		at->value++;
		at->block = 0;
	}
	return 0;
}

static int
known_end(struct sealing *sealing, uint32_t segment, struct block_at *at,
    uint8_t *state, struct error *error)
{
	struct transaction *t = transaction_begin(sealing->store, false, error);
	struct segment_use use;
	int found;

	if (t == NULL)
		return -1;
	found = segment_use_find(t, segment, &use, error);
	transaction_abort(&t);
	*at = (struct block_at){ segment, use.values > 0 ? use.values - 1 : 0,
		(uint16_t)use.blocks };
	*state = use.state;
	return found;
}

static int
replay_segment(void *context, uint32_t number)
{
	struct sealing *sealing = context;
	struct error *error = sealing->error;
	struct seal_item *known;
	struct segment_env *env;
	struct block_at at;
	uint64_t last_size = 0;
	uint32_t values, value;
	uint8_t state;

	if (known_end(sealing, number, &at, &state, error) < 0)
		return -1;
	if (state != SEGMENT_OPEN)
		return 0;
	env = segments_get(sealing->segments, number, error);
	if (env == NULL || segment_env_values(env, &values, error) != 0)
		return -1;
	for (value = at.value; value < values; value++)
		if (replay_value(sealing, &at, values, &last_size, error) != 0)
			return -1;
	drop_partial(&sealing->batch, last_size);
	known = seal_batch_add(&sealing->batch, SEAL_KNOWN);
	known->segment = number;
	known->end = at;
	return 0;
}

int
sealing_replay(struct sealing *sealing, struct error *error)
{
	sealing->error = error;
	if (segments_each(sealing->segments, replay_segment, sealing) != 0)
		return -1;
	if (sealing->batch.count > 0 &&
	    sealing->apply(sealing->context, &sealing->batch, error) != 0)
		return -1;
	sealing->writer = segment_writer_new(sealing->segments, error);
	return sealing->writer != NULL ? sealing_look(sealing, error) : -1;
}

/* -- Full segments -- */

static int
hash_file(
    struct sealing *sealing, int fd, struct hash *hash, struct error *error)
{
	struct digest *digest = digest_new();
	off_t offset = 0;
	ssize_t got = 1;

	digest_start(digest);
	while (got > 0 && !sealing->is_stopping(sealing->context)) {
		got = pread(fd, sealing->value, SEGMENT_VALUE_SIZE, offset);
		if (got > 0)
			digest_add(digest, sealing->value, (size_t)got);
		offset += got;
	}
	*hash = digest_finish(digest);
	digest_free(&digest);
	if (got > 0)
		return error_set(error, ERROR_BUSY, "stopping");
	return got == 0 ? 0 : error_set_errno(error, "segment");
}

/* Behind the last block of the segment. */
static int
find_end(struct sealing *sealing, struct segment_env *env, struct block_at *at,
    struct error *error)
{
	struct block_head head;
	struct error why;
	uint32_t values;
	size_t offset;

	at->value = 0;
	at->block = 0;
	if (segment_env_values(env, &values, error) != 0)
		return -1;
	if (values == 0)
		return 0;
	at->value = values - 1;
	if (segment_env_value(env, at->value, sealing->value, error) < 0)
		return -1;
	while (block_find(sealing->value, at->block, &head, &offset, &why) == 1)
		at->block++;
	return 0;
}

/* 1 if it is one that is ended and not full by the index, 0, -1. */
static int
is_ended(struct sealing *sealing, uint32_t number, struct block_at *at)
{
	uint8_t state;

	if (number == segments_newest(sealing->segments))
		return 0;
	if (known_end(sealing, number, at, &state, sealing->error) < 0)
		return -1;
	return state == SEGMENT_OPEN;
}

static int
end_one(void *context, uint32_t number)
{
	struct sealing *sealing = context;
	const char *path = segments_options(sealing->segments)->path;
	struct segment_env *env;
	struct block_at at;
	struct error why;
	int ended = is_ended(sealing, number, &at);

	if (ended != 1)
		return ended;
	env = segments_get(sealing->segments, number, sealing->error);
	if (env == NULL)
		return -1;
	if (segment_env_finish(env, path, &why) != 0 && why.code == ERROR_BUSY)
		sealing->has_ended = true;
	return 0;
}

/* An error does no harm: the file is larger than it must be. */
static void
trim_newest(struct sealing *sealing)
{
	uint32_t newest = segments_newest(sealing->segments);
	struct error why;
	struct segment_env *env =
	    newest != 0 ? segments_get(sealing->segments, newest, &why) : NULL;

	if (env != NULL)
		(void)segment_env_trim(
		    env, segments_options(sealing->segments)->path, &why);
}

int
sealing_end(struct sealing *sealing, struct error *error)
{
	sealing->error = error;
	trim_newest(sealing);
	return segments_each(sealing->segments, end_one, sealing);
}

static int
finish_full(void *context, uint32_t number)
{
	struct sealing *sealing = context;
	struct error *error = sealing->error;
	uint8_t meta[PAGE_META_SIZE];
	struct segment_hold *hold;
	struct segment_env *env;
	struct seal_item *item;
	struct block_at at;
	struct hash hash;
	int fd, ended = is_ended(sealing, number, &at), result;

	if (ended != 1)
		return ended;
	env = segments_get(sealing->segments, number, error);
	if (env == NULL || find_end(sealing, env, &at, error) != 0)
		return -1;
	/* While somebody verifies it: later. */
	if (!segment_env_is_finished(env))
		return 0;
	hold = segment_env_hold(env, meta, &fd, error);
	if (hold == NULL)
		return -1;
	result = hash_file(sealing, fd, &hash, error);
	segment_hold_free(&hold);
	if (result != 0)
		return -1;
	item = seal_batch_add(&sealing->batch, SEAL_FULL);
	item->segment = number;
	item->end = at;
	item->hash = hash;
	return 0;
}

int
sealing_finish_full(struct sealing *sealing, struct error *error)
{
	sealing->has_ended = false;
	if (sealing_end(sealing, error) != 0 ||
	    segments_each(sealing->segments, finish_full, sealing) != 0)
		return -1;
	return sealing->batch.count == 0
		   ? 0
		   : sealing->apply(sealing->context, &sealing->batch, error);
}
