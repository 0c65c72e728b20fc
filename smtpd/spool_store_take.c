/*
 * A message is taken: its recipients sorted by domain and cut into parcels, its
 * body, its rows.  What can be refused comes first, so that nothing of it is
 * written then.
 */
#include "smtpd/spool_store_state.h"

#include "common/memory.h"
#include "common/record.h"
#include "common/smtp_verdict.h"
#include "smtpd/spool_senders.h"
#include "smtpd/spool_sent.h"

#include <stdlib.h>
#include <strings.h>

/* One of a message's, while it is taken. */
struct addressee {
	struct outgoing_record record;
	struct text domain;
	size_t place; /* as it was handed in */
};

/* It has its message, and stands behind all who have not. */
static bool
is_told(const struct addressee *addressee)
{
	return !record_is_to_go(&addressee->record);
}

static int
compare_domains(struct text a, struct text b)
{
	size_t size = a.size < b.size ? a.size : b.size;
	int order = strncasecmp(a.data, b.data, size);

	if (order != 0 || a.size == b.size)
		return order;
	return a.size < b.size ? -1 : 1;
}

static int
compare_addressees(const void *a, const void *b)
{
	const struct addressee *left = a, *right = b;
	int order = is_told(left) - is_told(right);

	if (order == 0)
		order = compare_domains(left->domain, right->domain);
	if (order == 0)
		order = left->record.fate - right->record.fate;
	if (order != 0)
		return order;
	return left->place < right->place ? -1 : left->place > right->place;
}

/* All of them, sorted by domain; the caller frees. `told` of them, at the end,
 * are not to be sent. NULL: ERROR_INPUT. */
static struct addressee *
read_addressees(
    struct text records, uint16_t *count, uint16_t *told, struct error *error)
{
	struct addressee *list = NULL, *one;
	struct outgoing_record record;
	struct reader reader;
	size_t n = 0;
	int more;

	*told = 0;
	reader_init(&reader, records.data, records.size);
	while ((more = record_get_outgoing(&reader, &record)) == 1) {
		if ((n & (n + 1)) == 0)
			list = memory_resize(list, 2 * n + 2, sizeof(*list));
		one = &list[n];
		*one = (struct addressee){ record, spool_domain(record.address),
			n };
		*told += is_told(one);
		/* "postmaster" is nobody's elsewhere. */
		if ((one->domain.size == 0 && !is_told(one)) ||
		    one->domain.size > SPOOL_MAX_DOMAIN ||
		    ++n > SPOOL_MAX_RECIPIENTS) {
			more = -1;
			break;
		}
	}
	if (more == -1 || n == 0) {
		free(list);
		error_set(error, ERROR_INPUT, "recipients are malformed");
		return NULL;
	}
	qsort(list, n, sizeof(*list), compare_addressees);
	*count = (uint16_t)n;
	return list;
}

static int
put_addressees(struct spool_store *store, uint64_t id,
    const struct addressee *list, uint16_t count, struct error *error)
{
	static const enum spool_state states[] = {
		[OUTGOING_SEND] = SPOOL_WAITING,
		[OUTGOING_DELIVERED] = SPOOL_FILED,
		[OUTGOING_EXPANDED] = SPOOL_EXPANDED,
		[OUTGOING_HERE] = SPOOL_WAITING,
		[OUTGOING_BACK] = SPOOL_WAITING,
	};
	struct spool_recipient recipient;

	for (uint16_t i = 0; i < count; i++) {
		recipient = (struct spool_recipient){
			.state = (uint8_t)states[list[i].record.fate],
			.notify = list[i].record.notify,
			.address = list[i].record.address,
			.original = list[i].record.original,
		};
		if (spool_store_set_recipient(
			store, id, i, &recipient, error) == -1)
			return -1;
	}
	return 0;
}

static size_t
record_bytes(const struct addressee *addressee)
{
	return 2 + 4 + addressee->record.original.size + 4 +
	       addressee->record.address.size;
}

