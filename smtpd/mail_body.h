/*
 * The bytes of a message while the queue holds them: turned from CR LF into the
 * stored form (LF: common/record.h) as they come, or as they are where CR, LF
 * and NUL may stand anywhere (BINARYMIME); small ones in memory, large ones in
 * a memfd.  The trace fields go in front when they are known: at the end, or
 * when the first 64 KiB are full.
 */
#ifndef SMTPD_MAIL_BODY_H
#define SMTPD_MAIL_BODY_H

#include "common/buf.h"
#include "common/error.h"
#include "smtpd/header_filter.h"
#include "smtpd/received.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	MAIL_BODY_HEAD_SIZE = 65536,
	MAIL_BODY_INLINE_SIZE = 16384 /* as in the row `accept` */
};

struct mail_body {
	struct buf head; /* all of it, or what is not in `fd` yet */
	int fd;          /* memfd, or -1 */
	uint64_t stored_size;
	unsigned int defects; /* DEFECT_BARE_ bits, found here */
	bool is_after_cr;
	bool is_exact; /* the owner's to set, as is `drops_bcc` */
	struct header_filter header;
	void (*make_prefix)(
	    struct mail_body *body, struct buf *prefix, void *context);
	void *context;
};

void mail_body_init(struct mail_body *body,
    void (*make_prefix)(
	struct mail_body *body, struct buf *prefix, void *context),
    void *context);
void mail_body_clear(struct mail_body *body);

/* 0, or -1 and error (ERROR_FULL): the message cannot be kept. */
int mail_body_put(struct mail_body *body, const uint8_t *data, size_t size,
    struct error *error);

/* No more comes. Afterwards `head` holds all stored_size bytes and fd is -1,
 * or fd, sealed, holds them. */
int mail_body_finish(struct mail_body *body, struct error *error);

#endif
