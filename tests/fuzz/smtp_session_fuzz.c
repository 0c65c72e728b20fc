/*
 * A whole session before a false queue that takes everything: the first byte
 * chooses the service, the rest is what the client sends in one piece.
 */
#include "common/memory.h"
#include "common/smtp_verdict.h"
#include "smtpd/smtp_session.h"
#include "tests/unit/false_connection.h"

#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct smtp_front *front;
static struct event_loop *loop;
static struct settings *settings;
static int queue_end; /* nobody reads it */

static void
begin(void)
{
	int ends[2];

	loop = event_loop_new();
	settings = memory_new(1, sizeof(*settings));
	settings->max_connections = 9;
	settings->max_message_bytes = 100000;
	settings->key_count = 1;
	front = smtp_front_new(loop, settings);
	if (channel_pair(ends, NULL) == -1)
		abort();
	queue_end = ends[1];
	smtp_front_introduce(front, ends[0], ROLE_QUEUE, 0);
	front->store = STATUS_OK;
}

/* Answers whatever the session waits for. */
static void
answer_all(uint64_t number)
{
	struct smtp_session *session;
	int i;

	for (i = 0; i < 10000; i++) {
		session = table_find_u64(front->sessions, number);
		if (session == NULL || session->state == SMTP_STATE_CLOSING)
			return;
		if (session->state == SMTP_STATE_LOGIN)
			smtp_session_login(session, LOGIN_OK, TEXT("a@b"));
		else if (session->state == SMTP_STATE_STORING &&
			 session->parts_waiting == 0)
			smtp_session_verdict(
			    session, VERDICT_ACCEPTED, TEXT("id"));
		else if (session->state == SMTP_STATE_SENDER ||
			 session->state == SMTP_STATE_RECIPIENT ||
			 session->parts_waiting > 0)
			smtp_session_verdict(session, VERDICT_OK, TEXT(""));
		else
			return;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct listen_setting listen = { .tls = LISTEN_TLS_OFFERED };
	struct listener_client client;
	struct smtp_session *session;

	if (size < 2 || size > SMTP_INPUT_LIMIT)
		return 0;
	begin();
	listen.service = data[0] & 1 ? SERVICE_SUBMIT : SERVICE_SMTP;
	if (data[0] & 4)
		listen.service = SERVICE_LMTP;
	listen.xclients.count = data[0] >> 3 & 1; /* ::/0 */
	listen.tls = data[0] & 2 ? LISTEN_TLS_IMPLICIT : LISTEN_TLS_OFFERED;
	client = listener_client_at(front->budget, "127.0.0.1");
	(void)budget_take(front->budget, &client.budget, true, 0);
	session = smtp_session_new(front, -1, &listen, &client);
	false_connection_say(false_connection(), data + 1, size - 1);
	answer_all(session->number);
	smtp_front_free(&front);
	close(queue_end);
	event_loop_free(&loop);
	memory_free(&settings);
	return 0;
}
