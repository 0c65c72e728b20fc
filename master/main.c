/*
 * firnmaild: root.  Reads what root wrote, opens everything, starts four
 * processes, keeps them running and stops them.  Its only other input is
 * signals and the three requests in supervisor.c; it reads nothing from the
 * network, no mail, and no name that another process chose.
 */
#include "common/log.h"
#include "common/memory.h"
#include "master/namespace.h"
#include "master/notify.h"
#include "master/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef FIRNMAIL_LIBEXEC
#define FIRNMAIL_LIBEXEC "/usr/libexec/firnmail"
#endif

enum {
	EXIT_CONFIG = 78
};

struct master {
	struct event_loop *loop;
	struct config *config;
	struct resources resources;
	struct supervisor *supervisor;
	const char *config_path;
};

static enum error_code
reload(void *context)
{
	struct master *master = context;
	struct config *fresh;
	struct error error;

	fresh = config_load(
	    master->config_path, master->config->settings->generation + 1);
	if (fresh == NULL) {
		log_error("reload", "result=refused");
		return ERROR_INPUT;
	}
	if (resources_reload(&master->resources, fresh, &error) == -1) {
		log_error("reload", "result=refused why=\"%s\"", error.text);
		config_free(&fresh);
		return error.code;
	}
	config_free(&master->config);
	master->config = fresh;
	supervisor_reloaded(master->supervisor);
	memory_give_back();
	log_info("reload", "result=done generation=%llu",
	    (unsigned long long)fresh->settings->generation);
	return ERROR_NONE;
}

static void
all_ready(void *context)
{
	memory_give_back(); /* of filters, 4 MiB */
	log_info("started", "pid=%d", getpid());
	notify_state("READY=1");
}

static void
stopped(void *context)
{
	struct master *master = context;

	event_loop_stop(master->loop);
}

static void
on_signal(int number, void *context)
{
	struct master *master = context;

	if (number == SIGCHLD) {
		supervisor_reap(master->supervisor);
		return;
	}
	if (number == SIGHUP) {
		notify_state("RELOADING=1");
		(void)reload(master);
		notify_state("READY=1");
		return;
	}
	notify_state("STOPPING=1");
	supervisor_stop(master->supervisor);
}

static void
usage(void)
{
	fprintf(stderr, "usage: firnmaild [-v] [-c FILE] [--libexec DIR] "
			"[--run DIR]\n");
	exit(2);
}

static const char *
parse_options(int argc, char **argv, struct resources_options *options)
{
	const char *config_path = "/etc/firnmail/firnmail.conf";

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-v") == 0)
			options->flags |= PROCESS_VERBOSE;
		else if (i + 1 < argc && strcmp(argv[i], "-c") == 0)
			config_path = argv[++i];
		else if (i + 1 < argc && strcmp(argv[i], "--libexec") == 0)
			options->libexec = argv[++i];
		else if (i + 1 < argc && strcmp(argv[i], "--run") == 0)
			options->run = argv[++i];
		else
			usage();
	}
	return config_path;
}

/* 0 to 2 must be taken before anything is opened. */
static void
prepare_process(void)
{
	const struct rlimit no_core = { 0, 0 };
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
	umask(077);
	(void)setrlimit(RLIMIT_CORE, &no_core);
}

static void
enter_one_uid(struct resources_options *options)
{
	int has_chroot;

	if (geteuid() == 0)
		return;
	options->flags |= PROCESS_ONE_UID;
	has_chroot = namespace_enter();
	log_warning("walls", "mode=one-uid missing=\"uid%s\"",
	    has_chroot ? "" : " chroot");
}

static void
write_pid(int run_fd)
{
	char text[16];
	int fd = openat(run_fd, "firnmaild.pid",
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd == -1)
		return;
	snprintf(text, sizeof(text), "%d\n", getpid());
	if (write(fd, text, strlen(text)) == -1)
		log_warning("pid-file", "result=failed");
	close(fd);
}

static void
run(struct master *master)
{
	const int signals[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT };
	const struct supervisor_hooks hooks = { all_ready, reload, stopped,
		master };

	master->loop = event_loop_new();
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal_watch_new(master->loop, signals[i], on_signal, master);
	master->supervisor = supervisor_new(
	    master->loop, &master->resources, &master->config, &hooks);
	event_loop_run(master->loop);
}

int
main(int argc, char **argv)
{
	static struct master master;
	struct resources_options options = { .libexec = FIRNMAIL_LIBEXEC,
		.run = "/run/firnmail" };
	struct error error;

	prepare_process();
	log_open(-1, "firnmaild");
#ifdef __SANITIZE_ADDRESS__
	options.flags |= PROCESS_SANITIZER;
#endif
	master.config_path = parse_options(argc, argv, &options);
	master.config = config_load(master.config_path, 1);
	if (master.config == NULL)
		return EXIT_CONFIG;
	enter_one_uid(&options);
	if (resources_open(
		&master.resources, master.config, &options, &error) == -1)
		fatal("why=\"%s\"", error.text);
	write_pid(master.resources.run_fd);
	run(&master);
	unlinkat(master.resources.run_fd, "firnmaild.pid", 0);
	config_free(&master.config);
	return 0;
}
