/*
 * Bytes of a block packed with zstd, and back, without keys and before it is
 * known where the block will stand: block_seal.h does the rest.  Runs of base64
 * are packed as what they say (base64_runs.h), if that comes back as it was:
 * each is tried before it counts.
 */
#ifndef SNAPD_BLOCK_PACK_H
#define SNAPD_BLOCK_PACK_H

#include "common/error.h"
#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

/* Contexts of zstd. One a thread. */
struct block_packer;

struct packed_block {
	uint8_t *bytes;
	size_t size;
	size_t raw_size;
	bool has_runs;
	size_t room; /* private: of `bytes` */
};

struct block_packer *block_packer_new(void);
void block_packer_free(struct block_packer **packer);

/* `to` is zeroed, or one of before, whose memory is used again. */
int block_pack(struct block_packer *packer, struct text raw,
    struct packed_block *to, struct error *error);
void packed_block_clear(struct packed_block *packed);

/* Exactly `size` bytes into `to`. ERROR_DAMAGED if they are not. */
int block_unpack(struct block_packer *packer, struct text packed, bool has_runs,
    uint8_t *to, size_t size, struct error *error);

#endif
