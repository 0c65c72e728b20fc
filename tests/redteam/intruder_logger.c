/* See intruder.h. */
#include "logger/log_output.h"
#include "tests/redteam/intruder.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SENDERS = 64
};

/* [0] is master. */
static struct pollfd waits[SENDERS];
static struct log_sender senders[SENDERS];
static nfds_t count;
static struct log_output output;
static uint8_t storage[MESSAGE_MAX_SIZE];

void
intruder_logger_open(int fd)
{
	log_output_open(&output, fd);
	waits[0] = (struct pollfd){ PROCESS_STARTER_FD, POLLIN, 0 };
	senders[0].role = ROLE_MASTER;
	count = 1;
}

void
intruder_logger_say(const char *event, const char *pairs)
{
	const struct log_sender self = { .role = ROLE_LOGGER,
		.pid = (uint32_t)getpid() };
	const struct message_log_line line = {
		.level = 3, .event = text_of(event), .pairs = text_of(pairs)
	};

	log_output_write(&output, &self, &line);
}

static void
add(const struct message_introduce *who, int fd)
{
	if (count == SENDERS)
		return;
	senders[count].role = (enum role)who->role;
	senders[count].pid = who->pid;
	senders[count].account = who->account;
	waits[count++] = (struct pollfd){ fd, POLLIN, 0 };
}

static void
receive(nfds_t n)
{
	int fds[CHANNEL_MAX_DESCRIPTORS];
	struct message message;
	struct error error;
	size_t fd_count;

	if (channel_receive_now(waits[n].fd, ROLE_LOGGER, senders[n].role, 0,
		storage, &message, fds, &fd_count, &error) == -1) {
		if (n == 0)
			exit(0);
		waits[n].fd = -1;
	} else if (message.type == MESSAGE_introduce && fd_count == 1) {
		add(&message.introduce, fds[0]);
	} else if (message.type == MESSAGE_log_line) {
		log_output_write(&output, &senders[n], &message.log_line);
	} else if (message.type == MESSAGE_stop) {
		exit(0);
	}
}

/* An order is text; no type of a message has such a first byte. */
static bool
is_order(int fd)
{
	char first;

	return recv(fd, &first, 1, MSG_PEEK) == 1 && first >= 'a' &&
	       first <= 'z';
}

void
intruder_logger_wait(void (*obey)(const char *order))
{
	static char order[400];
	nfds_t known = count;

	(void)poll(waits, known, -1);
	for (nfds_t n = 0; n < known; n++) {
		ssize_t size;

		if (waits[n].revents == 0)
			continue;
		if (!is_order(waits[n].fd)) {
			receive(n);
			continue;
		}
		size = recv(waits[n].fd, order, sizeof(order) - 1, 0);
		order[size > 0 ? size : 0] = '\0';
		obey(order);
	}
}
