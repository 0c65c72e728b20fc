/*
 * See sessions.h.  A session goes AWAKE (a worker has it) -> ASLEEP -> WAKING
 * (a worker is wanted for it) -> AWAKE; it ends while it is awake when the
 * worker says so, asleep when its stream is over or the front says so.  While
 * it sleeps it has its stream, or none when the front let go of it as well.
 */
#include "broker/sessions.h"

#include "broker/sessions_state.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* -- One session -- */

static struct text
session_user(const struct session *session)
{
	return text_make(session->names, session->user_size);
}

struct text
session_ip(const struct session *session)
{
	return text_of(session->names + session->user_size + 1);
}

void
session_let_go(struct session *session)
{
	watch_free(&session->watch);
	if (session->fd != -1)
		close(session->fd);
	session->fd = -1;
}

/* What only one that sleeps has. */
static void
forget_sleep(struct session *session)
{
	struct sessions *sessions = session->list->sessions;

	if (session->state == SESSION_AWAKE)
		return;
	if (session->state == SESSION_WAKING)
		session->list->waking--;
	session->state = SESSION_AWAKE;
	sessions->asleep--;
	sessions->bytes -=
	    session->size + session_topics_size(&session->topics);
	table_remove(
	    sessions->by_front, &session->front, sizeof(session->front));
	session_let_go(session);
	memory_free(&session->bytes);
	session_topics_clear(&session->topics);
	session->size = 0;
}

static void
drop(struct session **at)
{
	struct session *session = *at;

	forget_sleep(session);
	session->list->count--;
	*at = session->next;
	free(session);
}

static struct session **
find(struct session_list *list, uint64_t number)
{
	struct session **at = &list->first;

	while (*at != NULL && (*at)->number != number)
		at = &(*at)->next;
	return at;
}

static void
tell_if_empty(struct session_list *list)
{
	if (list->first == NULL)
		list->handler->emptied(list->context);
}

static void
start_waking(struct session *session)
{
	if (session->state != SESSION_ASLEEP)
		return;
	session->state = SESSION_WAKING;
	session->list->waking++;
	watch_free(&session->watch);
}

/* Whoever had it: nobody will write to the client any more. */
static void
end_session(struct session **at, enum status why)
{
	session_tell_over(*at, why);
	drop(at);
}

/* -- All of them -- */

bool
session_is_stream(int fd)
{
	int type;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
	       type == SOCK_STREAM;
}

void
sessions_wake_due(struct sessions *sessions, int64_t now_us)
{
	struct session_list *list, *next;

	for (list = sessions->lists; list != NULL; list = next) {
		size_t before = list->waking;

		next = list->next;
		for (struct session *s = list->first; s != NULL; s = s->next)
			if (s->state == SESSION_ASLEEP && s->until_us <= now_us)
				start_waking(s);
		if (list->waking > before)
			list->handler->wanted(list->context);
	}
}

static void
look(void *context)
{
	struct sessions *sessions = context;

	sessions_wake_due(sessions, clock_monotonic_us());
	if (sessions->asleep > 0)
		timer_start(sessions->timer, SESSIONS_LOOK_MS);
}

struct sessions *
sessions_new(struct event_loop *loop)
{
	struct sessions *sessions = memory_new(1, sizeof(*sessions));

	sessions->loop = loop;
	sessions->timer = timer_new(loop, look, sessions);
	sessions->by_front = table_new();
	return sessions;
}

void
sessions_free(struct sessions **sessions)
{
	timer_free(&(*sessions)->timer);
	table_free(&(*sessions)->by_front);
	memory_free(sessions);
}

struct session_list *
session_list_new(struct sessions *sessions, uint32_t account,
    const struct session_list_handler *handler, void *context)
{
	struct session_list *list = memory_new(1, sizeof(*list));

	list->sessions = sessions;
	list->account = account;
	list->handler = handler;
	list->context = context;
	list->next = sessions->lists;
	if (list->next != NULL)
		list->next->previous = list;
	sessions->lists = list;
	return list;
}

