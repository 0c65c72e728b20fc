/*
 * A command before login, put together from the bytes of the client: a line
 * and the literals in it (RFC 3501 section 4.3, RFC 7888 LITERAL+).  Pure:
 * bytes in, a whole command or the next thing to say out.
 */
#ifndef IMAPD_IMAP_LINE_H
#define IMAPD_IMAP_LINE_H

#include "common/buf.h"
#include "common/text.h"

#include <stddef.h>
#include <stdint.h>

enum {
	IMAP_LINE_MAX_SIZE = 8192,    /* a command with its literals */
	IMAP_LINE_MAX_LITERAL = 2048, /* user names, passwords */
	IMAP_LINE_MAX_WORDS = 64
};

enum imap_line_step {
	IMAP_LINE_MORE,     /* all input was taken, the command goes on */
	IMAP_LINE_CONTINUE, /* say "+": the client waits to send a literal */
	IMAP_LINE_DONE,     /* the command stands in `bytes` */
	IMAP_LINE_TOO_LONG, /* refused; the rest of the line was skipped */
	IMAP_LINE_LOST      /* a literal too large to skip: close */
};

struct imap_line {
	struct buf bytes;    /* the command without its last CRLF */
	size_t literal_left; /* bytes of a literal still to come */
	size_t line_start;   /* where the line behind the literal began */
	uint8_t is_skipping; /* too long: looking for the end of the line */
};

void imap_line_init(struct imap_line *line);
void imap_line_clear(struct imap_line *line); /* wipes: it holds passwords */

/* Ready for the next command; wipes the last one. */
void imap_line_reset(struct imap_line *line);

/* Takes from `input` what belongs to this command. */
enum imap_line_step imap_line_feed(struct imap_line *line, struct buf *input);

/*
 * Takes the next word off `rest`: an atom, a quoted string or a literal, with
 * its quoting undone into `word` (in the memory of `rest`, which is changed).
 * 1, 0 at the end, -1 if malformed.
 */
int imap_line_next_word(struct text *rest, struct text *word);

#endif
