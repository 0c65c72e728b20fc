/*
 * The steps of stats: how much each account has, and the store.  Rows are
 * counted, mailbox by mailbox, and the rows of bodies after them; no body is
 * read.  What came in the last days are the bodies with a number above all that
 * a row of before refers to: numbers only rise.
 */
#include "snapd/control_steps.h"

#include "common/memory.h"
#include "snapd/as_of.h"
#include "snapd/segment_use.h"

#include <stdlib.h>
#include <string.h>

enum phase {
	PHASE_MAILBOX, /* the next one is looked for */
	PHASE_LIVE,
	PHASE_DEAD,
	PHASE_BODIES,
	PHASE_ANSWER
};

struct control_stats {
	enum phase phase;
	struct control_usage *usages; /* by account */
	size_t count;
	size_t room;
	size_t sent;
	uint32_t account; /* the last one and its last mailbox */
	uint64_t mailbox;
	bool is_retired;
	struct key after; /* the row to go on with */
	uint64_t since;   /* sequence that growth is counted from */
	uint64_t grown_s;
	uint64_t old_body; /* highest number that was referred to then */
	struct control_usage total;
};

void
control_stats_free(struct control_stats **stats)
{
	if (*stats == NULL)
		return;
	free((*stats)->usages);
	memory_free(stats);
}

/* -- Accounts -- */

static struct control_usage *
last_usage(struct control_stats *stats)
{
	return &stats->usages[stats->count - 1];
}

static void
add_account(struct control_stats *stats, uint32_t account)
{
	if (stats->count == stats->room) {
		stats->room = stats->room * 2 + 64;
		stats->usages = memory_resize(
		    stats->usages, stats->room, sizeof(*stats->usages));
	}
	stats->usages[stats->count++] =
	    (struct control_usage){ .account = account };
	stats->account = account;
	stats->mailbox = 0;
}

static int
compare_usage(const void *key, const void *member)
{
	uint32_t account = *(const uint32_t *)key;
	const struct control_usage *usage = member;

	return account < usage->account ? -1 : account > usage->account;
}

static struct control_usage *
find_usage(struct control_stats *stats, uint32_t account)
{
	return stats->count == 0
		   ? NULL
		   : bsearch(&account, stats->usages, stats->count,
			 sizeof(*stats->usages), compare_usage);
}

