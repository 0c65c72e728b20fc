/*
 * See process.h.  Until the sandbox is shut everything here is fatal: a
 * process that cannot begin as declared must not begin at all, and its starter
 * tries again later.
 */
#include "common/process.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	PROCESS_START_TIMEOUT_MS = 10000
};

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#ifdef __SANITIZE_ADDRESS__
/* A leak check needs ptrace, which no process here may have; what is found
 * ends in SIGABRT, because nobody reads the report on fd 2. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0:handle_segv=0:abort_on_error=1:"
	       "allocator_may_return_null=1";
}
#endif

/* Who starts a role is fixed: master starts these, the broker the rest. */
static enum role
starter_of(enum role role)
{
	switch (role) {
	case ROLE_LOGGER:
	case ROLE_SNAPD:
	case ROLE_KEYD:
	case ROLE_VERIFY:
	case ROLE_DRILL:
	case ROLE_SPOOL:
	case ROLE_RELAY:
	case ROLE_RESOLVER:
	case ROLE_FETCHER:
	case ROLE_BROKER:
		return ROLE_MASTER;
	default:
		return ROLE_BROKER;
	}
}

static void
receive_start(struct process *process)
{
	static uint8_t storage[MESSAGE_MAX_SIZE];
	struct message message;
	struct error error;
	struct text kinds;

	if (channel_receive_now(PROCESS_STARTER_FD, process->role,
		starter_of(process->role), PROCESS_START_TIMEOUT_MS, storage,
		&message, process->fds, &process->fd_count, &error) == -1)
		fatal("what=\"no start message\" why=\"%s\"", error.text);
	if (message.type != MESSAGE_start ||
	    message.start.role != process->role)
		fatal("what=\"started as another role\"");
	kinds = message.start.kinds;
	if (kinds.size != process->fd_count)
		fatal("what=\"descriptors do not match their kinds\"");
	for (size_t i = 0; i < kinds.size; i++)
		process->kinds[i] =
		    (enum start_descriptor)(uint8_t)kinds.data[i];
	process->flags = message.start.flags;
	process->uid = message.start.uid;
	process->gid = message.start.gid;
	process->account = message.start.account;
	process->instance = message.start.instance;
}

static int
compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void
close_between(unsigned int first, unsigned int last)
{
	if (first <= last && syscall(SYS_close_range, first, last, 0) == -1)
		fatal("what=close_range errno=%d", errno);
}

/* Only what came with `start`, the starter's channel and 0 to 2 stay open. */
static void
close_all_others(const struct process *process)
{
	int kept[CHANNEL_MAX_DESCRIPTORS] = { 0 };
	unsigned int next = PROCESS_STARTER_FD + 1;

	for (size_t i = 0; i < process->fd_count; i++)
		kept[i] = process->fds[i];
	qsort(kept, process->fd_count, sizeof(kept[0]), compare_fds);
	for (size_t i = 0; i < process->fd_count; i++) {
		close_between(next, (unsigned int)kept[i] - 1);
		next = (unsigned int)kept[i] + 1;
	}
	close_between(next, ~0U);
}

/* With 0 to 2 closed a descriptor of `start` would come to lie there. */
static void
check_standard_descriptors(void)
{
	for (int fd = 0; fd < PROCESS_STARTER_FD; fd++)
		if (fcntl(fd, F_GETFD) == -1)
			fatal("what=\"descriptor %d is closed\"", fd);
}

static void
put_null_on_standard(struct process *process)
{
	int null = process_take(process, START_NULL, 0);

	if (null == -1)
		fatal("what=\"no null device\"");
	for (int fd = 0; fd < PROCESS_STARTER_FD; fd++)
		if (dup2(null, fd) == -1)
			fatal("what=\"null device on %d\"", fd);
	close(null);
}

void
process_begin(struct process *process, enum role role)
{
	*process = (struct process){ .role = role };
	/* glibc reads the time zone once, even for gmtime: before the walls. */
	tzset();
	check_standard_descriptors();
	if (fcntl(PROCESS_STARTER_FD, F_SETFD, FD_CLOEXEC) == -1)
		fatal("what=\"to be started by firnmaild only\"");
	receive_start(process);
	close_all_others(process);
	process->log_fd = process_take(process, START_LOG, 0);
	log_open(process->log_fd, role_name(role));
	if (process->flags & PROCESS_VERBOSE)
		log_set_level(LOG_LEVEL_DEBUG);
	put_null_on_standard(process);
}

int
process_take(
    struct process *process, enum start_descriptor kind, unsigned int n)
{
	for (size_t i = 0; i < process->fd_count; i++) {
		int fd = process->fds[i];

		/* A place that was taken still counts. */
		if (process->kinds[i] != kind || n-- > 0)
			continue;
		process->fds[i] = -1;
		return fd;
	}
	return -1;
}

static void
close_untaken(struct process *process)
{
	for (size_t i = 0; i < process->fd_count; i++) {
		if (process->fds[i] != -1)
			close(process->fds[i]);
		process->fds[i] = -1;
	}
}

uint32_t
process_confine(struct process *process)
{
	return process_confine_with(process, NULL, 0, 0);
}

uint32_t
process_confine_with(struct process *process, const int *program_fds,
    size_t program_count, unsigned int without)
{
	struct sandbox_request request = {
		.role = process->role,
		.uid = process->uid,
		.gid = process->gid,
		.root_fd = process_take(process, START_ROOT, 0),
		.seccomp_fd = process_take(process, START_SECCOMP, 0),
		.is_one_uid = (process->flags & PROCESS_ONE_UID) != 0,
		.is_sanitizer = (process->flags & PROCESS_SANITIZER) != 0,
		.program_fds = program_fds,
		.program_count = program_count,
		.without = without,
	};
	struct error error;
	uint32_t walls;

	close_untaken(process);
	if (request.seccomp_fd == -1 && (without & WALL_SECCOMP) == 0)
		fatal("what=\"no filter\"");
	/* Held open over the filter: closed last, close is always allowed. */
	if (sandbox_enter(&request, &walls, &error) == -1)
		fatal("what=\"a wall does not stand\" why=\"%s\"", error.text);
	if (request.root_fd != -1)
		close(request.root_fd);
	if (request.seccomp_fd != -1)
		close(request.seccomp_fd);
	return walls;
}

/* The starter's, from ready on; its owner frees it after the loop has ended,
 * when no handler is called any more. */
static struct channel *ready_channel;

struct channel *
process_ready(struct process *process, struct event_loop *loop, uint32_t walls,
    const struct channel_handler *handler, void *context)
{
	struct message message = { .type = MESSAGE_ready };
	struct channel *channel;

	channel = channel_new(loop, PROCESS_STARTER_FD, process->role,
	    starter_of(process->role), handler, context);
	message.ready.walls = walls;
	if (channel_send(channel, &message, NULL, 0) == -1)
		fatal("what=\"cannot say ready\"");
	ready_channel = channel;
	return channel;
}

void
process_peer_closed(const struct error *error, enum role peer, uint32_t account,
    uint64_t instance)
{
	struct message message = { .type = MESSAGE_misbehaved };

	if (error == NULL || error->code != ERROR_INPUT)
		return;
	log_alarm("peer-misbehaved", "peer=%s account=%u why=\"%s\"",
	    role_name(peer), account, error->text);
	message.misbehaved.role = (uint8_t)peer;
	message.misbehaved.account = account;
	message.misbehaved.instance = instance;
	if (ready_channel != NULL)
		(void)channel_send(ready_channel, &message, NULL, 0);
}
