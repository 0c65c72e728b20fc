/*
 * The last wall around a password child, within those of authd: a filter that
 * leaves it its socket, its memory and its end.
 */
#ifndef AUTHD_PASSWORD_WALLS_H
#define AUTHD_PASSWORD_WALLS_H

/* no_new_privs must be set. 0 or -1. */
int password_walls_enter(void);

#endif
