/* What `snapctl export` writes: tar heads, and mbox files that can be taken
 * apart again. */
#include "snapctl/export.h"
#include "snapctl/tar.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* The message as mbox, given in two parts that meet at `cut`. */
static char *
mbox_of(struct text message, size_t cut)
{
	struct export export = { .format = &export_mbox };
	size_t size;
	char *out;

	export.to = open_memstream(&out, &size);
	export.mailbox.uidvalidity = 9;
	export.mailbox.uidnext = 8;
	export.mailbox.keyword_count = 2;
	export.mailbox.keywords[0] = TEXT("Work");
	export.mailbox.keywords[1] = TEXT("$Later");
	export.message.uid = 7;
	export.message.flags = FLAG_SEEN | FLAG_ANSWERED;
	export.message.keywords = 2;
	export.message.internaldate = 1000000000;
	export.format->mailbox(&export);
	export.format->message(&export);
	export.format->message_bytes(&export, text_make(message.data, cut));
	export.format->message_bytes(&export, text_skip(message, cut));
	export.format->message_end(&export);
	fclose(export.to);
	buf_clear(&export.line);
	return out;
}

static void
mbox_quotes_from_lines_however_the_bytes_come(void **state)
{
	static const char head[] =
	    "From MAILER-DAEMON Sun Sep  9 01:46:40 2001\n"
	    "X-IMAPbase: 0000000009 0000000007 Work $Later\n"
	    "X-UID: 7\nStatus: RO\nX-Status: A\nX-Keywords: $Later\n";
	static const struct {
		const char *in;
		const char *out;
	} rows[] = {
		{ "", "\n" },
		{ "a: b\n\nFrom x\n", "a: b\n\n>From x\n\n" },
		{ "a: b\n\n>From x\n>>From y",
		    "a: b\n\n>>From x\n>>>From y\n\n" },
		{ "From x\nFrom", ">From x\nFrom\n\n" },
		{ ">>>>\n>", ">>>>\n>\n\n" },
		{ "From\n From x\nfrom x\nFro",
		    "From\n From x\nfrom x\nFro\n\n" },
		{ "x From y\n\n\nFrom z\r\n", "x From y\n\n\n>From z\r\n\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t cut = 0; cut <= strlen(rows[i].in); cut++) {
			char *out = mbox_of(text_of(rows[i].in), cut);

			assert_memory_equal(out, head, strlen(head));
			assert_string_equal(out + strlen(head), rows[i].out);
			free(out);
		}
}

static void
mbox_line_of_quotes_has_no_limit(void **state)
{
	static char line[5000];
	char *out;

	(void)state;
	memset(line, '>', sizeof(line) - 1);
	out = mbox_of(text_of(line), 1234);
	assert_non_null(strstr(out, line));
	free(out);
}

static unsigned int
sum_of(const uint8_t *head)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += i >= 148 && i < 156 ? ' ' : head[i];
	return sum;
}

static void
tar_heads_are_ustar(void **state)
{
	struct buf to;

	(void)state;
	buf_init(&to, TAR_MAX_HEAD);
	assert_int_equal(
	    tar_put_file(TEXT("cur/1"), 0123456, 1000000000, &to), 0);
	assert_int_equal(to.size, TAR_BLOCK);
	assert_string_equal((char *)to.data, "cur/1");
	assert_string_equal((char *)to.data + 100, "0000600");
	assert_string_equal((char *)to.data + 124, "00000123456");
	assert_string_equal((char *)to.data + 136, "07346545000");
	assert_int_equal(to.data[156], '0');
	assert_string_equal((char *)to.data + 257, "ustar");
	assert_int_equal(
	    strtoul((char *)to.data + 148, NULL, 8), sum_of(to.data));
	buf_reset(&to);
	assert_int_equal(tar_put_file(TEXT("a"), 1, -5, &to), 0);
	assert_string_equal((char *)to.data + 136, "00000000000");
	buf_clear(&to);
}

static void
tar_names_that_do_not_fit_have_a_pax_head(void **state)
{
	static char path[TAR_MAX_PATH + 2];
	struct buf to;

	(void)state;
	buf_init(&to, TAR_MAX_HEAD);
	for (size_t size = 101; size <= TAR_MAX_PATH; size += 7) {
		char *end;
		unsigned long length;

		memset(path, 'p', size);
		path[size] = '\0';
		buf_reset(&to);
		assert_int_equal(tar_put_file(text_of(path), 1, 0, &to), 0);
		assert_int_equal(to.data[156], 'x');
		length = strtoul((char *)to.data + TAR_BLOCK, &end, 10);
		assert_int_equal(
		    length, strtoul((char *)to.data + 124, NULL, 8));
		assert_memory_equal(end, " path=", 6);
		assert_memory_equal(end + 6, path, size);
		assert_int_equal(to.data[TAR_BLOCK + length - 1], '\n');
		assert_int_equal(to.size % TAR_BLOCK, 0);
	}
	memset(path, 'p', TAR_MAX_PATH + 1);
	assert_int_equal(
	    tar_put_file(text_make(path, TAR_MAX_PATH + 1), 1, 0, &to), -1);
	buf_clear(&to);
}

static void
tar_padding_fills_a_block(void **state)
{
	static const struct {
		uint64_t size;
		size_t padding;
	} rows[] = { { 0, 0 }, { 1, 511 }, { 511, 1 }, { 512, 0 },
		{ 513, 511 } };
	struct buf to;

	(void)state;
	buf_init(&to, TAR_BLOCK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&to);
		assert_int_equal(tar_put_padding(rows[i].size, &to), 0);
		assert_int_equal(to.size, rows[i].padding);
	}
	buf_clear(&to);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mbox_quotes_from_lines_however_the_bytes_come),
		cmocka_unit_test(mbox_line_of_quotes_has_no_limit),
		cmocka_unit_test(tar_heads_are_ustar),
		cmocka_unit_test(tar_names_that_do_not_fit_have_a_pax_head),
		cmocka_unit_test(tar_padding_fills_a_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
