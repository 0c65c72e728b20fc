/*
 * Rows against each other: see verify_rows.h.  Events must hash to what the
 * state and the signed heads say, entries to what their event says, rows to
 * what their entry says, and each entry must have its rows.
 */
#include "snapd/verify_rows.h"

#include "common/memory.h"
#include "snapd/verify_segments.h"

#include <string.h>

enum {
	DEAD_PREFIX = 9, /* why and when, before the row as it was born */
	ROW_BORN = 1,    /* born u64 in a message row */
	ROW_BLOB = 53,   /* and blob u64 */
	UNFILED_BLOB = 1,
	MAILBOX_ROW_BORN = 5
};

int
verify_take_sum(enum database database, struct text key, struct text *value)
{
	uint64_t sum, expected;

	if (value->data == NULL || value->size <= STORE_SUM_SIZE ||
	    key.size > STORE_MAX_KEY)
		return -1;
	value->size -= STORE_SUM_SIZE;
	memcpy(&sum, value->data + value->size, sizeof(sum));
	expected = store_sum(database, key, *value);
	return sum == expected ? 0 : -1;
}

int
verify_find(struct verify *v, enum database database, const struct key *key,
    struct text *value)
{
	struct text k = text_make(key->bytes, key->size);

	if (v->finders[database] == NULL)
		v->finders[database] = page_cursor_new(v->file,
		    &v->trees[database], database_name(database),
		    PAGE_WALK_VALUES | PAGE_WALK_QUIET);
	if (page_cursor_find(v->finders[database], k, value) != 1)
		return 0;
	return verify_take_sum(database, k, value) == 0;
}

static uint64_t
number_of(const struct hash *hash)
{
	uint64_t number;

	memcpy(&number, hash->bytes, sizeof(number));
	return number;
}

void
balance_add(struct balance *balance, const struct hash *hash)
{
	balance->count++;
	balance->sum += number_of(hash);
}

void
balance_take(struct balance *balance, const struct hash *hash)
{
	balance->count--;
	balance->sum -= number_of(hash);
}

static uint64_t
little_u64(struct text value, size_t offset)
{
	uint64_t number = 0;
	size_t i;

	for (i = 8; i-- > 0;)
		number = number << 8 | (offset + i < value.size
					       ? (uint8_t)value.data[offset + i]
					       : 0);
	return number;
}

/* -- Events and heads -- */

static void
check_head_root(struct verify *v)
{
	struct key key = { .size = 0 };
	struct head head;
	struct text value;
	struct hash root;

	key_put_u64(&key, v->merkle.count);
	if (verify_find(v, DB_HEAD, &key, &value) != 1 ||
	    head_decode(value, &head, NULL) != 0)
		return;
	root = merkle_log_root(&v->merkle, v->digest);
	if (memcmp(&root, &head.root, sizeof(root)) != 0)
		finding(v->findings,
		    "log: event %llu: the signed head has another root",
		    (unsigned long long)v->merkle.count);
}

static void
check_event(struct verify *v, struct text key, struct text value)
{
	struct event_form event;

	if (key.size != 8 || key_u64_at(key, 0) != v->merkle.count + 1)
		finding(v->findings, "log: event %llu is missing",
		    (unsigned long long)v->merkle.count + 1);
	if (event_decode(value, &event) != 0)
		finding(v->findings, "log: malformed event");
	else if (event.kind == EVENT_FORGET)
		v->forget_announced += event.entries;
	else
		v->entries_announced += event.entries;
	merkle_log_add(&v->merkle, v->digest, value.data, value.size);
	check_head_root(v);
}

static void
check_log_end(struct verify *v)
{
	struct hash kept;

	v->result->events = v->merkle.count;
	v->result->root = merkle_log_root(&v->merkle, v->digest);
	if (!v->has_state) {
		if (v->merkle.count > 0)
			finding(v->findings, "meta: no state");
		return;
	}
	if (v->merkle.count != v->sequence ||
	    v->merkle.root_count != v->kept.root_count) {
		finding(v->findings, "log: %llu events, the state says %llu",
		    (unsigned long long)v->merkle.count,
		    (unsigned long long)v->sequence);
		return;
	}
	kept = merkle_log_root(&v->kept, v->digest);
	if (memcmp(&kept, &v->result->root, sizeof(kept)) != 0)
		finding(v->findings, "log: the state has another root");
}

