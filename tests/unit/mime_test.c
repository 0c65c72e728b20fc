/*
 * Transfer encodings, encoded words, parameters, and the tree of parts.
 */
#include "common/buf.h"
#include "common/mime_encoding.h"
#include "common/mime_parser.h"
#include "common/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static void
encoded_words_become_utf8(void **state)
{
	static const char *const rows[][2] = {
		{ "plain", "plain" },
		{ "=?utf-8?B?w6Q=?=", "\xc3\xa4" },
		{ "a =?iso-8859-1?Q?=E4_x?= b", "a \xc3\xa4 x b" },
		{ "=?utf-8?q?=C3?= =?utf-8?q?=A4?=", "\xc3\xa4" },
		{ "=?utf-8?x?a?=", "=?utf-8?x?a?=" },
		{ "=?koi8-r?B?8NLJ18XU?=",
		    "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82" },
		{ "\xe4", "\xef\xbf\xbd" },
	};
	struct buf out;

	buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		buf_reset(&out);
		assert_int_equal(
		    mime_decode_words(text_of(rows[i][0]), &out), 0);
		assert_true(text_is(text_make(out.data, out.size), rows[i][1]));
	}
	buf_clear(&out);
}

static void
transfer_encodings_decode_odd_input(void **state)
{
	static const struct {
		enum mime_encoding encoding;
		const char *code, *plain;
	} rows[] = {
		{ MIME_ENCODING_BASE64, "Zm9v\r\nYmE=", "fooba" },
		{ MIME_ENCODING_BASE64, "Zg==Zg==", "ff" },
		{ MIME_ENCODING_BASE64, "Z!m9v", "foo" },
		{ MIME_ENCODING_QUOTED_PRINTABLE, "a=3Db=\r\nc", "a=bc" },
		{ MIME_ENCODING_QUOTED_PRINTABLE, "a \t\r\nb=3d", "a\r\nb=" },
		{ MIME_ENCODING_QUOTED_PRINTABLE, "=XY=", "=XY" },
	};
	struct buf out;

	buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct mime_decoder d = { .encoding = rows[i].encoding };

		buf_reset(&out);
		for (const char *c = rows[i].code; *c != '\0'; c++)
			mime_decode(&d, text_make(c, 1), &out);
		mime_decode_end(&d, &out);
		assert_true(
		    text_is(text_make(out.data, out.size), rows[i].plain));
	}
	buf_clear(&out);
}

static void
parameters_are_joined_and_decoded(void **state)
{
	static const char *const rows[][2] = {
		{ "; name=a", "a" },
		{ "; name=\"a b\\\"\"", "a b\"" },
		{ "; name*=iso-8859-1''%E4", "\xc3\xa4" },
		{ "; name*1=b; name*0=a", "ab" },
		{ "; name*0*=utf-8''%C3; name*1*=%A4", "\xc3\xa4" },
		{ "; name=x; name*=utf-8''y", "y" },
		{ "; name==?utf-8?q?=C3=A4?=", "\xc3\xa4" },
	};
	struct pool *pool = pool_new();

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_true(text_is(
		    mime_parameter_find(text_of(rows[i][0]), "name", pool),
		    rows[i][1]));
	assert_null(mime_parameter_find(TEXT("; x=1"), "name", pool).data);
	pool_free(&pool);
}

static void
nested_parts_have_their_places_and_sizes(void **state)
{
	static const char message[] =
	    "MIME-Version: 1.0\n"
	    "Content-Type: multipart/mixed; boundary=b\n\n"
	    "preamble\n--b\n\none\ntwo\n--b\n"
	    "Content-Type: message/rfc822\n\nSubject: x\n\ninner\n--b--\n"
	    "epilogue\n";
	struct pool *pool = pool_new();
	struct mime_part *root = mime_parse(TEXT(message), pool), *part;

	assert_int_equal(root->kind, MIME_MULTIPART);
	assert_int_equal(mime_part_count(root), 4);
	assert_int_equal(root->header.size, 61);
	assert_int_equal(root->header.wire, 64);
	assert_int_equal(root->body.size, sizeof(message) - 1 - 61);
	part = root->child;
	assert_int_equal(part->body.size, 7);
	assert_int_equal(part->body.wire, 8);
	assert_int_equal(part->body.lines, 1);
	assert_memory_equal(message + part->body.offset, "one\ntwo", 7);
	part = part->next;
	assert_int_equal(part->kind, MIME_MESSAGE);
	assert_memory_equal(message + part->child->body.offset, "inner", 5);
	assert_int_equal(part->child->body.size, 5);
	assert_null(part->next);
	pool_free(&pool);
}

static void
parts_beyond_the_limits_are_text(void **state)
{
	struct pool *pool = pool_new();
	struct mime_parser *p = mime_parser_new(pool);
	struct mime_part *root;
	char line[100];
	uint32_t depth = 0;

	for (int i = 0; i < 300; i++) {
		snprintf(line, sizeof(line),
		    "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i,
		    i);
		mime_parser_feed(p, line, strlen(line));
	}
	root = mime_parser_finish(&p);
	for (const struct mime_part *c = root; c != NULL; c = c->child)
		depth++;
	assert_int_equal(depth, MIME_MAX_DEPTH);

	pool_clear(pool);
	p = mime_parser_new(pool);
	mime_parser_feed(p, "Content-Type: multipart/x; boundary=b\n\n", 39);
	for (int i = 0; i < 2 * MIME_MAX_PARTS; i++)
		mime_parser_feed(p, "--b\n\nx\n", 7);
	root = mime_parser_finish(&p);
	assert_int_equal(mime_part_count(root), MIME_MAX_PARTS);
	pool_free(&pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encoded_words_become_utf8),
		cmocka_unit_test(transfer_encodings_decode_odd_input),
		cmocka_unit_test(parameters_are_joined_and_decoded),
		cmocka_unit_test(nested_parts_have_their_places_and_sizes),
		cmocka_unit_test(parts_beyond_the_limits_are_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
