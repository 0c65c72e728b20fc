/*
 * What was forgotten, and what refers to a body.  A row that an entry tells of
 * may be gone if an event of the log names it, and only then; the number of
 * references of each body is that of its rows.
 */
#include "snapd/verify_rows.h"

#include "snapd/forget.h"

/* -- Forgotten rows -- */

/* The entry that told of the row, which must have it. */
static int
find_entry(struct verify *v, uint32_t account, uint64_t mailbox, uint32_t uid,
    uint64_t sequence, uint8_t which, struct event_entry *entry)
{
	struct text value;
	struct key key;

	event_entry_key(&key, account, sequence, mailbox, uid);
	if (verify_find(v, DB_ACCOUNT_LOG, &key, &value) == 1 &&
	    event_entry_decode(value, entry) == 0 && (entry->rows & which) != 0)
		return 0;
	finding(v->findings,
	    "forgotten: mailbox %llu uid %u of event %llu never was",
	    (unsigned long long)mailbox, uid, (unsigned long long)sequence);
	return -1;
}

static void
check_row(struct verify *v, uint32_t account, uint64_t mailbox,
    const struct forget_row *row)
{
	struct key key = { .size = 0 };
	struct event_entry entry;
	struct text value;

	key_put_u64(&key, mailbox);
	key_put_u64(&key, row->died);
	key_put_u32(&key, row->uid);
	if (verify_find(v, DB_DEAD, &key, &value) == 1)
		finding(v->findings,
		    "forgotten: mailbox %llu uid %u is still there",
		    (unsigned long long)mailbox, row->uid);
	if (find_entry(v, account, mailbox, row->uid, row->died, EVENT_HAS_DEAD,
		&entry) == 0)
		balance_take(&v->dead, &entry.dead);
	/* Born and died in one event: covered as dead. */
	if (row->born != row->died &&
	    find_entry(v, account, mailbox, row->uid, row->born, EVENT_HAS_BORN,
		&entry) == 0)
		balance_take(&v->born, &entry.born);
}

void
verify_forgotten(struct verify *v, struct text key, struct text value)
{
	struct forget_row row;
	struct reader r;
	uint64_t mailbox;
	uint32_t account;
	int got;

	if (key.size != 12 ||
	    forget_get_head(&r, value, &account, &mailbox) != 0) {
		finding(v->findings, "forgotten: malformed entry");
		return;
	}
	verify_group_add(v, DB_FORGOTTEN, 0, key_u64_at(key, 0), key, value);
	v->forget_entries++;
	while ((got = forget_get_row(&r, &row)) == 1)
		check_row(v, account, mailbox, &row);
	if (got < 0)
		finding(v->findings, "forgotten: malformed entry");
}

void
verify_forgotten_end(struct verify *v)
{
	verify_group_close(v);
	if (v->forget_entries != v->forget_announced)
		finding(v->findings,
		    "forgotten: %llu entries, the events say %llu",
		    (unsigned long long)v->forget_entries,
		    (unsigned long long)v->forget_announced);
}

/* -- References -- */

/* Spread, so that sums of different blobs differ. */
static uint64_t
spread(uint64_t blob)
{
	blob = (blob ^ blob >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	blob = (blob ^ blob >> 27) * UINT64_C(0x94D049BB133111EB);
	return blob ^ blob >> 31;
}

void
verify_reference(struct verify *v, uint64_t blob)
{
	v->uses.count++;
	v->uses.sum += spread(blob);
}

void
verify_use(struct verify *v, struct text key, struct text value)
{
	struct text blob_row;
	uint32_t references;
	struct reader r;
	struct key blob = { .size = 0 };

	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	references = reader_get_u32(&r);
	reader_get_u64(&r);
	if (key.size != 8 || reader_done(&r) != 0 || references == 0) {
		finding(v->findings, "blob_use: malformed row");
		return;
	}
	key_put_u64(&blob, key_u64_at(key, 0));
	if (verify_find(v, DB_BLOB, &blob, &blob_row) != 1)
		finding(v->findings, "blob_use: body %llu is missing",
		    (unsigned long long)key_u64_at(key, 0));
	v->used_bodies++;
	v->uses.count -= references;
	v->uses.sum -= references * spread(key_u64_at(key, 0));
}

void
verify_uses_end(struct verify *v)
{
	/* A store of before there were counts. */
	if (!v->has_tree[DB_BLOB_USE])
		return;
	if (v->uses.count != 0 || v->uses.sum != 0)
		finding(v->findings,
		    "blob_use: the references do not add up: %lld rows more",
		    (long long)v->uses.count);
	if (v->used_bodies != v->trees[DB_BLOB].entries)
		finding(v->findings,
		    "blob_use: %llu bodies are referred to, there are %llu",
		    (unsigned long long)v->used_bodies,
		    (unsigned long long)v->trees[DB_BLOB].entries);
}
