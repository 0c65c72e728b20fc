/*
 * What the rows of an answer to snapctl carry.  Pure encoding and decoding, one
 * record a row; mailboxes and messages are those of common/record.h.
 */
#ifndef COMMON_CONTROL_RECORD_H
#define COMMON_CONTROL_RECORD_H

#include "common/record.h"

#include <stdint.h>

/* `point_kind` of a request. */
enum control_point_kind {
	POINT_LATEST, /* the newest mark or timer snapshot */
	POINT_NOW,    /* the live state */
	POINT_NAMED,  /* an id (hex, unambiguous) or a name */
	POINT_TIME,   /* as it was at point_time */
	POINT_EVENT   /* as it was after event number point_time */
};

/* `mode` of control_restore. */
enum restore_mode {
	MODE_MISSING, /* adds what is not there */
	MODE_COPY,    /* all of it into a folder of its own */
	MODE_REWIND,  /* as it was then; what came later is moved aside */
	MODE_COUNT
};

/* `kind` of control_row. */
enum control_row_kind {
	CONTROL_SNAPSHOT = 1,
	CONTROL_ACCOUNT,
	CONTROL_MAILBOX, /* struct mailbox_record */
	CONTROL_MESSAGE, /* struct message_record */
	CONTROL_BODY,    /* bytes of a message, in order */
	CONTROL_DIFF,
	CONTROL_EVENT,
	CONTROL_PLAN,
	CONTROL_PROGRESS,
	CONTROL_FINDING,
	CONTROL_FACT,
	CONTROL_SUBSCRIPTION, /* export: a name that the account subscribed */
	CONTROL_DEATH,        /* find: of the message that follows */
	CONTROL_HEAD, /* find: of the message before; its header, in parts */
	CONTROL_POLICY,
	CONTROL_HOLD,
	CONTROL_PROOF, /* lines of one (common/proof.h), in order */
	CONTROL_USAGE,
	CONTROL_STORE,
	CONTROL_DRILL,
	CONTROL_DRILL_FINDING
};

enum {
	CONTROL_MAX_NAME = 64,
	CONTROL_MAX_TEXT = 1000
};

enum control_snapshot_kind {
	SNAPSHOT_TIMER, /* computed from the schedule */
	SNAPSHOT_NAMED, /* made by an administrator */
	SNAPSHOT_ALARM, /* made by the store itself */
	SNAPSHOT_HEAD,  /* a signed head of the log */
	SNAPSHOT_REWIND /* made before a rewind; never `latest` */
};

struct control_snapshot {
	uint64_t sequence;
	int64_t time;     /* seconds since 1970 */
	uint32_t account; /* 0: all */
	uint8_t kind;     /* enum control_snapshot_kind */
	struct text id;   /* 8 hex digits or more */
	struct text name; /* or empty */
	struct text why;  /* or empty */
};

struct control_account {
	uint32_t account;
	uint64_t mailboxes;
	uint64_t messages;
	uint64_t bytes;
	uint64_t unfiled;
};

/* How much an account has in the store; bytes are those of the files. */
struct control_usage {
	uint32_t account; /* 0: all of them together */
	uint64_t messages;
	uint64_t bytes;
	uint64_t kept; /* messages that were deleted and are not forgotten */
	uint64_t kept_bytes;
	uint64_t bodies; /* each of them is stored once, whoever refers to it */
	uint64_t body_bytes;
	uint64_t sealed_bytes; /* of these, in segments */
	uint64_t grown_bytes;  /* of these, that came in the last days */
	int64_t oldest;        /* of the messages, live or kept; 0: none */
	int64_t newest;
	uint64_t
	    wire_bytes; /* RFC822.SIZE of the messages: what a quota counts */
};

/* The store that they are in. */
struct control_store {
	uint64_t index_bytes; /* of its file, in use */
	uint64_t staged_bytes;
	uint64_t segments;
	uint64_t segment_bytes;
	uint64_t packed_bytes; /* of bodies that are in them, unpacked */
	uint64_t disk_bytes;   /* of the file system, and free there */
	uint64_t disk_free_bytes;
	uint64_t grown_s; /* in which grown_bytes came */
};

enum control_difference {
	DIFFERENCE_ADDED,
	DIFFERENCE_REMOVED,
	DIFFERENCE_CHANGED /* flags or keywords */
};

struct control_diff {
	uint8_t difference;
	uint32_t account;
	struct text mailbox;
	uint32_t uid;
	int64_t internaldate;
	uint64_t size;
	uint32_t flags_before;
	uint32_t flags_after;
};

/* What the asker of a change said of himself (common/change_note.h): a note. */
struct control_note {
	struct text cause; /* "EXPUNGE", "reconcile"; or "-" */
	struct text user;
	struct text address;
};

