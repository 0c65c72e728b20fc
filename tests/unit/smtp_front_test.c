/*
 * Whom a front takes and whose word it believes: errors and what they cost,
 * XCLIENT, LMTP.  The connection is in memory, the queue is a false one that
 * remembers what it is told.
 */
#include "common/clock.h"
#include "common/memory.h"
#include "common/smtp_verdict.h"
#include "smtpd/smtp_session.h"
#include "smtpd/xclient.h"
#include "tests/unit/false_connection.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	DEADLINE_US = 60000000
};

static struct event_loop *loop;
static struct settings *settings;
static struct smtp_front *front;
static struct channel *queue;
static struct timer *ticker;
static struct listen_setting way;
/* What the queue was told, and what it will say. */
static char client_ip[65], helo[256], body[4096];
static unsigned int service, ended, aborted;
static unsigned int end_verdict, sender_verdict;
static const char *end_full = "";
/* It answers nothing until so many questions came. */
static unsigned int patience, asked;
static struct message answers[32];

static void
answer_all(struct channel *channel)
{
	if (asked < patience)
		return;
	for (unsigned int i = 0; i < asked; i++)
		channel_send(channel, &answers[i], NULL, 0);
	asked = 0;
}

static void
queue_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct message_transaction_recipient *recipient =
	    &message->transaction_recipient;
	struct message answer = { .type = MESSAGE_transaction_verdict };
	struct message_transaction_verdict *said = &answer.transaction_verdict;

	said->transaction = message->transaction_begin.transaction;
	switch (message->type) {
	case MESSAGE_transaction_begin:
		service = message->transaction_begin.service;
		text_copy(message->transaction_begin.client_ip, client_ip,
		    sizeof(client_ip));
		text_copy(message->transaction_begin.helo, helo, sizeof(helo));
		said->verdict = (uint16_t)sender_verdict;
		break;
	case MESSAGE_transaction_recipient:
		if (text_is(recipient->address, "nobody@demo.test"))
			said->verdict = VERDICT_UNKNOWN_USER;
		break;
	case MESSAGE_transaction_end:
		ended++;
		text_copy(message->transaction_end.data, body, sizeof(body));
		said->verdict = (uint16_t)end_verdict;
		if (end_verdict == VERDICT_ACCEPTED)
			said->text = TEXT("id42");
		said->full = text_of(end_full);
		break;
	case MESSAGE_transaction_abort:
		aborted++;
		return;
	default:
		break;
	}
	answers[asked++] = answer;
	answer_all(channel);
}

static void
gone(struct channel *channel, const struct error *error, void *context)
{
}

static int
set_up(void **state)
{
	static const struct channel_handler handler = { queue_hears, gone };
	int ends[2];

	end_verdict = VERDICT_ACCEPTED;
	sender_verdict = VERDICT_OK;
	ended = aborted = patience = asked = 0;
	loop = event_loop_new();
	settings = settings_new();
	strcpy(settings->host, "mx.demo.test");
	settings->max_message_bytes = 100000;
	settings->max_recipients = 10000;
	front = smtp_front_new(loop, settings);
	assert_int_equal(channel_pair(ends, NULL), 0);
	smtp_front_introduce(front, ends[0], ROLE_QUEUE, 0);
	queue =
	    channel_new(loop, ends[1], ROLE_QUEUE, ROLE_SMTPD, &handler, NULL);
	front->store = STATUS_OK;
	way = (struct listen_setting){ .service = SERVICE_SMTP };
	return 0;
}

static int
tear_down(void **state)
{
	(void)false_connection_heard();
	smtp_front_free(&front);
	channel_free(&queue);
	timer_free(&ticker);
	event_loop_free(&loop);
	settings_free(&settings);
	return 0;
}

static enum budget_verdict
call_from(const char *ip)
{
	struct listener_client client = listener_client_at(front->budget, ip);
	enum budget_verdict verdict = budget_take(
	    front->budget, &client.budget, false, clock_monotonic_us());

	if (verdict == BUDGET_OK)
		smtp_session_new(front, -1, &way, &client);
	return verdict;
}

