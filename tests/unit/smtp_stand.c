/*
 * See smtp_stand.h.
 */
#include "tests/unit/smtp_stand.h"

#include "common/clock.h"
#include "common/memory.h"
#include "tests/unit/loop_wait.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct smtp_stand stand;
static const char *wanted_text;

void
stand_wait(bool (*is_so)(void))
{
	assert_true(loop_wait(stand.loop, is_so));
}

static void
gone(struct channel *channel, const struct error *error, void *context)
{
}

static void
snapd_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message answer = { .type = MESSAGE_store_state };

	if (message->type == MESSAGE_queue_hello) {
		answer.store_state.tag = message->queue_hello.tag;
	} else if (message->type == MESSAGE_list_unfiled_accounts) {
		answer.type = MESSAGE_unfiled_accounts;
		answer.unfiled_accounts.tag =
		    message->list_unfiled_accounts.tag;
	} else {
		stand.accepts++;
		stand.last_delivery = message->accept.delivery;
		stand.recipients_size = message->accept.recipients.size;
		text_copy(
		    message->accept.data, stand.stored, sizeof(stand.stored));
		if (stand.is_silent)
			return;
		answer.type = MESSAGE_accepted;
		answer.accepted.tag = message->accept.tag;
		answer.accepted.status = (uint8_t)stand.accept_status;
	}
	channel_send(channel, &answer, NULL, 0);
}

/* Bob's password is "pw"; the queue hears of it before the front does. */
static void
authd_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message grant = { .type = MESSAGE_grant_sender };
	struct message answer = { .type = MESSAGE_smtp_login };
	static uint64_t connection;

	if (message->type == MESSAGE_smtp_credentials) {
		connection = message->smtp_credentials.connection;
		answer.smtp_login.connection = connection;
		answer.smtp_login.result = LOGIN_FAILED;
		if (!text_is(message->smtp_credentials.password, "pw")) {
			channel_send(stand.authd_front, &answer, NULL, 0);
			return;
		}
		grant.grant_sender.instance = 7;
		grant.grant_sender.connection = connection;
		grant.grant_sender.account = 2;
		channel_send(stand.authd_queue, &grant, NULL, 0);
	} else {
		answer.smtp_login.connection = connection;
		answer.smtp_login.result = LOGIN_OK;
		channel_send(stand.authd_front, &answer, NULL, 0);
	}
}

static void
worker_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message answer = { .type = MESSAGE_filed };

	stand.files++;
	if (stand.is_keeping) {
		stand.unanswered++;
		return;
	}
	answer.filed.delivery = message->file.delivery;
	answer.filed.status = (uint8_t)stand.file_status;
	channel_send(channel, &answer, NULL, 0);
}

/* What lies in a record besides letters becomes a "|". */
static void
keep_recipients(struct text records)
{
	for (size_t i = 0; i < records.size; i++)
		stand.put_recipients[i] =
		    records.data[i] > ' ' ? records.data[i] : '|';
	stand.put_recipients[records.size] = '\0';
}

static void
spool_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct message_spool_put *put = &message->spool_put;
	struct message answer = { .type = MESSAGE_spool_kept };

	if (message->type == MESSAGE_report_routed) {
		stand.routed++;
		stand.routed_status =
		    (enum status)message->report_routed.status;
		return;
	}
	if (message->type != MESSAGE_spool_put)
		return;
	stand.put_count++;
	stand.put_delivery = put->delivery;
	stand.put_account = put->account;
	text_copy(put->data, stand.put_body, sizeof(stand.put_body));
	keep_recipients(put->recipients);
	if (stand.is_spool_silent)
		return;
	answer.spool_kept.tag = put->tag;
	answer.spool_kept.status = (uint8_t)stand.put_status;
	channel_send(channel, &answer, NULL, 0);
}

static const struct channel_handler spool_handler = { spool_hears, gone };
static const struct channel_handler snapd_handler = { snapd_hears, gone };
static const struct channel_handler authd_handler = { authd_hears, gone };
static const struct channel_handler worker_handler = { worker_hears, gone };

static void
introduce(enum role role, uint32_t account, int fd)
{
	struct message message = { .type = MESSAGE_introduce };

	message.introduce.role = (uint8_t)role;
	message.introduce.account = account;
	message.introduce.instance = 7;
	queue_starter_says(stand.queue, &message, &fd);
	assert_int_equal(fd, -1);
}

static struct channel *
connect_queue(
    enum role role, uint32_t account, const struct channel_handler *handler)
{
	int ends[2];

	assert_int_equal(channel_pair(ends, NULL), 0);
	introduce(role, account, ends[1]);
	return channel_new(
	    stand.loop, ends[0], role, ROLE_QUEUE, handler, NULL);
}

static void
broker_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	uint32_t account = message->need_worker.account;

	if (message->type != MESSAGE_need_worker)
		return;
	stand.wanted++;
	channel_free(&stand.workers[account]);
	stand.workers[account] =
	    connect_queue(ROLE_WORKER, account, &worker_handler);
}

