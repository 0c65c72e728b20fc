/*
 * The attacks themselves, one function each, by the names of attacks.def: true
 * means that it went through.  Who runs them (attack.c in a sandbox that the
 * runner made, intruder.c in one that the broker made) says whom to aim at.
 */
#include "tests/redteam/attacks.h"

#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char store[200], file[220], other[220];
static pid_t keeper;
static uint32_t snapd_uid, other_uid;

void
attacks_aim(const char *store_path, pid_t keeper_pid, uint32_t snapd,
    uint32_t other_account)
{
	snprintf(store, sizeof(store), "%s", store_path);
	snprintf(file, sizeof(file), "%s/data.mdb", store);
	snprintf(other, sizeof(other), "%s.taken", store);
	keeper = keeper_pid;
	snapd_uid = snapd;
	other_uid = other_account;
}

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

/* -- Beyond opening: maps, descriptors, LMDB itself -- */

IN(store_map)
{
	int fd = open(file, O_RDWR);

	return fd != -1 &&
	       mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED;
}

IN(store_by_proc_fd)
{
	char path[64];

	for (int fd = 3; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", keeper, fd);
		if (open(path, O_RDONLY) != -1)
			return true;
	}
	snprintf(path, sizeof(path), "/proc/%d/cwd", keeper);
	return open(path, O_RDONLY) != -1;
}

IN(keeper_proc_mem)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", keeper);
	return open(path, O_RDWR) != -1;
}

/* A descriptor that we hold and nobody gave us on purpose. */
IN(store_by_inherited_descriptor)
{
	char path[64], target[300];
	struct stat st;
	ssize_t size;

	for (int fd = 0; fd < 1024; fd++) {
		if (fstat(fd, &st) == -1 || st.st_uid != snapd_uid ||
		    S_ISSOCK(st.st_mode))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		size = readlink(path, target, sizeof(target) - 1);
		return size == -1 || strncmp(target, "/memfd:", 7) != 0;
	}
	return false;
}

IN(store_lock_file)
{
	snprintf(other, sizeof(other), "%s/lock.mdb", store);
	return opens(other, O_RDWR);
}

IN(store_create_beside)
{
	snprintf(other, sizeof(other), "%s/planted", store);
	return open(other, O_WRONLY | O_CREAT, 0600) != -1;
}

IN(store_remove_folder)
{
	return rmdir(store) == 0 || errno == ENOTEMPTY;
}

IN(keeper_stop)
{
	bool is_through = kill(keeper, SIGSTOP) == 0;

	if (is_through)
		kill(keeper, SIGCONT);
	return is_through;
}

IN(kill_everybody_else)
{
	/* 0: only asks whether it could. */
	return kill(getppid(), 0) == 0 || kill(1, 0) == 0;
}

/* -- Identity and root -- */

IN(become_other_account)
{
	return setresuid(other_uid, other_uid, other_uid) == 0;
}

IN(leave_chroot)
{
	char up[] = "../../../../../../../../etc/passwd";

	(void)mkdir("hole", 0700);
	return (chroot("hole") == 0 && opens(up, O_RDONLY)) ||
	       opens("/etc/passwd", O_RDONLY) || opens(up, O_RDONLY);
}

IN(enter_namespace)
{
	int fd = open("/proc/1/ns/mnt", O_RDONLY);

	return setns(fd, CLONE_NEWNS) == 0;
}

IN(umount_something)
{
	return umount2("/proc", MNT_DETACH) == 0;
}

IN(open_disk)
{
	return opens("/dev/sda", O_RDONLY) || opens("/dev/vda", O_RDONLY) ||
	       opens("/dev/mem", O_RDONLY);
}

/* CAD_OFF: permission without the reboot. */
IN(reboot_machine)
{
	return syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL) == 0;
}

IN(fault_by_user)
{
	return syscall(SYS_userfaultfd, 0) != -1;
}

/* -- Network and control sockets -- */

IN(bind_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd != -1 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
}

IN(control_socket)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(at.sun_path, sizeof(at.sun_path),
	    "%.80s/../../../run/snapd.sock", store);
	return fd != -1 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
}

IN(abstract_socket)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(at.sun_path + 1, "firnmail-red", 12);
	return fd != -1 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
}

/* -- Programs and memory -- */

IN(run_from_memory)
{
	char *const arguments[] = { "x", NULL };
	int fd = memfd_create("x", 0);

	(void)write(fd, "#!/bin/true\n", 12);
	return execveat(fd, "", arguments, arguments + 1, AT_EMPTY_PATH) == 0;
}

IN(memory_to_execute)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

IN(fork_once)
{
	return fork() != -1;
}

/* Touches nothing: what counts is whether it may be had. */
IN(memory_without_end)
{
	for (int i = 0; i < 64; i++)
		if (mmap(NULL, (size_t)1 << 30, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
			return false;
	return true;
}

IN(descriptors_without_end)
{
	int ends[2];

	for (int i = 0; i < 100000; i++)
		if (pipe2(ends, O_CLOEXEC) == -1)
			return false;
	return true;
}

/* -- Files of others -- */

IN(other_account_mail)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/../../mail/2/Maildir", store);
	return opens(path, O_RDONLY);
}

IN(users_and_keys)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/../../../etc/users", store);
	return opens(path, O_RDONLY) || opens("/etc/shadow", O_RDONLY);
}

IN(plant_cron)
{
	return open("/etc/cron.d/firnmail-red", O_WRONLY | O_CREAT, 0600) != -1;
}

static const struct {
	const char *name;
	bool (*run)(void);
} attacks[] = {
#define ATTACK(name, kind) { #name, name },
#include "tests/redteam/attacks.def"
#undef ATTACK
};

size_t
attacks_count(void)
{
	return sizeof(attacks) / sizeof(attacks[0]);
}

bool
attacks_run(size_t number)
{
	return attacks[number].run();
}

int
attacks_find(const char *name)
{
	for (size_t i = 0; i < attacks_count(); i++)
		if (strcmp(attacks[i].name, name) == 0)
			return (int)i;
	return -1;
}