static void
hang_up(void)
{
	false_connection_hang_up(false_connection());
}

static char conversation[1 << 20];
static const char *wanted;
static int64_t deadline;

static void
check(void *context)
{
	strcat(conversation, false_connection_heard());
	if (strstr(conversation, wanted) != NULL ||
	    clock_monotonic_us() > deadline)
		event_loop_stop(loop);
	else
		timer_start(ticker, 1);
}

/* The client says `line` and in the end hears `text`. */
static void
say(const char *line, const char *text)
{
	conversation[0] = '\0';
	wanted = text;
	deadline = clock_monotonic_us() + DEADLINE_US;
	if (line[0] != '\0')
		false_connection_say(false_connection(), line, strlen(line));
	if (ticker == NULL)
		ticker = timer_new(loop, check, NULL);
	timer_start(ticker, 0);
	event_loop_run(loop);
	if (strstr(conversation, text) == NULL)
		fail_msg("\"%s\" heard \"%s\"", line, conversation);
}

static unsigned int
count_heard(const char *text)
{
	unsigned int count = 0;

	for (const char *at = conversation; (at = strstr(at, text)) != NULL;
	     at++)
		count++;
	return count;
}

/* -- Errors -- */

static struct smtp_session *
session(void)
{
	return table_find_u64(front->sessions, front->next_connection);
}

static void
errors_slow_a_client_down(void **state)
{
	int64_t before;

	call_from("192.0.2.1");
	say("X\r\nX\r\nX\r\nNOOP\r\n", "250 2.0.0");
	assert_int_equal(session()->state, SMTP_STATE_COMMAND);
	before = clock_monotonic_us();
	say("X\r\nNOOP\r\n", "500 5.5.2");
	assert_int_equal(session()->state, SMTP_STATE_SLOWED);
	assert_int_equal(front->slowed_count, 1);
	assert_null(strstr(conversation, "250"));
	say("", "250 2.0.0");
	assert_true(
	    clock_monotonic_us() - before >= (int64_t)SMTP_SLOW_STEP_MS * 900);
	assert_int_equal(front->slowed_count, 0);
	/* He who hangs up while he waits makes room for another. */
	say("X\r\n", "500 5.5.2");
	assert_int_equal(front->slowed_count, 1);
	hang_up();
	assert_int_equal(front->slowed_count, 0);
	/* Nobody waits on this machine, nor when many do. */
	call_from("127.0.0.1");
	say("X\r\nX\r\nX\r\nX\r\nX\r\nNOOP\r\n", "250 2.0.0");
	front->slowed_count = SMTP_MAX_SLOWED;
	call_from("192.0.2.1");
	say("X\r\nX\r\nX\r\nX\r\nX\r\nNOOP\r\n", "250 2.0.0");
	front->slowed_count = 0;
}

static void
errors_of_all_connections_close_the_door(void **state)
{
	settings->errors_rate.address = (struct rate){ 6, 3600 };
	smtp_front_reload(front, settings);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(call_from("192.0.2.1"), BUDGET_OK);
		say("EHLO c\r\n", "250 ENHANCED");
		say("MAIL FROM:<a@b>\r\nRCPT TO:<nobody@demo.test>\r\nX\r\n",
		    "500 5.5.2");
		hang_up();
	}
	assert_int_equal(call_from("192.0.2.1"), BUDGET_OK);
	say("X\r\n", "500 5.5.2");
	say("X\r\n", "421 4.7.0 Too many errors");
	assert_true(false_connection_is_finished(false_connection()));
	hang_up();
	assert_int_equal(call_from("192.0.2.1"), BUDGET_ADDRESS_ERRORS);
	assert_int_equal(call_from("192.0.2.2"), BUDGET_OK);
}

/* Failed logins are mistakes like others, the one that is answered with 421 as
 * well. */
