/*
 * BODY of messages whose Content-Type says little, or says message/global.
 */
#include "imapd/body_structure.h"

#include "common/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define PLAIN \
	"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1)"

static const struct {
	const char *header;
	const char *body;
} table[] = {
	{ "", PLAIN },
	/* RFC 2045 5.2: malformed, as if there were none. */
	{ "Content-Type: text\r\n", PLAIN },
	{ "Content-Type: multipart\r\n", PLAIN },
	{ "Content-Type: text/\r\n", PLAIN },
	{ "Content-Type: /html\r\n", PLAIN },
	{ "Content-Type:\r\n", PLAIN },
	{ "Content-Type: text/html charset=utf-8\r\n", PLAIN },
	{ "Content-Type: text\r\nContent-Type: image/png\r\n", PLAIN },
	{ "Content-Type: image/png;\r\n",
	    "(\"image\" \"png\" NIL NIL NIL \"7bit\" 3)" },
};

/* The forms of BODY in one text. */
static struct text
body_of(const char *message, struct pool *pool)
{
	struct buf body, structure;
	struct text copy;

	buf_init(&body, 4096);
	buf_init(&structure, 4096);
	assert_int_equal(
	    body_structure_format(
		mime_parse(text_of(message), pool), pool, &body, &structure),
	    0);
	copy = text_make(pool_copy(pool, body.data, body.size), body.size);
	buf_clear(&body);
	buf_clear(&structure);
	return copy;
}

static void
a_type_that_is_none_is_text(void **state)
{
	char message[200];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct pool *pool = pool_new();

		snprintf(message, sizeof(message),
		    "MIME-Version: 1.0\r\n%s\r\nx\r\n", table[i].header);
		assert_true(text_is(body_of(message, pool), table[i].body));
		pool_free(&pool);
	}
}

#define GLOBAL   "Content-Type: message/global\r\n"
#define INNER    "Subject: in\r\n\r\nx\r\n"
#define ENVELOPE "(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL)"

/* RFC 9755 6: message/global is told in two ways. */
static const struct {
	const char *message;
	const char *rev1;
	const char *rev2;
} globals[] = {
	{ GLOBAL "\r\n" INNER,
	    "(\"message\" \"global\" NIL NIL NIL \"7bit\" 18)",
	    "(\"message\" \"global\" NIL NIL NIL \"7bit\" 18 " ENVELOPE
	    " " PLAIN " 3)" },
	{ "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n" GLOBAL
	  "\r\n" INNER "--b--\r\n",
	    "((\"message\" \"global\" NIL NIL NIL \"7bit\" 16) \"digest\")",
	    "((\"message\" \"global\" NIL NIL NIL \"7bit\" 16 " ENVELOPE
	    " (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL "
	    "\"7bit\" 1 0) 2) \"digest\")" },
	/* Nothing of it can be seen. */
	{ GLOBAL "Content-Transfer-Encoding: BASE64\r\n\r\nU3ViamVjdDo\r\n",
	    "(\"message\" \"global\" NIL NIL NIL \"BASE64\" 13)",
	    "(\"application\" \"octet-stream\" NIL NIL NIL \"BASE64\" 13)" },
	{ INNER, PLAIN, PLAIN },
};

static void
a_global_message_is_a_message_in_rev2(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(globals) / sizeof(*globals); i++) {
		struct pool *pool = pool_new();
		struct text forms = body_of(globals[i].message, pool);

		assert_true(text_is(
		    body_structure_form(forms, false), globals[i].rev1));
		assert_true(
		    text_is(body_structure_form(forms, true), globals[i].rev2));
		pool_free(&pool);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_type_that_is_none_is_text),
		cmocka_unit_test(a_global_message_is_a_message_in_rev2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
