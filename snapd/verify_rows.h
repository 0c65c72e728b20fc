/*
 * What the rows of each database must say, for verify.c.
 */
#ifndef SNAPD_VERIFY_ROWS_H
#define SNAPD_VERIFY_ROWS_H

#include "common/table.h"
#include "common/merkle_log.h"
#include "snapd/event_row.h"
#include "snapd/verify.h"

/* How many, and what: the sum of numbers that stand for each. */
struct balance {
	uint64_t count;
	uint64_t sum;
};

/* The event whose entries are being read, which stand one after another in
 * DB_ACCOUNT_LOG or DB_FORGOTTEN. */
struct event_group {
	bool is_open;
	enum database database;
	uint32_t account;
	uint64_t sequence;
	uint64_t count;
	struct digest *digest; /* over keys and values */
};

struct verify {
	const struct verify_options *options;
	struct verify_result *result;
	struct findings *findings;
	struct digest *digest;
	struct page_file *file;
	uint64_t total_bytes;
	struct page_tree trees[DB_COUNT];
	bool has_tree[DB_COUNT];
	struct page_cursor *finders[DB_COUNT];
	/* From meta. */
	bool has_state;
	uint64_t sequence, next_blob, next_mailbox;
	struct merkle_log kept;
	struct store_id store;
	struct table *mailboxes; /* id -> its account + 1 */
	/* DB_LOG: recomputed. */
	struct merkle_log merkle;
	uint64_t entries_announced;
	/* DB_HEAD. */
	struct hash last_head;
	struct event_group group;
	uint64_t entries; /* DB_ACCOUNT_LOG */
	/* Rows that entries tell of, less those that were found and those that
	 * were forgotten: nothing may be left. */
	struct balance born, dead;
	uint64_t forget_entries, forget_announced; /* DB_FORGOTTEN */
	/* References that are counted, less those that were found. */
	struct balance uses;
	uint64_t used_bodies;
	/* Segments: by number; parts of bodies by the index, and found
	 * there. */
	struct table *segments;
	uint64_t places, places_found;
	uint64_t bytes_before; /* read of what was looked at before */
};

/* Checks the sum and takes it off the value: 0 or -1. */
int verify_take_sum(
    enum database database, struct text key, struct text *value);

/* Each row of a database in the order of its keys, without its sum; then its
 * end, where what others said of it is compared. Findings go to v->findings. */
void verify_row(struct verify *v, enum database database, struct text key,
    struct text value);
void verify_rows_end(struct verify *v, enum database database);

/* One entry more of an event (account 0: of none); at the end, or when another
 * one begins, they must be what the event says. */
void verify_group_add(struct verify *v, enum database database,
    uint32_t account, uint64_t sequence, struct text key, struct text value);
void verify_group_close(struct verify *v);

/* DB_FORGOTTEN (verify_forgotten.c). */
void verify_forgotten(struct verify *v, struct text key, struct text value);
void verify_forgotten_end(struct verify *v);

/* DB_BLOB_USE, and a row that refers to a body. */
void verify_use(struct verify *v, struct text key, struct text value);
void verify_reference(struct verify *v, uint64_t blob);
void verify_uses_end(struct verify *v);

/* 1 and the value without its sum, 0 if there is none. */
int verify_find(struct verify *v, enum database database, const struct key *key,
    struct text *value);
void balance_add(struct balance *balance, const struct hash *hash);
void balance_take(struct balance *balance, const struct hash *hash);

/* DB_BLOB and DB_CHUNK together. */
void verify_bodies(struct verify *v);

void verify_rows_free(struct verify *v);

#endif
