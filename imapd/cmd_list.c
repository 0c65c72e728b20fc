/*
 * LIST (RFC 3501 6.3.8, RFC 5258, RFC 6154, RFC 5819) and LSUB (6.3.9).  Goes
 * through the names in order, so that parents and children are neighbours; a
 * level that is no mailbox but has some below is shown as not selectable.
 */
#include "imapd/imap_commands.h"

#include "imapd/imap_writer.h"
#include "imapd/list_command.h"
#include "imapd/list_pattern.h"
#include "imapd/snapshot_name.h"
#include "imapd/special_use.h"
#include "imapd/status_items.h"

#include <stdio.h>
#include <string.h>

/* ---- Arguments ---- */

static int
parse_selection(struct imap_parser *parser, struct list_state *state)
{
	if (imap_parse_skip(parser, ')'))
		return 0;
	do {
		if (imap_parse_skip_word(parser, "SUBSCRIBED"))
			state->options |=
			    LIST_SELECT_SUBSCRIBED | LIST_RETURN_SUBSCRIBED;
		else if (imap_parse_skip_word(parser, "RECURSIVEMATCH"))
			state->options |= LIST_SELECT_RECURSIVE;
		else if (imap_parse_skip_word(parser, "SPECIAL-USE"))
			state->options |=
			    LIST_SELECT_SPECIAL_USE | LIST_RETURN_SPECIAL_USE;
		else if (imap_parse_skip_word(parser, "REMOTE"))
			state->options |= LIST_SELECT_REMOTE;
		else
			return imap_parse_error(
			    parser, "Unknown selection option");
	} while (imap_parse_skip(parser, ' '));
	if ((state->options & LIST_SELECT_RECURSIVE) &&
	    (state->options & LIST_SELECT_SUBSCRIBED) == 0)
		return imap_parse_error(
		    parser, "RECURSIVEMATCH needs SUBSCRIBED");
	return imap_parse_skip(parser, ')')
		   ? 0
		   : imap_parse_error(parser, "List has no end");
}

static int
parse_return(struct imap_parser *parser, struct list_state *state)
{
	if (!imap_parse_skip_word(parser, "RETURN") ||
	    imap_parse_space(parser) == -1 || !imap_parse_skip(parser, '('))
		return imap_parse_error(parser, "RETURN expected");
	if (imap_parse_skip(parser, ')'))
		return 0;
	do {
		if (imap_parse_skip_word(parser, "SUBSCRIBED"))
			state->options |= LIST_RETURN_SUBSCRIBED;
		else if (imap_parse_skip_word(parser, "CHILDREN"))
			state->options |= LIST_RETURN_CHILDREN;
		else if (imap_parse_skip_word(parser, "SPECIAL-USE"))
			state->options |= LIST_RETURN_SPECIAL_USE;
		else if (imap_parse_skip_word(parser, "STATUS")) {
			state->options |= LIST_RETURN_STATUS;
			if (imap_parse_space(parser) == -1 ||
			    status_items_parse(parser, &state->status_items) ==
				-1)
				return -1;
		} else
			return imap_parse_error(
			    parser, "Unknown return option");
	} while (imap_parse_skip(parser, ' '));
	return imap_parse_skip(parser, ')')
		   ? 0
		   : imap_parse_error(parser, "List has no end");
}

static int
add_pattern(
    struct imap_parser *parser, struct list_state *state, const char *reference)
{
	size_t size = strlen(reference);
	const char *pattern;
	char *joined;

	if (state->pattern_count == LIST_MAX_PATTERNS)
		return imap_parse_error(parser, "Too many patterns");
	if (imap_parse_list_mailbox(parser, &pattern) == -1)
		return -1;
	state->is_root = !state->is_extended && pattern[0] == '\0';
	joined = pool_alloc(parser->pool, size + strlen(pattern) + 1, 1);
	memcpy(joined, reference, size);
	memcpy(joined + size, pattern, strlen(pattern));
	state->patterns[state->pattern_count++] = text_of(joined);
	return 0;
}

static int
parse_patterns(
    struct imap_parser *parser, struct list_state *state, const char *reference)
{
	if (state->is_lsub || !imap_parse_skip(parser, '('))
		return add_pattern(parser, state, reference);
	state->is_extended = true;
	do {
		if (add_pattern(parser, state, reference) == -1)
			return -1;
	} while (imap_parse_skip(parser, ' '));
	return imap_parse_skip(parser, ')')
		   ? 0
		   : imap_parse_error(parser, "List has no end");
}

