/*
 * Conversations with a front, the real queue behind it, over real channels;
 * snapd, authd, broker and worker are false and answer as the test says.
 */
#include "common/clock.h"
#include "common/memory.h"
#include "smtpd/filing.h"
#include "smtpd/queue.h"
#include "smtpd/smtp_session.h"
#include "tests/unit/false_connection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	DEADLINE_US = 60000000
};

static struct event_loop *loop;
static struct settings *settings;
static struct smtp_front *front;
static struct queue *queue;
static struct channel *snapd, *authd_front, *authd_queue, *broker, *spool;
static struct channel *workers[3]; /* by account */
static struct channel *starter;
static enum status accept_status;
static bool is_silent; /* snapd does not answer accept */
static enum status file_status;
static unsigned int unanswered; /* files that the worker keeps */
static bool is_keeping;
static unsigned int accepts, files, wanted;
static struct delivery_id last_delivery;
static char stored[65536];
static size_t recipients_size;
static unsigned int put_count, routed;
static enum status put_status, routed_status;
static bool is_spool_silent;
static struct delivery_id put_delivery;
static char put_body[65536], put_recipients[1000];
static uint32_t put_account;
static struct timer *ticker;
static bool (*condition)(void);
static int64_t deadline;

static void
check_condition(void *context)
{
	if (condition() || clock_monotonic_us() > deadline)
		event_loop_stop(loop);
	else
		timer_start(ticker, 1);
}

static void
wait_for(bool (*is_so)(void))
{
	condition = is_so;
	deadline = clock_monotonic_us() + DEADLINE_US;
	timer_start(ticker, 0);
	event_loop_run(loop);
	assert_true(is_so());
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
		accepts++;
		last_delivery = message->accept.delivery;
		recipients_size = message->accept.recipients.size;
		text_copy(message->accept.data, stored, sizeof(stored));
		if (is_silent)
			return;
		answer.type = MESSAGE_accepted;
		answer.accepted.tag = message->accept.tag;
		answer.accepted.status = (uint8_t)accept_status;
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
			channel_send(authd_front, &answer, NULL, 0);
			return;
		}
		grant.grant_sender.instance = 7;
		grant.grant_sender.connection = connection;
		grant.grant_sender.account = 2;
		channel_send(authd_queue, &grant, NULL, 0);
	} else {
		answer.smtp_login.connection = connection;
		answer.smtp_login.result = LOGIN_OK;
		channel_send(authd_front, &answer, NULL, 0);
	}
}

static void
worker_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message answer = { .type = MESSAGE_filed };

	files++;
	if (is_keeping) {
		unanswered++;
		return;
	}
	answer.filed.delivery = message->file.delivery;
	answer.filed.status = (uint8_t)file_status;
	channel_send(channel, &answer, NULL, 0);
}

/* What lies in a record besides letters becomes a "|". */
static void
keep_recipients(struct text records)
{
	for (size_t i = 0; i < records.size; i++)
		put_recipients[i] =
		    records.data[i] > ' ' ? records.data[i] : '|';
	put_recipients[records.size] = '\0';
}

static void
spool_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct message_spool_put *put = &message->spool_put;
	struct message answer = { .type = MESSAGE_spool_kept };

	if (message->type == MESSAGE_report_routed) {
		routed++;
		routed_status = (enum status)message->report_routed.status;
		return;
	}
	if (message->type != MESSAGE_spool_put)
		return;
	put_count++;
	put_delivery = put->delivery;
	put_account = put->account;
	text_copy(put->data, put_body, sizeof(put_body));
	keep_recipients(put->recipients);
	if (is_spool_silent)
		return;
	answer.spool_kept.tag = put->tag;
	answer.spool_kept.status = (uint8_t)put_status;
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
	queue_starter_says(queue, &message, &fd);
	assert_int_equal(fd, -1);
}

static struct channel *
connect_queue(
    enum role role, uint32_t account, const struct channel_handler *handler)
{
	int ends[2];

	assert_int_equal(channel_pair(ends, NULL), 0);
	introduce(role, account, ends[1]);
	return channel_new(loop, ends[0], role, ROLE_QUEUE, handler, NULL);
}

static void
broker_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	uint32_t account = message->need_worker.account;

	if (message->type != MESSAGE_need_worker)
		return;
	wanted++;
	channel_free(&workers[account]);
	workers[account] = connect_queue(ROLE_WORKER, account, &worker_handler);
}

static void
starter_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	queue_starter_says(queue, message, fds);
}

static bool
store_is_up(void)
{
	return front->store == STATUS_OK;
}

