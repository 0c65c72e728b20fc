/*
 * Parts of a body that URLs name (BURL), in the queue between a false front and
 * a false worker: who is asked, what becomes of the answer, and what of answers
 * that no worker should give.
 */
#include "common/clock.h"
#include "common/file.h"
#include "common/smtp_verdict.h"
#include "smtpd/filing.h"
#include "smtpd/transaction.h"
#include "tests/unit/transaction_stand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define URL  "imap://bob%40demo.test@mail.demo.test/Drafts/;UID=1"
#define BODY "Subject: x\r\nFrom: bob@demo.test\r\n\r\nx\r\n"

static struct channel *worker;
static unsigned int asked;
static struct message_fetch_url question;
static char address[100], url[100];

static void
worker_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type != MESSAGE_fetch_url)
		return;
	asked++;
	question = message->fetch_url;
	(void)text_copy(question.address, address, sizeof(address));
	(void)text_copy(question.url, url, sizeof(url));
}

static void
worker_gone(struct channel *channel, const struct error *error, void *context)
{
}

static void
connect_worker(uint32_t account)
{
	static const struct channel_handler handler = { worker_hears,
		worker_gone };
	struct message_introduce introduce = { .account = account };
	int ends[2];

	channel_free(&worker);
	assert_int_equal(channel_pair(ends, NULL), 0);
	worker = channel_new(
	    stand.loop, ends[0], ROLE_WORKER, ROLE_QUEUE, &handler, NULL);
	filing_worker(stand.queue->filings, &introduce, ends[1]);
}

static int
set_up(void **state)
{
	asked = 0;
	return stand_set_up(state);
}

static int
tear_down(void **state)
{
	channel_free(&worker);
	return stand_tear_down(state);
}

static bool
was_asked(void)
{
	return asked > 0;
}

static bool
has_verdict(void)
{
	return stand.verdicts > 0;
}

static void
begin(void)
{
	assert_int_equal(stand_begin(), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
}

/* The question has come to the worker. */
static void
ask(bool is_last)
{
	asked = 0;
	stand_say_url(URL, is_last);
	stand_wait(was_asked);
}

static void
answer(unsigned int verdict, uint64_t size, struct text data, int fd)
{
	struct message message = { .type = MESSAGE_url_fetched };

	message.url_fetched.tag = question.tag;
	message.url_fetched.verdict = (uint16_t)verdict;
	message.url_fetched.size = size;
	message.url_fetched.data = data;
	assert_int_equal(channel_send(worker, &message, &fd, fd != -1), 0);
	if (fd != -1)
		close(fd);
}

static void
answer_text(const char *data)
{
	answer(VERDICT_OK, strlen(data), text_of(data), -1);
}

static void
the_worker_of_who_logged_in_is_asked(void **state)
{
	connect_worker(STAND_BOB);
	begin();
	assert_int_equal(stand_put("X: 1\r\n"), VERDICT_OK);
	ask(true);
	assert_string_equal(address, "bob@demo.test");
	assert_string_equal(url, URL);
	assert_int_equal(
	    question.max_size, stand.settings->max_message_bytes - 6);
	answer_text(BODY);
	assert_int_equal(stand_verdict(), VERDICT_ACCEPTED);
	assert_non_null(strstr(
	    stand.accept_data, "X: 1\nSubject: x\nFrom: bob@demo.test\n\nx\n"));
}

static void
he_is_asked_when_he_is_there(void **state)
{
	begin();
	asked = 0;
	stand_say_url(URL, true);
	assert_int_equal(stand_begin_as("bob@demo.test"), VERDICT_OK);
	assert_int_equal(asked, 0);
	connect_worker(STAND_ALICE);
	connect_worker(STAND_BOB);
	stand_wait(was_asked);
	assert_string_equal(address, "bob@demo.test");
}

static void
parts_come_one_after_the_other(void **state)
{
	connect_worker(STAND_BOB);
	begin();
	ask(false);
	/* Nothing may come in between. */
	assert_int_equal(stand_put("early"), VERDICT_SEQUENCE);
	stand.verdicts = 0;
	answer_text("Subject: x\r\nFrom: bob@demo.test\r\n\r\na\r");
	stand_wait(has_verdict);
	assert_int_equal(stand.verdict, VERDICT_OK);
	assert_int_equal(stand_put("b\r\n"), VERDICT_OK);
	ask(false);
	answer_text("c\nd\re\r\n");
	assert_int_equal(stand_verdict(), VERDICT_OK);
	assert_int_equal(stand_end("f\r\n"), VERDICT_ACCEPTED);
	assert_non_null(strstr(stand.accept_data, "\n\na\nb\nc\nd\ne\nf\n"));
}

/* As a front gives them that does not know the part (smtp_data_flush). */
static void
a_line_end_that_a_seam_cuts_is_one(void **state)
{
	static const struct {
		const char *before, *part, *behind, *wanted;
	} rows[] = { { "a\r", "\nb\r\n", "c\r\n", "\n\na\nb\nc\n" },
		{ "a\r", "b\r", "\nc\r\n", "\n\na\nb\nc\n" },
		{ "a\r\n", "\nb\r\n", "\nc\r\n", "\n\na\n\nb\n\nc\n" },
		{ "a", "\nb", "\nc\r\n", "\n\na\nb\nc\n" },
		{ "a\r", "\r\nb\r", "\r\nc\r\n", "\n\na\n\nb\n\nc\n" },
		{ "a\r", "", "\nb\r\n", "\n\na\nb\n" },
		{ "a\r\n", "\r", "", "\n\na\n\n" } };

	connect_worker(STAND_BOB);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin();
		assert_int_equal(
		    stand_put("From: bob@demo.test\r\n\r\n"), VERDICT_OK);
		assert_int_equal(stand_put(rows[i].before), VERDICT_OK);
		ask(false);
		stand.verdicts = 0;
		answer_text(rows[i].part);
		stand_wait(has_verdict);
		assert_int_equal(stand_end(rows[i].behind), VERDICT_ACCEPTED);
		assert_non_null(strstr(stand.accept_data, rows[i].wanted));
		assert_string_equal(
		    strstr(stand.accept_data, rows[i].wanted), rows[i].wanted);
	}
}

