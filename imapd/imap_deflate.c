/*
 * See imap_deflate.h.
 */
#include "imapd/imap_deflate.h"

#include "common/log.h"
#include "common/memory.h"

#include <zlib.h>

enum {
	DEFLATE_WINDOW = -15, /* 32 KiB; negative: without a head */
	DEFLATE_MEMORY = 8,   /* 128 KiB more */
	DEFLATE_STEP = 16384
};

struct imap_deflate {
	bool has_out; /* `out` is there: 256 KiB */
	z_stream out;
	z_stream in;
};

struct imap_deflate *
imap_deflate_new(void)
{
	struct imap_deflate *pair = memory_new(1, sizeof(*pair));

	if (inflateInit2(&pair->in, DEFLATE_WINDOW) != Z_OK)
		fatal("inflate cannot begin");
	return pair;
}

void
imap_deflate_rest(struct imap_deflate *pair)
{
	if (pair->has_out)
		(void)deflateEnd(&pair->out);
	pair->has_out = false;
}

void
imap_deflate_free(struct imap_deflate **pair)
{
	if (*pair == NULL)
		return;
	imap_deflate_rest(*pair);
	(void)inflateEnd(&(*pair)->in);
	memory_free(pair);
}

static void
begin(struct imap_deflate *pair)
{
	if (pair->has_out)
		return;
	pair->out = (z_stream){ 0 };
	if (deflateInit2(&pair->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
		DEFLATE_WINDOW, DEFLATE_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
		fatal("deflate cannot begin");
	pair->has_out = true;
}

/* Until zlib has no more to say: it fills less than it was given. */
static void
run(struct imap_deflate *pair, int flush, struct buf *to)
{
	z_stream *out = &pair->out;
	uint8_t *room;

	do {
		room = buf_reserve(to, DEFLATE_STEP);
		if (room == NULL)
			fatal("deflate: the buffer is too small");
		out->next_out = room;
		out->avail_out = DEFLATE_STEP;
		(void)deflate(out, flush);
		buf_added(to, DEFLATE_STEP - out->avail_out);
	} while (out->avail_out == 0);
}

void
imap_deflate_put(struct imap_deflate *pair, struct text plain, struct buf *to)
{
	begin(pair);
	pair->out.next_in = (z_const Bytef *)(uintptr_t)plain.data;
	pair->out.avail_in = (uInt)plain.size;
	run(pair, Z_NO_FLUSH, to);
}

void
imap_deflate_flush(struct imap_deflate *pair, struct buf *to)
{
	if (!pair->has_out)
		return;
	pair->out.avail_in = 0;
	run(pair, Z_FULL_FLUSH, to);
}

int
imap_deflate_take(
    struct imap_deflate *pair, struct text *packed, size_t size, struct buf *to)
{
	z_stream *in = &pair->in;
	uint8_t *room = buf_reserve(to, size);
	int result;

	if (room == NULL)
		return -1;
	in->next_in = (z_const Bytef *)(uintptr_t)packed->data;
	in->avail_in = (uInt)packed->size;
	in->next_out = room;
	in->avail_out = (uInt)size;
	result = inflate(in, Z_SYNC_FLUSH);
	buf_added(to, size - in->avail_out);
	*packed = text_skip(*packed, packed->size - in->avail_in);
	/* Z_BUF_ERROR: nothing to do just now. */
	return result == Z_OK || result == Z_BUF_ERROR ? 0 : -1;
}
