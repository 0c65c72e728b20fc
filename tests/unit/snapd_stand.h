/*
 * A real snapshot process with a false snapctl, workers and broker at its
 * channels, all in this process: for the tests of what snapctl can ask.
 */
#ifndef TESTS_SNAPD_STAND_H
#define TESTS_SNAPD_STAND_H

#include "common/change_note.h"
#include "common/control_record.h"
#include "snapd/snapd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct peer {
	struct channel *channel;
	struct message answer;
	char text[300]; /* of control_done */
	uint8_t results[200];
	uint64_t listing_size;
	unsigned int answers;
	struct buf rows; /* kind, size, record */
	size_t row_count;
};

enum {
	DEADLINE_MS = 60000,
	STAND_WORKERS = 16
};

/* A look that is not answered yet. */
struct held_look {
	struct channel *channel;
	uint64_t tag;
};

struct fixture {
	char path[64];
	char id[33];
	struct event_loop *loop;
	struct snapd *snapd;
	struct timer *deadline;
	struct peer control, worker, broker;
	uint64_t counter;
	struct change_note note; /* of the worker's batches */
	unsigned int catch_ups;
	uint8_t catch_up_files; /* of the last one */
	uint32_t reconcile_every_s;
	int64_t settle_ms; /* 0: the default */
	unsigned int looks;
	unsigned int follow_ups; /* of what was cut off */
	bool is_deaf;            /* the false worker does not catch up */
	struct text missing;     /* what the false worker finds missing */
	/* Looks are answered when so many were asked for; 0: at once. */
	unsigned int looks_at_a_time;
	struct held_look held[STAND_WORKERS];
	unsigned int held_count;
	struct peer more[STAND_WORKERS]; /* workers of one account each */
	unsigned int wanted; /* workers, also those that are there */
	unsigned int starts;
	unsigned int started; /* a bit for each account */
	/* How many workers go when they are to catch up, and whether each of
	 * them commits something before. */
	unsigned int quitters;
	bool quitters_commit;
	bool has_no_worker;
	size_t exit_at_row; /* 0: never */
	size_t stop_at_row; /* leaves the loop */
};

struct sums {
	uint64_t add;
	uint64_t refill;
	uint64_t change;
	uint64_t move;
	uint64_t bytes;
	size_t mailboxes;
};

void wait_answer(struct peer *peer);
void free_peer(struct peer *peer);
void start(struct fixture *f);
void stop(struct fixture *f);
enum status ask(struct fixture *f, struct message *m);
bool find_row(struct fixture *f, enum control_row_kind kind, size_t n,
    struct text *record);
size_t count_rows(struct fixture *f, enum control_row_kind kind);
void begin(struct fixture *f);
void commit(struct fixture *f);
void add_append(struct fixture *f, unsigned int n, uint64_t mailbox);
/* With it the log is not enough for a batch: the index has to have it. */
void add_subscribe(struct fixture *f, const char *name);
void append(
    struct fixture *f, unsigned int from, unsigned int to, uint64_t mailbox);
void expunge(struct fixture *f, uint64_t mailbox, uint32_t from, uint32_t to);
void set_flags(struct fixture *f, uint64_t mailbox, uint32_t uid,
    uint32_t flags, uint64_t keywords);
void move(struct fixture *f, uint64_t from, uint64_t to, uint32_t uid);
uint64_t create_mailbox(struct fixture *f, const char *name);
void retire(struct fixture *f, uint64_t mailbox, const char *name);
void mark(struct fixture *f, const char *name);
void set_missing(
    struct fixture *f, uint64_t mailbox, uint32_t from, uint32_t to);
enum status ls(struct fixture *f, const char *point, uint32_t account,
    const char *mailbox);
enum status restore(
    struct fixture *f, const char *point, bool is_dry_run, struct sums *sums);
enum status restore_with(
    struct fixture *f, struct message *m, struct sums *sums);
void create_account(struct fixture *f, uint32_t account);
int set_up(void **state);
int tear_down(void **state);
void connect_peer(
    struct fixture *f, struct peer *peer, enum role role, uint32_t account);

#endif
