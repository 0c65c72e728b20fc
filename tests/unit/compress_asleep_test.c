/*
 * Sessions that compress, and sleep: zlib is the client, in each way in which
 * one may flush, and what it refers to was said before the sleep.
 */
#include "imapd/imap_deflate.h"
#include "imapd/imap_session_state.h"
#include "tests/unit/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include <cmocka.h>

enum {
	ROOM = 1024 * 1024,
	LINES = 200,
	LINE_SIZE = 400
};

static struct text
all_of(const struct buf *buf)
{
	return text_make(buf->data, buf->size);
}

static void
client_begin(z_stream *client, int level)
{
	memset(client, 0, sizeof(*client));
	assert_int_equal(
	    deflateInit2(client, level, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY),
	    Z_OK);
}

/* Appends what a client sends. */
static void
client_say(z_stream *client, struct text plain, int flush, struct buf *to)
{
	size_t size = plain.size + 1000;
	uint8_t *room = buf_reserve(to, size);

	client->next_in = (z_const Bytef *)(uintptr_t)plain.data;
	client->avail_in = (uInt)plain.size;
	client->next_out = room;
	client->avail_out = (uInt)size;
	assert_int_equal(deflate(client, flush), Z_OK);
	assert_true(client->avail_out > 0);
	buf_added(to, size - client->avail_out);
}

static void
take_all(
    struct imap_deflate *pair, struct text packed, size_t step, struct buf *to)
{
	size_t before;

	do {
		before = to->size + packed.size;
		assert_int_equal(imap_deflate_take(pair, &packed, step, to), 0);
	} while (packed.size > 0 || to->size + packed.size != before);
}

/* As long as it is, of words and of noise, and some like those before. */
static size_t
make_line(char line[LINE_SIZE], unsigned int *seed)
{
	static const char *const words[] = { "UID FETCH ", "(FLAGS UID ",
		"BODY.PEEK[HEADER.FIELDS (Subject)])", "STORE ", "1234567 " };
	size_t size = 0, wanted = 1 + (size_t)rand_r(seed) % (LINE_SIZE - 50);

	while (size < wanted) {
		int kind = rand_r(seed) % 6;

		if (kind == 5)
			line[size++] = (char)rand_r(seed);
		else
			size += (size_t)snprintf(
			    line + size, LINE_SIZE - size, "%s", words[kind]);
	}
	return size;
}

static void
sleep_and_wake(struct imap_deflate **pair)
{
	struct buf state;

	buf_init(&state, DEFLATE_STATE_MAX);
	assert_true(imap_deflate_is_between(*pair));
	imap_deflate_save(*pair, &state);
	imap_deflate_free(pair);
	*pair = imap_deflate_recall(all_of(&state));
	assert_non_null(*pair);
	buf_clear(&state);
}

static void
check_client(int level, int flush, size_t step)
{
	struct imap_deflate *pair = imap_deflate_new();
	unsigned int seed = 1;
	struct buf packed, plain;
	z_stream client;
	char line[LINE_SIZE];

	client_begin(&client, level);
	buf_init(&packed, ROOM);
	buf_init(&plain, ROOM);
	for (int i = 0; i < LINES; i++) {
		size_t size = make_line(line, &seed);

		client_say(&client, text_make(line, size), flush, &packed);
		take_all(pair, all_of(&packed), step, &plain);
		assert_int_equal(plain.size, size);
		assert_memory_equal(plain.data, line, size);
		sleep_and_wake(&pair);
		buf_reset(&packed);
		buf_reset(&plain);
	}
	buf_clear(&packed);
	buf_clear(&plain);
	(void)deflateEnd(&client);
	imap_deflate_free(&pair);
}

static void
behind_any_flush_a_client_may_sleep(void **state)
{
	static const int flushes[] = { Z_SYNC_FLUSH, Z_FULL_FLUSH,
		Z_PARTIAL_FLUSH };

	for (size_t i = 0; i < sizeof(flushes) / sizeof(flushes[0]); i++)
		for (int level = 1; level <= 9; level += 8)
			for (size_t step = 1; step <= 1000; step += 999)
				check_client(level, flushes[i], step);
}

/* Where it is, byte by byte: it may sleep between two lines and nowhere else,
 * for the bits that are left are of no line. */
static void
in_the_middle_of_a_line_nobody_sleeps(void **state)
{
	struct imap_deflate *pair = imap_deflate_new();
	char line[] = "a FETCH 1:* (FLAGS UID ENVELOPE BODYSTRUCTURE)\r\n";
	struct buf packed, plain;
	z_stream client;
	size_t within = 0;

	client_begin(&client, 6);
	buf_init(&packed, ROOM);
	buf_init(&plain, ROOM);
	client_say(&client, text_of(line), Z_SYNC_FLUSH, &packed);
	for (size_t i = 0; i < packed.size; i++) {
		take_all(pair, text_make(packed.data + i, 1), 100, &plain);
		if (plain.size > 0 && plain.size < sizeof(line) - 1)
			assert_false(imap_deflate_is_between(pair));
		within += !imap_deflate_is_between(pair);
	}
	assert_true(within > 30);
	assert_true(imap_deflate_is_between(pair));
	buf_clear(&packed);
	buf_clear(&plain);
	(void)deflateEnd(&client);
	imap_deflate_free(&pair);
}

