/*
 * Mail that is passed on to other hosts: the sender that it goes out under, and
 * where what comes back to that sender goes (srs.h).
 */
#ifndef SMTPD_FORWARDING_H
#define SMTPD_FORWARDING_H

#include "common/route.h"
#include "smtpd/queue.h"
#include "smtpd/srs.h"

/* The sender that mail goes out under, and who it stands for, to be kept until
 * then;
 * "": that is in it. */
struct forwarded {
	char sender[SRS_ADDRESS_SIZE];
	char origin[SRS_ADDRESS_SIZE];
	int64_t until;
};

/* What mail from `sender` is passed on under: another, in `to`, if it is of a
 * domain that is not ours and one can be made. */
struct text forwarding_sender(
    struct queue *queue, struct text sender, struct forwarded *to);

/* The address is one under which a sender is kept: who that is the spool
 * knows. */
bool forwarding_is_kept(const struct queue *queue, struct text address);

/* As route_find, with the address in `home`, its domain as an A-label, if that
 * is VERDICT_RELAYING; and for a sender that forwarding_sender gave once, the
 * way back, whose address, if it is elsewhere, is in `home`. One that it never
 * gave, or too long ago, is nobody's, not even a catch-all's:
 * VERDICT_UNKNOWN_USER. */
unsigned int forwarding_find(struct queue *queue, struct text address,
    struct route *route, char home[SRS_ADDRESS_SIZE]);

#endif
