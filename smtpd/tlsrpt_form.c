/* See tlsrpt_form.h. */
#include "smtpd/tlsrpt_form.h"

#include "common/codec.h"
#include "common/tls_result.h"

enum {
	DOMAIN_KEY_SIZE = 12,
	POLICY_KEY_SIZE = 20,
	FAILURE_KEY_SIZE = 28
};

static uint64_t
hash(const void *data, size_t size)
{
	return spool_hash(text_make(data, size));
}

uint64_t
tlsrpt_hash(struct text name)
{
	return spool_hash(name);
}

/* -- Keys -- */

struct spool_key
tlsrpt_domain_key(struct tlsrpt_id id)
{
	struct spool_key key = { .size = 0 };

	spool_key_u32(&key, id.period);
	spool_key_u64(&key, id.domain);
	return key;
}

struct spool_key
tlsrpt_policy_key(struct tlsrpt_id id, const struct tlsrpt_policy *policy)
{
	const struct tlsrpt_policy what = { .type = policy->type,
		.domain = policy->domain,
		.lines = policy->lines };
	struct spool_key key = tlsrpt_domain_key(id);
	uint8_t value[SPOOL_MAX_VALUE];

	spool_key_u64(&key, hash(value, tlsrpt_put_policy(value, &what)));
	return key;
}

struct spool_key
tlsrpt_failure_key(
    const struct spool_key *policy, const struct tlsrpt_failure *failure)
{
	struct tlsrpt_failure what = *failure;
	struct spool_key key = *policy;
	uint8_t value[SPOOL_MAX_VALUE];

	what.count = 0;
	spool_key_u64(&key, hash(value, tlsrpt_put_failure(value, &what)));
	return key;
}

enum tlsrpt_row
tlsrpt_key_row(struct text key)
{
	switch (key.size) {
	case DOMAIN_KEY_SIZE:
		return TLSRPT_DOMAIN;
	case POLICY_KEY_SIZE:
		return TLSRPT_POLICY;
	case FAILURE_KEY_SIZE:
		return TLSRPT_FAILURE;
	default:
		return TLSRPT_NO_ROW;
	}
}

struct tlsrpt_id
tlsrpt_key_id(struct text key)
{
	return (struct tlsrpt_id){ (uint32_t)spool_key_get(key, 0, 4),
		spool_key_get(key, 4, 8) };
}

/* -- Values -- */

size_t
tlsrpt_put_domain(uint8_t *to, const struct tlsrpt_domain *d)
{
	struct writer w;

	spool_value_begin(&w, to, SPOOL_MAX_VALUE);
	writer_put_u16(&w, d->policies);
	writer_put_u16(&w, d->failures);
	writer_put_u64(&w, (uint64_t)d->end);
	writer_put_u64(&w, (uint64_t)d->next);
	writer_put_u8(&w, d->tries);
	writer_put_u8(&w, d->done);
	writer_put_text(&w, d->name, SPOOL_MAX_DOMAIN);
	writer_put_text(&w, d->record, TLSRPT_MAX_TEXT);
	return spool_value_end(&w);
}

int
tlsrpt_get_domain(struct text key, struct text value, struct tlsrpt_domain *d)
{
	struct reader r;

	d->id = tlsrpt_key_id(key);
	spool_value_open(&r, value);
	d->policies = reader_get_u16(&r);
	d->failures = reader_get_u16(&r);
	d->end = (int64_t)reader_get_u64(&r);
	d->next = (int64_t)reader_get_u64(&r);
	d->tries = reader_get_u8(&r);
	d->done = reader_get_u8(&r);
	d->name = reader_get_text(&r, SPOOL_MAX_DOMAIN);
	d->record = reader_get_text(&r, TLSRPT_MAX_TEXT);
	return reader_done(&r);
}

size_t
tlsrpt_put_policy(uint8_t *to, const struct tlsrpt_policy *p)
{
	struct writer w;

	spool_value_begin(&w, to, SPOOL_MAX_VALUE);
	writer_put_u8(&w, p->type);
	writer_put_u64(&w, p->good);
	writer_put_u64(&w, p->bad);
	writer_put_text(&w, p->domain, SPOOL_MAX_DOMAIN);
	writer_put_text(&w, p->lines, TLSRPT_MAX_TEXT);
	return spool_value_end(&w);
}

int
tlsrpt_get_policy(struct text value, struct tlsrpt_policy *p)
{
	struct reader r;

	spool_value_open(&r, value);
	p->type = reader_get_u8(&r);
	p->good = reader_get_u64(&r);
	p->bad = reader_get_u64(&r);
	p->domain = reader_get_text(&r, SPOOL_MAX_DOMAIN);
	p->lines = reader_get_text(&r, TLSRPT_MAX_TEXT);
	if (p->type >= TLS_POLICIES)
		r.failed = true;
	return reader_done(&r);
}

size_t
tlsrpt_put_failure(uint8_t *to, const struct tlsrpt_failure *f)
{
	struct writer w;

	spool_value_begin(&w, to, SPOOL_MAX_VALUE);
	writer_put_u8(&w, f->result);
	writer_put_u64(&w, f->count);
	writer_put_text(&w, f->mx, SPOOL_MAX_HOST);
	writer_put_text(&w, f->helo, SPOOL_MAX_HOST);
	writer_put_text(&w, f->sending_ip, TLSRPT_MAX_ADDRESS);
	writer_put_text(&w, f->receiving_ip, TLSRPT_MAX_ADDRESS);
	writer_put_text(&w, f->reason, TLSRPT_MAX_REASON);
	return spool_value_end(&w);
}

int
tlsrpt_get_failure(struct text value, struct tlsrpt_failure *f)
{
	struct reader r;

	spool_value_open(&r, value);
	f->result = reader_get_u8(&r);
	f->count = reader_get_u64(&r);
	f->mx = reader_get_text(&r, SPOOL_MAX_HOST);
	f->helo = reader_get_text(&r, SPOOL_MAX_HOST);
	f->sending_ip = reader_get_text(&r, TLSRPT_MAX_ADDRESS);
	f->receiving_ip = reader_get_text(&r, TLSRPT_MAX_ADDRESS);
	f->reason = reader_get_text(&r, TLSRPT_MAX_REASON);
	if (f->result >= TLS_RESULTS)
		r.failed = true;
	return reader_done(&r);
}
