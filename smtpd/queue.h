/*
 * The router of incoming mail: takes transactions from smtpd's fronts, decides
 * about senders and recipients, makes a message durable with one `accept` to
 * snapd, says 250 only then (P1), and has each account's worker file it.  It
 * has no network and no files; the store is the queue for local mail.
 *
 *   front --begin, recipient, part, end--> queue --accept--> snapd
 *   front <-------- verdict 250 ---------- queue <-accepted- snapd
 *                                          queue --need_worker--> broker
 *                                          queue --file--> worker(account)
 *
 * What is for other hosts goes to the spool in the same way, and before; the
 * 250 is for both.  The spool's reports come back like mail.
 *
 * queue.c holds the channels; transaction.c the envelope and the body;
 * transaction_url.c parts that are in a mailbox; outgoing.c what leaves us;
 * filing.c the way to the workers.
 */
#ifndef SMTPD_QUEUE_H
#define SMTPD_QUEUE_H

#include "common/account.h"
#include "common/channel.h"
#include "common/event_loop.h"
#include "common/local_user.h"
#include "common/settings.h"
#include "common/status.h"
#include "common/table.h"
#include "smtpd/full_list.h"
#include "smtpd/quota_book.h"

#include <stdbool.h>

struct srs;

enum {
	QUEUE_MAX_FRONTS = 64,
	QUEUE_MAX_GRANTS = 65536,
	QUEUE_MAX_TRANSACTIONS = 4096, /* of a front */
	QUEUE_MAX_BYTES = 256 << 20,   /* of bodies in memory, all together */
	QUEUE_FILE_QUIET_MS = 5,       /* without new mail: then file, */
	QUEUE_FILE_LATEST_MS = 100,    /* and then at the latest, */
	QUEUE_FILE_MORE = 4,           /* so many more than clients, */
	QUEUE_FILE_STUCK_MS = 20,      /* until no answer has come so long */
	/* Workers asked for at once. One that needs the place of another waits
	 * until that has ended, three times for the disk: enough of them to use
	 * that time, few enough that a login need not wait for many. */
	QUEUE_MAX_STARTING = 16,
	/* Then 451, whatever snapd does: who hears it sends the message again,
	 * and has it twice if it was on its way to the disk. A client waits ten
	 * minutes (RFC 5321 section 4.5.3.2.6), so that is nearly as long. */
	QUEUE_ACCEPT_DEADLINE_MS = 540000,
	QUEUE_RETRY_MS = 2000,
	/* After `stop`: the fronts take SMTP_STOP_TIMEOUT_MS at most. */
	QUEUE_STOP_TIMEOUT_MS = 4000,
	QUEUE_MAX_FETCHES = 64,        /* of what URLs name, at a time, */
	QUEUE_MAX_ACCOUNT_FETCHES = 8, /* of one account, */
	/* of so many bytes, as far as is known; what would be more waits. */
	QUEUE_MAX_FETCH_BYTES = 256 << 20,
	QUEUE_FETCH_DEADLINE_MS = 120000
};

struct queue {
	struct event_loop *loop;
	const struct settings *settings;
	const struct account_table *accounts;
	struct channel *starter; /* the broker's: not owned */
	struct channel *snapd;
	enum status store;     /* STATUS_OK: mail can be taken */
	bool is_store_known;   /* snapd has said so, or is gone */
	struct channel *spool; /* NULL while it is away, */
	bool is_spool_open;    /* and it has said that it takes mail */
	struct full_list *full;
	struct quota_book *quotas;
	struct table *sent; /* account -> what it sent in a day, and 1 */
	struct front *fronts;
	size_t front_count;
	struct peer *authds;
	struct table *grants;    /* {instance, connection} */
	struct srs *srs;         /* NULL: senders stay as they are */
	struct table *accepts;   /* tag -> transaction that waits */
	struct table *questions; /* tag -> delivery that the spool asked of */
	struct table *fetches;   /* tag -> what of an URL is asked for, */
	uint64_t fetch_bytes;    /* and what workers may have in memory of it */
	uint64_t next_tag;
	uint64_t bytes; /* of all bodies */
	struct filing_list *filings;
	int64_t file_stuck_ms; /* QUEUE_FILE_STUCK_MS; tests want it longer */
	struct timer *timer;
	bool is_stopping;
	struct timer *stop_timer;
};

struct front {
	struct front *next;
	struct queue *queue;
	struct channel *channel;
	uint64_t instance;
	struct table *transactions;
};

struct grant {
	uint64_t key[2];  /* front instance, connection */
	uint32_t account; /* 0: a user of this machine */
	bool is_trusted;  /* may send as anybody: root */
	char user[LOCAL_USER_SIZE];
};

/* `settings` and `accounts` stay the caller's and must outlive the queue or
 * the next queue_reload. */
struct queue *queue_new(struct event_loop *loop,
    const struct settings *settings, const struct account_table *accounts);
void queue_free(struct queue **queue);
void queue_reload(struct queue *queue, const struct settings *settings,
    const struct account_table *accounts);

/* Works on for the fronts that are there, which are stopping too; ends the loop
 * when they are gone or QUEUE_STOP_TIMEOUT_MS has passed. */
void queue_stop(struct queue *queue);

/* The channel to the broker, which stays the caller's; NULL: it is gone. */
void queue_set_starter(struct queue *queue, struct channel *starter);

/* A message of the starter that is the queue's: introduce, worker_started. */
void queue_starter_says(
    struct queue *queue, const struct message *message, int *fds);

/* May the account send to so many recipients elsewhere, as far as the spool has
 * said what it sent? The spool itself looks again. */
bool queue_may_send(
    const struct queue *queue, uint32_t account, size_t recipients);

/* Who is logged in on that connection, by authd's word; or NULL. */
const struct grant *queue_find_grant(
    const struct queue *queue, uint64_t instance, uint64_t connection);

#endif
