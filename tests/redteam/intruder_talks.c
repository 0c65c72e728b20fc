/*
 * What a process that was taken over says to those whom it has channels to:
 * malformed and foreign messages, floods, grants it was not given.  To the
 * store see intruder_store.c, to others intruder_services.c.  One function a
 * row of the tables.
 */
#include "tests/redteam/intruder.h"

#include "common/codec.h"
#include "common/log.h"
#include "common/login.h"
#include "common/status.h"
#include "tests/redteam/attacks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FLOOD = 100000
};

static uint8_t storage[MESSAGE_MAX_SIZE];

/* -- Talking -- */

static int
peer_fd(enum role peer)
{
	return peer == intruder.starter ? PROCESS_STARTER_FD
					: intruder.peers[peer];
}

bool
intruder_send_raw(int fd, const void *data, size_t size, int stray)
{
	char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { (void *)(uintptr_t)data, size };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *control;

	if (stray != -1) {
		packet.msg_control = space;
		packet.msg_controllen = sizeof(space);
		control = CMSG_FIRSTHDR(&packet);
		control->cmsg_level = SOL_SOCKET;
		control->cmsg_type = SCM_RIGHTS;
		control->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(control), &stray, sizeof(int));
	}
	return sendmsg(fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) != -1;
}

/* Whether the peer closes, or has us killed, within the time. */
static bool
is_shut(int fd)
{
	struct pollfd wait = { fd, POLLIN, 0 };

	while (poll(&wait, 1, INTRUDER_PATIENCE_MS) == 1)
		if (recv(fd, storage, sizeof(storage), MSG_DONTWAIT) <= 0 &&
		    errno != EAGAIN)
			return true;
	return false;
}

bool
intruder_ask(
    enum role peer, struct message *message, int fd, enum message_type answer)
{
	int fds[CHANNEL_MAX_DESCRIPTORS];
	size_t count;

	if (channel_send_now(peer_fd(peer), intruder.self, peer, message, &fd,
		fd != -1, &intruder.why) == -1)
		return false;
	do {
		if (channel_receive_now(peer_fd(peer), intruder.self, peer,
			INTRUDER_PATIENCE_MS, storage, message, fds, &count,
			&intruder.why) == -1)
			return false;
		while (count > 0)
			close(fds[--count]);
	} while (message->type != answer);
	return true;
}

/* -- Malformed messages, to each peer -- */

static uint16_t
own_request(enum role peer)
{
	switch (peer) {
	case ROLE_SNAPD:
		return intruder.self == ROLE_QUEUE ? MESSAGE_queue_hello
						   : MESSAGE_worker_hello;
	case ROLE_KEYD:
		return intruder.self == ROLE_SMTPD ? MESSAGE_smtp_sign
						   : MESSAGE_imap_sign;
	case ROLE_QUEUE:
		return MESSAGE_sender_gone;
	case ROLE_AUTHD:
		return intruder.self == ROLE_SMTPD ? MESSAGE_smtp_credentials
						   : MESSAGE_imap_credentials;
	default:
		return MESSAGE_ready;
	}
}

static enum result
malformed(enum role peer, const char *kind)
{
	int fd = peer_fd(peer);
	uint8_t packet[64] = { 0 };
	uint16_t type = own_request(peer);
	size_t size = 10;
	int stray = -1;

	if (fd == -1)
		return NO_PEER;
	if (strcmp(kind, "unknown") == 0)
		type = 0x7777;
	else if (strcmp(kind, "admin") == 0)
		type = MESSAGE_control_account_create;
	else if (strcmp(kind, "master") == 0)
		type = MESSAGE_equip;
	else if (strcmp(kind, "service") == 0)
		type = MESSAGE_service_file;
	else if (strcmp(kind, "grant") == 0)
		type = MESSAGE_grant;
	else if (strcmp(kind, "short") == 0)
		size = 1;
	else if (strcmp(kind, "long") == 0)
		size = sizeof(packet);
	else
		stray = 0;
	memcpy(packet, &type, sizeof(type));
	if (!intruder_send_raw(fd, packet, size, stray))
		return THROUGH;
	return is_shut(fd) ? REFUSED : THROUGH;
}

