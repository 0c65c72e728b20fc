/*
 * See conversation.h.
 */
#include "tests/unit/conversation.h"

#include "tests/unit/false_account.h"

#include "imapd/imap_session_state.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MESSAGE_1                                                  \
	"From: Ann <ann@example.org>\r\nTo: bob@example.org\r\n"   \
	"Subject: One\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\n" \
	"\r\nFirst body\r\n"
#define MESSAGE_2                                                           \
	"From: eve@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n" \
	"\r\nSecond body\r\n"

enum {
	SLEEPY_PAUSE = 6
};

/* Of the sessions that are made from now on. */
static const struct imap_limits *limits = &imap_limits;

static void
session_ended(struct imap_session *session, void *context)
{
	struct conversation *run = context;

	imap_session_free(&run->session);
}

static void
client_ready(int fd, int events, void *context)
{
	struct conversation *run = context;
	ssize_t n;
	size_t size;

	if (run->held_size > 0 &&
	    memmem(run->got, run->got_size, "a OK", 4) != NULL)
		run->held_size = 0;
	if ((events & WATCH_WRITE) && run->send_size > run->held_size &&
	    run->pause == 0) {
		size = run->send_size - run->held_size;
		if (size > run->step)
			size = run->step;
		n = send(fd, run->to_send, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		/* It sleeps between two commands, or is where it cannot. */
		if (n > 0 && run->is_sleepy && run->to_send[n - 1] == '\n')
			run->pause = SLEEPY_PAUSE;
		if (n > 0) {
			run->to_send += n;
			run->send_size -= (size_t)n;
		}
	}
	if ((events & WATCH_READ) == 0)
		return;
	n = recv(fd, run->got + run->got_size,
	    sizeof(run->got) - 1 - run->got_size, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		event_loop_stop(run->loop);
	if (n > 0)
		run->got_size += (size_t)n;
}

static void
timed_out(void *context)
{
	struct conversation *run = context;

	run->is_timed_out = true;
	event_loop_stop(run->loop);
}

/* As a worker does that ends, and another one that goes on. */
static void
sleep_and_wake(void *context)
{
	struct conversation *run = context;
	struct session_start start;
	struct session_sleep sleep;
	int fd;

	if (run->pause > 0)
		run->pause--;
	if (run->session == NULL || !imap_session_can_sleep(run->session))
		return;
	run->compressed_sleeps += run->session->deflate != NULL;
	assert_int_equal(imap_session_sleep(run->session, &sleep), 0);
	fd = dup(sleep.fd);
	assert_int_not_equal(fd, -1);
	imap_session_free(&run->session);
	start = false_account_session(fd);
	start.state = sleep.state;
	run->session = imap_session_new(
	    run->loop, run->account, &start, session_ended, run);
	run->session->limits = limits;
	run->sleeps++;
}

void
converse(struct conversation *run, const char *script, size_t step,
    enum status refuse)
{
	run->is_sleepy = false;
	converse_bytes(run, text_of(script), 0, step, refuse);
}

void
converse_asleep(
    struct conversation *run, const char *script, enum status refuse)
{
	run->is_sleepy = true;
	converse_bytes(run, text_of(script), 0, 1, refuse);
}

void
converse_bytes(struct conversation *run, struct text script, size_t held,
    size_t step, enum status refuse)
{
	struct watch *watch;
	struct timer *timer;
	struct session_start start;
	bool is_sleepy = run->is_sleepy;
	int ends[2];

	memset(run, 0, sizeof(*run));
	run->is_sleepy = is_sleepy;
	run->loop = event_loop_new();
	run->account = false_account_new(run->loop);
	false_account_deliver(run->account, MESSAGE_1);
	false_account_deliver(run->account, MESSAGE_2);
	false_account_refuse(run->account, refuse);
	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
	    0);
	run->client = ends[0];
	run->to_send = script.data;
	run->send_size = script.size;
	run->held_size = held;
	run->step = step;
	start = false_account_session(ends[1]);
	run->session = imap_session_new(
	    run->loop, run->account, &start, session_ended, run);
	run->session->limits = limits;
	watch = watch_new(
	    run->loop, ends[0], WATCH_READ | WATCH_WRITE, client_ready, run);
	timer = timer_new(run->loop, timed_out, run);
	timer_start(timer, 5000);
	if (is_sleepy)
		event_loop_on_round(run->loop, sleep_and_wake, run);
	event_loop_run(run->loop);
	timer_free(&timer);
	watch_free(&watch);
	close(ends[0]);
	imap_session_free(&run->session);
	run->noted = *false_account_noted(run->account);
	false_account_free(&run->account);
	event_loop_free(&run->loop);
	run->got[run->got_size] = '\0';
	assert_false(run->is_timed_out);
}

static int
check_transcript(const struct transcript *t, size_t step, bool is_sleepy)
{
	static struct conversation run;
	char script[4096], expected[8192];

	snprintf(script, sizeof(script), "s SELECT INBOX\r\n%sz LOGOUT\r\n",
	    t->client);
	snprintf(
	    expected, sizeof(expected), "%s%s%s", SELECTED, t->server, GOODBYE);
	if (is_sleepy)
		converse_asleep(&run, script, t->refuse);
	else
		converse(&run, script, step, t->refuse);
	assert_true(!is_sleepy || run.sleeps > 0);
	if (strcmp(run.got, expected) == 0)
		return 0;
	print_error("%s:\n-- expected\n%s-- got\n%s", t->name,
	    expected + sizeof(SELECTED) - 1,
	    strlen(run.got) > sizeof(SELECTED) ? run.got + sizeof(SELECTED) - 1
					       : run.got);
	return 1;
}

int
check_transcripts(const struct transcript *transcripts, size_t count)
{
	int failures = 0;

	for (size_t i = 0; i < count; i++)
		failures += check_transcript(&transcripts[i], SIZE_MAX, false) +
			    check_transcript(&transcripts[i], 1, false) +
			    check_transcript(&transcripts[i], 1, true);
	return failures;
}

int
check_transcripts_within(const struct imap_limits *within,
    const struct transcript *transcripts, size_t count)
{
	int failures;

	limits = within;
	failures = check_transcripts(transcripts, count);
	limits = &imap_limits;
	return failures;
}
