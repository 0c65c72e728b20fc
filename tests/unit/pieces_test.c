/*
 * Runs of base64: whatever the bytes are, they come back as they were; and a
 * body is cut where a run begins and ends, wherever it stands.
 */
#include "common/memory.h"
#include "snapd/base64_runs.h"
#include "snapd/pieces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static uint64_t seed = 1;

static unsigned int
draw(unsigned int below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return (unsigned int)(seed >> 33) % below;
}

static void
put_lines(struct buf *to, size_t lines, size_t length, const char *end)
{
	size_t i;

	for (; lines > 0; lines--) {
		for (i = 0; i < length; i++)
			buf_put_byte(to, (uint8_t)alphabet[draw(64)]);
		buf_put_text(to, end);
	}
}

static struct text
text_in(const struct buf *buf)
{
	return text_make(buf->data, buf->size);
}

/* Packed and back, whether there are runs or not; were there? */
static bool
comes_back(struct text bytes)
{
	uint8_t *again = memory_new(1, bytes.size + 1);
	struct buf packed;
	bool has_runs;

	buf_init(&packed, 2 * bytes.size + 64);
	has_runs = base64_pack(bytes, &packed);
	if (has_runs) {
		assert_true(packed.size < bytes.size);
		assert_int_equal(
		    base64_unpack(text_in(&packed), again, bytes.size), 0);
		assert_memory_equal(again, bytes.data, bytes.size);
		assert_true(base64_is_packed(text_in(&packed), bytes));
		again[draw((unsigned int)bytes.size)] ^= 1;
		assert_false(base64_is_packed(
		    text_in(&packed), text_make(again, bytes.size)));
		assert_false(base64_is_packed(
		    text_in(&packed), text_make(bytes.data, bytes.size - 1)));
		/* Of no other size. */
		assert_int_equal(
		    base64_unpack(text_in(&packed), again, bytes.size - 1), -1);
	}
	buf_clear(&packed);
	free(again);
	return has_runs;
}

struct shape {
	const char *before;
	size_t lines;
	size_t length;
	const char *end;
	const char *after;
	bool is_run;
};

