/*
 * See sessions.h: what the front is told of sessions, and what it says of its
 * own that sleep.
 */
#include "broker/sessions_state.h"

#include <sys/socket.h>
#include <unistd.h>

/* A front counts its own connections from 1 on. */
#define INHERITED (UINT64_C(1) << 63)

/* -- To it -- */

int
session_tell_front(
    const struct session *session, const struct message *message, int fd)
{
	const struct session_list *list = session->list;

	return list->handler->tell_front(
	    &session->front, message, fd == -1 ? NULL : &fd, list->context);
}

void
session_tell_asleep(struct session *session)
{
	struct message message = { .type = MESSAGE_session_asleep };

	message.session_asleep.connection = session->front.connection;
	message.session_asleep.turn = ++session->turn;
	(void)session_tell_front(session, &message, -1);
}

int
session_tell_awake(struct session *session, enum status status, int fd)
{
	struct message message = { .type = MESSAGE_session_awake };

	message.session_awake.connection = session->front.connection;
	message.session_awake.status = (uint8_t)status;
	message.session_awake.is_packed = session->is_packed;
	return session_tell_front(session, &message, fd);
}

void
session_tell_inherited(struct session *session, uint64_t instance)
{
	struct message message = { .type = MESSAGE_session_inherited };

	if (!session->is_direct || session->front.instance == instance)
		return;
	session->front.instance = instance;
	session->front.connection = INHERITED | session->number;
	message.session_inherited.connection = session->front.connection;
	message.session_inherited.client_ip = session_ip(session);
	(void)session_tell_front(session, &message, -1);
}

void
session_tell_over(const struct session *session, enum status why)
{
	struct message message = { .type = MESSAGE_session_over };

	message.session_over.connection = session->front.connection;
	message.session_over.status = (uint8_t)why;
	message.session_over.is_packed = session->is_packed;
	if (session->is_direct)
		(void)session_tell_front(session, &message, -1);
}

int
session_open_stream(struct session *session)
{
	int ends[2], result;

	if (session->is_direct)
		return 0;
	if (session->fd != -1)
		return session_tell_awake(session, STATUS_OK, -1);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		ends) == -1)
		return -1;
	result = session_tell_awake(session, STATUS_OK, ends[0]);
	close(ends[0]);
	session->fd = ends[1];
	return result;
}

/* -- From it -- */

static struct session *
find_asleep(struct sessions *sessions, const struct session_front *front)
{
	return table_find(sessions->by_front, front, sizeof(*front));
}

/* What the front sent before it said so would be in the stream by now. */
void
sessions_parked(
    struct sessions *sessions, const struct session_front *front, uint32_t turn)
{
	struct session *session = find_asleep(sessions, front);

	if (session != NULL && session->state == SESSION_ASLEEP &&
	    session->turn == turn && session->fd != -1 &&
	    session_stream_look(session->fd) == STREAM_QUIET)
		session_let_go(session);
}

void
sessions_resume(struct sessions *sessions, const struct session_front *front)
{
	struct session *session = find_asleep(sessions, front);

	if (session != NULL && session->state == SESSION_ASLEEP)
		session_wake(session);
}

void
sessions_gone(struct sessions *sessions, const struct session_front *front)
{
	struct session *session = find_asleep(sessions, front);

	if (session != NULL && session->fd == -1)
		session_end_asleep(session);
}

void
sessions_front_gone(struct sessions *sessions, uint64_t instance)
{
	size_t position = 0;
	void *value;

	while (table_next(sessions->by_front, &position, NULL, NULL, &value)) {
		struct session *session = value;

		if (session->front.instance == instance && session->fd == -1)
			session_end_asleep(session);
	}
}
