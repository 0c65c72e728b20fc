/*
 * The parameter QRESYNC of SELECT (RFC 7162 3.2.5): what a client knows of the
 * mailbox.  Pure.
 */
#ifndef IMAPD_QRESYNC_REQUEST_H
#define IMAPD_QRESYNC_REQUEST_H

#include "imapd/imap_parser.h"

struct qresync_request {
	uint32_t uidvalidity;
	uint64_t modseq;
	bool is_known;         /* the client has said which UIDs it knows: */
	struct imap_set known; /* these, resolved; else all */
};

/* Behind "QRESYNC": " (uidvalidity modseq [known-uids] [(seqs uids)])". 0, or
 * -1 with parser->error. */
int qresync_parse(struct imap_parser *parser, struct qresync_request *request);

#endif
