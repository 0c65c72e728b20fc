/*
 * What an administrator asks and says about what is kept: the policy and holds.
 * Nothing here takes effect before what was promised is over; the journal and
 * its ratchet see to that, not the one who asks.
 */
#include "snapd/control.h"

#include "snapd/admin_keys.h"
#include "snapd/control_reading.h"
#include "snapd/erasure.h"
#include "snapd/hold.h"

#include <stdio.h>
#include <string.h>

enum {
	ROW_MAX = 3000
};

static uint64_t
seconds_left(uint64_t until_us, uint64_t now_us)
{
	return until_us > now_us ? (until_us - now_us + 999999) / 1000000 : 0;
}

/* -- The policy -- */

static void
put_policies(struct client *client, uint64_t tag, const struct ratchet *ratchet,
    uint64_t now_us)
{
	char text[RETENTION_TEXT_SIZE];
	uint8_t data[ROW_MAX];
	struct writer w;
	size_t i;

	for (i = 0; i < ratchet->count; i++) {
		const struct retention *policy = &ratchet->entries[i].policy;
		struct control_policy row = { .every_s = policy->every_s,
			.has_end =
			    ratchet->entries[i].until_us != RETENTION_NEVER,
			.is_settings =
			    ratchet->has_configured &&
			    ratchet_is_same(policy, &ratchet->configured) };

		if (ratchet->entries[i].until_us <= now_us)
			continue;
		if (row.has_end)
			row.left_s =
			    seconds_left(ratchet->entries[i].until_us, now_us);
		retention_policy_format(policy, text);
		row.keep = text_of(text);
		writer_init(&w, data, sizeof(data));
		control_put_policy(&w, &row);
		control_answer_row(client, tag, CONTROL_POLICY, &w);
	}
}

/* What is not said stays: how often there are snapshots. */
static int
read_policy(
    const struct journal *journal, struct text bytes, struct retention *policy)
{
	struct reader r;
	size_t i;

	reader_init(&r, bytes.data, bytes.size);
	retention_policy_get(&r, policy);
	if (reader_done(&r) != 0 || policy->minimum_s == 0)
		return -1;
	for (i = 0; i < policy->count; i++)
		if (policy->tiers[i].every_s == 0 ||
		    policy->tiers[i].span_s > RETENTION_NEVER / 1000000)
			return -1;
	if (policy->every_s == 0 && journal->ratchet.count > 0)
		policy->every_s = ratchet_policy(&journal->ratchet)->every_s;
	return 0;
}

static void
put_fact(
    struct client *client, uint64_t tag, const char *name, const char *value)
{
	struct control_fact fact = { text_of(name), text_of(value) };
	uint8_t data[ROW_MAX];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	control_put_fact(&w, &fact);
	control_answer_row(client, tag, CONTROL_FACT, &w);
}

static void
put_left(struct client *client, uint64_t tag, uint64_t seconds)
{
	char left[24];

	snprintf(left, sizeof(left), "%llu", (unsigned long long)seconds);
	put_fact(client, tag, "left_s", left);
}

/* What admin keys have to sign, if they have to. */
static void
put_statement(
    struct client *client, uint64_t tag, const uint8_t *statement, size_t size)
{
	char hex[2 * ADMIN_STATEMENT_MAX + 1];

	text_format_hex(statement, size, hex);
	put_fact(client, tag, "statement", hex);
}

/* One that is to go has another name, and how long it stays. */
static void
put_key(struct client *client, uint64_t tag, const struct admin_key *key,
    uint64_t now_us)
{
	char hex[2 * ADMIN_KEY_SIZE + 1];
	bool is_leaving = key->until_us != RETENTION_NEVER;

	text_format_hex(key->bytes, ADMIN_KEY_SIZE, hex);
	put_fact(client, tag, is_leaving ? "leaving_key" : "admin_key", hex);
	if (is_leaving)
		put_left(client, tag, seconds_left(key->until_us, now_us));
}

static enum status
read_keys(struct journal *journal, struct admin_keys *keys, struct error *error)
{
	struct transaction *t = journal->round;
	int result = -1;

	if (t == NULL)
		t = transaction_begin(journal->store, false, error);
	if (t != NULL)
		result =
		    admin_keys_read(t, journal->state.guard_us, keys, error);
	if (t != journal->round)
		transaction_abort(&t);
	return result == 0 ? STATUS_OK : journal_status_of(error);
}

static enum status
change_key(struct client *client, struct journal *journal,
    const struct message_control_keep_key *request, struct error *error)
{
	const uint8_t *key = (const uint8_t *)request->key.data;
	enum status status;
	uint64_t until_us;

	if (!request->is_leaving)
		return admin_key_add(journal, key, request->signatures, error);
	status = admin_key_leave(
	    journal, key, request->signatures, &until_us, error);
	if (status == STATUS_OK)
		put_left(client, request->tag,
		    seconds_left(until_us, journal->state.guard_us));
	return status;
}

