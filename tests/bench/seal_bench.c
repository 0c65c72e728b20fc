/*
 * What capture and sealing of a mailbox cost: seal_bench DIR MAILDIR [ROUNDS
 * [MIB [any]]].  DIR is an empty directory on the file system to be measured.
 * All messages of MAILDIR (its cur, as an absolute path) are appended, in
 * batches of 200, while a thread seals what is staged; then everything is
 * sealed, one message is read in cold and in warm state, each byte is verified;
 * and in ROUNDS rounds (0) the oldest 5 % of the messages, or any, are expunged
 * and forgotten when the minimum has passed, as many new ones are appended, and
 * passes are made until nothing is to be collected; in segments of at most MIB
 * (0: the default).
 */
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/batch.h"
#include "snapd/expire.h"
#include "snapd/sealing.h"
#include "snapd/segment_folder.h"
#include "snapd/segments_open.h"
#include "snapd/verify.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAX_MESSAGES = 400000,
	BATCH = 200,
	READS = 500,
	PASS_BYTES = 32 << 20
};

struct bench {
	struct store *store;
	struct segments *segments;
	struct journal *journal;
	struct sealing sealing;
	pthread_mutex_t lock; /* of the journal */
	uint64_t staged;      /* bytes since the last pass */
	bool is_done;
	char **names;
	size_t count;
	uint64_t bytes;
	uint64_t counter, batches, slices, slice_us, slice_max_us;
	/* For the churn. */
	int64_t wall_us, raw_us;
	uint64_t released; /* alarms of events before this one */
	uint32_t *uids;    /* that are alive, the oldest first */
	bool is_any;
};

static void
check(int result, const struct error *error)
{
	if (result != 0)
		fatal("%s", error->text);
}

static double
seconds_since(int64_t start)
{
	return (double)(clock_monotonic_us() - start) / 1e6;
}

static bool
never(void *context)
{
	(void)context;
	return false;
}

static int
apply(void *context, struct seal_batch *batch, struct error *error)
{
	struct bench *bench = context;
	int64_t start, took;

	while (batch->committed.done < batch->count) {
		pthread_mutex_lock(&bench->lock);
		start = clock_monotonic_us();
		check(seal_batch_apply(batch, bench->journal, 5000, error),
		    error);
		took = clock_monotonic_us() - start;
		bench->slices++;
		bench->slice_us += (uint64_t)took;
		if ((uint64_t)took > bench->slice_max_us)
			bench->slice_max_us = (uint64_t)took;
		if (journal_commit(bench->journal, error) != STATUS_OK)
			fatal("%s", error->text);
		seal_batch_committed(batch, true);
		pthread_mutex_unlock(&bench->lock);
	}
	seal_batch_clear(batch);
	return 0;
}

static void *
seal(void *context)
{
	struct bench *bench = context;
	struct error error;
	bool is_done = false, is_due;

	check(sealing_replay(&bench->sealing, &error), &error);
	while (!is_done) {
		pthread_mutex_lock(&bench->lock);
		is_done = bench->is_done;
		is_due = is_done || bench->staged >= PASS_BYTES;
		if (is_due)
			bench->staged = 0;
		pthread_mutex_unlock(&bench->lock);
		if (!is_due)
			usleep(2000);
		else
			check(sealing_pass(&bench->sealing, &error), &error);
		if (is_due)
			check(sealing_finish_full(&bench->sealing, &error),
			    &error);
	}
	return NULL;
}

static void
read_names(struct bench *bench, const char *maildir)
{
	struct dirent *entry;
	char path[1200];
	DIR *dir = opendir(maildir);

	if (dir == NULL)
		fatal("%s", maildir);
	bench->names = memory_new(MAX_MESSAGES, sizeof(char *));
	while ((entry = readdir(dir)) != NULL && bench->count < MAX_MESSAGES)
		if (entry->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", maildir,
			    entry->d_name);
			bench->names[bench->count++] = memory_copy_text(path);
		}
	closedir(dir);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Makes each round's bodies new ones. */
