/*
 * SEARCH and UID SEARCH (RFC 3501 6.4.4), RETURN (search_return.h), MODSEQ (RFC
 * 7162 3.1.5).  Rows are matched in memory, then the fields in the cache; a
 * body is read only if these do not decide.
 */
#include "imapd/imap_commands.h"

#include "common/clock.h"
#include "imapd/message_limit.h"
#include "imapd/search_command.h"
#include "imapd/search_match.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	SEARCH_MAX_BODY = 64 * 1024 * 1024, /* searched up to here */
	SEARCH_TOGETHER = 16,
	SEARCH_NEAR = 1024, /* of the fields: what most of them are */
	CACHE_LINE = 64
};

/* A message, and what is known of it without its bytes. */
struct known {
	struct mailbox_row row;
	struct search_subject subject;
	struct message_cache cache; /* if subject.cache says so */
	enum search_result result;
	char email_id[OBJECT_ID_SIZE];
};

void
search_free(struct imap_command *command)
{
	struct search_state *state = command->state;

	if (state->is_reading)
		mailbox_read_cancel(command->account, command);
	if (state->is_learning)
		mailbox_learn_cancel(command->account, command);
	pool_free(&state->pool);
	command->abandon = NULL;
}

/* ---- The answer ---- */

static void
put_plain(struct imap_command *command, const struct search_state *state)
{
	size_t i;

	(void)buf_put_text(command->out, "* SEARCH");
	for (i = 0; i < state->found_count; i++)
		(void)buf_put_format(command->out, " %u", state->found[i]);
	if (state->request.has_modseq && state->found_count > 0)
		(void)buf_put_format(command->out, " (MODSEQ %llu)",
		    (unsigned long long)state->highest_modseq);
	(void)buf_put_text(command->out, "\r\n");
}

/* RFC 4731 3.2: of MIN and MAX, if these are all that was asked for. */
static uint64_t
extended_modseq(
    struct imap_command *command, const uint32_t *found, size_t count)
{
	const struct search_state *state = command->state;
	const struct search_return *options = &state->request.options;
	struct mailbox_row row;
	uint64_t modseq = 0;

	if (!state->request.has_modseq || count == 0)
		return 0;
	if (!search_return_is_ends(options))
		return state->highest_modseq;
	if (options->is_min && mailbox_row(command->view, found[0], &row))
		modseq = row.modseq;
	if (options->is_max &&
	    mailbox_row(command->view, found[count - 1], &row) &&
	    row.modseq > modseq)
		modseq = row.modseq;
	return modseq;
}

static int
compare_uids(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

/* In rising order, each once; how many are left. */
static size_t
order_uids(uint32_t *uids, size_t count)
{
	size_t kept = 0;

	qsort(uids, count, sizeof(*uids), compare_uids);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || uids[kept - 1] != uids[i])
			uids[kept++] = uids[i];
	return kept;
}

/* RFC 5182 2.4, RFC 9394 3.1: all, unless only ends or a page are told. */
static void
save_found(struct imap_command *command, const uint32_t *found, size_t count)
{
	const struct search_state *state = command->state;
	const struct search_return *options = &state->request.options;
	size_t start = 0, size = count;
	uint32_t *saved;

	if (!options->is_save)
		return;
	if (search_return_is_ends(options))
		size = 0;
	else if (!options->is_all && !options->is_count)
		partial_range_cut(&options->partial, count, &start, &size);
	saved = pool_alloc(command->pool, size + 2, sizeof(*saved));
	if (size > 0)
		memcpy(saved, found + start, size * sizeof(*saved));
	if (options->is_min && count > 0)
		saved[size++] = found[0];
	if (options->is_max && count > 0)
		saved[size++] = found[count - 1];
	command_save(command, saved, order_uids(saved, size));
}

/* Numbers, if the client did not ask for UIDs. */
static void
number_found(struct imap_command *command, uint32_t *found, size_t count)
{
	for (size_t i = 0; !command->is_uid && i < count; i++)
		found[i] =
		    (uint32_t)mailbox_view_number(command->view, found[i]);
}

