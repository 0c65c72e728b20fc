/* See dns_records.h. */
#include "firnmail/dns_records.h"

#include "common/digest.h"
#include "common/memory.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum {
	MX_PREFERENCE = 10,
	POLICY_MAX_AGE_S = 604800,
	POLICY_ID_BYTES = 8,
	/* RFC 7672 section 3.1: of the server's own key. */
	TLSA_USAGE = 3,
	TLSA_SELECTOR = 1,
	TLSA_MATCHING = 1
};

const char *const dns_state_names[] = { "ok", "missing", "differs", "unsigned",
	"failed" };

/* -- What is wanted -- */

static struct text
keep(struct dns_wants *wants, const char *text)
{
	return text_of(pool_text(wants->pool, text, strlen(text)));
}

static struct dns_record *
add(struct dns_wants *wants, enum dns_type type, bool is_required,
    const char *prefix, const char *domain)
{
	char name[600];
	struct dns_want *want;

	if (wants->count == DNS_MAX_WANTS)
		return NULL;
	snprintf(name, sizeof(name), "%s%s", prefix, domain);
	want = &wants->list[wants->count++];
	want->name = keep(wants, name).data;
	want->type = type;
	want->is_required = is_required;
	return &want->record;
}

static void
add_text(struct dns_wants *wants, bool is_required, const char *prefix,
    const char *domain, const char *text)
{
	struct dns_record *record =
	    add(wants, DNS_TXT, is_required, prefix, domain);

	if (record != NULL)
		record->data = keep(wants, text);
}

static void
add_addresses(struct dns_wants *wants, const struct settings *settings,
    const struct dns_host *host)
{
	struct dns_record *record;

	for (size_t i = 0; i < host->address_count; i++) {
		size_t size = host->addresses[i].size;

		record = add(wants, size == 4 ? DNS_A : DNS_AAAA, true, "",
		    settings->host);
		if (record != NULL)
			record->data =
			    text_make(pool_copy(wants->pool,
					  host->addresses[i].bytes, size),
				size);
	}
	if (host->address_count > 0)
		return;
	(void)add(wants, DNS_A, true, "", settings->host);
	(void)add(wants, DNS_AAAA, false, "", settings->host);
}

static void
add_policy(struct dns_wants *wants, const struct settings *settings,
    const char *domain)
{
	char policy[DNS_VALUE_SIZE], text[100], id[2 * POLICY_ID_BYTES + 1];
	struct digest *digest = digest_new();
	struct hash hash;

	dns_format_policy(settings, policy);
	hash = digest_of(digest, policy, strlen(policy));
	digest_free(&digest);
	text_format_hex(hash.bytes, POLICY_ID_BYTES, id);
	snprintf(text, sizeof(text), "v=STSv1; id=%s", id);
	add_text(wants, false, "_mta-sts.", domain, text);
}

/* Where mail programs connect to (RFC 6186, RFC 8314 section 5.1). */
static void
add_service(struct dns_wants *wants, const struct settings *settings,
    const struct listen_setting *listener, const char *domain)
{
	bool is_implicit = listener->tls == LISTEN_TLS_IMPLICIT;
	const char *prefix = is_implicit ? "_imaps._tcp." : "_imap._tcp.";
	struct dns_record *record;

	if (listener->service == SERVICE_SMTP ||
	    listener->tls == LISTEN_TLS_NONE)
		return;
	if (listener->service == SERVICE_SUBMIT)
		prefix =
		    is_implicit ? "_submissions._tcp." : "_submission._tcp.";
	record = add(wants, DNS_SRV, false, prefix, domain);
	if (record == NULL)
		return;
	/* TLS from the first byte is what programs should try first. */
	record->preference = is_implicit ? 0 : 10;
	record->weight = 1;
	record->port = listener->port;
	record->name = keep(wants, settings->host);
}

static void
add_keys(struct dns_wants *wants, const struct settings *settings,
    const struct dns_host *host)
{
	for (size_t i = 0; i < host->key_count; i++) {
		struct dns_record *record =
		    add(wants, DNS_TLSA, false, "_25._tcp.", settings->host);

		if (record == NULL)
			return;
		record->usage = TLSA_USAGE;
		record->selector = TLSA_SELECTOR;
		record->matching = TLSA_MATCHING;
		record->data =
		    text_make(pool_copy(wants->pool, host->keys[i].bytes,
				  sizeof(host->keys[i].bytes)),
			sizeof(host->keys[i].bytes));
	}
}