static void
a_nul_is_refused_whoever_ends_the_message(void **state)
{
	connect_worker(STAND_BOB);
	begin();
	ask(true);
	answer(VERDICT_OK, 3, text_make("a\0b", 3), -1);
	assert_int_equal(stand_verdict(), VERDICT_NUL);
	begin();
	ask(false);
	answer(VERDICT_OK, 3, text_make("a\0b", 3), -1);
	assert_int_equal(stand_verdict(), VERDICT_OK);
	assert_int_equal(stand_end(BODY), VERDICT_NUL);
}

/* As a binary message it is what it is (RFC 3030). */
static void
binary_bytes_stay_as_they_are(void **state)
{
	connect_worker(STAND_BOB);
	assert_int_equal(
	    stand_begin_with(TRANSACTION_ESMTP | TRANSACTION_BINARYMIME, 0),
	    VERDICT_OK);
	assert_int_equal(stand_recipient("x@elsewhere.test"), VERDICT_OK);
	ask(true);
	answer_text("Subject: x\r\nFrom: bob@demo.test\r\n\r\na\nb\rc\r\n");
	assert_int_equal(stand_verdict(), VERDICT_ACCEPTED);
	assert_non_null(strstr(stand.put_data, "\r\n\r\na\nb\rc\r\n"));
}

static int
sealed(const void *data, size_t size)
{
	struct error error;
	int fd = file_sealed_memory("url", data, size, &error);

	assert_true(fd != -1);
	return fd;
}

enum {
	LARGE = 9 * 1024 * 1024
};

static void
many_bytes_come_in_memory(void **state)
{
	char *large = malloc(LARGE);

	memset(large, 'x', LARGE);
	memcpy(large, BODY, sizeof(BODY) - 1);
	connect_worker(STAND_BOB);
	begin();
	ask(true);
	answer(VERDICT_OK, LARGE, TEXT(""), sealed(large, LARGE));
	assert_int_equal(stand_verdict(), VERDICT_ACCEPTED);
	assert_true(stand.accept.size > LARGE);
	free(large);
}

