/*
 * The conversation with snapd on its control socket.  Rows arrive before the
 * `control_done` that ends an answer.
 */
#include "snapctl/interrupt.h"
#include "snapctl/snapctl.h"

#include "common/channel.h"
#include "common/sandbox_tool.h"
#include "common/status.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum {
	/* A restore and a full verification take their time and say so in
	 * progress rows; silence longer than this is a dead daemon. */
	CLIENT_TIMEOUT_MS = 120 * 1000
};

static int
exit_of_status(enum status status)
{
	switch (status) {
	case STATUS_OK:
		return EXIT_DONE;
	case STATUS_MISSING:
		return EXIT_NONE;
	case STATUS_REFUSED:
		return EXIT_REFUSED;
	case STATUS_DAMAGED:
		return EXIT_DAMAGED;
	case STATUS_BUSY:
		return EXIT_BUSY;
	case STATUS_UNAVAILABLE:
	case STATUS_FENCED:
		return EXIT_UNREACHABLE;
	case STATUS_PARTLY:
		return EXIT_PARTLY;
	case STATUS_INVALID:
		return EXIT_USAGE;
	default:
		return EXIT_FAILED;
	}
}

static int
answer_done(const struct message_control_done *done)
{
	if (done->status != STATUS_OK)
		fprintf(stderr, "snapctl: %s%s%.*s\n",
		    status_name(done->status), done->text.size > 0 ? ": " : "",
		    TEXT_FMT(done->text));
	return exit_of_status(done->status);
}

/* What is shown so far goes out, and then it may last; -1 if meanwhile nobody
 * reads it any more. */
static int
wait_for_news(const struct snapctl *snapctl)
{
	struct pollfd fds[] = { { .fd = snapctl->socket, .events = POLLIN },
		{ .fd = STDOUT_FILENO } };

	if (fflush(stdout) == EOF)
		return -1;
	while (poll(fds, 2, -1) == -1 && errno == EINTR)
		;
	return fds[1].revents != 0 ? -1 : 0;
}

static int
receive_one(struct snapctl *snapctl, uint8_t *storage, struct message *message)
{
	int fds[CHANNEL_MAX_DESCRIPTORS];
	struct error error;
	size_t fd_count;

	if (channel_receive_now(snapctl->socket, ROLE_SNAPCTL, ROLE_SNAPD,
		CLIENT_TIMEOUT_MS, storage, message, fds, &fd_count,
		&error) == 0)
		return 0;
	output_progress_end(snapctl->output);
	fprintf(stderr, "snapctl: %s\n", error.text);
	return -1;
}

static void
note_progress(const struct message_control_row *row)
{
	struct control_progress progress;

	if (row->kind == CONTROL_PROGRESS &&
	    control_get_progress(row->record, &progress) == 0)
		interrupt_note_progress(&progress);
}

int
client_confine(struct snapctl *snapctl)
{
	struct error error;

	if (!snapctl->is_confined &&
	    sandbox_tool_enter(ROLE_SNAPCTL, &error) == -1) {
		fprintf(stderr, "snapctl: %s\n", error.text);
		return EXIT_FAILED;
	}
	snapctl->is_confined = true;
	return EXIT_DONE;
}

int
client_ask(struct snapctl *snapctl, struct message *request,
    int (*row)(struct snapctl *snapctl, enum control_row_kind kind,
	struct text record, void *context),
    void *context)
{
	static uint8_t storage[MESSAGE_MAX_SIZE];
	struct message message;
	struct error error;
	int code;

	/* Every request of this group begins with its tag. */
	request->control_status.tag = ++snapctl->last_tag;
	if (channel_send_now(snapctl->socket, ROLE_SNAPCTL, ROLE_SNAPD, request,
		NULL, 0, &error) == -1) {
		fprintf(stderr, "snapctl: %s\n", error.text);
		return EXIT_UNREACHABLE;
	}
	code = client_confine(snapctl);
	if (code != EXIT_DONE)
		return code;
	for (;;) {
		if (snapctl->options.is_following &&
		    wait_for_news(snapctl) == -1)
			return EXIT_DONE;
		if (receive_one(snapctl, storage, &message) == -1)
			return EXIT_UNREACHABLE;
		if (message.type == MESSAGE_control_done) {
			output_progress_end(snapctl->output);
			return answer_done(&message.control_done);
		}
		note_progress(&message.control_row);
		code = row == NULL ? EXIT_DONE
				   : row(snapctl, message.control_row.kind,
					 message.control_row.record, context);
		if (code != EXIT_DONE)
			return code;
	}
}