struct control_event {
	uint64_t sequence;
	int64_t time_us;
	uint32_t account;    /* 0: none */
	struct text actor;   /* role name, or "snapctl": whose channel it was */
	struct text what;    /* one word-with-dashes */
	uint64_t rows;       /* that it made or ended */
	uint64_t removed;    /* messages that left their mailbox, or with it */
	struct text mailbox; /* of those; or of what else it touched */
	struct text detail;  /* or empty */
	struct control_note note;
};

/* What a restore would do, or did, to one mailbox. */
struct control_plan {
	uint32_t account;
	struct text mailbox;
	uint64_t add;    /* come back, or are copied, under new UIDs */
	uint64_t refill; /* live, but their files are missing */
	uint64_t change; /* have other flags or keywords now */
	uint64_t move;   /* came later: into Superseded/ */
	uint64_t bytes;  /* of those added and refilled */
};

struct control_progress {
	uint64_t done;
	uint64_t total; /* 0: not known */
	struct text what;
};

struct control_finding {
	struct text where;
	struct text what;
};

/* When a message was expunged, or its mailbox deleted. */
struct control_death {
	uint64_t sequence; /* as of the one before it was there */
	int64_t time;
	struct control_note note;
};

/* A line of `status`. */
struct control_fact {
	struct text name; /* word_with_underscores, stable */
	struct text value;
};

/* A policy in force; the one without an end is the newest. */
struct control_policy {
	struct text keep;    /* as in firnmail.conf */
	uint64_t every_s;    /* `snapshot every` */
	uint64_t left_s;     /* that it is still in force */
	uint8_t has_end;     /* it was replaced */
	uint8_t is_settings; /* the configuration says the same */
};

struct control_hold {
	uint64_t number;
	struct text tag;
	struct text why;
	int64_t time;      /* since when, seconds since 1970 */
	struct text id;    /* of the snapshot that is held */
	uint64_t sequence; /* the same */
	uint32_t account;  /* 0: all */
	uint64_t mailbox;  /* its number; 0: all */
	uint32_t uid;      /* 0: all */
	uint8_t is_alarm;
	uint8_t is_released;
	uint64_t left_s; /* if so: until it is over */
};

/* What a drill came to. */
struct control_drill {
	uint64_t sequence; /* of the state that was restored */
	uint64_t accounts;
	uint64_t mailboxes;
	uint64_t messages;
	uint64_t bytes;
	uint64_t restore_us; /* from the store into files */
	uint64_t check_us;   /* and from there, compared */
	uint64_t total_us;   /* with removing them again */
	uint64_t findings;
};

struct control_drill_finding {
	uint32_t account;
	struct text mailbox;
	uint32_t uid; /* 0: the mailbox itself */
	struct text what;
};

void control_put_snapshot(struct writer *w, const struct control_snapshot *r);
void control_put_account(struct writer *w, const struct control_account *r);
void control_put_usage(struct writer *w, const struct control_usage *r);
void control_put_store(struct writer *w, const struct control_store *r);
void control_put_diff(struct writer *w, const struct control_diff *r);
void control_put_event(struct writer *w, const struct control_event *r);
void control_put_plan(struct writer *w, const struct control_plan *r);
void control_put_progress(struct writer *w, const struct control_progress *r);
void control_put_finding(struct writer *w, const struct control_finding *r);
void control_put_death(struct writer *w, const struct control_death *r);
void control_put_fact(struct writer *w, const struct control_fact *r);
void control_put_policy(struct writer *w, const struct control_policy *r);
void control_put_hold(struct writer *w, const struct control_hold *r);
void control_put_drill(struct writer *w, const struct control_drill *r);
void control_put_drill_finding(
    struct writer *w, const struct control_drill_finding *r);

/* 0, or -1 if the row's bytes are not exactly one such record. */
int control_get_snapshot(struct text row, struct control_snapshot *r);
int control_get_account(struct text row, struct control_account *r);
int control_get_usage(struct text row, struct control_usage *r);
int control_get_store(struct text row, struct control_store *r);
int control_get_diff(struct text row, struct control_diff *r);
int control_get_event(struct text row, struct control_event *r);
int control_get_plan(struct text row, struct control_plan *r);
int control_get_progress(struct text row, struct control_progress *r);
int control_get_finding(struct text row, struct control_finding *r);
int control_get_death(struct text row, struct control_death *r);
int control_get_fact(struct text row, struct control_fact *r);
int control_get_policy(struct text row, struct control_policy *r);
int control_get_hold(struct text row, struct control_hold *r);
int control_get_drill(struct text row, struct control_drill *r);
int control_get_drill_finding(struct text row, struct control_drill_finding *r);

#endif
