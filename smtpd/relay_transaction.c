/*
 * A transaction of a client: MAIL, RCPT and DATA in one piece where the server
 * pipelines (RFC 2920), one by one where not; then the body, then what it says.
 * A refused MAIL, or no accepted recipient, is final before the end of the
 * data: a server that asks for the data all the same gets none.
 *
 * A message with CR and LF at will (BINARYMIME) goes by BDAT, which is said
 * when the recipients were accepted and never before: a server that refuses it
 * and then reads its bytes as commands must not meet them.  Others go by DATA.
 */
#include "smtpd/relay_client.h"

#include "common/dsn.h"
#include "common/smtp_verdict.h"
#include "smtpd/relay_fit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	MAX_COMMAND = 2048 /* of MAIL or RCPT, as they may be put */
};

static void
enter_state(struct relay_client *client, enum relay_client_state state)
{
	client->state = state;
	client->turns++;
}

static void
mail_done(struct relay_client *client)
{
	client->is_mail_done = true;
	client->accepted = 0;
	enter_state(client, RELAY_CLIENT_READY);
}

/* Who waits, as many as one transaction takes. */
static void
choose_members(struct relay_client *client)
{
	struct relay_mail *mail = client->mail;
	size_t limit = client->extensions.max_recipients > 0
			   ? client->extensions.max_recipients
			   : RELAY_CLIENT_MAX_RECIPIENTS;

	client->member_count = 0;
	for (size_t i = 0; i < mail->count && client->member_count < limit; i++)
		if (mail->recipients[i].state == RELAY_RECIPIENT_WAITS &&
		    relay_fit_recipient(client, i))
			mail->members[client->member_count++] = (uint16_t)i;
}

void
relay_transaction_begin(struct relay_client *client)
{
	client->next_command = client->next_reply = client->next_answer = 0;
	client->accepted = 0;
	client->is_mail_refused = client->is_nobody = false;
	client->is_end_said = false;
	client->member_count = 0;
	if (!relay_fit_body(client))
		return;
	if (relay_fit_message(client))
		choose_members(client);
	client->is_bdat = relay_has_flag(client, TRANSACTION_BINARYMIME);
	if (client->member_count == 0)
		mail_done(client);
	else
		enter_state(client, RELAY_CLIENT_TRANSACTION);
}

/* -- Commands -- */

static void
put_mail(struct relay_client *client, struct buf *out)
{
	const struct relay_extensions *extensions = &client->extensions;
	const struct relay_mail *mail = client->mail;

	(void)buf_put_format(out, "MAIL FROM:<%.*s>", TEXT_FMT(mail->sender));
	if (extensions->has_size)
		(void)buf_put_format(out, " SIZE=%" PRIu64, mail->body->size);
	if (relay_has_flag(client, TRANSACTION_BINARYMIME))
		(void)buf_put_text(out, " BODY=BINARYMIME");
	else if (extensions->has_8bitmime &&
		 (relay_has_flag(client, TRANSACTION_8BITMIME) ||
		     mail->body->has_8bit))
		(void)buf_put_text(out, " BODY=8BITMIME");
	if (extensions->has_smtputf8 &&
	    relay_has_flag(client, TRANSACTION_SMTPUTF8))
		(void)buf_put_text(out, " SMTPUTF8");
	if (relay_has_flag(client, TRANSACTION_REQUIRETLS))
		(void)buf_put_text(out, " REQUIRETLS");
	if (extensions->has_priority && mail->priority != 0)
		(void)buf_put_format(out, " MT-PRIORITY=%d", mail->priority);
	if (extensions->has_deliverby && mail->deliver_by != 0)
		(void)buf_put_format(out, " BY=%" PRId64 ";%s%s",
		    mail->by_left_s,
		    relay_has_flag(client, TRANSACTION_BY_RETURN) ? "R" : "N",
		    relay_has_flag(client, TRANSACTION_BY_TRACE) ? "T" : "");
	if (extensions->has_dsn &&
	    relay_has_flag(client, TRANSACTION_RETURN_FULL))
		(void)buf_put_text(out, " RET=FULL");
	if (extensions->has_dsn &&
	    relay_has_flag(client, TRANSACTION_RETURN_HEADERS))
		(void)buf_put_text(out, " RET=HDRS");
	if (extensions->has_dsn && mail->envelope_id.size > 0)
		(void)buf_put_format(
		    out, " ENVID=%.*s", TEXT_FMT(mail->envelope_id));
	(void)buf_put_text(out, "\r\n");
}

static void
put_notify(uint8_t notify, struct buf *out)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} names[] = { { DSN_NOTIFY_NEVER, "NEVER" },
		{ DSN_NOTIFY_SUCCESS, "SUCCESS" },
		{ DSN_NOTIFY_FAILURE, "FAILURE" },
		{ DSN_NOTIFY_DELAY, "DELAY" } };
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((notify & names[i].bit) == 0)
			continue;
		(void)buf_put_format(out, "%s%s", before, names[i].name);
		before = ",";
	}
}

