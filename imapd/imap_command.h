/*
 * What each command sees of its session, and what it can say.  A command is a
 * function that starts it and, where it cannot finish at once, functions that
 * go on: when the client has read (COMMAND_OUTPUT), or when the store has
 * answered (COMMAND_WAIT).  Only imap_session.c calls them.
 */
#ifndef IMAPD_IMAP_COMMAND_H
#define IMAPD_IMAP_COMMAND_H

#include "common/buf.h"
#include "common/pool.h"
#include "imapd/account_store.h"
#include "imapd/imap_parser.h"
#include "imapd/mailbox.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	/* A command lets the client read before it goes beyond this. */
	COMMAND_OUTPUT_SIZE = 128 * 1024,
	/* Messages looked at before other sessions have their turn. */
	COMMAND_TURN_MESSAGES = 20000
};

enum command_step {
	COMMAND_DONE,   /* command_answer was called */
	COMMAND_OUTPUT, /* go on when the client has read */
	COMMAND_MORE,   /* go on after the others had their turn */
	COMMAND_WAIT,   /* the store's answer brings it on */
	COMMAND_IDLE    /* until the client says DONE */
};

struct imap_session;
struct imap_command;

/* How many of how many; a goal of 0 is not known. */
struct command_progress {
	uint32_t done;
	uint32_t goal;
};

struct command_rule {
	const char *name;
	enum command_step (*start)(struct imap_command *command);
	unsigned int flags;
};
enum {
	COMMAND_SELECTED = 1,  /* only with a mailbox selected */
	COMMAND_UID = 2,       /* has a UID form */
	COMMAND_BY_NUMBER = 6, /* that is, messages go by number without it */
	COMMAND_WRITES = 8,    /* not in a mailbox opened by EXAMINE */
	COMMAND_NUMBERS = 16,  /* no EXPUNGE may come before its answer */
	COMMAND_MESSAGES = 32  /* its literals are messages: append_read */
};

/* The row, or NULL. */
const struct command_rule *command_find(struct text name, bool is_uid);

struct imap_command {
	struct imap_session *session;
	struct account_store *account;
	struct mailbox_view *view; /* NULL: none selected */
	const struct command_rule *rule;
	bool is_uid;
	struct text tag;
	struct imap_parser parser; /* behind the name: " arguments" */
	/* COMMAND_MESSAGES: the arguments are read as they come, up to a
	 * literal of that size or, if they are all there, to the end. */
	bool has_all_arguments;
	uint64_t literal_size;
	uint32_t
	    limit_uid; /* message_limit.h: not 0, and it works on no lower */
	struct pool *pool; /* lives as long as the command */
	struct buf *out;   /* to the client */
	void *state;       /* the command's own, in the pool */
	/* For who waits: `goal` messages are dealt with all at once, or the
	 * command knows how many it has done; false in the middle of a line. */
	uint32_t goal;
	bool (*progress)(const struct imap_command *command,
	    struct command_progress *progress);
	/* After COMMAND_OUTPUT and COMMAND_MORE. */
	enum command_step (*resume)(struct imap_command *command);
	/* After COMMAND_WAIT on a change. */
	enum command_step (*answered)(
	    struct imap_command *command, const struct mailbox_answer *answer);
	/* The session ends while the command is at work. */
	void (*abandon)(struct imap_command *command);
};

/* The client has read little: return COMMAND_OUTPUT. */
bool command_output_is_full(const struct imap_command *command);

/* The tagged answer, `text` with its response code: sent after the updates. */
enum command_step command_ok(struct imap_command *command, const char *text);
/* With the HIGHESTMODSEQ of the selected mailbox. */
enum command_step command_ok_modseq(
    struct imap_command *command, const char *text);
enum command_step command_no(struct imap_command *command, const char *text);
enum command_step command_bad(struct imap_command *command, const char *text);
/* BAD with what the parser found. */
enum command_step command_malformed(struct imap_command *command);
/* NO with the response code for a status that is not OK. */
enum command_step command_failed(
    struct imap_command *command, enum status status);
/* The name is one of the past, and no live mailbox has it: it cannot be changed
 * (command_no_permission). */
bool command_is_past(struct imap_command *command, struct text mailbox);
enum command_step command_no_permission(struct imap_command *command);
/* For long answers: the tagged line is what was put here ("OK [...] ..."). */
struct buf *command_answer(struct imap_command *command);

/* The context and callback for one change; then return COMMAND_WAIT. */
void *command_wait(struct imap_command *command,
    enum command_step (*answered)(
	struct imap_command *command, const struct mailbox_answer *answer));
void command_change_done(const struct mailbox_answer *answer, void *context);
/* COMMAND_WAIT is over by other means (a body was read). */
void command_wake(struct imap_command *command, enum command_step step);

/* ---- What commands change in their session ---- */

bool command_is_condstore(const struct imap_command *command);
/* VANISHED takes the place of EXPUNGE (RFC 7162 3.2.3). */
bool command_is_qresync(const struct imap_command *command);
void command_enable_qresync(struct imap_command *command);
/* No message numbers, either way; VANISHED, too (RFC 9586). */
void command_enable_uidonly(struct imap_command *command);
bool command_is_uidonly(const struct imap_command *command);
/* Announces it with HIGHESTMODSEQ if a mailbox is selected already. */
void command_enable_condstore(struct imap_command *command);
/* RFC 9051 rather than RFC 3501: no \Recent, ESEARCH, "* LIST" at SELECT, and
 * names in UTF-8. */
void command_enable_rev2(struct imap_command *command);
bool command_is_rev2(const struct imap_command *command);
/* Names of mailboxes are UTF-8 from now on, both ways (RFC 9755). */
void command_enable_utf8(struct imap_command *command);
/* "\\Recent" if the message is that and the client may hear it, else NULL. */
const char *command_recent(const struct imap_command *command, uint32_t uid);
void command_select(struct imap_command *command, struct mailbox_view *view);
/* "* FLAGS" and "* OK [PERMANENTFLAGS" of the selected mailbox. */
void command_put_mailbox_flags(struct imap_command *command);
/* Handler for views that commands open. */
extern const struct mailbox_view_handler command_view_handler;
void command_logout(struct imap_command *command);
/* The answer cannot be finished: the connection ends without a further byte. */
void command_disconnect(struct imap_command *command, const char *why);
/* Behind the tagged answer, which is OK; false: it is so already. */
bool command_start_compression(struct imap_command *command);

/* What "$" stands for from now on, until another mailbox is selected: UIDs in
 * ascending order. */
void command_save(
    struct imap_command *command, const uint32_t *uids, size_t count);
const struct imap_set *command_saved(const struct imap_command *command);

/*
 * The UIDs of a set in ascending order: message numbers, or UIDs if the
 * command is the UID form. 0, or -1 with a sentence for BAD (a number beyond
 * the mailbox). `uids` is in the pool.
 */
int command_uids(struct imap_command *command, struct imap_set *set,
    uint32_t **uids, size_t *count);

/* "* 7 FETCH (", or with UIDONLY "* 1207 UIDFETCH (". */
void command_put_fetch(
    struct imap_command *command, size_t number, uint32_t uid);
/* "* n FETCH (FLAGS (..) ..." of one message: also its UID, MODSEQ if asked. */
void command_put_flags_update(struct imap_command *command, size_t number,
    uint32_t uid, bool has_flags, bool has_modseq);

#endif