static int
parse_arguments(struct imap_parser *parser, struct list_state *state)
{
	const char *reference;

	if (imap_parse_space(parser) == -1)
		return -1;
	if (!state->is_lsub && imap_parse_skip(parser, '(')) {
		state->is_extended = true;
		if (parse_selection(parser, state) == -1 ||
		    imap_parse_space(parser) == -1)
			return -1;
	}
	if (imap_parse_list_mailbox(parser, &reference) == -1 ||
	    imap_parse_space(parser) == -1 ||
	    parse_patterns(parser, state, reference) == -1)
		return -1;
	if (!state->is_lsub && imap_parse_skip(parser, ' ') &&
	    !imap_parse_at_end(parser)) {
		state->is_extended = true;
		if (parse_return(parser, state) == -1)
			return -1;
	}
	return imap_parse_end(parser);
}

/* ---- Names ---- */

static bool
matches(const struct list_state *state, struct text name)
{
	size_t i;

	for (i = 0; i < state->pattern_count; i++) {
		if (list_pattern_matches(state->patterns[i], name))
			return true;
	}
	return false;
}

bool
list_is_below(struct text name, struct text parent)
{
	return name.size > parent.size && name.data[parent.size] == '/' &&
	       memcmp(name.data, parent.data, parent.size) == 0;
}

/* "name/", behind which the names below it stand: others, like "name!", may
 * stand between. */
static struct text
level_of(struct text name)
{
	static char level[IMAP_MAX_MAILBOX + 1];

	if (name.size > IMAP_MAX_MAILBOX)
		name.size = IMAP_MAX_MAILBOX;
	memcpy(level, name.data, name.size);
	level[name.size] = '/';
	return text_make(level, name.size + 1);
}

bool
list_has_below(struct imap_command *command, struct text name)
{
	const struct mailbox_info *next =
	    mailbox_list_next(command->account, level_of(name));

	return next != NULL && list_is_below(next->name, name);
}

static bool
has_subscribed_below(struct imap_command *command, struct text name)
{
	struct text next;

	return mailbox_list_next_subscribed(
		   command->account, level_of(name), &next) &&
	       list_is_below(next, name);
}

void
list_put_name(struct imap_command *command, const char *response,
    struct text name, const char *attributes, uint32_t special_use)
{
	(void)buf_put_format(command->out, "* %s (%s", response, attributes);
	(void)special_use_put(
	    command->out, special_use, attributes[0] == '\0' ? "" : " ");
	(void)buf_put_text(command->out, ") \"/\" ");
	(void)imap_put_mailbox(
	    command->out, name, command->parser.is_utf8_names);
}

void
list_put_selected(
    struct imap_command *command, struct text name, const char *other_name)
{
	list_put_name(command, "LIST", name, "", 0);
	if (other_name != NULL) {
		(void)buf_put_text(command->out, " (\"OLDNAME\" (");
		(void)imap_put_mailbox(command->out, text_of(other_name), true);
		(void)buf_put_text(command->out, "))");
	}
	(void)buf_put_text(command->out, "\r\n");
}

/* One name that the patterns match; `info` is NULL if no mailbox has it. */
static void
list_name(struct imap_command *command, struct text name,
    const struct mailbox_info *info, bool is_subscribed)
{
	struct list_state *state = command->state;
	unsigned int options = state->options;
	uint32_t use = info != NULL ? info->special_use : 0;
	char attributes[100];

	if ((options & LIST_SELECT_SPECIAL_USE) && use == 0)
		return;
	snprintf(attributes, sizeof(attributes), "%s%s%s",
	    info != NULL || snapshot_name_is(name) ? ""
	    : (options & LIST_SELECT_SUBSCRIBED)   ? "\\NonExistent "
						   : "\\Noselect ",
	    list_has_below(command, name) ? "\\HasChildren" : "\\HasNoChildren",
	    (options & LIST_RETURN_SUBSCRIBED) && is_subscribed
		? " \\Subscribed"
		: "");
	list_put_name(command, "LIST", name, attributes, use);
	if ((options & LIST_SELECT_RECURSIVE) &&
	    has_subscribed_below(command, name))
		(void)buf_put_text(
		    command->out, " (\"CHILDINFO\" (\"SUBSCRIBED\"))");
	(void)buf_put_text(command->out, "\r\n");
	if ((options & LIST_RETURN_STATUS) && info != NULL)
		status_items_put(command, info, state->status_items);
}

static void
remember(struct list_state *state, struct text name)
{
	state->has_last = true;
	if (name.size > IMAP_MAX_MAILBOX)
		name.size = IMAP_MAX_MAILBOX;
	(void)text_copy(name, state->last, sizeof(state->last));
}

/* The levels above `name` that were not shown with the name before it. */
static void
list_parents(struct imap_command *command, struct text name)
{
	struct list_state *state = command->state;
	struct text parent, last = text_of(state->last);
	size_t i;

	for (i = 1; i < name.size; i++) {
		parent = text_make(name.data, i);
		if (name.data[i] != '/' ||
		    (state->has_last && (text_equal(last, parent) ||
					    list_is_below(last, parent))))
			continue;
		if (mailbox_list_find(command->account, parent) == NULL &&
		    matches(state, parent))
			list_name(command, parent, NULL, false);
	}
}

