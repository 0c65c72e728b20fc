/* See relay_order.h. */
#include "smtpd/relay_order.h"

#include "common/memory.h"
#include "common/record.h"

#include <string.h>

enum {
	MAX_RECIPIENTS = 65535
};

static void
keep(char **place, struct text text, struct text *to)
{
	if (text.size > 0)
		memcpy(*place, text.data, text.size);
	*to = text_make(*place, text.size);
	*place += text.size;
}

/* All texts of the message, which are gone after this call. */
static void
keep_texts(struct relay_order *order, const struct message_relay_job *said,
    struct text *recipients, struct text *route)
{
	char *place;

	order->storage_size = said->sender.size + said->envelope_id.size +
			      said->recipients.size + said->domain.size +
			      said->route.size + 1;
	order->storage = place = memory_new(1, order->storage_size);
	keep(&place, said->sender, &order->mail.sender);
	keep(&place, said->envelope_id, &order->mail.envelope_id);
	keep(&place, said->recipients, recipients);
	/* domain NUL route: the key. */
	order->key.data = place;
	keep(&place, said->domain, &order->domain);
	*place++ = '\0';
	keep(&place, said->route, route);
	order->key.size = (size_t)(place - order->key.data);
}

static int
add_recipient(
    struct relay_mail *mail, const struct outgoing_record *record, size_t *room)
{
	struct relay_recipient *recipient;

	if (mail->count == *room) {
		*room = *room * 2 + 16;
		mail->recipients = memory_resize(
		    mail->recipients, *room, sizeof(*mail->recipients));
	}
	recipient = &mail->recipients[mail->count++];
	memset(recipient, 0, sizeof(*recipient));
	recipient->address = record->address;
	recipient->original = record->original;
	recipient->notify = record->notify;
	return record->address.size > 0 &&
		       relay_mail_is_address(record->address) &&
		       relay_mail_is_address(record->original)
		   ? 0
		   : -1;
}

static int
read_recipients(struct relay_mail *mail, struct text records)
{
	struct outgoing_record record;
	struct reader reader;
	size_t room = 0;
	int more;

	reader_init(&reader, records.data, records.size);
	while ((more = record_get_outgoing(&reader, &record)) == 1)
		if (add_recipient(mail, &record, &room) == -1)
			return -1;
	mail->members = memory_new(room + 1, sizeof(mail->members[0]));
	return more == 0 && mail->count > 0 && mail->count <= MAX_RECIPIENTS
		   ? 0
		   : -1;
}

int
relay_order_read(
    struct relay_order *order, const struct message_relay_job *said)
{
	struct text recipients, route;
	struct reader reader;

	keep_texts(order, said, &recipients, &route);
	order->mail.flags = said->flags;
	order->mail.priority = (int8_t)said->priority;
	order->mail.deliver_by = said->deliver_by;
	reader_init(&reader, route.data, route.size);
	if (relay_route_get(&reader, &order->route) == -1 ||
	    read_recipients(&order->mail, recipients) == -1 ||
	    !relay_mail_is_address(order->mail.sender) ||
	    !relay_mail_is_address(order->mail.envelope_id))
		return -1;
	/* A host that is given serves all domains that go by it. */
	if (order->route.host.size > 0)
		order->key = text_skip(order->key, order->domain.size);
	return 0;
}

void
relay_order_clear(struct relay_order *order)
{
	memory_free(&order->mail.recipients);
	memory_free(&order->mail.members);
	if (order->storage != NULL)
		explicit_bzero(order->storage, order->storage_size);
	memory_free(&order->storage);
}
