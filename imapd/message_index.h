/*
 * The index of one account: what the store's rows said, kept in an LMDB
 * environment of the worker so that opening a mailbox asks nobody.  Derived
 * data only: it is written without a sync, and deleted and made again from the
 * store whenever it may be wrong.
 *
 * Beside it the file `state`, synced before the index is first written and
 * after it was closed in order, tells whether it may be trusted: it holds the
 * boot, whether the index was closed, and how often it was not.
 *
 * Databases (index_record.h; keys big-endian, values little-endian, a format
 * byte in `meta`):
 *   meta     "account" -> store id, incarnation, confirmed sequence
 *            "usage" -> messages and bytes of all rows
 *            "saved" -> the sequence up to which `saved` is whole
 *   mailbox  id -> record (common/record.h) and the worker's own fields
 *   row      id -> one fixed row a message, by UID (DUPFIXED: read by pages)
 *   count    id -> sums over its rows (index_counts.c)
 *   uids     id, set -> runs of UIDs (index_uids.c)
 *   changed  id -> runs that changed last, by MODSEQ (index_changes.c)
 *   file     id, uid -> what is needed to open the message
 *   name     id, base name -> uid
 *   vanished id, modseq, first uid -> last uid of a run
 *   saved    id, last uid of a run -> its first uid, when it came
 *   content, parsed, unused  the cache of parses (index_cache.c)
 *   subscribed  name
 */
#ifndef IMAPD_MESSAGE_INDEX_H
#define IMAPD_MESSAGE_INDEX_H

#include "common/buf.h"
#include "common/error.h"
#include "common/record.h"

#include <stdbool.h>

struct message_index;

/* One message: what mail programs ask for most. */
struct index_row {
	uint32_t uid;
	uint32_t flags; /* with RECORD_MISSING */
	uint64_t keywords;
	uint64_t modseq;
	int64_t internaldate;
	uint64_t size;
};

struct index_file {
	uint64_t born;
	uint64_t blob;
	uint64_t stored_size;
	struct hash hash;
	uint64_t cache_number; /* of its parse; 0: not known */
	uint8_t form;
	bool is_new; /* in new/, not in cur/ */
	/* Another program wrote other flags into the name, and the store has
	 * not committed them yet. */
	bool has_new_flags;
	/* We are about to rename it to what its row says, or have done it:
	 * another name is no wish of anybody's (later_files.c). */
	bool is_being_named;
	struct text name; /* of the file as last seen */
	struct text base;
};

/* Of the rows of one mailbox. */
struct index_counts {
	uint64_t messages;
	uint64_t bytes; /* RFC822.SIZE */
	uint64_t unseen;
	uint64_t deleted;
	uint64_t deleted_bytes;
	uint64_t changes_after; /* index_each_changed */
};

/* UIDs that are known without a look at the rows. */
enum index_set {
	INDEX_ALL,
	INDEX_UNSEEN, /* without \Seen */
	INDEX_DELETED,
	INDEX_SETS
};

struct index_usage {
	uint64_t messages;
	uint64_t bytes; /* RFC822.SIZE */
};

/* The worker's own part of a mailbox. */
struct index_mailbox_state {
	uint32_t first_recent;  /* UIDs from here on nobody was told of */
	int64_t cur_changed_ns; /* directory times at the last full look */
	int64_t new_changed_ns;
	/* Whatever vanished with a MODSEQ above this one is in the index. */
	uint64_t vanished_after;
};

/* Opens home/index, or makes it anew; `was_made`: it is empty and must be
 * filled from the store; `was_unclean`: files may be damaged as well (the
 * machine went down). */
struct message_index *index_open(
    int home_fd, bool *was_made, bool *was_unclean, struct error *error);
/* It was not closed in order: what is said to have been seen in the folders
 * may not have been. */
bool index_was_killed(const struct message_index *index);
/* In order: synced and marked as such. */
void index_close(struct message_index **index);
/* Takes everything out of it. */
void index_empty(struct message_index *index);
/* Leaves everything as a crash would. */
void index_abandon(struct message_index **index);
/* A write failed: nothing in it may be trusted any more. A full disk breaks
 * nothing: what finds no room there stays in memory until it does. */
bool index_is_broken(const struct message_index *index);

/* Writes go between these; begin may be nested. */
void index_begin(struct message_index *index);
void index_commit(struct message_index *index);
/* In a long run of writes now and then: what was written so far is committed,
 * so that it need not stay in memory, and a kill finds it. False: there is no
 * room on the disk, it stays in memory. */
bool index_flush(struct message_index *index);
/* In place of index_commit: leaves the transaction open for what comes next.
 * What is in it is seen here, and lost if the process is killed, as changes
 * that are not confirmed may be. True if index_settle must be called in time;
 * any index_commit does as well. */
bool index_commit_later(struct message_index *index);
void index_settle(struct message_index *index);

/* Gives back the memory that reading it took; it is read again as needed. */
void index_rest(struct message_index *index);

struct index_meta {
	struct store_id store;
	uint64_t incarnation;
	uint64_t confirmed; /* all changes up to here are in the index */
};
bool index_get_meta(struct message_index *index, struct index_meta *meta);
void index_put_meta(struct message_index *index, const struct index_meta *meta);

void index_put_mailbox(struct message_index *index,
    const struct mailbox_record *record,
    const struct index_mailbox_state *state);