/* As many as go without reading one answer: the sender is to stall, the others
 * are to live on (the runner looks). */
static enum result
flood(enum role peer)
{
	uint8_t packet[19] = { 0 };
	uint16_t type = own_request(peer);

	if (peer_fd(peer) == -1 || peer == ROLE_AUTHD || peer == ROLE_KEYD)
		return NO_PEER;
	if (peer == intruder.starter)
		type = intruder.self == ROLE_QUEUE   ? MESSAGE_need_worker
		       : intruder.self == ROLE_IMAPD ? MESSAGE_attach
						     : MESSAGE_ready;
	memcpy(packet, &type, sizeof(type));
	for (int i = 0; i < FLOOD; i++)
		if (!intruder_send_raw(peer_fd(peer), packet,
			type == MESSAGE_attach     ? 19
			: peer == intruder.starter ? 6
						   : 10,
			-1))
			return REFUSED;
	return REFUSED;
}

/* -- Grants -- */

static enum status
attach(uint64_t number)
{
	struct message message = { .type = MESSAGE_attach };

	message.attach.connection = number;
	if (!intruder_ask(ROLE_BROKER, &message, -1, MESSAGE_attached))
		return STATUS_REFUSED;
	return (enum status)message.attached.status;
}

static enum result
attach_without_grant(void)
{
	if (intruder.self != ROLE_IMAPD)
		return NO_PEER;
	return attach(4) == STATUS_OK ? THROUGH : REFUSED;
}

/* The first attach must succeed, or nothing is shown. */
static enum result
attach_twice(void)
{
	struct message message = { .type = MESSAGE_imap_credentials };

	if (intruder.self != ROLE_IMAPD)
		return NO_PEER;
	message.imap_credentials.connection = 5;
	message.imap_credentials.user = text_of("red1@demo.test");
	message.imap_credentials.password = text_of(intruder.password);
	message.imap_credentials.client_ip = text_of("127.0.0.1");
	if (!intruder_ask(ROLE_AUTHD, &message, -1, MESSAGE_imap_login) ||
	    message.imap_login.result != LOGIN_OK || attach(5) != STATUS_OK) {
		log_error("attack", "why=\"no first attach\"");
		return THROUGH;
	}
	return attach(5) == STATUS_OK || attach(6) == STATUS_OK ? THROUGH
								: REFUSED;
}

/* To have others killed: snapd is nobody of a front's. */
static enum result
complain(void)
{
	uint8_t packet[] = { 0x0b, 0x01, ROLE_SNAPD, 0, 0, 0, 0, 1, 0, 0, 0, 0,
		0, 0, 0 };

	return intruder_send_raw(PROCESS_STARTER_FD, packet, sizeof(packet), -1)
		   ? REFUSED
		   : NO_PEER;
}

static const struct talk talks[] = {
	{ "attach_without_grant", attach_without_grant },
	{ "attach_with_used_grant", attach_twice },
	{ "sleep_of_other_accounts_sessions", intruder_lies_about_sleep },
	{ "complaint_about_a_stranger", complain },
	{ NULL, NULL },
};

enum role
intruder_role(const char *name)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		if (strcmp(role_name((enum role)i), name) == 0)
			return (enum role)i;
	return ROLE_COUNT;
}

enum result
intruder_attempt(const char *name)
{
	static const struct talk *const tables[] = { talks,
		intruder_store_talks, intruder_service_talks };
	const struct talk *talk;
	char kind[20], peer[20];
	int number = attacks_find(name);

	if (number != -1)
		return attacks_run((size_t)number) ? THROUGH : REFUSED;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (talk = tables[i]; talk->name != NULL; talk++)
			if (strcmp(talk->name, name) == 0)
				return talk->run();
	if (sscanf(name, "%19[a-z]_to_%19[a-z]", kind, peer) != 2 ||
	    intruder_role(peer) == ROLE_COUNT)
		fatal("what=\"no such attack\" name=%s", name);
	if (strcmp(kind, "flood") == 0)
		return flood(intruder_role(peer));
	return malformed(intruder_role(peer), kind);
}
