/* See reconcile.h. */
#include "snapd/reconcile.h"

#include "common/clock.h"
#include "common/control_record.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/table.h"
#include "snapd/control.h"
#include "snapd/store.h"

#include <stdlib.h>

enum {
	TICK_MS = 5000,        /* progress is said, */
	TURN_EVERY_TICKS = 12, /* and whose turn it is is looked up */
	RUNNING_BY_TURN = 2,   /* at a time */
	QUEUED_BY_TURN = 10000,
	START_TICKS = 12, /* that a worker may take to come, */
	MARK_TICKS = 12,  /* and that a mark waits for what it finds */
	LOST_MAX = 5      /* workers in a row that got nothing done */
};

/* A look is told from a restore's by its tag. */
#define TAG_OURS (UINT64_C(1) << 63)

enum look_state {
	LOOK_QUEUED,
	LOOK_STARTING, /* the worker was asked for */
	LOOK_LOOKING
};

/* Of one account; those behind its first one wait for that. */
struct look {
	struct look *next;
	uint32_t account;
	enum catch_up_files files;
	struct wanted_mark *mark; /* NULL: only a look was asked for */
	uint64_t client;          /* 0: nobody waits, it was its turn */
	uint64_t tag;             /* of the client */
	uint64_t catch_up_tag;
	enum look_state state;
	unsigned int ticks;
	bool was_looking;  /* a worker was asked before */
	unsigned int lost; /* workers, since one of them committed something */
};

struct reconciler {
	struct snapd *snapd;
	struct timer *timer;
	struct look *looks;
	uint32_t every_s;
	int64_t tick_ms;
	int64_t started_us;
	uint64_t seen_s; /* whose turn came up to here was queued */
	uint64_t last_tag;
	unsigned int ticks;
};

bool
reconcile_is_due(
    uint32_t account, uint64_t after_s, uint64_t now_s, uint32_t every_s)
{
	static const uint8_t key[16] = { "whose turn it is" };
	uint64_t slot = table_siphash(key, &account, sizeof(account)) % every_s;

	return now_s >= slot &&
	       slot + (now_s - slot) / every_s * every_s > after_s;
}

/* -- One look -- */

static struct look *
find_look(struct reconciler *r, uint32_t account)
{
	struct look *look = r->looks;

	while (look != NULL && look->account != account)
		look = look->next;
	return look;
}

static void
free_look(struct look *look)
{
	control_forget_mark(&look->mark);
	free(look);
}

static void
answer(struct client *client, const struct look *look, enum status status)
{
	struct message done = { .type = MESSAGE_control_done };

	client->is_asking = false;
	if (look->mark != NULL) {
		control_make_mark(client, look->mark, status);
		return;
	}
	done.control_done.tag = look->tag;
	done.control_done.status = (uint8_t)status;
	(void)channel_send(client->channel, &done, NULL, 0);
}

static void
end_look(struct reconciler *r, struct look *look, enum status status)
{
	struct client *client = snapd_client(r->snapd, look->client);
	struct look **at = &r->looks;

	while (*at != look)
		at = &(*at)->next;
	*at = look->next;
	if (client != NULL)
		answer(client, look, status);
	else if (status != STATUS_OK)
		log_warning("reconcile", "account=%u status=%s", look->account,
		    status_name(status));
	free_look(look);
}

static void
ask_worker(struct reconciler *r, struct look *look, struct client *worker)
{
	struct message message = { .type = MESSAGE_catch_up };

	look->catch_up_tag = TAG_OURS | ++r->last_tag;
	look->state = LOOK_LOOKING;
	look->was_looking = true;
	message.catch_up.tag = look->catch_up_tag;
	message.catch_up.sequence = snapd_journal(r->snapd)->committed.sequence;
	message.catch_up.check_files = (uint8_t)look->files;
	if (channel_send(worker->channel, &message, NULL, 0) != 0)
		end_look(r, look, STATUS_UNAVAILABLE);
}

/* The broker hears of it also if the worker is there: it retires one that told
 * it that it idles, and would in the middle of a look that it knows nothing of.
 */
static void
begin_look(struct reconciler *r, struct look *look)
{
	struct client *worker = snapd_worker(r->snapd, look->account);

	look->ticks = 0;
	look->state = LOOK_STARTING;
	if (snapd_journal(r->snapd) == NULL ||
	    snapd_start_worker(r->snapd, look->account) != 0)
		end_look(r, look, STATUS_UNAVAILABLE);
	else if (worker != NULL)
		ask_worker(r, look, worker);
}

