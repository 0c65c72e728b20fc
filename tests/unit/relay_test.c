/*
 * The whole relay on a real loop with real sockets: spool, resolver and fetcher
 * are the test's, and so are the servers, one listener for all of 127/8 that
 * behaves by the address it was reached at.
 */
#include "common/clock.h"
#include "common/connection.h"
#include "common/dsn.h"
#include "common/record.h"
#include "common/smtp_verdict.h"
#include "common/status.h"
#include "smtpd/relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	DEADLINE_US = 60000000,
	MAX_CLIENTS = 16
};

/* What 127.0.0.N does. */
enum behaviour {
	WELL_BEHAVED = 1,
	GREETS_554,
	GREETS_421,
	SAYS_NOTHING,
	CLOSES,
	DROPS_SECOND, /* closes when it hears a second MAIL */
	REFUSES_RCPT,
	HANGS_AT_END,   /* no answer to the end of data */
	INJECTS,        /* more than 220 for STARTTLS */
	IS_US,          /* EHLO names us */
	ENDLESS,        /* a greeting without an end */
	STARTTLS_JUNK,  /* and then no TLS */
	LEAVES_AT_MAIL, /* 421 */
	LATER_AT_MAIL,
	LATER_AT_RCPT,
	LATER_AT_END,
	ODD /* at `odd_stage`, in `odd_manner` */
};

/* Where and how one server is odd. */
enum stage {
	AT_GREETING,
	AT_EHLO,
	AT_MAIL,
	AT_RCPT,
	AT_DATA,
	AT_END,
	STAGES
};

enum manner {
	SILENT,
	ENDLESS_LINE,
	ENDLESS_LINES,
	CHANGES_ITS_CODE,
	ENDS_LINES_WITH_CR,
	SPLITS,       /* a byte at a time */
	HAS_NUL,      /* in its text */
	SAYS_IT_TWICE /* a reply to nothing */
};

struct client {
	struct connection *connection;
	enum behaviour behaviour;
	bool is_in_data;
	unsigned int mails;
	char split[200]; /* what it has still to say, a byte at a time */
	struct timer *timer;
};

static const char *const names[] = { "", "good.test", "says554.test",
	"says421.test", "silent.test", "closes.test", "drops.test",
	"refuses.test", "hangs.test", "injects.test", "us.test", "endless.test",
	"junk.test", "leaves.test", "later.test", "later-rcpt.test",
	"later-end.test", "odd.test" };

static struct event_loop *loop;
static struct settings *settings;
static struct relay *relay;
static struct relay_limits limits;
static struct channel *spool, *resolver, *fetcher;
static struct client clients[MAX_CLIENTS];
static int listener;
static struct watch *listener_watch;
static uint16_t port;
static struct timer *ticker;
static bool (*condition)(void);
static int64_t deadline;

static unsigned int connections, lookups, mails, dones;
static char heard[20000];   /* by servers */
static char outcomes[8000]; /* of recipients */
static char ending[1000];   /* of the last job */
static enum dns_security security;
static const char *mx; /* "10:good.test 20:..."; NULL: as the table says */
static enum dns_result tlsa_result;
static const char *policy; /* NULL: none */
static const char *policy_id;
static enum status policy_status;
static bool is_fetcher_silent;
static const char *rua;     /* who wants reports of TLS; NULL: nobody */
static char sessions[4000]; /* of TLS, as told */
static unsigned int told, wanted, rua_questions;
static unsigned int fetches;
static const char *via; /* "": by MX */
static enum stage odd_stage;
static enum manner odd_manner;
static bool has_v6; /* hosts have ::1 as well */

static void
check_condition(void *context)
{
	if (condition() || clock_monotonic_us() > deadline)
		event_loop_stop(loop);
	else
		timer_start(ticker, 1);
}

static void
wait_for(bool (*is_so)(void))
{
	condition = is_so;
	deadline = clock_monotonic_us() + DEADLINE_US;
	timer_start(ticker, 0);
	event_loop_run(loop);
	timer_stop(ticker);
	assert_true(is_so());
}

static bool
is_done(void)
{
	return dones > 0;
}

static bool
is_hanging(void)
{
	return mails > 0;
}

/* -- Servers -- */

static void
say(struct client *client, const char *text)
{
	size_t waits = strlen(client->split);

	/* Behind what is said byte by byte. */
	if (waits > 0)
		snprintf(client->split + waits, sizeof(client->split) - waits,
		    "%s", text);
	else
		assert_int_equal(
		    connection_write(client->connection, text, strlen(text)),
		    0);
}

static void
hang_up(struct client *client)
{
	timer_free(&client->timer);
	connection_free(&client->connection);
}

static void
say_byte(void *context)
{
	struct client *client = context;
	char byte[2] = { client->split[0], '\0' };

	if (byte[0] == '\0' || client->connection == NULL)
		return;
	assert_int_equal(connection_write(client->connection, byte, 1), 0);
	memmove(client->split, client->split + 1, strlen(client->split));
	timer_start(client->timer, 0);
}

