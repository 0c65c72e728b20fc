/*
 * authd between false fronts, a false broker and queue, and real password
 * children: a front hears "ok" only after the grant was acknowledged, cannot
 * tell an unknown user from a wrong password, and whoever goes away takes
 * nothing with him.
 */
#include "authd/login_desk.h"

#include "common/file.h"
#include "common/log.h"
#include "common/login.h"

#include <crypt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define CHEAP  "$6$rounds=1000$salt"
#define COSTLY "$6$rounds=1000000$salt" /* some tenths of a second */

enum {
	INSTANCE = 77,
	MANY = 60
};

static struct event_loop *loop;
static struct password_pool *pool;
static struct login_desk *desk;
static struct timer *deadline;
static struct channel *front;
static struct channel *authd_end; /* of broker's or queue's channel */
static struct channel *granter;
static int grants;
static int answers;
static int answers_wanted;
static int grants_at_answer;
static bool grants_are_answered;
static enum login_result result;
static int results[4];
static char user[400];
static uint64_t connection;
static const char *local_user; /* who is expected; NULL: nobody */

static void
note_answer(uint8_t how, struct text name)
{
	result = (enum login_result)how;
	results[how]++;
	(void)text_copy(name, user, sizeof(user));
	grants_at_answer = grants;
	if (++answers == answers_wanted)
		event_loop_stop(loop);
}

static void
front_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_imap_login)
		note_answer(
		    message->imap_login.result, message->imap_login.user);
	else if (message->type == MESSAGE_smtp_login)
		note_answer(
		    message->smtp_login.result, message->smtp_login.user);
	else
		fail();
}

static void
granter_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message answer = { 0 };

	grants++;
	if (message->type == MESSAGE_grant) {
		const struct message_grant *grant = &message->grant;

		assert_int_equal(grant->instance, INSTANCE);
		assert_int_equal(grant->account, 3);
		answer.type = MESSAGE_granted;
		answer.granted = (struct message_granted){ grant->instance,
			grant->connection };
	} else {
		const struct message_grant_sender *grant =
		    &message->grant_sender;

		assert_int_equal(message->type, MESSAGE_grant_sender);
		assert_int_equal(grant->instance, INSTANCE);
		assert_int_equal(grant->account, local_user != NULL ? 0 : 3);
		assert_true(text_is(grant->user,
		    local_user != NULL ? local_user : "alice@example.org"));
		assert_int_equal(
		    grant->is_trusted, local_user != NULL && geteuid() == 0);
		answer.type = MESSAGE_sender_granted;
		answer.sender_granted =
		    (struct message_sender_granted){ grant->instance,
			    grant->connection };
	}
	if (grants_are_answered)
		assert_int_equal(channel_send(channel, &answer, NULL, 0), 0);
	else
		event_loop_stop(loop);
}

static void
authd_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_granted)
		login_desk_granted(desk, ROLE_BROKER, message->granted.instance,
		    message->granted.connection);
	else
		login_desk_granted(desk, ROLE_QUEUE,
		    message->sender_granted.instance,
		    message->sender_granted.connection);
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
	fail_msg("too late");
}

static struct account_table *
accounts_new(const char *password, const char *setting)
{
	struct account_table *table = account_table_new();
	struct crypt_data data = { 0 };
	struct account account = { .number = 3,
		.address = "alice@example.org" };

	account.hash = crypt_rn(password, setting, &data, sizeof(data));
	assert_int_equal(account_table_add(table, &account), 0);
	account.number = 4;
	account.address = "off@example.org";
	account.flags = ACCOUNT_DISABLED;
	assert_int_equal(account_table_add(table, &account), 0);
	return table;
}

/* A front of `role`, and who grants to it. */
static void
begin_as(enum role role)
{
	static const struct channel_handler front_handler = { front_hears,
		closed };
	static const struct channel_handler granter_handler = { granter_hears,
		closed };
	static const struct channel_handler authd_handler = { authd_hears,
		closed };
	enum role by = role == ROLE_SMTPD ? ROLE_QUEUE : ROLE_BROKER;
	struct error error;
	int ends[2];

	grants = answers = 0;
	memset(results, 0, sizeof(results));
	grants_are_answered = true;
	pool = password_pool_new(1, confine, NULL, &error);
	loop = event_loop_new();
	deadline = timer_new(loop, late, NULL);
	timer_start(deadline, 20000);
	password_pool_start(pool, loop, lost, NULL);
	desk = login_desk_new(loop, pool, accounts_new("secret", CHEAP));
	assert_int_equal(channel_pair(ends, &error), 0);
	login_desk_add_front(desk, ends[0], role, INSTANCE);
	front =
	    channel_new(loop, ends[1], role, ROLE_AUTHD, &front_handler, NULL);
	assert_int_equal(channel_pair(ends, &error), 0);
	authd_end =
	    channel_new(loop, ends[0], ROLE_AUTHD, by, &authd_handler, NULL);
	granter =
	    channel_new(loop, ends[1], by, ROLE_AUTHD, &granter_handler, NULL);
	if (by == ROLE_QUEUE)
		login_desk_set_queue(desk, authd_end);
	else
		login_desk_set_broker(desk, authd_end);
}