static void
check_head(struct verify *v, struct text key, struct text value)
{
	struct head head;
	struct error error;

	v->result->heads++;
	if (head_decode(value, &head, &error) != 0 ||
	    head_check(value, v->result->public_key, &v->store, &error) != 0)
		finding(v->findings, "head: %s", error.text);
	else if (key.size != 8 || key_u64_at(key, 0) != head.events ||
		 head.events > v->sequence)
		finding(v->findings, "head: of another event than its place");
	else if (memcmp(&head.previous, &v->last_head, 32) != 0)
		finding(v->findings, "head: does not follow the one before");
	v->last_head = digest_of(v->digest, value.data, value.size);
}

/* -- Entries -- */

void
verify_group_close(struct verify *v)
{
	struct event_group *group = &v->group;
	struct key key = { .size = 0 };
	struct event_form event;
	struct text value;
	struct hash content;

	if (!group->is_open)
		return;
	group->is_open = false;
	content = digest_finish(group->digest);
	key_put_u64(&key, group->sequence);
	if (verify_find(v, DB_LOG, &key, &value) != 1 ||
	    event_decode(value, &event) != 0 ||
	    (event.kind == EVENT_FORGET) != (group->database == DB_FORGOTTEN) ||
	    event.account != group->account || event.entries != group->count ||
	    memcmp(&content, &event.content, sizeof(content)) != 0)
		finding(v->findings, "%s: entries of event %llu differ from it",
		    database_name(group->database),
		    (unsigned long long)group->sequence);
}

void
verify_group_add(struct verify *v, enum database database, uint32_t account,
    uint64_t sequence, struct text key, struct text value)
{
	struct event_group *group = &v->group;

	if (!group->is_open || account != group->account ||
	    sequence != group->sequence) {
		verify_group_close(v);
		group->is_open = true;
		group->database = database;
		group->account = account;
		group->sequence = sequence;
		group->count = 0;
		if (group->digest == NULL)
			group->digest = digest_new();
		digest_start(group->digest);
	}
	digest_add(group->digest, key.data, key.size);
	digest_add(group->digest, value.data, value.size);
	group->count++;
}

static void
check_entry(struct verify *v, struct text key, struct text value)
{
	struct event_entry entry;

	if (key.size != 24 || event_entry_decode(value, &entry) != 0) {
		finding(v->findings, "account_log: malformed entry");
		return;
	}
	verify_group_add(v, DB_ACCOUNT_LOG, key_u32_at(key, 0),
	    key_u64_at(key, 4), key, value);
	v->entries++;
	if ((entry.rows & EVENT_HAS_BORN) != 0)
		balance_add(&v->born, &entry.born);
	if ((entry.rows & EVENT_HAS_DEAD) != 0)
		balance_add(&v->dead, &entry.dead);
}

static void
check_entries_end(struct verify *v)
{
	verify_group_close(v);
	if (v->entries != v->entries_announced)
		finding(v->findings,
		    "account_log: %llu entries, the events say %llu",
		    (unsigned long long)v->entries,
		    (unsigned long long)v->entries_announced);
}

/* -- Rows -- */

static void
check_covered(struct verify *v, uint32_t account, uint64_t sequence,
    uint64_t mailbox, uint32_t uid, uint8_t which, const struct hash *hash)
{
	struct event_entry entry;
	struct text value;
	struct key key;

	event_entry_key(&key, account, sequence, mailbox, uid);
	balance_take(which == EVENT_HAS_BORN ? &v->born : &v->dead, hash);
	if (verify_find(v, DB_ACCOUNT_LOG, &key, &value) != 1 ||
	    event_entry_decode(value, &entry) != 0 ||
	    (entry.rows & which) == 0 ||
	    memcmp(which == EVENT_HAS_BORN ? &entry.born : &entry.dead, hash,
		sizeof(*hash)) != 0)
		finding(v->findings,
		    "mailbox %llu uid %u: event %llu tells of another row",
		    (unsigned long long)mailbox, uid,
		    (unsigned long long)sequence);
}

static int
account_of(struct verify *v, uint64_t mailbox, uint32_t *account)
{
	uintptr_t found = (uintptr_t)table_find_u64(v->mailboxes, mailbox);

	if (found == 0) {
		finding(v->findings, "a row of mailbox %llu, which is missing",
		    (unsigned long long)mailbox);
		return -1;
	}
	*account = (uint32_t)(found - 1);
	return 0;
}

static void
check_unfiled(struct verify *v, struct text key, struct text value)
{
	(void)key;
	verify_reference(v, little_u64(value, UNFILED_BLOB));
}

