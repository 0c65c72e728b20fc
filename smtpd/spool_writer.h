/*
 * The thread that writes bodies too large for rows: the loop goes on, and
 * answers others, while they are synced.
 *
 *   spool_puts.c --job--> thread: file, sync, sync of the folder
 *                <-done-- loop
 *
 * It knows the folder and nothing of the environment.
 */
#ifndef SMTPD_SPOOL_WRITER_H
#define SMTPD_SPOOL_WRITER_H

#include "common/error.h"
#include "common/event_loop.h"

struct spool_writer;

/* Stands in what it is a body for, whose owner keeps it until `done`. */
struct spool_writing {
	struct spool_writing *next;
	uint64_t id; /* of the message */
	uint64_t size;
	int fd; /* the body; the owner's */
	int result;
	struct error error; /* with -1 */
	/* In the loop: durable, its name in the folder too, or `result` is -1
	 * and something of the file may be left. */
	void (*done)(struct spool_writing *writing);
};

/* `dir_fd` is the folder of the bodies; the caller's, until it is freed. */
struct spool_writer *spool_writer_new(struct event_loop *loop, int dir_fd);
/* Waits for what the thread has in hand; all that is left ends with -1. */
void spool_writer_free(struct spool_writer **writer);
void spool_writer_add(
    struct spool_writer *writer, struct spool_writing *writing);

#endif