void
search_put_extended(struct imap_command *command, uint32_t *found, size_t count)
{
	const struct search_state *state = command->state;
	const struct search_return *options = &state->request.options;
	uint64_t modseq = extended_modseq(command, found, count);

	save_found(command, found, count);
	if (search_return_is_quiet(options))
		return;
	number_found(command, found, count);
	search_return_put(options, command->tag, command->is_uid, found, count,
	    modseq, command->out);
}

static enum command_step
search_done(struct imap_command *command)
{
	struct search_state *state = command->state;
	enum status worst = state->worst;

	if (worst != STATUS_OK && state->request.options.is_save) {
		command_save(command, NULL, 0);
	} else if (worst == STATUS_OK && state->request.options.is_given) {
		search_put_extended(command, state->found, state->found_count);
	} else if (worst == STATUS_OK) {
		number_found(command, state->found, state->found_count);
		put_plain(command, state);
	}
	search_free(command);
	if (worst != STATUS_OK)
		return command_failed(command, worst);
	return command_ok(command, "Search completed");
}

/* ---- Messages ---- */

static void
add_found(struct imap_command *command, const struct mailbox_row *row)
{
	struct search_state *state = command->state;

	state->found[state->found_count++] = row->uid;
	if (row->modseq > state->highest_modseq)
		state->highest_modseq = row->modseq;
}

static void
fill_subject(struct imap_command *command, size_t number, struct known *known)
{
	const struct search_state *state = command->state;
	struct search_subject *subject = &known->subject;
	const struct mailbox_row *row = &known->row;
	struct hash hash;

	memset(subject, 0, sizeof(*subject));
	subject->row = row;
	subject->info = mailbox_view_info(command->view);
	subject->number = number;
	subject->is_recent = mailbox_view_is_recent(command->view, row->uid);
	subject->now = state->now;
	subject->has_saved = mailbox_view_has_saved(command->view);
	/* RFC 8514 4.3: where there is none it is INTERNALDATE. */
	subject->saved = row->internaldate;
	if (state->request.has_saved)
		(void)mailbox_view_saved(
		    command->view, row->uid, &subject->saved);
	subject->email_id = known->email_id;
	known->email_id[0] = '\0';
	if (state->request.has_email_id &&
	    mailbox_content_hash(command->view, row->uid, &hash))
		object_id_of_content(&hash, known->email_id);
	subject->pool = state->pool;
}

int
search_read_body(const struct mailbox_body *body, struct buf *stored)
{
	size_t size = body->size > stored->max_size ? stored->max_size
						    : (size_t)body->size;
	uint8_t *room = buf_reserve(stored, size > 0 ? size : 1);
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = pread(body->fd, room + done, size - done, (off_t)done);
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	buf_added(stored, size);
	return 0;
}

/* Its parts, as they were found when it was parsed; else it is parsed now. */
static const struct mime_part *
find_parts(struct imap_command *command, uint32_t uid, struct text stored)
{
	struct search_state *state = command->state;
	const struct mime_part *root = NULL;
	struct message_cache cache;
	struct text bytes;

	if (mailbox_cache_find(command->view, uid, &bytes) &&
	    message_cache_parse(bytes, &cache, NULL) == 0 &&
	    cache.stored_size == stored.size)
		root = message_cache_get_parts(&cache, state->pool);
	return root != NULL ? root : mime_parse(stored, state->pool);
}

/* A message that must not be looked into holds nothing that is looked for. */
static bool
matches_stored(
    struct imap_command *command, struct known *known, struct text stored)
{
	struct search_state *state = command->state;
	uint32_t uid = known->row.uid;
	bool result;

	if (!mailbox_parse_begin(command->view, uid))
		return false;
	fill_subject(command, state->number, known);
	known->subject.stored = stored;
	known->subject.root = find_parts(command, uid, stored);
	result =
	    search_match(state->request.root, &known->subject) == SEARCH_YES;
	mailbox_parse_end(command->view);
	return result;
}

static void
match_body(struct imap_command *command, const struct mailbox_body *body)
{
	struct search_state *state = command->state;
	uint32_t uid = mailbox_view_uid(command->view, state->number);
	struct known known;
	struct buf stored;

	if (!mailbox_row(command->view, uid, &known.row))
		return;
	buf_init(&stored, SEARCH_MAX_BODY);
	if (search_read_body(body, &stored) == -1)
		state->worst = STATUS_DAMAGED;
	else if (matches_stored(
		     command, &known, text_make(stored.data, stored.size)))
		add_found(command, &known.row);
	buf_clear(&stored);
	pool_clear(state->pool);
}

