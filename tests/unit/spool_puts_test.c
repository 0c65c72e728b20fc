/*
 * A body that is too large for rows, before a false queue and a disk that is as
 * slow, as full or as broken as the test wants: nobody else waits for it, and
 * it is not said to be kept before it is.
 */
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/record.h"
#include "smtpd/spool_body.h"
#include "tests/unit/spool_stand.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LARGE = 3 * SPOOL_INLINE_BYTES,
	MAX_TAGS = 16
};

static struct channel *queue;
static size_t wanted;
static uint64_t tags[MAX_TAGS]; /* in the order of the answers */
static size_t kept;
static enum status kept_status;
static bool is_failed;

/* The disk: syncs wait while it is shut. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static bool is_shut;
static unsigned int syncs; /* that have begun */
static const char *bad_call;
static int bad_errno;

static int
disk(const char *call, const char *name, void *context)
{
	int wished = 0;

	pthread_mutex_lock(&lock);
	if (strcmp(call, "sync") == 0) {
		syncs++;
		while (is_shut)
			pthread_cond_wait(&opened, &lock);
	}
	if (bad_call != NULL && strcmp(call, bad_call) == 0)
		wished = bad_errno;
	pthread_mutex_unlock(&lock);
	return wished;
}

static void
set_shut(bool shut)
{
	pthread_mutex_lock(&lock);
	is_shut = shut;
	pthread_cond_broadcast(&opened);
	pthread_mutex_unlock(&lock);
}

static bool
is_syncing(void)
{
	bool result;

	pthread_mutex_lock(&lock);
	result = syncs > 0;
	pthread_mutex_unlock(&lock);
	return result;
}

static bool
is_kept(void)
{
	return kept >= wanted;
}

static bool
has_failed(void)
{
	return is_failed;
}

static void
wait_for_kept(size_t count)
{
	wanted = count;
	wait_for(is_kept);
}

static void
queue_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type != MESSAGE_spool_kept)
		return;
	tags[kept++ % MAX_TAGS] = message->spool_kept.tag;
	kept_status = (enum status)message->spool_kept.status;
}

static void
failed(void *context)
{
	is_failed = true;
}

static void
start(void)
{
	static const struct channel_handler handler = { queue_hears, gone };

	open_spool(NULL, failed);
	queue = connect_to(ROLE_QUEUE, &handler);
}

static void
stop(void)
{
	spool_free(&spool); /* it waits for the disk, whoever is there */
	channel_free(&queue);
	close_spool();
}

static int
set_up(void **state)
{
	make_folder();
	kept = 0;
	syncs = 0;
	is_failed = false;
	bad_call = NULL;
	set_shut(false);
	file_set_fault_hook(disk, NULL);
	start();
	return 0;
}

static int
tear_down(void **state)
{
	set_shut(false);
	stop();
	file_set_fault_hook(NULL, NULL);
	remove_folder();
	return 0;
}

static void
put(unsigned int number, size_t size)
{
	const struct outgoing_record record = { .original = TEXT(""),
		.address = TEXT("x@other.test") };
	struct message message = { .type = MESSAGE_spool_put };
	struct message_spool_put *said = &message.spool_put;
	uint8_t *bytes = calloc(size, 1), records[200];
	struct writer writer;
	struct error error;
	int fd;

	memset(bytes, (int)('a' + number), size);
	writer_init(&writer, records, sizeof(records));
	record_put_outgoing(&writer, &record);
	said->tag = number;
	said->delivery.bytes[0] = (uint8_t)number;
	said->time = clock_wall_us() / 1000000;
	said->account = 1;
	said->sender = TEXT("bob@demo.test");
	said->envelope_id = TEXT("");
	said->recipients = text_make(records, writer.size);
	said->data = TEXT("");
	said->size = size;
	fd = file_sealed_memory("mail", bytes, size, &error);
	assert_int_not_equal(fd, -1);
	assert_int_equal(channel_send(queue, &message, &fd, 1), 0);
	close(fd);
	free(bytes);
}

static size_t
count_files(void)
{
	char path[SCRATCH_PATH + 8];

	snprintf(path, sizeof(path), "%s/body", folder);
	return scratch_count(path);
}

static size_t
count_messages(void)
{
	return (size_t)spool_env_count(
	    spool_store_env(spool->store), SPOOL_MESSAGE);
}

