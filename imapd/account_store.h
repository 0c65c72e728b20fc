/*
 * The mail of one account, as its worker holds it: the channel to the snapshot
 * store, the index of what the store said, the Maildir, and the mailboxes that
 * sessions have open.  The store's rows are the truth; index and Maildir are
 * made from them and may vanish at any time without a message being missed.
 *
 * All changes are asynchronous: `done` comes when the store has committed (or
 * refused) them, never before, and may come before the call returns if the
 * change is refused at once. A change while the store is away is refused with
 * STATUS_UNAVAILABLE.
 *
 * Pointers to a mailbox_info and texts in it are valid until the event loop is
 * entered again.
 */
#ifndef IMAPD_ACCOUNT_STORE_H
#define IMAPD_ACCOUNT_STORE_H

#include "common/buf.h"
#include "common/change_note.h"
#include "common/channel.h"
#include "common/event_loop.h"
#include "common/record.h"
#include "common/status.h"
#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account_store;

/* Takes over `home_fd`, the account's home (Maildir, index, state, witness). */
struct account_store *account_store_new(struct event_loop *loop, int home_fd);
/* Orderly: writes index and state. Views must be closed before. */
void account_store_free(struct account_store **account);

/* New ends of the channels to snapd and queue, which are taken over; an older
 * one of the same kind is dropped. */
void account_store_attach_snapd(struct account_store *account, int fd);
void account_store_attach_queue(
    struct account_store *account, int fd, uint64_t instance);

/*
 * STATUS_OK once mailboxes may be opened, which stays so while snapd is away
 * later on; before, STATUS_UNAVAILABLE (session says BYE or NO [UNAVAILABLE]),
 * or STATUS_FENCED: the store is not the account's, or older than what the
 * account has seen, and an administrator has to look.
 */
enum status account_store_status(const struct account_store *account);

/* The address of its user, for letters to him and as the owner of URLs; empty:
 * it is not known. And what this server is called in those. */
void account_store_set_owner(struct account_store *account, struct text user);
struct text account_store_owner(const struct account_store *account);
void account_store_set_host(struct account_store *account, struct text host);
struct text account_store_host(const struct account_store *account);

/* A file that another program took away is a deleted message, within limits
 * (mailbox_sync.c); else, and at first, it is made again. */
void account_store_take_deletes(struct account_store *account, bool takes);

/* Changes that are asked for from now on are noted as his, until the next call;
 * NULL: nobody's. It is copied. */
void account_store_act_for(
    struct account_store *account, const struct change_note *note);

/* ---- What the queue asks of URLs (url_requests.h) ---- */

struct message_fetch_url;
/* Called for each; NULL: they wait for a queue that asks again. */
void account_store_serve_urls(struct account_store *account,
    void (*serve)(const struct message_fetch_url *asked, void *context),
    void *context);
/* The answer, with what is in `data`, or in *fd, which stays the caller's. */
void account_store_answer_url(struct account_store *account, uint64_t tag,
    unsigned int verdict, uint64_t size, struct text data, int *fd);

/* ---- The quota ---- */

/* From now on; 0: without a limit. */
void account_store_set_quota(
    struct account_store *account, uint64_t bytes, uint64_t messages);

struct account_usage {
	uint64_t bytes; /* RFC822.SIZE of all live messages */
	uint64_t messages;
	uint64_t max_bytes; /* 0: without a limit */
	uint64_t max_messages;
};
void account_store_usage(
    const struct account_store *account, struct account_usage *usage);
/* Whether a message of so many bytes has room now. */
bool account_store_has_room(
    const struct account_store *account, uint64_t bytes);

/* Called once, when the status has become STATUS_OK, or another one for good,
 * or after 10 s; at once if it is so already. */
void account_store_when_ready(struct account_store *account,
    void (*callback)(enum status status, void *context), void *context);
void account_store_forget_ready(struct account_store *account, void *context);

/* The store is another one than the index was made from, or the index is
 * damaged: free the account and begin anew (a new worker). */
bool account_store_must_restart(const struct account_store *account);

/* Sessions sleep elsewhere until something happens to their mailbox: from now
 * on the first time that each kind of thing (enum happening) does to each is
 * told; of names and subscriptions, to mailbox 0. NULL: nobody is told. */
void account_store_watch(struct account_store *account,
    void (*happened)(uint64_t mailbox, unsigned int what, void *context),
    void *context);
/* Which store it is that the account is served from. */
bool account_store_identity(struct account_store *account,
    struct store_id *store, uint64_t *incarnation);

/* Nothing is under way: no change, delivery, healing. */
bool account_store_is_idle(const struct account_store *account);
/* Gives memory back: called when the worker waits. */
void account_store_trim(struct account_store *account);

/* ---- The list of mailboxes ---- */

struct mailbox_info {
	uint64_t id;
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t highest_modseq;
	uint32_t special_use; /* SPECIAL_USE_ bits of common/record.h */
	size_t message_count;
	struct text name; /* UTF-8, NFC, '/' between levels; "INBOX" */
	size_t keyword_count;
	const struct text *keywords; /* names by number */
};

