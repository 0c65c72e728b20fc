/*
 * Rows into blocks, so that the index can be made anew: see sealing.h.  A pass
 * takes what happened after the sequence of the pass before, up to that of one
 * reading transaction, and puts each row as it stands in that transaction.  So
 * the rows of all passes, each later one over those before, are the index of
 * the last pass's sequence.  Its end is told by a block of kind END; what
 * stands behind the last END is of a pass that was cut.
 *
 * Which rows: see docs/segments.  DB_NAME and DB_HASH follow from others,
 * DB_REPLY is of no use in another index, DB_BLOB stands beside the bytes.
 */
#include "common/memory.h"
#include "snapd/as_of.h"
#include "common/event_form.h"
#include "snapd/rows.h"
#include "snapd/sealing.h"

#include <stdlib.h>
#include <string.h>

/* Rows of one account, until they fill a block. */
struct row_pass {
	struct sealing *sealing;
	struct transaction *t;
	struct error *error;
	uint32_t id;    /* random, in each of its blocks */
	uint64_t after; /* sequence of the pass before */
	uint64_t end;
	uint32_t account;
	struct table *accounts; /* that have something new */
	bool has_leapt;         /* all have */
	size_t collected;       /* segments that are being emptied */
};

static int
flush(struct row_pass *pass, enum block_kind kind)
{
	struct sealing *sealing = pass->sealing;
	struct block_head head = { .kind = (uint8_t)kind,
		.account = pass->account,
		.pass = pass->id,
		.first = pass->after + 1,
		.last = pass->end };
	struct block_at at;

	if (sealing->raw.size == 0 && kind != BLOCK_END)
		return 0;
	if (sealing_pack(sealing, pass->error) != 0 ||
	    segment_writer_add(sealing->writer, &head, &sealing->packed, true,
		&at, pass->error) != 1)
		return -1;
	buf_reset(&sealing->raw);
	return segment_writer_pending(sealing->writer) < SEALING_COMMIT
		   ? 0
		   : segment_writer_commit(sealing->writer, pass->error);
}

static int
put_row(struct row_pass *pass, enum database database, struct text key,
    struct text value)
{
	struct buf *raw = &pass->sealing->raw;
	uint8_t head[BLOCK_ROW_HEAD];
	struct writer w;

	writer_init(&w, head, sizeof(head));
	writer_put_u8(&w, (uint8_t)database);
	writer_put_u8(&w, (uint8_t)key.size);
	writer_put_u32(&w, (uint32_t)value.size);
	if (raw->size + sizeof(head) + key.size + value.size > SEALING_BLOCK &&
	    flush(pass, BLOCK_ROWS) != 0)
		return -1;
	if (buf_put(raw, head, sizeof(head)) != 0 ||
	    buf_put(raw, key.data, key.size) != 0 ||
	    buf_put(raw, value.data, value.size) != 0)
		return error_set(pass->error, ERROR_LIMIT, "a row too large");
	return 0;
}

/* The row under this key, if there is one: 1, 0 or -1. */
static int
put_found(struct row_pass *pass, enum database database, const struct key *key,
    struct text *value)
{
	int found = store_get(pass->t, database, key, value, pass->error);

	if (found != 1)
		return found;
	return put_row(pass, database, text_make(key->bytes, key->size),
		   *value) == 0
		   ? 1
		   : -1;
}

/* put_row is one, too. */
typedef int row_visit(struct row_pass *pass, enum database database,
    struct text key, struct text value);

/* Rows from `from` on whose keys begin with its first `prefix` bytes. */
static int
each_row(struct row_pass *pass, enum database database, const struct key *from,
    size_t prefix, row_visit *visit)
{
	struct cursor *cursor =
	    cursor_open(pass->t, database, from, pass->error);
	struct text key, value;
	int got, result = 0;

	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, pass->error)) == 1 &&
	       result == 0) {
		if (key.size < prefix ||
		    memcmp(key.data, from->bytes, prefix) != 0)
			break;
		result = visit(pass, database, key, value);
	}
	cursor_close(&cursor);
	return got < 0 || result < 0 ? -1 : 0;
}

static struct key
account_key(const struct row_pass *pass)
{
	struct key key = { .size = 0 };

	key_put_u32(&key, pass->account);
	return key;
}

/* -- The rows of an account -- */

static int
put_delivery(struct row_pass *pass, const struct delivery_id *delivery)
{
	struct text value;
	struct key key;

	journal_delivery_key(&key, pass->account, delivery);
	return put_found(pass, DB_DELIVERY, &key, &value) < 0 ? -1 : 0;
}

