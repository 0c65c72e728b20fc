/* See members.h. */
#include "broker/members.h"

#include "broker/workers.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/status.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum {
	MEMBER_STOP_TIMEOUT_MS = 5000
};

/* Who talks to whom, beside the workers. */
static const struct {
	enum role a;
	enum role b;
} pairs[] = {
	{ ROLE_QUEUE, ROLE_SNAPD },
	{ ROLE_QUEUE, ROLE_SPOOL },
	{ ROLE_AUTHD, ROLE_QUEUE },
	{ ROLE_SMTPD, ROLE_QUEUE },
	{ ROLE_SMTPD, ROLE_AUTHD },
	{ ROLE_IMAPD, ROLE_AUTHD },
	{ ROLE_SMTPD, ROLE_KEYD },
	{ ROLE_IMAPD, ROLE_KEYD },
};

struct member *
members_service(struct broker *broker, enum role role)
{
	if (role < ROLE_AUTHD || role > ROLE_IMAPD)
		return NULL;
	return &broker->services[role];
}

/* -- Channels -- */

static void
introduce(struct channel *to, enum role role, const struct member *peer, int fd)
{
	struct message message = { .type = MESSAGE_introduce };

	message.introduce.role = (uint8_t)role;
	if (peer != NULL) {
		message.introduce.account = peer->account;
		message.introduce.instance = peer->instance;
		message.introduce.pid = (uint32_t)peer->pid;
	}
	if (channel_send(to, &message, &fd, 1) == -1)
		log_error(
		    "introduce", "role=%s result=failed", role_name(role));
}

/* `b_role` is b's role, or that of master's child behind `b_channel`. */
static void
connect_two(struct member *a, struct member *b, enum role b_role,
    struct channel *b_channel)
{
	struct error error;
	int ends[2];

	if (a->channel == NULL || b_channel == NULL)
		return;
	if (channel_pair(ends, &error) == -1) {
		log_error("channel", "why=\"%s\"", error.text);
		return;
	}
	introduce(a->channel, b_role, b, ends[0]);
	introduce(b_channel, a->role, a, ends[1]);
	close(ends[0]);
	close(ends[1]);
}

void
members_connect(struct member *a, struct member *b)
{
	connect_two(a, b, b->role, b->channel);
}

void
member_connect_snapd(struct member *member)
{
	connect_two(member, NULL, ROLE_SNAPD, member->broker->snapd);
}

void
member_connect_keyd(struct member *member)
{
	connect_two(member, NULL, ROLE_KEYD, member->broker->keyd);
}

static void
member_connect_spool(struct member *member)
{
	connect_two(member, NULL, ROLE_SPOOL, member->broker->spool);
}

bool
members_are_pair(enum role a, enum role b)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if ((pairs[i].a == a && pairs[i].b == b) ||
		    (pairs[i].a == b && pairs[i].b == a))
			return true;
	return (a == ROLE_QUEUE && b == ROLE_WORKER) ||
	       (a == ROLE_WORKER && b == ROLE_QUEUE);
}

static void
connect_pair(struct broker *broker, enum role a, enum role b)
{
	if (b == ROLE_SNAPD)
		member_connect_snapd(&broker->services[a]);
	else if (b == ROLE_KEYD)
		member_connect_keyd(&broker->services[a]);
	else if (b == ROLE_SPOOL)
		member_connect_spool(&broker->services[a]);
	else
		members_connect(&broker->services[a], &broker->services[b]);
}

static void
connect_role(struct broker *broker, enum role role)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (pairs[i].a == role || pairs[i].b == role)
			connect_pair(broker, pairs[i].a, pairs[i].b);
}

/* The logger is told by the channel that our own log lines take. */
static void
connect_logger(struct member *member)
{
	struct message message = { .type = MESSAGE_introduce };
	struct error error;

	if (member->pid == 0 || member->log_end == -1)
		return;
	message.introduce.role = (uint8_t)member->role;
	message.introduce.account = member->account;
	message.introduce.instance = member->instance;
	message.introduce.pid = (uint32_t)member->pid;
	if (channel_send_now(member->broker->logger_fd, ROLE_BROKER,
		ROLE_LOGGER, &message, &member->log_end, 1, &error) == -1)
		log_error("introduce", "role=logger why=\"%s\"", error.text);
}

void
members_connect_all(struct broker *broker, enum role role)
{
	if (role == ROLE_LOGGER) {
		for (int i = ROLE_AUTHD; i <= ROLE_IMAPD; i++)
			connect_logger(&broker->services[i]);
		workers_each(broker->workers, connect_logger);
		return;
	}
	connect_role(broker, role);
	if (role == ROLE_SNAPD)
		workers_connect_snapd(broker->workers);
}

/* -- Starting -- */

static void
give_equipment(struct member *member, struct process_start *start)
{
	const struct equipment *equipment =
	    &member->broker->equipment[member->role];

	start->uid = equipment->uid;
	member->generation = equipment->generation;
	for (size_t i = 0; i < equipment->fd_count; i++)
		process_start_give(start,
		    (enum start_descriptor)equipment->kinds[i],
		    equipment->fds[i]);
}

/* A worker's own: its uid and its home. */
static void
give_account(const struct member *member, int home, struct process_start *start)
{
	const struct broker *broker = member->broker;

	process_start_give(start, START_ROOT, home);
	if ((broker->flags & PROCESS_ONE_UID) == 0)
		start->uid =
		    account_find_number(broker->accounts, member->account)->uid;
}

static int
run_program(
    struct member *member, struct process_start *start, struct error *error)
{
	struct broker *broker = member->broker;
	int ends[2], fd, result;

