/*
 * The front of IMAP over a real TCP connection, with a false authd and a false
 * broker on real channels, all on one loop; the client is a script of lines to
 * send and answers to expect.
 */
#ifndef TESTS_UNIT_IMAP_FRONT_STAND_H
#define TESTS_UNIT_IMAP_FRONT_STAND_H

#include "common/log.h"
#include "common/status.h"
#include "imapd/imap_front.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 60000,
	STALL_MS = 300,
	BIG_SIZE = 8 * 1024 * 1024
};

struct world {
	struct event_loop *loop;
	struct imap_front *front;
	struct channel *broker;    /* the broker's end */
	struct channel *front_end; /* the front's end */
	struct channel *authd;     /* authd's end */
	struct watch *worker;      /* the stream's other end */
	int worker_fd;
	struct watch *client;
	int client_fd;
	uint16_t port;
	struct timer *deadline;
	char heard[8192]; /* what the client got */
	size_t heard_size;
	size_t heard_total;
	const char *wanted;
	size_t wanted_total;
	bool is_client_closed;
	uint8_t attach_status;
	uint64_t connection; /* that was attached */
	bool is_late;
	bool keeps_stream; /* when it is parked */
	bool has_socket;   /* the worker got the client's own */
	bool is_packed;    /* the session that sleeps compresses */
	bool is_stream_closed;
	struct timer *talk;
	unsigned int parked;
	unsigned int resumed;
	unsigned int gone;
	unsigned int questions;
};

/* Set-up of a test: connections pass for TLS, which the front relays, or the
 * worker has the socket. */
int with_tls(void **state);
int without_tls(void **state);
/* A front with a client that has connected; no authd yet. */
void world_open(struct world *world, bool is_plain_login, uint32_t most);
void world_close(struct world *world);
void introduce_authd(struct world *world);
/* Sends `text` and runs until `answer` was heard since then. */
void say(struct world *world, const char *text, const char *answer);
void expect_closed(struct world *world);
void disconnect(struct world *world);
/* As another client. */
void connect_again(struct world *world);
/* The front's end of a stream to the worker, which echoes. */
int open_stream(struct world *world);
void close_stream(struct world *world);
/* The stream is closed here; -1: none. */
void send_awake(struct world *world, enum status status, int stream);

#endif
