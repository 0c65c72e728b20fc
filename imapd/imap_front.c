/*
 * See imap_front.h.  Connection numbers are never used twice in the life of
 * the process: a late answer finds nobody.
 */
#include "imapd/imap_front.h"

#include "common/clock.h"
#include "common/front_budget.h"
#include "common/front_tls.h"
#include "common/key_client.h"
#include "common/log.h"
#include "common/login.h"
#include "common/memory.h"
#include "common/process.h"
#include "common/table.h"
#include "imapd/imap_login.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	/* A `*` listener has one for IPv4 and one for IPv6. */
	FRONT_MAX_SOCKETS = 2 * SETTINGS_MAX_LISTENERS
};

struct front_listener {
	struct imap_front *front;
	struct listener *listener;
	struct listen_setting setting;
};

struct imap_front {
	struct event_loop *loop;
	struct settings *settings;
	struct tls_server *tls;
	struct key_client *keys;
	struct budget *budget;
	size_t listener_count;
	struct front_listener listeners[FRONT_MAX_SOCKETS];
	struct channel *broker; /* the starter's, not ours to free */
	struct channel *authd;  /* NULL while it is away */
	uint64_t authd_instance;
	struct table *logins; /* by connection number */
	/* Of earlier fronts, which their workers have: by a number of the
	 * broker's, struct budget_client. */
	struct table *inherited;
	uint64_t last_connection;
};

/* -- Settings -- */

struct imap_front *
imap_front_new(struct event_loop *loop, struct settings *settings)
{
	struct imap_front *front = memory_new(1, sizeof(*front));

	front->loop = loop;
	front->settings = settings;
	front->keys = key_client_new(-1, ROLE_IMAPD);
	front->logins = table_new();
	front->inherited = table_new();
	front->budget = front_budget_new(settings, false);
	front_tls_renew(&front->tls, front->settings, front->keys);
	return front;
}

static void
stop_listening(struct imap_front *front)
{
	for (size_t i = 0; i < front->listener_count; i++)
		listener_free(&front->listeners[i].listener);
	front->listener_count = 0;
}

void
imap_front_free(struct imap_front **front)
{
	struct imap_front *f = *front;
	size_t position = 0;
	void *value;

	if (f == NULL)
		return;
	stop_listening(f);
	while (table_next(f->logins, &position, NULL, NULL, &value)) {
		struct imap_login *login = value;

		imap_login_free(&login);
	}
	table_free(&f->logins);
	position = 0;
	while (table_next(f->inherited, &position, NULL, NULL, &value))
		free(value);
	table_free(&f->inherited);
	channel_free(&f->authd);
	key_client_free(&f->keys);
	tls_server_free(&f->tls);
	budget_free(&f->budget);
	settings_free(&f->settings);
	memory_free(front);
}

/* -- Connections -- */

static void
accepted(int fd, const struct listener_client *client,
    enum budget_verdict verdict, void *context)
{
	struct front_listener *listener = context;
	struct imap_front *front = listener->front;
	bool has_no_tls =
	    listener->setting.tls == LISTEN_TLS_IMPLICIT && front->tls == NULL;
	uint64_t number;

	if (verdict != BUDGET_OK || has_no_tls) {
		log_info("connection-refused", "proto=imap ip=%s %s%s",
		    client->ip, verdict == BUDGET_OK ? "why=no-tls" : "budget=",
		    verdict == BUDGET_OK ? "" : budget_name(verdict));
		imap_login_refuse(fd, &listener->setting);
		if (verdict == BUDGET_OK)
			budget_release(front->budget, &client->budget);
		return;
	}
	number = ++front->last_connection;
	table_put_u64(front->logins, number,
	    imap_login_new(front, number, fd, client, &listener->setting));
}

void
imap_front_listen(struct imap_front *front, int fd)
{
	const struct listen_setting *setting =
	    settings_find_listener(front->settings, fd);
	struct front_listener *listener;
	struct listener_rules rules = { .budget = front->budget };

	if (setting == NULL || front->listener_count == FRONT_MAX_SOCKETS) {
		log_error("listener-unknown", "proto=imap");
		close(fd);
		return;
	}
	listener = &front->listeners[front->listener_count++];
	listener->front = front;
	listener->setting = *setting;
	rules.proxies = &listener->setting.proxies;
	listener->listener =
	    listener_new(front->loop, fd, &rules, accepted, listener);
}

