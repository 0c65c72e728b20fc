/*
 * A connection after its login (imap_login.h): the broker's answer; where
 * there is no TLS the worker has the client's socket from then on, else the
 * relay of the session's bytes, and what becomes of it while it sleeps.
 */
#include "imapd/imap_login_state.h"

#include "imapd/imap_capability.h"

#include <unistd.h>

enum {
	LOGIN_STALL_MS = 300 * 1000, /* a client that reads nothing */
	LOGIN_HANDED_INPUT = 1024    /* behind a login, as in messages.def */
};

/* ---- The client's socket goes to the worker ---- */

/* There is no TLS, which only the front can speak, and nothing in the way. */
static bool
can_hand_over(const struct imap_login *login)
{
	return !connection_is_tls(login->client) &&
	       connection_output_room(login->client) == LOGIN_OUTPUT_LIMIT &&
	       connection_input(login->client)->size <= LOGIN_HANDED_INPUT;
}

/* From here on the worker watches for clients that went silent. */
static void
let_go(struct imap_login *login)
{
	connection_pause(login->client);
	connection_set_timeout(login->client, 0);
	timer_stop(login->deadline);
}

/* There is no worker: he may try again. */
static void
take_back(struct imap_login *login)
{
	connection_set_timeout(login->client, LOGIN_TIMEOUT_MS);
	timer_start(login->deadline, LOGIN_ALL_TIMEOUT_MS);
	connection_resume(login->client);
}

void
login_ask_broker(struct imap_login *login)
{
	const struct buf *input = connection_input(login->client);
	bool hands_over = can_hand_over(login);
	struct message_attach wish = { .connection = login->number,
		.is_tls = connection_is_tls(login->client) };

	if (hands_over) {
		wish.tag = text_of(login->tag);
		wish.input = text_make(input->data, input->size);
	}
	if (imap_front_ask_broker(login->front, &wish,
		hands_over ? connection_fd(login->client) : -1) == -1) {
		imap_login_unavailable(login);
		return;
	}
	login_enter_state(login, hands_over ? STATE_HANDING : STATE_BROKER);
	if (hands_over)
		let_go(login);
}

/* The worker has answered the login, or will. */
static void
handed_over(struct imap_login *login)
{
	buf_clear(connection_input(login->client));
	imap_line_clear(&login->line);
	connection_set_stall(login->client, LOGIN_STALL_MS);
	login_enter_state(login, STATE_HANDED);
}

static void relay_by(struct imap_login *login, int stream_fd);

static void
end_session(struct imap_login *login)
{
	if (login->is_packed) {
		login_enter_state(login, STATE_ENDING);
		return;
	}
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

static bool
is_attached(enum status status, int stream_fd, bool is_handed)
{
	return status == STATUS_OK && (stream_fd == -1) == is_handed;
}

static void
relayed(struct imap_login *login, int stream_fd)
{
	login_say_tagged(
	    login, "OK [CAPABILITY " IMAP_CAPABILITY_AFTER_LOGIN "] Logged in");
	imap_line_clear(&login->line);
	/* As in let_go. */
	connection_set_timeout(login->client, 0);
	connection_set_stall(login->client, LOGIN_STALL_MS);
	relay_by(login, stream_fd);
}

void
imap_login_attached(
    struct imap_login *login, unsigned int status, int stream_fd)
{
	bool is_handed = login->state == STATE_HANDING;
	bool is_waiting = is_handed || login->state == STATE_BROKER;

	if (is_waiting && login->client != NULL &&
	    is_attached((enum status)status, stream_fd, is_handed)) {
		if (is_handed)
			handed_over(login);
		else
			relayed(login, stream_fd);
		return;
	}
	if (stream_fd != -1)
		close(stream_fd);
	if (!is_waiting || login->client == NULL)
		return;
	if (is_handed)
		take_back(login);
	imap_login_unavailable(login);
}

void
imap_login_over(
    struct imap_login *login, const struct message_session_over *said)
{
	if (login->state != STATE_HANDED)
		return;
	login->ended = (enum status)said->status;
	login->is_packed = said->is_packed != 0;
	if (login->ended == STATUS_OK)
		login_enter_state(login, STATE_ENDING);
	else
		end_session(login);
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
imap_login_awake(struct imap_login *login,
    const struct message_session_awake *said, int stream_fd)
{
	enum status status = (enum status)said->status;
	bool has_relay = login->state == STATE_RELAY && login->client != NULL;
	bool is_asleep =
	    login->state == STATE_ASLEEP || login->state == STATE_WAKING;

	login->is_packed = said->is_packed != 0;
	if (has_relay && login->next_stream == -1 &&
	    (stream_fd == -1 || imap_relay_is_parked(login->relay))) {
		awake_in_relay(login, status, stream_fd);
		return;
	}
	if (is_asleep && status == STATUS_OK && stream_fd != -1) {
		relay_by(login, stream_fd);
		return;
	}
	if (stream_fd != -1)
		close(stream_fd);
	if (is_asleep) {
		login->ended = status;
		end_session(login);
	}
}
