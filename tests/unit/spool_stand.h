/*
 * A spool in a folder of its own, with false peers at its channels, all in this
 * process: for the tests of what it takes, sends and reports.
 */
#ifndef TESTS_SPOOL_STAND_H
#define TESTS_SPOOL_STAND_H

#include "smtpd/spool.h"
#include "tests/unit/scratch.h"

enum {
	DEADLINE_MS = 60000,
	INSTANCE = 7 /* of each peer */
};

extern char folder[SCRATCH_PATH];
extern struct event_loop *loop;
extern struct settings *settings;
extern struct spool *spool;

/* The folder and settings of mx.demo.test; and the end of both. */
void make_folder(void);
void remove_folder(void);

/* What is in the folder, opened; the caller's channels go before it closes. */
void open_spool(
    const struct account_table *accounts, void (*failed)(void *context));
void close_spool(void);

/* A false peer; ROLE_FIRNMAIL: one of the control socket. */
struct channel *connect_to(
    enum role role, const struct channel_handler *handler);

/* Of a channel_handler: nobody minds. */
void gone(struct channel *channel, const struct error *error, void *context);

/* Until it is so, within a deadline. */
void wait_for(bool (*is_so)(void));

#endif
