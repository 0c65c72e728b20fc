/*
 * What a session keeps of NOTIFY (RFC 5465): what its client asked for, and
 * what happened that it was not told yet.  Bounded: beyond the limits the
 * client hears NOTIFICATIONOVERFLOW, as if it had said NOTIFY NONE behind it.
 *
 * While the session sleeps `arguments` are kept, of which all else is made
 * again, and how the mailboxes were that it watches (session_notify_sleep.c).
 */
#ifndef IMAPD_SESSION_NOTIFY_H
#define IMAPD_SESSION_NOTIFY_H

#include "imapd/imap_session_state.h"
#include "imapd/notify_request.h"

enum {
	NOTIFY_MAX_CHANGED = 1000, /* mailboxes */
	NOTIFY_MAX_EVENTS = 100    /* names that changed */
};

struct notify_name {
	enum happening what;
	char *name;     /* NULL: the mailbox is gone, */
	char *old_name; /* that was this; NULL: there was none */
};

struct session_notify {
	struct imap_session *session;
	struct pool *pool; /* of the request */
	struct text arguments;
	bool is_utf8_names; /* as they were read */
	struct notify_request request;
	struct account_listener listener;
	bool has_overflowed;
	size_t changed_count;
	size_t changed_room;
	uint64_t *changed; /* mailboxes */
	size_t name_count;
	struct notify_name *names;
	/* New messages of the selected mailbox, to be fetched; 0: none. */
	uint32_t fetch_first;
	uint32_t fetch_last;
	bool is_fetching;
	bool was_idling; /* and goes on with it then, under this tag */
	char idle_tag[IMAP_MAX_TAG_SIZE + 1];
};

/* Takes over `notify`, in place of what was before; NULL is NOTIFY NONE, which
 * is not as if it had never been said. */
void session_notify_set(
    struct imap_session *session, struct session_notify *notify);
struct session_notify *session_notify_new(struct text arguments);
void session_notify_free(struct session_notify **notify);

/* As it is now, not one of the past. */
bool session_notify_is_selected(
    const struct imap_session *session, uint64_t mailbox);
/* What others did to the mailbox that is selected may be told now. */
bool session_notify_wants_updates(const struct imap_session *session);
/* Of it, that messages are gone, or have other flags. */
bool session_notify_wants_expunges(const struct imap_session *session);
bool session_notify_wants_flags(const struct imap_session *session);
/* The client was told of messages up to the number `count`, from `before`
 * on. */
void session_notify_told_new(
    struct imap_session *session, size_t before, size_t count);

/* Another mailbox will be selected, or none. */
void session_notify_reselect(struct imap_session *session);

/* "* STATUS" of a mailbox with news, as far as they are wanted. */
void session_notify_put_status(struct imap_command *command,
    const struct notify_request *request, const struct mailbox_info *info);

/* What happened elsewhere: true when all of it was told. */
bool session_put_notifications(struct imap_session *session);

/* Between commands and in IDLE: tells, and fetches what is new. True: it did
 * something, and there may be more. */
bool session_notify_step(struct imap_session *session);
/* What was fetched so has no tagged answer: true, and the session goes on where
 * it was. */
bool session_notify_finish(struct imap_session *session);

/* ---- Sleep (session_notify_sleep.c); it has a request ---- */

struct notify_memory;
struct writer;

/* Nothing waits to be told. */
bool session_notify_rests(const struct imap_session *session);
/* A topic of session_sleep. */
void session_put_topic(
    struct writer *topics, uint64_t mailbox, unsigned int what);
/* What it tells now of the selected mailbox (enum happening). */
unsigned int session_notify_of_selected(const struct imap_session *session);
/* Those of other mailboxes: there is room for two at least. */
void session_notify_put_topics(
    const struct imap_session *session, struct writer *topics);
/* What its client was told; what it holds is in the pool, or the account's, or
 * the session's. */
void session_notify_remember(const struct imap_session *session,
    struct pool *pool, struct notify_memory *memory);
/* It has that again, when it has its mailbox, and will tell what happened
 * since. 0, or -1: that is none. */
int session_notify_recall(
    struct imap_session *session, const struct notify_memory *memory);

#endif