static enum status
keep_key(struct client *client, struct journal *journal,
    const struct message_control_keep_key *request, struct error *error)
{
	const uint8_t *key = (const uint8_t *)request->key.data;
	uint8_t statement[ADMIN_STATEMENT_MAX];
	struct admin_keys keys;
	enum status status = read_keys(journal, &keys, error);
	size_t i;

	if (status != STATUS_OK)
		return status;
	for (i = 0; i < keys.count && request->key.size == 0; i++)
		put_key(client, request->tag, &keys.keys[i],
		    journal->state.guard_us);
	if (request->key.size == 0)
		return STATUS_OK;
	if (request->key.size != ADMIN_KEY_SIZE)
		return STATUS_INVALID;
	if (!request->is_dry_run)
		return change_key(client, journal, request, error);
	put_statement(client, request->tag, statement,
	    admin_key_statement(
		journal, &keys, key, request->is_leaving != 0, statement));
	return STATUS_OK;
}

static enum status
set_policy(struct client *client, struct journal *journal,
    const struct message_control_keep_set *request, struct error *error)
{
	enum status status = STATUS_OK;
	uint8_t statement[ADMIN_STATEMENT_MAX];
	struct retention policy;
	enum ratchet_change change;
	struct ratchet ratchet;

	if (read_policy(journal, request->policy, &policy) != 0)
		return STATUS_INVALID;
	ratchet = journal->ratchet;
	put_statement(client, request->tag, statement,
	    admin_policy_statement(journal, &policy, statement));
	if (!request->is_dry_run) {
		status = journal_set_policy(
		    journal, &policy, request->signatures, &change, error);
		ratchet = journal->ratchet;
	} else if (ratchet_set(&ratchet, &policy, journal->state.guard_us) ==
		   RATCHET_FULL) {
		status = STATUS_REFUSED;
	}
	if (status == STATUS_OK)
		put_policies(
		    client, request->tag, &ratchet, journal->state.guard_us);
	return status;
}

/* -- Holds -- */

static void
put_hold(struct client *client, uint64_t tag, struct journal *journal,
    const struct hold *hold)
{
	struct hash id =
	    snapshot_id(journal->digest, store_identity(journal->store),
		hold->pin.kind == PIN_ALARM ? hold->pin.account : 0,
		hold->pin.sequence);
	struct control_hold row = { .number = hold->number,
		.tag = hold->tag,
		.why = hold->why,
		.time = (int64_t)(hold->wall_us / 1000000),
		.sequence = hold->pin.sequence,
		.account = hold->pin.account,
		.mailbox = hold->pin.mailbox,
		.uid = hold->pin.uid,
		.is_alarm = hold->pin.kind == PIN_ALARM,
		.is_released = hold->pin.until_us != RETENTION_NEVER };
	char hex[2 * sizeof(id.bytes) + 1];
	uint8_t data[ROW_MAX];
	struct writer w;

	text_format_hex(id.bytes, sizeof(id.bytes), hex);
	row.id = text_make(hex, SNAPSHOT_ID_HEX);
	if (row.is_released)
		row.left_s =
		    seconds_left(hold->pin.until_us, journal->state.guard_us);
	writer_init(&w, data, sizeof(data));
	control_put_hold(&w, &row);
	control_answer_row(client, tag, CONTROL_HOLD, &w);
}

/* Those that are not over; of a tag and a sequence if `wanted` is not NULL. */
static enum status
put_holds(struct client *client, uint64_t tag, struct journal *journal,
    const struct hold *wanted, struct error *error)
{
	struct transaction *t = journal->round;
	struct key from = { .size = 0 };
	struct cursor *cursor = NULL;
	struct text key, value;
	struct hold hold;
	int got = -1;

	if (t == NULL)
		t = transaction_begin(journal->store, false, error);
	if (t != NULL)
		cursor = cursor_open(t, DB_HOLD, &from, error);
	while (cursor != NULL &&
	       (got = cursor_next(cursor, &key, &value, error)) == 1) {
		if (hold_decode(key, value, &hold, error) != 0) {
			got = -1;
			break;
		}
		if (hold.pin.until_us > journal->state.guard_us &&
		    (wanted == NULL ||
			(text_equal(hold.tag, wanted->tag) &&
			    hold.pin.sequence == wanted->pin.sequence)))
			put_hold(client, tag, journal, &hold);
	}
	cursor_close(&cursor);
	if (t != journal->round)
		transaction_abort(&t);
	return got < 0 ? journal_status_of(error) : STATUS_OK;
}

/* The number of the mailbox that had the name then. */
static int
find_mailbox(struct control_job *job, struct journal *journal,
    struct retention_pin *scope, struct error *error)
{
	struct transaction *t = transaction_begin(journal->store, false, error);
	enum walk_event event = WALK_FAILED;
	struct message_row row;

