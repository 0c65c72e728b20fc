/*
 * P2: a false worker, queue and snapd-drill say everything that can be said,
 * all 65,536 message types with random bodies and each row of messages.def with
 * random fields besides.  The store is the same afterwards: the root of its
 * log, its bodies, its rows.
 */
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/snapd.h"
#include "tests/unit/scratch_store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 60000,
	ROUNDS = 60, /* of a row with random fields */
	MAX_RANDOM = 300
};

/* -- The rows of messages.def: the sizes of their fields -- */

struct field {
	size_t size; /* fixed bytes, or of the length in front */
	size_t max;  /* of what follows the length, 0 if fixed */
};

#define U8(name)          { 1, 0 },
#define U16(name)         { 2, 0 },
#define U32(name)         { 4, 0 },
#define U64(name)         { 8, 0 },
#define I64(name)         { 8, 0 },
#define DELIVERY_ID(name) { 18, 0 },
#define HASH(name)        { 32, 0 },
#define STORE_ID(name)    { 16, 0 },
#define STRING(name, max) { 4, max },
#define BYTES(name, max)  { 4, max },
#define MESSAGE(number, name, from, to, flow, fds, ...) \
	static const struct field fields_##name[] = { __VA_ARGS__ };
#include "common/messages.def"
#undef MESSAGE

static const struct row {
	uint16_t type;
	const struct field *fields;
	size_t field_count;
} rows[] = {
#define MESSAGE(number, name, from, to, flow, fds, ...) \
	{ number, fields_##name,                        \
		sizeof(fields_##name) / sizeof(fields_##name[0]) },
#include "common/messages.def"
#undef MESSAGE
};

static uint64_t random_state = 1;

static uint64_t
random_below(uint64_t limit)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1;
	return (random_state >> 20) % limit;
}

static void
put_random(uint8_t *packet, size_t *size, size_t count)
{
	while (count-- > 0)
		packet[(*size)++] = (uint8_t)random_below(256);
}

static size_t
random_packet(unsigned int type, uint8_t *packet)
{
	size_t size = 0;

	packet[size++] = (uint8_t)type;
	packet[size++] = (uint8_t)(type >> 8);
	put_random(packet, &size, random_below(MAX_RANDOM));
	return size;
}

/* Numbers are small or anything, so that some name what is there. */
static size_t
row_packet(const struct row *row, uint8_t *packet)
{
	size_t size = 0, i, b, length;
	uint64_t number;

	packet[size++] = (uint8_t)row->type;
	packet[size++] = (uint8_t)(row->type >> 8);
	for (i = 0; i < row->field_count; i++) {
		const struct field *field = &row->fields[i];

		length = field->max == 0 ? 0 : random_below(64);
		if (length > field->max)
			length = field->max;
		number = field->max > 0         ? length
			 : random_below(2) == 0 ? random_below(4)
						: random_below(UINT64_MAX);
		for (b = 0; b < field->size; b++)
			packet[size++] =
			    b < 8 ? (uint8_t)(number >> (8 * b)) : 0;
		put_random(packet, &size, length);
	}
	return size;
}

/* -- The store and its peers -- */

struct fixture {
	char path[64];
	char id[33];
	struct event_loop *loop;
	struct snapd *snapd;
	struct timer *deadline;
	int fd; /* our end of the channel; -1: closed */
	int log_ends[2];
};

static void
too_late(void *context)
{
	(void)context;
	fail_msg("no answer before the deadline");
}

static void
make_store(struct fixture *f)
{
	struct store_id id;

	scratch_store_make(f->path, "every_type_test", &id);
	text_format_hex(id.bytes, sizeof(id.bytes), f->id);
}

static void
fill(struct fixture *f)
{
	struct journal *journal = snapd_journal(f->snapd);
	struct recipient_record recipient = { 1, TEXT("a@demo.test") };
	struct delivery_id delivery = { { 0 } };
	struct error error;
	uint8_t data[400];
	uint64_t sequence;
	struct writer w;
	unsigned int i;

	assert_int_equal(
	    journal_create_account(journal, 1, TEXT("a@demo.test"), &error),
	    STATUS_OK);
	writer_init(&w, data, sizeof(data));
	record_put_recipient(&w, &recipient);
	for (i = 0; i < 50; i++) {
		delivery.bytes[0] = (uint8_t)i;
		assert_int_equal(
		    journal_accept(journal, &delivery, 0, 1,
			TEXT("s@example.org"), text_make(data, w.size),
			text_make(&i, sizeof(i)), &error),
		    STATUS_OK);
	}
	assert_int_equal(journal_mark(journal, 1, 0, TEXT("mark"), TEXT(""),
			     &sequence, &error),
	    STATUS_OK);
	assert_int_equal(journal_commit(journal, &error), STATUS_OK);
}

static int
set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));
	struct snapd_options options = { .map_bytes = 64 << 20,
		.retention = { .every_s = 900,
		    .minimum_s = 86400,
		    .count = 1,
		    .tiers = { { 900, 86400 } } } };

	make_store(f);
	options.path = f->path;
	options.store_id = f->id;
	f->fd = -1;
	f->loop = event_loop_new();
	f->deadline = timer_new(f->loop, too_late, f);
	f->snapd = snapd_new(f->loop, &options);
	fill(f);
	/* 131,072 alarms: nobody reads them. */
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, f->log_ends),
	    0);
	log_open(f->log_ends[0], "snapd");
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	log_open(-1, "firnmail");
	close(f->log_ends[0]);
	close(f->log_ends[1]);
	if (f->fd >= 0)
		close(f->fd);
	snapd_free(&f->snapd);
	timer_free(&f->deadline);
	event_loop_free(&f->loop);
	scratch_remove(f->path);
	free(f);
	return 0;
}