static struct look *
add_look(struct reconciler *r, uint32_t account, enum catch_up_files files)
{
	struct look **end = &r->looks;
	struct look *look = memory_new(1, sizeof(*look));

	while (*end != NULL)
		end = &(*end)->next;
	look->account = account;
	look->files = files;
	*end = look;
	return look;
}

/* -- Turns -- */

/* Those that somebody asked for as soon as their account's others are over. */
static void
begin_queued(struct reconciler *r)
{
	unsigned int running = 0;
	struct look *next;

	for (struct look *look = r->looks; look != NULL; look = look->next)
		running += look->client == 0 && look->state != LOOK_QUEUED;
	for (struct look *look = r->looks; look != NULL; look = next) {
		next = look->next;
		if (look->state != LOOK_QUEUED ||
		    (look->client == 0 && running >= RUNNING_BY_TURN) ||
		    find_look(r, look->account) != look)
			continue;
		running += look->client == 0;
		begin_look(r, look);
	}
}

/* Accounts whose turn it is; those with a worker notice for themselves what
 * inotify shows, and are looked at all the same: it may have overlooked. */
static void
queue_turns(struct reconciler *r, uint64_t now_s)
{
	struct journal *journal = snapd_journal(r->snapd);
	struct key from = { .size = 0 };
	struct transaction *t = NULL;
	struct cursor *cursor = NULL;
	struct text key, value;
	struct error error;
	size_t count = 0;

	if (journal != NULL)
		t = transaction_begin(journal->store, false, &error);
	if (t != NULL)
		cursor = cursor_open(t, DB_ACCOUNT, &from, &error);
	while (cursor != NULL && count < QUEUED_BY_TURN &&
	       cursor_next(cursor, &key, &value, &error) == 1) {
		uint32_t account = key_u32_at(key, 0);

		if (account == ACCOUNT_SERVICE ||
		    !reconcile_is_due(account, r->seen_s, now_s, r->every_s) ||
		    find_look(r, account) != NULL)
			continue;
		add_look(r, account, CATCH_UP_ALL);
		count++;
	}
	cursor_close(&cursor);
	transaction_abort(&t);
	r->seen_s = now_s;
}

static void
send_progress(struct reconciler *r, const struct look *look)
{
	struct control_progress progress = { .what = TEXT("looking") };
	struct client *client = snapd_client(r->snapd, look->client);
	struct message row = { .type = MESSAGE_control_row };
	uint8_t data[100];
	struct writer w;

	if (client == NULL)
		return;
	writer_init(&w, data, sizeof(data));
	control_put_progress(&w, &progress);
	row.control_row.tag = look->tag;
	row.control_row.kind = CONTROL_PROGRESS;
	row.control_row.record = text_make(w.data, w.size);
	(void)channel_send(client->channel, &row, NULL, 0);
}

/* A worker that was taken over and never answers keeps nobody from a mark. */
static bool
is_over(struct look *look)
{
	if (look->state == LOOK_STARTING)
		return ++look->ticks == START_TICKS;
	return look->state == LOOK_LOOKING && look->mark != NULL &&
	       ++look->ticks == MARK_TICKS;
}

static void
tick(void *context)
{
	struct reconciler *r = context;
	struct look *next;

	for (struct look *look = r->looks; look != NULL; look = next) {
		next = look->next;
		send_progress(r, look);
		if (is_over(look))
			end_look(r, look, STATUS_UNAVAILABLE);
		else if (look->state == LOOK_STARTING)
			/* The broker may not have seen yet that the last one is
			 * gone, and have started none. */
			(void)snapd_start_worker(r->snapd, look->account);
	}
	if (++r->ticks % TURN_EVERY_TICKS == 0)
		queue_turns(r,
		    (uint64_t)(clock_monotonic_us() - r->started_us) / 1000000);
	begin_queued(r);
	timer_start(r->timer, r->tick_ms);
}

/* -- Workers -- */

void
reconcile_worker_there(struct reconciler *r, uint32_t account)
{
	struct look *look = find_look(r, account);
	struct client *worker = snapd_worker(r->snapd, account);

	if (look != NULL && look->state == LOOK_STARTING && worker != NULL)
		ask_worker(r, look, worker);
}

/* It goes on with the next one, which adopts what the last one did not: one
 * that was retired, or crashed, in the middle of much mail must not end an
 * import. */
void
reconcile_worker_gone(
    struct reconciler *r, uint32_t account, bool has_committed)
{
	struct look *look = find_look(r, account);

