/*
 * How fast the snapshot store is, at its channels, and how that grows:
 * store_bench DIR [MESSAGES [MARKS]].  DIR is an empty directory on the file
 * system to be measured.  Prints one line a figure: durable ACCEPTs of 4 KiB
 * with 50 and 1 outstanding, APPENDs in batches of 500 until the mailbox holds
 * MESSAGES (100,000), marks of the unchanged store, listings now and as of the
 * sequence before 1,000 marks.
 *
 * With MARKS (at least 10): so many snapshots, between which up to 1,000 flags
 * change; then what an administrator asks for, as a line
 * `NAME<tab>MESSAGES<tab>MARKS<tab>ms`: one more mark, all of them listed, one
 * message and all messages of the newest and the oldest, what changed since.
 */
#include "common/clock.h"
#include "common/control_record.h"
#include "common/log.h"
#include "snapd/snapd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ACCEPTS = 10000,
	BATCH = 500,
	MARKS = 1000,
	LISTINGS = 20,
	ASKED = 2,
	CHANGES = 1000
};

struct bench {
	struct event_loop *loop;
	struct snapd *snapd;
	struct channel *queue, *worker, *control;
	unsigned int sent, answered, wanted;
	void (*next)(struct bench *bench);
	uint64_t sequence;
	uint64_t as_of;
	uint64_t counter;
	struct message question;
	unsigned int rows; /* of the last answer */
	unsigned int marks, messages;
};

static char body[4096];

static void
check(int status)
{
	if (status != STATUS_OK)
		fatal("status %d", status);
}

static void
received(
    struct channel *channel, const struct message *m, int *fds, void *context)
{
	struct bench *bench = context;

	if (m->type == MESSAGE_control_row) {
		bench->rows++;
		return;
	}
	if (m->type == MESSAGE_accepted)
		check(m->accepted.status);
	else if (m->type == MESSAGE_batch_done)
		check(m->batch_done.status);
	else if (m->type == MESSAGE_control_done)
		check(m->control_done.status);
	else if (m->type == MESSAGE_listing)
		check(m->listing.status);
	if (m->type == MESSAGE_batch_done)
		bench->sequence = m->batch_done.sequence;
	if (++bench->answered == bench->wanted)
		event_loop_stop(bench->loop);
	else if (bench->sent < bench->wanted)
		bench->next(bench);
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	fatal("channel: %s", error->text);
}

static const struct channel_handler handler = { received, closed };

static struct channel *
connect_peer(struct bench *bench, enum role role)
{
	struct error error;
	int ends[2];

	if (channel_pair(ends, &error) != 0)
		fatal("%s", error.text);
	snapd_add_channel(bench->snapd, ends[0], role, 1);
	return channel_new(
	    bench->loop, ends[1], role, ROLE_SNAPD, &handler, bench);
}

static void
say(struct channel *channel, const struct message *m)
{
	if (channel_send(channel, m, NULL, 0) != 0)
		fatal("not sent");
}

/* Seconds for `count` answers with so many outstanding. */
static double
run(struct bench *bench, void (*next)(struct bench *bench), unsigned int count,
    unsigned int outstanding)
{
	int64_t start = clock_monotonic_us();

	bench->next = next;
	bench->sent = bench->answered = 0;
	bench->wanted = count;
	while (bench->sent < outstanding && bench->sent < count)
		next(bench);
	event_loop_run(bench->loop);
	return (double)(clock_monotonic_us() - start) / 1e6;
}

static struct delivery_id
fresh_delivery(void)
{
	static uint64_t number;
	struct delivery_id delivery = { { 0 } };

	number++;
	memcpy(delivery.bytes, &number, sizeof(number));
	memcpy(body, &number, sizeof(number));
	return delivery;
}

static void
send_accept(struct bench *bench)
{
	struct recipient_record recipient = { 1, TEXT("a@demo.test") };
	struct message m = { .type = MESSAGE_accept };
	uint8_t recipients[100];
	struct writer w;

	writer_init(&w, recipients, sizeof(recipients));
	record_put_recipient(&w, &recipient);
	m.accept.delivery = fresh_delivery();
	m.accept.recipients = text_make(recipients, w.size);
	m.accept.data = text_make(body, sizeof(body));
	m.accept.size = sizeof(body);
	bench->sent++;
	say(bench->queue, &m);
}

