/*
 * A large mailbox in the worker, with the real snapshot process at its side:
 *   worker_bench [messages [bytes]]
 * puts that many files into a Maildir, lets the worker adopt them, and times
 * opening, listing flags, reading parses from the cache, storing a flag on all
 * and expunging all; then looks at the past: the deleted mail, and the mailbox
 * as it was at the first of 1,000 marks.  Prints a line for each.
 */
#include "imapd/message_cache.h"
#include "imapd/snapshot_mailbox.h"
#include "tests/unit/false_store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct bench {
	struct event_loop *loop;
	struct timer *timer;
	struct account_store *account;
	bool has_answer;
	bool (*is_done)(struct bench *bench);
	/* Of the past. */
	struct snapshot_tree trees[2000];
	size_t tree_count;
	size_t tree;
	size_t name_count;
	struct mailbox_view *past;
};

enum {
	MARKS = 1000,
	COPIES = 1000
};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
look(void *context)
{
	struct bench *b = context;

	if (b->is_done(b))
		event_loop_stop(b->loop);
	else
		timer_start(b->timer, 1);
}

static void
wait_for(struct bench *b, bool (*is_done)(struct bench *bench))
{
	b->is_done = is_done;
	timer_start(b->timer, 0);
	event_loop_run(b->loop);
}

static bool
is_idle(struct bench *b)
{
	return account_store_status(b->account) == STATUS_OK &&
	       account_store_is_idle(b->account);
}

static bool
has_answer(struct bench *b)
{
	return b->has_answer;
}

static void
answered(const struct mailbox_answer *answer, void *context)
{
	struct bench *b = context;

	b->has_answer = true;
	if (answer->status != STATUS_OK)
		printf("status %s\n", status_name(answer->status));
}

static void
changed(struct mailbox_view *view, void *context)
{
}

static const struct mailbox_view_handler handler = { changed };

static struct mailbox_view *
open_inbox(struct bench *b)
{
	enum status status;

	return mailbox_view_open(
	    b->account, TEXT("INBOX"), false, &handler, b, &status);
}

static void
make_files(const char *home, int count, int size)
{
	char *body = malloc((size_t)size + 200), path[300];
	static const char *const parts[] = { "", "/cur", "/new", "/tmp" };

	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/Maildir%s", home, parts[i]);
		mkdir(path, 0700);
	}
	for (int i = 0; i < count; i++) {
		int fd, n = sprintf(body,
			    "From: a@demo.test\nTo: b@demo.test\n"
			    "Subject: message %d\nMessage-ID: <%d@demo>\n\n",
			    i, i);

		memset(body + n, 'x', (size_t)size);
		for (int k = n + 70; k < size; k += 70)
			body[k] = '\n';
		snprintf(path, sizeof(path), "%s/Maildir/cur/%d.M%d.h:2,S",
		    home, 1600000000 + i, i);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (write(fd, body, (size_t)(n > size ? n : size)) == -1)
			abort();
		close(fd);
	}
	free(body);
}

static void
say(const char *what, double since)
{
	printf("%-40s %8.1f ms\n", what, (now() - since) * 1000);
	fflush(stdout);
}

static void
read_all(struct mailbox_view *view)
{
	size_t count = mailbox_view_count(view), found = 0, seen = 0;
	double t = now();

	for (size_t n = 1; n <= count; n++) {
		struct mailbox_row row;

		if (mailbox_row(view, mailbox_view_uid(view, n), &row))
			seen += row.flags & FLAG_SEEN;
	}
	say("flags of all", t);
	t = now();
	for (size_t n = 1; n <= count; n++) {
		struct message_cache cache;
		struct text bytes;

		if (mailbox_cache_find(
			view, mailbox_view_uid(view, n), &bytes) &&
		    message_cache_parse(bytes, &cache, NULL) == 0)
			found += cache.envelope.size > 0;
	}
	say("ENVELOPE of all, from the cache", t);
	printf("%zu messages, %zu seen, %zu cached\n", count, seen, found);
}

static void
change_all(struct bench *b, struct mailbox_view *view)
{
	struct flag_change deleted = { .mode = FLAGS_ADD,
		.flags = FLAG_DELETED };
	size_t count = mailbox_view_count(view);
	uint32_t *uids = calloc(count + 1, sizeof(*uids));
	double t = now();

	for (size_t n = 0; n < count; n++)
		uids[n] = mailbox_view_uid(view, n + 1);
	b->has_answer = false;
	mailbox_change_flags(view, uids, count, &deleted, answered, b);
	wait_for(b, has_answer);
	say("a flag on all, with the files' names", t);
	t = now();
	b->has_answer = false;
	mailbox_expunge(view, NULL, 0, answered, b);
	wait_for(b, has_answer);
	say("expunge of all", t);
	free(uids);
}

