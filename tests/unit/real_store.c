/*
 * The interface of false_store.h on the real snapshot process: libsnapd in
 * this process, on a store in a temporary directory.  Between it and the
 * worker stands a proxy that counts batches and can lose their answers.
 */
#include "common/file.h"
#include "common/memory.h"
#include "snapd/snapd.h"
#include "tests/unit/false_store.h"
#include "tests/unit/scratch_store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 60000,
	ACCOUNT = 1
};

/* Of the store's address space; the file grows as it is filled. */
static const size_t map_bytes = (size_t)2 << 30;

struct false_store {
	struct event_loop *loop;
	struct timer *deadline;
	struct snapd *snapd;
	char path[64];
	char id[33];
	struct buf kept;     /* the index's bytes when the store was new, */
	struct buf kept_log; /* and its log's */
	/* The proxy: towards the worker, towards snapd. */
	struct channel *worker, *store;
	bool lose;
	struct message caught_up;
	uint64_t batches;
	size_t marked, unmarked;
	size_t missing_then; /* when it had caught up */
	unsigned int deliveries;
	struct delivery_id refused;
	/* One question at a time. */
	struct channel *asking;
	struct message answer;
	struct buf data;
	bool has_answer;
};

/* -- The proxy -- */

static size_t
count_fds(const int *fds)
{
	size_t count = 0;

	while (count < CHANNEL_MAX_DESCRIPTORS && fds[count] >= 0)
		count++;
	return count;
}

/* The store refuses what names a mailbox that is none. */
static struct message
spoiled(const struct false_store *s, const struct message *message)
{
	struct message m = *message;

	if (m.type == MESSAGE_change_file &&
	    memcmp(&m.change_file.delivery, &s->refused, sizeof(s->refused)) ==
		0)
		m.change_file.mailbox = UINT64_MAX;
	return m;
}

static void
from_worker(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct false_store *s = context;
	const struct message passed = spoiled(s, message);

	if (message->type == MESSAGE_change_missing &&
	    message->change_missing.is_missing)
		s->marked += message->change_missing.uids.size / 4;
	else if (message->type == MESSAGE_change_missing)
		s->unmarked += message->change_missing.uids.size / 4;
	if (message->type == MESSAGE_caught_up) {
		s->caught_up = *message;
		s->missing_then = s->marked - s->unmarked;
	} else if (s->store != NULL)
		channel_send(s->store, &passed, fds, count_fds(fds));
}

static void
from_store(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct false_store *s = context;

	if (message->type == MESSAGE_batch_done) {
		s->batches++;
		if (s->lose)
			return;
	}
	if (s->worker != NULL)
		channel_send(s->worker, message, fds, count_fds(fds));
}

static void
ended(struct channel *channel, const struct error *error, void *context)
{
	struct false_store *s = context;

	assert_int_equal(error->code, ERROR_UNAVAILABLE);
	channel_free(&s->worker);
	channel_free(&s->store);
}

int
false_store_connect(struct false_store *s)
{
	static const struct channel_handler worker = { from_worker, ended };
	static const struct channel_handler store = { from_store, ended };
	struct error error;
	int near[2], far[2];

	false_store_disconnect(s);
	assert_int_equal(channel_pair(near, &error), 0);
	assert_int_equal(channel_pair(far, &error), 0);
	snapd_add_channel(s->snapd, far[1], ROLE_WORKER, ACCOUNT);
	s->worker =
	    channel_new(s->loop, near[1], ROLE_SNAPD, ROLE_WORKER, &worker, s);
	s->store =
	    channel_new(s->loop, far[0], ROLE_WORKER, ROLE_SNAPD, &store, s);
	channel_set_limit(s->store, (size_t)256 << 20);
	channel_set_limit(s->worker, (size_t)256 << 20);
	return near[0];
}

void
false_store_disconnect(struct false_store *s)
{
	channel_free(&s->worker);
	channel_free(&s->store);
}

