/*
 * The inside of a connection, for imap_login.c and imap_login_session.c only.
 * It is in one state: it takes commands, waits for authd or the broker, relays,
 * sleeps, was handed over, or is on its way out; login_enter_state is the one
 * place that changes it.
 */
#ifndef IMAPD_IMAP_LOGIN_STATE_H
#define IMAPD_IMAP_LOGIN_STATE_H

#include "common/connection.h"
#include "common/sasl.h"
#include "common/status.h"
#include "imapd/imap_line.h"
#include "imapd/imap_login.h"
#include "imapd/imap_relay.h"

enum {
	LOGIN_TAG_SIZE = 128,
	LOGIN_OUTPUT_LIMIT = 256 * 1024,
	LOGIN_TIMEOUT_MS = 120 * 1000,    /* without a byte, before login */
	LOGIN_ALL_TIMEOUT_MS = 300 * 1000 /* from greeting to login */
};

enum login_state {
	STATE_COMMAND,
	STATE_SASL,    /* AUTHENTICATE waits for the client's next line */
	STATE_AUTHD,   /* the password is being checked */
	STATE_BROKER,  /* the stream to the worker is being made */
	STATE_HANDING, /* the broker has the client's socket for the worker, */
	STATE_HANDED,  /* the worker has it: nothing is read or written here */
	STATE_RELAY,
	STATE_ASLEEP, /* no worker, and no stream to one */
	STATE_WAKING, /* the client has sent something, which waits */
	STATE_ENDING
};

struct imap_login {
	struct imap_front *front;
	uint64_t number;
	struct connection *client; /* NULL once the client is gone */
	struct imap_relay *relay;
	struct timer *deadline;
	enum login_state state;
	int next_stream;   /* takes over when the old one has ended; -1 */
	enum status ended; /* the session did by that, or STATUS_OK */
	bool is_packed;    /* ... and he reads what is compressed alone */
	struct imap_line line;
	struct sasl sasl;
	bool may_login; /* TLS, or plain login from loopback was asked for */
	bool has_starttls;
	unsigned int bad_commands;
	unsigned int failures;
	char tag[LOGIN_TAG_SIZE];
	char ip[LISTENER_ADDRESS_SIZE];
	struct budget_client budget;
};

void login_enter_state(struct imap_login *login, enum login_state state);
/* A line to the client; one of more than 1 KiB is not said. Tagged: with the
 * tag of the command that waits. */
void login_say(struct imap_login *login, const char *tag, const char *text);
void login_say_tagged(struct imap_login *login, const char *text);
/* Says a last line. */
void login_end_with(struct imap_login *login, const char *bye);
/* The connection is over. */
void login_release(struct imap_login *login);

/* ---- imap_login_session.c ---- */

/* Who has logged in: asks the broker for a worker. */
void login_ask_broker(struct imap_login *login);

#endif
