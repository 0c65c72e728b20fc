/*
 * A channel against a peer that behaves and against one that does not.  The
 * peer is the bare other end of the socketpair, so that it can say anything.
 */
#include "common/channel.h"

#include "common/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 60000,
	MAX_SEEN = 4096
};

struct fixture {
	struct event_loop *loop;
	struct channel *channel;
	struct timer *deadline;
	int peer; /* the other end, -1 once closed */
	size_t received;
	size_t closed;
	size_t drained;
	uint64_t seen[MAX_SEEN]; /* tag of each message */
	struct error error;
	bool free_in_received;
	bool free_in_closed;
	bool answer;
	bool pause;
	int kept_fd;
	bool keep_fd;
	bool (*until)(const struct fixture *f);
	size_t open_before;
};

static size_t
count_open(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(directory);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

static void
on_received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct fixture *f = context;

	if (f->received < MAX_SEEN)
		f->seen[f->received] =
		    message->type == MESSAGE_accept     ? message->accept.tag
		    : message->type == MESSAGE_accepted ? message->accepted.tag
							: 0;
	f->received++;
	if (f->keep_fd && f->kept_fd == -1) {
		f->kept_fd = fds[0];
		fds[0] = -1;
	}
	if (f->answer && message->type == MESSAGE_accept) {
		struct message answer = { .type = MESSAGE_accepted };

		answer.accepted.tag = message->accept.tag;
		assert_int_equal(channel_send(channel, &answer, NULL, 0), 0);
	}
	if (f->pause)
		channel_pause(channel);
	if (f->free_in_received)
		channel_free(&f->channel);
}

static void
on_closed(struct channel *channel, const struct error *error, void *context)
{
	struct fixture *f = context;

	(void)channel;
	f->closed++;
	f->error = *error;
	if (f->free_in_closed)
		channel_free(&f->channel);
}

static void
on_drained(struct channel *channel, void *context)
{
	struct fixture *f = context;

	(void)channel;
	f->drained++;
}

static const struct channel_handler handler = { on_received, on_closed };

static void
on_round(void *context)
{
	struct fixture *f = context;

	if (f->until(f))
		event_loop_stop(f->loop);
}

static void
on_deadline(void *context)
{
	struct fixture *f = context;

	event_loop_stop(f->loop);
}

static void
run_until(struct fixture *f, bool (*until)(const struct fixture *f))
{
	f->until = until;
	if (until(f))
		return;
	event_loop_on_round(f->loop, on_round, f);
	timer_start(f->deadline, DEADLINE_MS);
	event_loop_run(f->loop);
	timer_stop(f->deadline);
	assert_true(until(f));
}

static bool
is_closed(const struct fixture *f)
{
	return f->closed > 0;
}

static bool
is_received(const struct fixture *f)
{
	return f->received > 0;
}

/* A channel of `self`, whose bare peer plays `peer`. */
static struct fixture *
fixture_new(enum role self, enum role peer)
{
	struct fixture *f = memory_new(1, sizeof(*f));
	struct error error;
	int ends[2];

	f->open_before = count_open();
	assert_int_equal(channel_pair(ends, &error), 0);
	f->loop = event_loop_new();
	f->deadline = timer_new(f->loop, on_deadline, f);
	f->channel = channel_new(f->loop, ends[0], self, peer, &handler, f);
	channel_on_drained(f->channel, on_drained);
	f->peer = ends[1];
	f->kept_fd = -1;
	return f;
}

/* Also checks that no descriptor was lost on the way. */
static void
fixture_free(struct fixture *f)
{
	size_t open_before = f->open_before;

	channel_free(&f->channel);
	timer_free(&f->deadline);
	event_loop_free(&f->loop);
	if (f->peer != -1)
		close(f->peer);
	if (f->kept_fd != -1)
		close(f->kept_fd);
	free(f);
	assert_int_equal(count_open(), open_before);
}

static void
send_raw(int fd, const void *data, size_t size, const int *fds, size_t count)
{
	struct iovec part = { (void *)(uintptr_t)data, size };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 32)];
	} control;

	memset(&control, 0, sizeof(control));
	if (count > 0) {
		struct cmsghdr *rights;

		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(rights), fds, sizeof(int) * count);
	}
	assert_int_equal(sendmsg(fd, &header, MSG_NOSIGNAL), size);
}

static size_t
packet_accept(uint64_t tag, uint8_t *data)
{
	struct message message = { .type = MESSAGE_accept };

	message.accept.tag = tag;
	message.accept.data = TEXT("body");
	message.accept.size = 4;
	return message_encode(&message, data);
}