/* With its rows, files, names, vanished. */
void index_remove_mailbox(struct message_index *index, uint64_t mailbox);
void index_each_mailbox(struct message_index *index,
    void (*callback)(const struct mailbox_record *record,
	const struct index_mailbox_state *state, void *context),
    void *context);

void index_put_subscribed(
    struct message_index *index, struct text name, bool is_subscribed);
void index_each_subscribed(struct message_index *index,
    void (*callback)(struct text name, void *context), void *context);

void index_put_row(
    struct message_index *index, uint64_t mailbox, const struct index_row *row);
void index_put_file(struct message_index *index, uint64_t mailbox, uint32_t uid,
    const struct index_file *file);
/* `modseq` != 0: and remembered as vanished then. Its file stays known. */
void index_remove_row(struct message_index *index, uint64_t mailbox,
    uint32_t uid, uint64_t modseq);
/* File and name. */
void index_forget_file(
    struct message_index *index, uint64_t mailbox, uint32_t uid);

bool index_find_row(struct message_index *index, uint64_t mailbox, uint32_t uid,
    struct index_row *row);
/* The first one from that UID on: one after the other is quick. */
bool index_row_from(struct message_index *index, uint64_t mailbox, uint32_t uid,
    struct index_row *row);
/* These say what the rows do, in a time that does not grow with them. */
void index_count(
    struct message_index *index, uint64_t mailbox, struct index_counts *counts);
/* The runs of a set from that UID on, until the callback says false. */
void index_each_run(struct message_index *index, uint64_t mailbox,
    enum index_set set, uint32_t from,
    bool (*callback)(uint32_t first, uint32_t last, void *context),
    void *context);
/* So many UIDs of a mailbox were read: if it has not as many rows, nothing in
 * the index may be trusted. */
void index_check_count(
    struct message_index *index, uint64_t mailbox, size_t count);
/* How many UIDs these are. */
size_t index_set_count(struct message_index *index, uint64_t mailbox,
    enum index_set set, uint32_t from);
/* All that came or changed with a MODSEQ above that one is in the runs, in any
 * order, and maybe more than once; so may be what is gone by now.  False if
 * that is not known any more. */
bool index_each_changed(struct message_index *index, uint64_t mailbox,
    uint64_t after,
    void (*callback)(uint32_t first, uint32_t last, void *context),
    void *context);
/* The first UID above `after`; 0: none. */
uint32_t index_next_uid(
    struct message_index *index, uint64_t mailbox, uint32_t after);
/* Texts are valid until something is written. */
bool index_find_file(struct message_index *index, uint64_t mailbox,
    uint32_t uid, struct index_file *file);
/* 0: none. */
/* All of a mailbox, by rising UID; nothing is written meanwhile. */
void index_each_file(struct message_index *index, uint64_t mailbox,
    void (*callback)(
	uint32_t uid, const struct index_file *file, void *context),
    void *context);
uint32_t index_find_name(
    struct message_index *index, uint64_t mailbox, struct text base);

/* How much all rows of all mailboxes are: counted as they come and go. */
const struct index_usage *index_usage(const struct message_index *index);

/* UIDs `first` to `last` vanished with one MODSEQ. */
void index_put_vanished(struct message_index *index, uint64_t mailbox,
    uint64_t modseq, uint32_t first, uint32_t last);
/* By MODSEQ; runs may overlap. */
void index_each_vanished(struct message_index *index, uint64_t mailbox,
    uint64_t after_modseq,
    void (*callback)(uint32_t first, uint32_t last, void *context),
    void *context);

/* UIDs `first` to `last` came into the mailbox at that time. What is known of
 * one stays: a message comes once. */
void index_put_saved(struct message_index *index, uint64_t mailbox,
    uint32_t first, uint32_t last, int64_t time);
bool index_find_saved(
    struct message_index *index, uint64_t mailbox, uint32_t uid, int64_t *time);
/* The sequence up to which all that came is known; 0: nothing is. */
uint64_t index_saved_up_to(struct message_index *index);
void index_set_saved_up_to(struct message_index *index, uint64_t sequence);

/* The bytes are valid until something is written. */
bool index_find_cache(
    struct message_index *index, const struct hash *hash, struct text *bytes);
/* The same, of a file that index_find_file found: quicker. */
bool index_find_parsed(struct message_index *index,
    const struct index_file *file, struct text *bytes);
/* The file of a row knows the number of its parse. */
void index_number_file(
    struct message_index *index, uint64_t mailbox, uint32_t uid);
void index_set_number(struct message_index *index, uint64_t mailbox,
    uint32_t uid, uint64_t number);
/* For index_file; 0: there is no entry. */
uint64_t index_cache_number(
    struct message_index *index, const struct hash *hash);
/* It was of an older form, and has to be filled anew. */
bool index_has_lost_cache(const struct message_index *index);
/* Adds to the references of an entry, if there is one. Without any it stays, as
 * unused, until the cache is trimmed: the message may be looked at among the
 * deleted ones. */
void index_count_cache(
    struct message_index *index, const struct hash *hash, int delta);
/* Its number. */
uint64_t index_put_cache(
    struct message_index *index, const struct hash *hash, struct text bytes);
/* Of a message without a row: one of the past. */
void index_put_past_cache(
    struct message_index *index, const struct hash *hash, struct text bytes);
/* If more than `limit` entries are unused, all of these go. */
void index_trim_cache(struct message_index *index, size_t limit);

#endif
