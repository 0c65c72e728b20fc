/*
 * What the files of the index share among themselves: the struct behind
 * message_index.h, over an LMDB environment.  message_index_file.c opens,
 * trusts and closes it; message_index.c reads and writes.
 */
#ifndef IMAPD_MESSAGE_INDEX_FILE_H
#define IMAPD_MESSAGE_INDEX_FILE_H

#include "imapd/index_state.h"
#include "imapd/message_index.h"

#include <lmdb.h>

/* Where a database was read last: what stands next to it is found there. */
struct index_place {
	MDB_cursor *cursor; /* of the reader */
	MDB_dbi dbi;
	uint64_t number; /* the end of the key that it is at; 0: of none */
};

/* A page of rows, where it lies: valid until something is written. */
struct index_page {
	uint64_t mailbox;
	const uint8_t *rows; /* NULL: none */
	size_t count;
	uint32_t first, last; /* UIDs */
	size_t next;          /* behind the row that was read last */
};

/* Of the mailbox that was changed last. */
struct index_counted {
	uint64_t mailbox; /* 0: none */
	struct index_counts counts;
	bool is_changed; /* and not written yet */
};

/* UIDs that came into a set, or went, and are not written yet. */
struct index_uids {
	uint64_t mailbox; /* 0: none */
	uint32_t first, last;
	bool is_in;
};

/* The same of what changed. */
struct index_change {
	uint64_t mailbox; /* 0: none */
	uint64_t modseq;
	uint32_t first, last;
};

enum {
	INDEX_DATABASES = 14,
	INDEX_RUN_SIZE = 8,
	INDEX_CHANGE_SIZE = 16
};

struct message_index {
	int home_fd;
	MDB_env *env;
	MDB_txn *reader;
	bool is_reading; /* it is open, until somebody writes */
	MDB_txn *writer;
	unsigned int depth;
	uint64_t touched_pages; /* that the writer may write */
	uint64_t reserved;      /* bytes from the start that have blocks */
	bool is_held;           /* the writer waits for room on the disk */
	bool is_broken;
	bool was_killed;
	struct index_state state; /* as the file beside it says */
	bool has_lost_cache;      /* it was of an older form */
	MDB_dbi meta, mailbox, row, count, uids, changed, file, name, vanished,
	    saved, content, parsed, unused, subscribed;
	MDB_dbi all[INDEX_DATABASES];
	MDB_cursor *at_row; /* of the reader */
	struct index_page page;
	struct index_place at_file, at_parsed;
	struct buf scratch;
	struct index_counted counted;
	struct index_uids begun[INDEX_SETS];
	struct index_change begun_change;
	struct index_usage usage; /* of all rows, */
	bool is_usage_changed;    /* and not written yet */
};

/* A call of LMDB failed: nothing in it may be trusted any more. */
void index_broke(struct message_index *index, const char *what, int rc);

/* The file `state` says that it is being written; false: it cannot, so nothing
 * may be. */
bool index_mark_touched(struct message_index *index);

/* One value, inside of index_begin and index_commit. */
void index_put(struct message_index *index, MDB_dbi dbi, const void *key,
    size_t key_size, const void *data, size_t size);
void index_del(
    struct message_index *index, MDB_dbi dbi, const void *key, size_t key_size);
/* A file's record alone: its name stays as it is. */
void index_put_file_record(struct message_index *index, uint64_t mailbox,
    uint32_t uid, const struct index_file *file);
/* In the scratch buffer: valid until the next call. */
bool index_get(struct message_index *index, MDB_dbi dbi, const void *key,
    size_t key_size, struct text *value);
/* The same without a copy, by a key of 8 bytes or more: valid until something
 * is written. */
bool index_look(struct message_index *index, struct index_place *place,
    const void *key, size_t key_size, struct text *value);
/* A transaction to read in (NULL: there is none). It stays open, so that
 * places keep, until something is written or the index rests. */
MDB_txn *index_read_begin(struct message_index *index);
void index_read_end(struct message_index *index);

/* ---- index_rows.c ---- */
/* If it is there. */
void index_take_row(
    struct message_index *index, uint64_t mailbox, uint32_t uid);

/* ---- index_counts.c ---- */
/* What is there when the index was opened. */
void index_counts_load(struct message_index *index);
/* With the rows that they count, before their commit: counts, sets, changes. */
void index_counts_save(struct message_index *index);
/* All rows are gone. */
void index_counts_forget(struct message_index *index);
/* To be changed. */
struct index_counts *index_counts_of(
    struct message_index *index, uint64_t mailbox);
/* A row came (`old` is NULL), changed or went (`row` is NULL). */
void index_count_row(struct message_index *index, uint64_t mailbox,
    uint32_t uid, const struct index_row *old, const struct index_row *row);
/* All rows of a mailbox go. */
void index_count_no_more(struct message_index *index, uint64_t mailbox);
/* From the rows of an index that has no counts yet. */
void index_counts_make(struct message_index *index);

/* ---- index_uids.c ---- */
void index_uids_set(struct message_index *index, uint64_t mailbox,
    enum index_set set, uint32_t uid, bool is_in);
/* Of which nothing is in it, and no neighbour. */
void index_uids_add_run(struct message_index *index, uint64_t mailbox,
    enum index_set set, uint32_t first, uint32_t last);
void index_uids_save(struct message_index *index);
void index_uids_remove_all(struct message_index *index, uint64_t mailbox);

/* ---- index_changes.c ---- */
void index_note_change(
    struct message_index *index, uint64_t mailbox, const struct index_row *row);
void index_changes_save(struct message_index *index);

/* ---- index_vanished.c ---- */
/* One UID more; it joins the run that it follows. */
void index_add_vanished(struct message_index *index, uint64_t mailbox,
    uint64_t modseq, uint32_t uid);

#endif
