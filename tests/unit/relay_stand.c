/*
 * See relay_stand.h.
 */
#include "tests/unit/relay_stand.h"

#include "common/record.h"
#include "tests/unit/loop_wait.h"
#include "tests/unit/relay_words.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct relay_stand stand;

void
stand_wait(bool (*is_so)(void))
{
	assert_true(loop_wait(stand.loop, is_so));
}

bool
stand_is_done(void)
{
	return stand.dones > 0;
}

/* -- Resolver and fetcher -- */

static void
put_mx(struct writer *writer, const char *text)
{
	char copy[200], *word, *rest = copy;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((word = strsep(&rest, " ")) != NULL) {
		char *name = strchr(word, ':');
		struct dns_record record = { 0 };

		*name++ = '\0';
		record.preference = (uint16_t)atoi(word);
		record.name = text_of(name);
		dns_put_record(writer, DNS_MX, &record);
	}
}

static enum dns_result
find_address(struct writer *writer, struct text name)
{
	struct dns_record record = { 0 };
	char bytes[4] = { 127, 0, 0, (char)odd_servers_find(name) };

	record.data = text_make(bytes, sizeof(bytes));
	if (bytes[3] == 0)
		return DNS_NO_NAME;
	dns_put_record(writer, DNS_A, &record);
	return DNS_FOUND;
}

static void
put_loopback(struct writer *writer)
{
	struct dns_record record = { 0 };

	record.data = text_make(&in6addr_loopback, sizeof(in6addr_loopback));
	dns_put_record(writer, DNS_AAAA, &record);
}

static enum dns_result
find_txt(struct writer *writer, struct text name)
{
	bool is_sts = text_starts_nocase(name, "_mta-sts.");
	const char *text = is_sts ? stand.policy_id : stand.rua;
	struct dns_record record = { 0 };

	stand.rua_questions += !is_sts;
	if (text == NULL || (is_sts && stand.policy == NULL))
		return DNS_NO_NAME;
	record.data = text_of(text);
	dns_put_record(writer, DNS_TXT, &record);
	return DNS_FOUND;
}

static void
resolver_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct message_relay_lookup *asked = &message->relay_lookup;
	struct message answer = { .type = MESSAGE_relay_found };
	enum dns_result result = DNS_NO_DATA;
	static uint8_t space[4096];
	struct writer writer;

	writer_init(&writer, space, sizeof(space));
	if (asked->type == DNS_MX && text_is(asked->name, "none.test"))
		result = DNS_NO_NAME;
	else if (asked->type == DNS_MX && text_is(asked->name, "down.test"))
		result = DNS_FAILED;
	else if (asked->type == DNS_MX && stand.mx != NULL)
		put_mx(&writer, stand.mx);
	else if (asked->type == DNS_A)
		result = find_address(&writer, asked->name);
	else if (asked->type == DNS_AAAA && stand.has_v6)
		put_loopback(&writer);
	else if (asked->type == DNS_TXT)
		result = find_txt(&writer, asked->name);
	else if (asked->type == DNS_TLSA)
		result = stand.tlsa_result;
	if (writer.size > 0)
		result = DNS_FOUND;
	answer.relay_found.tag = asked->tag;
	answer.relay_found.result = (uint8_t)result;
	answer.relay_found.security = (uint8_t)stand.security;
	answer.relay_found.canonical = asked->name;
	answer.relay_found.records = text_make(space, writer.size);
	channel_send(channel, &answer, NULL, 0);
}

static void
fetcher_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message answer = { .type = MESSAGE_policy_fetched };

	stand.fetches++;
	if (stand.is_fetcher_silent)
		return;
	answer.policy_fetched.tag = message->fetch_policy.tag;
	answer.policy_fetched.status = (uint8_t)stand.policy_status;
	answer.policy_fetched.policy = text_of(stand.policy);
	channel_send(channel, &answer, NULL, 0);
}

/* -- Spool -- */

static void
hear_session(const struct message_tls_session *said)
{
	size_t size = strlen(stand.sessions);

	snprintf(stand.sessions + size, sizeof(stand.sessions) - size,
	    "%s %s %.*s %.*s %.*s %.*s\n",
	    tls_policy_name((enum tls_policy)said->policy_type),
	    tls_result_name((enum tls_result)said->result),
	    TEXT_FMT(said->domain), TEXT_FMT(said->policy_domain),
	    TEXT_FMT(said->mx), TEXT_FMT(said->helo));
	assert_true(text_is(said->record, stand.rua));
	stand.told++;
}

