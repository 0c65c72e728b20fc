/*
 * The steps of a proof (common/proof.h): that a message was in the store, or
 * that the log of one head is the beginning of that of another.  The events
 * pass by once, and their hashes are made on the way.
 */
#include "snapd/control_steps.h"

#include "common/memory.h"
#include "common/merkle_log.h"
#include "common/proof.h"
#include "snapd/event_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	DEAD_PREFIX = 9, /* why and when, before the row as it was born */
	STEP_LEAVES = 20000
};

enum proof_state {
	PROOF_BEGINS,
	PROOF_ENTRIES,
	PROOF_LEAVES
};

struct control_proof {
	enum proof_state state;
	struct merkle_plan plan;
	uint64_t events; /* leaves that pass by */
	uint8_t head[HEAD_SIZE];
	struct key entry; /* the next one */
};

void
control_proof_free(struct control_proof **proof)
{
	memory_free(proof);
}

/* -- Lines -- */

static void
put_line(
    struct control_job *job, const char *word, struct text a, struct text b)
{
	static _Thread_local char line[PROOF_MAX_LINE + 2];
	size_t size = strlen(word);

	if (size + 2 * (a.size + b.size) + 4 > sizeof(line))
		return;
	memcpy(line, word, size);
	line[size++] = ' ';
	text_format_hex(a.data, a.size, line + size);
	size += 2 * a.size;
	if (b.size > 0) {
		line[size++] = ' ';
		text_format_hex(b.data, b.size, line + size);
		size += 2 * b.size;
	}
	line[size++] = '\n';
	control_put_bytes(job, CONTROL_PROOF, text_make(line, size));
}

static void
put_hex(struct control_job *job, const char *word, struct text bytes)
{
	put_line(job, word, bytes, text_make(NULL, 0));
}

static void
put_words(struct control_job *job, const char *words)
{
	control_put_bytes(job, CONTROL_PROOF, text_of(words));
}

static void
put_number(struct control_job *job, const char *word, uint64_t number)
{
	char line[60];

	snprintf(line, sizeof(line), "%s %" PRIu64 "\n", word, number);
	put_words(job, line);
}

/* -- The beginning -- */

static int
put_store(struct control_job *job, struct transaction *t, const char *first)
{
	struct key id = { "store_id", 8 }, key = { "signing_key", 11 };
	struct text value;

	put_words(job, first);
	if (store_get(t, DB_META, &id, &value, &job->error) != 1)
		return -1;
	put_hex(job, "store", text_skip(value, 1));
	if (store_get(t, DB_META, &key, &value, &job->error) != 1)
		return -1;
	/* The public half, and no other. */
	put_hex(job, "key",
	    text_make(value.data + 1 + HEAD_KEY_SIZE, HEAD_KEY_SIZE));
	return 0;
}

/* The first head that covers the sequence, or the newest. */
static int
find_head(struct control_job *job, struct transaction *t, uint64_t sequence,
    uint8_t to[HEAD_SIZE], uint64_t *events)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	key_put_u64(&from, sequence);
	cursor = cursor_open(t, DB_HEAD, &from, &job->error);
	if (cursor == NULL)
		return -1;
	got = cursor_next(cursor, &key, &value, &job->error);
	if (got == 1 && value.size == HEAD_SIZE) {
		memcpy(to, value.data, HEAD_SIZE);
		*events = key_u64_at(key, 0);
	}
	cursor_close(&cursor);
	if (got != 1)
		return got < 0 ? -1
			       : error_set(&job->error, ERROR_UNAVAILABLE,
				     "no head is signed over that yet");
	return 0;
}

static int
put_row(struct control_job *job, struct transaction *t,
    const struct message_row *row)
{
	struct key key = { .size = 0 };
	struct text value;

	key_put_u64(&key, row->record.mailbox);
	if (row->died != 0)
		key_put_u64(&key, row->died);
	key_put_u32(&key, row->record.uid);
	if (store_get(t, row->died != 0 ? DB_DEAD : DB_LIVE, &key, &value,
		&job->error) != 1)
		return -1;
	put_hex(job, "row", text_skip(value, row->died ? DEAD_PREFIX : 0));
	return 0;
}

static int
put_leaf(struct control_job *job, struct transaction *t, uint64_t sequence)
{
	struct key key = { .size = 0 };
	struct text value;

	key_put_u64(&key, sequence);
	if (store_get(t, DB_LOG, &key, &value, &job->error) != 1)
		return -1;
	put_hex(job, "leaf", value);
	return 0;
}

