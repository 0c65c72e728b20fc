/*
 * One IMAP session after login.  Bytes come from the front's stream, are cut
 * by imap_input and go, a command at a time, to the functions of
 * imap_commands.c; what they say goes back bounded: a client that does not
 * read stops its command, not the worker.  Untagged updates are sent here and
 * nowhere else, before a tagged answer and in IDLE, as RFC 3501 7.4.1 allows.
 * It never says OK to a change: commands do, when the store has committed.
 */
#include "imapd/imap_session.h"

#include "imapd/imap_capability.h"
#include "imapd/imap_session_state.h"
#include "imapd/session_notify.h"
#include "imapd/sleep_state.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	SESSION_INPUT_SIZE = 128 * 1024,
	SESSION_OUTPUT_SIZE = 16 * 1024 * 1024,
	/* Before other sessions have their turn. */
	SESSION_TURN_COMMANDS = 200,
	SESSION_TURN_BYTES = 4 * 1024 * 1024,
	/* The same, of a client that reads as fast as we write. */
	SESSION_TURN_OUTPUT = 512 * 1024
};

static const struct imap_input_limits session_limits = {
	.line = 2 * 1024 * 1024,
	.command = 2 * 1024 * 1024,
	.skipped = 1024 * 1024 * 1024,
};

void
session_enter_state(struct imap_session *session, enum session_state state)
{
	if (session->state != SESSION_CLOSING &&
	    session->state != SESSION_ENDED)
		session->state = state;
	else if (state == SESSION_ENDED)
		session->state = SESSION_ENDED;
}

void
session_say(struct imap_session *session, const char *line)
{
	(void)buf_put_text(&session->out, line);
}

void
session_bye(struct imap_session *session, const char *line)
{
	session_say(session, line);
	session_enter_state(session, SESSION_CLOSING);
}

/* ---- The driver ---- */

/* True if an event was handled, false if the client has to send more. */
static bool
session_read(struct imap_session *session)
{
	enum imap_input_event event;
	struct text bytes, data = { NULL, 0 };
	size_t size;

	if (session->in.size == 0 && session_fill(session) == 0) {
		if (session->is_input_ended)
			session_enter_state(session, SESSION_ENDED);
		return session->is_input_ended;
	}
	bytes = text_make(session->in.data, session->in.size);
	size = bytes.size;
	event = imap_input_next(&session->input, &bytes, &data);
	if (session->step == COMMAND_IDLE && session->state == SESSION_WORKING)
		session_idle_line(session, event);
	else
		session_input_event(session, event, data);
	buf_cut(&session->in, size - bytes.size);
	return true;
}

/* IDLE: tells what is new, takes DONE. */
static bool
session_idle(struct imap_session *session)
{
	if (session_notify_step(session))
		return true;
	if (!session_put_updates(session, true))
		return false;
	if (session->view != NULL && mailbox_view_is_gone(session->view)) {
		session_bye(session, "* BYE Mailbox was deleted\r\n");
		return true;
	}
	return session_read(session);
}

static bool
session_work(struct imap_session *session)
{
	switch (session->step) {
	case COMMAND_WAIT:
		return false;
	case COMMAND_IDLE:
		return session_idle(session);
	case COMMAND_MORE:
	case COMMAND_OUTPUT:
		if (session->out.size >= COMMAND_OUTPUT_SIZE)
			return false;
		session->was_woken = false;
		session_after_step(session,
		    session_carry_out(session, session->command.resume));
		if (session->step == COMMAND_MORE) {
			timer_start(session->turn, 0);
			return false;
		}
		return true;
	case COMMAND_DONE:
		session_enter_state(session, SESSION_UPDATING);
		return true;
	}
	return false;
}

/* One thing: true if there may be more to do now. */
static bool
session_advance(struct imap_session *session)
{
	if (session->out.size >= COMMAND_OUTPUT_SIZE &&
	    session_flush(session) == -1)
		session_enter_state(session, SESSION_ENDED);
	if (session->out.size >= COMMAND_OUTPUT_SIZE)
		return false;
	switch (session->state) {
	case SESSION_OPENING:
	case SESSION_CLOSING:
	case SESSION_ENDED:
		return false;
	case SESSION_READING:
		return session_notify_step(session) || session_read(session);
	case SESSION_APPENDING:
		return session->step == COMMAND_DONE
			   ? session_read(session)
			   : session_append_work(session);
	case SESSION_WORKING:
		return session_work(session);
	case SESSION_UPDATING:
		return session_finish_command(session);
	}
	return false;
}

