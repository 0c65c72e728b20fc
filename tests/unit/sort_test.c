/*
 * The order of SORT (RFC 5256, RFC 5957): base subjects, and messages by each
 * criterion.
 */
#include "imapd/base_subject.h"
#include "imapd/sort_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const struct {
	const char *subject;
	const char *base;
} subjects[] = {
	{ "", "" },
	{ "plain", "plain" },
	{ "  two\t \r\n words ", "two words" },
	{ "Re: x", "x" },
	{ "RE : x", "x" },
	{ "re[4]: x", "x" },
	{ "Re [4] : x", "x" },
	{ "Fw: x", "x" },
	{ "FWD: x", "x" },
	{ "Re: Fwd: re: x", "x" },
	{ "Ref: x", "Ref: x" },
	{ "Reply: x", "Reply: x" },
	{ "[list] x", "x" },
	{ "[list] Re: x", "x" },
	{ "Re: [list] Re: x", "x" },
	{ "[a][b] [c] x", "x" },
	{ "[only a blob]", "[only a blob]" },
	{ "[a] [b]", "[b]" },
	{ "[a[b] x", "[a[b] x" },
	{ "Re: [a]", "[a]" },
	{ "x (fwd)", "x" },
	{ "x (FWD) (fwd) ", "x" },
	{ "(fwd)", "" },
	{ "Re:", "" },
	{ "[Fwd: x]", "x" },
	{ "[Fwd: [Fwd: Re: x (fwd)]]", "x" },
	{ "[fwd:]", "" },
	{ "[fwd: x", "[fwd: x" },
	{ "Re: [Fwd: [list] x]", "x" },
	{ "[", "[" },
	{ "]", "]" },
	{ "re", "re" },
};

static void
base_subjects_are_those_of_the_rfc(void **state)
{
	struct pool *pool = pool_new();
	int failures = 0;
	bool is_reply;

	(void)state;
	for (size_t i = 0; i < sizeof(subjects) / sizeof(*subjects); i++) {
		struct text base =
		    base_subject(text_of(subjects[i].subject), pool, &is_reply);

		if (text_is(base, subjects[i].base))
			continue;
		print_error("\"%s\" is \"%.*s\", not \"%s\"\n",
		    subjects[i].subject, TEXT_FMT(base), subjects[i].base);
		failures++;
	}
	pool_free(&pool);
	assert_int_equal(failures, 0);
}

/* In a time that grows with its length: cases of a hostile mind. */
static void
a_long_subject_is_cut_in_no_time(void **state)
{
	static const char *const parts[] = { "[a]", "Re:", "[fwd:", "re[",
		"[a] re", "(fwd)", "[[", " [a", "]" };
	struct pool *pool = pool_new();
	clock_t begun = clock();
	bool is_reply;

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		size_t size = strlen(parts[i]), room = 256 * 1024;
		char *subject = pool_alloc(pool, room + 1, 1);

		for (size_t at = 0; at + size < room; at += size)
			memcpy(subject + at, parts[i], size);
		(void)base_subject(text_of(subject), pool, &is_reply);
	}
	pool_free(&pool);
	/* A step for each pair of parts would take some ten seconds. */
	assert_true((clock() - begun) / CLOCKS_PER_SEC < 2);
}

/* UIDs 1, 2, ... with these; size and INTERNALDATE fall with the UID. */
static const char *const headers[] = {
	"From: \"Zoe\" <a@b>\r\nTo: x@y\r\nSubject: b\r\n"
	"Date: Mon, 5 Jan 2026 10:00:00 +0000\r\n\r\n",
	"From: =?utf-8?q?=C3=84nne?= <z@b>\r\nTo: Ann <w@y>\r\n"
	"Subject: Re: [l] B\r\nDate: Mon, 5 Jan 2026 09:30:00 -0100\r\n\r\n",
	"From: m@b\r\nCc: c@d, a@d\r\nSubject: =?utf-8?q?a?=\r\n"
	"Date: nonsense\r\n\r\n",
	"\r\n",
};
enum {
	COUNT = sizeof(headers) / sizeof(*headers)
};

static const struct {
	const char *criteria;
	const char *order;
} orders[] = {
	{ "(ARRIVAL)", "4321" },
	{ "(REVERSE ARRIVAL)", "1234" },
	{ "(SIZE)", "4321" },
	{ "(SUBJECT)", "4312" },
	{ "(REVERSE SUBJECT)", "1234" },
	{ "(SUBJECT REVERSE SIZE)", "4312" },
	{ "(SUBJECT SIZE)", "4321" },
	{ "(FROM)", "4132" },
	{ "(TO)", "3421" },
	{ "(CC)", "1243" },
	{ "(DISPLAYFROM)", "4231" },
	{ "(DISPLAYTO)", "3421" },
	/* 10:00, 10:30 UTC; 3 and 4 by arrival, long before. */
	{ "(DATE)", "4312" },
	{ "(REVERSE DATE)", "2134" },
};

static const char *
sorted(const char *text, struct pool *pool)
{
	static char order[COUNT + 1];
	struct sort_criteria criteria;
	struct sort_item items[COUNT];
	struct imap_parser parser;

	imap_parser_init(&parser, text_of(text), pool);
	assert_int_equal(sort_criteria_parse(&parser, &criteria), 0);
	for (uint32_t i = 0; i < COUNT; i++) {
		const struct mailbox_row row = { .uid = i + 1,
			.size = 100 - i,
			.internaldate = 1000 - (int64_t)i };

		items[i] = sort_item_make(
		    &criteria, &row, text_of(headers[i]), pool, pool);
	}
	sort_items(&criteria, items, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		order[i] = (char)('0' + items[i].uid);
	return order;
}

static void
messages_stand_in_the_order_of_each_criterion(void **state)
{
	struct pool *pool = pool_new();
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
		const char *order = sorted(orders[i].criteria, pool);

		if (strcmp(order, orders[i].order) == 0)
			continue;
		print_error("%s: %s, not %s\n", orders[i].criteria, order,
		    orders[i].order);
		failures++;
	}
	pool_free(&pool);
	assert_int_equal(failures, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base_subjects_are_those_of_the_rfc),
		cmocka_unit_test(a_long_subject_is_cut_in_no_time),
		cmocka_unit_test(messages_stand_in_the_order_of_each_criterion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