void
imap_front_release(struct imap_front *front, uint64_t connection,
    const struct budget_client *client)
{
	struct imap_login *login = table_remove_u64(front->logins, connection);

	budget_release(front->budget, client);
	imap_login_free(&login);
}

bool
imap_front_mistake(struct imap_front *front, const struct budget_client *client,
    const char *ip)
{
	enum budget_verdict verdict =
	    budget_error(front->budget, client, clock_monotonic_us());

	if (verdict == BUDGET_OK)
		return true;
	log_info("too-many-errors", "proto=imap ip=%s budget=%s", ip,
	    budget_name(verdict));
	return false;
}

/* -- authd -- */

int
imap_front_ask_authd(struct imap_front *front, uint64_t connection,
    struct text user, struct text password, const char *ip)
{
	struct message message = { .type = MESSAGE_imap_credentials };

	message.imap_credentials.connection = connection;
	message.imap_credentials.user = user;
	message.imap_credentials.password = password;
	message.imap_credentials.client_ip = text_of(ip);
	if (front->authd == NULL)
		return -1;
	return channel_send(front->authd, &message, NULL, 0);
}

static void
authd_said(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct imap_front *front = context;
	struct imap_login *login;

	(void)channel;
	(void)fds;
	if (message->type != MESSAGE_imap_login)
		return;
	login = table_find_u64(front->logins, message->imap_login.connection);
	if (login != NULL)
		imap_login_answered(login, message->imap_login.result);
}

/* Those who wait for a verdict are told that none will come. */
static void
authd_gone(struct channel *channel, const struct error *error, void *context)
{
	struct imap_front *front = context;
	size_t position = 0;
	void *login;

	(void)channel;
	process_peer_closed(error, ROLE_AUTHD, 0, front->authd_instance);
	log_warning("authd-away", "why=\"%s\"", error->text);
	channel_free(&front->authd);
	while (table_next(front->logins, &position, NULL, NULL, &login))
		imap_login_answered(login, LOGIN_UNAVAILABLE);
}

static const struct channel_handler authd_handler = {
	.received = authd_said,
	.closed = authd_gone,
};

/* -- The broker -- */

void
imap_front_set_broker(struct imap_front *front, struct channel *broker)
{
	front->broker = broker;
}

int
imap_front_ask_broker(
    struct imap_front *front, const struct message_attach *wish, int fd)
{
	struct message message = { .type = MESSAGE_attach, .attach = *wish };

	return channel_send(front->broker, &message, &fd, fd != -1);
}

void
imap_front_tell(struct imap_front *front, enum message_type what,
    uint64_t connection, uint32_t turn)
{
	struct message message = { .type = what };

	if (what == MESSAGE_session_parked) {
		message.session_parked.connection = connection;
		message.session_parked.turn = turn;
	} else if (what == MESSAGE_session_resume) {
		message.session_resume.connection = connection;
	} else {
		message.session_gone.connection = connection;
	}
	(void)channel_send(front->broker, &message, NULL, 0);
}

static void
introduced(
    struct imap_front *front, const struct message_introduce *who, int *fd)
{
	if (who->role == ROLE_AUTHD) {
		channel_free(&front->authd);
		front->authd_instance = who->instance;
		front->authd = channel_new(front->loop, *fd, ROLE_IMAPD,
		    ROLE_AUTHD, &authd_handler, front);
		*fd = -1;
	} else if (who->role == ROLE_KEYD) {
		key_client_replace(front->keys, *fd);
		*fd = -1;
	}
}

static void
attached(
    struct imap_front *front, const struct message_attached *answer, int *fd)
{
	struct imap_login *login =
	    table_find_u64(front->logins, answer->connection);

	if (login == NULL)
		return;
	imap_login_attached(login, answer->status, *fd);
	*fd = -1;
}

