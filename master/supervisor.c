/*
 * See supervisor.h.  Each log channel's far end is kept here as well, so that
 * a logger which died loses no line: the next one is given the same ends.
 */
#include "master/supervisor.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/status.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CHILD_COUNT = 4,
	STOP_TIMEOUT_MS = 15000
};

/* Order of starting; stopped from the end, the logger last. */
static const enum role order[CHILD_COUNT] = { ROLE_LOGGER, ROLE_SNAPD,
	ROLE_KEYD, ROLE_BROKER };

struct child {
	struct supervisor *supervisor;
	enum role role;
	pid_t pid; /* 0: not running */
	struct channel *channel;
	int log_end; /* the logger's end of its log channel */
	bool is_ready;
	bool was_ready;
	uint64_t instance;
	int64_t started_us;
	unsigned int quick_ends;
	struct timer *restart;
};

struct supervisor {
	struct event_loop *loop;
	const struct resources *resources;
	struct config *const *config;
	struct supervisor_hooks hooks;
	struct child children[CHILD_COUNT];
	uint64_t next_instance;
	bool is_stopping;
	bool told_ready;
	int log_fd; /* master's own log channel: the logger's end */
	struct timer *stop_timer;
};

static void start_child(struct child *child);

static struct child *
child_of(struct supervisor *supervisor, enum role role)
{
	for (size_t i = 0; i < CHILD_COUNT; i++)
		if (order[i] == role)
			return &supervisor->children[i];
	return NULL;
}

/* -- Introducing -- */

static void
introduce(
    struct child *to, enum role peer, uint64_t instance, pid_t pid, int fd)
{
	struct message message = { .type = MESSAGE_introduce };

	if (to->channel == NULL)
		return;
	message.introduce.role = (uint8_t)peer;
	message.introduce.instance = instance;
	message.introduce.pid = (uint32_t)pid;
	(void)channel_send(to->channel, &message, &fd, fd == -1 ? 0 : 1);
}

/* A new channel between two children that both run. */
static void
connect_children(struct child *a, struct child *b)
{
	struct error error;
	int ends[2];

	if (a->channel == NULL || b->channel == NULL)
		return;
	if (channel_pair(ends, &error) == -1) {
		log_error("channel", "why=\"%s\"", error.text);
		return;
	}
	introduce(a, b->role, b->instance, b->pid, ends[0]);
	introduce(b, a->role, a->instance, a->pid, ends[1]);
	close(ends[0]);
	close(ends[1]);
}

/* The logger is given every log channel's end; the broker is told to do the
 * same for its own. */
static void
equip_logger(struct child *logger)
{
	struct supervisor *supervisor = logger->supervisor;

	introduce(logger, ROLE_MASTER, 0, getpid(), supervisor->log_fd);
	for (size_t i = 1; i < CHILD_COUNT; i++) {
		struct child *child = &supervisor->children[i];

		if (child->log_end != -1)
			introduce(logger, child->role, child->instance,
			    child->pid, child->log_end);
	}
	introduce(child_of(supervisor, ROLE_BROKER), ROLE_LOGGER,
	    logger->instance, logger->pid, -1);
}

/* What the broker's processes will be given. */
static void
equip_broker(struct child *broker)
{
	struct supervisor *supervisor = broker->supervisor;
	struct config *config = *supervisor->config;
	struct process_start start;
	struct message message = { .type = MESSAGE_equip };
	struct error error;

	for (int role = ROLE_AUTHD; role <= ROLE_WORKER; role++) {
		memset(&start, 0, sizeof(start));
		if (resources_give(supervisor->resources, config,
			(enum role)role, &start, &error) == -1) {
			log_error("equip", "role=%s why=\"%s\"",
			    role_name((enum role)role), error.text);
			continue;
		}
		message.equip.role = (uint8_t)role;
		message.equip.uid = start.uid;
		message.equip.generation = config->settings->generation;
		message.equip.kinds = text_make(start.kinds, start.fd_count);
		(void)channel_send(
		    broker->channel, &message, start.fds, start.fd_count);
		resources_taken(&start);
	}
}

