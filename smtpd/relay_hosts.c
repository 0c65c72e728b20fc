/* See relay_hosts.h. */
#include "smtpd/relay_hosts.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct candidate {
	struct text name;
	uint16_t preference;
	uint64_t order;
};

bool
relay_hosts_is_name(struct text name)
{
	if (name.size == 0 || name.size > DNS_MAX_NAME)
		return false;
	for (size_t i = 0; i < name.size; i++) {
		char c = text_lower_byte(name.data[i]);

		if (!text_is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' &&
		    c != '_' && c != '.')
			return false;
	}
	return name.data[0] != '.' && name.data[0] != '-';
}

/* splitmix64: enough to spread load. */
static uint64_t
next_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static int
compare(const void *a, const void *b)
{
	const struct candidate *one = a, *other = b;

	if (one->preference != other->preference)
		return one->preference < other->preference ? -1 : 1;
	return (one->order > other->order) - (one->order < other->order);
}

static size_t
read_candidates(const struct message_relay_found *answer,
    struct candidate candidates[DNS_MAX_RECORDS], uint64_t seed, bool *is_null)
{
	struct dns_record record;
	struct reader reader;
	size_t count = 0;

	reader_init(&reader, answer->records.data, answer->records.size);
	while (count < DNS_MAX_RECORDS &&
	       dns_get_record(&reader, DNS_MX, &record) == 1) {
		*is_null |= record.name.size == 0;
		if (!relay_hosts_is_name(record.name))
			continue;
		candidates[count].name = record.name;
		candidates[count].preference = record.preference;
		candidates[count++].order = next_random(&seed);
	}
	qsort(candidates, count, sizeof(candidates[0]), compare);
	return count;
}

static void
add_host(struct relay_hosts *hosts, struct text name, uint32_t preference)
{
	struct relay_host *host = &hosts->hosts[hosts->count];

	for (size_t i = 0; i < hosts->count; i++)
		if (text_is_nocase(name, hosts->hosts[i].name))
			return;
	if (hosts->count == RELAY_MAX_HOSTS ||
	    text_copy(name, host->name, sizeof(host->name)) == -1)
		return;
	host->preference = preference;
	hosts->count++;
}

static bool
is_own(struct text name, const char *const *own, size_t own_count)
{
	for (size_t i = 0; i < own_count; i++)
		if (text_is_nocase(name, own[i]))
			return true;
	return false;
}

/* Hosts that are better than the first of our own. */
static enum relay_hosts_result
choose(struct relay_hosts *hosts, const struct candidate *candidates,
    size_t count, const char *const *own, size_t own_count)
{
	uint32_t limit = UINT32_MAX;

	for (size_t i = count; i > 0; i--)
		if (is_own(candidates[i - 1].name, own, own_count))
			limit = candidates[i - 1].preference;
	for (size_t i = 0; i < count; i++)
		if (candidates[i].preference < limit)
			add_host(hosts, candidates[i].name,
			    candidates[i].preference);
	return hosts->count > 0 ? RELAY_HOSTS_FOUND : RELAY_HOSTS_LOOP;
}

enum relay_hosts_result
relay_hosts_from_mx(struct relay_hosts *hosts, struct text domain,
    const struct message_relay_found *answer, const char *const *own,
    size_t own_count, uint64_t seed)
{
	struct candidate candidates[DNS_MAX_RECORDS];
	bool is_null = false;
	size_t count = 0;

	memset(hosts, 0, sizeof(*hosts));
	if (answer->security == DNS_BOGUS)
		return RELAY_HOSTS_BOGUS;
	if (answer->result == DNS_NO_NAME)
		return RELAY_HOSTS_NO_DOMAIN;
	if (answer->result == DNS_FOUND)
		count = read_candidates(answer, candidates, seed, &is_null);
	else if (answer->result != DNS_NO_DATA)
		return RELAY_HOSTS_FAILED;
	if (count > 0)
		return choose(hosts, candidates, count, own, own_count);
	if (is_null)
		return RELAY_HOSTS_NULL_MX;
	/* None is an answer; some of which none can be used is not. */
	if (answer->result == DNS_FOUND || !relay_hosts_is_name(domain))
		return RELAY_HOSTS_FAILED;
	if (is_own(domain, own, own_count))
		return RELAY_HOSTS_LOOP;
	add_host(hosts, domain, 0);
	return RELAY_HOSTS_FOUND;
}

bool
relay_hosts_from_literal(struct relay_hosts *hosts, struct text domain)
{
	struct relay_address address;
	char name[RELAY_ADDRESS_SIZE];

	memset(hosts, 0, sizeof(*hosts));
	if (domain.size < 2 || domain.data[0] != '[' ||
	    domain.data[domain.size - 1] != ']')
		return false;
	domain = text_make(domain.data + 1, domain.size - 2);
	if (text_starts_nocase(domain, "IPv6:"))
		domain = text_skip(domain, 5);
	if (!relay_address_parse(domain, &address))
		return false;
	relay_address_format(&address, name);
	add_host(hosts, text_of(name), 0);
	return true;
}

void
relay_hosts_cut(struct relay_hosts *hosts, size_t at, uint32_t preference)
{
	size_t kept = at;

	for (size_t i = at; i < hosts->count; i++)
		if (hosts->hosts[i].preference < preference)
			hosts->hosts[kept++] = hosts->hosts[i];
	hosts->count = kept;
}

/* -- Addresses -- */

bool
relay_address_parse(struct text text, struct relay_address *address)
{
	char copy[RELAY_ADDRESS_SIZE];

	memset(address, 0, sizeof(*address));
	if (text_copy(text, copy, sizeof(copy)) == -1)
		return false;
	address->family = AF_INET;
	if (inet_pton(AF_INET, copy, &address->v4) == 1)
		return true;
	address->family = AF_INET6;
	return inet_pton(AF_INET6, copy, &address->v6) == 1;
}

void
relay_address_format(
    const struct relay_address *address, char to[RELAY_ADDRESS_SIZE])
{
	if (inet_ntop(address->family, &address->v6, to, RELAY_ADDRESS_SIZE) ==
	    NULL)
		to[0] = '\0';
}

void
relay_addresses_add(struct relay_addresses *addresses, enum dns_type type,
    const struct message_relay_found *answer)
{
	size_t size = type == DNS_A ? 4 : 16;
	struct dns_record record;
	struct reader reader;

	if (answer->result != DNS_FOUND)
		return;
	reader_init(&reader, answer->records.data, answer->records.size);
	while (addresses->count < RELAY_MAX_ADDRESSES &&
	       dns_get_record(&reader, type, &record) == 1) {
		struct relay_address *address =
		    &addresses->all[addresses->count];

		if (record.data.size != size)
			continue;
		address->family = type == DNS_A ? AF_INET : AF_INET6;
		memcpy(&address->v6, record.data.data, size);
		addresses->count++;
	}
}

void
relay_addresses_join(struct relay_addresses *addresses,
    const struct relay_addresses *v6, const struct relay_addresses *v4)
{
	memset(addresses, 0, sizeof(*addresses));
	for (size_t i = 0; i < v6->count || i < v4->count; i++) {
		if (i < v6->count && addresses->count < RELAY_MAX_ADDRESSES)
			addresses->all[addresses->count++] = v6->all[i];
		if (i < v4->count && addresses->count < RELAY_MAX_ADDRESSES)
			addresses->all[addresses->count++] = v4->all[i];
	}
}
