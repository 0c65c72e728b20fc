/*
 * The power fails while mail comes in: between the commits of the index, in the
 * writes and syncs of the log and of the index.  What was answered is there,
 * once.
 */
#include "snapd/accept_log.h"

#include "common/record.h"
#include "tests/unit/power.h"
#include "tests/unit/scratch.h"
#include "tests/unit/snapd_stand.h"

#include <string.h>
#include <sys/mman.h>

enum {
	ACCOUNT = 1,
	MAILS = 20,
	APPEND_EACH = 6 /* so many: then a commit of the index */
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
		if (n % APPEND_EACH == 0)
			append(f, n, n, 1);
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
	for (cut.occurrence = 1; cut.occurrence <= 2; cut.occurrence++)
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
	assert_true(cuts > 4);
	munmap(world.answered, sizeof(*world.answered));
	start(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(
	    a_cut_loses_no_mail_that_was_answered, set_up, tear_down) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