static void
check_live(struct verify *v, struct text key, struct text value)
{
	struct hash hash = digest_of(v->digest, value.data, value.size);
	uint32_t account;

	verify_reference(v, little_u64(value, ROW_BLOB));
	if (key.size != 12)
		finding(v->findings, "live: malformed key");
	else if (account_of(v, key_u64_at(key, 0), &account) == 0)
		check_covered(v, account, little_u64(value, ROW_BORN),
		    key_u64_at(key, 0), key_u32_at(key, 8), EVENT_HAS_BORN,
		    &hash);
}

static void
check_dead(struct verify *v, struct text key, struct text value)
{
	struct text born = text_skip(value, DEAD_PREFIX);
	uint64_t sequence = little_u64(born, ROW_BORN), mailbox;
	uint32_t account;
	struct hash hash;

	if (key.size != 20 || value.size <= DEAD_PREFIX) {
		finding(v->findings, "dead: malformed row");
		return;
	}
	verify_reference(v, little_u64(born, ROW_BLOB));
	mailbox = key_u64_at(key, 0);
	if (account_of(v, mailbox, &account) != 0)
		return;
	hash = digest_of(v->digest, value.data, value.size);
	check_covered(v, account, key_u64_at(key, 8), mailbox,
	    key_u32_at(key, 16), EVENT_HAS_DEAD, &hash);
	if (sequence == key_u64_at(key, 8))
		return; /* born and died in one event: covered as dead */
	hash = digest_of(v->digest, born.data, born.size);
	check_covered(v, account, sequence, mailbox, key_u32_at(key, 16),
	    EVENT_HAS_BORN, &hash);
}

static void
check_mailbox(struct verify *v, struct text key, struct text value)
{
	struct hash hash = event_hash_mailbox(v->digest, value);
	uint32_t account = key_u32_at(key, 0);
	uint64_t mailbox = key_u64_at(key, 4);

	if (key.size != 12) {
		finding(v->findings, "mailbox: malformed key");
		return;
	}
	table_put_u64(v->mailboxes, mailbox, (void *)((uintptr_t)account + 1));
	check_covered(v, account, little_u64(value, MAILBOX_ROW_BORN), mailbox,
	    0, EVENT_HAS_BORN, &hash);
}

static void
check_old_mailbox(struct verify *v, struct text key, struct text value)
{
	struct hash hash = event_hash_mailbox(v->digest, value);
	uint32_t account;

	if (key.size != 16)
		finding(v->findings, "mailbox_old: malformed key");
	else if (account_of(v, key_u64_at(key, 0), &account) == 0)
		check_covered(v, account, little_u64(value, MAILBOX_ROW_BORN),
		    key_u64_at(key, 0), 0, EVENT_HAS_BORN, &hash);
}

void
verify_row(struct verify *v, enum database database, struct text key,
    struct text value)
{
	static void (*const checks[DB_COUNT])(
	    struct verify * v, struct text key, struct text value) = {
		[DB_LOG] = check_event,
		[DB_HEAD] = check_head,
		[DB_ACCOUNT_LOG] = check_entry,
		[DB_MAILBOX] = check_mailbox,
		[DB_MAILBOX_OLD] = check_old_mailbox,
		[DB_UNFILED] = check_unfiled,
		[DB_LIVE] = check_live,
		[DB_DEAD] = check_dead,
		[DB_FORGOTTEN] = verify_forgotten,
		[DB_BLOB_USE] = verify_use,
		[DB_SEGMENT_USE] = verify_segment_use,
	};

	if (v->mailboxes == NULL)
		v->mailboxes = table_new();
	if (checks[database] != NULL)
		checks[database](v, key, value);
}

void
verify_rows_end(struct verify *v, enum database database)
{
	if (database == DB_LOG)
		check_log_end(v);
	else if (database == DB_ACCOUNT_LOG)
		check_entries_end(v);
	else if (database == DB_FORGOTTEN)
		verify_forgotten_end(v);
	else if (database == DB_DEAD &&
		 (v->born.count != 0 || v->dead.count != 0 ||
		     v->born.sum != 0 || v->dead.sum != 0))
		finding(v->findings,
		    "rows: the events tell of %lld born and %lld dead that "
		    "are neither there nor forgotten",
		    (long long)v->born.count, (long long)v->dead.count);
}

void
verify_rows_free(struct verify *v)
{
	int i;

	for (i = 0; i < DB_COUNT; i++)
		page_cursor_free(&v->finders[i]);
	verify_segments_free(v);
	digest_free(&v->group.digest);
	table_free(&v->mailboxes);
}
