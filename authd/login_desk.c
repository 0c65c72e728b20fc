/*
 * One struct login for each request, in the order of arrival.  An unknown
 * user, a disabled account and a wrong password go the same way and take the
 * same time: where there is no hash, that of another account is computed and
 * its result thrown away.  When a password may be checked is login_gate.c's
 * to say; the cache is asked only then, so that a right guess shows no sooner
 * than a wrong one.  The front is told "ok" only after the grant is in force.
 */
#include "authd/login_desk.h"

#include "authd/dummy_hash.h"
#include "authd/login_cache.h"
#include "authd/login_gate.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/login.h"
#include "common/memory.h"
#include "common/process.h"

#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

enum login_state {
	LOGIN_ARRIVED,
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
	enum role role;      /* the front's */
	enum login_state state;
	struct login_who who;
	struct login_proof proof;
	uint64_t generation; /* of the accounts that `hash` is from */
	int64_t arrived_us;
	struct timer *timer;
	uint64_t connection;
	uint32_t account; /* 0: none that may log in */
	bool is_trusted;  /* root, or one whom he trusts */
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
	struct local_users *local_users; /* NULL: uids only */
	uint64_t generation;             /* raised when accounts are new */
	const char *dummy_hash;
	struct login_gate *gate;
	struct login_cache *cache;
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
	uint8_t key[32];

	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		fatal("why=\"no random bytes\"");
	desk->loop = loop;
	desk->pool = pool;
	desk->accounts = accounts;
	desk->dummy_hash = dummy_hash_choose(accounts);
	desk->gate = login_gate_new();
	desk->cache = login_cache_new(key);
	explicit_bzero(key, sizeof(key));
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
	local_users_free(&(*desk)->local_users);
	login_gate_free(&(*desk)->gate);
	login_cache_free(&(*desk)->cache);
	memory_free(desk);
}

void
login_desk_set_accounts(struct login_desk *desk, struct account_table *accounts)
{
	account_table_free(&desk->accounts);
	desk->accounts = accounts;
	desk->dummy_hash = dummy_hash_choose(accounts);
	desk->generation++;
	login_cache_clear(desk->cache);
}