static void
end(void)
{
	channel_free(&front);
	login_desk_free(&desk);
	channel_free(&granter);
	channel_free(&authd_end);
	password_pool_free(&pool);
	timer_free(&deadline);
	event_loop_free(&loop);
}

static void
say(const char *name, const char *password, const char *ip)
{
	struct message message = { 0 };

	if (channel_peer(granter) != ROLE_AUTHD)
		fail();
	connection++;
	if (authd_end != NULL && channel_peer(authd_end) == ROLE_QUEUE) {
		message.type = MESSAGE_smtp_credentials;
		message.smtp_credentials =
		    (struct message_smtp_credentials){ connection,
			    text_of(name), text_of(password), text_of(ip) };
	} else {
		message.type = MESSAGE_imap_credentials;
		message.imap_credentials =
		    (struct message_imap_credentials){ connection,
			    text_of(name), text_of(password), text_of(ip) };
	}
	assert_int_equal(channel_send(front, &message, NULL, 0), 0);
}

static void
wait_for_answers(int count)
{
	answers_wanted = count;
	if (answers < count)
		event_loop_run(loop);
	assert_int_equal(answers, count);
}

static const struct {
	const char *user;
	const char *password;
	enum login_result expected;
	const char *name;
} rows[] = {
	{ "Alice@example.org", "secret", LOGIN_OK, "alice@example.org" },
	{ "alice@example.org", "Secret", LOGIN_FAILED, "" },
	{ "nobody@example.org", "secret", LOGIN_FAILED, "" },
	{ "off@example.org", "secret", LOGIN_FAILED, "" },
	{ "", "", LOGIN_FAILED, "" },
	{ "alice@example.org", "secret", LOGIN_OK, "alice@example.org" },
};

static void
run_rows(enum role role)
{
	begin_as(role);
	for (int i = 0; i < (int)(sizeof(rows) / sizeof(rows[0])); i++) {
		grants = 0;
		say(rows[i].user, rows[i].password, "127.0.0.1");
		wait_for_answers(i + 1);
		assert_int_equal(result, rows[i].expected);
		assert_string_equal(user, rows[i].name);
		assert_int_equal(
		    grants_at_answer, rows[i].expected == LOGIN_OK ? 1 : 0);
	}
	end();
}

static void
an_imap_login_is_granted_at_the_broker(void **state)
{
	run_rows(ROLE_IMAPD);
}

static void
an_smtp_login_is_granted_at_the_queue(void **state)
{
	run_rows(ROLE_SMTPD);
}

static void
without_anybody_to_grant_it_is_for_later(void **state)
{
	begin_as(ROLE_SMTPD);
	login_desk_set_queue(desk, NULL);
	say("alice@example.org", "secret", "192.0.2.1");
	wait_for_answers(1);
	assert_int_equal(result, LOGIN_UNAVAILABLE);
	/* It goes away while a grant is on its way. */
	login_desk_set_queue(desk, authd_end);
	grants_are_answered = false;
	say("alice@example.org", "secret", "192.0.2.1");
	event_loop_run(loop);
	assert_int_equal(grants, 1);
	assert_int_equal(answers, 1);
	login_desk_set_queue(desk, NULL);
	wait_for_answers(2);
	assert_int_equal(result, LOGIN_UNAVAILABLE);
	end();
}

static void
one_password_is_computed_once_until_accounts_are_new(void **state)
{
	begin_as(ROLE_IMAPD);
	login_desk_set_accounts(desk, accounts_new("secret", COSTLY));
	say("alice@example.org", "secret", "192.0.2.1");
	wait_for_answers(1);
	assert_int_equal(result, LOGIN_OK);
	/* Computed each time these would be too late. */
	for (int i = 0; i < 100; i++)
		say("alice@example.org", "secret", "192.0.2.1");
	wait_for_answers(101);
	assert_int_equal(results[LOGIN_OK], 101);
	login_desk_set_accounts(desk, accounts_new("other", CHEAP));
	say("alice@example.org", "secret", "192.0.2.1");
	wait_for_answers(102);
	assert_int_equal(result, LOGIN_FAILED);
	say("alice@example.org", "other", "192.0.2.1");
	wait_for_answers(103);
	assert_int_equal(result, LOGIN_OK);
	end();
}