static void
spool_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_relay_recipient) {
		const struct message_relay_recipient *said =
		    &message->relay_recipient;

		snprintf(stand.outcomes + strlen(stand.outcomes),
		    sizeof(stand.outcomes) - strlen(stand.outcomes),
		    "%u %s %u %.*s %.*s\n", said->recipient,
		    relay_outcomes[said->outcome], said->code,
		    TEXT_FMT(said->enhanced), TEXT_FMT(said->host));
	} else if (message->type == MESSAGE_tls_session) {
		hear_session(&message->tls_session);
	} else if (message->type == MESSAGE_relay_done) {
		const struct message_relay_done *said = &message->relay_done;

		snprintf(stand.ending, sizeof(stand.ending), "%s %d %.*s",
		    relay_troubles[said->trouble], said->is_reused,
		    TEXT_FMT(said->text));
		stand.dones++;
	}
}

static void
gone(struct channel *channel, const struct error *error, void *context)
{
}

static struct channel *
play(enum role role, const struct channel_handler *handler)
{
	int ends[2];

	assert_int_equal(channel_pair(ends, NULL), 0);
	assert_true(relay_introduce(stand.relay, ends[1], role, 7));
	return channel_new(
	    stand.loop, ends[0], role, ROLE_RELAY, handler, NULL);
}

void
stand_send_job(uint64_t number, const char *domain, unsigned int flags,
    enum relay_tls tls, const char *body, uint64_t size)
{
	struct message message = { .type = MESSAGE_relay_job };
	struct relay_route route = {
		.port = servers.port, .tls = tls, .host = text_of(stand.via)
	};
	struct outgoing_record record = { .address = TEXT("a@x.test") };
	uint8_t recipients[200], route_bytes[200];
	struct writer writer;
	int fd = memfd_create("body", MFD_CLOEXEC);

	assert_true(write(fd, body, strlen(body)) >= 0);
	writer_init(&writer, recipients, sizeof(recipients));
	record_put_outgoing(&writer, &record);
	message.relay_job.recipients = text_make(recipients, writer.size);
	writer_init(&writer, route_bytes, sizeof(route_bytes));
	relay_route_put(&writer, &route);
	message.relay_job.route = text_make(route_bytes, writer.size);
	message.relay_job.job = number;
	message.relay_job.domain = text_of(domain);
	message.relay_job.sender = TEXT("me@here.test");
	message.relay_job.flags = (uint16_t)flags;
	message.relay_job.size = size;
	assert_int_equal(channel_send(stand.spool, &message, &fd, 1), 0);
	close(fd);
}

void
stand_run_job(const char *domain)
{
	static uint64_t number;

	stand.dones = 0;
	stand.outcomes[0] = '\0';
	stand_send_job(++number, domain, 0, RELAY_TLS_DEFAULT, STAND_BODY,
	    strlen(STAND_BODY));
	stand_wait(stand_is_done);
}

void
stand_connect_resolver(void)
{
	static const struct channel_handler handler = { resolver_hears, gone };

	stand.resolver = play(ROLE_RESOLVER, &handler);
}

int
stand_set_up(void **state)
{
	static const struct channel_handler spool_handler = { spool_hears,
		gone };
	static const struct channel_handler fetcher_handler = { fetcher_hears,
		gone };
	struct relay_limits limits = relay_default_limits;
	struct error error;

	stand = (struct relay_stand){ .security = DNS_INSECURE,
		.tlsa_result = DNS_NO_DATA,
		.policy_id = "v=STSv1; id=1;",
		.policy_status = STATUS_OK,
		.via = "" };
	stand.loop = event_loop_new();
	stand.settings = settings_new();
	strcpy(stand.settings->host, "mx.here.test");
	limits.next_address_ms = 50;
	limits.hurry = 1000; /* five minutes are 300 ms */
	stand.relay = relay_new(stand.loop, stand.settings, &limits, &error);
	assert_non_null(stand.relay);
	stand.spool = play(ROLE_SPOOL, &spool_handler);
	stand_connect_resolver();
	stand.fetcher = play(ROLE_FETCHER, &fetcher_handler);
	odd_servers_start(stand.loop);
	return 0;
}

int
stand_tear_down(void **state)
{
	relay_free(&stand.relay);
	odd_servers_end();
	channel_free(&stand.spool);
	channel_free(&stand.resolver);
	channel_free(&stand.fetcher);
	settings_free(&stand.settings);
	event_loop_free(&stand.loop);
	return 0;
}
