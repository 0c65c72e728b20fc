/*
 * See resources.h.  Directories that others own are made here, because only
 * root may give them away; a directory that exists is taken as it is and its
 * owner is checked, never changed.
 */
#include "master/resources.h"

#include "common/file.h"
#include "common/log.h"
#include "master/local_users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const programs[ROLE_COUNT] = {
	[ROLE_LOGGER] = "logger",
	[ROLE_SNAPD] = "snapd",
	[ROLE_KEYD] = "keyd",
	[ROLE_BROKER] = "broker",
	[ROLE_AUTHD] = "authd",
	[ROLE_SMTPD] = "smtpd",
	[ROLE_QUEUE] = "smtpd-queue",
	[ROLE_IMAPD] = "imapd",
	[ROLE_WORKER] = "imapd-worker",
	[ROLE_VERIFY] = "snapd-verify",
	[ROLE_DRILL] = "snapd-drill",
	[ROLE_SPOOL] = "smtpd-spool",
	[ROLE_RELAY] = "smtpd-relay",
	[ROLE_RESOLVER] = "resolver",
	[ROLE_FETCHER] = "fetcher",
};

uint32_t
resources_uid(const struct resources *resources, const struct config *config,
    enum role role)
{
	if (resources->flags & PROCESS_ONE_UID)
		return geteuid();
	return config->settings->uid_service_base + (uint32_t)role;
}

static int
open_directory(const char *path, struct error *error)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return error_set_errno(error, "open %s", path);
	return fd;
}

static int
make_and_open(const char *path, struct error *error)
{
	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		return error_set_errno(error, "mkdir %s", path);
	return open_directory(path, error);
}

/* A directory of `uid`'s: given to it when root made it just now. */
static int
check_owner(int fd, uint32_t uid, struct error *error)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return error_set_errno(error, "fstat");
	if (st.st_uid == uid)
		return 0;
	if (st.st_uid != 0 || geteuid() != 0)
		return error_set(error, ERROR_REFUSED,
		    "directory belongs to uid %u, not %u", st.st_uid, uid);
	if (fchown(fd, uid, uid) == -1)
		return error_set_errno(error, "fchown");
	return 0;
}

/* The scratch folder of drills: only one that we make here is given away, since
 * what its owner finds there he may remove. */
static int
open_scratch(const struct resources *resources, const struct config *config,
    struct error *error)
{
	const char *path = config->settings->drill_path;
	uint32_t uid = resources_uid(resources, config, ROLE_DRILL);
	bool is_new = mkdir(path, 0700) == 0;
	struct stat st;
	int fd;

	if (!is_new && errno != EEXIST)
		return error_set_errno(error, "mkdir %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1 || fstat(fd, &st) == -1)
		error_set_errno(error, "open %s", path);
	else if (st.st_uid == uid)
		return fd;
	else if (!is_new)
		error_set(error, ERROR_REFUSED, "%s belongs to uid %u, not %u",
		    path, st.st_uid, uid);
	else if (fchown(fd, uid, uid) == -1)
		error_set_errno(error, "fchown of %s", path);
	else
		return fd;
	if (fd != -1)
		close(fd);
	return -1;
}

static int
open_directories(struct resources *resources, const struct config *config,
    const struct resources_options *options, struct error *error)
{
	resources->run_fd = make_and_open(options->run, error);
	/* Programs of this machine reach submit.sock in it, and see nothing. */
	if (resources->run_fd != -1 && fchmod(resources->run_fd, 0711) == -1)
		return error_set_errno(error, "chmod of %s", options->run);
	resources->mail_fd = make_and_open(config->settings->mail_path, error);
	resources->snap_fd = make_and_open(config->settings->snap_path, error);
	resources->queue_fd =
	    make_and_open(config->settings->queue_path, error);
	if (resources->run_fd == -1 || resources->mail_fd == -1 ||
	    resources->snap_fd == -1 || resources->queue_fd == -1)
		return -1;
	if (file_make_directory(resources->run_fd, "empty", 0555, error) ==
		-1 &&
	    error->code != ERROR_EXISTS)
		return -1;
	resources->empty_fd =
	    file_open_directory(resources->run_fd, "empty", error);
	if (resources->empty_fd == -1)
		return -1;
	/* umask took bits that the roles need to enter it. */
	if (fchmod(resources->empty_fd, 0555) == -1)
		return error_set_errno(error, "chmod of empty");
	resources->drill_fd = open_scratch(resources, config, error);
	if (resources->drill_fd == -1)
		log_warning("no-drills", "why=\"%s\"", error->text);
	if (check_owner(resources->queue_fd,
		resources_uid(resources, config, ROLE_SPOOL), error) == -1)
		return -1;
	return check_owner(resources->snap_fd,
	    resources_uid(resources, config, ROLE_SNAPD), error);
}

static int
open_programs(
    struct resources *resources, const char *libexec, struct error *error)
{
	int dir = open_directory(libexec, error);

