/*
 * See relay_client.h: the session around the transactions, which stand in
 * relay_transaction.c.
 */
#include "smtpd/relay_client.h"

#include "common/base64.h"
#include "common/memory.h"

#include <stdio.h>
#include <string.h>

enum {
	MINUTE_MS = 60 * 1000,
	QUIT_MS = 5000,
	MAX_CREDENTIALS = 1100
};

static void
enter_state(struct relay_client *client, enum relay_client_state state)
{
	client->state = state;
	client->turns++;
}

void
relay_client_over(
    struct relay_client *client, enum relay_client_end end, const char *why)
{
	if (client->state == RELAY_CLIENT_OVER)
		return;
	client->end = end;
	(void)snprintf(client->why, sizeof(client->why), "%.199s", why);
	enter_state(client, RELAY_CLIENT_OVER);
}

/* What the reply says is why. */
static void
refused(
    struct relay_client *client, enum relay_client_end end, const char *what)
{
	char why[sizeof(client->why)];

	(void)snprintf(why, sizeof(why), "%s: %u %.150s", what,
	    client->reply.code, client->reply.text);
	relay_client_over(client, end, why);
}

struct relay_client *
relay_client_new(const struct relay_client_setup *setup)
{
	struct relay_client *client = memory_new(1, sizeof(*client));

	client->protocol = setup->protocol;
	client->knows_loops = setup->knows_loops;
	client->is_tls = setup->is_tls;
	client->tries_tls = setup->tries_tls || setup->needs_tls;
	client->needs_tls = setup->needs_tls;
	(void)text_copy(setup->hello, client->hello, sizeof(client->hello));
	(void)text_copy(setup->user, client->user, sizeof(client->user));
	(void)text_copy(
	    setup->password, client->password, sizeof(client->password));
	return client;
}

void
relay_client_free(struct relay_client **client)
{
	if (*client != NULL)
		explicit_bzero(
		    (*client)->password, sizeof((*client)->password));
	memory_free(client);
}

/* -- Before any mail -- */

static void
say_hello(struct relay_client *client, struct buf *out)
{
	const char *verb = client->protocol == RELAY_LMTP ? "LHLO"
			   : client->is_helo              ? "HELO"
							  : "EHLO";

	memset(&client->extensions, 0, sizeof(client->extensions));
	client->is_first_line = true;
	(void)buf_put_format(out, "%s %s\r\n", verb, client->hello);
	enter_state(client, RELAY_CLIENT_HELLO);
}

static void
say_login(struct relay_client *client, struct buf *out)
{
	char plain[sizeof(client->user) + sizeof(client->password) + 2];
	char code[4 * MAX_CREDENTIALS / 3 + 8];
	int size;

	if (!client->is_tls) {
		relay_client_over(client, RELAY_END_NO_TLS,
		    "a password is never said without TLS");
	} else if (client->extensions.has_plain) {
		size = snprintf(plain, sizeof(plain), "%c%s%c%s", '\0',
		    client->user, '\0', client->password);
		base64_encode(text_make(plain, (size_t)size), code);
		(void)buf_put_format(out, "AUTH PLAIN %s\r\n", code);
		enter_state(client, RELAY_CLIENT_LOGIN);
	} else if (client->extensions.has_login) {
		client->login_part = 1;
		(void)buf_put_text(out, "AUTH LOGIN\r\n");
		enter_state(client, RELAY_CLIENT_LOGIN);
	} else {
		relay_client_over(client, RELAY_END_LOGIN,
		    "the server offers neither AUTH PLAIN nor LOGIN");
	}
	explicit_bzero(plain, sizeof(plain));
	explicit_bzero(code, sizeof(code));
}

/* What comes after its extensions are known. */
static void
go_on(struct relay_client *client, struct buf *out)
{
	if (client->tries_tls && !client->is_tls &&
	    client->extensions.has_starttls && !client->was_tls_refused) {
		(void)buf_put_text(out, "STARTTLS\r\n");
		enter_state(client, RELAY_CLIENT_STARTTLS);
	} else if (client->needs_tls && !client->is_tls) {
		relay_client_over(client, RELAY_END_NO_TLS,
		    "TLS is needed, and the server offers no STARTTLS");
	} else if (client->user[0] != '\0') {
		say_login(client, out);
	} else {
		enter_state(client, RELAY_CLIENT_READY);
	}
}

