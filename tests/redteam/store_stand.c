/* See store_stand.h. */
#include "tests/redteam/store_stand.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	STORE_MAX_BYTES = 1 << 20
};

static char top[] = "/tmp/firnmail-redteam-XXXXXX";
static char snap[64], index_path[64], data_path[80], lock_path[80];
static char segment_path[64], segment_data[80], key_path[80];
static char bytes[STORE_MAX_BYTES], now[STORE_MAX_BYTES];
static const char sealed[] = "sealed mail";
static ssize_t size;
static uint32_t snapd, worker;
static int home_fd, empty_fd;

static void
must(bool ok, const char *what)
{
	if (!ok)
		fatal("what=\"%s\" errno=%d", what, errno);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	return remove(path);
}

static void
make_folder(const char *name, mode_t mode, uint32_t owner, char *path)
{
	snprintf(path, 64, "%s/%s", top, name);
	must(mkdir(path, mode) == 0 && chmod(path, mode) == 0 &&
		 chown(path, owner, owner) == 0,
	    name);
}

static void
make_file(const char *path, const char *data, size_t length, uint32_t owner)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd != -1 && write(fd, data, length) == (ssize_t)length &&
		 fchown(fd, owner, owner) == 0 && close(fd) == 0,
	    path);
}

static ssize_t
read_file(const char *path, char *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t count;

	if (fd == -1)
		return -1;
	count = read(fd, to, STORE_MAX_BYTES);
	close(fd);
	return count;
}

/* One row, so that there is something to lose. */
static void
make_store(void)
{
	MDB_val key = { 4, (void *)(uintptr_t) "mail" }, value = key;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	must(mdb_env_create(&env) == 0 &&
		 mdb_env_open(env, index_path, 0, 0600) == 0 &&
		 mdb_txn_begin(env, NULL, 0, &txn) == 0 &&
		 mdb_dbi_open(txn, NULL, 0, &dbi) == 0 &&
		 mdb_put(txn, dbi, &key, &value, 0) == 0 &&
		 mdb_txn_commit(txn) == 0,
	    "lmdb");
	mdb_env_close(env);
	size = read_file(data_path, bytes);
	must(size > 0 && size < STORE_MAX_BYTES, "data.mdb");
}

static void
make_folders_of_the_store(void)
{
	make_folder("lib/snap", 0700, snapd, snap);
	make_folder("lib/snap/index", 0700, snapd, index_path);
	snprintf(data_path, sizeof(data_path), "%s/data.mdb", index_path);
	snprintf(lock_path, sizeof(lock_path), "%s/lock.mdb", index_path);
	make_folder("lib/snap/segment", 0700, snapd, segment_path);
	make_folder("lib/snap/segment/1", 0700, snapd, segment_path);
	snprintf(
	    segment_data, sizeof(segment_data), "%s/data.mdb", segment_path);
	snprintf(key_path, sizeof(key_path), "%s/key", snap);
	make_file(segment_data, sealed, sizeof(sealed), snapd);
	make_file(key_path, sealed, sizeof(sealed), snapd);
}

/* What stands in a file of which only the bytes count. */
static bool
is_sealed(const char *path)
{
	return read_file(path, now) == (ssize_t)sizeof(sealed) &&
	       memcmp(now, sealed, sizeof(sealed)) == 0;
}

static void
make_control_socket(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/run/snapd.sock", top);
	must(fd != -1 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
		 chmod(at.sun_path, 0600) == 0 && listen(fd, 100) == 0,
	    "socket");
}

/* Nothing that an attack plants is planted on this machine. */
static void
cover(const char *path)
{
	if (mount("red", path, "tmpfs", 0, "size=1m") == -1 && errno != ENOENT)
		fatal("what=\"cover of %s\" errno=%d", path, errno);
}

void
store_stand_make(uint32_t snapd_uid, uint32_t home_uid)
{
	char path[80];

	snapd = snapd_uid;
	worker = home_uid;
	must(mkdtemp(top) != NULL && chmod(top, 0755) == 0, "mkdtemp");
	make_folder("lib", 0711, 0, path);
	make_folder("etc", 0711, 0, path);
	make_folder("run", 0711, 0, path);
	make_folder("empty", 0555, 0, path);
	empty_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_folder("home", 0700, worker, path);
	home_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_folder("lib/mail", 0711, 0, path);
	make_folder("lib/mail/2", 0700, worker + 1, path);
	make_folder("lib/mail/2/Maildir", 0700, worker + 1, path);
	snprintf(path, sizeof(path), "%s/etc/users", top);
	make_file(path, "x", 1, 0);
	make_control_socket();
	make_folders_of_the_store();
	make_store();
	cover("/etc/cron.d");
	cover("/etc/profile.d");
}

void
store_stand_remove(void)
{
	(void)nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void
store_stand_restore(void)
{
	const char *const planted[] = { "x", "disk" };

	(void)nftw(snap, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	make_folders_of_the_store();
	make_file(data_path, bytes, (size_t)size, snapd);
	make_file(lock_path, "", 0, snapd);
	for (size_t i = 0; i < 2; i++) {
		(void)unlinkat(home_fd, planted[i], 0);
		(void)unlinkat(empty_fd, planted[i], 0);
	}
	(void)unlinkat(home_fd, "hole", AT_REMOVEDIR);
	(void)unlinkat(empty_fd, "hole", AT_REMOVEDIR);
}

static bool
is_as_made(const char *path, mode_t mode)
{
	struct stat st;

	return lstat(path, &st) == 0 && st.st_mode == mode &&
	       st.st_uid == snapd && (S_ISDIR(mode) || st.st_nlink == 1);
}

bool
store_stand_is_whole(void)
{
	return is_as_made(snap, S_IFDIR | 0700) &&
	       is_as_made(index_path, S_IFDIR | 0700) &&
	       is_as_made(data_path, S_IFREG | 0600) &&
	       is_as_made(lock_path, S_IFREG | 0600) &&
	       is_as_made(segment_path, S_IFDIR | 0700) &&
	       is_as_made(segment_data, S_IFREG | 0600) &&
	       is_as_made(key_path, S_IFREG | 0600) &&
	       is_sealed(segment_data) && is_sealed(key_path) &&
	       read_file(data_path, now) == size &&
	       memcmp(now, bytes, (size_t)size) == 0;
}

const char *
store_stand_index(void)
{
	return index_path;
}

int
store_stand_home(void)
{
	return home_fd;
}

int
store_stand_empty(void)
{
	return empty_fd;
}
