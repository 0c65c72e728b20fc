/*
 * imapd-worker: one process an active account, under its uid, in its mail
 * directory.  Takes channels to snapd and queue and the streams of sessions
 * from the broker, gives sessions back to it when they all rest, and ends when
 * it says so.  Never hashes, opens no connection, owns no key.
 */
#include "common/channel.h"
#include "common/event_loop.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "common/settings.h"
#include "imapd/account_store.h"
#include "imapd/imap_session.h"
#include "imapd/url_requests.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	WORKER_IDLE_MS = 30000,
	WORKER_LOOK_MS = 1000,
	WORKER_DONE_MS = 100,
	WORKER_TRIM_MS = 2000,    /* memory is given back after, */
	WORKER_TRIM_AGAIN = 60000 /* and as often, while all rests */
};

struct worker_session {
	struct worker_session *next;
	struct worker *worker;
	uint64_t number;
	struct imap_session *session;
	bool has_ended;
};

struct worker {
	struct event_loop *loop;
	struct channel *broker;
	struct account_store *account;
	struct url_requests *urls; /* of messages that are handed in */
	struct worker_session *sessions;
	struct timer *timer;
	struct timer *done_timer; /* is what it was started for done? */
	int64_t idle_ms;          /* no session is there */
	int64_t rest_ms;          /* none has anything to do */
	int64_t hibernate_ms;     /* that long: they go to sleep. 0: never */
	bool has_sleepers;        /* sessions of this account, or had */
	uint64_t sessions_given;  /* by the broker */
};

static void
session_ended(struct imap_session *session, void *context)
{
	struct worker_session *ended = context;

	ended->has_ended = true;
	timer_start(ended->worker->timer, 0);
}

static void
say_ended(struct worker *worker, uint64_t number)
{
	struct message message = { .type = MESSAGE_session_ended };

	message.session_ended.session = number;
	(void)channel_send(worker->broker, &message, NULL, 0);
}

static void
free_ended(struct worker *worker)
{
	struct worker_session **at = &worker->sessions, *s;

	while ((s = *at) != NULL) {
		if (!s->has_ended) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		say_ended(worker, s->number);
		imap_session_free(&s->session);
		free(s);
		timer_start(worker->done_timer, WORKER_DONE_MS);
	}
}

static void
say_idle(struct worker *worker, enum idle_reason reason)
{
	struct message idle = { .type = MESSAGE_worker_idle };

	idle.worker_idle.reason = (uint8_t)reason;
	idle.worker_idle.sessions = worker->sessions_given;
	(void)channel_send(worker->broker, &idle, NULL, 0);
}

static bool
is_idle(const struct worker *worker)
{
	return account_store_is_idle(worker->account) &&
	       url_requests_is_idle(worker->urls);
}

/* ---- Sleep ---- */

static void
mailbox_changed(uint64_t mailbox, unsigned int what, void *context)
{
	struct worker *worker = context;
	struct message message = { .type = MESSAGE_mailbox_changed };

	message.mailbox_changed.topic = mailbox;
	message.mailbox_changed.what = (uint8_t)what;
	(void)channel_send(worker->broker, &message, NULL, 0);
}

static bool
give_back(struct worker *worker, struct worker_session *s)
{
	struct message message = { .type = MESSAGE_session_sleep };
	struct session_sleep sleep;

	if (imap_session_sleep(s->session, &sleep) == -1)
		return false;
	message.session_sleep.session = s->number;
	message.session_sleep.topics = sleep.topics;
	message.session_sleep.is_packed = sleep.is_packed;
	message.session_sleep.wake_s = sleep.wake_s;
	message.session_sleep.state = sleep.state;
	if (channel_send(worker->broker, &message, &sleep.fd, 1) == 0)
		return true;
	imap_session_stay_awake(s->session);
	return false;
}

/* All of them, or the worker is needed anyway. What happens to a mailbox after
 * this is said behind it, and wakes who waits for that. */