static void
failed_logins_are_errors(void **state)
{
	settings->errors_rate.address = (struct rate){ 3, 3600 };
	smtp_front_reload(front, settings);
	way.service = SERVICE_SUBMIT;
	call_from("192.0.2.1");
	for (int i = 0; i < SMTP_MAX_FAILED_LOGINS; i++) {
		assert_false(false_connection_is_finished(false_connection()));
		session()->state = SMTP_STATE_LOGIN;
		smtp_session_login(session(), LOGIN_FAILED, TEXT(""));
	}
	say("", "421 4.7.0 Too many failed logins");
	hang_up();
	assert_int_equal(call_from("192.0.2.1"), BUDGET_ADDRESS_ERRORS);
}

/* A stop does not wait for those who wait. */
static void
a_stop_ends_who_was_slowed_down(void **state)
{
	call_from("192.0.2.1");
	say("X\r\nX\r\nX\r\nX\r\n", "500 5.5.2");
	assert_int_equal(session()->state, SMTP_STATE_SLOWED);
	smtp_front_stop(front);
	say("", "421 4.3.2");
}

/* -- What is sent ahead -- */

#define RCPT(name) "RCPT TO:<" name "@demo.test>\r\n"
#define AHEAD      "MAIL FROM:<a@b>\r\n" RCPT("a")
#define FOUR       RCPT("a") RCPT("nobody") RCPT("b") RCPT("c")

/* The queue hears MAIL and all RCPT before it has answered one. */
static void
recipients_are_asked_about_along_with_the_sender(void **state)
{
	call_from("192.0.2.1");
	say("EHLO c\r\n", "250 ENHANCED");
	patience = 5;
	say("MAIL FROM:<a@b>\r\n" FOUR "DATA\r\n", "354 ");
	assert_string_equal(conversation,
	    "250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n"
	    "550 5.1.1 No such user here\r\n250 2.1.5 Recipient ok\r\n"
	    "250 2.1.5 Recipient ok\r\n"
	    "354 End the message with CRLF.CRLF\r\n");
	patience = 0;
	say("x\r\n.\r\n", "250 2.0.0 Ok, safe on disk as id42\r\n");
	/* After a mistake it is one by one. */
	false_connection_say(false_connection(), AHEAD, sizeof(AHEAD) - 1);
	assert_int_equal(session()->asked, 0);
	say("DATA\r\n", "354 ");
}

static void
recipients_behind_a_refused_sender_are_out_of_sequence(void **state)
{
	call_from("192.0.2.1");
	say("EHLO c\r\n", "250 ENHANCED");
	patience = 3;
	sender_verdict = VERDICT_TOO_BIG;
	say(AHEAD RCPT("b") "NOOP\r\n", "250 2.0.0");
	assert_ptr_equal(strstr(conversation, "552 5.3.4"), conversation);
	assert_int_equal(count_heard("503 5.5.1"), 2);
	assert_int_equal(count_heard("250"), 1);
	patience = 0;
	say(RCPT("a"), "503 5.5.1");
	sender_verdict = VERDICT_OK;
	say(AHEAD "DATA\r\n", "354 ");
	say("x\r\n.\r\n", "250 2.0.0 Ok");
	assert_int_equal(ended, 1);
}

/* No more than so many wait in the queue's channel for one client. */
static void
few_are_asked_about_ahead(void **state)
{
	char line[2000] = "MAIL FROM:<a@b>\r\n";

	for (int i = 0; i < 2 * SMTP_MAX_AHEAD + 1; i++)
		strcat(line, RCPT("a"));
	call_from("192.0.2.1");
	say("EHLO c\r\n", "250 ENHANCED");
	patience = 32;
	false_connection_say(false_connection(), line, strlen(line));
	assert_int_equal(session()->asked, SMTP_MAX_AHEAD + 1);
	patience = 1;
	say("DATA\r\n", "354 ");
	assert_int_equal(count_heard("250 2.1.5"), 2 * SMTP_MAX_AHEAD + 1);
}

/* -- Places -- */