static bool
spool_is_open(void)
{
	return queue->is_spool_open;
}

static void
connect_spool(void)
{
	struct message state = { .type = MESSAGE_spool_state };

	spool = connect_queue(ROLE_SPOOL, 0, &spool_handler);
	state.spool_state.status = STATUS_OK;
	channel_send(spool, &state, NULL, 0);
	wait_for(spool_is_open);
}

static bool
store_is_down(void)
{
	return front->store != STATUS_OK;
}

static int
set_up(void **state)
{
	static const struct channel_handler broker_handler = { broker_hears,
		gone };
	static const struct channel_handler starter_handler = { starter_hears,
		gone };
	int ends[2];

	accept_status = STATUS_OK;
	is_silent = is_keeping = false;
	file_status = STATUS_OK;
	unanswered = 0;
	accepts = files = wanted = put_count = routed = 0;
	put_status = STATUS_OK;
	is_spool_silent = false;
	loop = event_loop_new();
	ticker = timer_new(loop, check_condition, NULL);
	settings = memory_new(1, sizeof(*settings));
	strcpy(settings->host, "mx.demo.test");
	strcpy(settings->domains[settings->domain_count++], "demo.test");
	settings->max_message_bytes = 100000;
	settings->max_recipients = 3;
	settings->max_connections = 10;
	settings->max_connections_per_address = 5;
	settings->max_connections_per_network = 5;
	settings->key_count = 1;
	front = smtp_front_new(loop, settings);
	queue = queue_new(loop, settings, NULL);
	channel_pair(ends, NULL);
	starter = channel_new(
	    loop, ends[0], ROLE_QUEUE, ROLE_BROKER, &starter_handler, NULL);
	broker = channel_new(
	    loop, ends[1], ROLE_BROKER, ROLE_QUEUE, &broker_handler, NULL);
	queue_set_starter(queue, starter);
	channel_pair(ends, NULL);
	smtp_front_introduce(front, ends[0], ROLE_QUEUE, 0);
	introduce(ROLE_SMTPD, 0, ends[1]);
	channel_pair(ends, NULL);
	smtp_front_introduce(front, ends[0], ROLE_AUTHD, 0);
	authd_front = channel_new(
	    loop, ends[1], ROLE_AUTHD, ROLE_SMTPD, &authd_handler, NULL);
	authd_queue = connect_queue(ROLE_AUTHD, 0, &authd_handler);
	snapd = connect_queue(ROLE_SNAPD, 0, &snapd_handler);
	wait_for(store_is_up);
	return 0;
}

static int
tear_down(void **state)
{
	smtp_front_free(&front);
	queue_set_starter(queue, NULL);
	queue_free(&queue);
	channel_free(&snapd);
	channel_free(&spool);
	channel_free(&authd_front);
	channel_free(&authd_queue);
	channel_free(&broker);
	channel_free(&workers[1]);
	channel_free(&workers[2]);
	channel_free(&starter);
	timer_free(&ticker);
	event_loop_free(&loop);
	memory_free(&settings);
	return 0;
}

static void
call_from(const char *ip, const struct listen_setting *listen)
{
	struct listener_client client = listener_client_at(front->budget, ip);

	assert_int_equal(budget_take(front->budget, &client.budget, true,
			     clock_monotonic_us()),
	    BUDGET_OK);
	smtp_session_new(front, -1, listen, &client);
}

static void
call(enum service service)
{
	struct listen_setting listen = { .service = service,
		.tls = LISTEN_TLS_OFFERED };

	call_from("127.0.0.1", &listen);
}

static const char *wanted_text;
static char conversation[65536];

static bool
is_heard(void)
{
	strcat(conversation, false_connection_heard());
	return strstr(conversation, wanted_text) != NULL;
}

/* The client says `line` and in the end hears `text`. */
static void
say(const char *line, const char *text)
{
	conversation[0] = '\0';
	wanted_text = text;
	if (line[0] != '\0')
		false_connection_say(false_connection(), line, strlen(line));
	wait_for(is_heard);
}

#define ENVELOPE                                                     \
	"MAIL FROM:<x@example.net>\r\nRCPT TO:<alice@demo.test>\r\n" \
	"RCPT TO:<team@demo.test>\r\nDATA\r\n"

static bool
both_are_filed(void)
{
	return files == 2;
}

