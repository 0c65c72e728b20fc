/*
 * Threads of discussion (RFC 5256 3), message identifiers, and what a hostile
 * discussion costs.
 */
#include "imapd/message_ids.h"
#include "imapd/thread_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const struct {
	const char *value;
	const char *ids; /* with a bar behind each */
} identifiers[] = {
	{ "<a@b>", "a@b|" },
	{ "<a@b> <c@d>", "a@b|c@d|" },
	{ "<a@b><c@d>", "a@b|c@d|" },
	{ "words <a@b> (more) <c@d> words", "a@b|c@d|" },
	{ "<\"a\"@b>", "a@b|" },
	{ "<\"a\\\"> <\"@b>", "a\"> <@b|" },
	{ "< a @\r\n b >", "a@b|" },
	{ "", "" },
	{ "a@b", "" },
	{ "<a@b", "" },
	{ "<a>", "" },
	{ "<@b>", "" },
	{ "<a@>", "" },
	{ "<>", "" },
	{ "<<a@b>", "a@b|" },
	{ "<a <b@c>", "b@c|" },
};

static void
identifiers_are_read_as_the_rfc_compares_them(void **state)
{
	struct pool *pool = pool_new();
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(identifiers) / sizeof(*identifiers);
	     i++) {
		struct text value = text_of(identifiers[i].value), id;
		char all[200] = "";

		while (message_id_next(&value, pool, &id))
			snprintf(all + strlen(all), sizeof(all) - strlen(all),
			    "%.*s|", TEXT_FMT(id));
		if (strcmp(all, identifiers[i].ids) == 0)
			continue;
		print_error("%s: %s\n", identifiers[i].value, all);
		failures++;
	}
	pool_free(&pool);
	assert_int_equal(failures, 0);
}

struct message {
	int64_t time;
	const char *subject; /* "Re: " in front marks a reply */
	const char *id;
	const char *references;
	const char *reply_to;
};