static void
put_reverse(struct text address, char *to, size_t to_size)
{
	const uint8_t *bytes = (const uint8_t *)address.data;
	size_t size = 0;

	if (address.size == 4) {
		snprintf(to, to_size, "%u.%u.%u.%u.in-addr.arpa", bytes[3],
		    bytes[2], bytes[1], bytes[0]);
		return;
	}
	for (size_t i = address.size; i > 0; i--)
		size += (size_t)snprintf(to + size, to_size - size, "%x.%x.",
		    bytes[i - 1] & 15U, bytes[i - 1] >> 4U);
	snprintf(to + size, to_size - size, "ip6.arpa");
}

void
dns_wants_add_ptr(
    struct dns_wants *wants, struct text address, const char *host)
{
	char name[100];
	struct dns_record *record;

	put_reverse(address, name, sizeof(name));
	record = add(wants, DNS_PTR, true, "", name);
	if (record != NULL)
		record->name = keep(wants, host);
}

struct dns_wants *
dns_wants_new(const struct settings *settings, const char *domain,
    const struct dns_host *host)
{
	struct dns_wants *wants = memory_new(1, sizeof(*wants));
	struct dns_record *record;
	char text[DNS_VALUE_SIZE];

	wants->pool = pool_new();
	record = add(wants, DNS_MX, true, "", domain);
	if (record != NULL) {
		record->preference = MX_PREFERENCE;
		record->name = keep(wants, settings->host);
	}
	add_addresses(wants, settings, host);
	add_text(wants, true, "", domain, "v=spf1 mx -all");
	add_policy(wants, settings, domain);
	snprintf(
	    text, sizeof(text), "v=TLSRPTv1; rua=mailto:postmaster@%s", domain);
	add_text(wants, false, "_smtp._tls.", domain, text);
	add_keys(wants, settings, host);
	for (size_t i = 0; i < settings->listener_count; i++)
		add_service(wants, settings, &settings->listeners[i], domain);
	for (size_t i = 0; i < host->address_count; i++)
		dns_wants_add_ptr(wants,
		    text_make(
			host->addresses[i].bytes, host->addresses[i].size),
		    settings->host);
	return wants;
}

void
dns_wants_free(struct dns_wants **wants)
{
	if (*wants == NULL)
		return;
	pool_free(&(*wants)->pool);
	memory_free(wants);
}

void
dns_format_policy(const struct settings *settings, char to[DNS_VALUE_SIZE])
{
	snprintf(to, DNS_VALUE_SIZE,
	    "version: STSv1\nmode: enforce\nmx: %s\nmax_age: %d\n",
	    settings->host, POLICY_MAX_AGE_S);
}

/* -- What is there -- */

/* "v=spf1" and so on: what a text is by its first word. */
static struct text
version_of(struct text text)
{
	size_t size = 0;

	while (size < text.size && text.data[size] != ' ' &&
	       text.data[size] != ';')
		size++;
	return text_make(text.data, size);
}

static bool
has_part(struct text text, const char *start)
{
	size_t size = strlen(start);

	for (size_t i = 0; i + size <= text.size; i++)
		if (text_starts_nocase(text_skip(text, i), start) &&
		    (i == 0 || text.data[i - 1] == ' ' ||
			text.data[i - 1] == ';' || text.data[i - 1] == '+'))
			return true;
	return false;
}

/* Whether another's words come to the same: our MX may send, a policy has an
 * id, a report somewhere to go. */
static bool
is_as_good(const struct dns_want *want, struct text text)
{
	if (text_equal(want->record.data, text))
		return true;
	if (text_starts_nocase(text, "v=spf1"))
		return has_part(text, "mx") || has_part(text, "a:") ||
		       has_part(text, "ip4:") || has_part(text, "ip6:") ||
		       has_part(text, "include:") ||
		       has_part(text, "redirect=");
	if (text_starts_nocase(text, "v=STSv1"))
		return has_part(text, "id=");
	return has_part(text, "rua=");
}