static void
hibernate(struct worker *worker)
{
	struct worker_session **at = &worker->sessions, *s;

	for (s = worker->sessions; s != NULL; s = s->next)
		if (!imap_session_can_sleep(s->session))
			return;
	worker->has_sleepers = true;
	account_store_watch(worker->account, mailbox_changed, worker);
	while ((s = *at) != NULL) {
		if (!give_back(worker, s)) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		imap_session_free(&s->session);
		free(s);
	}
	if (worker->sessions == NULL)
		say_idle(worker, IDLE_ASLEEP);
}

/* Sessions in IDLE, or between commands, rest as well: most of a day most of
 * them do, and what the last command left in memory is not theirs. */
static void
rest(struct worker *worker)
{
	bool all_rest = is_idle(worker);

	for (struct worker_session *s = worker->sessions; s != NULL;
	     s = s->next)
		all_rest = imap_session_rests(s->session) && all_rest;
	if (!all_rest) {
		worker->rest_ms = 0;
		return;
	}
	worker->rest_ms += WORKER_LOOK_MS;
	if (worker->rest_ms % WORKER_TRIM_AGAIN == WORKER_TRIM_MS)
		account_store_trim(worker->account);
	if (worker->hibernate_ms > 0 && worker->sessions != NULL &&
	    worker->rest_ms >= worker->hibernate_ms) {
		worker->rest_ms = 0;
		hibernate(worker);
	}
}

/* Soon after the start, or the last session: others may wait for the place. */
static void
look_if_done(void *context)
{
	struct worker *worker = context;

	if (worker->sessions != NULL)
		return;
	if (is_idle(worker))
		say_idle(worker, IDLE_JUST_NOW);
	else
		timer_start(worker->done_timer, WORKER_DONE_MS);
}

/* Once a second: sessions that ended, and whether there is work left. */
static void
look(void *context)
{
	struct worker *worker = context;

	free_ended(worker);
	if (account_store_must_restart(worker->account)) {
		event_loop_stop(worker->loop);
		return;
	}
	timer_start(worker->timer, WORKER_LOOK_MS);
	rest(worker);
	if (worker->sessions != NULL || !is_idle(worker)) {
		worker->idle_ms = 0;
		return;
	}
	worker->idle_ms += WORKER_LOOK_MS;
	if (worker->has_sleepers && worker->hibernate_ms > 0 &&
	    worker->idle_ms % worker->hibernate_ms < WORKER_LOOK_MS)
		say_idle(worker, IDLE_ASLEEP);
	else if (worker->idle_ms % WORKER_IDLE_MS == 0)
		say_idle(worker, IDLE_FOR_LONG);
}

static struct worker_session *
add_session(struct worker *worker, uint64_t number)
{
	struct worker_session *s = memory_new(1, sizeof(*s));

	s->worker = worker;
	s->number = number;
	s->next = worker->sessions;
	worker->sessions = s;
	worker->idle_ms = 0;
	worker->rest_ms = 0;
	return s;
}

/* Takes *fd. */
static void
begin_session(struct worker *worker, struct session_start *start, int *fd)
{
	struct worker_session *s;

	worker->sessions_given++;
	if (*fd == -1)
		return;
	start->fd = *fd;
	*fd = -1;
	s = add_session(worker, start->number);
	s->session = imap_session_new(
	    worker->loop, worker->account, start, session_ended, s);
}

static void
open_session(
    struct worker *worker, const struct message_session_open *m, int *fd)
{
	struct session_start start = { .number = m->session,
		.user = m->user,
		.client_ip = m->client_ip,
		.is_tls = m->is_tls != 0,
		.is_direct = m->is_direct != 0,
		.tag = m->tag,
		.input = m->input };

	begin_session(worker, &start, fd);
}

static void
wake_session(
    struct worker *worker, const struct message_session_wake *m, int *fd)
{
	struct session_start start = { .number = m->session,
		.user = m->user,
		.client_ip = m->client_ip,
		.is_tls = m->is_tls != 0,
		.is_direct = m->is_direct != 0,
		.state = m->state };

	begin_session(worker, &start, fd);
}

