/*
 * The queue as it is, between a false front, a false snapd and a false spool,
 * for tests of transactions.  Both stores answer as they are told, or not at
 * all until the test says so; what they were asked stands here.
 */
#ifndef TESTS_UNIT_TRANSACTION_STAND_H
#define TESTS_UNIT_TRANSACTION_STAND_H

#include "common/account.h"
#include "common/record.h"
#include "common/settings.h"
#include "smtpd/queue.h"

#include <stdbool.h>

enum {
	STAND_ALICE = 1,
	STAND_BOB = 2,
	STAND_CONNECTION = 5 /* bob is logged in on it */
};

struct stand {
	struct event_loop *loop;
	struct settings *settings;
	struct account_table *accounts;
	struct queue *queue;
	struct channel *front;
	struct channel *snapd;
	struct channel *spool;
	/* How they answer; silent ones do not. */
	bool is_snapd_silent;
	bool is_spool_silent;
	enum status accept_status;
	enum status put_status;
	/* What was asked, how often, and the last of it. */
	unsigned int accepts;
	struct message_accept accept;
	char accept_addresses[1000]; /* each with a blank behind it */
	char accept_data[16385];
	unsigned int puts;
	struct message_spool_put put;
	char put_addresses[1000];
	char put_details[1000]; /* address/fate/notify/original and a blank */
	char put_data[16385];
	unsigned int decisions;
	struct message_spool_decide decision;
	unsigned int finds;
	struct message_find_delivery find;
	/* What the front heard. */
	unsigned int verdicts;
	unsigned int verdict;
	uint8_t full[8]; /* recipients of LMTP without room */
	size_t full_size;
};

extern struct stand stand;

/* For cmocka. */
int stand_set_up(void **state);
int stand_tear_down(void **state);

void stand_connect_snapd(void);
void stand_connect_spool(void);

/* Until `is_so`, within a deadline. */
void stand_wait(bool (*is_so)(void));

/* The steps of a client, each with the verdict that it gets. A transaction is
 * bob's, submitted; alice and bob are at demo.test. */
unsigned int stand_begin(void);
unsigned int stand_begin_with(unsigned int flags, int priority);
unsigned int stand_begin_sized(uint64_t size);
unsigned int stand_begin_as(const char *sender);
/* A mail server of ours. */
unsigned int stand_begin_lmtp(void);
/* Another account on that connection. */
void stand_log_in(uint32_t account);
unsigned int stand_recipient(const char *address);
unsigned int stand_recipient_with(
    const char *address, uint8_t notify, const char *original);
/* The end of data is said, not answered. */
void stand_say_end(const char *data);
unsigned int stand_end(const char *data);
unsigned int stand_end_bytes(const void *data, size_t size);

/* A part of the body; an URL of one, said, not answered; the verdict on that.
 * RSET has none. */
unsigned int stand_put(const char *data);
void stand_say_url(const char *url, bool is_last);
unsigned int stand_verdict(void);
void stand_abort(void);

/* The answers of the silent, to the last of what they were asked. */
void stand_answer_accept(enum status status);
void stand_answer_put(enum status status);
void stand_answer_find(enum status status);

/* The spool has this one, which alice's account decides. */
void stand_offer(const struct delivery_id *delivery);

#endif
