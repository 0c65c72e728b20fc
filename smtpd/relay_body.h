/*
 * The bytes of a message that goes out, read from the spool's descriptor a
 * piece at a time, and as they go over the wire: dots stuffed for DATA, or
 * counted for BDAT.  A CR or LF that stands alone never goes out with DATA:
 * what one server takes for a line end and another does not is how mail is
 * smuggled, and this host will not be the one that carries it.
 */
#ifndef SMTPD_RELAY_BODY_H
#define SMTPD_RELAY_BODY_H

#include "common/buf.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	RELAY_BODY_PIECE = 16384 /* bytes read at a time */
};

struct relay_body {
	int fd;           /* a regular file; the owner's */
	uint64_t size;    /* with CRLF line ends */
	int converted_fd; /* ours, in the place of `fd`; -1: there is none */
	uint64_t offset;
	bool is_line_start; /* private: of DATA */
	bool is_after_cr;   /* private: of DATA, a CR was not put yet */
	bool is_scanned;
	bool has_8bit;        /* anywhere; valid once scanned */
	bool has_8bit_header; /* in the header: it needs SMTPUTF8 */
};

void relay_body_init(struct relay_body *body, int fd, uint64_t size);

/* What was made of it; the descriptor that was given stays the owner's. */
void relay_body_clear(struct relay_body *body);

/* From the start again. */
void relay_body_rewind(struct relay_body *body);

/* Another form of the same message goes out from now on; takes over `fd`. */
void relay_body_replace(struct relay_body *body, int fd, uint64_t size);

/* Looks at all of it, once. 0, or -1 if it cannot be read. */
int relay_body_scan(struct relay_body *body, struct error *error);

/*
 * Appends what goes out next, if `out` has room for a piece; with `is_data`
 * dots are stuffed, and the end has its CRLF and dot. 1 if there is more, 0 at
 * the end, -1 if it cannot be read or is shorter than it should be.
 */
int relay_body_put(struct relay_body *body, bool is_data, struct buf *out,
    struct error *error);

/* A piece at its worst: a byte can become two, and the end. */
enum {
	RELAY_BODY_ROOM = 2 * RELAY_BODY_PIECE + 16
};

#endif
