/* See addresses.h. */
#include "fetcher/addresses.h"

#include <arpa/inet.h>

#include <string.h>

struct range {
	uint8_t first[16];
	unsigned int bits;
};

/* IANA's registries of special-purpose addresses: what leads to this host, this
 * network, or to more than one. */
static const struct range v4[] = {
	{ { 0 }, 8 },
	{ { 10 }, 8 },
	{ { 100, 64 }, 10 },
	{ { 127 }, 8 },
	{ { 169, 254 }, 16 },
	{ { 172, 16 }, 12 },
	{ { 192, 0, 0 }, 24 },
	{ { 192, 168 }, 16 },
	{ { 198, 18 }, 15 },
	{ { 224 }, 3 },
};

static const struct range v6[] = {
	{ { 0 }, 8 }, /* ::, ::1, and addresses of IPv4 within */
	{ { 0x00, 0x64, 0xff, 0x9b }, 32 }, /* 64:ff9b::, of IPv4 */
	{ { 0x01 }, 8 },
	{ { 0x20, 0x01, 0x00, 0x00 }, 32 }, /* Teredo, of IPv4 */
	{ { 0x20, 0x02 }, 16 },             /* 6to4, of IPv4 */
	{ { 0xfc }, 7 },
	{ { 0xfe, 0x80 }, 9 },
	{ { 0xff }, 8 },
};

static bool
is_in(const uint8_t *address, const struct range *range)
{
	unsigned int whole = range->bits / 8, rest = range->bits % 8;
	uint8_t mask = (uint8_t)(0xff00u >> rest);

	return memcmp(address, range->first, whole) == 0 &&
	       (rest == 0 ||
		   ((address[whole] ^ range->first[whole]) & mask) == 0);
}

bool
addresses_is_public(struct text bytes)
{
	const struct range *ranges = bytes.size == 4 ? v4 : v6;
	size_t count = bytes.size == 4 ? sizeof(v4) / sizeof(v4[0])
				       : sizeof(v6) / sizeof(v6[0]);

	for (size_t i = 0; i < count; i++)
		if (is_in((const uint8_t *)bytes.data, &ranges[i]))
			return false;
	return true;
}

void
addresses_take(struct transfer_request *request, enum dns_type type,
    struct text records, bool is_public_only)
{
	size_t size = type == DNS_A ? 4 : 16;
	struct dns_record record;
	struct reader reader;

	reader_init(&reader, records.data, records.size);
	while (request->address_count < TRANSFER_MAX_ADDRESSES &&
	       dns_get_record(&reader, type, &record) == 1) {
		char *to = request->addresses[request->address_count];

		if (record.data.size != size ||
		    (is_public_only && !addresses_is_public(record.data)))
			continue;
		(void)inet_ntop(type == DNS_A ? AF_INET : AF_INET6,
		    record.data.data, to, TRANSFER_ADDRESS_SIZE);
		request->address_count++;
	}
}
