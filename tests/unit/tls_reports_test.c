/*
 * Reports of TLS from the relay's word to the last address, before a false
 * relay, queue and fetcher: what is counted, when it goes, as what, and that a
 * stranger cannot make it grow.
 */
#include "common/clock.h"
#include "common/file.h"
#include "common/queue_record.h"
#include "common/smtp_verdict.h"
#include "common/tls_result.h"
#include "smtpd/spool_env.h"
#include "smtpd/tlsrpt_report.h"
#include "smtpd/tlsrpt_store.h"
#include "tests/unit/spool_stand.h"

#include <jansson.h>
#include <string.h>
#include <zlib.h>

enum {
	DAY_S = 86400
};

#define RUA_MAIL  "v=TLSRPTv1; rua=mailto:tls@there.test"
#define RUA_HTTPS "v=TLSRPTv1; rua=https://tls.there.test/x"
#define RUA_BOTH  RUA_MAIL ",https://tls.there.test/x"

static struct channel *queue, *relay, *fetcher, *control;
static unsigned int wanted, mails, posts, answers;
static char mail[200000], mail_to[512], uri[1001];
static unsigned int mail_flags;
static uint64_t post_tag;
static json_t *json; /* of the last post */
static struct queue_tls_report_record rows[200];
static char names[200][256];
static size_t row_count;
static uint32_t begun;

static bool
has_mails(void)
{
	return mails >= wanted;
}

static bool
has_posts(void)
{
	return posts >= wanted;
}

static bool
has_answers(void)
{
	return answers >= wanted;
}

/* -- The others -- */

static void
queue_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message answer = { .type = MESSAGE_report_routed };
	struct error error;
	struct buf bytes;

	if (message->type != MESSAGE_spool_report)
		return;
	buf_init(&bytes, sizeof(mail) - 1);
	assert_int_equal(file_read_all(fds[0], &bytes, &error), 0);
	memcpy(mail, bytes.data, bytes.size);
	mail[bytes.size] = '\0';
	buf_clear(&bytes);
	text_copy(message->spool_report.recipient, mail_to, sizeof(mail_to));
	mail_flags = message->spool_report.flags;
	answer.report_routed.tag = message->spool_report.tag;
	(void)channel_send(channel, &answer, NULL, 0);
	mails++;
}

static json_t *
unpack(struct text data)
{
	static char text[1 << 20];
	z_stream stream = { .next_in = (Bytef *)(uintptr_t)data.data,
		.avail_in = (uInt)data.size,
		.next_out = (Bytef *)text,
		.avail_out = sizeof(text) };

	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	inflateEnd(&stream);
	return json_loadb(text, stream.total_out, JSON_REJECT_DUPLICATES, NULL);
}

static void
fetcher_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	text_copy(message->post_report.uri, uri, sizeof(uri));
	post_tag = message->post_report.tag;
	json_decref(json);
	json = unpack(message->post_report.data);
	assert_non_null(json);
	posts++;
}

static void
control_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct message_tls_reports_page *page =
	    &message->tls_reports_page;
	struct reader reader;

	answers++;
	if (message->type == MESSAGE_tls_reports_begun) {
		begun = message->tls_reports_begun.reports;
		return;
	}
	assert_int_equal(page->status, STATUS_OK);
	assert_true(page->is_last);
	memset(rows, 0, sizeof(rows));
	reader_init(&reader, page->rows.data, page->rows.size);
	row_count = 0;
	while (queue_get_tls_report(&reader, &rows[row_count]) == 1) {
		text_copy(
		    rows[row_count].domain, names[row_count], sizeof(names[0]));
		row_count++;
	}
}

static void
start(void)
{
	static const struct channel_handler relay_handler = { NULL, gone },
					    queue_handler = { queue_hears,
						    gone },
					    fetcher_handler = { fetcher_hears,
						    gone },
					    control_handler = { control_hears,
						    gone };

	open_spool(NULL, NULL);
	relay = connect_to(ROLE_RELAY, &relay_handler);
	queue = connect_to(ROLE_QUEUE, &queue_handler);
	fetcher = connect_to(ROLE_FETCHER, &fetcher_handler);
	control = connect_to(ROLE_FIRNMAIL, &control_handler);
}

