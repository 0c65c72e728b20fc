/*
 * FETCH and UID FETCH (RFC 3501 6.4.5) with CHANGEDSINCE, MODSEQ (RFC 7162
 * 3.1.4) and VANISHED (3.2.6).  Flags, dates and sizes come from memory; envelope, structure and
 * known header fields from the cache; everything else from the message's file,
 * a chunk at a time, as fast as the client reads.  A file that ends before the
 * announced literal does ends the connection: no byte is made up.
 */
#include "imapd/imap_commands.h"

#include "imapd/fetch_items.h"
#include "imapd/imap_writer.h"
#include "imapd/message_cache.h"
#include "imapd/qresync.h"

#include "common/mime_parser.h"
#include "common/record.h"

#include <string.h>
#include <unistd.h>

enum {
	FETCH_CHUNK = 32 * 1024,
	FETCH_MAX_HEADER = 1024 * 1024
};

enum fetch_stage {
	FETCH_MESSAGE,  /* the next message */
	FETCH_READING,  /* its body is asked for */
	FETCH_SECTIONS, /* its response is begun: sections from the body */
	FETCH_STREAMING /* in the middle of a literal */
};

struct fetch_state {
	struct fetch_items items;
	bool is_changed_since;
	uint64_t changed_since;
	bool is_vanished;       /* what vanished since is asked for, too: */
	struct imap_set within; /* of these */
	struct qresync_vanished vanished;
	uint32_t *uids;
	size_t count;
	size_t at;            /* the message that is being answered */
	const uint32_t *seen; /* those that FETCH itself has marked */
	size_t seen_count;
	size_t turn; /* messages since others had their turn */
	enum fetch_stage stage;
	enum status worst;
	bool is_expunge_issued;
	/* Of the current message. */
	struct pool *pool;
	struct buf record; /* a cache record that we made */
	struct mailbox_body body;
	bool is_read;
	struct mime_part *root;
	bool section_done[IMAP_MAX_FETCH_ITEMS];
	size_t section_at;
	const char *space;
	uint64_t offset; /* of a literal in flight, as stored */
	uint64_t end;
	struct line_ends line_ends;
};

static void
close_message(struct fetch_state *state)
{
	if (state->is_read && state->body.fd != -1)
		close(state->body.fd);
	state->is_read = false;
	state->root = NULL;
	buf_clear(&state->record);
	if (state->pool != NULL)
		pool_clear(state->pool);
}

static void
fetch_free(struct imap_command *command)
{
	struct fetch_state *state = command->state;

	if (state->stage == FETCH_READING)
		mailbox_read_cancel(command->account, command);
	close_message(state);
	pool_free(&state->pool);
	command->abandon = NULL;
}

static void
next_message(struct fetch_state *state)
{
	close_message(state);
	state->stage = FETCH_MESSAGE;
	state->at++;
	state->turn++;
}

static enum command_step
fetch_done(struct imap_command *command)
{
	struct fetch_state *state = command->state;
	enum status worst = state->worst;
	bool is_expunge_issued = state->is_expunge_issued;

	fetch_free(command);
	if (worst != STATUS_OK)
		return command_failed(command, worst);
	return command_ok(command,
	    is_expunge_issued ? "[EXPUNGEISSUED] Some messages are expunged"
			      : "Fetch completed");
}

/* ---- From memory and cache ---- */

