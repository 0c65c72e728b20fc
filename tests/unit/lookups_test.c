/*
 * The resolver's side of its channels, with the real libunbound behind it,
 * whose only forwarder is a socket of ours that hears all and says nothing.
 */
#include "resolver/lookups.h"

#include "common/channel.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

enum {
	DEADLINE_MS = 300,
	GIVE_UP_MS = 60000,
	NO_NAME_TAG = 1000
};

struct fixture {
	struct event_loop *loop;
	struct lookups *lookups;
	struct channel *relay;
	struct timer *give_up;
	int silent; /* UDP */
	unsigned int failed;
	unsigned int wanted;
	uint64_t last_tag;
};

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct fixture *f = context;

	assert_int_equal(message->type, MESSAGE_relay_found);
	if (message->relay_found.result == DNS_NO_NAME) {
		assert_int_equal(message->relay_found.tag, NO_NAME_TAG);
		event_loop_stop(f->loop);
		return;
	}
	assert_int_equal(message->relay_found.result, DNS_FAILED);
	assert_int_equal(message->relay_found.security, DNS_INSECURE);
	assert_int_equal(message->relay_found.records.size, 0);
	f->last_tag = message->relay_found.tag;
	if (++f->failed == f->wanted)
		event_loop_stop(f->loop);
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	fail_msg("closed: %s", error->text);
}

static const struct channel_handler handler = { received, closed };

static void
too_late(void *context)
{
	fail_msg("nothing happens");
}

static void
connect_relay(struct fixture *f)
{
	int ends[2];

	assert_int_equal(channel_pair(ends, NULL), 0);
	assert_int_equal(lookups_serve(f->lookups, ends[0], ROLE_RELAY, 1), 0);
	f->relay = channel_new(
	    f->loop, ends[1], ROLE_RELAY, ROLE_RESOLVER, &handler, f);
}

static struct recursor *
make_recursor(struct fixture *f)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	struct settings *settings = settings_new();
	struct recursor *recursor;
	struct error error;

	assert_int_equal(
	    getsockname(f->silent, (struct sockaddr *)&address, &size), 0);
	settings->forwarder_count = 1;
	strcpy(settings->forwarders[0].address, "127.0.0.1");
	settings->forwarders[0].port = ntohs(address.sin_port);
	recursor = recursor_new(f->loop, settings, &error);
	if (recursor == NULL)
		fail_msg("%s", error.text);
	settings_free(&settings);
	return recursor;
}

static int
setup(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;
	struct sockaddr_in any = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	*f = (struct fixture){ .loop = event_loop_new() };
	f->silent = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(f->silent, (struct sockaddr *)&any, sizeof(any)), 0);
	f->lookups = lookups_new(f->loop, make_recursor(f), DEADLINE_MS);
	connect_relay(f);
	f->give_up = timer_new(f->loop, too_late, NULL);
	timer_start(f->give_up, GIVE_UP_MS);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	lookups_free(&f->lookups);
	channel_free(&f->relay);
	timer_free(&f->give_up);
	event_loop_free(&f->loop);
	close(f->silent);
	return 0;
}

static void
ask(struct fixture *f, uint64_t tag, const char *name)
{
	struct message message = { .type = MESSAGE_relay_lookup };

	message.relay_lookup.tag = tag;
	message.relay_lookup.type = DNS_MX;
	message.relay_lookup.name = text_of(name);
	assert_int_equal(channel_send(f->relay, &message, NULL, 0), 0);
}

/* What is no name is answered at once: what was asked before has arrived. */
static void
wait_until_asked(struct fixture *f)
{
	ask(f, NO_NAME_TAG, "no..name");
	event_loop_run(f->loop);
}

static void
a_question_has_a_deadline(void **state)
{
	struct fixture *f = *state;

	ask(f, 5, "silent.example");
	f->wanted = 1;
	event_loop_run(f->loop);
	assert_int_equal(f->failed, 1);
	assert_int_equal(f->last_tag, 5);
}

static void
each_question_is_answered(void **state)
{
	struct fixture *f = *state;

	for (uint64_t tag = 0; tag < 128; tag++)
		ask(f, tag, "silent.example");
	f->wanted = 128;
	event_loop_run(f->loop);
	assert_int_equal(f->failed, 128);
}