void
session_list_free(struct session_list **pointer)
{
	struct session_list *list = *pointer;

	if (list == NULL)
		return;
	while (list->first != NULL)
		drop(&list->first);
	if (list->next != NULL)
		list->next->previous = list->previous;
	if (list->previous != NULL)
		list->previous->next = list->next;
	else
		list->sessions->lists = list->next;
	memory_free(pointer);
}

/* -- Awake -- */

uint64_t
session_list_add(struct session_list *list, const struct session_front *front,
    bool is_tls, bool is_direct, struct text user, struct text ip)
{
	struct session *session;

	if (list->count == SESSIONS_OF_ACCOUNT)
		return 0;
	session = memory_new(1, sizeof(*session) + user.size + ip.size + 2);
	session->list = list;
	session->number = ++list->sessions->last_number;
	session->front = *front;
	session->is_tls = is_tls;
	session->is_direct = is_direct;
	session->fd = -1;
	session->user_size = user.size;
	if (user.size > 0)
		memcpy(session->names, user.data, user.size);
	if (ip.size > 0)
		memcpy(session->names + user.size + 1, ip.data, ip.size);
	session->next = list->first;
	list->first = session;
	list->count++;
	return session->number;
}

void
session_list_inherit(struct session_list *list, uint64_t instance)
{
	for (struct session *s = list->first; s != NULL; s = s->next)
		session_tell_inherited(s, instance);
}

void
sessions_inherit(struct sessions *sessions, uint64_t instance)
{
	for (struct session_list *list = sessions->lists; list != NULL;
	     list = list->next)
		session_list_inherit(list, instance);
}

void
session_list_remove(struct session_list *list, uint64_t number)
{
	struct session **at = find(list, number);

	if (*at == NULL || (*at)->state != SESSION_AWAKE)
		return;
	end_session(at, STATUS_OK);
	tell_if_empty(list);
}

void
session_list_lose(struct session_list *list)
{
	struct session **at = &list->first;

	while (*at != NULL) {
		if ((*at)->state == SESSION_AWAKE)
			end_session(at, STATUS_OK);
		else
			at = &(*at)->next;
	}
}

/* -- Asleep -- */

enum stream_state
session_stream_look(int fd)
{
	uint8_t byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		return STREAM_SPEAKS;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return STREAM_QUIET;
	return STREAM_OVER;
}

void
session_end_asleep(struct session *session)
{
	struct session_list *list = session->list;

	log_info("session-close", "sid=%llu account=%u asleep=1",
	    (unsigned long long)session->number, list->account);
	end_session(find(list, session->number), STATUS_OK);
	tell_if_empty(list);
}

void
session_wake(struct session *session)
{
	struct session_list *list = session->list;

	start_waking(session);
	list->handler->wanted(list->context);
}

static void
stream_ready(int fd, int events, void *context)
{
	struct session *session = context;

	switch (session_stream_look(fd)) {
	case STREAM_QUIET:
		break;
	case STREAM_SPEAKS:
		session_wake(session);
		break;
	case STREAM_OVER:
		session_end_asleep(session);
		break;
	}
}

/* -- To sleep and back -- */

static bool
has_room(const struct sessions *sessions)
{
	return sessions->asleep <= SESSIONS_MAX_ASLEEP &&
	       sessions->bytes <= SESSIONS_MAX_BYTES;
}

