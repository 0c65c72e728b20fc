/*
 * How many rows need the bytes of a blob, and until when they are locked.  Each
 * live, dead and unfiled row is one reference, and each time that a body
 * consists of it.  A row's reference locks its blob for the minimum of the
 * policy of then, whatever becomes of the policy: locks only rise; a piece
 * lives as long as what consists of it.  Who puts a row adds a reference; only
 * expire.c drops them, and object_store_remove, with a body, those of its
 * pieces.
 *
 * blob_use value: form u8 = 1, references u32, locked until (guard clock) u64.
 */
#ifndef SNAPD_BLOB_USE_H
#define SNAPD_BLOB_USE_H

#include "snapd/store.h"

struct blob_use {
	uint32_t references;
	uint64_t locked_until_us;
};

/* 1, 0 if nothing refers to it, -1. */
int blob_use_find(struct transaction *transaction, uint64_t blob,
    struct blob_use *use, struct error *error);

/* One reference more: to bytes that object_store_add gave, or (again) to those
 * of a row that is there; then ERROR_MISSING if they are gone. */
int blob_use_add(struct transaction *transaction, uint64_t blob,
    uint64_t locked_until_us, struct error *error);
int blob_use_add_again(struct transaction *transaction, uint64_t blob,
    uint64_t locked_until_us, struct error *error);

/* One less; `left` is how many there still are. */
int blob_use_drop(struct transaction *transaction, uint64_t blob,
    uint32_t *left, struct error *error);

/* Counts the rows of a store that has no counts yet; once is enough. */
int blob_use_count_all(struct transaction *transaction,
    uint64_t locked_until_us, struct error *error);

#endif