static uint16_t
open_listener(enum service kind)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct listen_setting *setting =
	    &settings->listeners[settings->listener_count++];
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&address, &size);
	setting->service = kind;
	setting->port = ntohs(address.sin_port);
	strcpy(setting->address, "127.0.0.1");
	smtp_front_listen(front, fd);
	return setting->port;
}

static int
dial(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* The queue says that the store is there: clients are taken. */
static void
begin_service(void)
{
	struct message state = { .type = MESSAGE_queue_state };

	state.queue_state.status = STATUS_OK;
	channel_send(queue, &state, NULL, 0);
}

/* One of eight places is kept for those who will log in. */
static void
a_flood_of_mail_leaves_room_for_users(void **state)
{
	uint16_t smtp, submit;
	char line[200] = "";
	int64_t end_us;
	int fds[9];

	settings->max_connections = 8;
	smtp_front_reload(front, settings);
	smtp = open_listener(SERVICE_SMTP);
	submit = open_listener(SERVICE_SUBMIT);
	begin_service();
	for (int i = 0; i < 7; i++) {
		fds[i] = dial(smtp);
		say("", "220 mx.demo.test");
	}
	fds[7] = dial(smtp);
	end_us = clock_monotonic_us() + DEADLINE_US;
	while (recv(fds[7], line, sizeof(line) - 1, MSG_DONTWAIT) == -1) {
		assert_true(clock_monotonic_us() < end_us);
		deadline = 0; /* one turn of the loop */
		timer_start(ticker, 1);
		event_loop_run(loop);
	}
	assert_non_null(strstr(line, "421 4.7.0 Too many connections, try"));
	fds[8] = dial(submit);
	say("", "220 mx.demo.test");
	for (int i = 0; i < 9; i++)
		close(fds[i]);
}

/* -- XCLIENT -- */

static void
arguments_of_xclient_are_read(void **state)
{
	static const struct {
		const char *arguments;
		bool is_good, has_login;
		const char *ip, *hello;
		bool is_esmtp;
	} rows[] = {
		{ "ADDR=192.0.2.7", true, false, "192.0.2.7", "", false },
		{ "addr=IPV6:2001:DB8::7 proto=esmtp HELO=c.example", true,
		    false, "2001:db8::7", "c.example", true },
		{ "NAME=[UNAVAILABLE] ADDR=[TEMPUNAVAIL] HELO=[unavailable]",
		    true, false, "", "", false },
		{ "NAME=c.example PORT=25 DESTADDR=IPV6:::1 DESTPORT=0 "
		  "PROTO=SMTP",
		    true, false, "", "", false },
		{ "HELO=c+2Eexample", true, false, "", "c.example", false },
		{ "HELO=[192.0.2.7]", true, false, "", "[192.0.2.7]", false },
		{ "LOGIN=bob", true, true, "", "", false },
		{ "LOGIN=[UNAVAILABLE]", true, false, "", "", false },
		{ .arguments = "" },
		{ .arguments = "ADDR" },
		{ .arguments = "ADDR=" },
		{ .arguments = "ADDR=192.0.2.7 ADDR=192.0.2.7" },
		{ .arguments = "ADDR=2001:db8::7" },
		{ .arguments = "ADDR=IPV6:192.0.2.7" },
		{ .arguments = "ADDR=192.0.2.256" },
		{ .arguments = "ADDR=192.0.2.7+0" },
		{ .arguments = "ADDR=192.0.2.7+GG" },
		{ .arguments = "COLOUR=red" },
		{ .arguments = "PORT=65536" },
		{ .arguments = "PROTO=LMTP" },
		{ .arguments = "HELO=a+0D+0AReceived:" },
		{ .arguments = "HELO=a+00" },
		{ .arguments = "HELO=a+29" }, /* ends a comment in Received */
		{ .arguments = "NAME=a+20b" },
		{ .arguments = "HELO=a=b" },
	};
	struct xclient xclient;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status =
		    xclient_parse(text_of(rows[i].arguments), &xclient);

		if (status != (rows[i].is_good ? 0 : -1))
			fail_msg("row %zu: %s", i, rows[i].arguments);
		if (status == -1)
			continue;
		assert_string_equal(xclient.ip, rows[i].ip);
		assert_string_equal(xclient.hello, rows[i].hello);
		assert_int_equal(xclient.is_esmtp, rows[i].is_esmtp);
		assert_int_equal(xclient.has_login, rows[i].has_login);
	}
}