static void
mail_is_acknowledged_when_durable_and_then_filed(void **state)
{
	call(SERVICE_SMTP);
	say("", "220 mx.demo.test");
	say("EHLO c.example\r\n", "250 ENHANCEDSTATUSCODES\r\n");
	assert_null(strstr(conversation, "AUTH"));
	is_silent = true;
	say(ENVELOPE, "354 ");
	say("Subject: x\r\n\r\n..dot\r\n.\r\nNOOP\r\n", "");
	say("QUIT\r\n", "");
	while (accepts == 0)
		say("", "");
	assert_null(strstr(conversation, "250"));
	/* snapd dies before it answers, and its successor knows nothing. */
	is_silent = false;
	channel_free(&snapd);
	struct delivery_id delivery = last_delivery;
	snapd = connect_queue(ROLE_SNAPD, 0, &snapd_handler);
	say("", "221 2.0.0");
	assert_memory_equal(&delivery, &last_delivery, sizeof(delivery));
	assert_non_null(strstr(conversation, "250 2.0.0 Ok, safe on disk as"));
	assert_non_null(strstr(stored, "Return-Path: <x@example.net>\n"));
	assert_non_null(strstr(stored, "\nSubject: x\n\n.dot\n"));
	assert_int_equal(recipients_size, 2 * 8 + 15 + 14);
	wait_for(both_are_filed);
	assert_int_equal(wanted, 2);
}

static void
each_refusal_has_its_reply(void **state)
{
	static const char *const rows[][2] = { { "MAIL FROM:<a@b>\r\n",
						   "503 5.5.1 Say EHLO" },
		{ "EHLO c\r\n", "250 ENHANCED" },
		{ "AUTH PLAIN AGJvYgBwdw==\r\n", "502 5.5.1" },
		{ "DATA\r\n", "503 5.5.1 Say MAIL" },
		{ "MAIL FROM:<a@b> SIZE=100001\r\n", "552 5.3.4" },
		{ "MAIL FROM:<a@b>\r\n", "250 2.1.0" },
		{ "DATA\r\n", "554 5.5.1 No valid" },
		{ "RCPT TO:<a@elsewhere.example>\r\n", "550 5.7.1" },
		{ "RCPT TO:<nobody@demo.test>\r\n", "550 5.1.1" },
		{ "RCPT TO:<BOB+tag@DEMO.test>\r\n", "250 2.1.5" },
		{ "RCPT TO:<postmaster>\r\n", "250 2.1.5" },
		{ "RCPT TO:<sales@demo.test>\r\n", "250 2.1.5" },
		{ "RCPT TO:<bob@demo.test>\r\n", "452 4.5.3" },
		{ "NOOP\n", "500 5.5.2 Lines must" },
		{ "RSET\r\n", "250 2.0.0" },
		{ "STARTTLS\r\nEHLO injected\r\n", "554 5.7.0" } };
	size_t i;

	call(SERVICE_SMTP);
	say("", "220 ");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		say(rows[i][0], rows[i][1]);
	assert_true(false_connection_is_finished(false_connection()));
	assert_int_equal(accepts, 0);
}

static void
defects_are_refused_after_the_end_of_data(void **state)
{
	call(SERVICE_SMTP);
	say("", "220 ");
	say("EHLO c\r\n", "250 ENHANCED");
	say(ENVELOPE, "354 ");
	say("a\n.\nb\r\n.\r\n", "550 5.6.0 Bare LF");
	say(ENVELOPE, "354 ");
	say("a\rb\r\n.\r\n", "550 5.6.0 Bare CR");
	say(ENVELOPE, "354 ");
	false_connection_say(false_connection(), "a\0b\r\n.\r\n", 8);
	say("", "550 5.6.0 NUL");
	assert_int_equal(accepts, 0);
}

/* RFC 2920 section 3.1: nothing comes along with EHLO or DATA, and what did is
 * no mail. Others may stand together. */
static void
who_speaks_too_early_is_sent_away(void **state)
{
	static const char *const rows[] = { "EHLO c\r\nMAIL FROM:<a@b>\r\n",
		"HELO c\r\nQUIT\r\n", ENVELOPE "Subject: x\r\n\r\n.\r\n" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		call(SERVICE_SMTP);
		say("", "220 ");
		if (i == 2)
			say("EHLO c\r\n", "250 ENHANCED");
		say(rows[i], "554 5.5.0 You spoke");
		assert_true(false_connection_is_finished(false_connection()));
		false_connection_hang_up(false_connection());
	}
	assert_int_equal(accepts, 0);
}