/* The account's next mailbox, or the next account's first. */
static int
next_mailbox(struct control_job *job, struct transaction *t)
{
	static _Thread_local struct mailbox_row row;
	struct control_stats *stats = job->stats;
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	uint32_t account;
	int got;

	key_put_u32(&from, stats->count == 0 ? job->account : stats->account);
	key_put_u64(&from, stats->mailbox + 1);
	cursor = cursor_open(t, DB_MAILBOX, &from, &job->error);
	if (cursor == NULL)
		return -1;
	got = cursor_next(cursor, &key, &value, &job->error);
	account = got == 1 ? key_u32_at(key, 0) : 0;
	if (got == 1 && job->account != 0 && account != job->account)
		got = 0;
	if (got == 1 && row_decode_mailbox(value, &row, &job->error) != 0)
		got = -1;
	stats->phase = got == 1 ? PHASE_LIVE : PHASE_BODIES;
	stats->after.size = 0;
	if (got == 1) {
		if (stats->count == 0 || account != stats->account)
			add_account(stats, account);
		stats->mailbox = row.record.id;
		stats->is_retired = row.record.is_retired;
		key_put_u64(&stats->after, stats->mailbox);
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

/* -- Messages -- */

static void
count_message(struct control_stats *stats, const struct message_row *row)
{
	struct control_usage *usage = last_usage(stats);
	const struct message_record *record = &row->record;
	bool is_dead = row->died != 0;

	if (record->born <= stats->since && record->blob > stats->old_body)
		stats->old_body = record->blob;
	/* One that changed its flags, or its mailbox, is counted there. */
	if (is_dead && row->death != DEATH_EXPUNGE)
		return;
	if (is_dead || stats->is_retired) {
		usage->kept++;
		usage->kept_bytes += record->stored_size;
	} else {
		usage->messages++;
		usage->bytes += record->stored_size;
		usage->wire_bytes += record->size;
	}
	if (usage->oldest == 0 || record->internaldate < usage->oldest)
		usage->oldest = record->internaldate;
	if (record->internaldate > usage->newest)
		usage->newest = record->internaldate;
}

/* Rows of the mailbox, live or dead ones; then the phase is over. */
static int
step_messages(struct control_job *job, struct transaction *t)
{
	struct control_stats *stats = job->stats;
	bool is_dead = stats->phase == PHASE_DEAD;
	struct text key, value;
	struct message_row row;
	struct cursor *cursor;
	int got;

	cursor = cursor_open(
	    t, is_dead ? DB_DEAD : DB_LIVE, &stats->after, &job->error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, &job->error)) == 1 &&
	       key_u64_at(key, 0) == stats->mailbox) {
		if (++job->looked > CONTROL_STEP_ROWS) {
			stats->after.size = key.size;
			memcpy(stats->after.bytes, key.data, key.size);
			cursor_close(&cursor);
			return 0;
		}
		if ((is_dead ? row_decode_dead : row_decode_live)(
			key, value, &row, &job->error) != 0) {
			got = -1;
			break;
		}
		count_message(stats, &row);
	}
	cursor_close(&cursor);
	stats->phase = is_dead ? PHASE_MAILBOX : PHASE_DEAD;
	stats->after.size = 0;
	key_put_u64(&stats->after, stats->mailbox);
	return got < 0 ? -1 : 0;
}

/* -- Bodies -- */

static void
count_body(
    struct control_stats *stats, uint64_t number, const struct blob_form *body)
{
	struct control_usage *usage = find_usage(stats, body->account);

	/* The bytes are those of its pieces. */
	if (usage == NULL || body->is_pieced)
		return;
	usage->bodies++;
	usage->body_bytes += body->size;
	if (body->is_sealed)
		usage->sealed_bytes += body->size;
	if (number > stats->old_body)
		usage->grown_bytes += body->size;
}

static int
step_bodies(struct control_job *job, struct transaction *t)
{
	struct control_stats *stats = job->stats;
	struct text key, value;
	struct blob_form body;
	struct cursor *cursor;
	int got;

	if (stats->after.size == 0)
		key_put_u64(&stats->after, 0);
	cursor = cursor_open(t, DB_BLOB, &stats->after, &job->error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, &job->error)) == 1 &&
	       job->looked++ < CONTROL_STEP_ROWS) {
		uint64_t number = key_u64_at(key, 0);

		if (blob_form_decode(value, &body) != 0) {
			got = error_set(
			    &job->error, ERROR_DAMAGED, "store: blob row");
			break;
		}
		count_body(stats, number, &body);
		stats->after.size = 0;
		key_put_u64(&stats->after, number + 1);
	}
	cursor_close(&cursor);
	if (got == 0)
		stats->phase = PHASE_ANSWER;
	return got < 0 ? -1 : 0;
}

/* -- The answer -- */

static void
put_usage(struct control_job *job, const struct control_usage *usage)
{
	uint8_t data[100];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	control_put_usage(&w, usage);
	control_put_row(job, CONTROL_USAGE, &w);
}

static void
add_to_total(struct control_usage *total, const struct control_usage *usage)
{
	total->messages += usage->messages;
	total->bytes += usage->bytes;
	total->kept += usage->kept;
	total->kept_bytes += usage->kept_bytes;
	total->bodies += usage->bodies;
	total->body_bytes += usage->body_bytes;
	total->wire_bytes += usage->wire_bytes;
	total->sealed_bytes += usage->sealed_bytes;
	total->grown_bytes += usage->grown_bytes;
	if (usage->oldest != 0 &&
	    (total->oldest == 0 || usage->oldest < total->oldest))
		total->oldest = usage->oldest;
	if (usage->newest > total->newest)
		total->newest = usage->newest;
}