static bool
session_wants_input(const struct imap_session *session)
{
	return session->state == SESSION_READING ||
	       (session->state == SESSION_APPENDING &&
		   session->step == COMMAND_DONE) ||
	       (session->state == SESSION_WORKING &&
		   session->step == COMMAND_IDLE);
}

/* Gives back what a resting session does not need. */
static void
session_rest(struct imap_session *session)
{
	session_rest_stream(session);
	if (session->state == SESSION_READING) {
		buf_clear(&session->answer);
		if (imap_input_is_empty(&session->input))
			imap_input_clear(&session->input);
		pool_free(&session->pool);
		timer_free(&session->progress);
	}
}

static void
session_end(struct imap_session *session)
{
	watch_free(&session->watch);
	timer_free(&session->stall);
	timer_stop(session->timeout);
	timer_stop(session->turn);
	session_progress_end(session);
	session->ended(session, session->ended_context);
}

/* Others have their turn. */
static bool
had_its_turn(const struct imap_session *session, int commands)
{
	return commands == SESSION_TURN_COMMANDS ||
	       session->filled_bytes >= SESSION_TURN_BYTES ||
	       session->sent_bytes >= SESSION_TURN_OUTPUT;
}

void
session_run(struct imap_session *session)
{
	int events = 0, turns = 0;

	if (session->is_running || session->watch == NULL)
		return;
	session->is_running = true;
	session->filled_bytes = 0;
	session->sent_bytes = 0;
	while (!had_its_turn(session, turns) && session_advance(session)) {
		if (session->state == SESSION_READING)
			turns++;
	}
	session->is_running = false;
	if (session_flush(session) == -1)
		session_enter_state(session, SESSION_ENDED);
	if (session->state == SESSION_ENDED ||
	    (session->state == SESSION_CLOSING &&
		session_is_drained(session))) {
		session_end(session);
		return;
	}
	if (had_its_turn(session, turns) ||
	    (session_is_drained(session) && session->step == COMMAND_OUTPUT &&
		session->state == SESSION_WORKING))
		timer_start(session->turn, 0);
	session_rest(session);
	if (session->is_direct)
		session_look_after(session);
	/* A client that waits for its answer sends nothing meanwhile: one that
	 * does makes session_ready stop watching. */
	if (session_wants_input(session))
		session->is_input_watched = true;
	if (session->is_input_watched)
		events |= WATCH_READ;
	if (!session_is_drained(session))
		events |= WATCH_WRITE;
	watch_set(session->watch, events);
}

/* ---- Events from the loop ---- */

static void
session_ready(int fd, int events, void *context)
{
	struct imap_session *session = context;

	if (events & WATCH_READ) {
		session->is_input_taken = false;
		session->is_input_watched = session_wants_input(session);
	}
	if ((events & WATCH_WRITE) && session_flush(session) == -1)
		session_enter_state(session, SESSION_ENDED);
	session_run(session);
}

static void
session_turn(void *context)
{
	session_run(context);
}

/* He may be busy with an answer that is long, over a line that is slow. */
void
session_silent(struct imap_session *session)
{
	bool is_reading = session->was_read &&
			  session->state == SESSION_WORKING &&
			  session->step != COMMAND_IDLE;

	session->was_read = false;
	if (is_reading) {
		timer_start(session->timeout, SESSION_TIMEOUT_MS);
		return;
	}
	session_bye(session, "* BYE Logged out for inactivity\r\n");
	(void)session_flush(session);
	session_enter_state(session, SESSION_ENDED);
	session_run(session);
}

static void
session_timed_out(void *context)
{
	session_silent(context);
}

static void
session_account_ready(enum status status, void *context)
{
	struct imap_session *session = context;

	if (status == STATUS_FENCED)
		session_say(session,
		    "* NO [ALERT] Your mail is kept, but it cannot be "
		    "shown "
		    "safely now. The administrator has been told. Keep "
		    "what "
		    "your mail program has stored.\r\n");
	if (status == STATUS_OK && session->sleep.size > 0)
		session_wake_up(session);
	else if (status == STATUS_OK)
		session_enter_state(session, SESSION_READING);
	else
		session_bye(session, "* BYE [UNAVAILABLE] Mail store "
				     "is not available\r\n");
	if (!session->is_running)
		session_run(session);
}

static void
session_view_changed(struct mailbox_view *view, void *context)
{
	struct imap_session *session = context;

	if ((session->state == SESSION_WORKING &&
		session->step == COMMAND_IDLE) ||
	    (session->state == SESSION_READING && session->notify != NULL))
		timer_start(session->turn, 0);
}

const struct mailbox_view_handler command_view_handler = {
	.changed = session_view_changed,
};