static void
guesses_are_told_to_hang_up_and_others_go_on(void **state)
{
	begin_as(ROLE_IMAPD);
	say("alice@example.org", "secret", "192.0.2.1");
	wait_for_answers(1);
	/* Those that would have to wait behind 20 others are sent away. */
	for (int i = 0; i < MANY; i++)
		say("alice@example.org", "wrong", "192.0.2.66");
	wait_for_answers(1 + MANY - LOGIN_DESK_MAX_WAITING_OF_ADDRESS);
	assert_int_equal(results[LOGIN_FAILED], 3);
	assert_int_equal(results[LOGIN_TOO_MANY],
	    MANY - LOGIN_DESK_MAX_WAITING_OF_ADDRESS - 3);
	/* Who was here before does not wait for them. */
	say("alice@example.org", "secret", "192.0.2.1");
	wait_for_answers(answers + 1);
	assert_int_equal(results[LOGIN_OK], 2);
	end();
}

static void
a_front_that_dies_takes_its_logins_along(void **state)
{
	begin_as(ROLE_IMAPD);
	for (int i = 0; i < 10; i++)
		say("alice@example.org", "wrong", "192.0.2.66");
	grants_are_answered = false;
	say("alice@example.org", "secret", "127.0.0.1");
	event_loop_run(loop); /* until the grant is on its way */
	assert_int_equal(grants, 1);
	channel_free(&front);
	{
		static const struct channel_handler handler = { front_hears,
			closed };
		struct error error;
		int ends[2];

		assert_int_equal(channel_pair(ends, &error), 0);
		login_desk_add_front(desk, ends[0], ROLE_IMAPD, INSTANCE);
		front = channel_new(
		    loop, ends[1], ROLE_IMAPD, ROLE_AUTHD, &handler, NULL);
	}
	grants_are_answered = true;
	answers = 0;
	say("alice@example.org", "secret", "127.0.0.1");
	wait_for_answers(1);
	assert_int_equal(result, LOGIN_OK);
	assert_int_equal(grants, 2);
	end();
}

static void
say_local(int fd)
{
	struct message message = { .type = MESSAGE_smtp_local };

	message.smtp_local.connection = ++connection;
	assert_int_equal(
	    channel_send(front, &message, &fd, fd == -1 ? 0 : 1), 0);
	wait_for_answers(answers + 1);
}

/* The end of a connection through a name in the file system that a server
 * accepts. */
static int
accept_local(int *client)
{
	char path[] = "/tmp/login-desk-XXXXXX";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;

	assert_non_null(mkdtemp(path));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", path);
	assert_int_equal(
	    bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	*client = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(
	    connect(*client, (struct sockaddr *)&address, sizeof(address)), 0);
	fd = accept(listener, NULL, NULL);
	assert_int_not_equal(fd, -1);
	close(listener);
	unlink(address.sun_path);
	rmdir(path);
	return fd;
}

/* carol is trusted, and so is root, whatever he is called. */
static struct local_users *
read_users(int fd)
{
	char name[LOCAL_USER_SIZE];
	struct error error;
	struct local_users *users = local_users_read(fd, &error);

	assert_non_null(users);
	assert_true(local_users_find(users, 77, name));
	assert_string_equal(name, "carol");
	assert_false(local_users_find(users, 78, name));
	assert_string_equal(name, "uid-78");
	assert_int_equal(
	    local_users_find(users, geteuid(), name), geteuid() == 0);
	assert_string_equal(name, "carl");
	return users;
}

/* Who he is the kernel says, of a connection that came in by a name; sockets
 * that a front has anyway, or none, prove nothing. */
static void
a_local_user_is_who_the_kernel_says(void **state)
{
	char lines[100], number[LOCAL_USER_SIZE];
	int pair[2], client, fd, users;
	struct error error;

	begin_as(ROLE_SMTPD);
	say_local(-1);
	assert_int_equal(result, LOGIN_FAILED);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	say_local(pair[0]);
	assert_int_equal(result, LOGIN_FAILED);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(channel_pair(pair, &error), 0);
	say_local(pair[0]);
	assert_int_equal(result, LOGIN_FAILED);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(grants, 0);
	/* Without a list of names there is a number. */
	fd = accept_local(&client);
	snprintf(number, sizeof(number), "uid-%u", geteuid());
	local_user = number;
	say_local(fd);
	assert_int_equal(result, LOGIN_OK);
	snprintf(lines, sizeof(lines),
	    "%u bad name\n77 carol trusted\n%u carl\n", geteuid(), geteuid());
	users = file_sealed_memory("users", lines, strlen(lines), &error);
	login_desk_set_local_users(desk, read_users(users));
	close(users);
	local_user = "carl";
	say_local(fd);
	assert_int_equal(result, LOGIN_OK);
	assert_int_equal(grants, 2);
	local_user = NULL;
	close(fd);
	close(client);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_imap_login_is_granted_at_the_broker),
		cmocka_unit_test(an_smtp_login_is_granted_at_the_queue),
		cmocka_unit_test(without_anybody_to_grant_it_is_for_later),
		cmocka_unit_test(
		    one_password_is_computed_once_until_accounts_are_new),
		cmocka_unit_test(guesses_are_told_to_hang_up_and_others_go_on),
		cmocka_unit_test(a_front_that_dies_takes_its_logins_along),
		cmocka_unit_test(a_local_user_is_who_the_kernel_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
