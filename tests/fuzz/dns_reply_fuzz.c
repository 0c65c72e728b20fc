/*
 * A reply of the DNS: the first byte is the type asked for, then the packet.
 * The name is that of its question, so that the rest is reached.
 */
#include "resolver/dns_reply.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was found must be readable, and look like what was promised. */
static void
check(const uint8_t *rows, size_t size, enum dns_type type)
{
	struct dns_record record;
	struct reader reader;
	size_t count = 0;
	int status;

	reader_init(&reader, rows, size);
	while ((status = dns_get_record(&reader, type, &record)) == 1) {
		count++;
		for (size_t i = 0; i < record.name.size; i++)
			if (record.name.data[i] != '.' &&
			    !dns_reply_is_name_byte(record.name.data[i]))
				abort();
	}
	if (status == -1 || count > DNS_MAX_RECORDS)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = { DNS_A, DNS_CNAME, DNS_PTR,
		DNS_MX, DNS_TXT, DNS_AAAA, DNS_SRV, DNS_TLSA };
	static uint8_t rows[60000];
	enum dns_type type;
	struct dns_reply reply;
	struct writer writer;
	struct error error;

	if (size == 0)
		return 0;
	type = types[data[0] % 8];
	writer_init(&writer, rows, sizeof(rows));
	if (dns_reply_parse(data + 1, size - 1, text_of("a.b"), type, &reply,
		&writer, &error) == -1)
		return 0;
	check(rows, writer.size, type);
	if ((writer.size > 0) != (reply.result == DNS_FOUND) ||
	    strlen(reply.canonical) > DNS_MAX_NAME)
		abort();
	return 0;
}
