/*
 * See segment_writer.h.
 */
#include "snapd/segment_writer.h"

#include "common/memory.h"
#include "snapd/step.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

struct segment_writer {
	struct segments *segments;
	struct segment_env *env; /* NULL: there is no segment yet */
	struct block_seal *seal;
	struct block_at next; /* of the block that is added next */
	uint8_t *bytes;       /* of the value */
	size_t used;
	bool is_changed; /* since the value was put */
	uint32_t pending;
	uint32_t goal; /* values of a segment */
	/* The key that was used last. */
	bool has_key;
	uint32_t key_account;
	uint32_t key_segment;
	struct aead_key key;
};

/* Where the value ends; a damaged one is left alone. */
static int
find_end(struct segment_writer *writer, struct error *error)
{
	struct block_head head;
	struct error why;
	int found;

	found = segment_env_value(
	    writer->env, writer->next.value, writer->bytes, error);
	if (found != 1)
		return found;
	while ((found = block_head_find(writer->bytes, writer->used,
		    writer->next.block, &head, &why)) == 1) {
		writer->used += block_size(&head);
		writer->next.block++;
	}
	return found;
}

static void
begin_value(struct segment_writer *writer, uint32_t value)
{
	memset(writer->bytes, 0, SEGMENT_VALUE_SIZE);
	writer->next.value = value;
	writer->next.block = 0;
	writer->used = 0;
	writer->is_changed = false;
}

static int
open_newest(struct segment_writer *writer, struct error *error)
{
	uint32_t values;

	writer->next.segment = segments_newest(writer->segments);
	if (writer->next.segment == 0)
		return 0;
	writer->env =
	    segments_get(writer->segments, writer->next.segment, error);
	if (writer->env == NULL ||
	    segment_env_values(writer->env, &values, error) != 0)
		return -1;
	if (values == 0)
		return 0;
	writer->next.value = values - 1;
	if (find_end(writer, error) != 0)
		begin_value(writer, values);
	return 0;
}

struct segment_writer *
segment_writer_new(struct segments *segments, struct error *error)
{
	struct segment_writer *writer = memory_new(1, sizeof(*writer));

	writer->segments = segments;
	writer->seal = block_seal_new();
	writer->bytes = memory_new(1, SEGMENT_VALUE_SIZE);
	writer->goal = SEGMENT_MAX_VALUES;
	if (open_newest(writer, error) != 0)
		segment_writer_free(&writer);
	return writer;
}

void
segment_writer_free(struct segment_writer **writer)
{
	struct segment_writer *w = *writer;

	if (w == NULL)
		return;
	if (w->env != NULL)
		segment_env_drop(w->env);
	block_seal_free(&w->seal);
	free(w->bytes);
	OPENSSL_cleanse(&w->key, sizeof(w->key));
	memory_free(writer);
}

void
segment_writer_set_goal(struct segment_writer *writer, uint32_t values)
{
	writer->goal = values;
}

size_t
segment_writer_room(const struct segment_writer *writer)
{
	return SEGMENT_VALUE_SIZE - writer->used;
}

uint32_t
segment_writer_pending(const struct segment_writer *writer)
{
	return writer->pending;
}

struct block_at
segment_writer_end(const struct segment_writer *writer)
{
	return writer->next;
}

static int
put_value(struct segment_writer *writer, struct error *error)
{
	if (!writer->is_changed)
		return 0;
	writer->is_changed = false;
	writer->pending++;
	return segment_env_put(
	    writer->env, writer->next.value, writer->bytes, error);
}

int
segment_writer_commit(struct segment_writer *writer, struct error *error)
{
	if (writer->env == NULL)
		return 0;
	if (put_value(writer, error) != 0)
		return -1;
	writer->pending = 0;
	if (segment_env_commit(writer->env, error) != 0)
		return -1;
	step_reached(STEP_SEAL_WRITTEN);
	return 0;
}

static int
begin_segment(struct segment_writer *writer, struct error *error)
{
	if (segment_writer_commit(writer, error) != 0)
		return -1;
	writer->env = segments_add(writer->segments, error);
	if (writer->env == NULL)
		return -1;
	step_reached(STEP_SEAL_MADE);
	writer->next.segment = segments_newest(writer->segments);
	begin_value(writer, 0);
	return 0;
}

