/*
 * What object_store.c and object_add.c share: the rows of blobs.
 */
#ifndef SNAPD_OBJECT_PARTS_H
#define SNAPD_OBJECT_PARTS_H

#include "snapd/object_store.h"
#include "snapd/segment_form.h"

/* The key of DB_HASH for an object's account and hash. */
void object_hash_key(const struct transaction *transaction,
    struct digest *digest, const struct object *object, struct key *key);

/* The row of DB_BLOB: 1, 0 or -1. */
int object_find_form(struct transaction *transaction, uint64_t blob,
    struct blob_form *form, struct error *error);
/* `places` NULL: it is staged. */
int object_put_form(struct transaction *transaction, uint64_t blob,
    struct blob_form *form, const struct place *places, uint32_t count,
    struct error *error);

/* What is at these places begins to live, or to be dead. */
int object_count_use(struct transaction *transaction,
    const struct place *places, uint32_t count, bool is_live,
    struct error *error);

#endif
