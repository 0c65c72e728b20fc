/*
 * One struct login for each request.  An unknown user, a disabled account and
 * a wrong password go the same way and take the same time: where there is no
 * hash, that of another account is computed and its result thrown away.  The
 * front is told "ok" only after the grant is in force.
 */
#include "authd/login_desk.h"

#include "authd/login_delay.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/login.h"
#include "common/memory.h"
#include "common/process.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum login_state {
	LOGIN_DELAYED,
	LOGIN_CHECKED, /* in a child */
	LOGIN_GRANTED  /* waits for broker or queue */
};

struct front {
	struct login_desk *desk;
	struct front *next;
	struct channel *channel;
	enum role role;
	uint64_t instance;
};

struct login {
	struct login_desk *desk;
	struct login *next;
	struct front *front; /* NULL: gone, nobody to answer */
	enum login_state state;
	struct timer *timer;
	uint64_t connection;
	uint32_t account; /* 0: none that may log in */
	char user[321];
	char client_ip[65];
	char hash[513];
	size_t password_size;
	char password[1024];
};

struct login_desk {
	struct event_loop *loop;
	struct password_pool *pool;
	struct account_table *accounts;
	struct login_delay *by_address;
	struct login_delay *by_user;
	struct channel *broker;
	struct channel *queue;
	struct front *fronts;
	struct login *logins;
	size_t login_count;
};

struct login_desk *
login_desk_new(struct event_loop *loop, struct password_pool *pool,
    struct account_table *accounts)
{
	struct login_desk *desk = memory_new(1, sizeof(*desk));
	uint8_t key[16];

	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		fatal("no random bytes");
	desk->loop = loop;
	desk->pool = pool;
	desk->accounts = accounts;
	desk->by_address = login_delay_new(key);
	desk->by_user = login_delay_new(key);
	return desk;
}

static void
login_free(struct login *login)
{
	struct login **place = &login->desk->logins;

	while (*place != login)
		place = &(*place)->next;
	*place = login->next;
	login->desk->login_count--;
	timer_free(&login->timer);
	explicit_bzero(login, sizeof(*login));
	memory_free(&login);
}

void
login_desk_free(struct login_desk **desk)
{
	struct front *front;

	if (*desk == NULL)
		return;
	while ((*desk)->logins != NULL)
		login_free((*desk)->logins);
	while ((front = (*desk)->fronts) != NULL) {
		(*desk)->fronts = front->next;
		channel_free(&front->channel);
		memory_free(&front);
	}
	account_table_free(&(*desk)->accounts);
	login_delay_free(&(*desk)->by_address);
	login_delay_free(&(*desk)->by_user);
	memory_free(desk);
}

void
login_desk_set_accounts(struct login_desk *desk, struct account_table *accounts)
{
	account_table_free(&desk->accounts);
	desk->accounts = accounts;
}

static void
send_result(struct front *front, uint64_t connection, enum login_result result,
    const char *user)
{
	struct message message = { 0 };

	if (front->role == ROLE_SMTPD) {
		message.type = MESSAGE_smtp_login;
		message.smtp_login = (struct message_smtp_login){ connection,
			(uint8_t)result, text_of(user) };
	} else {
		message.type = MESSAGE_imap_login;
		message.imap_login = (struct message_imap_login){ connection,
			(uint8_t)result, text_of(user) };
	}
	(void)channel_send(front->channel, &message, NULL, 0);
}

static void
answer(struct login *login, enum login_result result)
{
	if (login->front != NULL)
		send_result(login->front, login->connection, result,
		    result == LOGIN_OK ? login->user : "");
	login_free(login);
}

static void
deny(struct login *login)
{
	struct login_desk *desk = login->desk;
	struct text ip = text_of(login->client_ip);
	int64_t now_us = clock_monotonic_us();

	login_delay_failed(desk->by_address, ip, now_us);
	login_delay_failed(desk->by_user, text_of(login->user), now_us);
	log_warning("auth-fail", "user=%s ip=%s proto=%s", login->user,
	    login->client_ip,
	    login->front != NULL && login->front->role == ROLE_SMTPD ? "smtp"
								     : "imap");
	answer(login, login_delay_mistakes(desk->by_address, ip, now_us) >=
			      LOGIN_DELAY_MANY
			  ? LOGIN_TOO_MANY
			  : LOGIN_FAILED);
}

/* Imap sessions are granted at the broker, senders at the queue. */
static void
grant(struct login *login)
{
	bool is_sender = login->front->role == ROLE_SMTPD;
	struct channel *channel =
	    is_sender ? login->desk->queue : login->desk->broker;
	struct message message = { 0 };

	login->state = LOGIN_GRANTED;
	if (is_sender) {
		message.type = MESSAGE_grant_sender;
		message.grant_sender =
		    (struct message_grant_sender){ login->front->instance,
			    login->connection, login->account,
			    text_of(login->user) };
	} else {
		message.type = MESSAGE_grant;
		message.grant = (struct message_grant){ login->front->instance,
			login->connection, login->account, text_of(login->user),
			text_of(login->client_ip) };
	}
	if (channel == NULL || channel_send(channel, &message, NULL, 0) == -1)
		answer(login, LOGIN_UNAVAILABLE);
}

static void
checked(bool is_right, void *context)
{
	struct login *login = context;

	if (login->front == NULL) {
		login_free(login);
	} else if (!is_right || login->account == 0) {
		deny(login);
	} else {
		login_delay_succeeded(
		    login->desk->by_address, text_of(login->client_ip));
		login_delay_succeeded(
		    login->desk->by_user, text_of(login->user));
		grant(login);
	}
}