void
login_desk_set_local_users(struct login_desk *desk, struct local_users *users)
{
	local_users_free(&desk->local_users);
	desk->local_users = users;
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

/* A name in the log is what a stranger sent: no byte of it may look like
 * another pair. */
static void
name_for_log(const char *user, char name[321])
{
	size_t i;

	for (i = 0; i < 320 && user[i] != '\0'; i++)
		name[i] = user[i] <= ' ' || user[i] == '=' || user[i] == '"' ||
				  user[i] == 0x7f
			      ? '?'
			      : user[i];
	name[i] = '\0';
}

/* The form of these lines is fixed: fail2ban reads them. */
static void
log_outcome(const struct login *login, bool is_right)
{
	const char *proto = login->role == ROLE_SMTPD ? "smtp" : "imap";
	char name[321];

	name_for_log(login->user, name);
	if (is_right)
		log_info("auth-ok", "user=%s ip=%s proto=%s", name,
		    login->client_ip, proto);
	else
		log_warning("auth-fail", "user=%s ip=%s proto=%s", name,
		    login->client_ip, proto);
}

static void
deny(struct login *login)
{
	bool is_too_many = login_gate_is_too_many(
	    login->desk->gate, &login->who, clock_monotonic_us());

	log_outcome(login, false);
	answer(login, is_too_many ? LOGIN_TOO_MANY : LOGIN_FAILED);
}

/* Imap sessions are granted at the broker, senders at the queue. */
static void
grant(struct login *login)
{
	bool is_sender = login->role == ROLE_SMTPD;
	struct channel *channel =
	    is_sender ? login->desk->queue : login->desk->broker;
	struct message message = { 0 };
	bool is_sent;

	login->state = LOGIN_GRANTED;
	if (is_sender) {
		message.type = MESSAGE_grant_sender;
		message.grant_sender =
		    (struct message_grant_sender){ login->front->instance,
			    login->connection, login->account,
			    text_of(login->user), login->is_trusted };
	} else {
		message.type = MESSAGE_grant;
		message.grant = (struct message_grant){ login->front->instance,
			login->connection, login->account, text_of(login->user),
			text_of(login->client_ip) };
	}
	is_sent =
	    channel != NULL && channel_send(channel, &message, NULL, 0) == 0;
	log_outcome(login, true); /* for which nobody waits */
	if (!is_sent)
		answer(login, LOGIN_UNAVAILABLE);
}

/* -- Waiting and checking -- */

/* A check has ended: others of the same address or pair may go on. */
static void
wake_others(struct login_desk *desk, const struct login_who *who)
{
	struct login *next;

	for (struct login *login = desk->logins; login != NULL; login = next) {
		next = login->next;
		if (login->state == LOGIN_DELAYED &&
		    (login->who.address == who->address ||
			login->who.pair == who->pair))
			timer_start(login->timer, 0);
	}
}

static enum login_outcome
outcome_of(const struct login *login, enum password_result result)
{
	if (result == PASSWORD_UNKNOWN)
		return LOGIN_WAS_NOT_CHECKED;
	return result == PASSWORD_RIGHT && login->account != 0
		   ? LOGIN_WAS_RIGHT
		   : LOGIN_WAS_WRONG;
}

static void
decide(struct login *login, enum login_outcome outcome)
{
	if (login->front == NULL) {
		if (outcome == LOGIN_WAS_WRONG)
			log_outcome(login, false);
		login_free(login);
	} else if (outcome == LOGIN_WAS_NOT_CHECKED) {
		answer(login, LOGIN_UNAVAILABLE);
	} else if (outcome == LOGIN_WAS_WRONG) {
		deny(login);
	} else {
		grant(login);
	}
}

static void
checked(enum password_result result, void *context)
{
	struct login *login = context;
	struct login_desk *desk = login->desk;
	enum login_outcome outcome = outcome_of(login, result);
	struct login_who who = login->who;
	int64_t now_us = clock_monotonic_us();

	login_gate_finished(desk->gate, &who, outcome, now_us);
	/* Not what was found in accounts that are no longer the ones. */
	if (outcome == LOGIN_WAS_RIGHT && login->generation == desk->generation)
		login_cache_add(desk->cache, login->proof, now_us);
	decide(login, outcome);
	wake_others(desk, &who);
}

static void
check(struct login *login)
{
	struct login_desk *desk = login->desk;
	struct text hash = text_of(login->hash);
	struct text password = text_make(login->password, login->password_size);
	int64_t now_us = clock_monotonic_us();
	int result;

	login->state = LOGIN_CHECKED;
	login_gate_started(desk->gate, &login->who, now_us);
	login->proof = login_cache_proof(desk->cache, hash, password);
	if (login->account != 0 &&
	    login_cache_has(desk->cache, login->proof, now_us)) {
		explicit_bzero(login->password, sizeof(login->password));
		login_gate_finished(
		    desk->gate, &login->who, LOGIN_WAS_RIGHT, now_us);
		grant(login);
		return;
	}
	result =
	    password_pool_check(desk->pool, hash, password, checked, login);
	explicit_bzero(login->password, sizeof(login->password));
	if (result == -1) {
		login_gate_finished(
		    desk->gate, &login->who, LOGIN_WAS_NOT_CHECKED, now_us);
		answer(login, LOGIN_UNAVAILABLE);
	}
}

static bool
may_wait(const struct login *login)
{
	const struct login_desk *desk = login->desk;
	size_t of_address = 0;

	if (desk->login_count > LOGIN_DESK_MAX_WAITING)
		return false;
	for (const struct login *other = desk->logins; other != NULL;
	     other = other->next)
		if (other != login && other->state == LOGIN_DELAYED &&
		    (login->who.is_local
			    ? other->who.pair == login->who.pair
			    : other->who.address == login->who.address))
			of_address++;
	return of_address < LOGIN_DESK_MAX_WAITING_OF_ADDRESS;
}

static void
try_check(struct login *login)
{
	int64_t wait_ms = login_gate_wait_ms(login->desk->gate, &login->who,
	    login->arrived_us, clock_monotonic_us());

	if (wait_ms == 0) {
		check(login);
		return;
	}
	if (login->state == LOGIN_ARRIVED && !may_wait(login)) {
		answer(login, LOGIN_TOO_MANY);
		return;
	}
	login->state = LOGIN_DELAYED;
	if (wait_ms != LOGIN_GATE_WAIT)
		timer_start(login->timer, wait_ms);
}

static void
on_timer(void *context)
{
	try_check(context);
}

/* -- Fronts -- */

static void
find_account(struct login *login)
{
	const struct login_desk *desk = login->desk;
	const struct account *account =
	    account_find_address(desk->accounts, text_of(login->user));
	const char *hash = desk->dummy_hash;

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

static struct login *
login_new(struct front *front, uint64_t connection)
{
	struct login_desk *desk = front->desk;
	struct login *login = memory_new(1, sizeof(*login));
	struct login **last = &desk->logins;

	login->desk = desk;
	login->front = front;
	login->role = front->role;
	login->connection = connection;
	login->generation = desk->generation;
	login->arrived_us = clock_monotonic_us();
	login->timer = timer_new(desk->loop, on_timer, login);
	while (*last != NULL) /* who came first goes first */
		last = &(*last)->next;
	*last = login;
	desk->login_count++;
	return login;
}

static void
begin(struct front *front, uint64_t connection, struct text user,
    struct text password, struct text client_ip)
{
	struct login_desk *desk = front->desk;
	struct login *login;

	if (desk->login_count == LOGIN_DESK_MAX) {
		send_result(front, connection, LOGIN_UNAVAILABLE, "");
		return;
	}
	login = login_new(front, connection);
	(void)text_copy(user, login->user, sizeof(login->user));
	(void)text_copy(client_ip, login->client_ip, sizeof(login->client_ip));
	if (password.size > 0)
		memcpy(login->password, password.data, password.size);
	login->password_size = password.size;
	login->who = login_gate_who(desk->gate, user, client_ip);
	find_account(login);
	try_check(login);
}

/* Who holds the other end of a stream that came through a name in the file
 * system: true, and his uid. A channel between processes of ours is none. */
static bool
find_peer(int fd, uint32_t *uid)
{
	struct sockaddr_un bound = { 0 };
	socklen_t bound_size = sizeof(bound);
	struct ucred peer;
	socklen_t peer_size = sizeof(peer), type_size = sizeof(int);
	int type;

	if (fd == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) == -1 ||
	    type != SOCK_STREAM ||
	    getsockname(fd, (struct sockaddr *)&bound, &bound_size) == -1 ||
	    bound.sun_family != AF_UNIX ||
	    bound_size <= offsetof(struct sockaddr_un, sun_path) + 1 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) == -1)
		return false;
	*uid = peer.uid;
	return true;
}

/* A user of this machine needs no password: the kernel says who he is. */
static void
begin_local(struct front *front, uint64_t connection, int fd)
{
	struct login_desk *desk = front->desk;
	struct login *login;
	uint32_t uid;

	if (!find_peer(fd, &uid)) {
		send_result(front, connection, LOGIN_FAILED, "");
	} else if (desk->login_count == LOGIN_DESK_MAX) {
		send_result(front, connection, LOGIN_UNAVAILABLE, "");
	} else {
		login = login_new(front, connection);
		login->is_trusted =
		    local_users_find(desk->local_users, uid, login->user);
		(void)text_copy(
		    TEXT("local"), login->client_ip, sizeof(login->client_ip));
		grant(login);
	}
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
	else if (message->type == MESSAGE_smtp_local)
		begin_local(context, message->smtp_local.connection, fds[0]);
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

/* Who waits for one that is gone is told to come again. */
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
