/*
 * The form of sealed segments, without LMDB and without keys: what stands in
 * the environments `segment/<number>/`, and how an index row says where a body
 * lies.  The sealer writes it; the readers, the verifier (which links no LMDB)
 * and rebuild take it apart.  Pure, and bounded on everything.
 *
 * An environment has three databases:
 *   info   "segment" -> form u8 = 1, store id 16, number u32, public half of
 *          the recovery key 32 (zeros: none), the store key in a box for it 80;
 *          with a sum, as in the index
 *   key    account u32 -> the account's key, wrapped: see account_key.h; with a
 *          sum
 *   value  number u32 -> SEGMENT_VALUE_SIZE bytes: blocks, one after another
 *          from the first byte, and zeros behind the last
 *
 * A block is a head, `packed` bytes of AES-256-GCM over zstd, and the tag.  It
 * is of one account.  Its head, little-endian:
 *   magic u32, form u8 (1; 2: unpacked, it is what base64_runs.h says), kind
 * u8, number in the value u16, account u32, pass u32 (a random number that the
 * rows of one pass share; 0: bodies), raw u32, packed u32, first u64, last u64
 * (blobs, or sequences), salt 16, SipHash of packed bytes and tag u64, SipHash
 * of the head before this u64
 *
 * Unpacked, by kind:
 *   BODIES      count u32, then for each part of a body: blob u64, size u64,
 *               wire size u64, SHA-256 of the whole body 32, offset in the body
 *               u64, length u32; then the bytes of the parts
 *   ROWS        rows of the index: database u8, key size u8, value size u32,
 *               key, value without its sum
 *   END         as ROWS, and the pass up to sequence `last` is complete
 */
#ifndef SNAPD_SEGMENT_FORM_H
#define SNAPD_SEGMENT_FORM_H

#include "common/codec.h"
#include "common/error.h"
#include "common/messages.h"
#include "snapd/store_form.h"

#include <stdbool.h>

enum {
	SEGMENT_VALUE_SIZE = 1048560, /* 256 pages less LMDB's 16 bytes */
	SEGMENT_MAX_VALUES = 65536,   /* 64 GiB */
	BLOCK_HEAD_SIZE = 72,
	BLOCK_HEAD_BOUND = BLOCK_HEAD_SIZE - 16, /* without its sums */
	BLOCK_TAG_SIZE = 16,
	BLOCK_SALT_SIZE = 16,
	BLOCK_MAX_RAW = 1 << 20,
	BLOCK_ENTRY_SIZE = 68, /* of a part, in the list that begins a block */
	BLOCK_ROW_HEAD = 6,
	BLOCK_MAX_COUNT = 4096, /* blocks of a value */
	SEGMENT_BOX_SIZE = 80,
	SEGMENT_INFO_SIZE = 53 + SEGMENT_BOX_SIZE,
	PLACE_SIZE = 18,
	PLACE_MAX_PARTS = 65536, /* of one body */
	BLOB_STAGED_SIZE = 53,
	BLOB_SEALED_SIZE = BLOB_STAGED_SIZE + 4, /* and its places, or pieces */
	PIECE_REF_SIZE = 16
};

/* For the sums of what stands beside the values: see store_sum. */
enum segment_database {
	SEGMENT_INFO = 200,
	SEGMENT_KEY
};

enum block_kind {
	BLOCK_BODIES = 1,
	BLOCK_ROWS,
	BLOCK_END
};

struct block_head {
	bool has_runs; /* of base64, decoded: base64_runs.h */
	uint8_t kind;
	uint16_t number;
	uint32_t account;
	uint32_t pass;
	uint32_t raw_size;
	uint32_t packed_size;
	uint64_t first;
	uint64_t last;
	uint8_t salt[BLOCK_SALT_SIZE];
	uint64_t sum; /* of packed bytes and tag */
};

/* Which block of which value, for people and for the cipher. */
struct block_at {
	uint32_t segment;
	uint32_t value;
	uint16_t block;
};

/* Where a run of a body's bytes lies: in which block, from which byte of what
 * was unpacked. Runs follow each other in the body. */
