/*
 * What a parser found wrong in a file that a person wrote: every finding of a
 * run, with its place, so that all of them can be shown at once.  A report is
 * filled by settings_parser and account_parser and printed by master and
 * firnmail.  Lines that hold secrets (users) are given without their text.
 */
#ifndef COMMON_REPORT_H
#define COMMON_REPORT_H

#include "common/buf.h"
#include "common/text.h"

#include <stddef.h>

enum {
	REPORT_MAX_FINDINGS = 200 /* further ones are counted only */
};

/* A place in a file: line 0 means the file as a whole. */
struct report_place {
	const char *file; /* as it is to be shown; copied */
	unsigned int line;
	unsigned int column; /* in bytes, 1 and up */
	struct text source;  /* the line, empty if it is not to be shown */
};

struct report;

struct report *report_new(void);
void report_free(struct report **report);

void report_error(struct report *report, const struct report_place *place,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
void report_warning(struct report *report, const struct report_place *place,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

size_t report_errors(const struct report *report);
size_t report_warnings(const struct report *report);

/*
 * All findings as text, in the order of finding:
 *
 *   firnmail.conf:9:12: unknown word "evry" (did you mean "every"?)
 *   snapshot evry 15m dir /var/lib/firnmail/snap
 *            ^
 *
 * Warnings say "warning: " after the place. Control bytes become '?'.
 */
void report_format(const struct report *report, struct buf *to);

/* The word of `words` (NULL-terminated) nearest to `word`, or NULL if none is
 * near enough to be what was meant. */
const char *report_suggest(struct text word, const char *const *words);

#endif
