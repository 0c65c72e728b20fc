/* See proxy_header.h. */
#include "common/proxy_header.h"

#include "common/text.h"

#include <arpa/inet.h>
#include <string.h>

static const char v1_start[] = "PROXY ";
static const uint8_t v2_start[] = { '\r', '\n', '\r', '\n', '\0', '\r', '\n',
	'Q', 'U', 'I', 'T', '\n' };

/* Section 2.2: bits of the 13th and the 14th byte. */
enum {
	V2_LOCAL = 0x20,
	V2_PROXY = 0x21,
	FAMILY_UNKNOWN = 0x00,
	FAMILY_TCP4 = 0x11,
	FAMILY_TCP6 = 0x21,
	FAMILY_UNIX_STREAM = 0x31,
	TCP4_SIZE = 12,
	TCP6_SIZE = 36
};

/* -- Version 1: a line -- */

static bool
is_port(struct text word)
{
	uint64_t port;

	return text_parse_number(word, UINT16_MAX, &port) == 0 &&
	       (word.size == 1 || word.data[0] != '0');
}

static bool
is_address(struct text word, int family, uint8_t bytes[NETWORK_BYTES])
{
	char ip[NETWORK_TEXT_SIZE];

	return text_copy(word, ip, sizeof(ip)) == 0 &&
	       (strchr(ip, ':') != NULL) == (family == AF_INET6) &&
	       network_address(ip, bytes) == 0;
}

/* Behind "PROXY ": who, whom, and their ports, with one space between. */
static enum proxy_header_step
parse_v1_line(struct text line, struct proxy_header *header)
{
	uint8_t server[NETWORK_BYTES];
	struct text words[5];
	size_t count = 0;
	int family;

	while (count < 5 && text_next(&line, ' ', &words[count]))
		count++;
	if (count > 0 && text_is(words[0], "UNKNOWN"))
		return PROXY_HEADER_DONE;
	if (count != 5 || line.data != NULL)
		return PROXY_HEADER_BAD;
	if (text_is(words[0], "TCP4"))
		family = AF_INET;
	else if (text_is(words[0], "TCP6"))
		family = AF_INET6;
	else
		return PROXY_HEADER_BAD;
	header->has_client = true;
	return is_address(words[1], family, header->client) &&
		       is_address(words[2], family, server) &&
		       is_port(words[3]) && is_port(words[4])
		   ? PROXY_HEADER_DONE
		   : PROXY_HEADER_BAD;
}

static enum proxy_header_step
parse_v1(const uint8_t *data, size_t size, struct proxy_header *header)
{
	size_t most =
	    size < PROXY_HEADER_V1_MAX_SIZE ? size : PROXY_HEADER_V1_MAX_SIZE;
	const uint8_t *end = memchr(data, '\n', most);
	size_t start = sizeof(v1_start) - 1;

	if (end == NULL)
		return most < PROXY_HEADER_V1_MAX_SIZE ? PROXY_HEADER_MORE
						       : PROXY_HEADER_BAD;
	header->size = (size_t)(end - data) + 1;
	if (end[-1] != '\r')
		return PROXY_HEADER_BAD;
	return parse_v1_line(
	    text_make(data + start, header->size - 2 - start), header);
}

/* -- Version 2: binary -- */

static enum proxy_header_step
parse_v2_addresses(const uint8_t *data, struct proxy_header *header)
{
	size_t size = header->size - PROXY_HEADER_V2_HEAD;
	const uint8_t *addresses = data + PROXY_HEADER_V2_HEAD;
	char ip[INET_ADDRSTRLEN];

	switch (data[13]) {
	case FAMILY_TCP4:
		header->has_client =
		    size >= TCP4_SIZE &&
		    inet_ntop(AF_INET, addresses, ip, sizeof(ip)) != NULL &&
		    network_address(ip, header->client) == 0;
		break;
	case FAMILY_TCP6:
		header->has_client = size >= TCP6_SIZE;
		if (header->has_client)
			memcpy(header->client, addresses, NETWORK_BYTES);
		break;
	case FAMILY_UNKNOWN:
	case FAMILY_UNIX_STREAM:
		return PROXY_HEADER_DONE;
	default:
		return PROXY_HEADER_BAD;
	}
	return header->has_client ? PROXY_HEADER_DONE : PROXY_HEADER_BAD;
}

static enum proxy_header_step
parse_v2(const uint8_t *data, size_t size, struct proxy_header *header)
{
	if (size < PROXY_HEADER_V2_HEAD)
		return PROXY_HEADER_MORE;
	header->size =
	    PROXY_HEADER_V2_HEAD + ((size_t)data[14] << 8 | data[15]);
	if ((data[12] != V2_LOCAL && data[12] != V2_PROXY) ||
	    header->size > PROXY_HEADER_MAX_SIZE)
		return PROXY_HEADER_BAD;
	if (size < header->size)
		return PROXY_HEADER_MORE;
	return data[12] == V2_LOCAL ? PROXY_HEADER_DONE
				    : parse_v2_addresses(data, header);
}

static bool
begins(const uint8_t *data, size_t size, const void *start, size_t start_size)
{
	return memcmp(data, start, size < start_size ? size : start_size) == 0;
}

enum proxy_header_step
proxy_header_parse(
    const uint8_t *data, size_t size, struct proxy_header *header)
{
	memset(header, 0, sizeof(*header));
	if (size == 0)
		return PROXY_HEADER_MORE;
	if (begins(data, size, v1_start, sizeof(v1_start) - 1))
		return parse_v1(data, size, header);
	if (begins(data, size, v2_start, sizeof(v2_start)))
		return parse_v2(data, size, header);
	return PROXY_HEADER_BAD;
}
