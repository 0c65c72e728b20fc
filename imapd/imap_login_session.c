/*
 * A connection after its login (imap_login.h): the broker's answer, the relay
 * of the session's bytes, and what becomes of it while the session sleeps.
 */
#include "imapd/imap_login_state.h"

#include "imapd/imap_capability.h"

#include <unistd.h>

enum {
	LOGIN_STALL_MS = 300 * 1000 /* a client that reads nothing */
};

void
login_ask_broker(struct imap_login *login)
{
	if (imap_front_ask_broker(login->front, login->number,
		connection_is_tls(login->client)) == -1) {
		imap_login_unavailable(login);
		return;
	}
	login_enter_state(login, STATE_BROKER);
}

static void relay_by(struct imap_login *login, int stream_fd);

static void
end_session(struct imap_login *login)
{
	login_end_with(
	    login, login->ended == STATUS_MISSING
		       ? "[UNAVAILABLE] Account is not served here any more"
		       : "[UNAVAILABLE] Server is restarting");
}

/* The stream is, and with it the session or only a worker's part in it. */
static void
worker_ended(void *context)
{
	struct imap_login *login = context;
	bool is_parked = imap_relay_is_parked(login->relay);
	int stream = login->next_stream;

	imap_relay_free(&login->relay);
	login->next_stream = -1;
	if (login->client == NULL) {
		if (stream != -1)
			close(stream);
		login_release(login);
	} else if (login->ended != STATUS_OK) {
		end_session(login);
	} else if (stream != -1) {
		relay_by(login, stream);
	} else if (is_parked) {
		login_enter_state(login, STATE_ASLEEP);
		connection_resume(login->client);
	} else {
		login_enter_state(login, STATE_ENDING);
	}
}

static void
relay_by(struct imap_login *login, int stream_fd)
{
	login_enter_state(login, STATE_RELAY);
	connection_resume(login->client);
	login->relay = imap_relay_new(imap_front_loop(login->front),
	    login->client, stream_fd, worker_ended, login);
}

void
imap_login_attached(
    struct imap_login *login, unsigned int status, int stream_fd)
{
	if (login->state != STATE_BROKER || login->client == NULL) {
		if (stream_fd != -1)
			close(stream_fd);
		return;
	}
	if (status != STATUS_OK || stream_fd == -1) {
		if (stream_fd != -1)
			close(stream_fd);
		imap_login_unavailable(login);
		return;
	}
	login_say_tagged(
	    login, "OK [CAPABILITY " IMAP_CAPABILITY_AFTER_LOGIN "] Logged in");
	imap_line_clear(&login->line);
	/* From here on the worker watches for clients that went silent. */
	connection_set_timeout(login->client, 0);
	connection_set_stall(login->client, LOGIN_STALL_MS);
	relay_by(login, stream_fd);
}

/* -- Sleep -- */

void
imap_login_asleep(struct imap_login *login, uint32_t turn)
{
	if (login->state == STATE_RELAY && imap_relay_park(login->relay))
		imap_front_tell(
		    login->front, MESSAGE_session_parked, login->number, turn);
}

/* What the old stream still holds comes first. */
static void
awake_in_relay(struct imap_login *login, enum status status, int stream_fd)
{
	login->ended = status;
	if (status != STATUS_OK)
		return;
	if (stream_fd == -1)
		imap_relay_unpark(login->relay);
	else
		login->next_stream = stream_fd;
}

void
imap_login_awake(struct imap_login *login, unsigned int status, int stream_fd)
{
	bool has_relay = login->state == STATE_RELAY && login->client != NULL;
	bool is_asleep =
	    login->state == STATE_ASLEEP || login->state == STATE_WAKING;

	if (has_relay && login->next_stream == -1 &&
	    (stream_fd == -1 || imap_relay_is_parked(login->relay))) {
		awake_in_relay(login, (enum status)status, stream_fd);
		return;
	}
	if (is_asleep && status == STATUS_OK && stream_fd != -1) {
		relay_by(login, stream_fd);
		return;
	}
	if (stream_fd != -1)
		close(stream_fd);
	if (is_asleep) {
		login->ended = (enum status)status;
		end_session(login);
	}
}
