/*
 * One block of a segment: packed (block_pack.h), sealed with AES-256-GCM under
 * its account's key, and back.  Pure over bytes; what is bound is which store,
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
#include "snapd/block_pack.h"
#include "snapd/segment_form.h"

/* Contexts of libcrypto and zstd. One a thread. */
struct block_seal;

struct block_seal *block_seal_new(void);
void block_seal_free(struct block_seal **seal);

/* What the head says of how the block was packed: its size (block_size) follows
 * from that. */
void block_head_take(
    struct block_head *head, const struct packed_block *packed);

/*
 * `head` has kind, account, pass, first and last; the rest is filled.  Writes
 * the head, the bytes sealed and the tag to `to`, where there is room for it.
 */
int block_seal_make(struct block_seal *seal, const struct store_id *store,
    const struct block_at *at, const struct aead_key *account_key,
    struct block_head *head, const struct packed_block *packed, uint8_t *to,
    struct error *error);

/* Opens and unpacks the block with this head, which stands at `block`, into
 * `to` (head->raw_size bytes). ERROR_DAMAGED. */
int block_seal_open(struct block_seal *seal, const struct store_id *store,
    const struct block_at *at, const struct aead_key *account_key,
    const struct block_head *head, const uint8_t *block, uint8_t *to,
    struct error *error);

#endif
