/*
 * How long a store takes to be verified: verify_bench DIR EVENTS BODIES.  DIR
 * is an empty directory; the store gets that many marks and that many messages
 * of 10 KiB.  Prints seconds for the cheap look, all pages and rows, and all
 * bodies too (from the page cache).
 */
#include "common/clock.h"
#include "common/control_record.h"
#include "common/log.h"
#include "snapd/journal.h"
#include "snapd/verify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ROUND = 1000,
	BODY_BYTES = 10240
};

static void
check(enum status status, const struct error *error)
{
	if (status != STATUS_OK)
		fatal("status %d: %s", status, error->text);
}

static void
add_body(struct journal *journal, unsigned int n)
{
	struct recipient_record recipient = { 1, TEXT("a@demo.test") };
	struct error error = { .code = ERROR_NONE };
	struct delivery_id delivery = { { 0 } };
	static char body[BODY_BYTES];
	uint8_t data[400];
	struct writer w;

	memcpy(body, &n, sizeof(n));
	memcpy(delivery.bytes, &n, sizeof(n));
	writer_init(&w, data, sizeof(data));
	record_put_recipient(&w, &recipient);
	check(
	    journal_accept(journal, &delivery, 0, 1, TEXT("s@example.org"),
		text_make(data, w.size), text_make(body, sizeof(body)), &error),
	    &error);
}

static void
build(const char *path, unsigned int events, unsigned int bodies)
{
	struct error error = { .code = ERROR_NONE };
	struct journal *journal;
	struct store *store;
	uint64_t sequence;
	unsigned int n;

	store = store_open(path, (size_t)1 << 40, &error);
	journal = store != NULL ? journal_new(store, &error) : NULL;
	if (journal == NULL)
		fatal("%s", error.text);
	journal_set_clock(journal, clock_wall_us(), clock_raw_us());
	check(journal_create_account(journal, 1, TEXT("a@demo.test"), &error),
	    &error);
	for (n = 0; n < events || n < bodies; n++) {
		if (n < events)
			check(journal_mark(journal, SNAPSHOT_NAMED, 1,
				  TEXT("m"), TEXT(""), &sequence, &error),
			    &error);
		if (n < bodies)
			add_body(journal, n);
		if (n % ROUND == 0)
			check(journal_commit(journal, &error), &error);
	}
	check(journal_commit(journal, &error), &error);
	journal_free(&journal);
	store_close(&store);
}

static void
print_finding(void *context, const char *text)
{
	printf("finding: %s\n", text);
}

static void
measure(int fd, const char *what, enum verify_depth depth, unsigned int percent)
{
	struct verify_options options = { .depth = depth,
		.percent = percent,
		.findings = { print_finding, NULL, 0 } };
	struct verify_result result;
	int64_t start = clock_raw_us();

	(void)verify_run(fd, &options, &result);
	printf("%s: %.3f s, %llu pages, %llu rows, %llu events, %llu bodies, "
	       "%llu MiB hashed, %llu findings\n",
	    what, (double)(clock_raw_us() - start) / 1e6,
	    (unsigned long long)result.pages, (unsigned long long)result.rows,
	    (unsigned long long)result.events,
	    (unsigned long long)result.bodies,
	    (unsigned long long)result.body_bytes >> 20,
	    (unsigned long long)result.findings);
}

int
main(int argc, char **argv)
{
	struct store_id id;
	struct error error;
	int fd;

	if (argc != 4)
		fatal("usage: verify_bench DIR EVENTS BODIES");
	fd = open(argv[1], O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || store_create(fd, &id, &error) != 0)
		fatal("%s: cannot make a store", argv[1]);
	close(fd);
	build(".", (unsigned int)atoi(argv[2]), (unsigned int)atoi(argv[3]));
	fd = open("index/data.mdb", O_RDONLY | O_CLOEXEC);
	measure(fd, "cheap", VERIFY_CHEAP, 0);
	measure(fd, "all", VERIFY_ALL, 0);
	measure(fd, "bodies", VERIFY_ALL, 100);
	close(fd);
	return 0;
}
