/*
 * The table of walls.  A role without CALLS_FILES cannot name a file at all; a
 * role with it has FILES_ROOT beneath one directory.  Nobody but the broker
 * may set an id, and the broker only within two ranges (sandbox_filter.c).
 * The broker's calls are the union of its children's, because filters are
 * inherited and stack; a unit test holds that.
 */
#include "common/sandbox_profile.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define CAPABILITY(n) (UINT64_C(1) << (n))
#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define ALL_BITS      UINT32_MAX
/* Of socket()'s second argument: without SOCK_CLOEXEC and SOCK_NONBLOCK. */
#define SOCKET_TYPES (ALL_BITS & ~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK))

enum {
	CALLS_FRONT = CALLS_BASE | CALLS_ACCEPT,
	CALLS_WORKER = CALLS_BASE | CALLS_MEMORY | CALLS_FILES
};

static const struct sandbox_profile profiles[ROLE_COUNT] = {
	[ROLE_LOGGER] = { .calls = CALLS_BASE,
	    .memory_mib = 512,
	    .descriptors = 65536 },
	[ROLE_KEYD] = { .calls = CALLS_BASE,
	    .memory_mib = 256,
	    .descriptors = 1024 },
	[ROLE_VERIFY] = { .calls = CALLS_BASE,
	    .memory_mib = 1024,
	    .descriptors = 4096 + 64 }, /* segments */
	/* Writes what the store holds beneath a folder of its own. */
	[ROLE_DRILL] = { .calls = CALLS_BASE | CALLS_FILES,
	    .files = FILES_ROOT,
	    .memory_mib = 512,
	    .descriptors = 256 },
	[ROLE_SNAPD] = { .calls = CALLS_BASE | CALLS_ACCEPT | CALLS_MEMORY |
				  CALLS_FILES | CALLS_STORE | CALLS_THREADS,
	    .files = FILES_ROOT,
	    .memory_mib = 8192,
	    .descriptors = 65536 },
	[ROLE_BROKER] = { .calls = CALLS_FRONT | CALLS_WORKER | CALLS_CHILDREN |
				   CALLS_STARTER | CALLS_BEGIN | CALLS_CONFINE,
	    .files = FILES_STARTER,
	    /* Its children's needs; SETPCAP so that they can empty their
	     * bounding set. */
	    .capabilities = CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID) |
			    CAPABILITY(CAP_SETPCAP) |
			    CAPABILITY(CAP_SYS_CHROOT),
	    .memory_mib = 8192,
	    .descriptors = 65536,
	    .processes = 4096 },
	/* Children for up to 16 cores and their keeper, and the same again: an
	 * old authd's may not be gone when the new one's come. */
	[ROLE_AUTHD] = { .calls = CALLS_BASE | CALLS_CHILDREN,
	    .memory_mib = 1024,
	    .descriptors = 1024,
	    .processes = 64 },
	[ROLE_SMTPD] = { .calls = CALLS_FRONT,
	    .memory_mib = 8192,
	    .descriptors = 65536 },
	[ROLE_QUEUE] = { .calls = CALLS_BASE | CALLS_MEMORY,
	    .memory_mib = 2048,
	    .descriptors = 65536 },
	[ROLE_IMAPD] = { .calls = CALLS_FRONT,
	    .memory_mib = 8192,
	    .descriptors = 65536 },
	[ROLE_WORKER] = { .calls = CALLS_WORKER,
	    .files = FILES_ROOT,
	    .memory_mib = 4096,
	    .descriptors = 4096 },
	/* Mail that goes out, until it has gone. */
	[ROLE_SPOOL] = { .calls = CALLS_BASE | CALLS_ACCEPT | CALLS_MEMORY |
				  CALLS_FILES | CALLS_THREADS,
	    .files = FILES_ROOT,
	    .memory_mib = 4096,
	    .descriptors = 65536,
	    .processes = 16 }, /* the one that writes, twice at a restart */
	/* The three that open sockets of the network have no files. */
	[ROLE_RELAY] = { .calls = CALLS_BASE | CALLS_MEMORY | CALLS_CONNECT,
	    .memory_mib = 2048,
	    .descriptors = 16384 },
	[ROLE_RESOLVER] = { .calls = CALLS_BASE | CALLS_ACCEPT | CALLS_CONNECT |
				     CALLS_DATAGRAM,
	    .memory_mib = 1024,
	    .descriptors = 8192 },
	[ROLE_FETCHER] = { .calls = CALLS_BASE | CALLS_CONNECT,
	    .memory_mib = 512,
	    .descriptors = 1024 },
	/* Reads what mail users of another server own, beneath that Maildir
	 * only (Landlock), and writes beneath its root. */
	[ROLE_IMPORT] = { .calls = CALLS_BASE | CALLS_FILES,
	    .files = FILES_ROOT,
	    .capabilities = CAPABILITY(CAP_DAC_READ_SEARCH),
	    .memory_mib = 2048,
	    .descriptors = 256 },
	[ROLE_SNAPCTL] = { .calls = CALLS_BASE | CALLS_TERMINAL },
	[ROLE_FIRNMAIL] = { .calls = CALLS_BASE | CALLS_TERMINAL },
};