void
false_store_catch_up(struct false_store *s, enum catch_up_files files)
{
	struct message m = { .type = MESSAGE_catch_up };

	m.catch_up.tag = 7;
	m.catch_up.check_files = (uint8_t)files;
	s->caught_up = (struct message){ 0 };
	channel_send(s->worker, &m, NULL, 0);
}

bool
false_store_caught_up(
    const struct false_store *s, uint64_t *written, uint64_t *failed)
{
	*written = s->caught_up.caught_up.files_written;
	*failed = s->caught_up.caught_up.files_failed;
	return s->caught_up.caught_up.tag == 7;
}

size_t
false_store_missing_then(const struct false_store *s)
{
	return s->missing_then;
}

void
false_store_lose_answers(struct false_store *s, bool lose)
{
	s->lose = lose;
}

/* -- Asking -- */

static void
answered(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct false_store *s = context;
	struct error error;

	s->answer = *message;
	s->has_answer = true;
	buf_reset(&s->data);
	if (message->type == MESSAGE_listing && fds[0] >= 0) {
		assert_int_equal(lseek(fds[0], 0, SEEK_SET), 0);
		assert_int_equal(file_read_all(fds[0], &s->data, &error), 0);
	} else if (message->type == MESSAGE_listing) {
		buf_put(&s->data, message->listing.data.data,
		    message->listing.data.size);
	}
	event_loop_stop(s->loop);
}

static void
asking_closed(struct channel *channel, const struct error *error, void *context)
{
	fail_msg("snapd closed the channel: %s", error->text);
}

static void
too_late(void *context)
{
	fail_msg("no answer from snapd before the deadline");
}

static void
ask(struct false_store *s, enum role role, const struct message *message)
{
	static const struct channel_handler handler = { answered,
		asking_closed };
	struct error error;
	int ends[2];

	assert_int_equal(channel_pair(ends, &error), 0);
	snapd_add_channel(s->snapd, ends[0], role, ACCOUNT);
	s->asking =
	    channel_new(s->loop, ends[1], role, ROLE_SNAPD, &handler, s);
	s->has_answer = false;
	channel_send(s->asking, message, NULL, 0);
	timer_start(s->deadline, DEADLINE_MS);
	while (!s->has_answer)
		event_loop_run(s->loop);
	timer_stop(s->deadline);
	channel_free(&s->asking);
}

struct delivery_id
false_store_accept(struct false_store *s, const char *address, const char *body)
{
	struct recipient_record recipient = { ACCOUNT, text_of(address) };
	struct message m = { .type = MESSAGE_accept };
	struct delivery_id delivery = { { 0xde } };
	uint8_t bytes[1000];
	struct writer w;

	delivery.bytes[1] = (uint8_t)++s->deliveries;
	writer_init(&w, bytes, sizeof(bytes));
	record_put_recipient(&w, &recipient);
	m.accept.delivery = delivery;
	m.accept.time = 1600000000;
	m.accept.sender = TEXT("s@example.org");
	m.accept.recipients = text_make(bytes, w.size);
	m.accept.data = text_of(body);
	m.accept.size = strlen(body);
	ask(s, ROLE_QUEUE, &m);
	assert_int_equal(s->answer.accepted.status, STATUS_OK);
	return delivery;
}

void
false_store_refuse(struct false_store *s, const struct delivery_id *delivery)
{
	s->refused = *delivery;
}

void
false_store_mark(struct false_store *s)
{
	struct message m = { .type = MESSAGE_control_create };

	ask(s, ROLE_SNAPCTL, &m);
}

/* Live rows of a mailbox; those with all of `flags`. */
static size_t
count_rows(struct false_store *s, uint64_t mailbox, uint32_t flags)
{
	struct message m = { .type = MESSAGE_list_messages };
	struct message_record record;
	struct reader r;
	size_t count = 0;

	m.list_messages.mailbox = mailbox;
	ask(s, ROLE_WORKER, &m);
	assert_int_equal(s->answer.listing.status, STATUS_OK);
	reader_init(&r, s->data.data, s->data.size);
	while (record_get_message(&r, &record) == 1)
		count += (record.flags & flags) == flags;
	return count;
}