static void
trees_listed(enum status status, const struct snapshot_tree *trees,
    size_t count, void *context)
{
	struct bench *b = context;

	b->has_answer = true;
	b->tree_count = count < 2000 ? count : 2000;
	memcpy(b->trees, trees, b->tree_count * sizeof(*trees));
}

static void
names_listed(
    enum status status, const struct text *names, size_t count, void *context)
{
	struct bench *b = context;

	b->name_count += count;
	b->has_answer = ++b->tree == b->tree_count;
	if (!b->has_answer)
		snapshot_list_names(
		    b->account, b->trees[b->tree].sequence, names_listed, b);
}

static void
opened(enum status status, struct mailbox_view *view, void *context)
{
	struct bench *b = context;

	b->has_answer = true;
	b->past = view;
	if (status != STATUS_OK)
		printf("status %s\n", status_name(status));
}

static void
open_past(struct bench *b, const char *what, const char *name)
{
	double t = now();

	b->has_answer = false;
	snapshot_open(b->account, text_of(name), &handler, NULL, opened, b);
	wait_for(b, has_answer);
	say(what, t);
	if (b->past != NULL)
		read_all(b->past);
}

static void
look_back(struct bench *b)
{
	uint32_t uids[COPIES];
	char name[200];
	double t = now();

	b->has_answer = false;
	snapshot_list_trees(b->account, trees_listed, b);
	wait_for(b, has_answer);
	printf("%zu snapshots\n", b->tree_count);
	say("kept snapshots listed", t);
	t = now();
	b->has_answer = false;
	snapshot_list_names(b->account, b->trees[0].sequence, names_listed, b);
	wait_for(b, has_answer);
	say("the mailboxes of each", t);
	printf("%zu mailboxes\n", b->name_count);
	snprintf(
	    name, sizeof(name), SNAPSHOT_ROOT "/%s/INBOX", b->trees[0].name);
	open_past(b, "INBOX of the first one opened", name);
	mailbox_view_close(&b->past);
	open_past(b, "deleted mail opened", SNAPSHOT_DELETED_MAIL);
	if (b->past == NULL)
		return;
	for (uint32_t i = 0; i < COPIES; i++)
		uids[i] = mailbox_view_uid(b->past, i + 1);
	t = now();
	b->has_answer = false;
	mailbox_copy(b->past, uids, COPIES, TEXT("INBOX"), false, answered, b);
	wait_for(b, has_answer);
	say("1,000 copied out: durable", t);
	wait_for(b, is_idle);
	say("and their files written", t);
	mailbox_view_close(&b->past);
}

int
main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 100000;
	int size = argc > 2 ? atoi(argv[2]) : 4096;
	char home[] = "/tmp/worker_bench-XXXXXX";
	struct bench b = { .loop = event_loop_new() };
	struct false_store *store = false_store_new(b.loop);
	struct mailbox_view *view;
	double t = now();

	if (mkdtemp(home) == NULL)
		return 1;
	printf("%s: %d files of %d bytes\n", home, count, size);
	make_files(home, count, size);
	say("files written", t);
	b.timer = timer_new(b.loop, look, &b);
	t = now();
	b.account = account_store_new(
	    b.loop, open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	account_store_attach_snapd(b.account, false_store_connect(store));
	wait_for(&b, is_idle);
	say("adopted by worker and store", t);
	account_store_free(&b.account);
	t = now();
	b.account = account_store_new(
	    b.loop, open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	account_store_attach_snapd(b.account, false_store_connect(store));
	wait_for(&b, is_idle);
	say("started again", t);
	t = now();
	view = open_inbox(&b);
	say("mailbox opened", t);
	read_all(view);
	t = now();
	for (int i = 0; i < MARKS; i++)
		false_store_mark(store);
	say("1,000 marks made", t);
	change_all(&b, view);
	mailbox_view_close(&view);
	look_back(&b);
	account_store_free(&b.account);
	false_store_free(&store);
	timer_free(&b.timer);
	event_loop_free(&b.loop);
	return 0;
}
