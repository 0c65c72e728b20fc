/*
 * BODY of messages whose Content-Type says little: a table.
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

static void
a_type_that_is_none_is_text(void **state)
{
	struct buf body, structure;
	char message[200];

	(void)state;
	buf_init(&body, 4096);
	buf_init(&structure, 4096);
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct pool *pool = pool_new();
		int size = snprintf(message, sizeof(message),
		    "MIME-Version: 1.0\r\n%s\r\nx\r\n", table[i].header);

		buf_reset(&body);
		buf_reset(&structure);
		assert_int_equal(
		    body_structure_format(
			mime_parse(text_make(message, (size_t)size), pool),
			pool, &body, &structure),
		    0);
		assert_int_equal(buf_put_byte(&body, '\0'), 0);
		assert_string_equal((char *)body.data, table[i].body);
		pool_free(&pool);
	}
	buf_clear(&body);
	buf_clear(&structure);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_type_that_is_none_is_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
