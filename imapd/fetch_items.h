/*
 * What a FETCH asks for (RFC 3501 6.4.5, RFC 3516, "fetch-att").  Pure.
 */
#ifndef IMAPD_FETCH_ITEMS_H
#define IMAPD_FETCH_ITEMS_H

#include "imapd/fetch_body.h"
#include "imapd/imap_parser.h"

enum {
	FETCH_UID = 1,
	FETCH_FLAGS = 2,
	FETCH_INTERNALDATE = 4,
	FETCH_SIZE = 8,
	FETCH_MODSEQ = 16,
	FETCH_ENVELOPE = 32,
	FETCH_BODY = 64,
	FETCH_BODYSTRUCTURE = 128,
	FETCH_EMAILID = 256,
	FETCH_THREADID = 512,
	FETCH_PREVIEW = 1024,
	FETCH_SAVEDATE = 2048,
	FETCH_CACHED = FETCH_ENVELOPE | FETCH_BODY | FETCH_BODYSTRUCTURE
};

enum fetch_form {
	FETCH_AS_SENT,    /* BODY */
	FETCH_BINARY,     /* BINARY: without its transfer encoding */
	FETCH_BINARY_SIZE /* BINARY.SIZE: how long that is */
};

struct fetch_section {
	struct section section;
	enum fetch_form form;
	struct text label; /* "BODY[1.2]", as the answer names it */
	bool is_seen;      /* without .PEEK: sets \\Seen */
};

struct fetch_items {
	unsigned int simple; /* FETCH_ bits */
	size_t section_count;
	struct fetch_section *sections; /* in the pool */
};

/* All: 0, or -1 with parser->error. */
/* What stands between "[" and "]", which may be the whole text. */
int fetch_section_parse(struct imap_parser *parser, struct section *section);
int fetch_items_parse(struct imap_parser *parser, struct fetch_items *items);

#endif
