/*
 * One response of FETCH: flags, dates and sizes from memory; envelope,
 * structure and known header fields from the cache, which is made from the body
 * where it lacks.  The rest of it is fetch_sections.c's.  See fetch_command.h.
 */
#include "imapd/fetch_command.h"

#include "imapd/body_structure.h"
#include "imapd/imap_writer.h"
#include "imapd/object_id.h"

#include "common/mime_parser.h"

#include <string.h>
#include <unistd.h>

enum {
	FETCH_CHUNK = 32 * 1024,
	FETCH_MAX_FIELDS = 1024 * 1024
};

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

	(void)buf_put_text(command->out, state->space);
	(void)buf_put_text(command->out, "FLAGS ");
	(void)imap_put_flags(command->out, row->flags, row->keywords,
	    info->keywords, info->keyword_count,
	    command_recent(command, row->uid));
	state->space = " ";
}

/* RFC 8514 4.2 */
static void
put_saved(struct imap_command *command, uint32_t uid)
{
	struct fetch_state *state = command->state;
	int64_t time;

	(void)buf_put_format(command->out, "%sSAVEDATE ", state->space);
	if (mailbox_view_saved(command->view, uid, &time))
		(void)imap_put_date_time(command->out, time);
	else
		(void)buf_put_text(command->out, "NIL");
	state->space = " ";
}

/* Though it is not asked for. */
static bool
is_uid_told(const struct imap_command *command, uint32_t uid)
{
	return !command_is_uidonly(command) &&
	       (command->is_uid || (is_marked(command->state, uid) &&
				       command_is_qresync(command)));
}

static void
put_row(struct imap_command *command, const struct mailbox_row *row)
{
	struct fetch_state *state = command->state;
	unsigned int items = state->items.simple;
	struct buf *out = command->out;

	command_put_fetch(
	    command, mailbox_view_number(command->view, row->uid), row->uid);
	state->space = "";
	if ((items & FETCH_UID) || is_uid_told(command, row->uid)) {
		(void)buf_put_text(out, "UID ");
		(void)buf_put_number(out, row->uid);
		state->space = " ";
	}
	if ((items & FETCH_FLAGS) || is_marked(state, row->uid))
		put_flags(command, row);
	if (items & FETCH_INTERNALDATE) {
		(void)buf_put_format(out, "%sINTERNALDATE ", state->space);
		(void)imap_put_date_time(out, row->internaldate);
		state->space = " ";
	}
	if (items & FETCH_SAVEDATE)
		put_saved(command, row->uid);
	if (items & FETCH_SIZE) {
		(void)buf_put_text(out, state->space);
		(void)buf_put_text(out, "RFC822.SIZE ");
		(void)buf_put_number(out, row->size);
		state->space = " ";
	}
	if ((items & FETCH_MODSEQ) ||
	    (is_marked(state, row->uid) && command_is_condstore(command))) {
		(void)buf_put_format(out, "%sMODSEQ (%llu)", state->space,
		    (unsigned long long)row->modseq);
		state->space = " ";
	}
}

/* Threads are told by THREAD, and have no names here. */
static void
put_object_ids(struct imap_command *command, const struct mailbox_row *row)
{
	struct fetch_state *state = command->state;
	char id[OBJECT_ID_SIZE];
	struct hash hash;

	if ((state->items.simple & FETCH_EMAILID) &&
	    mailbox_content_hash(command->view, row->uid, &hash)) {
		object_id_of_content(&hash, id);
		(void)buf_put_format(
		    command->out, "%sEMAILID (%s)", state->space, id);
		state->space = " ";
	}
	if (state->items.simple & FETCH_THREADID) {
		(void)buf_put_format(
		    command->out, "%sTHREADID NIL", state->space);
		state->space = " ";
	}
}

static void
put_cached(struct imap_command *command, const struct message_cache *cache)
{
	struct fetch_state *state = command->state;
	bool is_rev2 = command_is_rev2(command);
	const struct {
		unsigned int item;
		const char *name;
		struct text value;
	} texts[] = {
		{ FETCH_ENVELOPE, "ENVELOPE", cache->envelope },
		{ FETCH_BODY, "BODY",
		    body_structure_form(cache->body, is_rev2) },
		{ FETCH_BODYSTRUCTURE, "BODYSTRUCTURE",
		    body_structure_form(cache->bodystructure, is_rev2) },
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if ((state->items.simple & texts[i].item) == 0)
			continue;
		(void)buf_put_text(command->out, state->space);
		(void)buf_put_text(command->out, texts[i].name);
		(void)buf_put_byte(command->out, ' ');
		(void)buf_put(
		    command->out, texts[i].value.data, texts[i].value.size);
		state->space = " ";
	}
}

