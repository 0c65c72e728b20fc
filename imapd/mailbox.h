/*
 * An open mailbox and the view that one session has of it.  All sessions of
 * the account that have the mailbox selected share its rows; each view has its
 * own sequence numbers, which change only when the session takes the updates
 * that wait for it (RFC 3501 7.4.1: an EXPUNGE may not come at any time).
 *
 * A view may hold UIDs whose message is gone already and not yet told:
 * mailbox_row says false for them.
 */
#ifndef IMAPD_MAILBOX_H
#define IMAPD_MAILBOX_H

#include "common/buf.h"
#include "common/pool.h"
#include "imapd/account_store.h"
#include "imapd/imap_set.h"

struct mailbox_view;

struct mailbox_view_handler {
	/* There are updates to take (from the loop, once until they are
	 * taken). The mailbox may also be gone: see mailbox_view_is_gone. */
	void (*changed)(struct mailbox_view *view, void *context);
};

/* NULL and `status` (MISSING, UNAVAILABLE). A read-only view (EXAMINE) does
 * not take away \Recent. */
struct mailbox_view *mailbox_view_open(struct account_store *account,
    struct text name, bool is_read_only,
    const struct mailbox_view_handler *handler, void *context,
    enum status *status);
void mailbox_view_close(struct mailbox_view **view);

/* What a client was told of its mailbox: a view, when nobody has it open. */
struct mailbox_memory {
	uint64_t mailbox;
	uint32_t uidvalidity;
	uint32_t told_uidnext;
	uint64_t told_modseq;
	uint32_t told_recent;
	uint8_t keyword_count;
	bool has_new_keywords;
	bool has_new_key;
	bool is_read_only;
	bool is_past; /* for snapshot_recall, as of that sequence */
	uint64_t past_sequence;
	uint64_t key;         /* which one it has (mailbox_key_mark) */
	struct imap_set uids; /* rising, as are these */
	struct imap_set recent;
};

bool mailbox_view_is_past(const struct mailbox_view *view);
/* Ranges are in the pool. */
void mailbox_view_remember(const struct mailbox_view *view, struct pool *pool,
    struct mailbox_memory *memory);
/* The view goes on where it was: what happened since are updates to take, also
 * that the mailbox is gone. NULL and a status: the account cannot be served. */
struct mailbox_view *mailbox_view_recall(struct account_store *account,
    const struct mailbox_memory *memory,
    const struct mailbox_view_handler *handler, void *context,
    enum status *status);

/* Identity, UIDNEXT, HIGHESTMODSEQ, keywords as of now. */
const struct mailbox_info *mailbox_view_info(struct mailbox_view *view);
bool mailbox_view_is_read_only(const struct mailbox_view *view);
/* Deleted by another session: every message looks expunged. */
bool mailbox_view_is_gone(const struct mailbox_view *view);

/* Sequence numbers are 1 to mailbox_view_count. */
size_t mailbox_view_count(const struct mailbox_view *view);
uint32_t mailbox_view_uid(const struct mailbox_view *view, size_t number);
/* 0 if the view has no such UID. */
size_t mailbox_view_number(const struct mailbox_view *view, uint32_t uid);
/* The first number whose UID is at least `uid`; count + 1 if there is none. */
size_t mailbox_view_number_from(const struct mailbox_view *view, uint32_t uid);
bool mailbox_view_is_recent(const struct mailbox_view *view, uint32_t uid);
size_t mailbox_view_recent_count(const struct mailbox_view *view);
/* Number of the first message without \Seen, 0 if there is none. */
size_t mailbox_view_first_unseen(const struct mailbox_view *view);

struct mailbox_row {
	uint32_t uid;
	uint32_t flags; /* FLAG_ bits */
	uint64_t keywords;
	uint64_t modseq;
	int64_t internaldate;
	uint64_t size; /* RFC822.SIZE */
};

/* From memory; false if the message is gone. */
bool mailbox_row(
    const struct mailbox_view *view, uint32_t uid, struct mailbox_row *row);

/* ---- Updates ---- */

enum mailbox_update_kind {
	UPDATE_EXPUNGE, /* number (as of now) and uid */
	UPDATE_EXISTS,  /* number: the new count */
	UPDATE_RECENT,  /* number: the new count */
	UPDATE_FLAGS,   /* number and uid: send FETCH with flags (and MODSEQ) */
	UPDATE_KEYWORDS, /* new keywords: send FLAGS */
	UPDATE_KEY       /* a new access key: send URLMECH */
};

struct mailbox_update {
	enum mailbox_update_kind kind;
	size_t number;
	uint32_t uid;
};

/* True once after keywords were added: for a command that is about to name
 * them; UPDATE_KEYWORDS does not come then. */
bool mailbox_view_take_keywords(struct mailbox_view *view);
/* Whether there is one to take. */
bool mailbox_view_has_updates(
    const struct mailbox_view *view, bool may_expunge);
/* Takes the next update: true, or false when none is left. Call until false
 * with the same may_expunge; numbers are right for the moment of each. */
bool mailbox_view_next_update(
    struct mailbox_view *view, bool may_expunge, struct mailbox_update *update);