/* After more than 32 KiB of commands. */
static size_t
state_size(bool is_noise, struct buf *state)
{
	struct imap_deflate *pair = imap_deflate_new();
	unsigned int seed = 2;
	struct buf packed, plain;
	z_stream client;
	char text[200];

	client_begin(&client, 6);
	buf_init(&packed, ROOM);
	buf_init(&plain, ROOM);
	for (size_t i = 0, size = 0; plain.size < 40000; i++) {
		size = (size_t)snprintf(text, sizeof(text),
		    "a%zu UID FETCH %zu (UID FLAGS BODY.PEEK[])\r\n", i, i * 7);
		for (size_t n = 0; is_noise && n < size; n++)
			text[n] = (char)rand_r(&seed);
		client_say(
		    &client, text_make(text, size), Z_SYNC_FLUSH, &packed);
		take_all(pair, all_of(&packed), 1000, &plain);
		buf_reset(&packed);
	}
	imap_deflate_save(pair, state);
	buf_clear(&packed);
	buf_clear(&plain);
	(void)deflateEnd(&client);
	imap_deflate_free(&pair);
	return state->size;
}

static void
what_a_client_said_takes_little_and_never_too_much(void **state)
{
	struct buf buf;

	buf_init(&buf, DEFLATE_STATE_MAX);
	assert_true(state_size(false, &buf) < 8192);
	printf("%zu bytes for 32 KiB of commands\n", buf.size);
	buf_reset(&buf);
	assert_true(state_size(true, &buf) > 32768);
	buf_clear(&buf);
}

/* Nothing is read behind the end, and no bytes do harm. */
static void
any_bytes_are_a_state_or_are_refused(void **state)
{
	struct imap_deflate *pair;
	struct buf buf;
	size_t size;

	buf_init(&buf, DEFLATE_STATE_MAX);
	size = state_size(false, &buf);
	for (size_t part = 0; part < size; part++) {
		uint8_t *bytes = malloc(part + 1);

		memcpy(bytes, buf.data, part);
		pair = imap_deflate_recall(text_make(bytes, part));
		/* The last bytes are a flush, which says nothing. */
		assert_true(pair == NULL || part + 8 > size);
		imap_deflate_free(&pair);
		free(bytes);
	}
	for (size_t bit = 0; bit < 16 * 8; bit++) {
		uint8_t *bytes = malloc(size);

		memcpy(bytes, buf.data, size);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		pair = imap_deflate_recall(text_make(bytes, size));
		imap_deflate_free(&pair);
		free(bytes);
	}
	buf_clear(&buf);
}

/* ---- A session ---- */

#define BEGIN "s SELECT INBOX\r\na COMPRESS DEFLATE\r\n"

static const char *const commands[] = { "b FETCH 1 BODY.PEEK[TEXT]\r\n",
	"c FETCH 2 BODY.PEEK[TEXT]\r\n", "d IDLE\r\n", "DONE\r\n",
	"e UID FETCH 1:2 (UID)\r\n", "z LOGOUT\r\n" };
static const char answers[] = SELECTED
    "a OK Compression begins\r\n"
    "* 1 FETCH (BODY[TEXT] {12}\r\nFirst body\r\n)\r\n"
    "b OK Fetch completed\r\n"
    "* 2 FETCH (BODY[TEXT] {13}\r\nSecond body\r\n)\r\n"
    "c OK Fetch completed\r\n+ idling\r\nd OK Idle completed\r\n"
    "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\ne OK Fetch completed\r\n"
    "* BYE Logging out\r\nz OK Logout completed\r\n";

/* What is compressed begins behind COMPRESS's answer. */
static void
read_all(const struct conversation *run, struct buf *said)
{
	struct imap_deflate *client = imap_deflate_new();
	size_t plain = sizeof(SELECTED "a OK Compression begins\r\n") - 1;

	assert_true(run->got_size > plain);
	assert_int_equal(buf_put(said, run->got, plain), 0);
	take_all(client, text_make(run->got + plain, run->got_size - plain),
	    1000, said);
	assert_int_equal(buf_put_byte(said, '\0'), 0);
	imap_deflate_free(&client);
}

static void
a_session_that_compresses_sleeps_and_notices_nothing(void **state)
{
	static const int flushes[] = { Z_SYNC_FLUSH, Z_FULL_FLUSH,
		Z_PARTIAL_FLUSH };
	static struct conversation run;

	for (size_t i = 0; i < 3; i++) {
		struct buf script, said;
		z_stream client;

		client_begin(&client, 9);
		buf_init(&script, ROOM);
		buf_init(&said, ROOM);
		assert_int_equal(buf_put_text(&script, BEGIN), 0);
		for (size_t n = 0; n < sizeof(commands) / sizeof(*commands);
		     n++)
			client_say(
			    &client, text_of(commands[n]), flushes[i], &script);
		run.is_sleepy = true;
		converse_bytes(&run, all_of(&script),
		    script.size - (sizeof(BEGIN) - 1), 1, STATUS_OK);
		read_all(&run, &said);
		assert_string_equal((char *)said.data, answers);
		assert_true(run.compressed_sleeps >= 5);
		buf_clear(&script);
		buf_clear(&said);
		(void)deflateEnd(&client);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behind_any_flush_a_client_may_sleep),
		cmocka_unit_test(in_the_middle_of_a_line_nobody_sleeps),
		cmocka_unit_test(
		    what_a_client_said_takes_little_and_never_too_much),
		cmocka_unit_test(any_bytes_are_a_state_or_are_refused),
		cmocka_unit_test(
		    a_session_that_compresses_sleeps_and_notices_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