	if (dir == -1)
		return -1;
	for (int role = 0; role < ROLE_COUNT; role++) {
		resources->executables[role] = -1;
		if (programs[role] == NULL)
			continue;
		resources->executables[role] =
		    openat(dir, programs[role], O_PATH | O_CLOEXEC);
		if (resources->executables[role] == -1) {
			error_set_errno(error, "program %s", programs[role]);
			close(dir);
			return -1;
		}
	}
	close(dir);
	return 0;
}

static int
compile_filters(struct resources *resources, const struct config *config,
    struct error *error)
{
	const struct sandbox_ranges ranges = {
		.service_base = config->settings->uid_service_base,
		.account_base = config->settings->uid_account_base,
		.account_mask = config->settings->uid_account_mask,
	};

	for (int role = 0; role < ROLE_COUNT; role++) {
		resources->filters[role] = -1;
		if (programs[role] == NULL)
			continue;
		resources->filters[role] = sandbox_filter_compile(
		    (enum role)role, &ranges, resources->flags, error);
		if (resources->filters[role] == -1)
			return -1;
	}
	return 0;
}

/* syslog's socket if it is there, else our stderr. */
static int
open_syslog(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX,
		.sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (isatty(STDERR_FILENO) == 0 && fd != -1 &&
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	if (fd != -1)
		close(fd);
	return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
}

static void
close_keys(int *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(keys[i]);
}

static int
open_keys(const struct settings *settings, int *keys, struct error *error)
{
	for (size_t i = 0; i < settings->key_count; i++) {
		keys[i] = open(settings->keys[i].key_path,
		    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (keys[i] != -1)
			continue;
		error_set_errno(error, "key %s", settings->keys[i].key_path);
		close_keys(keys, i);
		return -1;
	}
	return 0;
}

int
resources_reload(struct resources *resources, const struct config *config,
    struct error *error)
{
	struct listeners listeners;
	int keys[SETTINGS_MAX_KEYS];

	if (open_keys(config->settings, keys, error) == -1)
		return -1;
	if (listeners_open(&listeners, config->settings, &resources->listeners,
		error) == -1) {
		close_keys(keys, config->settings->key_count);
		return -1;
	}
	close_keys(resources->keys, resources->key_count);
	listeners_close(&resources->listeners);
	memcpy(resources->keys, keys, sizeof(keys));
	resources->key_count = config->settings->key_count;
	resources->listeners = listeners;
	return 0;
}

/* An account's uid that is a service's, or root's, would open the store to
 * whoever takes over the broker. */
static int
check_uids(const struct settings *settings, struct error *error)
{
	uint32_t base = settings->uid_account_base;
	uint32_t mask = settings->uid_account_mask;

	if (settings->uid_service_base == 0 || base == 0 || (~mask + 1) == 0 ||
	    (base & ~mask) != 0)
		return error_set(error, ERROR_REFUSED, "uid ranges are odd");
	for (uint32_t role = 0; role < ROLE_COUNT; role++)
		if (((settings->uid_service_base + role) & mask) == base)
			return error_set(error, ERROR_REFUSED,
			    "uids of services and accounts overlap");
	return 0;
}

int
resources_open(struct resources *resources, const struct config *config,
    const struct resources_options *options, struct error *error)
{
	memset(resources, 0, sizeof(*resources));
	resources->flags = options->flags;
	resources->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (resources->null_fd == -1)
		return error_set_errno(error, "/dev/null");
	resources->syslog_fd = open_syslog();
	if (check_uids(config->settings, error) == -1 ||
	    open_directories(resources, config, options, error) == -1 ||
	    open_programs(resources, options->libexec, error) == -1 ||
	    compile_filters(resources, config, error) == -1)
		return -1;
	resources->snapd_control_fd =
	    listeners_open_control(resources->run_fd, "snapd.sock", error);
	resources->broker_control_fd =
	    listeners_open_control(resources->run_fd, "broker.sock", error);
	resources->spool_control_fd =
	    listeners_open_control(resources->run_fd, "spool.sock", error);
	resources->resolver_control_fd =
	    listeners_open_control(resources->run_fd, "resolver.sock", error);
	resources->submit_fd =
	    listeners_open_local(resources->run_fd, "submit.sock", error);
	if (resources->submit_fd == -1 || resources->snapd_control_fd == -1 ||
	    resources->broker_control_fd == -1 ||
	    resources->spool_control_fd == -1 ||
	    resources->resolver_control_fd == -1)
		return -1;
	return resources_reload(resources, config, error);
}

static void
give_listeners(const struct listeners *listeners, enum role role,
    struct process_start *start)
{
	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener *listener = &listeners->list[i];

		if ((listener->service == SERVICE_IMAP) != (role == ROLE_IMAPD))
			continue;
		process_start_give(start, START_LISTENER, listener->fd);
	}
}

static int
give_slices(const struct config *config, enum role role,
    struct process_start *start, struct error *error)
{
	int fd = settings_slice(config->settings, role, error);

	if (fd == -1)
		return -1;
	process_start_give(start, START_SETTINGS, fd);
	if (role != ROLE_AUTHD && role != ROLE_QUEUE && role != ROLE_BROKER &&
	    role != ROLE_SNAPD && role != ROLE_SPOOL)
		return 0;
	fd = account_table_slice(config->accounts, role, error);
	if (fd == -1)
		return -1;
	process_start_give(start, START_ACCOUNTS, fd);
	return 0;
}

/* The store's file, for reading only. Its folder is snapd's, so that nothing
 * in it is followed, and nothing but a file is taken. */
static void
give_data(const struct resources *resources, struct process_start *start)
{
	struct error error;
	struct stat st;
	int index, fd;

	index = file_open_directory(resources->snap_fd, "index", &error);
	if (index == -1)
		return; /* no store: snapd-verify says so */
	fd = openat(
	    index, "data.mdb", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	close(index);
	if (fd == -1)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		process_start_give(start, START_DATA, fd);
	else
		close(fd);
}

/* Without them authd knows uids alone. */
static void
give_local_users(const struct config *config, struct process_start *start)
{
	struct error error;
	int fd = local_users_slice("/etc/passwd", config->settings, &error);

	if (fd == -1)
		log_warning("local-users", "why=\"%s\"", error.text);
	else
		process_start_give(start, START_LOCAL_USERS, fd);
}

/* What only one role has. */
static void
give_own(const struct resources *resources, const struct config *config,
    enum role role, struct process_start *start)
{
	switch (role) {
	case ROLE_LOGGER:
		process_start_give(start, START_SYSLOG, resources->syslog_fd);
		break;
	case ROLE_SNAPD:
		process_start_give(
		    start, START_CONTROL, resources->snapd_control_fd);
		break;
	case ROLE_SPOOL:
		process_start_give(
		    start, START_CONTROL, resources->spool_control_fd);
		break;
	case ROLE_RESOLVER:
		process_start_give(
		    start, START_CONTROL, resources->resolver_control_fd);
		break;
	case ROLE_KEYD:
		for (size_t i = 0; i < resources->key_count; i++)
			process_start_give(
			    start, START_KEY, resources->keys[i]);
		break;
	case ROLE_BROKER:
		process_start_give(
		    start, START_CONTROL, resources->broker_control_fd);
		for (int child = ROLE_AUTHD; child <= ROLE_WORKER; child++)
			process_start_give(start, START_EXECUTABLE,
			    resources->executables[child]);
		break;
	case ROLE_VERIFY:
		give_data(resources, start);
		break;
	case ROLE_SMTPD:
		give_listeners(&resources->listeners, role, start);
		process_start_give(start, START_LISTENER, resources->submit_fd);
		break;
	case ROLE_IMAPD:
		give_listeners(&resources->listeners, role, start);
		break;
	case ROLE_AUTHD:
		give_local_users(config, start);
		break;
	default:
		break;
	}
}

static int
root_of(const struct resources *resources, enum role role)
{
	switch (role) {
	case ROLE_SNAPD:
		return resources->snap_fd;
	case ROLE_BROKER:
		return resources->mail_fd;
	case ROLE_DRILL:
		return resources->drill_fd != -1 ? resources->drill_fd
						 : resources->empty_fd;
	case ROLE_SPOOL:
		return resources->queue_fd;
	case ROLE_WORKER: /* its account's home, from MAKE_HOME */
		return -1;
	default:
		return resources->empty_fd;
	}
}

int
resources_give(const struct resources *resources, const struct config *config,
    enum role role, struct process_start *start, struct error *error)
{
	start->role = role;
	start->flags = resources->flags;
	start->uid = resources_uid(resources, config, role);
	start->executable_fd = resources->executables[role];
	process_start_give(start, START_SECCOMP, resources->filters[role]);
	process_start_give(start, START_NULL, resources->null_fd);
	process_start_give(start, START_ROOT, root_of(resources, role));
	give_own(resources, config, role, start);
	if (role == ROLE_LOGGER)
		return 0;
	return give_slices(config, role, start, error);
}

/* A directory of the account's; one that is there already stays as it is. */
static int
make_owned(int dir_fd, const char *name, const struct account *account,
    bool is_one_uid, struct error *error)
{
	int fd;

	if (file_make_directory(dir_fd, name, 0700, error) == -1) {
		if (error->code != ERROR_EXISTS)
			return -1;
		return file_open_directory(dir_fd, name, error);
	}
	fd = file_open_directory(dir_fd, name, error);
	if (fd != -1 && !is_one_uid &&
	    fchown(fd, account->uid, account->gid) == -1) {
		error_set_errno(error, "fchown of home");
		close(fd);
		return -1;
	}
	return fd;
}

int
resources_make_home(const struct resources *resources,
    const struct account *account, struct error *error)
{
	bool is_one_uid = (resources->flags & PROCESS_ONE_UID) != 0;
	const char *const parts[] = { "Maildir", "index" };
	char name[16];
	int home, fd;

	snprintf(name, sizeof(name), "%u", account->number);
	home = make_owned(resources->mail_fd, name, account, is_one_uid, error);
	for (size_t i = 0; home != -1 && i < 2; i++) {
		fd = make_owned(home, parts[i], account, is_one_uid, error);
		if (fd == -1) {
			close(home);
			return -1;
		}
		close(fd);
	}
	return home;
}

void
resources_taken(const struct process_start *start)
{
	for (size_t i = 0; i < start->fd_count; i++)
		if (start->kinds[i] == START_SETTINGS ||
		    start->kinds[i] == START_ACCOUNTS ||
		    start->kinds[i] == START_LOCAL_USERS ||
		    start->kinds[i] == START_DATA)
			close(start->fds[i]);
}
