/*
 * STATUS (RFC 3501 6.3.10) with HIGHESTMODSEQ (RFC 7162 3.1.7), SIZE (RFC
 * 8438), DELETED (RFC 9051 6.3.11), DELETED-STORAGE (RFC 9208 4.1.4),
 * APPENDLIMIT (RFC 7889), MAILBOXID (RFC 8474).  A mailbox of the past is
 * opened for it.
 */
#include "imapd/imap_commands.h"

#include "imapd/imap_capability.h"
#include "imapd/imap_writer.h"
#include "imapd/object_id.h"
#include "imapd/snapshot_mailbox.h"
#include "imapd/status_items.h"

#include <string.h>

static const struct {
	const char *name;
	unsigned int item;
} item_names[] = {
	{ "MESSAGES", STATUS_ITEM_MESSAGES }, { "RECENT", STATUS_ITEM_RECENT },
	{ "UIDNEXT", STATUS_ITEM_UIDNEXT },
	{ "UIDVALIDITY", STATUS_ITEM_UIDVALIDITY },
	{ "UNSEEN", STATUS_ITEM_UNSEEN },
	{ "HIGHESTMODSEQ", STATUS_ITEM_HIGHESTMODSEQ },
	{ "SIZE", STATUS_ITEM_SIZE }, { "DELETED", STATUS_ITEM_DELETED },
	{ "DELETED-STORAGE", STATUS_ITEM_DELETED_STORAGE },
	{ "APPENDLIMIT", STATUS_ITEM_APPENDLIMIT },
	{ "MAILBOXID", STATUS_ITEM_MAILBOXID }, /* no number: the last one */
};
enum {
	ITEM_COUNT = sizeof(item_names) / sizeof(*item_names),
	NUMBER_COUNT = ITEM_COUNT - 1
};

static int
parse_item(struct imap_parser *parser, unsigned int *items)
{
	struct text name;
	size_t i;

	if (imap_parse_atom(parser, &name) == -1)
		return -1;
	for (i = 0; i < ITEM_COUNT; i++) {
		if (text_is_nocase(name, item_names[i].name)) {
			*items |= item_names[i].item;
			return 0;
		}
	}
	return imap_parse_error(parser, "Unknown status item");
}

int
status_items_parse(struct imap_parser *parser, unsigned int *items)
{
	*items = 0;
	if (!imap_parse_skip(parser, '('))
		return imap_parse_error(parser, "List of items expected");
	do {
		if (parse_item(parser, items) == -1)
			return -1;
	} while (imap_parse_skip(parser, ' '));
	return imap_parse_skip(parser, ')')
		   ? 0
		   : imap_parse_error(parser, "List has no end");
}

/* `past` is the name of a mailbox of the past, else empty. */
static void
put_mailbox_id(struct imap_command *command, const struct mailbox_info *info,
    struct text past, const char *space)
{
	char id[OBJECT_ID_SIZE];

	object_id_of_mailbox(info, past, id);
	(void)buf_put_format(command->out, "%sMAILBOXID (%s)", space, id);
}

static void
put_items(struct imap_command *command, struct text past,
    const struct mailbox_info *info, const struct mailbox_counts *counts,
    unsigned int items)
{
	unsigned long long values[NUMBER_COUNT];
	struct buf *out = command->out;
	const char *space = "";
	size_t i;

	values[0] = counts->messages;
	values[1] = counts->recent;
	values[2] = info->uidnext;
	values[3] = info->uidvalidity;
	values[4] = counts->unseen;
	values[5] = info->highest_modseq;
	values[6] = counts->size;
	values[7] = counts->deleted;
	values[8] = counts->deleted_size;
	values[9] = IMAP_APPEND_LIMIT;
	(void)buf_put_text(out, "* STATUS ");
	(void)imap_put_mailbox(out, past.size > 0 ? past : info->name,
	    command->parser.is_utf8_names);
	(void)buf_put_text(out, " (");
	for (i = 0; i < NUMBER_COUNT; i++) {
		if ((items & item_names[i].item) == 0)
			continue;
		(void)buf_put_format(
		    out, "%s%s %llu", space, item_names[i].name, values[i]);
		space = " ";
	}
	if (items & STATUS_ITEM_MAILBOXID)
		put_mailbox_id(command, info, past, space);
	(void)buf_put_text(out, ")\r\n");
}

void
status_items_put(struct imap_command *command, const struct mailbox_info *info,
    unsigned int items)
{
	struct mailbox_counts counts;

	mailbox_list_count(command->account, info, &counts);
	put_items(command, text_make(NULL, 0), info, &counts, items);
}

void
status_items_tell(struct imap_command *command, const struct mailbox_info *info,
    unsigned int items)
{
	const struct mailbox_counts counts = { .messages =
						   info->message_count };

	if (items & STATUS_ITEMS_COUNTED)
		status_items_put(command, info, items);
	else
		put_items(command, text_make(NULL, 0), info, &counts, items);
}

/* ---- Of the past ---- */

struct past_status {
	struct text name;
	unsigned int items;
};

static void
count_view(const struct mailbox_view *view, struct mailbox_counts *counts)
{
	struct mailbox_row row;
	size_t n;

	memset(counts, 0, sizeof(*counts));
	counts->messages = mailbox_view_count(view);
	for (n = 1; n <= counts->messages; n++) {
		if (!mailbox_row(view, mailbox_view_uid(view, n), &row))
			continue;
		counts->unseen += (row.flags & FLAG_SEEN) == 0;
		counts->deleted += (row.flags & FLAG_DELETED) != 0;
		if (row.flags & FLAG_DELETED)
			counts->deleted_size += row.size;
		counts->size += row.size;
	}
}

static void
past_opened(enum status status, struct mailbox_view *view, void *context)
{
	struct imap_command *command = context;
	struct past_status *state = command->state;
	struct mailbox_counts counts;

	command->abandon = NULL;
	if (status == STATUS_OK) {
		count_view(view, &counts);
		put_items(command, state->name, mailbox_view_info(view),
		    &counts, state->items);
		mailbox_view_close(&view);
		(void)command_ok(command, "Status completed");
	} else {
		(void)command_failed(command, status);
	}
	command_wake(command, COMMAND_DONE);
}

static void
abandon_past(struct imap_command *command)
{
	snapshot_cancel(command->account, command);
}

static enum command_step
past_status(struct imap_command *command, struct text name, unsigned int items)
{
	struct past_status *state =
	    pool_alloc(command->pool, 1, sizeof(*state));

	state->name = name;
	state->items = items;
	command->state = state;
	command->abandon = abandon_past;
	snapshot_open(command->account, name, &command_view_handler,
	    command->session, past_opened, command);
	return COMMAND_WAIT;
}

enum command_step
cmd_status(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	const struct mailbox_info *info;
	unsigned int items;
	const char *name;

	if (imap_parse_space(parser) == -1 ||
	    imap_parse_mailbox(parser, &name) == -1 ||
	    imap_parse_space(parser) == -1 ||
	    status_items_parse(parser, &items) == -1 ||
	    imap_parse_end(parser) == -1)
		return command_malformed(command);
	if (items & STATUS_ITEM_HIGHESTMODSEQ)
		command_enable_condstore(command);
	if (command_is_past(command, text_of(name)))
		return past_status(command, text_of(name), items);
	info = mailbox_list_find(command->account, text_of(name));
	if (info == NULL)
		return command_failed(command, STATUS_MISSING);
	status_items_put(command, info, items);
	return command_ok(command, "Status completed");
}
