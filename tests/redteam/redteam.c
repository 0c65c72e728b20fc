/*
 * make redteam: every attack of attacks.def from inside every role's sandbox,
 * and again with walls left open.  With all walls off the store's attacks must
 * go through, else the test is empty; behind any single wall they must not.
 */
#include "common/file.h"
#include "common/log.h"
#include "common/process_start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum kind {
	STORE,
	SYSTEM
};

static const struct {
	const char *name;
	enum kind kind;
} attacks[] = {
#define ATTACK(name, kind) { #name, kind },
#include "tests/redteam/attacks.def"
#undef ATTACK
};

enum {
	ATTACKS = sizeof(attacks) / sizeof(attacks[0]),
	SERVICE_BASE = 0x6fff0000,
	ACCOUNT_BASE = 0x70000000,
	WALLS_ALL = WALL_UID | WALL_CHROOT | WALL_CAPABILITIES | WALL_LANDLOCK |
		    WALL_SECCOMP
};

static const struct {
	const char *name;
	unsigned int without;
	enum role roles[5];
	bool expect_through; /* of STORE attacks */
	bool judges_system;
} modes[] = {
	{ "all walls off", WALLS_ALL, { ROLE_SMTPD, ROLE_WORKER }, true,
	    false },
	{ "all walls", 0, { ROLE_SMTPD, ROLE_QUEUE, ROLE_WORKER, ROLE_BROKER },
	    false, true },
	{ "uid alone", WALLS_ALL & ~(WALL_UID | WALL_CAPABILITIES),
	    { ROLE_SMTPD, ROLE_QUEUE, ROLE_WORKER, ROLE_KEYD }, false, false },
	{ "seccomp alone", WALLS_ALL & ~WALL_SECCOMP,
	    { ROLE_SMTPD, ROLE_QUEUE, ROLE_KEYD }, false, false },
	{ "chroot, Landlock, seccomp without uid", WALL_UID, { ROLE_WORKER },
	    false, false },
};

/*
 * What a role may do because it is its task, and what the calls that ASan needs
 * (CALLS_SANITIZER: openat, mmap with PROT_EXEC, no limit of memory) leave open
 * in that build alone, where one wall stands by itself.  Nothing else is
 * excused.
 */
static const struct {
	bool is_sanitizer;
	enum role role; /* ROLE_COUNT: any */
	const char *attack;
	const char *why;
} excuses[] = {
	{ false, ROLE_BROKER, "become_other_account", "its task" },
	{ false, ROLE_BROKER, "fork_once", "its task" },
	{ false, ROLE_BROKER, "memory_to_execute", "ld.so of its children" },
	{ true, ROLE_COUNT, "store_open_read", "openat" },
	{ true, ROLE_COUNT, "store_open_write", "openat" },
	{ true, ROLE_COUNT, "store_map", "openat" },
	{ true, ROLE_COUNT, "store_lock_file", "openat" },
	{ true, ROLE_COUNT, "store_create_beside", "openat" },
	{ true, ROLE_COUNT, "store_by_proc_root", "openat" },
	{ true, ROLE_COUNT, "store_by_proc_fd", "openat" },
	{ true, ROLE_COUNT, "keeper_proc_mem", "openat" },
	{ true, ROLE_COUNT, "memory_to_execute", "mmap" },
	{ true, ROLE_COUNT, "memory_without_end", "no RLIMIT_DATA" },
};

static char store[] = "/tmp/firnmail-redteam-XXXXXX";
static char folder[64], data_path[80], lock_path[80], planted[80], taken[80];
static int program_fd, null_fd, home_fd, target_fd;
static int filters[ROLE_COUNT];
static pid_t keeper;

static void
must(bool ok, const char *what)
{
	if (!ok)
		fatal("what=\"%s\" errno=%d", what, errno);
}

