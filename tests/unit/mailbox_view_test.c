/*
 * What sessions of one mailbox are told, beside a model: each client keeps an
 * array of UIDs, changed by its updates alone, and must see in its view what it
 * was told.  Some are told of expunges late, some are opened anew, or sleep and
 * are woken, while messages come, go and change their flags.
 */
#include "tests/unit/account_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	CLIENTS = 4,
	MOST = 300,
	TAKEN_TOGETHER = 2
};

struct client {
	struct mailbox_view *view;
	uint32_t uids[MOST]; /* as it was told */
	size_t count;
};

static void
told_changed(struct mailbox_view *view, void *context)
{
}

static const struct mailbox_view_handler handler = { told_changed };

static void
open_client(struct world *w, struct client *c)
{
	mailbox_view_close(&c->view);
	c->view = open_view(w, "INBOX");
	c->count = mailbox_view_count(c->view);
	for (size_t n = 1; n <= c->count; n++)
		c->uids[n - 1] = mailbox_view_uid(c->view, n);
}

static void
forget(struct client *c, size_t number)
{
	assert_true(number >= 1 && number <= c->count);
	c->count--;
	memmove(&c->uids[number - 1], &c->uids[number],
	    (c->count - number + 1) * sizeof(c->uids[0]));
}

/* As a client with QRESYNC is told. */
static void
take_vanished(struct client *c)
{
	uint32_t uids[MOST];
	size_t count;

	while ((count = mailbox_view_take_expunged(
		    c->view, uids, TAKEN_TOGETHER)) > 0) {
		assert_true(count <= TAKEN_TOGETHER);
		for (size_t i = 0; i < count; i++) {
			size_t at = 0;

			while (at < c->count && c->uids[at] != uids[i])
				at++;
			forget(c, at + 1);
		}
	}
}

static void
take_updates(struct client *c, bool may_expunge)
{
	struct mailbox_update update;

	while (mailbox_view_next_update(c->view, may_expunge, &update)) {
		if (update.kind == UPDATE_EXPUNGE) {
			assert_true(may_expunge);
			assert_int_equal(
			    c->uids[update.number - 1], update.uid);
			forget(c, update.number);
		} else if (update.kind == UPDATE_EXISTS) {
			while (c->count < update.number) {
				c->uids[c->count] =
				    mailbox_view_uid(c->view, c->count + 1);
				c->count++;
			}
		} else if (update.kind == UPDATE_FLAGS) {
			assert_int_equal(
			    c->uids[update.number - 1], update.uid);
		}
	}
}

static void
check_client(struct client *c)
{
	assert_int_equal(mailbox_view_count(c->view), c->count);
	for (size_t n = 1; n <= c->count; n++) {
		uint32_t uid = c->uids[n - 1];

		assert_true(n == 1 || uid > c->uids[n - 2]);
		assert_int_equal(mailbox_view_uid(c->view, n), uid);
		assert_int_equal(mailbox_view_number(c->view, uid), n);
	}
	assert_int_equal(mailbox_view_uid(c->view, c->count + 1), 0);
	assert_int_equal(
	    mailbox_view_number_from(c->view, UINT32_MAX), c->count + 1);
}

static void
sleep_and_wake(struct world *w, struct client *c)
{
	struct pool *pool = pool_new();
	struct mailbox_memory memory = { 0 };
	enum status status;

	mailbox_view_remember(c->view, pool, &memory);
	mailbox_view_close(&c->view);
	c->view =
	    mailbox_view_recall(w->account, &memory, &handler, w, &status);
	assert_non_null(c->view);
	pool_free(&pool);
}

/* Looked for from the first message on. */
static void
check_unseen(struct world *w)
{
	struct mailbox_view *view = open_view(w, "INBOX");
	size_t found = 0, number = mailbox_view_first_unseen(view);
	struct mailbox_row row;

	for (size_t n = mailbox_view_count(view); n > 0; n--)
		if (mailbox_row(view, mailbox_view_uid(view, n), &row) &&
		    !(row.flags & FLAG_SEEN))
			found = n;
	assert_int_equal(number, found);
	mailbox_view_close(&view);
}

static void
change_seen(struct world *w, struct client *c)
{
	struct flag_change change = { .flags = FLAG_SEEN,
		.mode = random() % 4 == 0 ? FLAGS_REMOVE : FLAGS_ADD };
	uint32_t uids[3];
	size_t count = 0;

	for (size_t n = 1 + (size_t)random() % 4; n <= c->count && count < 3;
	     n++)
		uids[count++] = c->uids[n - 1];
	if (count == 0)
		return;
	w->answers = 0;
	mailbox_change_flags(c->view, uids, count, &change, answered, w);
	wait_for(w, has_answer);
}

static void
do_something(struct world *w, struct client *c)
{
	switch (random() % 8) {
	case 0:
	case 1:
		append_to(w, "INBOX", "x\r\n");
		break;
	case 2:
		if (c->count > 0)
			delete_message(
			    w, c->view, c->uids[(size_t)random() % c->count]);
		break;
	case 3:
		change_seen(w, c);
		break;
	case 4:
		take_updates(c, false);
		break;
	case 5:
		take_updates(c, true);
		break;
	case 6:
		take_vanished(c);
		break;
	default:
		if (random() % 3 == 0)
			open_client(w, c);
		else
			sleep_and_wake(w, c);
	}
}

static void
each_client_sees_what_it_was_told(void **state)
{
	struct client *clients = calloc(CLIENTS, sizeof(*clients));
	struct world *w = *state;

	srandom(7);
	for (int i = 0; i < 12; i++)
		append_to(w, "INBOX", "x\r\n");
	for (int i = 0; i < CLIENTS; i++)
		open_client(w, &clients[i]);
	for (int step = 0; step < 400; step++) {
		do_something(w, &clients[random() % CLIENTS]);
		for (int i = 0; i < CLIENTS; i++)
			check_client(&clients[i]);
		check_unseen(w);
	}
	for (int i = 0; i < CLIENTS; i++) {
		struct client now = { 0 };

		take_updates(&clients[i], true);
		open_client(w, &now);
		assert_int_equal(clients[i].count, now.count);
		assert_memory_equal(
		    clients[i].uids, now.uids, now.count * sizeof(now.uids[0]));
		mailbox_view_close(&now.view);
		mailbox_view_close(&clients[i].view);
	}
	free(clients);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    each_client_sees_what_it_was_told, world_setup,
		    world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
