/*
 * What the files of the index share among themselves: the struct behind
 * message_index.h, over an LMDB environment.  message_index_file.c opens, trusts
 * and closes it; message_index.c reads and writes.
 */
#ifndef IMAPD_MESSAGE_INDEX_FILE_H
#define IMAPD_MESSAGE_INDEX_FILE_H

#include "imapd/message_index.h"

#include <lmdb.h>

struct message_index {
	int home_fd;
	MDB_env *env;
	MDB_txn *reader;
	MDB_txn *writer;
	unsigned int depth;
	uint64_t touched_pages; /* that the writer may write */
	uint64_t reserved;      /* bytes from the start that have blocks */
	bool is_held;           /* the writer waits for room on the disk */
	bool is_broken;
	bool was_killed;
	MDB_dbi meta, mailbox, row, file, name, vanished, cache, unused,
	    subscribed;
	struct buf scratch;
};

/* A call of LMDB failed: nothing in it may be trusted any more. */
void index_broke(struct message_index *index, const char *what, int rc);

#endif
