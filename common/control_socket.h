/*
 * The administrator on a control socket that master bound: root, or whoever
 * runs us, and nobody else, whatever the socket's mode says.
 */
#ifndef COMMON_CONTROL_SOCKET_H
#define COMMON_CONTROL_SOCKET_H

#include <stdint.h>

/* The connection that waits and, if `uid` is not NULL, whose it is; -1: there
 * is none, or it was somebody else's, which is an alarm. */
int control_socket_accept(int fd, uint32_t *uid);

#endif
