/*
 * firnmail dns show|check: the DNS records of a domain, as they should be, and
 * as the world has them by the word of the resolver, which is asked on its
 * control socket and checks DNSSEC.
 */
#include "common/domain_name.h"
#include "firnmail/certificate.h"
#include "firnmail/dns_records.h"
#include "firnmail/firnmail.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum {
	FOUND_SIZE = 1000 /* what is there, in one line */
};

/* -- What this host is -- */

static void
add_address(struct dns_host *host, const void *bytes, size_t size)
{
	size_t n = host->address_count;

	for (size_t i = 0; i < n; i++)
		if (host->addresses[i].size == size &&
		    memcmp(host->addresses[i].bytes, bytes, size) == 0)
			return;
	if (n == DNS_MAX_ADDRESSES)
		return;
	memcpy(host->addresses[n].bytes, bytes, size);
	host->addresses[n].size = size;
	host->address_count++;
}

/* Those that port 25 is bound to; with `*` it is whatever others see of us,
 * which the interfaces do not know behind a NAT. */
static void
find_addresses(const struct settings *settings, struct dns_host *host)
{
	for (size_t i = 0; i < settings->listener_count; i++) {
		const struct listen_setting *listener = &settings->listeners[i];
		uint8_t bytes[16];

		if (listener->service != SERVICE_SMTP)
			continue;
		if (inet_pton(AF_INET, listener->address, bytes) == 1)
			add_address(host, bytes, 4);
		else if (inet_pton(AF_INET6, listener->address, bytes) == 1)
			add_address(host, bytes, 16);
	}
}

static int
find_host(const struct settings *settings, struct dns_host *host)
{
	memset(host, 0, sizeof(*host));
	find_addresses(settings, host);
	for (size_t i = 0; i < settings->key_count; i++)
		if (certificate_key_hash(settings->keys[i].certificate_pem,
			&host->keys[host->key_count++]) == -1)
			return command_fail(EXIT_CONFIG,
			    "%s has no certificate that can be read",
			    settings->keys[i].certificate_path);
	return EXIT_DONE;
}

/* -- Showing -- */

