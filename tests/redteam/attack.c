/*
 * One attack from inside a role's sandbox.  The runner (redteam.c) says which
 * by the start message: `account` is the attack, `instance` the pid of the
 * keeper in its low half and the walls to leave open in its high half; the
 * role's START_CONTROL descriptor holds the store's path.  Exit: 0 it went
 * through, 1 it was refused; a seccomp kill speaks for itself.
 */
#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char store[200], file[220], other[220];
static pid_t keeper;
static uint32_t snapd_uid;

#define IN(name) static bool name(void)

static bool
opens(const char *path, int flags)
{
	return open(path, flags) != -1;
}

/* clang-format off */
IN(store_open_read) { return opens(file, O_RDONLY); }
IN(store_open_write) { return opens(file, O_RDWR); }
IN(store_truncate) { return truncate(file, 0) == 0; }
IN(store_rename) { return rename(file, other) == 0; }
IN(store_unlink) { return unlink(file) == 0; }
IN(store_chmod) { return chmod(file, 0666) == 0; }
IN(store_chown) { return chown(file, 1234, 1234) == 0; }
IN(store_link) { return link(file, other) == 0; }
IN(store_folder_rename) { return rename(store, other) == 0; }
IN(keeper_kill) { return kill(keeper, SIGWINCH) == 0; }
IN(keeper_ptrace) { return ptrace(PTRACE_SEIZE, keeper, 0, 0) == 0; }
IN(become_root) { return setresuid(0, 0, 0) == 0; }
IN(become_snapd) { return setresuid(snapd_uid, snapd_uid, snapd_uid) == 0; }
IN(new_namespaces) { return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0; }
IN(mount_something) { return mount("x", "/", "tmpfs", MS_RDONLY, "") == 0; }
IN(make_device) { return mknod("x", S_IFBLK | 0600, 0x801) == 0; }
IN(netlink) { return socket(AF_NETLINK, SOCK_RAW, 0) != -1; }
IN(raw_socket) { return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) != -1; }
/* clang-format on */

IN(store_by_proc_root)
{
	char path[300];

	snprintf(path, sizeof(path), "/proc/%d/root%s", keeper, file);
	return opens(path, O_RDWR);
}

IN(keeper_memory_write)
{
	struct iovec own = { store, 1 }, its = { store, 1 };

	/* EFAULT: permitted, only the address was a guess. */
	return process_vm_writev(keeper, &own, 1, &its, 1, 0) == 1 ||
	       errno == EFAULT;
}

IN(keeper_take_descriptor)
{
	int pidfd = (int)syscall(SYS_pidfd_open, keeper, 0);

	return syscall(SYS_pidfd_getfd, pidfd, 0, 0) != -1;
}

/* The kernel drops what is above 32 bits: a filter that does not look there is
 * passed by. */
IN(become_snapd_by_upper_bits)
{
	unsigned long id = 0x100000000UL | snapd_uid;

	return syscall(SYS_setresuid, id, id, id) == 0;
}

IN(set_clock)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return clock_settime(CLOCK_REALTIME, &now) == 0;
}

/* Beyond the question of permission these two fail for their arguments. */
IN(load_module)
{
	return syscall(SYS_init_module, NULL, 0, "") == 0;
}

IN(load_bpf)
{
	union bpf_attr attributes = { .map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 1 };

	return syscall(SYS_bpf, BPF_MAP_CREATE, &attributes,
		   sizeof(attributes)) != -1;
}

IN(io_uring)
{
	char parameters[200] = { 0 };

	return syscall(SYS_io_uring_setup, 4, parameters) != -1;
}

IN(perf_event)
{
	struct perf_event_attr attributes = { .type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attributes) };

	return syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0) != -1;
}

IN(keyring)
{
	return syscall(SYS_keyctl, 0, -3, 1) != -1;
}

IN(connect_out)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return fd != -1 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
}

IN(run_shell)
{
	char *const arguments[] = { "true", NULL };

	execv("/bin/true", arguments);
	return false;
}

static bool (*const attacks[])(void) = {
#define ATTACK(name, kind) name,
#include "tests/redteam/attacks.def"
#undef ATTACK
};

int
main(int argc, char **argv)
{
	struct process process;
	enum role role = ROLE_COUNT;
	unsigned int without;
	ssize_t size;
	int target;

	for (int i = 0; i < ROLE_COUNT; i++)
		if (strcmp(role_name((enum role)i), strchr(argv[0], '-') + 1) ==
		    0)
			role = (enum role)i;
	process_begin(&process, role);
	target = process_take(&process, START_CONTROL, 0);
	size = pread(target, store, sizeof(store) - 1, 0);
	close(target);
	if (size <= 0 ||
	    process.account >= sizeof(attacks) / sizeof(attacks[0]))
		return 2;
	keeper = (pid_t)(uint32_t)process.instance;
	without = (unsigned int)(process.instance >> 32);
	snapd_uid = 0x6fff0000 + ROLE_SNAPD;
	snprintf(file, sizeof(file), "%s/data.mdb", store);
	snprintf(other, sizeof(other), "%s.taken", store);
	(void)process_confine_with(&process, NULL, 0, without);
	return attacks[process.account]() ? 0 : 1;
}
