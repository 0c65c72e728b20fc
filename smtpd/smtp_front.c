/*
 * The front's channels and counters.
 */
#include "smtpd/smtp_front.h"

#include "common/front_budget.h"
#include "common/front_tls.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "common/smtp_verdict.h"
#include "smtpd/smtp_session.h"

#include <sys/socket.h>
#include <unistd.h>

/* -- queue -- */

/* The queue has spoken, or was waited for long enough: clients are taken. */
static void
begin_service(void *context)
{
	struct smtp_front *front = context;

	if (!front->is_starting)
		return;
	front->is_starting = false;
	timer_stop(front->start_timer);
	for (size_t i = 0; i < front->listener_count; i++)
		listener_resume(front->listeners[i].listener);
}

static void
queue_received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct message_transaction_verdict *said =
	    &message->transaction_verdict;
	struct smtp_front *front = context;
	struct smtp_session *session;

	if (message->type == MESSAGE_queue_state) {
		front->store = (enum status)message->queue_state.status;
		begin_service(front);
		return;
	}
	session = table_find_u64(front->transactions, said->transaction);
	if (session != NULL)
		smtp_session_verdict(
		    session, said->verdict, said->text, said->full);
}

static void
queue_closed(struct channel *channel, const struct error *error, void *context)
{
	struct smtp_front *front = context;
	size_t position;
	void *session;

	process_peer_closed(error, ROLE_QUEUE, 0, front->queue_instance);
	channel_free(&front->queue);
	front->store = STATUS_UNAVAILABLE;
	/* A session that says goodbye leaves the table: begin again. */
	for (position = 0;
	     table_next(front->transactions, &position, NULL, NULL, &session);
	     position = 0)
		smtp_session_close(session, REPLY_NO_QUEUE);
}

/* -- authd -- */

static void
authd_received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message gone = { .type = MESSAGE_sender_gone };
	const struct message_smtp_login *login = &message->smtp_login;
	struct smtp_front *front = context;
	struct smtp_session *session;

	session = table_find_u64(front->sessions, login->connection);
	if (session != NULL) {
		smtp_session_login(session, login->result, login->user);
	} else if (login->result == LOGIN_OK && front->queue != NULL) {
		gone.sender_gone.connection = login->connection;
		(void)channel_send(front->queue, &gone, NULL, 0);
	}
}

static void
authd_closed(struct channel *channel, const struct error *error, void *context)
{
	struct smtp_front *front = context;
	size_t position = 0;
	void *session;

	process_peer_closed(error, ROLE_AUTHD, 0, front->authd_instance);
	channel_free(&front->authd);
	while (table_next(front->sessions, &position, NULL, NULL, &session))
		smtp_session_authd_gone(session);
}

/* -- Connections -- */

/* Nobody waits for a client who is sent away; without TLS from the first byte
 * he hears why. */
