/*
 * Messages as threads of discussion (RFC 5256 3): by their subject and date
 * (ORDEREDSUBJECT), or by what their fields refer to (REFERENCES).  Messages
 * go in one by one in the order of the mailbox, threads come out as a client is
 * told them.  Pure.
 *
 * Nothing here recurses: how deep a discussion is, its writers decide.
 */
#ifndef IMAPD_THREAD_TREE_H
#define IMAPD_THREAD_TREE_H

#include "common/buf.h"
#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* Of what one message refers to, the last ones count. */
	THREAD_MAX_REFERENCES = 100,
	/* Who would get a message as far above himself, or further, stays
	 * where he is: links are looked at for loops up to here. */
	THREAD_MAX_CLIMB = 1000
};

enum thread_algorithm {
	THREAD_ORDEREDSUBJECT,
	THREAD_REFERENCES
};

struct thread_message {
	uint32_t number;     /* what is told of it; rises */
	int64_t time;        /* when it was sent */
	struct text subject; /* base subject, folded; outlives the tree */
	bool is_reply;       /* its subject says so */
};

struct thread_tree;

struct thread_tree *thread_tree_new(enum thread_algorithm algorithm);
void thread_tree_free(struct thread_tree **tree);

/* `header` has the fields that thread_tree_fields names. */
void thread_tree_add(struct thread_tree *tree,
    const struct thread_message *message, struct text header);

/* All are there: makes the threads. Once. */
void thread_tree_finish(struct thread_tree *tree);

/* "(1 2 (3)(4 5))" of the next thread; false when all were told. */
bool thread_tree_put_next(struct thread_tree *tree, struct buf *out);

#endif
