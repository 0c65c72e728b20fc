/*
 * Sessions that sleep.  One that rests, in IDLE or between two commands, can be
 * written down (sleep_state.h), and its worker may end; the broker keeps that
 * and the stream.  The worker that wakes it reads what the client sends from
 * where it stopped, and tells what happened meanwhile when it may be told,
 * which is at once in IDLE: the client notices nothing.
 */
#include "imapd/imap_session_state.h"

#include "common/clock.h"
#include "common/memory.h"
#include "common/process.h"
#include "imapd/session_notify.h"
#include "imapd/sleep_state.h"
#include "imapd/snapshot_mailbox.h"

#include <stdlib.h>
#include <string.h>

enum {
	ALL_NEWS =
	    HAPPENED_NEW | HAPPENED_EXPUNGE | HAPPENED_FLAGS | HAPPENED_KEY
};

static bool
is_idling(const struct imap_session *session)
{
	return session->state == SESSION_WORKING &&
	       session->step == COMMAND_IDLE;
}

/* ---- What wakes it ---- */

/* What its client hears unasked of the selected mailbox. */
static unsigned int
news_of_selected(const struct imap_session *session)
{
	if (session->view == NULL || mailbox_view_is_past(session->view))
		return 0;
	if (session->notify != NULL)
		return session_notify_of_selected(session);
	return is_idling(session) && !session->is_quiet ? ALL_NEWS : 0;
}

/* In IDLE the end of a mailbox is the end of the session. */
static struct text
list_topics(const struct imap_session *session)
{
	static uint8_t bytes[TOPICS_MAX * TOPIC_SIZE];
	unsigned int what = news_of_selected(session);
	struct writer topics;

	writer_init(&topics, bytes, sizeof(bytes));
	if (session->view != NULL && is_idling(session) &&
	    !mailbox_view_is_past(session->view))
		what |= HAPPENED_GONE;
	if (what != 0)
		session_put_topic(
		    &topics, mailbox_view_info(session->view)->id, what);
	if (session->notify != NULL)
		session_notify_put_topics(session, &topics);
	return text_make(bytes, topics.size);
}

/* ---- To sleep ---- */

/* News are told as soon as they are there. */
static bool
is_about_to_tell(const struct imap_session *session)
{
	if (session->notify != NULL && !session_notify_rests(session))
		return true;
	return news_of_selected(session) != 0 &&
	       mailbox_view_has_updates(
		   session->view, session_notify_wants_expunges(session));
}

bool
imap_session_can_sleep(const struct imap_session *session)
{
	if (session->watch == NULL ||
	    (session->state != SESSION_READING && !is_idling(session)) ||
	    session->in.size > 0 || !session_is_drained(session) ||
	    session->is_input_ended || session->packed_in.size > 0 ||
	    !imap_input_is_empty(&session->input) ||
	    (session->deflate != NULL &&
		!imap_deflate_is_between(session->deflate)))
		return false;
	return !is_about_to_tell(session);
}

static uint32_t
seconds_left(const struct imap_session *session)
{
	int64_t silent_ms =
	    (clock_monotonic_us() - session->silent_since_us) / 1000;

	return silent_ms >= SESSION_TIMEOUT_MS
		   ? 0
		   : (uint32_t)(SESSION_TIMEOUT_MS - silent_ms) / 1000 + 1;
}

static void
describe_packing(const struct imap_session *session, struct pool *pool,
    struct sleep_state *state)
{
	struct buf packed;

	buf_init(&packed, DEFLATE_STATE_MAX);
	imap_deflate_save(session->deflate, &packed);
	state->flags |= SLEEP_COMPRESSES;
	state->packed =
	    text_make(pool_copy(pool, packed.data, packed.size), packed.size);
	buf_clear(&packed);
}

static void
describe(const struct imap_session *session, struct pool *pool,
    struct sleep_state *state)
{
	memset(state, 0, sizeof(*state));
	(void)account_store_identity(
	    session->account, &state->store, &state->incarnation);
	state->silent_since_us = session->silent_since_us;
	state->bad_commands = (uint8_t)session->bad_commands;
	state->saved = session->saved;
	if (is_idling(session)) {
		state->flags |= SLEEP_IDLES;
		memcpy(state->tag, session->tag, sizeof(state->tag));
	}
	if (session->is_condstore)
		state->flags |= SLEEP_CONDSTORE;
	if (session->is_qresync)
		state->flags |= SLEEP_QRESYNC;
	if (session->is_utf8)
		state->flags |= SLEEP_UTF8;
	if (session->is_rev2)
		state->flags |= SLEEP_REV2;
	if (session->is_uidonly)
		state->flags |= SLEEP_UIDONLY;
	if (session->is_quiet)
		state->flags |= SLEEP_QUIET;
	if (session->deflate != NULL)
		describe_packing(session, pool, state);
	if (session->notify != NULL) {
		state->flags |= SLEEP_NOTIFIES;
		session_notify_remember(session, pool, &state->notify);
	}
	if (session->view == NULL)
		return;
	state->flags |= SLEEP_HAS_MAILBOX;
	mailbox_view_remember(session->view, pool, &state->memory);
}

int
imap_session_sleep(struct imap_session *session, struct session_sleep *sleep)
{
	static uint8_t bytes[SLEEP_STATE_MAX];
	struct pool *pool = pool_new();
	struct sleep_state state;
	struct writer writer;
	int result;

	describe(session, pool, &state);
	writer_init(&writer, bytes, sizeof(bytes));
	result = sleep_state_encode(&state, &writer);
	sleep->topics = list_topics(session);
	sleep->is_packed = session->deflate != NULL;
	sleep->wake_s = seconds_left(session);
	sleep->state = text_make(bytes, writer.size);
	sleep->fd = session->fd;
	pool_free(&pool);
	session->is_asleep = result == 0;
	return result;
}

