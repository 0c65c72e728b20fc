/*
 * Room on the disk for what a transaction of the index will write.  LMDB has
 * lost a transaction when it finds that the disk is full; so the blocks are
 * reserved first, and where there are none the transaction stays open: all is
 * read through it, nothing of it is lost but by a kill (then the store says it
 * again), and it is committed with a later one, when there is room.
 */
#ifndef IMAPD_MESSAGE_INDEX_ROOM_H
#define IMAPD_MESSAGE_INDEX_ROOM_H

#include "imapd/message_index_file.h"

/* A value of so many bytes is put or deleted; before each call that does so. A
 * page that was read in place is not valid any more. */
void index_room_touch(struct message_index *index, size_t size);
/* Whether what was touched may be committed; then it is not counted again. */
bool index_room_take(struct message_index *index);
/* What was reserved and is not used, while nobody writes: an account that rests
 * has no more than its index. */
void index_room_give_back(struct message_index *index);

#endif
