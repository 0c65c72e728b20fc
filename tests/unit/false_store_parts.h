/*
 * What the parts of the false store share: its rows, small and slow: every
 * lookup walks them.
 */
#ifndef TESTS_UNIT_FALSE_STORE_PARTS_H
#define TESTS_UNIT_FALSE_STORE_PARTS_H

#include "common/buf.h"
#include "tests/unit/false_store.h"

enum {
	MAX_PARTS = 20000
};

struct row {
	struct message_record record;
	char base[RECORD_MAX_BASE_SIZE + 1];
	uint64_t died; /* 0: live */
	uint64_t died_modseq;
	struct delivery_id delivery;
	uint64_t came; /* born there first */
};

struct mailbox {
	struct mailbox_record record;
	uint64_t changed;
	char name[RECORD_MAX_NAME_SIZE + 1];
	char keywords[RECORD_MAX_KEYWORDS][RECORD_MAX_KEYWORD_SIZE + 1];
};

struct blob {
	uint8_t *data;
	size_t size;
};

struct unfiled {
	struct unfiled_record record;
	char address[200];
	bool is_filed;
};

struct answer {
	uint64_t counter;
	uint64_t sequence;
	struct buf results;
};

struct part {
	uint8_t *packet;
	size_t size;
	struct blob body;
};

struct false_store {
	struct event_loop *loop;
	struct channel *channel;
	bool lose;
	bool is_claimed;
	struct message caught_up;
	size_t missing_then; /* when it said so */
	uint64_t incarnation;
	uint64_t incarnations; /* that there ever were */
	uint64_t sequence;
	uint64_t counter;
	uint64_t batches;
	size_t marked;
	uint32_t uidvalidity;
	struct row *rows;
	size_t row_count;
	struct mailbox *mailboxes;
	size_t mailbox_count;
	struct blob *blobs;
	size_t blob_count;
	struct unfiled *unfiled;
	size_t unfiled_count;
	struct answer *answers;
	size_t answer_count;
	struct part *parts;
	size_t part_count;
	char subscribed[64][64];
	bool is_subscribed[64];
	uint64_t subscribed_at[64];
	size_t subscribed_count;
	struct buf scratch;
	struct delivery_id refused;
};

uint64_t add_mailbox(struct false_store *s, struct text name);
/* It has copied the bytes. */
uint64_t add_blob(struct false_store *s, const void *data, size_t size);
/* False: the message is no question. */
bool answer_question(struct false_store *s, const struct message *m);
/* A batch begins, a part of it, or its commit. */
void take_change(struct false_store *s, const struct message *m, int fd);
void clear_parts(struct false_store *s);

#endif
