/*
 * The fetcher's side of its channels, with a resolver that this test plays and
 * libcurl behind it; and the pure parts: URIs and addresses of others.
 */
#include "fetcher/fetches.h"

#include "common/channel.h"
#include "fetcher/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

enum {
	DEADLINE_MS = 300, /* of those that wait for it */
	LONG_MS = 60000,
	GIVE_UP_MS = 60000
};

/* What the resolver answers. */
enum manner {
	SILENT,
	LOOPBACK, /* 127.0.0.1 and nothing for AAAA */
	NOBODY,
	FAILING,
	HALF /* AAAA fails, there is no A */
};

struct fixture {
	struct event_loop *loop;
	struct fetches *fetches;
	struct channel *relay, *spool, *resolver;
	struct timer *give_up;
	enum manner manner;
	char asked[300];
	unsigned int questions;
	unsigned int answers;
	unsigned int wanted;
	enum status status;
	char why[201];
};

/* -- URIs -- */

static const struct {
	const char *text;
	const char *host; /* NULL: refused */
	unsigned int port;
	const char *path;
} uris[] = {
	{ "https://a.example", "a.example", 443, "/" },
	{ "HTTPS://A.Example./x", "a.example", 443, "/x" },
	{ "https://a.example:8443/x/../y?b=c&d=%20;e", "a.example", 8443,
	    "/x/../y?b=c&d=%20;e" },
	{ "https://a.example:/", "a.example", 443, "/" },
	{ "https://_x.a-b.xn--c/", "_x.a-b.xn--c", 443, "/" },
	{ "", NULL, 0, NULL },
	{ "http://a.example/", NULL, 0, NULL },
	{ "https:/a.example/", NULL, 0, NULL },
	{ "https://", NULL, 0, NULL },
	{ "https:///x", NULL, 0, NULL },
	{ "https://localhost/", NULL, 0, NULL },
	{ "https://192.0.2.1/", NULL, 0, NULL },
	{ "https://0x7f.1/", NULL, 0, NULL },
	{ "https://a.0x7f/", NULL, 0, NULL },
	{ "https://[::1]/", NULL, 0, NULL },
	{ "https://u@a.example/", NULL, 0, NULL },
	{ "https://a.example:80@b.example/", NULL, 0, NULL },
	{ "https://a.example\\@b.example/", NULL, 0, NULL },
	{ "https://a.example#@b.example/", NULL, 0, NULL },
	{ "https://a.example/#x", NULL, 0, NULL },
	{ "https://a.example?x", NULL, 0, NULL },
	{ "https://a.example/ x", NULL, 0, NULL },
	{ "https://a.example/\r\nx", NULL, 0, NULL },
	{ "https://a.example/\"", NULL, 0, NULL },
	{ "https://a.example/\xc3\xa4", NULL, 0, NULL },
	{ "https://a%2eb.example/", NULL, 0, NULL },
	{ "https://a..example/", NULL, 0, NULL },
	{ "https://-a.example/", NULL, 0, NULL },
	{ "https://a.example:65536/", NULL, 0, NULL },
	{ "https://a.example:0/", NULL, 0, NULL },
	{ "https://a.example:4 43/", NULL, 0, NULL },
};

static void
a_uri_is_read_in_one_way_or_not_at_all(void **state)
{
	struct https_uri uri;
	char text[1200] = "https://a.example/";

	for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
		int status = https_uri_parse(text_of(uris[i].text), &uri);

		if ((status == 0) != (uris[i].host != NULL))
			fail_msg("%s", uris[i].text);
		if (status == -1)
			continue;
		assert_string_equal(uri.host, uris[i].host);
		assert_string_equal(uri.path, uris[i].path);
		assert_int_equal(uri.port, uris[i].port);
	}
	memset(text + 18, 'x', HTTPS_PATH_SIZE - 2);
	assert_int_equal(https_uri_parse(text_of(text), &uri), 0);
	assert_int_equal(strlen(uri.path), HTTPS_PATH_SIZE - 1);
	strcat(text, "x");
	assert_int_equal(https_uri_parse(text_of(text), &uri), -1);
	assert_int_equal(https_uri_parse((struct text){ NULL, 0 }, &uri), -1);
}