static bool
is_same(const struct dns_want *want, const struct dns_record *record)
{
	const struct dns_record *wanted = &want->record;

	switch (want->type) {
	case DNS_MX:
	case DNS_PTR:
		return text_equal_nocase(wanted->name, record->name);
	case DNS_SRV:
		return text_equal_nocase(wanted->name, record->name) &&
		       wanted->port == record->port;
	case DNS_TLSA:
		return wanted->usage == record->usage &&
		       wanted->selector == record->selector &&
		       wanted->matching == record->matching &&
		       text_equal(wanted->data, record->data);
	case DNS_TXT:
		return is_as_good(want, record->data);
	default:
		return wanted->data.size == 0 ||
		       text_equal(wanted->data, record->data);
	}
}

/* Other texts of the same name are somebody else's business. */
static bool
counts(const struct dns_want *want, const struct dns_record *record)
{
	return want->type != DNS_TXT ||
	       text_equal_nocase(
		   version_of(want->record.data), version_of(record->data));
}

enum dns_state
dns_want_compare(const struct dns_want *want, enum dns_result result,
    enum dns_security security, struct text records)
{
	struct dns_record record;
	struct reader reader;
	size_t count = 0, same = 0;

	if (result == DNS_FAILED || security == DNS_BOGUS)
		return DNS_STATE_FAILED;
	if (result != DNS_FOUND)
		return DNS_STATE_MISSING;
	reader_init(&reader, records.data, records.size);
	while (dns_get_record(&reader, want->type, &record) == 1) {
		if (!counts(want, &record))
			continue;
		count++;
		same += is_same(want, &record);
	}
	if (count == 0)
		return DNS_STATE_MISSING;
	/* Two texts of a kind are as good as none (RFC 7208 section 4.5, RFC
	 * 8461 3.1, RFC 8460 3). */
	if (same == 0 || (want->type == DNS_TXT && count > 1))
		return DNS_STATE_DIFFERS;
	return want->type == DNS_TLSA && security != DNS_SECURE
		   ? DNS_STATE_UNSIGNED
		   : DNS_STATE_OK;
}

/* -- As text -- */

const char *
dns_type_name(enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return "A";
	case DNS_AAAA:
		return "AAAA";
	case DNS_MX:
		return "MX";
	case DNS_PTR:
		return "PTR";
	case DNS_SRV:
		return "SRV";
	case DNS_TLSA:
		return "TLSA";
	case DNS_TXT:
		return "TXT";
	default:
		return "CNAME";
	}
}

static void
format_tlsa(const struct dns_record *record, char to[DNS_VALUE_SIZE])
{
	int size = snprintf(to, DNS_VALUE_SIZE, "%u %u %u ", record->usage,
	    record->selector, record->matching);
	struct text data = record->data;

	/* No digest is longer than 64 bytes; a whole key is cut. */
	if (data.size > 256)
		data.size = 256;
	text_format_hex(data.data, data.size, to + size);
}

static void
format_text(struct text text, char to[DNS_VALUE_SIZE])
{
	size_t size = 0;

	to[size++] = '"';
	for (size_t i = 0; i < text.size && size + 4 < DNS_VALUE_SIZE; i++) {
		if (text.data[i] == '"' || text.data[i] == '\\')
			to[size++] = '\\';
		to[size++] = text.data[i];
	}
	to[size++] = '"';
	to[size] = '\0';
}

static void
format_address(struct text address, char to[DNS_VALUE_SIZE])
{
	if (address.size == 0)
		snprintf(to, DNS_VALUE_SIZE, "(this host's address)");
	else
		(void)inet_ntop(address.size == 4 ? AF_INET : AF_INET6,
		    address.data, to, DNS_VALUE_SIZE);
}

void
dns_record_format(enum dns_type type, const struct dns_record *record,
    char to[DNS_VALUE_SIZE])
{
	switch (type) {
	case DNS_MX:
		snprintf(to, DNS_VALUE_SIZE, "%u %.*s.", record->preference,
		    TEXT_FMT(record->name));
		break;
	case DNS_SRV:
		snprintf(to, DNS_VALUE_SIZE, "%u %u %u %.*s.",
		    record->preference, record->weight, record->port,
		    TEXT_FMT(record->name));
		break;
	case DNS_TLSA:
		format_tlsa(record, to);
		break;
	case DNS_TXT:
		format_text(record->data, to);
		break;
	case DNS_A:
	case DNS_AAAA:
		format_address(record->data, to);
		break;
	default:
		snprintf(to, DNS_VALUE_SIZE, "%.*s.", TEXT_FMT(record->name));
		break;
	}
}