static void
who_speaks_into_the_pause_is_sent_away(void **state)
{
	struct listen_setting listen = { .service = SERVICE_SMTP,
		.pause_s = 1 };

	call_from("192.0.2.1", &listen);
	assert_string_equal(false_connection_heard(), "");
	say("EHLO c\r\n", "554 5.5.0 You spoke");
	assert_null(strstr(conversation, "220"));
	false_connection_hang_up(false_connection());
	call_from("192.0.2.1", &listen);
	say("", "220 ");
	say("EHLO c\r\n", "250 ENHANCED");
	/* Nobody on this machine waits. */
	call_from("127.0.0.1", &listen);
	assert_non_null(strstr(false_connection_heard(), "220 "));
}

#define RECIPIENT                       \
	"MAIL FROM:<x@example.net>\r\n" \
	"RCPT TO:<alice@demo.test>\r\n"

/* RFC 3030: chunks of any bytes, answered one by one; what ends a message of
 * DATA is text in one of BDAT. */
static void
a_message_comes_in_chunks(void **state)
{
	call(SERVICE_SMTP);
	say("", "220 ");
	say("EHLO c\r\n", "250 ENHANCED");
	assert_non_null(strstr(conversation, "250-CHUNKING\r\n"));
	say(RECIPIENT "BDAT 12\r\nSubject: x\r\n", "12 bytes of this chunk");
	say("BDAT 10\r\n\r\n.\r\nQUIT\r", "10 bytes of this chunk");
	assert_int_equal(accepts, 0);
	say("DATA\r\n", "503 5.5.1 Not in");
	say("RCPT TO:<bob@demo.test>\r\n", "503 5.5.1 Not in");
	say("BDAT 1 LAST\r\n\nNOOP\r\n", "250 2.0.0 Ok, safe on disk");
	assert_int_equal(accepts, 1);
	assert_non_null(strstr(stored, "\nSubject: x\n\n.\nQUIT\n"));
	/* All at once, and an empty last one. */
	say(RECIPIENT "BDAT 5\r\nab\r\ncBDAT 0 LAST\r\n",
	    "250 2.0.0 Ok, safe on disk");
	assert_int_equal(accepts, 2);
	assert_non_null(strstr(stored, "ab\nc"));
}

