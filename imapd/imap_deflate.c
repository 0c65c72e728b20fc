/*
 * See imap_deflate.h.  Reading stops at the end of each block, so that it is
 * known where the last one ended: what follows from there on is the same again
 * for an inflate that begins there with the same 32 KiB behind it.
 *
 * The form of a state: 1 how many bits of the last byte are behind the block's
 * end, 1 these bits, text the bytes behind that, 2 size of the 32 KiB or less,
 * rest these compressed.
 */
#include "imapd/imap_deflate.h"

#include "common/codec.h"
#include "common/log.h"
#include "common/memory.h"

#include <string.h>

#include <zlib.h>

enum {
	DEFLATE_WINDOW = -15, /* 32 KiB; negative: without a head */
	DEFLATE_MEMORY = 8,   /* 128 KiB more */
	DEFLATE_STEP = 16384,
	DEFLATE_WINDOW_SIZE = 32768,
	/* In z_stream.data_type: */
	DEFLATE_BITS = 63, /* of the last byte, not used yet */
	DEFLATE_LAST_BLOCK = 64,
	DEFLATE_AT_BLOCK = 128,
	DEFLATE_AT_END = DEFLATE_LAST_BLOCK | DEFLATE_AT_BLOCK,
	/* An empty block, which a flush may leave half sent, has 4 at most. */
	DEFLATE_TAIL_SIZE = 8
};

struct imap_deflate {
	bool has_out; /* `out` is there: 256 KiB */
	z_stream out;
	z_stream in;
	/* Since the end of the last block: */
	bool is_within; /* something was said, or much came */
	uint8_t bit_count;
	uint8_t bits;
	uint8_t tail_size;
	uint8_t tail[DEFLATE_TAIL_SIZE];
	uint8_t last_byte; /* that was taken */
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

/* ---- In ---- */

/* `taken` was, of one block at most. */
static void
note_place(struct imap_deflate *pair, struct text taken, bool has_said)
{
	int type = pair->in.data_type;

	if (taken.size > 0)
		pair->last_byte = (uint8_t)taken.data[taken.size - 1];
	if ((type & DEFLATE_AT_BLOCK) && (type & DEFLATE_BITS) < 8) {
		pair->bit_count = (uint8_t)(type & DEFLATE_BITS);
		pair->bits =
		    (uint8_t)(pair->last_byte >> (8 - pair->bit_count));
		pair->tail_size = 0;
		pair->is_within = false;
	} else if (has_said || taken.size > DEFLATE_TAIL_SIZE ||
		   pair->tail_size + taken.size > DEFLATE_TAIL_SIZE) {
		pair->is_within = true;
	} else if (taken.size > 0) {
		memcpy(pair->tail + pair->tail_size, taken.data, taken.size);
		pair->tail_size += (uint8_t)taken.size;
	}
}

int
imap_deflate_take(
    struct imap_deflate *pair, struct text *packed, size_t size, struct buf *to)
{
	z_stream *in = &pair->in;
	uint8_t *room = buf_reserve(to, size);
	struct text taken = *packed;
	int result;

	if (room == NULL)
		return -1;
	in->next_in = (z_const Bytef *)(uintptr_t)packed->data;
	in->avail_in = (uInt)packed->size;
	in->next_out = room;
	in->avail_out = (uInt)size;
	result = inflate(in, Z_BLOCK);
	buf_added(to, size - in->avail_out);
	*packed = text_skip(*packed, packed->size - in->avail_in);
	taken.size -= in->avail_in;
	note_place(pair, taken, in->avail_out < size);
	if ((in->data_type & DEFLATE_AT_END) == DEFLATE_AT_END)
		return -1;
	/* Z_BUF_ERROR: nothing to do just now. */
	return result == Z_OK || result == Z_BUF_ERROR ? 0 : -1;
}

/* ---- To sleep and back ---- */

bool
imap_deflate_is_between(const struct imap_deflate *pair)
{
	return !pair->is_within;
}

void
imap_deflate_save(struct imap_deflate *pair, struct buf *to)
{
	static uint8_t window[DEFLATE_WINDOW_SIZE];
	uint8_t head[sizeof(pair->tail) + 16];
	struct imap_deflate *packs = imap_deflate_new();
	struct writer writer;
	uInt size = 0;

	if (inflateGetDictionary(&pair->in, window, &size) != Z_OK)
		fatal("inflate does not say what it knows");
	writer_init(&writer, head, sizeof(head));
	writer_put_u8(&writer, pair->bit_count);
	writer_put_u8(&writer, pair->bits);
	writer_put_text(&writer, text_make(pair->tail, pair->tail_size),
	    sizeof(pair->tail));
	writer_put_u16(&writer, (uint16_t)size);
	(void)buf_put(to, head, writer.size);
	if (size > 0) {
		imap_deflate_put(packs, text_make(window, size), to);
		imap_deflate_flush(packs, to);
	}
	imap_deflate_free(&packs);
	explicit_bzero(window, size);
}

/* ... which is all that is left of a state: 0, or -1. */
static int
unpack_window(struct text packed, struct buf *window, size_t size)
{
	struct imap_deflate *unpacks = imap_deflate_new();
	int result = 0;
	size_t before;

	do {
		before = window->size + packed.size;
		result = imap_deflate_take(
		    unpacks, &packed, size - window->size + 1, window);
	} while (result == 0 && window->size + packed.size != before &&
		 window->size <= size);
	imap_deflate_free(&unpacks);
	return result == 0 && packed.size == 0 && window->size == size ? 0 : -1;
}

/* What stood behind the end of a block stands for nothing. */
static int
take_tail(struct imap_deflate *pair, struct text tail)
{
	struct buf none;
	int result = 0;

	buf_init(&none, DEFLATE_TAIL_SIZE);
	while (result == 0 && tail.size > 0) {
		size_t before = tail.size;

		result = imap_deflate_take(pair, &tail, 1, &none);
		if (tail.size == before || none.size > 0)
			result = -1;
	}
	buf_clear(&none);
	return result;
}

/* 0, or -1. */
static int
take_place(struct imap_deflate *pair, struct text window, struct text tail)
{
	z_stream *in = &pair->in;

	if (pair->bit_count > 7 || pair->bits >> pair->bit_count != 0 ||
	    (pair->bit_count > 0 &&
		inflatePrime(in, pair->bit_count, pair->bits) != Z_OK) ||
	    (window.size > 0 &&
		inflateSetDictionary(
		    in, (const Bytef *)window.data, (uInt)window.size) != Z_OK))
		return -1;
	return take_tail(pair, tail);
}

struct imap_deflate *
imap_deflate_recall(struct text state)
{
	struct imap_deflate *pair = imap_deflate_new();
	struct buf window;
	struct reader reader;
	struct text tail;
	uint16_t size;

	reader_init(&reader, state.data, state.size);
	pair->bit_count = reader_get_u8(&reader);
	pair->bits = reader_get_u8(&reader);
	tail = reader_get_text(&reader, sizeof(pair->tail));
	size = reader_get_u16(&reader);
	buf_init(&window, DEFLATE_WINDOW_SIZE + 1);
	if (reader.failed || size > DEFLATE_WINDOW_SIZE ||
	    unpack_window(text_make(reader.data, reader.size), &window, size) ==
		-1 ||
	    take_place(pair, text_make(window.data, window.size), tail) == -1)
		imap_deflate_free(&pair);
	buf_clear(&window);
	return pair;
}
