/*
 * The interval rows: messages and mailboxes as they are (live) and as they
 * were (dead), keyed so that the state of any sequence S can be listed: live
 * rows born at or before S, and dead ones with born <= S < died.  Pure
 * encoding and the few calls that put and find rows; journal decides what is
 * put, the readers list.
 */
#ifndef SNAPD_ROWS_H
#define SNAPD_ROWS_H

#include "common/record.h"
#include "snapd/store.h"

/* Of what a row died. */
enum death {
	DEATH_STORE = 1, /* its flags changed: a newer row followed */
	DEATH_EXPUNGE,
	DEATH_MOVE
};

/* Bits of what happened to a row (account_log). */
enum touch {
	TOUCH_BORN = 1,
	TOUCH_DIED,
	TOUCH_MAILBOX,
	TOUCH_SUBSCRIBED
};

struct message_row {
	struct message_record record; /* base empty: the hex of delivery */
	struct delivery_id delivery;
	enum death death; /* dead rows only, as the next two */
	uint64_t died;
	uint64_t died_guard_us;
	uint8_t storage[640]; /* of base, after row_find_message */
};

struct mailbox_row {
	uint32_t account;
	uint64_t born;
	struct mailbox_record record;
	uint8_t storage[RECORD_MAILBOX_MAX]; /* after row_find_mailbox */
};

struct account_row {
	uint64_t counter;     /* of its last batch */
	uint32_t uidvalidity; /* highest ever given */
	uint32_t shared;      /* highest that two mailboxes ever had, or 0 */
	uint64_t created;     /* sequence */
	char name[320];       /* its address, for people */
};

/* A find returns 1, 0 or -1; its texts point into the row's storage. Texts
 * of a decoded row point into the value, and live as long as that does. */
int row_find_account(struct transaction *transaction, uint32_t account,
    struct account_row *row, struct error *error);
int row_put_account(struct transaction *transaction, uint32_t account,
    const struct account_row *row, struct error *error);

/* A put is 0 or -1, in a transaction that writes. Keep: as it was until `died`
 * (a sequence). Decode: 0, or -1 and ERROR_DAMAGED. */
int row_find_mailbox(struct transaction *transaction, uint32_t account,
    uint64_t mailbox, struct mailbox_row *row, struct error *error);
int row_put_mailbox(struct transaction *transaction,
    const struct mailbox_row *row, struct error *error);
int row_keep_mailbox(struct transaction *transaction,
    const struct mailbox_row *row, uint64_t died, struct error *error);
int row_decode_mailbox(
    struct text value, struct mailbox_row *row, struct error *error);

/* Live ones; a row is put where its record says: mailbox and uid. */
int row_find_message(struct transaction *transaction, uint64_t mailbox,
    uint32_t uid, struct message_row *row, struct error *error);
int row_put_message(struct transaction *transaction,
    const struct message_row *row, struct error *error);
/* What stands in `row`, which is live, is dead as well: before the live one is
 * put over, */
int row_bury_message(struct transaction *transaction,
    const struct message_row *row, enum death death, uint64_t died,
    uint64_t guard_us, struct error *error);
int row_put_message_over(struct transaction *transaction,
    const struct message_row *row, struct error *error);
/* or leaves. */
int row_kill_message(struct transaction *transaction,
    const struct message_row *row, enum death death, uint64_t died,
    uint64_t guard_us, struct error *error);
/* Keys are those of DB_LIVE or DB_DEAD. */
int row_decode_live(struct text key, struct text value, struct message_row *row,
    struct error *error);
int row_decode_dead(struct text key, struct text value, struct message_row *row,
    struct error *error);

/* A delivery that is filed: form u8, is_filed u8 = 1, mailbox u64, uid u32,
 * modseq u64, born u64, blob u64; what the bytes are stands with the blob.
 * Decode: 1, 0 if it is not filed yet, -1 if malformed. */
enum {
	ROW_FILED_SIZE = 38
};
void row_encode_filed(const struct result_record *result, uint8_t *to);
int row_decode_filed(struct text value, struct result_record *result);

/* The Maildir base name: `hex` (37 bytes) holds it if it is the delivery's. */
struct text row_base(const struct message_row *row, char *hex);

#endif
