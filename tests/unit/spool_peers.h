/*
 * A false queue and a false relay for the spool, and the mail that the one
 * hands in and the other is given.  What they heard stands here.
 */
#ifndef TESTS_SPOOL_PEERS_H
#define TESTS_SPOOL_PEERS_H

#include "common/dsn.h"
#include "common/record.h"
#include "common/relay_route.h"
#include "common/smtp_verdict.h"
#include "smtpd/spool_env.h"
#include "tests/unit/spool_stand.h"

#include <string.h>

enum {
	MAX_JOBS = 32
};

struct job {
	uint64_t number;
	uint8_t priority;
	enum relay_tls tls;
	char domain[256];
	char host[256];
	char recipients[1000]; /* addresses, each with a blank behind it */
	char body[4096];
	size_t count;
};

struct spool_peers {
	struct account_table *accounts; /* bob@demo.test */
	struct channel *queue, *relay;
	unsigned int wanted; /* of what is waited for */
	/* The queue: the last answer, */
	unsigned int kept;
	enum status kept_status;
	unsigned int kept_sent;
	size_t told_sent;
	unsigned int told_number; /* of the only account */
	unsigned int offers;
	struct message_spool_undecided offered;
	/* the last report, */
	unsigned int reports;
	uint64_t report_tag;
	struct delivery_id report_delivery;
	unsigned int report_flags;
	char report[65536], report_recipient[512];
	/* the last of what was to go later. */
	unsigned int releases;
	uint64_t release_job;
	struct delivery_id release_delivery;
	char released[1000]; /* sender, recipients, body */
	/* The relay. */
	struct job jobs[MAX_JOBS];
	size_t job_count;
	uint64_t cancelled;
	bool is_failed; /* the spool gave up */
};

extern struct spool_peers peers;

/* For cmocka. */
int peers_set_up(void **state);
int peers_tear_down(void **state);
#define WITH_PEERS(name) \
	cmocka_unit_test_setup_teardown(name, peers_set_up, peers_tear_down)

/* The spool and its queue; the end of it and of both peers. */
void peers_start(void);
void peers_stop(void);
void peers_connect_queue(void);
void peers_connect_relay(void);

struct mail {
	const char *sender;
	const char *recipients[4];
	uint8_t notify;
	int64_t age_s;
	uint16_t flags;
	uint32_t decider;
	enum outgoing_fate fate;
	int8_t priority;
	int64_t later_s;
};

/* To x@other.test. */
extern const struct mail simple;

/* The queue hands it in, and hears what becomes of it. */
void peers_put(unsigned int number, const struct mail *mail);
void peers_put_as(unsigned int number, const struct mail *mail,
    const struct delivery_id *delivery);
void peers_decide(unsigned int number, bool is_kept);
void peers_route_report(enum status status);

/* The relay is given so many jobs in all; says what became of one. */
void peers_wait_for_jobs(unsigned int count);
void peers_answer(const struct job *job, uint16_t recipient,
    enum relay_outcome outcome, unsigned int code);
void peers_end_job(const struct job *job, enum relay_trouble trouble);

/* For wait_for: as many as wanted; nothing is there; nothing is under way. */
bool is_kept(void);
bool has_reports(void);
bool is_empty(void);
bool is_at_rest(void);

#endif