void
session_list_sleep(struct session_list *list,
    const struct message_session_sleep *message, int *fd)
{
	struct sessions *sessions = list->sessions;
	struct session *session = *find(list, message->session);

	if (session == NULL || session->state != SESSION_AWAKE || *fd == -1 ||
	    !session_is_stream(*fd) ||
	    session_topics_take(&session->topics, message->topics) == -1) {
		log_warning("session-sleep",
		    "sid=%llu account=%u result=refused",
		    (unsigned long long)message->session, list->account);
		return;
	}
	session->state = SESSION_ASLEEP;
	session->fd = *fd;
	*fd = -1;
	session->is_packed = message->is_packed != 0;
	session->until_us =
	    clock_monotonic_us() + (int64_t)message->wake_s * 1000000;
	session->size = message->state.size;
	session->bytes = memory_copy(message->state.data, session->size);
	if (sessions->asleep++ == 0)
		timer_start(sessions->timer, SESSIONS_LOOK_MS);
	sessions->bytes +=
	    session->size + session_topics_size(&session->topics);
	session->watch = watch_new(
	    sessions->loop, session->fd, WATCH_READ, stream_ready, session);
	if (!session->is_direct) {
		table_put(sessions->by_front, &session->front,
		    sizeof(session->front), session);
		session_tell_asleep(session);
	}
	if (!has_room(sessions))
		session_wake(session);
}

static void
wake_some(struct session_list *list, bool is_any, uint64_t topic, uint8_t what)
{
	for (struct session *s = list->first; s != NULL; s = s->next)
		if (s->state == SESSION_ASLEEP && s->topics.count > 0 &&
		    (is_any || session_topics_have(&s->topics, topic, what)))
			start_waking(s);
	if (list->waking > 0)
		list->handler->wanted(list->context);
}

void
session_list_changed(struct session_list *list, uint64_t topic, uint8_t what)
{
	wake_some(list, false, topic, what);
}

void
session_list_alarm(struct session_list *list)
{
	wake_some(list, true, 0, 0);
}

size_t
session_list_asleep(const struct session_list *list)
{
	size_t count = 0;

	for (const struct session *s = list->first; s != NULL; s = s->next)
		count += s->state == SESSION_ASLEEP;
	return count;
}

size_t
session_list_waking(const struct session_list *list)
{
	return list->waking;
}

static int
give(struct session *session, struct channel *worker)
{
	struct message message = { .type = MESSAGE_session_wake };

	if (session_open_stream(session) == -1)
		return -1;
	message.session_wake.session = session->number;
	message.session_wake.is_tls = session->is_tls;
	message.session_wake.is_direct = session->is_direct;
	message.session_wake.user = session_user(session);
	message.session_wake.client_ip = session_ip(session);
	message.session_wake.state = text_make(session->bytes, session->size);
	return channel_send(worker, &message, &session->fd, 1);
}

size_t
session_list_give(struct session_list *list, struct channel *worker)
{
	struct session **at = &list->first;
	size_t given = 0;

	while (list->waking > 0 && *at != NULL) {
		struct session *session = *at;

		if (session->state != SESSION_WAKING) {
			at = &session->next;
		} else if (give(session, worker) == 0) {
			forget_sleep(session);
			given++;
			at = &session->next;
		} else {
			/* More wait than a channel holds, or its front is
			 * gone: it ends, as with a worker that ends. */
			log_warning("session-wake", "sid=%llu result=dropped",
			    (unsigned long long)session->number);
			end_session(at, STATUS_UNAVAILABLE);
		}
	}
	return given;
}

void
session_list_dismiss(struct session_list *list, bool is_all, enum status why)
{
	struct session **at = &list->first;
	bool was_empty = list->first == NULL;

	while (*at != NULL) {
		struct session *session = *at;

		if (session->state == SESSION_WAKING ||
		    (is_all && session->state == SESSION_ASLEEP)) {
			if (!session->is_direct)
				(void)session_tell_awake(session, why, -1);
			log_info("session-close",
			    "sid=%llu account=%u asleep=1",
			    (unsigned long long)session->number, list->account);
			end_session(at, why);
		} else {
			at = &session->next;
		}
	}
	if (!was_empty)
		tell_if_empty(list);
}

bool
session_list_is_empty(const struct session_list *list)
{
	return list->first == NULL;
}
