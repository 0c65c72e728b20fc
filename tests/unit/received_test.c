/*
 * The trace fields, and what is read of a message's own header.
 */
#include "smtpd/mail_body.h"
#include "smtpd/received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
a_received_field_says_all_and_nothing_else(void **state)
{
	struct received received = { .sender = TEXT("a@b"),
		.helo = TEXT("evil)\r\nX: y"),
		.client_ip = TEXT("2001:db8::1"),
		.tls = TEXT("TLSv1.3 X"),
		.recipient = TEXT("bob@h"),
		.host = "h",
		.queue_id = "00ff",
		.is_esmtp = true,
		.is_authenticated = true,
		.needs_date = true,
		.needs_message_id = true,
		.time = 1000000000 };
	struct buf buf;

	buf_init(&buf, RECEIVED_MAX_SIZE);
	received_format(&received, &buf);
	buf_put_byte(&buf, 0);
	assert_string_equal((char *)buf.data,
	    "Return-Path: <a@b>\n"
	    "Received: from evil???X: y ([IPv6:2001:db8::1])\n"
	    "\tby h (Firnmail) with ESMTPSA\n\t(TLSv1.3 X)\n\tid 00ff\n"
	    "\tfor <bob@h>;\n\tSun, 09 Sep 2001 01:46:40 +0000\n"
	    "Date: Sun, 09 Sep 2001 01:46:40 +0000\n"
	    "Message-ID: <00ff@h>\n");
	buf_clear(&buf);
}

static void
a_header_is_scanned_in_any_chunks(void **state)
{
	static const char mail[] =
	    "Received: a\n received: no\nDATE : x\nX-Date: y\nRECEIVED: b\n"
	    "message-id:<x>\n\nReceived: body\n";
	struct header_scan scan;
	size_t step, at, size = sizeof(mail) - 1;

	for (step = 1; step <= size; step++) {
		memset(&scan, 0, sizeof(scan));
		for (at = 0; at < size; at += step)
			header_scan_feed(&scan, (const uint8_t *)mail + at,
			    at + step > size ? size - at : step);
		assert_int_equal(scan.received_count, 2);
		assert_true(scan.has_date && scan.has_message_id);
		assert_true(scan.is_over);
	}
}

static void
return_paths_of_others_leave_the_header(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = { { "A: b\n\nReturn-Path: x\n", "A: b\n\nReturn-Path: x\n" },
		{ "Return-Path: <a@b>\nA: b\n\nx", "A: b\n\nx" },
		{ "A: b\nRETURN-path : <a\n\t@b>\n c\nD: e\n\n",
		    "A: b\nD: e\n\n" },
		{ "Return-Path: 1\nReturn-Path: 2\n", "" },
		{ "Return-Path-X: 1\nX: Return-Path: 1\n\n",
		    "Return-Path-X: 1\nX: Return-Path: 1\n\n" },
		{ "A: b\nReturn-Path: cut", "A: b\nReturn-Path: cut" },
		{ "", "" }, { "\n", "\n" },
		{ "no colon\n\n", "no colon\n\n" } };
	char data[100];
	size_t i, size;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size = strlen(rows[i].in);
		memcpy(data, rows[i].in, size);
		size = header_drop_return_path((uint8_t *)data, size);
		data[size] = '\0';
		assert_string_equal(data, rows[i].out);
	}
}

static void
put_prefix(struct mail_body *body, struct buf *prefix, void *context)
{
	buf_put_text(prefix, "P: x\n");
}

static void
a_body_is_the_same_in_memory_and_in_a_memfd(void **state)
{
	static char in[200000], back[200100];
	struct mail_body body;
	struct error error;
	size_t sizes[] = { 8, 12000, 16000, 66000, 131072, 200000 }, i, n;

	for (i = 0; i < 6; i++) {
		for (n = 0; n + 2 <= sizes[i]; n += 4)
			memcpy(in + n, "ab\r\n", 4);
		mail_body_init(&body, put_prefix, NULL);
		for (n = 0; n < sizes[i]; n += 3)
			assert_int_equal(
			    mail_body_put(&body, (uint8_t *)in + n,
				sizes[i] - n < 3 ? sizes[i] - n : 3, &error),
			    0);
		assert_int_equal(mail_body_finish(&body, &error), 0);
		assert_int_equal(body.defects, 0);
		assert_int_equal(body.stored_size, 5 + sizes[i] / 4 * 3);
		if (body.fd != -1)
			assert_int_equal(pread(body.fd, back, sizeof(back), 0),
			    body.stored_size);
		else
			memcpy(back, body.head.data, body.head.size);
		assert_memory_equal(back, "P: x\nab\nab\n", 11);
		assert_memory_equal(back + body.stored_size - 6, "ab\nab\n", 6);
		mail_body_clear(&body);
	}
}

static void
a_body_keeps_only_our_return_path(void **state)
{
	static const char in[] = "X: y\r\nReturn-Path: <z>\r\n w\r\n\r\nb\r\n";
	static const char out[] = "P: x\nX: y\n\nb\n";
	static char filler[100000], back[100100];
	struct mail_body body;
	struct error error;
	size_t large;

	memset(filler, 'f', sizeof(filler));
	for (large = 0; large < 2; large++) {
		mail_body_init(&body, put_prefix, NULL);
		mail_body_put(
		    &body, (const uint8_t *)in, sizeof(in) - 1, &error);
		if (large)
			mail_body_put(
			    &body, (uint8_t *)filler, sizeof(filler), &error);
		assert_int_equal(mail_body_finish(&body, &error), 0);
		assert_int_equal(
		    body.stored_size, sizeof(out) - 1 + large * sizeof(filler));
		assert_int_equal(body.fd != -1, large);
		if (body.fd != -1)
			assert_int_equal(pread(body.fd, back, sizeof(back), 0),
			    body.stored_size);
		else
			memcpy(back, body.head.data, body.head.size);
		assert_memory_equal(back, out, sizeof(out) - 1);
		mail_body_clear(&body);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(return_paths_of_others_leave_the_header),
		cmocka_unit_test(a_body_keeps_only_our_return_path),
		cmocka_unit_test(a_received_field_says_all_and_nothing_else),
		cmocka_unit_test(a_header_is_scanned_in_any_chunks),
		cmocka_unit_test(a_body_is_the_same_in_memory_and_in_a_memfd)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
