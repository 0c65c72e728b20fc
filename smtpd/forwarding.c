/*
 * See forwarding.h.  The secrets are in no other process that mail reaches.
 */
#include "smtpd/forwarding.h"

#include "common/clock.h"
#include "common/domain_name.h"
#include "common/log.h"
#include "common/mail_address.h"
#include "common/smtp_verdict.h"

#include <string.h>

static int64_t
now_s(void)
{
	return clock_wall_us() / 1000000;
}

static bool
is_ours(const struct queue *queue, const struct mailbox_address *address)
{
	char ascii[DOMAIN_NAME_SIZE];

	return !address->is_literal &&
	       domain_name_to_ascii(address->domain, ascii) == 0 &&
	       settings_is_domain(queue->settings, text_of(ascii));
}

struct text
forwarding_sender(struct queue *queue, struct text sender, struct forwarded *to)
{
	struct mailbox_address address;
	char ascii[SRS_ADDRESS_SIZE];

	to->origin[0] = '\0';
	to->until = 0;
	if (queue->srs == NULL || sender.size == 0 ||
	    mail_address_parse_mailbox(sender, true, 0, &address, NULL) == -1 ||
	    is_ours(queue, &address))
		return sender;
	if (domain_name_of_address(sender, ascii, sizeof(ascii)) == 0) {
		if (srs_forward(
			queue->srs, text_of(ascii), now_s(), to->sender) == 0)
			return text_of(to->sender);
		if (srs_forward_kept(
			queue->srs, text_of(ascii), now_s(), to->sender) == 0) {
			memcpy(to->origin, ascii, sizeof(ascii));
			to->until = now_s() + queue->settings->srs_valid_s;
			return text_of(to->sender);
		}
	}
	log_info("srs-not-possible", "sender=\"%.*s\"", TEXT_FMT(sender));
	return sender;
}

/* Where to route_find leads: for one elsewhere its address, as others have
 * it. */
static unsigned int
find_plain(struct queue *queue, struct text address, struct route *route,
    char home[SRS_ADDRESS_SIZE])
{
	unsigned int verdict =
	    route_find(queue->settings, queue->accounts, address, route);
	int result;

	if (verdict != VERDICT_RELAYING)
		return verdict;
	result = text_is_ascii(address)
		     ? text_copy(address, home, SRS_ADDRESS_SIZE)
		     : domain_name_of_address(address, home, SRS_ADDRESS_SIZE);
	return result == 0 ? VERDICT_RELAYING : VERDICT_BAD_RECIPIENT;
}

bool
forwarding_is_kept(const struct queue *queue, struct text address)
{
	struct mailbox_address mailbox;

	return mail_address_parse_mailbox(address, true, 0, &mailbox, NULL) ==
		   0 &&
	       srs_is_kept_form(mailbox.local) && is_ours(queue, &mailbox);
}

static unsigned int
find_way_back(struct queue *queue, const struct mailbox_address *mailbox,
    struct route *route, char home[SRS_ADDRESS_SIZE])
{
	char back[SRS_ADDRESS_SIZE];
	enum srs_result result =
	    srs_reverse(queue->srs, mailbox->local, now_s(), back);
	unsigned int verdict;

	if (result == SRS_KEPT) {
		if (text_copy(mailbox->address, home, SRS_ADDRESS_SIZE) == -1)
			return VERDICT_BAD_RECIPIENT;
		route->remotes[route->remote_count++] = home;
		return VERDICT_OK;
	}
	if (result != SRS_GOOD) {
		log_info("srs-refused", "address=\"%.*s\" why=%s",
		    TEXT_FMT(mailbox->local),
		    result == SRS_EXPIRED ? "expired" : "forged");
		return VERDICT_UNKNOWN_USER;
	}
	verdict = find_plain(queue, text_of(back), route, home);
	if (verdict != VERDICT_RELAYING)
		return verdict;
	route->remotes[route->remote_count++] = home;
	return VERDICT_OK;
}

unsigned int
forwarding_find(struct queue *queue, struct text address, struct route *route,
    char home[SRS_ADDRESS_SIZE])
{
	struct mailbox_address mailbox;

	route->count = route->remote_count = 0;
	if (queue->srs != NULL &&
	    mail_address_parse_mailbox(address, true, 0, &mailbox, NULL) == 0 &&
	    srs_is_form(mailbox.local) && is_ours(queue, &mailbox))
		return find_way_back(queue, &mailbox, route, home);
	return find_plain(queue, address, route, home);
}