static void
greeted(struct relay_client *client, struct buf *out)
{
	if (relay_reply_is(&client->reply, 2))
		say_hello(client, out);
	else if (client->reply.code >= 400)
		refused(client, RELAY_END_REFUSED, "greeting");
	else
		refused(client, RELAY_END_PROTOCOL, "greeting");
}

/* Only one who does not know EHLO is asked the old way. */
static void
hello_answered(struct relay_client *client, struct buf *out)
{
	if (relay_reply_is(&client->reply, 2)) {
		go_on(client, out);
	} else if (relay_reply_is(&client->reply, 5) && !client->is_helo &&
		   client->protocol == RELAY_SMTP && !client->is_tls) {
		client->is_helo = true;
		say_hello(client, out);
	} else {
		refused(client, RELAY_END_REFUSED,
		    client->protocol == RELAY_LMTP ? "LHLO"
		    : client->is_helo              ? "HELO"
						   : "EHLO");
	}
}

/* Bytes that came with the 220 would be read as if TLS had protected them. */
static void
starttls_answered(
    struct relay_client *client, const struct buf *in, struct buf *out)
{
	if (!relay_reply_is(&client->reply, 2)) {
		client->was_tls_refused = true;
		if (client->needs_tls)
			refused(client, RELAY_END_NO_TLS, "STARTTLS");
		else
			go_on(client, out);
	} else if (in->size > 0) {
		relay_client_over(client, RELAY_END_INJECTED,
		    "bytes in the clear behind the answer to STARTTLS");
	} else {
		enter_state(client, RELAY_CLIENT_TLS);
	}
}

static void
login_answered(struct relay_client *client, struct buf *out)
{
	char code[4 * sizeof(client->password) / 3 + 8];

	if (relay_reply_is(&client->reply, 2)) {
		enter_state(client, RELAY_CLIENT_READY);
	} else if (relay_reply_is(&client->reply, 3) &&
		   client->login_part > 0 && client->login_part < 3) {
		base64_encode(
		    text_of(client->login_part == 1 ? client->user
						    : client->password),
		    code);
		(void)buf_put_format(out, "%s\r\n", code);
		client->login_part++;
		enter_state(client, RELAY_CLIENT_LOGIN);
	} else {
		refused(client, RELAY_END_LOGIN, "AUTH");
	}
	explicit_bzero(code, sizeof(code));
}

void
relay_client_tls_started(struct relay_client *client, bool is_authenticated)
{
	client->is_tls = true;
	client->is_authenticated = is_authenticated;
}

/* -- Replies -- */

static void
reset_answered(struct relay_client *client)
{
	client->needs_reset = false;
	if (!relay_reply_is(&client->reply, 2))
		refused(client, RELAY_END_PROTOCOL, "RSET");
	else
		relay_transaction_begin(client);
}

static void
take_reply(struct relay_client *client, const struct buf *in, struct buf *out)
{
	client->turns++;
	if (client->state == RELAY_CLIENT_QUIT) {
		relay_client_over(client, RELAY_END_QUIT, "QUIT");
		return;
	}
	if (client->reply.code == 421) {
		refused(client, RELAY_END_LEAVING, "it leaves");
		return;
	}
	switch (client->state) {
	case RELAY_CLIENT_GREETING:
		greeted(client, out);
		break;
	case RELAY_CLIENT_HELLO:
		hello_answered(client, out);
		break;
	case RELAY_CLIENT_STARTTLS:
		starttls_answered(client, in, out);
		break;
	case RELAY_CLIENT_LOGIN:
		login_answered(client, out);
		break;
	case RELAY_CLIENT_RESET:
		reset_answered(client);
		break;
	case RELAY_CLIENT_TRANSACTION:
	case RELAY_CLIENT_BODY:
	case RELAY_CLIENT_ANSWER:
		relay_transaction_reply(client, out);
		break;
	default:
		refused(client, RELAY_END_PROTOCOL, "a reply to nothing");
		break;
	}
}

/* The first line of the answer to EHLO names the host. */
static void
take_name(struct relay_client *client)
{
	struct text rest = client->reply.line;
	struct text name;

	if (!text_next(&rest, ' ', &name))
		return;
	(void)text_copy(name, client->server, sizeof(client->server));
	if (client->knows_loops && text_is_nocase(name, client->hello))
		relay_client_over(client, RELAY_END_LOOP,
		    "the host has our own name: mail loops back");
}