static void
stop(void)
{
	channel_free(&relay);
	channel_free(&queue);
	channel_free(&fetcher);
	channel_free(&control);
	close_spool();
}

static int
set_up(void **state)
{
	make_folder();
	strcpy(settings->tls_report_contact, "postmaster@demo.test");
	strcpy(settings->tls_report_organization, "Demo");
	mails = posts = answers = 0;
	start();
	return 0;
}

static int
tear_down(void **state)
{
	stop();
	remove_folder();
	json_decref(json);
	json = NULL;
	return 0;
}

/* -- What is said -- */

static struct message_tls_session
session(const char *domain, const char *record, enum tls_result result)
{
	struct message_tls_session said = { .domain = text_of(domain),
		.record = text_of(record),
		.policy_type = TLS_POLICY_STS,
		.policy_domain = text_of(domain),
		.policy = TEXT("version: STSv1\r\nmode: enforce\r\n"
			       "mx: *.there.test\r\nmax_age: 86400\r\n"),
		.result = (uint8_t)result,
		.mx = TEXT("mail.there.test") };

	if (result != TLS_RESULT_SUCCESS) {
		said.helo = TEXT("mail\x01.there.test");
		said.sending_ip = TEXT("192.0.2.1");
		said.receiving_ip = TEXT("2001:db8::1");
		said.reason = TEXT("certificate has expired");
	}
	return said;
}

static void
say(const struct message_tls_session *said)
{
	const struct message message = { .type = MESSAGE_tls_session,
		.tls_session = *said };

	assert_int_equal(channel_send(relay, &message, NULL, 0), 0);
}

static void
say_result(const char *domain, const char *record, enum tls_result result)
{
	const struct message_tls_session said = session(domain, record, result);

	say(&said);
}

static void
list(void)
{
	struct message message = { .type = MESSAGE_tls_reports_list };

	message.tls_reports_list.tag = 1;
	assert_int_equal(channel_send(control, &message, NULL, 0), 0);
	wanted = answers + 1;
	wait_for(has_answers);
}

/* Until so many sessions of the first report are counted. */
static void
wait_counted(unsigned int count)
{
	int64_t end = clock_monotonic_us() / 1000 + DEADLINE_MS;

	do
		list();
	while ((row_count == 0 || rows[0].good + rows[0].bad < count) &&
	       clock_monotonic_us() / 1000 < end);
	assert_int_equal(rows[0].good + rows[0].bad, count);
}

static void
send_all(uint32_t count)
{
	struct message message = { .type = MESSAGE_tls_reports_send };

	message.tls_reports_send.tag = 2;
	assert_int_equal(channel_send(control, &message, NULL, 0), 0);
	wanted = answers + 1;
	wait_for(has_answers);
	assert_int_equal(begun, count);
}

static void
answer_post(enum status status)
{
	struct message message = { .type = MESSAGE_report_posted };

	message.report_posted.tag = post_tag;
	message.report_posted.status = (uint8_t)status;
	assert_int_equal(channel_send(fetcher, &message, NULL, 0), 0);
}

static bool
is_list_empty(void)
{
	return spool_env_count(spool_store_env(spool->store), SPOOL_TLSRPT) ==
	       0;
}

/* -- What is read -- */