static void
say_endless(struct client *client, const char *text)
{
	char line[200];

	snprintf(line, sizeof(line), "%.3s-on and on and on and on and on%s",
	    text, odd_manner == ENDLESS_LINES ? "\r\n" : "");
	for (int i = 0; i < 2000; i++)
		say(client, line);
}

static void
say_oddly(struct client *client, const char *text)
{
	char line[200];

	switch (odd_manner) {
	case SILENT:
		break;
	case ENDLESS_LINE:
	case ENDLESS_LINES:
		say_endless(client, text);
		break;
	case CHANGES_ITS_CODE:
		snprintf(line, sizeof(line), "%.3s-one\r\n299 two\r\n", text);
		say(client, line);
		break;
	case ENDS_LINES_WITH_CR:
		snprintf(
		    line, sizeof(line), "%.*s", (int)strlen(text) - 1, text);
		say(client, line);
		break;
	case SPLITS:
		snprintf(client->split, sizeof(client->split), "%s", text);
		client->timer = timer_new(loop, say_byte, client);
		say_byte(client);
		break;
	case HAS_NUL:
		snprintf(
		    line, sizeof(line), "%.*s", (int)strlen(text) - 2, text);
		say(client, line);
		assert_int_equal(
		    connection_write(client->connection, "\0\r\n", 3), 0);
		break;
	case SAYS_IT_TWICE:
		say(client, text);
		say(client, text);
		break;
	}
}

static void
reply(struct client *client, enum stage stage, const char *text)
{
	if (client->behaviour == ODD && stage == odd_stage)
		say_oddly(client, text);
	else
		say(client, text);
}

static void
greet(struct client *client)
{
	switch (client->behaviour) {
	case GREETS_554:
		say(client, "554 5.7.1 no mail here\r\n");
		break;
	case GREETS_421:
		say(client, "421 4.3.2 busy\r\n");
		break;
	case SAYS_NOTHING:
		break;
	case CLOSES:
		hang_up(client);
		break;
	case ENDLESS:
		for (int i = 0; i < 1000; i++)
			say(client, "220-on and on, and on and on and on and "
				    "on and on and on and on and on\r\n");
		break;
	default:
		reply(client, AT_GREETING, "220 hello\r\n");
		break;
	}
}

static void
say_extensions(struct client *client)
{
	if (client->behaviour == ODD && odd_stage == AT_EHLO) {
		say_oddly(client, "250 there\r\n");
		return;
	}
	if (client->behaviour == IS_US)
		say(client, "250-mx.here.test hello\r\n");
	else
		say(client, "250-there\r\n");
	if (client->behaviour == INJECTS || client->behaviour == STARTTLS_JUNK)
		say(client, "250-STARTTLS\r\n");
	say(client, "250 PIPELINING\r\n");
}

static void
take_mail(struct client *client)
{
	client->mails++;
	if (client->behaviour == DROPS_SECOND && client->mails > 1)
		hang_up(client);
	else if (client->behaviour == LEAVES_AT_MAIL)
		say(client, "421 4.3.2 closing\r\n");
	else if (client->behaviour == LATER_AT_MAIL)
		say(client, "450 4.2.0 later\r\n");
	else
		reply(client, AT_MAIL, "250 ok\r\n");
}

static void
take_line(struct client *client, struct text line)
{
	if (client->is_in_data) {
		client->is_in_data = !text_is(line, ".");
		if (client->is_in_data)
			return;
		mails++;
		if (client->behaviour == LATER_AT_END)
			say(client, "452 4.3.1 no room\r\n");
		else if (client->behaviour != HANGS_AT_END)
			reply(client, AT_END, "250 2.0.0 kept\r\n");
	} else if (text_starts_nocase(line, "EHLO")) {
		say_extensions(client);
	} else if (text_starts_nocase(line, "STARTTLS")) {
		say(client, client->behaviour == INJECTS
				? "220 go\r\n250 evil\r\n"
				: "220 go\r\n");
	} else if (text_starts_nocase(line, "MAIL")) {
		take_mail(client);
	} else if (text_starts_nocase(line, "RCPT")) {
		if (client->behaviour == REFUSES_RCPT)
			say(client, "550 5.1.1 who?\r\n");
		else if (client->behaviour == LATER_AT_RCPT)
			say(client, "451 4.7.1 grey\r\n");
		else
			reply(client, AT_RCPT, "250 ok\r\n");
	} else if (text_is(line, "DATA")) {
		client->is_in_data = true;
		reply(client, AT_DATA, "354 go\r\n");
	} else if (text_is(line, "QUIT")) {
		say(client, "221 bye\r\n");
		connection_finish(client->connection);
	} else if (client->behaviour == STARTTLS_JUNK) {
		say(client, "500 what is this?\r\n");
	} else {
		say(client, "250 ok\r\n");
	}
}

static void
server_readable(struct connection *connection, void *context)
{
	struct client *client = context;
	struct buf *input = connection_input(connection);

	while (client->connection != NULL && input->size > 0) {
		char *end = memchr(input->data, '\n', input->size);
		struct text line;
		size_t size;

		if (end == NULL)
			return;
		size = (size_t)(end - (char *)input->data) + 1;
		line = text_trim(text_make(input->data, size));
		snprintf(heard + strlen(heard), sizeof(heard) - strlen(heard),
		    "%.*s|", TEXT_FMT(line));
		take_line(client, line);
		if (client->connection != NULL)
			buf_cut(input, size);
	}
}

