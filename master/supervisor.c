/*
 * See supervisor.h.  Each log channel's far end is kept here as well, so that
 * a logger which died loses no line: the next one is given the same ends.
 */
#include "master/supervisor.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "master/children.h"
#include "master/service_files.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	STOP_TIMEOUT_MS = 15000
};

/* Order of starting; stopped from the end, the logger last. */
static const enum role order[CHILD_COUNT] = { ROLE_LOGGER, ROLE_SNAPD,
	ROLE_VERIFY, ROLE_DRILL, ROLE_KEYD, ROLE_RESOLVER, ROLE_FETCHER,
	ROLE_RELAY, ROLE_SPOOL, ROLE_BROKER };

static void start_child(struct child *child);

struct child *
supervisor_child(struct supervisor *supervisor, enum role role)
{
	for (size_t i = 0; i < CHILD_COUNT; i++)
		if (order[i] == role)
			return &supervisor->children[i];
	return NULL;
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
	child->walls = walls;
	introductions_elder(child);
	if (child->role == ROLE_SNAPD) {
		introductions_tell_alarms(child->supervisor);
		service_files_tell(child->supervisor);
	}
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
		child_make_home(child, message->make_home.account);
		break;
	case MESSAGE_reap:
		if (fds[0] != -1)
			child_reap(child, fds[0]);
		break;
	case MESSAGE_misbehaved:
		child_distrust(child, message);
		break;
	case MESSAGE_reload:
		child_reload(child, message->reload.tag);
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

	if (error->code == ERROR_INPUT) {
		log_alarm("misbehaved", "role=%s why=\"%s\"",
		    role_name(child->role), error->text);
		introductions_alarm(child, ALARM_MISBEHAVED);
	}
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
	child->uid = start.uid;
	child->starts++;
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
	introductions_started(child);
}

static void
restart_due(void *context)
{
	struct child *child = context;

	if (!child->supervisor->is_stopping)
		start_child(child);
}

/* When its channel is closed: nothing more is said to it. */
static void
tell_end(struct child *child, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
		log_alarm("seccomp-kill", "role=%s pid=%d",
		    role_name(child->role), child->pid);
		introductions_alarm(child, ALARM_KILLED);
	} else
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

	channel_free(&child->channel);
	if (!supervisor->is_stopping)
		tell_end(child, status);
	child->pid = 0;
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
	supervisor->started_us = clock_monotonic_us();
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
