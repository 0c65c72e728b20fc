/*
 * make redteam: every attack of attacks.def from inside every role's sandbox,
 * and again with walls left open.  With all walls off the attacks must go
 * through, else the test is empty; behind any single wall those on the store
 * must not.  The sandboxes are made here, the roles' own by their profiles;
 * taken_over has the broker make them.
 */
#include "common/file.h"
#include "common/log.h"
#include "common/process_start.h"
#include "tests/redteam/attacks.h"
#include "tests/redteam/store_stand.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum kind {
	STORE,
	SYSTEM,
	MACHINE,
	LIMIT
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
		    WALL_SECCOMP,
	MAX_ROLES = 16
};

static const struct {
	const char *name;
	unsigned int without;
	enum role roles[MAX_ROLES + 1]; /* up to ROLE_MASTER */
	bool expect_through;
	bool only_store;
} modes[] = {
	{ "all walls off", WALLS_ALL, { ROLE_SMTPD, ROLE_WORKER }, true,
	    false },
	{ "all walls", 0,
	    { ROLE_LOGGER, ROLE_VERIFY, ROLE_KEYD, ROLE_BROKER, ROLE_AUTHD,
		ROLE_SMTPD, ROLE_QUEUE, ROLE_IMAPD, ROLE_WORKER, ROLE_IMPORT,
		ROLE_DRILL, ROLE_SPOOL, ROLE_RESOLVER, ROLE_FETCHER,
		ROLE_RELAY },
	    false, false },
	{ "all walls of a hashing child", ATTACK_AS_PASSWORD_CHILD,
	    { ROLE_AUTHD }, false, false },
	/* Not the broker, which may set uids. */
	{ "uid alone", WALLS_ALL & ~(WALL_UID | WALL_CAPABILITIES),
	    { ROLE_LOGGER, ROLE_VERIFY, ROLE_KEYD, ROLE_AUTHD, ROLE_SMTPD,
		ROLE_QUEUE, ROLE_IMAPD, ROLE_WORKER, ROLE_DRILL, ROLE_SPOOL,
		ROLE_RESOLVER, ROLE_FETCHER, ROLE_RELAY },
	    false, true },
	{ "seccomp alone", WALLS_ALL & ~WALL_SECCOMP,
	    { ROLE_LOGGER, ROLE_VERIFY, ROLE_KEYD, ROLE_AUTHD, ROLE_SMTPD,
		ROLE_QUEUE, ROLE_IMAPD, ROLE_RESOLVER, ROLE_FETCHER,
		ROLE_RELAY },
	    false, true },
	/* Root's uid and capabilities are left. */
	{ "chroot, Landlock, seccomp, no uid", WALL_UID | WALL_CAPABILITIES,
	    { ROLE_WORKER, ROLE_BROKER, ROLE_DRILL, ROLE_SPOOL }, false, true },
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
	{ false, ROLE_BROKER, "fork_bomb", "its task" },
	{ false, ROLE_BROKER, "memory_to_execute", "ld.so of its children" },
	{ false, ROLE_BROKER, "memory_made_executable",
	    "ld.so of its children" },
	{ false, ROLE_RESOLVER, "connect_out", "its task" },
	/* They open their own, and get none of a client's. */
	{ false, ROLE_RESOLVER, "lead_client_elsewhere", "its task" },
	{ false, ROLE_FETCHER, "lead_client_elsewhere", "its task" },
	{ false, ROLE_RELAY, "lead_client_elsewhere", "its task" },
	/* Any port, of an address to come from: none of them may listen. */
	{ false, ROLE_RESOLVER, "bind_port", "its task" },
	{ false, ROLE_FETCHER, "bind_port", "its task" },
	{ false, ROLE_RELAY, "bind_port", "its task" },
	{ true, ROLE_COUNT, "store_open_read", "openat" },
	{ true, ROLE_COUNT, "store_open_write", "openat" },
	{ true, ROLE_COUNT, "store_map", "openat" },
	{ true, ROLE_COUNT, "segment_open_write", "openat" },
	{ true, ROLE_COUNT, "segment_key_read", "openat" },
	{ true, ROLE_COUNT, "neighbours_channels", "openat" },
	{ true, ROLE_COUNT, "store_lock_file", "openat" },
	{ true, ROLE_COUNT, "store_create_beside", "openat" },
	{ true, ROLE_COUNT, "store_by_proc_root", "openat" },
	{ true, ROLE_COUNT, "store_by_proc_fd", "openat" },
	{ true, ROLE_COUNT, "keeper_proc_mem", "openat" },
	{ true, ROLE_COUNT, "store_top_folder", "openat" },
	{ true, ROLE_COUNT, "memory_to_execute", "mmap" },
	{ true, ROLE_COUNT, "memory_made_executable", "mprotect" },
	{ true, ROLE_COUNT, "memory_without_end", "no RLIMIT_DATA" },
};

