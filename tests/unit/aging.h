/*
 * A snapshot store that ages: real, on disk, with its own writer and clocks
 * that the test holds.  For the tests of what the store keeps, and for how
 * long. Two accounts, 1 and 2; changes are those of account 1, to its INBOX.
 */
#ifndef TESTS_UNIT_AGING_H
#define TESTS_UNIT_AGING_H

#include "snapd/expire.h"
#include "snapd/snapshot.h"
#include "snapd/verify.h"
#include "tests/unit/scratch_store.h"

#define SECOND INT64_C(1000000)
#define DAY    (86400 * SECOND)

struct aging {
	char path[64];
	char data_path[96];
	size_t map_bytes;
	struct store *store;
	struct journal *journal;
	struct expire *expire;
	int64_t wall_us;
	int64_t raw_us;
	uint64_t counter;
	unsigned int deliveries;
	char finding[300];
};

/* 15m for 24h, 1h for 7d, 1d for 90d, 1w for 2y; minimum 30d. */
extern const struct retention aging_usual;

#define AGING_TEST(name) \
	cmocka_unit_test_setup_teardown(name, aging_set_up, aging_tear_down)

int aging_set_up(void **state);
int aging_tear_down(void **state);
void aging_open(struct aging *f);
void aging_close(struct aging *f);
void aging_commit(struct aging *f);
void aging_promise(struct aging *f, const struct retention *policy);

/* Time passes while snapd runs; the wall clock is moved; nobody runs for a
 * while: another boot, another raw clock. */
void aging_pass(struct aging *f, int64_t span_us);
void aging_move_wall_clock(struct aging *f, int64_t span_us);
void aging_restart(struct aging *f, int64_t away_us);

/* A worker's changes: as it is answered; what must go well, and is
 * committed. */
enum status aging_try(struct aging *f, const struct message *change);
void aging_apply(struct aging *f, const struct message *change);
void aging_append(struct aging *f, const char *body);
void aging_expunge(struct aging *f, uint32_t uid);
void aging_set_flags(struct aging *f, uint32_t uid, uint32_t flags);
void aging_set_missing(struct aging *f, uint32_t uid);
void aging_copy(struct aging *f, uint32_t uid, bool is_move);
void aging_recall(struct aging *f, uint64_t blob);
struct delivery_id aging_delivery(struct aging *f);

/* Mail from the queue for two accounts, the second may be 0. */
enum status aging_accept(
    struct aging *f, uint8_t number, uint32_t first, uint32_t second);

/* A whole pass; what it took away is durable. */
void aging_expire(struct aging *f);

/* Fails the test with the first finding; gives it in f->finding. */
void aging_verify(struct aging *f);
int aging_run_verify(struct aging *f, struct verify_result *result);

/* How many rows a database has; how many rows refer to a blob. */
uint64_t aging_count(struct aging *f, enum database database);
uint32_t aging_references(struct aging *f, uint64_t blob);

/* How many messages of mailbox 1 the state of a sequence shows; the list of
 * snapshots, and whether it has that sequence. */
unsigned int aging_listed_at(struct aging *f, uint64_t sequence);
void aging_list_snapshots(struct aging *f, struct snapshot_list *list);
bool aging_is_listed(struct aging *f, uint64_t sequence);

/* Holds. */
struct retention_pin aging_scope(
    uint64_t sequence, uint32_t account, uint64_t mailbox, uint32_t uid);
void aging_hold(struct aging *f, const char *tag,
    const struct retention_pin *scope, enum status expected);
void aging_release(struct aging *f, const char *tag,
    const struct retention_pin *scope, enum status expected);

#endif
