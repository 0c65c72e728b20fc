/*
 * See rebuild.h.  Two walks over all blocks: the first finds the passes, from
 * heads alone; the second puts bodies and rows, in order, a later one over
 * those before.  Then what follows from other rows is put.
 */
#include "snapd/rebuild.h"

#include "common/memory.h"
#include "common/table.h"
#include "common/event_form.h"
#include "snapd/accept_log.h"
#include "snapd/journal.h"
#include "snapd/rebuild_derive.h"
#include "snapd/rebuild_folder.h"
#include "snapd/segments_open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROWS_A_COMMIT = 20000
};

struct pass;

struct rebuild {
	const char *path;
	struct rebuild_result *result;
	struct error *error;
	struct segments *segments;
	struct store *store;
	struct transaction *t;
	uint64_t puts;
	uint8_t *value;
	struct segment_total *totals; /* of the segments walked so far */
	size_t total_count;
	struct pass *passes; /* as they come */
	size_t pass_count;
	bool is_loading;
	/* The body whose parts are being collected. */
	struct block_entry body;
	uint32_t body_account;
	struct place *places;
	uint32_t place_count;
	uint64_t place_bytes;
};

static void
damaged(struct rebuild *r, const struct block_at *at, const char *text)
{
	char line[300];

	if (!r->is_loading)
		return; /* the second walk meets it again */
	r->result->damaged++;
	snprintf(line, sizeof(line), "segment %u: value %u: block %u: %s",
	    at->segment, at->value, at->block, text);
	if (r->result->finding != NULL)
		r->result->finding(r->result->context, line);
}

/* -- Walking over blocks -- */

typedef int block_visit(struct rebuild *r, const struct block_at *at,
    const struct block_head *head);

static int
each_block(struct rebuild *r, struct block_at at, block_visit *visit)
{
	struct block_head head;
	struct error why;
	size_t offset = 0;
	int found;

	for (;; at.block++, offset += block_size(&head)) {
		found =
		    block_head_find(r->value, offset, at.block, &head, &why);
		if (r->is_loading)
			r->totals[r->total_count - 1].end = at;
		if (found < 0)
			damaged(r, &at, why.text);
		if (found != 1)
			return 0;
		if (visit(r, &at, &head) != 0)
			return -1;
	}
}

struct walk_context {
	struct rebuild *r;
	block_visit *visit;
};

static int
walk_segment(void *context, uint32_t number)
{
	struct walk_context *walk = context;
	struct rebuild *r = walk->r;
	struct block_at at = { .segment = number };
	struct error why;
	struct segment_env *env = segments_get(r->segments, number, &why);
	uint32_t values = 0;
	int found;

	if (r->is_loading) {
		r->totals = memory_resize(
		    r->totals, r->total_count + 1, sizeof(*r->totals));
		r->totals[r->total_count++] =
		    (struct segment_total){ .end = at };
	}
	if (env == NULL || segment_env_values(env, &values, &why) != 0) {
		damaged(r, &at, why.text);
		return 0;
	}
	for (; at.value < values; at.value++) {
		found = segment_env_value(env, at.value, r->value, &why);
		if (found != 1)
			damaged(r, &at, found < 0 ? why.text : "is missing");
		else if (each_block(r, at, walk->visit) != 0)
			return -1;
	}
	return 0;
}

static int
walk_all(struct rebuild *r, block_visit *visit)
{
	struct walk_context walk = { r, visit };

	return segments_each(r->segments, walk_segment, &walk) != 0 ? -1 : 0;
}

/*
 * Passes, by the number and the sequences that their blocks of rows say.  One
 * that was cut has no END, and the next one begins where it began; after a
 * store that was put back to an older copy, the next one begins before passes
 * that it never knew. So, from the last complete pass backwards, each counts
 * that ends before the one after it begins.  (Passes whose segments were
 * dropped are not missed: their rows went along.)
 */
struct pass {
	uint32_t id;
	uint64_t first, last;
	bool has_end;
	bool counts;
};

static struct pass *
find_pass(const struct rebuild *r, const struct block_head *head)
{
	size_t i;

	for (i = r->pass_count; i-- > 0;)
		if (r->passes[i].id == head->pass &&
		    r->passes[i].first == head->first &&
		    r->passes[i].last == head->last)
			return &r->passes[i];
	return NULL;
}

static int
note_pass(
    struct rebuild *r, const struct block_at *at, const struct block_head *head)
{
	struct pass *pass;

