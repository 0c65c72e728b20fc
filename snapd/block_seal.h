/*
 * One block of a segment: packed with zstd, sealed with AES-256-GCM under its
 * account's key, and back.  Pure over bytes; what is bound is which store,
 * segment, value and block it is, of which account, and which bodies: a block
 * that was moved, even to another place in the same file, does not open.
 *
 * A key and nonce never meet twice: the key of a block is HMAC-SHA-256 of the
 * account's key over the store id and 128 random bits that stand in the block's
 * head, the nonce is segment, value and number of the block.  So neither a
 * commit that was lost and done again, nor a store that was put back to an
 * older copy, nor a copy of the whole machine encrypts two things alike.
 */
#ifndef SNAPD_BLOCK_SEAL_H
#define SNAPD_BLOCK_SEAL_H

#include "snapd/account_key.h"
#include "snapd/segment_form.h"

/* Contexts of zstd and libcrypto. One a thread. */
struct block_seal;

struct block_seal *block_seal_new(void);
void block_seal_free(struct block_seal **seal);

/* Bytes that a block of `raw_size` takes at most. */
size_t block_seal_bound(size_t raw_size);

/*
 * `head` has kind, account, pass, first and last; the rest is filled.  Writes the
 * head, packed bytes and tag to `to` (`room` bytes): 1 and *size, 0 if it does
 * not fit, -1.
 */
int block_seal_make(struct block_seal *seal, const struct store_id *store,
    const struct block_at *at, const struct aead_key *account_key,
    struct block_head *head, struct text raw, uint8_t *to, size_t room,
    size_t *size, struct error *error);

/* Opens and unpacks the block with this head, which stands at `block`, into
 * `to` (head->raw_size bytes). ERROR_DAMAGED. */
int block_seal_open(struct block_seal *seal, const struct store_id *store,
    const struct block_at *at, const struct aead_key *account_key,
    const struct block_head *head, const uint8_t *block, uint8_t *to,
    struct error *error);

#endif