static void
connect_peer(struct fixture *f, enum role role)
{
	struct error error;
	int ends[2];

	if (f->fd >= 0)
		return;
	assert_int_equal(channel_pair(ends, &error), 0);
	if (role == ROLE_DRILL)
		snapd_set_driller(f->snapd, ends[0]);
	else
		snapd_add_channel(f->snapd, ends[0], role, 1);
	f->fd = ends[1];
}

static void
readable(int fd, int events, void *context)
{
	static uint8_t packet[MESSAGE_MAX_SIZE];
	struct fixture *f = context;
	ssize_t n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 2) {
		unsigned int type = packet[0] | (unsigned int)packet[1] << 8;

		if (type != MESSAGE_store_state &&
		    type != MESSAGE_account_state)
			return;
	} else {
		close(f->fd);
		f->fd = -1;
	}
	event_loop_stop(f->loop);
}

/* Sends the packet and a question behind it: waits until snapd answers the
 * latter, or has closed the channel.  Snapd-drill has nothing to ask: what is
 * no message closes its channel. */
static void
say(struct fixture *f, enum role role, const uint8_t *packet, size_t size)
{
	struct message hello = { .type = role == ROLE_QUEUE
					     ? MESSAGE_queue_hello
					     : MESSAGE_worker_hello };
	uint8_t question[64] = { 0 };
	size_t question_size = 2;
	struct watch *watch;

	connect_peer(f, role);
	if (role != ROLE_DRILL)
		question_size = message_encode(&hello, question);
	if (send(f->fd, packet, size, MSG_NOSIGNAL) < 0 ||
	    send(f->fd, question, question_size, MSG_NOSIGNAL) < 0)
		assert_int_equal(errno, EPIPE);
	watch = watch_new(f->loop, f->fd, WATCH_READ, readable, f);
	timer_start(f->deadline, DEADLINE_MS);
	event_loop_run(f->loop);
	timer_stop(f->deadline);
	watch_free(&watch);
}

struct look {
	struct hash root;
	uint64_t counts[DB_COUNT];
};

static void
look(struct fixture *f, struct look *look)
{
	struct journal *journal = snapd_journal(f->snapd);
	struct error error;
	struct transaction *t =
	    transaction_begin(journal->store, false, &error);
	int i;

	memset(look, 0, sizeof(*look));
	look->root = merkle_log_root(&journal->state.merkle, journal->digest);
	for (i = 0; i < DB_COUNT; i++)
		look->counts[i] = store_count(t, (enum database)i);
	transaction_abort(&t);
}

static void
all_types_from(struct fixture *f, enum role role)
{
	static uint8_t packet[MESSAGE_MAX_SIZE];
	unsigned int type;

	for (type = 0; type < 65536; type++)
		say(f, role, packet, random_packet(type, packet));
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static void
no_message_of_a_peer_changes_what_is_there(void **state)
{
	struct fixture *f = *state;
	struct look before, after;

	look(f, &before);
	assert_int_equal(before.counts[DB_BLOB], 50);
	all_types_from(f, ROLE_WORKER);
	all_types_from(f, ROLE_QUEUE);
	all_types_from(f, ROLE_DRILL);
	look(f, &after);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void
nor_does_any_row_with_random_fields(void **state)
{
	static uint8_t packet[MESSAGE_MAX_SIZE];
	static const enum role roles[] = { ROLE_WORKER, ROLE_QUEUE,
		ROLE_DRILL };
	struct fixture *f = *state;
	struct look before, after;
	size_t i, role, round;

	look(f, &before);
	for (role = 0; role < 3; role++) {
		for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			for (round = 0; round < ROUNDS; round++)
				say(f, roles[role], packet,
				    row_packet(&rows[i], packet));
		if (f->fd >= 0)
			close(f->fd);
		f->fd = -1;
	}
	look(f, &after);
	assert_memory_equal(&before, &after, sizeof(before));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(no_message_of_a_peer_changes_what_is_there),
		TEST(nor_does_any_row_with_random_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