static int program_fd, null_fd, target_fd;
static int filters[ROLE_COUNT];
static pid_t keeper;

static void
must(bool ok, const char *what)
{
	if (!ok)
		fatal("what=\"%s\" errno=%d", what, errno);
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

static bool
is_of_account(enum role role)
{
	return role == ROLE_WORKER || role == ROLE_IMPORT;
}

/* The status of one attack. */
static int
run_attack(enum role role, unsigned int attack, unsigned int without)
{
	struct process_start start = { .role = role,
		.uid = is_of_account(role) ? ACCOUNT_BASE + 1
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
	process_start_give(&start, START_ROOT,
	    is_of_account(role) ? store_stand_home() : store_stand_empty());
	process_start_give(&start, START_CONTROL, target_fd);
	if (process_start(&start, &pid, &fd, &error) == -1)
		fatal("why=\"%s\"", error.text);
	must(waitpid(pid, &status, 0) == pid, "waitpid");
	close(fd);
	/* What it left behind is ours. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
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

/* An empty namespace has not even this. */
static void
raise_loopback(void)
{
	struct ifreq wish = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(fd != -1 && ioctl(fd, SIOCSIFFLAGS, &wish) == 0, "loopback");
	close(fd);
}

static void
prepare(const char *program)
{
	const struct sandbox_ranges ranges = { SERVICE_BASE, ACCOUNT_BASE,
		0xf0000000 };
	const char *index = store_stand_index();
	struct error error;
	unsigned int flags = 0;

	raise_loopback();
	store_stand_make(SERVICE_BASE + ROLE_SNAPD, ACCOUNT_BASE + 1);
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	program_fd = open(program, O_PATH | O_CLOEXEC);
	must(program_fd != -1, "attack program");
	target_fd = file_sealed_memory("target", index, strlen(index), &error);
#ifdef __SANITIZE_ADDRESS__
	flags = PROCESS_SANITIZER;
#endif
	for (int role = ROLE_LOGGER; role < ROLE_COUNT; role++) {
		filters[role] = sandbox_filter_compile(
		    (enum role)role, &ranges, flags, &error);
		if (filters[role] == -1)
			fatal("why=\"%s\"", error.text);
	}
	start_keeper();
}

static unsigned int tried, through, excused, empty, spared, broken;

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
		    (attacks[attack].kind != STORE ||
			modes[mode].without == (WALLS_ALL & ~WALL_SECCOMP)))
			return excuses[i].why;
	}
	return NULL;
}

/* With all walls off. */
static void
judge_open(unsigned int attack, bool is_through)
{
	if (is_through)
		return;
	if (attacks[attack].kind == STORE || attacks[attack].kind == SYSTEM)
		empty++;
	else
		spared++;
}

static void
judge(size_t mode, enum role role, unsigned int attack)
{
	const char *text, *why = NULL;
	int status;

	store_stand_restore();
	status = run_attack(role, attack, modes[mode].without);
	text = outcome(status, store_stand_is_whole());
	tried++;
	printf("%-35s %-7s %-29s %s\n", modes[mode].name, role_name(role),
	    attacks[attack].name, text);
	broken += strcmp(text, "BROKEN") == 0;
	if (modes[mode].expect_through) {
		judge_open(attack, strncmp(text, "THROUGH", 7) == 0);
		return;
	}
	if (strcmp(text, "THROUGH") == 0)
		why = excuse_of(mode, role, attack);
	if (why != NULL) {
		printf("  excused by name: %s\n", why);
		excused++;
		return;
	}
	through += strncmp(text, "THROUGH", 7) == 0;
}

static void
judge_mode(size_t mode)
{
	for (size_t r = 0; modes[mode].roles[r] != ROLE_MASTER; r++)
		for (unsigned int a = 0; a < ATTACKS; a++)
			if (attacks[a].kind == STORE || !modes[mode].only_store)
				judge(mode, modes[mode].roles[r], a);
}

int
main(int argc, char **argv)
{
	if (argc != 2 || geteuid() != 0) {
		fprintf(stderr, "usage, as root: redteam ATTACK-PROGRAM\n");
		return 77;
	}
	/* With all walls off the attacks mount, unmount and kill. */
	if (getpid() != 1) {
		fprintf(stderr,
		    "redteam: only in namespaces of its own: make redteam\n");
		return 77;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	prepare(argv[1]);
	for (size_t m = 0; m < sizeof(modes) / sizeof(modes[0]); m++)
		judge_mode(m);
	kill(keeper, SIGKILL);
	store_stand_remove();
	printf("with all walls off %u did not go through, nor %u that depend "
	       "on the machine or on limits; %u broke\n",
	    empty, spared, broken);
	printf("%u excused by name (their task, or ASan's calls)\n", excused);
	printf("%u attacks, %u through\n", tried, through);
	return through + empty + broken > 0;
}