/* -- Addresses -- */

static void
what_leads_inwards_is_not_public(void **state)
{
	static const struct {
		const char *address;
		bool is_public;
	} rows[] = { { "192.0.2.1", true }, { "8.8.8.8", true },
		{ "9.255.255.255", true }, { "11.0.0.0", true },
		{ "172.15.255.255", true }, { "172.32.0.0", true },
		{ "100.63.255.255", true }, { "100.128.0.0", true },
		{ "223.255.255.255", true }, { "0.0.0.0", false },
		{ "10.1.2.3", false }, { "127.0.0.1", false },
		{ "100.64.0.1", false }, { "100.127.255.255", false },
		{ "169.254.169.254", false }, { "172.16.0.1", false },
		{ "172.31.255.255", false }, { "192.168.0.1", false },
		{ "198.19.0.1", false }, { "224.0.0.1", false },
		{ "255.255.255.255", false }, { "2001:db8::1", true },
		{ "2606:4700::1", true }, { "::", false }, { "::1", false },
		{ "::ffff:10.0.0.1", false }, { "64:ff9b::a00:1", false },
		{ "2002:a00:1::", false }, { "2001::1", false },
		{ "fc00::1", false }, { "fd12::1", false },
		{ "fe80::1", false }, { "fec0::1", false },
		{ "ff02::1", false } };
	uint8_t bytes[16];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool is_v6 = strchr(rows[i].address, ':') != NULL;

		assert_int_equal(inet_pton(is_v6 ? AF_INET6 : AF_INET,
				     rows[i].address, bytes),
		    1);
		if (addresses_is_public(text_make(bytes, is_v6 ? 16 : 4)) !=
		    rows[i].is_public)
			fail_msg("%s", rows[i].address);
	}
}

static void
at_most_8_addresses_are_taken(void **state)
{
	struct transfer_request request = { .address_count = 0 };
	struct dns_record record = { .data = { "\177\0\0\1", 4 } };
	uint8_t rows[200];
	struct writer writer;

	writer_init(&writer, rows, sizeof(rows));
	for (int i = 0; i < 9; i++)
		dns_put_record(&writer, DNS_A, &record);
	addresses_take(&request, DNS_A, text_make(rows, writer.size), true);
	assert_int_equal(request.address_count, 0);
	addresses_take(&request, DNS_A, text_make(rows, writer.size), false);
	assert_int_equal(request.address_count, TRANSFER_MAX_ADDRESSES);
	assert_string_equal(request.addresses[7], "127.0.0.1");
}

/* -- Channels -- */

static void
take_answer(struct fixture *f, uint8_t status, struct text why)
{
	f->status = (enum status)status;
	text_copy(why, f->why, sizeof(f->why));
	if (++f->answers == f->wanted)
		event_loop_stop(f->loop);
}

static void
asker_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_policy_fetched)
		take_answer(context, message->policy_fetched.status,
		    message->policy_fetched.why);
	else
		take_answer(context, message->report_posted.status,
		    message->report_posted.why);
}

static void
resolver_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct message_fetcher_lookup *lookup = &message->fetcher_lookup;
	struct fixture *f = context;
	struct message answer = { .type = MESSAGE_fetcher_found };
	struct message_fetcher_found *found = &answer.fetcher_found;
	bool is_v6 = lookup->type == DNS_AAAA;

	text_copy(lookup->name, f->asked, sizeof(f->asked));
	f->questions++;
	found->tag = lookup->tag;
	found->result = DNS_NO_NAME;
	if (f->manner == LOOPBACK && !is_v6) {
		found->result = DNS_FOUND;
		found->records = text_make("\4\0\0\0\177\0\0\1", 8);
	} else if (f->manner == FAILING || (f->manner == HALF && is_v6)) {
		found->result = DNS_FAILED;
	}
	if (f->manner != SILENT)
		(void)channel_send(channel, &answer, NULL, 0);
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	fail_msg("closed: %s", error->text);
}

