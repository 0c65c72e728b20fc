/*
 * The one writer of the store.  Requests that change something are applied to
 * an open LMDB transaction, each in a nested one of its own, whole or not at
 * all; journal_commit makes all of a round durable, and only then may they be
 * answered.  A committed request has a sequence, one event in the log, and a
 * leaf in the Merkle tree.
 *
 * Nothing here deletes: a change closes a row (it moves from live to dead) and
 * opens a new one.
 */
#ifndef SNAPD_JOURNAL_H
#define SNAPD_JOURNAL_H

#include "common/buf.h"
#include "common/status.h"
#include "common/table.h"
#include "common/head.h"
#include "snapd/allowance.h"
#include "snapd/event_row.h"
#include "snapd/hold.h"
#include "common/merkle_log.h"
#include "snapd/object_store.h"
#include "snapd/ratchet.h"
#include "snapd/rows.h"

#include <stdbool.h>

enum {
	JOURNAL_MAX_BODY = 256 << 20,        /* bytes of one message */
	JOURNAL_MAX_BATCH_BYTES = 256 << 20, /* parts and bodies of a batch */
	JOURNAL_MAX_RESULTS = 65536,         /* results of a batch */
	JOURNAL_MAX_RECIPIENTS = 1000
};

/* What stands in meta "state", kept in memory beside the transaction. */
struct journal_state {
	uint64_t sequence; /* of the last event */
	uint64_t next_blob;
	uint64_t next_mailbox;
	uint64_t incarnation;
	uint64_t guard_us; /* see guard_clock.h */
	struct merkle_log merkle;
};

/* The numbers that were given out up to a point. */
struct journal_point {
	uint64_t sequence;
	uint64_t next_blob;
	uint64_t next_mailbox;
};

struct touched {
	uint64_t mailbox;
	uint32_t uid;
	uint8_t what; /* enum touch */
	size_t order; /* in the batch: the last word on a row counts */
	uint64_t modseq;
};

struct journal {
	struct store *store;
	struct digest *digest;
	struct transaction *round; /* NULL: nothing to commit */
	struct transaction *batch; /* nested in round while one is applied */
	struct journal_state state;
	struct journal_state committed;
	uint64_t history;        /* of its Merkle root: which one led to it */
	int64_t now_us;          /* wall clock of this round */
	int64_t raw_us;          /* CLOCK_MONOTONIC_RAW when guard_us was set */
	uint64_t round_bytes;    /* asked of the store since the last commit */
	struct touched *touched; /* rows of the batch that is applied */
	size_t touched_count;
	size_t touched_room;
	bool is_failed;       /* the disk failed: nothing works any more */
	uint64_t lost_rounds; /* that found no room at their commit */
	bool is_repeating; /* what was answered before: the reserve is for it */
	struct journal_point begun;    /* where the last request began, */
	struct journal_point repeated; /* and where repeat.h would come to */
	struct table *alarms; /* account and kind -> minute of its last one */
	struct allowance *allowance;
	struct head_key key;
	struct hash last_head; /* SHA-256 of the newest signed head */
	uint64_t last_head_events;
	uint64_t last_head_us;
	bool is_head_due; /* a mark was made */
	/* For the events of the request that is being carried out; NULL:
	 * none. */
	const struct change_note *note;
	struct ratchet ratchet; /* of this round; empty: nothing is forgotten */
	uint64_t promises;      /* raised when a mark, hold or policy changed */
};

enum {
	JOURNAL_ALARM_MINUTES = 10,
	JOURNAL_ALARM_HOURS = 24 /* before it that are held, too */
};

/* NULL and error. The store stays the caller's. */
struct journal *journal_new(struct store *store, struct error *error);
void journal_free(struct journal **journal);

/* Before the requests of a round, with the clocks. */
void journal_set_clock(
    struct journal *journal, int64_t wall_us, int64_t raw_us);

/* For one request: begin, changes, then finish (STATUS_OK and the event) or
 * drop. Begin gives STATUS_FULL if `bytes` do not fit beside the reserve. */
enum status journal_begin(
    struct journal *journal, uint64_t bytes, struct error *error);
enum status journal_finish(struct journal *journal, enum event_kind kind,
    enum role actor, uint32_t account, const char *detail, struct error *error);
/* The same for an event whose entries are not those of touched rows. */
enum status journal_finish_with(struct journal *journal, enum event_kind kind,
    uint64_t entries, const struct hash *content, const char *detail,
    struct error *error);
