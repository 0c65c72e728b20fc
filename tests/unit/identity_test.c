/*
 * UIDVALIDITY: what an import takes over, who yields, who may not have it, and
 * that a name, a UIDVALIDITY and a UID never mean two messages (P5).
 */
#include "common/file.h"
#include "snapd/batch_changes.h"
#include "tests/unit/scratch_store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	ACCOUNT = 1,
	INBOX = 1, /* the first mailbox there is */
	NOW = 1700000000,
	OLD = 1500000000, /* what another server gave */
	MAP_BYTES = 64 << 20
};

struct fixture {
	char path[64];
	struct store *store;
	struct journal *journal;
};

static void
open_store(struct fixture *f)
{
	struct error error;

	f->store = store_open(f->path, MAP_BYTES, &error);
	assert_non_null(f->store);
	f->journal = journal_new(f->store, &error);
	assert_non_null(f->journal);
	journal_set_clock(f->journal, (int64_t)NOW * 1000000, 1);
}

static void
close_store(struct fixture *f)
{
	journal_free(&f->journal);
	store_close(&f->store);
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct store_id id;
	struct error error;

	scratch_store_make(f->path, "identity_test", &id);
	open_store(f);
	assert_int_equal(journal_create_account(
			     f->journal, ACCOUNT, TEXT("a@demo.test"), &error),
	    STATUS_OK);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	close_store(f);
	scratch_remove(f->path);
	free(f);
	return 0;
}

/* -- Changes, each a batch -- */

static enum status
change(struct fixture *f, const struct message *m, struct result_record *result)
{
	struct error error;
	struct buf results;
	struct change_context context = { .journal = f->journal,
		.account = ACCOUNT,
		.results = &results,
		.error = &error };
	enum status status;
	struct reader r;

	buf_init(&results, 1000);
	assert_int_equal(journal_begin(f->journal, 4096, &error), STATUS_OK);
	status = change_apply(&context, m);
	if (status != STATUS_OK)
		journal_drop(f->journal);
	else
		assert_int_equal(journal_finish(f->journal, EVENT_BATCH,
				     ROLE_WORKER, ACCOUNT, "", &error),
		    STATUS_OK);
	reader_init(&r, results.data, results.size);
	if (status == STATUS_OK && result != NULL) {
		assert_int_equal(record_get_result(&r, result), 1);
		assert_int_equal(reader_done(&r), 0);
	}
	buf_clear(&results);
	return status;
}

static uint64_t
create(struct fixture *f, const char *name)
{
	struct message m = { .type = MESSAGE_change_create };
	struct result_record result;

	m.change_create.name = text_of(name);
	assert_int_equal(change(f, &m, &result), STATUS_OK);
	return result.mailbox;
}

static enum status
identify(
    struct fixture *f, uint64_t mailbox, uint32_t uidvalidity, uint32_t uidnext)
{
	struct message m = { .type = MESSAGE_change_identity };
	struct result_record result;
	enum status status;

	m.change_identity.mailbox = mailbox;
	m.change_identity.uidvalidity = uidvalidity;
	m.change_identity.uidnext = uidnext;
	status = change(f, &m, &result);
	if (status == STATUS_OK) {
		assert_true(result.mailbox == mailbox);
		assert_int_equal(result.uid, uidvalidity);
	}
	return status;
}

static uint32_t
rename_to(struct fixture *f, uint64_t mailbox, const char *name)
{
	struct message m = { .type = MESSAGE_change_rename };
	struct result_record result;

	m.change_rename.mailbox = mailbox;
	m.change_rename.name = text_of(name);
	assert_int_equal(change(f, &m, &result), STATUS_OK);
	return result.uid;
}

static void
retire(struct fixture *f, uint64_t mailbox)
{
	struct message m = { .type = MESSAGE_change_retire };

	m.change_retire.mailbox = mailbox;
	assert_int_equal(change(f, &m, NULL), STATUS_OK);
}

static uint32_t
uidvalidity_of(struct fixture *f, uint64_t mailbox)
{
	struct mailbox_row row;
	struct error error;

	assert_int_equal(journal_begin(f->journal, 0, &error), STATUS_OK);
	assert_int_equal(
	    row_find_mailbox(f->journal->batch, ACCOUNT, mailbox, &row, &error),
	    1);
	journal_drop(f->journal);
	return row.record.uidvalidity;
}

/* A mailbox as it comes from another server. */
static uint64_t
import(
    struct fixture *f, const char *name, uint32_t uidvalidity, uint32_t uidnext)
{
	uint64_t mailbox = create(f, name);

	assert_int_equal(identify(f, mailbox, uidvalidity, uidnext), STATUS_OK);
	return mailbox;
}

/* -- Tests -- */

static void
mailboxes_of_one_second_all_keep_their_uids(void **state)
{
	struct fixture *f = *state;
	uint64_t sent = import(f, "Sent", OLD, 9);
	uint64_t drafts = import(f, "Drafts", OLD, 1);
	uint64_t trash = import(f, "Trash", OLD, 5);

	assert_int_equal(identify(f, INBOX, OLD, 3), STATUS_OK);
	assert_int_equal(uidvalidity_of(f, sent), OLD);
	assert_int_equal(uidvalidity_of(f, drafts), OLD);
	assert_int_equal(uidvalidity_of(f, trash), OLD);
}

