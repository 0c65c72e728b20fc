/* See relay_mail.h. */
#include "smtpd/relay_mail.h"

void
relay_mail_decide(struct relay_mail *mail, size_t recipient,
    const struct relay_verdict *verdict)
{
	struct relay_recipient *r = &mail->recipients[recipient];

	if (r->state == RELAY_RECIPIENT_DECIDED)
		return;
	r->state = RELAY_RECIPIENT_DECIDED;
	mail->decided(mail, recipient, verdict, mail->context);
}

void
relay_mail_decide_rest(
    struct relay_mail *mail, const struct relay_verdict *verdict)
{
	for (size_t i = 0; i < mail->count; i++)
		relay_mail_decide(mail, i, verdict);
}

size_t
relay_mail_undecided(const struct relay_mail *mail)
{
	size_t count = 0;

	for (size_t i = 0; i < mail->count; i++)
		count += mail->recipients[i].state != RELAY_RECIPIENT_DECIDED;
	return count;
}

struct relay_verdict
relay_mail_verdict(const struct relay_reply *reply)
{
	struct relay_verdict verdict = { RELAY_DEFERRED, reply->code,
		reply->enhanced, reply->text };

	if (relay_reply_is(reply, 2))
		verdict.outcome = RELAY_DELIVERED;
	else if (relay_reply_is(reply, 5))
		verdict.outcome = RELAY_FAILED;
	return verdict;
}

bool
relay_mail_is_address(struct text address)
{
	bool is_quoted = false;

	for (size_t i = 0; i < address.size; i++) {
		unsigned char c = (unsigned char)address.data[i];

		if (c < ' ' || c == 0x7f)
			return false;
		if (!is_quoted && (c == ' ' || c == '<' || c == '>'))
			return false;
		if (is_quoted && c == '\\')
			i++;
		else if (c == '"')
			is_quoted = !is_quoted;
		if (i < address.size && ((unsigned char)address.data[i] < ' ' ||
					    address.data[i] == 0x7f))
			return false;
	}
	return !is_quoted;
}
