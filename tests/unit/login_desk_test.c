/*
 * authd between a false front, a false broker and real password children: the
 * front hears "ok" only after the grant was acknowledged, and cannot tell an
 * unknown user from a wrong password.
 */
#include "authd/login_desk.h"

#include "common/log.h"
#include "common/login.h"

#include <crypt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <cmocka.h>

static struct event_loop *loop;
static struct login_desk *desk;
static struct channel *broker_at_authd;
static struct channel *broker;
static int grants;
static int answers;
static int grants_at_answer;
static enum login_result result;
static char user[400];

static void
front_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	assert_int_equal(message->type, MESSAGE_imap_login);
	assert_int_equal(message->imap_login.connection, 5);
	result = (enum login_result)message->imap_login.result;
	(void)text_copy(message->imap_login.user, user, sizeof(user));
	grants_at_answer = grants;
	answers++;
	event_loop_stop(loop);
}

static void
broker_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message granted = { .type = MESSAGE_granted };

	assert_int_equal(message->type, MESSAGE_grant);
	assert_int_equal(message->grant.instance, 77);
	assert_int_equal(message->grant.account, 3);
	grants++;
	granted.granted = (struct message_granted){ message->grant.instance,
		message->grant.connection };
	assert_int_equal(channel_send(channel, &granted, NULL, 0), 0);
}

static void
authd_hears_broker(struct channel *channel, const struct message *message,
    int *fds, void *context)
{
	login_desk_granted(desk, ROLE_BROKER, message->granted.instance,
	    message->granted.connection);
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	fail_msg("%s", error->text);
}

static void
confine(void *context)
{
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void
lost(void *context)
{
	fail_msg("the keeper is gone");
}

static void
late(void *context)
{
	event_loop_stop(loop);
}

static const struct {
	const char *user;
	const char *password;
	bool has_broker;
	enum login_result expected;
	const char *name;
} rows[] = {
	{ "Alice@example.org", "secret", true, LOGIN_OK, "alice@example.org" },
	{ "alice@example.org", "Secret", true, LOGIN_FAILED, "" },
	{ "nobody@example.org", "secret", true, LOGIN_FAILED, "" },
	{ "off@example.org", "secret", true, LOGIN_FAILED, "" },
	{ "alice@example.org", "secret", false, LOGIN_UNAVAILABLE, "" },
};

static struct account_table *
accounts_new(void)
{
	struct account_table *table = account_table_new();
	struct crypt_data data = { 0 };
	struct account account = { .number = 3,
		.address = "alice@example.org" };

	account.hash =
	    crypt_rn("secret", "$6$rounds=1000$salt", &data, sizeof(data));
	assert_int_equal(account_table_add(table, &account), 0);
	account.number = 4;
	account.address = "off@example.org";
	account.flags = ACCOUNT_DISABLED;
	assert_int_equal(account_table_add(table, &account), 0);
	return table;
}

static void
each_login_gets_its_answer(void **state)
{
	static const struct channel_handler front_handler = { front_hears,
		closed };
	static const struct channel_handler broker_handler = { broker_hears,
		closed };
	static const struct channel_handler authd_handler = {
		authd_hears_broker, closed
	};
	struct error error;
	struct password_pool *pool =
	    password_pool_new(1, confine, NULL, &error);
	struct channel *front;
	struct timer *timer;
	int ends[2];

	loop = event_loop_new();
	timer = timer_new(loop, late, NULL);
	timer_start(timer, 10000);
	password_pool_start(pool, loop, lost, NULL);
	desk = login_desk_new(loop, pool, accounts_new());
	assert_int_equal(channel_pair(ends, &error), 0);
	login_desk_add_front(desk, ends[0], ROLE_IMAPD, 77);
	front = channel_new(
	    loop, ends[1], ROLE_IMAPD, ROLE_AUTHD, &front_handler, NULL);
	assert_int_equal(channel_pair(ends, &error), 0);
	broker_at_authd = channel_new(
	    loop, ends[0], ROLE_AUTHD, ROLE_BROKER, &authd_handler, NULL);
	broker = channel_new(
	    loop, ends[1], ROLE_BROKER, ROLE_AUTHD, &broker_handler, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message message = { .type = MESSAGE_imap_credentials };

		grants = 0;
		message.imap_credentials =
		    (struct message_imap_credentials){ 5, text_of(rows[i].user),
			    text_of(rows[i].password), TEXT("192.0.2.1") };
		login_desk_set_broker(
		    desk, rows[i].has_broker ? broker_at_authd : NULL);
		assert_int_equal(channel_send(front, &message, NULL, 0), 0);
		event_loop_run(loop);
		assert_int_equal(answers, i + 1);
		assert_int_equal(result, rows[i].expected);
		assert_string_equal(user, rows[i].name);
		assert_int_equal(
		    grants_at_answer, rows[i].expected == LOGIN_OK ? 1 : 0);
	}
	channel_free(&front);
	channel_free(&broker);
	channel_free(&broker_at_authd);
	login_desk_free(&desk);
	password_pool_free(&pool);
	timer_free(&timer);
	event_loop_free(&loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_login_gets_its_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
