/*
 * Everything that master opens for the others: programs, filters, directories,
 * keys, listeners, slices.  It hands descriptors over and says no path.
 */
#ifndef MASTER_RESOURCES_H
#define MASTER_RESOURCES_H

#include "common/error.h"
#include "common/process_start.h"
#include "master/config.h"
#include "master/listeners.h"

struct resources {
	unsigned int flags; /* of enum in common/process.h */
	int null_fd;
	int run_fd;
	int empty_fd; /* an empty directory, root of those without files */
	int mail_fd;
	int snap_fd;
	int queue_fd;
	int drill_fd; /* -1: there is no scratch folder */
	int syslog_fd;
	int snapd_control_fd;
	int broker_control_fd;
	int spool_control_fd;
	int resolver_control_fd;
	int submit_fd; /* mail of this machine's own programs */
	int executables[ROLE_COUNT];
	int filters[ROLE_COUNT];
	size_t key_count;
	int keys[SETTINGS_MAX_KEYS];
	struct listeners listeners;
};

struct resources_options {
	const char *libexec;
	const char *run;
	unsigned int flags;
};

int resources_open(struct resources *resources, const struct config *config,
    const struct resources_options *options, struct error *error);
/* What a reload may change: keys and listeners. Nothing changes at -1. */
int resources_reload(struct resources *resources, const struct config *config,
    struct error *error);

uint32_t resources_uid(const struct resources *resources,
    const struct config *config, enum role role);

/* Adds what a process of `role` is given. */
int resources_give(const struct resources *resources,
    const struct config *config, enum role role, struct process_start *start,
    struct error *error);
/* After the message went out: closes the slices that were made for it. */
void resources_taken(const struct process_start *start);

/* The home of an account, made if it is not there; its descriptor or -1. */
int resources_make_home(const struct resources *resources,
    const struct account *account, struct error *error);

#endif