static void
what_a_worker_should_not_say_is_no_message(void **state)
{
	static const struct {
		const char *name;
		unsigned int verdict;
		uint64_t size;
		unsigned int becomes;
	} rows[] = {
		{ "refused", VERDICT_URL_REFUSED, 0, VERDICT_URL_REFUSED },
		{ "missing", VERDICT_URL_MISSING, 0, VERDICT_URL_MISSING },
		{ "foreign", VERDICT_URL_FOREIGN, 0, VERDICT_URL_FOREIGN },
		{ "malformed", VERDICT_URL_MALFORMED, 0,
		    VERDICT_URL_MALFORMED },
		{ "too big", VERDICT_TOO_BIG, 0, VERDICT_TOO_BIG },
		{ "accepted", VERDICT_ACCEPTED, 0, VERDICT_URL_UNAVAILABLE },
		{ "closing", VERDICT_NO_STORE, 0, VERDICT_URL_UNAVAILABLE },
		{ "no number", 9999, 0, VERDICT_URL_UNAVAILABLE },
		{ "more than was asked for", VERDICT_OK, UINT64_MAX,
		    VERDICT_TOO_BIG },
		{ "without the bytes", VERDICT_OK, 100,
		    VERDICT_URL_UNAVAILABLE },
	};

	connect_worker(STAND_BOB);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int is_last = 0; is_last <= 1; is_last++) {
			begin();
			ask(is_last);
			answer(rows[i].verdict, rows[i].size, TEXT("few"), -1);
			if (stand_verdict() != rows[i].becomes)
				fail_msg("%s: %u", rows[i].name, stand.verdict);
			/* It is over, or what is added changes nothing. */
			assert_int_equal(stand_end(BODY),
			    is_last ? VERDICT_SEQUENCE : rows[i].becomes);
		}
	}
	assert_int_equal(stand.accepts, 0);
}

static void
memory_that_may_change_is_not_read(void **state)
{
	int fd = memfd_create("url", MFD_CLOEXEC);

	assert_int_equal(write(fd, BODY, sizeof(BODY) - 1), sizeof(BODY) - 1);
	connect_worker(STAND_BOB);
	begin();
	ask(true);
	answer(VERDICT_OK, sizeof(BODY) - 1, TEXT(""), fd);
	assert_int_equal(stand_verdict(), VERDICT_URL_UNAVAILABLE);
	begin();
	ask(true);
	answer(VERDICT_OK, 50000, TEXT(""), sealed(BODY, sizeof(BODY) - 1));
	assert_int_equal(stand_verdict(), VERDICT_URL_UNAVAILABLE);
	assert_int_equal(stand.accepts, 0);
}

static struct channel *of_bob;