static void
put_recipient(struct relay_client *client, size_t recipient, struct buf *out)
{
	const struct relay_recipient *r = &client->mail->recipients[recipient];

	(void)buf_put_format(out, "RCPT TO:<%.*s>", TEXT_FMT(r->address));
	if (client->extensions.has_dsn) {
		put_notify(r->notify, out);
		if (r->original.size > 0)
			(void)buf_put_format(
			    out, " ORCPT=%.*s", TEXT_FMT(r->original));
	}
	(void)buf_put_text(out, "\r\n");
}

static bool
are_all_answered(const struct relay_client *client)
{
	return client->next_reply == client->next_command;
}

static bool
has_next_command(const struct relay_client *client, const struct buf *out)
{
	size_t last = client->member_count + !client->is_bdat;

	if (client->next_command > last || client->is_mail_refused ||
	    out->max_size - out->size < MAX_COMMAND ||
	    (!client->extensions.has_pipelining && !are_all_answered(client)))
		return false;
	/* DATA: not if nobody is there to get it. */
	return client->next_command <= client->member_count ||
	       client->accepted > 0 || !are_all_answered(client);
}

static void
send_commands(struct relay_client *client, struct buf *out)
{
	while (has_next_command(client, out)) {
		size_t n = client->next_command++;

		if (n == 0)
			put_mail(client, out);
		else if (n <= client->member_count)
			put_recipient(
			    client, client->mail->members[n - 1], out);
		else
			(void)buf_put_text(out, "DATA\r\n");
	}
}

static void
send_body(struct relay_client *client, struct buf *out)
{
	struct error error;
	int more;

	do {
		size_t before = out->size;

		more = relay_body_put(
		    client->mail->body, !client->is_bdat, out, &error);
		if (out->size == before)
			break;
	} while (more == 1);
	if (more == -1)
		relay_client_over(client, RELAY_END_BODY, error.text);
	if (more != 0)
		return;
	client->is_end_said = true;
	enter_state(client, RELAY_CLIENT_ANSWER);
}

void
relay_transaction_send(struct relay_client *client, struct buf *out)
{
	if (client->state == RELAY_CLIENT_TRANSACTION)
		send_commands(client, out);
	if (client->state == RELAY_CLIENT_BODY)
		send_body(client, out);
}

/* -- Replies -- */

/* Without success: all that were accepted get this verdict. */
static void
decide_accepted(
    struct relay_client *client, const struct relay_verdict *verdict)
{
	for (size_t i = 0; i < client->member_count; i++) {
		size_t recipient = client->mail->members[i];

		if (client->mail->recipients[recipient].state ==
		    RELAY_RECIPIENT_ACCEPTED)
			relay_mail_decide(client->mail, recipient, verdict);
	}
}

/* Another round for those who did not fit in, or that was it. */
static void
transaction_over(struct relay_client *client)
{
	client->is_end_said = false;
	if (relay_mail_undecided(client->mail) == 0)
		mail_done(client);
	else
		enter_state(client, RELAY_CLIENT_READY);
}

/* All is answered, and no data go. */
static void
give_up_transaction(struct relay_client *client)
{
	client->needs_reset = !client->is_mail_refused;
	transaction_over(client);
}

static void
mail_answered(struct relay_client *client)
{
	struct relay_verdict verdict = relay_mail_verdict(&client->reply);

	if (relay_reply_is(&client->reply, 2))
		return;
	client->is_mail_refused = true;
	relay_mail_decide_rest(client->mail, &verdict);
}

/* RFC 5321 4.5.3.1.10: behind one that was accepted, 452 and 552 mean that
 * there are too many at once. */
static void
recipient_answered(struct relay_client *client, size_t recipient)
{
	struct relay_verdict verdict = relay_mail_verdict(&client->reply);

	if (client->is_mail_refused)
		return;
	if (relay_reply_is(&client->reply, 2)) {
		client->mail->recipients[recipient].state =
		    RELAY_RECIPIENT_ACCEPTED;
		client->accepted++;
	} else if (client->accepted > 0 &&
		   (client->reply.code == 452 || client->reply.code == 552)) {
		client->mail->recipients[recipient].state =
		    RELAY_RECIPIENT_WAITS;
	} else {
		relay_mail_decide(client->mail, recipient, &verdict);
	}
}

static void
begin_body(struct relay_client *client, struct buf *out)
{
	relay_body_rewind(client->mail->body);
	if (client->is_bdat)
		(void)buf_put_format(
		    out, "BDAT %" PRIu64 " LAST\r\n", client->mail->body->size);
	enter_state(client, RELAY_CLIENT_BODY);
}