static const struct thread_case {
	const char *name;
	enum thread_algorithm algorithm;
	struct message messages[8];
	const char *threads;
} cases[] = {
	{ "nothing has no threads", THREAD_REFERENCES, { { 0 } }, "" },
	{ "a reply stands behind what it answers", THREAD_REFERENCES,
	    { { 1, "a", "a@x", NULL, NULL },
		{ 2, "Re: a", "b@x", "<a@x>", NULL },
		{ 3, "Re: a", "c@x", "<a@x> <b@x>", NULL } },
	    "(1 2 3)" },
	{ "two answers have brackets", THREAD_REFERENCES,
	    { { 1, "a", "a@x", NULL, NULL },
		{ 2, "Re: a", "b@x", "<a@x>", NULL },
		{ 3, "Re: a", "c@x", "<a@x>", NULL } },
	    "(1 (2)(3))" },
	{ "In-Reply-To counts where there are no References", THREAD_REFERENCES,
	    { { 1, "a", "a@x", NULL, NULL },
		{ 2, "b", "b@x", NULL, "<a@x> <c@x>" },
		{ 3, "c", "c@x", "<a@x>", "<b@x>" } },
	    "(1 (2)(3))" },
	{ "what comes first in the mailbox may answer what comes later",
	    THREAD_REFERENCES,
	    { { 3, "Re: a", "c@x", "<a@x> <b@x>", NULL },
		{ 2, "Re: a", "b@x", "<a@x>", NULL },
		{ 1, "a", "a@x", NULL, NULL } },
	    "(3 2 1)" },
	{ "who answers one that is not there has no parent", THREAD_REFERENCES,
	    { { 1, "a", "a@x", "<gone@x>", NULL },
		{ 2, "b", "b@x", NULL, NULL } },
	    "(1)(2)" },
	{ "those who answer one that is not there stand together",
	    THREAD_REFERENCES,
	    { { 5, "a", "a@x", "<gone@x>", NULL },
		{ 2, "b", "b@x", "<gone@x>", NULL },
		{ 3, "c", "c@x", NULL, NULL } },
	    "((2)(1))(3)" },
	{ "one that is not there in the middle is left out", THREAD_REFERENCES,
	    { { 1, "a", "a@x", NULL, NULL },
		{ 3, "Re: a", "c@x", "<a@x> <gone@x>", NULL },
		{ 4, "Re: a", "d@x", "<a@x> <gone@x>", NULL } },
	    "(1 (2)(3))" },
	{ "threads stand by the time of their first message", THREAD_REFERENCES,
	    { { 9, "a", "a@x", NULL, NULL }, { 2, "b", "b@x", NULL, NULL },
		{ 1, "c", "c@x", "<a@x>", NULL } },
	    "(2)(1 3)" },
	{ "messages of one time stand as in the mailbox", THREAD_REFERENCES,
	    { { 1, "a", "a@x", NULL, NULL }, { 1, "b", "b@x", NULL, NULL } },
	    "(1)(2)" },
	{ "a circle is cut", THREAD_REFERENCES,
	    { { 1, "a", "a@x", "<b@x>", NULL },
		{ 2, "b", "b@x", "<a@x>", NULL } },
	    "(2 1)" },
	{ "one that refers to itself is alone", THREAD_REFERENCES,
	    { { 1, "a", "a@x", "<a@x>", NULL },
		{ 2, "b", "b@x", "<a@x> <b@x>", NULL } },
	    "(1)(2)" },
	{ "a second message of the same identifier is another",
	    THREAD_REFERENCES,
	    { { 1, "a", "a@x", NULL, NULL }, { 2, "b", "a@x", NULL, NULL },
		{ 3, "c", "c@x", "<a@x>", NULL } },
	    "(1 3)(2)" },
	{ "what the message says of itself counts more than what others say",
	    THREAD_REFERENCES,
	    { { 3, "c", "c@x", "<a@x> <b@x>", NULL },
		{ 1, "a", "a@x", NULL, NULL }, { 2, "b", "b@x", NULL, NULL } },
	    "(2)(3 1)" },
	{ "without identifiers a reply joins its subject", THREAD_REFERENCES,
	    { { 1, "a", NULL, NULL, NULL }, { 2, "Re: a", NULL, NULL, NULL },
		{ 3, "Re: a", NULL, NULL, NULL } },
	    "(1 (2)(3))" },
	{ "a reply that comes first joins its subject too", THREAD_REFERENCES,
	    { { 1, "Re: a", NULL, NULL, NULL }, { 2, "a", NULL, NULL, NULL } },
	    "(2 1)" },
	{ "messages of one subject that answer nothing stand side by side",
	    THREAD_REFERENCES,
	    { { 1, "a", NULL, NULL, NULL }, { 2, "a", NULL, NULL, NULL },
		{ 3, "a", NULL, NULL, NULL } },
	    "((1)(2)(3))" },
	{ "replies whose beginning is not there stand side by side",
	    THREAD_REFERENCES,
	    { { 1, "Re: a", NULL, NULL, NULL },
		{ 2, "Re: a", NULL, NULL, NULL } },
	    "((1)(2))" },
	{ "two gatherings of one subject become one", THREAD_REFERENCES,
	    { { 1, "a", "a@x", "<g@x>", NULL },
		{ 2, "a", "b@x", "<g@x>", NULL },
		{ 3, "a", "c@x", "<h@x>", NULL },
		{ 4, "a", "d@x", "<h@x>", NULL },
		{ 5, "a", "e@x", NULL, NULL } },
	    "((1)(2)(3)(4)(5))" },
	{ "messages without a subject are not gathered", THREAD_REFERENCES,
	    { { 1, "", NULL, NULL, NULL }, { 2, "", NULL, NULL, NULL } },
	    "(1)(2)" },
	{ "by subject the first one has the others below it",
	    THREAD_ORDEREDSUBJECT,
	    { { 1, "a", NULL, NULL, NULL }, { 2, "b", NULL, NULL, NULL },
		{ 4, "Re: a", NULL, NULL, NULL }, { 3, "a", NULL, NULL, NULL },
		{ 5, "Re: b", NULL, NULL, NULL } },
	    "(1 (4)(3))(2 5)" },
	{ "by subject no reference counts", THREAD_ORDEREDSUBJECT,
	    { { 2, "a", "a@x", NULL, NULL }, { 1, "b", "b@x", "<a@x>", NULL } },
	    "(2)(1)" },
};