/* How many of the list, from its start on, one job can carry. */
static uint16_t
parcel_size(const struct addressee *list, uint16_t count)
{
	size_t bytes = record_bytes(&list[0]);
	uint16_t n = 1;

	while (n < count && n < SPOOL_PARCEL_RECIPIENTS &&
	       list[0].record.fate == list[n].record.fate &&
	       compare_domains(list[0].domain, list[n].domain) == 0) {
		bytes += record_bytes(&list[n]);
		if (bytes > SPOOL_PARCEL_BYTES)
			break;
		n++;
	}
	return n;
}

/* How many there are, or -1. */
static int
put_parcels(struct spool_store *store, uint64_t id,
    const struct spool_mail *mail, const struct addressee *list, uint16_t count,
    struct error *error)
{
	char domain[SPOOL_MAX_DOMAIN];
	bool is_later = mail->next > mail->time;
	int64_t next = is_later ? mail->next : mail->time;
	struct spool_parcel parcel = { .message = id,
		.account = mail->account,
		.time = next,
		.deliver_by = mail->deliver_by,
		.priority = mail->priority,
		.next = next };
	enum spool_table table =
	    mail->decider != 0 ? SPOOL_DRAFT : SPOOL_PARCEL;
	struct text name;

	for (uint16_t at = 0; at < count; at += parcel.count) {
		name = list[at].domain;
		for (size_t i = 0; i < name.size; i++)
			domain[i] = text_lower_byte(name.data[i]);
		parcel.domain = text_make(domain, name.size);
		parcel.flags = is_later ? SPOOL_LATER : 0;
		if (list[at].record.fate == OUTGOING_HERE)
			parcel.flags |= SPOOL_HOME;
		if (mail->deliver_by != 0 &&
		    mail->flags & TRANSACTION_BY_RETURN)
			parcel.flags |= SPOOL_BY_RETURN;
		parcel.first = at;
		parcel.count = parcel_size(list + at, count - at);
		if (spool_store_put_parcel(store, table, &parcel, error) == -1)
			return -1;
		parcel.number++;
	}
	return parcel.number;
}

static struct spool_message
message_of(const struct spool_mail *mail)
{
	return (struct spool_message){
		.delivery = mail->delivery,
		.time = mail->time,
		.account = mail->account,
		.flags = mail->flags,
		.size = mail->size,
		.sender = mail->sender,
		.envelope_id = mail->envelope_id,
	};
}

static int
put_body(struct spool_store *store, uint64_t id, const struct spool_mail *mail,
    struct spool_message *message, struct error *error)
{
	if (mail->id != 0) {
		message->place = SPOOL_IN_FILE;
		return 0;
	}
	if (mail->data.size < mail->size &&
	    (mail->fd == -1 || spool_store_wants_file(mail)))
		return error_set(error, ERROR_INPUT, "a message has no body");
	return spool_bodies_put(
	    store->bodies, id, message, mail->data, mail->fd, error);
}

/* The message's own row, and that of its delivery. */
static int
put_names(struct spool_store *store, uint64_t id,
    const struct spool_message *message, struct error *error)
{
	struct spool_key key = spool_delivery_key(&message->delivery);
	struct spool_key number = spool_message_key(id);

	if (spool_store_put_message(store, id, message, error) == -1)
		return -1;
	return spool_env_put(
	    store->env, SPOOL_DELIVERY, &key, spool_key_text(&number), error);
}

static int
put_decider(struct spool_store *store, uint64_t id, uint32_t decider,
    struct error *error)
{
	struct spool_key key = spool_message_key(id);
	struct spool_key account = { .size = 0 };

	spool_key_u32(&account, decider);
	return spool_env_put(
	    store->env, SPOOL_UNDECIDED, &key, spool_key_text(&account), error);
}

/* What its sender's limit is about. */
static uint16_t
count_elsewhere(const struct addressee *list, uint16_t count)
{
	uint16_t elsewhere = 0;

	for (uint16_t i = 0; i < count; i++)
		elsewhere += list[i].record.fate == OUTGOING_SEND;
	return elsewhere;
}

