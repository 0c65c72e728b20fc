/*
 * The records inside listings, batches and results between the snapshot store
 * and the workers: mailboxes, messages, changes.  Pure encoding and decoding;
 * a list of records is their bytes one after the other.
 */
#ifndef COMMON_RECORD_H
#define COMMON_RECORD_H

#include "common/codec.h"
#include "common/messages.h"

#include <stdbool.h>
#include <stdint.h>

/* Bits of `flags` in records; RECORD_MISSING is never shown to clients. */
enum {
	FLAG_SEEN = 1,
	FLAG_ANSWERED = 2,
	FLAG_FLAGGED = 4,
	FLAG_DELETED = 8,
	FLAG_DRAFT = 16,
	FLAG_ALL = 31,
	RECORD_MISSING = 1 << 16 /* the Maildir file was not found */
};

/* Bits of `special_use` (RFC 6154). */
enum {
	SPECIAL_USE_ARCHIVE = 1,
	SPECIAL_USE_DRAFTS = 2,
	SPECIAL_USE_FLAGGED = 4,
	SPECIAL_USE_JUNK = 8,
	SPECIAL_USE_SENT = 16,
	SPECIAL_USE_TRASH = 32
};

/* How a body is stored (docs: forms). */
/* What a worker is asked to look at beside the store's changes (catch_up). */
enum catch_up_files {
	CATCH_UP_ROWS,    /* nothing */
	CATCH_UP_FILES,   /* each file of each mailbox */
	CATCH_UP_ALL,     /* folders that are no mailboxes yet, too; the answer
			   * waits until what was found is in the store */
	CATCH_UP_MISSING, /* each file, but only says which are missing */
	CATCH_UP_CHANGED  /* as ALL, but only what changed since the last look,
			   * and not the store's changes */
};

enum body_form {
	FORM_LF = 0,   /* every line end is CRLF on the wire, LF in the file */
	FORM_EXACT = 1 /* the bytes as they came */
};

enum {
	RECORD_MAX_KEYWORDS = 64,
	RECORD_MAX_KEYWORD_SIZE = 100,
	RECORD_MAX_NAME_SIZE = 1000,
	RECORD_MAX_BASE_SIZE = 255,
	RECORD_MAX_ADDRESS_SIZE = 512,
	RECORD_MAX_ID_SIZE = 32
};

/* A store that was put back to an older state leaps at least so far with the
 * MODSEQ of each mailbox (snapd/leap.h), always by a multiple of the part; a
 * mailbox changes less often than that between two leaps. */
#define RECORD_MODSEQ_LEAP ((uint64_t)1 << 40)
#define RECORD_MODSEQ_PART ((uint64_t)1 << 32)

/* What people call account 0: the service's own files (snapd/service_files.h).
 * No user's number is as high, and in a request 0 is every account, or none. */
#define ACCOUNT_SERVICE UINT32_C(0xfffffffe)
/* The flag of a version of such a file that is sealed (sealed_secret.h). */
#define SERVICE_FILE_SEALED FLAG_FLAGGED

struct mailbox_record {
	uint64_t id;
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t highest_modseq; /* a counter of this mailbox */
	uint64_t message_count;
	uint32_t special_use;
	uint8_t is_retired; /* deleted by its user; listed in changes only */
	struct text name;   /* UTF-8 in NFC, levels separated by '/' */
	uint8_t keyword_count;
	struct text keywords[RECORD_MAX_KEYWORDS];
};

struct message_record {
	uint64_t mailbox;
	uint32_t uid;
	uint64_t modseq;
	uint64_t born;        /* sequence of the batch that made this row */
	int64_t internaldate; /* seconds since 1970 */
	uint64_t size;        /* RFC822.SIZE: with CRLF line ends */
	uint64_t stored_size; /* of the file */
	uint32_t flags;
	uint64_t keywords; /* bit n: keyword n of the mailbox */
	uint64_t blob;
	uint8_t form;
	struct hash hash; /* SHA-256 of the file's bytes */
	struct text base; /* Maildir base name, before ",S=" */
};

enum change_kind {
	CHANGE_MESSAGE, /* a row was born: new, or its flags changed */
	CHANGE_EXPUNGE, /* a row died and none followed it */
	CHANGE_MAILBOX, /* created, renamed, retired, keyword, identity */
	CHANGE_SUBSCRIBE,
	CHANGE_PAST /* an expunged message as it was; list_expunged only */
};

/* What list_mailboxes (mailboxes and subscriptions), list_changes and
 * list_expunged (messages, each mailbox before its first one) give.
 * A subscribed name need not exist (RFC 3501 6.3.6). */
struct change_record {
	uint64_t sequence;
	enum change_kind kind;
	struct message_record message; /* _MESSAGE, _PAST; _EXPUNGE: mailbox,
					  uid, modseq only */
	uint32_t number;               /* _PAST: in the order of deaths */
	struct mailbox_record mailbox; /* _MAILBOX */
	struct text name;              /* _SUBSCRIBE */
	uint8_t is_subscribed;         /* _SUBSCRIBE */
};

/* In accept: one for each recipient; number is its place in the list. */
struct recipient_record {
	uint32_t account;
	struct text address; /* as given in RCPT TO */
};

/* What is left to be done for one of spool_put's. */
enum outgoing_fate {
	OUTGOING_SEND,
	/* It was done here, and the sender wants to hear so. */
	OUTGOING_DELIVERED,
	OUTGOING_EXPANDED, /* an alias of several: they are recipients, too */
	OUTGOING_HERE, /* is one of ours, who gets it when its time has come */
	/* To the sender that is kept under the token in the address. */
	OUTGOING_BACK
};