/* The data are ended at once: there is nobody who would get them. */
static void
send_nothing(struct relay_client *client, struct buf *out)
{
	client->is_nobody = true;
	(void)buf_put_text(out, ".\r\n");
	enter_state(client, RELAY_CLIENT_ANSWER);
}

static void
data_answered(struct relay_client *client, struct buf *out)
{
	struct relay_verdict verdict = relay_mail_verdict(&client->reply);

	if (client->reply.code == 354) {
		if (client->accepted > 0)
			begin_body(client, out);
		else
			send_nothing(client, out);
		return;
	}
	if (verdict.outcome == RELAY_DELIVERED) {
		relay_client_over(client, RELAY_END_PROTOCOL,
		    "DATA was answered as if it were over");
		return;
	}
	decide_accepted(client, &verdict);
	give_up_transaction(client);
}

static void
command_answered(struct relay_client *client, struct buf *out)
{
	size_t n = client->next_reply++;

	if (n >= client->next_command) {
		relay_client_over(
		    client, RELAY_END_PROTOCOL, "a reply to nothing");
		return;
	}
	if (n == 0) {
		mail_answered(client);
	} else if (n <= client->member_count) {
		recipient_answered(client, client->mail->members[n - 1]);
	} else {
		data_answered(client, out);
		return;
	}
	if (!are_all_answered(client) || has_next_command(client, out))
		return;
	if (client->is_mail_refused || client->accepted == 0)
		give_up_transaction(client);
	else if (client->is_bdat && n == client->member_count)
		begin_body(client, out);
}

/* RFC 2852: it goes where nobody keeps to its time, or its sender follows
 * it. */
static bool
is_time_told(const struct relay_client *client)
{
	return client->mail->deliver_by != 0 &&
	       (!client->extensions.has_deliverby ||
		   relay_has_flag(client, TRANSACTION_BY_TRACE));
}

/* The word of a delivery: what the sender who wants to hear of success can be
 * told depends on whether this host tells him. */
static struct relay_verdict
final_verdict(const struct relay_client *client, size_t recipient)
{
	struct relay_verdict verdict = relay_mail_verdict(&client->reply);
	const struct relay_mail *mail = client->mail;
	bool wants_success =
	    (mail->recipients[recipient].notify & DSN_NOTIFY_SUCCESS) != 0;

	if (verdict.outcome == RELAY_DELIVERED && !relay_is_lmtp(client) &&
	    ((wants_success && !client->extensions.has_dsn) ||
		is_time_told(client)))
		verdict.outcome = RELAY_PASSED_ON;
	return verdict;
}

/* LMTP: the next one who was accepted; false if all were answered for. */
static bool
answer_one(struct relay_client *client)
{
	while (client->next_answer < client->member_count) {
		size_t recipient = client->mail->members[client->next_answer++];
		struct relay_verdict verdict;

		if (client->mail->recipients[recipient].state !=
		    RELAY_RECIPIENT_ACCEPTED)
			continue;
		verdict = final_verdict(client, recipient);
		relay_mail_decide(client->mail, recipient, &verdict);
		client->accepted--;
		break;
	}
	return client->accepted > 0;
}

static void
end_answered(struct relay_client *client)
{
	if (client->reply.code / 100 == 3) {
		relay_client_over(client, RELAY_END_PROTOCOL,
		    "the end of data was answered with 3xx");
		return;
	}
	if (!client->is_nobody && relay_is_lmtp(client)) {
		if (answer_one(client))
			return;
	} else if (!client->is_nobody) {
		for (size_t i = 0; i < client->member_count; i++) {
			size_t recipient = client->mail->members[i];
			struct relay_verdict verdict =
			    final_verdict(client, recipient);

			if (client->mail->recipients[recipient].state ==
			    RELAY_RECIPIENT_ACCEPTED)
				relay_mail_decide(
				    client->mail, recipient, &verdict);
		}
	}
	transaction_over(client);
}

/* It does not wait for the end: it wants no more of this message, and where it
 * is in the stream nobody knows. */
static void
body_interrupted(struct relay_client *client)
{
	struct relay_verdict verdict = relay_mail_verdict(&client->reply);

	if (verdict.outcome != RELAY_DELIVERED &&
	    !relay_reply_is(&client->reply, 3))
		decide_accepted(client, &verdict);
	relay_client_over(
	    client, RELAY_END_PROTOCOL, "a reply in the middle of the data");
}

void
relay_transaction_reply(struct relay_client *client, struct buf *out)
{
	if (client->state == RELAY_CLIENT_TRANSACTION)
		command_answered(client, out);
	else if (client->state == RELAY_CLIENT_BODY)
		body_interrupted(client);
	else
		end_answered(client);
}