static void
introduce_started(struct child *child)
{
	struct supervisor *supervisor = child->supervisor;
	struct child *broker = child_of(supervisor, ROLE_BROKER);
	struct child *logger = child_of(supervisor, ROLE_LOGGER);

	if (child == logger) {
		equip_logger(logger);
		return;
	}
	introduce(
	    logger, child->role, child->instance, child->pid, child->log_end);
	if (child == broker) {
		connect_children(child_of(supervisor, ROLE_SNAPD), broker);
		connect_children(child_of(supervisor, ROLE_KEYD), broker);
		equip_broker(broker);
		return;
	}
	connect_children(child, broker);
}

/* -- What children ask -- */

static void
answer_home(struct child *child, uint32_t number)
{
	struct supervisor *supervisor = child->supervisor;
	struct message answer = { .type = MESSAGE_home_made };
	const struct account *account;
	struct error error;
	int home = -1;

	answer.home_made.account = number;
	account = account_find_number((*supervisor->config)->accounts, number);
	if (account != NULL)
		home =
		    resources_make_home(supervisor->resources, account, &error);
	if (account == NULL)
		answer.home_made.status = STATUS_MISSING;
	else if (home == -1) {
		answer.home_made.status = STATUS_UNAVAILABLE;
		log_error("home", "account=%u why=\"%s\"", number, error.text);
	}
	(void)channel_send(child->channel, &answer, &home, home != -1);
	if (home != -1)
		close(home);
}

/* The pid behind a pidfd, or -1. */
static pid_t
pid_of(int pidfd)
{
	char path[40], line[64];
	int pid = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	file = fopen(path, "re");
	if (file == NULL)
		return -1;
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "Pid: %d", &pid) == 1)
			break;
	fclose(file);
	return pid;
}

static pid_t
parent_of(pid_t pid)
{
	char path[40], line[128];
	int parent = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return -1;
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "PPid: %d", &parent) == 1)
			break;
	fclose(file);
	return parent;
}

/* Kills a child of the broker's, and nobody else: the pidfd comes from the
 * broker, its word for it does not count. */
