/* Names of a foreign Maildir++ and its subscriptions. */
#include "firnmail/import_folder.h"
#include "firnmail/import_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
folders_keep_their_names_and_go_beneath_another(void **state)
{
	static const struct {
		const char *folder, *into, *name, *target;
	} rows[] = {
		{ "", "", "INBOX", "Maildir" },
		{ "", "Old", "Old/INBOX", "Maildir/.Old.INBOX" },
		{ ".Sent", "", "Sent", "Maildir/.Sent" },
		{ ".A.B", "Old/x", "Old/x/A/B", "Maildir/.Old.x.A.B" },
		{ ".caf&AOk-", "", "caf\xc3\xa9", "Maildir/.caf&AOk-" },
		/* Decomposed: one name here has one form. */
		{ ".cafe&AwE-", "", "caf\xc3\xa9", "Maildir/.caf&AOk-" },
		{ ".INBOX.Sub", "", "INBOX/Sub", "Maildir/.INBOX.Sub" },
		/* INBOX is the Maildir itself. */
		{ ".INBOX", "", NULL, NULL },
		{ ".inbox", "", NULL, NULL },
		{ ".a..b", "", NULL, NULL },
		{ ".a.", "", NULL, NULL },
		{ ".bad&name", "", NULL, NULL },
		{ ".line&AAo-", "", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf name, target;
		int result;

		buf_init(&name, 4096);
		buf_init(&target, 4096);
		result =
		    import_name(rows[i].folder, rows[i].into, &name, &target);
		assert_int_equal(result, rows[i].name == NULL ? -1 : 0);
		if (result == 0) {
			assert_true(text_is(
			    text_make(name.data, name.size), rows[i].name));
			assert_string_equal(
			    (const char *)target.data, rows[i].target);
		}
		buf_clear(&name);
		buf_clear(&target);
	}
}

/* The names of a file, each with a '|' behind. */
static void
check_subscriptions(const char *file, const char *into, const char *expected)
{
	struct text rest = text_of(file);
	bool is_tabbed = false;
	struct buf name, all;
	int got;

	buf_init(&name, 4096);
	buf_init(&all, 4096);
	while ((got = import_next_subscription(
		    &rest, &is_tabbed, into, &name)) != 0)
		if (got == 1) {
			buf_put(&all, name.data, name.size);
			buf_put_byte(&all, '|');
		}
	assert_true(text_is(text_make(all.data, all.size), expected));
	buf_clear(&name);
	buf_clear(&all);
}

static void
subscriptions_of_both_versions_are_read(void **state)
{
	(void)state;
	check_subscriptions("INBOX\nSent\nA.B\n", "", "INBOX|Sent|A/B|");
	check_subscriptions("V\t2\n\nSent\nA\tB\n", "", "Sent|A/B|");
	check_subscriptions("INBOX\nSent\n", "Old", "Old/INBOX|Old/Sent|");
	/* What is no name is passed over, the rest is read. */
	check_subscriptions("\n..\nbad&name\n\x01\nSent", "", "Sent|");
	check_subscriptions("", "", "");
	check_subscriptions("A\tB\n", "", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    folders_keep_their_names_and_go_beneath_another),
		cmocka_unit_test(subscriptions_of_both_versions_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
