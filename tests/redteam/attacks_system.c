/*
 * Attacks on the rest of the machine: identity, roots and namespaces, the
 * kernel's large interfaces, network, programs, memory, other people's files.
 */
#include "tests/redteam/attacks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	BOMB = 600 /* processes: more than any role but the broker may have */
};

static bool
opens(const char *path, int flags)
{
	return open(path, flags) != -1;
}

/* clang-format off */
IN(become_root) { return setresuid(0, 0, 0) == 0; }
IN(mount_something) { return mount("x", "/", "tmpfs", MS_RDONLY, "") == 0; }
IN(make_device) { return mknod("x", S_IFBLK | 0600, 0x801) == 0; }
IN(raw_socket) { return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) != -1; }
IN(netlink) { return socket(AF_NETLINK, SOCK_RAW, 0) != -1; }
/* clang-format on */

/* In a chroot the kernel refuses a user namespace, even to root. */
IN(new_namespaces)
{
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 ||
	       unshare(CLONE_NEWNS) == 0;
}

IN(set_clock)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return clock_settime(CLOCK_REALTIME, &now) == 0;
}

/* ENOEXEC: permitted, only it was no module. */
IN(load_module)
{
	return syscall(SYS_init_module, NULL, 0, "") == 0 || errno == ENOEXEC;
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

void
attacks_take(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr *address = (struct sockaddr *)&at;
	socklen_t size = sizeof(at);
	int host = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	target.client = -1;
	if (bind(host, address, size) == 0 && listen(host, 1) == 0 &&
	    getsockname(host, address, &size) == 0 &&
	    connect(client, address, size) == 0)
		target.client = accept(host, NULL, NULL);
	close(host);
}

/* To another host, or to whoever comes. */
IN(lead_client_elsewhere)
{
	const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

	return connect(target.client, &nowhere, sizeof(nowhere)) == 0 ||
	       listen(target.client, 1) == 0;
}

IN(run_shell)
{
	char *const arguments[] = { "true", NULL };

	execv("/bin/true", arguments);
	return false;
}

IN(become_other_account)
{
	return setresuid(
		   target.other_uid, target.other_uid, target.other_uid) == 0;
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

/* The disk that the store lies on, by a node of our own. */
IN(open_disk_of_the_store)
{
	struct stat st;

	return stat("/tmp", &st) == 0 &&
	       mknod("disk", S_IFBLK | 0600, st.st_dev) == 0 &&
	       opens("disk", O_RDONLY);
}

/* CAD_OFF: permission without the reboot. EINVAL: permitted, but a pid
 * namespace has no such key. */
IN(reboot_machine)
{
	return syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL) == 0 ||
	       errno == EINVAL;
}

IN(fault_by_user)
{
	return syscall(SYS_userfaultfd, 0) != -1;
}

IN(bind_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd != -1 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
}

IN(control_socket)
{
	static const char *const names[] = { "snapd", "broker" };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	for (size_t i = 0; i < 2 && fd != -1; i++) {
		snprintf(at.sun_path, sizeof(at.sun_path),
		    "%.80s/../../../run/%s.sock", target.store, names[i]);
		if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
			return true;
	}
	return false;
}

IN(abstract_socket)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(at.sun_path + 1, "firnmail-red", 12);
	return fd != -1 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
}

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

IN(memory_made_executable)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page != MAP_FAILED &&
	       mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
}

/* Up to a bound of our own. Each child says that it is there and lives until
 * the count is taken, so that it is of those who live at once. */
IN(fork_bomb)
{
	int alive[2], count[2], started = 0, got = 0;
	char byte = 0;

	if (pipe2(alive, O_CLOEXEC) == -1 || pipe2(count, O_CLOEXEC) == -1)
		return false;
	for (; started < BOMB; started++) {
		pid_t pid = fork();

		if (pid == -1)
			break;
		if (pid > 0)
			continue;
		close(alive[1]);
		(void)write(count[1], &byte, 1);
		(void)read(alive[0], &byte, 1);
		_exit(0);
	}
	close(count[1]);
	for (; started == BOMB && got < BOMB; got++) {
		struct pollfd wait = { count[0], POLLIN, 0 };

		if (poll(&wait, 1, 20000) != 1 || read(count[0], &byte, 1) != 1)
			break;
	}
	close(alive[1]);
	return got == BOMB;
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

IN(other_account_mail)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/../../mail/2/Maildir", target.store);
	return opens(path, O_RDONLY);
}

IN(users_and_keys)
{
	static const char *const names[] = { "users", "key.pem",
		"firnmail.conf" };
	char path[300];

	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/../../../etc/%s", target.store,
		    names[i]);
		if (opens(path, O_RDONLY))
			return true;
	}
	return opens("/etc/shadow", O_RDONLY);
}

/* What root's programs will run one day. */
IN(plant_program)
{
	return open("/etc/cron.d/red", O_WRONLY | O_CREAT, 0600) != -1 ||
	       open("/etc/profile.d/red", O_WRONLY | O_CREAT, 0600) != -1;
}
