/*
 * broker: starts everybody who reads the network or mail, makes their channels
 * and says to each end who the other one is.  It holds CAP_SETUID, CAP_SETGID,
 * CAP_SYS_CHROOT and CAP_SETPCAP for its children, who drop them, may set only
 * their ids, and can reach neither the store nor the keys.  Input: master's
 * messages and the few requests in requests.c and control.c; it never sees mail
 * or a password.
 */
#include "broker/control.h"
#include "broker/workers.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct broker broker;

/* -- snapd and keyd -- */

static void
from_peer(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_start_worker)
		workers_need(
		    broker.workers, message->start_worker.account, ROLE_SNAPD);
}

/* Master starts it again and introduces the new one. */
static void
peer_closed(struct channel *channel, const struct error *error, void *context)
{
	struct channel **const peers[] = { &broker.snapd, &broker.keyd,
		&broker.spool };

	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
		if (*peers[i] == channel)
			channel_free(peers[i]);
}

static const struct channel_handler peer_handler = { from_peer, peer_closed };

static void
set_peer(struct channel **place, enum role role, int *fd)
{
	if (*fd == -1)
		return;
	channel_free(place);
	*place = channel_new(
	    broker.loop, *fd, ROLE_BROKER, role, &peer_handler, NULL);
	*fd = -1;
	members_connect_all(&broker, role);
	if (role == ROLE_SNAPD)
		members_tell_alarms(&broker);
}

static void
introduced(const struct message_introduce *introduce, int *fds)
{
	if (introduce->role == ROLE_SNAPD)
		set_peer(&broker.snapd, ROLE_SNAPD, &fds[0]);
	else if (introduce->role == ROLE_KEYD)
		set_peer(&broker.keyd, ROLE_KEYD, &fds[0]);
	else if (introduce->role == ROLE_SPOOL)
		set_peer(&broker.spool, ROLE_SPOOL, &fds[0]);
	else if (introduce->role == ROLE_LOGGER)
		members_connect_all(&broker, ROLE_LOGGER);
}

/* -- Equipment and reload -- */

static void
send_settings(struct member *member, const struct equipment *equipment)
{
	struct message message = { .type = MESSAGE_settings };
	struct process_start start = { .role = member->role };

	for (size_t i = 0; i < equipment->fd_count; i++)
		if (equipment->kinds[i] == START_SETTINGS ||
		    equipment->kinds[i] == START_ACCOUNTS ||
		    equipment->kinds[i] == START_LOCAL_USERS ||
		    equipment->kinds[i] == START_LISTENER)
			process_start_give(&start,
			    (enum start_descriptor)equipment->kinds[i],
			    equipment->fds[i]);
	message.settings.generation = equipment->generation;
	message.settings.kinds = text_make(start.kinds, start.fd_count);
	(void)channel_send(
	    member->channel, &message, start.fds, start.fd_count);
	member->generation = equipment->generation;
}

static void
send_worker_settings(struct member *member)
{
	if (member->channel != NULL)
		send_settings(member, &broker.equipment[ROLE_WORKER]);
}

static void
equip(const struct message_equip *message, int *fds)
{
	struct equipment *equipment;
	struct member *member;

	if (message->role >= ROLE_COUNT)
		return;
	equipment = &broker.equipment[message->role];
	for (size_t i = 0; i < equipment->fd_count; i++)
		close(equipment->fds[i]);
	equipment->is_set = true;
	equipment->uid = message->uid;
	equipment->generation = message->generation;
	equipment->fd_count = message->kinds.size;
	for (size_t i = 0; i < message->kinds.size; i++) {
		equipment->kinds[i] = (uint8_t)message->kinds.data[i];
		equipment->fds[i] = fds[i];
		fds[i] = -1;
	}
	member = members_service(&broker, (enum role)message->role);
	if (member != NULL && member->channel != NULL)
		send_settings(member, equipment);
	else if (member != NULL)
		service_start(member);
	if (message->role == ROLE_WORKER) {
		workers_each(broker.workers, send_worker_settings);
		workers_equipped(broker.workers);
	}
}

/* Slices of our own: descriptors are closed once they are read. */
static int
read_slices(int settings_fd, int accounts_fd, struct error *error)
{
	struct settings *settings = settings_read_slice(settings_fd, error);
	struct account_table *accounts;

	if (settings == NULL)
		return -1;
	accounts = account_table_read(accounts_fd, error);
	if (accounts == NULL) {
		settings_free(&settings);
		return -1;
	}
	if (broker.settings != NULL)
		settings_free(&broker.settings);
	if (broker.accounts != NULL)
		account_table_free(&broker.accounts);
	broker.settings = settings;
	broker.accounts = accounts;
	return 0;
}