static void
introduce(struct worker *worker, const struct message_introduce *m, int *fd)
{
	if (*fd == -1)
		return;
	if (m->role == ROLE_SNAPD)
		account_store_attach_snapd(worker->account, *fd);
	else if (m->role == ROLE_QUEUE)
		account_store_attach_queue(worker->account, *fd, m->instance);
	else
		return;
	*fd = -1;
}

static void
configure(struct worker *worker, const struct settings *settings)
{
	account_store_take_deletes(
	    worker->account, settings->takes_external_deletes);
	account_store_set_host(worker->account, text_of(settings->host));
	worker->hibernate_ms = (int64_t)settings->hibernate_after_s * 1000;
}

/* After a reload. */
static void
take_new_settings(struct worker *worker, const struct message_settings *message,
    const int *fds)
{
	struct settings *settings;
	struct error error;

	for (size_t i = 0; i < message->kinds.size; i++) {
		if (message->kinds.data[i] != START_SETTINGS || fds[i] == -1)
			continue;
		settings = settings_read_slice(fds[i], &error);
		if (settings == NULL) {
			log_error("reload", "why=\"%s\"", error.text);
			return;
		}
		configure(worker, settings);
		settings_free(&settings);
		return;
	}
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct worker *worker = context;

	switch ((int)message->type) {
	case MESSAGE_introduce:
		introduce(worker, &message->introduce, &fds[0]);
		break;
	case MESSAGE_session_open:
		open_session(worker, &message->session_open, &fds[0]);
		break;
	case MESSAGE_session_wake:
		wake_session(worker, &message->session_wake, &fds[0]);
		break;
	case MESSAGE_session_watch:
		worker->has_sleepers = true;
		account_store_watch(worker->account, mailbox_changed, worker);
		break;
	case MESSAGE_settings:
		take_new_settings(worker, &message->settings, fds);
		break;
	case MESSAGE_quota:
		account_store_set_quota(worker->account, message->quota.bytes,
		    message->quota.messages);
		break;
	case MESSAGE_stop:
		event_loop_stop(worker->loop);
		break;
	default:
		break;
	}
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct worker *worker = context;

	event_loop_stop(worker->loop);
}

static struct settings *
take_settings(struct process *process)
{
	struct settings *settings;
	struct error error;
	int fd = process_take(process, START_SETTINGS, 0);

	settings = settings_read_slice(fd, &error);
	if (settings == NULL)
		fatal("settings: %s", error.text);
	close(fd);
	return settings;
}

int
main(void)
{
	static const struct channel_handler handler = { received, closed };
	struct worker worker = { 0 };
	struct settings *settings;
	struct process process;
	struct error error;
	uint32_t walls;
	int home_fd;

	process_begin(&process, ROLE_WORKER);
	settings = take_settings(&process);
	walls = process_confine(&process);
	/* The account's home is the root, or the current directory where no
	 * chroot could be had. */
	home_fd = file_open_directory(AT_FDCWD, ".", &error);
	if (home_fd == -1)
		fatal("the account's home: %s", error.text);
	worker.loop = event_loop_new();
	worker.account = account_store_new(worker.loop, home_fd);
	worker.urls = url_requests_new(worker.loop, worker.account);
	configure(&worker, settings);
	settings_free(&settings);
	worker.timer = timer_new(worker.loop, look, &worker);
	worker.done_timer = timer_new(worker.loop, look_if_done, &worker);
	worker.broker =
	    process_ready(&process, worker.loop, walls, &handler, &worker);
	timer_start(worker.timer, WORKER_LOOK_MS);
	timer_start(worker.done_timer, WORKER_DONE_MS);
	event_loop_stay_awake(worker.loop);
	event_loop_run(worker.loop);
	for (struct worker_session *s = worker.sessions; s != NULL;
	     s = s->next) {
		imap_session_stop(s->session);
		s->has_ended = true;
	}
	free_ended(&worker);
	url_requests_free(&worker.urls);
	account_store_free(&worker.account);
	channel_free(&worker.broker);
	return 0;
}