static void
asleep(struct imap_front *front, const struct message_session_asleep *said)
{
	struct imap_login *login =
	    table_find_u64(front->logins, said->connection);

	if (login != NULL)
		imap_login_asleep(login, said->turn);
}

/* One that is gone has no use for the stream, which its worker then sees. */
static void
awake(
    struct imap_front *front, const struct message_session_awake *said, int *fd)
{
	struct imap_login *login =
	    table_find_u64(front->logins, said->connection);

	if (login == NULL)
		return;
	imap_login_awake(login, said, *fd);
	*fd = -1;
}

/* It is there, and there is nothing to be done for it but to count it. */
static void
inherited(
    struct imap_front *front, const struct message_session_inherited *said)
{
	struct budget_client *client = memory_new(1, sizeof(*client));
	char ip[LISTENER_ADDRESS_SIZE];

	if (text_copy(said->client_ip, ip, sizeof(ip)) == -1)
		ip[0] = '\0';
	*client = budget_client_of(front->budget, ip);
	budget_inherit(front->budget, client);
	client = table_put_u64(front->inherited, said->connection, client);
	if (client != NULL)
		budget_release(front->budget, client);
	free(client);
}

static void
over(struct imap_front *front, const struct message_session_over *said)
{
	struct imap_login *login =
	    table_find_u64(front->logins, said->connection);
	struct budget_client *client =
	    table_remove_u64(front->inherited, said->connection);

	if (login != NULL)
		imap_login_over(login, said);
	if (client != NULL)
		budget_release(front->budget, client);
	free(client);
}

/* A reload: connections live on, new ones meet the new settings. */
static void
reload(
    struct imap_front *front, const struct message_settings *message, int *fds)
{
	bool has_listeners = false;

	for (size_t i = 0; i < message->kinds.size; i++) {
		struct settings *settings;
		struct error error;

		if (message->kinds.data[i] == START_SETTINGS) {
			settings = settings_read_slice(fds[i], &error);
			if (settings == NULL) {
				log_error(
				    "reload-failed", "why=\"%s\"", error.text);
				return;
			}
			settings_free(&front->settings);
			front->settings = settings;
			front_budget_renew(front->budget, settings, false);
			front_tls_renew(
			    &front->tls, front->settings, front->keys);
		} else if (message->kinds.data[i] == START_LISTENER) {
			if (!has_listeners)
				stop_listening(front);
			has_listeners = true;
			imap_front_listen(front, fds[i]);
			fds[i] = -1;
		}
	}
}

static void
starter_said(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct imap_front *front = context;

	(void)channel;
	switch (message->type) {
	case MESSAGE_introduce:
		introduced(front, &message->introduce, &fds[0]);
		break;
	case MESSAGE_attached:
		attached(front, &message->attached, &fds[0]);
		break;
	case MESSAGE_session_asleep:
		asleep(front, &message->session_asleep);
		break;
	case MESSAGE_session_awake:
		awake(front, &message->session_awake, &fds[0]);
		break;
	case MESSAGE_session_over:
		over(front, &message->session_over);
		break;
	case MESSAGE_session_inherited:
		inherited(front, &message->session_inherited);
		break;
	case MESSAGE_settings:
		reload(front, &message->settings, fds);
		break;
	case MESSAGE_stop:
		event_loop_stop(front->loop);
		break;
	default:
		break;
	}
}

static void
starter_gone(struct channel *channel, const struct error *error, void *context)
{
	struct imap_front *front = context;

	(void)channel;
	log_warning("broker-gone", "why=\"%s\"", error->text);
	event_loop_stop(front->loop);
}

const struct channel_handler imap_front_starter = {
	.received = starter_said,
	.closed = starter_gone,
};

/* -- For the connections -- */

struct event_loop *
imap_front_loop(struct imap_front *front)
{
	return front->loop;
}

struct tls_server *
imap_front_tls(struct imap_front *front)
{
	return front->tls;
}

const char *
imap_front_host(const struct imap_front *front)
{
	return front->settings->host;
}