void
fetch_put_label(
    struct imap_command *command, const struct fetch_section *section)
{
	struct fetch_state *state = command->state;

	(void)buf_put_text(command->out, state->space);
	(void)buf_put(command->out, section->label.data, section->label.size);
	if (section->section.is_partial)
		(void)buf_put_format(command->out, "<%llu>",
		    (unsigned long long)section->section.first);
	(void)buf_put_byte(command->out, ' ');
	state->space = " ";
}

void
fetch_put_literal(struct imap_command *command, struct text value)
{
	(void)buf_put_byte(command->out, '{');
	(void)buf_put_number(command->out, value.size);
	(void)buf_put_text(command->out, "}\r\n");
	if (buf_put(command->out, value.data, value.size) == 0)
		fetch_body_hide_nuls(
		    command->out->data + command->out->size - value.size,
		    value.size);
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
	struct buf *fields = &((struct fetch_state *)command->state)->fields;
	struct text value;

	buf_reset(fields);
	(void)message_cache_put_fields(cache, s->names, s->name_count, fields);
	value = text_make(fields->data, fields->size);
	if (s->is_partial) {
		value = text_skip(value,
		    s->first < value.size ? (size_t)s->first : value.size);
		if (value.size > s->count)
			value.size = (size_t)s->count;
	}
	fetch_put_label(command, section);
	fetch_put_literal(command, value);
}

static bool
is_kept(const struct fetch_section *section)
{
	uint32_t i;

	if (!is_header_fields(section))
		return false;
	for (i = 0; i < section->section.name_count; i++) {
		if (!message_cache_keeps(section->section.names[i]))
			return false;
	}
	return true;
}

/* As it was sent: where it begins and ends is known without a parse. */
static bool
is_whole_message(const struct fetch_section *section)
{
	return section->section.kind == SECTION_ALL &&
	       section->section.depth == 0 && section->form == FETCH_AS_SENT;
}

void
fetch_find_kept(struct fetch_state *state)
{
	const struct fetch_items *items = &state->items;
	size_t i;

	state->is_whole = items->section_count > 0 &&
			  (items->simple & (FETCH_CACHED | FETCH_PREVIEW)) == 0;
	for (i = 0; i < items->section_count; i++) {
		state->section_kept[i] = is_kept(&items->sections[i]);
		if (!is_whole_message(&items->sections[i]))
			state->is_whole = false;
	}
}

bool
fetch_check_sections(
    struct fetch_state *state, const struct message_cache *cache)
{
	const struct fetch_items *items = &state->items;
	bool all = true;
	size_t i;

	for (i = 0; i < items->section_count; i++) {
		state->section_done[i] = cache != NULL &&
					 cache->has_all_fields &&
					 state->section_kept[i];
		all = all && state->section_done[i];
	}
	return all;
}

bool
fetch_find_cache(
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

int
fetch_make_cache(struct imap_command *command, uint32_t uid)
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

void
fetch_begin_response(struct imap_command *command,
    const struct mailbox_row *row, const struct message_cache *cache,
    bool is_all_cached)
{
	struct fetch_state *state = command->state;
	bool needs_preview = (state->items.simple & FETCH_PREVIEW) != 0;
	size_t i;

	/* Nothing is written here: the record stays where it is. */
	put_row(command, row);
	put_object_ids(command, row);
	if (cache != NULL) {
		put_cached(command, cache);
		for (i = 0; i < state->items.section_count; i++) {
			if (state->section_done[i])
				put_cached_fields(
				    command, &state->items.sections[i], cache);
		}
		if ((!is_all_cached || needs_preview) && state->root == NULL)
			state->root =
			    message_cache_get_parts(cache, state->pool);
		if (needs_preview)
			fetch_put_preview(command);
	}
	state->section_at = 0;
	state->stage = FETCH_SECTIONS;
}
