/*
 * One SMTP client (RFC 5321): reads its commands one by one, asks the queue or
 * authd where they must be asked, and answers in order.  While an answer is
 * awaited nothing more is parsed but some RCPT behind MAIL or RCPT, about which
 * the queue is asked at once; what else the client sent ahead (RFC 2920) waits
 * in the input buffer.
 *
 * smtp_session.c has the states and the driver, smtp_hello.c greeting, EHLO and
 * STARTTLS, smtp_xclient.c XCLIENT, smtp_login.c AUTH, smtp_envelope.c the
 * transaction, smtp_body.c the message, smtp_url.c what an URL adds to it,
 * smtp_answer.c the answers to its end.
 */
#ifndef SMTPD_SMTP_SESSION_H
#define SMTPD_SMTP_SESSION_H

#include "common/connection.h"
#include "common/login.h"
#include "common/sasl.h"
#include "smtpd/smtp_command.h"
#include "smtpd/smtp_data.h"
#include "smtpd/smtp_front.h"
#include "smtpd/smtp_reply.h"

enum {
	SMTP_INPUT_LIMIT = 65536,
	SMTP_OUTPUT_LIMIT = 65536,
	SMTP_FULL_SIZE = 1250,     /* as in the row `transaction_verdict` */
	SMTP_PART_SIZE = 61440,    /* as in the row transaction_part */
	SMTP_MAX_PARTS = 4,        /* without an answer */
	SMTP_CHUNK_MIN_SIZE = 512, /* smaller ones count as commands */
	SMTP_MAX_ERRORS = 10,      /* of a connection */
	/* Without an accepted message, beside those for its recipients. */
	SMTP_MAX_COMMANDS = 1000,
	SMTP_MAX_AHEAD = 8, /* questions about RCPT beside the first */
	SMTP_MAX_FAILED_LOGINS = 3,
	/* Errors that cost nothing; each one more makes the next command wait
	 * a step longer, as far as so many others do not wait already. */
	SMTP_FREE_ERRORS = 3,
	SMTP_SLOW_STEP_MS = 500,
	SMTP_SLOW_MAX_MS = 3000,
	SMTP_MAX_SLOWED = 100,
	SMTP_HELLO_TIMEOUT_MS = 60000,    /* before EHLO */
	SMTP_COMMAND_TIMEOUT_MS = 300000, /* RFC 5321 4.5.3.2.7: 5 minutes */
	SMTP_DATA_TIMEOUT_MS = 180000,    /* between two pieces of data */
	SMTP_GOODBYE_TIMEOUT_MS = 10000
};

enum smtp_state {
	SMTP_STATE_GREETING, /* a client who speaks now is none */
	SMTP_STATE_COMMAND,
	SMTP_STATE_SENDER,    /* the queue is asked about MAIL */
	SMTP_STATE_RECIPIENT, /* ... about RCPT */
	SMTP_STATE_RESPONSE,  /* a line of AUTH is awaited */
	SMTP_STATE_LOGIN,     /* authd is asked */
	SMTP_STATE_DATA,
	SMTP_STATE_CHUNK,     /* within a chunk of BDAT */
	SMTP_STATE_FETCHING,  /* the queue is asked for what an URL names */
	SMTP_STATE_SLOWED,    /* after an error: the next command has to wait */
	SMTP_STATE_ANSWERING, /* of LMTP: one answer for each recipient */
	SMTP_STATE_STORING,   /* the end of data was seen: the queue is asked */
	SMTP_STATE_CLOSING
};

