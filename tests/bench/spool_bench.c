/*
 * The spool with many messages in it: what a message costs when there are few
 * and when there are many, how long a start takes, how much memory it has.
 *
 *   spool_bench FOLDER MESSAGES [BYTES]
 *
 * One in a hundred goes to a destination of its own, the rest to 50 others.  A
 * line a phase: name, messages, milliseconds, microseconds each; the memory
 * line is that of a new process that has just begun, in KiB.
 */
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/record.h"
#include "smtpd/spool.h"
#include "smtpd/spool_settle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	BATCH = 64 /* of a commit */
};

static struct spool_store *store;
static char *body;

static void
must(int result, const struct error *error)
{
	if (result == -1)
		fatal("%s", error->text);
}

static void
put(unsigned int number, size_t size)
{
	struct spool_mail mail = { .account = 1 + number % 7,
		.sender = TEXT("somebody@example.org"),
		.envelope_id = TEXT(""),
		.size = size,
		.data = text_make(body, size),
		.fd = -1 };
	struct outgoing_record record = { .original = TEXT("") };
	uint8_t bytes[200];
	char address[64];
	struct writer writer;
	struct error error;
	uint64_t id;

	snprintf(address, sizeof(address), "user%u@host%u.test", number,
	    number % 100 == 0 ? 1000 + number : number % 50);
	record.address = text_of(address);
	writer_init(&writer, bytes, sizeof(bytes));
	record_put_outgoing(&writer, &record);
	mail.recipients = text_make(bytes, writer.size);
	mail.time = clock_wall_us() / 1000000;
	memcpy(mail.delivery.bytes, &number, sizeof(number));
	must(spool_store_put(store, &mail, &id, &error), &error);
}

static void
report(const char *phase, unsigned int count, int64_t began)
{
	int64_t us = clock_monotonic_us() - began;

	printf("%-12s %8u %8" PRId64 " %8.1f\n", phase, count, us / 1000,
	    (double)us / count);
	fflush(stdout);
}

static void
fill(const char *phase, unsigned int from, unsigned int to, size_t size)
{
	int64_t began = clock_monotonic_us();
	struct error error;

	for (unsigned int i = from; i < to; i += BATCH) {
		must(spool_store_begin(store, &error), &error);
		for (unsigned int j = i; j < i + BATCH && j < to; j++)
			put(j, size);
		must(spool_store_commit(store, &error), &error);
	}
	report(phase, to - from, began);
}

static void
print_memory(void)
{
	char line[200];
	FILE *status = fopen("/proc/self/status", "r");

	while (status != NULL && fgets(line, sizeof(line), status) != NULL)
		if (strncmp(line, "VmRSS", 5) == 0 ||
		    strncmp(line, "RssAnon", 7) == 0 ||
		    strncmp(line, "VmHWM", 5) == 0)
			fputs(line, stdout);
	if (status != NULL)
		fclose(status);
}

/* In a process of its own, so that what it has is what a start takes. */
static void
begin(const char *folder, unsigned int count)
{
	struct settings *settings = settings_new();
	const struct spool_options options = { .path = folder,
		.settings = settings };
	int64_t began = clock_monotonic_us();
	struct event_loop *loop = event_loop_new();
	struct error error;
	struct spool *spool = spool_new(loop, &options, &error);

	if (spool == NULL)
		fatal("%s", error.text);
	report("start", count, began);
	print_memory();
}

static int
end_one(void *context, const struct spool_parcel *parcel)
{
	uint64_t *ids = context;

	ids[++ids[0]] = parcel->message;
	return ids[0] == BATCH;
}

static void
drain(const char *phase, unsigned int count)
{
	int64_t began = clock_monotonic_us(), now = clock_wall_us() / 1000000;
	uint64_t ids[BATCH + 1] = { 0 };
	struct error error;

	for (unsigned int done = 0; done < count; done += BATCH) {
		ids[0] = 0;
		must(spool_store_each_parcel(store, 0, end_one, ids, &error) < 0
			 ? -1
			 : 0,
		    &error);
		must(spool_store_begin(store, &error), &error);
		for (uint64_t i = 1; i <= ids[0]; i++)
			must(spool_store_end_parcel(
				 store, ids[i], 0, now, &error),
			    &error);
		must(spool_store_forget(store, now, &error), &error);
		must(spool_store_commit(store, &error), &error);
	}
	report(phase, count, began);
}

int
main(int argc, char **argv)
{
	unsigned int count = argc > 2 ? (unsigned int)atoi(argv[2]) : 0;
	size_t size = argc > 3 ? (size_t)atoi(argv[3]) : 4096;
	struct error error;

	if (count < 2000) {
		fputs("usage: spool_bench FOLDER MESSAGES [BYTES]\n", stderr);
		return 2;
	}
	body = memory_new(size + 1, 1);
	memset(body, 'x', size);
	store = spool_store_open(argv[1], SPOOL_MAP_BYTES, &error);
	if (store == NULL)
		fatal("%s", error.text);
	fill("put-first", 0, 1000, size);
	fill("put", 1000, count - 1000, size);
	fill("put-last", count - 1000, count, size);
	spool_store_close(&store);
	if (fork() == 0) {
		begin(argv[1], count);
		return 0;
	}
	wait(NULL);
	store = spool_store_open(argv[1], SPOOL_MAP_BYTES, &error);
	drain("end", count - 1000);
	drain("end-last", 1000);
	spool_store_close(&store);
	return 0;
}
