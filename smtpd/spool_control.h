/*
 * The administrator's command on the control socket: what waits, and what is to
 * be done with it.  A page at a time, so that nobody waits behind a look at a
 * hundred thousand messages.
 */
#ifndef SMTPD_SPOOL_CONTROL_H
#define SMTPD_SPOOL_CONTROL_H

#include "smtpd/spool.h"

enum {
	SPOOL_MAX_CONTROLS = 16
};

struct spool_controls;

struct spool_controls *spool_controls_new(struct spool *spool);
void spool_controls_free(struct spool_controls **controls);

/* A client whose uid was checked; takes the descriptor over, or closes it. */
void spool_controls_add(struct spool_controls *controls, int fd);

#endif
