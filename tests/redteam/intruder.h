/* What the parts of tests/redteam/intruder share: who it is and whom it
 * knows. */
#ifndef TESTS_REDTEAM_INTRUDER_H
#define TESTS_REDTEAM_INTRUDER_H

#include "common/process.h"

#include <stdbool.h>

enum {
	INTRUDER_PATIENCE_MS = 3000
};

/* What an attack came to. */
enum result {
	REFUSED,
	THROUGH,
	NO_PEER /* not of this role */
};

struct intruder {
	enum role self;
	enum role starter;
	int peers[ROLE_COUNT]; /* -1: not met */
	uint64_t session;      /* a worker's, that was opened last; 0: none */
	int stream;            /* and its end of that */
	char password[60];     /* of red1@demo.test and red2 */
	struct error why;      /* of the last question without an answer */
};

extern struct intruder intruder;

enum role intruder_role(const char *name); /* ROLE_COUNT if there is none */

/* A packet as it is, with a descriptor unless `stray` is -1. */
bool intruder_send_raw(int fd, const void *data, size_t size, int stray);

/* Sends, and waits for the answer of this type; others are passed over. */
bool intruder_ask(
    enum role peer, struct message *message, int fd, enum message_type answer);

/* One attack that is talk; the last of a table has no name. */
struct talk {
	const char *name;
	enum result (*run)(void);
};

extern const struct talk intruder_store_talks[], intruder_service_talks[];

/* Tries the attack of this name: of attacks.def, KIND_to_ROLE, or a talk. */
enum result intruder_attempt(const char *name);

/* ---- intruder_sleep.c ---- */

/* By a front and a worker, at a time. */
enum result intruder_lies_about_sleep(void);

/* ---- intruder_logger.c ---- */

/*
 * The logger's work while it is taken over, so that the runner sees what the
 * others say: `fd` is where lines go. Waits, writes what came, and hands an
 * order that one of the senders passed on to `obey`.
 */
void intruder_logger_open(int fd);
void intruder_logger_wait(void (*obey)(const char *order));
/* A line of its own. */
void intruder_logger_say(const char *event, const char *pairs);

#endif
