/*
 * What APPEND and REPLACE share: their arguments are read as they come, since
 * the bytes of messages stand among them (RFC 3502 MULTIAPPEND, RFC 4469
 * CATENATE).  The session hands over the text between two literals that are
 * messages, and those bytes in parts, so that no message is whole in memory
 * here.
 */
#ifndef IMAPD_APPEND_COMMAND_H
#define IMAPD_APPEND_COMMAND_H

#include "imapd/imap_command.h"
#include "imapd/url_message.h"

enum {
	APPEND_MAX_MESSAGES = 500, /* in one command */
	APPEND_MAX_PARTS = 1000    /* of CATENATE, in one command */
};

enum append_place {
	APPEND_ARGUMENTS,    /* mailbox */
	APPEND_MESSAGE,      /* the next message, or the end */
	APPEND_BRACKET,      /* of UTF8 (...): its end */
	APPEND_FIRST_PART,   /* of CATENATE (...) */
	APPEND_PART,         /* the next one, or the end of the list */
	APPEND_PART_BRACKET, /* of a part UTF8 (...) */
	APPEND_URL,          /* a part's message is being read */
	APPEND_URL_BYTES     /* ... and its bytes are being copied */
};

/* The message of an URL, while it is copied. */
struct append_url {
	struct text text; /* as the client wrote it */
	bool is_waiting;  /* the command, for the message's body */
	struct url_message message;
};

struct append_state {
	enum append_place place;
	struct append *append;
	struct text mailbox;
	uint32_t replaced_uid;
	size_t messages;
	size_t parts;
	uint64_t bytes;         /* of all messages so far */
	uint64_t message_bytes; /* of the last one */
	struct imap_flags flags;
	struct append_url url;
};

enum append_step {
	APPEND_GO_ON,
	APPEND_LITERAL_PART, /* more text is needed: the literal is part of it
			      */
	APPEND_LITERAL_DATA, /* the literal is bytes of a message */
	APPEND_WAIT,         /* for a body; then command_wake(COMMAND_MORE) */
	APPEND_TURN,         /* others have their turn first */
	APPEND_COMMITTING,   /* all was read: the store has it */
	APPEND_ENDED         /* it was refused, and answered */
};

/* ---- append_url.c ---- */

/* Begins the part that an URL names; it is copied by append_url_go_on. */
enum append_step append_url_begin(
    struct imap_command *command, struct text url);
enum append_step append_url_go_on(struct imap_command *command);
void append_url_clear(struct imap_command *command);

/* ---- cmd_append.c ---- */

/* For the session: reads on in the parser's rest. */
enum append_step append_read(struct imap_command *command);
/* Bytes of the literal that is a message. */
void append_data(struct imap_command *command, struct text data);

/* So many bytes are added to the last message, unless they are too many: then
 * it has been answered. */
bool append_make_room(struct imap_command *command, uint64_t size);
/* Gives up what there is; `said` is the answer (command_no ...). */
enum append_step append_refuse(
    struct imap_command *command, enum command_step said);

/* ---- cmd_replace.c ---- */

/* "REPLACE": the message number or UID in front of the mailbox. */
int replace_parse_target(struct imap_command *command);
/* NULL, or why that message cannot be replaced. */
const char *replace_problem(const struct imap_command *command);
enum command_step replace_done(
    struct imap_command *command, const struct mailbox_answer *answer);

#endif
