/*
 * SEARCH of a header field: by the fields that the cache has kept, what is
 * found is what is found in the message itself.
 */
#include "imapd/search_match.h"

#include "common/casefold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct match {
	const char *field; /* of the message, whole */
	const char *sought;
	bool is_found; /* in Subject */
};

static const struct match matches[] = {
	{ "Subject: a zebra crossing\n", "zebra", true },
	{ "Subject: a zebra crossing\n", "ZEBRA", true },
	{ "Subject: a horse\n", "zebra", false },
	{ "Subject: a horse\nFrom: zebra\n", "zebra", false },
	{ "Subject: a horse\nFrom: zebra\n", "horse", true },
	{ "X-Zebra: 1\nSubject: zebra\n", "zebra", true },
	/* Folded: the blank is there, the line's end is not. */
	{ "Subject: a zebra\n crossing\n", "zebra crossing", true },
	/* As it is shown, however the next line begins. */
	{ "Subject: a zebra\n\tcrossing\n", "zebra crossing", true },
	{ "Subject: a zebra\r\n \t  crossing\r\n", "zebra crossing", true },
	{ "Subject: a zebra \n crossing\n", "zebra crossing", true },
	{ "Subject: a\tzebra\n", "a zebra", true },
	{ "Subject: a  zebra\n", "a  zebra", true },
	{ "Subject: a  zebra\n", "a zebra", false },
	{ "Subject: =?utf-8?q?ze?=\n\t=?utf-8?q?bra?=\n", "zebra", true },
	{ "Subject: =?utf-8?q?ze=62ra?=\n\tcrossing\n", "zebra crossing",
	    true },
	{ "Subject: a ze\n bra\n", "zebra", false },
	{ "Subject: a ze\rbra\n", "zebra", false },
	{ "Subject: a ze\rbra\n", "ze\rbra", true },
	/* Spelt in another way than it stands. */
	{ "Subject: =?utf-8?q?ze=62ra?=\n", "zebra", true },
	{ "Subject: =?utf-8?B?emVicmE=?=\n", "zebra", true },
	{ "Subject: =?utf-8?B?emVi?= =?utf-8?q?ra?=\n", "zebra", true },
	{ "Subject: a = ?\n", "zebra", false },
	{ "Subject: ?\n", "zebra", false },
	{ "Subject: \xef\xbd\x9a\xef\xbd\x85"
	  "bra\n",
	    "zebra", true },
	{ "Subject: Z\xc3\xa9"
	  "bra\n",
	    "z\xc3\x89"
	    "bra",
	    true },
	{ "Subject: zebra\n",
	    "z\xc3\xa9"
	    "bra",
	    false },
	{ "From: zebra\n", "", false },
	{ "Subject:\n", "", true },
	{ "Subject: zebra\n", "", true },
};

static bool
finds(const struct match *match, bool by_cache, struct pool *pool)
{
	struct search_key key = { .kind = SEARCH_HEADER,
		.field = TEXT("Subject"),
		.text = casefold(text_of(match->sought), pool) };
	struct search_subject subject = { .pool = pool };
	char message[300];
	struct mime_part *root;
	struct message_cache cache;
	struct buf record;
	bool is_found;

	strcpy(stpcpy(message, match->field), "\nbody\n");
	buf_init(&record, MESSAGE_CACHE_MAX_SIZE);
	root = mime_parse(text_of(message), pool);
	assert_int_equal(
	    message_cache_format(root, strlen(message), &record), 0);
	assert_int_equal(message_cache_parse(
			     text_make(record.data, record.size), &cache, NULL),
	    0);
	subject.cache = &cache;
	if (!by_cache) {
		subject.root = root;
		subject.stored = text_of(message);
	}
	is_found = search_match(&key, &subject) == SEARCH_YES;
	buf_clear(&record);
	return is_found;
}

static void
a_field_is_found_in_the_cache_as_in_the_message(void **state)
{
	for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]); i++)
		for (int by_cache = 0; by_cache <= 1; by_cache++) {
			struct pool *pool = pool_new();

			if (finds(&matches[i], by_cache, pool) !=
			    matches[i].is_found)
				fail_msg("case %zu, %s", i,
				    by_cache ? "cache" : "message");
			pool_free(&pool);
		}
}

/* Whatever stands there: words that are cut, lines that are folded. */
static void
so_it_is_with_any_field(void **state)
{
	static const char *const parts[] = { "ze", "bra", "\n ", " ", "=?",
		"?=", "=?utf-8?q?", "ze=62ra", "\r", "\xc3\xa9", "Z", "=", "?",
		"\n\t" };
	static const char *const sought[] = { "zebra", "ze bra", "bra", "=?",
		"z", "\xc3\xa9", "ze\tbra" };
	unsigned int found = 0;

	srandom(5);
	for (int round = 0; round < 20000; round++) {
		struct pool *pool = pool_new();
		char field[200] = "Subject: x";
		struct match match = { field, sought[random() % 7], false };

		for (long left = random() % 8; left > 0; left--)
			strcat(field, parts[random() % 14]);
		strcat(field, "\nFrom: horse\n");
		match.is_found = finds(&match, false, pool);
		found += match.is_found;
		if (finds(&match, true, pool) != match.is_found)
			fail_msg("\"%s\" in \"%s\"", match.sought, field);
		pool_free(&pool);
	}
	assert_true(found > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_field_is_found_in_the_cache_as_in_the_message),
		cmocka_unit_test(so_it_is_with_any_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