static int
begin_message(struct control_job *job, struct transaction *t,
    const struct message_row *row)
{
	struct control_proof *proof = job->proof;
	uint64_t born = row->record.born;

	if (put_store(job, t, "firnmail-proof 1\n") != 0)
		return -1;
	put_number(job, "account", job->account);
	put_number(job, "mailbox", row->record.mailbox);
	put_number(job, "uid", row->record.uid);
	put_number(job, "event", born);
	if (put_row(job, t, row) != 0 || put_leaf(job, t, born) != 0 ||
	    find_head(job, t, born, proof->head, &proof->events) != 0)
		return -1;
	event_entry_key(&proof->entry, job->account, born, 0, 0);
	merkle_plan_inclusion(&proof->plan, born - 1, proof->events);
	proof->state = PROOF_ENTRIES;
	return 0;
}

static int
find_message(struct control_job *job, struct transaction *t)
{
	enum walk_event event;
	struct message_row row;
	int result = -1;

	if (walk_resume(&job->walk, t, &job->error) != 0)
		return -1;
	do
		event = walk_next(&job->walk, &row, &job->error);
	while (
	    event != WALK_MESSAGE && event != WALK_END && event != WALK_FAILED);
	if (event == WALK_MESSAGE)
		result = begin_message(job, t, &row);
	else if (event == WALK_END)
		error_set(&job->error, ERROR_MISSING, "no such message then");
	walk_pause(&job->walk);
	return result;
}

static int
begin_heads(struct control_job *job, struct transaction *t)
{
	struct control_proof *proof = job->proof;
	uint64_t first = job->sequence, second = job->to_sequence, before;
	uint8_t older[HEAD_SIZE];

	if (first > second) {
		first = job->to_sequence;
		second = job->sequence;
	}
	if (put_store(job, t, "firnmail-consistency 1\n") != 0 ||
	    find_head(job, t, first, older, &before) != 0 ||
	    find_head(job, t, second, proof->head, &proof->events) != 0)
		return -1;
	put_hex(job, "head", text_make(older, sizeof(older)));
	put_hex(job, "head", text_make(proof->head, sizeof(proof->head)));
	merkle_plan_consistency(&proof->plan, before, proof->events);
	proof->state = PROOF_LEAVES;
	return 0;
}

/* -- What can be long -- */

static int
put_entries(struct control_job *job, struct transaction *t)
{
	struct control_proof *proof = job->proof;
	struct text key, value;
	struct cursor *cursor;
	int got;

	cursor = cursor_open(t, DB_ACCOUNT_LOG, &proof->entry, &job->error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, &job->error)) == 1 &&
	       memcmp(key.data, proof->entry.bytes, 12) == 0) {
		if (control_is_step_full(job)) {
			proof->entry.size = 0;
			key_put_raw(&proof->entry, key.data, key.size);
			break;
		}
		put_line(job, "entry", key, value);
	}
	if (got == 0 ||
	    (got == 1 && memcmp(key.data, proof->entry.bytes, 12) != 0)) {
		put_hex(
		    job, "head", text_make(proof->head, sizeof(proof->head)));
		proof->state = PROOF_LEAVES;
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

static void
put_path(struct control_job *job)
{
	const struct merkle_plan *plan = &job->proof->plan;
	size_t i;

	for (i = 0; i < plan->count; i++)
		put_hex(job, "path",
		    text_make(plan->parts[i].hash.bytes,
			sizeof(plan->parts[i].hash.bytes)));
	put_words(job, "end\n");
	job->is_done = true;
}

static int
pass_leaves(struct control_job *job, struct transaction *t)
{
	struct control_proof *proof = job->proof;
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	unsigned int passed = 0;
	int got = 1;

	key_put_u64(&from, proof->plan.next + 1);
	cursor = cursor_open(t, DB_LOG, &from, &job->error);
	if (cursor == NULL)
		return -1;
	while (got == 1 && proof->plan.next < proof->events &&
	       passed++ < STEP_LEAVES) {
		got = cursor_next(cursor, &key, &value, &job->error);
		if (got == 1)
			merkle_plan_take(
			    &proof->plan, job->digest, value.data, value.size);
	}
	cursor_close(&cursor);
	if (got != 1)
		return got < 0 ? -1
			       : error_set(&job->error, ERROR_DAMAGED,
				     "store: an event is gone");
	if (proof->plan.next == proof->events)
		put_path(job);
	return 0;
}

int
control_step_proof(struct control_job *job, struct transaction *t)
{
	if (job->proof == NULL)
		job->proof = memory_new(1, sizeof(*job->proof));
	switch (job->proof->state) {
	case PROOF_ENTRIES:
		return put_entries(job, t);
	case PROOF_LEAVES:
		return pass_leaves(job, t);
	default:
		return job->uid != 0 ? find_message(job, t)
				     : begin_heads(job, t);
	}
}
