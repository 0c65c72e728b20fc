/*
 * The power fails while mail comes in: between the commits of the index, in the
 * writes and syncs of the log and of the index.  What was answered is there,
 * once; also where the index is lost, and made anew from segments.
 */
#include "snapd/accept_log.h"

#include "common/record.h"
#include "snapd/rebuild.h"
#include "tests/unit/power.h"
#include "tests/unit/scratch.h"
#include "tests/unit/snapd_stand.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	ACCOUNT = 1,
	MAILS = 20,
	COMMIT_EACH = 6 /* so many: then a commit of the index */
};

struct world {
	struct fixture *stand;
	unsigned int *answered; /* shared with the child */
};

static struct delivery_id
delivery_of(unsigned int n)
{
	struct delivery_id delivery = { { 0 } };

	memset(delivery.bytes, (int)n, 16);
	return delivery;
}

/* Its status. */
static enum status
accept_mail(struct fixture *f, struct peer *queue, unsigned int n)
{
	struct recipient_record recipient = { .account = ACCOUNT,
		.address = TEXT("a@b.test") };
	struct message m = { .type = MESSAGE_accept };
	char body[6000];
	uint8_t data[200];
	struct writer w;

	memset(body, (int)('a' + n % 26), sizeof(body));
	writer_init(&w, data, sizeof(data));
	record_put_recipient(&w, &recipient);
	m.accept.tag = n;
	m.accept.delivery = delivery_of(n);
	m.accept.recipients = text_make(data, w.size);
	m.accept.size = n * 997 % sizeof(body);
	m.accept.data = text_make(body, m.accept.size);
	queue->answers = 0;
	assert_int_equal(channel_send(queue->channel, &m, NULL, 0), 0);
	wait_answer(queue);
	return queue->answer.accepted.status;
}

static enum status
find_mail(struct peer *queue, unsigned int n)
{
	struct message m = { .type = MESSAGE_find_delivery };

	m.find_delivery.tag = n;
	m.find_delivery.account = ACCOUNT;
	m.find_delivery.delivery = delivery_of(n);
	queue->answers = 0;
	assert_int_equal(channel_send(queue->channel, &m, NULL, 0), 0);
	wait_answer(queue);
	return queue->answer.delivery_found.status;
}

static void
receive_in_child(void *context)
{
	struct world *world = context;
	struct fixture *f = world->stand;
	struct peer *queue = &f->more[0];

	start(f);
	connect_peer(f, queue, ROLE_QUEUE, 0);
	for (unsigned int n = 1; n <= MAILS; n++) {
		assert_int_equal(accept_mail(f, queue, n), STATUS_OK);
		*world->answered = n;
		if (n % COMMIT_EACH == 0)
			create_mailbox(f, n == COMMIT_EACH       ? "a"
					  : n == 2 * COMMIT_EACH ? "b"
								 : "c");
	}
	stop(f);
}

/* One more may be there that was not answered yet. */
static void
check(struct world *world)
{
	struct fixture *f = world->stand;
	struct peer *queue = &f->more[0];
	unsigned int n, answered = *world->answered;

	start(f);
	connect_peer(f, queue, ROLE_QUEUE, 0);
	for (n = 1; n <= answered; n++)
		assert_int_equal(find_mail(queue, n), STATUS_OK);
	for (n = answered + 2; n <= MAILS; n++)
		assert_int_equal(find_mail(queue, n), STATUS_MISSING);
	/* And it goes on. */
	assert_int_equal(accept_mail(f, queue, MAILS + 1), STATUS_OK);
	stop(f);
}

static void
a_cut_loses_no_mail_that_was_answered(void **state)
{
	/* Writes and syncs behind a commit. */
	static const unsigned int calls[] = { 1, 2, 5, 11 };
	struct fixture *f = *state;
	struct world world = { .stand = f };
	struct power_cut cut = { .step = STEP_COMMITTED, .seed = 1 };
	char kept[sizeof(f->path) + 8];
	unsigned int cuts = 0;

	world.answered = mmap(NULL, sizeof(*world.answered),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(world.answered, MAP_FAILED);
	stop(f);
	snprintf(kept, sizeof(kept), "%s.kept", f->path);
	scratch_copy(f->path, kept);
	for (cut.occurrence = 1; cut.occurrence <= 3; cut.occurrence++)
		for (unsigned int i = 0; i < 4; i++) {
			cut.calls = calls[i];
			cut.seed++;
			*world.answered = 0;
			cuts += power_run(&cut, receive_in_child, &world);
			check(&world);
			scratch_copy(kept, f->path);
		}
	scratch_remove(kept);
	print_message("%u cuts\n", cuts);
	assert_true(cuts > 8);
	munmap(world.answered, sizeof(*world.answered));
	start(f);
}

/* What was answered, of which no commit of the index followed. */
static void
receive_and_die(struct fixture *f, unsigned int first, unsigned int last)
{
	struct peer *queue = &f->more[0];
	pid_t child = fork();
	int status;

	if (child == 0) {
		start(f);
		connect_peer(f, queue, ROLE_QUEUE, 0);
		for (unsigned int n = first; n <= last; n++)
			assert_int_equal(accept_mail(f, queue, n), STATUS_OK);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
seal(struct fixture *f)
{
	struct message m = { .type = MESSAGE_control_seal };

	assert_int_equal(ask(f, &m), STATUS_OK);
}

/* Damaged such that nobody opens it. */
static void
lose_index(struct fixture *f)
{
	char data[sizeof(f->path) + 20];

	snprintf(data, sizeof(data), "%s/index/data.mdb", f->path);
	assert_int_equal(truncate(data, 100), 0);
}

/* How many messages the log has for it. */
static uint64_t
rebuild(struct fixture *f)
{
	struct rebuild_result result = { .segments = 0 };
	struct error error;

	if (rebuild_index(f->path, (size_t)1 << 30, &result, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(result.damaged, 0);
	return result.accepted;
}

static void
check_found(struct fixture *f, unsigned int last)
{
	struct peer *queue = &f->more[0];

	connect_peer(f, queue, ROLE_QUEUE, 0);
	for (unsigned int n = 1; n <= last; n++)
		assert_int_equal(find_mail(queue, n), STATUS_OK);
	assert_int_equal(find_mail(queue, last + 1), STATUS_MISSING);
}

/* Also if the index is older than the event on which the log stands; and what
 * was accepted again does not come a third time. */
static void
a_rebuilt_index_gets_the_mail_that_only_the_log_has(void **state)
{
	struct fixture *f = *state;

	append(f, 1, 3, 1);
	seal(f);
	for (unsigned int n = 4; n <= 20; n++)
		append(f, n, n, 1); /* an event each, that no pass has */
	stop(f);
	receive_and_die(f, 1, 3);
	lose_index(f);
	assert_int_equal(rebuild(f), 3);
	start(f);
	check_found(f, 3);
	stop(f);
	start(f);
	seal(f);
	stop(f);
	assert_int_equal(rebuild(f), 0);
	start(f);
	check_found(f, 3);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_cut_loses_no_mail_that_was_answered),
		TEST(a_rebuilt_index_gets_the_mail_that_only_the_log_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
