/* sd_notify(3) without libsystemd: a datagram to $NOTIFY_SOCKET. */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

/* Does nothing without $NOTIFY_SOCKET. */
void notify_state(const char *state);

#endif