static void
server_ended(
    struct connection *connection, const struct error *error, void *context)
{
	hang_up(context);
}

static void
on_accept(int fd, int events, void *context)
{
	static const struct connection_handler handler = { server_readable,
		NULL, server_ended };
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	struct client *client = NULL;
	int taken = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	assert_true(taken != -1);
	for (int i = 0; i < MAX_CLIENTS && client == NULL; i++)
		if (clients[i].connection == NULL)
			client = &clients[i];
	assert_non_null(client);
	assert_int_equal(
	    getsockname(taken, (struct sockaddr *)&address, &size), 0);
	memset(client, 0, sizeof(*client));
	client->behaviour =
	    (enum behaviour)(ntohl(address.sin_addr.s_addr) & 0xff);
	client->connection =
	    connection_new(loop, taken, 65536, 1 << 20, &handler, client);
	connections++;
	greet(client);
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

	for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++) {
		char bytes[4] = { 127, 0, 0, (char)i };

		if (!text_is(name, names[i]))
			continue;
		record.data = text_make(bytes, 4);
		dns_put_record(writer, DNS_A, &record);
		return DNS_FOUND;
	}
	return DNS_NO_NAME;
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
	const char *text = is_sts ? policy_id : rua;
	struct dns_record record = { 0 };

	rua_questions += !is_sts;
	if (text == NULL || (is_sts && policy == NULL))
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

	lookups++;
	writer_init(&writer, space, sizeof(space));
	if (asked->type == DNS_MX && text_is(asked->name, "none.test"))
		result = DNS_NO_NAME;
	else if (asked->type == DNS_MX && text_is(asked->name, "down.test"))
		result = DNS_FAILED;
	else if (asked->type == DNS_MX && mx != NULL)
		put_mx(&writer, mx);
	else if (asked->type == DNS_A)
		result = find_address(&writer, asked->name);
	else if (asked->type == DNS_AAAA && has_v6)
		put_loopback(&writer);
	else if (asked->type == DNS_TXT)
		result = find_txt(&writer, asked->name);
	else if (asked->type == DNS_TLSA)
		result = tlsa_result;
	if (writer.size > 0)
		result = DNS_FOUND;
	answer.relay_found.tag = asked->tag;
	answer.relay_found.result = (uint8_t)result;
	answer.relay_found.security = (uint8_t)security;
	answer.relay_found.canonical = asked->name;
	answer.relay_found.records = text_make(space, writer.size);
	channel_send(channel, &answer, NULL, 0);
}

static void
fetcher_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message answer = { .type = MESSAGE_policy_fetched };

	fetches++;
	if (is_fetcher_silent)
		return;
	answer.policy_fetched.tag = message->fetch_policy.tag;
	answer.policy_fetched.status = (uint8_t)policy_status;
	answer.policy_fetched.policy = text_of(policy);
	channel_send(channel, &answer, NULL, 0);
}

/* -- Spool -- */

static void
hear_session(const struct message_tls_session *said)
{
	size_t size = strlen(sessions);

	snprintf(sessions + size, sizeof(sessions) - size,
	    "%s %s %.*s %.*s %.*s %.*s\n",
	    tls_policy_name((enum tls_policy)said->policy_type),
	    tls_result_name((enum tls_result)said->result),
	    TEXT_FMT(said->domain), TEXT_FMT(said->policy_domain),
	    TEXT_FMT(said->mx), TEXT_FMT(said->helo));
	assert_true(text_is(said->record, rua));
	told++;
}

static void
spool_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	static const char *const outcome_names[] = { "delivered", "deferred",
		"failed", "passed" };
	static const char *const troubles[] = { "none", "message",
		"destination", "busy" };

	if (message->type == MESSAGE_relay_recipient) {
		const struct message_relay_recipient *said =
		    &message->relay_recipient;

		snprintf(outcomes + strlen(outcomes),
		    sizeof(outcomes) - strlen(outcomes), "%u %s %u %.*s %.*s\n",
		    said->recipient, outcome_names[said->outcome], said->code,
		    TEXT_FMT(said->enhanced), TEXT_FMT(said->host));
	} else if (message->type == MESSAGE_tls_session) {
		hear_session(&message->tls_session);
	} else if (message->type == MESSAGE_relay_done) {
		const struct message_relay_done *said = &message->relay_done;

		snprintf(ending, sizeof(ending), "%s %d %.*s",
		    troubles[said->trouble], said->is_reused,
		    TEXT_FMT(said->text));
		dones++;
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
	assert_true(relay_introduce(relay, ends[1], role, 7));
	return channel_new(loop, ends[0], role, ROLE_RELAY, handler, NULL);
}

