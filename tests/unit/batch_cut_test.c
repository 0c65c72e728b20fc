/*
 * Changes that were answered because the log of accepted mail has them, and not
 * yet the index: a power cut, a kill, a copy that is put back.  Whoever asks
 * again is told what he was told before, number for number.
 */
#include "snapd/round.h"
#include "snapd/store.h"

#include "common/process.h"
#include "common/record.h"
#include "tests/unit/power.h"
#include "tests/unit/scratch.h"
#include "tests/unit/snapd_stand.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum {
	ACCOUNT = 1,
	INBOX = 1,
	STEPS = 30,
	ROUND_OF = 10 /* steps, then all kinds were there */
};

/* What the worker was told of one batch. */
struct told {
	uint64_t counter;
	uint64_t sequence;
	uint8_t results[200];
};

/* Shared with the child. */
struct world {
	struct fixture *stand;
	unsigned int count;
	struct told told[STEPS];
};

/* The last event that the index has. */
static uint64_t
committed(struct fixture *f)
{
	return snapd_journal(f->snapd)->committed.sequence;
}

static void
accept_mail(struct fixture *f, unsigned int n)
{
	struct recipient_record recipient = { .account = ACCOUNT,
		.address = TEXT("a@b.test") };
	struct peer *queue = &f->more[0];
	struct message m = { .type = MESSAGE_accept };
	uint8_t data[200];
	struct writer w;

	if (queue->channel == NULL)
		connect_peer(f, queue, ROLE_QUEUE, 0);
	writer_init(&w, data, sizeof(data));
	record_put_recipient(&w, &recipient);
	memset(m.accept.delivery.bytes, (int)n, 16);
	m.accept.recipients = text_make(data, w.size);
	m.accept.data = TEXT("Subject: x\n\nbody\n");
	m.accept.size = m.accept.data.size;
	queue->answers = 0;
	assert_int_equal(channel_send(queue->channel, &m, NULL, 0), 0);
	wait_answer(queue);
	assert_int_equal(queue->answer.accepted.status, STATUS_OK);
}

static void
file_mail(struct fixture *f, unsigned int n)
{
	struct message m = { .type = MESSAGE_change_file };

	memset(m.change_file.delivery.bytes, (int)n, 16);
	m.change_file.mailbox = INBOX;
	begin(f);
	channel_send(f->worker.channel, &m, NULL, 0);
	commit(f);
}

static void
copy(struct fixture *f, uint32_t uid, unsigned int n)
{
	struct message m = { .type = MESSAGE_change_copy };
	struct copy_record record = { .uid = uid };
	uint8_t data[64];
	struct writer w;

	memset(record.delivery.bytes, (int)(100 + n), 16);
	writer_init(&w, data, sizeof(data));
	record_put_copy(&w, &record);
	m.change_copy.source = m.change_copy.target = INBOX;
	m.change_copy.records = text_make(data, w.size);
	begin(f);
	channel_send(f->worker.channel, &m, NULL, 0);
	commit(f);
}

static uint32_t
told_uid(const struct fixture *f)
{
	struct result_record result;
	struct reader r;

	reader_init(&r, f->worker.results, sizeof(f->worker.results));
	assert_int_equal(record_get_result(&r, &result), 1);
	return result.uid;
}

/* The n-th batch, which is about messages that those before it made: six in a
 * round, the first one of which has the UID `first`. */
static void
change(struct fixture *f, unsigned int n)
{
	static uint32_t first;
	uint32_t uid = first + n / ROUND_OF * 6;

	switch (n % ROUND_OF) {
	case 0:
	case 1:
		append(f, n + 1, n + 1, INBOX);
		if (n == 0)
			first = told_uid(f);
		break;
	case 2:
	case 3:
		set_flags(f, INBOX, uid, n % 2 ? FLAG_SEEN : FLAG_FLAGGED, 0);
		break;
	case 4:
		copy(f, uid, n);
		break;
	case 5:
		accept_mail(f, n);
		file_mail(f, n);
		break;
	case 6:
		expunge(f, INBOX, uid + 1, uid + 1);
		break;
	case 7:
		append(f, n + 1, n + 2, INBOX);
		break;
	case 8:
		set_flags(f, INBOX, uid, FLAG_ANSWERED, 0);
		break;
	default: /* what only the index can have */
		create_mailbox(f, n < ROUND_OF ? "a" : n < 20 ? "b" : "c");
		break;
	}
}

static void
note_told(struct world *world, unsigned int n)
{
	struct fixture *f = world->stand;
	struct told *told = &world->told[n];

	told->counter = f->counter;
	told->sequence = f->worker.answer.batch_done.sequence;
	memcpy(told->results, f->worker.results, sizeof(told->results));
	world->count = n + 1;
}

static void
change_in_child(void *context)
{
	struct world *world = context;
	struct fixture *f = world->stand;

	start(f);
	for (unsigned int n = 0; n < STEPS; n++) {
		change(f, n);
		note_told(world, n);
	}
	stop(f);
}