static bool
is_marked(const struct fetch_state *state, uint32_t uid)
{
	size_t low = 0, high = state->seen_count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (state->seen[middle] == uid)
			return true;
		if (state->seen[middle] < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static void
put_flags(struct imap_command *command, const struct mailbox_row *row)
{
	const struct mailbox_info *info = mailbox_view_info(command->view);
	struct fetch_state *state = command->state;

	(void)buf_put_format(command->out, "%sFLAGS ", state->space);
	(void)imap_put_flags(command->out, row->flags, row->keywords,
	    info->keywords, info->keyword_count,
	    mailbox_view_is_recent(command->view, row->uid) ? "\\Recent"
							    : NULL);
	state->space = " ";
}

static void
put_row(struct imap_command *command, const struct mailbox_row *row)
{
	struct fetch_state *state = command->state;
	unsigned int items = state->items.simple;
	struct buf *out = command->out;

	(void)buf_put_format(
	    out, "* %zu FETCH (", mailbox_view_number(command->view, row->uid));
	state->space = "";
	if ((items & FETCH_UID) || command->is_uid ||
	    (is_marked(state, row->uid) && command_is_qresync(command))) {
		(void)buf_put_format(out, "UID %u", row->uid);
		state->space = " ";
	}
	if ((items & FETCH_FLAGS) || is_marked(state, row->uid))
		put_flags(command, row);
	if (items & FETCH_INTERNALDATE) {
		(void)buf_put_format(out, "%sINTERNALDATE ", state->space);
		(void)imap_put_date_time(out, row->internaldate);
		state->space = " ";
	}
	if (items & FETCH_SIZE) {
		(void)buf_put_format(out, "%sRFC822.SIZE %llu", state->space,
		    (unsigned long long)row->size);
		state->space = " ";
	}
	if ((items & FETCH_MODSEQ) ||
	    (is_marked(state, row->uid) && command_is_condstore(command))) {
		(void)buf_put_format(out, "%sMODSEQ (%llu)", state->space,
		    (unsigned long long)row->modseq);
		state->space = " ";
	}
}

static void
put_cached(struct imap_command *command, const struct message_cache *cache)
{
	struct fetch_state *state = command->state;
	const struct {
		unsigned int item;
		const char *name;
		struct text value;
	} texts[] = {
		{ FETCH_ENVELOPE, "ENVELOPE", cache->envelope },
		{ FETCH_BODY, "BODY", cache->body },
		{ FETCH_BODYSTRUCTURE, "BODYSTRUCTURE", cache->bodystructure },
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if ((state->items.simple & texts[i].item) == 0)
			continue;
		(void)buf_put_format(
		    command->out, "%s%s ", state->space, texts[i].name);
		(void)buf_put(
		    command->out, texts[i].value.data, texts[i].value.size);
		state->space = " ";
	}
}

static void
put_label(struct imap_command *command, const struct fetch_section *section)
{
	struct fetch_state *state = command->state;

	(void)buf_put_format(
	    command->out, "%s%.*s", state->space, TEXT_FMT(section->label));
	if (section->section.is_partial)
		(void)buf_put_format(command->out, "<%llu>",
		    (unsigned long long)section->section.first);
	(void)buf_put_byte(command->out, ' ');
	state->space = " ";
}

static void
put_literal(struct imap_command *command, struct text value)
{
	(void)buf_put_format(command->out, "{%zu}\r\n", value.size);
	(void)buf_put(command->out, value.data, value.size);
}

/* BODY[HEADER.FIELDS (...)] of the whole message. */
static bool
is_header_fields(const struct fetch_section *section)
{
	return section->section.kind == SECTION_HEADER_FIELDS &&
	       section->section.depth == 0;
}

static void
put_cached_fields(struct imap_command *command,
    const struct fetch_section *section, const struct message_cache *cache)
{
	const struct section *s = &section->section;
	struct text value;
	struct buf fields;

	buf_init(&fields, FETCH_MAX_HEADER);
	(void)message_cache_put_fields(cache, s->names, s->name_count, &fields);
	value = text_make(fields.data, fields.size);
	if (s->is_partial) {
		value = text_skip(value,
		    s->first < value.size ? (size_t)s->first : value.size);
		if (value.size > s->count)
			value.size = (size_t)s->count;
	}
	put_label(command, section);
	put_literal(command, value);
	buf_clear(&fields);
}

static bool
has_cached_fields(
    const struct fetch_section *section, const struct message_cache *cache)
{
	uint32_t i;

	for (i = 0; i < section->section.name_count; i++) {
		if (!message_cache_has_name(cache, section->section.names[i]))
			return false;
	}
	return true;
}

/* Which sections the cache answers; false if some need the body. */
static bool
check_sections(struct fetch_state *state, const struct message_cache *cache)
{
	const struct fetch_items *items = &state->items;
	bool all = true;
	size_t i;

	for (i = 0; i < items->section_count; i++) {
		state->section_done[i] =
		    cache != NULL && is_header_fields(&items->sections[i]) &&
		    has_cached_fields(&items->sections[i], cache);
		all = all && state->section_done[i];
	}
	return all;
}

static bool
find_cache(
    struct imap_command *command, uint32_t uid, struct message_cache *cache)
{
	struct fetch_state *state = command->state;
	struct text bytes;

	if (state->record.size > 0)
		bytes = text_make(state->record.data, state->record.size);
	else if (!mailbox_cache_find(command->view, uid, &bytes))
		return false;
	if (message_cache_parse(bytes, cache, NULL) == -1)
		return false;
	return !state->is_read || cache->stored_size == state->body.size;
}

/* ---- From the body ---- */

static enum command_step fetch_resume(struct imap_command *command);

static void
body_read(enum status status, struct mailbox_body *body, void *context)
{
	struct imap_command *command = context;
	struct fetch_state *state = command->state;

	if (status == STATUS_OK) {
		state->body = *body;
		body->fd = -1;
		state->is_read = true;
		state->stage = FETCH_MESSAGE;
	} else {
		if (status == STATUS_MISSING)
			state->is_expunge_issued = true;
		else
			state->worst = status;
		next_message(state);
	}
	command_wake(command, COMMAND_OUTPUT);
}

/* The tree of the body in `state`; 0, or -1 if the file cannot be read. */
static int
parse_body(struct fetch_state *state)
{
	struct mime_parser *parser = mime_parser_new(state->pool);
	uint8_t chunk[FETCH_CHUNK];
	uint64_t offset = 0;
	ssize_t n = 0;

	while (offset < state->body.size) {
		n = pread(state->body.fd, chunk, sizeof(chunk), (off_t)offset);
		if (n <= 0)
			break;
		mime_parser_feed(parser, chunk, (size_t)n);
		offset += (uint64_t)n;
	}
	state->root = mime_parser_finish(&parser);
	return n < 0 || offset < state->body.size ? -1 : 0;
}

static enum status
parse_record(struct fetch_state *state)
{
	if (parse_body(state) == -1)
		return STATUS_DAMAGED;
	return message_cache_format(
		   state->root, state->body.size, &state->record) == 0
		   ? STATUS_OK
		   : STATUS_LIMIT;
}

/* A cache record for a body that has none. 0, or -1: the message is skipped. */
static int
make_cache(struct imap_command *command, uint32_t uid)
{
	struct fetch_state *state = command->state;

	enum status status;

	buf_clear(&state->record);
	if (mailbox_parse_begin(command->view, uid)) {
		status = parse_record(state);
		mailbox_parse_end(command->view);
	} else {
		status =
		    message_cache_format_raw(state->body.fd, text_make(NULL, 0),
			state->body.size, &state->record) == 0
			? STATUS_OK
			: STATUS_LIMIT;
	}
	if (status != STATUS_OK) {
		state->worst = status;
		return -1;
	}
	mailbox_cache_put(command->view, uid,
	    text_make(state->record.data, state->record.size));
	return 0;
}

/* The bytes of a span of the body, at most FETCH_MAX_HEADER. */
static int
read_span(const struct fetch_state *state, const struct mime_span *span,
    struct buf *to)
{
	uint64_t size = span->size, done = 0;
	uint8_t *room;
	ssize_t n;

	if (size > FETCH_MAX_HEADER)
		size = FETCH_MAX_HEADER;
	if (size == 0)
		return 0;
	if ((room = buf_reserve(to, (size_t)size)) == NULL)
		return -1;
	while (done < size) {
		n = pread(state->body.fd, room + done, (size_t)(size - done),
		    (off_t)(span->offset + done));
		if (n <= 0)
			return -1;
		done += (uint64_t)n;
	}
	buf_added(to, (size_t)size);
	return 0;
}

/* Nothing of a header that must not be looked into. */
static int
filter_header(struct imap_command *command, const struct fetch_section *section,
    struct text header, struct buf *fields)
{
	struct fetch_state *state = command->state;
	int result;

	if (!mailbox_parse_begin(command->view, state->uids[state->at]))
		return buf_put_text(fields, "\r\n");
	result = fetch_body_filter(&section->section, header, fields);
	mailbox_parse_end(command->view);
	return result;
}

static int
put_filtered(struct imap_command *command, const struct fetch_section *section,
    const struct mime_span *span)
{
	struct fetch_state *state = command->state;
	struct buf stored, fields;
	int result;

	buf_init(&stored, FETCH_MAX_HEADER);
	buf_init(&fields, 2 * FETCH_MAX_HEADER + 2);
	result = read_span(state, span, &stored);
	if (result == 0)
		result = filter_header(command, section,
		    text_make(stored.data, stored.size), &fields);
	if (result == 0)
		put_literal(command, text_make(fields.data, fields.size));
	buf_clear(&stored);
	buf_clear(&fields);
	return result;
}

static void
begin_literal(struct imap_command *command, const struct section *section,
    const struct mime_span *span)
{
	struct fetch_state *state = command->state;
	uint64_t first = 0, size = span->wire;

	if (section->is_partial) {
		first = section->first < size ? section->first : size;
		size -= first;
		if (size > section->count)
			size = section->count;
	}
	(void)buf_put_format(
	    command->out, "{%llu}\r\n", (unsigned long long)size);
	memset(&state->line_ends, 0, sizeof(state->line_ends));
	state->line_ends.skip = first;
	state->line_ends.left = size;
	state->offset = span->offset;
	state->end = span->offset + span->size;
	state->stage = FETCH_STREAMING;
}

/* 0, or -1 if the file is not what it was. */
static int
stream_literal(struct imap_command *command)
{
	struct fetch_state *state = command->state;
	uint8_t chunk[FETCH_CHUNK];
	uint64_t want;
	ssize_t n;

	while (state->line_ends.left > 0 && !command_output_is_full(command)) {
		want = state->end - state->offset;
		if (want > sizeof(chunk))
			want = sizeof(chunk);
		n = want == 0 ? 0
			      : pread(state->body.fd, chunk, (size_t)want,
				    (off_t)state->offset);
		if (n <= 0 ||
		    fetch_body_put_wire(&state->line_ends,
			text_make(chunk, (size_t)n), command->out) == -1)
			return -1;
		state->offset += (uint64_t)n;
	}
	if (state->line_ends.left == 0)
		state->stage = FETCH_SECTIONS;
	return 0;
}

static int
put_section(struct imap_command *command, const struct fetch_section *section)
{
	struct fetch_state *state = command->state;
	struct section_span found;

	memset(&found, 0, sizeof(found));
	fetch_body_find(state->root, &section->section, &found);
	put_label(command, section);
	if (found.is_missing) {
		(void)buf_put_text(command->out, "NIL");
		return 0;
	}
	if (found.is_filtered)
		return put_filtered(command, section, &found.span);
	begin_literal(command, &section->section, &found.span);
	return 0;
}

/* The sections that are left, then the end of the response. */
static enum command_step
put_sections(struct imap_command *command)
{
	struct fetch_state *state = command->state;
	int result = 0;
	size_t i;

	while (result == 0) {
		if (command_output_is_full(command))
			return COMMAND_OUTPUT;
		if (state->stage == FETCH_STREAMING) {
			result = stream_literal(command);
			continue;
		}
		i = state->section_at++;
		if (i >= state->items.section_count)
			break;
		if (!state->section_done[i])
			result =
			    put_section(command, &state->items.sections[i]);
	}
	if (result == -1) {
		fetch_free(command);
		command_disconnect(command, "message file changed");
		return COMMAND_DONE;
	}
	(void)buf_put_text(command->out, ")\r\n");
	next_message(state);
	return COMMAND_MORE;
}

/* ---- Messages ---- */

static enum command_step
begin_response(struct imap_command *command, const struct mailbox_row *row,
    const struct message_cache *cache, bool is_all_cached)
{
	struct fetch_state *state = command->state;
	size_t i;

	/* put_row calls mailbox.h: the record of another call may move. */
	put_row(command, row);
	if (cache != NULL) {
		struct message_cache again;

		if (!find_cache(command, row->uid, &again))
			again = *cache;
		put_cached(command, &again);
		for (i = 0; i < state->items.section_count; i++) {
			if (state->section_done[i])
				put_cached_fields(
				    command, &state->items.sections[i], &again);
		}
		if (!is_all_cached && state->root == NULL)
			state->root =
			    message_cache_get_parts(&again, state->pool);
	}
	state->section_at = 0;
	state->stage = FETCH_SECTIONS;
	return put_sections(command);
}

/* COMMAND_MORE: the message was dealt with. */
static enum command_step
fetch_message(struct imap_command *command)
{
	struct fetch_state *state = command->state;
	uint32_t uid = state->uids[state->at];
	struct message_cache cache;
	struct mailbox_row row;
	bool has_cache = false, is_all_cached;

	if (!mailbox_row(command->view, uid, &row)) {
		state->is_expunge_issued = true;
		next_message(state);
		return COMMAND_MORE;
	}
	if (state->is_changed_since && row.modseq <= state->changed_since) {
		next_message(state);
		return COMMAND_MORE;
	}
	if ((state->items.simple & FETCH_CACHED) == 0 &&
	    state->items.section_count == 0)
		return begin_response(command, &row, NULL, true);
	has_cache = find_cache(command, uid, &cache);
	is_all_cached = check_sections(state, has_cache ? &cache : NULL);
	if (has_cache && (is_all_cached || state->is_read))
		return begin_response(command, &row, &cache, is_all_cached);
	if (!state->is_read) {
		state->stage = FETCH_READING;
		mailbox_read(command->view, uid, body_read, command);
		return COMMAND_WAIT;
	}
	if (make_cache(command, uid) == -1)
		next_message(state);
	return COMMAND_MORE;
}

static enum command_step
fetch_resume(struct imap_command *command)
{
	struct fetch_state *state = command->state;
	enum command_step step = COMMAND_MORE;

	if (!qresync_put_vanished(command, &state->vanished))
		return COMMAND_OUTPUT;
	if (state->stage == FETCH_SECTIONS || state->stage == FETCH_STREAMING)
		step = put_sections(command);
	state->turn = 0;
	while (step == COMMAND_MORE) {
		if (state->at == state->count)
			return fetch_done(command);
		if (command_output_is_full(command))
			return COMMAND_OUTPUT;
		if (state->turn == COMMAND_TURN_MESSAGES)
			return COMMAND_MORE;
		step = fetch_message(command);
	}
	return step;
}

/* ---- Setting the Seen flag ---- */

static enum command_step
marked_seen(struct imap_command *command, const struct mailbox_answer *answer)
{
	struct fetch_state *state = command->state;

	/* A store that is away does not keep anybody from reading. */
	if (answer->status == STATUS_OK && answer->count > 0) {
		state->seen = pool_copy(command->pool, answer->source_uids,
		    answer->count * sizeof(uint32_t));
		state->seen_count = answer->count;
	}
	return fetch_resume(command);
}

static bool
sets_seen(const struct imap_command *command, const struct fetch_state *state)
{
	size_t i;

	if (mailbox_view_is_read_only(command->view))
		return false;
	for (i = 0; i < state->items.section_count; i++) {
		if (state->items.sections[i].is_seen)
			return true;
	}
	return false;
}

static enum command_step
mark_seen(struct imap_command *command)
{
	static const struct flag_change change = {
		.mode = FLAGS_ADD,
		.flags = FLAG_SEEN,
	};
	struct fetch_state *state = command->state;
	struct mailbox_row row;
	size_t i, count = 0;
	uint32_t *unseen;

	unseen = pool_alloc(command->pool, state->count + 1, sizeof(*unseen));
	for (i = 0; i < state->count; i++) {
		if (mailbox_row(command->view, state->uids[i], &row) &&
		    (row.flags & FLAG_SEEN) == 0 &&
		    (!state->is_changed_since ||
			row.modseq > state->changed_since))
			unseen[count++] = state->uids[i];
	}
	if (count == 0)
		return fetch_resume(command);
	mailbox_change_flags(command->view, unseen, count, &change,
	    command_change_done, command_wait(command, marked_seen));
	return COMMAND_WAIT;
}

/* ---- The command ---- */

static int
parse_modifier(struct imap_command *command, struct fetch_state *state)
{
	struct imap_parser *parser = &command->parser;

	if (imap_parse_skip_word(parser, "VANISHED")) {
		state->is_vanished = true;
		return 0;
	}
	if (!imap_parse_skip_word(parser, "CHANGEDSINCE"))
		return imap_parse_error(parser, "Unknown FETCH modifier");
	state->is_changed_since = true;
	state->items.simple |= FETCH_MODSEQ;
	return imap_parse_space(parser) == -1
		   ? -1
		   : imap_parse_number(
			 parser, INT64_MAX, &state->changed_since);
}

static int
parse_modifiers(struct imap_command *command, struct fetch_state *state)
{
	struct imap_parser *parser = &command->parser;

	if (!imap_parse_skip(parser, ' ') || imap_parse_at_end(parser))
		return 0;
	if (!imap_parse_skip(parser, '('))
		return imap_parse_error(parser, "Unknown FETCH modifier");
	do {
		if (parse_modifier(command, state) == -1)
			return -1;
	} while (imap_parse_skip(parser, ' '));
	if (!imap_parse_skip(parser, ')'))
		return imap_parse_error(parser, "List has no end");
	if (state->is_vanished &&
	    (!state->is_changed_since || !command->is_uid ||
		!command_is_qresync(command)))
		return imap_parse_error(parser,
		    "VANISHED needs UID FETCH, CHANGEDSINCE and QRESYNC");
	return 0;
}

/* What vanished may lie behind the last message: "*" is the last UID ever. */
static void
copy_set(struct imap_command *command, const struct imap_set *set,
    struct fetch_state *state)
{
	if (set->is_saved)
		set = command_saved(command);
	state->within.count = set->count;
	state->within.ranges = pool_copy(
	    command->pool, set->ranges, set->count * sizeof(*set->ranges));
	imap_set_resolve(
	    &state->within, mailbox_view_info(command->view)->uidnext - 1);
}

static enum command_step
begin(struct imap_command *command)
{
	struct fetch_state *state = command->state;

	if (state->items.simple & FETCH_MODSEQ)
		command_enable_condstore(command);
	if (mailbox_view_take_keywords(command->view))
		command_put_mailbox_flags(command);
	if (state->is_vanished)
		qresync_find_vanished(command, state->changed_since,
		    &state->within, &state->vanished);
	buf_init(&state->record, MESSAGE_CACHE_MAX_SIZE);
	state->pool = pool_new();
	command->resume = fetch_resume;
	command->abandon = fetch_free;
	return sets_seen(command, state) ? mark_seen(command)
					 : fetch_resume(command);
}

static void
learned(enum status status, void *context)
{
	struct imap_command *command = context;

	command->abandon = NULL;
	command_wake(command, status == STATUS_OK
				  ? begin(command)
				  : command_failed(command, status));
}

static void
abandon_learning(struct imap_command *command)
{
	mailbox_learn_cancel(command->account, command);
}

enum command_step
cmd_fetch(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	struct fetch_state *state;
	struct imap_set set;

	state = pool_alloc(command->pool, 1, sizeof(*state));
	command->state = state;
	if (imap_parse_space(parser) == -1 ||
	    imap_parse_set(parser, &set) == -1 ||
	    imap_parse_space(parser) == -1 ||
	    fetch_items_parse(parser, &state->items) == -1 ||
	    parse_modifiers(command, state) == -1 ||
	    imap_parse_end(parser) == -1)
		return command_malformed(command);
	if (state->is_vanished)
		copy_set(command, &set, state);
	if (command_uids(command, &set, &state->uids, &state->count) == -1)
		return command_malformed(command);
	if (!state->is_vanished ||
	    mailbox_view_knows_vanished(command->view, state->changed_since))
		return begin(command);
	command->abandon = abandon_learning;
	mailbox_learn_vanished(command->account, learned, command);
	return COMMAND_WAIT;
}
