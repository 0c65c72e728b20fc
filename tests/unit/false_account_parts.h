/*
 * What the parts of the false account share: its state, and answers that come
 * from the loop.
 */
#ifndef TESTS_UNIT_FALSE_ACCOUNT_PARTS_H
#define TESTS_UNIT_FALSE_ACCOUNT_PARTS_H

#include "imapd/mailbox.h"
#include "tests/unit/false_account.h"

enum {
	MAX_BOXES = 32,
	MAX_ROWS = 64,
	MAX_VIEWS = 8,
	MAX_APPENDED = 512,
	MAX_LATER = 8,
	DELETED = 9999 /* in the place of an id */
};

struct row {
	struct mailbox_row row;
	char *bytes;
	size_t size;
};

struct vanished {
	uint32_t uid;
	uint64_t modseq;
};

struct box {
	struct mailbox_info info;
	char name[200];
	char keyword_names[64][100];
	struct text keywords[64];
	size_t count;
	struct row rows[MAX_ROWS];
	size_t vanished_count;
	struct vanished vanished[MAX_ROWS];
	uint8_t key; /* 0: none */
};

struct mailbox_view {
	struct account_store *account;
	struct box *box;
	bool is_read_only;
	size_t count;
	uint32_t uids[MAX_ROWS];
	uint64_t modseqs[MAX_ROWS];
	size_t keyword_count;
	uint32_t told_uidnext;
	struct mailbox_view_handler handler;
	void *context;
};

struct answer_later {
	struct mailbox_answer answer;
	uint32_t source[MAX_ROWS], target[MAX_ROWS], modified[MAX_ROWS];
	mailbox_done *done;
	void *context;
	struct timer *timer;
};

/* A body that the store is asked for. */
struct read_later {
	struct account_store *account;
	struct mailbox_view *view;
	uint32_t uid;
	void (*done)(
	    enum status status, struct mailbox_body *body, void *context);
	void *context;
	struct timer *timer;
};

struct account_store {
	struct event_loop *loop;
	unsigned int later_next;
	struct read_later later[MAX_LATER];
	enum status refuse;
	struct change_note note;  /* of whoever acts now */
	struct change_note noted; /* of the last change */
	size_t box_count;
	struct box boxes[MAX_BOXES];
	size_t subscribed_count;
	char subscribed[MAX_BOXES][200];
	struct mailbox_view *views[MAX_VIEWS];
	struct box past; /* each mailbox of the past */
	struct past_later *past_later;
	struct account_listener *listeners;
	bool has_learned_saved;
	bool has_learned;
	uint8_t last_key;
	char owner[100];
};

/* Answers `done` from the loop, with what the caller then puts into it. */
struct answer_later *answer_new(
    struct account_store *account, mailbox_done *done, void *context);
struct box *box_find(struct account_store *account, struct text name);
struct box *box_of(struct account_store *account, uint64_t mailbox);
struct box *box_new(struct account_store *account, struct text name);
/* It has copied the bytes. */
struct row *row_new(struct box *box, const void *bytes, size_t size);
struct row *row_find(const struct box *box, uint32_t uid);
void row_remove(struct box *box, uint32_t uid);
/* Of messages, or of names; {NULL, 0}: none. */
void tell(struct account_store *account, enum happening what,
    const struct box *box, struct text name, struct text old_name);
/* Views and listeners are told. */
void changed(struct account_store *account, struct box *box);
/* Freed by mailbox_view_close(). */
/* What its client knew. */
void view_recall(
    struct mailbox_view *view, const struct mailbox_memory *memory);
struct mailbox_view *view_new(struct account_store *account, struct box *box,
    bool is_read_only, const struct mailbox_view_handler *handler,
    void *context);

#endif