/* The next value, in the next segment if this one is full. */
static int
begin_next(struct segment_writer *writer, struct error *error)
{
	if (put_value(writer, error) != 0)
		return -1;
	if (!segment_env_has_room(writer->env, 1) ||
	    writer->next.value + 1 >= writer->goal)
		return begin_segment(writer, error);
	begin_value(writer, writer->next.value + 1);
	return 0;
}

/* -- Keys -- */

struct search {
	struct segments *segments;
	uint32_t account;
	uint32_t found_in;
	uint32_t not_in;
	struct error *error;
};

static int
look_in(void *context, uint32_t number)
{
	struct search *search = context;
	struct segment_env *env;
	uint8_t row[ACCOUNT_KEY_ROW];
	int found;

	if (number == search->not_in)
		return 0;
	env = segments_get(search->segments, number, search->error);
	if (env == NULL)
		return -1;
	found =
	    segment_env_key(env, search->account, false, row, search->error);
	if (found == 1)
		search->found_in = number;
	return found < 0 ? -1 : 0;
}

/* The key that the account has in another segment, or a new one. */
static int
make_key(struct segment_writer *writer, uint32_t account, struct error *error)
{
	const struct segments_options *options =
	    segments_options(writer->segments);
	struct key_owner owner = { options->store, account };
	struct search search = { writer->segments, account, 0,
		writer->next.segment, error };
	uint8_t row[ACCOUNT_KEY_ROW];
	int result;

	if (segments_each(writer->segments, look_in, &search) != 0)
		return -1;
	if (search.found_in != 0)
		result = segments_key(writer->segments, search.found_in,
			     account, false, &writer->key, error) == 1
			     ? 0
			     : -1;
	else
		result = aead_random(
		    writer->key.bytes, sizeof(writer->key.bytes), error);
	if (result != 0 || account_key_wrap(&owner, &writer->key, &options->key,
			       options->recovery, row, error) != 0)
		return -1;
	return segment_env_put_key(writer->env, account, row, error);
}

static int
need_key(struct segment_writer *writer, uint32_t account, struct error *error)
{
	uint32_t segment = writer->next.segment;
	int found;

	if (writer->has_key && writer->key_account == account &&
	    writer->key_segment == segment)
		return 0;
	writer->has_key = false;
	found = segments_key(
	    writer->segments, segment, account, true, &writer->key, error);
	if (found < 0 || (found == 0 && make_key(writer, account, error) != 0))
		return -1;
	writer->has_key = true;
	writer->key_account = account;
	writer->key_segment = segment;
	return 0;
}

/* -- Blocks -- */

/* 1, 0 if it does not fit, -1. */
static int
add_here(struct segment_writer *writer, struct block_head *head,
    const struct packed_block *packed, struct block_at *at, struct error *error)
{
	const struct segments_options *options =
	    segments_options(writer->segments);
	size_t size;

	block_head_take(head, packed);
	size = block_size(head);
	if (writer->next.block >= BLOCK_MAX_COUNT ||
	    size > segment_writer_room(writer))
		return 0;
	if (need_key(writer, head->account, error) != 0 ||
	    block_seal_make(writer->seal, &options->store, &writer->next,
		&writer->key, head, packed, writer->bytes + writer->used,
		error) != 0)
		return -1;
	*at = writer->next;
	writer->used += size;
	writer->next.block++;
	writer->is_changed = true;
	return 1;
}

/* One that is full since the last start; one that is much too large in a store
 * that became smaller, or was begun when segments were larger. */
static bool
is_ended(const struct segment_writer *writer)
{
	return writer->next.value / 2 >= writer->goal ||
	       (writer->used == 0 && writer->pending == 0 &&
		   !segment_env_has_room(writer->env, 1));
}

int
segment_writer_add(struct segment_writer *writer, struct block_head *head,
    const struct packed_block *packed, bool may_begin, struct block_at *at,
    struct error *error)
{
	int added;

	if (writer->env == NULL && begin_segment(writer, error) != 0)
		return -1;
	if (is_ended(writer) && begin_segment(writer, error) != 0)
		return -1;
	added = add_here(writer, head, packed, at, error);
	if (added != 0 || !may_begin)
		return added;
	if (writer->used == 0)
		return error_set(
		    error, ERROR_LIMIT, "a block that fits nowhere");
	if (begin_next(writer, error) != 0)
		return -1;
	added = add_here(writer, head, packed, at, error);
	return added != 0
		   ? added
		   : error_set(error, ERROR_LIMIT, "a block that fits nowhere");
}