static void
what_has_one_form_is_a_run(void **state)
{
	static const struct shape shapes[] = {
		{ "", 100, 76, "\n", "", true },
		{ "Subject: x\n\n", 100, 76, "\n", "--b--\n", true },
		{ "\r\n", 100, 76, "\r\n", "AAA=\r\n", true },
		{ "\n", 100, 64, "\n", "AA==\n", true },
		{ "\n", 3, 1020, "\n", "x", true },
		{ "\n", 100, 40, "\n", "", true },
		/* Too short, too long, no groups of four, no such line ends. */
		{ "\n", 20, 76, "\n", "", false },
		{ "\n", 200, 36, "\n", "", false },
		{ "\n", 3, 1024, "\n", "", false },
		{ "\n", 100, 75, "\n", "", false },
		{ "\n", 100, 76, "\r", "", false },
		{ "\n", 100, 76, " \n", "", false },
		{ "\n", 100, 76, "=\n", "", false },
		{ "\n", 1, 7600, "", "", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *s = &shapes[i];
		struct buf bytes;

		buf_init(&bytes, 1 << 20);
		buf_put_text(&bytes, s->before);
		put_lines(&bytes, s->lines, s->length, s->end);
		buf_put_text(&bytes, s->after);
		if (comes_back(text_in(&bytes)) != s->is_run)
			fail_msg("shape %zu", i);
		buf_clear(&bytes);
	}
}

/* Mail as nobody writes it: lines of all kinds, bytes changed anywhere. */
static void
put_anything(struct buf *bytes)
{
	static const char *const ends[] = { "\n", "\r\n", "=\n", "==\n", "\r",
		"\n\n", " \n", "" };
	unsigned int pieces = 1 + draw(12), i;

	for (; pieces > 0; pieces--)
		switch (draw(4)) {
		case 0:
			for (i = draw(4000); i > 0; i--)
				buf_put_byte(bytes, (uint8_t)draw(256));
			break;
		case 1:
			put_lines(bytes, draw(60), draw(1100), ends[draw(8)]);
			break;
		default:
			put_lines(
			    bytes, draw(120), 4 * draw(30), ends[draw(2)]);
			break;
		}
	for (i = bytes->size > 0 ? draw(4) : 0; i > 0; i--)
		bytes->data[draw((unsigned int)bytes->size)] =
		    (uint8_t)draw(256);
}

static void
any_bytes_come_back(void **state)
{
	unsigned int round, runs = 0;

	(void)state;
	for (round = 0; round < 1500; round++) {
		struct buf bytes;

		buf_init(&bytes, 4 << 20);
		put_anything(&bytes);
		runs += comes_back(text_in(&bytes));
		buf_clear(&bytes);
	}
	assert_in_range(runs, 300, 1400);
}

/* What was not made by base64_pack is refused, or is some bytes of the size. */
static void
malformed_runs_write_no_further(void **state)
{
	struct buf bytes, packed;
	unsigned int round, refused = 0;
	uint8_t *again;

	(void)state;
	buf_init(&bytes, 1 << 20);
	buf_init(&packed, 1 << 20);
	put_lines(&bytes, 200, 76, "\r\n");
	buf_put_text(&bytes, "between");
	put_lines(&bytes, 100, 40, "\n");
	assert_true(base64_pack(text_in(&bytes), &packed));
	for (round = 0; round < 20000; round++) {
		size_t at = draw(round % 2 ? 24 : (unsigned int)packed.size);
		uint8_t was = packed.data[at];
		size_t size = draw((unsigned int)packed.size + 1);

		packed.data[at] = (uint8_t)draw(256);
		/* On the heap: ASan sees what goes beyond. */
		again = memory_new(1, bytes.size);
		refused +=
		    base64_unpack(text_in(&packed), again, bytes.size) != 0;
		refused += base64_unpack(text_make(packed.data, size), again,
			       bytes.size) != 0;
		free(again);
		packed.data[at] = was;
	}
	assert_true(refused > 20000);
	buf_clear(&packed);
	buf_clear(&bytes);
}

/* -- Pieces -- */

/* The spans are all of it, in order, and none of them would be cut. */
static size_t
check_cut(struct text bytes, struct piece_span *first_run)
{
	struct piece_span *spans, *inner;
	size_t count = pieces_cut(bytes, &spans), at = 0, i;

	first_run->size = 0;
	for (i = 0; i < count; i++) {
		assert_int_equal(spans[i].offset, at);
		assert_true(spans[i].size > 0);
		assert_int_equal(
		    pieces_cut(
			text_make(bytes.data + at, spans[i].size), &inner),
		    0);
		if (spans[i].is_run && first_run->size == 0)
			*first_run = spans[i];
		at += spans[i].size;
	}
	assert_true(count == 0 || at == bytes.size);
	free(spans);
	return count;
}

static void
a_run_is_the_same_piece_wherever_it_stands(void **state)
{
	static const char tail[] = "QUJDRA==\n";
	struct piece_span span;
	struct buf run, bytes;
	unsigned int round, i;

	(void)state;
	buf_init(&run, 1 << 20);
	put_lines(&run, 250, 76, "\n");
	buf_put_text(&run, tail);
	assert_int_equal(check_cut(text_in(&run), &span), 0);
	for (round = 0; round < 300; round++) {
		buf_init(&bytes, 1 << 20);
		for (i = draw(30000); i > 0; i--)
			buf_put_byte(&bytes, (uint8_t) "ab cd. \n"[draw(8)]);
		buf_put_text(&bytes, "\n\n");
		i = (unsigned int)bytes.size;
		buf_put(&bytes, run.data, run.size);
		if (round % 3 != 0)
			buf_put_text(&bytes, "\n--boundary--\n");
		assert_int_equal(
		    check_cut(text_in(&bytes), &span), round % 3 ? 3 : 2);
		assert_int_equal(span.offset, i);
		assert_int_equal(span.size, run.size);
		buf_clear(&bytes);
	}
	buf_clear(&run);
}

static void
any_bytes_are_cut_into_what_is_not_cut_again(void **state)
{
	unsigned int round, cut = 0;
	struct piece_span span;
	struct buf bytes;

	(void)state;
	for (round = 0; round < 600; round++) {
		buf_init(&bytes, 8 << 20);
		put_anything(&bytes);
		put_lines(&bytes, 150 + draw(300), 4 * (10 + draw(60)),
		    draw(2) ? "\n" : "\r\n");
		put_anything(&bytes);
		put_lines(&bytes, draw(500), 76, "\n");
		cut += check_cut(text_in(&bytes), &span) > 0;
		buf_clear(&bytes);
	}
	assert_true(cut > 100);
}

/* With more pieces than there may be it stays whole. */
static void
a_body_of_too_many_runs_stays_whole(void **state)
{
	struct piece_span *spans;
	struct buf bytes;
	unsigned int n;

	(void)state;
	buf_init(&bytes, 100 << 20);
	for (n = 0; n < PIECES_MAX / 2 - 1; n++) {
		put_lines(&bytes, 216, 76, "\n");
		buf_put_text(&bytes, "-\n");
	}
	assert_int_equal(pieces_cut(text_in(&bytes), &spans), PIECES_MAX - 2);
	free(spans);
	put_lines(&bytes, 216, 76, "\n");
	buf_put_text(&bytes, "-\n");
	assert_int_equal(pieces_cut(text_in(&bytes), &spans), 0);
	assert_null(spans);
	buf_clear(&bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_one_form_is_a_run),
		cmocka_unit_test(any_bytes_come_back),
		cmocka_unit_test(malformed_runs_write_no_further),
		cmocka_unit_test(a_run_is_the_same_piece_wherever_it_stands),
		cmocka_unit_test(any_bytes_are_cut_into_what_is_not_cut_again),
		cmocka_unit_test(a_body_of_too_many_runs_stays_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