struct place {
	struct block_at at;
	uint32_t offset;
	uint32_t length;
};

struct block_entry {
	uint64_t blob;
	uint64_t size;
	uint64_t wire_size;
	struct hash hash;
	uint64_t offset; /* in the body */
	uint32_t length;
};

/* One row in a block of rows. */
struct block_row {
	uint8_t database;
	struct text key;
	struct text value;
};

struct segment_info {
	struct store_id store;
	uint32_t number;
	uint8_t recovery[32];
	uint8_t box[SEGMENT_BOX_SIZE];
};

/* Bytes that a block takes in its value. */
size_t block_size(const struct block_head *head);

void block_head_encode(const struct block_head *head, uint8_t *to);
uint64_t block_sum(const uint8_t *data, size_t size);

/* The block at `offset` of a value: 1 and its head, 0 if zeros begin here,
 * ERROR_DAMAGED if neither. `number` is the one that it must have. */
int block_head_find(const uint8_t *value, size_t offset, uint16_t number,
    struct block_head *head, struct error *error);
/* The same, for the block with the number; its place in the value too. */
int block_find(const uint8_t *value, uint16_t number, struct block_head *head,
    size_t *offset, struct error *error);

/* Of an unpacked block of bodies: the count, then each entry and its bytes. */
int block_entries(struct text raw, uint32_t *count);
int block_entry_get(struct text raw, uint32_t index, struct block_entry *entry);
void block_entry_put(struct writer *w, const struct block_entry *entry);
/* Next: 1, 0 at the end, -1 if malformed. */
int block_row_next(struct text *rest, struct block_row *row);

/*
 * A row of DB_BLOB: form u8 (1: staged, in chunks; 2: sealed; 3: it consists of
 * pieces, which are blobs of the account), account u32, size u64, wire size
 * u64, SHA-256; then, if sealed, count u32 and each place; of pieces count u32
 * and, in their order, blob u64 and size u64.  `places` or `pieces` goes on
 * with them. Their lengths sum up to the size.
 */
struct blob_form {
	bool is_sealed; /* or of pieces: there are no chunks */
	bool is_pieced;
	uint32_t account;
	uint64_t size;
	uint64_t wire_size;
	struct hash hash;
	uint32_t place_count;
	struct reader places;
	uint32_t piece_count;
	struct reader pieces;
};

/* A piece of a body, by its number. */
struct piece_ref {
	uint64_t blob;
	uint64_t size;
};

int blob_form_decode(struct text value, struct blob_form *form);
/* `room` is BLOB_SEALED_SIZE + count * PLACE_SIZE; `places` NULL: staged. */
size_t blob_form_encode(const struct blob_form *form,
    const struct place *places, uint8_t *to, size_t room);
/* `room` is BLOB_SEALED_SIZE + form->piece_count * PIECE_REF_SIZE. */
size_t blob_form_encode_pieces(const struct blob_form *form,
    const struct piece_ref *pieces, uint8_t *to, size_t room);
int piece_ref_get(struct reader *r, struct piece_ref *piece);

/*
 * A row of DB_SEGMENT_USE, key segment u32: form u8 = 1, state u8, values u32,
 * blocks of the last value u32 (how far the index knows the segment), live
 * bytes u64, dead bytes u64 (of bodies, unpacked), SHA-256 of data.mdb 32
 * (zeros unless full).
 */
enum segment_state {
	SEGMENT_OPEN = 1,
	SEGMENT_FULL,   /* never written again */
	SEGMENT_DROPPED /* its files are gone, or are to go */
};

enum {
	SEGMENT_USE_SIZE = 58
};

struct segment_use {
	uint8_t state;
	uint32_t values;
	uint32_t blocks;
	uint64_t live_bytes;
	uint64_t dead_bytes;
	struct hash hash;
};

int segment_use_decode(struct text value, struct segment_use *use);

void place_put(struct writer *w, const struct place *place);
int place_get(struct reader *r, struct place *place);

size_t segment_info_encode(const struct segment_info *info, uint8_t *to);
int segment_info_decode(struct text value, struct segment_info *info);

#endif