static void
append(struct bench *bench, struct batch *batch, size_t n, unsigned int round)
{
	struct message m = { .type = MESSAGE_change_append };
	struct stat st;
	int fd = open(bench->names[n], O_RDONLY | O_CLOEXEC);
	char *body, mark[40];
	int size;

	if (fd == -1 || fstat(fd, &st) != 0)
		fatal("%s", bench->names[n]);
	size = snprintf(mark, sizeof(mark), "X-Round: %u %zu\n", round, n);
	body = memory_new(1, (size_t)(size + st.st_size));
	memcpy(body, mark, (size_t)size);
	if (read(fd, body + size, (size_t)st.st_size) != st.st_size)
		fatal("%s", bench->names[n]);
	close(fd);
	bench->counter++;
	memcpy(m.change_append.delivery.bytes, &bench->counter, 8);
	m.change_append.mailbox = 1;
	m.change_append.size = (uint64_t)(size + st.st_size);
	if (batch_add(
		batch, &m, (uint8_t *)body, (size_t)(size + st.st_size)) != 0)
		fatal("batch");
	bench->bytes += (uint64_t)st.st_size;
	bench->staged += (uint64_t)st.st_size;
}

static void
append_some(struct bench *bench, size_t from, size_t to, unsigned int round)
{
	struct batch_reply reply;
	struct error error;
	struct batch *batch;
	size_t i;

	for (; from < to; from = i) {
		batch = batch_new(++bench->batches);
		for (i = from; i < to && i < from + BATCH; i++)
			append(bench, batch, i, round);
		pthread_mutex_lock(&bench->lock);
		batch_apply(batch, bench->journal, 1, &reply);
		if (reply.status != STATUS_OK ||
		    journal_commit(bench->journal, &error) != STATUS_OK)
			fatal("append");
		pthread_mutex_unlock(&bench->lock);
		buf_clear(&reply.results);
		batch_free(&batch);
	}
}

static uint64_t
file_bytes(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

static void
print_sizes(struct bench *bench, const char *what)
{
	uint64_t segments = 0;
	char path[100];
	uint32_t n;

	for (n = 1; n <= segments_newest(bench->segments); n++) {
		snprintf(path, sizeof(path), "segment/%u/data.mdb", n);
		segments += file_bytes(path);
	}
	printf("%-26s index %.1f MiB, segments %.1f MiB\n", what,
	    (double)file_bytes("index/data.mdb") / 1048576,
	    (double)segments / 1048576);
}

static void
print_memory(void)
{
	char line[200];
	FILE *file = fopen("/proc/self/status", "r");

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "RssAnon", 7) == 0 ||
		    strncmp(line, "VmHWM", 5) == 0)
			printf("  %s", line);
	fclose(file);
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void
read_some(struct bench *bench)
{
	static int64_t took[READS];
	struct digest *digest = digest_new();
	struct transaction *t;
	struct object object;
	struct error error;
	uint8_t *to = NULL;
	int i;

	for (i = 0; i < READS; i++) {
		uint64_t blob = ((uint64_t)i * 7919 + 13) % bench->count + 1;
		int64_t start = clock_monotonic_us();

		t = transaction_begin(bench->store, false, &error);
		if (object_store_find(t, blob, &object, &error) != 1)
			fatal("no body");
		to = memory_resize(to, object.size + 1, 1);
		check(
		    object_store_read(t, digest, &object, to, &error), &error);
		transaction_abort(&t);
		took[i] = clock_monotonic_us() - start;
	}
	qsort(took, READS, sizeof(took[0]), by_value);
	printf("read one message           p50 %lld us, p99 %lld us\n",
	    (long long)took[READS / 2], (long long)took[READS * 99 / 100]);
	free(to);
	digest_free(&digest);
}

static void
print_finding(void *context, const char *text)
{
	(void)context;
	printf("finding: %s\n", text);
}

static void
verify(struct bench *bench)
{
	struct verify_segment segments[64];
	struct verify_options options = { .depth = VERIFY_ALL,
		.percent = 100,
		.findings = { print_finding, NULL, 0 },
		.has_segments = true,
		.segments = segments,
		.has_key = true,
		.key = segments_options(bench->segments)->key };
	struct verify_result result;
	int64_t start = clock_monotonic_us();
	uint32_t n;
	int fd;

	for (n = 1; n < 64; n++)
		if ((fd = segment_folder_file(".", n)) != -1)
			segments[options.segment_count++] =
			    (struct verify_segment){ fd, n, NULL };
	fd = open("index/data.mdb", O_RDONLY | O_CLOEXEC);
	(void)verify_run(fd, &options, &result);
	close(fd);
	printf("verify every byte          %.2f s, %llu findings, %.1f MiB of "
	       "bodies\n",
	    seconds_since(start), (unsigned long long)result.findings,
	    (double)result.body_bytes / 1048576);
}

