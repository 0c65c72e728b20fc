/*
 * See rebuild_derive.h.
 */
#include "snapd/rebuild_derive.h"

#include "common/memory.h"
#include "common/table.h"
#include "common/event_form.h"
#include "snapd/forget.h"
#include "snapd/journal.h"
#include "snapd/object_store.h"
#include "snapd/seal_batch.h"

#include <stdio.h>
#include <string.h>

struct derive {
	struct transaction *t;
	struct error *error;
	struct digest *digest;
	struct table *referred; /* blob -> how many rows */
};

typedef int row_visit(struct derive *d, struct text key, struct text value);

/* All rows of a database; a visit may take the row or put others. */
static int
each_row(struct derive *d, enum database database, row_visit *visit)
{
	static uint8_t copy[1 << 20];
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got, result = 0;

	for (;;) {
		cursor = cursor_open(d->t, database, &from, d->error);
		if (cursor == NULL)
			return -1;
		got = cursor_next(cursor, &key, &value, d->error);
		from.size = 0;
		if (got == 1 && value.size > sizeof(copy))
			got = error_set(d->error, ERROR_LIMIT, "a row");
		if (got == 1) {
			key_put_raw(&from, key.data, key.size);
			memcpy(copy, value.data, value.size);
			value = text_make(copy, value.size);
		}
		cursor_close(&cursor);
		if (got != 1)
			return got;
		result = visit(d, text_make(from.bytes, from.size), value);
		if (result != 0)
			return -1;
		/* The next key that there can be. */
		key_put_u8(&from, 0);
	}
}

static int
take(struct derive *d, enum database database, struct text key)
{
	struct key k = { .size = 0 };

	key_put_raw(&k, key.data, key.size);
	return store_take(d->t, database, &k, d->error);
}

/* -- What refers to bodies -- */

static void
refer(struct derive *d, uint64_t blob)
{
	uintptr_t count = (uintptr_t)table_find_u64(d->referred, blob);

	table_put_u64(d->referred, blob, (void *)(count + 1));
}

/* Rows that expiry took. */
static int
visit_forgotten(struct derive *d, struct text key, struct text value)
{
	struct forget_row row;
	struct reader r;
	uint64_t mailbox;
	uint32_t account;
	int got;

	(void)key;
	if (forget_get_head(&r, value, &account, &mailbox) != 0)
		return error_set(d->error, ERROR_DAMAGED, "forgotten row");
	while ((got = forget_get_row(&r, &row)) == 1) {
		struct key dead = { .size = 0 };

		key_put_u64(&dead, mailbox);
		key_put_u64(&dead, row.died);
		key_put_u32(&dead, row.uid);
		if (store_take(d->t, DB_DEAD, &dead, d->error) != 0)
			return -1;
	}
	return got == 0 ? 0
			: error_set(d->error, ERROR_DAMAGED, "forgotten row");
}

/* References are counted anew, and locks stay; of none there is no row. */
static int
visit_use(struct derive *d, struct text key, struct text value)
{
	uint64_t blob = key_u64_at(key, 0);
	uintptr_t count = (uintptr_t)table_find_u64(d->referred, blob);
	struct key k = { .size = 0 };
	uint8_t data[13];
	struct reader r;
	struct writer w;

	if (count == 0)
		return take(d, DB_BLOB_USE, key);
	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	reader_get_u32(&r);
	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	writer_put_u32(&w, (uint32_t)count);
	writer_put_u64(&w, reader_get_u64(&r));
	if (reader_done(&r) != 0)
		return error_set(d->error, ERROR_DAMAGED, "blob_use row");
	key_put_raw(&k, key.data, key.size);
	return store_put(
	    d->t, DB_BLOB_USE, &k, text_make(data, w.size), d->error);
}

static int
visit_live(struct derive *d, struct text key, struct text value)
{
	struct message_row row;

	if (row_decode_live(key, value, &row, d->error) != 0)
		return -1;
	refer(d, row.record.blob);
	return 0;
}

