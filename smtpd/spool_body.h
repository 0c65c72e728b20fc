/*
 * The bodies of messages that go out: up to SPOOL_INLINE_BYTES as rows of 4,080
 * bytes, of which each fills a page, so that no room has to be found for many
 * pages in a row; larger ones in a file each, in the folder `body` beside the
 * environment.
 *
 * A file is written and synced, and its folder too, before the commit that
 * names it, and removed after the commit that forgets it: one that nothing
 * names is left over from a crash, and goes at the next start.
 */
#ifndef SMTPD_SPOOL_BODY_H
#define SMTPD_SPOOL_BODY_H

#include "common/buf.h"
#include "common/error.h"
#include "smtpd/spool_env.h"

enum {
	SPOOL_INLINE_BYTES = 64 << 10,
	SPOOL_MAX_REPORT = 512 << 10 /* these are always in rows */
};

struct spool_bodies;

/* `dir_fd` is the spool's folder, which stays the caller's; the environment,
 * too. */
struct spool_bodies *spool_bodies_open(
    int dir_fd, struct spool_env *env, struct error *error);
void spool_bodies_close(struct spool_bodies **bodies);

/* In rows: keeps `message->size` bytes, of `data` or, if that has not so many,
 * of `fd`; says place and sum. ERROR_FULL, ERROR_INPUT: there are not so
 * many. */
int spool_bodies_put(struct spool_bodies *bodies, uint64_t id,
    struct spool_message *message, struct text data, int fd,
    struct error *error);
int spool_bodies_remove(struct spool_bodies *bodies, uint64_t id,
    const struct spool_message *message, struct error *error);

/* In a file, of any thread: `size` bytes of `from`, synced; its name is there
 * for good when the folder was synced, too. With -1 there may be something. */
int spool_bodies_write(
    int dir_fd, uint64_t id, uint64_t size, int from, struct error *error);
/* Of one that no row names after all. */
void spool_bodies_drop(struct spool_bodies *bodies, uint64_t id);
int spool_bodies_folder(const struct spool_bodies *bodies);

/* A descriptor for reading: the file, or a sealed memfd. -1 and error. */
int spool_bodies_open_body(struct spool_bodies *bodies, uint64_t id,
    const struct spool_message *message, struct error *error);
/* Its first bytes, at most what `to` takes. */
int spool_bodies_read(struct spool_bodies *bodies, uint64_t id,
    const struct spool_message *message, struct buf *to, struct error *error);

/* When a commit is done, or was given up. */
void spool_bodies_ended(struct spool_bodies *bodies, bool is_committed);

/* Files that no row names, after a crash. How many, or -1. */
int spool_bodies_remove_orphans(
    struct spool_bodies *bodies, struct error *error);

#endif