static void
send_job(uint64_t number, const char *domain, unsigned int flags,
    enum relay_tls tls, const char *body, uint64_t size)
{
	struct message message = { .type = MESSAGE_relay_job };
	struct relay_route route = {
		.port = port, .tls = tls, .host = text_of(via)
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
	assert_int_equal(channel_send(spool, &message, &fd, 1), 0);
	close(fd);
}

#define BODY "Subject: x\r\n\r\nhello\r\n"

static void
run_job(const char *domain)
{
	static uint64_t number;

	dones = 0;
	outcomes[0] = '\0';
	send_job(++number, domain, 0, RELAY_TLS_DEFAULT, BODY, strlen(BODY));
	wait_for(is_done);
}

static int
begin(void **state)
{
	static const struct channel_handler spool_handler = { spool_hears,
		gone };
	static const struct channel_handler resolver_handler = { resolver_hears,
		gone };
	static const struct channel_handler fetcher_handler = { fetcher_hears,
		gone };
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	struct error error;

	loop = event_loop_new();
	ticker = timer_new(loop, check_condition, NULL);
	settings = settings_new();
	strcpy(settings->host, "mx.here.test");
	limits = relay_default_limits;
	limits.next_address_ms = 50;
	limits.hurry = 1000; /* five minutes are 300 ms */
	relay = relay_new(loop, settings, &limits, &error);
	assert_non_null(relay);
	spool = play(ROLE_SPOOL, &spool_handler);
	resolver = play(ROLE_RESOLVER, &resolver_handler);
	fetcher = play(ROLE_FETCHER, &fetcher_handler);
	listener =
	    socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 64), 0);
	assert_int_equal(
	    getsockname(listener, (struct sockaddr *)&address, &size), 0);
	port = ntohs(address.sin_port);
	listener_watch = watch_new(loop, listener, WATCH_READ, on_accept, NULL);
	connections = lookups = mails = dones = fetches = 0;
	has_v6 = false;
	via = "";
	heard[0] = outcomes[0] = ending[0] = '\0';
	security = DNS_INSECURE;
	mx = policy = rua = NULL;
	policy_id = "v=STSv1; id=1;";
	policy_status = STATUS_OK;
	is_fetcher_silent = false;
	sessions[0] = '\0';
	told = rua_questions = 0;
	wanted = 1;
	tlsa_result = DNS_NO_DATA;
	return 0;
}

static int
end(void **state)
{
	relay_free(&relay);
	for (int i = 0; i < MAX_CLIENTS; i++)
		hang_up(&clients[i]);
	watch_free(&listener_watch);
	close(listener);
	channel_free(&spool);
	channel_free(&resolver);
	channel_free(&fetcher);
	timer_free(&ticker);
	settings_free(&settings);
	event_loop_free(&loop);
	return 0;
}

static void
mail_goes_to_the_best_host(void **state)
{
	mx = "20:refuses.test 10:good.test";
	run_job("there.test");
	assert_string_equal(outcomes, "0 delivered 250 2.0.0 good.test\n");
	assert_string_equal(ending, "none 0 ");
	assert_string_equal(heard,
	    "EHLO mx.here.test|MAIL FROM:<me@here.test>|RCPT TO:<a@x.test>|"
	    "DATA|Subject: x||hello|.|");
}

static void
without_mx_the_domain_is_the_host(void **state)
{
	run_job("good.test");
	assert_string_equal(outcomes, "0 delivered 250 2.0.0 good.test\n");
}

static const struct {
	const char *mx;
	const char *outcomes;
	const char *ending;
} hosts[] = {
	{ "1:says554.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:says421.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:silent.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:closes.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:endless.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:nowhere.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:leaves.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:injects.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	/* What a host says of a recipient is final. */
	{ "1:refuses.test 2:good.test", "0 failed 550 5.1.1 refuses.test\n",
	    "none 0 " },
	/* "Later" is the next host's chance. */
	{ "1:later.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:later-rcpt.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:later-end.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:later.test", "0 deferred 450 4.2.0 later.test\n", "none 0 " },
	{ "1:later.test 2:refuses.test", "0 failed 550 5.1.1 refuses.test\n",
	    "none 0 " },
	{ "1:later.test 2:closes.test", "0 deferred 450 4.2.0 later.test\n",
	    "none 0 " },
	{ "1:later.test 2:hangs.test", "0 deferred 450 4.2.0 later.test\n",
	    "none 0 " },
	{ "1:says421.test 2:says554.test",
	    "0 deferred 421 4.3.2 says421.test\n",
	    "destination 0 says421.test: it leaves: 421 busy" },
	/* It may have taken it: no other host may get it. */
	{ "1:hangs.test 2:good.test", "0 deferred 0 4.4.2 hangs.test\n",
	    "destination 0 hangs.test: the server is too slow" },
	{ "1:says554.test", "0 failed 554 5.7.1 says554.test\n",
	    "destination 0 says554.test: greeting: 554 no mail here" },
	{ "1:says421.test", "0 deferred 421 4.3.2 says421.test\n",
	    "destination 0 says421.test: it leaves: 421 busy" },
	{ "1:nowhere.test", "0 failed 0 5.4.4 \n",
	    "none 0 nowhere.test: it has no address" },
	{ "1:injects.test", "0 deferred 0 4.7.5 injects.test\n",
	    "destination 0 injects.test: bytes in the clear behind the answer "
	    "to STARTTLS" },
	{ "1:us.test 2:good.test", "0 failed 0 5.4.6 us.test\n",
	    "none 0 us.test: mail for it loops back to this host" },
	{ "1:mx.here.test 2:good.test", "0 failed 0 5.4.6 \n",
	    "none 0 there.test: mail for it loops back to this host" },
	{ "0:", "0 failed 0 5.1.10 \n",
	    "none 0 there.test: the domain takes no mail (null MX)" },
	/* No TLS comes of it: in the clear, on a connection of its own. */
	{ "1:junk.test", "0 delivered 250 2.0.0 junk.test\n", "none 0 " },
};

static void
one_host_after_the_other_is_tried(void **state)
{
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		print_message("%s\n", hosts[i].mx);
		begin(state);
		mx = hosts[i].mx;
		run_job("there.test");
		assert_string_equal(outcomes, hosts[i].outcomes);
		assert_string_equal(ending, hosts[i].ending);
		end(state);
	}
}

