/* See real_process.h. */
#include "tests/system/real_process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static enum log_level least;

void
must(bool ok, const char *what)
{
	if (!ok)
		fatal("what=\"%s\" errno=%d", what, errno);
}

void
peer_gone(struct channel *channel, const struct error *error, void *context)
{
	if (error->code == ERROR_INPUT)
		printf("misbehaved %s\n", error->text);
}

static void
logger_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->log_line.level <= least)
		fprintf(stderr, "%s: %.*s %.*s\n", (const char *)context,
		    TEXT_FMT(message->log_line.event),
		    TEXT_FMT(message->log_line.pairs));
}

static int
make_logger(struct event_loop *loop, enum role role)
{
	static const struct channel_handler handler = { logger_hears,
		peer_gone };
	int ends[2];

	must(channel_pair(ends, NULL) == 0, "pair");
	channel_new(loop, ends[0], ROLE_LOGGER, role, &handler,
	    (void *)(uintptr_t)role_name(role));
	return ends[1];
}

/* An empty folder that has no name any more. */
static int
make_root(void)
{
	char root[] = "/tmp/firnmail-stand-XXXXXX";
	int fd;

	must(mkdtemp(root) != NULL && chmod(root, 0555) == 0, "root");
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(fd != -1 && rmdir(root) == 0, "root");
	return fd;
}

static int
make_filter(const struct process_start *start, const struct settings *settings)
{
	const struct sandbox_ranges ranges = { settings->uid_service_base,
		settings->uid_account_base, settings->uid_account_mask };
	struct error error;
	int fd =
	    sandbox_filter_compile(start->role, &ranges, start->flags, &error);

	must(fd != -1, "filter");
	return fd;
}

void
real_process_prepare(struct process_start *start, struct event_loop *loop,
    const struct settings *settings, const char *build, const char *program,
    enum log_level level)
{
	char path[1024];

	least = level;
	start->instance = INSTANCE;
	snprintf(path, sizeof(path), "%s/%s", build, program);
	start->executable_fd = open(path, O_PATH | O_CLOEXEC);
	must(start->executable_fd != -1, path);
#ifdef __SANITIZE_ADDRESS__
	start->flags |= PROCESS_SANITIZER;
#endif
	start->uid = settings->uid_service_base + (uint32_t)start->role;
	if (geteuid() != 0) {
		start->flags |= PROCESS_ONE_UID;
		start->uid = (uint32_t)-1;
	}
	process_start_give(
	    start, START_NULL, open("/dev/null", O_RDWR | O_CLOEXEC));
	process_start_give(start, START_SECCOMP, make_filter(start, settings));
	process_start_give(start, START_ROOT, make_root());
	process_start_give(start, START_LOG, make_logger(loop, start->role));
}

const char *
real_process_ending(int status)
{
	static char text[40];

	snprintf(text, sizeof(text), "%s %d",
	    WIFSIGNALED(status) ? "signal" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return text;
}
