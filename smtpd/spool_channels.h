/* What spool.c asks of spool_channels.c; for others see spool.h. */
#ifndef SMTPD_SPOOL_CHANNELS_H
#define SMTPD_SPOOL_CHANNELS_H

#include "smtpd/spool.h"

enum {
	SPOOL_SENT_EVERY_MS = 3600 * 1000
};

/* All queues hear what accounts have sent; for `hourly`, of a spool. */
void spool_tell_all_sent(void *context);
/* All are gone, and nobody is told. */
void spool_end_channels(struct spool *spool);

#endif
