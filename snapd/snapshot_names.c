/*
 * See snapshot_names.h.  Chains through one array; 0 is no mark.
 */
#include "snapd/snapshot_names.h"

#include "common/memory.h"
#include "common/table.h"
#include "snapd/mark.h"
#include "snapd/snapshot.h"

#include <pthread.h>
#include <stdlib.h>

enum {
	CHAINS = 65536 /* of either kind */
};

struct entry {
	uint64_t sequence;
	uint32_t account;
	uint32_t older[2]; /* in the chain of its name, of its id */
};

struct snapshot_names {
	pthread_mutex_t lock;
	struct entry *entries; /* from 1 on, by age */
	uint32_t count;
	uint32_t room;
	uint32_t newest[2][CHAINS];
	uint64_t looked;
};

struct snapshot_names *
snapshot_names_new(void)
{
	struct snapshot_names *names = memory_new(1, sizeof(*names));

	pthread_mutex_init(&names->lock, NULL);
	return names;
}

void
snapshot_names_free(struct snapshot_names **names)
{
	if (*names == NULL)
		return;
	pthread_mutex_destroy(&(*names)->lock);
	free((*names)->entries);
	memory_free(names);
}

static uint16_t
chain_of_name(struct text name)
{
	static const uint8_t key[16];

	return (uint16_t)table_siphash(key, name.data, name.size);
}

static uint16_t
chain_of_id(const uint8_t id[2])
{
	return (uint16_t)(id[0] << 8 | id[1]);
}

static void
add(struct snapshot_names *names, uint64_t sequence, uint32_t account,
    struct text name, const struct hash *id)
{
	const uint16_t chains[2] = { chain_of_name(name),
		chain_of_id(id->bytes) };
	struct entry *entry;
	int by;

	if (names->count + 1 >= names->room) {
		names->room = names->room * 2 + 64;
		names->entries = memory_resize(
		    names->entries, names->room, sizeof(*names->entries));
	}
	entry = &names->entries[++names->count];
	entry->sequence = sequence;
	entry->account = account;
	for (by = 0; by < 2; by++) {
		entry->older[by] = names->newest[by][chains[by]];
		names->newest[by][chains[by]] = names->count;
	}
}

/* Those behind the last one that is known. */
static int
read_new(struct snapshot_names *names, struct transaction *t,
    struct digest *digest, const struct store_id *store, struct error *error)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	struct mark mark;
	int got;

	if (names->count > 0)
		key_put_u64(&from, names->entries[names->count].sequence + 1);
	cursor = cursor_open(t, DB_MARK, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1) {
		uint64_t sequence = key_u64_at(key, 0);
		uint32_t account = key_u32_at(key, 8);
		struct hash id = snapshot_id(digest, store, account, sequence);

		if (mark_decode(value, &mark) == 0)
			add(names, sequence, account, mark.name, &id);
		else
			got = error_set(
			    error, ERROR_DAMAGED, "store: malformed mark");
		if (got < 0)
			break;
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

int
snapshot_names_begin(struct snapshot_names *names, struct transaction *t,
    struct digest *digest, const struct store_id *store, struct error *error)
{
	pthread_mutex_lock(&names->lock);
	names->looked = 0;
	if (read_new(names, t, digest, store, error) == 0)
		return 0;
	pthread_mutex_unlock(&names->lock);
	return -1;
}

void
snapshot_names_end(struct snapshot_names *names)
{
	pthread_mutex_unlock(&names->lock);
}

uint32_t
snapshot_names_first(const struct snapshot_names *names,
    enum snapshot_names_by by, struct text name, const uint8_t id[2])
{
	if (by == SNAPSHOT_BY_AGE)
		return names->count;
	return names->newest[by][by == SNAPSHOT_BY_NAME ? chain_of_name(name)
							: chain_of_id(id)];
}

uint32_t
snapshot_names_next(
    const struct snapshot_names *names, enum snapshot_names_by by, uint32_t at)
{
	return by == SNAPSHOT_BY_AGE ? at - 1 : names->entries[at].older[by];
}

struct key
snapshot_names_key(struct snapshot_names *names, uint32_t at)
{
	struct key key = { .size = 0 };

	names->looked++;
	key_put_u64(&key, names->entries[at].sequence);
	key_put_u32(&key, names->entries[at].account);
	return key;
}

uint64_t
snapshot_names_looked(const struct snapshot_names *names)
{
	return names->looked;
}