static struct imap_session *
session_make(struct event_loop *loop, struct account_store *account,
    const struct session_start *start)
{
	struct imap_session *session = memory_new(1, sizeof(*session));

	session->loop = loop;
	session->account = account;
	session->fd = start->fd;
	session->is_direct = start->is_direct;
	session->was_active = true;
	session->number = start->number;
	session->silent_since_us = clock_monotonic_us();
	buf_init(&session->in, SESSION_INPUT_SIZE);
	buf_init(&session->out, SESSION_OUTPUT_SIZE);
	buf_init(&session->answer, SESSION_OUTPUT_SIZE / 4 * 3);
	buf_init(&session->packed_in, SESSION_INPUT_SIZE);
	buf_init(&session->packed_out, SESSION_OUTPUT_SIZE);
	buf_init(&session->sleep, SLEEP_STATE_MAX);
	imap_input_init(&session->input, &session_limits);
	session->limits = &imap_limits;
	session->watch = watch_new(loop, start->fd, 0, session_ready, session);
	session->timeout = timer_new(loop, session_timed_out, session);
	session->turn = timer_new(loop, session_turn, session);
	timer_start(session->timeout, SESSION_TIMEOUT_MS);
	return session;
}

/* What the front would have said, at once, and what it had read. */
static void
answer_login(struct imap_session *session, const struct session_start *start)
{
	if (start->tag.size == 0)
		return;
	(void)buf_put_format(&session->out,
	    "%.*s OK [CAPABILITY " IMAP_CAPABILITY_AFTER_LOGIN
	    "] Logged in\r\n",
	    TEXT_FMT(start->tag));
	(void)buf_put(&session->in, start->input.data, start->input.size);
	/* Of one who is gone the loop says so. */
	(void)session_flush(session);
}

struct imap_session *
imap_session_new(struct event_loop *loop, struct account_store *account,
    const struct session_start *start,
    void (*ended)(struct imap_session *session, void *context), void *context)
{
	struct imap_session *session = session_make(loop, account, start);

	session->ended = ended;
	session->ended_context = context;
	answer_login(session, start);
	(void)buf_put(&session->sleep, start->state.data, start->state.size);
	log_info(start->state.size > 0 ? "session-wake" : "session-open",
	    "sid=%llu user=%.*s ip=%.*s tls=%d direct=%d",
	    (unsigned long long)start->number, TEXT_FMT(start->user),
	    TEXT_FMT(start->client_ip), start->is_tls, start->is_direct);
	(void)change_note_take(
	    &session->note, CAUSE_NONE, start->user, start->client_ip);
	account_store_set_owner(account, start->user);
	/* What comes of it is told from the loop, not before we return. */
	session->is_running = true;
	account_store_when_ready(account, session_account_ready, session);
	session->is_running = false;
	timer_start(session->turn, 0);
	return session;
}

void
imap_session_free(struct imap_session **sessionp)
{
	struct imap_session *session = *sessionp;

	if (session == NULL)
		return;
	*sessionp = NULL;
	if (session->state == SESSION_OPENING)
		account_store_forget_ready(session->account, session);
	if (session->command.abandon != NULL)
		session->command.abandon(&session->command);
	if (session->wait != NULL)
		session->wait->session = NULL;
	session_forget_sleep(session);
	session_notify_free(&session->notify);
	mailbox_view_close(&session->view);
	free(session->saved.ranges);
	watch_free(&session->watch);
	timer_free(&session->timeout);
	timer_free(&session->turn);
	timer_free(&session->progress);
	timer_free(&session->stall);
	close(session->fd);
	imap_input_clear(&session->input);
	buf_clear(&session->in);
	buf_clear(&session->out);
	buf_clear(&session->answer);
	buf_clear(&session->packed_in);
	buf_clear(&session->packed_out);
	imap_deflate_free(&session->deflate);
	pool_free(&session->pool);
	log_info(session->is_asleep ? "session-sleep" : "session-close",
	    "sid=%llu", (unsigned long long)session->number);
	free(session);
}

void
imap_session_stop(struct imap_session *session)
{
	if (session->watch == NULL)
		return;
	session_bye(session, "* BYE [UNAVAILABLE] Server is restarting\r\n");
	(void)session_flush(session);
	session_enter_state(session, SESSION_ENDED);
	session_run(session);
}

bool
imap_session_rests(struct imap_session *session)
{
	bool was_active = session->was_active;

	session->was_active = false;
	if (was_active || !session_wants_input(session) ||
	    !session_is_drained(session) || session->in.size > 0 ||
	    session->packed_in.size > 0 || session->state == SESSION_APPENDING)
		return false;
	if (session->deflate != NULL)
		imap_deflate_rest(session->deflate);
	return true;
}
