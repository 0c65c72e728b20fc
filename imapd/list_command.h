/*
 * The inside of LIST, for cmd_list.c and list_snapshots.c only: what was asked
 * for, and how far the answer is.
 */
#ifndef IMAPD_LIST_COMMAND_H
#define IMAPD_LIST_COMMAND_H

#include "imapd/imap_command.h"

enum {
	LIST_SELECT_SUBSCRIBED = 1,
	LIST_SELECT_RECURSIVE = 2,
	LIST_SELECT_SPECIAL_USE = 4,
	LIST_SELECT_REMOTE = 8,
	LIST_RETURN_SUBSCRIBED = 16,
	LIST_RETURN_CHILDREN = 32,
	LIST_RETURN_SPECIAL_USE = 64,
	LIST_RETURN_STATUS = 128,
	LIST_MAX_PATTERNS = 64
};

struct list_state {
	bool is_lsub;
	bool is_extended;
	bool is_root; /* LIST "..." "": what is the separator? */
	unsigned int options;
	unsigned int status_items;
	size_t pattern_count;
	struct text patterns[LIST_MAX_PATTERNS]; /* with the reference */
	char last[IMAP_MAX_MAILBOX + 1];         /* name that was listed last */
	/* The last subscribed name that does not match. */
	char hidden[IMAP_MAX_MAILBOX + 1];
	bool has_last;
};

bool list_is_below(struct text name, struct text parent);
/* Some mailbox is. */
bool list_has_below(struct imap_command *command, struct text name);
/* "* LIST (attributes) "/" name" without a line end. */
void list_put_name(struct imap_command *command, const char *response,
    struct text name, const char *attributes, uint32_t special_use);

/* "* LIST" of a mailbox that was opened or made (RFC 9051 6.3.2, 6.3.4), with
 * the name under which it was asked for if that was another one, else NULL. */
void list_put_selected(
    struct imap_command *command, struct text name, const char *other_name);

/* The end of LIST: names of the past, if a pattern asks for them. */
enum command_step list_snapshots(struct imap_command *command);

#endif
