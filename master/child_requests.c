/*
 * The few things that a child may ask of master, who is root: a home, the end
 * of a child of the broker's, a reload; and a complaint, passed on.  Nothing of
 * what a child says is believed where the kernel can be asked.
 */
#include "master/children.h"

#include "common/log.h"
#include "common/status.h"

#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

void
child_make_home(struct child *child, uint32_t number)
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
void
child_reap(struct child *broker, int pidfd)
{
	pid_t pid = pid_of(pidfd);

	if (pid <= 1 || parent_of(pid) != broker->pid) {
		log_alarm("reap-refused", "pid=%d", pid);
		return;
	}
	(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

void
child_distrust(struct child *child, const struct message *message)
{
	struct child *broker = supervisor_child(child->supervisor, ROLE_BROKER);
	struct child *elder = supervisor_child(
	    child->supervisor, (enum role)message->misbehaved.role);
	struct message forward = { .type = MESSAGE_distrust };

	log_alarm("misbehaved", "by=%s role=%s account=%u",
	    role_name(child->role),
	    role_name((enum role)message->misbehaved.role),
	    message->misbehaved.account);
	/* About one of master's own the broker has no say. */
	if (elder != NULL) {
		introductions_alarm(elder, ALARM_MISBEHAVED);
		return;
	}
	forward.distrust.role = message->misbehaved.role;
	forward.distrust.account = message->misbehaved.account;
	forward.distrust.instance = message->misbehaved.instance;
	if (broker->channel != NULL)
		(void)channel_send(broker->channel, &forward, NULL, 0);
}

void
child_reload(struct child *broker, uint64_t tag)
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
