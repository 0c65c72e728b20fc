/*
 * Encoding and decoding of the spool's rows.
 */
#include "smtpd/spool_form.h"

#include "common/codec.h"
#include "common/table.h"

#include <string.h>

enum {
	VERSION = 1,
	MAX_ENHANCED = 12,
	MAX_STS_ID = 32
};

void
spool_key_raw(struct spool_key *key, const void *data, size_t size)
{
	if (size > sizeof(key->bytes) - key->size)
		size = sizeof(key->bytes) - key->size;
	memcpy(key->bytes + key->size, data, size);
	key->size += size;
}

static void
put_big_endian(struct spool_key *key, uint64_t value, size_t size)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
	spool_key_raw(key, bytes, size);
}

void
spool_key_u16(struct spool_key *key, uint16_t value)
{
	put_big_endian(key, value, 2);
}

void
spool_key_u32(struct spool_key *key, uint32_t value)
{
	put_big_endian(key, value, 4);
}

void
spool_key_u64(struct spool_key *key, uint64_t value)
{
	put_big_endian(key, value, 8);
}

uint64_t
spool_key_get(struct text key, size_t offset, size_t size)
{
	uint64_t value = 0;

	if (offset + size > key.size)
		return 0;
	for (size_t i = 0; i < size; i++)
		value = value << 8 | (uint8_t)key.data[offset + i];
	return value;
}

struct spool_key
spool_message_key(uint64_t id)
{
	struct spool_key key = { .size = 0 };

	spool_key_u64(&key, id);
	return key;
}

struct spool_key
spool_numbered_key(uint64_t id, uint16_t number)
{
	struct spool_key key = spool_message_key(id);

	spool_key_u16(&key, number);
	return key;
}

struct spool_key
spool_delivery_key(const struct delivery_id *delivery)
{
	struct spool_key key = { .size = 0 };

	spool_key_raw(&key, delivery->bytes, sizeof(delivery->bytes));
	return key;
}

struct text
spool_key_text(const struct spool_key *key)
{
	return text_make(key->bytes, key->size);
}

uint64_t
spool_hash(struct text name)
{
	static const uint8_t secret[16] = "firnmail tlsrpt";

	return table_siphash(secret, name.data, name.size);
}

struct spool_key
spool_policy_key(struct text domain)
{
	return spool_message_key(spool_hash(domain));
}

void
spool_value_begin(struct writer *w, uint8_t *to, size_t size)
{
	writer_init(w, to, size);
	writer_put_u8(w, VERSION);
}

size_t
spool_value_end(const struct writer *w)
{
	return w->failed ? 0 : w->size;
}

void
spool_value_open(struct reader *r, struct text value)
{
	reader_init(r, value.data, value.size);
	if (reader_get_u8(r) != VERSION)
		r->failed = true;
}

static void
put_words(struct writer *w, const struct spool_words *words)
{
	writer_put_u16(w, words->code);
	writer_put_text(w, words->enhanced, MAX_ENHANCED);
	writer_put_text(w, words->text, SPOOL_MAX_WORDS);
	writer_put_text(w, words->host, SPOOL_MAX_HOST);
}

static void
get_words(struct reader *r, struct spool_words *words)
{
	words->code = reader_get_u16(r);
	words->enhanced = reader_get_text(r, MAX_ENHANCED);
	words->text = reader_get_text(r, SPOOL_MAX_WORDS);
	words->host = reader_get_text(r, SPOOL_MAX_HOST);
}

size_t
spool_put_message(uint8_t *to, const struct spool_message *m)
{
	struct writer w;

	spool_value_begin(&w, to, SPOOL_MAX_VALUE);
	writer_put_raw(&w, m->delivery.bytes, sizeof(m->delivery.bytes));
	writer_put_u64(&w, (uint64_t)m->time);
	writer_put_u32(&w, m->account);
	writer_put_u16(&w, m->flags);
	writer_put_u8(&w, m->place);
	writer_put_u64(&w, m->size);
	writer_put_u64(&w, m->sum);
	writer_put_u16(&w, m->recipients);
	writer_put_u16(&w, m->parcels);
	writer_put_text(&w, m->sender, SPOOL_MAX_ADDRESS);
	writer_put_text(&w, m->envelope_id, SPOOL_MAX_ENVELOPE_ID);
	return spool_value_end(&w);
}

int
spool_get_message(struct text value, struct spool_message *m)
{
	struct reader r;

	spool_value_open(&r, value);
	reader_get_raw(&r, m->delivery.bytes, sizeof(m->delivery.bytes));
	m->time = (int64_t)reader_get_u64(&r);
	m->account = reader_get_u32(&r);
	m->flags = reader_get_u16(&r);
	m->place = reader_get_u8(&r);
	m->size = reader_get_u64(&r);
	m->sum = reader_get_u64(&r);
	m->recipients = reader_get_u16(&r);
	m->parcels = reader_get_u16(&r);
	m->sender = reader_get_text(&r, SPOOL_MAX_ADDRESS);
	m->envelope_id = reader_get_text(&r, SPOOL_MAX_ENVELOPE_ID);
	return reader_done(&r);
}

