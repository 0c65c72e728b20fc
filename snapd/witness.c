/*
 * See witness.h.  The file `witness`: form u8 = 1, clean u8, store id 16,
 * sequence u64, inode u64, birth time i64 (ns; 0: not known), change time i64
 * of index/data.mdb.  Change time and sequence count only if clean.  Device
 * numbers change with every boot on some systems: where the file system knows
 * birth times, inode and birth time are what tells a copy from the file.
 */
#include "snapd/witness.h"

#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct witness {
	bool is_clean;
	struct store_id store;
	uint64_t sequence;
	uint64_t inode;
	int64_t born_ns;
	int64_t changed_ns;
};

static int64_t
nanoseconds(const struct statx_timestamp *at)
{
	return (int64_t)at->tv_sec * 1000000000 + at->tv_nsec;
}

static int
look(int dir_fd, struct witness *witness, struct error *error)
{
	struct statx st;

	if (statx(dir_fd, "index/data.mdb", AT_SYMLINK_NOFOLLOW,
		STATX_INO | STATX_CTIME | STATX_BTIME, &st) != 0)
		return error_set_errno(error, "index/data.mdb");
	witness->inode = st.stx_ino;
	witness->changed_ns = nanoseconds(&st.stx_ctime);
	witness->born_ns =
	    st.stx_mask & STATX_BTIME ? nanoseconds(&st.stx_btime) : 0;
	return 0;
}

static int
put(int dir_fd, const struct witness *witness, struct error *error)
{
	uint8_t data[64];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	writer_put_u8(&w, witness->is_clean);
	writer_put_raw(&w, witness->store.bytes, sizeof(witness->store.bytes));
	writer_put_u64(&w, witness->sequence);
	writer_put_u64(&w, witness->inode);
	writer_put_u64(&w, (uint64_t)witness->born_ns);
	writer_put_u64(&w, (uint64_t)witness->changed_ns);
	return file_replace_note(dir_fd, "witness", data, w.size, 0600, error);
}

/* 1, 0 if there is none, -1. */
static int
get(int dir_fd, struct witness *witness, struct error *error)
{
	struct reader r;
	struct buf buf;
	int fd, result;

	fd = file_open_read(dir_fd, "witness", error);
	if (fd == -1)
		return error->code == ERROR_MISSING ? 0 : -1;
	buf_init(&buf, 200);
	result = file_read_all(fd, &buf, error);
	close(fd);
	reader_init(&r, buf.data, buf.size);
	if (reader_get_u8(&r) != 1)
		r.failed = true;
	witness->is_clean = reader_get_u8(&r) != 0;
	reader_get_raw(&r, witness->store.bytes, sizeof(witness->store.bytes));
	witness->sequence = reader_get_u64(&r);
	witness->inode = reader_get_u64(&r);
	witness->born_ns = (int64_t)reader_get_u64(&r);
	witness->changed_ns = (int64_t)reader_get_u64(&r);
	if (result == 0 && reader_done(&r) != 0)
		result = error_set(error, ERROR_DAMAGED, "witness: malformed");
	buf_clear(&buf);
	return result == 0 ? 1 : -1;
}

static const char *
sign_of(const struct witness *was, const struct witness *is)
{
	if (memcmp(&was->store, &is->store, sizeof(is->store)) != 0)
		return "the witness is of another store";
	if (was->inode != is->inode || was->born_ns != is->born_ns)
		return "the index is another file";
	if (!was->is_clean)
		return NULL;
	if (was->sequence != is->sequence)
		return "the index stands elsewhere";
	if (was->changed_ns != is->changed_ns)
		return "the index was changed while nobody ran";
	return NULL;
}

static int
open_directory(const char *path, struct error *error)
{
	return path[0] == '/' ? file_open_absolute_directory(path, error)
			      : file_open_directory(AT_FDCWD, path, error);
}

int
witness_check(const char *path, const struct journal *journal, char why[100],
    struct error *error)
{
	struct witness was = { 0 }, is = { 0 };
	const char *sign = NULL;
	int dir_fd, got;

	dir_fd = open_directory(path, error);
	if (dir_fd == -1)
		return -1;
	is.store = *store_identity(journal->store);
	is.sequence = journal->state.sequence;
	got = get(dir_fd, &was, error);
	if (got >= 0 && look(dir_fd, &is, error) != 0)
		got = -1;
	if (got == 1)
		sign = sign_of(&was, &is);
	else if (got == 0 && is.sequence > 0)
		sign = "the witness is gone";
	else if (got == -1 && error->code == ERROR_DAMAGED)
		sign = "the witness is damaged";
	if ((got >= 0 || sign != NULL) && put(dir_fd, &is, error) != 0)
		got = -1;
	close(dir_fd);
	if (sign == NULL)
		return got < 0 ? -1 : 0;
	snprintf(why, 100, "%s", sign);
	return 1;
}

int
witness_write(const char *path, const struct store_id *store, uint64_t sequence,
    struct error *error)
{
	struct witness witness = {
		.is_clean = true, .store = *store, .sequence = sequence
	};
	int dir_fd, result;

	dir_fd = open_directory(path, error);
	if (dir_fd == -1)
		return -1;
	result = look(dir_fd, &witness, error);
	if (result == 0)
		result = put(dir_fd, &witness, error);
	close(dir_fd);
	return result;
}