static const char *
word(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static json_int_t
number(json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static json_t *
first_policy(void)
{
	return json_array_get(json_object_get(json, "policies"), 0);
}

static void
sessions_are_counted_and_reported(void **state)
{
	json_t *policy, *summary, *failures, *failure;

	for (int i = 0; i < 3; i++)
		say_result("there.test", RUA_BOTH, TLS_RESULT_SUCCESS);
	for (int i = 0; i < 2; i++)
		say_result("there.test", RUA_BOTH, TLS_RESULT_EXPIRED);
	say_result("there.test", RUA_BOTH, TLS_RESULT_NO_STARTTLS);
	wait_counted(6);
	assert_string_equal(names[0], "there.test");
	send_all(1);
	wanted = 1;
	wait_for(has_posts);
	wait_for(has_mails);
	assert_string_equal(uri, "https://tls.there.test/x");
	assert_string_equal(word(json, "organization-name"), "Demo");
	assert_string_equal(word(json, "contact-info"), "postmaster@demo.test");
	assert_int_equal(json_array_size(json_object_get(json, "policies")), 1);
	policy = json_object_get(first_policy(), "policy");
	assert_string_equal(word(policy, "policy-type"), "sts");
	assert_string_equal(word(policy, "policy-domain"), "there.test");
	assert_int_equal(
	    json_array_size(json_object_get(policy, "policy-string")), 4);
	assert_string_equal(json_string_value(json_array_get(
				json_object_get(policy, "mx-host"), 0)),
	    "*.there.test");
	summary = json_object_get(first_policy(), "summary");
	assert_int_equal(number(summary, "total-successful-session-count"), 3);
	assert_int_equal(number(summary, "total-failure-session-count"), 3);
	failures = json_object_get(first_policy(), "failure-details");
	assert_int_equal(json_array_size(failures), 2);
	failure = json_array_get(failures, 0);
	if (strcmp(word(failure, "result-type"), "certificate-expired") != 0)
		failure = json_array_get(failures, 1);
	assert_string_equal(
	    word(failure, "result-type"), "certificate-expired");
	assert_int_equal(number(failure, "failed-session-count"), 2);
	assert_string_equal(
	    word(failure, "receiving-mx-helo"), "mail?.there.test");
	assert_string_equal(word(failure, "receiving-ip"), "2001:db8::1");
	/* The mail, and whom TLS need not stop it from reaching. */
	assert_string_equal(mail_to, "tls@there.test");
	assert_int_equal(mail_flags, TRANSACTION_TLS_OPTIONAL);
	assert_non_null(strstr(mail, "\r\nTLS-Report-Domain: there.test\r\n"));
	assert_non_null(
	    strstr(mail, "\r\nTLS-Report-Submitter: mx.demo.test\r\n"));
	assert_non_null(strstr(mail, "report-type=\"tlsrpt\""));
	answer_post(STATUS_OK);
	wait_for(is_list_empty);
}

static void
a_post_that_fails_is_tried_again_and_what_was_mailed_is_not(void **state)
{
	say_result("there.test", RUA_BOTH, TLS_RESULT_SUCCESS);
	wait_counted(1);
	send_all(1);
	wanted = 1;
	wait_for(has_posts);
	answer_post(STATUS_UNAVAILABLE);
	list();
	assert_int_equal(row_count, 1);
	assert_int_equal(rows[0].tries, 1);
	assert_true(rows[0].due > spool_now() / 1000 + 800);
	/* As the administrator wants it: at once. */
	send_all(1);
	wanted = 2;
	wait_for(has_posts);
	assert_int_equal(mails, 1);
	answer_post(STATUS_OK);
	wait_for(is_list_empty);
}

static void
what_is_counted_is_there_after_a_restart(void **state)
{
	int64_t now = spool_now() / 1000, end = now - now % DAY_S + DAY_S;

	say_result("there.test", RUA_MAIL, TLS_RESULT_SUCCESS);
	wait_counted(1);
	stop();
	start();
	say_result("there.test", RUA_MAIL, TLS_RESULT_SUCCESS);
	wait_counted(2);
	/* It goes when the day is over, in the next hours. */
	assert_in_range(rows[0].due, end, end + 4 * 3600);
	assert_int_equal(rows[0].begin % DAY_S, 0);
	assert_int_equal(mails, 0);
}

/* So many days ago. */
static void
count_then(int64_t days, const char *record)
{
	const struct message_tls_session said =
	    session("there.test", record, TLS_RESULT_SUCCESS);
	int64_t then = spool_now() / 1000 - days * DAY_S;
	struct error error;

	assert_int_equal(spool_store_begin(spool->store, &error), 0);
	assert_int_equal(tlsrpt_store_count(spool_store_env(spool->store),
			     (uint32_t)(then - then % DAY_S), &said, &error),
	    0);
	assert_int_equal(spool_store_commit(spool->store, &error), 0);
}

static void
a_report_goes_by_itself_when_its_day_is_over(void **state)
{
	int64_t now = spool_now() / 1000;

	/* Of yesterday, where its time must have come: four hours later. */
	count_then(now % DAY_S >= 4 * 3600 ? 1 : 2, RUA_HTTPS);
	stop();
	start();
	wanted = 1;
	wait_for(has_posts);
	assert_int_equal(mails, 0);
	answer_post(STATUS_OK);
	wait_for(is_list_empty);
}

static void
one_that_found_nobody_for_a_day_is_forgotten(void **state)
{
	count_then(4, RUA_HTTPS);
	stop();
	start();
	wait_for(is_list_empty);
	assert_int_equal(posts, 0);
}

static void
who_does_not_want_to_report_does_not(void **state)
{
	settings->sends_tls_reports = false;
	say_result("there.test", RUA_BOTH, TLS_RESULT_SUCCESS);
	wait_counted(1);
	send_all(1);
	wait_for(is_list_empty);
	assert_int_equal(posts + mails, 0);
}

static void
a_stranger_cannot_make_a_report_grow(void **state)
{
	char reason[200], policy[TLSRPT_MAX_TEXT];

	for (unsigned int i = 0; i < 300; i++) {
		struct message_tls_session said =
		    session("there.test", RUA_HTTPS, TLS_RESULT_OTHER);

		/* Nothing that could be compressed. */
		for (size_t n = 0; n < sizeof(reason); n++)
			reason[n] = (char)(' ' + rand() % 95);
		said.reason = text_make(reason, sizeof(reason));
		say(&said);
	}
	for (unsigned int i = 0; i < 20; i++) {
		struct message_tls_session said =
		    session("there.test", RUA_HTTPS, TLS_RESULT_OTHER);

		memset(policy, 'x', sizeof(policy));
		policy[0] = (char)('a' + i);
		said.policy = text_make(policy, sizeof(policy));
		say(&said);
	}
	/* The first policy, and seven of the others. */
	wait_counted(307);
	assert_true(
	    spool_env_count(spool_store_env(spool->store), SPOOL_TLSRPT) <=
	    1 + TLSRPT_MAX_POLICIES + TLSRPT_MAX_FAILURES);
	send_all(1);
	wanted = 1;
	wait_for(has_posts);
	assert_int_equal(json_array_size(json_object_get(json, "policies")),
	    TLSRPT_MAX_POLICIES);
}

static void
the_relay_is_not_believed_what_is_no_session(void **state)
{
	struct message_tls_session said =
	    session("there.test", RUA_HTTPS, TLS_RESULT_SUCCESS);

	said.result = TLS_RESULTS;
	say(&said);
	said = session("", RUA_HTTPS, TLS_RESULT_SUCCESS);
	say(&said);
	said = session("there.test", RUA_HTTPS, TLS_RESULT_SUCCESS);
	said.policy_type = TLS_POLICIES;
	say(&said);
	said = session("good.test", RUA_HTTPS, TLS_RESULT_SUCCESS);
	say(&said);
	wait_counted(1);
	assert_int_equal(row_count, 1);
	assert_string_equal(names[0], "good.test");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(sessions_are_counted_and_reported),
		TEST(
		    a_post_that_fails_is_tried_again_and_what_was_mailed_is_not),
		TEST(what_is_counted_is_there_after_a_restart),
		TEST(a_report_goes_by_itself_when_its_day_is_over),
		TEST(one_that_found_nobody_for_a_day_is_forgotten),
		TEST(who_does_not_want_to_report_does_not),
		TEST(a_stranger_cannot_make_a_report_grow),
		TEST(the_relay_is_not_believed_what_is_no_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
