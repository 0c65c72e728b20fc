/*
 * common/connection.h and tls.h in memory: a test writes what the client says
 * and reads what it is told.
 */
#ifndef TESTS_FALSE_CONNECTION_H
#define TESTS_FALSE_CONNECTION_H

#include "common/connection.h"

#include <stdbool.h>
#include <stddef.h>

/* The one that was made last; NULL when it was freed. */
struct connection *false_connection(void);

/* The client sends. */
void false_connection_say(
    struct connection *connection, const void *data, size_t size);
/* All that it was told since the last call, as a string. */
const char *false_connection_heard(void);
bool false_connection_is_finished(struct connection *connection);
/* So much more may be written, until it is said again; 64 KiB each time before
 * it was said first. */
void false_connection_set_room(struct connection *connection, size_t room);
void false_connection_hang_up(struct connection *connection);

#endif