	if (t != NULL && walk_resume(&job->walk, t, error) == 0)
		do
			event = walk_next(&job->walk, &row, error);
		while (event == WALK_ACCOUNT);
	if (event == WALK_MAILBOX)
		scope->mailbox = job->walk.mailbox.record.id;
	walk_pause(&job->walk);
	transaction_abort(&t);
	if (event == WALK_MAILBOX)
		return 0;
	return event == WALK_FAILED
		   ? -1
		   : error_set(error, ERROR_MISSING, "no such mailbox then");
}

/* What was selected, as a scope. */
static enum status
find_scope(struct client *client, struct journal *journal,
    const struct message_control_hold *request, struct retention_pin *scope,
    struct error *error)
{
	struct message question = { .type = MESSAGE_control_ls };
	struct message_control_ls *ls = &question.control_ls;
	struct control_job *job;
	int result;

	ls->point_kind = request->point_kind;
	ls->point_time = request->point_time;
	ls->point_name = request->point_name;
	ls->account = request->account;
	ls->mailbox = request->mailbox;
	ls->uid = request->uid;
	job = control_job_new(&question, error);
	if (job == NULL)
		return STATUS_INVALID;
	job->retention = *snapd_retention(client->snapd);
	job->now = journal->now_us / 1000000;
	result = control_job_resolve(job, journal->store, error);
	*scope = (struct retention_pin){ .sequence = job->sequence,
		.account = request->account,
		.uid = request->uid };
	if (result == 0 && request->mailbox.size > 0)
		result = find_mailbox(job, journal, scope, error);
	control_job_free(&job);
	return result == 0 ? STATUS_OK : journal_status_of(error);
}

static enum status
place_hold(struct client *client, struct journal *journal,
    const struct message_control_hold *request, struct error *error)
{
	struct hold hold = { .tag = request->hold_tag };
	enum status status =
	    find_scope(client, journal, request, &hold.pin, error);

	if (status == STATUS_OK)
		status = journal_hold(
		    journal, request->hold_tag, &hold.pin, request->why, error);
	if (status == STATUS_EXISTS)
		error_set(error, ERROR_EXISTS, "that tag is on it");
	return status == STATUS_OK
		   ? put_holds(client, request->tag, journal, &hold, error)
		   : status;
}

static enum status
release_hold(struct client *client, struct journal *journal,
    const struct message_control_release *request, struct error *error)
{
	struct message_control_hold same = { .tag = request->tag,
		.point_kind = request->point_kind,
		.point_time = request->point_time,
		.point_name = request->point_name,
		.account = request->account,
		.mailbox = request->mailbox,
		.uid = request->uid };
	struct hold hold = { .tag = request->hold_tag };
	uint64_t until_us;
	enum status status;

	status = find_scope(client, journal, &same, &hold.pin, error);
	if (status == STATUS_OK)
		status = journal_release(
		    journal, request->hold_tag, &hold.pin, &until_us, error);
	if (status == STATUS_MISSING && error->code == ERROR_NONE)
		error_set(error, ERROR_MISSING,
		    "no hold with that tag on it that is not released");
	return status == STATUS_OK
		   ? put_holds(client, request->tag, journal, &hold, error)
		   : status;
}

/* -- Erasure -- */

static enum status
purge(struct client *client, struct journal *journal,
    const struct message_control_purge *request, struct error *error)
{
	uint64_t left_us = 0;
	enum status status;

	status = erasure_step(journal, request->account,
	    (enum erasure_step)request->step, &left_us, error);
	put_left(client, request->tag, seconds_left(left_us, 0));
	return status;
}

void
control_promise_received(struct client *client, const struct message *message)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct error error = { .code = ERROR_NONE };
	enum status status = STATUS_UNAVAILABLE;
	/* Each request of this group begins with its tag. */
	uint64_t tag = message->control_status.tag;

	if (journal == NULL) {
		control_answer_done(client, tag, status, &error);
		return;
	}
	switch ((int)message->type) {
	case MESSAGE_control_keep_show:
		put_policies(
		    client, tag, &journal->ratchet, journal->state.guard_us);
		status = STATUS_OK;
		break;
	case MESSAGE_control_keep_set:
		status = set_policy(
		    client, journal, &message->control_keep_set, &error);
		break;
	case MESSAGE_control_keep_key:
		status = keep_key(
		    client, journal, &message->control_keep_key, &error);
		break;
	case MESSAGE_control_hold:
		status =
		    place_hold(client, journal, &message->control_hold, &error);
		break;
	case MESSAGE_control_release:
		status = release_hold(
		    client, journal, &message->control_release, &error);
		break;
	case MESSAGE_control_purge:
		status =
		    purge(client, journal, &message->control_purge, &error);
		break;
	default:
		status = put_holds(client, tag, journal, NULL, &error);
		break;
	}
	control_answer_done(client, tag, status, &error);
}
