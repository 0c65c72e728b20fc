/*
 * See base64_runs.h.  Text is not read line by line: it is probed at distances
 * that no run of the size that is asked for can hide between.
 */
#include "snapd/base64_runs.h"

#include "common/codec.h"

#include <string.h>

enum {
	AT_ONCE = 16, /* characters */
	RECORD = 10   /* bytes of a run in the list */
};

/* -- The alphabet -- */

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The six bits of each character. */
/* clang-format off */
static const uint8_t digits[256] = {
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 62, 255, 255, 255, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 255, 255, 255, 255, 255, 255,
	255, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 255, 255, 255, 255, 255,
	255, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 255, 255, 255, 255, 255,
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
};
/* clang-format on */

/* Without a table, so that a compiler looks at 16 of them in one step. */
static uint8_t
is_digit(uint8_t c)
{
	uint8_t letter = (uint8_t)((c | 0x20) - 'a');
	uint8_t figure = (uint8_t)(c - '0');

	return (
	    uint8_t)((letter < 26) | (figure < 10) | (c == '+') | (c == '/'));
}

static uint8_t
are_digits(const uint8_t *p)
{
	uint8_t all = 1;
	size_t i;

	for (i = 0; i < AT_ONCE; i++)
		all &= is_digit(p[i]);
	return all;
}

static bool
is_base64(const char *at, size_t length)
{
	const uint8_t *p = (const uint8_t *)at, *end = p + length;
	uint8_t all = 1;

	if (length < AT_ONCE) {
		for (; p < end; p++)
			all &= is_digit(*p);
		return all;
	}
	for (; end - p >= AT_ONCE; p += AT_ONCE)
		all &= are_digits(p);
	/* What is left, with some that were looked at. */
	return all & are_digits(end - AT_ONCE);
}

/* -- Finding -- */

size_t
base64_run_size(const struct base64_run *run)
{
	return run->lines * (run->length + run->end);
}

/* Where the line that begins at `at` ends: its length, and that of its end;
 * false if it is too long. */
static bool
measure_line(struct text bytes, size_t at, size_t *length, uint32_t *end)
{
	size_t left = bytes.size - at;
	const char *start = bytes.data + at, *lf;

	if (left > BASE64_LINE_MAX + 2)
		left = BASE64_LINE_MAX + 2;
	lf = left > 0 ? memchr(start, '\n', left) : NULL;
	if (lf == NULL)
		return false;
	*end = lf > start && lf[-1] == '\r' ? 2 : 1;
	*length = (size_t)(lf - start) + 1 - *end;
	return true;
}

/* Does a full line of a run begin here? */
static bool
begin_run(struct text bytes, size_t at, struct base64_run *run)
{
	size_t length;
	uint32_t end;

	if (!measure_line(bytes, at, &length, &end) || length % 4 != 0 ||
	    length < BASE64_LINE_MIN || length > BASE64_LINE_MAX ||
	    !is_base64(bytes.data + at, length))
		return false;
	*run = (struct base64_run){ at, 1, (uint32_t)length, end, 0 };
	return true;
}

/* Is it another line of the run? */
static bool
is_line(struct text bytes, size_t at, const struct base64_run *run)
{
	const char *line = bytes.data + at;

	return line[run->length + run->end - 1] == '\n' &&
	       (run->end == 1 || line[run->length] == '\r') &&
	       is_base64(line, run->length);
}

static void
extend(struct text bytes, size_t from, struct base64_run *run)
{
	size_t step = run->length + run->end, end = run->offset + step;

	while (run->offset - from >= step &&
	       (run->offset - step == from ||
		   bytes.data[run->offset - step - 1] == '\n') &&
	       is_line(bytes, run->offset - step, run)) {
		run->offset -= step;
		run->lines++;
	}
	for (; bytes.size - end >= step && is_line(bytes, end, run);
	     end += step)
		run->lines++;
}

/* The last line of what was encoded is shorter, and may be padded. */
static void
find_tail(struct text bytes, struct base64_run *run)
{
	size_t at = run->offset + base64_run_size(run), length, padding = 0;
	const char *line = bytes.data + at;
	uint32_t end;

	if (!measure_line(bytes, at, &length, &end) || end != run->end ||
	    length == 0 || length > run->length || length % 4 != 0)
		return;
	while (padding < 2 && line[length - 1 - padding] == '=')
		padding++;
	if (is_base64(line, length - (padding > 0 ? 4 : 0)))
		run->tail = length + end;
}

bool
base64_run_find(
    struct text bytes, size_t from, size_t least, struct base64_run *run)
{
	size_t step = least / 4, at, probe, line;
	uint32_t end;

	for (probe = from; bytes.size - probe >= least / 2;
	     probe = probe + step < bytes.size ? probe + step : bytes.size) {
		at = probe;
		if (probe != from) {
			/* To the beginning of a line. */
			if (!measure_line(bytes, probe, &line, &end))
				continue;
			at = probe + line + end;
		}
		if (!begin_run(bytes, at, run))
			continue;
		extend(bytes, from, run);
		if (base64_run_size(run) >= least) {
			find_tail(bytes, run);
			return true;
		}
	}
	return false;
}

/* -- Packing -- */

static void
decode(const char *from, const struct base64_run *run, uint8_t *to)
{
	size_t line, i;

	for (line = 0; line < run->lines; line++) {
		for (i = 0; i < run->length; i += 4, from += 4) {
			const uint8_t *p = (const uint8_t *)from;
			uint32_t group = (uint32_t)digits[p[0]] << 18 |
					 (uint32_t)digits[p[1]] << 12 |
					 (uint32_t)digits[p[2]] << 6 |
					 digits[p[3]];

			*to++ = (uint8_t)(group >> 16);
			*to++ = (uint8_t)(group >> 8);
			*to++ = (uint8_t)group;
		}
		from += run->end;
	}
}