	if (look == NULL || look->state != LOOK_LOOKING)
		return;
	look->lost = has_committed ? 0 : look->lost + 1;
	if (look->lost == LOST_MAX)
		end_look(r, look, STATUS_UNAVAILABLE);
	else
		begin_look(r, look);
	begin_queued(r);
}

/* Who waits may ask again; whose turn it was has another. A worker that comes
 * after one that is gone has START_TICKS: the broker lets it rest after a
 * crash.
 */
void
reconcile_worker_failed(struct reconciler *r, uint32_t account)
{
	struct look *look = find_look(r, account);

	if (look == NULL || look->state != LOOK_STARTING || look->was_looking)
		return;
	end_look(r, look, STATUS_UNAVAILABLE);
	begin_queued(r);
}

bool
reconcile_caught_up(struct reconciler *r, uint32_t account,
    const struct message_caught_up *caught_up)
{
	struct look *look = find_look(r, account);

	if ((caught_up->tag & TAG_OURS) == 0)
		return false;
	if (look == NULL || look->state != LOOK_LOOKING ||
	    look->catch_up_tag != caught_up->tag)
		return true;
	end_look(r, look, (enum status)caught_up->status);
	begin_queued(r);
	return true;
}

/* Somebody waits for a look at the whole of it. */
static bool
is_waited_for(struct reconciler *r, uint32_t account)
{
	for (struct look *look = r->looks; look != NULL; look = look->next)
		if (look->account == account && look->files == CATCH_UP_ALL &&
		    snapd_client(r->snapd, look->client) != NULL)
			return true;
	return false;
}

/* Behind one that goes on: it may have passed what this one is about. */
static struct look *
add_asked(struct client *client, uint32_t account, enum catch_up_files files)
{
	struct reconciler *r = snapd_reconciler(client->snapd);
	struct look *look = add_look(r, account, files);

	look->client = client->id;
	client->is_asking = true;
	return look;
}

static void
begin_asked(struct client *client, struct look *look)
{
	struct reconciler *r = snapd_reconciler(client->snapd);

	if (find_look(r, look->account) == look)
		begin_look(r, look);
}

void
reconcile_request_received(
    struct client *client, const struct message_control_reconcile *request)
{
	struct reconciler *r = snapd_reconciler(client->snapd);
	struct message done = { .type = MESSAGE_control_done };
	struct look *look;

	if (client->is_asking || is_waited_for(r, request->account)) {
		done.control_done.tag = request->tag;
		done.control_done.status = STATUS_LIMIT;
		done.control_done.text =
		    TEXT("this account is being looked at already");
		(void)channel_send(client->channel, &done, NULL, 0);
		return;
	}
	look = add_asked(client, request->account, CATCH_UP_ALL);
	look->tag = request->tag;
	begin_asked(client, look);
}

void
reconcile_before_mark(
    struct client *client, uint32_t account, struct wanted_mark *mark)
{
	struct look *look = add_asked(client, account, CATCH_UP_CHANGED);

	look->mark = mark;
	begin_asked(client, look);
}

/* Its answer is nobody's. */
void
reconcile_tell_worker(struct snapd *snapd, uint32_t account)
{
	struct message message = { .type = MESSAGE_catch_up };
	struct client *worker = snapd_worker(snapd, account);

	if (worker == NULL)
		return;
	message.catch_up.tag = TAG_OURS | ++snapd_reconciler(snapd)->last_tag;
	message.catch_up.check_files = CATCH_UP_ROWS;
	(void)channel_send(worker->channel, &message, NULL, 0);
}

void
reconciler_configure(struct reconciler *r, uint32_t every_s)
{
	r->every_s = every_s != 0 ? every_s : RECONCILE_EVERY_S;
}

struct reconciler *
reconciler_new(struct snapd *snapd, uint32_t every_s, int64_t tick_ms)
{
	struct reconciler *r = memory_new(1, sizeof(*r));

	r->snapd = snapd;
	reconciler_configure(r, every_s);
	r->tick_ms = tick_ms != 0 ? tick_ms : TICK_MS;
	r->started_us = clock_monotonic_us();
	r->timer = timer_new(snapd_loop(snapd), tick, r);
	timer_start(r->timer, r->tick_ms);
	return r;
}

void
reconciler_free(struct reconciler **reconciler)
{
	struct reconciler *r = *reconciler;
	struct look *look;

	if (r == NULL)
		return;
	while ((look = r->looks) != NULL) {
		r->looks = look->next;
		free_look(look);
	}
	timer_free(&r->timer);
	memory_free(reconciler);
}
