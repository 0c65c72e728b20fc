/*
 * The order of mailboxes and of subscriptions: INBOX first, then by bytes; and
 * which comes next after any name, one that is not there as well.
 */
#include "tests/unit/account_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* In their order, made in another. */
static const char *const names[] = { "INBOX", "A", "INBOX/below", "a", "a!",
	"a!/x", "a/b", "a/b/c", "a0", "b" };
static const size_t made[] = { 7, 9, 2, 8, 5, 1 }; /* levels above: as well */
/* For which of `names` it is the one before. */
static const struct {
	const char *after;
	int next; /* -1: none */
} steps[] = { { "", 0 }, { "INBOX", 1 }, { "@", 1 }, { "A", 2 },
	{ "INBOX/", 2 }, { "INBOX/below", 3 }, { "J", 3 }, { "a", 4 },
	{ "a ", 4 }, { "a!", 5 }, { "a!/x", 6 }, { "a/", 6 }, { "a/b", 7 },
	{ "a/b/", 7 }, { "a/b/c", 8 }, { "a/c", 8 }, { "a0", 9 }, { "b", -1 },
	{ "c", -1 } };

static bool
is_made(const char *name)
{
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		if (strncmp(names[made[i]], name, strlen(name)) == 0 &&
		    strchr("/", names[made[i]][strlen(name)]) != NULL)
			return true;
	return strcmp(name, "INBOX") == 0;
}

static void
make_all(struct world *w)
{
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		w->answers = 0;
		mailbox_list_create(
		    w->account, text_of(names[made[i]]), 0, answered, w);
		wait_for(w, has_answer);
		assert_int_equal(w->status, STATUS_OK);
	}
}

static void
subscribe_all(struct world *w)
{
	for (size_t i = sizeof(names) / sizeof(names[0]); i > 0; i--) {
		w->answers = 0;
		mailbox_list_subscribe(
		    w->account, text_of(names[i - 1]), true, answered, w);
		wait_for(w, has_answer);
		assert_int_equal(w->status, STATUS_OK);
	}
}

static void
each_name_has_one_that_comes_next(void **state)
{
	struct world *w = *state;

	make_all(w);
	subscribe_all(w);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct text after = text_of(steps[i].after), name;
		const struct mailbox_info *info =
		    mailbox_list_next(w->account, after);
		bool is_subscribed =
		    mailbox_list_next_subscribed(w->account, after, &name);

		if (steps[i].next == -1) {
			assert_null(info);
			assert_false(is_subscribed);
			continue;
		}
		assert_non_null(info);
		assert_true(text_is(info->name, names[steps[i].next]));
		assert_true(is_subscribed);
		assert_true(text_is(name, names[steps[i].next]));
	}
}

static void
what_is_not_there_is_not_found(void **state)
{
	struct world *w = *state;

	make_all(w);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct text name = text_of(steps[i].after);

		assert_int_equal(mailbox_list_find(w->account, name) != NULL,
		    name.size > 0 && is_made(steps[i].after) &&
			name.data[name.size - 1] != '/');
		assert_false(mailbox_list_is_subscribed(w->account, name));
	}
}

static bool
exists(const struct world *w, const char *name)
{
	return mailbox_list_find(w->account, text_of(name)) != NULL;
}

static void
a_level_that_is_no_mailbox_is_renamed_with_those_below(void **state)
{
	struct world *w = *state;

	w->answers = 0;
	mailbox_list_create(w->account, TEXT("x/y/z"), 0, answered, w);
	wait_for(w, has_answer);
	w->answers = 0;
	mailbox_list_delete(w->account, TEXT("x"), answered, w);
	wait_for(w, has_answer);
	assert_false(exists(w, "x"));

	w->answers = 0;
	mailbox_list_rename(w->account, TEXT("x"), TEXT("x/w"), answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_INVALID);
	w->answers = 0;
	mailbox_list_rename(w->account, TEXT("x"), TEXT("v"), answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	assert_false(exists(w, "x/y"));
	assert_false(exists(w, "v"));
	assert_true(exists(w, "v/y"));
	assert_true(exists(w, "v/y/z"));

	w->answers = 0;
	mailbox_list_rename(w->account, TEXT("x"), TEXT("u"), answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_MISSING);
}

int
main(void)
{
#define TEST_CASE(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST_CASE(each_name_has_one_that_comes_next),
		TEST_CASE(what_is_not_there_is_not_found),
		TEST_CASE(
		    a_level_that_is_no_mailbox_is_renamed_with_those_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
