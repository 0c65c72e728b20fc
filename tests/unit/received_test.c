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
		.needs_from = true,
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
	    "From: <a@b>\n"
	    "Message-ID: <00ff@h>\n");
	buf_clear(&buf);
}

/* `in` through the filter, `step` bytes at a time, as a text. */
static void
filter_all(struct header_filter *filter, const char *in, size_t step, char *out)
{
	size_t size = strlen(in), at = 0, made = 0, used, part;

	while (at < size && !filter->is_over) {
		part = size - at < step ? size - at : step;
		made += header_filter_feed(filter, (const uint8_t *)in + at,
		    part, &used, (uint8_t *)out + made);
		at += used;
	}
	if (!filter->is_over)
		made += header_filter_finish(filter, (uint8_t *)out + made);
	memcpy(out + made, in + at, size - at + 1);
}

static void
a_header_is_counted_in_any_chunks(void **state)
{
	static const char mail[] =
	    "Received: a\n received: no\nDATE : x\nX-Date: y\nRECEIVED: b\n"
	    "message-id:<x>\nfrom: a\nFrom:b\nX: from:\n\nReceived: body\n";
	struct header_filter filter;
	char out[sizeof(mail) + HEADER_FILTER_ROOM];

	for (size_t step = 1; step < sizeof(mail); step++) {
		memset(&filter, 0, sizeof(filter));
		filter_all(&filter, mail, step, out);
		assert_string_equal(out, mail);
		assert_int_equal(filter.received_count, 2);
		assert_int_equal(filter.from_count, 2);
		assert_true(filter.has_date && filter.has_message_id);
		assert_true(filter.is_over);
	}
}

static void
some_fields_do_not_pass(void **state)
{
	static const struct {
		bool drops_bcc;
		const char *in, *out;
	} rows[] = { { false, "A: b\n\nReturn-Path: x\n",
			 "A: b\n\nReturn-Path: x\n" },
		{ false, "Return-Path: <a@b>\nA: b\n\nx", "A: b\n\nx" },
		{ false, "A: b\nRETURN-path : <a\n\t@b>\n c\nD: e\n\n",
		    "A: b\nD: e\n\n" },
		{ false, "Return-Path: 1\nReturn-Path: 2\n", "" },
		{ false, "Return-Path-X: 1\nX: Return-Path: 1\n\n",
		    "Return-Path-X: 1\nX: Return-Path: 1\n\n" },
		{ false, "A: b\nReturn-Path", "A: b\nReturn-Path" },
		{ false, "Return-Path: a\nReturn-Path", "Return-Path" },
		{ false, "Return-Path: a\n", "" },
		{ false, "Return-Path: a", "" },
		{ false, "Bcc: a\n\n", "Bcc: a\n\n" },
		{ true, "Bcc: a,\n b\nbcc : c\nResent-Bcc:d\nTo: e\n\nBcc: f",
		    "To: e\n\nBcc: f" },
		{ true, "Bccc: a\nBc: b\n\n", "Bccc: a\nBc: b\n\n" },
		{ true, "Bcc: a\nno colon\n still none\n\n",
		    "no colon\n still none\n\n" },
		{ false, "", "" }, { false, "\n", "\n" },
		/* Without a header there is an end of it. */
		{ false, " odd\n\n", "\n odd\n\n" }, { true, "hi", "\nhi" },
		{ false, "hi\n", "\nhi\n" },
		{ false, "hi\r\nTo: x\r\n", "\nhi\r\nTo: x\r\n" },
		{ true, "Dear Bob: Bcc\nBcc: x\n",
		    "\nDear Bob: Bcc\nBcc: x\n" },
		{ false, "this is how it begins\n",
		    "\nthis is how it begins\n" },
		{ false, "\xc3\xa4: x\n", "\n\xc3\xa4: x\n" },
		{ false, ": x\n", "\n: x\n" },
		{ false, "X-Name-Longer-Than-Any: y\n", /* as it came */
		    "X-Name-Longer-Than-Any: y\n" },
		{ false, "To \t: x\nhi", "To \t: x\nhi" },
		{ false, "From a@b Thu Jan 1\nTo: x\n",
		    "From a@b Thu Jan 1\nTo: x\n" },
		{ false, ">From a\nTo: x\n", ">From a\nTo: x\n" } };
	struct header_filter filter;
	char out[100];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t step = 1; step < 30; step++) {
			memset(&filter, 0, sizeof(filter));
			filter.drops_bcc = rows[i].drops_bcc;
			filter_all(&filter, rows[i].in, step, out);
			assert_string_equal(out, rows[i].out);
		}
	}
}

