/*
 * The front's channels and counters.
 */
#include "smtpd/smtp_front.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/smtp_verdict.h"
#include "smtpd/smtp_session.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	SIGN_TIMEOUT_MS = 5000
};

/* -- keyd -- */

static int
receive_signature(
    struct smtp_front *front, uint8_t *signature, size_t *signature_size)
{
	uint8_t *storage = memory_new(1, MESSAGE_MAX_SIZE);
	struct message message;
	int fds[CHANNEL_MAX_DESCRIPTORS];
	size_t fd_count;
	int result = -1;

	while (channel_receive_now(front->keyd_fd, ROLE_SMTPD, ROLE_KEYD,
		   SIGN_TIMEOUT_MS, storage, &message, fds, &fd_count,
		   NULL) == 0) {
		if (message.smtp_signature.tag != front->next_sign_tag)
			continue; /* of one that was given up */
		if (message.smtp_signature.status == STATUS_OK &&
		    message.smtp_signature.signature.size <= *signature_size) {
			*signature_size = message.smtp_signature.signature.size;
			memcpy(signature, message.smtp_signature.signature.data,
			    *signature_size);
			result = 0;
		}
		break;
	}
	free(storage);
	return result;
}

static int
ask_keyd(uint32_t key, uint16_t scheme, const void *data, size_t size,
    uint8_t *signature, size_t *signature_size, void *context)
{
	struct message message = { .type = MESSAGE_smtp_sign };
	struct smtp_front *front = context;

	if (front->keyd_fd == -1)
		return -1;
	message.smtp_sign.tag = ++front->next_sign_tag;
	message.smtp_sign.key = key;
	message.smtp_sign.scheme = scheme;
	message.smtp_sign.to_sign = text_make(data, size);
	if (channel_send_now(front->keyd_fd, ROLE_SMTPD, ROLE_KEYD, &message,
		NULL, 0, NULL) == -1)
		return -1;
	return receive_signature(front, signature, signature_size);
}

static void
make_tls(struct smtp_front *front)
{
	const struct tls_signer signer = { ask_keyd, front };
	const char *chains[SETTINGS_MAX_KEYS];
	struct tls_server *tls;
	struct error error;
	size_t i;

	for (i = 0; i < front->settings->key_count; i++)
		chains[i] = front->settings->keys[i].certificate_pem;
	if (i == 0)
		return;
	tls = tls_server_new(chains, i, &signer, &error);
	if (tls == NULL) {
		log_error("tls-certificate", "why=\"%s\"", error.text);
		return;
	}
	tls_server_free(&front->tls);
	front->tls = tls;
}

/* -- queue -- */

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
		return;
	}
	session = table_find_u64(front->transactions, said->transaction);
	if (session != NULL)
		smtp_session_verdict(session, said->verdict, said->text);
}

static void
queue_closed(struct channel *channel, const struct error *error, void *context)
{
	struct smtp_front *front = context;
	size_t position;
	void *session;

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

	channel_free(&front->authd);
	while (table_next(front->sessions, &position, NULL, NULL, &session))
		smtp_session_authd_gone(session);
}

/* -- All together -- */

struct smtp_front *
smtp_front_new(struct event_loop *loop, const struct settings *settings)
{
	struct smtp_front *front = memory_new(1, sizeof(*front));

	front->loop = loop;
	front->settings = settings;
	front->store = STATUS_UNAVAILABLE;
	front->keyd_fd = -1;
	front->sessions = table_new();
	front->transactions = table_new();
	front->addresses = table_new();
	make_tls(front);
	return front;
}

void
smtp_front_reload(struct smtp_front *front, const struct settings *settings)
{
	front->settings = settings;
	make_tls(front);
}

void
smtp_front_free(struct smtp_front **pointer)
{
	struct smtp_front *front = *pointer;
	size_t position;
	void *value;

	if (front == NULL)
		return;
	for (position = 0;
	     table_next(front->sessions, &position, NULL, NULL, &value);)
		smtp_session_free(value);
	for (position = 0;
	     table_next(front->addresses, &position, NULL, NULL, &value);)
		free(value);
	table_free(&front->sessions);
	table_free(&front->transactions);
	table_free(&front->addresses);
	channel_free(&front->queue);
	channel_free(&front->authd);
	if (front->keyd_fd != -1)
		close(front->keyd_fd);
	tls_server_free(&front->tls);
	memory_free(pointer);
}

bool
smtp_front_introduce(struct smtp_front *front, int fd, enum role role)
{
	static const struct channel_handler queue_handler = { queue_received,
		queue_closed };
	static const struct channel_handler authd_handler = { authd_received,
		authd_closed };

	switch (role) {
	case ROLE_QUEUE:
		if (front->queue != NULL)
			queue_closed(front->queue, NULL, front);
		front->queue = channel_new(front->loop, fd, ROLE_SMTPD,
		    ROLE_QUEUE, &queue_handler, front);
		return true;
	case ROLE_AUTHD:
		if (front->authd != NULL)
			authd_closed(front->authd, NULL, front);
		front->authd = channel_new(front->loop, fd, ROLE_SMTPD,
		    ROLE_AUTHD, &authd_handler, front);
		return true;
	case ROLE_KEYD:
		if (front->keyd_fd != -1)
			close(front->keyd_fd);
		front->keyd_fd = fd;
		return true;
	default:
		return false;
	}
}

void
smtp_front_stop(struct smtp_front *front)
{
	size_t position = 0;
	void *session;

	while (table_next(front->sessions, &position, NULL, NULL, &session))
		smtp_session_close(session, REPLY_SHUTDOWN);
}

/* IPv6 clients are counted by their /64: a site has no fewer addresses. */
static size_t
address_key(const char *client_ip, struct in6_addr *key)
{
	memset(key, 0, sizeof(*key));
	if (inet_pton(AF_INET6, client_ip, key) == 1)
		return 8;
	return inet_pton(AF_INET, client_ip, key) == 1 ? 4 : 0;
}

bool
smtp_front_enter(struct smtp_front *front, const char *client_ip)
{
	struct in6_addr key;
	size_t key_size = address_key(client_ip, &key), *count;

	if (table_count(front->sessions) >= front->settings->max_connections)
		return false;
	count = table_find(front->addresses, &key, key_size);
	if (count == NULL) {
		count = memory_new(1, sizeof(*count));
		table_put(front->addresses, &key, key_size, count);
	}
	if (*count >= front->settings->max_connections_per_address)
		return false;
	(*count)++;
	return true;
}

void
smtp_front_left(struct smtp_front *front, const char *client_ip)
{
	struct in6_addr key;
	size_t key_size = address_key(client_ip, &key);
	size_t *count = table_find(front->addresses, &key, key_size);

	if (count != NULL && --*count == 0) {
		table_remove(front->addresses, &key, key_size);
		free(count);
	}
}
