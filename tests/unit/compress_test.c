/*
 * COMPRESS=DEFLATE (RFC 4978): the two directions of imap_deflate.h against
 * each other, and sessions that compress.  That it is what others call deflate,
 * the system test with Python's zlib says.
 */
#include "imapd/imap_deflate.h"
#include "tests/unit/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
	ROOM = 4 * 1024 * 1024
};

static struct text
all_of(const struct buf *buf)
{
	return text_make(buf->data, buf->size);
}

/* All that `packed` stands for, taken `step` bytes at a time. */
static int
inflate_all(
    struct imap_deflate *pair, struct text packed, size_t step, struct buf *to)
{
	size_t before;

	do {
		before = to->size;
		if (imap_deflate_take(pair, &packed, step, to) == -1)
			return -1;
	} while (packed.size > 0 || to->size > before);
	return 0;
}

static void
what_is_compressed_comes_out_again_flush_by_flush(void **state)
{
	struct imap_deflate *sends = imap_deflate_new();
	struct imap_deflate *takes = imap_deflate_new();
	struct buf packed, plain;
	char line[4000];

	(void)state;
	buf_init(&packed, ROOM);
	buf_init(&plain, ROOM);
	for (size_t i = 0; i < 100; i++) {
		for (size_t n = 0; n < sizeof(line); n++)
			line[n] = (char)(n * i % 251);
		if (i % 3 == 0)
			imap_deflate_rest(sends);
		imap_deflate_put(
		    sends, text_make(line, sizeof(line) - i), &packed);
		imap_deflate_flush(sends, &packed);
		assert_int_equal(inflate_all(takes, all_of(&packed),
				     i % 2 == 0 ? 1000 : 100000, &plain),
		    0);
		assert_int_equal(plain.size, sizeof(line) - i);
		assert_memory_equal(plain.data, line, plain.size);
		buf_reset(&packed);
		buf_reset(&plain);
	}
	buf_clear(&packed);
	buf_clear(&plain);
	imap_deflate_free(&sends);
	imap_deflate_free(&takes);
}

/* The length of an answer says nothing of an earlier one (CRIME). */
static void
an_answer_is_as_long_whatever_was_answered_before(void **state)
{
	static const char *const secrets[] = { "password: hunter2 hunter2",
		"nothing of that sort, at all" };
	size_t sizes[2];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct imap_deflate *pair = imap_deflate_new();
		struct buf packed;

		buf_init(&packed, ROOM);
		imap_deflate_put(pair, text_of(secrets[i]), &packed);
		imap_deflate_flush(pair, &packed);
		buf_reset(&packed);
		imap_deflate_put(pair, text_of(secrets[0]), &packed);
		imap_deflate_flush(pair, &packed);
		sizes[i] = packed.size;
		buf_clear(&packed);
		imap_deflate_free(&pair);
	}
	assert_int_equal(sizes[0], sizes[1]);
}

/* A megabyte of nothing is taken as slowly as is asked for. */
static void
no_more_comes_out_than_there_is_room_for(void **state)
{
	static char zeros[1024 * 1024];
	struct imap_deflate *sends = imap_deflate_new();
	struct imap_deflate *takes = imap_deflate_new();
	struct buf packed, plain;
	size_t total = 0;

	(void)state;
	buf_init(&packed, ROOM);
	buf_init(&plain, 5000);
	imap_deflate_put(sends, text_make(zeros, sizeof(zeros)), &packed);
	imap_deflate_flush(sends, &packed);
	assert_true(packed.size < 2000);
	for (struct text rest = all_of(&packed); total < sizeof(zeros);) {
		assert_int_equal(
		    imap_deflate_take(takes, &rest, 5000, &plain), 0);
		assert_true(plain.size > 0);
		total += plain.size;
		buf_reset(&plain);
	}
	assert_int_equal(total, sizeof(zeros));
	buf_clear(&packed);
	buf_clear(&plain);
	imap_deflate_free(&sends);
	imap_deflate_free(&takes);
}

static void
malformed_bytes_and_a_last_block_are_refused(void **state)
{
	/* A block of type 3; an empty last block; a distance too far back. */
	static const char *const bytes[] = { "\x06", "\x03\x00zz",
		"\x03\x02\x00" };
	static const size_t sizes[] = { 1, 2, 3 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct imap_deflate *pair = imap_deflate_new();
		struct text packed = text_make(bytes[i], sizes[i]);
		struct buf plain;

		buf_init(&plain, ROOM);
		assert_int_equal(inflate_all(pair, packed, 1000, &plain), -1);
		buf_clear(&plain);
		imap_deflate_free(&pair);
	}
}

/* ---- Sessions ---- */

#define BEGIN    "s SELECT INBOX\r\na COMPRESS DEFLATE\r\n"
#define ANSWERED SELECTED "a OK Compression begins\r\n"

/* "s SELECT", COMPRESS, and `commands` compressed: what was said in plain and
 * compressed is in `said`. */