static void
believe(const char *network)
{
	assert_int_equal(
	    network_parse(text_of(network), &way.xclients.list[0]), 0);
	way.xclients.count = 1;
}

static void
xclient_makes_the_client_another(void **state)
{
	believe("203.0.113.0/24");
	call_from("203.0.113.5");
	say("EHLO proxy\r\n", "250 ENHANCED");
	assert_non_null(strstr(conversation,
	    "250-XCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT\r\n"));
	say("XCLIENT ADDR=192.0.2.7 NAME=c.example HELO=c.example "
	    "PROTO=ESMTP\r\n",
	    "220 mx.demo.test");
	say("MAIL FROM:<a@b>\r\n", "250 2.1.0");
	assert_string_equal(client_ip, "192.0.2.7");
	assert_string_equal(helo, "c.example");
	say("XCLIENT ADDR=192.0.2.8\r\n", "503 5.5.1");
	say("RSET\r\n", "250 2.0.0");
	/* What he says himself counts, and he begins anew. */
	say("XCLIENT ADDR=IPV6:2001:db8::9\r\n", "220 mx.demo.test");
	say("MAIL FROM:<a@b>\r\n", "503 5.5.1 Say EHLO");
	say("HELO me.example\r\n", "250 mx.demo.test");
	say("MAIL FROM:<a@b>\r\n", "250 2.1.0");
	assert_string_equal(client_ip, "2001:db8::9");
	assert_string_equal(helo, "me.example");
	say("RSET\r\n", "250 2.0.0");
	say("XCLIENT LOGIN=alice@demo.test ADDR=192.0.2.8\r\n", "501 5.7.0");
	say("XCLIENT COLOUR=red\r\n", "501 5.5.4");
	assert_false(session()->is_logged_in);
	say("MAIL FROM:<a@b>\r\n", "250 2.1.0");
	assert_string_equal(client_ip, "2001:db8::9");
}

static void
xclient_is_nothing_to_others(void **state)
{
	believe("203.0.113.0/24");
	call_from("203.0.114.5");
	say("EHLO c\r\n", "250 ENHANCED");
	assert_null(strstr(conversation, "XCLIENT"));
	say("XCLIENT ADDR=192.0.2.7\r\n", "500 5.5.2");
	say("MAIL FROM:<a@b>\r\n", "250 2.1.0");
	assert_string_equal(client_ip, "203.0.114.5");
}

/* Whose budget it is, and whose place. */
static void
the_budget_is_that_of_the_new_client(void **state)
{
	believe("203.0.113.5");
	settings->max_connections_per_address = 1;
	settings->errors_rate.address = (struct rate){ 2, 3600 };
	smtp_front_reload(front, settings);
	assert_int_equal(call_from("203.0.113.5"), BUDGET_OK);
	say("X\r\n", "500 5.5.2");
	say("XCLIENT ADDR=192.0.2.7\r\n", "220 ");
	/* The proxy's place is free, the client's taken. */
	assert_int_equal(call_from("203.0.113.5"), BUDGET_OK);
	say("XCLIENT ADDR=192.0.2.7\r\n", "421 4.7.0 Too many connections");
	assert_true(false_connection_is_finished(false_connection()));
	hang_up();
	assert_int_equal(call_from("203.0.113.5"), BUDGET_OK);
	say("XCLIENT ADDR=192.0.2.8\r\n", "220 ");
	say("X\r\n", "500 5.5.2");
	say("X\r\n", "421 4.7.0 Too many errors");
	hang_up();
	assert_int_equal(call_from("192.0.2.8"), BUDGET_ADDRESS_ERRORS);
	assert_int_equal(call_from("203.0.113.5"), BUDGET_OK);
}

