/*
 * A snapshot store in memory for tests of the worker: it speaks snapd's end of
 * the channel, keeps rows as intervals, assigns UID and MODSEQ, and remembers
 * deliveries and the answers to batches by counter.
 */
#ifndef TESTS_UNIT_FALSE_STORE_H
#define TESTS_UNIT_FALSE_STORE_H

#include "common/channel.h"
#include "common/record.h"

#include <stdbool.h>

struct false_store;

struct false_store *false_store_new(struct event_loop *loop);
void false_store_free(struct false_store **store);
/* A new channel's other end, for the worker. */
int false_store_connect(struct false_store *store);
void false_store_disconnect(struct false_store *store);
/* Batches are committed, but their answers get lost. */
void false_store_lose_answers(struct false_store *store, bool lose);
/* A message accepted for the account, not yet filed. */
struct delivery_id false_store_accept(
    struct false_store *store, const char *address, const char *body);
/* Whatever files this one is refused. */
void false_store_refuse(
    struct false_store *store, const struct delivery_id *delivery);
size_t false_store_live(const struct false_store *store, uint64_t mailbox);
/* Rows marked as missing now, and ever. */
size_t false_store_missing(const struct false_store *store);
size_t false_store_marked(const struct false_store *store);
uint64_t false_store_batches(const struct false_store *store);
/* The store as it was when it was new, in the place of what it is, and nothing
 * that shows it but the worker's witness. */
void false_store_put_back(struct false_store *store);
/* Another claim of the account was heard today. */
void false_store_use_claim(struct false_store *store);
/* A mark of now; the real store only. */
void false_store_mark(struct false_store *store);
/* Asks the worker to catch up and to look for files; then its answer. */
void false_store_catch_up(struct false_store *store, enum catch_up_files files);
bool false_store_caught_up(
    const struct false_store *store, uint64_t *written, uint64_t *failed);
/* How many messages were marked as missing when it answered. */
size_t false_store_missing_then(const struct false_store *store);

#endif