static void
reap_for(struct child *broker, int pidfd)
{
	pid_t pid = pid_of(pidfd);

	if (pid <= 1 || parent_of(pid) != broker->pid) {
		log_alarm("reap-refused", "pid=%d", pid);
		return;
	}
	(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

static void
forward_distrust(struct child *child, const struct message *message)
{
	struct child *broker = child_of(child->supervisor, ROLE_BROKER);
	struct message forward = { .type = MESSAGE_distrust };

	log_alarm("misbehaved", "by=%s role=%s account=%u",
	    role_name(child->role),
	    role_name((enum role)message->misbehaved.role),
	    message->misbehaved.account);
	forward.distrust.role = message->misbehaved.role;
	forward.distrust.account = message->misbehaved.account;
	forward.distrust.instance = message->misbehaved.instance;
	if (broker->channel != NULL)
		(void)channel_send(broker->channel, &forward, NULL, 0);
}

static void
answer_reload(struct child *broker, uint64_t tag)
{
	struct supervisor *supervisor = broker->supervisor;
	struct message answer = { .type = MESSAGE_reloaded };

	answer.reloaded.tag = tag;
	if (supervisor->hooks.reload(supervisor->hooks.context) != ERROR_NONE)
		answer.reloaded.status = STATUS_INVALID;
	answer.reloaded.generation =
	    (*supervisor->config)->settings->generation;
	if (broker->channel != NULL)
		(void)channel_send(broker->channel, &answer, NULL, 0);
}

static void
tell_ready(struct supervisor *supervisor)
{
	for (size_t i = 0; i < CHILD_COUNT; i++)
		if (!supervisor->children[i].was_ready)
			return;
	if (supervisor->told_ready)
		return;
	supervisor->told_ready = true;
	supervisor->hooks.all_ready(supervisor->hooks.context);
}

static void
child_ready(struct child *child, uint32_t walls)
{
	child->is_ready = true;
	child->was_ready = true;
	log_info("ready", "role=%s pid=%d walls=0x%x", role_name(child->role),
	    child->pid, walls);
	tell_ready(child->supervisor);
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct child *child = context;

	switch (message->type) {
	case MESSAGE_ready:
		child_ready(child, message->ready.walls);
		break;
	case MESSAGE_make_home:
		answer_home(child, message->make_home.account);
		break;
	case MESSAGE_reap:
		if (fds[0] != -1)
			reap_for(child, fds[0]);
		break;
	case MESSAGE_misbehaved:
		forward_distrust(child, message);
		break;
	case MESSAGE_reload:
		answer_reload(child, message->reload.tag);
		break;
	default:
		break;
	}
}

/* The rest comes with SIGCHLD; one that misbehaved does not get to choose. */
static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct child *child = context;

	if (error->code == ERROR_INPUT)
		log_alarm("misbehaved", "role=%s why=\"%s\"",
		    role_name(child->role), error->text);
	channel_free(&child->channel); /* and `error` with it */
	if (child->pid != 0)
		kill(child->pid, SIGKILL);
}

static const struct channel_handler handler = { received, closed };

/* -- Starting and ending -- */

static int
give_log(struct child *child, struct process_start *start, int ends[2],
    struct error *error)
{
	ends[0] = ends[1] = -1;
	if (child->role == ROLE_LOGGER)
		return 0;
	if (channel_pair(ends, error) == -1)
		return -1;
	process_start_give(start, START_LOG, ends[1]);
	if (child->log_end != -1)
		close(child->log_end);
	child->log_end = ends[0];
	return 0;
}

static int
try_start(struct child *child, struct error *error)
{
	struct supervisor *supervisor = child->supervisor;
	struct process_start start = { .role = child->role };
	int ends[2], fd, result;

	if (resources_give(supervisor->resources, *supervisor->config,
		child->role, &start, error) == -1 ||
	    give_log(child, &start, ends, error) == -1)
		return -1;
	child->instance = ++supervisor->next_instance;
	start.instance = child->instance;
	result = process_start(&start, &child->pid, &fd, error);
	resources_taken(&start);
	if (ends[1] != -1)
		close(ends[1]);
	if (result == -1) {
		child->pid = 0;
		return -1;
	}
	child->channel = channel_new(
	    supervisor->loop, fd, ROLE_MASTER, child->role, &handler, child);
	return 0;
}

static void
restart_later(struct child *child)
{
	timer_start(child->restart, process_backoff_ms(child->quick_ends));
}

static void
start_child(struct child *child)
{
	struct error error;

	child->started_us = clock_monotonic_us();
	child->is_ready = false;
	if (try_start(child, &error) == -1) {
		log_error("start", "role=%s why=\"%s\"", role_name(child->role),
		    error.text);
		child->quick_ends++;
		restart_later(child);
		return;
	}
	introduce_started(child);
}

static void
restart_due(void *context)
{
	struct child *child = context;

	if (!child->supervisor->is_stopping)
		start_child(child);
}

static void
alarm_of_kill(struct child *child, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		log_alarm("seccomp-kill", "role=%s pid=%d",
		    role_name(child->role), child->pid);
	else
		log_warning("ended", "role=%s pid=%d %s=%d",
		    role_name(child->role), child->pid,
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status)
					: WEXITSTATUS(status));
}

/* The last of `order` that runs is asked to stop, the others wait. */
static void
stop_next(struct supervisor *supervisor)
{
	struct message message = { .type = MESSAGE_stop };

	for (size_t i = CHILD_COUNT; i-- > 0;) {
		struct child *child = &supervisor->children[i];

		if (child->pid == 0)
			continue;
		if (child->channel != NULL)
			(void)channel_send(child->channel, &message, NULL, 0);
		timer_start(supervisor->stop_timer, STOP_TIMEOUT_MS);
		return;
	}
	timer_stop(supervisor->stop_timer);
	supervisor->hooks.stopped(supervisor->hooks.context);
}

