/*
 * A streaming MIME parser (RFC 2045, 2046): fed a message in chunks of any
 * size as it is stored (LF or CRLF line ends), gives the tree of its parts
 * with the place and size of each, as stored and as sent with CRLF.  Body
 * bytes are only looked at for line ends and boundaries, never kept.
 * Boundaries are found as Dovecot finds them: at the start of a line, longest
 * match among all open multiparts, whatever follows on the line.
 *
 * Beyond a limit nothing fails: parts over MIME_MAX_PARTS or deeper than
 * MIME_MAX_DEPTH are body text of the part they stand in; header bytes over
 * MIME_MAX_KEPT_HEADER are counted but not kept, so a field there is not
 * seen.
 */
#ifndef COMMON_MIME_PARSER_H
#define COMMON_MIME_PARSER_H

#include "common/pool.h"
#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	MIME_MAX_PARTS = 10000,
	MIME_MAX_DEPTH = 100,
	MIME_MAX_KEPT_HEADER = 256 * 1024, /* of one part */
	MIME_MAX_KEPT_TOTAL = 4096 * 1024, /* of all parts but the first */
	MIME_MAX_BOUNDARY = 80
};

enum mime_kind {
	MIME_LEAF,      /* anything else */
	MIME_MULTIPART, /* multipart with a boundary */
	MIME_MESSAGE    /* message/rfc822 or message/global: one child */
};

/* A run of bytes in both forms; `wire` counts each LF without CR as two. */
struct mime_span {
	uint64_t offset; /* as stored */
	uint64_t size;   /* as stored */
	uint64_t wire;   /* size on the wire */
	uint32_t lines;
};

struct mime_part {
	enum mime_kind kind;
	bool is_digest;          /* multipart/digest */
	bool is_global;          /* message/global */
	struct mime_span header; /* with the empty line */
	struct mime_span body;
	struct text header_text; /* kept copy of the header as stored */
	struct mime_part *parent;
	struct mime_part *child; /* first */
	struct mime_part *last_child;
	struct mime_part *next; /* sibling */
	uint32_t number;        /* in order of appearance, from 0 */
};

struct mime_parser;

/* The tree and its texts live in `pool` and outlive the parser. */
struct mime_parser *mime_parser_new(struct pool *pool);
void mime_parser_feed(
    struct mime_parser *parser, const void *data, size_t size);

/* The end of the message: the finished root part; the parser is freed. */
struct mime_part *mime_parser_finish(struct mime_parser **parser);

/* All at once. */
struct mime_part *mime_parse(struct text message, struct pool *pool);

/* Parts in the tree; header and body of a part together, on the wire. */
uint32_t mime_part_count(const struct mime_part *root);
uint64_t mime_part_wire_size(const struct mime_part *part);

#endif
