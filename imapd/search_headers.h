/*
 * Looks at some header fields of each message that a search has found: for SORT
 * and THREAD.  Fields come from the cache; a header is read where that lacks
 * one.
 */
#ifndef IMAPD_SEARCH_HEADERS_H
#define IMAPD_SEARCH_HEADERS_H

#include "imapd/search_command.h"

/* state->headers is filled in, `at` is 0: looks at each, then calls `done`. */
enum command_step search_headers_start(struct imap_command *command);

#endif