void journal_drop(struct journal *journal);
/* The same as finish without an event: for what is no history (places). */
enum status journal_keep(struct journal *journal, struct error *error);
/* The sequence that the batch being applied will have. */
uint64_t journal_sequence(const struct journal *journal);
void journal_touch(struct journal *journal, uint64_t mailbox, uint32_t uid,
    enum touch what, uint64_t modseq);

/* Promises (journal_promises.c): the policy and the counts of blob_use. */
int journal_load_promises(struct journal *journal, struct error *error);
/* Until when what is referred to now is locked. */
uint64_t journal_lock_us(const struct journal *journal);
/* The policy of the configuration, which counts when it changed; or one that
 * an administrator gave, with signatures where they are needed (admin_keys.h).
 * STATUS_OK and what became of it. */
enum status journal_configure_policy(struct journal *journal,
    const struct retention *policy, struct error *error);
enum status journal_set_policy(struct journal *journal,
    const struct retention *policy, struct text signatures,
    enum ratchet_change *change, struct error *error);

/* Holds (journal_holds.c): what the state of scope->sequence sees in its scope.
 * STATUS_EXISTS if the tag is on it. A release says until when it still holds;
 * without an account it is for all scopes of that sequence. */
enum status journal_hold(struct journal *journal, struct text tag,
    const struct retention_pin *scope, struct text why, struct error *error);
enum status journal_release(struct journal *journal, struct text tag,
    const struct retention_pin *scope, uint64_t *until_us, struct error *error);

/* Would repeating what the log has lead to where the last request began?  Then
 * it may have that one, too, which was told numbers; and does when it is said
 * so. */
bool journal_is_repeatable(const struct journal *journal);
void journal_is_in_log(struct journal *journal);

/* Puts the guard clock on disk, without an event. */
enum status journal_keep_clock(struct journal *journal, struct error *error);

/* STATUS_OK: all that was finished since the last call is on disk.
 * STATUS_FULL: none of it is. STATUS_UNAVAILABLE: the disk failed, end. */
enum status journal_commit(struct journal *journal, struct error *error);

/* The whole requests. */
enum status journal_accept(struct journal *journal,
    const struct delivery_id *delivery, uint8_t form, int64_t time,
    struct text sender, struct text recipients, struct text body,
    struct error *error);
/* Was it accepted for that account? STATUS_OK or STATUS_MISSING. */
enum status journal_find_delivery(struct journal *journal, uint32_t account,
    const struct delivery_id *delivery, struct error *error);
enum status journal_create_account(struct journal *journal, uint32_t account,
    struct text name, struct error *error);
/* `kind` is enum control_snapshot_kind; account 0: all. */
enum status journal_mark(struct journal *journal, uint8_t kind,
    uint32_t account, struct text name, struct text why, uint64_t *sequence,
    struct error *error);

/* Alarm marks, one of a kind in JOURNAL_ALARM_MINUTES for an account: of the
 * state before a batch that loses a lot; of a process of the account (0: of
 * none) that did what it may not, with all states of the hours before. No batch
 * may be begun. */
void journal_mark_loss(
    struct journal *journal, uint32_t account, const char *why);
void journal_mark_attack(
    struct journal *journal, uint32_t account, const char *why);

/* And one of a store that is known to be damaged, by that name: until somebody
 * has looked, nothing of the account is forgotten. */
void journal_mark_damage(struct journal *journal, uint32_t account,
    const char *name, const char *why);

/* Signed heads (journal_head.c): the newest one and the key; and one more in
 * this round if a mark was made or the newest is an hour old. */
int journal_load_heads(struct journal *journal, struct error *error);
int journal_put_head(struct journal *journal, struct error *error);

/* What an error is for the asker. */
enum status journal_status_of(const struct error *error);

/* Key of DB_DELIVERY; its value: form u8, is_filed u8, then as rows.h says if
 * filed, else sequence u64 and number u16 of the unfiled row. */
void journal_delivery_key(
    struct key *key, uint32_t account, const struct delivery_id *delivery);

/* Above all that the account ever had; 0 if there is none left. The caller puts
 * the account's row. */
uint32_t journal_new_uidvalidity(
    const struct journal *journal, struct account_row *account);

/* A mailbox of that name for the account: the batch must be begun. */
enum status journal_make_mailbox(struct journal *journal, uint32_t account,
    struct text name, uint32_t special_use, struct mailbox_row *row,
    struct error *error);
void journal_name_key(struct journal *journal, struct key *key,
    uint32_t account, struct text name);

#endif
