/*
 * What sendmail reads: line ends, the dot, the recipients of a header.
 */
#include "sendmail/letter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
read_text(const char *text, bool has_dot, struct buf *letter)
{
	struct error error;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
	close(ends[1]);
	buf_init(letter, LETTER_MAX_SIZE);
	assert_int_equal(letter_read(ends[0], has_dot, letter, &error), 0);
	close(ends[0]);
	buf_put_byte(letter, 0);
	letter->size--;
}

static void
lines_end_in_cr_lf_and_a_dot_may_be_the_end(void **state)
{
	static const struct {
		bool has_dot;
		const char *in, *out;
	} rows[] = { { true, "a\n\nb\n", "a\r\n\r\nb\r\n" },
		{ true, "a\r\nb\r\n", "a\r\nb\r\n" },
		{ true, "a\n.\nb\n", "a\r\n" }, { true, "a\n.", "a\r\n" },
		{ true, "a\n.\r\nb", "a\r\n" }, { true, ".\n", "" },
		{ true, "a.\n..\n.b\n", "a.\r\n..\r\n.b\r\n" },
		{ false, "a\n.\nb\n", "a\r\n.\r\nb\r\n" },
		{ true, "no end", "no end\r\n" }, { true, "", "" },
		{ true, "\r\r\n", "\r\r\n" } };
	struct buf letter;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		read_text(rows[i].in, rows[i].has_dot, &letter);
		assert_string_equal((char *)letter.data, rows[i].out);
		buf_clear(&letter);
	}
}

static void
check_recipients(const char *text, const char *wanted)
{
	struct pool *pool = pool_new();
	const char *recipients[4];
	char all[256] = "";
	struct error error;
	struct buf letter;
	int count;

	read_text(text, false, &letter);
	count = letter_recipients(&letter, pool, recipients, 4, &error);
	for (int i = 0; i < count; i++) {
		strcat(all, recipients[i]);
		strcat(all, " ");
	}
	assert_string_equal(count == -1 ? "too many" : all, wanted);
	buf_clear(&letter);
	pool_free(&pool);
}

static void
recipients_are_those_of_the_header(void **state)
{
	check_recipients(
	    "To: a@b, \"C\" <c@d>\nSubject: x\n\nCc: no@body\n", "a@b c@d ");
	check_recipients("to: root\nCC: Team: x@y,\n z@y;\nbCc: <h@i>\n\n",
	    "root x@y z@y h@i ");
	check_recipients(
	    "To: a@b\nResent-To: c@d\nResent-From: e@f\n\n", "c@d ");
	check_recipients("Subject: none\n\nTo: a@b\n", "");
	check_recipients("To: a@b, c@d, e@f, g@h, i@j\n\n", "too many");
	check_recipients("", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_in_cr_lf_and_a_dot_may_be_the_end),
		cmocka_unit_test(recipients_are_those_of_the_header)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
