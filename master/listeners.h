/*
 * The sockets that master binds: one or two (IPv6 and IPv4 for `*`), or a unix
 * socket, for each `listen` line, and the control sockets for snapctl and
 * firnmail.
 */
#ifndef MASTER_LISTENERS_H
#define MASTER_LISTENERS_H

#include "common/error.h"
#include "common/settings.h"

enum {
	LISTENERS_MAX = 2 * SETTINGS_MAX_LISTENERS
};

struct listener {
	int fd;
	enum service service;
	uint16_t port;
	char address[64];
	char path[108]; /* of a unix socket; "": it has a port */
};

struct listeners {
	size_t count;
	struct listener list[LISTENERS_MAX];
};

/* Opens what `settings` names; what `old` (may be NULL) has open of the same
 * address is taken over (duplicated). What it has of another address on the
 * same port takes no connection from then on. 0, or -1 with nothing open, and
 * `old` as it was. */
int listeners_open(struct listeners *listeners, const struct settings *settings,
    const struct listeners *old, struct error *error);
void listeners_close(struct listeners *listeners);

/* A listening unix socket `name` (0600) in the directory `dir`. */
int listeners_open_control(int dir_fd, const char *name, struct error *error);

/* The same for everybody on this machine (0666), who speaks SMTP there. */
int listeners_open_local(int dir_fd, const char *name, struct error *error);

#endif