/* In spool_put and relay_job: one for each recipient elsewhere. */
struct outgoing_record {
	uint8_t notify;       /* enum dsn_notify of common/dsn.h */
	struct text original; /* ORCPT as it was given; "" */
	struct text address;  /* where it goes to */
	uint8_t fate;         /* enum outgoing_fate */
};

/* Not only to be told of. */
static inline bool
record_is_to_go(const struct outgoing_record *record)
{
	return record->fate == OUTGOING_SEND || record->fate == OUTGOING_HERE ||
	       record->fate == OUTGOING_BACK;
}

struct unfiled_record {
	struct delivery_id delivery;
	int64_t time; /* seconds since 1970: becomes INTERNALDATE */
	uint8_t form;
	uint64_t size;        /* RFC822.SIZE */
	uint64_t stored_size; /* of the body in the store */
	uint64_t blob;
	struct text sender;
	struct text address; /* the recipient, as given in RCPT TO */
};

struct flag_record {
	uint32_t uid;
	uint32_t flags;
	uint64_t keywords;
};

struct copy_record {
	uint32_t uid;
	uint64_t keywords; /* in the target's numbers */
	struct delivery_id delivery;
};

/* In change_recall: bytes that the store has become a message again. */
struct recall_record {
	struct delivery_id delivery;
	uint64_t blob;
	int64_t internaldate;
	uint32_t flags;
	uint64_t keywords; /* in the target's numbers */
	uint8_t form;
};

/* A point in time that is kept. */
struct snapshot_record {
	uint64_t sequence;
	int64_t time;   /* seconds since 1970 */
	struct text id; /* of a mark, in hex; empty for a timer snapshot */
};

enum {
	/* More than LOSS_FEW messages of a mailbox, and more than this part of
	 * it, in one batch is a loss: an alarm. */
	LOSS_FEW = 20,
	LOSS_SHARE = 20
};

enum {
	BODIES_MAX = 64, /* in one answer */
	BODIES_MAX_BYTES = 4 << 20
};

/* One of several bodies: whether it is there, and how long. */
struct body_record {
	uint8_t status; /* enum status */
	uint64_t size;
};

/* UIDs of a mailbox that vanished with one MODSEQ: expunged or moved away. */
struct vanished_record {
	uint64_t mailbox;
	uint64_t modseq;
	uint32_t first;
	uint32_t last;
};

/* UIDs of a mailbox that came into it at one time: delivered, appended, copied
 * or moved there (RFC 8514). */
struct saved_record {
	uint64_t mailbox;
	int64_t time; /* seconds since 1970 */
	uint32_t first;
	uint32_t last;
};

/* What a change got: for file, append, copy, recall one each message; for
 * create one; for flags, expunge, missing, rename, retire, keyword, identity
 * one each part, with `modseq` only; for a move this too, of its source, behind
 * those of its messages. */
struct result_record {
	uint64_t mailbox;
	uint32_t uid; /* UIDVALIDITY for create */
	uint64_t modseq;
	uint64_t born;
	uint64_t blob;
	uint64_t size;
	struct hash hash;
};

/* Each put appends one record; the writer fails if it does not fit. Each get
 * returns 1 and the next record (texts point into the reader's bytes), 0 at
 * the end, -1 if the bytes are malformed. */
void record_put_mailbox(struct writer *w, const struct mailbox_record *r);
int record_get_mailbox(struct reader *r, struct mailbox_record *record);
void record_put_message(struct writer *w, const struct message_record *r);
int record_get_message(struct reader *r, struct message_record *record);
void record_put_change(struct writer *w, const struct change_record *r);
int record_get_change(struct reader *r, struct change_record *record);
void record_put_recipient(struct writer *w, const struct recipient_record *r);
int record_get_recipient(struct reader *r, struct recipient_record *record);
void record_put_outgoing(struct writer *w, const struct outgoing_record *r);
int record_get_outgoing(struct reader *r, struct outgoing_record *record);
void record_put_unfiled(struct writer *w, const struct unfiled_record *r);
int record_get_unfiled(struct reader *r, struct unfiled_record *record);
void record_put_flags(struct writer *w, const struct flag_record *r);
int record_get_flags(struct reader *r, struct flag_record *record);
void record_put_copy(struct writer *w, const struct copy_record *r);
int record_get_copy(struct reader *r, struct copy_record *record);
void record_put_recall(struct writer *w, const struct recall_record *r);
int record_get_recall(struct reader *r, struct recall_record *record);
void record_put_snapshot(struct writer *w, const struct snapshot_record *r);
int record_get_snapshot(struct reader *r, struct snapshot_record *record);
void record_put_body(struct writer *w, const struct body_record *r);
int record_get_body(struct reader *r, struct body_record *record);
void record_put_vanished(struct writer *w, const struct vanished_record *r);
int record_get_vanished(struct reader *r, struct vanished_record *record);
void record_put_saved(struct writer *w, const struct saved_record *r);
int record_get_saved(struct reader *r, struct saved_record *record);
void record_put_result(struct writer *w, const struct result_record *r);
int record_get_result(struct reader *r, struct result_record *record);

/* Upper bounds in bytes of one record, for sizing buffers. */
enum {
	RECORD_MESSAGE_MAX = 512,
	RECORD_MAILBOX_MAX = 8192,
	RECORD_CHANGE_MAX = 8800,
	RECORD_RESULT_SIZE = 76,
	RECORD_BODY_SIZE = 9,
	RECORD_VANISHED_SIZE = 24,
	RECORD_SAVED_SIZE = 24,
	RECORD_FLAGS_SIZE = 16,
	RECORD_COPY_SIZE = 30,
	RECORD_RECALL_SIZE = 47,
	RECORD_SNAPSHOT_MAX = 64
};

#endif