static void
refuse(const struct smtp_listener *listener, int fd, enum smtp_reply reply)
{
	char line[256];
	size_t size = smtp_reply_format(reply, line, sizeof(line));

	if (listener->setting.tls != LISTEN_TLS_IMPLICIT)
		(void)send(fd, line, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void
accepted(int fd, const struct listener_client *client,
    enum budget_verdict verdict, void *context)
{
	struct smtp_listener *listener = context;
	struct smtp_front *front = listener->front;
	const struct listen_setting *setting = &listener->setting;

	if (verdict != BUDGET_OK) {
		log_info("connection-refused", "proto=smtp ip=%s budget=%s",
		    client->ip, budget_name(verdict));
		refuse(listener, fd, smtp_reply_of_budget(verdict));
	} else if (setting->service == SERVICE_LMTP &&
		   setting->path[0] == '\0' &&
		   !network_list_has_ip(&setting->clients, client->ip)) {
		log_warning("lmtp-refused", "ip=%s", client->ip);
		refuse(listener, fd, REPLY_NOT_FOR_YOU);
		budget_release(front->budget, &client->budget);
	} else {
		(void)smtp_session_new(front, fd, setting, client);
	}
}

/* Those who send mail of others must leave some places. */
static bool
may_use_kept(enum service service)
{
	return service == SERVICE_SUBMIT || service == SERVICE_LOCAL;
}

void
smtp_front_listen(struct smtp_front *front, int fd)
{
	const struct listen_setting *setting =
	    settings_find_listener(front->settings, fd);
	struct smtp_listener *listener;
	struct listener_rules rules = { .budget = front->budget };

	if (setting == NULL ||
	    front->listener_count == 2 * SETTINGS_MAX_LISTENERS) {
		close(fd);
		return;
	}
	listener = &front->listeners[front->listener_count++];
	listener->front = front;
	listener->setting = *setting;
	rules.proxies = &listener->setting.proxies;
	rules.may_use_kept = may_use_kept(setting->service);
	listener->listener =
	    listener_new(front->loop, fd, &rules, accepted, listener);
	if (front->is_starting)
		listener_pause(listener->listener);
}

void
smtp_front_stop_listening(struct smtp_front *front)
{
	while (front->listener_count > 0)
		listener_free(
		    &front->listeners[--front->listener_count].listener);
}

static void
end_if_empty(struct smtp_front *front)
{
	if (front->is_stopping && table_count(front->sessions) == 0)
		event_loop_stop(front->loop);
}

void
smtp_front_left(struct smtp_front *front, uint64_t number,
    const struct budget_client *client)
{
	table_remove_u64(front->sessions, number);
	budget_release(front->budget, client);
	end_if_empty(front);
}

static void
stop_at_last(void *context)
{
	struct smtp_front *front = context;

	log_warning(
	    "stop-unfinished", "sessions=%zu", table_count(front->sessions));
	event_loop_stop(front->loop);
}

void
smtp_front_stop(struct smtp_front *front)
{
	size_t position = 0;
	void *session;

	if (front->is_stopping)
		return;
	smtp_front_stop_listening(front);
	front->is_stopping = true;
	timer_start(front->stop_timer, SMTP_STOP_TIMEOUT_MS);
	/* No session goes away in this: it ends when its output is sent. */
	while (table_next(front->sessions, &position, NULL, NULL, &session))
		smtp_session_run(session);
	end_if_empty(front);
}

/* -- All together -- */

struct smtp_front *
smtp_front_new(struct event_loop *loop, const struct settings *settings)
{
	struct smtp_front *front = memory_new(1, sizeof(*front));

	front->loop = loop;
	front->settings = settings;
	front->store = STATUS_UNAVAILABLE;
	front->keys = key_client_new(-1, ROLE_SMTPD);
	front->sessions = table_new();
	front->transactions = table_new();
	front->budget = front_budget_new(settings, true);
	front->stop_timer = timer_new(loop, stop_at_last, front);
	front->is_starting = true;
	front->start_timer = timer_new(loop, begin_service, front);
	timer_start(front->start_timer, SMTP_START_TIMEOUT_MS);
	front_tls_renew(&front->tls, front->settings, front->keys);
	return front;
}

void
smtp_front_reload(struct smtp_front *front, const struct settings *settings)
{
	front->settings = settings;
	front_budget_renew(front->budget, settings, true);
	front_tls_renew(&front->tls, front->settings, front->keys);
}

void
smtp_front_free(struct smtp_front **pointer)
{
	struct smtp_front *front = *pointer;
	size_t position = 0;
	void *session;

	if (front == NULL)
		return;
	smtp_front_stop_listening(front);
	while (table_next(front->sessions, &position, NULL, NULL, &session))
		smtp_session_free(session);
	table_free(&front->sessions);
	table_free(&front->transactions);
	budget_free(&front->budget);
	timer_free(&front->start_timer);
	timer_free(&front->stop_timer);
	channel_free(&front->queue);
	channel_free(&front->authd);
	key_client_free(&front->keys);
	tls_server_free(&front->tls);
	memory_free(pointer);
}

bool
smtp_front_introduce(
    struct smtp_front *front, int fd, enum role role, uint64_t instance)
{
	static const struct channel_handler queue_handler = { queue_received,
		queue_closed };
	static const struct channel_handler authd_handler = { authd_received,
		authd_closed };

	switch (role) {
	case ROLE_QUEUE:
		if (front->queue != NULL)
			queue_closed(front->queue, NULL, front);
		front->queue_instance = instance;
		front->queue = channel_new(front->loop, fd, ROLE_SMTPD,
		    ROLE_QUEUE, &queue_handler, front);
		return true;
	case ROLE_AUTHD:
		if (front->authd != NULL)
			authd_closed(front->authd, NULL, front);
		front->authd_instance = instance;
		front->authd = channel_new(front->loop, fd, ROLE_SMTPD,
		    ROLE_AUTHD, &authd_handler, front);
		return true;
	case ROLE_KEYD:
		key_client_replace(front->keys, fd);
		return true;
	default:
		return false;
	}
}