	(void)at;
	if (head->kind != BLOCK_ROWS && head->kind != BLOCK_END)
		return 0;
	pass = find_pass(r, head);
	if (pass == NULL) {
		r->passes = memory_resize(
		    r->passes, r->pass_count + 1, sizeof(*r->passes));
		pass = &r->passes[r->pass_count++];
		*pass = (struct pass){ .id = head->pass,
			.first = head->first,
			.last = head->last };
	}
	pass->has_end = pass->has_end || head->kind == BLOCK_END;
	return 0;
}

/* 0, or -1 if none is complete. */
static int
choose_passes(struct rebuild *r)
{
	uint64_t limit = 0;
	size_t i;

	for (i = r->pass_count; i-- > 0;) {
		struct pass *pass = &r->passes[i];

		if (limit == 0 && !pass->has_end)
			continue;
		if (limit == 0)
			r->result->sequence = pass->last;
		pass->counts = limit == 0 || pass->last < limit;
		if (pass->counts)
			limit = pass->first;
	}
	return limit != 0 ? 0
			  : error_set(r->error, ERROR_MISSING,
				"no segment has a complete pass");
}

static bool
counts(const struct rebuild *r, const struct block_head *head)
{
	const struct pass *pass = find_pass(r, head);

	return pass != NULL && pass->counts;
}

/* -- Putting rows -- */

static int
put(struct rebuild *r, enum database database, struct text key,
    struct text value)
{
	struct key k = { .size = 0 };

	key_put_raw(&k, key.data, key.size);
	if (store_put(r->t, database, &k, value, r->error) != 0)
		return -1;
	r->result->rows++;
	if (++r->puts % ROWS_A_COMMIT != 0)
		return 0;
	if (transaction_commit(&r->t, r->error) != 0)
		return -1;
	r->t = transaction_begin(r->store, true, r->error);
	return r->t != NULL ? 0 : -1;
}

/* The live row that this dead one was. */
static int
take_killed(struct rebuild *r, struct text key, struct text value)
{
	struct message_row dead, live;
	struct key k = { .size = 0 };
	struct error why;
	int found;

	if (row_decode_dead(key, value, &dead, &why) != 0)
		return 0;
	found = row_find_message(
	    r->t, dead.record.mailbox, dead.record.uid, &live, r->error);
	if (found != 1 || live.record.born != dead.record.born)
		return found < 0 ? -1 : 0;
	key_put_u64(&k, dead.record.mailbox);
	key_put_u32(&k, dead.record.uid);
	return store_take(r->t, DB_LIVE, &k, r->error);
}

static int
put_rows(struct rebuild *r, const struct block_at *at, struct text rest)
{
	struct block_row row;
	int got;

	while ((got = block_row_next(&rest, &row)) == 1) {
		if (row.database >= DB_COUNT)
			continue; /* of a later version */
		if (row.database == DB_DEAD &&
		    take_killed(r, row.key, row.value) != 0)
			return -1;
		if (put(r, (enum database)row.database, row.key, row.value) !=
		    0)
			return -1;
	}
	if (got < 0)
		damaged(r, at, "malformed rows");
	return 0;
}

/* -- Bodies -- */

static int
put_body(struct rebuild *r)
{
	struct blob_form form = { .account = r->body_account,
		.size = r->body.size,
		.wire_size = r->body.wire_size,
		.hash = r->body.hash,
		.place_count = r->place_count };
	size_t room = BLOB_SEALED_SIZE + (size_t)r->place_count * PLACE_SIZE;
	uint8_t *data = memory_new(1, room);
	struct key key = { .size = 0 };
	size_t size;
	int result;

	size = blob_form_encode(&form, r->places, data, room);
	key_put_u64(&key, r->body.blob);
	result = put(
	    r, DB_BLOB, text_make(key.bytes, key.size), text_make(data, size));
	free(data);
	r->result->bodies += result == 0;
	return result;
}

static int
add_part(struct rebuild *r, uint32_t account, const struct block_entry *entry,
    const struct place *place)
{
	if (entry->offset == 0) {
		r->body = *entry;
		r->body_account = account;
		r->place_count = 0;
		r->place_bytes = 0;
	}
	if (entry->blob != r->body.blob || entry->offset != r->place_bytes ||
	    r->place_count == PLACE_MAX_PARTS)
		return 0;
	r->places =
	    memory_resize(r->places, r->place_count + 1U, sizeof(*r->places));
	r->places[r->place_count++] = *place;
	r->place_bytes += entry->length;
	return r->place_bytes == r->body.size ? put_body(r) : 0;
}