/* Who is sent the words of a proxy together with his own, has them still. */
static void
what_ends_no_message_does_not_after_xclient(void **state)
{
	believe("203.0.113.5");
	call_from("203.0.113.5");
	say("XCLIENT ADDR=192.0.2.7\r\n", "220 ");
	say("EHLO c\r\n", "250 ENHANCED");
	say("MAIL FROM:<a@b>\r\nRCPT TO:<alice@demo.test>\r\nDATA\r\n", "354");
	say("a\n.\r\nXCLIENT ADDR=192.0.2.9\r\n\r\n.\nb\r\n.\r\n",
	    "250 2.0.0 Ok");
	assert_int_equal(ended, 1);
	assert_string_equal(
	    body, "a\n.\r\nXCLIENT ADDR=192.0.2.9\r\n\r\n\nb\r\n");
}

/* -- LMTP -- */

static void
lmtp_has_its_own_greeting(void **state)
{
	way.service = SERVICE_LMTP;
	call_from("127.0.0.1");
	say("", "220 mx.demo.test LMTP");
	say("EHLO c\r\n", "502 5.5.1");
	say("HELO c\r\n", "502 5.5.1");
	say("MAIL FROM:<a@b>\r\n", "503 5.5.1");
	say("LHLO c\r\n", "250 ENHANCEDSTATUSCODES");
	assert_non_null(strstr(conversation, "250-PIPELINING\r\n"));
	assert_null(strstr(conversation, "DSN"));
	say("AUTH PLAIN AGJvYgBwdw==\r\n", "502 5.5.1");
	hang_up();
	way.service = SERVICE_SMTP;
	call_from("127.0.0.1");
	say("LHLO c\r\n", "502 5.5.1");
}

#define LMTP_ENVELOPE                                      \
	"MAIL FROM:<a@b>\r\nRCPT TO:<alice@demo.test>\r\n" \
	"RCPT TO:<nobody@demo.test>\r\nRCPT TO:<bob@demo.test>\r\n"

static void
lmtp_answers_for_each_recipient(void **state)
{
	way.service = SERVICE_LMTP;
	call_from("127.0.0.1");
	say("LHLO c\r\n", "250 ENHANCED");
	say(LMTP_ENVELOPE "DATA\r\n", "354");
	assert_int_equal(count_heard("550 5.1.1"), 1);
	say("x\r\n.\r\nNOOP\r\n", "250 2.0.0 Ok\r\n");
	assert_int_equal(count_heard("safe on disk as id42\r\n"), 2);
	assert_int_equal(service, SERVICE_LMTP);
	/* Chunks: one answer for each chunk, for the last one those of all. */
	say(LMTP_ENVELOPE "BDAT 3\r\nx\r\nNOOP\r\n", "250 2.0.0 Ok\r\n");
	assert_int_equal(count_heard("bytes of this chunk"), 1);
	say("BDAT 1 LAST\r\nyNOOP\r\n", "250 2.0.0 Ok\r\n");
	assert_int_equal(count_heard("safe on disk as id42\r\n"), 2);
	/* Refused for all of them, and it is one error, if any. */
	end_verdict = VERDICT_TOO_BIG;
	for (int i = 0; i < SMTP_MAX_ERRORS; i++) {
		say(LMTP_ENVELOPE "DATA\r\n", "354");
		say("x\r\n.\r\nNOOP\r\n", "250 2.0.0 Ok\r\n");
		assert_int_equal(count_heard("552 5.3.4"), 2);
	}
	say(LMTP_ENVELOPE "BDAT 200000 LAST\r\n", "250 2.1.5");
	for (int i = 0; i < 20; i++) {
		static char bytes[10001];

		memset(bytes, 'x', sizeof(bytes) - 1);
		false_connection_say(
		    false_connection(), bytes, sizeof(bytes) - 1);
	}
	say("NOOP\r\n", "250 2.0.0 Ok\r\n");
	assert_int_equal(count_heard("552 5.3.4"), 2);
	assert_int_equal(aborted, 1);
	/* Without one there is nothing to answer. */
	say("MAIL FROM:<a@b>\r\nDATA\r\n", "554 5.5.1");
}

