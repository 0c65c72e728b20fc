/*
 * SMTP (RFC 5321) and LMTP (RFC 2033) as a client: bytes of the server in,
 * bytes for it and decisions out.  It knows no socket, no clock and no TLS: its
 * owner moves the bytes, starts TLS when asked, and closes when it is over.
 *
 *	GREETING - HELLO - (STARTTLS - TLS - HELLO) - (LOGIN) - READY
 *	READY - TRANSACTION - (BODY - ANSWER) - (RESET) - READY ... - QUIT
 *
 * Every byte of the server is a stranger's.  Whatever it says out of turn ends
 * the connection; nothing that it says can make a message count as delivered
 *but a 2xx after the end of its data.
 */
#ifndef SMTPD_RELAY_CLIENT_H
#define SMTPD_RELAY_CLIENT_H

#include "common/buf.h"
#include "smtpd/relay_extensions.h"
#include "smtpd/relay_mail.h"

enum {
	RELAY_CLIENT_MAX_RECIPIENTS = 1000, /* a transaction, if LIMITS is
					       silent */
	RELAY_CLIENT_OUTPUT = 131072 /* the output that relay_client_step needs
					to make progress, at least */
};

enum relay_client_state {
	RELAY_CLIENT_GREETING,
	RELAY_CLIENT_HELLO,
	RELAY_CLIENT_STARTTLS,
	RELAY_CLIENT_TLS, /* the owner's turn */
	RELAY_CLIENT_LOGIN,
	RELAY_CLIENT_READY,
	RELAY_CLIENT_RESET,
	RELAY_CLIENT_TRANSACTION,
	RELAY_CLIENT_BODY,
	RELAY_CLIENT_ANSWER,
	RELAY_CLIENT_QUIT,
	RELAY_CLIENT_OVER
};

/* Why it is over. */
enum relay_client_end {
	RELAY_END_QUIT,     /* we had said goodbye */
	RELAY_END_REFUSED,  /* 4xx or 5xx before any mail: `reply` */
	RELAY_END_LEAVING,  /* 421: `reply` */
	RELAY_END_LOST,     /* the connection broke or was too slow */
	RELAY_END_PROTOCOL, /* it does not speak SMTP */
	RELAY_END_NO_TLS,   /* it offers none, and it is needed */
	RELAY_END_INJECTED, /* bytes in the clear behind the 220 of STARTTLS */
	RELAY_END_LOGIN,    /* it does not take our login, or has none */
	RELAY_END_LOOP,     /* it is ourselves */
	RELAY_END_BODY      /* ours cannot be read */
};

struct relay_client_setup {
	struct text hello; /* who we are */
	enum relay_protocol protocol;
	bool knows_loops; /* a host of our name is ourselves */
	bool is_tls;      /* from the first byte on */
	bool tries_tls;   /* where it is offered */
	bool needs_tls;   /* nothing is said about mail without */
	struct text user; /* AUTH, under TLS only; "": none */
	struct text password;
};

/* What the owner has to do now. */
enum relay_client_step {
	RELAY_STEP_WAIT,      /* bytes of the server's, or room for ours */
	RELAY_STEP_START_TLS, /* then relay_client_tls_started */
	RELAY_STEP_READY,     /* relay_client_send or _quit, or let it rest */
	RELAY_STEP_DONE, /* the mail is done with; the next step tells on */
	RELAY_STEP_OVER  /* close */
};

struct relay_client {
	enum relay_client_state state;
	enum relay_client_end end; /* OVER */
	struct relay_reply reply;  /* the last one */
	char why[200];             /* OVER: for people */
	uint32_t turns;            /* grows with each turn of ours */
	struct relay_extensions extensions;
	bool is_tls;
	bool is_authenticated; /* TLS with the name that it should have */
	char server[256];      /* how it calls itself, cleaned; "" */
	bool is_over_said;
	/* Private. */
	enum relay_protocol protocol;
	bool knows_loops;
	bool tries_tls;
	bool needs_tls;
	bool was_tls_refused;
	bool is_helo;        /* EHLO was refused */
	bool is_first_line;  /* of EHLO's answer */
	bool was_login_said; /* AUTH LOGIN: its parts that were sent */
	unsigned int login_part;
	bool needs_reset;
	bool is_quitting;
	bool is_mail_done;
	uint32_t mail_count;
	char hello[256];
	char user[512];
	char password[512];
	struct relay_mail *mail;
	/* Of a transaction: MAIL is command 0, RCPT 1 to n, DATA n + 1. */
	size_t member_count;
	size_t next_command;
	size_t next_reply;
	size_t accepted;
	size_t next_answer; /* LMTP: of the members */
	bool is_mail_refused;
	bool is_bdat;
	bool is_nobody; /* DATA was taken, but no recipient */
	bool is_end_said;
};

struct relay_client *relay_client_new(const struct relay_client_setup *setup);
void relay_client_free(struct relay_client **client);

/* Uses what it can of `in`, appends to `out`. To be called when there is input,
 * when output has drained, after each call below, and again after each step but
 * WAIT, READY and OVER. */
enum relay_client_step relay_client_step(
    struct relay_client *client, struct buf *in, struct buf *out);

/* TLS stands; `is_authenticated`: and with a certificate that proves the
 * name. */
void relay_client_tls_started(
    struct relay_client *client, bool is_authenticated);

/* At READY. The mail stays the owner's, and there until DONE or OVER. */
void relay_client_send(struct relay_client *client, struct relay_mail *mail);
/* At READY: says QUIT. */
void relay_client_quit(struct relay_client *client);
/* The connection broke, the server is too slow. */
void relay_client_lost(struct relay_client *client, const char *why);

/* The end of the data was said, and what was answered is not known: the server
 * may have delivered it. */
bool relay_client_said_end(const struct relay_client *client);
/* So many were taken that it wants no more (MAILMAX). */
bool relay_client_is_used_up(const struct relay_client *client);
/* How long the server may take for what it does now (RFC 5321 4.5.3.2). */
int64_t relay_client_timeout_ms(const struct relay_client *client);

/* ---- relay_transaction.c, for relay_client.c ---- */
void relay_transaction_begin(struct relay_client *client);
/* Sends what can be sent of it. */
void relay_transaction_send(struct relay_client *client, struct buf *out);
/* A whole reply, in TRANSACTION, BODY or ANSWER. */
void relay_transaction_reply(struct relay_client *client, struct buf *out);
/* ---- relay_client.c, for relay_transaction.c ---- */
void relay_client_over(
    struct relay_client *client, enum relay_client_end end, const char *why);

#endif
