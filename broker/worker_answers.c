/*
 * What waits in a worker's place until it runs, or will not: sessions of those
 * who have logged in, requests of queue and snapd, sessions that sleep.
 */
#include "broker/worker_places.h"

#include "common/memory.h"
#include "common/status.h"

#include <sys/socket.h>
#include <unistd.h>

static void
answer_attach(const struct broker *broker, const struct waiting *waiting,
    enum status status, int fd)
{
	const struct member *front = &broker->services[waiting->front];
	struct message message = { .type = MESSAGE_attached };

	if (front->channel == NULL || front->instance != waiting->instance)
		return; /* the front that asked is gone */
	message.attached.connection = waiting->connection;
	message.attached.status = (uint8_t)status;
	(void)channel_send(front->channel, &message, &fd, fd != -1);
}

static void
done_waiting(struct waiting *waiting)
{
	if (waiting->fd != -1)
		close(waiting->fd);
	waiting->fd = -1;
	memory_free(&waiting->said);
}

/* To the worker: 0, or -1. `fd` is what its client is behind. */
static int
give_session(struct worker *worker, const struct waiting *waiting, int fd)
{
	const struct session_front front = { waiting->instance,
		waiting->connection };
	const struct member *front_now =
	    &worker->member.broker->services[waiting->front];
	struct message message = { .type = MESSAGE_session_open };
	struct message_session_open *open = &message.session_open;

	open->is_tls = waiting->is_tls;
	open->is_direct = waiting->fd != -1;
	open->user = text_of(waiting->grant.user);
	open->client_ip = text_of(waiting->grant.client_ip);
	open->tag = text_make(waiting->said, waiting->tag_size);
	open->input =
	    text_make(waiting->said + waiting->tag_size, waiting->input_size);
	open->session = session_list_add(worker->sessions, &front, open->is_tls,
	    open->is_direct, open->user, open->client_ip);
	if (open->session == 0)
		return -1;
	if (channel_send(worker->member.channel, &message, &fd, 1) == -1) {
		session_list_remove(worker->sessions, open->session);
		return -1;
	}
	worker->sessions_given++;
	/* Its front may have ended meanwhile, and another one be there. */
	if (open->is_direct && front_now->channel != NULL)
		session_list_inherit(worker->sessions, front_now->instance);
	return 0;
}

/* By the client's own socket, or by a stream of which the front gets the other
 * end. */
static void
open_session(struct worker *worker, const struct waiting *waiting)
{
	int ends[2] = { -1, -1 };
	int result = -1;

	if (waiting->fd != -1)
		result = give_session(worker, waiting, waiting->fd);
	else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		     0, ends) == 0)
		result = give_session(worker, waiting, ends[1]);
	answer_attach(worker->member.broker, waiting,
	    result == 0 ? STATUS_OK : STATUS_UNAVAILABLE,
	    result == 0 ? ends[0] : -1);
	if (ends[0] != -1) {
		close(ends[0]);
		close(ends[1]);
	}
}

void
worker_answer_askers(struct worker *worker, enum status status)
{
	const struct broker *broker = worker->member.broker;
	struct message message = { .type = MESSAGE_worker_started };
	struct channel *queue = broker->services[ROLE_QUEUE].channel;

	message.worker_started.account = worker->member.account;
	message.worker_started.status = (uint8_t)status;
	for (; worker->queue_waits > 0; worker->queue_waits--)
		if (queue != NULL)
			(void)channel_send(queue, &message, NULL, 0);
	message.type = MESSAGE_account_started;
	message.account_started.account = worker->member.account;
	message.account_started.status = (uint8_t)status;
	for (; worker->snapd_waits > 0; worker->snapd_waits--)
		if (broker->snapd != NULL)
			(void)channel_send(broker->snapd, &message, NULL, 0);
}

void
worker_answer_sessions(struct worker *worker, enum status status)
{
	for (size_t i = 0; i < worker->waiting_count; i++) {
		if (status == STATUS_OK)
			open_session(worker, &worker->waiting[i]);
		else
			answer_attach(worker->member.broker,
			    &worker->waiting[i], status, -1);
		done_waiting(&worker->waiting[i]);
	}
	worker->waiting_count = 0;
	memory_free(&worker->waiting);
}

/* Those that sleep and are to be woken. */
static void
answer_sleepers(struct worker *worker, enum status status)
{
	if (status == STATUS_OK)
		worker->sessions_given +=
		    session_list_give(worker->sessions, worker->member.channel);
	else
		session_list_dismiss(worker->sessions, false, status);
}

void
worker_answer_all(struct worker *worker, enum status status)
{
	worker_answer_sessions(worker, status);
	worker_answer_askers(worker, status);
	answer_sleepers(worker, status);
}

bool
worker_is_wanted(const struct worker *worker)
{
	return worker->waiting_count > 0 || worker->queue_waits > 0 ||
	       worker->snapd_waits > 0 ||
	       session_list_waking(worker->sessions) > 0;
}

bool
worker_keep_waiting(struct worker *worker, const struct waiting *waiting)
{
	if (worker->waiting_count == WORKER_MAX_WAITING)
		return false;
	if (worker->waiting == NULL)
		worker->waiting =
		    memory_new(WORKER_MAX_WAITING, sizeof(*worker->waiting));
	worker->waiting[worker->waiting_count++] = *waiting;
	return true;
}

void
worker_refuse(
    const struct broker *broker, struct waiting *waiting, enum status status)
{
	answer_attach(broker, waiting, status, -1);
	done_waiting(waiting);
}
