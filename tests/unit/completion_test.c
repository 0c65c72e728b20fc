/* What can follow on a command line of snapctl. */
#include "snapctl/completion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct verb verbs[] = {
	{ "list", NULL, "", "list snapshots", "--since=TEXT ACCOUNT",
	    VERB_NAMES },
	{ "log", NULL, "", "what happened", "--deleted --since=TEXT ACCOUNT",
	    VERB_NAMES },
	{ "diff", NULL, "", "compare", "SNAP SEL", VERB_NAMES },
	{ "restore", NULL, "", "bring back", "--yes --mode=missing SEL...",
	    VERB_NAMES },
	{ "export", NULL, "", "write", "--format=maildir|mbox --at=SNAP SEL",
	    VERB_NAMES },
	{ "hold", NULL, "", "keep", "-m=TEXT TAG SEL", VERB_NAMES },
	{ "keep", NULL, "", "policy", "show|set TEXT", VERB_NAMES },
	{ "status", NULL, "", "how it is", "", VERB_NAMES },
};
static const struct verb_table table = { verbs,
	sizeof(verbs) / sizeof(verbs[0]), "-c=FILE --socket=FILE --json" };

static char offered[1000];

static void
take(struct text word, const char *about, void *context)
{
	(void)context;
	(void)about;
	snprintf(offered + strlen(offered), sizeof(offered) - strlen(offered),
	    "%.*s ", TEXT_FMT(word));
}

/* Words of the line, with blanks between them; the last one is begun. */
static void
complete(const char *text, struct completion *completion)
{
	static char line[200];
	char *words[20], *next = line;
	size_t count = 0;

	snprintf(line, sizeof(line), "%s", text);
	while (next != NULL)
		words[count++] = strsep(&next, " ");
	completion_find(&table, count, words, completion);
	offered[0] = '\0';
	completion_offer(&table, completion, take, NULL);
}

static void
words_that_the_table_knows(void **state)
{
	static const struct {
		const char *line;
		const char *offered;
	} rows[] = {
		{ "l", "list log " },
		{ "status", "status " },
		{ "x", "" },
		{ "--js", "--json " },
		{ "--json li", "list " },
		{ "log -", "--deleted --since -c --socket --json " },
		{ "log user --d", "--deleted " },
		{ "status --d", "" },
		{ "unknown --", "--socket --json " },
		/* A value is no verb, and no argument. */
		{ "-c list s", "status " },
		{ "--socket list s", "status " },
		{ "export --format m", "maildir mbox " },
		{ "export --format=ma", "maildir " },
		{ "restore --mode ", "missing " },
		{ "keep s", "show set " },
		{ "keep set s", "" },
		{ "keep --json ", "show set " },
	};
	struct completion completion;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		complete(rows[i].line, &completion);
		assert_string_equal(offered, rows[i].offered);
	}
}

static void
words_that_only_the_store_knows(void **state)
{
	static const struct {
		const char *line;
		enum completion_kind kind;
		const char *kept;
		const char *begun;
		const char *account;
	} rows[] = {
		{ "list us", COMPLETE_ACCOUNT, "", "us", "" },
		{ "list --since -3d us", COMPLETE_ACCOUNT, "", "us", "" },
		{ "list --since ", COMPLETE_NOTHING, "", "", "" },
		{ "list user more", COMPLETE_NOTHING, "", "more", "" },
		{ "status x", COMPLETE_NOTHING, "", "x", "" },
		{ "diff la", COMPLETE_SNAPSHOT, "", "la", "" },
		/* A point in time, not an option. */
		{ "diff -3d li", COMPLETE_SNAPSHOT, "", "li", "" },
		{ "diff -3", COMPLETE_SNAPSHOT, "", "-3", "" },
		{ "diff a live:us", COMPLETE_ACCOUNT, "live:", "us", "" },
		{ "restore a b la", COMPLETE_SNAPSHOT, "", "la", "" },
		{ "restore live:", COMPLETE_ACCOUNT, "live:", "", "" },
		{ "restore @7:u@x.test/W", COMPLETE_MAILBOX, "@7:u@x.test/",
		    "W", "u@x.test" },
		{ "restore @7:u@x.test/A/B", COMPLETE_MAILBOX, "@7:u@x.test/",
		    "A/B", "u@x.test" },
		{ "export --at l", COMPLETE_SNAPSHOT, "", "l", "" },
		{ "export --at=l", COMPLETE_SNAPSHOT, "--at=", "l", "" },
		{ "hold c", COMPLETE_TAG, "", "c", "" },
		{ "hold -m why c", COMPLETE_TAG, "", "c", "" },
		{ "hold case l", COMPLETE_SNAPSHOT, "", "l", "" },
	};
	struct completion c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		complete(rows[i].line, &c);
		assert_int_equal(c.kind, rows[i].kind);
		assert_true(text_is(c.kept, rows[i].kept));
		assert_true(text_is(c.begun, rows[i].begun));
		if (c.kind == COMPLETE_MAILBOX)
			assert_true(text_is(c.account, rows[i].account));
		assert_string_equal(offered, "");
	}
}

static void
where_to_ask_stands_in_the_line(void **state)
{
	struct completion c;

	(void)state;
	complete("-c a.conf --socket s.sock list u", &c);
	assert_string_equal(c.config, "a.conf");
	assert_string_equal(c.socket, "s.sock");
	complete("list u", &c);
	assert_null(c.config);
	assert_null(c.socket);
	complete("--socket s", &c);
	assert_null(c.socket);
	completion_find(&table, 0, NULL, &c);
	assert_int_equal(c.kind, COMPLETE_VERB);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_that_the_table_knows),
		cmocka_unit_test(words_that_only_the_store_knows),
		cmocka_unit_test(where_to_ask_stands_in_the_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