/* clang-format off */
#define ANY(n)              { .name = n }
#define IF(n, arg, m, v)    { .name = n, .condition_count = 1, \
				.conditions = { { arg, (m), (v) } } }
#define IF_SOCKET(domain, type) { .name = "socket", .condition_count = 2, \
				.conditions = { { 0, ALL_BITS, domain }, \
				    { 1, SOCKET_TYPES, type } } }

static const struct call_rule base[] = {
	ANY("read"), ANY("write"), ANY("readv"), ANY("writev"),
	ANY("recvmsg"), ANY("sendmsg"), ANY("recvfrom"), ANY("sendto"),
	ANY("close"), ANY("shutdown"),
	ANY("getsockopt"), ANY("setsockopt"),
	ANY("getsockname"), ANY("getpeername"),
	ANY("epoll_create1"), ANY("epoll_ctl"), ANY("epoll_wait"),
	ANY("epoll_pwait"), ANY("epoll_pwait2"), ANY("poll"), ANY("ppoll"),
	ANY("pipe2"), ANY("brk"), ANY("munmap"), ANY("mremap"),
	ANY("madvise"), ANY("futex"),
	IF("mmap", 2, PROT_EXEC, 0), IF("mprotect", 2, PROT_EXEC, 0),
	ANY("clock_gettime"), ANY("gettimeofday"), ANY("time"),
	ANY("clock_nanosleep"), ANY("sched_yield"), ANY("getrandom"),
	ANY("getpid"), ANY("gettid"), ANY("getuid"), ANY("geteuid"),
	ANY("getgid"), ANY("getegid"), ANY("rt_sigaction"),
	ANY("rt_sigprocmask"), ANY("rt_sigreturn"), ANY("restart_syscall"),
	ANY("exit"), ANY("exit_group"), ANY("fstat"), ANY("lseek"),
	ANY("pread64"),
	/* glibc's fstat() */
	IF("newfstatat", 3, ALL_BITS, AT_EMPTY_PATH),
	/* glibc's qsort(), for more than a kilobyte: it asks for the memory */
	ANY("sysinfo"),
	IF("fcntl", 1, ALL_BITS, F_GETFL), IF("fcntl", 1, ALL_BITS, F_SETFL),
	IF("fcntl", 1, ALL_BITS, F_GETFD), IF("fcntl", 1, ALL_BITS, F_SETFD),
	IF("fcntl", 1, ALL_BITS, F_DUPFD_CLOEXEC),
	IF("fcntl", 1, ALL_BITS, F_GET_SEALS),
	IF("ioctl", 1, ALL_BITS, FIONREAD), IF("ioctl", 1, ALL_BITS, FIONBIO),
};

static const struct call_rule accepting[] = { ANY("accept4"), ANY("accept") };

static const struct call_rule connecting[] = {
	IF_SOCKET(AF_INET, SOCK_STREAM), IF_SOCKET(AF_INET6, SOCK_STREAM),
	ANY("connect"), ANY("bind"),
};

static const struct call_rule datagrams[] = {
	IF_SOCKET(AF_INET, SOCK_DGRAM), IF_SOCKET(AF_INET6, SOCK_DGRAM),
};

static const struct call_rule memory[] = {
	ANY("memfd_create"), ANY("ftruncate"), ANY("pwrite64"),
	IF("fcntl", 1, ALL_BITS, F_ADD_SEALS),
};

static const struct call_rule files[] = {
	ANY("openat"), ANY("open"), ANY("newfstatat"), ANY("statx"),
	ANY("stat"), ANY("lstat"), ANY("access"), ANY("faccessat"),
	ANY("faccessat2"), ANY("fstatfs"), ANY("statfs"),
	ANY("getdents64"), ANY("mkdirat"), ANY("mkdir"), ANY("unlinkat"),
	ANY("unlink"), ANY("rmdir"), ANY("renameat"), ANY("renameat2"),
	ANY("rename"), ANY("linkat"), ANY("utimensat"), ANY("ftruncate"),
	ANY("fsync"), ANY("fdatasync"), ANY("pwrite64"), ANY("pwritev"),
	ANY("preadv"), ANY("sync_file_range"), ANY("fadvise64"),
	ANY("fallocate"), ANY("msync"), ANY("chdir"), ANY("fchdir"), ANY("getcwd"),
	ANY("uname"), ANY("umask"), ANY("fchmod"), ANY("dup"),
	ANY("inotify_init1"), ANY("inotify_add_watch"),
	ANY("inotify_rm_watch"), ANY("copy_file_range"), ANY("flock"),
	IF("fcntl", 1, ALL_BITS, F_SETLK), IF("fcntl", 1, ALL_BITS, F_SETLKW),
	IF("fcntl", 1, ALL_BITS, F_GETLK), IF("fcntl", 1, ALL_BITS, F_DUPFD),
};

static const struct call_rule store[] = {
	ANY("get_robust_list"), ANY("mlock"), ANY("mincore"),
};