/* All that there is to take is that so many messages were expunged. */
bool mailbox_view_misses_only(const struct mailbox_view *view, size_t expunged);
/* Takes all UPDATE_EXPUNGE at once: up to `max` UIDs in rising order, 0 when
 * none is left. */
size_t mailbox_view_take_expunged(
    struct mailbox_view *view, uint32_t *uids, size_t max);

/* ---- What a client missed that was away (mailbox_vanished.c) ---- */

/* Whether all that vanished after `modseq` is in the index. If not, the store
 * tells it: `done` may come before this returns. */
bool mailbox_view_knows_vanished(
    const struct mailbox_view *view, uint64_t modseq);
void mailbox_learn_vanished(struct account_store *account,
    void (*done)(enum status status, void *context), void *context);
/* No callback will come for this context any more. */
void mailbox_learn_cancel(struct account_store *account, void *context);
/* Where a client's MODSEQ is one that the mailbox has not reached yet, it knows
 * nothing that we know: 0. */
uint64_t mailbox_view_known_modseq(
    const struct mailbox_view *view, uint64_t modseq);
/* UIDs `first` to `last` that vanished after `modseq`, and no others but such
 * as no message ever had; in any order, also more than once. Some may be in the
 * view: then it was not told yet. */
void mailbox_view_each_vanished(const struct mailbox_view *view,
    uint64_t modseq,
    void (*callback)(uint32_t first, uint32_t last, void *context),
    void *context);

/* ---- When messages came into the mailbox (mailbox_saved.c) ---- */

/* The mailbox knows it of its messages: those of the past do not. */
bool mailbox_view_has_saved(const struct mailbox_view *view);
/* Whether it is in the index of all messages that are there now. If not, the
 * store tells it: `done` may come before this returns, and is cancelled by
 * mailbox_learn_cancel. */
bool mailbox_view_knows_saved(const struct mailbox_view *view);
void mailbox_learn_saved(struct account_store *account,
    void (*done)(enum status status, void *context), void *context);
/* In seconds since 1970; false if it is not known. */
bool mailbox_view_saved(
    const struct mailbox_view *view, uint32_t uid, int64_t *time);

/* ---- Changes: updates that they cause are for the other views; the asking
 * session tells its own client of changed flags, and takes its expunges from
 * mailbox_view_next_update. A view may be closed while its change is under
 * way: `done` still comes. ---- */

enum flag_mode {
	FLAGS_REPLACE,
	FLAGS_ADD,
	FLAGS_REMOVE
};

struct flag_change {
	enum flag_mode mode;
	uint32_t flags;
	const struct text *keywords; /* names as the client wrote them */
	size_t keyword_count;
	bool has_unchanged_since;
	uint64_t unchanged_since;
};

/* One batch. STATUS_LIMIT: too many keywords. UIDs that are gone are left out.
 * Rows that have these flags already are not touched (RFC 7162 3.1). */
void mailbox_change_flags(struct mailbox_view *view, const uint32_t *uids,
    size_t uid_count, const struct flag_change *change, mailbox_done *done,
    void *context);
/* STATUS_MISSING: no such target (TRYCREATE). Copying is all or nothing. */
void mailbox_copy(struct mailbox_view *view, const uint32_t *uids,
    size_t uid_count, struct text target, bool is_move, mailbox_done *done,
    void *context);
/* Those of `uids` (NULL: of all) that carry \Deleted. */
void mailbox_expunge(struct mailbox_view *view, const uint32_t *uids,
    size_t uid_count, mailbox_done *done, void *context);

/* ---- Contents ---- */

struct mailbox_body {
	int fd;        /* pread from 0; closed after the callback unless -1 is
			  put here by who keeps it */
	uint64_t size; /* bytes in the file */
	uint8_t form;  /* FORM_LF: each LF stands for CRLF */
	uint64_t wire_size; /* RFC822.SIZE */
};

/* The bytes of a message, from its file or from the store. `done` may come
 * before this returns. STATUS_MISSING: expunged; UNAVAILABLE, DAMAGED. */
void mailbox_read(struct mailbox_view *view, uint32_t uid,
    void (*done)(enum status status, struct mailbox_body *body, void *context),
    void *context);
/* No callback will come for this context any more. */
void mailbox_read_cancel(struct account_store *account, void *context);

/* The SHA-256 of a message's stored bytes; false if it is gone. */
bool mailbox_content_hash(
    const struct mailbox_view *view, uint32_t uid, struct hash *hash);
/*
 * The cached parse of a message (imapd/message_cache.h), by its content:
 * filled at filing, copies share it. true and the bytes, which are valid until
 * the mailbox is changed or put is called; put: after mailbox_read, when find
 * said false.
 */
bool mailbox_cache_find(
    struct mailbox_view *view, uint32_t uid, struct text *bytes);
/* Around whatever looks into the bytes of a message (parse_note.h), within one
 * turn of the event loop. False: it must not be looked into. */
bool mailbox_parse_begin(struct mailbox_view *view, uint32_t uid);
void mailbox_parse_end(struct mailbox_view *view);
void mailbox_cache_put(
    struct mailbox_view *view, uint32_t uid, struct text bytes);

#endif