static void
new_settings(const struct message_settings *message, int *fds)
{
	int settings_fd = -1, accounts_fd = -1;
	struct error error;

	for (size_t i = 0; i < message->kinds.size; i++) {
		if (message->kinds.data[i] == START_SETTINGS)
			settings_fd = fds[i];
		else if (message->kinds.data[i] == START_ACCOUNTS)
			accounts_fd = fds[i];
	}
	if (read_slices(settings_fd, accounts_fd, &error) == -1)
		log_error("settings", "why=\"%s\"", error.text);
	else {
		workers_renew_accounts(broker.workers);
		workers_each(broker.workers, worker_send_quota);
	}
}

static void
remember_elder(const struct message_elder *said)
{
	struct elder *elder;

	if (said->role >= ROLE_COUNT)
		return;
	elder = &broker.elders[said->role];
	elder->pid = (pid_t)said->pid;
	elder->uid = said->uid;
	elder->walls = said->walls;
	elder->restarts = said->restarts;
	elder->started_us =
	    clock_monotonic_us() - (int64_t)said->uptime_s * 1000000;
}

/* -- Ending -- */

static void
end_if_gone(void)
{
	if (broker.is_stopping && members_are_gone(&broker))
		event_loop_stop(broker.loop);
}

/* Fronts first would be kinder; all at once is no less safe: each finishes
 * what it began, and what has no answer is not promised. */
static void
stop_all(void)
{
	broker.is_stopping = true;
	for (int i = ROLE_AUTHD; i <= ROLE_IMAPD; i++)
		member_stop(&broker.services[i], 0);
	workers_stop(broker.workers);
	end_if_gone();
}

static void
child_ended(int number, void *context)
{
	members_reap(&broker);
	end_if_gone();
}

/* -- Master -- */

static void
from_master(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	switch (message->type) {
	case MESSAGE_introduce:
		introduced(&message->introduce, fds);
		break;
	case MESSAGE_equip:
		equip(&message->equip, fds);
		break;
	case MESSAGE_settings:
		new_settings(&message->settings, fds);
		break;
	case MESSAGE_home_made:
		workers_home_made(broker.workers, message->home_made.account,
		    message->home_made.status, &fds[0]);
		break;
	case MESSAGE_distrust:
		broker_distrust(&broker, (enum role)message->distrust.role,
		    message->distrust.account, message->distrust.instance);
		break;
	case MESSAGE_reloaded:
		control_reloaded(message->reloaded.tag,
		    message->reloaded.status, message->reloaded.generation);
		break;
	case MESSAGE_elder:
		remember_elder(&message->elder);
		break;
	case MESSAGE_stop:
		stop_all();
		break;
	default:
		break;
	}
}

/* Our end closes every channel below, and all below exit. */
static void
master_gone(struct channel *channel, const struct error *error, void *context)
{
	_exit(1);
}

static const struct channel_handler master_handler = { from_master,
	master_gone };

static void
take_executables(struct process *process, int *program_fds)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		broker.executables[i] = -1;
	for (int role = ROLE_AUTHD; role <= ROLE_WORKER; role++) {
		unsigned int n = (unsigned int)(role - ROLE_AUTHD);

		program_fds[n] = process_take(process, START_EXECUTABLE, n);
		broker.executables[role] = program_fds[n];
	}
}

int
main(void)
{
	int program_fds[ROLE_WORKER - ROLE_AUTHD + 1];
	int control, settings_fd, accounts_fd;
	struct process process;
	struct error error;
	uint32_t walls;

	process_begin(&process, ROLE_BROKER);
	broker.flags = process.flags;
	/* log.c has it, too: introductions to the logger share it. */
	broker.logger_fd = process.log_fd;
	take_executables(&process, program_fds);
	control = process_take(&process, START_CONTROL, 0);
	settings_fd = process_take(&process, START_SETTINGS, 0);
	accounts_fd = process_take(&process, START_ACCOUNTS, 0);
	if (read_slices(settings_fd, accounts_fd, &error) == -1)
		fatal("why=\"%s\"", error.text);
	close(settings_fd);
	close(accounts_fd);
	walls = process_confine_with(&process, program_fds,
	    sizeof(program_fds) / sizeof(program_fds[0]), 0);
	broker.loop = event_loop_new();
	broker.grants = grants_new();
	broker.workers = workers_new(&broker);
	members_init(&broker);
	signal_watch_new(broker.loop, SIGCHLD, child_ended, NULL);
	control_open(&broker, control);
	broker.master =
	    process_ready(&process, broker.loop, walls, &master_handler, NULL);
	event_loop_run(broker.loop);
	return 0;
}