static void
send_batch(struct bench *bench)
{
	struct message m = { .type = MESSAGE_batch_begin };
	unsigned int i;

	m.batch_begin.counter = ++bench->counter;
	say(bench->worker, &m);
	for (i = 0; i < BATCH; i++) {
		m = (struct message){ .type = MESSAGE_change_append };
		m.change_append.delivery = fresh_delivery();
		m.change_append.mailbox = 1;
		m.change_append.data = text_make(body, 100);
		m.change_append.size = 100;
		say(bench->worker, &m);
	}
	m = (struct message){ .type = MESSAGE_batch_commit };
	m.batch_commit.counter = bench->counter;
	bench->sent++;
	say(bench->worker, &m);
}

static void
send_mark(struct bench *bench)
{
	struct message m = { .type = MESSAGE_control_create };

	bench->sent++;
	say(bench->control, &m);
}

static void
send_list(struct bench *bench)
{
	struct message m = { .type = MESSAGE_list_messages };

	m.list_messages.mailbox = 1;
	m.list_messages.as_of = bench->as_of;
	bench->sent++;
	say(bench->worker, &m);
}

static void
send_account(struct bench *bench)
{
	struct message m = { .type = MESSAGE_control_account_create };

	m.control_account_create.account = 1;
	bench->sent++;
	say(bench->control, &m);
}

static void
measure(struct bench *bench, unsigned int messages)
{
	double s;

	run(bench, send_account, 1, 1);
	s = run(bench, send_accept, ACCEPTS, 50);
	printf("accept 4 KiB, 50 outstanding: %.0f/s\n", ACCEPTS / s);
	s = run(bench, send_accept, 1000, 1);
	printf("accept 4 KiB, 1 outstanding: %.0f/s\n", 1000 / s);
	s = run(bench, send_batch, messages / BATCH, 1);
	printf("append in batches of 500: %.0f/s\n", messages / s);
	s = run(bench, send_mark, MARKS, 1);
	printf("mark, %u messages: %.2f ms\n", messages, s * 1e3 / MARKS);
	s = run(bench, send_list, LISTINGS, 1);
	printf("listing now: %.1f ms\n", s * 1e3 / LISTINGS);
	bench->as_of = bench->sequence;
	s = run(bench, send_list, LISTINGS, 1);
	printf(
	    "listing as of %u marks ago: %.1f ms\n", MARKS, s * 1e3 / LISTINGS);
}

/* -- How it grows -- */

/* Each on another message, all over the mailbox. */
static void
send_flag(struct bench *bench)
{
	struct message m = { .type = MESSAGE_batch_begin };
	struct flag_record record = { .flags = FLAG_SEEN };
	uint8_t data[RECORD_FLAGS_SIZE];
	struct writer w;

	record.uid = (uint32_t)(bench->counter * 7919 % bench->messages + 1);
	m.batch_begin.counter = ++bench->counter;
	say(bench->worker, &m);
	writer_init(&w, data, sizeof(data));
	record_put_flags(&w, &record);
	m = (struct message){ .type = MESSAGE_change_flags };
	m.change_flags.mailbox = 1;
	m.change_flags.records = text_make(data, w.size);
	say(bench->worker, &m);
	m = (struct message){ .type = MESSAGE_batch_commit };
	m.batch_commit.counter = bench->counter;
	bench->sent++;
	say(bench->worker, &m);
}

static void
send_named_mark(struct bench *bench)
{
	struct message m = { .type = MESSAGE_control_create };
	char name[32];

	snprintf(name, sizeof(name), "m%u", bench->marks++);
	m.control_create.name = text_of(name);
	bench->sent++;
	say(bench->control, &m);
}

static void
send_question(struct bench *bench)
{
	bench->sent++;
	bench->rows = 0;
	say(bench->control, &bench->question);
}

static void
print_figure(const struct bench *bench, const char *name, double seconds)
{
	printf("%s\t%u\t%u\t%.3f\n", name, bench->messages, bench->marks,
	    seconds * 1e3);
	fflush(stdout);
}

/* The best of some: what else the machine does only adds. */
static void
ask(struct bench *bench, const char *name, unsigned int rows)
{
	double best = 1e9, s;
	unsigned int i;

	for (i = 0; i < ASKED; i++) {
		s = run(bench, send_question, 1, 1);
		best = s < best ? s : best;
	}
	if (bench->rows != rows)
		fatal("%s: %u rows, not %u", name, bench->rows, rows);
	print_figure(bench, name, best);
}