size_t
spool_put_parcel(uint8_t *to, const struct spool_parcel *p)
{
	struct writer w;

	spool_value_begin(&w, to, SPOOL_MAX_VALUE);
	writer_put_u16(&w, p->first);
	writer_put_u16(&w, p->count);
	writer_put_u16(&w, p->tries);
	writer_put_u8(&w, p->flags);
	writer_put_u8(&w, (uint8_t)p->priority);
	writer_put_u32(&w, p->account);
	writer_put_u64(&w, (uint64_t)p->time);
	writer_put_u64(&w, (uint64_t)p->next);
	writer_put_text(&w, p->domain, SPOOL_MAX_DOMAIN);
	put_words(&w, &p->words);
	/* Parcels of those who knew no such time have none. */
	if (p->deliver_by != 0)
		writer_put_u64(&w, (uint64_t)p->deliver_by);
	return spool_value_end(&w);
}

int
spool_get_parcel(struct text key, struct text value, struct spool_parcel *p)
{
	struct reader r;

	p->message = spool_key_get(key, 0, 8);
	p->number = (uint16_t)spool_key_get(key, 8, 2);
	spool_value_open(&r, value);
	p->first = reader_get_u16(&r);
	p->count = reader_get_u16(&r);
	p->tries = reader_get_u16(&r);
	p->flags = reader_get_u8(&r);
	p->priority = (int8_t)reader_get_u8(&r);
	p->account = reader_get_u32(&r);
	p->time = (int64_t)reader_get_u64(&r);
	p->next = (int64_t)reader_get_u64(&r);
	p->domain = reader_get_text(&r, SPOOL_MAX_DOMAIN);
	get_words(&r, &p->words);
	p->deliver_by = r.size > 0 ? (int64_t)reader_get_u64(&r) : 0;
	return reader_done(&r);
}

size_t
spool_put_recipient(uint8_t *to, const struct spool_recipient *recipient)
{
	struct writer w;

	spool_value_begin(&w, to, SPOOL_MAX_VALUE);
	writer_put_u8(&w, recipient->state);
	writer_put_u8(&w, recipient->notify);
	writer_put_u64(&w, (uint64_t)recipient->time);
	writer_put_text(&w, recipient->address, SPOOL_MAX_ADDRESS);
	writer_put_text(&w, recipient->original, SPOOL_MAX_ADDRESS);
	put_words(&w, &recipient->words);
	return spool_value_end(&w);
}

int
spool_get_recipient(struct text value, struct spool_recipient *recipient)
{
	struct reader r;

	spool_value_open(&r, value);
	recipient->state = reader_get_u8(&r);
	recipient->notify = reader_get_u8(&r);
	recipient->time = (int64_t)reader_get_u64(&r);
	recipient->address = reader_get_text(&r, SPOOL_MAX_ADDRESS);
	recipient->original = reader_get_text(&r, SPOOL_MAX_ADDRESS);
	get_words(&r, &recipient->words);
	if (recipient->state > SPOOL_EXPANDED)
		r.failed = true;
	return reader_done(&r);
}

size_t
spool_put_policy(uint8_t *to, const struct spool_policy *p)
{
	struct writer w;

	spool_value_begin(&w, to, SPOOL_MAX_POLICY_VALUE);
	writer_put_u64(&w, (uint64_t)p->since);
	writer_put_u64(&w, (uint64_t)p->until);
	writer_put_text(&w, p->domain, SPOOL_MAX_DOMAIN);
	writer_put_text(&w, p->id, MAX_STS_ID);
	writer_put_text(&w, p->policy, SPOOL_MAX_POLICY);
	return spool_value_end(&w);
}

int
spool_get_policy(struct text value, struct spool_policy *p)
{
	struct reader r;

	spool_value_open(&r, value);
	p->since = (int64_t)reader_get_u64(&r);
	p->until = (int64_t)reader_get_u64(&r);
	p->domain = reader_get_text(&r, SPOOL_MAX_DOMAIN);
	p->id = reader_get_text(&r, MAX_STS_ID);
	p->policy = reader_get_text(&r, SPOOL_MAX_POLICY);
	return reader_done(&r);
}

struct text
spool_domain(struct text address)
{
	size_t at = address.size;

	while (at > 0 && address.data[at - 1] != '@')
		at--;
	return at > 0 ? text_skip(address, at) : text_make(NULL, 0);
}