static void
starter_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	queue_starter_says(stand.queue, message, fds);
}

static bool
store_is_up(void)
{
	return stand.front->store == STATUS_OK;
}

static bool
spool_is_open(void)
{
	return stand.queue->is_spool_open;
}

void
stand_connect_spool(void)
{
	struct message state = { .type = MESSAGE_spool_state };

	stand.spool = connect_queue(ROLE_SPOOL, 0, &spool_handler);
	state.spool_state.status = STATUS_OK;
	channel_send(stand.spool, &state, NULL, 0);
	stand_wait(spool_is_open);
}

void
stand_connect_snapd(void)
{
	stand.snapd = connect_queue(ROLE_SNAPD, 0, &snapd_handler);
}

int
stand_set_up(void **state)
{
	static const struct channel_handler broker_handler = { broker_hears,
		gone };
	static const struct channel_handler starter_handler = { starter_hears,
		gone };
	int ends[2];

	memset(&stand, 0, sizeof(stand)); /* each status is STATUS_OK */
	stand.loop = event_loop_new();
	stand.settings = memory_new(1, sizeof(*stand.settings));
	strcpy(stand.settings->host, "mx.demo.test");
	strcpy(stand.settings->domains[stand.settings->domain_count++],
	    "demo.test");
	stand.settings->max_message_bytes = 100000;
	stand.settings->max_recipients = 3;
	stand.settings->max_connections = 10;
	stand.settings->max_connections_per_address = 5;
	stand.settings->max_connections_per_network = 5;
	stand.settings->key_count = 1;
	stand.front = smtp_front_new(stand.loop, stand.settings);
	stand.queue = queue_new(stand.loop, stand.settings, NULL);
	channel_pair(ends, NULL);
	stand.starter = channel_new(stand.loop, ends[0], ROLE_QUEUE,
	    ROLE_BROKER, &starter_handler, NULL);
	stand.broker = channel_new(stand.loop, ends[1], ROLE_BROKER, ROLE_QUEUE,
	    &broker_handler, NULL);
	queue_set_starter(stand.queue, stand.starter);
	channel_pair(ends, NULL);
	smtp_front_introduce(stand.front, ends[0], ROLE_QUEUE, 0);
	introduce(ROLE_SMTPD, 0, ends[1]);
	channel_pair(ends, NULL);
	smtp_front_introduce(stand.front, ends[0], ROLE_AUTHD, 0);
	stand.authd_front = channel_new(
	    stand.loop, ends[1], ROLE_AUTHD, ROLE_SMTPD, &authd_handler, NULL);
	stand.authd_queue = connect_queue(ROLE_AUTHD, 0, &authd_handler);
	stand_connect_snapd();
	stand_wait(store_is_up);
	return 0;
}

int
stand_tear_down(void **state)
{
	smtp_front_free(&stand.front);
	queue_set_starter(stand.queue, NULL);
	queue_free(&stand.queue);
	channel_free(&stand.snapd);
	channel_free(&stand.spool);
	channel_free(&stand.authd_front);
	channel_free(&stand.authd_queue);
	channel_free(&stand.broker);
	channel_free(&stand.workers[1]);
	channel_free(&stand.workers[2]);
	channel_free(&stand.starter);
	event_loop_free(&stand.loop);
	memory_free(&stand.settings);
	return 0;
}

void
stand_call_from(const char *ip, const struct listen_setting *listen)
{
	struct listener_client client =
	    listener_client_at(stand.front->budget, ip);

	assert_int_equal(budget_take(stand.front->budget, &client.budget, true,
			     clock_monotonic_us()),
	    BUDGET_OK);
	smtp_session_new(stand.front, -1, listen, &client);
}

void
stand_call(enum service service)
{
	struct listen_setting listen = { .service = service,
		.tls = LISTEN_TLS_OFFERED };

	stand_call_from("127.0.0.1", &listen);
}

static bool
is_heard(void)
{
	strcat(stand.conversation, false_connection_heard());
	return strstr(stand.conversation, wanted_text) != NULL;
}

/* The client says `line` and in the end hears `text`. */
void
stand_say(const char *line, const char *text)
{
	stand.conversation[0] = '\0';
	wanted_text = text;
	if (line[0] != '\0')
		false_connection_say(false_connection(), line, strlen(line));
	stand_wait(is_heard);
}

void
stand_log_in(void)
{
	static const char *const rows[][2] = { { "", "220 " },
		{ "EHLO c\r\n", "250-STARTTLS" },
		{ "STARTTLS\r\n", "220 2.0.0" },
		{ "EHLO c\r\n", "250-AUTH PLAIN LOGIN" },
		{ "AUTH PLAIN AGJvYgBwdw==\r\n", "235 2.7.0" },
		{ "MAIL FROM:<bob@demo.test>\r\n", "250 2.1.0" } };

	stand_call(SERVICE_SUBMIT);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		stand_say(rows[i][0], rows[i][1]);
}