/* Of a message that is kept as it came. */
static void
lines_with_cr_are_lines_too(void **state)
{
	static const char mail[] =
	    "A: b\r\nFrom: x\r\nBcc: c\r\n\r\nFrom: y\r\n";
	struct header_filter filter;
	char out[100];

	for (size_t step = 1; step < sizeof(mail); step++) {
		memset(&filter, 0, sizeof(filter));
		filter.drops_bcc = true;
		filter.is_exact = true;
		filter_all(&filter, mail, step, out);
		assert_string_equal(out, "A: b\r\nFrom: x\r\n\r\nFrom: y\r\n");
		assert_true(filter.is_over);
		assert_int_equal(filter.from_count, 1);

		memset(&filter, 0, sizeof(filter));
		filter.is_exact = true;
		filter_all(&filter, "no field\r\n\r\n", step, out);
		assert_string_equal(out, "\r\nno field\r\n\r\n");
	}
}

/* RFC 8689 section 4. */
static void
a_sender_can_do_without_tls(void **state)
{
	static const struct {
		bool is_optional;
		const char *in;
	} rows[] = { { true, "TLS-Required: No\n\n" },
		{ true, "A: b\r\ntls-required:\r\n  nO\r\nC: d\r\n\r\n" },
		{ true, "TLS-Required: No" },
		{ false, "TLS-Required: None\n\n" },
		{ false, "TLS-Required: Yes\n\n" },
		{ false, "TLS-Required: \nA: No\n\n" },
		{ false, "A: b\n\nTLS-Required: No\n" } };
	struct header_filter filter;
	char out[100];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t step = 1; step < 30; step++) {
			memset(&filter, 0, sizeof(filter));
			filter_all(&filter, rows[i].in, step, out);
			assert_string_equal(out, rows[i].in);
			assert_int_equal(
			    filter.is_tls_optional, rows[i].is_optional);
		}
	}
}

static void
put_prefix(struct mail_body *body, struct buf *prefix, void *context)
{
	buf_put_text(prefix, "P: x\n");
}

static void
binary_bytes_are_kept_as_they_came(void **state)
{
	static const char in[] = "A: b\r\n\r\n\0\r\r\n\n\xff.\r";
	static const size_t sizes[] = { sizeof(in) - 1, 100000 };
	static uint8_t all[100000], back[100020];
	struct mail_body body;
	struct error error;
	const uint8_t *kept;

	for (size_t i = 0; i < sizes[1]; i++)
		all[i] = (uint8_t)(i * 7);
	memcpy(all, in, sizeof(in) - 1);
	for (size_t i = 0; i < 2; i++) {
		mail_body_init(&body, put_prefix, NULL);
		body.is_exact = true;
		for (size_t n = 0; n < sizes[i]; n++)
			assert_int_equal(
			    mail_body_put(&body, all + n, 1, &error), 0);
		assert_int_equal(mail_body_finish(&body, &error), 0);
		assert_int_equal(body.defects, 0);
		assert_int_equal(body.stored_size, 6 + sizes[i]);
		kept = body.head.data;
		if (body.fd != -1) {
			assert_int_equal(pread(body.fd, back, sizeof(back), 0),
			    body.stored_size);
			kept = back;
		}
		assert_memory_equal(kept, "P: x\r\n", 6);
		assert_memory_equal(kept + 6, all, sizes[i]);
		mail_body_clear(&body);
	}
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
			memcpy(in + n, "a:\r\n", 4);
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
		assert_memory_equal(back, "P: x\na:\na:\n", 11);
		assert_memory_equal(back + body.stored_size - 6, "a:\na:\n", 6);
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
	const struct CMUnitTest tests[] = { cmocka_unit_test(
						some_fields_do_not_pass),
		cmocka_unit_test(a_body_keeps_only_our_return_path),
		cmocka_unit_test(a_received_field_says_all_and_nothing_else),
		cmocka_unit_test(a_header_is_counted_in_any_chunks),
		cmocka_unit_test(lines_with_cr_are_lines_too),
		cmocka_unit_test(a_sender_can_do_without_tls),
		cmocka_unit_test(binary_bytes_are_kept_as_they_came),
		cmocka_unit_test(a_body_is_the_same_in_memory_and_in_a_memfd) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
