/*
 * Messages, parcels and recipients.
 */
#include "smtpd/spool_store.h"

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/record.h"
#include "smtpd/spool_body.h"
#include "smtpd/spool_sent.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
	/* A queue asks again within its own deadline, which is 30 s. */
	REMEMBER_S = 3600,
	FORGET_AT_ONCE = 8,
	ROW_BYTES = 8192 /* what a message's own rows take at most, about */
};

struct spool_store {
	struct spool_env *env;
	struct spool_bodies *bodies;
	uint64_t next_id;
	uint64_t kept_id; /* as it stands in the environment */
};

/* One of a message's, while it is taken. */
struct addressee {
	struct outgoing_record record;
	struct text domain;
	size_t place; /* as it was handed in */
};

static struct spool_key
message_key(uint64_t id)
{
	struct spool_key key = { .size = 0 };

	spool_key_u64(&key, id);
	return key;
}

static struct spool_key
numbered_key(uint64_t id, uint16_t number)
{
	struct spool_key key = message_key(id);

	spool_key_u16(&key, number);
	return key;
}

static struct spool_key
delivery_key(const struct delivery_id *delivery)
{
	struct spool_key key = { .size = 0 };

	spool_key_raw(&key, delivery->bytes, sizeof(delivery->bytes));
	return key;
}

static struct text
key_text(const struct spool_key *key)
{
	return text_make(key->bytes, key->size);
}

/* -- Opening -- */

static int
open_folder(const char *path, struct error *error)
{
	return path[0] == '/' ? file_open_absolute_directory(path, error)
			      : file_open_directory(AT_FDCWD, path, error);
}

/* Numbers are never used again: a delivery remembers its message's. */
static const struct spool_key next_key = { "next", 4 };

static int
read_next_id(struct spool_store *store, struct error *error)
{
	struct text value;
	int found =
	    spool_env_get(store->env, SPOOL_META, &next_key, &value, error);

	store->next_id = found == 1 ? spool_key_get(value, 0, 8) : 1;
	store->kept_id = store->next_id;
	spool_env_rest(store->env);
	return found == -1 ? -1 : 0;
}

static int
keep_next_id(struct spool_store *store, struct error *error)
{
	struct spool_key next = message_key(store->next_id);

	if (store->next_id == store->kept_id)
		return 0;
	store->kept_id = store->next_id;
	return spool_env_put(
	    store->env, SPOOL_META, &next_key, key_text(&next), error);
}

static int
open_parts(struct spool_store *store, const char *path, int dir_fd,
    uint64_t map_bytes, struct error *error)
{
	char folder[4096];
	int orphans;

	if (file_make_directory(dir_fd, "index", 0700, error) == -1 &&
	    error->code != ERROR_EXISTS)
		return -1;
	(void)snprintf(folder, sizeof(folder), "%s/index", path);
	store->env = spool_env_open(folder, map_bytes, error);
	if (store->env == NULL)
		return -1;
	store->bodies = spool_bodies_open(dir_fd, store->env, error);
	if (store->bodies == NULL || file_sync_directory(dir_fd, error) == -1)
		return -1;
	orphans = spool_bodies_remove_orphans(store->bodies, error);
	if (orphans > 0)
		log_info("spool-orphans", "removed=%d", orphans);
	return orphans == -1 ? -1 : read_next_id(store, error);
}

struct spool_store *
spool_store_open(const char *path, uint64_t map_bytes, struct error *error)
{
	struct spool_store *store = memory_new(1, sizeof(*store));
	int dir_fd = open_folder(path, error);

	if (dir_fd == -1 ||
	    open_parts(store, path, dir_fd, map_bytes, error) == -1)
		spool_store_close(&store);
	if (dir_fd != -1)
		close(dir_fd);
	return store;
}

void
spool_store_close(struct spool_store **store)
{
	if (*store == NULL)
		return;
	spool_bodies_close(&(*store)->bodies);
	spool_env_close(&(*store)->env);
	memory_free(store);
}

struct spool_env *
spool_store_env(struct spool_store *store)
{
	return store->env;
}

