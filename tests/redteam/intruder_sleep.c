/*
 * Lies about sessions that sleep.  A front that was taken over logs two users
 * in; the worker of one of them says that the other's session sleeps, and lies
 * about what its client knows; the front says what it likes of sessions that
 * are awake or were never there.  The broker is to put nobody to sleep for it,
 * to wake nobody, and to give neither a stream of the other's: but what is true
 * is to work, or else nothing is shown.
 */
#include "tests/redteam/intruder.h"

#include "common/codec.h"
#include "common/log.h"
#include "common/login.h"
#include "common/status.h"

#include <string.h>

enum {
	OWN = 5, /* connections of the front */
	OTHERS = 6,
	NOBODYS = 7,
	NUMBERS = 64, /* of sessions: a young broker gave out no more */
	STEP_MS = 20000
};

static uint8_t storage[MESSAGE_MAX_SIZE];
static struct error why;

static bool
say_to(enum role peer, int channel, const struct message *message, int fd)
{
	return channel_send_now(channel, intruder.self, peer, message, &fd,
		   fd != -1, &why) == 0;
}

/* The next message; how many descriptors came with it, or -1. They stay open: a
 * stream without an end is no session. */
static int
hear(enum role peer, int channel, struct message *message)
{
	int fds[CHANNEL_MAX_DESCRIPTORS];
	size_t count;

	if (channel_receive_now(channel, intruder.self, peer, STEP_MS, storage,
		message, fds, &count, &why) == -1)
		return -1;
	if (message->type == MESSAGE_session_open && count == 1) {
		intruder.session = message->session_open.session;
		intruder.stream = fds[0];
	}
	return (int)count;
}

static enum result
nothing_shown(const char *what)
{
	log_error("attack", "why=\"%s: %s\"", what, why.text);
	return THROUGH;
}

/* ---- The worker ---- */

static bool
put_to_sleep(uint64_t number, uint32_t wake_s)
{
	struct message message = { .type = MESSAGE_session_sleep };

	message.session_sleep.session = number;
	message.session_sleep.topics =
	    text_make("\1\0\0\0\0\0\0\0\1", TOPIC_SIZE);
	message.session_sleep.wake_s = wake_s;
	message.session_sleep.state = text_of("what it was never told");
	return say_to(
	    ROLE_BROKER, PROCESS_STARTER_FD, &message, intruder.stream);
}

/* All numbers but its own, with its own stream and to be woken at once; then
 * its own, of which the front hears, and of no other before. */
static enum result
worker_lies(void)
{
	struct message message;

	while (intruder.session == 0)
		if (hear(ROLE_BROKER, PROCESS_STARTER_FD, &message) == -1)
			return nothing_shown("no session");
	for (uint64_t number = 0; number <= NUMBERS; number++)
		if (number != intruder.session && !put_to_sleep(number, 0))
			return nothing_shown("no lie");
	return put_to_sleep(intruder.session, 1000) ? REFUSED
						    : nothing_shown("no sleep");
}

/* ---- The front ---- */

static bool
log_in(uint64_t connection, const char *user)
{
	struct message message = { .type = MESSAGE_imap_credentials };
	int authd = intruder.peers[ROLE_AUTHD];

	message.imap_credentials.connection = connection;
	message.imap_credentials.user = text_of(user);
	message.imap_credentials.password = text_of(intruder.password);
	message.imap_credentials.client_ip = text_of("127.0.0.1");
	if (!say_to(ROLE_AUTHD, authd, &message, -1) ||
	    hear(ROLE_AUTHD, authd, &message) == -1 ||
	    message.type != MESSAGE_imap_login ||
	    message.imap_login.result != LOGIN_OK)
		return false;
	memset(&message, 0, sizeof(message));
	message.type = MESSAGE_attach;
	message.attach.connection = connection;
	if (!say_to(ROLE_BROKER, PROCESS_STARTER_FD, &message, -1))
		return false;
	do {
		if (hear(ROLE_BROKER, PROCESS_STARTER_FD, &message) == -1)
			return false;
	} while (message.type != MESSAGE_attached);
	return message.attached.status == STATUS_OK;
}

/* Until our session sleeps: nobody else's may. */
static enum result
wait_for_sleep(void)
{
	struct message message;

	for (;;) {
		if (hear(ROLE_BROKER, PROCESS_STARTER_FD, &message) == -1)
			return nothing_shown("nobody slept");
		if (message.type == MESSAGE_session_asleep)
			return message.session_asleep.connection == OWN
				   ? REFUSED
				   : THROUGH;
	}
}

static void
lie_about(uint64_t connection, uint32_t turn)
{
	struct message message = { .type = MESSAGE_session_parked };

	message.session_parked.connection = connection;
	message.session_parked.turn = turn;
	(void)say_to(ROLE_BROKER, PROCESS_STARTER_FD, &message, -1);
	if (connection == OWN)
		return;
	message.type = MESSAGE_session_gone;
	message.session_gone.connection = connection;
	(void)say_to(ROLE_BROKER, PROCESS_STARTER_FD, &message, -1);
	message.type = MESSAGE_session_resume;
	message.session_resume.connection = connection;
	(void)say_to(ROLE_BROKER, PROCESS_STARTER_FD, &message, -1);
}

/* What came of the lies would come before what comes of the truth. */
static enum result
front_lies(void)
{
	struct message message = { .type = MESSAGE_session_resume };
	int streams;

	if (!log_in(OTHERS, "red2@demo.test") || !log_in(OWN, "red1@demo.test"))
		return nothing_shown("no session");
	if (wait_for_sleep() == THROUGH)
		return THROUGH;
	lie_about(OTHERS, 1);
	lie_about(NOBODYS, 1);
	lie_about(OWN, 99);
	message.session_resume.connection = OWN;
	(void)say_to(ROLE_BROKER, PROCESS_STARTER_FD, &message, -1);
	do {
		streams = hear(ROLE_BROKER, PROCESS_STARTER_FD, &message);
		if (streams == -1)
			return nothing_shown("nobody woke");
	} while (message.type != MESSAGE_session_awake);
	return message.session_awake.connection == OWN &&
		       message.session_awake.status == STATUS_OK && streams == 0
		   ? REFUSED
		   : THROUGH;
}

enum result
intruder_lies_about_sleep(void)
{
	if (intruder.self == ROLE_WORKER)
		return worker_lies();
	return intruder.self == ROLE_IMAPD ? front_lies() : NO_PEER;
}