/* The store as it was before the last attack. */
static void
restore_store(void)
{
	int fd;

	(void)rename(taken, folder);
	(void)unlink(taken);
	(void)mkdir(folder, 0700);
	(void)unlink(data_path);
	fd = open(data_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	must(fd != -1 && write(fd, "mail", 4) == 4, "store");
	must(fchown(fd, SERVICE_BASE + ROLE_SNAPD, SERVICE_BASE + ROLE_SNAPD) ==
		 0,
	    "chown");
	close(fd);
	fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	must(fd != -1 && fchown(fd, SERVICE_BASE + ROLE_SNAPD,
			     SERVICE_BASE + ROLE_SNAPD) == 0,
	    "lock");
	close(fd);
	(void)unlink(planted);
	must(chown(folder, SERVICE_BASE + ROLE_SNAPD,
		 SERVICE_BASE + ROLE_SNAPD) == 0,
	    "chown");
}

static bool
is_store_whole(void)
{
	char bytes[5] = "";
	struct stat st;
	int fd = open(data_path, O_RDONLY | O_CLOEXEC);
	bool is_whole = fd != -1 && read(fd, bytes, 5) == 4 &&
			memcmp(bytes, "mail", 4) == 0 && fstat(fd, &st) == 0 &&
			st.st_mode == (S_IFREG | 0600) && st.st_nlink == 1 &&
			st.st_uid == SERVICE_BASE + ROLE_SNAPD;

	if (fd != -1)
		close(fd);
	return is_whole;
}

static void
start_keeper(void)
{
	keeper = fork();
	must(keeper != -1, "fork");
	if (keeper > 0)
		return;
	if (setresgid(SERVICE_BASE + ROLE_SNAPD, SERVICE_BASE + ROLE_SNAPD,
		SERVICE_BASE + ROLE_SNAPD) == -1 ||
	    setresuid(SERVICE_BASE + ROLE_SNAPD, SERVICE_BASE + ROLE_SNAPD,
		SERVICE_BASE + ROLE_SNAPD) == -1)
		_exit(1);
	for (;;)
		pause();
}

/* The status of one attack. */
static int
run_attack(enum role role, unsigned int attack, unsigned int without)
{
	struct process_start start = { .role = role,
		.uid = role == ROLE_WORKER ? ACCOUNT_BASE + 1
					   : SERVICE_BASE + (uint32_t)role,
		.account = attack,
		.instance = (uint64_t)without << 32 | (uint32_t)keeper,
		.executable_fd = program_fd };
	struct error error;
	int fd, status;
	pid_t pid;

#ifdef __SANITIZE_ADDRESS__
	start.flags = PROCESS_SANITIZER;
#endif
	process_start_give(&start, START_NULL, null_fd);
	process_start_give(&start, START_SECCOMP, filters[role]);
	process_start_give(&start, START_ROOT, home_fd);
	process_start_give(&start, START_CONTROL, target_fd);
	if (process_start(&start, &pid, &fd, &error) == -1)
		fatal("why=\"%s\"", error.text);
	must(waitpid(pid, &status, 0) == pid, "waitpid");
	close(fd);
	return status;
}

static const char *
outcome(int status, bool is_whole)
{
	if (!is_whole)
		return "THROUGH (the store changed)";
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return "stopped by seccomp";
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		return "refused";
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "THROUGH"
							     : "BROKEN";
}

static void
prepare(const char *program)
{
	const struct sandbox_ranges ranges = { SERVICE_BASE, ACCOUNT_BASE,
		0xf0000000 };
	struct error error;
	char home[64];
	unsigned int flags = 0;

	must(mkdtemp(store) != NULL && chmod(store, 0755) == 0, "mkdtemp");
	snprintf(folder, sizeof(folder), "%s/snap", store);
	snprintf(data_path, sizeof(data_path), "%s/data.mdb", folder);
	snprintf(lock_path, sizeof(lock_path), "%s/lock.mdb", folder);
	snprintf(planted, sizeof(planted), "%s/planted", folder);
	snprintf(taken, sizeof(taken), "%s.taken", folder);
	snprintf(home, sizeof(home), "%s/home", store);
	must(mkdir(home, 0755) == 0, "home");
	home_fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	program_fd = open(program, O_PATH | O_CLOEXEC);
	must(program_fd != -1, "attack program");
	target_fd =
	    file_sealed_memory("target", folder, strlen(folder), &error);
#ifdef __SANITIZE_ADDRESS__
	flags = PROCESS_SANITIZER;
#endif
	for (int role = ROLE_LOGGER; role <= ROLE_WORKER; role++) {
		filters[role] = sandbox_filter_compile(
		    (enum role)role, &ranges, flags, &error);
		if (filters[role] == -1)
			fatal("why=\"%s\"", error.text);
	}
	start_keeper();
}

static unsigned int tried, through, excused, empty, broken;

#ifdef __SANITIZE_ADDRESS__
static const bool is_sanitizer = true;
#else
static const bool is_sanitizer = false;
#endif

/* The store's files stay behind more than one wall: only where seccomp stands
 * alone do ASan's calls count as an excuse. */
static const char *
excuse_of(size_t mode, enum role role, unsigned int attack)
{
	for (size_t i = 0; i < sizeof(excuses) / sizeof(excuses[0]); i++) {
		if (strcmp(excuses[i].attack, attacks[attack].name) != 0 ||
		    (excuses[i].role != ROLE_COUNT && excuses[i].role != role))
			continue;
		if (!excuses[i].is_sanitizer)
			return excuses[i].why;
		if (is_sanitizer &&
		    (attacks[attack].kind == SYSTEM ||
			modes[mode].without == (WALLS_ALL & ~WALL_SECCOMP)))
			return excuses[i].why;
	}
	return NULL;
}

static void
judge(size_t mode, enum role role, unsigned int attack)
{
	const char *text, *why = NULL;
	int status;

	restore_store();
	status = run_attack(role, attack, modes[mode].without);
	text = outcome(status, is_store_whole());
	tried++;
	printf("%-38s %-7s %-27s %s\n", modes[mode].name, role_name(role),
	    attacks[attack].name, text);
	if (strcmp(text, "BROKEN") == 0)
		broken++;
	if (modes[mode].expect_through) {
		empty += strncmp(text, "THROUGH", 7) != 0;
		return;
	}
	if (strcmp(text, "THROUGH") == 0)
		why = excuse_of(mode, role, attack);
	if (why != NULL) {
		printf("  excused in this build: %s\n", why);
		excused++;
		return;
	}
	through += strncmp(text, "THROUGH", 7) == 0;
}

int
main(int argc, char **argv)
{
	if (argc != 2 || geteuid() != 0) {
		fprintf(stderr, "usage, as root: redteam ATTACK-PROGRAM\n");
		return 77;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	prepare(argv[1]);
	for (size_t m = 0; m < sizeof(modes) / sizeof(modes[0]); m++)
		for (size_t r = 0; r < 5 && modes[m].roles[r] != 0; r++)
			for (unsigned int a = 0; a < ATTACKS; a++)
				if (attacks[a].kind == STORE ||
				    modes[m].judges_system)
					judge(m, modes[m].roles[r], a);
	kill(keeper, SIGKILL);
	printf("with all walls off %u did not go through, %u broke\n", empty,
	    broken);
	printf("%u excused by name (their task, or ASan's calls)\n", excused);
	printf("%u attacks, %u through\n", tried, through);
	return through + empty + broken > 0;
}
