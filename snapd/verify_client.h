/*
 * snapd's side of a verification: questions to the snapd-verify process.  A
 * question about an open store holds a read transaction, so that the pages of
 * that instant are not reused under the walker.
 */
#ifndef SNAPD_VERIFY_CLIENT_H
#define SNAPD_VERIFY_CLIENT_H

#include "common/channel.h"
#include "snapd/store.h"

struct verify_client;

struct verify_answer {
	/* Each may be NULL. Texts are valid during the call. */
	void (*finding)(void *context, struct text text);
	void (*progress)(void *context, uint64_t done, uint64_t total);
	/* Always called, once; `error` tells why there is no `done`. The
	 * last call. */
	void (*done)(void *context, const struct message_verify_done *done,
	    const struct error *error);
	void *context;
};

/* `fd` is the channel that master introduced, taken over. */
struct verify_client *verify_client_new(struct event_loop *loop, int fd);
/* A running question is answered with an error. */
void verify_client_free(struct verify_client **client);

/* All pages and rows, and `percent` of the bodies. -1: ERROR_BUSY, or
 * ERROR_UNAVAILABLE without the process. One at a time. */
int verify_client_ask(struct verify_client *client, struct store *store,
    unsigned int percent, const struct verify_answer *answer,
    struct error *error);
/* The same of a store that is not open, because it is damaged: its files as
 * they lie in `path`. */
int verify_client_ask_closed(struct verify_client *client, const char *path,
    unsigned int percent, const struct verify_answer *answer,
    struct error *error);

#endif