/* -- 5 % of what is there goes, and 5 % comes -- */

static void
pass_days(struct bench *bench, unsigned int days)
{
	unsigned int i;

	for (i = 0; i < days * 144; i++) {
		bench->wall_us += INT64_C(600000000);
		bench->raw_us += INT64_C(600000000);
		journal_set_clock(
		    bench->journal, bench->wall_us, bench->raw_us);
	}
}

static void
expunge(struct bench *bench, size_t from, size_t to)
{
	struct message m = { .type = MESSAGE_change_expunge };
	struct batch *batch = batch_new(++bench->batches);
	static uint8_t uids[4 * BATCH];
	struct batch_reply reply;
	struct error error;
	struct writer w;

	writer_init(&w, uids, sizeof(uids));
	for (; from < to; from++)
		writer_put_u32(&w, bench->uids[from]);
	m.change_expunge.mailbox = 1;
	m.change_expunge.uids = text_make(uids, w.size);
	if (batch_add(batch, &m, NULL, 0) != 0)
		fatal("batch");
	batch_apply(batch, bench->journal, 1, &reply);
	if (reply.status != STATUS_OK ||
	    journal_commit(bench->journal, &error) != STATUS_OK)
		fatal("expunge");
	buf_clear(&reply.results);
	batch_free(&batch);
}

/* An expunge of so much is an alarm, and kept until somebody looked at it. */
static void
release_alarms(struct bench *bench)
{
	struct retention_pin scope = { .sequence = bench->released };
	struct error error;
	uint64_t until_us;

	for (; scope.sequence <= bench->journal->state.sequence;
	     scope.sequence++)
		(void)journal_release(
		    bench->journal, TEXT("alarm"), &scope, &until_us, &error);
	bench->released = scope.sequence;
	if (journal_commit(bench->journal, &error) != STATUS_OK)
		fatal("%s", error.text);
}

static uint64_t
forget(struct bench *bench)
{
	struct expire *expire = expire_new();
	struct error error;
	bool has_more = true;
	uint64_t rows;

	while (has_more)
		if (expire_step(expire, bench->journal, &has_more, &error) !=
			STATUS_OK ||
		    journal_commit(bench->journal, &error) != STATUS_OK)
			fatal("%s", error.text);
	rows = expire_counts(expire)->rows;
	expire_free(&expire);
	return rows;
}

static uint64_t
dead_bytes(const struct bench *bench, uint64_t *bytes)
{
	const struct sealing *sealing = &bench->sealing;
	uint64_t dead = 0;
	size_t i;

	*bytes = 0;
	for (i = 0; i < sealing->load_count; i++) {
		dead += sealing->loads[i].dead_bytes;
		*bytes +=
		    sealing->loads[i].live_bytes + sealing->loads[i].dead_bytes;
	}
	return dead;
}

/* Until there is nothing left that a pass would collect. */
static void
collect(struct bench *bench)
{
	struct sealing *sealing = &bench->sealing;
	struct error error;

	do {
		check(sealing_pass(sealing, &error), &error);
		check(sealing_finish_full(sealing, &error), &error);
		check(sealing_finish_dropped(sealing, &error), &error);
		check(sealing_look(sealing, &error), &error);
	} while (collect_choose(sealing->loads, sealing->load_count) > 0);
}

/* The first 5 % of the list go, after those for which they were exchanged. */
static void
choose_uids(struct bench *bench, size_t part)
{
	size_t i;

	for (i = 0; bench->is_any && i < part; i++) {
		size_t other = i + (size_t)random() % (bench->count - i);
		uint32_t uid = bench->uids[other];

		bench->uids[other] = bench->uids[i];
		bench->uids[i] = uid;
	}
}

