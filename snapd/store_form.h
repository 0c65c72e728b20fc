/*
 * The form of what stands in the index environment, without LMDB: the names of
 * the databases, keys, and the sum that ends each value.  The store writes it;
 * the store and the verifier, which links no LMDB, check it.
 */
#ifndef SNAPD_STORE_FORM_H
#define SNAPD_STORE_FORM_H

#include "common/text.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Numbers in keys are big-endian, in values little-endian; the first byte of a
 * value is the version of its form (1).  The number of a database goes into
 * the sums: append only.
 */
enum database {
	DB_META,        /* text -> see journal.c */
	DB_ACCOUNT,     /* account u32 -> account row */
	DB_MAILBOX,     /* account u32, mailbox u64 -> mailbox row, live form */
	DB_NAME,        /* account u32, SHA-256 of name -> mailbox u64 */
	DB_MAILBOX_OLD, /* mailbox u64, died u64 -> mailbox row as it was */
	DB_SUBSCRIBED,  /* account u32, SHA-256 of name, born u64 -> yes/no */
	DB_UNFILED,     /* account u32, sequence u64, number u16 -> envelope */
	DB_LIVE,        /* mailbox u64, uid u32 -> message row */
	DB_DEAD,        /* mailbox u64, died u64, uid u32 -> why, message row */
	DB_LOG,         /* sequence u64 -> event, a leaf of the Merkle tree */
	DB_ACCOUNT_LOG, /* account u32, sequence u64, mailbox u64, uid u32 ->
			   what happened to the row */
	DB_MARK,        /* sequence u64, account u32 -> mark */
	DB_DELIVERY,    /* account u32, delivery id 18 -> where it went */
	DB_BLOB,        /* blob u64 -> account, size, SHA-256, where it is */
	DB_HASH,        /* account u32, SHA-256 keyed with the store's secret
			   -> blob u64 */
	DB_CHUNK,       /* blob u64, number u32 -> up to 4,080 bytes, no sum */
	DB_REPLY,       /* account u32, slot u8 -> the answer to a batch */
	DB_HEAD,        /* events u64 -> signed head, see head.h */
	/* Those that older stores do not have yet begin here. */
	DB_EXPUNGED,    /* account u32, number u32 -> which row died when */
	DB_BLOB_USE,    /* blob u64 -> references, lock: see blob_use.h */
	DB_HOLD,        /* number u64 -> what is held: see hold.h */
	DB_FORGOTTEN,   /* sequence u64, number u32 -> rows that were forgotten:
			   see forget.h */
	DB_SEGMENT_USE, /* segment u32 -> state, how much of it is used */
	DB_ALLOWANCE,   /* account u32 -> what it spent of a day's allowance */
	DB_COUNT
};

/* From here on a store of an earlier version may lack them: they are made when
 * it is opened for the first time, and were empty before. */
#define DB_FIRST_ADDED DB_EXPUNGED

enum {
	STORE_MAX_KEY = 64,
	STORE_CHUNK_SIZE = 4080,
	STORE_RESERVE_BYTES = 64 << 20 /* for deaths, marks and expiry */
};

struct key {
	uint8_t bytes[STORE_MAX_KEY];
	size_t size;
};

/* Adds a part to a key: numbers with the highest byte first, so that the order
 * of keys is that of their parts. Aborts beyond STORE_MAX_KEY: no part is of a
 * length that a peer says. */
void key_put_u8(struct key *key, uint8_t value);
void key_put_u16(struct key *key, uint16_t value);
void key_put_u32(struct key *key, uint32_t value);
void key_put_u64(struct key *key, uint64_t value);
void key_put_raw(struct key *key, const void *data, size_t size);
/* A part of a key that was read; bytes beyond its end are zeros. */
uint32_t key_u32_at(struct text key, size_t offset);
uint64_t key_u64_at(struct text key, size_t offset);

/* Name in LMDB's main database. */
const char *database_name(enum database database);

enum {
	STORE_SUM_SIZE = 8
};

/* SipHash over database, key and value, which stands after every value but a
 * chunk. */
uint64_t store_sum(enum database database, struct text key, struct text value);

#endif
