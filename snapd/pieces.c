/* See pieces.h. */
#include "snapd/pieces.h"

#include "common/memory.h"
#include "snapd/base64_runs.h"

struct cut {
	struct piece_span *spans;
	size_t count;
};

static void
add(struct cut *cut, size_t offset, size_t end, bool is_run)
{
	if (offset == end)
		return;
	if (cut->count % 16 == 0)
		cut->spans = memory_resize(
		    cut->spans, cut->count + 16, sizeof(*cut->spans));
	cut->spans[cut->count++] =
	    (struct piece_span){ offset, end - offset, is_run };
}

size_t
pieces_cut(struct text bytes, struct piece_span **spans)
{
	struct cut cut = { .count = 0 };
	struct base64_run run;
	size_t at = 0, end;

	while (cut.count < PIECES_MAX &&
	       base64_run_find(bytes, at, PIECE_LEAST, &run)) {
		end = run.offset + base64_run_size(&run) + run.tail;
		add(&cut, at, run.offset, false);
		add(&cut, run.offset, end, true);
		at = end;
	}
	if (cut.count > 0)
		add(&cut, at, bytes.size, false);
	if (cut.count < 2 || cut.count >= PIECES_MAX) {
		memory_free(&cut.spans);
		cut.count = 0;
	}
	*spans = cut.spans;
	return cut.count;
}
