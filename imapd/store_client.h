/*
 * The worker's end of the channel to snapd: greets the store, asks for
 * listings and bodies, sends batches of changes with the account's counter,
 * and sends those again that were unanswered when the channel broke.  snapd
 * remembers what it committed by counter, so that nothing is lost or doubled.
 *
 * Every call that asks has one callback.  While the store is away, asking
 * calls back at once with STATUS_UNAVAILABLE; what was under way waits
 * STORE_WAIT_MS for the store to come back before it is told the same.
 */
#ifndef IMAPD_STORE_CLIENT_H
#define IMAPD_STORE_CLIENT_H

#include "common/change_note.h"
#include "common/channel.h"
#include "common/event_loop.h"
#include "common/record.h"
#include "common/status.h"

enum {
	STORE_WAIT_MS = 20000,
	/* Listings and bodies beyond this are refused (STATUS_LIMIT). */
	STORE_MAX_LISTING = 1024 * 1024 * 1024
};

struct store_client;

struct store_state {
	enum status status;
	struct store_id store;
	uint64_t incarnation;
	uint64_t sequence;
	uint64_t counter; /* of the account's last batch */
};

struct store_client_handler {
	/* The store answered the hello, at first and after each reconnect: may
	 * it be trusted? False: nothing is sent, not even what is unanswered,
	 * until store_client_greet. */
	bool (*trusts)(const struct store_state *state, void *context);
	/* It may, or it has no STATUS_OK. */
	void (*greeted)(const struct store_state *state, void *context);
	/* The store changed without us; answer with store_client_caught_up. */
	void (*catch_up)(uint64_t tag, uint64_t sequence,
	    enum catch_up_files files, void *context);
	/* The channel is gone. */
	void (*away)(void *context);
};

struct store_client *store_client_new(struct event_loop *loop,
    const struct store_client_handler *handler, void *context);
/* Unanswered callbacks are told STATUS_UNAVAILABLE. */
void store_client_free(struct store_client **client);
void store_client_attach(struct store_client *client, int fd);

/* Says hello, once more. */
void store_client_greet(struct store_client *client);
/* Tells the store of a newer state of its own that we know of: it leaps
 * (STATUS_OK) or does not believe us. `done` may never come. */
void store_client_claim(struct store_client *client,
    const struct store_state *known,
    void (*done)(enum status status, void *context), void *context);
/* Of the account's last batch that the store has committed, as far as we
 * know. */
uint64_t store_client_counter(const struct store_client *client);

/* Greeted with STATUS_OK and the channel is there. */
bool store_client_is_present(const struct store_client *client);
/* Something is unanswered. */
bool store_client_is_busy(const struct store_client *client);
/* Something that was sent waits here, since the socket is full. */
bool store_client_is_full(const struct store_client *client);

/* `data` is the whole listing, valid during the call. */
typedef void store_listed(
    enum status status, uint64_t sequence, struct text data, void *context);
/* As of a sequence, or of now (0). */
void store_list_mailboxes(struct store_client *client, uint64_t as_of,
    store_listed *done, void *context);
void store_list_messages(struct store_client *client, uint64_t mailbox,
    uint64_t as_of, store_listed *done, void *context);
void store_list_changes(struct store_client *client, uint64_t since,
    store_listed *done, void *context);
void store_list_unfiled(
    struct store_client *client, store_listed *done, void *context);
void store_list_snapshots(
    struct store_client *client, store_listed *done, void *context);
void store_list_expunged(struct store_client *client, uint32_t after,
    store_listed *done, void *context);
void store_list_vanished(
    struct store_client *client, store_listed *done, void *context);
/* Of what came after the sequence `since`. */
void store_list_saved(struct store_client *client, uint64_t since,
    store_listed *done, void *context);

/* A body as it came: in a descriptor, from 0, or (-1) in the packet. Both end
 * with the callback. */
struct store_body {
	int fd;
	struct text data;
	uint64_t size;
};
/* The bytes in a descriptor of the caller's own; -1 if none can be had. */
int store_body_take(struct store_body *body);

/* `envelope` only for unfiled ones. */
typedef void store_read(enum status status, const struct text *envelope,
    struct store_body *body, void *context);
void store_read_blob(struct store_client *client, uint64_t blob,
    store_read *done, void *context);
/* Several bodies: as many as were asked for, in order, each with its own
 * status, unless `status` says that none could be had (`bodies` is NULL then).
 * What has STATUS_LIMIT is asked for alone. Valid during the call. */
struct store_one_body {
	enum status status;
	struct text data;
};
typedef void store_read_many(enum status status,
    const struct store_one_body *bodies, size_t count, void *context);
/* Of up to BODIES_MAX blobs. */
void store_read_blobs(struct store_client *client, const uint64_t *blobs,
    size_t count, store_read_many *done, void *context);
void store_read_unfiled(struct store_client *client,
    const struct delivery_id *delivery, store_read *done, void *context);

/* A batch under construction. Messages are copied; `fd` (-1: none) is the
 * batch's from then on, and open until `done` below has returned. */
struct store_batch;

/* `note` says for the log who asks for it, or what; it is copied. */
struct store_batch *store_batch_new(const struct change_note *note);
/* For what the worker does by itself. */
struct store_batch *store_batch_new_for(enum change_cause cause);
void store_batch_free(struct store_batch **batch);
void store_batch_add(
    struct store_batch *batch, const struct message *part, int fd);
bool store_batch_is_empty(const struct store_batch *batch);

/* `results` are the result records of the batch, valid during the call. */
typedef void store_committed(
    enum status status, uint64_t sequence, struct text results, void *context);
/* Takes the batch. */
void store_client_commit(struct store_client *client,
    struct store_batch **batch, store_committed *done, void *context);

/* `missing` as in messages.def, of any size. */
void store_client_caught_up(struct store_client *client, uint64_t tag,
    enum status status, uint64_t written, uint64_t failed, struct text missing);

#endif
