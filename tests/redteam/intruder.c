/*
 * A process that was taken over: the real broker (or master) starts it in the
 * place of any role but snapd, behind the walls of that role.  What it shall
 * try comes as one line (order below) from the runner: through the listener of
 * a front, which passes it on to those behind, or through the broker's control
 * socket.  It says the result in a log line; who kills it says the rest.
 */
#include "tests/redteam/intruder.h"

#include "common/log.h"
#include "tests/redteam/attacks.h"
#include "tests/redteam/open_walls.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct intruder intruder;

static int listener, connection = -1;
static int log_fd;
static uint8_t storage[MESSAGE_MAX_SIZE];
static struct error why;

static void
say(const char *event, const char *name, const char *result)
{
	char pairs[100];

	snprintf(pairs, sizeof(pairs), "name=%s%s%s", name,
	    result == NULL ? "" : " result=", result == NULL ? "" : result);
	if (intruder.self == ROLE_LOGGER)
		intruder_logger_say(event, pairs);
	else
		log_info(event, "%s", pairs);
}
/* To those behind us who are intruders, too; the worker is behind the queue. */
static void
pass_on(const char *order, unsigned int roles)
{
	static const struct {
		enum role from;
		enum role to;
		unsigned int for_roles;
	} ways[] = {
		{ ROLE_SMTPD, ROLE_QUEUE, 1 << ROLE_QUEUE | 1 << ROLE_WORKER },
		{ ROLE_QUEUE, ROLE_WORKER, 1 << ROLE_WORKER },
		{ ROLE_SMTPD, ROLE_AUTHD, 1 << ROLE_AUTHD },
		{ ROLE_SMTPD, ROLE_KEYD, 1 << ROLE_KEYD },
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (ways[i].from == intruder.self &&
		    (roles & ways[i].for_roles) != 0 &&
		    intruder.peers[ways[i].to] != -1)
			(void)intruder_send_raw(intruder.peers[ways[i].to],
			    order, strlen(order), -1);
	if (intruder.self == ROLE_SMTPD && (roles & 1U << ROLE_LOGGER) != 0)
		(void)intruder_send_raw(log_fd, order, strlen(order), -1);
}

/* "NAME STORE KEEPER SNAPD-UID OTHER-UID PASSWORD ROLES": ROLES are those who
 * shall try it, a bit each; others only pass it on. */
static void
obey(const char *order)
{
	static const char *const words[] = { "refused", "through", "none" };
	char name[60], store[200];
	unsigned int keeper, snapd, other, roles;

	if (sscanf(order, "%59s %199s %u %u %u %59s %x", name, store, &keeper,
		&snapd, &other, intruder.password, &roles) != 7)
		fatal("what=\"order\"");
	pass_on(order, roles);
	if ((roles & 1U << intruder.self) == 0)
		return;
	attacks_aim(store, (pid_t)keeper, snapd, other);
	say("attack-begins", name, NULL);
	say("attack-ends", name, words[intruder_attempt(name)]);
}

/* -- Waiting -- */

/* Of the starter; keyd is told by the broker, too, whose children ask it. */
static void
from_introducer(int fd, enum role who)
{
	int fds[CHANNEL_MAX_DESCRIPTORS];
	struct message message;
	size_t count;

	if (channel_receive_now(fd, intruder.self, who, INTRUDER_PATIENCE_MS,
		storage, &message, fds, &count, &why) == -1 ||
	    message.type == MESSAGE_stop)
		exit(0);
	if (message.type == MESSAGE_session_open && count == 1) {
		intruder.session = message.session_open.session;
		intruder.stream = fds[0];
	}
	/* Orders are for the worker of account 1, whoever else is started. */
	if (message.type == MESSAGE_introduce && count == 1 &&
	    (message.introduce.role != ROLE_WORKER ||
		message.introduce.account == 1)) {
		intruder.peers[message.introduce.role] = fds[0];
		log_info("met", "peer=%s",
		    role_name((enum role)message.introduce.role));
	}
}

static void
from_other(int *fd)
{
	static char order[400];
	ssize_t size = recv(*fd, order, sizeof(order) - 1, 0);

	if (size <= 0)
		*fd = -1;
	if (size <= 0 || strchr(order, '/') == NULL)
		return;
	order[size] = '\0';
	obey(order);
}

static void
wait_for_order(void)
{
	enum role giver =
	    intruder.self == ROLE_WORKER ? ROLE_QUEUE : ROLE_SMTPD;
	struct pollfd waits[5] = { { PROCESS_STARTER_FD, POLLIN, 0 },
		{ listener, POLLIN, 0 }, { connection, POLLIN, 0 },
		{ intruder.peers[giver], POLLIN, 0 },
		{ intruder.self == ROLE_KEYD ? intruder.peers[ROLE_BROKER] : -1,
		    POLLIN, 0 } };

	(void)poll(waits, 5, -1);
	if (waits[0].revents != 0)
		from_introducer(PROCESS_STARTER_FD, intruder.starter);
	if (waits[4].revents != 0)
		from_introducer(waits[4].fd, ROLE_BROKER);
	if (waits[1].revents != 0)
		connection = accept(listener, NULL, NULL);
	if (waits[2].revents != 0) {
		from_other(&connection);
		connection = -1;
	}
	if (waits[3].revents != 0)
		from_other(&intruder.peers[giver]);
}

/* The broker's programs belong to its walls. */
static uint32_t
confine(struct process *process)
{
	int programs[ROLE_WORKER - ROLE_AUTHD + 1];
	unsigned int count = 0;

	while (count < sizeof(programs) / sizeof(programs[0])) {
		programs[count] =
		    process_take(process, START_EXECUTABLE, count);
		if (programs[count] == -1)
			break;
		count++;
	}
	return open_walls_confine(process, programs, count, 0);
}

static void
begin(const char *name)
{
	struct message message = { .type = MESSAGE_ready };
	struct process process;

	intruder.self = intruder_role(name);
	intruder.starter =
	    intruder.self <= ROLE_BROKER ? ROLE_MASTER : ROLE_BROKER;
	for (int i = 0; i < ROLE_COUNT; i++)
		intruder.peers[i] = -1;
	process_begin(&process, intruder.self);
	log_fd = process.log_fd;
	listener = process_take(&process,
	    intruder.self == ROLE_BROKER ? START_CONTROL : START_LISTENER, 0);
	if (intruder.self == ROLE_LOGGER)
		intruder_logger_open(process_take(&process, START_SYSLOG, 0));
	message.ready.walls = confine(&process);
	(void)channel_send_now(PROCESS_STARTER_FD, intruder.self,
	    intruder.starter, &message, NULL, 0, &why);
}

int
main(int argc, char **argv)
{
	struct message message = { .type = MESSAGE_need_worker };

	begin(argc > 0 ? strchr(argv[0], '-') + 1 : "");
	if (intruder.self == ROLE_QUEUE) {
		message.need_worker.account = 1;
		(void)channel_send_now(PROCESS_STARTER_FD, intruder.self,
		    ROLE_BROKER, &message, NULL, 0, &why);
	}
	for (;;) {
		if (intruder.self == ROLE_LOGGER)
			intruder_logger_wait(obey);
		else
			wait_for_order();
	}
}