/* What a server that is odd at each stage costs: its turn, and no mail. */
static const struct {
	enum manner manner;
	bool is_understood;
} manners[] = {
	{ SILENT, false },
	{ ENDLESS_LINE, false },
	{ ENDLESS_LINES, false },
	{ CHANGES_ITS_CODE, false },
	{ ENDS_LINES_WITH_CR, false },
	{ SPLITS, true },
	{ HAS_NUL, true },
};

static void
run_oddly(void **state, enum stage stage, enum manner manner, const char *said)
{
	begin(state);
	odd_stage = stage;
	odd_manner = manner;
	mx = "1:odd.test 2:good.test";
	run_job("there.test");
	if (strcmp(outcomes, said) != 0)
		fail_msg("stage %d manner %d: %s", stage, manner, outcomes);
	end(state);
}

static void
a_server_that_is_odd_at_any_stage_costs_no_mail(void **state)
{
	for (size_t i = 0; i < sizeof(manners) / sizeof(manners[0]); i++)
		for (int stage = 0; stage < STAGES; stage++)
			run_oddly(state, (enum stage)stage, manners[i].manner,
			    manners[i].is_understood
				? "0 delivered 250 2.0.0 odd.test\n"
			    : stage < AT_END
				? "0 delivered 250 2.0.0 good.test\n"
				: "0 deferred 0 4.4.2 odd.test\n");
}

/* From then on what it answers is anybody's guess, but never that it took a
 * message whose end it had not seen. */
static void
a_reply_to_nothing_makes_no_message_count_as_taken(void **state)
{
	for (int stage = 0; stage < AT_DATA; stage++)
		run_oddly(state, (enum stage)stage, SAYS_IT_TWICE,
		    "0 delivered 250 2.0.0 good.test\n");
	run_oddly(
	    state, AT_DATA, SAYS_IT_TWICE, "0 delivered 250 2.0.0 good.test\n");
	run_oddly(
	    state, AT_END, SAYS_IT_TWICE, "0 delivered 250 2.0.0 odd.test\n");
}

static void
a_domain_that_is_not_there_fails_and_one_that_does_not_answer_waits(
    void **state)
{
	run_job("none.test");
	assert_string_equal(outcomes, "0 failed 0 5.1.2 \n");
	run_job("down.test");
	assert_string_equal(outcomes, "0 deferred 0 4.4.3 \n");
	assert_non_null(strstr(ending, "destination"));
}

static void
a_connection_is_used_again(void **state)
{
	run_job("good.test");
	run_job("good.test");
	assert_string_equal(outcomes, "0 delivered 250 2.0.0 good.test\n");
	assert_string_equal(ending, "none 1 ");
	assert_int_equal(connections, 1);
	assert_int_equal(mails, 2);
	/* For another domain on the same host it is not. */
	mx = "1:good.test";
	run_job("there.test");
	assert_int_equal(connections, 2);
	/* All that goes by one host goes by one connection. */
	via = "good.test";
	run_job("one.test");
	run_job("another.test");
	assert_string_equal(ending, "none 1 ");
	assert_int_equal(connections, 3);
}

static void
a_host_that_said_later_is_not_asked_again_on_another_connection(void **state)
{
	mx = "1:later-rcpt.test 2:good.test";
	run_job("there.test");
	assert_string_equal(outcomes, "0 delivered 250 2.0.0 good.test\n");
	/* Both rest; good.test was the last, and is the first to be used. */
	mx = "1:later-rcpt.test";
	run_job("other.test");
	assert_int_equal(connections, 3);
	run_job("other.test");
	assert_string_equal(outcomes, "0 deferred 451 4.7.1 later-rcpt.test\n");
	assert_int_equal(connections, 3);
}

static void
what_one_host_lacks_another_may_have(void **state)
{
	mx = "1:good.test 2:drops.test";
	send_job(9001, "there.test", TRANSACTION_REQUIRETLS, RELAY_TLS_DEFAULT,
	    BODY, strlen(BODY));
	wait_for(is_done);
	assert_string_equal(outcomes, "0 failed 0 5.7.30 drops.test\n");
	assert_int_equal(connections, 2);
	assert_int_equal(mails, 0);
}

