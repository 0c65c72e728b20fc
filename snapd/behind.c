/* See behind.h. */
#include "snapd/behind.h"

static struct key
behind_key(uint32_t account)
{
	struct key key = { .size = 0 };

	key_put_raw(&key, "behind", 6);
	key_put_u32(&key, account);
	return key;
}

int
behind_find(struct transaction *transaction, uint32_t account,
    uint64_t *sequence, struct error *error)
{
	struct key key = behind_key(account);
	struct text value;
	struct reader r;
	int found = store_get(transaction, DB_META, &key, &value, error);

	if (found != 1)
		return found;
	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	*sequence = reader_get_u64(&r);
	return reader_done(&r) == 0
		   ? 1
		   : error_set(error, ERROR_DAMAGED, "store: behind row");
}

int
behind_note(struct journal *journal, uint32_t account, struct error *error)
{
	struct key key = behind_key(account);
	uint64_t sequence;
	uint8_t data[9];
	struct writer w;
	int found = behind_find(journal->batch, account, &sequence, error);

	if (found != 0)
		return found < 0 ? -1 : 0;
	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	writer_put_u64(&w, journal_sequence(journal) - 1);
	return store_put(
	    journal->batch, DB_META, &key, text_make(data, w.size), error);
}

enum status
behind_settle(struct journal *journal, uint32_t account, struct error *error)
{
	struct key key = behind_key(account);
	enum status status = journal_keep_clock(journal, error);
	uint64_t sequence;
	int found;

	if (status != STATUS_OK)
		return status;
	found = behind_find(journal->round, account, &sequence, error);
	if (found == 1)
		found = store_take(journal->round, DB_META, &key, error);
	return found == 0 ? STATUS_OK : journal_status_of(error);
}
