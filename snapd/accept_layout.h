/*
 * What records of the log of accepted mail are made of, as one number, which
 * each of them begins with.  They hold packets of messages.def and records that
 * stand within those; after an unclean stop they are read by whatever version
 * starts next.  So the number is made from the rows and the records themselves:
 * whoever changes one of them has changed it, and the log says of what was
 * written before that another version has to read it (accept_log.h).
 */
#ifndef SNAPD_ACCEPT_LAYOUT_H
#define SNAPD_ACCEPT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A row of messages.def: the kinds of its fields and their limits. */
struct accept_row {
	uint16_t type;
	const char *fields;
};

/* All of them. */
const struct accept_row *accept_rows(size_t *count);

/* Whether a part of that type may stand in the log: one whose effect follows
 * from the rows that it finds. */
bool accept_has_part(unsigned int type);

/* The number by those rows; NULL: by messages.def. */
uint32_t accept_layout(const struct accept_row *rows, size_t count);

#endif