/* By name order ("INBOX" first): `after` is the last one's name or {NULL, 0};
 * NULL at the end. */
const struct mailbox_info *mailbox_list_next(
    struct account_store *account, struct text after);
/* "inbox" in any case; NULL if there is none. */
const struct mailbox_info *mailbox_list_find(
    struct account_store *account, struct text name);

/* Subscribed names in order, existing or not: true and `name`. */
bool mailbox_list_next_subscribed(
    struct account_store *account, struct text after, struct text *name);
bool mailbox_list_is_subscribed(
    struct account_store *account, struct text name);

/* NULL if there is none (any more). */
const struct mailbox_info *mailbox_list_find_id(
    struct account_store *account, uint64_t mailbox);

struct mailbox_counts {
	size_t messages;
	size_t recent;
	size_t unseen;
	size_t deleted;
	uint64_t size; /* RFC822.SIZE of all */
	uint64_t deleted_size;
};
/* For STATUS, without opening the mailbox. */
void mailbox_list_count(struct account_store *account,
    const struct mailbox_info *info, struct mailbox_counts *counts);

/* What became of a change. Arrays are valid during the call. */
struct mailbox_answer {
	enum status status;
	uint64_t modseq;
	uint32_t uidvalidity; /* append, copy, move, create: the target's */
	size_t count;         /* of the two lists below, in the same order */
	const uint32_t *source_uids; /* copy, move; flags: changed; expunge */
	const uint32_t *target_uids; /* copy, move, append */
	size_t modified_count;       /* flags: refused by unchanged_since */
	const uint32_t *modified_uids;
};
typedef void mailbox_done(const struct mailbox_answer *answer, void *context);

/*
 * Names must be what mailbox_name_check accepts, INBOX in any case.  Statuses:
 * create EXISTS, LIMIT; delete MISSING, REFUSED (INBOX); rename MISSING,
 * EXISTS. Creating makes missing levels above as well; renaming takes the
 * levels below along; renaming INBOX moves its messages (RFC 3501 6.3.5).
 */
void mailbox_list_create(struct account_store *account, struct text name,
    uint32_t special_use, mailbox_done *done, void *context);
void mailbox_list_delete(struct account_store *account, struct text name,
    mailbox_done *done, void *context);
void mailbox_list_rename(struct account_store *account, struct text from,
    struct text to, mailbox_done *done, void *context);
void mailbox_list_subscribe(struct account_store *account, struct text name,
    bool is_subscribed, mailbox_done *done, void *context);

/* STATUS_OK, or STATUS_INVALID or STATUS_LIMIT for a name that no mailbox may
 * have (empty level, control byte, too long, not UTF-8). */
enum status mailbox_name_check(struct text name);

/* ---- What happens in the account ---- */

enum happening {
	HAPPENED_NEW = 1, /* messages of a mailbox: came, */
	HAPPENED_EXPUNGE = 2,
	HAPPENED_FLAGS = 4,
	HAPPENED_NAME = 8, /* made (no old name), renamed, deleted (no name) */
	HAPPENED_SUBSCRIPTION = 16, /* of that name, which none may have */
	/* For those alone who have the mailbox open, and sleep: */
	HAPPENED_KEY = 32, /* it has a new one */
	HAPPENED_GONE = 64
};

struct account_event {
	enum happening what;
	uint64_t mailbox; /* of messages */
	struct text name;
	struct text old_name;
};

/* The listener's own, as long as it listens. Nothing of the account may be
 * asked or changed in `heard` but its list of mailboxes. */
struct account_listener {
	struct account_listener *next;
	void (*heard)(const struct account_event *event, void *context);
	void *context;
};
void account_store_listen(
    struct account_store *account, struct account_listener *listener);
void account_store_unlisten(
    struct account_store *account, struct account_listener *listener);

/* ---- APPEND ---- */

struct append;
struct mailbox_view;

/* The mailbox is looked up at commit. */
struct append *append_begin(struct account_store *account, struct text mailbox);
/* One more message, whose bytes follow with append_write, as they came in the
 * literal. `keywords` are names as the client wrote them. internaldate: seconds
 * since 1970. */
void append_message(struct append *append, uint32_t flags,
    const struct text *keywords, size_t keyword_count, int64_t internaldate);
/* 0, or -1 if it will not fit in memory (the commit says so as well). */
int append_write(struct append *append, const void *data, size_t size);
/* The commit expunges that message of the view, or adds none. */
void append_replace(
    struct append *append, struct mailbox_view *view, uint32_t uid);
/* Ends `append` in any case: all messages or none, of which there is one at
 * least. STATUS_MISSING: no such mailbox (TRYCREATE), or what is to be replaced
 * is gone. */
void append_commit(struct append **append, mailbox_done *done, void *context);
void append_abort(struct append **append);

#endif