static void
converse_compressed(struct text commands, size_t step, struct buf *said)
{
	static struct conversation run;
	struct imap_deflate *pair = imap_deflate_new();
	struct buf script;

	buf_init(&script, ROOM);
	assert_int_equal(buf_put_text(&script, BEGIN), 0);
	imap_deflate_put(pair, commands, &script);
	imap_deflate_flush(pair, &script);
	converse_bytes(&run, all_of(&script), script.size - (sizeof(BEGIN) - 1),
	    step, STATUS_OK);
	assert_true(run.got_size >= sizeof(ANSWERED) - 1);
	assert_memory_equal(run.got, ANSWERED, sizeof(ANSWERED) - 1);
	assert_int_equal(inflate_all(pair,
			     text_make(run.got + sizeof(ANSWERED) - 1,
				 run.got_size - (sizeof(ANSWERED) - 1)),
			     1000, said),
	    0);
	buf_clear(&script);
	imap_deflate_free(&pair);
}

static void
both_sides_compress_behind_the_answer(void **state)
{
	static const char commands[] =
	    "b FETCH 1 BODY.PEEK[TEXT]\r\nc COMPRESS DEFLATE\r\n"
	    "d IDLE\r\nDONE\r\ne APPEND INBOX {5+}\r\nhello\r\nz LOGOUT\r\n";
	static const char answers[] =
	    "* 1 FETCH (BODY[TEXT] {12}\r\nFirst body\r\n)\r\n"
	    "b OK Fetch completed\r\n"
	    "c NO [COMPRESSIONACTIVE] Compressed already\r\n"
	    "+ idling\r\nd OK Idle completed\r\n"
	    "* 3 EXISTS\r\ne OK [APPENDUID 1001 3] Append completed\r\n"
	    "* BYE Logging out\r\nz OK Logout completed\r\n";

	(void)state;
	for (size_t step = 1; step < 100; step += 33) {
		struct buf said;

		buf_init(&said, ROOM);
		converse_compressed(text_of(commands), step, &said);
		assert_int_equal(buf_put_byte(&said, '\0'), 0);
		assert_string_equal((char *)said.data, answers);
		buf_clear(&said);
	}
}

/* 8 MB that are no command come as 8 KB. */
static void
a_bomb_is_no_more_than_a_line_that_is_too_long(void **state)
{
	struct buf bomb, said;

	(void)state;
	buf_init(&bomb, 3 * ROOM);
	buf_init(&said, ROOM);
	memset(buf_reserve(&bomb, 2 * ROOM), 'x', 2 * ROOM);
	buf_added(&bomb, 2 * ROOM);
	assert_int_equal(buf_put_text(&bomb, "\r\nz LOGOUT\r\n"), 0);
	converse_compressed(all_of(&bomb), SIZE_MAX, &said);
	assert_int_equal(buf_put_byte(&said, '\0'), 0);
	assert_string_equal((char *)said.data,
	    "* BAD Command line is too long\r\n"
	    "* BYE Logging out\r\nz OK Logout completed\r\n");
	buf_clear(&bomb);
	buf_clear(&said);
}

static void
what_is_not_deflate_ends_the_session(void **state)
{
	static struct conversation run;
	struct imap_deflate *pair = imap_deflate_new();
	struct buf said;

	(void)state;
	buf_init(&said, ROOM);
	converse_bytes(
	    &run, TEXT(BEGIN "z LOGOUT\r\n"), 10, SIZE_MAX, STATUS_OK);
	assert_memory_equal(run.got, ANSWERED, sizeof(ANSWERED) - 1);
	assert_int_equal(inflate_all(pair,
			     text_make(run.got + sizeof(ANSWERED) - 1,
				 run.got_size - (sizeof(ANSWERED) - 1)),
			     1000, &said),
	    0);
	assert_int_equal(buf_put_byte(&said, '\0'), 0);
	assert_string_equal(
	    (char *)said.data, "* BYE Compressed data is malformed\r\n");
	buf_clear(&said);
	imap_deflate_free(&pair);
}

static const struct transcript unknown = {
	"other_compressions_are_unknown",
	"a COMPRESS LZ4\r\nb COMPRESS\r\nc COMPRESS DEFLATE x\r\n",
	"a BAD Unknown compression\r\nb BAD Missing argument\r\n"
	"c BAD Unexpected argument\r\n",
	STATUS_OK,
};

static void
compress_is_refused_where_it_would_be_in_doubt(void **state)
{
	static struct conversation run;

	(void)state;
	assert_int_equal(check_transcripts(&unknown, 1), 0);
	/* In one piece: byte by byte nobody can tell that it did not wait. */
	converse(&run,
	    "s SELECT INBOX\r\na COMPRESS DEFLATE\r\nb NOOP\r\n"
	    "z LOGOUT\r\n",
	    SIZE_MAX, STATUS_OK);
	assert_string_equal(run.got,
	    SELECTED "a BAD Wait for the answer to COMPRESS\r\n"
		     "b OK NOOP completed\r\n" GOODBYE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_is_compressed_comes_out_again_flush_by_flush),
		cmocka_unit_test(
		    an_answer_is_as_long_whatever_was_answered_before),
		cmocka_unit_test(no_more_comes_out_than_there_is_room_for),
		cmocka_unit_test(malformed_bytes_and_a_last_block_are_refused),
		cmocka_unit_test(both_sides_compress_behind_the_answer),
		cmocka_unit_test(
		    a_bomb_is_no_more_than_a_line_that_is_too_long),
		cmocka_unit_test(what_is_not_deflate_ends_the_session),
		cmocka_unit_test(
		    compress_is_refused_where_it_would_be_in_doubt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
