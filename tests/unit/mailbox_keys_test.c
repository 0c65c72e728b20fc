/*
 * The access keys of an account's mailboxes: who has one, how long, and what is
 * on the disk when it is said.
 */
#include "imapd/mailbox_keys.h"
#include "common/file.h"
#include "imapd/account_state.h"
#include "tests/unit/account_world.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct key {
	uint8_t bytes[MAILBOX_KEY_SIZE];
};

static uint64_t
id_of(struct world *w, const char *name)
{
	const struct mailbox_info *info =
	    mailbox_list_find(w->account, text_of(name));

	assert_non_null(info);
	return info->id;
}

static struct key
get(struct world *w, const char *name)
{
	struct key key;

	assert_int_equal(
	    mailbox_key_get(w->account, id_of(w, name), key.bytes), STATUS_OK);
	return key;
}

static enum status
find(struct world *w, const char *name, struct key *key)
{
	return mailbox_key_find(w->account, id_of(w, name), key->bytes);
}

static bool
is_same(struct key a, struct key b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static void
make(struct world *w, const char *name)
{
	w->answers = 0;
	mailbox_list_create(w->account, text_of(name), 0, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
}

static void
each_mailbox_has_a_key_of_its_own_and_keeps_it(void **state)
{
	struct world *w = *state;
	struct key inbox, other, again;

	make(w, "Other");
	assert_int_equal(find(w, "INBOX", &again), STATUS_MISSING);
	inbox = get(w, "INBOX");
	other = get(w, "Other");
	assert_false(is_same(inbox, other));
	assert_true(is_same(inbox, get(w, "INBOX")));
	kill_worker(w);
	open_account(w);
	assert_int_equal(find(w, "INBOX", &again), STATUS_OK);
	assert_true(is_same(inbox, again));
	assert_true(is_same(other, get(w, "Other")));
}

static void
it_is_the_mailboxs_by_whatever_name(void **state)
{
	struct world *w = *state;
	struct key key;

	make(w, "Other");
	key = get(w, "Other");
	w->answers = 0;
	mailbox_list_rename(
	    w->account, TEXT("Other"), TEXT("New"), answered, w);
	wait_for(w, has_answer);
	make(w, "Other");
	assert_true(is_same(key, get(w, "New")));
	assert_false(is_same(key, get(w, "Other")));
}

static void
who_deletes_a_mailbox_deletes_its_key(void **state)
{
	struct world *w = *state;
	struct key key;
	uint64_t id;

	make(w, "Other");
	(void)get(w, "Other");
	id = id_of(w, "Other");
	w->answers = 0;
	mailbox_list_delete(w->account, TEXT("Other"), answered, w);
	wait_for(w, has_answer);
	assert_int_equal(
	    mailbox_key_find(w->account, id, key.bytes), STATUS_MISSING);
	restart(w);
	assert_int_equal(
	    mailbox_key_find(w->account, id, key.bytes), STATUS_MISSING);
}

static void
a_new_key_takes_the_place_of_the_old_one(void **state)
{
	struct world *w = *state;
	struct key old, other, now;

	make(w, "Other");
	old = get(w, "INBOX");
	other = get(w, "Other");
	assert_int_equal(
	    mailbox_key_reset(w->account, id_of(w, "INBOX")), STATUS_OK);
	kill_worker(w);
	open_account(w);
	assert_int_equal(find(w, "INBOX", &now), STATUS_OK);
	assert_false(is_same(now, old));
	assert_true(is_same(other, get(w, "Other")));
	assert_int_equal(mailbox_key_reset(w->account, 0), STATUS_OK);
	kill_worker(w);
	open_account(w);
	assert_int_equal(find(w, "INBOX", &now), STATUS_MISSING);
	assert_int_equal(find(w, "Other", &now), STATUS_MISSING);
}

static void
sessions_are_told_of_it(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view = open_view(w, "INBOX");
	struct mailbox_update update;

	assert_false(mailbox_view_has_updates(view, true));
	assert_int_equal(
	    mailbox_key_reset(w->account, id_of(w, "INBOX")), STATUS_OK);
	assert_true(mailbox_view_has_updates(view, true));
	assert_true(mailbox_view_next_update(view, false, &update));
	assert_int_equal(update.kind, UPDATE_KEY);
	assert_false(mailbox_view_next_update(view, false, &update));
	mailbox_view_close(&view);
}

static int
fail_call(const char *call, const char *name, void *context)
{
	const char *failing = context;

	return strcmp(call, failing) == 0 ? ENOSPC : 0;
}

/* Whatever fails on the way: the answer is no, and the old key is in force. */
static void
what_is_not_on_the_disk_is_not_said(void **state)
{
	static const char *const calls[] = { "create", "write", "sync",
		"rename" };
	struct world *w = *state;
	struct key old = get(w, "INBOX"), now;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		file_set_fault_hook(fail_call, (void *)(uintptr_t)calls[i]);
		assert_int_equal(
		    mailbox_key_reset(w->account, id_of(w, "INBOX")),
		    STATUS_FULL);
		file_set_fault_hook(NULL, NULL);
		assert_true(is_same(old, get(w, "INBOX")));
		kill_worker(w);
		open_account(w);
		assert_int_equal(find(w, "INBOX", &now), STATUS_OK);
		assert_true(is_same(old, now));
	}
}

/* Nobody else reads them, and what others wrote there is none. */
static void
the_file_is_the_workers_own(void **state)
{
	struct world *w = *state;
	struct stat status;
	struct key key;
	char path[128];
	int fd;

	(void)get(w, "INBOX");
	snprintf(path, sizeof(path), "%s/mailbox-keys", w->home);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(status.st_size, 1 + 8 + MAILBOX_KEY_SIZE);
	assert_int_equal(truncate(path, 30), 0);
	restart(w);
	assert_int_equal(find(w, "INBOX", &key), STATUS_MISSING);
	(void)get(w, "INBOX");
	restart(w);
	assert_int_equal(find(w, "INBOX", &key), STATUS_OK);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "\x02", 1), 1);
	close(fd);
	restart(w);
	assert_int_equal(find(w, "INBOX", &key), STATUS_MISSING);
}

#define in_world(test) \
	cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(each_mailbox_has_a_key_of_its_own_and_keeps_it),
		in_world(it_is_the_mailboxs_by_whatever_name),
		in_world(who_deletes_a_mailbox_deletes_its_key),
		in_world(a_new_key_takes_the_place_of_the_old_one),
		in_world(sessions_are_told_of_it),
		in_world(what_is_not_on_the_disk_is_not_said),
		in_world(the_file_is_the_workers_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