/* Everything that a bad peer can say ends in `closed` with ERROR_INPUT, once,
 * and nothing of it reaches the owner. */
static void
bad_packet_ends_the_channel(const void *data, size_t size, size_t fd_count)
{
	struct fixture *f = fixture_new(ROLE_SNAPD, ROLE_QUEUE);
	int fds[32];

	for (size_t i = 0; i < fd_count; i++)
		fds[i] = STDIN_FILENO;
	send_raw(f->peer, data, size, fds, fd_count);
	run_until(f, is_closed);
	assert_int_equal(f->received, 0);
	assert_int_equal(f->error.code, ERROR_INPUT);
	assert_int_equal(f->closed, 1);
	fixture_free(f);
}

static void
every_type_that_is_no_row_of_this_peer_ends_the_channel(void **state)
{
	size_t count;
	const struct message_rule *rules = message_rules(&count);

	(void)state;
	bad_packet_ends_the_channel("\xff\xff", 2, 0);
	bad_packet_ends_the_channel("\x00\x00", 2, 0);
	bad_packet_ends_the_channel("\x01", 1, 0);
	for (size_t i = 0; i < count; i++) {
		uint8_t *data;

		if (rules[i].from == ROLE_QUEUE || rules[i].from == ROLE_ANY ||
		    rules[i].from == ROLE_STARTER)
			continue;
		data = calloc(1, rules[i].min_size);
		data[0] = (uint8_t)rules[i].type;
		data[1] = (uint8_t)(rules[i].type >> 8);
		bad_packet_ends_the_channel(data, rules[i].min_size, 0);
		free(data);
	}
}

static void
a_wrong_length_ends_the_channel(void **state)
{
	uint8_t data[MESSAGE_MAX_SIZE];
	size_t size = packet_accept(1, data);

	(void)state;
	bad_packet_ends_the_channel(data, size - 1, 0);
	data[size] = 0;
	bad_packet_ends_the_channel(data, size + 1, 0);
}

static void
a_packet_longer_than_any_message_ends_the_channel(void **state)
{
	uint8_t *data = calloc(1, MESSAGE_MAX_SIZE + 1);

	(void)state;
	packet_accept(1, data);
	bad_packet_ends_the_channel(data, MESSAGE_MAX_SIZE + 1, 0);
	free(data);
}

static void
a_stray_descriptor_ends_the_channel_and_is_closed(void **state)
{
	uint8_t data[MESSAGE_MAX_SIZE];
	struct message hello = { .type = MESSAGE_queue_hello };
	size_t size = packet_accept(1, data);

	(void)state;
	bad_packet_ends_the_channel(data, size, 2);
	bad_packet_ends_the_channel(data, size, 24);
	bad_packet_ends_the_channel(data, size, 32);
	size = message_encode(&hello, data);
	bad_packet_ends_the_channel(data, size, 1);
}

static void
an_answer_without_a_request_ends_the_channel(void **state)
{
	struct fixture *f = fixture_new(ROLE_QUEUE, ROLE_SNAPD);
	struct message answer = { .type = MESSAGE_accepted };
	uint8_t data[MESSAGE_MAX_SIZE];

	(void)state;
	send_raw(f->peer, data, message_encode(&answer, data), NULL, 0);
	run_until(f, is_closed);
	assert_int_equal(f->error.code, ERROR_INPUT);
	assert_int_equal(f->received, 0);
	fixture_free(f);
}

static void
more_requests_than_credit_end_the_channel(void **state)
{
	struct fixture *f = fixture_new(ROLE_SNAPD, ROLE_QUEUE);
	uint8_t data[MESSAGE_MAX_SIZE];

	(void)state;
	for (uint64_t i = 0; i <= CHANNEL_CREDIT; i++)
		send_raw(f->peer, data, packet_accept(i, data), NULL, 0);
	run_until(f, is_closed);
	assert_int_equal(f->received, CHANNEL_CREDIT);
	assert_int_equal(f->error.code, ERROR_INPUT);
	fixture_free(f);
}

static bool
has_300(const struct fixture *f)
{
	return f->received == 300 || f->closed > 0;
}