static void
too_late(void *context)
{
	fail_msg("nothing happens");
}

static struct channel *
connect_peer(struct fixture *f, enum role role)
{
	static const struct channel_handler asking = { asker_hears, closed };
	static const struct channel_handler answering = { resolver_hears,
		closed };
	int ends[2];

	assert_int_equal(channel_pair(ends, NULL), 0);
	assert_int_equal(fetches_meet(f->fetches, ends[0], role, 1), 0);
	return channel_new(f->loop, ends[1], role, ROLE_FETCHER,
	    role == ROLE_RESOLVER ? &answering : &asking, f);
}

static int
setup_with(void **state, int64_t deadline_ms)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;
	struct transfers *transfers;

	*f = (struct fixture){ .loop = event_loop_new(), .wanted = 1 };
	transfers_prepare();
	transfers = transfers_new(f->loop);
	transfers_set_authorities(transfers, "none that can be read");
	f->fetches = fetches_new(f->loop, transfers, deadline_ms);
	f->relay = connect_peer(f, ROLE_RELAY);
	f->spool = connect_peer(f, ROLE_SPOOL);
	f->resolver = connect_peer(f, ROLE_RESOLVER);
	f->give_up = timer_new(f->loop, too_late, NULL);
	timer_start(f->give_up, GIVE_UP_MS);
	*state = f;
	return 0;
}

static int
setup(void **state)
{
	return setup_with(state, LONG_MS);
}

static int
setup_short(void **state)
{
	return setup_with(state, DEADLINE_MS);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	fetches_free(&f->fetches);
	channel_free(&f->relay);
	channel_free(&f->spool);
	channel_free(&f->resolver);
	timer_free(&f->give_up);
	event_loop_free(&f->loop);
	return 0;
}

static void
ask_policy(struct fixture *f, const char *domain)
{
	struct message message = { .type = MESSAGE_fetch_policy };

	message.fetch_policy.domain = text_of(domain);
	assert_int_equal(channel_send(f->relay, &message, NULL, 0), 0);
}

static void
ask_post(struct fixture *f, const char *uri)
{
	struct message message = { .type = MESSAGE_post_report };

	message.post_report.uri = text_of(uri);
	message.post_report.data = TEXT("zip");
	assert_int_equal(channel_send(f->spool, &message, NULL, 0), 0);
}

static void
expect(struct fixture *f, enum status status, const char *why)
{
	event_loop_run(f->loop);
	assert_int_equal(f->answers, f->wanted);
	assert_int_equal(f->status, status);
	assert_string_equal(f->why, why);
	f->answers = 0;
}

static void
a_fetch_has_a_deadline(void **state)
{
	struct fixture *f = *state;

	ask_policy(f, "A.example");
	expect(f, STATUS_UNAVAILABLE, "no answer in time");
	assert_string_equal(f->asked, "mta-sts.a.example");
	assert_int_equal(f->questions, 2);
}

static void
names_that_are_not_there_are_told_from_those_that_fail(void **state)
{
	struct fixture *f = *state;

	f->manner = NOBODY;
	ask_policy(f, "a.example");
	expect(f, STATUS_MISSING, "the host has no address");
	f->manner = FAILING;
	ask_policy(f, "a.example");
	expect(f, STATUS_UNAVAILABLE, "the name cannot be found now");
	f->manner = HALF;
	ask_policy(f, "a.example");
	expect(f, STATUS_UNAVAILABLE, "the name cannot be found now");
	f->manner = LOOPBACK;
	ask_post(f, "https://a.example/");
	expect(f, STATUS_MISSING, "the host has no address");
}

