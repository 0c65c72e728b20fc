/*
 * Who is told of whom when a process starts or settings change: channels among
 * master's children, the logger's ends of the log channels, and what the broker
 * needs to start its own.  Master makes the channels, and reads none of them.
 */
#include "master/children.h"

#include "common/clock.h"
#include "common/log.h"
#include "master/service_files.h"

#include <string.h>
#include <unistd.h>

/* Which of master's children talk to each other. */
static const struct {
	enum role a;
	enum role b;
} pairs[] = {
	{ ROLE_SNAPD, ROLE_BROKER },
	{ ROLE_KEYD, ROLE_BROKER },
	{ ROLE_SPOOL, ROLE_BROKER },
	{ ROLE_SNAPD, ROLE_VERIFY },
	{ ROLE_SNAPD, ROLE_DRILL },
	{ ROLE_SPOOL, ROLE_RELAY },
	{ ROLE_SPOOL, ROLE_FETCHER },
	{ ROLE_RELAY, ROLE_RESOLVER },
	{ ROLE_RELAY, ROLE_FETCHER },
	{ ROLE_FETCHER, ROLE_RESOLVER },
};

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
	introduce(supervisor_child(supervisor, ROLE_BROKER), ROLE_LOGGER,
	    logger->instance, logger->pid, -1);
}

static void
tell_elder(struct supervisor *supervisor, enum role role, pid_t pid,
    uint32_t uid, uint32_t walls, int64_t started_us, unsigned int restarts)
{
	struct child *broker = supervisor_child(supervisor, ROLE_BROKER);
	struct message message = { .type = MESSAGE_elder };

	if (broker->channel == NULL)
		return;
	message.elder.role = (uint8_t)role;
	message.elder.pid = (uint32_t)pid;
	message.elder.uid = uid;
	message.elder.walls = walls;
	message.elder.uptime_s =
	    (uint32_t)((clock_monotonic_us() - started_us) / 1000000);
	message.elder.restarts = restarts;
	(void)channel_send(broker->channel, &message, NULL, 0);
}

void
introductions_elder(struct child *child)
{
	tell_elder(child->supervisor, child->role, child->pid, child->uid,
	    child->walls, child->started_us, child->starts - 1);
}

/* A new broker hears of all that run, and of master. */
static void
tell_elders(struct supervisor *supervisor)
{
	tell_elder(supervisor, ROLE_MASTER, getpid(), geteuid(), 0,
	    supervisor->started_us, 0);
	for (size_t i = 0; i < CHILD_COUNT; i++)
		if (supervisor->children[i].is_ready)
			introductions_elder(&supervisor->children[i]);
}

/* -- Alarms: on master's own evidence, or the complaint of another child -- */

void
introductions_tell_alarms(struct supervisor *supervisor)
{
	struct child *snapd = supervisor_child(supervisor, ROLE_SNAPD);
	struct message message = { .type = MESSAGE_elder_alarm };

	if (!snapd->is_ready || snapd->channel == NULL)
		return;
	for (size_t i = 0; i < CHILD_COUNT; i++) {
		struct child *child = &supervisor->children[i];

		message.elder_alarm.role = (uint8_t)child->role;
		for (uint8_t reason = 0; child->alarms != 0; reason++) {
			message.elder_alarm.reason = reason;
			if ((child->alarms & 1U << reason) != 0)
				(void)channel_send(
				    snapd->channel, &message, NULL, 0);
			child->alarms &= ~(1U << reason);
		}
	}
}

void
introductions_alarm(struct child *child, enum alarm_reason reason)
{
	child->alarms |= 1U << reason;
	introductions_tell_alarms(child->supervisor);
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

void
introductions_started(struct child *child)
{
	struct supervisor *supervisor = child->supervisor;
	struct child *broker = supervisor_child(supervisor, ROLE_BROKER);
	struct child *logger = supervisor_child(supervisor, ROLE_LOGGER);

	if (child == logger) {
		equip_logger(logger);
		return;
	}
	introduce(
	    logger, child->role, child->instance, child->pid, child->log_end);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (pairs[i].a == child->role || pairs[i].b == child->role)
			connect_children(
			    supervisor_child(supervisor, pairs[i].a),
			    supervisor_child(supervisor, pairs[i].b));
	if (child == broker) {
		equip_broker(broker);
		tell_elders(supervisor);
	}
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
	struct child *broker = supervisor_child(supervisor, ROLE_BROKER);

	for (size_t i = 0; i < CHILD_COUNT; i++)
		send_settings(&supervisor->children[i]);
	service_files_tell(supervisor);
	if (broker->channel != NULL)
		equip_broker(broker);
}
