/*
 * The conversations with the running daemon: with snapd about accounts and the
 * store, with the broker about processes and a reload.
 */
#include "common/channel.h"
#include "common/status.h"
#include "firnmail/firnmail.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum {
	DAEMON_TIMEOUT_MS = 60 * 1000
};

int
daemon_open(
    const struct firnmail *firnmail, enum role peer, struct daemon *daemon)
{
	struct error error;
	char path[600];

	daemon->self = peer == ROLE_SNAPD ? ROLE_SNAPCTL : ROLE_FIRNMAIL;
	daemon->peer = peer;
	(void)snprintf(path, sizeof(path), "%s/%s.sock", firnmail->options.run,
	    role_name(peer));
	daemon->fd = channel_connect_now(path, &error);
	if (daemon->fd != -1)
		return EXIT_DONE;
	return command_fail(EXIT_UNREACHABLE,
	    "firnmaild does not answer (%s): is it running?", error.text);
}

void
daemon_close(struct daemon *daemon)
{
	if (daemon->fd != -1)
		close(daemon->fd);
	daemon->fd = -1;
}

int
daemon_send(struct daemon *daemon, struct message *request)
{
	static uint64_t last_tag;
	struct error error;

	/* Every request of these groups begins with its tag. */
	request->control_status.tag = ++last_tag;
	if (channel_send_now(daemon->fd, daemon->self, daemon->peer, request,
		NULL, 0, &error) == -1)
		return command_fail(EXIT_UNREACHABLE, "%s", error.text);
	return EXIT_DONE;
}

bool
daemon_has_news(const struct daemon *daemon)
{
	struct pollfd news = { .fd = daemon->fd, .events = POLLIN };

	return poll(&news, 1, 0) == 1;
}

int
daemon_receive(struct daemon *daemon, struct message *message)
{
	static uint8_t storage[MESSAGE_MAX_SIZE];
	int fds[CHANNEL_MAX_DESCRIPTORS];
	struct error error;
	size_t fd_count;

	return channel_receive_now(daemon->fd, daemon->self, daemon->peer,
		   DAEMON_TIMEOUT_MS, storage, message, fds, &fd_count,
		   &error) == 0
		   ? EXIT_DONE
		   : command_fail(EXIT_UNREACHABLE, "%s", error.text);
}

int
daemon_ask(struct daemon *daemon, struct message *request,
    void (*row)(const struct message_control_row *row, void *context),
    void *context, struct message *answer)
{
	int code = daemon_send(daemon, request);

	while (code == EXIT_DONE) {
		code = daemon_receive(daemon, answer);
		if (code != EXIT_DONE || answer->type != MESSAGE_control_row)
			break;
		if (row != NULL)
			row(&answer->control_row, context);
	}
	return code;
}

int
daemon_create_account(struct daemon *snapd, uint32_t number, uint8_t *status)
{
	struct message request = { .type = MESSAGE_control_account_create };
	struct message answer;
	int code;

	request.control_account_create.account = number;
	code = daemon_ask(snapd, &request, NULL, NULL, &answer);
	if (code != EXIT_DONE)
		return code;
	*status = answer.control_done.status;
	if (*status == STATUS_OK || *status == STATUS_EXISTS)
		return EXIT_DONE;
	return command_fail(
	    *status == STATUS_UNAVAILABLE ? EXIT_UNREACHABLE : EXIT_FAILED,
	    "the snapshot store does not take account %u: %s%s%.*s", number,
	    status_name(*status), answer.control_done.text.size > 0 ? ": " : "",
	    TEXT_FMT(answer.control_done.text));
}

int
daemon_reload(struct daemon *broker, uint64_t *generation)
{
	struct message request = { .type = MESSAGE_reload_settings };
	struct message answer;
	int code = daemon_ask(broker, &request, NULL, NULL, &answer);

	if (code != EXIT_DONE)
		return code;
	*generation = answer.settings_reloaded.generation;
	if (answer.settings_reloaded.status == STATUS_OK)
		return EXIT_DONE;
	return command_fail(EXIT_FAILED,
	    "firnmaild refused to reload (%s), its log says why; it goes on "
	    "with what it had",
	    status_name(answer.settings_reloaded.status));
}
