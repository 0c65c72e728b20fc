/*
 * Rewrites the domain lines of firnmail.conf: bytes in, bytes out, with every
 * other line, comments and order kept.  Pure; what a line means is
 * common/settings_parser's, which has taken the file before.
 */
#ifndef FIRNMAIL_CONFIG_FILE_H
#define FIRNMAIL_CONFIG_FILE_H

#include "common/buf.h"
#include "common/text.h"

/* Domains are A-labels, those of the file may be U-labels. */

/* A line of its own behind the last domain line; `is`, if not NULL, is the
 * domain that it is another name of. 1; -1: it does not fit, or there is no
 * domain line. */
int config_file_add_domain(
    struct text file, const char *domain, const char *is, struct buf *to);

/* The word goes, or the line, if it is its only name. 1; 0: no domain line has
 * it; -1: it does not fit. */
int config_file_remove_domain(
    struct text file, const char *domain, struct buf *to);

#endif