static void
check(void *context)
{
	struct login *login = context;

	if (login->front == NULL) {
		login_free(login);
		return;
	}
	login->state = LOGIN_CHECKED;
	if (password_pool_check(login->desk->pool, login->hash,
		text_make(login->password, login->password_size), checked,
		login) == -1)
		answer(login, LOGIN_UNAVAILABLE);
	else
		explicit_bzero(login->password, sizeof(login->password));
}

/* What is computed for a user that is none: the first account's hash. */
static const char *
dummy_hash(const struct login_desk *desk)
{
	for (size_t i = 0; i < account_table_count(desk->accounts); i++) {
		const struct account *account =
		    account_table_at(desk->accounts, i);

		if (account->hash[0] != '\0')
			return account->hash;
	}
	return "$6$rounds=100000$firnmail$";
}

static void
find_account(struct login *login)
{
	const struct login_desk *desk = login->desk;
	const struct account *account =
	    account_find_address(desk->accounts, text_of(login->user));
	const char *hash = dummy_hash(desk);

	if (account != NULL && account->hash[0] != '\0') {
		hash = account->hash;
		if ((account->flags & ACCOUNT_DISABLED) == 0) {
			login->account = account->number;
			(void)text_copy(text_of(account->address), login->user,
			    sizeof(login->user));
		}
	}
	(void)text_copy(text_of(hash), login->hash, sizeof(login->hash));
}

static int64_t
delay_of(struct login *login)
{
	int64_t now_us = clock_monotonic_us();
	int64_t a = login_delay_ms(
	    login->desk->by_address, text_of(login->client_ip), now_us);
	int64_t b =
	    login_delay_ms(login->desk->by_user, text_of(login->user), now_us);

	return a > b ? a : b;
}

static void
begin(struct front *front, uint64_t connection, struct text user,
    struct text password, struct text client_ip)
{
	struct login_desk *desk = front->desk;
	struct login *login;
	int64_t delay_ms;

	if (desk->login_count == LOGIN_DESK_MAX) {
		send_result(front, connection, LOGIN_UNAVAILABLE, "");
		return;
	}
	login = memory_new(1, sizeof(*login));
	login->desk = desk;
	login->front = front;
	login->connection = connection;
	login->timer = timer_new(desk->loop, check, login);
	login->next = desk->logins;
	desk->logins = login;
	desk->login_count++;
	(void)text_copy(user, login->user, sizeof(login->user));
	(void)text_copy(client_ip, login->client_ip, sizeof(login->client_ip));
	if (password.size > 0)
		memcpy(login->password, password.data, password.size);
	login->password_size = password.size;
	find_account(login);
	delay_ms = delay_of(login);
	if (delay_ms > 0)
		timer_start(login->timer, delay_ms);
	else
		check(login);
}

static void
front_received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct message_smtp_credentials *smtp =
	    &message->smtp_credentials;
	const struct message_imap_credentials *imap =
	    &message->imap_credentials;

	if (message->type == MESSAGE_smtp_credentials)
		begin(context, smtp->connection, smtp->user, smtp->password,
		    smtp->client_ip);
	else if (message->type == MESSAGE_imap_credentials)
		begin(context, imap->connection, imap->user, imap->password,
		    imap->client_ip);
}

static void
front_closed(struct channel *channel, const struct error *error, void *context)
{
	struct front *front = context;
	struct front **place = &front->desk->fronts;
	struct login *next;

	for (struct login *login = front->desk->logins; login != NULL;
	     login = next) {
		next = login->next;
		if (login->front != front)
			continue;
		login->front = NULL;
		if (login->state != LOGIN_CHECKED)
			login_free(login); /* a child still holds the others */
	}
	while (*place != front)
		place = &(*place)->next;
	*place = front->next;
	process_peer_closed(error, front->role, 0, front->instance);
	channel_free(&front->channel);
	memory_free(&front);
}

void
login_desk_add_front(
    struct login_desk *desk, int fd, enum role role, uint64_t instance)
{
	static const struct channel_handler handler = { front_received,
		front_closed };
	struct front *front = memory_new(1, sizeof(*front));

	front->desk = desk;
	front->role = role;
	front->instance = instance;
	front->next = desk->fronts;
	desk->fronts = front;
	front->channel =
	    channel_new(desk->loop, fd, ROLE_AUTHD, role, &handler, front);
}

/* Whoever should have granted is gone: what waits for it fails for now. */
static void
forget_grants(struct login_desk *desk, enum role front_role)
{
	struct login *next;

	for (struct login *login = desk->logins; login != NULL; login = next) {
		next = login->next;
		if (login->state == LOGIN_GRANTED &&
		    login->front->role == front_role)
			answer(login, LOGIN_UNAVAILABLE);
	}
}

void
login_desk_set_broker(struct login_desk *desk, struct channel *broker)
{
	forget_grants(desk, ROLE_IMAPD);
	desk->broker = broker;
}

void
login_desk_set_queue(struct login_desk *desk, struct channel *queue)
{
	forget_grants(desk, ROLE_SMTPD);
	desk->queue = queue;
}

void
login_desk_granted(struct login_desk *desk, enum role by, uint64_t instance,
    uint64_t connection)
{
	enum role role = by == ROLE_QUEUE ? ROLE_SMTPD : ROLE_IMAPD;

	for (struct login *login = desk->logins; login != NULL;
	     login = login->next) {
		if (login->state != LOGIN_GRANTED ||
		    login->front->role != role ||
		    login->front->instance != instance ||
		    login->connection != connection)
			continue;
		answer(login, LOGIN_OK);
		return;
	}
}