static void
stop_too_long(void *context)
{
	struct supervisor *supervisor = context;

	for (size_t i = CHILD_COUNT; i-- > 0;) {
		struct child *child = &supervisor->children[i];

		if (child->pid == 0)
			continue;
		log_error("kill", "role=%s pid=%d why=\"did not stop\"",
		    role_name(child->role), child->pid);
		kill(child->pid, SIGKILL);
		return;
	}
}

static void
child_ended(struct child *child, int status)
{
	struct supervisor *supervisor = child->supervisor;

	if (!supervisor->is_stopping)
		alarm_of_kill(child, status);
	child->pid = 0;
	channel_free(&child->channel);
	if (supervisor->is_stopping) {
		stop_next(supervisor);
		return;
	}
	if (clock_monotonic_us() - child->started_us > PROCESS_STEADY_US)
		child->quick_ends = 0;
	child->quick_ends++;
	restart_later(child);
}

void
supervisor_reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < CHILD_COUNT; i++)
			if (supervisor->children[i].pid == pid)
				child_ended(&supervisor->children[i], status);
}

void
supervisor_stop(struct supervisor *supervisor)
{
	if (supervisor->is_stopping)
		return;
	supervisor->is_stopping = true;
	for (size_t i = 0; i < CHILD_COUNT; i++)
		timer_stop(supervisor->children[i].restart);
	stop_next(supervisor);
}

static void
send_settings(struct child *child)
{
	struct supervisor *supervisor = child->supervisor;
	struct message message = { .type = MESSAGE_settings };
	struct process_start all = { .role = child->role };
	struct process_start start = { .role = child->role };
	struct error error;

	if (child->channel == NULL || child->role == ROLE_LOGGER ||
	    resources_give(supervisor->resources, *supervisor->config,
		child->role, &all, &error) == -1)
		return;
	for (size_t i = 0; i < all.fd_count; i++)
		if (all.kinds[i] == START_SETTINGS ||
		    all.kinds[i] == START_ACCOUNTS || all.kinds[i] == START_KEY)
			process_start_give(&start,
			    (enum start_descriptor)all.kinds[i], all.fds[i]);
	message.settings.generation =
	    (*supervisor->config)->settings->generation;
	message.settings.kinds = text_make(start.kinds, start.fd_count);
	(void)channel_send(child->channel, &message, start.fds, start.fd_count);
	resources_taken(&all);
}

void
supervisor_reloaded(struct supervisor *supervisor)
{
	struct child *broker = child_of(supervisor, ROLE_BROKER);

	for (size_t i = 0; i < CHILD_COUNT; i++)
		send_settings(&supervisor->children[i]);
	if (broker->channel != NULL)
		equip_broker(broker);
}

static void
open_own_log(struct supervisor *supervisor)
{
	struct error error;
	int ends[2];

	if (channel_pair(ends, &error) == -1)
		fatal("why=\"%s\"", error.text);
	supervisor->log_fd = ends[0];
	log_open(ends[1], "firnmaild");
}

struct supervisor *
supervisor_new(struct event_loop *loop, const struct resources *resources,
    struct config *const *config, const struct supervisor_hooks *hooks)
{
	struct supervisor *supervisor = memory_new(1, sizeof(*supervisor));

	supervisor->loop = loop;
	supervisor->resources = resources;
	supervisor->config = config;
	supervisor->hooks = *hooks;
	supervisor->stop_timer = timer_new(loop, stop_too_long, supervisor);
	open_own_log(supervisor);
	for (size_t i = 0; i < CHILD_COUNT; i++) {
		struct child *child = &supervisor->children[i];

		child->supervisor = supervisor;
		child->role = order[i];
		child->log_end = -1;
		child->restart = timer_new(loop, restart_due, child);
	}
	for (size_t i = 0; i < CHILD_COUNT; i++)
		start_child(&supervisor->children[i]);
	return supervisor;
}
