/*
 * A real snapshot process with a false snapctl, a false queue and the workers
 * of two accounts at its channels, all in this process: for the tests of what
 * the queue and the workers can ask, and of when they are answered.
 */
#ifndef TESTS_UNIT_SNAPD_MAIL_STAND_H
#define TESTS_UNIT_SNAPD_MAIL_STAND_H

#include "common/record.h"
#include "snapd/snapd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 60000,
	MAP_BYTES = 64 << 20
};

/* One end of a channel to snapd, and the last answer on it. */
struct peer {
	struct channel *channel;
	struct message answer;
	uint8_t *data; /* the bytes of a listing, body or result */
	size_t size;
	uint8_t index[BODIES_MAX * RECORD_BODY_SIZE];
	size_t index_size;
	unsigned int answers;
	bool is_closed;
	uint64_t listed;       /* bytes of the last listing */
	uint64_t last_counter; /* of the last batch that was answered */
};

struct fixture {
	char path[64];
	char id[33];
	struct event_loop *loop;
	struct snapd *snapd;
	struct timer *deadline;
	struct timer *look;
	bool (*is_so)(struct fixture *f); /* what run_until waits for */
	struct peer control, queue, worker, other;
	unsigned int failures;
	unsigned int wanted;
	struct peer *waiting;
	uint64_t counter;
	int64_t patience_ms;
	int64_t settle_ms;
	uint64_t hold_bytes; /* then bulk waits, however long */
};

/* Until there are so many since `answers` was set to nothing. */
void wait_answers(struct peer *peer, unsigned int wanted);
/* Sends and waits for the one answer. */
void ask(struct peer *peer, const struct message *message);
void connect_peer(
    struct fixture *f, struct peer *peer, enum role role, uint32_t account);
void start(struct fixture *f, size_t map_bytes);
void free_peer(struct peer *peer);
void stop(struct fixture *f);
void create_account(struct fixture *f, uint32_t account, enum status expected);
int set_up(void **state);
int tear_down(void **state);

struct delivery_id delivery_of(unsigned int n);
void make_accept(struct message *m, unsigned int n, uint32_t account,
    struct text body, uint8_t *recipients);
enum status accept_mail(
    struct fixture *f, unsigned int n, uint32_t account, struct text body);
void begin(struct peer *worker, uint64_t counter);
enum status commit(struct peer *worker, uint64_t counter);
void part_append(
    struct peer *worker, unsigned int n, uint64_t mailbox, const char *body);
/* With it a batch is more than rows of messages: the index alone is enough. */
void part_subscribe(struct peer *worker);
struct result_record first_result(const struct peer *worker);
enum status append(struct fixture *f, unsigned int n, uint64_t mailbox);
enum status append_to_index(
    struct fixture *f, unsigned int n, uint64_t mailbox);
void part_file(struct peer *worker, unsigned int n, uint64_t mailbox);
enum status set_flags(
    struct fixture *f, uint64_t mailbox, uint32_t uid, uint32_t flags);
enum status expunge(struct fixture *f, uint64_t mailbox, uint32_t uid);

/* Serves the loop until it is so. */
void run_until(struct fixture *f, bool (*is_so)(struct fixture *f));
/* A fault of the disk, for file_set_fault_hook(). */
int fail_sync(const char *call, const char *name, void *context);
/* Says that the disk failed, and nothing to whoever asked. */
void send_and_fail(
    struct fixture *f, struct peer *peer, const struct message *m);
/* How many transactions were committed: the newer meta page's number. */
uint64_t commits(const struct fixture *f);
/* Begins anew, and then commits only what somebody waits for. */
void be_patient(struct fixture *f);
/* Asked behind the filing, on the same channel, and answered before it. */
void wait_until_filing_waits(struct fixture *f, unsigned int n);

#endif