struct smtp_session {
	struct smtp_front *front;
	struct connection *connection;
	struct timer *timer;
	enum smtp_state state;
	enum service service;
	enum listen_tls tls_mode;
	int64_t pause_ms; /* before the greeting */
	uint64_t number;  /* of the connection, never used again */
	char client_ip[64];
	struct budget_client client;
	char helo[MAIL_ADDRESS_MAX_DOMAIN + 1]; /* "" before EHLO */
	bool is_esmtp;
	bool is_logged_in;
	bool may_xclient; /* his word about others is believed */
	bool is_running;  /* smtp_session_run is on the stack */
	unsigned int errors;
	unsigned int charged; /* of them, to the client's budget */
	unsigned int commands;
	unsigned int failed_logins;
	struct sasl *sasl;    /* during AUTH */
	uint64_t transaction; /* 0: none */
	unsigned int recipients;
	unsigned int asked;     /* of RCPT, without the queue's answer */
	bool is_sender_refused; /* MAIL was, behind which RCPTs are asked */
	struct smtp_data data;
	bool is_binary; /* BODY=BINARYMIME */
	bool is_smtputf8;
	bool has_chunks; /* a BDAT or BURL of this transaction came */
	bool is_last_chunk;
	bool is_chunk_refused;
	enum smtp_reply chunk_reply; /* if it is refused */
	uint64_t chunk_size;
	uint64_t chunk_left;
	struct buf part; /* of the body: what is not with the queue yet */
	unsigned int parts_waiting;
	unsigned int verdict; /* the first bad one of a part; then the end's */
	unsigned int answers; /* of LMTP: that are still to be given */
	char queue_id[64];    /* in them */
	struct buf full;      /* recipients that had no room, a bit each, */
	size_t answered;      /* as many of them as are behind us */
};

/* Takes over `fd` and the place of `client`, greets. NULL if it could not be
 * begun (fd is closed). */
struct smtp_session *smtp_session_new(struct smtp_front *front, int fd,
    const struct listen_setting *listen, const struct listener_client *client);
void smtp_session_free(struct smtp_session *session);

/* The queue's and authd's answers. */
void smtp_session_verdict(struct smtp_session *session, unsigned int verdict,
    struct text text, struct text full);
void smtp_session_login(
    struct smtp_session *session, unsigned int result, struct text user);
void smtp_session_authd_gone(struct smtp_session *session);

/* Says `reply`, forgets the transaction and closes when that is sent. */
void smtp_session_close(struct smtp_session *session, enum smtp_reply reply);

/* For the session's own files. */
void smtp_session_reply(struct smtp_session *session, enum smtp_reply reply);
void smtp_session_write(struct smtp_session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void smtp_session_enter_state(
    struct smtp_session *session, enum smtp_state state);
void smtp_session_run(struct smtp_session *session);

/* Of a program of this machine: authd is asked before it is greeted. */
void smtp_ask_who(struct smtp_session *session, int fd);
void smtp_greet(struct smtp_session *session);
void smtp_hello(struct smtp_session *session, const struct smtp_command *c);
void smtp_start_tls(struct smtp_session *session);
void smtp_auth(struct smtp_session *session, const struct smtp_command *c);
void smtp_auth_line(struct smtp_session *session, struct text line);
void smtp_xclient(struct smtp_session *session, const struct smtp_command *c);
void smtp_mail(struct smtp_session *session, const struct smtp_command *c);
void smtp_rcpt(struct smtp_session *session, const struct smtp_command *c);
/* While the queue is asked about what stands before it: false, nothing is
 * done. */
bool smtp_rcpt_ahead(
    struct smtp_session *session, const struct smtp_command *c);
void smtp_begin_data(struct smtp_session *session);
void smtp_begin_chunk(
    struct smtp_session *session, const struct smtp_command *c);
/* What is said of the body so far is with the queue. -1: it is refused. */
int smtp_end_chunks(struct smtp_session *session);
void smtp_begin_url(struct smtp_session *session, const struct smtp_command *c);
/* The queue has what an URL names, or has not. */
void smtp_url_verdict(struct smtp_session *session, unsigned int verdict);
/* These take what they can of the input; false if it must wait. */
bool smtp_take_data(struct smtp_session *session);
bool smtp_take_chunk(struct smtp_session *session);
void smtp_write_verdict(
    struct smtp_session *session, unsigned int verdict, struct text text);
/* The message for so many recipients is over. */
void smtp_answer_message(struct smtp_session *session, unsigned int recipients,
    unsigned int verdict, struct text text);
/* Gives further answers; false if they must wait for room. */
bool smtp_answer(struct smtp_session *session);
void smtp_forget(struct smtp_session *session);
/* -1: there is no queue, and the session says goodbye. */
int smtp_ask_queue(struct smtp_session *session, const struct message *message);
bool smtp_offers_more(const struct smtp_session *session);
bool smtp_offers_dsn(const struct smtp_session *session);
bool smtp_is_too_early(struct smtp_session *session);

#endif