void
imap_session_stay_awake(struct imap_session *session)
{
	session->is_asleep = false;
}

/* ---- And back ---- */

struct session_waking {
	struct pool *pool;
	struct sleep_state state;
};

static void
take_saved(struct imap_session *session, const struct imap_set *saved)
{
	session->saved.count = saved->count;
	if (saved->count > 0)
		session->saved.ranges = memory_copy(
		    saved->ranges, saved->count * sizeof(*saved->ranges));
}

/* The store was put back to an older state, or is another one: numbers that the
 * client knows may mean something else. */
static bool
is_same_store(
    const struct imap_session *session, const struct sleep_state *state)
{
	struct store_id store;
	uint64_t incarnation;

	return account_store_identity(session->account, &store, &incarnation) &&
	       memcmp(&store, &state->store, sizeof(store)) == 0 &&
	       incarnation == state->incarnation;
}

static void
go_on_idling(struct imap_session *session, const struct sleep_state *state)
{
	struct imap_command *command = &session->command;

	memcpy(session->tag, state->tag, sizeof(session->tag));
	command->session = session;
	command->account = session->account;
	command->view = session->view;
	command->out = &session->out;
	command->tag = text_of(session->tag);
	command->rule = command_find(TEXT("IDLE"), false);
	session->step = COMMAND_IDLE;
	session_enter_state(session, SESSION_WORKING);
}

static enum status
take_state(struct imap_session *session, const struct sleep_state *state)
{
	int64_t silent_ms =
	    (clock_monotonic_us() - state->silent_since_us) / 1000;

	if (silent_ms < 0)
		silent_ms = 0;
	session->silent_since_us = state->silent_since_us;
	timer_start(session->timeout, silent_ms >= SESSION_TIMEOUT_MS
					  ? 0
					  : SESSION_TIMEOUT_MS - silent_ms);
	session->bad_commands = state->bad_commands;
	session->is_condstore = (state->flags & SLEEP_CONDSTORE) != 0;
	session->is_qresync = (state->flags & SLEEP_QRESYNC) != 0;
	session->is_utf8 = (state->flags & SLEEP_UTF8) != 0;
	session->is_rev2 = (state->flags & SLEEP_REV2) != 0;
	session->is_uidonly = (state->flags & SLEEP_UIDONLY) != 0;
	session->is_quiet = (state->flags & SLEEP_QUIET) != 0;
	take_saved(session, &state->saved);
	if ((state->flags & SLEEP_NOTIFIES) != 0 &&
	    session_notify_recall(session, &state->notify) == -1)
		return STATUS_UNAVAILABLE;
	if (state->flags & SLEEP_IDLES)
		go_on_idling(session, state);
	else
		session_enter_state(session, SESSION_READING);
	return STATUS_OK;
}

static void
end_waking(struct imap_session *session, enum status status)
{
	if (status == STATUS_OK)
		status = take_state(session, &session->waking->state);
	if (status == STATUS_MISSING)
		session_bye(session, "* BYE Mailbox was deleted\r\n");
	else if (status != STATUS_OK)
		session_bye(
		    session, "* BYE [UNAVAILABLE] Server is restarting\r\n");
	session_forget_sleep(session);
}

static void
past_recalled(enum status status, struct mailbox_view *view, void *context)
{
	struct imap_session *session = context;

	session->view = view;
	end_waking(session, status);
	if (!session->is_running)
		session_run(session);
}

/* An answer that comes at once does not run it, our caller does. */
static void
recall_past(struct imap_session *session, const struct mailbox_memory *memory)
{
	bool was_running = session->is_running;

	session->is_running = true;
	snapshot_recall(session->account, memory, &command_view_handler,
	    session, past_recalled, session);
	session->is_running = was_running;
}

/* The compression first, so that any answer is in the form that he reads. */
static bool
is_usable(struct imap_session *session)
{
	struct session_waking *waking = session->waking;
	struct sleep_state *state = &waking->state;

	if (sleep_state_decode(
		text_make(session->sleep.data, session->sleep.size),
		waking->pool, state) == -1)
		return false;
	if ((state->flags & SLEEP_COMPRESSES) != 0 &&
	    (session->deflate = imap_deflate_recall(state->packed)) == NULL)
		return false;
	return is_same_store(session, state);
}

void
session_wake_up(struct imap_session *session)
{
	struct session_waking *waking = memory_new(1, sizeof(*waking));
	const struct mailbox_memory *memory = &waking->state.memory;
	enum status status = STATUS_OK;

	session->waking = waking;
	waking->pool = pool_new();
	if (!is_usable(session)) {
		end_waking(session, STATUS_UNAVAILABLE);
		return;
	}
	if (memory->is_past) {
		recall_past(session, memory);
		return;
	}
	if (waking->state.flags & SLEEP_HAS_MAILBOX)
		session->view = mailbox_view_recall(session->account, memory,
		    &command_view_handler, session, &status);
	end_waking(session, status);
}

void
session_forget_sleep(struct imap_session *session)
{
	struct session_waking *waking = session->waking;

	buf_clear(&session->sleep);
	if (waking == NULL)
		return;
	snapshot_cancel(session->account, session);
	session->waking = NULL;
	pool_free(&waking->pool);
	free(waking);
}