/* Of three that were taken the second and third had no room. */
static void
lmtp_tells_those_whose_mailboxes_are_full(void **state)
{
	way.service = SERVICE_LMTP;
	call_from("127.0.0.1");
	end_full = "\x06";
	say("LHLO c\r\n", "250 ENHANCED");
	say("MAIL FROM:<a@b>\r\nRCPT TO:<a@demo.test>\r\n"
	    "RCPT TO:<b@demo.test>\r\nRCPT TO:<c@demo.test>\r\nDATA\r\n",
	    "354");
	say("x\r\n.\r\nNOOP\r\n", "250 2.0.0 Ok\r\n");
	assert_int_equal(count_heard("safe on disk as id42\r\n"), 1);
	assert_int_equal(count_heard("452 4.2.2"), 2);
	end_full = "";
	/* The next message has answers of its own. */
	say("MAIL FROM:<a@b>\r\nRCPT TO:<a@demo.test>\r\n"
	    "RCPT TO:<b@demo.test>\r\nDATA\r\n",
	    "354");
	say("x\r\n.\r\nNOOP\r\n", "250 2.0.0 Ok\r\n");
	assert_int_equal(count_heard("safe on disk as id42\r\n"), 2);
}

/* More answers than fit into the output go out as it drains. */
static void
lmtp_answers_do_not_overflow(void **state)
{
	static char line[] = "RCPT TO:<alice@demo.test>\r\n";
	unsigned int count = 3000;

	way.service = SERVICE_LMTP;
	call_from("127.0.0.1");
	say("LHLO c\r\nMAIL FROM:<a@b>\r\n", "250 2.1.0");
	for (unsigned int i = 0; i < count; i++)
		say(line, "250 2.1.5");
	false_connection_set_room(false_connection(), 40000);
	say("DATA\r\n", "354");
	say("x\r\n.\r\n", "id42");
	while (session()->state == SMTP_STATE_ANSWERING) {
		unsigned int heard = count_heard("id42");

		assert_in_range(heard, 1, count - 1);
		false_connection_set_room(false_connection(), 40000);
		strcat(conversation, false_connection_heard());
		assert_true(count_heard("id42") > heard);
	}
	assert_int_equal(count_heard("id42"), count);
	false_connection_set_room(false_connection(), SMTP_OUTPUT_LIMIT);
	say("NOOP\r\n", "250 2.0.0 Ok");
}

/* The queue dies before it answers: nobody hears 250. */
static void
lmtp_promises_nothing_without_the_queue(void **state)
{
	way.service = SERVICE_LMTP;
	call_from("127.0.0.1");
	say("LHLO c\r\n", "250 ENHANCED");
	say(LMTP_ENVELOPE "DATA\r\n", "354");
	channel_free(&queue);
	say("x\r\n.\r\n", "421 4.3.0");
	assert_int_equal(count_heard("250"), 0);
	assert_true(false_connection_is_finished(false_connection()));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = { TEST(errors_slow_a_client_down),
		TEST(errors_of_all_connections_close_the_door),
		TEST(failed_logins_are_errors),
		TEST(a_stop_ends_who_was_slowed_down),
		TEST(recipients_are_asked_about_along_with_the_sender),
		TEST(recipients_behind_a_refused_sender_are_out_of_sequence),
		TEST(few_are_asked_about_ahead),
		TEST(a_flood_of_mail_leaves_room_for_users),
		cmocka_unit_test(arguments_of_xclient_are_read),
		TEST(xclient_makes_the_client_another),
		TEST(xclient_is_nothing_to_others),
		TEST(the_budget_is_that_of_the_new_client),
		TEST(what_ends_no_message_does_not_after_xclient),
		TEST(lmtp_has_its_own_greeting),
		TEST(lmtp_answers_for_each_recipient),
		TEST(lmtp_tells_those_whose_mailboxes_are_full),
		TEST(lmtp_answers_do_not_overflow),
		TEST(lmtp_promises_nothing_without_the_queue) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
