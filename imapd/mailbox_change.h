/*
 * What the files of changes to messages share: a change under way, from the
 * batch to the store's answer, and the names of keywords in it.
 */
#ifndef IMAPD_MAILBOX_CHANGE_H
#define IMAPD_MAILBOX_CHANGE_H

#include "imapd/account_state.h"
#include "imapd/turns.h"

enum {
	RECORDS_A_PART = 1800
};

struct item {
	uint32_t uid;
	uint32_t flags;
	uint64_t keywords;
	struct delivery_id delivery;
};

/* Keeps copies of keyword names over the way to the store. */
struct names {
	size_t count;
	struct text list[RECORD_MAX_KEYWORDS];
	size_t used;
	char bytes[RECORD_MAX_KEYWORDS * RECORD_MAX_KEYWORD_SIZE];
};
/* -1: there are too many, or it is too long. */
int names_add(struct names *names, struct text name);

struct change {
	struct account_store *account;
	uint64_t mailbox;
	uint64_t target;
	bool is_move;
	struct mailbox_view *origin; /* compared only */
	size_t item_count;
	struct item *items;
	size_t new_keywords; /* parts before the first item's */
	struct names *names; /* of new keywords */
	struct mailbox_answer answer;
	uint32_t *modified;
	uint32_t *source_uids;
	uint32_t *target_uids;
	mailbox_done *done;
	void *context;
	struct append *append;
	struct turn *turn;       /* that ends with it; may be NULL */
	uint64_t taken_messages; /* of the quota, until it is finished */
	uint64_t taken_bytes;
};

/* With room for `count` items; the account is busy until it is finished. */
struct change *change_new(struct account_store *account,
    const struct folder *folder, size_t count, mailbox_done *done,
    void *context);
/* The same, for whoever took the turn, which ends with it. */
struct change *change_of_turn(
    struct turn *turn, const struct folder *folder, size_t count);
/* Answers, and frees it with all that it holds. */
void change_finish(struct change *change, enum status status);

/* Room in the account's quota: STATUS_QUOTA if there is none. */
enum status change_take_quota(
    struct change *change, uint64_t messages, uint64_t bytes);

void change_draw_delivery(struct delivery_id *delivery);
/* The record of a row, whole; texts are valid until the next index call, so
 * the base is copied to `base`. */
bool change_record(struct account_store *account, uint64_t mailbox,
    uint32_t uid, struct message_record *record,
    char base[RECORD_MAX_BASE_SIZE + 1]);
/* The store owes a result for each change: false and an error in the log if
 * there is none. */
bool change_next_result(struct reader *r, struct result_record *result);
/* Of a committed batch that adds to the target: its results behind those of new
 * keywords, which the target knows now. Between apply_begin and apply_end. */
void change_begin_results(
    struct change *change, struct text results, struct reader *r);

/* Bits of the names in the folder; missing ones get a part in the batch (NULL:
 * are left out). STATUS_LIMIT beyond 64. */
enum status change_keyword_bits(struct folder *folder, const struct text *names,
    size_t count, struct store_batch *batch, size_t *added, uint64_t *bits);
/* The same for names that differ, a bit for each. */
enum status change_number_keywords(struct folder *folder,
    const struct text *names, size_t count, struct store_batch *batch,
    size_t *added, uint64_t bits[RECORD_MAX_KEYWORDS]);
/* For copies: bits[n] becomes the target's bit for keyword n of the source, as
 * far as the messages carry it; new ones get a part in the batch. */
enum status change_map_keywords(struct change *change,
    const struct folder *source, struct folder *target, const uint32_t *uids,
    size_t uid_count, struct store_batch *batch,
    uint64_t bits[RECORD_MAX_KEYWORDS]);
struct names *change_copy_names(const struct text *names, size_t count);
/* The store has the new keywords now: so has the folder, from the batch's own
 * parts (a listing would ask once more). */
void change_learn_keywords(struct account_store *account, uint64_t mailbox,
    const struct text *names, size_t count);

#endif