/* A thread of one's own, and how it wakes the loop. */
static const struct call_rule threads[] = {
	ANY("set_robust_list"),
	IF("clone", 0, CLONE_THREAD, CLONE_THREAD), ANY("rseq"),
	ANY("eventfd2"), ANY("set_tid_address"),
};

#define NEW_NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | \
    CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static const struct call_rule children[] = {
	IF("clone", 0, NEW_NAMESPACES, 0), ANY("fork"), ANY("wait4"),
	ANY("waitid"), ANY("socketpair"), ANY("set_robust_list"),
	ANY("rseq"), ANY("set_tid_address"),
	/* A filter more, never one less. */
	IF("seccomp", 0, ALL_BITS, SECCOMP_SET_MODE_FILTER),
};

static const struct call_rule starter[] = {
	ANY("vfork"), ANY("socketpair"), ANY("wait4"), ANY("waitid"),
	ANY("pidfd_open"), ANY("dup2"), ANY("dup3"), ANY("memfd_create"),
	IF("execveat", 4, ALL_BITS, AT_EMPTY_PATH),
};

/* ld.so maps code, and process_begin comes before the child's own filter. */
static const struct call_rule beginning[] = {
	ANY("mmap"), ANY("mprotect"), ANY("arch_prctl"),
	ANY("set_tid_address"), ANY("set_robust_list"), ANY("rseq"),
	ANY("prlimit64"), ANY("getrlimit"), ANY("setrlimit"),
	ANY("close_range"), ANY("dup2"), ANY("dup3"), ANY("readlink"),
	ANY("readlinkat"), ANY("sched_getaffinity"), ANY("getppid"),
	ANY("sigaltstack"),
};

static const struct call_rule confining[] = {
	IF("setgroups", 0, ALL_BITS, 0), ANY("getgroups"),
	ANY("getresuid"), ANY("getresgid"), ANY("chroot"), ANY("fchdir"),
	ANY("chdir"), ANY("capget"), ANY("capset"),
	/* What sandbox.c does with it; no securebits, no ptracer. */
	IF("prctl", 0, ALL_BITS, PR_SET_KEEPCAPS),
	IF("prctl", 0, ALL_BITS, PR_SET_NO_NEW_PRIVS),
	IF("prctl", 0, ALL_BITS, PR_SET_DUMPABLE),
	IF("prctl", 0, ALL_BITS, PR_CAPBSET_READ),
	IF("prctl", 0, ALL_BITS, PR_CAPBSET_DROP),
	IF("prctl", 0, ALL_BITS, PR_CAP_AMBIENT),
	ANY("seccomp"), ANY("landlock_create_ruleset"),
	ANY("landlock_add_rule"), ANY("landlock_restrict_self"),
};

static const struct call_rule terminal[] = {
	IF("ioctl", 1, ALL_BITS, TCGETS),
};

static const struct call_rule sanitizer[] = {
	ANY("sigaltstack"), ANY("sched_getaffinity"),
	ANY("readlink"), ANY("readlinkat"), ANY("openat"), ANY("open"),
	ANY("prlimit64"), ANY("getrlimit"), ANY("tgkill"), ANY("mincore"),
	ANY("mmap"), ANY("mprotect"), ANY("stat"), ANY("newfstatat"),
	ANY("getppid"), ANY("uname"), ANY("pipe"),
	ANY("set_robust_list"), ANY("rseq"), ANY("access"), ANY("dup"),
};
/* clang-format on */

static const struct {
	enum call_group group;
	const struct call_rule *rules;
	size_t count;
} groups[] = {
	{ CALLS_BASE, base, COUNT(base) },
	{ CALLS_ACCEPT, accepting, COUNT(accepting) },
	{ CALLS_MEMORY, memory, COUNT(memory) },
	{ CALLS_FILES, files, COUNT(files) },
	{ CALLS_STORE, store, COUNT(store) },
	{ CALLS_THREADS, threads, COUNT(threads) },
	{ CALLS_CHILDREN, children, COUNT(children) },
	{ CALLS_STARTER, starter, COUNT(starter) },
	{ CALLS_BEGIN, beginning, COUNT(beginning) },
	{ CALLS_CONFINE, confining, COUNT(confining) },
	{ CALLS_TERMINAL, terminal, COUNT(terminal) },
	{ CALLS_CONNECT, connecting, COUNT(connecting) },
	{ CALLS_DATAGRAM, datagrams, COUNT(datagrams) },
	{ CALLS_SANITIZER, sanitizer, COUNT(sanitizer) },
};

const struct sandbox_profile *
sandbox_profile_find(enum role role)
{
	if (role >= ROLE_COUNT || profiles[role].calls == 0)
		return NULL;
	return &profiles[role];
}

const struct call_rule *
sandbox_profile_calls(enum call_group group, size_t *count)
{
	for (size_t i = 0; i < COUNT(groups); i++) {
		if (groups[i].group != group)
			continue;
		*count = groups[i].count;
		return groups[i].rules;
	}
	*count = 0;
	return NULL;
}
