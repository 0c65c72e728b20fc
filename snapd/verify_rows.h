/*
 * What the rows of each database must say, for verify.c.
 */
#ifndef SNAPD_VERIFY_ROWS_H
#define SNAPD_VERIFY_ROWS_H

#include "common/table.h"
#include "snapd/event_form.h"
#include "snapd/merkle_log.h"
#include "snapd/verify.h"

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
	/* DB_ACCOUNT_LOG: the event whose entries are being read. */
	bool has_group;
	uint32_t group_account;
	uint64_t group_sequence;
	uint64_t group_count;
	struct digest *group;
	uint64_t entries;
	/* Rows that entries tell of, and rows that were found for them. */
	uint64_t born_entries, dead_entries;
	uint64_t born_rows, dead_rows;
};

/* Checks the sum and takes it off the value: 0 or -1. */
int verify_take_sum(
    enum database database, struct text key, struct text *value);

void verify_row(struct verify *v, enum database database, struct text key,
    struct text value);
void verify_rows_end(struct verify *v, enum database database);

/* DB_BLOB and DB_CHUNK together. */
void verify_bodies(struct verify *v);

void verify_rows_free(struct verify *v);

#endif