/* Nothing listens at port 443 of the name's address, or nobody is believed. */
static void
a_transfer_that_fails_is_answered(void **state)
{
	struct fixture *f = *state;

	f->manner = LOOPBACK;
	ask_policy(f, "a.example");
	event_loop_run(f->loop);
	assert_int_equal(f->status, STATUS_UNAVAILABLE);
	assert_true(f->why[0] != '\0');
}

static void
what_is_no_host_is_not_asked_for(void **state)
{
	struct fixture *f = *state;

	ask_policy(f, "a.example/..");
	expect(f, STATUS_MISSING, "the domain has no policy host");
	ask_policy(f, "127.0.0.1");
	expect(f, STATUS_MISSING, "the domain has no policy host");
	ask_post(f, "https://127.0.0.1/");
	expect(f, STATUS_INVALID, "not an https URI of a host");
	assert_int_equal(f->questions, 0);
}

static void
too_many_at_once_are_refused(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i <= FETCHES_MAX_PENDING; i++)
		ask_policy(f, "a.example");
	expect(f, STATUS_BUSY, "too many fetches at once");
	/* As many answers make room. */
	f->wanted = FETCHES_MAX_PENDING;
	channel_free(&f->resolver);
	expect(f, STATUS_UNAVAILABLE, "the resolver is away");
	f->wanted = 1;
	f->resolver = connect_peer(f, ROLE_RESOLVER);
	f->manner = NOBODY;
	ask_policy(f, "a.example");
	expect(f, STATUS_MISSING, "the host has no address");
}

static void
without_a_resolver_fetches_fail(void **state)
{
	struct fixture *f = *state;

	ask_policy(f, "a.example");
	ask_policy(f, "1..2");
	expect(f, STATUS_MISSING, "the domain has no policy host");
	channel_free(&f->resolver);
	expect(f, STATUS_UNAVAILABLE, "the resolver is away");
	ask_policy(f, "a.example");
	expect(f, STATUS_UNAVAILABLE, "the resolver is away");
	f->resolver = connect_peer(f, ROLE_RESOLVER);
	f->manner = NOBODY;
	ask_policy(f, "a.example");
	expect(f, STATUS_MISSING, "the host has no address");
}

static void
the_fetches_of_one_who_is_gone_end(void **state)
{
	struct fixture *f = *state;

	ask_policy(f, "a.example");
	ask_policy(f, "1..2");
	expect(f, STATUS_MISSING, "the domain has no policy host");
	channel_free(&f->relay);
	f->relay = connect_peer(f, ROLE_RELAY);
	f->manner = NOBODY;
	ask_policy(f, "b.example");
	expect(f, STATUS_MISSING, "the host has no address");
	assert_string_equal(f->asked, "mta-sts.b.example");
}

static void
nobody_else_is_met(void **state)
{
	struct fixture *f = *state;
	int ends[2];

	assert_int_equal(channel_pair(ends, NULL), 0);
	assert_int_equal(fetches_meet(f->fetches, ends[0], ROLE_SMTPD, 1), -1);
	close(ends[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_uri_is_read_in_one_way_or_not_at_all),
		cmocka_unit_test(what_leads_inwards_is_not_public),
		cmocka_unit_test(at_most_8_addresses_are_taken),
		cmocka_unit_test_setup_teardown(
		    a_fetch_has_a_deadline, setup_short, teardown),
		TEST(names_that_are_not_there_are_told_from_those_that_fail),
		TEST(a_transfer_that_fails_is_answered),
		TEST(what_is_no_host_is_not_asked_for),
		TEST(too_many_at_once_are_refused),
		TEST(without_a_resolver_fetches_fail),
		TEST(the_fetches_of_one_who_is_gone_end),
		TEST(nobody_else_is_met),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
