/*
 * The body of DATA as it comes from the client: finds its exact end, undoes
 * dot-stuffing (RFC 5321 section 4.5.2) and notes defects.  Pure: bytes in any
 * chunks in, bytes out.
 *
 * The end is CR LF "." CR LF and nothing else (the first CR LF may be that of
 * the DATA command).  A line that begins after anything but CR LF is no line:
 * its dots are text.  So no two servers can disagree with us about where a
 * message ends in a way that smuggles a second one in.
 */
#ifndef SMTPD_SMTP_DATA_H
#define SMTPD_SMTP_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* Least room for output in a call. */
	SMTP_DATA_MIN_ROOM = 4
};

enum smtp_data_step {
	SMTP_DATA_MORE, /* all input was used */
	SMTP_DATA_FULL, /* output is full; call again with what is left */
	SMTP_DATA_END   /* the end was found; what follows it is not used */
};

struct smtp_data {
	int state; /* private */
	bool is_normalising;
	bool is_counted; /* chunks of BDAT: no dots, and no end but by size */
	unsigned int defects; /* DEFECT_ bits of common/smtp_verdict.h */
	uint64_t size;        /* bytes that came out */
};

/* `is_normalising`: bare LF and bare CR come out as CR LF (submission); else
 * as they came. Either way they are noted. */
void smtp_data_init(struct smtp_data *data, bool is_normalising);

/* The same for chunks (RFC 3030), all of one message through one struct: dots
 * are text, and smtp_data_finish says that it is over. */
void smtp_data_init_chunks(struct smtp_data *data, bool is_normalising);

/* Of chunks: what was held back, as it came, since bytes of another's come
 * next.  A CR and an LF on both sides of that seam are one line end, which only
 * who puts the parts together sees (transaction_put). */
size_t smtp_data_flush(struct smtp_data *data, uint8_t *out);

/* What was held back, at most SMTP_DATA_MIN_ROOM bytes; how many. */
size_t smtp_data_finish(struct smtp_data *data, uint8_t *out);

/* Uses up to `in_size` bytes (*used) and puts at most `out_size` (*made). */
enum smtp_data_step smtp_data_scan(struct smtp_data *data, const uint8_t *in,
    size_t in_size, size_t *used, uint8_t *out, size_t out_size, size_t *made);

#endif