/* What can be refused comes first, so that nothing of it is written. */
static int
put_for(struct spool_store *store, uint64_t id, const struct spool_mail *mail,
    const struct addressee *list, uint16_t count, uint16_t told,
    struct error *error)
{
	struct spool_message message = message_of(mail);
	uint16_t to_send = count - told;
	uint16_t elsewhere = count_elsewhere(list, to_send);
	int parcels;

	if (spool_sent_check(store->env, mail->account, mail->time, elsewhere,
		mail->send_per_day, error) == -1 ||
	    put_body(store, id, mail, &message, error) == -1 ||
	    spool_sent_add(
		store->env, mail->account, mail->time, elsewhere, error) == -1)
		return -1;
	parcels = put_parcels(store, id, mail, list, to_send, error);
	if (parcels == -1 ||
	    put_addressees(store, id, list, count, error) == -1)
		return -1;
	message.recipients = count;
	message.parcels = (uint16_t)parcels;
	if (put_names(store, id, &message, error) == -1 ||
	    (mail->origin.size > 0 &&
		spool_senders_keep(store->env, mail->sender, mail->origin,
		    mail->origin_until, error) == -1))
		return -1;
	return mail->decider != 0 ? put_decider(store, id, mail->decider, error)
				  : 0;
}

/* Of a delivery that was not there before; `recipients` are all who they
 * are. */
static int
put_new(struct spool_store *store, const struct spool_mail *mail,
    struct text recipients, uint64_t *id, struct error *error)
{
	struct addressee *list;
	uint64_t number;
	uint16_t count, told;
	int result;

	list = read_addressees(recipients, &count, &told, error);
	if (list == NULL)
		return -1;
	number = mail->id != 0 ? mail->id : store->next_id;
	/* Whoever is told of is told: else nobody would ever end it. */
	if (told > 0 && !(mail->flags & TRANSACTION_TELLS))
		result = error_set(error, ERROR_INPUT, "nobody is to be told");
	else
		result = put_for(store, number, mail, list, count, told, error);
	free(list);
	if (result == -1)
		return -1;
	if (number == store->next_id)
		store->next_id++;
	*id = number;
	return 1;
}

int
spool_store_put(struct spool_store *store, const struct spool_mail *mail,
    uint64_t *id, struct error *error)
{
	struct spool_key key = spool_delivery_key(&mail->delivery);
	struct text value;
	struct buf known;
	int result;

	result = spool_env_get(store->env, SPOOL_DELIVERY, &key, &value, error);
	if (result != 0)
		return result == 1 ? 0 : -1;
	result =
	    spool_senders_resolve(store->env, mail->recipients, &known, error);
	if (result != -1)
		result = put_new(store, mail,
		    result == 1 ? text_make(known.data, known.size)
				: mail->recipients,
		    id, error);
	buf_clear(&known);
	return result;
}

int
spool_store_put_report(struct spool_store *store, const struct spool_mail *mail,
    uint64_t *id, struct error *error)
{
	struct spool_message message = message_of(mail);
	uint64_t number = store->next_id;
	struct spool_key key = spool_message_key(number);
	struct spool_recipient recipient = { .address = mail->recipients };

	message.recipients = 1;
	message.delivery.bytes[SPOOL_REPORT_MARK] = 0xff;
	if (mail->size > SPOOL_MAX_REPORT)
		return error_set(error, ERROR_INPUT, "a report is too long");
	if (put_body(store, number, mail, &message, error) == -1 ||
	    spool_store_set_recipient(store, number, 0, &recipient, error) ==
		-1 ||
	    put_names(store, number, &message, error) == -1 ||
	    spool_env_put(store->env, SPOOL_REPORT, &key, text_make(NULL, 0),
		error) == -1)
		return -1;
	*id = store->next_id++;
	return 1;
}