static void
body_read(enum status status, struct mailbox_body *body, void *context)
{
	struct imap_command *command = context;
	struct search_state *state = command->state;

	state->is_reading = false;
	if (status == STATUS_OK)
		match_body(command, body);
	else if (status != STATUS_MISSING)
		state->worst = status;
	state->number++;
	command_wake(command, COMMAND_MORE);
}

static enum command_step
read_body(struct imap_command *command, uint32_t uid)
{
	struct search_state *state = command->state;

	state->is_reading = true;
	state->has_read = true;
	mailbox_read(command->view, uid, body_read, command);
	return COMMAND_WAIT;
}

/* By its row; if that does not decide, the fields in the cache are made ready
 * for match_fields. */
static void
look_up(struct imap_command *command, size_t number, struct known *known)
{
	struct search_state *state = command->state;
	uint32_t uid = mailbox_view_uid(command->view, number);
	struct text bytes;

	known->result = SEARCH_NO;
	if (!mailbox_row(command->view, uid, &known->row))
		return;
	fill_subject(command, number, known);
	known->result = search_match(state->request.root, &known->subject);
	if (known->result != SEARCH_UNKNOWN ||
	    !mailbox_cache_find(command->view, uid, &bytes) ||
	    message_cache_parse(bytes, &known->cache, NULL) == -1)
		return;
	known->subject.cache = &known->cache;
	for (size_t i = 0; i < known->cache.fields.size && i < SEARCH_NEAR;
	     i += CACHE_LINE)
		__builtin_prefetch(known->cache.fields.data + i);
}

static void
match_fields(struct imap_command *command, struct known *known)
{
	struct search_state *state = command->state;

	if (known->result != SEARCH_UNKNOWN || known->subject.cache == NULL)
		return;
	known->result = search_match(state->request.root, &known->subject);
	pool_clear(state->pool);
}

/* From state->number on, some at a time: their fields come from memory while
 * the next ones are looked up. Once bodies are read, nothing is known for
 * long. */
static size_t
look_ahead(struct imap_command *command, struct known *known)
{
	const struct search_state *state = command->state;
	size_t left = state->count - state->number + 1, count;

	count = state->has_read ? 1 : SEARCH_TOGETHER;
	if (count > left)
		count = left;
	for (size_t i = 0; i < count; i++)
		look_up(command, state->number + i, &known[i]);
	return count;
}

static enum command_step
search_next(struct imap_command *command)
{
	struct search_state *state = command->state;
	struct known known[SEARCH_TOGETHER];
	size_t turn = 0, count;

	while (state->number <= state->count) {
		if (turn >= COMMAND_TURN_MESSAGES)
			return COMMAND_MORE;
		count = look_ahead(command, known);
		turn += count;
		for (size_t i = 0; i < count; i++, state->number++) {
			match_fields(command, &known[i]);
			if (known[i].result == SEARCH_UNKNOWN)
				return read_body(command, known[i].row.uid);
			if (known[i].result == SEARCH_YES)
				add_found(command, &known[i].row);
		}
	}
	return state->finish(command);
}

/* Of what is found for an order, the headers are looked at then: how many these
 * are is known late. */
static bool
search_progress(
    const struct imap_command *command, struct command_progress *progress)
{
	const struct search_state *state = command->state;
	size_t goal = state->count - state->first + 1;

	if (state->is_whole)
		goal = state->number <= state->count
			   ? 0
			   : goal + state->found_count;
	progress->done =
	    (uint32_t)(state->number - state->first + state->headers.at);
	progress->goal = (uint32_t)goal;
	return true;
}

