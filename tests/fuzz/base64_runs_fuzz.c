/*
 * Any bytes as mail that is packed, and as what was packed: what has runs comes
 * back as it was, and nothing is written beyond the size that was asked for.
 * The first byte chooses which.
 */
#include "common/log.h"
#include "common/memory.h"
#include "snapd/base64_runs.h"
#include "snapd/pieces.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
	if (!holds)
		fatal("bytes did not come back");
}

static void
pack(struct text bytes)
{
	uint8_t *again = memory_new(1, bytes.size + 1);
	struct buf packed;

	buf_init(&packed, 2 * bytes.size + 64);
	if (base64_pack(bytes, &packed)) {
		check(base64_unpack(text_make(packed.data, packed.size), again,
			  bytes.size) == 0);
		check(memcmp(again, bytes.data, bytes.size) == 0);
		check(base64_is_packed(
		    text_make(packed.data, packed.size), bytes));
	}
	buf_clear(&packed);
	free(again);
}

static void
cut(struct text bytes)
{
	struct piece_span *spans;
	size_t count = pieces_cut(bytes, &spans), at = 0, i;

	for (i = 0; i < count; i++) {
		check(spans[i].offset == at && spans[i].size > 0);
		at += spans[i].size;
	}
	check(count == 0 || at == bytes.size);
	free(spans);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t room;
	uint8_t *to;

	if (size < 4)
		return 0;
	if ((data[0] & 1) == 0) {
		pack(text_make(data + 1, size - 1));
		cut(text_make(data + 1, size - 1));
		return 0;
	}
	room = (size_t)data[1] << 8 | data[2];
	to = memory_new(1, room + 1);
	(void)base64_unpack(text_make(data + 3, size - 3), to, room);
	free(to);
	return 0;
}
