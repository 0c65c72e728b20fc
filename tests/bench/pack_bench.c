/*
 * How mail packs: pack_bench DIR [LEVEL].  Reads the messages of a Maildir's
 * cur/ as one account's, in the order of their names, and prints for each way
 * to store them the size, the speed of packing on one core, and what it costs
 * to read one message: median and 99th percentile of unpacking what it lies in.
 * Ways: each message alone, each with a dictionary made of the account's own
 * mail, solid blocks of several sizes; then, in blocks of the size that is used,
 * a text of the account before each, and runs of base64 decoded.
 */
#include "common/log.h"
#include "common/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zdict.h>
#include <zstd.h>

enum {
	MAX_MESSAGES = 200000,
	DICTIONARY = 110 << 10,
	DICTIONARY_SAMPLES = 2000,
	READS = 2000,
	BLOCK = 944 << 10,
	LINE = 76, /* of base64 */
	MIN_LINES = 4
};

static char *bytes;
static size_t total, stored; /* bytes of mail; before they are packed */
static size_t offsets[MAX_MESSAGES + 1];
static size_t count;
static int level;

/* Of this process: the machine may have other work. */
static int64_t
cpu_us(void)
{
	return (int64_t)clock() * 1000000 / CLOCKS_PER_SEC;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
read_one(const char *directory, const char *name)
{
	struct stat st;
	char path[1200];
	int fd;

	snprintf(path, sizeof(path), "%s/cur/%s", directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		fatal("%s", path);
	bytes = memory_resize(bytes, total + (size_t)st.st_size, 1);
	if (read(fd, bytes + total, (size_t)st.st_size) != st.st_size)
		fatal("%s: short", path);
	close(fd);
	total += (size_t)st.st_size;
	offsets[++count] = total;
}

static void
read_all(const char *directory)
{
	static char *names[MAX_MESSAGES];
	struct dirent *entry;
	char path[1100];
	size_t found = 0, i;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/cur", directory);
	dir = opendir(path);
	if (dir == NULL)
		fatal("%s", path);
	while ((entry = readdir(dir)) != NULL && found < MAX_MESSAGES)
		if (entry->d_name[0] != '.')
			names[found++] = strdup(entry->d_name);
	closedir(dir);
	qsort(names, found, sizeof(names[0]), by_name);
	for (i = 0; i < found; i++) {
		read_one(directory, names[i]);
		free(names[i]);
	}
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Packs in blocks of at least `block` bytes (0: each message alone). */
static void
measure(const char *what, size_t block, const ZSTD_CDict *with,
    const ZSTD_DDict *without)
{
	ZSTD_CCtx *pack = ZSTD_createCCtx();
	ZSTD_DCtx *unpack = ZSTD_createDCtx();
	char **packed = memory_new(count, sizeof(*packed));
	size_t *sizes = memory_new(count, sizeof(*sizes));
	size_t *raws = memory_new(count, sizeof(*raws));
	size_t blocks = 0, sum = 0, from = 0, largest = 0, i;
	static int64_t took[READS];
	int64_t start = cpu_us(), packing;
	char *to;

	for (i = 1; i <= count; i++) {
		size_t raw = offsets[i] - offsets[from], room, size;
		char *room_at;

		if (raw < block && i < count)
			continue;
		room = ZSTD_compressBound(raw);
		room_at = memory_new(1, room);
		size = with != NULL
			   ? ZSTD_compress_usingCDict(pack, room_at, room,
				 bytes + offsets[from], raw, with)
			   : ZSTD_compressCCtx(pack, room_at, room,
				 bytes + offsets[from], raw, level);
		packed[blocks] = memory_resize(room_at, size, 1);
		sizes[blocks] = size;
		raws[blocks++] = raw;
		sum += size;
		largest = raw > largest ? raw : largest;
		from = i;
	}
	packing = cpu_us() - start;
	to = memory_new(1, largest);
	for (i = 0; i < READS; i++) {
		size_t b = (i * 7919 + 13) % blocks;

		start = cpu_us();
		if (without != NULL)
			ZSTD_decompress_usingDDict(
			    unpack, to, raws[b], packed[b], sizes[b], without);
		else
			ZSTD_decompressDCtx(
			    unpack, to, raws[b], packed[b], sizes[b]);
		took[i] = cpu_us() - start;
	}
	qsort(took, READS, sizeof(took[0]), by_value);
	printf("%-22s %7.1f MiB  ratio %.3f  pack %6.1f MiB/s  read "
	       "%5lld us  p99 %5lld us\n",
	    what, (double)sum / 1048576, (double)sum / (double)total,
	    (double)total / 1.048576 / (double)packing,
	    (long long)took[READS / 2], (long long)took[READS * 99 / 100]);
	for (i = 0; i < blocks; i++)
		free(packed[i]);
	free(packed);
	free(sizes);
	free(raws);
	free(to);
	ZSTD_freeCCtx(pack);
	ZSTD_freeDCtx(unpack);
}

/* Made of every n-th message, so that it knows all years. */
static void
measure_dictionary(size_t size)
{
	size_t step = count / DICTIONARY_SAMPLES + 1, used = 0, samples = 0, i;
	size_t *sizes = memory_new(DICTIONARY_SAMPLES, sizeof(*sizes));
	char *sample = memory_new(1, total), *dictionary = memory_new(1, size);
	ZSTD_CDict *with;
	ZSTD_DDict *without;
	char what[40];

	for (i = 0; i < count && samples < DICTIONARY_SAMPLES; i += step) {
		size_t n = offsets[i + 1] - offsets[i];

		if (n > 131072)
			continue;
		memcpy(sample + used, bytes + offsets[i], n);
		used += n;
		sizes[samples++] = n;
	}
	size = ZDICT_trainFromBuffer(
	    dictionary, size, sample, sizes, (unsigned int)samples);
	if (ZDICT_isError(size))
		fatal("no dictionary: %s", ZDICT_getErrorName(size));
	with = ZSTD_createCDict(dictionary, size, level);
	without = ZSTD_createDDict(dictionary, size);
	snprintf(what, sizeof(what), "dictionary %zu KiB", size >> 10);
	measure(what, 0, with, without);
	measure("  and solid 128 KiB", 128 << 10, with, without);
	measure("  and solid 256 KiB", 256 << 10, with, without);
	ZSTD_freeCDict(with);
	ZSTD_freeDDict(without);
	free(sizes);
	free(sample);
	free(dictionary);
}

/* -- What is not used -- */

/* A text of the account's before each block: whole small messages, so many bytes
 * of them. */
static void
measure_text(size_t size)
{
	char *text = memory_new(1, size), what[40];
	size_t used = 0, i, n;
	ZSTD_CDict *with;
	ZSTD_DDict *without;

	for (i = 0; i < count && used < size; i++) {
		n = offsets[i + 1] - offsets[i];
		if (n > 40000)
			continue;
		n = n < size - used ? n : size - used;
		memcpy(text + used, bytes + offsets[i], n);
		used += n;
	}
	with = ZSTD_createCDict(text, used, level);
	without = ZSTD_createDDict(text, used);
	snprintf(what, sizeof(what), "  behind %zu KiB", used >> 10);
	measure(what, BLOCK, with, without);
	ZSTD_freeCDict(with);
	ZSTD_freeDDict(without);
	free(text);
}

static int
digit_of(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno"
				     "pqrstuvwxyz0123456789+/";
	static signed char values[256];
	int i;

	if (values['/'] == 0) {
		memset(values, -1, sizeof(values));
		for (i = 0; i < 64; i++)
			values[(unsigned char)digits[i]] = (signed char)i;
	}
	return values[(unsigned char)c];
}

/* Whole lines of base64 from here on. */
static size_t
count_lines(const char *from, const char *end)
{
	size_t lines = 0;
	int i;

	for (; end - from > LINE && from[LINE] == '\n'; from += LINE + 1) {
		for (i = 0; i < LINE && digit_of(from[i]) >= 0; i++)
			continue;
		if (i < LINE)
			break;
		lines++;
	}
	return lines;
}

static char *
decode_lines(const char *from, size_t lines, char *to)
{
	int i;

	for (; lines > 0; lines--, from += LINE + 1)
		for (i = 0; i < LINE; i += 4) {
			int group = digit_of(from[i]) << 18 |
				    digit_of(from[i + 1]) << 12 |
				    digit_of(from[i + 2]) << 6 |
				    digit_of(from[i + 3]);

			*to++ = (char)(group >> 16);
			*to++ = (char)(group >> 8);
			*to++ = (char)group;
		}
	return to + 8; /* where it stood, and how long it was */
}

static char *
decode_message(const char *from, const char *end, char *to)
{
	const char *next;
	size_t lines;

	while (from < end) {
		lines = count_lines(from, end);
		if (lines >= MIN_LINES) {
			to = decode_lines(from, lines, to);
			from += lines * (LINE + 1);
			continue;
		}
		next = memchr(from, '\n', (size_t)(end - from));
		next = next != NULL ? next + 1 : end;
		memmove(to, from, (size_t)(next - from));
		to += next - from;
		from = next;
	}
	return to;
}

/* In place: what is decoded is shorter. */
static void
measure_decoded(void)
{
	int64_t start = cpu_us();
	const char *from = bytes;
	char *to = bytes;
	size_t i;

	for (i = 1; i <= count; i++) {
		const char *end = bytes + offsets[i];

		to = decode_message(from, end, to);
		from = end;
		offsets[i] = (size_t)(to - bytes);
	}
	stored = offsets[count];
	printf("base64 decoded: %.1f MiB for %.1f, %.0f MiB/s\n",
	    (double)stored / 1048576, (double)total / 1048576,
	    (double)total / 1.048576 / (double)(cpu_us() - start));
	measure("  solid 944 KiB", BLOCK, NULL, NULL);
	measure_text(256 << 10);
}

int
main(int argc, char **argv)
{
	static const size_t blocks[] = { 32, 64, 128, 256, 512, 1024 };
	char what[40];
	size_t i;

	if (argc < 2)
		fatal("usage: pack_bench DIR [LEVEL]");
	level = argc > 2 ? atoi(argv[2]) : 3;
	read_all(argv[1]);
	printf("%zu messages, %.1f MiB, zstd level %d\n", count,
	    (double)total / 1048576, level);
	measure("each alone", 0, NULL, NULL);
	measure_dictionary(DICTIONARY);
	measure_dictionary(1024 << 10);
	for (i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		snprintf(what, sizeof(what), "solid %zu KiB", blocks[i]);
		measure(what, blocks[i] << 10, NULL, NULL);
	}
	measure("solid 944 KiB", BLOCK, NULL, NULL);
	for (i = 128; i <= 1024; i *= 2)
		measure_text(i << 10);
	measure_decoded();
	return 0;
}
