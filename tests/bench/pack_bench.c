/*
 * How mail packs: pack_bench DIR [LEVEL].  Reads the messages of a Maildir's
 * cur/ as one account's, in the order of their names, and prints for each way
 * to store them the size, the speed of packing on one core, and what it costs
 * to read one message: median and 99th percentile of unpacking what it lies in.
 * Ways: each message alone, each with a dictionary made of the account's own
 * mail, solid blocks of several sizes; in blocks of the size that is used, a
 * text of the account before each, and runs of base64 decoded; then runs apart
 * from the rest, each once, as the store has them.
 */
#include "common/buf.h"
#include "common/digest.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/table.h"
#include "snapd/base64_runs.h"
#include "snapd/pieces.h"

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
	BLOCK = 944 << 10
};

struct mail {
	const char *bytes;
	size_t offsets[MAX_MESSAGES + 1];
	size_t count;
};

static struct mail mail; /* that is measured */
static char *bytes;      /* as it was read */
static size_t total;
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
	mail.offsets[++mail.count] = total;
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
	const size_t *offsets = mail.offsets, count = mail.count;
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
				 mail.bytes + offsets[from], raw, with)
			   : ZSTD_compressCCtx(pack, room_at, room,
				 mail.bytes + offsets[from], raw, level);
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
	const size_t *offsets = mail.offsets, count = mail.count;
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
		memcpy(sample + used, mail.bytes + offsets[i], n);
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

/* A text of the account's before each block: whole small messages, so many
 * bytes of them. */
static void
measure_text(size_t size)
{
	const size_t *offsets = mail.offsets, count = mail.count;
	char *text = memory_new(1, size), what[40];
	size_t used = 0, i, n;
	ZSTD_CDict *with;
	ZSTD_DDict *without;

	for (i = 0; i < count && used < size; i++) {
		n = offsets[i + 1] - offsets[i];
		if (n > 40000)
			continue;
		n = n < size - used ? n : size - used;
		memcpy(text + used, mail.bytes + offsets[i], n);
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

/* Runs of base64 decoded where they stand. */
static void
measure_decoded(void)
{
	char *to = memory_new(1, total);
	static struct mail decoded;
	struct buf packed;
	size_t i, size;

	decoded.bytes = to;
	buf_init(&packed, SIZE_MAX / 4);
	for (i = 0; i < mail.count; i++) {
		const char *from = mail.bytes + mail.offsets[i];
		struct text one =
		    text_make(from, mail.offsets[i + 1] - mail.offsets[i]);

		if (base64_pack(one, &packed))
			one = text_make(packed.data, packed.size);
		memcpy(to + decoded.offsets[i], one.data, one.size);
		size = decoded.offsets[i] + one.size;
		decoded.offsets[++decoded.count] = size;
	}
	buf_clear(&packed);
	printf("base64 decoded: %.1f MiB for %.1f\n",
	    (double)decoded.offsets[decoded.count] / 1048576,
	    (double)total / 1048576);
	mail = decoded;
	measure("  solid 944 KiB", BLOCK, NULL, NULL);
	measure_text(256 << 10);
	free(to);
}

/* -- Pieces -- */

static void
add_span(struct mail *to, char *room, struct text span)
{
	size_t at = to->offsets[to->count];

	if (span.size == 0)
		return;
	memcpy(room + at, span.data, span.size);
	to->offsets[++to->count] = at + span.size;
}

/* What runs stand between, and each run once, decoded. */
static void
take_apart(
    struct mail *texts, char *text_bytes, struct mail *runs, char *run_bytes)
{
	struct digest *digest = digest_new();
	struct table *seen = table_new();
	struct piece_span *spans;
	struct buf packed;
	size_t i, k, count;

	buf_init(&packed, SIZE_MAX / 4);
	for (i = 0; i < mail.count; i++) {
		struct text all = text_make(mail.bytes + mail.offsets[i],
		    mail.offsets[i + 1] - mail.offsets[i]);

		count = pieces_cut(all, &spans);
		if (count == 0)
			add_span(texts, text_bytes, all);
		for (k = 0; k < count; k++) {
			struct text one = text_make(
			    all.data + spans[k].offset, spans[k].size);
			struct hash hash;

			if (!spans[k].is_run) {
				add_span(texts, text_bytes, one);
				continue;
			}
			hash = digest_of(digest, one.data, one.size);
			if (table_put(seen, hash.bytes, sizeof(hash.bytes),
				seen) == NULL &&
			    base64_pack(one, &packed))
				add_span(runs, run_bytes,
				    text_make(packed.data, packed.size));
		}
		free(spans);
	}
	buf_clear(&packed);
	table_free(&seen);
	digest_free(&digest);
}

static void
measure_pieces(void)
{
	static const int levels[] = { 1, 2, 3, 4, 5, 6, 7, 9, 12 };
	static const size_t blocks[] = { 256 << 10, 2 << 20, 4 << 20,
		16 << 20 };
	char *text_bytes = memory_new(1, total), what[40];
	char *run_bytes = memory_new(1, total);
	static struct mail texts, runs;
	size_t i;

	texts.bytes = text_bytes;
	runs.bytes = run_bytes;
	take_apart(&texts, text_bytes, &runs, run_bytes);
	printf("runs of base64 apart, each once: %.1f MiB, and %.1f between\n",
	    (double)runs.offsets[runs.count] / 1048576,
	    (double)texts.offsets[texts.count] / 1048576);
	mail = runs;
	measure("  the runs, decoded", BLOCK, NULL, NULL);
	mail = texts;
	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		level = levels[i];
		snprintf(what, sizeof(what), "  the rest, level %d", level);
		measure(what, BLOCK, NULL, NULL);
	}
	level = 3;
	for (i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		snprintf(what, sizeof(what), "  in %zu KiB, level 3",
		    blocks[i] >> 10);
		measure(what, blocks[i], NULL, NULL);
	}
	measure_text(1 << 20);
	free(text_bytes);
	free(run_bytes);
}

int
main(int argc, char **argv)
{
	static const size_t blocks[] = { 32, 64, 128, 256, 512, 1024 };
	static struct mail as_read;
	char what[40];
	size_t i;

	if (argc < 2)
		fatal("usage: pack_bench DIR [LEVEL]");
	level = argc > 2 ? atoi(argv[2]) : 3;
	read_all(argv[1]);
	mail.bytes = bytes;
	as_read = mail;
	printf("%zu messages, %.1f MiB, zstd level %d\n", mail.count,
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
	mail = as_read;
	measure_pieces();
	return 0;
}
