/* See blob_use.h. */
#include "snapd/blob_use.h"

#include "common/codec.h"
#include "snapd/rows.h"

static struct key
use_key(uint64_t blob)
{
	struct key key = { .size = 0 };

	key_put_u64(&key, blob);
	return key;
}

int
blob_use_find(struct transaction *transaction, uint64_t blob,
    struct blob_use *use, struct error *error)
{
	struct key key = use_key(blob);
	struct text value;
	struct reader r;
	int found;

	*use = (struct blob_use){ 0 };
	found = store_get(transaction, DB_BLOB_USE, &key, &value, error);
	if (found != 1)
		return found;
	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	use->references = reader_get_u32(&r);
	use->locked_until_us = reader_get_u64(&r);
	return reader_done(&r) == 0
		   ? 1
		   : error_set(error, ERROR_DAMAGED, "store: blob_use row");
}

static int
put(struct transaction *transaction, uint64_t blob, const struct blob_use *use,
    bool is_new, struct error *error)
{
	store_put_call *put_value = is_new ? store_put : store_put_over;
	struct key key = use_key(blob);
	uint8_t data[13];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	writer_put_u32(&w, use->references);
	writer_put_u64(&w, use->locked_until_us);
	return put_value(
	    transaction, DB_BLOB_USE, &key, text_make(data, w.size), error);
}

static int
add(struct transaction *transaction, uint64_t blob, uint64_t locked_until_us,
    bool must_be_there, struct error *error)
{
	struct blob_use use;
	int found = blob_use_find(transaction, blob, &use, error);

	if (found < 0)
		return -1;
	if (found == 0 && must_be_there)
		return error_set(error, ERROR_MISSING,
		    "the bytes of a message were forgotten");
	if (use.references == UINT32_MAX)
		return error_set(error, ERROR_LIMIT, "copies of one message");
	use.references++;
	if (use.locked_until_us < locked_until_us)
		use.locked_until_us = locked_until_us;
	return put(transaction, blob, &use, found == 0, error);
}

int
blob_use_add(struct transaction *transaction, uint64_t blob,
    uint64_t locked_until_us, struct error *error)
{
	return add(transaction, blob, locked_until_us, false, error);
}

int
blob_use_add_again(struct transaction *transaction, uint64_t blob,
    uint64_t locked_until_us, struct error *error)
{
	return add(transaction, blob, locked_until_us, true, error);
}

int
blob_use_drop(struct transaction *transaction, uint64_t blob, uint32_t *left,
    struct error *error)
{
	struct key key = use_key(blob);
	struct blob_use use;
	int found = blob_use_find(transaction, blob, &use, error);

	if (found < 0)
		return -1;
	if (found == 0 || use.references == 0)
		return error_set(error, ERROR_DAMAGED,
		    "store: blob %llu has a row and no reference",
		    (unsigned long long)blob);
	*left = --use.references;
	return use.references > 0
		   ? put(transaction, blob, &use, false, error)
		   : store_take(transaction, DB_BLOB_USE, &key, error);
}

/* -- A store that was made before there were counts -- */

static int
blob_of(enum database database, struct text key, struct text value,
    uint64_t *blob, struct error *error)
{
	struct message_row row;
	struct reader r;
	int result = 0;

	if (database == DB_UNFILED) {
		reader_init(&r, value.data, value.size);
		reader_get_u8(&r);
		*blob = reader_get_u64(&r);
		return 0;
	}
	if (database == DB_LIVE)
		result = row_decode_live(key, value, &row, error);
	else
		result = row_decode_dead(key, value, &row, error);
	*blob = row.record.blob;
	return result;
}

static int
count(struct transaction *transaction, enum database database,
    uint64_t locked_until_us, struct error *error)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	uint64_t blob;
	int got;

	cursor = cursor_open(transaction, database, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1)
		if (blob_of(database, key, value, &blob, error) != 0 ||
		    blob_use_add(transaction, blob, locked_until_us, error) !=
			0) {
			got = -1;
			break;
		}
	cursor_close(&cursor);
	return got;
}

int
blob_use_count_all(struct transaction *transaction, uint64_t locked_until_us,
    struct error *error)
{
	static const enum database databases[] = { DB_LIVE, DB_DEAD,
		DB_UNFILED };
	size_t i;

	for (i = 0; i < sizeof(databases) / sizeof(databases[0]); i++)
		if (count(transaction, databases[i], locked_until_us, error) !=
		    0)
			return -1;
	return 0;
}
