/*
 * What the files of the worker's end of the channel to snapd share: the structs
 * behind store_client.h.  Nobody else includes it.
 */
#ifndef IMAPD_STORE_CLIENT_STATE_H
#define IMAPD_STORE_CLIENT_STATE_H

#include "common/buf.h"
#include "imapd/store_client.h"

struct part; /* one packet of a batch */

struct store_batch {
	struct store_batch *next;
	uint64_t counter;
	struct change_note note;
	struct part *first;
	struct part **end;
	store_committed *done;
	void *context;
};

enum answer_kind {
	ANSWER_LISTING,
	ANSWER_BODY,
	ANSWER_BODIES
};

/* A listing, a body or several bodies that were asked for. */
struct question {
	struct question *next;
	uint64_t tag;
	struct message message;
	enum answer_kind kind;
	bool is_sent;
	union {
		store_listed *listed;
		store_read *read;
		store_read_many *read_many;
	} done;
	void *context;
	size_t blob_count;
	uint8_t blobs[]; /* of read_blobs, which points here */
};

struct store_client {
	struct event_loop *loop;
	struct channel *channel;
	const struct store_client_handler *handler;
	void *context;
	struct timer *patience;
	bool is_present;
	bool has_counter;
	uint64_t counter; /* of the batch sent last */
	uint64_t tag;
	uint64_t hello_tag;
	uint64_t committed; /* counter of the last batch that was */
	uint64_t claim_tag;
	void (*claimed)(enum status status, void *context);
	void *claim_context;
	struct question *questions;
	struct question **questions_end;
	bool has_unsent; /* a question, until no batch is under way */
	struct store_batch *batches; /* in the order of their counters */
	struct store_batch **batches_end;
	/* While changes are asked for, no batch is under way: what was
	 * committed after the listing was made would be undone by it. The first
	 * batch that waits for that; NULL: none. */
	struct store_batch *held;
};

/* ---- store_batch.c ---- */
void store_batch_send(
    struct store_client *client, const struct store_batch *batch);

/* Those that were held back, and all after a reconnect. */
void store_batch_send_from(
    struct store_client *client, struct store_batch *batch);

/* ---- store_question.c ---- */
/* Are changes asked for? */
bool store_question_is_about_changes(const struct store_client *client);
/* What was not sent and may be now. */
void store_question_send_all(struct store_client *client);
/* Sends it, or says at once that there is nobody to ask. */
void store_question_ask(struct store_client *client, struct question *q);
void store_question_listing(
    struct store_client *client, const struct message_listing *m, int fd);
/* Takes the descriptor. */
void store_question_body(
    struct store_client *client, const struct message_body *m, int *from);
void store_question_bodies(
    struct store_client *client, const struct message_bodies *m, int fd);
/* The bytes of an answer: in the packet, or `size` bytes of `fd` read into
 * `buf`. */
int store_answer_bytes(struct text inline_data, uint64_t size, int fd,
    struct buf *buf, struct text *data);

#endif
