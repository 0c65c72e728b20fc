/*
 * How fast the store forgets: expire_bench DIR [ROWS [MARKS]].  DIR is an empty
 * directory on the file system to be measured.  ROWS (74,000) messages of 2 KiB
 * are appended and expunged, their minimum passes by a clock of the bench's,
 * and passes are run: one that finds nothing old enough, one that finds all of
 * them held, one that forgets all, while MARKS (0) of later states are kept.
 */
#include "common/clock.h"
#include "common/log.h"
#include "snapd/batch.h"
#include "snapd/expire.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BATCH = 500,
	MAX_STEPS = 100000,
	DAY_S = 86400
};

struct bench {
	struct store *store;
	struct journal *journal;
	int64_t wall_us;
	int64_t raw_us;
	uint64_t counter;
	uint32_t uid;
};

static char body[2048];

static void
check(enum status status, const struct error *error)
{
	if (status != STATUS_OK)
		fatal("status %d: %s", status, error->text);
}

static void
pass_days(struct bench *bench, unsigned int days)
{
	unsigned int i;

	for (i = 0; i < days * (DAY_S / 600); i++) {
		bench->wall_us += INT64_C(600000000);
		bench->raw_us += INT64_C(600000000);
		journal_set_clock(
		    bench->journal, bench->wall_us, bench->raw_us);
	}
}

static void
add_part(struct batch *batch, const struct message *part)
{
	if (batch_add(batch, part, NULL, 0) != 0)
		fatal("batch");
}

static void
append_batch(struct bench *bench)
{
	struct batch *batch = batch_new(++bench->counter);
	struct batch_reply reply;
	struct error error;
	unsigned int i;

	for (i = 0; i < BATCH; i++) {
		struct message m = { .type = MESSAGE_change_append };

		bench->uid++;
		memcpy(body, &bench->uid, sizeof(bench->uid));
		memcpy(m.change_append.delivery.bytes, &bench->uid,
		    sizeof(bench->uid));
		m.change_append.mailbox = 1;
		m.change_append.data = text_make(body, sizeof(body));
		m.change_append.size = sizeof(body);
		add_part(batch, &m);
	}
	batch_apply(batch, bench->journal, 1, &reply);
	error.text[0] = '\0';
	check(reply.status, &error);
	buf_clear(&reply.results);
	batch_free(&batch);
	check(journal_commit(bench->journal, &error), &error);
}

static void
expunge_batch(struct bench *bench, uint32_t first)
{
	struct message m = { .type = MESSAGE_change_expunge };
	struct batch *batch = batch_new(++bench->counter);
	static uint8_t uids[4 * BATCH];
	struct batch_reply reply;
	struct error error;
	struct writer w;
	unsigned int i;

	writer_init(&w, uids, sizeof(uids));
	for (i = 0; i < BATCH; i++)
		writer_put_u32(&w, first + i);
	m.change_expunge.mailbox = 1;
	m.change_expunge.uids = text_make(uids, w.size);
	add_part(batch, &m);
	batch_apply(batch, bench->journal, 1, &reply);
	error.text[0] = '\0';
	check(reply.status, &error);
	buf_clear(&reply.results);
	batch_free(&batch);
	check(journal_commit(bench->journal, &error), &error);
}

static int
compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* All steps of a pass: time in them, one by one, and with their commits. */
static void
run_pass(struct bench *bench, const char *name)
{
	static int64_t times[MAX_STEPS];
	struct expire *expire = expire_new();
	int64_t start_us = clock_monotonic_us(), step_us, all_us = 0;
	unsigned int steps = 0;
	struct error error;
	bool has_more = true;

	while (has_more) {
		step_us = clock_monotonic_us();
		check(expire_step(expire, bench->journal, &has_more, &error),
		    &error);
		step_us = clock_monotonic_us() - step_us;
		check(journal_commit(bench->journal, &error), &error);
		all_us += step_us;
		if (steps < MAX_STEPS)
			times[steps++] = step_us;
	}
	qsort(times, steps, sizeof(times[0]), compare);
	printf("%-10s rows=%" PRIu64 " bodies=%" PRIu64
	       " steps=%u work_ms=%.1f step_ms p50=%.2f p99=%.2f max=%.2f "
	       "with_commits_ms=%.1f\n",
	    name, expire_counts(expire)->rows, expire_counts(expire)->bodies,
	    steps, (double)all_us / 1000, (double)times[steps / 2] / 1000,
	    (double)times[steps * 99 / 100] / 1000,
	    (double)times[steps - 1] / 1000,
	    (double)(clock_monotonic_us() - start_us) / 1000);
	expire_free(&expire);
}

