/*
 * The bytes of messages: blobs, each one's own account's.  Data comes from
 * journal and goes back through the readers.  A blob is added whole, is never
 * changed, and its number is never used again.  Bytes lie in chunks of the
 * index environment; an object's place is known here only, so that sealed
 * segments can take them over.  One is removed by expire.c alone, when no row
 * refers to it any more.
 */
#ifndef SNAPD_OBJECT_STORE_H
#define SNAPD_OBJECT_STORE_H

#include "common/error.h"
#include "common/digest.h"
#include "snapd/store.h"

struct object {
	uint64_t blob;
	uint32_t account;
	uint64_t size;      /* of the file */
	uint64_t wire_size; /* RFC822.SIZE: with CRLF line ends */
	struct hash hash;   /* SHA-256 of the bytes */
};

/* Adds the bytes, or finds the blob of this account that holds the same.
 * object->account is given, the rest is filled; *next_blob is the next free
 * number and is raised. `form` is enum body_form. */
int object_store_add(struct transaction *transaction, struct digest *digest,
    uint64_t *next_blob, uint8_t form, struct text bytes, struct object *object,
    struct error *error);

/* Takes the bytes and all that is known of them away: expire.c's alone. */
int object_store_remove(
    struct transaction *transaction, uint64_t blob, struct error *error);

/* 1 and the object, 0 if there is none, -1 and error. */
int object_store_find(struct transaction *transaction, uint64_t blob,
    struct object *object, struct error *error);

/* The bytes from `offset`, which all reads before ended at: 1 and a run of at
 * least one byte (it lives as long as the transaction), 0 at the end, -1. The
 * hash is the caller's to check. */
int object_store_part(struct transaction *transaction,
    const struct object *object, uint64_t offset, struct text *part,
    struct error *error);

/* Reads the whole object into `to` (object->size bytes) and checks its hash:
 * ERROR_DAMAGED if it differs. */
int object_store_read(struct transaction *transaction, struct digest *digest,
    const struct object *object, uint8_t *to, struct error *error);

#endif