static int
put_one_use(struct row_pass *pass, uint64_t blob)
{
	struct key key = { .size = 0 };
	struct text value;

	key_put_u64(&key, blob);
	return put_found(pass, DB_BLOB_USE, &key, &value) < 0 ? -1 : 0;
}

/* What a body consists of: no block of bodies says it. */
static int
put_pieces(struct row_pass *pass, const struct key *key, struct blob_form *form)
{
	struct piece_ref piece;
	struct text value;
	uint32_t i;

	if (put_found(pass, DB_BLOB, key, &value) < 0)
		return -1;
	for (i = 0; i < form->piece_count; i++)
		if (piece_ref_get(&form->pieces, &piece) != 0 ||
		    put_one_use(pass, piece.blob) != 0)
			return -1;
	return 0;
}

/* How long the bytes are locked; how many rows there are is counted anew. */
static int
put_use(struct row_pass *pass, uint64_t blob)
{
	struct key key = { .size = 0 };
	struct blob_form form;
	struct text value;
	int found;

	key_put_u64(&key, blob);
	found = store_get(pass->t, DB_BLOB, &key, &value, pass->error);
	if (found < 0 || put_one_use(pass, blob) != 0)
		return -1;
	return found == 1 && blob_form_decode(value, &form) == 0 &&
		       form.is_pieced
		   ? put_pieces(pass, &key, &form)
		   : 0;
}

static int
put_message(
    struct row_pass *pass, enum database database, const struct key *key)
{
	struct message_row row = { .died = 0 };
	struct text value;
	int found = put_found(pass, database, key, &value);

	if (found != 1)
		return found;
	found = (database == DB_LIVE ? row_decode_live : row_decode_dead)(
	    text_make(key->bytes, key->size), value, &row, pass->error);
	return found == 0 && put_use(pass, row.record.blob) == 0
		   ? put_delivery(pass, &row.delivery)
		   : -1;
}

/* What an entry of account_log tells of. */
static int
visit_entry(struct row_pass *pass, enum database database, struct text key,
    struct text value)
{
	uint64_t sequence = key_u64_at(key, 4), mailbox = key_u64_at(key, 12);
	struct key row = { .size = 0 };
	uint32_t uid = key_u32_at(key, 20);
	struct text old;

	if (sequence > pass->end)
		return 1;
	if (put_row(pass, database, key, value) != 0)
		return -1;
	if (mailbox == 0)
		return 0;
	key_put_u64(&row, mailbox);
	if (uid == 0) {
		key_put_u64(&row, sequence);
		return put_found(pass, DB_MAILBOX_OLD, &row, &old) < 0 ? -1 : 0;
	}
	key_put_u32(&row, uid);
	if (put_message(pass, DB_LIVE, &row) < 0)
		return -1;
	row.size = 0;
	key_put_u64(&row, mailbox);
	key_put_u64(&row, sequence);
	key_put_u32(&row, uid);
	return put_message(pass, DB_DEAD, &row) < 0 ? -1 : 0;
}

static int
visit_subscription(struct row_pass *pass, enum database database,
    struct text key, struct text value)
{
	return key_u64_at(key, 36) <= pass->after
		   ? 0
		   : put_row(pass, database, key, value);
}

/* value: form u8, blob u64, time u64, form u8, delivery id */
static int
visit_unfiled(struct row_pass *pass, enum database database, struct text key,
    struct text value)
{
	struct delivery_id delivery;
	struct reader r;
	uint64_t blob;

	if (key_u64_at(key, 4) <= pass->after || value.size < 18 + 18)
		return 0;
	memcpy(delivery.bytes, value.data + 18, sizeof(delivery.bytes));
	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	blob = reader_get_u64(&r);
	return put_row(pass, database, key, value) == 0 &&
		       put_use(pass, blob) == 0
		   ? put_delivery(pass, &delivery)
		   : -1;
}

/* Numbers rise with deaths: backwards, down to the pass before.
 * value: form u8, mailbox u64, died u64, uid u32 */
