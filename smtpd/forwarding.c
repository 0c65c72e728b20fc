/*
 * See forwarding.h.  The secrets are in no other process that mail reaches.
 */
#include "smtpd/forwarding.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/mail_address.h"
#include "common/smtp_verdict.h"

static int64_t
now_s(void)
{
	return clock_wall_us() / 1000000;
}

struct text
forwarding_sender(
    struct queue *queue, struct text sender, char to[SRS_ADDRESS_SIZE])
{
	struct mailbox_address address;

	if (queue->srs == NULL || sender.size == 0 ||
	    mail_address_parse_mailbox(sender, true, 0, &address, NULL) == -1 ||
	    (!address.is_literal &&
		settings_is_domain(queue->settings, address.domain)))
		return sender;
	if (srs_forward(queue->srs, sender, now_s(), to) == 0)
		return text_of(to);
	log_info("srs-not-possible", "sender=\"%.*s\"", TEXT_FMT(sender));
	return sender;
}

unsigned int
forwarding_find(struct queue *queue, struct text address, struct route *route,
    char home[SRS_ADDRESS_SIZE])
{
	struct mailbox_address mailbox;
	enum srs_result result;
	unsigned int verdict;

	if (queue->srs == NULL ||
	    mail_address_parse_mailbox(address, true, 0, &mailbox, NULL) ==
		-1 ||
	    mailbox.is_literal || !srs_is_form(mailbox.local) ||
	    !settings_is_domain(queue->settings, mailbox.domain))
		return route_find(
		    queue->settings, queue->accounts, address, route);
	route->count = route->remote_count = 0;
	result = srs_reverse(queue->srs, mailbox.local, now_s(), home);
	if (result != SRS_GOOD) {
		log_info("srs-refused", "address=\"%.*s\" why=%s",
		    TEXT_FMT(address),
		    result == SRS_EXPIRED ? "expired" : "forged");
		return VERDICT_UNKNOWN_USER;
	}
	verdict =
	    route_find(queue->settings, queue->accounts, text_of(home), route);
	if (verdict != VERDICT_RELAYING)
		return verdict;
	route->remotes[route->remote_count++] = home;
	return VERDICT_OK;
}
