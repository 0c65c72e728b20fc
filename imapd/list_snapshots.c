/*
 * The names of the past in LIST.  They are shown only if a pattern spells out
 * their root ("Snapshots/%"), so that a client that lists or copies everything
 * meets the live mailboxes alone.  Goes from snapshot to snapshot, and asks the
 * store for the mailboxes of one only if a pattern reaches them.  STATUS is not
 * returned for these names (RFC 5819 allows that): each would be a listing.
 */
#include "imapd/list_command.h"
#include "imapd/list_pattern.h"
#include "imapd/snapshot_mailbox.h"

#include <stdio.h>
#include <string.h>

struct past_state {
	struct list_state *list;
	struct snapshot_tree *trees;
	size_t tree_count;
	size_t at; /* the tree that is listed next */
};

static bool
matches(const struct list_state *list, struct text name)
{
	for (size_t i = 0; i < list->pattern_count; i++)
		if (snapshot_name_is_asked(list->patterns[i]) &&
		    list_pattern_matches(list->patterns[i], name))
			return true;
	return false;
}

static void
put_past(struct imap_command *command, const struct list_state *list,
    struct text name, const char *attributes)
{
	bool is_subscribed = (list->options & LIST_RETURN_SUBSCRIBED) &&
			     mailbox_list_is_subscribed(command->account, name);
	char all[100];

	if (!matches(list, name))
		return;
	snprintf(all, sizeof(all), "%s%s", attributes,
	    is_subscribed ? " \\Subscribed" : "");
	list_put_name(command, "LIST", name, all, 0);
	(void)buf_put_text(command->out, "\r\n");
}

/* Another program's mailbox of that name was listed before. */
static void
put_unless_live(struct imap_command *command, const struct list_state *list,
    struct text name, const char *attributes)
{
	if (mailbox_list_find(command->account, name) == NULL)
		put_past(command, list, name, attributes);
}

static bool
reaches(const struct list_state *list, struct text level)
{
	for (size_t i = 0; i < list->pattern_count; i++)
		if (snapshot_name_is_asked(list->patterns[i]) &&
		    list_pattern_reaches(list->patterns[i], level))
			return true;
	return false;
}

static bool
is_asked(const struct list_state *list)
{
	if (list->options & LIST_SELECT_SPECIAL_USE)
		return false;
	for (size_t i = 0; i < list->pattern_count; i++)
		if (snapshot_name_is_asked(list->patterns[i]))
			return true;
	return false;
}

static void
abandon(struct imap_command *command)
{
	snapshot_cancel(command->account, command);
}

static void
failed(struct imap_command *command, enum status status)
{
	command->abandon = NULL;
	(void)command_failed(command, status);
	command_wake(command, COMMAND_DONE);
}

/* Levels above a mailbox that were no mailboxes, once. */
static void
put_levels(struct imap_command *command, const struct list_state *list,
    struct text name, struct text before, size_t from)
{
	for (size_t i = from; i < name.size; i++) {
		struct text level = text_make(name.data, i);

		if (name.data[i] == '/' && !text_equal(before, level) &&
		    !list_is_below(before, level))
			put_past(
			    command, list, level, "\\Noselect \\HasChildren");
	}
}

static bool
has_children(const struct text *names, size_t count, size_t at)
{
	const struct text name = names[at];

	while (++at < count && names[at].size > name.size &&
	       memcmp(names[at].data, name.data, name.size) == 0)
		if (list_is_below(names[at], name))
			return true;
	return false;
}

static void
names_listed(
    enum status status, const struct text *names, size_t count, void *context)
{
	struct imap_command *command = context;
	struct past_state *state = command->state;
	const char *tree = state->trees[state->at].name;
	char whole[IMAP_MAX_MAILBOX + 1], last[IMAP_MAX_MAILBOX + 1] = "";

	if (status != STATUS_OK) {
		failed(command, status);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		int size = snprintf(whole, sizeof(whole),
		    SNAPSHOT_ROOT "/%s/%.*s", tree, TEXT_FMT(names[i]));

		if (size < 0 || (size_t)size >= sizeof(whole))
			continue;
		put_levels(command, state->list, text_of(whole), text_of(last),
		    sizeof(SNAPSHOT_ROOT) + strlen(tree) + 1);
		put_past(command, state->list, text_of(whole),
		    has_children(names, count, i) ? "\\HasChildren"
						  : "\\HasNoChildren");
		memcpy(last, whole, sizeof(last));
	}
	state->at++;
	command_wake(command, COMMAND_OUTPUT);
}

static enum command_step
next_trees(struct imap_command *command)
{
	struct past_state *state = command->state;
	char name[sizeof(SNAPSHOT_ROOT) + SNAPSHOT_TREE_SIZE];

	for (; state->at < state->tree_count; state->at++) {
		if (command_output_is_full(command))
			return COMMAND_OUTPUT;
		snprintf(name, sizeof(name), SNAPSHOT_ROOT "/%s",
		    state->trees[state->at].name);
		put_unless_live(command, state->list, text_of(name),
		    "\\Noselect \\HasChildren");
		if (!reaches(state->list, text_of(name)))
			continue;
		snapshot_list_names(command->account,
		    state->trees[state->at].sequence, names_listed, command);
		return COMMAND_WAIT;
	}
	command->abandon = NULL;
	return command_ok(command, "List completed");
}

static void
trees_listed(enum status status, const struct snapshot_tree *trees,
    size_t count, void *context)
{
	struct imap_command *command = context;
	struct past_state *state = command->state;

	if (status != STATUS_OK) {
		failed(command, status);
		return;
	}
	state->trees = pool_copy(command->pool, trees, count * sizeof(*trees));
	state->tree_count = count;
	command_wake(command, COMMAND_OUTPUT);
}

enum command_step
list_snapshots(struct imap_command *command)
{
	struct list_state *list = command->state;
	struct past_state *state;

	if (!is_asked(list))
		return command_ok(command, "List completed");
	put_unless_live(
	    command, list, TEXT(SNAPSHOT_ROOT), "\\Noselect \\HasChildren");
	put_unless_live(
	    command, list, TEXT(SNAPSHOT_DELETED_MAIL), "\\HasNoChildren");
	if (!reaches(list, TEXT(SNAPSHOT_ROOT)))
		return command_ok(command, "List completed");
	state = pool_alloc(command->pool, 1, sizeof(*state));
	state->list = list;
	command->state = state;
	command->resume = next_trees;
	command->abandon = abandon;
	snapshot_list_trees(command->account, trees_listed, command);
	return COMMAND_WAIT;
}
