/*
 * How mail packs: pack_bench DIR [LEVEL].  Reads the messages of a Maildir's
 * cur/ as one account's, in the order of their names, and prints for each way
 * to store them the size, the speed of packing on one core, and what it costs
 * to read one message: median and 99th percentile of unpacking what it lies in.
 * Ways: each message alone, each with a dictionary made of the account's own
 * mail, solid blocks of several sizes.
 */
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zdict.h>
#include <zstd.h>

enum {
	MAX_MESSAGES = 200000,
	DICTIONARY = 110 << 10,
	DICTIONARY_SAMPLES = 2000,
	READS = 2000
};

static char *bytes;
static size_t total;
static size_t offsets[MAX_MESSAGES + 1];
static size_t count;
static int level;

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
	int64_t start = clock_monotonic_us(), packing;
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
	packing = clock_monotonic_us() - start;
	to = memory_new(1, largest);
	for (i = 0; i < READS; i++) {
		size_t b = (i * 7919 + 13) % blocks;

		start = clock_monotonic_us();
		if (without != NULL)
			ZSTD_decompress_usingDDict(
			    unpack, to, raws[b], packed[b], sizes[b], without);
		else
			ZSTD_decompressDCtx(
			    unpack, to, raws[b], packed[b], sizes[b]);
		took[i] = clock_monotonic_us() - start;
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
	return 0;
}