static void
take_line(struct relay_client *client)
{
	if (client->state != RELAY_CLIENT_HELLO ||
	    !relay_reply_is(&client->reply, 2))
		return;
	if (client->is_first_line)
		take_name(client);
	else
		relay_extensions_take(&client->extensions, client->reply.line);
	client->is_first_line = false;
}

static bool
listens(const struct relay_client *client)
{
	return client->state != RELAY_CLIENT_OVER &&
	       client->state != RELAY_CLIENT_TLS;
}

static void
take_input(struct relay_client *client, struct buf *in, struct buf *out)
{
	while (in->size > 0 && listens(client)) {
		struct text rest = text_make(in->data, in->size);
		enum relay_reply_step step =
		    relay_reply_feed(&client->reply, &rest);

		buf_cut(in, in->size - rest.size);
		if (step == RELAY_REPLY_BROKEN)
			relay_client_over(
			    client, RELAY_END_PROTOCOL, client->reply.text);
		else if (step != RELAY_REPLY_MORE)
			take_line(client);
		if (step == RELAY_REPLY_DONE &&
		    client->state != RELAY_CLIENT_OVER)
			take_reply(client, in, out);
		if (client->is_mail_done)
			return; /* the owner is told before more is read */
	}
}

/* What is ours to say without a reply before it. */
static void
take_turn(struct relay_client *client, struct buf *out)
{
	if (client->state == RELAY_CLIENT_READY && client->is_quitting) {
		(void)buf_put_text(out, "QUIT\r\n");
		enter_state(client, RELAY_CLIENT_QUIT);
	} else if (client->state == RELAY_CLIENT_READY &&
		   client->mail != NULL && !client->is_mail_done) {
		if (client->needs_reset) {
			(void)buf_put_text(out, "RSET\r\n");
			enter_state(client, RELAY_CLIENT_RESET);
		} else {
			relay_transaction_begin(client);
		}
	} else if (client->state == RELAY_CLIENT_TLS && client->is_tls) {
		say_hello(client, out);
	}
	if (client->state == RELAY_CLIENT_TRANSACTION ||
	    client->state == RELAY_CLIENT_BODY)
		relay_transaction_send(client, out);
}

enum relay_client_step
relay_client_step(struct relay_client *client, struct buf *in, struct buf *out)
{
	take_turn(client, out);
	take_input(client, in, out);
	take_turn(client, out);
	if (client->is_mail_done) {
		client->is_mail_done = false;
		client->mail = NULL;
		return RELAY_STEP_DONE;
	}
	switch (client->state) {
	case RELAY_CLIENT_OVER:
		return RELAY_STEP_OVER;
	case RELAY_CLIENT_TLS:
		return RELAY_STEP_START_TLS;
	case RELAY_CLIENT_READY:
		return RELAY_STEP_READY;
	default:
		return RELAY_STEP_WAIT;
	}
}

void
relay_client_send(struct relay_client *client, struct relay_mail *mail)
{
	client->mail = mail;
	client->mail_count++;
	client->turns++;
}

void
relay_client_quit(struct relay_client *client)
{
	client->is_quitting = true;
}

void
relay_client_lost(struct relay_client *client, const char *why)
{
	relay_client_over(client,
	    client->state == RELAY_CLIENT_QUIT ? RELAY_END_QUIT
					       : RELAY_END_LOST,
	    why);
}

bool
relay_client_said_end(const struct relay_client *client)
{
	return client->is_end_said;
}

bool
relay_client_is_used_up(const struct relay_client *client)
{
	return client->extensions.max_mails > 0 &&
	       client->mail_count >= client->extensions.max_mails;
}

int64_t
relay_client_timeout_ms(const struct relay_client *client)
{
	switch (client->state) {
	case RELAY_CLIENT_TRANSACTION:
		/* MAIL and RCPT 5 minutes, DATA 2. */
		return client->next_reply > client->member_count
			   ? 2 * MINUTE_MS
			   : 5 * MINUTE_MS;
	case RELAY_CLIENT_BODY:
		return 3 * MINUTE_MS;
	case RELAY_CLIENT_ANSWER:
		return 10 * MINUTE_MS;
	case RELAY_CLIENT_QUIT:
		return QUIT_MS;
	case RELAY_CLIENT_STARTTLS:
	case RELAY_CLIENT_TLS:
		return 2 * MINUTE_MS;
	default:
		return 5 * MINUTE_MS;
	}
}