static int
put_expunged(struct row_pass *pass)
{
	struct key before = account_key(pass);
	struct text key, value;
	struct reader r;
	uint64_t died;
	int found;

	key_put_u32(&before, UINT32_MAX);
	while ((found = store_last_before(pass->t, DB_EXPUNGED, &before, &key,
		    &value, pass->error)) == 1 &&
	       key_u32_at(key, 0) == pass->account) {
		reader_init(&r, value.data, value.size);
		reader_get_u8(&r);
		reader_get_u64(&r);
		died = reader_get_u64(&r);
		/* 0: a number that a leap has passed over. */
		if (died != 0 && died <= pass->after)
			break;
		if (put_row(pass, DB_EXPUNGED, key, value) != 0)
			return -1;
		before.size = 0;
		key_put_raw(&before, key.data, key.size);
	}
	return found < 0 ? -1 : 0;
}

static int
put_account(struct row_pass *pass)
{
	struct key key = account_key(pass), from = key;
	struct text value;

	key_put_u64(&from, pass->after + 1);
	if (put_found(pass, DB_ACCOUNT, &key, &value) < 0 ||
	    put_found(pass, DB_ALLOWANCE, &key, &value) < 0 ||
	    each_row(pass, DB_MAILBOX, &key, 4, put_row) != 0 ||
	    each_row(pass, DB_ACCOUNT_LOG, &from, 4, visit_entry) != 0 ||
	    each_row(pass, DB_SUBSCRIBED, &key, 4, visit_subscription) != 0 ||
	    each_row(pass, DB_UNFILED, &key, 4, visit_unfiled) != 0 ||
	    put_expunged(pass) != 0)
		return -1;
	return flush(pass, BLOCK_ROWS);
}

/* -- Which accounts -- */

static void
note_account(struct row_pass *pass, uint32_t account)
{
	if (account != 0)
		table_put_u64(pass->accounts, account, pass);
}

static int
visit_event(struct row_pass *pass, enum database database, struct text key,
    struct text value)
{
	struct event_form event;

	(void)database;
	if (key_u64_at(key, 0) > pass->end)
		return 1;
	if (event_decode(value, &event) != 0)
		return 0;
	note_account(pass, event.account);
	/* Mailboxes of all accounts have other counters then. */
	pass->has_leapt = pass->has_leapt || event.kind == EVENT_LEAP;
	return 0;
}

static int
visit_new_unfiled(struct row_pass *pass, enum database database,
    struct text key, struct text value)
{
	(void)database;
	(void)value;
	if (key_u64_at(key, 4) > pass->after)
		note_account(pass, key_u32_at(key, 0));
	return 0;
}

static int
visit_account(struct row_pass *pass, enum database database, struct text key,
    struct text value)
{
	(void)database;
	(void)value;
	note_account(pass, key_u32_at(key, 0));
	return 0;
}

static int
put_accounts(struct row_pass *pass)
{
	struct key from = { .size = 0 }, none = { .size = 0 };
	size_t position = 0, size;
	const void *key;
	void *value;

	key_put_u64(&from, pass->after + 1);
	if (each_row(pass, DB_LOG, &from, 0, visit_event) != 0 ||
	    each_row(pass, DB_UNFILED, &none, 0, visit_new_unfiled) != 0 ||
	    (pass->has_leapt &&
		each_row(pass, DB_ACCOUNT, &none, 0, visit_account) != 0))
		return -1;
	while (table_next(pass->accounts, &position, &key, &size, &value)) {
		uint64_t account;

		memcpy(&account, key, sizeof(account));
		pass->account = (uint32_t)account;
		if (put_account(pass) != 0)
			return -1;
	}
	return 0;
}

/* -- The rows of the store itself: account 0 -- */

static int
put_store(struct row_pass *pass)
{
	struct key from = { .size = 0 }, none = { .size = 0 };

	pass->account = 0;
	key_put_u64(&from, pass->after + 1);
	if (each_row(pass, DB_LOG, &from, 0, put_row) != 0 ||
	    each_row(pass, DB_MARK, &from, 0, put_row) != 0 ||
	    each_row(pass, DB_HEAD, &from, 0, put_row) != 0 ||
	    each_row(pass, DB_FORGOTTEN, &from, 0, put_row) != 0 ||
	    each_row(pass, DB_HOLD, &none, 0, put_row) != 0 ||
	    flush(pass, BLOCK_ROWS) != 0 ||
	    each_row(pass, DB_META, &none, 0, put_row) != 0)
		return -1;
	return flush(pass, BLOCK_END);
}

/* -- The rows of a segment that is being emptied -- */

