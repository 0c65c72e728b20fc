/*
 * The worker's end of the channel to the store, with the test at the other end:
 * what is under way while changes are listed.
 */
#include "common/event_loop.h"
#include "imapd/store_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 60000
};

/* What came to the store: B a batch, C the question about changes; what was
 * told: b a commit, c the listing. */
static struct fixture {
	struct event_loop *loop;
	struct timer *deadline;
	struct channel *snapd;
	struct store_client *client;
	char events[32];
	uint64_t counter, tag;
} fixture;

static void
note(char event)
{
	fixture.events[strlen(fixture.events)] = event;
	event_loop_stop(fixture.loop);
}

static void
at_store(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message state = { .type = MESSAGE_account_state };

	if (message->type == MESSAGE_worker_hello) {
		state.account_state.tag = message->worker_hello.tag;
		channel_send(channel, &state, NULL, 0);
	} else if (message->type == MESSAGE_batch_commit) {
		fixture.counter = message->batch_commit.counter;
		note('B');
	} else if (message->type == MESSAGE_list_changes) {
		fixture.tag = message->list_changes.tag;
		note('C');
	}
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	fail_msg("channel closed: %s", error->text);
}

static bool
trusts(const struct store_state *state, void *context)
{
	return true;
}

static void
greeted(const struct store_state *state, void *context)
{
	note('g');
}

static void
catch_up(
    uint64_t tag, uint64_t sequence, enum catch_up_files files, void *context)
{
}

static void
away(void *context)
{
}

static void
too_late(void *context)
{
	fail_msg("not before the deadline: %s", fixture.events);
}

static void
wait_for(const char *events)
{
	timer_start(fixture.deadline, DEADLINE_MS);
	while (strlen(fixture.events) < strlen(events))
		event_loop_run(fixture.loop);
	timer_stop(fixture.deadline);
	assert_string_equal(fixture.events, events);
}

static void
committed(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	assert_int_equal(status, STATUS_OK);
	note('b');
}

static void
listed(enum status status, uint64_t sequence, struct text data, void *context)
{
	assert_int_equal(status, STATUS_OK);
	note('c');
}

static void
commit(void)
{
	const struct change_note nobody = { 0 };
	struct store_batch *batch = store_batch_new(&nobody);

	store_client_commit(fixture.client, &batch, committed, NULL);
}

static void
answer_batch(void)
{
	struct message done = { .type = MESSAGE_batch_done };

	done.batch_done.counter = fixture.counter;
	channel_send(fixture.snapd, &done, NULL, 0);
}

static int
set_up(void **state)
{
	static const struct store_client_handler handler = { trusts, greeted,
		catch_up, away };
	static const struct channel_handler at_snapd = { at_store, closed };
	struct error error;
	int ends[2];

	memset(&fixture, 0, sizeof(fixture));
	fixture.loop = event_loop_new();
	fixture.deadline = timer_new(fixture.loop, too_late, NULL);
	assert_int_equal(channel_pair(ends, &error), 0);
	fixture.snapd = channel_new(
	    fixture.loop, ends[0], ROLE_SNAPD, ROLE_WORKER, &at_snapd, NULL);
	fixture.client = store_client_new(fixture.loop, &handler, NULL);
	store_client_attach(fixture.client, ends[1]);
	store_client_greet(fixture.client);
	wait_for("g");
	return 0;
}

static int
tear_down(void **state)
{
	store_client_free(&fixture.client);
	channel_free(&fixture.snapd);
	timer_free(&fixture.deadline);
	event_loop_free(&fixture.loop);
	return 0;
}

/* A listing that comes behind a commit which it does not know of would bring
 * back what that one expunged. */
static void
no_batch_is_under_way_while_changes_are_listed(void **state)
{
	struct message listing = { .type = MESSAGE_listing };

	commit();
	store_list_changes(fixture.client, 0, listed, NULL);
	commit();
	wait_for("gB");
	answer_batch();
	wait_for("gBbC");
	listing.listing.tag = fixture.tag;
	channel_send(fixture.snapd, &listing, NULL, 0);
	wait_for("gBbCcB");
	answer_batch();
	wait_for("gBbCcBb");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    no_batch_is_under_way_while_changes_are_listed, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
