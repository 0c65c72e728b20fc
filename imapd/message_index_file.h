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
	MDB_dbi meta, mailbox, row, file, name, vanished, saved, content,
	    parsed, unused, subscribed;
	struct index_place at_file, at_parsed;
	struct buf scratch;
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
/* ---- index_usage.c ---- */
/* What is there when the index was opened. */
void index_usage_load(struct message_index *index);
/* With the rows that it counts, before their commit. */
void index_usage_save(struct message_index *index);
void index_usage_add(struct message_index *index, uint64_t size);
void index_usage_take(struct message_index *index, uint64_t size);
/* All rows of a mailbox go. */
void index_usage_take_mailbox(struct message_index *index, uint64_t mailbox);

/* One UID more; it joins the run that it follows. */
void index_add_vanished(struct message_index *index, uint64_t mailbox,
    uint64_t modseq, uint32_t uid);

#endif