/* An expunge of so much is an alarm, and kept until somebody looked at it. */
static void
release_alarms(struct bench *bench, const char *tag)
{
	struct retention_pin scope = { .sequence = 1 };
	struct error error;
	uint64_t until_us;

	for (; scope.sequence <= bench->journal->state.sequence;
	     scope.sequence++)
		(void)journal_release(
		    bench->journal, text_of(tag), &scope, &until_us, &error);
	check(journal_commit(bench->journal, &error), &error);
}

static void
hold_all(struct bench *bench)
{
	struct retention_pin scope = { .sequence =
					   bench->journal->state.sequence };
	struct error error;

	check(journal_hold(
		  bench->journal, TEXT("bench"), &scope, TEXT(""), &error),
	    &error);
}

static void
make_marks(struct bench *bench, unsigned int marks)
{
	struct error error;
	uint64_t sequence;

	while (marks-- > 0) {
		check(journal_mark(bench->journal, SNAPSHOT_NAMED, 1,
			  TEXT("bench"), TEXT(""), &sequence, &error),
		    &error);
		if (marks % BATCH == 0)
			check(journal_commit(bench->journal, &error), &error);
	}
}

static void
open_bench(struct bench *bench, const char *path)
{
	static const struct retention policy = { .every_s = 900,
		.minimum_s = 30 * DAY_S };
	int fd = open(path, O_DIRECTORY | O_CLOEXEC);
	enum ratchet_change change;
	struct store_id id;
	struct error error;

	if (fd < 0 || store_create(fd, &id, &error) != 0)
		fatal("%s: %s", path, error.text);
	close(fd);
	bench->store = store_open(".", (size_t)64 << 30, &error);
	if (bench->store == NULL ||
	    (bench->journal = journal_new(bench->store, &error)) == NULL)
		fatal("%s", error.text);
	bench->wall_us = clock_wall_us();
	bench->raw_us = 1;
	journal_set_clock(bench->journal, bench->wall_us, bench->raw_us);
	check(journal_create_account(
		  bench->journal, 1, TEXT("a@demo.test"), &error),
	    &error);
	check(journal_set_policy(
		  bench->journal, &policy, text_make(NULL, 0), &change, &error),
	    &error);
	check(journal_commit(bench->journal, &error), &error);
}

int
main(int argc, char **argv)
{
	struct bench bench = { .counter = 0 };
	uint32_t rows = argc > 2 ? (uint32_t)atoi(argv[2]) : 74000, i;

	if (argc < 2)
		return 2;
	log_set_level(LOG_LEVEL_ERROR);
	open_bench(&bench, argv[1]);
	for (i = 0; i < rows / BATCH; i++)
		append_batch(&bench);
	pass_days(&bench, 1);
	hold_all(&bench);
	for (i = 0; i < rows / BATCH; i++)
		expunge_batch(&bench, i * BATCH + 1);
	run_pass(&bench, "too young");
	release_alarms(&bench, "alarm");
	pass_days(&bench, 31);
	run_pass(&bench, "all held");
	release_alarms(&bench, "bench");
	pass_days(&bench, 31);
	make_marks(&bench, argc > 3 ? (unsigned int)atoi(argv[3]) : 0);
	run_pass(&bench, "old enough");
	return EXIT_SUCCESS;
}
