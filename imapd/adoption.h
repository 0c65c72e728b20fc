/*
 * What the files of adoption share: see mailbox_adopt.c.  Nobody else includes
 * it; adopt_files and adopt_identity are in account_state.h.
 */
#ifndef IMAPD_ADOPTION_H
#define IMAPD_ADOPTION_H

#include "imapd/account_state.h"

/* Of one folder, until all of its files are in the store or one could not
 * be. */
struct adoption {
	struct account_store *account;
	uint64_t mailbox;
	struct found *found;
	size_t found_count;
	size_t next; /* not sent yet from here on */
	size_t batch_limit;
	unsigned int under_way;
	struct timer *pause; /* until the last batch has been sent */
	bool has_failed;
	uint32_t uidvalidity; /* of Dovecot; 0: none */
	uint32_t uidnext;
	bool is_raised; /* UIDNEXT was raised to Dovecot's */
	struct buf keywords;
};

struct adopted_file {
	struct found found;
	struct message_record record;
	struct buf cached;
};

struct adopt_batch {
	struct adoption *adoption;
	struct store_batch *batch;
	bool raises; /* its first result is of UIDNEXT */
	size_t count;
	size_t bytes;
	size_t descriptors;
	struct adopted_file files[];
};

/* ---- mailbox_adopt.c ---- */
struct adoption *adoption_new(
    struct account_store *account, struct folder *folder);
/* Sends what may be under way by now; ends, and frees, an adoption that is
 * through. */
void adoption_go_on(struct adoption *adoption);
/* The store's answer; takes the batch (struct adopt_batch, the context). */
store_committed adoption_committed;
void adoption_free_batch(struct adopt_batch *b);
/* For parse_note.h: the hash is known when the store has it. */
void adoption_parse_key(const struct delivery_id *delivery, struct hash *key);

/* ---- adopt_send.c ---- */
/* The next files as one batch. */
void adoption_send(struct adoption *adoption, struct folder *folder);
/* UIDNEXT has to be raised before the next file. */
bool adoption_must_raise(const struct adoption *adoption);
void adoption_add_identity(struct adoption *adoption, struct store_batch *batch,
    uint32_t uidvalidity, uint32_t uidnext);

/* ---- adopt_identity.c ---- */
/* The identity, UIDs and keywords that Dovecot gave, if they are to be had; the
 * files in the order in which they are to be sent. */
void adoption_read_uidlist(
    struct adoption *adoption, const struct folder *folder);
/* Asks the store for that identity, then goes on. */
void adoption_take_identity(struct adoption *adoption);

#endif