/* The first ones still wait. */
static void
too_many_at_once_fail(void **state)
{
	struct fixture *f = *state;

	lookups_free(&f->lookups);
	channel_free(&f->relay);
	f->lookups = lookups_new(f->loop, make_recursor(f), 60 * 1000);
	connect_relay(f);
	f->wanted = 1;
	for (uint64_t tag = 0; tag <= 2000; tag++)
		ask(f, tag, "silent.example");
	event_loop_run(f->loop);
	assert_int_equal(f->last_tag, 2000);
	wait_until_asked(f);
	/* What is known without asking anybody is said all the same. */
	ask(f, NO_NAME_TAG, "mx.invalid");
	event_loop_run(f->loop);
	assert_int_equal(f->failed, 1);
}

/* Those of one who is gone are not answered to the next one. */
static void
the_questions_of_one_who_is_gone_end(void **state)
{
	struct fixture *f = *state;

	for (uint64_t tag = 0; tag < 10; tag++)
		ask(f, tag, "silent.example");
	wait_until_asked(f);
	channel_free(&f->relay);
	connect_relay(f);
	f->failed = 0; /* on a slow machine some were answered before */
	f->wanted = 1;
	ask(f, 77, "silent.example");
	event_loop_run(f->loop);
	assert_int_equal(f->last_tag, 77);
	assert_int_equal(f->failed, 1);
}

static void
after_a_reload_questions_are_asked_again(void **state)
{
	struct fixture *f = *state;

	f->wanted = 2;
	ask(f, 2, "silent.example");
	ask(f, 3, "other.example");
	wait_until_asked(f);
	lookups_set_recursor(f->lookups, make_recursor(f));
	while (f->failed < f->wanted)
		event_loop_run(f->loop);
	assert_int_equal(f->failed, 2);
}

static void
nobody_else_may_ask(void **state)
{
	struct fixture *f = *state;
	int ends[2];

	assert_int_equal(channel_pair(ends, NULL), 0);
	assert_int_equal(lookups_serve(f->lookups, ends[0], ROLE_SMTPD, 1), -1);
	close(ends[1]);
}

static void
admin_received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct fixture *f = context;

	assert_int_equal(message->type, MESSAGE_admin_found);
	assert_int_equal(message->admin_found.tag, 9);
	assert_int_equal(message->admin_found.result, DNS_NO_NAME);
	event_loop_stop(f->loop);
}

/* Some commands at once, and a place again for each that ends. */
static void
the_administrator_asks_on_a_channel_of_his_own(void **state)
{
	static const struct channel_handler admin_handler = { admin_received,
		closed };
	struct fixture *f = *state;
	struct message message = { .type = MESSAGE_admin_lookup };
	struct channel *admin;
	int ends[LOOKUPS_MAX_ADMINS + 1][2], last = LOOKUPS_MAX_ADMINS;

	for (int i = 0; i <= last; i++) {
		assert_int_equal(channel_pair(ends[i], NULL), 0);
		assert_int_equal(
		    lookups_serve(f->lookups, ends[i][0], ROLE_FIRNMAIL, 0),
		    i < last ? 0 : -1);
	}
	close(ends[last][1]);
	admin = channel_new(f->loop, ends[0][1], ROLE_FIRNMAIL, ROLE_RESOLVER,
	    &admin_handler, f);
	message.admin_lookup.tag = 9;
	message.admin_lookup.type = DNS_MX;
	message.admin_lookup.name = TEXT("mx.invalid");
	assert_int_equal(channel_send(admin, &message, NULL, 0), 0);
	event_loop_run(f->loop);
	channel_free(&admin);
	for (int i = 1; i < last; i++)
		close(ends[i][1]);
	do { /* until they are known to be gone */
		wait_until_asked(f);
		assert_int_equal(channel_pair(ends[0], NULL), 0);
		close(ends[0][1]);
	} while (lookups_serve(f->lookups, ends[0][0], ROLE_FIRNMAIL, 0) == -1);
}

/* What the settings' own check let pass. */
static void
an_anchor_that_is_none_is_refused(void **state)
{
	struct fixture *f = *state;
	struct settings *settings = settings_new();
	struct error error;

	settings->anchor_count = 1;
	strcpy(settings->anchors[0], ". IN DS none");
	assert_null(recursor_new(f->loop, settings, &error));
	assert_non_null(strstr(error.text, "trust anchor"));
	settings_free(&settings);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_question_has_a_deadline),
		TEST(each_question_is_answered),
		TEST(too_many_at_once_fail),
		TEST(the_questions_of_one_who_is_gone_end),
		TEST(after_a_reload_questions_are_asked_again),
		TEST(nobody_else_may_ask),
		TEST(the_administrator_asks_on_a_channel_of_his_own),
		TEST(an_anchor_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
