/* See dns.h. */
#include "common/dns.h"

#include <stdbool.h>
#include <string.h>

enum {
	MAX_DATA = 65535
};

/* Which of its parts a type has. */
static bool
has_name(enum dns_type type)
{
	return type == DNS_MX || type == DNS_SRV || type == DNS_PTR ||
	       type == DNS_CNAME;
}

void
dns_put_record(
    struct writer *w, enum dns_type type, const struct dns_record *record)
{
	if (type == DNS_MX || type == DNS_SRV)
		writer_put_u16(w, record->preference);
	if (type == DNS_SRV) {
		writer_put_u16(w, record->weight);
		writer_put_u16(w, record->port);
	}
	if (type == DNS_TLSA) {
		writer_put_u8(w, record->usage);
		writer_put_u8(w, record->selector);
		writer_put_u8(w, record->matching);
	}
	if (has_name(type))
		writer_put_text(w, record->name, DNS_MAX_NAME);
	else
		writer_put_text(w, record->data, MAX_DATA);
}

int
dns_get_record(struct reader *r, enum dns_type type, struct dns_record *record)
{
	memset(record, 0, sizeof(*record));
	if (!r->failed && r->size == 0)
		return 0;
	if (type == DNS_MX || type == DNS_SRV)
		record->preference = reader_get_u16(r);
	if (type == DNS_SRV) {
		record->weight = reader_get_u16(r);
		record->port = reader_get_u16(r);
	}
	if (type == DNS_TLSA) {
		record->usage = reader_get_u8(r);
		record->selector = reader_get_u8(r);
		record->matching = reader_get_u8(r);
	}
	if (has_name(type))
		record->name = reader_get_text(r, DNS_MAX_NAME);
	else
		record->data = reader_get_text(r, MAX_DATA);
	return r->failed ? -1 : 1;
}
