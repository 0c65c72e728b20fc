/* See tar.h. */
#include "snapctl/tar.h"

#include <stdio.h>
#include <string.h>

/* POSIX.1-2001, "pax", ustar interchange format. */
struct head {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[6];
	char version[2];
	char user[32];
	char group[32];
	char device[16];
	char prefix[155];
	char padding[12];
};

_Static_assert(sizeof(struct head) == TAR_BLOCK, "a head is a block");

static void
put_octal(char *field, size_t size, uint64_t number)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%0*llo", (int)size - 1,
	    (unsigned long long)number);
	memcpy(field, digits, size);
}

static int
put_head(struct text name, char type, unsigned int mode, uint64_t size,
    int64_t time, struct buf *to)
{
	struct head head = { .type = type, .magic = "ustar" };
	unsigned int sum = 0;

	memcpy(head.name, name.data, name.size);
	memcpy(head.version, "00", sizeof(head.version));
	put_octal(head.mode, sizeof(head.mode), mode);
	put_octal(head.uid, sizeof(head.uid), 0);
	put_octal(head.gid, sizeof(head.gid), 0);
	put_octal(head.size, sizeof(head.size), size);
	put_octal(
	    head.mtime, sizeof(head.mtime), time > 0 ? (uint64_t)time : 0);
	memset(head.checksum, ' ', sizeof(head.checksum));
	for (size_t i = 0; i < sizeof(head); i++)
		sum += ((const unsigned char *)&head)[i];
	put_octal(head.checksum, sizeof(head.checksum) - 1, sum);
	return buf_put(to, &head, sizeof(head));
}

/* "LENGTH path=PATH\n", where the length counts its own digits. */
static int
put_long_path(struct text path, struct buf *to)
{
	char record[TAR_MAX_PATH + 32];
	size_t rest = path.size + strlen(" path=\n"), digits = 1, power = 10;

	while (rest + digits >= power) {
		power *= 10;
		digits++;
	}
	snprintf(record, sizeof(record), "%zu path=%.*s\n", rest + digits,
	    TEXT_FMT(path));
	if (put_head(TEXT("long-name"), 'x', 0600, rest + digits, 0, to) != 0 ||
	    buf_put(to, record, rest + digits) != 0)
		return -1;
	return tar_put_padding(rest + digits, to);
}

static int
put_entry(struct text path, char type, unsigned int mode, uint64_t size,
    int64_t time, struct buf *to)
{
	if (path.size > TAR_MAX_PATH)
		return -1;
	if (path.size > sizeof(((struct head *)NULL)->name)) {
		if (put_long_path(path, to) != 0)
			return -1;
		path.size = sizeof(((struct head *)NULL)->name);
	}
	return put_head(path, type, mode, size, time, to);
}

int
tar_put_file(struct text path, uint64_t size, int64_t time, struct buf *to)
{
	return put_entry(path, '0', 0600, size, time, to);
}

int
tar_put_folder(struct text path, int64_t time, struct buf *to)
{
	return put_entry(path, '5', 0700, 0, time, to);
}

int
tar_put_padding(uint64_t size, struct buf *to)
{
	static const char zeros[TAR_BLOCK];

	return buf_put(to, zeros, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

int
tar_put_end(struct buf *to)
{
	static const char zeros[2 * TAR_BLOCK];

	return buf_put(to, zeros, sizeof(zeros));
}
