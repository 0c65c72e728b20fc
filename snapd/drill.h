/*
 * snapd's side of a drill: reads the store as a restore would
 * (control_drill.c), sends it to snapd-drill, which makes files of it in its
 * scratch folder and compares them, and records what came out.  Asked for by
 * snapctl or by drill_timer.c; one at a time.  Nothing here changes mail, and
 * nothing here writes files: who has the store's key does not, and who does has
 * no key.
 */
#ifndef SNAPD_DRILL_H
#define SNAPD_DRILL_H

#include "snapd/snapd.h"

enum {
	DRILL_STALL_US = 600 * 1000000, /* without a step: it hangs */
	DRILL_PROGRESS_US = 200 * 1000
};

struct drill;

struct drill *drill_new(struct snapd *snapd);
void drill_free(struct drill **drill);

/* `request` is control_drill; `asker` NULL: nobody waits for it. -1: it does
 * not begin (ERROR_BUSY, ERROR_UNAVAILABLE). */
int drill_start(struct drill *drill, struct client *asker,
    const struct message *request, struct error *error);
/* From time to time: ends one that hangs, or that nobody waits for. */
void drill_watch(struct drill *drill);

/* Rows, progress and findings, then a done when it is over and recorded. */
void drill_request_received(
    struct client *client, const struct message *request);

/* What happens to snapd-drill. */
void drill_process_there(struct drill *drill, struct client *process);
void drill_process_gone(struct drill *drill, struct client *process);
void drill_received(struct client *process, const struct message *message);
/* Takes over the reading. */
void drill_reading_done(struct client *process, struct reading *reading);

/* While one runs nothing is forgotten: it sees all of what it began with. */
bool drill_is_running(const struct drill *drill);
/* snapd-drill is there and has nothing to do. */
bool drill_is_ready(const struct drill *drill);

#endif