static void
print_want(struct firnmail *firnmail, const struct dns_want *want)
{
	char value[DNS_VALUE_SIZE], name[300];

	dns_record_format(want->type, &want->record, value);
	snprintf(name, sizeof(name), "%s.", want->name);
	const struct field fields[] = {
		FIELD_T("name", 34, text_of(name)),
		FIELD_T("record", 6, text_of(dns_type_name(want->type))),
		FIELD_T("value", 0, text_of(value)),
	};
	output_row(firnmail->output, "record", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

static void
print_policy(struct firnmail *firnmail, const char *domain)
{
	char policy[DNS_VALUE_SIZE], url[400];

	dns_format_policy(firnmail->settings, policy);
	snprintf(url, sizeof(url), "https://mta-sts.%s/.well-known/mta-sts.txt",
	    domain);
	if (output_form(firnmail->output) == OUTPUT_TABLE) {
		output_say(firnmail->output, "\n%s:\n%s", url, policy);
		return;
	}
	const struct field fields[] = {
		FIELD_T("url", 0, text_of(url)),
		FIELD_T("text", 0, text_of(policy)),
	};
	output_new_table(firnmail->output);
	output_row(firnmail->output, "policy", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

static int
dns_show(struct firnmail *firnmail, struct dns_wants *wants, const char *domain)
{
	int code = command_drop_rights();

	if (code != EXIT_DONE)
		return code;
	for (size_t i = 0; i < wants->count; i++)
		print_want(firnmail, &wants->list[i]);
	print_policy(firnmail, domain);
	return EXIT_DONE;
}

/* -- Checking -- */

struct check {
	struct firnmail *firnmail;
	struct daemon resolver;
	struct dns_wants *wants;
	bool is_signed; /* what was found of the domain itself */
	bool is_bad;
};

/* EXIT_DONE and the answer, which is valid until the next question. */
static int
ask(struct check *check, const struct dns_want *want, struct message *answer)
{
	struct message request = { .type = MESSAGE_admin_lookup };

	request.admin_lookup.type = (uint16_t)want->type;
	request.admin_lookup.name = text_of(want->name);
	return daemon_ask(&check->resolver, &request, NULL, NULL, answer);
}

static void
format_found(enum dns_type type, struct text records, char to[FOUND_SIZE])
{
	char value[DNS_VALUE_SIZE];
	struct dns_record record;
	struct reader reader;
	size_t size = 0;

	to[0] = '\0';
	reader_init(&reader, records.data, records.size);
	while (
	    dns_get_record(&reader, type, &record) == 1 && size < FOUND_SIZE) {
		dns_record_format(type, &record, value);
		size += (size_t)snprintf(to + size, FOUND_SIZE - size, "%s%s",
		    size > 0 ? ", " : "", value);
	}
}

static void
print_state(struct check *check, const struct dns_want *want,
    enum dns_state state, const char *found)
{
	char value[DNS_VALUE_SIZE];

	dns_record_format(want->type, &want->record, value);
	const struct field fields[] = {
		FIELD_T("state", 8, text_of(dns_state_names[state])),
		FIELD_T("needed", 6,
		    want->is_required ? TEXT("yes") : TEXT("better")),
		FIELD_T("name", 34, text_of(want->name)),
		FIELD_T("record", 6, text_of(dns_type_name(want->type))),
		FIELD_T("wanted", 24, text_of(value)),
		FIELD_T("found", 0, text_of(found)),
	};
	output_row(check->firnmail->output, "record", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

/* What must be there and is not, or is there and wrong. */
static bool
is_bad_state(const struct dns_want *want, enum dns_state state)
{
	return state != DNS_STATE_OK &&
	       (want->is_required || state == DNS_STATE_DIFFERS ||
		   state == DNS_STATE_FAILED);
}

/* Whatever the host's addresses are: each must lead back to it. */
static void
want_reverse(
    struct check *check, const struct dns_want *want, struct text records)
{
	struct dns_record record;
	struct reader reader;

	reader_init(&reader, records.data, records.size);
	while (want->record.data.size == 0 &&
	       dns_get_record(&reader, want->type, &record) == 1)
		dns_wants_add_ptr(
		    check->wants, record.data, check->firnmail->settings->host);
}

static int
check_one(struct check *check, size_t n)
{
	const struct dns_want *want = &check->wants->list[n];
	const struct message_admin_found *found;
	char text[FOUND_SIZE];
	struct message answer;
	enum dns_state state;
	int code = ask(check, want, &answer);

	if (code != EXIT_DONE)
		return code;
	found = &answer.admin_found;
	if (found->result > DNS_FAILED || found->security > DNS_BOGUS)
		return command_fail(
		    EXIT_FAILED, "the resolver says what it cannot");
	state = dns_want_compare(want, (enum dns_result)found->result,
	    (enum dns_security)found->security, found->records);
	format_found(want->type, found->records, text);
	if (found->security == DNS_BOGUS)
		snprintf(text, sizeof(text), "its signatures are wrong");
	if (want->type == DNS_MX)
		check->is_signed = found->security == DNS_SECURE;
	check->is_bad |= is_bad_state(want, state);
	print_state(check, want, state, text);
	if (want->type == DNS_A || want->type == DNS_AAAA)
		want_reverse(check, want, found->records);
	return EXIT_DONE;
}

static void
print_signed(const struct check *check, const char *domain)
{
	const struct field fields[] = {
		FIELD_T("state", 8,
		    check->is_signed ? TEXT("ok") : TEXT("missing")),
		FIELD_T("needed", 6, TEXT("better")),
		FIELD_T("name", 34, text_of(domain)),
		FIELD_T("record", 6, TEXT("-")),
		FIELD_T("wanted", 24, TEXT("signed by DNSSEC")),
		FIELD_T("found", 0,
		    check->is_signed ? TEXT("signed") : TEXT("not signed")),
	};

	output_row(check->firnmail->output, "dnssec", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

static int
dns_check(
    struct firnmail *firnmail, struct dns_wants *wants, const char *domain)
{
	struct check check = { .firnmail = firnmail, .wants = wants };
	int code = daemon_open(firnmail, ROLE_RESOLVER, &check.resolver);

	if (code == EXIT_DONE)
		code = command_drop_rights();
	for (size_t i = 0; i < wants->count && code == EXIT_DONE; i++)
		code = check_one(&check, i);
	daemon_close(&check.resolver);
	if (code != EXIT_DONE)
		return code;
	print_signed(&check, domain);
	return check.is_bad ? EXIT_DIFFERS : EXIT_DONE;
}

int
cmd_dns(struct firnmail *firnmail, int argc, char **argv)
{
	bool is_show = argc == 2 && strcmp(argv[0], "show") == 0;
	bool is_check = argc == 2 && strcmp(argv[0], "check") == 0;
	char domain[DOMAIN_NAME_SIZE];
	struct dns_wants *wants;
	struct dns_host host;
	int code;

	if (!is_show && !is_check)
		return command_usage("dns show|check DOMAIN");
	code = command_load(firnmail, false);
	if (code != EXIT_DONE)
		return code;
	if (domain_name_to_ascii(text_of(argv[1]), domain) == -1 ||
	    !settings_is_domain(firnmail->settings, text_of(domain)))
		return command_fail(
		    EXIT_NONE, "%s is no domain of ours", argv[1]);
	code = find_host(firnmail->settings, &host);
	if (code != EXIT_DONE)
		return code;
	wants = dns_wants_new(firnmail->settings, domain, &host);
	code = is_show ? dns_show(firnmail, wants, domain)
		       : dns_check(firnmail, wants, domain);
	dns_wants_free(&wants);
	return code;
}