bool
spool_store_has_room(struct spool_store *store, uint64_t bytes)
{
	/* A file is no page of the environment: if the disk has no room for it,
	 * it says so. */
	if (bytes > SPOOL_INLINE_BYTES)
		bytes = 0;
	return spool_env_has_room(store->env, bytes + ROW_BYTES);
}

/* -- Transactions -- */

int
spool_store_begin(struct spool_store *store, struct error *error)
{
	return spool_env_begin(store->env, error);
}

int
spool_store_commit(struct spool_store *store, struct error *error)
{
	int result = keep_next_id(store, error);

	if (result == 0)
		result = spool_bodies_sync(store->bodies, error);
	if (result == -1)
		spool_env_abort(store->env);
	else
		result = spool_env_commit(store->env, error);
	spool_bodies_ended(store->bodies, result == 0);
	return result;
}

void
spool_store_abort(struct spool_store *store)
{
	spool_env_abort(store->env);
	spool_bodies_ended(store->bodies, false);
}

void
spool_store_rest(struct spool_store *store)
{
	spool_env_rest(store->env);
}

/* -- Taking a message -- */

static int
put_message(struct spool_store *store, uint64_t id,
    const struct spool_message *message, struct error *error)
{
	struct spool_key key = message_key(id);
	uint8_t value[SPOOL_MAX_VALUE];
	size_t size = spool_put_message(value, message);

	if (size == 0)
		return error_set(error, ERROR_INPUT, "a message is too long");
	return spool_env_put(
	    store->env, SPOOL_MESSAGE, &key, text_make(value, size), error);
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
	int order = compare_domains(left->domain, right->domain);

	if (order != 0)
		return order;
	return left->place < right->place ? -1 : left->place > right->place;
}

