/* See account_world.h. */
#include "tests/unit/account_world.h"

#include "common/event_loop.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 60000
};

static void
late(void *context)
{
	struct world *w = context;

	w->is_late = true;
	event_loop_stop(w->loop);
}

static void
tick(void *context)
{
	struct world *w = context;

	if (w->condition(w))
		event_loop_stop(w->loop);
	else
		timer_start(w->tick, 1);
}

void
wait_for(struct world *w, bool (*condition)(struct world *world))
{
	w->condition = condition;
	w->is_late = false;
	timer_start(w->deadline, DEADLINE_MS);
	timer_start(w->tick, 0);
	event_loop_run(w->loop);
	timer_stop(w->deadline);
	timer_stop(w->tick);
	assert_false(w->is_late);
}

bool
is_ready(struct world *w)
{
	return account_store_status(w->account) == STATUS_OK &&
	       account_store_is_idle(w->account);
}

bool
is_idle(struct world *w)
{
	return account_store_is_idle(w->account);
}

bool
has_answer(struct world *w)
{
	return w->answers > 0;
}

static bool
inbox_has_all(struct world *w)
{
	return message_count(w, "INBOX") == w->wanted && is_idle(w);
}

void
wait_for_count(struct world *w, size_t count)
{
	w->wanted = count;
	wait_for(w, inbox_has_all);
}

void
answered(const struct mailbox_answer *answer, void *context)
{
	struct world *w = context;

	w->answers++;
	w->status = answer->status;
	w->count = answer->count;
	if (answer->count > 0 && answer->target_uids != NULL)
		w->target_uid = answer->target_uids[0];
}

static void
changed(struct mailbox_view *view, void *context)
{
	struct world *w = context;

	w->changed++;
}

static const struct mailbox_view_handler view_handler = { changed };

void
begin_account(struct world *w)
{
	w->account = account_store_new(
	    w->loop, open(w->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	account_store_attach_snapd(w->account, false_store_connect(w->store));
}

void
open_account(struct world *w)
{
	begin_account(w);
	wait_for(w, is_ready);
}

int
world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	scratch_make(w->home, "account_world");
	w->loop = event_loop_new();
	w->deadline = timer_new(w->loop, late, w);
	w->tick = timer_new(w->loop, tick, w);
	w->store = false_store_new(w->loop);
	open_account(w);
	*state = w;
	return 0;
}

int
world_teardown(void **state)
{
	struct world *w = *state;

	account_store_free(&w->account);
	false_store_free(&w->store);
	timer_free(&w->deadline);
	timer_free(&w->tick);
	event_loop_free(&w->loop);
	if (chdir("/tmp") == -1)
		return -1;
	scratch_remove(w->home);
	free(w);
	return 0;
}

void
append_to(struct world *w, const char *mailbox, const char *body)
{
	struct append *append = append_begin(w->account, text_of(mailbox));

	append_message(append, 0, NULL, 0, 1600000000);
	w->answers = 0;
	append_write(append, body, strlen(body));
	append_commit(&append, answered, w);
	wait_for(w, has_answer);
}

struct mailbox_view *
open_view(struct world *w, const char *name)
{
	enum status status;
	struct mailbox_view *view = mailbox_view_open(
	    w->account, text_of(name), false, &view_handler, w, &status);

	assert_non_null(view);
	return view;
}

static void
body_read(enum status status, struct mailbox_body *body, void *context)
{
	struct world *w = context;
	ssize_t n = 0;

	w->answers++;
	w->status = status;
	if (status == STATUS_OK)
		n = pread(body->fd, w->body, sizeof(w->body) - 1, 0);
	w->body[n > 0 ? n : 0] = '\0';
}

void
assert_body(
    struct world *w, struct mailbox_view *view, uint32_t uid, const char *body)
{
	w->answers = 0;
	mailbox_read(view, uid, body_read, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	assert_string_equal(w->body, body);
}

size_t
count_files(struct world *w, const char *folder, char *name)
{
	static const char *const parts[] = { "cur", "new" };
	size_t count = 0;

	for (size_t i = 0; i < 2; i++) {
		char path[600];
		struct dirent *entry;
		DIR *listing;

		snprintf(
		    path, sizeof(path), "%s/%s/%s", w->home, folder, parts[i]);
		listing = opendir(path);
		while (listing != NULL && (entry = readdir(listing)) != NULL)
			if (entry->d_name[0] != '.') {
				count++;
				if (name != NULL)
					snprintf(name, 900, "%s/%s", path,
					    entry->d_name);
			}
		if (listing != NULL)
			closedir(listing);
	}
	return count;
}

void
put_file(struct world *w, const char *name, const char *body)
{
	char path[600];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", w->home, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(body, file);
	fclose(file);
}

/* -- What may happen to it -- */

void
restart(struct world *w)
{
	account_store_free(&w->account);
	open_account(w);
	wait_for(w, is_idle);
}

void
kill_worker(struct world *w)
{
	char line[300], killed[80];

	snprintf(killed, sizeof(killed), "%s.killed", w->home);
	snprintf(line, sizeof(line), "cp -a %s %s", w->home, killed);
	assert_int_equal(system(line), 0);
	false_store_disconnect(w->store);
	account_store_free(&w->account);
	scratch_remove(w->home);
	assert_int_equal(rename(killed, w->home), 0);
}

void
make_directory(struct world *w, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", w->home, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

bool
is_there(struct world *w, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", w->home, name);
	return access(path, F_OK) == 0;
}

void
lose_index(struct world *w)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/index", w->home);
	scratch_remove(path);
	snprintf(path, sizeof(path), "%s/state", w->home);
	assert_int_equal(unlink(path), 0);
}

/* As a power cut leaves it: another boot, not closed. */
void
cut_power(struct world *w)
{
	char path[600], bytes[43] = { 1, 'x' };
	FILE *file;

	snprintf(path, sizeof(path), "%s/state", w->home);
	file = fopen(path, "w");
	assert_int_equal(fwrite(bytes, 1, 43, file), 43);
	fclose(file);
}

void
delete_message(struct world *w, struct mailbox_view *view, uint32_t uid)
{
	struct flag_change change = { .mode = FLAGS_ADD,
		.flags = FLAG_DELETED };

	w->answers = 0;
	mailbox_change_flags(view, &uid, 1, &change, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	w->answers = 0;
	mailbox_expunge(view, NULL, 0, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
}

size_t
message_count(struct world *w, const char *name)
{
	struct mailbox_view *view = open_view(w, name);
	size_t count = mailbox_view_count(view);

	mailbox_view_close(&view);
	return count;
}