size_t
false_store_live(const struct false_store *s, uint64_t mailbox)
{
	return count_rows((struct false_store *)(uintptr_t)s, mailbox, 0);
}

size_t
false_store_missing(const struct false_store *s)
{
	return count_rows(
	    (struct false_store *)(uintptr_t)s, 1, RECORD_MISSING);
}

size_t
false_store_marked(const struct false_store *s)
{
	return s->marked;
}

uint64_t
false_store_batches(const struct false_store *s)
{
	return s->batches;
}

/* -- Beginning and end -- */

static void
disk_failed(void *context)
{
	fail_msg("snapd says that its disk failed");
}

static void
start(struct false_store *s)
{
	struct snapd_options options = { .path = s->path,
		.map_bytes = map_bytes,
		.store_id = s->id,
		.failed = disk_failed,
		.context = s };

	s->snapd = snapd_new(s->loop, &options);
}

static void
data_path(const struct false_store *s, char path[128])
{
	snprintf(path, 128, "%s/index/data.mdb", s->path);
}

static void
write_file(const char *path, off_t at, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_not_equal(fd, -1);
	assert_int_equal(pwrite(fd, data, size, at), (ssize_t)size);
	if (at == 0)
		assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

/* In place, and beside it a side file as of a store that did not stop in
 * order. */
void
false_store_put_back(struct false_store *s)
{
	char path[128];

	snapd_free(&s->snapd);
	data_path(s, path);
	write_file(path, 0, s->kept.data, s->kept.size);
	snprintf(path, sizeof(path), "%s/accepted", s->path);
	write_file(path, 0, s->kept_log.data, s->kept_log.size);
	snprintf(path, sizeof(path), "%s/witness", s->path);
	write_file(path, 1, "", 1); /* is clean */
	start(s);
}

void
false_store_use_claim(struct false_store *s)
{
	struct message m = { .type = MESSAGE_witness };

	text_parse_hex(text_of(s->id), m.witness.store.bytes, 16);
	m.witness.incarnation = UINT64_MAX;
	ask(s, ROLE_WORKER, &m);
	assert_int_equal(s->answer.witness_heard.status, STATUS_OK);
}

static void
read_file(const char *path, struct buf *to)
{
	struct error error;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_not_equal(fd, -1);
	buf_init(to, map_bytes);
	assert_int_equal(file_read_all(fd, to, &error), 0);
	close(fd);
}

static void
keep(struct false_store *s)
{
	char path[128];

	data_path(s, path);
	read_file(path, &s->kept);
	snprintf(path, sizeof(path), "%s/accepted", s->path);
	read_file(path, &s->kept_log);
}

static void
make_store(struct false_store *s)
{
	struct store_id id;

	scratch_store_make(s->path, "real_store", &id);
	text_format_hex(id.bytes, sizeof(id.bytes), s->id);
}

struct false_store *
false_store_new(struct event_loop *loop)
{
	struct message m = { .type = MESSAGE_control_account_create };
	struct false_store *s = memory_new(1, sizeof(*s));

	s->loop = loop;
	s->deadline = timer_new(loop, too_late, s);
	buf_init(&s->data, 64 << 20);
	make_store(s);
	start(s);
	m.control_account_create.account = ACCOUNT;
	ask(s, ROLE_SNAPCTL, &m);
	assert_int_equal(s->answer.control_done.status, STATUS_OK);
	keep(s);
	return s;
}

void
false_store_free(struct false_store **store)
{
	struct false_store *s = *store;

	false_store_disconnect(s);
	snapd_free(&s->snapd);
	timer_free(&s->deadline);
	buf_clear(&s->kept);
	buf_clear(&s->kept_log);
	buf_clear(&s->data);
	scratch_remove(s->path);
	memory_free(store);
}
