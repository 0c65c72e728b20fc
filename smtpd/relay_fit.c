/* See relay_fit.h. */
#include "smtpd/relay_fit.h"

#include "common/smtp_verdict.h"
#include "smtpd/relay_downgrade.h"

/* SMTPUTF8 is asked for, but what must be said does not need it. */
static bool
needs_utf8(struct relay_client *client)
{
	return !text_is_ascii(client->mail->sender) ||
	       client->mail->body->has_8bit_header;
}

bool
relay_fit_body(struct relay_client *client)
{
	struct error error;

	if ((client->extensions.has_8bitmime || relay_is_lmtp(client)) &&
	    (client->extensions.has_smtputf8 ||
		!relay_has_flag(client, TRANSACTION_SMTPUTF8)))
		return true;
	if (relay_body_scan(client->mail->body, &error) == 0)
		return true;
	relay_client_over(client, RELAY_END_BODY, error.text);
	return false;
}

static bool
needs_conversion(const struct relay_client *client)
{
	const struct relay_extensions *extensions = &client->extensions;

	if (relay_has_flag(client, TRANSACTION_BINARYMIME))
		return !(
		    extensions->has_binarymime && extensions->has_chunking);
	return client->mail->body->has_8bit && !extensions->has_8bitmime &&
	       !relay_is_lmtp(client);
}

static bool
convert(struct relay_client *client)
{
	struct relay_mail *mail = client->mail;
	struct error error;
	uint64_t size;
	int fd = relay_downgrade(mail->body, &size, &error);

	if (fd == -1)
		return false;
	relay_body_replace(mail->body, fd, size);
	mail->flags &=
	    ~(unsigned int)(TRANSACTION_8BITMIME | TRANSACTION_BINARYMIME);
	return true;
}

/* What is to be returned when its time is over goes only to who keeps to that
 * (RFC 2852). NULL: it may go. */
static const char *
time_problem(const struct relay_client *client)
{
	const struct relay_extensions *extensions = &client->extensions;
	int64_t left = client->mail->by_left_s;

	if (client->mail->deliver_by == 0 ||
	    !relay_has_flag(client, TRANSACTION_BY_RETURN))
		return NULL;
	if (left <= 0)
		return "the time is over within which the sender wanted the "
		       "message delivered";
	if (!extensions->has_deliverby)
		return "the sender wants the message back if it is late "
		       "(DELIVERBY), and this host does not do so";
	return left < extensions->min_by_s
		   ? "the sender wants the message back if it is late, and "
		     "this host needs more time than there is"
		   : NULL;
}

bool
relay_fit_message(struct relay_client *client)
{
	const struct relay_extensions *extensions = &client->extensions;
	struct relay_mail *mail = client->mail;
	const char *enhanced = NULL, *text = NULL;

	if (relay_has_flag(client, TRANSACTION_REQUIRETLS) &&
	    (!client->is_authenticated || !extensions->has_requiretls)) {
		enhanced = "5.7.30";
		text = "the sender requires TLS all the way (REQUIRETLS), and "
		       "this host does not do so";
	} else if (relay_has_flag(client, TRANSACTION_SMTPUTF8) &&
		   !extensions->has_smtputf8 && needs_utf8(client)) {
		enhanced = "5.6.7";
		text = "the message has addresses or a header in UTF-8, and "
		       "this host takes no SMTPUTF8";
	} else if (needs_conversion(client) && !convert(client)) {
		enhanced = "5.6.3";
		text = "the message has 8-bit or binary parts that cannot be "
		       "converted, and this host takes 7 bits only";
	} else if (extensions->max_size > 0 &&
		   mail->body->size > extensions->max_size) {
		enhanced = "5.3.4";
		text = "the message is larger than this host takes";
	} else if ((text = time_problem(client)) != NULL) {
		enhanced = "5.4.7";
	}
	if (text == NULL)
		return true;
	relay_mail_decide_rest(client->mail,
	    &(struct relay_verdict){ RELAY_FAILED, 0, enhanced, text });
	return false;
}

bool
relay_fit_recipient(struct relay_client *client, size_t recipient)
{
	static const struct relay_verdict verdict = { RELAY_FAILED, 0, "5.6.7",
		"the address is in UTF-8, and this host takes no SMTPUTF8" };

	if (client->extensions.has_smtputf8 ||
	    text_is_ascii(client->mail->recipients[recipient].address))
		return true;
	relay_mail_decide(client->mail, recipient, &verdict);
	return false;
}