static int
count_segments(
    struct control_job *job, struct transaction *t, struct control_store *store)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct segment_use use;
	struct cursor *cursor;
	int got;

	key_put_u32(&from, 0);
	cursor = cursor_open(t, DB_SEGMENT_USE, &from, &job->error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, &job->error)) == 1) {
		if (segment_use_decode(value, &use) != 0) {
			got = error_set(
			    &job->error, ERROR_DAMAGED, "store: segment row");
			break;
		}
		if (use.state == SEGMENT_DROPPED)
			continue;
		store->segments++;
		store->segment_bytes +=
		    use.values * (uint64_t)SEGMENT_VALUE_SIZE;
		store->packed_bytes += use.live_bytes + use.dead_bytes;
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

static int
put_store(struct control_job *job, struct transaction *t)
{
	struct control_store store = { .index_bytes = job->index_bytes,
		.staged_bytes = store_count(t, DB_CHUNK) * STORE_CHUNK_SIZE,
		.disk_bytes = job->disk_bytes,
		.disk_free_bytes = job->disk_free_bytes,
		.grown_s = job->stats->grown_s };
	uint8_t data[100];
	struct writer w;

	if (count_segments(job, t, &store) != 0)
		return -1;
	writer_init(&w, data, sizeof(data));
	control_put_store(&w, &store);
	control_put_row(job, CONTROL_STORE, &w);
	return 0;
}

static int
step_answer(struct control_job *job, struct transaction *t)
{
	struct control_stats *stats = job->stats;

	while (stats->sent < stats->count && !control_is_step_full(job)) {
		const struct control_usage *usage =
		    &stats->usages[stats->sent++];

		put_usage(job, usage);
		if (usage->account != ACCOUNT_SERVICE)
			add_to_total(&stats->total, usage);
	}
	if (stats->sent < stats->count)
		return 0;
	job->is_done = true;
	if (job->account == 0)
		put_usage(job, &stats->total);
	return put_store(job, t);
}

/* Growth is counted from some days ago on, or from the first event. */
static int
start(struct control_job *job, struct transaction *t)
{
	int64_t from_us = (job->now - (int64_t)job->days * 86400) * 1000000;
	int64_t first_us = job->now * 1000000;
	struct account_row account;
	int found = 1;

	if (job->account != 0)
		found =
		    row_find_account(t, job->account, &account, &job->error);
	if (found == 0)
		return error_set(
		    &job->error, ERROR_MISSING, "there is no such account");
	if (found < 0 || (job->sequence > 0 && as_of_event_time(t, 1, &first_us,
						   &job->error) != 0))
		return -1;
	job->stats = memory_new(1, sizeof(*job->stats));
	if (as_of_sequence_at(t, from_us, &job->stats->since, &job->error) != 0)
		return -1;
	if (from_us < first_us)
		from_us = first_us;
	if (from_us < job->now * 1000000)
		job->stats->grown_s =
		    (uint64_t)(job->now * 1000000 - from_us) / 1000000;
	return 0;
}

int
control_step_stats(struct control_job *job, struct transaction *t)
{
	int result = 0;

	if (job->stats == NULL && start(job, t) != 0)
		return -1;
	job->looked = 0;
	while (result == 0 && !job->is_done && !control_is_step_full(job) &&
	       job->looked < CONTROL_STEP_ROWS) {
		job->looked++;
		switch (job->stats->phase) {
		case PHASE_MAILBOX:
			result = next_mailbox(job, t);
			break;
		case PHASE_LIVE:
		case PHASE_DEAD:
			result = step_messages(job, t);
			break;
		case PHASE_BODIES:
			result = step_bodies(job, t);
			break;
		case PHASE_ANSWER:
			result = step_answer(job, t);
			break;
		}
	}
	return result;
}
