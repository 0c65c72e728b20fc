/*
 * See block_pack.h.
 */
#include "snapd/block_pack.h"

#include "common/log.h"
#include "common/memory.h"
#include "snapd/base64_runs.h"
#include "snapd/segment_form.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum {
	LEVEL = 3 /* docs/performance has what others give */
};

struct block_packer {
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
	struct buf runs; /* what is packed, with its base64 decoded */
};

struct block_packer *
block_packer_new(void)
{
	struct block_packer *packer = memory_new(1, sizeof(*packer));

	buf_init(&packer->runs, 2 * BLOCK_MAX_RAW);
	packer->pack = ZSTD_createCCtx();
	packer->unpack = ZSTD_createDCtx();
	if (packer->pack == NULL || packer->unpack == NULL)
		fatal("no memory for zstd");
	return packer;
}

void
block_packer_free(struct block_packer **packer)
{
	if (*packer == NULL)
		return;
	ZSTD_freeCCtx((*packer)->pack);
	ZSTD_freeDCtx((*packer)->unpack);
	buf_clear(&(*packer)->runs);
	memory_free(packer);
}

/* -- Packing -- */

static bool
take_runs(struct block_packer *packer, struct text raw)
{
	return base64_pack(raw, &packer->runs) &&
	       packer->runs.size < raw.size &&
	       base64_is_packed(
		   text_make(packer->runs.data, packer->runs.size), raw);
}

static void
reserve(struct packed_block *packed, size_t size)
{
	if (packed->room >= size)
		return;
	free(packed->bytes);
	packed->bytes = memory_new(1, size);
	packed->room = size;
}

int
block_pack(struct block_packer *packer, struct text raw,
    struct packed_block *to, struct error *error)
{
	size_t size;

	if (raw.size > BLOCK_MAX_RAW)
		return error_set(
		    error, ERROR_LIMIT, "a block of %zu", raw.size);
	to->raw_size = raw.size;
	to->has_runs = take_runs(packer, raw);
	if (to->has_runs)
		raw = text_make(packer->runs.data, packer->runs.size);
	reserve(to, ZSTD_compressBound(raw.size));
	size = ZSTD_compressCCtx(
	    packer->pack, to->bytes, to->room, raw.data, raw.size, LEVEL);
	if (ZSTD_isError(size))
		return error_set(
		    error, ERROR_SYSTEM, "zstd: %s", ZSTD_getErrorName(size));
	to->size = size;
	return 0;
}

void
packed_block_clear(struct packed_block *packed)
{
	free(packed->bytes);
	*packed = (struct packed_block){ .room = 0 };
}

/* -- And back -- */

int
block_unpack(struct block_packer *packer, struct text packed, bool has_runs,
    uint8_t *to, size_t size, struct error *error)
{
	uint8_t *unpacked = to;
	size_t got;

	if (has_runs) {
		buf_reset(&packer->runs);
		unpacked = buf_reserve(&packer->runs, size + 1);
	}
	got = ZSTD_decompressDCtx(
	    packer->unpack, unpacked, size, packed.data, packed.size);
	if (ZSTD_isError(got) || (!has_runs && got != size))
		return error_set(error, ERROR_DAMAGED, "zstd: %s",
		    ZSTD_isError(got) ? ZSTD_getErrorName(got) : "cut");
	if (has_runs && base64_unpack(text_make(unpacked, got), to, size) != 0)
		return error_set(error, ERROR_DAMAGED, "malformed runs");
	return 0;
}