static int
visit_dead(struct derive *d, struct text key, struct text value)
{
	struct message_row row;

	if (row_decode_dead(key, value, &row, d->error) != 0)
		return -1;
	refer(d, row.record.blob);
	return 0;
}

static uint64_t
blob_of_unfiled(struct text value)
{
	struct reader r;

	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	return reader_get_u64(&r);
}

/* Mail that a later pass says is filed. */
static int
visit_unfiled(struct derive *d, struct text key, struct text value)
{
	struct delivery_id delivery;
	struct text filed;
	struct key k;
	int found;

	if (value.size < 36)
		return error_set(d->error, ERROR_DAMAGED, "unfiled row");
	memcpy(delivery.bytes, value.data + 18, sizeof(delivery.bytes));
	journal_delivery_key(&k, key_u32_at(key, 0), &delivery);
	found = store_get(d->t, DB_DELIVERY, &k, &filed, d->error);
	if (found == 1 && filed.size > 1 && filed.data[1] != 0)
		return take(d, DB_UNFILED, key);
	if (found >= 0)
		refer(d, blob_of_unfiled(value));
	return found < 0 ? -1 : 0;
}

/* What a body that is referred to consists of. */
static int
visit_pieces(struct derive *d, struct text key, struct text value)
{
	struct piece_ref piece;
	struct blob_form form;
	uint32_t i;

	if (table_find_u64(d->referred, key_u64_at(key, 0)) == NULL)
		return 0;
	if (blob_form_decode(value, &form) != 0)
		return error_set(d->error, ERROR_DAMAGED, "blob row");
	for (i = 0; i < form.piece_count; i++)
		if (piece_ref_get(&form.pieces, &piece) == 0)
			refer(d, piece.blob);
	return 0;
}

/* -- Bodies: their hashes, and how much of each segment is used -- */

static int
use_places(struct derive *d, struct blob_form *form)
{
	struct place place;
	uint32_t i;

	for (i = 0; i < form->place_count; i++)
		if (place_get(&form->places, &place) != 0 ||
		    segment_use_add(
			d->t, place.at.segment, place.length, 0, d->error) != 0)
			return -1;
	return 0;
}

static int
visit_blob(struct derive *d, struct text key, struct text value)
{
	uint64_t blob = key_u64_at(key, 0);
	struct blob_form form;
	struct object object;

	if (table_find_u64(d->referred, blob) == NULL)
		return take(d, DB_BLOB, key);
	if (blob_form_decode(value, &form) != 0)
		return error_set(d->error, ERROR_DAMAGED, "blob row");
	object = (struct object){
		.blob = blob, .account = form.account, .hash = form.hash
	};
	return object_store_put_hash(d->t, d->digest, &object, d->error) == 0
		   ? use_places(d, &form)
		   : -1;
}

static int
visit_mailbox(struct derive *d, struct text key, struct text value)
{
	static struct mailbox_row row;
	uint8_t number[9] = { 1 };
	struct key k = { .size = 0 };
	struct hash hash;

	if (row_decode_mailbox(value, &row, d->error) != 0)
		return -1;
	if (row.record.is_retired)
		return 0;
	hash = digest_of(d->digest, row.record.name.data, row.record.name.size);
	key_put_u32(&k, row.account);
	key_put_raw(&k, hash.bytes, sizeof(hash.bytes));
	memcpy(number + 1, key.data + 4, 8);
	return store_put(
	    d->t, DB_NAME, &k, text_make(number, sizeof(number)), d->error);
}

/* -- Segments -- */

/* "segment N full, sha256 HEX", as seal_batch.c says it. */
static int
visit_event(struct derive *d, struct text key, struct text value)
{
	struct event_form event;
	struct segment_use use;
	char detail[120], state[12], hex[65];
	uint32_t number;

	(void)key;
	if (event_decode(value, &event) != 0 || event.kind != EVENT_SEGMENT ||
	    text_copy(event.detail, detail, sizeof(detail)) != 0 ||
	    sscanf(detail, "segment %u %11[a-z], sha256 %64[0-9a-f]", &number,
		state, hex) != 3)
		return 0;
	if (segment_use_find(d->t, number, &use, d->error) < 0)
		return -1;
	use.state = strcmp(state, "full") == 0 ? SEGMENT_FULL : SEGMENT_DROPPED;
	if (text_parse_hex(
		text_of(hex), use.hash.bytes, sizeof(use.hash.bytes)) != 0)
		return 0;
	return segment_use_put(d->t, number, &use, d->error);
}