static void
a_connection_that_broke_meanwhile_costs_nothing(void **state)
{
	run_job("drops.test");
	run_job("drops.test");
	assert_string_equal(outcomes, "0 delivered 250 2.0.0 drops.test\n");
	assert_string_equal(ending, "none 0 ");
	assert_int_equal(connections, 2);
}

static void
only_so_many_connections_are_made(void **state)
{
	relay->limits.max_connections = 1;
	send_job(1001, "hangs.test", 0, RELAY_TLS_DEFAULT, BODY, strlen(BODY));
	wait_for(is_hanging);
	run_job("good.test");
	assert_string_equal(ending, "busy 0 too many connections at once");
	dones = 0;
	wait_for(is_done);
	/* One that rests makes room. */
	run_job("good.test");
	assert_string_equal(ending, "none 0 ");
	run_job("drops.test");
	assert_string_equal(ending, "none 0 ");
}

static void
cancel(uint64_t job)
{
	struct message message = { .type = MESSAGE_relay_cancel };

	message.relay_cancel.job = job;
	assert_int_equal(channel_send(spool, &message, NULL, 0), 0);
}

static bool
is_connected(void)
{
	return connections > 0;
}

static void
a_cancelled_job_is_over_at_once_unless_it_may_have_been_taken(void **state)
{
	send_job(2001, "silent.test", 0, RELAY_TLS_DEFAULT, BODY, strlen(BODY));
	wait_for(is_connected);
	cancel(2001);
	wait_for(is_done);
	assert_non_null(strstr(ending, "cancelled"));
	dones = 0;
	send_job(2002, "hangs.test", 0, RELAY_TLS_DEFAULT, BODY, strlen(BODY));
	wait_for(is_hanging);
	cancel(2002);
	wait_for(is_done);
	assert_non_null(strstr(ending, "too slow"));
	cancel(4711); /* nobody's */
}

static void
a_body_that_is_short_is_the_messages_trouble(void **state)
{
	send_job(3001, "good.test", 0, RELAY_TLS_DEFAULT, BODY, 5000);
	wait_for(is_done);
	assert_string_equal(ending, "message 0 the body is short");
	assert_int_equal(mails, 0);
}

static void
the_administrators_demands_are_kept(void **state)
{
	send_job(4001, "good.test", 0, RELAY_TLS_ENCRYPT, BODY, strlen(BODY));
	wait_for(is_done);
	assert_string_equal(outcomes, "0 deferred 0 4.7.5 good.test\n");
	dones = 0;
	outcomes[0] = '\0';
	send_job(4002, "junk.test", 0, RELAY_TLS_VERIFY, BODY, strlen(BODY));
	wait_for(is_done);
	assert_string_equal(outcomes, "0 deferred 0 4.7.5 junk.test\n");
	dones = 0;
	outcomes[0] = '\0';
	send_job(4003, "good.test", 0, RELAY_TLS_DANE, BODY, strlen(BODY));
	wait_for(is_done);
	assert_string_equal(outcomes, "0 deferred 0 4.7.5 \n");
	assert_int_equal(mails, 0);
}

static void
no_answer_about_tlsa_is_not_taken_for_none(void **state)
{
	security = DNS_SECURE;
	tlsa_result = DNS_FAILED;
	run_job("good.test");
	assert_string_equal(outcomes, "0 deferred 0 4.7.5 \n");
	assert_int_equal(connections, 0);
	tlsa_result = DNS_NO_DATA;
	run_job("good.test");
	assert_string_equal(outcomes, "0 delivered 250 2.0.0 good.test\n");
}

#define POLICY(mode, mx) \
	"version: STSv1\r\nmode: " mode "\r\nmx: " mx "\r\nmax_age: 1000\r\n"

static void
a_policy_is_kept(void **state)
{
	mx = "1:good.test";
	policy = POLICY("enforce", "good.test");
	run_job("there.test");
	assert_string_equal(outcomes, "0 deferred 0 4.7.5 good.test\n");
	assert_non_null(strstr(ending, "STARTTLS"));
	/* The record goes: what is kept is in force until it expires. */
	policy = NULL;
	run_job("there.test");
	assert_string_equal(outcomes, "0 deferred 0 4.7.5 good.test\n");
	assert_int_equal(mails, 0);
}

static void
a_host_that_the_policy_does_not_list_gets_nothing(void **state)
{
	mx = "1:good.test";
	policy = POLICY("enforce", "mx.there.test");
	run_job("there.test");
	assert_string_equal(outcomes, "0 deferred 0 4.7.5 \n");
	assert_int_equal(connections, 0);
}

static void
a_policy_in_testing_stops_nothing(void **state)
{
	mx = "1:good.test";
	policy = POLICY("testing", "mx.there.test");
	run_job("there.test");
	assert_string_equal(outcomes, "0 delivered 250 2.0.0 good.test\n");
}

static bool
are_three_done(void)
{
	return dones == 3;
}

static void
a_policy_is_fetched_once_for_all_who_wait(void **state)
{
	mx = "1:good.test";
	policy = POLICY("testing", "mx.there.test");
	for (uint64_t i = 7001; i <= 7003; i++)
		send_job(
		    i, "there.test", 0, RELAY_TLS_DEFAULT, BODY, strlen(BODY));
	wait_for(are_three_done);
	assert_int_equal(mails, 3);
	assert_int_equal(fetches, 1);
}