/* Sets of the keys against the mailbox as it is now. */
static void
resolve_sets(struct imap_command *command, struct search_key *key)
{
	size_t count = mailbox_view_count(command->view);

	for (; key != NULL; key = key->next) {
		if ((key->kind == SEARCH_SET || key->kind == SEARCH_UID) &&
		    key->set.is_saved) {
			key->kind = SEARCH_UID;
			key->set = *command_saved(command);
			continue;
		}
		if (key->kind == SEARCH_SET)
			imap_set_resolve(&key->set, (uint32_t)count);
		if (key->kind == SEARCH_UID)
			imap_set_resolve(&key->set,
			    count == 0
				? 0
				: mailbox_view_uid(command->view, count));
		resolve_sets(command, key->child);
	}
}

/* RFC 9738 3.1: what the sets of the keys rule out is not searched. */
static bool
is_searched(const struct search_key *key, uint32_t number, uint32_t uid)
{
	for (; key != NULL; key = key->next)
		if ((key->kind == SEARCH_SET &&
			!imap_set_has(&key->set, number)) ||
		    (key->kind == SEARCH_UID &&
			!imap_set_has(&key->set, uid)) ||
		    (key->kind == SEARCH_AND &&
			!is_searched(key->child, number, uid)))
			return false;
	return true;
}

/* The messages from state->number on are so many at most; false if that does
 * not do. */
static bool
limit_messages(struct imap_command *command)
{
	struct search_state *state = command->state;
	size_t left = command->parser.limits->messages;
	size_t number = state->count;
	uint32_t uid, lowest = 0;

	if (number <= left)
		return true;
	for (; number > 0; number--) {
		uid = mailbox_view_uid(command->view, number);
		if (!is_searched(state->request.root, (uint32_t)number, uid))
			continue;
		if (left == 0) {
			command->limit_uid = lowest;
			state->number = number + 1;
			return !state->is_whole;
		}
		left--;
		lowest = uid;
	}
	return true;
}

static void
learned_saved(enum status status, void *context)
{
	struct imap_command *command = context;
	struct search_state *state = command->state;

	command->abandon = search_free;
	state->is_learning = false;
	state->worst = status;
	command_wake(command, status == STATUS_OK ? search_next(command)
						  : state->finish(command));
}

/* With all that there are: RFC 3501 7.1. */
static enum command_step
bad_charset(struct imap_command *command)
{
	struct buf *line = command_answer(command);
	const char *name, *space = "";

	(void)buf_put_text(line, "NO [BADCHARSET (");
	for (size_t n = 0; (name = charset_name(n)) != NULL; n++) {
		if (!charset_has_ascii(charset_find(text_of(name))))
			continue;
		(void)buf_put_format(line, "%s%s", space, name);
		space = " ";
	}
	(void)buf_put_text(line, ")] Unknown charset");
	return COMMAND_DONE;
}

enum command_step
search_start(struct imap_command *command, int parsed)
{
	struct search_state *state = command->state;

	if (parsed == -2 && state->request.options.is_save)
		command_save(command, NULL, 0);
	if (parsed == -2)
		return bad_charset(command);
	if (parsed == -1)
		return command_malformed(command);
	if (state->request.has_modseq)
		command_enable_condstore(command);
	resolve_sets(command, state->request.root);
	state->now = clock_wall_us() / 1000000;
	state->number = 1;
	state->count = mailbox_view_count(command->view);
	if (!limit_messages(command))
		return message_limit_refuse(command);
	state->first = state->number;
	state->found =
	    pool_alloc(command->pool, state->count + 1, sizeof(*state->found));
	state->pool = pool_new();
	command->progress = search_progress;
	command->resume = search_next;
	command->abandon = search_free;
	if (!state->request.has_saved ||
	    mailbox_view_knows_saved(command->view))
		return search_next(command);
	state->is_learning = true;
	mailbox_learn_saved(command->account, learned_saved, command);
	return COMMAND_WAIT;
}

enum command_step
cmd_search(struct imap_command *command)
{
	struct search_state *state =
	    pool_alloc(command->pool, 1, sizeof(*state));
	int parsed;

	command->state = state;
	state->finish = search_done;
	parsed = search_keys_parse(&command->parser, &state->request);
	/* RFC 9051 6.4.4: as if RETURN () stood there. */
	if (command_is_rev2(command) && !state->request.options.is_given) {
		state->request.options.is_given = true;
		state->request.options.is_all = true;
	}
	return search_start(command, parsed);
}