static void
an_answered_request_gives_its_credit_back(void **state)
{
	struct fixture *f = fixture_new(ROLE_SNAPD, ROLE_QUEUE);
	uint8_t data[MESSAGE_MAX_SIZE];
	pid_t child;
	int status;

	(void)state;
	f->answer = true;
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		struct error error;
		struct message message;
		int fds[CHANNEL_MAX_DESCRIPTORS];
		size_t fd_count;

		for (uint64_t i = 0; i < 300; i++) {
			send_raw(
			    f->peer, data, packet_accept(i, data), NULL, 0);
			if (channel_receive_now(f->peer, ROLE_QUEUE, ROLE_SNAPD,
				DEADLINE_MS, data, &message, fds, &fd_count,
				&error) == -1 ||
			    message.accepted.tag != i)
				_exit(1);
		}
		_exit(0);
	}
	run_until(f, has_300);
	assert_int_equal(f->received, 300);
	assert_int_equal(f->closed, 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	fixture_free(f);
}

static void
a_peer_that_closes_is_told_as_unavailable_once(void **state)
{
	struct fixture *f = fixture_new(ROLE_SNAPD, ROLE_QUEUE);

	(void)state;
	close(f->peer);
	f->peer = -1;
	run_until(f, is_closed);
	assert_int_equal(f->error.code, ERROR_UNAVAILABLE);
	assert_int_equal(f->closed, 1);
	fixture_free(f);
}

static void
what_a_peer_said_before_it_closed_is_received(void **state)
{
	struct fixture *f = fixture_new(ROLE_SNAPD, ROLE_QUEUE);
	uint8_t data[MESSAGE_MAX_SIZE];

	(void)state;
	for (uint64_t i = 0; i < 10; i++)
		send_raw(f->peer, data, packet_accept(i, data), NULL, 0);
	close(f->peer);
	f->peer = -1;
	run_until(f, is_closed);
	assert_int_equal(f->received, 10);
	fixture_free(f);
}

static void
a_channel_may_be_freed_in_received(void **state)
{
	struct fixture *f = fixture_new(ROLE_SNAPD, ROLE_QUEUE);
	uint8_t data[MESSAGE_MAX_SIZE];
	int fd = STDIN_FILENO;

	(void)state;
	f->free_in_received = true;
	for (uint64_t i = 0; i < 5; i++)
		send_raw(f->peer, data, packet_accept(i, data), &fd, 1);
	run_until(f, is_received);
	assert_int_equal(f->received, 1);
	assert_null(f->channel);
	fixture_free(f);
}

static void
a_channel_may_be_freed_in_closed(void **state)
{
	struct fixture *f = fixture_new(ROLE_SNAPD, ROLE_QUEUE);

	(void)state;
	f->free_in_closed = true;
	send_raw(f->peer, "bad", 3, NULL, 0);
	run_until(f, is_closed);
	assert_null(f->channel);
	fixture_free(f);
}

static void
nothing_is_received_after_a_bad_packet(void **state)
{
	struct fixture *f = fixture_new(ROLE_SNAPD, ROLE_QUEUE);
	uint8_t data[MESSAGE_MAX_SIZE];

	(void)state;
	send_raw(f->peer, data, packet_accept(1, data), NULL, 0);
	send_raw(f->peer, "bad", 3, NULL, 0);
	send_raw(f->peer, data, packet_accept(2, data), NULL, 0);
	run_until(f, is_closed);
	assert_int_equal(f->received, 1);
	assert_int_equal(f->closed, 1);
	fixture_free(f);
}

static void
a_closed_channel_takes_nothing(void **state)
{
	struct fixture *f = fixture_new(ROLE_SNAPD, ROLE_QUEUE);
	struct message answer = { .type = MESSAGE_accepted };

	(void)state;
	send_raw(f->peer, "bad", 3, NULL, 0);
	run_until(f, is_closed);
	assert_int_equal(channel_send(f->channel, &answer, NULL, 0), -1);
	assert_int_equal(channel_waiting_bytes(f->channel), 0);
	fixture_free(f);
}