static int
put_total(struct derive *d, const struct segment_total *total)
{
	struct segment_use use;

	if (segment_use_find(d->t, total->end.segment, &use, d->error) < 0)
		return -1;
	use.values = total->end.value + (total->end.block > 0);
	use.blocks = total->end.block;
	use.dead_bytes = total->body_bytes - use.live_bytes;
	return segment_use_put(d->t, total->end.segment, &use, d->error);
}

/* -- The log and its state -- */

struct state {
	uint64_t sequence;
	struct merkle_log kept, found;
};

static int
read_state(struct derive *d, struct state *state)
{
	struct key key = { "state", 5 };
	struct text value;
	struct reader r;
	int i;

	if (store_get(d->t, DB_META, &key, &value, d->error) != 1)
		return error_set(d->error, ERROR_DAMAGED, "no state");
	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	state->sequence = reader_get_u64(&r);
	for (i = 0; i < 4; i++)
		reader_get_u64(&r);
	while (r.size >= 32 && state->kept.root_count < 64)
		reader_get_raw(
		    &r, state->kept.roots[state->kept.root_count++].bytes, 32);
	state->kept.count = state->sequence;
	return reader_done(&r);
}

/* Every event is there and is what it was. */
static int
check_log(struct derive *d)
{
	struct state state = { .sequence = 0 };
	struct key from = { .size = 0 };
	struct text key, value;
	struct hash kept, found;
	struct cursor *cursor;
	int got;

	if (read_state(d, &state) != 0)
		return -1;
	cursor = cursor_open(d->t, DB_LOG, &from, d->error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, d->error)) == 1)
		merkle_log_add(&state.found, d->digest, value.data, value.size);
	cursor_close(&cursor);
	if (got < 0)
		return -1;
	kept = merkle_log_root(&state.kept, d->digest);
	found = merkle_log_root(&state.found, d->digest);
	if (state.found.count != state.sequence ||
	    memcmp(&kept, &found, sizeof(kept)) != 0)
		return error_set(d->error, ERROR_DAMAGED,
		    "the log has %llu events of %llu, or others",
		    (unsigned long long)state.found.count,
		    (unsigned long long)state.sequence);
	return 0;
}

static int
put_all(struct derive *d, const struct rebuild_derive *derive)
{
	size_t i;

	if (store_take_identity(d->t, d->error) != 0 ||
	    each_row(d, DB_FORGOTTEN, visit_forgotten) != 0 ||
	    each_row(d, DB_LIVE, visit_live) != 0 ||
	    each_row(d, DB_DEAD, visit_dead) != 0 ||
	    each_row(d, DB_UNFILED, visit_unfiled) != 0 ||
	    each_row(d, DB_BLOB, visit_pieces) != 0 ||
	    each_row(d, DB_BLOB_USE, visit_use) != 0 ||
	    each_row(d, DB_BLOB, visit_blob) != 0 ||
	    each_row(d, DB_MAILBOX, visit_mailbox) != 0 ||
	    each_row(d, DB_LOG, visit_event) != 0)
		return -1;
	for (i = 0; i < derive->total_count; i++)
		if (put_total(d, &derive->totals[i]) != 0)
			return -1;
	if (seal_batch_put_sealed(d->t, derive->sequence, d->error) != 0)
		return -1;
	return check_log(d);
}

int
rebuild_derive(struct transaction *t, const struct rebuild_derive *derive,
    struct error *error)
{
	struct derive d = { .t = t, .error = error };
	int result;

	d.digest = digest_new();
	d.referred = table_new();
	result = put_all(&d, derive);
	table_free(&d.referred);
	digest_free(&d.digest);
	return result;
}