/* One line, with its end. */
static void
encode_line(const uint8_t *from, const struct base64_run *run, char *to)
{
	uint32_t i, group;

	for (i = 0; i < run->length; i += 4, from += 3, to += 4) {
		group =
		    (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
		to[0] = alphabet[group >> 18];
		to[1] = alphabet[group >> 12 & 63];
		to[2] = alphabet[group >> 6 & 63];
		to[3] = alphabet[group & 63];
	}
	if (run->end == 2)
		*to++ = '\r';
	*to = '\n';
}

static size_t
decoded_size(const struct base64_run *run)
{
	return run->lines * (run->length / 4 * 3);
}

/* The list of runs: how many. */
static uint32_t
put_list(struct text bytes, struct buf *to)
{
	struct base64_run run;
	uint8_t data[RECORD];
	uint32_t count = 0;
	struct writer w;
	size_t at = 0;

	buf_reset(to);
	writer_init(&w, data, 4);
	writer_put_u32(&w, 0);
	if (buf_put(to, data, 4) != 0)
		return 0;
	for (; base64_run_find(bytes, at, BASE64_PACK_LEAST, &run); count++) {
		writer_init(&w, data, sizeof(data));
		writer_put_u32(&w, (uint32_t)(run.offset - at));
		writer_put_u32(&w, (uint32_t)run.lines);
		writer_put_u8(&w, (uint8_t)(run.length / 4));
		writer_put_u8(&w, (uint8_t)run.end);
		if (buf_put(to, data, sizeof(data)) != 0)
			return 0;
		at = run.offset + base64_run_size(&run);
	}
	writer_init(&w, to->data, 4);
	writer_put_u32(&w, count);
	return count;
}

/* Of the list: 0, or -1 if there cannot be such a run. */
static int
get_run(struct reader *list, struct base64_run *run)
{
	run->offset = reader_get_u32(list);
	run->lines = reader_get_u32(list);
	run->length = reader_get_u8(list) * 4U;
	run->end = reader_get_u8(list);
	run->tail = 0;
	return list->failed || run->length == 0 || run->end < 1 || run->end > 2
		   ? -1
		   : 0;
}

bool
base64_pack(struct text bytes, struct buf *to)
{
	uint32_t count = put_list(bytes, to), i;
	const char *from = bytes.data, *end = bytes.data + bytes.size;
	struct base64_run run;
	struct reader list;
	uint8_t *room;
	size_t size;

	if (count == 0)
		return false;
	/* The list may move while there is made room behind it. */
	size = to->size;
	room = buf_reserve(to, bytes.size);
	if (room == NULL)
		return false;
	reader_init(&list, to->data + 4, size - 4);
	for (i = 0; i < count && get_run(&list, &run) == 0; i++) {
		memcpy(room, from, run.offset);
		room += run.offset;
		from += run.offset;
		decode(from, &run, room);
		room += decoded_size(&run);
		from += base64_run_size(&run);
	}
	memcpy(room, from, (size_t)(end - from));
	room += end - from;
	buf_added(to, (size_t)(room - (to->data + size)));
	return true;
}

/* -- And back -- */

/* Where what comes back goes, or what it must be like. */
struct target {
	bool is_compared;
	uint8_t *to;
	const char *like;
	size_t size;
	size_t done;
};

/* Is there room for it, and is it the same? */
static bool
give(struct target *target, const void *bytes, size_t size)
{
	size_t at = target->done;

	if (size > target->size - at)
		return false;
	target->done += size;
	if (target->is_compared)
		return memcmp(target->like + at, bytes, size) == 0;
	memcpy(target->to + at, bytes, size);
	return true;
}

static bool
give_run(
    struct target *target, const struct base64_run *run, const uint8_t *from)
{
	char line[BASE64_LINE_MAX + 2];
	size_t size = run->length + run->end, i;

	for (i = 0; i < run->lines; i++, from += run->length / 4 * 3) {
		encode_line(from, run, line);
		if (!give(target, line, size))
			return false;
	}
	return true;
}

static bool
give_all(struct target *target, struct text packed)
{
	struct base64_run run;
	const uint8_t *from;
	struct reader list;
	uint32_t count, i;
	size_t left;

	reader_init(&list, packed.data, packed.size);
	count = reader_get_u32(&list);
	if (list.failed || count > list.size / RECORD)
		return false;
	from = (const uint8_t *)packed.data + 4 + (size_t)count * RECORD;
	left = packed.size - 4 - (size_t)count * RECORD;
	for (i = 0; i < count; i++) {
		if (get_run(&list, &run) != 0 || run.offset > left ||
		    !give(target, from, run.offset))
			return false;
		from += run.offset;
		left -= run.offset;
		if (run.lines > left || decoded_size(&run) > left ||
		    !give_run(target, &run, from))
			return false;
		from += decoded_size(&run);
		left -= decoded_size(&run);
	}
	return give(target, from, left) && target->done == target->size;
}

int
base64_unpack(struct text packed, uint8_t *to, size_t size)
{
	struct target target = { .to = to, .size = size };

	return give_all(&target, packed) ? 0 : -1;
}

bool
base64_is_packed(struct text packed, struct text bytes)
{
	struct target target = {
		.is_compared = true, .like = bytes.data, .size = bytes.size
	};

	return give_all(&target, packed);
}
