/*
 * Sections of FETCH BODY[...] (RFC 3501 6.4.5): finds which bytes of a
 * message a section means, and gives them with CRLF line ends whatever form
 * the message is stored in.  Pure: the caller reads the file.
 */
#ifndef IMAPD_FETCH_BODY_H
#define IMAPD_FETCH_BODY_H

#include "common/buf.h"
#include "common/mime_parser.h"
#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

enum section_kind {
	SECTION_ALL,    /* BODY[] or BODY[1.2] */
	SECTION_HEADER, /* HEADER */
	SECTION_HEADER_FIELDS,
	SECTION_HEADER_FIELDS_NOT,
	SECTION_TEXT,
	SECTION_MIME
};

enum {
	SECTION_MAX_DEPTH = 100,
	SECTION_MAX_NAMES = 1000
};

struct section {
	enum section_kind kind;
	uint32_t depth; /* part numbers in use */
	uint32_t path[SECTION_MAX_DEPTH];
	const struct text *names; /* of HEADER.FIELDS */
	uint32_t name_count;
	bool is_partial; /* <first.count> */
	uint64_t first;
	uint64_t count;
};

/* Where a section's bytes stand in the stored message. */
struct section_span {
	struct mime_span span; /* all zero and is_missing if no such part */
	/* Of a part, if `span` is its content and it holds no others: the
	 * header that says how that is encoded; else all zero. */
	struct mime_span header;
	bool is_missing;  /* answer with NIL */
	bool is_filtered; /* the span is a header, take fields out of it */
};

void fetch_body_find(const struct mime_part *root,
    const struct section *section, struct section_span *found);

/* Appends the bytes of `stored` (the span as read) with CRLF line ends, cut
 * by <partial>.  0, or -1 if `out` is full. */
int fetch_body_put(
    const struct section *section, struct text stored, struct buf *out);

/* The same for is_filtered sections: picks fields, ends with an empty line. */
int fetch_body_filter(
    const struct section *section, struct text stored_header, struct buf *out);

/* A literal has no NUL (RFC 3501 9), and C programs end there: each is shown as
 * 0x80, as Dovecot does. BINARY (RFC 3516) has them as they are. */
void fetch_body_hide_nuls(void *data, size_t size);

/*
 * For streaming: turns stored bytes into wire bytes, chunk by chunk, skipping
 * `skip` wire bytes and giving at most `left`.  Zeroed but for these two.
 */
struct line_ends {
	uint64_t skip;
	uint64_t left; /* UINT64_MAX for all */
	bool after_cr; /* private */
};
int fetch_body_put_wire(
    struct line_ends *state, struct text stored, struct buf *out);
/* The same for bytes that go as they are. */
int fetch_body_put_as_is(
    struct line_ends *state, struct text bytes, struct buf *out);

#endif