static void
own_mailbox_that_was_never_used_yields(void **state)
{
	struct fixture *f = *state;
	uint32_t own = uidvalidity_of(f, INBOX);
	uint64_t sent, old;

	assert_int_equal(own, NOW);
	sent = import(f, "Sent", own, 9);
	assert_int_equal(uidvalidity_of(f, sent), own);
	assert_true(uidvalidity_of(f, INBOX) > own);
	/* Nothing is shared: a name more costs nobody anything. */
	assert_int_equal(rename_to(f, sent, "Old"), own);
	/* A retired one, too, and it is not what another server gave. */
	old = create(f, "Gone");
	own = uidvalidity_of(f, old);
	retire(f, old);
	(void)import(f, "Here", own, 2);
	assert_true(uidvalidity_of(f, old) > own);
}

static void
used_mailbox_keeps_its_uidvalidity(void **state)
{
	struct fixture *f = *state;
	uint32_t own = uidvalidity_of(f, INBOX);
	uint64_t sent = create(f, "Sent");

	assert_int_equal(identify(f, INBOX, own, 2), STATUS_OK);
	assert_int_equal(identify(f, sent, own, 7), STATUS_OK);
	assert_int_equal(uidvalidity_of(f, INBOX), own);
	assert_int_equal(identify(f, INBOX, OLD, 7), STATUS_REFUSED);
	assert_int_equal(identify(f, sent, own, 6), STATUS_REFUSED);
	assert_int_equal(identify(f, sent, 0, 7), STATUS_REFUSED);
}

static void
name_never_comes_back_with_what_it_had(void **state)
{
	struct fixture *f = *state;
	uint64_t sent = import(f, "Sent", OLD, 9);
	uint64_t drafts = import(f, "Drafts", OLD, 5);
	uint64_t third;

	assert_true(rename_to(f, sent, "Old sent") > NOW);
	assert_true(rename_to(f, drafts, "Sent") > NOW);
	/* Nobody has OLD any more, but "Sent" and "Drafts" had it. */
	assert_true(rename_to(f, drafts, "Else") > NOW);
	third = create(f, "Sent");
	assert_int_equal(identify(f, third, OLD, 2), STATUS_REFUSED);
	assert_int_equal(identify(f, third, OLD + 1, 2), STATUS_OK);
	third = create(f, "Drafts");
	assert_int_equal(identify(f, third, OLD, 2), STATUS_REFUSED);
	third = create(f, "New");
	assert_int_equal(identify(f, third, OLD, 2), STATUS_OK);
}

static void
name_of_a_retired_mailbox_does_not_come_back_either(void **state)
{
	struct fixture *f = *state;
	uint64_t sent = import(f, "Sent", OLD, 9), again;

	retire(f, sent);
	again = create(f, "Sent");
	assert_int_equal(identify(f, again, OLD, 9), STATUS_REFUSED);
	again = create(f, "Else");
	assert_int_equal(identify(f, again, OLD, 9), STATUS_OK);
}

static void
what_is_not_shared_keeps_its_uids_when_renamed(void **state)
{
	struct fixture *f = *state;
	uint64_t one = import(f, "One", OLD, 9);
	uint64_t other = import(f, "Other", OLD + 1, 9), third;

	assert_int_equal(rename_to(f, one, "First"), OLD);
	assert_int_equal(rename_to(f, other, "One"), OLD + 1);
	/* The name that it had before counts as well. */
	assert_int_equal(rename_to(f, other, "Second"), OLD + 1);
	third = create(f, "One");
	assert_int_equal(identify(f, third, OLD, 2), STATUS_REFUSED);
}

static void
restored_under_another_name_it_leaves_its_own(void **state)
{
	struct fixture *f = *state;
	uint64_t sent = import(f, "Sent", OLD, 9);
	struct error error;
	struct change_context context = {
		.journal = f->journal, .account = ACCOUNT, .error = &error
	};
	struct buf results;

	(void)import(f, "Drafts", OLD, 9);
	retire(f, sent);
	(void)create(f, "Sent");
	buf_init(&results, 1000);
	context.results = &results;
	assert_int_equal(journal_begin(f->journal, 4096, &error), STATUS_OK);
	assert_int_equal(change_bring_back(&context, sent), STATUS_OK);
	assert_int_equal(journal_finish(f->journal, EVENT_BATCH, ROLE_WORKER,
			     ACCOUNT, "", &error),
	    STATUS_OK);
	buf_clear(&results);
	assert_true(uidvalidity_of(f, sent) > NOW);
}

static void
it_is_remembered_across_a_restart(void **state)
{
	struct fixture *f = *state;
	uint64_t sent = import(f, "Sent", OLD, 9);
	struct error error;

	(void)import(f, "Drafts", OLD, 9);
	assert_int_equal(journal_commit(f->journal, &error), STATUS_OK);
	close_store(f);
	open_store(f);
	assert_true(rename_to(f, sent, "Old sent") > NOW);
}

static void
after_the_highest_one_there_is_none(void **state)
{
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_change_create };

	assert_int_equal(identify(f, INBOX, UINT32_MAX, 1), STATUS_OK);
	m.change_create.name = TEXT("Sent");
	assert_int_equal(change(f, &m, NULL), STATUS_LIMIT);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(mailboxes_of_one_second_all_keep_their_uids),
		TEST(own_mailbox_that_was_never_used_yields),
		TEST(used_mailbox_keeps_its_uidvalidity),
		TEST(name_never_comes_back_with_what_it_had),
		TEST(name_of_a_retired_mailbox_does_not_come_back_either),
		TEST(what_is_not_shared_keeps_its_uids_when_renamed),
		TEST(restored_under_another_name_it_leaves_its_own),
		TEST(it_is_remembered_across_a_restart),
		TEST(after_the_highest_one_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