/* As the index has them now, under the account whose they were. */
static int
visit_collected(void *context, const struct block *block)
{
	struct row_pass *pass = context;
	struct text rest = block->raw, value;
	struct key key = { .size = 0 };
	struct block_row row;
	int got;

	if (pass->account != block->head.account &&
	    flush(pass, BLOCK_ROWS) != 0)
		return -1;
	pass->account = block->head.account;
	while ((got = block_row_next(&rest, &row)) == 1) {
		if (row.database >= DB_COUNT || row.database == DB_META)
			continue;
		key.size = 0;
		key_put_raw(&key, row.key.data, row.key.size);
		if (put_found(pass, (enum database)row.database, &key, &value) <
		    0)
			return -1;
	}
	return got == 0 ? 0
			: error_set(pass->error, ERROR_DAMAGED,
			      "malformed block of rows");
}

static int
put_collected(struct row_pass *pass)
{
	const struct sealing *sealing = pass->sealing;
	size_t i;

	for (i = 0; i < sealing->load_count && pass->collected > 0; i++)
		if (sealing->loads[i].is_chosen &&
		    sealing_each_block(pass->sealing, sealing->loads[i].number,
			1U << BLOCK_ROWS | 1U << BLOCK_END, visit_collected,
			pass, pass->error) != 0)
			return -1;
	return flush(pass, BLOCK_ROWS);
}

static void
note_dropped(struct row_pass *pass)
{
	struct sealing *sealing = pass->sealing;
	size_t i;

	for (i = 0; i < sealing->load_count && pass->collected > 0; i++)
		if (sealing->loads[i].is_chosen)
			seal_batch_add(&sealing->batch, SEAL_DROPPED)->segment =
			    sealing->loads[i].number;
}

static int
put_all(struct row_pass *pass)
{
	buf_reset(&pass->sealing->raw);
	if (put_collected(pass) != 0 || put_accounts(pass) != 0 ||
	    put_store(pass) != 0)
		return -1;
	seal_batch_add(&pass->sealing->batch, SEAL_PASS)->sequence = pass->end;
	note_dropped(pass);
	return 0;
}

/* Bodies that came since the last look are sealed as the transaction sees them,
 * so that no row that is put is without its body. */
static int
put_late_bodies(struct row_pass *pass)
{
	size_t count = SEALING_LIST;
	struct sealing_body *list;
	uint64_t from = 0;
	int result = 0;

	while (result == 0 && count == SEALING_LIST) {
		if (sealing_list(pass->sealing, pass->t, &from, &list, &count,
			pass->error) != 0)
			return -1;
		result =
		    sealing_copy(pass->sealing, list, count, 0, pass->error);
		free(list);
	}
	return result;
}

/* Those that are due, one by one; a damaged one is left as it is. */
static int
collect(struct sealing *sealing, size_t *collected, struct error *error)
{
	struct segment_load *load;
	size_t i;

	if (sealing_finish_dropped(sealing, error) != 0 ||
	    sealing_look(sealing, error) != 0)
		return -1;
	*collected = collect_choose(sealing->loads, sealing->load_count);
	for (i = 0; i < sealing->load_count; i++) {
		load = &sealing->loads[i];
		if (!load->is_chosen ||
		    sealing_empty(sealing, load->number, error) == 0)
			continue;
		if (error->code != ERROR_DAMAGED)
			return -1;
		table_put_u64(sealing->spared, load->number, sealing);
		load->is_chosen = false;
		--*collected;
	}
	return 0;
}

static int
pass_in(struct row_pass *pass)
{
	int result;

	pass->end = as_of_last_sequence(pass->t);
	result = seal_batch_sealed(pass->t, &pass->after, pass->error);
	if (result != 0 || (pass->end <= pass->after && pass->collected == 0))
		return result;
	if (aead_random(&pass->id, sizeof(pass->id), pass->error) != 0 ||
	    put_late_bodies(pass) != 0)
		return -1;
	if (pass->sealing->is_stopping(pass->sealing->context))
		return 0;
	pass->accounts = table_new();
	result = put_all(pass);
	table_free(&pass->accounts);
	return result;
}

int
sealing_pass(struct sealing *sealing, struct error *error)
{
	struct row_pass pass = { .sealing = sealing, .error = error };
	int result = sealing_bodies(sealing, error);

	if (result == 0)
		result = collect(sealing, &pass.collected, error);
	if (result != 0 || sealing->is_stopping(sealing->context))
		return result;
	pass.t = transaction_begin(sealing->store, false, error);
	if (pass.t == NULL)
		return -1;
	result = pass_in(&pass);
	transaction_abort(&pass.t);
	return result == 0 ? sealing_hand(sealing, error) : -1;
}
