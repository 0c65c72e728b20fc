/* See relay_tlsrpt.h. */
#include "smtpd/relay_tlsrpt.h"

#include "common/clock.h"
#include "common/memory.h"
#include "common/table.h"
#include "smtpd/tlsrpt_record.h"

#include <stdio.h>
#include <string.h>

enum {
	LEAST_S = 60, /* that an answer is kept, whatever its TTL */
	MOST_S = 3600
};

/* A session that waits for the answer: its packet. */
struct waiting {
	struct waiting *next;
	size_t size;
	uint8_t packet[];
};

struct domain {
	struct relay_tlsrpt *reports;
	char name[256];
	uint64_t lookup; /* 0: the answer is known */
	char *record;    /* NULL: it wants none */
	int64_t expires_us;
	struct waiting *first, **last;
};

struct relay_tlsrpt {
	struct relay_names *names;
	struct channel *spool;
	struct table *domains;
	size_t waiting;
	bool is_enabled;
};

static void
forget_waiting(struct domain *domain)
{
	struct waiting *one;

	while ((one = domain->first) != NULL) {
		domain->first = one->next;
		domain->reports->waiting--;
		memory_free(&one);
	}
	domain->last = &domain->first;
}

static void
free_domain(struct domain *domain)
{
	struct relay_tlsrpt *reports = domain->reports;

	(void)table_remove(
	    reports->domains, domain->name, strlen(domain->name));
	if (domain->lookup != 0)
		relay_names_forget(reports->names, &domain->lookup);
	forget_waiting(domain);
	memory_free(&domain->record);
	memory_free(&domain);
}

/* -- What is told -- */

static void
send(const struct domain *domain, struct message *message)
{
	if (domain->record == NULL || domain->reports->spool == NULL)
		return;
	message->tls_session.record = text_of(domain->record);
	(void)channel_send(domain->reports->spool, message, NULL, 0);
}

static void
send_waiting(struct domain *domain)
{
	struct message message;
	struct error error;

	for (struct waiting *one = domain->first; one != NULL; one = one->next)
		if (message_decode(one->packet, one->size, ROLE_RELAY,
			ROLE_SPOOL, &message, &error) == 0)
			send(domain, &message);
	forget_waiting(domain);
}

static void
wait(struct domain *domain, const struct message *message)
{
	static uint8_t packet[MESSAGE_MAX_SIZE];
	struct relay_tlsrpt *reports = domain->reports;
	size_t size = message_encode(message, packet);
	struct waiting *one;

	if (size == 0 || reports->waiting >= RELAY_TLSRPT_MAX_WAITING)
		return;
	one = memory_new(1, sizeof(*one) + size);
	one->size = size;
	memcpy(one->packet, packet, size);
	*domain->last = one;
	domain->last = &one->next;
	reports->waiting++;
}

/* -- Who wants it -- */

/* Exactly one record of the kind, else there is none (section 3). */
static void
keep_record(struct domain *domain, const struct message_relay_found *found)
{
	struct tlsrpt_record parsed;
	struct dns_record record;
	struct reader reader;
	unsigned int count = 0;

	if (found->result != DNS_FOUND)
		return;
	reader_init(&reader, found->records.data, found->records.size);
	while (dns_get_record(&reader, DNS_TXT, &record) == 1) {
		if (tlsrpt_record_parse(record.data, &parsed) == 0)
			continue;
		memory_free(&domain->record);
		if (++count > 1)
			return;
		if (parsed.uri_count == 0 ||
		    record.data.size > RELAY_TLSRPT_MAX_RECORD)
			continue;
		domain->record = memory_new(1, record.data.size + 1);
		(void)text_copy(
		    record.data, domain->record, record.data.size + 1);
	}
}

static void
record_found(const struct message_relay_found *found, void *context)
{
	struct domain *domain = context;
	int64_t seconds = found->ttl_s;

	domain->lookup = 0;
	if (seconds < LEAST_S)
		seconds = LEAST_S;
	if (seconds > MOST_S)
		seconds = MOST_S;
	domain->expires_us = clock_monotonic_us() + seconds * 1000000;
	keep_record(domain, found);
	send_waiting(domain);
}

static void
ask(struct domain *domain)
{
	char name[300];

	memory_free(&domain->record);
	(void)snprintf(name, sizeof(name), "_smtp._tls.%s", domain->name);
	domain->lookup = relay_names_ask(domain->reports->names, DNS_TXT,
	    text_of(name), record_found, domain);
}

/* Any other goes, but those that are asked for. */
static bool
make_room(struct relay_tlsrpt *reports)
{
	size_t position = 0;
	void *value;

	if (table_count(reports->domains) < RELAY_TLSRPT_MAX_DOMAINS)
		return true;
	while (table_next(reports->domains, &position, NULL, NULL, &value)) {
		if (((struct domain *)value)->lookup != 0)
			continue;
		free_domain(value);
		return true;
	}
	return false;
}

/* NULL: there are too many. */
static struct domain *
get_domain(struct relay_tlsrpt *reports, struct text name)
{
	struct domain *domain =
	    table_find(reports->domains, name.data, name.size);

	if (domain != NULL && domain->lookup == 0 &&
	    clock_monotonic_us() >= domain->expires_us)
		ask(domain);
	if (domain != NULL || !make_room(reports))
		return domain;
	domain = memory_new(1, sizeof(*domain));
	domain->reports = reports;
	domain->last = &domain->first;
	(void)text_copy(name, domain->name, sizeof(domain->name));
	(void)table_put(reports->domains, name.data, name.size, domain);
	ask(domain);
	return domain;
}

void
relay_tlsrpt_tell(
    struct relay_tlsrpt *reports, const struct message_tls_session *said)
{
	struct message message = { .type = MESSAGE_tls_session,
		.tls_session = *said };
	struct domain *domain;

	if (!reports->is_enabled || reports->spool == NULL)
		return;
	domain = get_domain(reports, said->domain);
	if (domain == NULL)
		return;
	if (domain->lookup != 0)
		wait(domain, &message);
	else
		send(domain, &message);
}

/* -- All together -- */

void
relay_tlsrpt_use(struct relay_tlsrpt *reports, struct channel *spool)
{
	reports->spool = spool;
}

void
relay_tlsrpt_enable(struct relay_tlsrpt *reports, bool is_enabled)
{
	reports->is_enabled = is_enabled;
}

struct relay_tlsrpt *
relay_tlsrpt_new(struct relay_names *names)
{
	struct relay_tlsrpt *reports = memory_new(1, sizeof(*reports));

	reports->names = names;
	reports->domains = table_new();
	return reports;
}

void
relay_tlsrpt_free(struct relay_tlsrpt **reports)
{
	size_t position = 0;
	void *value;

	if (*reports == NULL)
		return;
	while (table_next((*reports)->domains, &position, NULL, NULL, &value)) {
		free_domain(value);
		position = 0;
	}
	table_free(&(*reports)->domains);
	memory_free(reports);
}
