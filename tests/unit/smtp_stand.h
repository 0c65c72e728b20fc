/*
 * A front and the real queue behind it, over real channels; snapd, spool,
 * authd, broker and workers are false, answer as they are told, and what they
 * were asked stands here.
 */
#ifndef TESTS_UNIT_SMTP_STAND_H
#define TESTS_UNIT_SMTP_STAND_H

#include "smtpd/queue.h"
#include "smtpd/smtp_session.h"
#include "tests/unit/false_connection.h"

struct smtp_stand {
	struct event_loop *loop;
	struct settings *settings;
	struct smtp_front *front;
	struct queue *queue;
	struct channel *snapd, *authd_front, *authd_queue, *broker, *spool;
	struct channel *workers[3]; /* by account */
	struct channel *starter;
	/* The store. */
	enum status accept_status;
	bool is_silent; /* it does not answer accept */
	unsigned int accepts;
	struct delivery_id last_delivery;
	char stored[65536];
	size_t recipients_size;
	/* Workers. */
	enum status file_status;
	bool is_keeping;
	unsigned int files, wanted;
	unsigned int unanswered; /* files that the worker keeps */
	/* The spool. */
	enum status put_status, routed_status;
	bool is_spool_silent;
	unsigned int put_count, routed;
	struct delivery_id put_delivery;
	char put_body[65536], put_recipients[1000];
	uint32_t put_account;
	/* What the client heard since it spoke last. */
	char conversation[65536];
};

extern struct smtp_stand stand;

/* For cmocka. */
int stand_set_up(void **state);
int stand_tear_down(void **state);
#define IN_STAND(name) \
	cmocka_unit_test_setup_teardown(name, stand_set_up, stand_tear_down)

/* Until `is_so`, within a deadline. */
void stand_wait(bool (*is_so)(void));
void stand_connect_spool(void);
void stand_connect_snapd(void);

/* A client comes. */
void stand_call_from(const char *ip, const struct listen_setting *listen);
void stand_call(enum service service);
/* It says `line` and in the end hears `text`. */
void stand_say(const char *line, const char *text);
/* A client of submission that has logged in as bob, and said MAIL. */
void stand_log_in(void);

#define ENVELOPE                                                     \
	"MAIL FROM:<x@example.net>\r\nRCPT TO:<alice@demo.test>\r\n" \
	"RCPT TO:<team@demo.test>\r\nDATA\r\n"

#endif