/* The same batches again: the answers of then. */
static void
check(struct world *world)
{
	struct fixture *f = world->stand;

	start(f);
	for (unsigned int n = 0; n < world->count; n++) {
		struct told *told = &world->told[n];

		memset(f->worker.results, 0, sizeof(f->worker.results));
		f->counter = told->counter - 1;
		begin(f);
		commit(f);
		assert_true(
		    f->worker.answer.batch_done.sequence == told->sequence);
		assert_memory_equal(f->worker.results, told->results,
		    f->worker.answer.batch_done.size);
		assert_true(f->worker.answer.batch_done.size > 0);
	}
	/* One more may be there that was not answered. And it goes on. */
	f->counter += 1;
	append(f, 1000, 1000, INBOX);
	stop(f);
	f->counter = 0;
}

static struct world *
make_world(struct fixture *f, char kept[SCRATCH_PATH + 8])
{
	struct world *world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(world, MAP_FAILED);
	world->stand = f;
	stop(f);
	f->counter = 0;
	snprintf(kept, SCRATCH_PATH + 8, "%s.kept", f->path);
	scratch_copy(f->path, kept);
	return world;
}

static void
free_world(struct world *world, const char *kept)
{
	struct fixture *f = world->stand;

	munmap(world, sizeof(*world));
	scratch_remove(kept);
	start(f);
}

static void
a_cut_changes_no_number_that_was_told(void **state)
{
	/* Writes and syncs behind a commit. */
	static const unsigned int calls[] = { 1, 6, 10, 20 };
	char kept[SCRATCH_PATH + 8];
	struct world *world = make_world(*state, kept);
	struct power_cut cut = { .step = STEP_COMMITTED, .seed = 1 };
	unsigned int cuts = 0, told = 0;

	for (cut.occurrence = 1; cut.occurrence <= 2; cut.occurrence++)
		for (unsigned int i = 0; i < 4; i++) {
			cut.calls = calls[i];
			cut.seed++;
			world->count = 0;
			cuts += power_run(&cut, change_in_child, world);
			told += world->count;
			check(world);
			scratch_copy(kept, world->stand->path);
		}
	print_message("%u cuts, %u answers\n", cuts, told);
	assert_true(cuts > 5 && told > 20);
	free_world(world, kept);
}

/* Ends without a word; the index has nothing of it. */
static void
change_and_die(struct world *world, unsigned int count)
{
	struct fixture *f = world->stand;
	uint64_t before;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		start(f);
		before = committed(f);
		for (unsigned int n = 0; n < count; n++) {
			change(f, n);
			note_told(world, n);
		}
		_exit(committed(f) == before ? 0 : 77);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
a_kill_changes_no_number_that_was_told(void **state)
{
	char kept[SCRATCH_PATH + 8];
	struct world *world = make_world(*state, kept);

	for (unsigned int count = 1; count < ROUND_OF; count += 4) {
		change_and_die(world, count);
		check(world);
		scratch_copy(kept, world->stand->path);
	}
	free_world(world, kept);
}

static void
start_in_child(void *context)
{
	struct world *world = context;

	start(world->stand);
	stop(world->stand);
}

/* The power fails once more while the start does it again: behind the commit,
 * in the writes that wipe the log, and after them. */
static void
a_cut_while_it_is_done_again_changes_no_number(void **state)
{
	static const unsigned int calls[] = { 0, 1, 2, 40, 65, 66, 67 };
	char kept[SCRATCH_PATH + 8];
	struct world *world = make_world(*state, kept);
	struct power_cut cut = { .step = STEP_COMMITTED, .occurrence = 1 };
	unsigned int cuts = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		change_and_die(world, ROUND_OF - 1);
		cut.calls = calls[i];
		cut.seed = i + 1;
		cuts += power_run(&cut, start_in_child, world);
		check(world);
		scratch_copy(kept, world->stand->path);
	}
	assert_true(cuts > 5);
	free_world(world, kept);
}

/* What was asked together with what finds no room was refused; what the log
 * has is in the index then, as it was told. */
static void
a_commit_that_finds_no_room_changes_no_number(void **state)
{
	struct message m = { .type = MESSAGE_batch_commit };
	char kept[SCRATCH_PATH + 8];
	struct world *world = make_world(*state, kept);
	struct fixture *f = world->stand;
	uint64_t before;

	start(f);
	before = committed(f);
	for (unsigned int n = 0; n < ROUND_OF - 1; n++) {
		change(f, n);
		note_told(world, n);
	}
	assert_true(committed(f) == before);
	store_set_next_commit_fault(ENOSPC);
	begin(f);
	add_subscribe(f, "x");
	m.batch_commit.counter = f->counter;
	f->worker.answers = 0;
	channel_send(f->worker.channel, &m, NULL, 0);
	wait_answer(&f->worker);
	assert_int_equal(f->worker.answer.batch_done.status, STATUS_FULL);
	assert_true(committed(f) == world->told[world->count - 1].sequence);
	append(f, 900, 901, INBOX);
	f->counter = 0;
	stop(f);
	check(world);
	free_world(world, kept);
}