	if (channel_pair(ends, error) == -1)
		return -1;
	process_start_give(start, START_LOG, ends[1]);
	start->role = member->role;
	start->flags = broker->flags;
	start->account = member->account;
	start->instance = member->instance = ++broker->next_instance;
	start->executable_fd = broker->executables[member->role];
	result = process_start(start, &member->pid, &fd, error);
	close(ends[1]);
	if (result == -1) {
		member->pid = 0;
		close(ends[0]);
		return -1;
	}
	if (member->log_end != -1)
		close(member->log_end);
	member->log_end = ends[0];
	member->uid = start->uid;
	member->channel = channel_new(broker->loop, fd, ROLE_BROKER,
	    member->role, &member_handler, member);
	return 0;
}

int
member_start(struct member *member, int home, struct error *error)
{
	struct process_start start = { .role = member->role };

	member->started_us = clock_monotonic_us();
	member->starts++;
	member->walls = 0;
	give_equipment(member, &start);
	if (member->role == ROLE_WORKER)
		give_account(member, home, &start);
	if (run_program(member, &start, error) == -1)
		return -1;
	connect_logger(member);
	return 0;
}

void
service_start(struct member *member)
{
	struct error error;

	if (member->pid != 0 || member->broker->is_stopping ||
	    !member->broker->equipment[member->role].is_set)
		return;
	if (member_start(member, -1, &error) == -1) {
		log_error("start", "role=%s why=\"%s\"",
		    role_name(member->role), error.text);
		timer_start(
		    member->timer, process_backoff_ms(++member->quick_ends));
		return;
	}
	connect_role(member->broker, member->role);
	if (member->role == ROLE_QUEUE)
		workers_connect_queue(member->broker->workers);
}

/* -- Ending -- */

void
member_stop(struct member *member, uint8_t reason)
{
	struct message message = { .type = MESSAGE_stop };

	message.stop.reason = reason;
	if (member->channel != NULL)
		(void)channel_send(member->channel, &message, NULL, 0);
	timer_start(member->kill_timer, MEMBER_STOP_TIMEOUT_MS);
}

void
member_kill(struct member *member)
{
	struct message message = { .type = MESSAGE_reap };
	int pidfd;

	if (member->pid == 0)
		return;
	pidfd = (int)syscall(SYS_pidfd_open, member->pid, 0);
	if (pidfd == -1)
		return;
	message.reap.pid = (uint32_t)member->pid;
	(void)channel_send(member->broker->master, &message, &pidfd, 1);
	close(pidfd);
}

void
members_tell_alarms(struct broker *broker)
{
	struct message message = { .type = MESSAGE_alarm };
	struct alarm_entry alarm;

	while (broker->snapd != NULL && alarms_take(&broker->alarms, &alarm)) {
		message.alarm.role = alarm.role;
		message.alarm.account = alarm.account;
		message.alarm.reason = alarm.reason;
		if (channel_send(broker->snapd, &message, NULL, 0) == 0)
			continue;
		alarms_keep(
		    &broker->alarms, alarm.role, alarm.account, alarm.reason);
		return; /* its end is noticed next */
	}
}

void
members_alarm(struct broker *broker, enum role role, uint32_t account,
    enum alarm_reason reason)
{
	alarms_keep(&broker->alarms, (uint8_t)role, account, (uint8_t)reason);
	members_tell_alarms(broker);
}

static void
tell_end(struct member *member, int status)
{
	struct broker *broker = member->broker;

	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS) {
		if (broker->is_stopping || status == 0)
			return;
		log_warning("ended", "role=%s pid=%d account=%u %s=%d",
		    role_name(member->role), member->pid, member->account,
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status)
					: WEXITSTATUS(status));
		return;
	}
	log_alarm("seccomp-kill", "role=%s pid=%d account=%u",
	    role_name(member->role), member->pid, member->account);
	members_alarm(broker, member->role, member->account, ALARM_KILLED);
}

static void
member_ended(struct member *member, int status)
{
	struct broker *broker = member->broker;

	tell_end(member, status);
	member->pid = 0;
	channel_free(&member->channel);
	timer_stop(member->kill_timer);
	grants_drop_instance(broker->grants, member->instance);
	if (member->role == ROLE_IMAPD)
		workers_front_gone(broker->workers, member->instance);
	if (clock_monotonic_us() - member->started_us > PROCESS_STEADY_US)
		member->quick_ends = 0;
	if (status != 0)
		member->quick_ends++;
	if (member->role == ROLE_WORKER)
		worker_ended(broker->workers, member);
	else if (!broker->is_stopping)
		timer_start(
		    member->timer, process_backoff_ms(member->quick_ends));
}

void
members_reap(struct broker *broker)
{
	struct member *member;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		member = NULL;
		for (int i = ROLE_AUTHD; i <= ROLE_IMAPD; i++)
			if (broker->services[i].pid == pid)
				member = &broker->services[i];
		if (member == NULL)
			member = workers_take_pid(broker->workers, pid);
		if (member != NULL)
			member_ended(member, status);
	}
}

bool
members_are_gone(const struct broker *broker)
{
	for (int i = ROLE_AUTHD; i <= ROLE_IMAPD; i++)
		if (broker->services[i].pid != 0)
			return false;
	return workers_running(broker->workers) == 0;
}

static void
restart_due(void *context)
{
	service_start(context);
}

static void
kill_due(void *context)
{
	member_kill(context);
}

void
members_init(struct broker *broker)
{
	for (int i = ROLE_AUTHD; i <= ROLE_IMAPD; i++) {
		struct member *member = &broker->services[i];

		member->broker = broker;
		member->role = (enum role)i;
		member->log_end = -1;
		member->timer = timer_new(broker->loop, restart_due, member);
		member->kill_timer = timer_new(broker->loop, kill_due, member);
	}
}
