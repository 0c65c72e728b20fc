/*
 * What stands in the log about rows that were forgotten: an event whose entries
 * are those of DB_FORGOTTEN under its sequence, and which holds a SHA-256 over
 * their keys and values in order.  The entries of account_log and the events
 * that they belong to stay as they are, so that the Merkle tree and every head
 * still hold; the verifier takes a row that is named here for one that may be
 * gone, and no other.  Pure.
 *
 * forgotten key: sequence u64, number u32. value: form u8 = 1, account u32,
 * mailbox u64, then of each row uid u32, born u64, died u64.
 */
#ifndef SNAPD_FORGET_H
#define SNAPD_FORGET_H

#include "common/codec.h"
#include "snapd/store_form.h"

enum {
	FORGET_HEAD_SIZE = 13,
	FORGET_ROW_SIZE = 20,
	FORGET_ROWS = 90, /* of one entry: it fits in a page */
	FORGET_MAX_SIZE = FORGET_HEAD_SIZE + FORGET_ROWS * FORGET_ROW_SIZE
};

struct forget_row {
	uint32_t uid;
	uint64_t born;
	uint64_t died;
};

void forget_key(struct key *key, uint64_t sequence, uint32_t number);

/* `to` has FORGET_MAX_SIZE bytes. */
void forget_put_head(
    struct writer *writer, uint8_t *to, uint32_t account, uint64_t mailbox);
void forget_put_row(struct writer *writer, const struct forget_row *row);

/* 0, or -1 if it is none; then of each row 1, 0 at the end, -1. */
int forget_get_head(struct reader *reader, struct text value, uint32_t *account,
    uint64_t *mailbox);
int forget_get_row(struct reader *reader, struct forget_row *row);

#endif