/* One in the middle forges the record, which nobody signed, and swallows what
 * goes to the host of the policy. */
static void
a_policy_that_does_not_come_leaves_that_of_before_in_force(void **state)
{
	mx = "1:good.test";
	policy = POLICY("enforce", "good.test");
	run_job("there.test");
	relay->limits.name_ms = 200; /* what does not come is not waited for */
	policy_id = "v=STSv1; id=2;";
	is_fetcher_silent = true;
	run_job("there.test");
	assert_string_equal(outcomes, "0 deferred 0 4.7.5 good.test\n");
	assert_int_equal(mails, 0);
}

/* -- What reports of TLS hear -- */

#define RUA "v=TLSRPTv1; rua=mailto:tls@there.test"

static bool
is_told(void)
{
	return told >= wanted;
}

static void
a_session_is_told_once_to_who_asks_for_reports(void **state)
{
	mx = "1:good.test";
	run_job("there.test");
	assert_int_equal(told, 0);
	rua = RUA;
	run_job("other.test");
	wait_for(is_told);
	assert_string_equal(sessions,
	    "no-policy-found starttls-not-supported other.test other.test "
	    "good.test there\n");
	run_job("other.test"); /* on the same connection */
	assert_string_equal(ending, "none 1 ");
	assert_int_equal(told, 1);
}

static const struct {
	const char *mx;
	enum dns_security security;
	enum dns_result tlsa;
	const char *policy;
	enum status fetched;
	const char *sessions;
} tallies[] = {
	/* Nothing that TLS would have to do with. */
	{ "1:says554.test", DNS_INSECURE, DNS_NO_DATA, NULL, STATUS_OK, "" },
	{ "1:junk.test", DNS_INSECURE, DNS_NO_DATA, NULL, STATUS_OK,
	    "no-policy-found validation-failure x.test x.test junk.test "
	    "there\n" },
	{ "1:injects.test", DNS_INSECURE, DNS_NO_DATA, NULL, STATUS_OK,
	    "no-policy-found validation-failure x.test x.test injects.test "
	    "there\n" },
	{ "1:good.test", DNS_SECURE, DNS_FAILED, NULL, STATUS_OK,
	    "tlsa dnssec-invalid x.test good.test good.test \n" },
	{ "1:good.test", DNS_BOGUS, DNS_NO_DATA, NULL, STATUS_OK,
	    "tlsa dnssec-invalid x.test x.test  \n" },
	{ "1:good.test", DNS_INSECURE, DNS_NO_DATA,
	    POLICY("enforce", "good.test"), STATUS_OK,
	    "sts starttls-not-supported x.test x.test good.test there\n" },
	{ "1:good.test", DNS_INSECURE, DNS_NO_DATA,
	    POLICY("testing", "good.test"), STATUS_OK,
	    "sts starttls-not-supported x.test x.test good.test there\n" },
	{ "1:good.test", DNS_INSECURE, DNS_NO_DATA,
	    POLICY("enforce", "other.test"), STATUS_OK,
	    "sts validation-failure x.test x.test good.test \n" },
	{ "1:good.test", DNS_INSECURE, DNS_NO_DATA, "nonsense", STATUS_OK,
	    "sts sts-policy-invalid x.test x.test  \n"
	    "no-policy-found starttls-not-supported x.test x.test good.test "
	    "there\n" },
	{ "1:good.test", DNS_INSECURE, DNS_NO_DATA, "", STATUS_REFUSED,
	    "sts sts-webpki-invalid x.test x.test  \n"
	    "no-policy-found starttls-not-supported x.test x.test good.test "
	    "there\n" },
	{ "1:good.test", DNS_INSECURE, DNS_NO_DATA, "", STATUS_MISSING,
	    "sts sts-policy-fetch-error x.test x.test  \n"
	    "no-policy-found starttls-not-supported x.test x.test good.test "
	    "there\n" },
};