/* All of them, sorted by domain; the caller frees. NULL: ERROR_INPUT. */
static struct addressee *
read_addressees(struct text records, uint16_t *count, struct error *error)
{
	struct addressee *list = NULL, *one;
	struct outgoing_record record;
	struct reader reader;
	size_t n = 0;
	int more;

	reader_init(&reader, records.data, records.size);
	while ((more = record_get_outgoing(&reader, &record)) == 1) {
		if ((n & (n + 1)) == 0)
			list = memory_resize(list, 2 * n + 2, sizeof(*list));
		one = &list[n];
		*one = (struct addressee){ record, spool_domain(record.address),
			n };
		if (one->domain.size == 0 ||
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
	struct spool_recipient recipient;

	for (uint16_t i = 0; i < count; i++) {
		recipient = (struct spool_recipient){
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
	return 1 + 4 + addressee->record.original.size + 4 +
	       addressee->record.address.size;
}

/* How many of the list, from its start on, one job can carry. */
static uint16_t
parcel_size(const struct addressee *list, uint16_t count)
{
	size_t bytes = record_bytes(&list[0]);
	uint16_t n = 1;

	while (n < count && n < SPOOL_PARCEL_RECIPIENTS &&
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
	struct spool_parcel parcel = { .message = id,
		.account = mail->account,
		.time = mail->time,
		.priority = mail->priority,
		.next = mail->next > 0 ? mail->next : mail->time };
	struct text name;

	for (uint16_t at = 0; at < count; at += parcel.count) {
		name = list[at].domain;
		for (size_t i = 0; i < name.size; i++)
			domain[i] = text_lower_byte(name.data[i]);
		parcel.domain = text_make(domain, name.size);
		parcel.first = at;
		parcel.count = parcel_size(list + at, count - at);
		if (spool_store_set_parcel(store, &parcel, error) == -1)
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
put_body(struct spool_store *store, const struct spool_mail *mail,
    struct spool_message *message, struct error *error)
{
	if (mail->data.size < mail->size && mail->fd == -1)
		return error_set(error, ERROR_INPUT, "a message has no body");
	return spool_bodies_put(store->bodies, store->next_id, message,
	    mail->data, mail->fd, error);
}

/* The message's own row, and that of its delivery. */
static int
put_names(struct spool_store *store, const struct spool_message *message,
    struct error *error)
{
	struct spool_key key = delivery_key(&message->delivery);
	struct spool_key number = message_key(store->next_id);

	if (put_message(store, store->next_id, message, error) == -1)
		return -1;
	return spool_env_put(
	    store->env, SPOOL_DELIVERY, &key, key_text(&number), error);
}

/* What can be refused comes first, so that nothing of it is written. */
static int
put_for(struct spool_store *store, const struct spool_mail *mail,
    const struct addressee *list, uint16_t count, struct error *error)
{
	struct spool_message message = message_of(mail);
	int parcels;

	if (spool_sent_check(store->env, mail->account, mail->time, count,
		mail->send_per_day, error) == -1 ||
	    put_body(store, mail, &message, error) == -1 ||
	    spool_sent_add(
		store->env, mail->account, mail->time, count, error) == -1)
		return -1;
	parcels = put_parcels(store, store->next_id, mail, list, count, error);
	if (parcels == -1 ||
	    put_addressees(store, store->next_id, list, count, error) == -1)
		return -1;
	message.recipients = count;
	message.parcels = (uint16_t)parcels;
	return put_names(store, &message, error);
}

int
spool_store_put(struct spool_store *store, const struct spool_mail *mail,
    uint64_t *id, struct error *error)
{
	struct spool_key key = delivery_key(&mail->delivery);
	struct addressee *list;
	struct text value;
	uint16_t count;
	int result;

	result = spool_env_get(store->env, SPOOL_DELIVERY, &key, &value, error);
	if (result != 0)
		return result == 1 ? 0 : -1;
	list = read_addressees(mail->recipients, &count, error);
	if (list == NULL)
		return -1;
	result = put_for(store, mail, list, count, error);
	free(list);
	if (result == -1)
		return -1;
	*id = store->next_id++;
	return 1;
}

int
spool_store_put_report(struct spool_store *store, const struct spool_mail *mail,
    uint64_t *id, struct error *error)
{
	struct spool_message message = message_of(mail);
	struct spool_key key = message_key(store->next_id);
	struct spool_recipient recipient = { .address = mail->recipients };

	message.recipients = 1;
	if (mail->size > SPOOL_MAX_REPORT)
		return error_set(error, ERROR_INPUT, "a report is too long");
	if (put_body(store, mail, &message, error) == -1 ||
	    spool_store_set_recipient(
		store, store->next_id, 0, &recipient, error) == -1 ||
	    put_names(store, &message, error) == -1 ||
	    spool_env_put(store->env, SPOOL_REPORT, &key, text_make(NULL, 0),
		error) == -1)
		return -1;
	*id = store->next_id++;
	return 1;
}

/* -- Reading -- */

int
spool_store_message(struct spool_store *store, uint64_t id,
    struct spool_message *message, struct error *error)
{
	struct spool_key key = message_key(id);
	struct text value;
	int found =
	    spool_env_get(store->env, SPOOL_MESSAGE, &key, &value, error);

	if (found == 1 && spool_get_message(value, message) == -1)
		return error_set(error, ERROR_DAMAGED, "spool: a message");
	return found;
}

int
spool_store_parcel(struct spool_store *store, uint64_t id, uint16_t number,
    struct spool_parcel *parcel, struct error *error)
{
	struct spool_key key = numbered_key(id, number);
	struct text value;
	int found =
	    spool_env_get(store->env, SPOOL_PARCEL, &key, &value, error);

	if (found == 1 && spool_get_parcel(key_text(&key), value, parcel) == -1)
		return error_set(error, ERROR_DAMAGED, "spool: a parcel");
	return found;
}

int
spool_store_recipient(struct spool_store *store, uint64_t id, uint16_t number,
    struct spool_recipient *recipient, struct error *error)
{
	struct spool_key key = numbered_key(id, number);
	struct text value;
	int found =
	    spool_env_get(store->env, SPOOL_RECIPIENT, &key, &value, error);

	if (found == 1 && spool_get_recipient(value, recipient) == -1)
		return error_set(error, ERROR_DAMAGED, "spool: a recipient");
	return found;
}

int
spool_store_find_id(struct spool_store *store, const uint8_t *start,
    size_t size, uint64_t *id, struct error *error)
{
	struct spool_key from = { .size = 0 };
	struct spool_cursor *cursor;
	struct text key, value;
	int found, count = 0;

	spool_key_raw(&from, start, size);
	cursor = spool_cursor_open(store->env, SPOOL_DELIVERY, &from, error);
	if (cursor == NULL)
		return -1;
	while ((found = spool_cursor_next(cursor, &key, &value, error)) == 1 &&
	       key.size >= size && memcmp(key.data, start, size) == 0 &&
	       ++count == 1)
		*id = spool_key_get(value, 0, 8);
	spool_cursor_close(&cursor);
	return found == -1 ? -1 : count == 1;
}

static int
each_parcel(struct spool_store *store, const struct spool_key *from,
    uint64_t only,
    int (*callback)(void *context, const struct spool_parcel *parcel),
    void *context, struct error *error)
{
	struct spool_cursor *cursor =
	    spool_cursor_open(store->env, SPOOL_PARCEL, from, error);
	struct spool_parcel parcel;
	struct text key, value;
	int found = cursor == NULL ? -1 : 1, result = 0;

	while (found == 1 && result == 0) {
		found = spool_cursor_next(cursor, &key, &value, error);
		if (found != 1)
			break;
		if (spool_get_parcel(key, value, &parcel) == -1)
			found =
			    error_set(error, ERROR_DAMAGED, "spool: a parcel");
		else if (only != 0 && parcel.message != only)
			break;
		else
			result = callback(context, &parcel);
	}
	spool_cursor_close(&cursor);
	return found == -1 ? -1 : result;
}

int
spool_store_each_parcel(struct spool_store *store, uint64_t id,
    int (*callback)(void *context, const struct spool_parcel *parcel),
    void *context, struct error *error)
{
	struct spool_key from = message_key(id);

	return each_parcel(store, &from, id, callback, context, error);
}

int
spool_store_each_parcel_from(struct spool_store *store, uint64_t id,
    uint16_t number,
    int (*callback)(void *context, const struct spool_parcel *parcel),
    void *context, struct error *error)
{
	struct spool_key from = numbered_key(id, number);

	return each_parcel(store, &from, 0, callback, context, error);
}

int
spool_store_each_report(struct spool_store *store,
    int (*callback)(void *context, uint64_t id), void *context,
    struct error *error)
{
	struct spool_key from = { .size = 0 };
	struct spool_cursor *cursor =
	    spool_cursor_open(store->env, SPOOL_REPORT, &from, error);
	struct text key, value;
	int found = cursor == NULL ? -1 : 1, result = 0;

	while (found == 1 && result == 0) {
		found = spool_cursor_next(cursor, &key, &value, error);
		if (found == 1)
			result = callback(context, spool_key_get(key, 0, 8));
	}
	spool_cursor_close(&cursor);
	return found == -1 ? -1 : result;
}

int
spool_store_open_body(struct spool_store *store, uint64_t id,
    const struct spool_message *message, struct error *error)
{
	return spool_bodies_open_body(store->bodies, id, message, error);
}

int
spool_store_read_body(struct spool_store *store, uint64_t id,
    const struct spool_message *message, struct buf *to, struct error *error)
{
	return spool_bodies_read(store->bodies, id, message, to, error);
}

/* -- Changes -- */

int
spool_store_set_parcel(struct spool_store *store,
    const struct spool_parcel *parcel, struct error *error)
{
	struct spool_key key = numbered_key(parcel->message, parcel->number);
	uint8_t value[SPOOL_MAX_VALUE];
	size_t size = spool_put_parcel(value, parcel);

	if (size == 0)
		return error_set(error, ERROR_INPUT, "a parcel is too long");
	return spool_env_put(
	    store->env, SPOOL_PARCEL, &key, text_make(value, size), error);
}

int
spool_store_set_recipient(struct spool_store *store, uint64_t id,
    uint16_t number, const struct spool_recipient *recipient,
    struct error *error)
{
	struct spool_key key = numbered_key(id, number);
	uint8_t value[SPOOL_MAX_VALUE];
	size_t size = spool_put_recipient(value, recipient);

	if (size == 0)
		return error_set(error, ERROR_INPUT, "a recipient is too long");
	return spool_env_put(
	    store->env, SPOOL_RECIPIENT, &key, text_make(value, size), error);
}

static int
end_message(struct spool_store *store, uint64_t id,
    const struct spool_message *message, int64_t now, struct error *error)
{
	struct spool_key key = message_key(id), gone = { .size = 0 };
	struct spool_key delivery = delivery_key(&message->delivery);
	struct spool_key recipient;

	for (uint16_t i = 0; i < message->recipients; i++) {
		recipient = numbered_key(id, i);
		if (spool_env_remove(
			store->env, SPOOL_RECIPIENT, &recipient, error) == -1)
			return -1;
	}
	spool_key_u64(&gone, (uint64_t)now);
	spool_key_u64(&gone, id);
	if (spool_bodies_remove(store->bodies, id, message, error) == -1 ||
	    spool_env_put(store->env, SPOOL_GONE, &gone, key_text(&delivery),
		error) == -1)
		return -1;
	return spool_env_remove(store->env, SPOOL_MESSAGE, &key, error);
}

/* The texts of a message that is to be written lie in a page that may move. */
static int
put_parcels_left(struct spool_store *store, uint64_t id,
    struct spool_message *message, struct error *error)
{
	char sender[SPOOL_MAX_ADDRESS], envelope_id[SPOOL_MAX_ENVELOPE_ID];

	if (message->sender.size > 0)
		memcpy(sender, message->sender.data, message->sender.size);
	if (message->envelope_id.size > 0)
		memcpy(envelope_id, message->envelope_id.data,
		    message->envelope_id.size);
	message->sender.data = sender;
	message->envelope_id.data = envelope_id;
	return put_message(store, id, message, error);
}

int
spool_store_end_parcel(struct spool_store *store, uint64_t id, uint16_t number,
    int64_t now, struct error *error)
{
	struct spool_key key = numbered_key(id, number);
	struct spool_message message;

	if (spool_env_remove(store->env, SPOOL_PARCEL, &key, error) == -1)
		return -1;
	if (spool_store_message(store, id, &message, error) != 1)
		return error_set(error, ERROR_DAMAGED, "spool: no message");
	if (--message.parcels > 0)
		return put_parcels_left(store, id, &message, error);
	return end_message(store, id, &message, now, error);
}

int
spool_store_end_report(
    struct spool_store *store, uint64_t id, int64_t now, struct error *error)
{
	struct spool_key key = message_key(id);
	struct spool_message message;
	struct text value;
	/* Of the number of any other message nothing happens. */
	int found =
	    spool_env_get(store->env, SPOOL_REPORT, &key, &value, error);

	if (found != 1)
		return found;
	if (spool_env_remove(store->env, SPOOL_REPORT, &key, error) == -1)
		return -1;
	if (spool_store_message(store, id, &message, error) != 1)
		return error_set(error, ERROR_DAMAGED, "spool: no message");
	return end_message(store, id, &message, now, error);
}

/* The oldest of those that went; 1 if it was removed. */
static int
forget_one(struct spool_store *store, int64_t before, struct error *error)
{
	struct spool_key gone = { .size = 0 }, delivery = { .size = 0 };
	struct spool_cursor *cursor =
	    spool_cursor_open(store->env, SPOOL_GONE, &gone, error);
	struct text key, value;
	int found;

	if (cursor == NULL)
		return -1;
	found = spool_cursor_next(cursor, &key, &value, error);
	if (found == 1) {
		spool_key_raw(&gone, key.data, key.size);
		spool_key_raw(&delivery, value.data, value.size);
	}
	spool_cursor_close(&cursor);
	if (found != 1 ||
	    (int64_t)spool_key_get(key_text(&gone), 0, 8) > before)
		return found == -1 ? -1 : 0;
	if (spool_env_remove(store->env, SPOOL_GONE, &gone, error) == -1 ||
	    spool_env_remove(store->env, SPOOL_DELIVERY, &delivery, error) ==
		-1)
		return -1;
	return 1;
}

int
spool_store_forget(struct spool_store *store, int64_t now, struct error *error)
{
	int result = 1;

	for (int i = 0; i < FORGET_AT_ONCE && result == 1; i++)
		result = forget_one(store, now - REMEMBER_S, error);
	return result == -1 ? -1 : 0;
}