static int
put_bodies(struct rebuild *r, const struct block *block)
{
	struct place place = { .at = block->at };
	struct block_entry entry;
	uint32_t count, i;

	if (block_entries(block->raw, &count) != 0) {
		damaged(r, &block->at, "malformed list");
		return 0;
	}
	place.offset = 4 + count * BLOCK_ENTRY_SIZE;
	for (i = 0; i < count; i++) {
		if (block_entry_get(block->raw, i, &entry) != 0) {
			damaged(r, &block->at, "malformed list");
			return 0;
		}
		place.length = entry.length;
		r->totals[r->total_count - 1].body_bytes += entry.length;
		if (add_part(r, block->head.account, &entry, &place) != 0)
			return -1;
		place.offset += entry.length;
	}
	return 0;
}

static int
load_block(
    struct rebuild *r, const struct block_at *at, const struct block_head *head)
{
	struct error why;
	struct block *block;
	int result = 0;

	if (head->kind != BLOCK_BODIES && !counts(r, head))
		return 0;
	block = segments_read(r->segments, at, &why);
	if (block == NULL) {
		damaged(r, at, why.text);
		return 0;
	}
	if (head->kind == BLOCK_BODIES)
		result = put_bodies(r, block);
	else
		result = put_rows(r, at, block->raw);
	block_release(&block);
	return result;
}

/* -- The whole -- */

/*
 * Mail that was accepted after the last pass, and is in the log beside the
 * index alone: whoever opens this index accepts it again (snapd.c).
 */
static int
count_one(const struct accept_record *record, void *context)
{
	struct rebuild *r = context;

	(void)record;
	r->result->accepted++;
	return 0;
}

/* What they stand on is not in this index. */
static int
leave_out(const struct accept_batch *batch, void *context)
{
	(void)batch;
	(void)context;
	return 0;
}

static int
count_accepted(struct rebuild *r)
{
	static const struct accept_log_handler handler = { count_one,
		leave_out };
	struct key secret = { "secret", 6 };
	struct accept_log *log;
	struct text value;
	int result;

	if (store_get(r->t, DB_META, &secret, &value, r->error) != 1 ||
	    value.size < 1 + ACCEPT_LOG_KEY_SIZE)
		return error_set(r->error, ERROR_DAMAGED, "no secret");
	log =
	    accept_log_open(r->path, (const uint8_t *)value.data + 1, r->error);
	if (log == NULL)
		return r->error->code == ERROR_FULL ? 0 : -1;
	result =
	    accept_log_replay(log, r->result->sequence, &handler, r, r->error);
	accept_log_free(&log);
	return result;
}

static int
load_all(struct rebuild *r)
{
	struct rebuild_derive derive = { .sequence = 0 };
	int result;

	r->t = transaction_begin(r->store, true, r->error);
	if (r->t == NULL)
		return -1;
	r->is_loading = true;
	result = walk_all(r, load_block);
	memory_free(&r->places);
	derive.sequence = r->result->sequence;
	derive.totals = r->totals;
	derive.total_count = r->total_count;
	if (result == 0)
		result = rebuild_derive(r->t, &derive, r->error);
	if (result == 0)
		result = count_accepted(r);
	if (result == 0)
		return transaction_commit(&r->t, r->error);
	transaction_abort(&r->t);
	return -1;
}

static int
make_index(struct rebuild *r, size_t map_bytes)
{
	int result;

	if (rebuild_folder_begin(r->path, r->error) != 0)
		return -1;
	r->store = store_make(r->path, "index.new", map_bytes, r->error);
	if (r->store == NULL)
		return -1;
	result = load_all(r);
	store_close(&r->store);
	return result == 0
		   ? rebuild_folder_put(r->path, &r->result->kept, r->error)
		   : -1;
}

static int
count_segment(void *context, uint32_t number)
{
	(void)number;
	((struct rebuild *)context)->result->segments++;
	return 0;
}

int
rebuild_index(const char *path, size_t map_bytes, struct rebuild_result *result,
    struct error *error)
{
	struct rebuild r = { .path = path, .result = result, .error = error };
	int done = -1;

	error->code = ERROR_NONE;
	r.segments = segments_open_alone(path, &result->store, error);
	if (r.segments == NULL)
		return -1;
	r.value = memory_new(1, SEGMENT_VALUE_SIZE);
	segments_each(r.segments, count_segment, &r);
	if (walk_all(&r, note_pass) == 0 && choose_passes(&r) == 0)
		done = make_index(&r, map_bytes);
	free(r.passes);
	free(r.value);
	free(r.totals);
	segments_free(&r.segments);
	return done;
}