/* It is done again before the leap: what was told keeps its numbers, and what
 * comes later has none that may have been told after the copy was made. */
static void
a_copy_that_is_put_back_has_what_its_log_has(void **state)
{
	char kept[SCRATCH_PATH + 8];
	struct world *world = make_world(*state, kept);
	struct fixture *f = world->stand;

	change_and_die(world, ROUND_OF - 1);
	scratch_copy(f->path, kept);
	scratch_copy(kept, f->path);
	check(world);
	start(f);
	f->counter = 1000;
	append(f, 2000, 2000, INBOX);
	assert_true(told_uid(f) > 1 << 20);
	stop(f);
	free_world(world, kept);
}

static void
make_mailboxes(struct fixture *f, uint64_t until)
{
	char name[20];

	while (committed(f) < until) {
		snprintf(name, sizeof(name), "%llu",
		    (unsigned long long)committed(f));
		create_mailbox(f, name);
	}
	assert_true(committed(f) == until);
}

static enum status
find_appended(struct fixture *f, unsigned int n)
{
	struct message m = { .type = MESSAGE_find_delivery };
	struct peer *queue = &f->more[0];

	connect_peer(f, queue, ROLE_QUEUE, 0);
	m.find_delivery.account = ACCOUNT;
	memcpy(m.find_delivery.delivery.bytes, &n, sizeof(n));
	queue->answers = 0;
	assert_int_equal(channel_send(queue->channel, &m, NULL, 0), 0);
	wait_answer(queue);
	return queue->answer.delivery_found.status;
}

/* A copy that is put back comes to an event of the same number; what the log
 * still has of the other one is not for it, but a message that somebody brought
 * is mail again, once. */
static void
what_stands_on_another_history_is_over(void **state)
{
	char kept[SCRATCH_PATH + 8], log[SCRATCH_PATH + 16], old[SCRATCH_PATH];
	struct world *world = make_world(*state, kept);
	struct fixture *f = world->stand;
	uint64_t until;

	snprintf(log, sizeof(log), "%s/accepted", f->path);
	scratch_make(old, "batch_cut_test");
	start(f);
	until = committed(f) + 20;
	make_mailboxes(f, until);
	append(f, 1, 1, INBOX);
	set_flags(f, INBOX, told_uid(f), FLAG_FLAGGED, 0);
	stop(f);
	scratch_copy(log, old);
	scratch_copy(kept, f->path);
	start(f);
	f->counter = 0;
	make_mailboxes(f, until);
	stop(f);
	scratch_copy(old, log);
	start(f);
	assert_true(committed(f) == until + 1);
	assert_int_equal(find_appended(f, 1), STATUS_OK);
	append(f, 2, 2, INBOX);
	stop(f);
	scratch_copy(old, log);
	start(f);
	assert_true(committed(f) == until + 2);
	stop(f);
	scratch_remove(old);
	free_world(world, kept);
}

/* An event that the log has not would be missing before it. */
static void
what_stands_on_more_than_the_log_is_committed(void **state)
{
	struct fixture *f = *state;
	uint64_t before = committed(f);

	f->counter = 0;
	append(f, 1, 1, INBOX);
	assert_true(committed(f) == before);
	snapd_alarm(f->snapd, ROLE_SMTPD, 0, ALARM_KILLED);
	append(f, 2, 2, INBOX);
	assert_true(committed(f) == before + 3);
	append(f, 3, 3, INBOX);
	assert_true(committed(f) == before + 3);
}

static void
what_only_the_log_has_can_be_read(void **state)
{
	struct message m = { .type = MESSAGE_read_blob };
	struct fixture *f = *state;
	struct result_record result;
	uint64_t before = committed(f);
	struct reader r;

	f->counter = 0;
	append(f, 1, 1, INBOX);
	assert_true(committed(f) == before);
	reader_init(&r, f->worker.results, sizeof(f->worker.results));
	assert_int_equal(record_get_result(&r, &result), 1);
	m.read_blob.blob = result.blob;
	f->worker.answers = 0;
	channel_send(f->worker.channel, &m, NULL, 0);
	wait_answer(&f->worker);
	assert_int_equal(f->worker.answer.type, MESSAGE_body);
	assert_int_equal(f->worker.answer.body.status, STATUS_OK);
	assert_true(committed(f) == before + 1);
}

static int
set_up_patient(void **state)
{
	struct fixture *f;

	if (set_up(state) != 0)
		return -1;
	f = *state;
	stop(f);
	f->settle_ms = 3600 * 1000;
	start(f);
	return 0;
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up_patient, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_cut_changes_no_number_that_was_told),
		TEST(a_kill_changes_no_number_that_was_told),
		TEST(a_cut_while_it_is_done_again_changes_no_number),
		TEST(a_commit_that_finds_no_room_changes_no_number),
		TEST(a_copy_that_is_put_back_has_what_its_log_has),
		TEST(what_stands_on_another_history_is_over),
		TEST(what_stands_on_more_than_the_log_is_committed),
		TEST(what_only_the_log_has_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