static unsigned int
count_lines(const char *text)
{
	unsigned int count = 0;

	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

static void
what_is_wrong_with_tls_is_told_in_the_words_of_the_rfc(void **state)
{
	for (size_t i = 0; i < sizeof(tallies) / sizeof(tallies[0]); i++) {
		print_message("%s\n", tallies[i].sessions);
		begin(state);
		rua = RUA;
		mx = tallies[i].mx;
		security = tallies[i].security;
		tlsa_result = tallies[i].tlsa;
		policy = tallies[i].policy;
		policy_status = tallies[i].fetched;
		run_job("x.test");
		wanted = count_lines(tallies[i].sessions);
		wait_for(is_told);
		assert_string_equal(sessions, tallies[i].sessions);
		end(state);
	}
}

static void
nothing_is_told_where_the_administrator_decides(void **state)
{
	rua = RUA;
	send_job(8001, "good.test", 0, RELAY_TLS_MAY, BODY, strlen(BODY));
	wait_for(is_done);
	dones = 0;
	send_job(8002, "drops.test", 0, RELAY_TLS_NEVER, BODY, strlen(BODY));
	wait_for(is_done);
	settings->sends_tls_reports = false;
	relay_reload(relay, settings);
	run_job("good.test");
	assert_int_equal(rua_questions, 0);
	assert_int_equal(told, 0);
}

static void
new_authorities_are_believed_from_then_on(void **state)
{
	struct tls_client *before = relay->tls;

	relay_reload(relay, settings);
	assert_ptr_equal(relay->tls, before);
	settings->ca_pem = strdup("none");
	relay_reload(relay, settings);
	assert_ptr_not_equal(relay->tls, before);
	assert_int_equal(tls_client_kept(relay->tls), 0);
}

static void
without_a_fetcher_what_is_kept_counts(void **state)
{
	mx = "1:good.test";
	policy = POLICY("enforce", "good.test");
	run_job("there.test");
	channel_free(&fetcher);
	run_job("there.test");
	assert_string_equal(outcomes, "0 deferred 0 4.7.5 good.test\n");
	run_job("good.test"); /* nothing is kept of that one */
	assert_string_equal(outcomes, "0 delivered 250 2.0.0 good.test\n");
}

/* A listener whose queue is full: a connection to it hangs. */
static int
make_dead_address(int fillers[3])
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6,
		.sin6_addr = in6addr_loopback,
		.sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) == -1) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	assert_int_equal(listen(fd, 0), 0);
	for (int i = 0; i < 3; i++) {
		fillers[i] = socket(
		    AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(
		    fillers[i], (struct sockaddr *)&address, sizeof(address));
	}
	return fd;
}

static void
a_dead_address_is_not_waited_for(void **state)
{
	int fillers[3], fd;

	has_v6 = true;
	run_job("good.test"); /* refused there */
	assert_string_equal(outcomes, "0 delivered 250 2.0.0 good.test\n");
	fd = make_dead_address(fillers);
	if (fd == -1)
		skip(); /* there is no IPv6 */
	run_job("drops.test");
	assert_string_equal(outcomes, "0 delivered 250 2.0.0 drops.test\n");
	close(fd);
	for (int i = 0; i < 3; i++)
		close(fillers[i]);
}

static bool
is_stopped(void)
{
	return relay->resting == NULL;
}

static void
at_the_end_goodbye_is_said(void **state)
{
	run_job("good.test");
	relay_stop(relay);
	wait_for(is_stopped);
	assert_non_null(strstr(heard, "|QUIT|"));
}

static bool
is_cleared(void)
{
	return relay->connections == 0 && table_count(relay->jobs) == 0;
}

static void
without_a_spool_nothing_goes_on(void **state)
{
	send_job(5001, "silent.test", 0, RELAY_TLS_DEFAULT, BODY, strlen(BODY));
	wait_for(is_connected);
	channel_free(&spool);
	wait_for(is_cleared);
}

static void
a_resolver_that_comes_back_is_asked_again(void **state)
{
	static const struct channel_handler handler = { resolver_hears, gone };

	channel_free(&resolver);
	send_job(6001, "good.test", 0, RELAY_TLS_DEFAULT, BODY, strlen(BODY));
	resolver = play(ROLE_RESOLVER, &handler);
	wait_for(is_done);
	assert_string_equal(outcomes, "0 delivered 250 2.0.0 good.test\n");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(mail_goes_to_the_best_host),
		TEST(without_mx_the_domain_is_the_host),
		cmocka_unit_test(one_host_after_the_other_is_tried),
		cmocka_unit_test(
		    a_server_that_is_odd_at_any_stage_costs_no_mail),
		cmocka_unit_test(
		    a_reply_to_nothing_makes_no_message_count_as_taken),
		TEST(
		    a_domain_that_is_not_there_fails_and_one_that_does_not_answer_waits),
		TEST(a_connection_is_used_again),
		TEST(
		    a_host_that_said_later_is_not_asked_again_on_another_connection),
		TEST(what_one_host_lacks_another_may_have),
		TEST(a_connection_that_broke_meanwhile_costs_nothing),
		TEST(only_so_many_connections_are_made),
		TEST(
		    a_cancelled_job_is_over_at_once_unless_it_may_have_been_taken),
		TEST(a_body_that_is_short_is_the_messages_trouble),
		TEST(the_administrators_demands_are_kept),
		TEST(no_answer_about_tlsa_is_not_taken_for_none),
		TEST(a_policy_is_kept),
		TEST(a_host_that_the_policy_does_not_list_gets_nothing),
		TEST(a_policy_in_testing_stops_nothing),
		TEST(a_policy_is_fetched_once_for_all_who_wait),
		TEST(
		    a_policy_that_does_not_come_leaves_that_of_before_in_force),
		TEST(a_session_is_told_once_to_who_asks_for_reports),
		cmocka_unit_test(
		    what_is_wrong_with_tls_is_told_in_the_words_of_the_rfc),
		TEST(new_authorities_are_believed_from_then_on),
		TEST(nothing_is_told_where_the_administrator_decides),
		TEST(without_a_fetcher_what_is_kept_counts),
		TEST(a_dead_address_is_not_waited_for),
		TEST(at_the_end_goodbye_is_said),
		TEST(without_a_spool_nothing_goes_on),
		TEST(a_resolver_that_comes_back_is_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