static void
ask_as_of(struct bench *bench, const char *name, unsigned int mark,
    uint32_t uid, unsigned int rows)
{
	struct message_control_ls *ls = &bench->question.control_ls;
	char text[32];

	snprintf(text, sizeof(text), "m%u", mark);
	bench->question = (struct message){ .type = MESSAGE_control_ls };
	ls->point_kind = POINT_NAMED;
	ls->point_name = text_of(text);
	ls->account = 1;
	ls->mailbox = TEXT("INBOX");
	ls->uid = uid;
	ask(bench, name, rows);
}

static void
ask_difference(
    struct bench *bench, const char *name, unsigned int from, unsigned int rows)
{
	struct message_control_diff *diff = &bench->question.control_diff;
	char text[32];

	snprintf(text, sizeof(text), "m%u", from);
	bench->question = (struct message){ .type = MESSAGE_control_diff };
	diff->from_kind = POINT_NAMED;
	diff->from_name = text_of(text);
	diff->to_kind = POINT_NOW;
	diff->account = 1;
	ask(bench, name, rows);
}

/* Marks in up to 1,000 groups, a flag changed before each. */
static unsigned int
make_marks(struct bench *bench, unsigned int marks)
{
	unsigned int groups = marks < CHANGES ? marks : CHANGES, i;

	for (i = 0; i < groups; i++) {
		run(bench, send_flag, 1, 1);
		run(bench, send_named_mark, marks / groups, 50);
	}
	return groups;
}

static void
measure_growth(struct bench *bench, unsigned int messages, unsigned int marks)
{
	unsigned int groups, each;
	double s;

	bench->messages = messages;
	run(bench, send_account, 1, 1);
	s = run(bench, send_batch, messages / BATCH, 1);
	print_figure(bench, "capture of 1,000", s * 1000 / messages);
	groups = make_marks(bench, marks);
	each = marks / groups;
	s = run(bench, send_mark, LISTINGS, 1);
	print_figure(bench, "create", s / LISTINGS);
	bench->question = (struct message){ .type = MESSAGE_control_list };
	ask(bench, "list", marks + LISTINGS);
	ask_as_of(bench, "ls one message, newest", marks - 1, messages / 2, 1);
	ask_as_of(bench, "ls one message, oldest", 0, messages / 2, 1);
	ask_as_of(bench, "ls, newest", marks - 1, 0, messages);
	ask_as_of(bench, "ls, oldest", 0, 0, messages);
	ask_difference(bench, "diff, no change", marks - 1, 0);
	ask_difference(bench, "diff, 1 change", (groups - 2) * each, 1);
	ask_difference(bench, "diff, 9 changes", (groups - 10) * each, 9);
	if (groups == CHANGES)
		ask_difference(bench, "diff, 999 changes", 0, CHANGES - 1);
}

int
main(int argc, char **argv)
{
	struct snapd_options options = { .path = "." };
	struct bench bench = { .as_of = 0 };
	struct store_id id;
	struct error error;
	char hex[33];
	int fd;

	if (argc < 2)
		fatal("usage: store_bench DIR [MESSAGES [MARKS]]");
	log_set_level(LOG_LEVEL_ERROR);
	fd = open(argv[1], O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || store_create(fd, &id, &error) != 0)
		fatal("%s: cannot make a store", argv[1]);
	close(fd);
	text_format_hex(id.bytes, sizeof(id.bytes), hex);
	options.store_id = hex;
	bench.loop = event_loop_new();
	bench.snapd = snapd_new(bench.loop, &options);
	bench.queue = connect_peer(&bench, ROLE_QUEUE);
	bench.worker = connect_peer(&bench, ROLE_WORKER);
	bench.control = connect_peer(&bench, ROLE_SNAPCTL);
	channel_set_limit(bench.worker, 64 << 20);
	if (argc > 3)
		measure_growth(&bench, (unsigned int)atoi(argv[2]),
		    (unsigned int)atoi(argv[3]));
	else
		measure(
		    &bench, argc > 2 ? (unsigned int)atoi(argv[2]) : 100000);
	snapd_free(&bench.snapd);
	channel_free(&bench.queue);
	channel_free(&bench.worker);
	channel_free(&bench.control);
	event_loop_free(&bench.loop);
	return 0;
}