static void
churn(struct bench *bench, unsigned int round)
{
	size_t part = bench->count / 20, from, i;
	uint64_t dead, bytes;
	int64_t start;

	choose_uids(bench, part);
	for (i = 0; i < part; i += BATCH)
		expunge(bench, i, i + BATCH < part ? i + BATCH : part);
	release_alarms(bench);
	pass_days(bench, 62);
	start = clock_monotonic_us();
	if (forget(bench) != part)
		fatal("not all were forgotten");
	memmove(bench->uids, bench->uids + part,
	    (bench->count - part) * sizeof(bench->uids[0]));
	for (i = bench->count - part; i < bench->count; i++)
		bench->uids[i] =
		    (uint32_t)(bench->counter + i - bench->count + part + 1);
	from = (round - 1) * part % (bench->count - part);
	append_some(bench, from, from + part, round);
	printf("round %2u appended %.2f s", round, seconds_since(start));
	collect(bench);
	dead = dead_bytes(bench, &bytes);
	printf(", collected %.2f s, dead %.1f %%  ", seconds_since(start),
	    (double)dead * 100 / (double)bytes);
	print_sizes(bench, "");
	fflush(stdout);
}

static void
begin_churn(struct bench *bench)
{
	static const struct retention policy = { .every_s = 900,
		.minimum_s = 30 * 86400 };
	enum ratchet_change change;
	struct error error;
	size_t i;

	log_set_level(LOG_LEVEL_ERROR);
	if (journal_set_policy(bench->journal, &policy, text_make(NULL, 0),
		&change, &error) != STATUS_OK)
		fatal("%s", error.text);
	bench->uids = memory_new(bench->count, sizeof(bench->uids[0]));
	for (i = 0; i < bench->count; i++)
		bench->uids[i] = (uint32_t)i + 1;
	bench->released = 1;
}

int
main(int argc, char **argv)
{
	struct bench bench = { .lock = PTHREAD_MUTEX_INITIALIZER };
	uint8_t recovery[RECOVERY_KEY_SIZE];
	unsigned int round, rounds = argc > 3 ? (unsigned int)atoi(argv[3]) : 0;
	struct error error = { .code = ERROR_NONE };
	struct store_id id;
	pthread_t thread;
	int64_t start;
	int fd;

	if (argc < 3)
		fatal("usage: seal_bench DIR MAILDIR [ROUNDS [MIB [any]]]");
	read_names(&bench, argv[2]);
	qsort(bench.names, bench.count, sizeof(char *), by_name);
	fd = open(argv[1], O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || segments_create_store(fd, &id, recovery, &error) != 0)
		fatal("%s", error.text);
	bench.store = store_open(".", (size_t)1 << 40, &error);
	if (bench.store == NULL)
		fatal("%s", error.text);
	bench.segments = segments_open(bench.store, ".",
	    argc > 4 ? (uint64_t)atoi(argv[4]) << 20 : 0, &error);
	bench.journal = journal_new(bench.store, &error);
	if (bench.segments == NULL || bench.journal == NULL)
		fatal("%s", error.text);
	bench.wall_us = clock_wall_us();
	bench.raw_us = 1;
	journal_set_clock(bench.journal, bench.wall_us, bench.raw_us);
	if (journal_create_account(bench.journal, 1, TEXT("a@b"), &error) !=
		STATUS_OK ||
	    journal_commit(bench.journal, &error) != STATUS_OK)
		fatal("%s", error.text);
	bench.sealing.store = bench.store;
	bench.sealing.segments = bench.segments;
	bench.sealing.apply = apply;
	bench.sealing.is_stopping = never;
	bench.sealing.context = &bench;
	sealing_init(&bench.sealing);
	bench.sealing.grace_us = 0; /* as if it was over */

	start = clock_monotonic_us();
	pthread_create(&thread, NULL, seal, &bench);
	append_some(&bench, 0, bench.count, 0);
	printf("capture, durable           %.2f s for %zu messages, %.1f MiB\n",
	    seconds_since(start), bench.count, (double)bench.bytes / 1048576);
	pthread_mutex_lock(&bench.lock);
	bench.is_done = true;
	pthread_mutex_unlock(&bench.lock);
	pthread_join(thread, NULL);
	printf("all of it sealed           %.2f s; index slices: %llu, mean "
	       "%.1f ms, longest %.1f ms\n",
	    seconds_since(start), (unsigned long long)bench.slices,
	    (double)bench.slice_us / 1000 / (double)bench.slices,
	    (double)bench.slice_max_us / 1000);
	collect(&bench);
	print_sizes(&bench, "size");
	print_memory();
	read_some(&bench);
	verify(&bench);
	bench.is_any = argc > 5;
	begin_churn(&bench);
	for (round = 1; round <= rounds; round++)
		churn(&bench, round);
	return 0;
}