static enum command_step
list_mailboxes(struct imap_command *command)
{
	struct list_state *state = command->state;
	const struct mailbox_info *info;
	struct text after = { NULL, 0 };

	if (state->has_last)
		after = text_of(state->last);
	while ((info = mailbox_list_next(command->account, after)) != NULL) {
		if (command_output_is_full(command))
			return COMMAND_OUTPUT;
		list_parents(command, info->name);
		if (matches(state, info->name))
			list_name(command, info->name, info,
			    mailbox_list_is_subscribed(
				command->account, info->name));
		remember(state, info->name);
		after = text_of(state->last);
	}
	return list_snapshots(command);
}

/* RECURSIVEMATCH: levels that match above a subscribed name that does not, and
 * were not shown with the one before it (RFC 5258 3.5). */
static void
list_above_hidden(struct imap_command *command, struct text name)
{
	struct list_state *state = command->state;
	struct text parent, hidden = text_of(state->hidden);
	size_t i;

	for (i = 1; i < name.size; i++) {
		parent = text_make(name.data, i);
		if (name.data[i] == '/' && !list_is_below(hidden, parent) &&
		    matches(state, parent) &&
		    !mailbox_list_is_subscribed(command->account, parent))
			list_name(command, parent,
			    mailbox_list_find(command->account, parent), false);
	}
	(void)text_copy(name, state->hidden, sizeof(state->hidden));
}

/* LIST (SUBSCRIBED ...): existing or not. */
static enum command_step
list_subscribed(struct imap_command *command)
{
	struct list_state *state = command->state;
	struct text after = { NULL, 0 }, name;

	if (state->has_last)
		after = text_of(state->last);
	while (mailbox_list_next_subscribed(command->account, after, &name)) {
		if (command_output_is_full(command))
			return COMMAND_OUTPUT;
		remember(state, name);
		after = text_of(state->last);
		if (matches(state, after))
			list_name(command, after,
			    mailbox_list_find(command->account, after), true);
		else if (state->options & LIST_SELECT_RECURSIVE)
			list_above_hidden(command, after);
	}
	return command_ok(command, "List completed");
}

/* LSUB: a "%" also shows the levels above what is subscribed. */
static void
lsub_parents(struct imap_command *command, struct text name)
{
	struct list_state *state = command->state;
	struct text parent, last = text_of(state->last);
	size_t i;

	for (i = 1; i < name.size; i++) {
		parent = text_make(name.data, i);
		if (name.data[i] != '/' || !matches(state, parent) ||
		    (state->has_last && (text_equal(last, parent) ||
					    list_is_below(last, parent))) ||
		    mailbox_list_is_subscribed(command->account, parent))
			continue;
		list_put_name(command, "LSUB", parent, "\\Noselect", 0);
		(void)buf_put_text(command->out, "\r\n");
	}
}

static enum command_step
lsub_mailboxes(struct imap_command *command)
{
	struct list_state *state = command->state;
	struct text after = { NULL, 0 }, name;

	if (state->has_last)
		after = text_of(state->last);
	while (mailbox_list_next_subscribed(command->account, after, &name)) {
		if (command_output_is_full(command))
			return COMMAND_OUTPUT;
		if (matches(state, name)) {
			list_put_name(command, "LSUB", name, "", 0);
			(void)buf_put_text(command->out, "\r\n");
		} else {
			lsub_parents(command, name);
		}
		remember(state, name);
		after = text_of(state->last);
	}
	return command_ok(command, "Lsub completed");
}

static enum command_step
list_start(struct imap_command *command, bool is_lsub)
{
	struct list_state *state;

	state = pool_alloc(command->pool, 1, sizeof(*state));
	state->is_lsub = is_lsub;
	command->state = state;
	if (parse_arguments(&command->parser, state) == -1)
		return command_malformed(command);
	if (state->status_items & STATUS_ITEM_HIGHESTMODSEQ)
		command_enable_condstore(command);
	if (state->is_root && !state->is_extended) {
		(void)buf_put_format(command->out,
		    "* %s (\\Noselect) \"/\" \"\"\r\n",
		    is_lsub ? "LSUB" : "LIST");
		return command_ok(command, "List completed");
	}
	if (is_lsub)
		command->resume = lsub_mailboxes;
	else if (state->options & LIST_SELECT_SUBSCRIBED)
		command->resume = list_subscribed;
	else
		command->resume = list_mailboxes;
	return command->resume(command);
}

enum command_step
cmd_list(struct imap_command *command)
{
	return list_start(command, false);
}

enum command_step
cmd_lsub(struct imap_command *command)
{
	return list_start(command, true);
}
