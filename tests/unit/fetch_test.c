/*
 * Sections of BODY[...] and the cache record.
 */
#include "common/buf.h"
#include "common/mime_parser.h"
#include "common/pool.h"
#include "imapd/fetch_body.h"
#include "imapd/message_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static const char message[] =
    "Subject: s\nX-Odd: o\nMIME-Version: 1.0\n"
    "Content-Type: multipart/mixed; boundary=b\n\n"
    "--b\nContent-ID: <1>\n\none\n--b\n"
    "Content-Type: message/rfc822\n\nSubject: in\n\ninner\n--b--\n";

static const struct text names[] = { { "subject", 7 } };

static const struct {
	struct section section;
	const char *answer; /* NULL: NIL */
} rows[] = {
	{ { .kind = SECTION_HEADER_FIELDS, .names = names, .name_count = 1 },
	    "Subject: s\r\n\r\n" },
	{ { .kind = SECTION_HEADER_FIELDS_NOT,
	      .names = names,
	      .name_count = 1,
	      .is_partial = true,
	      .count = 10 },
	    "X-Odd: o\r\n" },
	{ { .depth = 1, .path = { 1 } }, "one" },
	{ { .kind = SECTION_MIME, .depth = 1, .path = { 1 } },
	    "Content-ID: <1>\r\n\r\n" },
	{ { .depth = 1, .path = { 2 } }, "Subject: in\r\n\r\ninner" },
	{ { .kind = SECTION_HEADER, .depth = 1, .path = { 2 } },
	    "Subject: in\r\n\r\n" },
	{ { .kind = SECTION_TEXT, .depth = 1, .path = { 2 } }, "inner" },
	{ { .depth = 2, .path = { 2, 1 } }, "inner" },
	{ { .depth = 2,
	      .path = { 2, 1 },
	      .is_partial = true,
	      .first = 1,
	      .count = 2 },
	    "nn" },
	{ { .depth = 2, .path = { 1, 1 } }, NULL },
	{ { .kind = SECTION_HEADER, .depth = 1, .path = { 1 } }, NULL },
	{ { .depth = 1, .path = { 3 } }, NULL },
	{ { .depth = 1, .path = { 0 } }, NULL },
	{ { .kind = SECTION_MIME }, NULL },
};

static void
require_answers(const struct mime_part *root)
{
	struct buf out;

	buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct section_span found;
		struct text stored;

		fetch_body_find(root, &rows[i].section, &found);
		assert_int_equal(found.is_missing, rows[i].answer == NULL);
		stored =
		    text_make(message + found.span.offset, found.span.size);
		buf_reset(&out);
		if (found.is_missing)
			continue;
		assert_int_equal(
		    found.is_filtered
			? fetch_body_filter(&rows[i].section, stored, &out)
			: fetch_body_put(&rows[i].section, stored, &out),
		    0);
		assert_true(
		    text_is(text_make(out.data, out.size), rows[i].answer));
	}
	buf_clear(&out);
}

static void
sections_give_wire_bytes(void **state)
{
	struct pool *pool = pool_new();

	require_answers(mime_parse(TEXT(message), pool));
	pool_free(&pool);
}

static void
cache_record_answers_like_the_message(void **state)
{
	struct pool *pool = pool_new();
	struct mime_part *root = mime_parse(TEXT(message), pool);
	static const struct text odd = { "X-Odd", 5 };
	struct message_cache cache;
	struct buf record, out;

	buf_init(&record, MESSAGE_CACHE_MAX_SIZE);
	buf_init(&out, 1000);
	assert_int_equal(
	    message_cache_format(root, sizeof(message) - 1, &record), 0);
	assert_int_equal(message_cache_parse(
			     text_make(record.data, record.size), &cache, NULL),
	    0);
	assert_int_equal(cache.wire_size, mime_part_wire_size(root));
	require_answers(message_cache_get_parts(&cache, pool));
	assert_int_equal(message_cache_put_fields(&cache, names, 1, &out), 0);
	assert_true(
	    text_is(text_make(out.data, out.size), "Subject: s\r\n\r\n"));
	assert_true(message_cache_has_name(&cache, names[0]));
	assert_false(message_cache_has_name(&cache, odd));
	buf_clear(&record);
	buf_clear(&out);
	pool_free(&pool);
}

/* RFC 3501 6.4.5: "the blank line is included in all header fetches, except in
 * the case of a message which has no body and no blank line". */
static void
the_empty_line_is_told_if_there_is_one(void **state)
{
	static const struct {
		const char *message, *answer;
	} cases[] = {
		{ "Subject: s\n", "Subject: s\r\n" },
		{ "Subject: s\n\n", "Subject: s\r\n\r\n" },
		{ "Subject: s\r\n\r\n", "Subject: s\r\n\r\n" },
		{ "Subject: s", "Subject: s\r\n" },
		{ "Subject: s\n\nbody", "Subject: s\r\n\r\n" },
		{ "X: y\n", "" },
		{ "X: y\n\n", "\r\n" },
		{ "\n", "\r\n" },
		{ "\r\n", "\r\n" },
		{ "", "" },
	};
	const struct section section = {
		.kind = SECTION_HEADER_FIELDS, .names = names, .name_count = 1
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pool *pool = pool_new();
		struct text bytes = text_of(cases[i].message);
		struct mime_part *root = mime_parse(bytes, pool);
		struct message_cache cache;
		struct buf record, out;

		buf_init(&record, MESSAGE_CACHE_MAX_SIZE);
		buf_init(&out, 1000);
		assert_int_equal(
		    fetch_body_filter(&section,
			text_make(bytes.data, root->header.size), &out),
		    0);
		if (!text_is(text_make(out.data, out.size), cases[i].answer))
			fail_msg("case %zu, of the message", i);
		assert_int_equal(
		    message_cache_format(root, bytes.size, &record), 0);
		assert_int_equal(
		    message_cache_parse(
			text_make(record.data, record.size), &cache, NULL),
		    0);
		buf_reset(&out);
		assert_int_equal(
		    message_cache_put_fields(&cache, names, 1, &out), 0);
		if (!text_is(text_make(out.data, out.size), cases[i].answer))
			fail_msg("case %zu, of the cache", i);
		buf_clear(&record);
		buf_clear(&out);
		pool_free(&pool);
	}
}

static void
damaged_cache_record_is_an_error_or_harmless(void **state)
{
	struct pool *pool = pool_new();
	struct mime_part *root = mime_parse(TEXT(message), pool);
	struct message_cache cache;
	struct buf record;

	buf_init(&record, MESSAGE_CACHE_MAX_SIZE);
	message_cache_format(root, sizeof(message) - 1, &record);
	for (size_t size = 0; size < record.size; size++)
		assert_int_equal(
		    message_cache_parse(
			text_make(record.data, size), &cache, NULL),
		    -1);
	for (size_t i = 0; i < record.size; i++) {
		record.data[i] ^= 0xff;
		if (message_cache_parse(
			text_make(record.data, record.size), &cache, NULL) == 0)
			message_cache_get_parts(&cache, pool);
		record.data[i] ^= 0xff;
	}
	buf_clear(&record);
	pool_free(&pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_give_wire_bytes),
		cmocka_unit_test(cache_record_answers_like_the_message),
		cmocka_unit_test(the_empty_line_is_told_if_there_is_one),
		cmocka_unit_test(damaged_cache_record_is_an_error_or_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
