/* See mark.h. */
#include "snapd/mark.h"

#include "common/codec.h"

size_t
mark_encode(const struct mark *mark, uint8_t *to)
{
	struct writer w;

	writer_init(&w, to, MARK_MAX_SIZE);
	writer_put_u8(&w, 2);
	writer_put_u8(&w, mark->kind);
	writer_put_u64(&w, mark->wall_us);
	writer_put_u64(&w, mark->guard_us);
	writer_put_raw(&w, mark->root.bytes, sizeof(mark->root.bytes));
	writer_put_text(&w, mark->name, CONTROL_MAX_NAME);
	writer_put_text(&w, mark->why, MARK_MAX_WHY);
	return w.failed ? 0 : w.size;
}

int
mark_decode(struct text value, struct mark *mark)
{
	struct reader r;
	uint8_t form;

	reader_init(&r, value.data, value.size);
	form = reader_get_u8(&r);
	mark->kind = reader_get_u8(&r);
	mark->wall_us = reader_get_u64(&r);
	mark->guard_us = form >= 2 ? reader_get_u64(&r) : 0;
	reader_get_raw(&r, mark->root.bytes, sizeof(mark->root.bytes));
	mark->name = reader_get_text(&r, CONTROL_MAX_NAME);
	mark->why = reader_get_text(&r, MARK_MAX_WHY);
	return reader_done(&r);
}