/* A channel takes no answer without a question, so there are two. */
static void
an_answer_of_another_worker_is_none(void **state)
{
	uint64_t bobs;

	connect_worker(STAND_BOB);
	begin();
	ask(true);
	bobs = question.tag;
	of_bob = worker;
	worker = NULL;
	connect_worker(STAND_ALICE);
	stand_log_in(STAND_ALICE);
	assert_int_equal(stand_begin_as("alice@demo.test"), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
	ask(true);
	assert_string_equal(address, "alice@demo.test");
	assert_int_not_equal(question.tag, bobs);
	question.tag = bobs;
	stand.verdicts = 0;
	answer_text(BODY);
	channel_free(&of_bob); /* behind it: the queue has heard both */
	stand_say_url(URL, true);
	assert_int_equal(stand_verdict(), VERDICT_SEQUENCE);
	assert_int_equal(stand.accepts, 0);
}

static void
an_url_that_no_worker_outlives_is_given_up(void **state)
{
	connect_worker(STAND_BOB);
	begin();
	ask(true);
	for (int i = 0; i < 2; i++) {
		channel_free(&worker);
		asked = 0;
		connect_worker(STAND_BOB);
		stand_wait(was_asked);
	}
	stand.verdicts = 0;
	channel_free(&worker);
	stand_wait(has_verdict);
	assert_int_equal(stand.verdict, VERDICT_URL_UNAVAILABLE);
}

static void
nobody_waits_for_a_worker_for_ever(void **state)
{
	int64_t now_ms;

	begin();
	stand_say_url(URL, true);
	assert_int_equal(stand_begin_as("bob@demo.test"), VERDICT_OK);
	stand.verdicts = 0;
	now_ms = clock_monotonic_us() / 1000;
	transaction_retry_urls(stand.queue, now_ms + QUEUE_FETCH_DEADLINE_MS);
	stand_wait(has_verdict);
	assert_int_equal(stand.verdict, VERDICT_URL_UNAVAILABLE);
}

static void
who_gives_up_is_not_answered(void **state)
{
	connect_worker(STAND_BOB);
	begin();
	ask(true);
	stand_abort();
	begin();
	answer_text(BODY);
	ask(true);
	answer_text(BODY);
	assert_int_equal(stand_verdict(), VERDICT_ACCEPTED);
	assert_int_equal(stand.accepts, 1);
	assert_int_equal(table_count(stand.queue->fetches), 0);
}

static void
only_who_logged_in_has_mail_here(void **state)
{
	connect_worker(STAND_BOB);
	assert_int_equal(stand_begin_lmtp(), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
	stand_say_url(URL, true);
	assert_int_equal(stand_verdict(), VERDICT_NOT_LOGGED_IN);
	assert_int_equal(stand_begin(), VERDICT_OK);
	stand_say_url(URL, true);
	assert_int_equal(stand_verdict(), VERDICT_NO_RECIPIENTS);
	assert_int_equal(asked, 0);
}

static void
so_many_of_one_account_and_no_more(void **state)
{
	stand.settings->max_message_bytes = 1 << 20;
	connect_worker(STAND_BOB);
	for (int i = 0; i < QUEUE_MAX_ACCOUNT_FETCHES; i++) {
		begin();
		ask(true);
	}
	begin();
	stand_say_url(URL, true);
	assert_int_equal(stand_verdict(), VERDICT_BUSY);
}

/* Of any account: what would be too much is asked for when another is done. */
static void
so_many_bytes_and_no_more_at_a_time(void **state)
{
	stand.settings->max_message_bytes = QUEUE_MAX_FETCH_BYTES / 2;
	connect_worker(STAND_BOB);
	begin();
	ask(true);
	begin();
	ask(true);
	begin();
	asked = 0;
	stand_say_url(URL, true);
	assert_int_equal(stand_begin_as("bob@demo.test"), VERDICT_OK);
	assert_int_equal(table_count(stand.queue->fetches), 3);
	assert_int_equal(stand.queue->fetch_bytes, QUEUE_MAX_FETCH_BYTES);
	answer_text(BODY);
	stand_wait(was_asked);
	assert_int_equal(asked, 1);
	assert_int_equal(stand.queue->fetch_bytes, QUEUE_MAX_FETCH_BYTES);
}

/* A worker that ends gives its room back. */
static void
room_comes_back_with_a_worker_that_ends(void **state)
{
	stand.settings->max_message_bytes = QUEUE_MAX_FETCH_BYTES;
	connect_worker(STAND_BOB);
	begin();
	ask(true);
	channel_free(&worker);
	asked = 0;
	connect_worker(STAND_BOB);
	stand_wait(was_asked);
	assert_int_equal(stand.queue->fetch_bytes, QUEUE_MAX_FETCH_BYTES);
	answer_text(BODY);
	assert_int_equal(stand_verdict(), VERDICT_ACCEPTED);
	assert_int_equal(stand.queue->fetch_bytes, 0);
}

#define in_stand(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		in_stand(the_worker_of_who_logged_in_is_asked),
		in_stand(he_is_asked_when_he_is_there),
		in_stand(parts_come_one_after_the_other),
		in_stand(a_line_end_that_a_seam_cuts_is_one),
		in_stand(a_nul_is_refused_whoever_ends_the_message),
		in_stand(binary_bytes_stay_as_they_are),
		in_stand(many_bytes_come_in_memory),
		in_stand(what_a_worker_should_not_say_is_no_message),
		in_stand(memory_that_may_change_is_not_read),
		in_stand(an_answer_of_another_worker_is_none),
		in_stand(an_url_that_no_worker_outlives_is_given_up),
		in_stand(nobody_waits_for_a_worker_for_ever),
		in_stand(who_gives_up_is_not_answered),
		in_stand(only_who_logged_in_has_mail_here),
		in_stand(so_many_of_one_account_and_no_more),
		in_stand(so_many_bytes_and_no_more_at_a_time),
		in_stand(room_comes_back_with_a_worker_that_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
