/* See network.h. */
#include "common/network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t v4_head[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

int
network_address(const char *ip, uint8_t bytes[NETWORK_BYTES])
{
	if (inet_pton(AF_INET6, ip, bytes) == 1)
		return 0;
	memcpy(bytes, v4_head, sizeof(v4_head));
	return inet_pton(AF_INET, ip, bytes + sizeof(v4_head)) == 1 ? 0 : -1;
}

bool
network_is_v4(const uint8_t bytes[NETWORK_BYTES])
{
	return memcmp(bytes, v4_head, sizeof(v4_head)) == 0;
}

bool
network_is_loopback(const uint8_t bytes[NETWORK_BYTES])
{
	static const uint8_t v6[NETWORK_BYTES] = { [NETWORK_BYTES - 1] = 1 };

	return network_is_v4(bytes) ? bytes[sizeof(v4_head)] == 127
				    : memcmp(bytes, v6, sizeof(v6)) == 0;
}

void
network_format_address(
    const uint8_t bytes[NETWORK_BYTES], char to[NETWORK_TEXT_SIZE])
{
	bool is_v4 = network_is_v4(bytes);

	to[0] = '\0';
	(void)inet_ntop(is_v4 ? AF_INET : AF_INET6,
	    is_v4 ? bytes + sizeof(v4_head) : bytes, to, NETWORK_TEXT_SIZE);
}

void
network_cut(uint8_t bytes[NETWORK_BYTES], unsigned int prefix)
{
	unsigned int whole = prefix / 8;

	if (whole >= NETWORK_BYTES)
		return;
	bytes[whole] &= (uint8_t)(0xff00U >> prefix % 8);
	memset(bytes + whole + 1, 0, NETWORK_BYTES - whole - 1);
}

int
network_parse(struct text word, struct network *network)
{
	uint8_t cut[NETWORK_BYTES];
	char ip[NETWORK_TEXT_SIZE];
	struct text rest = word, address;
	uint64_t prefix = 8 * NETWORK_BYTES, before;

	if (!text_next(&rest, '/', &address) ||
	    text_copy(address, ip, sizeof(ip)) == -1 ||
	    network_address(ip, network->bytes) == -1)
		return -1;
	before = strchr(ip, ':') == NULL ? NETWORK_V4_PREFIX : 0;
	if (address.size < word.size) {
		if (text_parse_number(rest, prefix - before, &prefix) == -1)
			return -1;
		prefix += before;
	}
	network->prefix = (uint8_t)prefix;
	memcpy(cut, network->bytes, sizeof(cut));
	network_cut(cut, network->prefix);
	return memcmp(cut, network->bytes, sizeof(cut)) == 0 ? 0 : -1;
}

void
network_format(const struct network *network, char to[NETWORK_TEXT_SIZE])
{
	unsigned int prefix = network->prefix;
	size_t size;

	network_format_address(network->bytes, to);
	if (prefix == 8 * NETWORK_BYTES)
		return;
	if (network_is_v4(network->bytes))
		prefix -= NETWORK_V4_PREFIX;
	size = strlen(to);
	snprintf(to + size, NETWORK_TEXT_SIZE - size, "/%u", prefix);
}

bool
network_list_has(
    const struct network_list *networks, const uint8_t bytes[NETWORK_BYTES])
{
	for (size_t i = 0; i < networks->count; i++) {
		uint8_t cut[NETWORK_BYTES];

		memcpy(cut, bytes, sizeof(cut));
		network_cut(cut, networks->list[i].prefix);
		if (memcmp(cut, networks->list[i].bytes, sizeof(cut)) == 0)
			return true;
	}
	return false;
}

bool
network_list_has_ip(const struct network_list *networks, const char *ip)
{
	uint8_t bytes[NETWORK_BYTES];

	return network_address(ip, bytes) == 0 &&
	       network_list_has(networks, bytes);
}
