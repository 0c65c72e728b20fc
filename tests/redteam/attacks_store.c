/*
 * Attacks on the snapshot store and on who has it open: by path, by /proc, by
 * descriptor, by LMDB itself, by signal, memory and uid.
 */
#include "tests/redteam/attacks.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static bool
opens(const char *path, int flags)
{
	return open(path, flags) != -1;
}

/* clang-format off */
IN(store_open_read) { return opens(target.file, O_RDONLY); }
IN(store_open_write) { return opens(target.file, O_RDWR); }
IN(store_truncate) { return truncate(target.file, 0) == 0; }
IN(store_rename) { return rename(target.file, target.other) == 0; }
IN(store_unlink) { return unlink(target.file) == 0; }
IN(store_chmod) { return chmod(target.file, 0666) == 0; }
IN(store_chown) { return chown(target.file, 1234, 1234) == 0; }
IN(store_link) { return link(target.file, target.other) == 0; }
IN(store_folder_rename) { return rename(target.store, target.other) == 0; }
IN(keeper_kill) { return kill(target.keeper, SIGWINCH) == 0; }
IN(keeper_ptrace) { return ptrace(PTRACE_SEIZE, target.keeper, 0, 0) == 0; }
IN(become_snapd) { return setresuid(target.snapd_uid, target.snapd_uid, target.snapd_uid) == 0; }
/* clang-format on */

/* The real keeper's root is the folder above the index. */
IN(store_by_proc_root)
{
	const char *const names[] = { target.file, "/index/data.mdb" };
	char path[300];

	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%d/root%s", target.keeper,
		    names[i]);
		if (opens(path, O_RDWR))
			return true;
	}
	return false;
}

IN(keeper_memory_write)
{
	struct iovec own = { target.store, 1 }, its = { target.store, 1 };

	/* EFAULT: permitted, only the address was a guess. */
	return process_vm_writev(target.keeper, &own, 1, &its, 1, 0) == 1 ||
	       errno == EFAULT;
}

IN(keeper_take_descriptor)
{
	int pidfd = (int)syscall(SYS_pidfd_open, target.keeper, 0);

	return syscall(SYS_pidfd_getfd, pidfd, 0, 0) != -1;
}

/* The kernel drops what is above 32 bits: a filter that does not look there is
 * passed by. */
IN(become_snapd_by_upper_bits)
{
	unsigned long id = 0x100000000UL | target.snapd_uid;

	return syscall(SYS_setresuid, id, id, id) == 0;
}

IN(store_map)
{
	int fd = open(target.file, O_RDWR);

	return fd != -1 &&
	       mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED;
}

IN(store_by_proc_fd)
{
	char path[64];

	for (int fd = 3; fd < 64; fd++) {
		snprintf(
		    path, sizeof(path), "/proc/%d/fd/%d", target.keeper, fd);
		if (open(path, O_RDONLY) != -1)
			return true;
	}
	snprintf(path, sizeof(path), "/proc/%d/cwd", target.keeper);
	return open(path, O_RDONLY) != -1;
}

IN(keeper_proc_mem)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", target.keeper);
	return open(path, O_RDWR) != -1;
}

IN(store_lock_file)
{
	snprintf(
	    target.other, sizeof(target.other), "%s/lock.mdb", target.store);
	return opens(target.other, O_RDWR);
}

IN(store_create_beside)
{
	snprintf(
	    target.other, sizeof(target.other), "%s/planted", target.store);
	return open(target.other, O_WRONLY | O_CREAT, 0600) != -1;
}

IN(keeper_stop)
{
	bool is_through = kill(target.keeper, SIGSTOP) == 0;

	if (is_through)
		kill(target.keeper, SIGCONT);
	return is_through;
}

/* A descriptor that we hold and nobody gave us on purpose. */
IN(store_by_inherited_descriptor)
{
	char path[64], name[300];
	struct stat st;
	ssize_t size;

	for (int fd = 0; fd < 1024; fd++) {
		if (fstat(fd, &st) == -1 || st.st_uid != target.snapd_uid ||
		    S_ISSOCK(st.st_mode))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		size = readlink(path, name, sizeof(name) - 1);
		return size == -1 || strncmp(name, "/memfd:", 7) != 0;
	}
	return false;
}

IN(store_remove_folder)
{
	return rmdir(target.store) == 0 || errno == ENOTEMPTY;
}

/* Sealed segments, and the key that opens them, beside the index. */
static const char *
beside_index(const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/../%s", target.store, name);
	return path;
}

/* clang-format off */
IN(segment_open_write) { return opens(beside_index("segment/1/data.mdb"), O_RDWR); }
IN(segment_truncate) { return truncate(beside_index("segment/1/data.mdb"), 0) == 0; }
IN(segment_rename) { return rename(beside_index("segment/1/data.mdb"), target.other) == 0; }
IN(segment_unlink) { return unlink(beside_index("segment/1/data.mdb")) == 0; }
IN(segment_key_read) { return opens(beside_index("key"), O_RDONLY); }
/* clang-format on */

/* Those that were started shortly before and after the keeper: master, broker,
 * keyd, siblings. */
IN(neighbours)
{
	struct iovec own = { target.store, 1 }, its = { target.store, 1 };
	pid_t self = getpid();

	for (pid_t pid = target.keeper - 64; pid < target.keeper + 64; pid++) {
		if (pid <= 1 || pid == self)
			continue;
		/* 0: only asks whether it could. */
		if (kill(pid, 0) == 0 || ptrace(PTRACE_SEIZE, pid, 0, 0) == 0 ||
		    process_vm_writev(pid, &own, 1, &its, 1, 0) == 1)
			return true;
	}
	return kill(getppid(), 0) == 0 || kill(1, 0) == 0;
}

/* What they have open: keyd's channel to a front, a descriptor of anybody's. */
IN(neighbours_channels)
{
	pid_t self = getpid();
	char path[64];
	int pidfd;

	for (pid_t pid = target.keeper - 64; pid < target.keeper + 64; pid++) {
		if (pid <= 1 || pid == self)
			continue;
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		for (int fd = 0; pidfd != -1 && fd < 16; fd++)
			if (syscall(SYS_pidfd_getfd, pidfd, fd, 0) != -1)
				return true;
		snprintf(path, sizeof(path), "/proc/%d/fd", pid);
		if (opens(path, O_RDONLY | O_DIRECTORY))
			return true;
	}
	return false;
}

IN(store_folder_chmod)
{
	return chmod(target.store, 0777) == 0;
}

IN(store_folder_chown)
{
	return chown(target.store, 1234, 1234) == 0;
}

/* snapd's own folder, in which the index lies. */
IN(store_top_folder)
{
	char path[220];

	snprintf(path, sizeof(path), "%s/..", target.store);
	return opens(path, O_RDONLY) || chmod(path, 0777) == 0;
}

/* As the store's own library would do it, without asking its lock file. */
IN(store_by_lmdb_without_lock)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	return mdb_env_create(&env) == 0 &&
	       mdb_env_open(env, target.store, MDB_NOLOCK, 0600) == 0 &&
	       mdb_txn_begin(env, NULL, 0, &txn) == 0 &&
	       mdb_dbi_open(txn, NULL, 0, &dbi) == 0 &&
	       mdb_drop(txn, dbi, 0) == 0 && mdb_txn_commit(txn) == 0;
}