static void
a_chunk_that_is_refused_is_read_to_its_end(void **state)
{
	static char big[60000];

	call(SERVICE_SMTP);
	say("", "220 ");
	say("EHLO c\r\n", "250 ENHANCED");
	say("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "503 5.5.1 Say MAIL");
	say("MAIL FROM:<a@b>\r\nBDAT 6\r\nQUIT\r\n", "554 5.5.1 No valid");
	say("RSET\r\n" RECIPIENT "BDAT 4 LAST\r\na\rb\n", "550 5.6.0 Bare LF");
	/* Two are more than max_message_bytes; what comes after is none's. */
	say(RECIPIENT, "250 2.1.5");
	memset(big, 'x', sizeof(big));
	say("BDAT 60000\r\n", "");
	false_connection_say(false_connection(), big, sizeof(big));
	say("BDAT 60000\r\n", "60000 bytes of this chunk");
	false_connection_say(false_connection(), big, sizeof(big));
	say("", "552 5.3.4");
	say("BDAT 6 LAST\r\nQUIT\r\n", "503 5.5.1 Say MAIL");
	/* Nothing of what was cut off by that is taken for the whole. */
	say(RECIPIENT "BDAT 100001 LAST\r\n", "250 2.1.5");
	false_connection_say(false_connection(), big, 50000);
	false_connection_say(false_connection(), big, 50001);
	say("", "552 5.3.4");
	say("NOOP\r\n", "250 2.0.0");
	assert_int_equal(accepts, 0);
}

static void
a_store_that_is_full_or_away_never_gets_a_250(void **state)
{
	call(SERVICE_SMTP);
	say("", "220 ");
	say("EHLO c\r\n", "250 ENHANCED");
	accept_status = STATUS_FULL;
	say(ENVELOPE, "354 ");
	say("a\r\n.\r\n", "452 4.3.1");
	accept_status = STATUS_UNAVAILABLE;
	say(ENVELOPE, "354 ");
	say("a\r\n.\r\n", "451 4.3.0");
	channel_free(&snapd);
	wait_for(store_is_down);
	say("MAIL FROM:<a@b>\r\n", "451 4.3.0");
	assert_int_equal(files, 0);
	call(SERVICE_SMTP);
	say("", "421 4.3.0");
}

static void
submission_needs_tls_login_and_an_own_sender(void **state)
{
	static const char *const rows[][2] = { { "EHLO c\r\n", "250-STARTTLS" },
		{ "AUTH PLAIN AGJvYgBwdw==\r\n", "530 5.7.0" },
		{ "MAIL FROM:<bob@demo.test>\r\n", "530 5.7.0" },
		{ "STARTTLS\r\n", "220 2.0.0" },
		{ "EHLO c\r\n", "250-AUTH PLAIN LOGIN" },
		{ "MAIL FROM:<bob@demo.test>\r\n", "530 5.7.0 Auth" },
		{ "AUTH PLAIN AGJvYgB4eA==\r\n", "535 5.7.8" },
		{ "AUTH LOGIN\r\n", "334 VXNlcm5hbWU6" },
		{ "Ym9i\r\n", "334 UGFzc3dvcmQ6" }, { "cHc=\r\n", "235 2.7.0" },
		{ "MAIL FROM:<alice@demo.test>\r\n", "553 5.7.1" },
		{ "MAIL FROM:<bob@demo.test>\r\n", "250 2.1.0" },
		{ "RCPT TO:<alice@demo.test>\r\n", "250 2.1.5" },
		{ "DATA\r\n", "354 " },
		{ "A: b\n\r\nx\r\n.\r\n", "250 2.0.0" } };
	size_t i;

	call(SERVICE_SUBMIT);
	say("", "220 ");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		say(rows[i][0], rows[i][1]);
	assert_non_null(strstr(stored, "with ESMTPSA"));
	assert_non_null(strstr(stored, "\nDate: "));
	assert_non_null(strstr(stored, "\nMessage-ID: <"));
	assert_non_null(strstr(stored, "\tfor <alice@demo.test>"));
	false_connection_hang_up(false_connection());
}

/* Each service offers what it can do, and takes no other parameter. */
static void
each_service_takes_what_it_offers(void **state)
{
	call(SERVICE_SMTP);
	say("", "220 ");
	say("EHLO c\r\n", "250 ENHANCED");
	assert_null(strstr(conversation, "BINARYMIME"));
	assert_null(strstr(conversation, "REQUIRETLS"));
	assert_null(strstr(conversation, "MT-PRIORITY"));
	say("MAIL FROM:<a@b> BODY=BINARYMIME\r\n", "555 5.5.4");
	say("MAIL FROM:<a@b> REQUIRETLS\r\n", "555 5.5.4");
	say("MAIL FROM:<a@b> MT-PRIORITY=1\r\n", "555 5.5.4");
	say("STARTTLS\r\n", "220 2.0.0");
	say("EHLO c\r\n", "250 ENHANCED");
	assert_non_null(strstr(conversation, "250-REQUIRETLS\r\n"));
	say("MAIL FROM:<a@b> REQUIRETLS\r\n", "250 2.1.0");
	say("RCPT TO:<\303\244@demo.test>\r\n", "553 5.6.7");
	say("RSET\r\nMAIL FROM:<a@b> SMTPUTF8\r\n", "250 2.1.0");
	say("RCPT TO:<\303\244@demo.test>\r\n", "550 5.1.1");
	false_connection_hang_up(false_connection());
	call(SERVICE_SUBMIT);
	say("", "220 ");
	say("EHLO c\r\n", "250 ENHANCED");
	assert_non_null(strstr(conversation, "250-MT-PRIORITY\r\n"));
	false_connection_hang_up(false_connection());
}

static void
log_in(void)
{
	static const char *const rows[][2] = { { "", "220 " },
		{ "EHLO c\r\n", "250-STARTTLS" },
		{ "STARTTLS\r\n", "220 2.0.0" },
		{ "EHLO c\r\n", "250-AUTH PLAIN LOGIN" },
		{ "AUTH PLAIN AGJvYgBwdw==\r\n", "235 2.7.0" },
		{ "MAIL FROM:<bob@demo.test>\r\n", "250 2.1.0" } };

	call(SERVICE_SUBMIT);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		say(rows[i][0], rows[i][1]);
}

/* RFC 3030 section 3: not by DATA, whose end is made of such bytes. */
static void
binary_mail_comes_in_chunks(void **state)
{
	static const char body[] = "BDAT 7 LAST\r\n\0\n.\r\n\r\r";

	log_in();
	say("RSET\r\n", "250 2.0.0");
	say("MAIL FROM:<bob@demo.test> BODY=BINARYMIME\r\n", "250 2.1.0");
	say("RCPT TO:<alice@demo.test>\r\n", "250 2.1.5");
	say("DATA\r\n", "503 5.5.1");
	say("BDAT 35\r\nContent-Transfer-Encoding: binary\r\n",
	    "250 2.0.0 Ok, 35 bytes");
	say("BDAT 2\r\n\r\n", "250 2.0.0 Ok, 2 bytes");
	false_connection_say(false_connection(), body, sizeof(body) - 1);
	say("", "250 2.0.0 Ok, safe on disk");
	assert_int_equal(accepts, 1);
	assert_non_null(
	    strstr(stored, "\nContent-Transfer-Encoding: base64\n"));
	false_connection_hang_up(false_connection());
}

static void
mail_for_others_is_taken_of_users_only_and_if_it_is_wanted(void **state)
{
	connect_spool();
	log_in();
	say("RCPT TO:<x@other.test>\r\n", "550 5.7.1 Relaying");
	settings->is_relaying = true;
	say("RCPT TO:<x@other.test>\r\n", "250 2.1.5");
	false_connection_hang_up(false_connection());
	call(SERVICE_SMTP);
	say("", "220 ");
	say("EHLO c\r\n", "250 ENHANCED");
	say("MAIL FROM:<bob@demo.test>\r\n", "250 2.1.0");
	say("RCPT TO:<x@other.test>\r\n", "550 5.7.1 Relaying");
	say("RCPT TO:<x%other.test@demo.test>\r\n", "550 5.1.1");
	channel_free(&spool);
	false_connection_hang_up(false_connection());
}

static bool
put_is_there(void)
{
	return put_count == 1;
}

static bool
spool_is_closed(void)
{
	return !queue->is_spool_open;
}

/* Here and elsewhere: one 250, when both have it. */
static void
mail_for_both_is_acknowledged_when_both_have_it(void **state)
{
	settings->is_relaying = true;
	log_in();
	say("RCPT TO:<x@other.test>\r\n", "451 4.3.0");
	connect_spool();
	is_spool_silent = true;
	say("RCPT TO:<x@other.test> NOTIFY=NEVER\r\n", "250 2.1.5");
	say("RCPT TO:<x@other.test>\r\n", "250 2.1.5");
	say("RCPT TO:<alice@demo.test>\r\n", "250 2.1.5");
	say("DATA\r\n", "354 ");
	say("Bcc: y\r\nA: b\r\n\r\n..x\r\n.\r\n", "");
	wait_for(put_is_there);
	assert_null(strstr(conversation, "250"));
	assert_int_equal(accepts, 0);
	/* The spool dies, and its successor is asked again. */
	channel_free(&spool);
	wait_for(spool_is_closed);
	is_spool_silent = false;
	connect_spool();
	say("", "250 2.0.0 Ok, safe on disk");
	assert_int_equal(accepts, 1);
	assert_int_equal(put_count, 2);
	assert_memory_equal(&put_delivery, &last_delivery, 16);
	assert_int_equal(put_account, 2);
	assert_string_equal(put_recipients, "|||||||||x@other.test|");
	assert_non_null(strstr(stored, "Return-Path: <bob@demo.test>\n"));
	assert_null(strstr(put_body, "Return-Path"));
	assert_null(strstr(put_body, "Bcc"));
	assert_ptr_equal(strstr(put_body, "Received: from c "), put_body);
	assert_non_null(strstr(put_body, "\r\nA: b\r\n\r\n.x\r\n"));
	assert_null(strstr(put_body, "\n\n"));
	false_connection_hang_up(false_connection());
}

/* From whomever: the administrator's alias says so, not the sender. */
static void
mail_is_passed_on_where_an_alias_leads(void **state)
{
	connect_spool();
	call(SERVICE_SMTP);
	say("", "220 ");
	say("EHLO c\r\n", "250 ENHANCED");
	say("MAIL FROM:<y@third.test>\r\n", "250 2.1.0");
	say("RCPT TO:<away@demo.test>\r\n", "250 2.1.5");
	say("DATA\r\n", "354 ");
	say("A: b\r\n\r\nx\r\n.\r\n", "250 2.0.0 Ok, safe on disk");
	assert_int_equal(put_count, 1);
	assert_int_equal(put_account, 0);
	assert_int_equal(accepts, 0);
	assert_string_equal(
	    put_recipients, "|||||rfc822;away@demo.test||||x@other.test|");
}

static void
a_spool_that_is_full_gives_no_250(void **state)
{
	settings->is_relaying = true;
	put_status = STATUS_FULL;
	connect_spool();
	log_in();
	say("RCPT TO:<x@other.test>\r\n", "250 2.1.5");
	say("RCPT TO:<alice@demo.test>\r\n", "250 2.1.5");
	say("DATA\r\n", "354 ");
	say("A: b\r\n\r\nx\r\n.\r\n", "452 4.3.1");
	assert_int_equal(accepts, 0);
	false_connection_hang_up(false_connection());
}

static bool
one_is_sent(void)
{
	return !queue_may_send(queue, 2, 2);
}

static void
who_has_sent_enough_is_told_so(void **state)
{
	static const uint8_t two[] = { 2, 0, 0, 0, 1, 0, 0, 0 };
	struct message sent = { .type = MESSAGE_spool_sent };

	settings->is_relaying = true;
	connect_spool();
	log_in();
	say("RCPT TO:<x@other.test>\r\n", "250 2.1.5");
	say("RCPT TO:<y@other.test>\r\n", "250 2.1.5");
	say("RCPT TO:<z@other.test>\r\n", "452 4.7.1 You have sent");
	say("RSET\r\nMAIL FROM:<bob@demo.test>\r\n", "250 2.1.0");
	/* One of the two is gone. */
	sent.spool_sent.is_first = 1;
	sent.spool_sent.accounts = text_make(two, sizeof(two));
	put_status = STATUS_LIMIT;
	channel_send(spool, &sent, NULL, 0);
	wait_for(one_is_sent);
	say("RCPT TO:<x@other.test>\r\n", "250 2.1.5");
	say("RCPT TO:<y@other.test>\r\n", "452 4.7.1 You have sent");
	say("RCPT TO:<alice@demo.test>\r\n", "250 2.1.5");
	/* The spool has the last word. */
	say("DATA\r\n", "354 ");
	say("A: b\r\n\r\nx\r\n.\r\n", "452 4.7.1 You have sent");
	false_connection_hang_up(false_connection());
}

static void
report_to(const char *recipient)
{
	struct message report = { .type = MESSAGE_spool_report };

	report.spool_report.tag = 7;
	report.spool_report.delivery.bytes[0] = 9;
	report.spool_report.recipient = text_of(recipient);
	report.spool_report.data = TEXT("Subject: late\r\n\r\nx\r\n");
	report.spool_report.size = report.spool_report.data.size;
	channel_send(spool, &report, NULL, 0);
}

static bool
report_is_answered(void)
{
	return routed == 1;
}

static void
reports_of_the_spool_are_routed_like_mail(void **state)
{
	connect_spool();
	report_to("bob@demo.test");
	wait_for(report_is_answered);
	assert_int_equal(routed_status, STATUS_OK);
	assert_int_equal(accepts, 1);
	assert_int_equal(last_delivery.bytes[0], 9);
	assert_string_equal(stored, "Return-Path: <>\nSubject: late\n\nx\n");
	routed = 0;
	report_to("x@other.test");
	wait_for(report_is_answered);
	assert_int_equal(routed_status, STATUS_OK);
	assert_int_equal(put_count, 1);
	assert_int_equal(put_delivery.bytes[0], 9);
	assert_string_equal(put_body, "Subject: late\r\n\r\nx\r\n");
	routed = 0;
	report_to("nobody@demo.test");
	wait_for(report_is_answered);
	assert_int_equal(routed_status, STATUS_MISSING);
	routed = 0;
	accept_status = STATUS_FULL;
	report_to("bob@demo.test");
	wait_for(report_is_answered);
	assert_int_equal(routed_status, STATUS_FULL);
}

static unsigned int
count_replies(const char *code)
{
	unsigned int count = 0;

	for (const char *at = conversation; (at = strstr(at, code)) != NULL;
	     at++)
		count++;
	return count;
}

static bool
are_hundred_answered(void)
{
	strcat(conversation, false_connection_heard());
	return count_replies("\r\n") == 100 ||
	       false_connection_is_finished(false_connection());
}

/* RFC 5321 section 4.5.3.1.10: who lists too many is told so, and sends the
 * rest in the next transaction; who does not listen is sent away. */
static void
ten_thousand_recipients_are_answered_one_by_one(void **state)
{
	static const char line[] = "RCPT TO:<alice@demo.test>\r\n";
	unsigned int taken = 0, refused = 0;

	settings->max_recipients = 3000;
	call(SERVICE_SMTP);
	say("", "220 ");
	say("EHLO c\r\n", "250 ENHANCED");
	say("MAIL FROM:<a@b>\r\n", "250 2.1.0");
	while (taken + refused < 10000 &&
	       !false_connection_is_finished(false_connection())) {
		conversation[0] = '\0';
		for (int i = 0; i < 100; i++)
			false_connection_say(
			    false_connection(), line, sizeof(line) - 1);
		wait_for(are_hundred_answered);
		taken += count_replies("250 2.1.5");
		refused += count_replies("452 4.5.3");
	}
	assert_int_equal(taken, 3000);
	assert_true(refused > 900 && refused < SMTP_MAX_COMMANDS);
	assert_int_equal(count_replies("421 4.7.0"), 1);
}

static void
too_many_errors_end_the_connection(void **state)
{
	call(SERVICE_SMTP);
	say("", "220 ");
	say("X\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\n",
	    "421 4.7.0 Too many errors");
	assert_true(false_connection_is_finished(false_connection()));
}

static void
mail_that_has_gone_round_is_refused(void **state)
{
	char mail[51 * 14 + 10] = "";
	unsigned int hops, i;

	call(SERVICE_SMTP);
	say("", "220 ");
	say("EHLO c\r\n", "250 ENHANCED");
	for (hops = 50; hops <= 51; hops++) {
		mail[0] = '\0';
		for (i = 0; i < hops; i++)
			strcat(mail, "Received: x\r\n");
		strcat(mail, "\r\n.\r\n");
		say(ENVELOPE, "354 ");
		say(mail, hops == 50 ? "250 2.0.0" : "554 5.4.6");
	}
	assert_int_equal(accepts, 1);
}

static bool
all_are_filed(void)
{
	return filing_count(queue->filings) == 0;
}

static bool
two_were_tried(void)
{
	return files == 2;
}

static bool
window_is_full(void)
{
	return unanswered == 32;
}

static void
deliver(uint32_t account, unsigned int count)
{
	struct delivery_id delivery = { { 0 } };

	for (unsigned int i = 0; i < count; i++) {
		delivery.bytes[0] = (uint8_t)(i + 1);
		delivery.bytes[1] = (uint8_t)(i >> 8);
		filing_add(queue->filings, account, &delivery);
	}
}

static void
what_a_worker_cannot_file_waits_and_is_tried_again(void **state)
{
	file_status = STATUS_UNAVAILABLE;
	deliver(1, 2);
	wait_for(two_were_tried);
	assert_int_equal(filing_count(queue->filings), 1);
	file_status = STATUS_OK;
	filing_retry(queue->filings);
	wait_for(all_are_filed);
	assert_int_equal(wanted, 1);
}

/* A worker that dies with 32 of 100 unanswered: its successor gets all. */
static void
a_new_worker_gets_what_the_dead_one_had(void **state)
{
	is_keeping = true;
	deliver(2, 100);
	wait_for(window_is_full);
	assert_int_equal(files, 32);
	is_keeping = false;
	channel_free(&workers[2]);
	wait_for(all_are_filed); /* by the queue's own timer */
	assert_int_equal(wanted, 2);
	assert_int_equal(files, 32 + 100);
}

static void
at_a_stop_answers_come_before_the_421(void **state)
{
	call(SERVICE_SMTP);
	say("", "220 ");
	say("EHLO c\r\n", "250 ENHANCED");
	say(ENVELOPE, "354 ");
	smtp_front_stop(front);
	assert_false(false_connection_is_finished(false_connection()));
	say("x\r\n.\r\nNOOP\r\n", "421 4.3.2");
	assert_non_null(strstr(conversation, "250 2.0.0 Ok, safe"));
	assert_int_equal(accepts, 1);
	assert_true(false_connection_is_finished(false_connection()));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mail_is_acknowledged_when_durable_and_then_filed),
		TEST(each_refusal_has_its_reply),
		TEST(defects_are_refused_after_the_end_of_data),
		TEST(who_speaks_too_early_is_sent_away),
		TEST(who_speaks_into_the_pause_is_sent_away),
		TEST(a_message_comes_in_chunks),
		TEST(a_chunk_that_is_refused_is_read_to_its_end),
		TEST(a_store_that_is_full_or_away_never_gets_a_250),
		TEST(submission_needs_tls_login_and_an_own_sender),
		TEST(
		    mail_for_others_is_taken_of_users_only_and_if_it_is_wanted),
		TEST(each_service_takes_what_it_offers),
		TEST(binary_mail_comes_in_chunks),
		TEST(ten_thousand_recipients_are_answered_one_by_one),
		TEST(mail_for_both_is_acknowledged_when_both_have_it),
		TEST(mail_is_passed_on_where_an_alias_leads),
		TEST(a_spool_that_is_full_gives_no_250),
		TEST(who_has_sent_enough_is_told_so),
		TEST(reports_of_the_spool_are_routed_like_mail),
		TEST(mail_that_has_gone_round_is_refused),
		TEST(what_a_worker_cannot_file_waits_and_is_tried_again),
		TEST(a_new_worker_gets_what_the_dead_one_had),
		TEST(at_a_stop_answers_come_before_the_421),
		TEST(too_many_errors_end_the_connection)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
