/*
 * What the worker remembers of one message, as one LMDB value: ENVELOPE,
 * BODY and BODYSTRUCTURE as texts, the table of parts that sections of
 * BODY[...] need, and the header fields that clients ask for.  Written once
 * when a message is filed, read in place without a copy.  Whatever the bytes
 * are, reading gives data or an error: the index is derived data and may be
 * damaged.
 *
 * Format (little-endian): u32 magic and version | u64 stored size | u64 wire
 * size | u8 has all fields (1), has an end (2) | u32 part count | u32 sizes of
 * envelope, body, bodystructure and fields | these texts | 61 bytes a part,
 * parents before their children.  With all sizes in front, who wants one text
 * reads no other.
 */
#ifndef IMAPD_MESSAGE_CACHE_H
#define IMAPD_MESSAGE_CACHE_H

#include "common/buf.h"
#include "common/error.h"
#include "common/mime_parser.h"
#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	MESSAGE_CACHE_VERSION = 3,
	MESSAGE_CACHE_MAX_SIZE = 8 * 1024 * 1024, /* of one record */
	MESSAGE_CACHE_MAX_FIELD = 64 * 1024 /* fields beyond are not cached */
};

struct message_cache {
	uint64_t stored_size;
	uint64_t wire_size;        /* RFC822.SIZE */
	struct text envelope;      /* with its parentheses */
	struct text body;          /* FETCH BODY, in its forms */
	struct text bodystructure; /* (body_structure.h), and so this one */
	struct text fields;        /* cached fields raw, with CRLF ends */
	bool has_all_fields;       /* of the cached names, none was left out */
	bool has_end;              /* of the header: an empty line */
	uint32_t part_count;
	struct text parts; /* private */
};

/* Makes the record of a parsed message; 0, or -1 if `out` is full (then the
 * message simply is not cached).  `stored_size` is that of the file. */
int message_cache_format(
    const struct mime_part *root, uint64_t stored_size, struct buf *out);

/* The same for one that must not be parsed: an empty ENVELOPE, and one part of
 * text in an unknown charset, which is the whole message as it is stored. */
int message_cache_format_raw(int fd, struct text data, uint64_t stored_size,
    struct buf *out); /* bytes in fd, or (-1) in data; -1 also: unreadable */

/* Reads a record; `cache` points into `bytes`.  0 or -1 (ERROR_DAMAGED; also
 * for a version that is not ours: parse the message anew). */
int message_cache_parse(
    struct text bytes, struct message_cache *cache, struct error *error);

/* Rebuilds the tree (without header_text) in `pool`, for fetch_body; NULL if
 * the bytes are damaged: parse the message anew. */
struct mime_part *message_cache_get_parts(
    const struct message_cache *cache, struct pool *pool);

/* True if a field of this name, if the message has one, is in `fields`. */
bool message_cache_has_name(
    const struct message_cache *cache, struct text name);

/* The fields of this name are kept, where there are any. */
bool message_cache_keeps(struct text name);

/* Appends the fields of these names, which are all kept, in the message's order
 * and the empty line, if there is one: the answer to BODY[HEADER.FIELDS (...)].
 * 0, or -1 if `out` is full. */
int message_cache_put_fields(const struct message_cache *cache,
    const struct text *names, size_t name_count, struct buf *out);

#endif
