/*
 * What the broker's members may ask: imapd to attach a connection that authd
 * granted, the queue to start a worker, a worker to keep sessions that sleep. A
 * member that says anything else has its channel closed by common/channel.c,
 * and is killed and started again.
 */
#include "broker/workers.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/status.h"

static void
add_grant(struct member *authd, const struct message_grant *granted)
{
	struct message answer = { .type = MESSAGE_granted };
	struct grant grant = { .instance = granted->instance,
		.connection = granted->connection,
		.account = granted->account };

	/* The row's limits are those of the struct. */
	if (text_copy(granted->user, grant.user, sizeof(grant.user)) == -1 ||
	    text_copy(granted->client_ip, grant.client_ip,
		sizeof(grant.client_ip)) == -1 ||
	    !grants_add(authd->broker->grants, &grant, clock_monotonic_us()))
		log_warning("grant", "result=dropped");
	answer.granted.instance = granted->instance;
	answer.granted.connection = granted->connection;
	(void)channel_send(authd->channel, &answer, NULL, 0);
}

static void
attach(struct member *front, const struct message_attach *wish, int *fd)
{
	struct broker *broker = front->broker;
	struct message answer = { .type = MESSAGE_attached };
	struct grant grant;

	if ((*fd == -1 || session_is_stream(*fd)) &&
	    grants_take(broker->grants, front->instance, wish->connection,
		clock_monotonic_us(), &grant)) {
		workers_attach(broker->workers, front, wish, fd, &grant);
		return;
	}
	log_alarm("attach-refused", "role=%s pid=%d connection=%llu",
	    role_name(front->role), front->pid,
	    (unsigned long long)wish->connection);
	answer.attached.connection = wish->connection;
	answer.attached.status = STATUS_REFUSED;
	(void)channel_send(front->channel, &answer, NULL, 0);
}

/* Of its own connections. */
static void
hear_front(struct member *member, const struct message *message)
{
	struct sessions *sessions = workers_sessions(member->broker->workers);
	struct session_front front = { .instance = member->instance };

	if (message->type == MESSAGE_session_parked) {
		front.connection = message->session_parked.connection;
		sessions_parked(sessions, &front, message->session_parked.turn);
	} else if (message->type == MESSAGE_session_resume) {
		front.connection = message->session_resume.connection;
		sessions_resume(sessions, &front);
	} else {
		front.connection = message->session_gone.connection;
		sessions_gone(sessions, &front);
	}
}

/* A complaint counts only about one whom the plaintiff has a channel to, or
 * else a taken-over front could end whom it likes. */
static void
hear_complaint(struct member *by, const struct message_misbehaved *about)
{
	enum role role = (enum role)about->role;

	log_alarm("misbehaved", "by=%s role=%s account=%u", role_name(by->role),
	    role_name(role), about->account);
	if (!members_are_pair(by->role, role)) {
		log_alarm("complaint-refused", "by=%s pid=%d",
		    role_name(by->role), by->pid);
		return;
	}
	broker_distrust(by->broker, role, about->account, about->instance);
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct member *member = context;
	struct broker *broker = member->broker;

	switch (message->type) {
	case MESSAGE_ready:
		member->walls = message->ready.walls;
		log_info("ready", "role=%s pid=%d account=%u walls=0x%x",
		    role_name(member->role), member->pid, member->account,
		    member->walls);
		if (member->role == ROLE_IMAPD)
			sessions_inherit(workers_sessions(broker->workers),
			    member->instance);
		break;
	case MESSAGE_grant:
		add_grant(member, &message->grant);
		break;
	case MESSAGE_attach:
		attach(member, &message->attach, &fds[0]);
		break;
	case MESSAGE_need_worker:
		workers_need(
		    broker->workers, message->need_worker.account, ROLE_QUEUE);
		break;
	case MESSAGE_worker_idle:
		worker_idle(broker->workers, member, &message->worker_idle);
		break;
	case MESSAGE_session_parked:
	case MESSAGE_session_resume:
	case MESSAGE_session_gone:
		hear_front(member, message);
		break;
	case MESSAGE_session_sleep:
		worker_session_sleeps(member, &message->session_sleep, &fds[0]);
		break;
	case MESSAGE_session_ended:
		worker_session_ended(member, message->session_ended.session);
		break;
	case MESSAGE_mailbox_changed:
		worker_mailbox_changed(member, &message->mailbox_changed);
		break;
	case MESSAGE_misbehaved:
		hear_complaint(member, &message->misbehaved);
		break;
	default:
		break;
	}
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct member *member = context;
	bool misbehaved = error->code == ERROR_INPUT;

	if (misbehaved)
		log_alarm("misbehaved", "role=%s pid=%d why=\"%s\"",
		    role_name(member->role), member->pid, error->text);
	channel_free(&member->channel); /* and `error` with it */
	if (misbehaved) {
		members_alarm(member->broker, member->role, member->account,
		    ALARM_MISBEHAVED);
		member_kill(member);
		return;
	}
	/* Its end is on the way; if not, it is killed. */
	timer_start(member->kill_timer, 1000);
}

const struct channel_handler member_handler = { received, closed };

static enum role distrusted_role;
static uint32_t distrusted_account;
static uint64_t distrusted_instance;

static void
kill_if_distrusted(struct member *member)
{
	if (member->role == distrusted_role &&
	    member->account == distrusted_account &&
	    member->instance == distrusted_instance)
		member_kill(member);
}

void
broker_distrust(
    struct broker *broker, enum role role, uint32_t account, uint64_t instance)
{
	struct member *service = members_service(broker, role);

	distrusted_role = role;
	distrusted_account = account;
	distrusted_instance = instance;
	if (service != NULL)
		kill_if_distrusted(service);
	else
		workers_each(broker->workers, kill_if_distrusted);
	members_alarm(broker, role, account, ALARM_MISBEHAVED);
}