static void
who_comes_after_a_large_body_does_not_wait_for_it(void **state)
{
	set_shut(true);
	put(1, LARGE);
	wait_for(is_syncing);
	put(2, 100);
	put(3, LARGE);
	put(4, 20000);
	wait_for_kept(2);
	assert_int_equal(tags[0], 2);
	assert_int_equal(tags[1], 4);
	/* Not a row of the others yet, so nobody can be told of them. */
	assert_int_equal(count_messages(), 2);
	set_shut(false);
	wait_for_kept(4);
	assert_int_equal(tags[2], 1);
	assert_int_equal(tags[3], 3);
	assert_int_equal(kept_status, STATUS_OK);
	assert_int_equal(count_messages(), 4);
	assert_int_equal(count_files(), 2);
}

static void
assert_body(uint64_t id, unsigned int number, size_t size)
{
	struct spool_message message;
	struct error error;
	struct buf bytes;

	assert_int_equal(
	    spool_store_message(spool->store, id, &message, &error), 1);
	assert_int_equal(message.delivery.bytes[0], number);
	assert_int_equal(message.size, size);
	buf_init(&bytes, size);
	assert_int_equal(
	    spool_store_read_body(spool->store, id, &message, &bytes, &error),
	    0);
	assert_int_equal(bytes.size, size);
	assert_int_equal(bytes.data[0], 'a' + number);
	assert_int_equal(bytes.data[size - 1], 'a' + number);
	buf_clear(&bytes);
	spool_store_rest(spool->store);
}

static void
each_has_its_own_body_after_a_restart(void **state)
{
	uint64_t id;

	put(1, LARGE);
	put(2, 100);
	put(3, LARGE + 1);
	wait_for_kept(3);
	stop();
	start();
	assert_int_equal(schedule_count(spool->schedule), 3);
	for (unsigned int number = 1; number <= 3; number++) {
		const uint8_t start_of_id = (uint8_t)number;
		struct error error;

		assert_int_equal(spool_store_find_id(spool->store, &start_of_id,
				     1, &id, &error),
		    1);
		assert_body(id, number,
		    number == 2 ? 100 : LARGE + (size_t)(number == 3));
	}
}

static void
a_delivery_that_comes_twice_has_one_file(void **state)
{
	put(1, LARGE);
	put(1, LARGE);
	wait_for_kept(2);
	assert_int_equal(kept_status, STATUS_OK);
	assert_int_equal(count_messages(), 1);
	assert_int_equal(count_files(), 1);
}

static void
one_that_finds_no_room_is_refused_alone(void **state)
{
	bad_call = "write";
	bad_errno = ENOSPC;
	put(1, LARGE);
	wait_for_kept(1);
	assert_int_equal(kept_status, STATUS_FULL);
	assert_int_equal(count_files(), 0);
	put(2, 100);
	wait_for_kept(2);
	assert_int_equal(kept_status, STATUS_OK);
	assert_false(is_failed);
}

static void
nothing_is_answered_when_a_body_cannot_be_synced(void **state)
{
	bad_call = "sync";
	bad_errno = EIO;
	put(1, LARGE);
	wait_for(has_failed);
	assert_int_equal(kept, 0);
	assert_int_equal(count_messages(), 0);
}

static void
nothing_is_answered_when_the_folder_cannot_be_synced(void **state)
{
	bad_call = "sync_directory";
	bad_errno = EIO;
	put(1, LARGE);
	wait_for(has_failed);
	assert_int_equal(kept, 0);
	assert_int_equal(count_messages(), 0);
}

static void *
open_soon(void *context)
{
	while (!is_syncing())
		sched_yield();
	set_shut(false);
	return NULL;
}

/* What the thread has in hand is kept; what waits for it may be. */
static void
an_end_in_between_waits_for_what_is_being_written(void **state)
{
	pthread_t opener;

	set_shut(true);
	put(1, LARGE);
	wait_for(is_syncing);
	put(2, LARGE);
	put(3, 100);
	wait_for_kept(1);
	assert_int_equal(pthread_create(&opener, NULL, open_soon, NULL), 0);
	stop();
	pthread_join(opener, NULL);
	start();
	assert_int_equal(count_messages(), schedule_count(spool->schedule));
	assert_in_range(count_messages(), 2, 3);
	assert_int_equal(count_files(), count_messages() - 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(who_comes_after_a_large_body_does_not_wait_for_it),
		TEST(each_has_its_own_body_after_a_restart),
		TEST(a_delivery_that_comes_twice_has_one_file),
		TEST(one_that_finds_no_room_is_refused_alone),
		TEST(nothing_is_answered_when_a_body_cannot_be_synced),
		TEST(nothing_is_answered_when_the_folder_cannot_be_synced),
		TEST(an_end_in_between_waits_for_what_is_being_written),
	};

	log_set_level(LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