static void
add(struct thread_tree *tree, uint32_t number, const struct message *m)
{
	bool is_reply = strncmp(m->subject, "Re: ", 4) == 0;
	struct thread_message message = {
		.number = number,
		.time = m->time,
		.subject = text_of(m->subject + (is_reply ? 4 : 0)),
		.is_reply = is_reply,
	};
	char header[500] = "";
	size_t size = 0;

	if (m->id != NULL)
		size += (size_t)snprintf(
		    header, sizeof(header), "Message-ID: <%s>\r\n", m->id);
	if (m->references != NULL)
		size += (size_t)snprintf(header + size, sizeof(header) - size,
		    "References: %s\r\n", m->references);
	if (m->reply_to != NULL)
		size += (size_t)snprintf(header + size, sizeof(header) - size,
		    "In-Reply-To: %s\r\n", m->reply_to);
	thread_tree_add(tree, &message, text_make(header, size));
}

static void
threads_are_those_of_the_rfc(void **state)
{
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct thread_tree *tree = thread_tree_new(cases[i].algorithm);
		struct buf out;

		buf_init(&out, 1000);
		for (uint32_t n = 0; cases[i].messages[n].subject != NULL; n++)
			add(tree, n + 1, &cases[i].messages[n]);
		thread_tree_finish(tree);
		while (thread_tree_put_next(tree, &out))
			;
		if (!text_is(text_make(out.data, out.size), cases[i].threads)) {
			print_error("%s: %.*s, not %s\n", cases[i].name,
			    (int)out.size, (const char *)out.data,
			    cases[i].threads);
			failures++;
		}
		buf_clear(&out);
		thread_tree_free(&tree);
	}
	assert_int_equal(failures, 0);
}

enum hostile {
	CHAIN,    /* each answers the one before */
	BACKWARD, /* each answers the one that comes next */
	RAISE,    /* a long chain below which everything is put again */
	SUBJECT,  /* all of one subject */
	HOSTILE_COUNT
};

static void
describe(enum hostile kind, uint32_t n, uint32_t count, char *header)
{
	uint32_t half = count / 2;

	switch (kind) {
	case CHAIN:
		sprintf(header, "Message-ID: <%u@x>\nReferences: <%u@x>\n", n,
		    n - 1);
		return;
	case BACKWARD:
		sprintf(header, "Message-ID: <%u@x>\nReferences: <%u@x>\n", n,
		    n + 1);
		return;
	case RAISE:
		if (n < half)
			describe(CHAIN, n, count, header);
		else /* "c<n>" has a child already when it goes below */
			sprintf(header,
			    "Message-ID: <%u@x>\n"
			    "References: <%u@x> <c%u@x> <d%u@x>\n",
			    n, half - 1, n, n);
		return;
	default:
		header[0] = '\0';
	}
}

/* A step for each pair would take minutes. */
static void
a_hostile_discussion_takes_no_time(void **state)
{
	enum {
		COUNT = 60000
	};

	(void)state;
	for (int kind = 0; kind < HOSTILE_COUNT; kind++) {
		struct thread_tree *tree = thread_tree_new(THREAD_REFERENCES);
		clock_t begun = clock();
		char header[200];
		struct buf out;
		size_t threads = 0;

		buf_init(&out, 16 * 1024 * 1024);
		for (uint32_t n = 1; n <= COUNT; n++) {
			struct thread_message message = { .number = n,
				.time = n,
				.subject =
				    text_of(kind == SUBJECT ? "a" : "") };

			describe((enum hostile)kind, n, COUNT, header);
			thread_tree_add(tree, &message, text_of(header));
		}
		thread_tree_finish(tree);
		while (thread_tree_put_next(tree, &out))
			threads++;
		assert_int_equal(threads, 1);
		assert_true(out.size > COUNT * 5);
		assert_true((clock() - begun) / CLOCKS_PER_SEC < 5);
		buf_clear(&out);
		thread_tree_free(&tree);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identifiers_are_read_as_the_rfc_compares_them),
		cmocka_unit_test(threads_are_those_of_the_rfc),
		cmocka_unit_test(a_hostile_discussion_takes_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
