/*
 * The bytes of messages: blobs, each one's own account's.  Data comes from
 * journal and goes back through the readers.  A blob is added whole, is never
 * changed, and its number is never used again.
 *
 * A blob is staged (in chunks of the index environment) until the sealer has
 * put it into a segment and swaps its place; where it lies is known here only.
 * One with large runs of base64 consists of pieces (pieces.h): blobs of their
 * own, to which it holds a reference each, and which end with the last that
 * does. The one call that removes a blob is for expiry and nobody else.
 */
#ifndef SNAPD_OBJECT_STORE_H
#define SNAPD_OBJECT_STORE_H

#include "common/error.h"
#include "common/digest.h"
#include "snapd/store.h"

struct piece_ref;
struct place;

struct object {
	uint64_t blob;
	uint32_t account;
	uint64_t size;      /* of the file */
	uint64_t wire_size; /* RFC822.SIZE: with CRLF line ends */
	struct hash hash;   /* SHA-256 of the bytes */
	bool is_sealed;     /* else it is staged */
	bool is_pieced;     /* it consists of other blobs; also sealed */
};

/* Adds the bytes, or finds the blob of this account that holds the same.
 * object->account is given, the rest is filled; *next_blob is the next free
 * number and is raised. */
int object_store_add(struct transaction *transaction, struct digest *digest,
    uint64_t *next_blob, struct text bytes, struct object *object,
    struct error *error);

/* The same for what lies in segments before any row knows it (seal_bulk.h):
 * object_store_look says what the bytes are, and whether the account has them
 * already is known beforehand (1, 0, -1), not for certain. Then the object with
 * a number of its own is added, or becomes the one that holds the same, and the
 * places are dead; so they are if it is given up. */
void object_store_look(
    struct digest *digest, struct text bytes, struct object *object);
int object_store_has(struct transaction *transaction, struct digest *digest,
    const struct object *object, struct error *error);
int object_store_add_placed(struct transaction *transaction,
    struct digest *digest, const struct place *places, uint32_t count,
    struct object *object, struct error *error);
/* A new object that consists of these blobs of the account, which are there;
 * and whether the account has one that holds the same (1, and it is that one).
 */
int object_store_add_pieced(struct transaction *transaction,
    struct digest *digest, const struct piece_ref *pieces, uint32_t count,
    struct object *object, struct error *error);
int object_store_find_same(struct transaction *transaction,
    struct digest *digest, struct object *object, struct error *error);
int object_store_disown(struct transaction *transaction,
    const struct place *places, uint32_t count, struct error *error);

/* 1 and the object, 0 if there is none, -1 and error. */
int object_store_find(struct transaction *transaction, uint64_t blob,
    struct object *object, struct error *error);

/* The bytes from `offset`, which all reads before ended at: 1 and a run of at
 * least one byte (valid until the next call, or the end of the transaction), 0
 * at the end, -1. The hash is the caller's to check. */
int object_store_part(struct transaction *transaction,
    const struct object *object, uint64_t offset, struct text *part,
    struct error *error);

/* Reads the whole object into `to` (object->size bytes) and checks its hash:
 * ERROR_DAMAGED if it differs. */
int object_store_read(struct transaction *transaction, struct digest *digest,
    const struct object *object, uint8_t *to, struct error *error);

/* -- For the sealer: see seal_swap.c -- */

/* The blob, which has this hash, lies at these places from now on: 1, or 0 if
 * it is gone, another or sealed, and nothing was done. Its chunks stay until
 * they are freed. */
int object_store_seal(struct transaction *transaction, uint64_t blob,
    const struct hash *hash, const struct place *places, uint32_t count,
    struct error *error);
/* The same for one that is sealed and lies in segment `from`; 0: in any before
 * the one of these places. */
int object_store_move(struct transaction *transaction, uint64_t blob,
    const struct hash *hash, uint32_t from, const struct place *places,
    uint32_t count, struct error *error);
/* Does a part of it lie in that segment?  1, 0 or -1. */
int object_store_lies_in(struct transaction *transaction, uint64_t blob,
    uint32_t segment, struct error *error);
/* Frees at most `max` chunks of a blob that is sealed or gone: how many, -1;
 * ERROR_REFUSED if it is staged. */
int object_store_free(struct transaction *transaction, uint64_t blob,
    unsigned int max, struct error *error);

/* -- For a rebuild -- */

/* The row of DB_HASH that follows from the object's. */
int object_store_put_hash(struct transaction *transaction,
    struct digest *digest, const struct object *object, struct error *error);

/* -- For expiry only -- */

/* Takes a blob away that no row refers to any more, and what only it consisted
 * of: 0 or -1. What is sealed becomes dead bytes of its segment. */
int object_store_remove(
    struct transaction *transaction, uint64_t blob, struct error *error);

#endif
