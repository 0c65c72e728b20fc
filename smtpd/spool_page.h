/*
 * A page of what waits in the spool: the parcels that a command of the
 * administrator chooses, a bounded number of looks at a time.
 */
#ifndef SMTPD_SPOOL_PAGE_H
#define SMTPD_SPOOL_PAGE_H

#include "common/queue_record.h"
#include "smtpd/spool.h"

enum {
	SPOOL_PAGE_LOOKS = 500 /* parcels that are looked at for a page */
};

/* What is asked for: which, and from where on. */
struct spool_query {
	enum queue_selector selector;
	struct text word;
	uint64_t message; /* 0: from the first */
	uint16_t parcel;
	uint64_t only; /* the message of QUEUE_ID */
	bool is_over;  /* that message has gone */
};

struct spool_page {
	struct spool *spool;
	const struct spool_query *query;
	/* False: it does not fit any more. */
	bool (*take)(
	    struct spool_page *page, const struct spool_parcel *parcel);
	void *context;
	unsigned int looks;
	uint64_t next_message; /* where the next page begins */
	uint16_t next_parcel;
};

/* Finds the message that an id names: STATUS_INVALID if the word is none,
 * STATUS_MISSING, STATUS_DAMAGED. */
enum status spool_query_prepare(struct spool *spool, struct spool_query *query);
/* 1: it is the last, 0: there is more, -1: something cannot be read. */
int spool_page_walk(struct spool_page *page);

/* Each answers with one `queue_page`. */
void spool_list(struct spool *spool, struct channel *channel,
    const struct message_queue_list *said);
void spool_list_recipients(struct spool *spool, struct channel *channel,
    const struct message_queue_recipients *said);

#endif