static void
a_descriptor_is_passed_and_the_senders_own_stays(void **state)
{
	struct fixture *f = fixture_new(ROLE_QUEUE, ROLE_SNAPD);
	struct message message = { .type = MESSAGE_accept }, got;
	uint8_t data[MESSAGE_MAX_SIZE];
	int fds[CHANNEL_MAX_DESCRIPTORS];
	int pipe_ends[2];
	size_t count;
	struct error error;
	char byte = 0;

	(void)state;
	assert_int_equal(pipe(pipe_ends), 0);
	assert_int_equal(
	    channel_send(f->channel, &message, pipe_ends + 1, 1), 0);
	assert_int_equal(fcntl(pipe_ends[1], F_GETFD), 0);
	assert_int_equal(channel_receive_now(f->peer, ROLE_SNAPD, ROLE_QUEUE,
			     DEADLINE_MS, data, &got, fds, &count, &error),
	    0);
	assert_int_equal(count, 1);
	assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(fds[0], "x", 1), 1);
	assert_int_equal(read(pipe_ends[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(fds[0]);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	fixture_free(f);
}

static void
a_descriptor_not_taken_is_closed_and_a_taken_one_is_kept(void **state)
{
	uint8_t data[MESSAGE_MAX_SIZE];
	int fd = STDIN_FILENO;

	(void)state;
	for (int keep = 0; keep < 2; keep++) {
		struct fixture *f = fixture_new(ROLE_SNAPD, ROLE_QUEUE);

		f->keep_fd = keep;
		send_raw(f->peer, data, packet_accept(1, data), &fd, 1);
		run_until(f, is_received);
		if (keep)
			assert_int_equal(
			    fcntl(f->kept_fd, F_GETFD), FD_CLOEXEC);
		assert_int_equal(f->kept_fd != -1, keep);
		fixture_free(f);
	}
}

/* Fills the kernel's buffer and then the channel's. Returns how many went. */
static size_t
send_until_refused(struct fixture *f, size_t limit)
{
	static char body[16384];
	struct message notice = { .type = MESSAGE_unfiled_accounts };
	size_t count = 0;

	channel_set_limit(f->channel, limit);
	notice.unfiled_accounts.accounts = text_make(body, sizeof(body));
	do {
		notice.unfiled_accounts.tag = count;
		if (channel_send(f->channel, &notice, NULL, 0) == -1)
			return count;
	} while (++count < 10000);
	fail_msg("10,000 packets were taken");
	return 0;
}

static bool
is_drained(const struct fixture *f)
{
	return f->drained > 0;
}

static void
a_full_kernel_buffer_makes_packets_wait_and_keeps_their_order(void **state)
{
	struct fixture *f = fixture_new(ROLE_SNAPD, ROLE_QUEUE);
	size_t limit = 500000, sent = send_until_refused(f, limit);
	size_t before = channel_waiting_bytes(f->channel);
	pid_t child;
	int status;

	(void)state;
	assert_true(before > limit - 20000 && before <= limit);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		uint8_t data[MESSAGE_MAX_SIZE];
		struct message got;
		int fds[CHANNEL_MAX_DESCRIPTORS];
		struct error error;
		size_t count;

		for (uint64_t i = 0; i < sent; i++)
			if (channel_receive_now(f->peer, ROLE_QUEUE, ROLE_SNAPD,
				DEADLINE_MS, data, &got, fds, &count,
				&error) == -1 ||
			    got.unfiled_accounts.tag != i)
				_exit(1);
		_exit(0);
	}
	run_until(f, is_drained);
	assert_int_equal(channel_waiting_bytes(f->channel), 0);
	assert_int_equal(f->drained, 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	fixture_free(f);
}

static void
descriptors_that_wait_are_closed_with_the_channel(void **state)
{
	struct fixture *f = fixture_new(ROLE_QUEUE, ROLE_SNAPD);
	struct message message = { .type = MESSAGE_accept };
	int fd = STDIN_FILENO;

	(void)state;
	for (uint64_t i = 0; i < CHANNEL_CREDIT + 20; i++) {
		message.accept.tag = i;
		assert_int_equal(channel_send(f->channel, &message, &fd, 1), 0);
	}
	assert_true(channel_waiting_bytes(f->channel) > 0);
	fixture_free(f);
}

/* Receives one message at the peer's end, as `peer` would; its tag. */
static uint64_t
peer_receive(struct fixture *f, enum message_type *type)
{
	uint8_t data[MESSAGE_MAX_SIZE];
	struct message got;
	struct error error;
	int fds[CHANNEL_MAX_DESCRIPTORS];
	size_t count;

	assert_int_equal(channel_receive_now(f->peer, ROLE_SNAPD, ROLE_WORKER,
			     DEADLINE_MS, data, &got, fds, &count, &error),
	    0);
	*type = got.type;
	return got.type == MESSAGE_read_blob ? got.read_blob.tag
					     : got.caught_up.tag;
}

static void
requests_beyond_credit_wait_and_answers_pass_them(void **state)
{
	struct fixture *f = fixture_new(ROLE_WORKER, ROLE_SNAPD);
	struct message request = { .type = MESSAGE_read_blob };
	struct message answer = { .type = MESSAGE_caught_up };
	struct message ask = { .type = MESSAGE_catch_up };
	struct message body = { .type = MESSAGE_body };
	uint8_t data[MESSAGE_MAX_SIZE];
	enum message_type type;

	(void)state;
	for (uint64_t i = 0; i < CHANNEL_CREDIT + 2; i++) {
		request.read_blob.tag = i;
		assert_int_equal(
		    channel_send(f->channel, &request, NULL, 0), 0);
	}
	assert_int_equal(channel_waiting_bytes(f->channel), 2 * 18);

	/* The peer asks something; our answer goes before what waits. */
	send_raw(f->peer, data, message_encode(&ask, data), NULL, 0);
	run_until(f, is_received);
	answer.caught_up.tag = 777;
	assert_int_equal(channel_send(f->channel, &answer, NULL, 0), 0);
	for (uint64_t i = 0; i < CHANNEL_CREDIT; i++) {
		assert_int_equal(peer_receive(f, &type), i);
		assert_int_equal(type, MESSAGE_read_blob);
	}
	assert_int_equal(peer_receive(f, &type), 777);
	assert_int_equal(type, MESSAGE_caught_up);

	/* One answer lets one more request go, in order. */
	f->received = 0;
	send_raw(f->peer, data, message_encode(&body, data), NULL, 0);
	run_until(f, is_received);
	send_raw(f->peer, data, message_encode(&body, data), NULL, 0);
	run_until(f, is_drained);
	assert_int_equal(peer_receive(f, &type), CHANNEL_CREDIT);
	assert_int_equal(peer_receive(f, &type), CHANNEL_CREDIT + 1);
	fixture_free(f);
}

static void
a_paused_channel_reads_nothing_until_it_is_resumed(void **state)
{
	struct fixture *f = fixture_new(ROLE_SNAPD, ROLE_QUEUE);
	uint8_t data[MESSAGE_MAX_SIZE];

	(void)state;
	f->pause = true;
	send_raw(f->peer, data, packet_accept(1, data), NULL, 0);
	send_raw(f->peer, data, packet_accept(2, data), NULL, 0);
	run_until(f, is_received);
	assert_int_equal(f->received, 1);
	f->received = 0;
	channel_resume(f->channel);
	run_until(f, is_received);
	assert_int_equal(f->seen[0], 2);
	fixture_free(f);
}

static void
receive_now_gives_up_after_its_time(void **state)
{
	struct message message;
	uint8_t data[MESSAGE_MAX_SIZE];
	int ends[2], fds[CHANNEL_MAX_DESCRIPTORS];
	size_t count;
	struct error error;

	(void)state;
	assert_int_equal(channel_pair(ends, &error), 0);
	assert_int_equal(channel_receive_now(ends[0], ROLE_SNAPD, ROLE_QUEUE,
			     10, data, &message, fds, &count, &error),
	    -1);
	assert_int_equal(error.code, ERROR_UNAVAILABLE);
	close(ends[1]);
	assert_int_equal(channel_receive_now(ends[0], ROLE_SNAPD, ROLE_QUEUE,
			     10, data, &message, fds, &count, &error),
	    -1);
	assert_int_equal(error.code, ERROR_UNAVAILABLE);
	close(ends[0]);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_type_that_is_no_row_of_this_peer_ends_the_channel),
		cmocka_unit_test(a_wrong_length_ends_the_channel),
		cmocka_unit_test(
		    a_packet_longer_than_any_message_ends_the_channel),
		cmocka_unit_test(
		    a_stray_descriptor_ends_the_channel_and_is_closed),
		cmocka_unit_test(an_answer_without_a_request_ends_the_channel),
		cmocka_unit_test(more_requests_than_credit_end_the_channel),
		cmocka_unit_test(an_answered_request_gives_its_credit_back),
		cmocka_unit_test(
		    a_peer_that_closes_is_told_as_unavailable_once),
		cmocka_unit_test(what_a_peer_said_before_it_closed_is_received),
		cmocka_unit_test(a_channel_may_be_freed_in_received),
		cmocka_unit_test(a_channel_may_be_freed_in_closed),
		cmocka_unit_test(nothing_is_received_after_a_bad_packet),
		cmocka_unit_test(a_closed_channel_takes_nothing),
		cmocka_unit_test(
		    a_descriptor_is_passed_and_the_senders_own_stays),
		cmocka_unit_test(
		    a_descriptor_not_taken_is_closed_and_a_taken_one_is_kept),
		cmocka_unit_test(
		    a_full_kernel_buffer_makes_packets_wait_and_keeps_their_order),
		cmocka_unit_test(
		    descriptors_that_wait_are_closed_with_the_channel),
		cmocka_unit_test(
		    requests_beyond_credit_wait_and_answers_pass_them),
		cmocka_unit_test(
		    a_paused_channel_reads_nothing_until_it_is_resumed),
		cmocka_unit_test(receive_now_gives_up_after_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
