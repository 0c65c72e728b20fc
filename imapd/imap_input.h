/*
 * Cuts the bytes that an IMAP client sends into commands, for the front and
 * the worker alike.  Pure: bytes in, events out; nothing is sent from here.
 *
 * A command is lines and literals (RFC 3501 4.3, RFC 7888).  Whatever passes a
 * limit is skipped to its end, so that the next command is found again.
 */
#ifndef IMAPD_IMAP_INPUT_H
#define IMAPD_IMAP_INPUT_H

#include "common/buf.h"
#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one command may take; the limits of a worker. */
struct imap_input_limits {
	size_t line;      /* bytes outside of literals */
	size_t command;   /* all bytes that are kept */
	uint64_t skipped; /* a literal larger than this ends the connection */
};

enum imap_input_event {
	IMAP_INPUT_MORE,     /* all bytes were used; bring more */
	IMAP_INPUT_COMMAND,  /* a command is complete */
	IMAP_INPUT_LITERAL,  /* one was announced: take, stream or refuse it */
	IMAP_INPUT_DATA,     /* bytes of a streamed literal */
	IMAP_INPUT_TOO_LONG, /* beyond a limit; the rest will be skipped */
	IMAP_INPUT_HOPELESS  /* cannot be skipped: say BYE */
};

enum imap_input_state {
	IMAP_INPUT_LINE,
	IMAP_INPUT_DECIDING,
	IMAP_INPUT_TAKING,
	IMAP_INPUT_STREAMING,
	IMAP_INPUT_COMPLETE,
	IMAP_INPUT_SKIPPING_LINE,
	IMAP_INPUT_SKIPPING_LITERAL
};

struct imap_input {
	struct imap_input_limits limits;
	enum imap_input_state state;
	/* The command so far, with its literals; without the last line end.
	 * After TOO_LONG its start (the tag). */
	struct buf command;
	size_t line_size;      /* bytes of `command` outside of literals */
	size_t line_offset;    /* where the line that is being read begins */
	uint64_t literal_left; /* bytes of the literal still to come */
	bool is_synchronising; /* the client waits for a "+" */
	char tail[32];         /* the end of a line that is skipped */
	size_t tail_size;
};

void imap_input_init(
    struct imap_input *input, const struct imap_input_limits *limits);
void imap_input_clear(struct imap_input *input);

/*
 * Takes bytes off the front of `bytes` until something has happened. `data`
 * is set with IMAP_INPUT_DATA and points into `bytes`. After COMMAND and
 * TOO_LONG the command is valid until the next call, which begins a new one.
 */
enum imap_input_event imap_input_next(
    struct imap_input *input, struct text *bytes, struct text *data);

/* After IMAP_INPUT_LITERAL: whether the literal may be taken. */
bool imap_input_fits(const struct imap_input *input);
/* Either the literal becomes part of the command, which it fits; */
void imap_input_take(struct imap_input *input);
/* ... comes as IMAP_INPUT_DATA (literal_left says how many bytes), and what
 * stood before it is not kept; */
void imap_input_stream(struct imap_input *input);
/* ... or the whole command is given up, without a further event: -1 if it is
 * too large to be skipped. */
int imap_input_refuse(struct imap_input *input);

/* No command has begun: the connection can rest. */
bool imap_input_is_empty(const struct imap_input *input);

#endif
