/*
 * Bodies as a worker reads them from the snapshot process: one, several in one
 * answer, each account's own, and from a segment as before it was sealed.
 */
#include "common/file.h"
#include "common/memory.h"
#include "snapd/sealer.h"
#include "tests/unit/snapd_mail_stand.h"

#include <string.h>
#include <unistd.h>

static void
ask_for_bodies(struct peer *peer, const uint64_t *blobs, size_t count)
{
	struct message read = { .type = MESSAGE_read_blobs };
	uint8_t numbers[BODIES_MAX * sizeof(uint64_t)];
	struct writer w;

	writer_init(&w, numbers, sizeof(numbers));
	for (size_t i = 0; i < count; i++)
		writer_put_u64(&w, blobs[i]);
	read.read_blobs.blobs = text_make(numbers, w.size);
	ask(peer, &read);
	assert_int_equal(peer->answer.type, MESSAGE_bodies);
	assert_int_equal(peer->answer.bodies.status, STATUS_OK);
	assert_int_equal(peer->index_size, count * RECORD_BODY_SIZE);
}

static struct body_record
body_of(const struct peer *peer, size_t number)
{
	struct body_record record = { .status = 255 };
	struct reader r;

	reader_init(&r, peer->index, peer->index_size);
	for (size_t i = 0; i <= number; i++)
		assert_int_equal(record_get_body(&r, &record), 1);
	return record;
}

static void
several_bodies_come_together_each_with_a_status_of_its_own(void **state)
{
	struct fixture *f = *state;
	const char *const texts[] = { "first\n", "another's\n", "third\n" };
	uint64_t blobs[4];

	for (unsigned int i = 0; i < 3; i++) {
		struct peer *peer = i == 1 ? &f->other : &f->worker;
		uint64_t counter = i == 1 ? 1 : ++f->counter;

		begin(peer, counter);
		part_append(peer, i + 1, i == 1 ? 2 : 1, texts[i]);
		assert_int_equal(commit(peer, counter), STATUS_OK);
		blobs[i] = first_result(peer).blob;
	}
	blobs[3] = 12345; /* of nobody */
	ask_for_bodies(&f->worker, blobs, 4);
	assert_int_equal(body_of(&f->worker, 0).status, STATUS_OK);
	assert_int_equal(body_of(&f->worker, 0).size, 6);
	assert_int_equal(body_of(&f->worker, 1).status, STATUS_MISSING);
	assert_int_equal(body_of(&f->worker, 1).size, 0);
	assert_int_equal(body_of(&f->worker, 2).status, STATUS_OK);
	assert_int_equal(body_of(&f->worker, 3).status, STATUS_MISSING);
	assert_int_equal(f->worker.size, 12);
	assert_memory_equal(f->worker.data, "first\nthird\n", 12);
	ask_for_bodies(&f->worker, blobs, 0);
	assert_int_equal(f->worker.size, 0);
}

static void
append_large(struct fixture *f, unsigned int n, size_t size, char byte)
{
	struct message m = { .type = MESSAGE_change_append };
	char *body = memory_new(1, size);
	struct error error;
	int fd;

	memset(body, byte, size);
	fd = file_sealed_memory("body", body, size, &error);
	memory_free(&body);
	m.change_append.delivery = delivery_of(n);
	m.change_append.mailbox = 1;
	m.change_append.size = size;
	begin(&f->worker, ++f->counter);
	assert_int_equal(channel_send(f->worker.channel, &m, &fd, 1), 0);
	close(fd);
	assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
}

/* One request must not have us fill the memory with 64 of the largest. */
static void
bodies_that_come_together_have_a_limit_but_for_the_first(void **state)
{
	struct fixture *f = *state;
	uint64_t blobs[3];
	char letters[] = "abc";

	for (unsigned int i = 0; i < 3; i++) {
		append_large(f, i + 1,
		    i == 0 ? BODIES_MAX_BYTES + 1 : BODIES_MAX_BYTES / 2,
		    letters[i]);
		blobs[i] = first_result(&f->worker).blob;
	}
	ask_for_bodies(&f->worker, blobs, 3);
	assert_int_equal(body_of(&f->worker, 0).status, STATUS_OK);
	assert_int_equal(body_of(&f->worker, 1).status, STATUS_LIMIT);
	assert_int_equal(body_of(&f->worker, 2).status, STATUS_LIMIT);
	assert_int_equal(f->worker.size, BODIES_MAX_BYTES + 1);
	ask_for_bodies(&f->worker, blobs + 1, 2);
	assert_int_equal(body_of(&f->worker, 1).status, STATUS_OK);
	assert_int_equal(f->worker.size, BODIES_MAX_BYTES);
	assert_int_equal(f->worker.data[0], 'b');
	assert_int_equal(f->worker.data[BODIES_MAX_BYTES - 1], 'c');
}

static void
same_bytes_of_two_accounts_are_two_blobs(void **state)
{
	struct fixture *f = *state;
	uint64_t mine, again;

	assert_int_equal(append(f, 1, 1), STATUS_OK);
	mine = first_result(&f->worker).blob;
	assert_int_equal(append(f, 2, 1), STATUS_OK);
	again = first_result(&f->worker).blob;
	begin(&f->other, 1);
	part_append(&f->other, 1, 2, "Subject: x\n\nbody\n");
	assert_int_equal(commit(&f->other, 1), STATUS_OK);
	assert_int_equal(mine, again);
	assert_int_not_equal(first_result(&f->other).blob, mine);
}

static bool
has_passed(struct fixture *f)
{
	struct sealer_state state;

	sealer_get_state(snapd_sealer(f->snapd), &state);
	assert_int_equal(state.failures, 0);
	return state.passes >= f->wanted;
}

static void
check_mail(struct fixture *f, unsigned int n, struct text body)
{
	struct message m = { .type = MESSAGE_read_unfiled };

	m.read_unfiled.delivery = delivery_of(n);
	ask(&f->worker, &m);
	assert_int_equal(f->worker.answer.type, MESSAGE_body);
	assert_int_equal(f->worker.answer.body.status, STATUS_OK);
	assert_int_equal(f->worker.size, body.size);
	assert_memory_equal(f->worker.data, body.data, body.size);
}

static void
mail_is_sealed_behind_the_loop_and_reads_as_before(void **state)
{
	struct fixture *f = *state;
	static char body[12000];
	unsigned int n, round;

	for (round = 1; round <= 2; round++) {
		for (n = 0; n < 40; n++) {
			memset(body, 'a' + (int)(n % 26), sizeof(body));
			memcpy(body, &n, sizeof(n));
			memcpy(body + 4, &round, sizeof(round));
			assert_int_equal(accept_mail(f, round * 100 + n, 1,
					     text_make(body, sizeof(body))),
			    STATUS_OK);
		}
		sealer_request(snapd_sealer(f->snapd), NULL, NULL);
		f->wanted = round;
		run_until(f, has_passed);
	}
	stop(f);
	start(f, MAP_BYTES);
	check_mail(f, 239, text_make(body, sizeof(body)));
	n = 7;
	memset(body, 'a' + 7, sizeof(body));
	memcpy(body, &n, sizeof(n));
	memcpy(body + 4, (unsigned int[]){ 1 }, sizeof(n));
	check_mail(f, 107, text_make(body, sizeof(body)));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(
		    several_bodies_come_together_each_with_a_status_of_its_own),
		TEST(bodies_that_come_together_have_a_limit_but_for_the_first),
		TEST(same_bytes_of_two_accounts_are_two_blobs),
		TEST(mail_is_sealed_behind_the_loop_and_reads_as_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
