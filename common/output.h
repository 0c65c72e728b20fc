/*
 * What snapctl and firnmail print: a table for people, tab-separated lines for
 * scripts
 * (-H), one JSON object a line (--json).  Bytes that come from mail or from
 * names are never sent to a terminal as control bytes.
 */
#ifndef COMMON_OUTPUT_H
#define COMMON_OUTPUT_H

#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum output_form {
	OUTPUT_TABLE,
	OUTPUT_TABS,
	OUTPUT_JSON
};

enum field_type {
	FIELD_TEXT,
	FIELD_NUMBER,
	FIELD_BYTES, /* a size: 1.9 GiB, or exactly with -p */
	/* Seconds since 1970: local time, "-" for 0; or the number with -p. */
	FIELD_TIME
};

struct field {
	const char *name; /* JSON key, column title in upper case */
	enum field_type type;
	unsigned int width; /* of the column, at least */
	struct text text;
	int64_t number;
};

#define FIELD_T(name, width, text)               \
	{                                        \
		name, FIELD_TEXT, width, text, 0 \
	}
#define FIELD_N(name, width, number)                                      \
	{                                                                 \
		name, FIELD_NUMBER, width, { NULL, 0 }, (int64_t)(number) \
	}
#define FIELD_B(name, number)                                         \
	{                                                             \
		name, FIELD_BYTES, 10, { NULL, 0 }, (int64_t)(number) \
	}
#define FIELD_D(name, number)                                        \
	{                                                            \
		name, FIELD_TIME, 19, { NULL, 0 }, (int64_t)(number) \
	}

struct output;

struct output *output_new(enum output_form form, bool is_exact);
void output_free(struct output **output);

/* One row; `type` names it in JSON ("snapshot"). The titles are printed before
 * the first row of a table. */
void output_row(struct output *output, const char *type,
    const struct field *fields, size_t count);

/* The next row has titles of its own: another table begins. */
void output_new_table(struct output *output);

/* A sentence for people: nothing is printed for scripts. */
void output_say(struct output *output, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Raw bytes of a message; control bytes are escaped on a terminal only. */
void output_bytes(struct output *output, struct text bytes);

/* Progress on stderr, if that is a terminal, with rate and time left. `total`
 * 0: not known. */
void output_progress(
    struct output *output, const char *what, uint64_t done, uint64_t total);
void output_progress_end(struct output *output);

/* "1.9 GiB" into `to`. */
void output_format_bytes(uint64_t bytes, char *to, size_t to_size);

enum output_form output_form(const struct output *output);

#endif
