/*
 * Maildirs that other programs change while the worker writes to them, is
 * killed, cannot look or heals: what they did is neither overlooked nor
 * undone, and what cannot be seen is not taken for lost.
 */
#include "tests/unit/account_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* -- Healing -- */

static bool
has_caught_up(struct world *w)
{
	uint64_t written, failed;

	return false_store_caught_up(w->store, &written, &failed);
}

static void
a_restore_that_meets_a_starting_worker_writes_each_file_once(void **state)
{
	struct world *w = *state;
	uint64_t written, failed;
	char path[600];

	for (int i = 0; i < 30; i++)
		append_to(w, "INBOX", "kept\r\n");
	account_store_free(&w->account);
	snprintf(path, sizeof(path), "%s/Maildir", w->home);
	wipe(path);
	begin_account(w);
	false_store_catch_up(w->store);
	wait_for(w, has_caught_up);
	assert_true(false_store_caught_up(w->store, &written, &failed));
	assert_int_equal(written, 30);
	assert_int_equal(failed, 0);
	assert_int_equal(count_files(w, "Maildir", NULL), 30);
	wait_for(w, is_ready);
	assert_int_equal(false_store_marked(w->store), 30);
	assert_int_equal(false_store_missing(w->store), 0);
}

int
main(void)
{
#define TEST_CASE(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST_CASE(
		    a_restore_that_meets_a_starting_worker_writes_each_file_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
