/*
 * Findings of a parser, kept as finished text in the order in which they were
 * made.  Sources: settings_parser.c, account_parser.c.
 */
#include "common/report.h"

#include "common/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	REPORT_MAX_MESSAGE = 600,
	REPORT_MAX_SOURCE = 240, /* bytes of a line that are shown */
	REPORT_MAX_WORD = 40     /* longer words get no suggestion */
};

struct report {
	size_t errors;
	size_t warnings;
	struct buf text;
};

struct report *
report_new(void)
{
	struct report *report = memory_new(1, sizeof(*report));

	buf_init(&report->text, 1024 * 1024);
	return report;
}

void
report_free(struct report **report)
{
	if (*report == NULL)
		return;
	buf_clear(&(*report)->text);
	memory_free(report);
}

static void
put_clean(struct buf *to, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)data[i];

		if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
			byte = '?';
		(void)buf_put_byte(to, byte);
	}
}

static void
put_caret(struct buf *to, const struct report_place *place)
{
	unsigned int column = place->column;

	for (unsigned int i = 0; i + 1 < column; i++) {
		uint8_t byte = (uint8_t)place->source.data[i];

		if ((byte & 0xc0) == 0x80)
			continue; /* the caret counts characters */
		(void)buf_put_byte(to, byte == '\t' ? '\t' : ' ');
	}
	(void)buf_put_text(to, "^\n");
}

static void
put_source(struct buf *to, const struct report_place *place)
{
	size_t size = place->source.size;

	if (size > REPORT_MAX_SOURCE)
		size = REPORT_MAX_SOURCE;
	if (size == 0)
		return;
	put_clean(to, place->source.data, size);
	(void)buf_put_byte(to, '\n');
	if (place->column >= 1 && place->column <= size + 1)
		put_caret(to, place);
}

static void
add(struct report *report, const struct report_place *place, const char *kind,
    const char *format, va_list arguments)
{
	char message[REPORT_MAX_MESSAGE];
	int n;

	if (report->errors + report->warnings > REPORT_MAX_FINDINGS)
		return;
	(void)buf_put_text(&report->text, place->file);
	if (place->line != 0)
		(void)buf_put_format(
		    &report->text, ":%u:%u", place->line, place->column);
	(void)buf_put_format(&report->text, ": %s", kind);
	n = vsnprintf(message, sizeof(message), format, arguments);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(message))
		n = sizeof(message) - 1;
	put_clean(&report->text, message, (size_t)n);
	(void)buf_put_byte(&report->text, '\n');
	put_source(&report->text, place);
}

void
report_error(struct report *report, const struct report_place *place,
    const char *format, ...)
{
	va_list arguments;

	report->errors++;
	va_start(arguments, format);
	add(report, place, "", format, arguments);
	va_end(arguments);
}

void
report_warning(struct report *report, const struct report_place *place,
    const char *format, ...)
{
	va_list arguments;

	report->warnings++;
	va_start(arguments, format);
	add(report, place, "warning: ", format, arguments);
	va_end(arguments);
}

size_t
report_errors(const struct report *report)
{
	return report->errors;
}

size_t
report_warnings(const struct report *report)
{
	return report->warnings;
}

void
report_format(const struct report *report, struct buf *to)
{
	size_t all = report->errors + report->warnings;

	(void)buf_put(to, report->text.data, report->text.size);
	if (all > REPORT_MAX_FINDINGS)
		(void)buf_put_format(
		    to, "... and %zu more\n", all - REPORT_MAX_FINDINGS);
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance; `word` has at most REPORT_MAX_WORD bytes. */
static size_t
distance(struct text word, const char *candidate)
{
	size_t row[REPORT_MAX_WORD + 1];

	for (size_t i = 0; i <= word.size; i++)
		row[i] = i;
	for (size_t j = 0; candidate[j] != '\0'; j++) {
		size_t diagonal = row[0];

		row[0] = j + 1;
		for (size_t i = 0; i < word.size; i++) {
			size_t cost = text_lower_byte(word.data[i]) !=
				      text_lower_byte(candidate[j]);
			size_t above = row[i + 1];

			row[i + 1] =
			    least(diagonal + cost, least(above, row[i]) + 1);
			diagonal = above;
		}
	}
	return row[word.size];
}

const char *
report_suggest(struct text word, const char *const *words)
{
	const char *nearest = NULL;
	size_t nearest_distance = SIZE_MAX;

	if (word.size == 0 || word.size > REPORT_MAX_WORD)
		return NULL;
	for (; *words != NULL; words++) {
		size_t d = distance(word, *words);

		if (d < nearest_distance) {
			nearest = *words;
			nearest_distance = d;
		}
	}
	if (nearest_distance > word.size / 3 + 1 ||
	    nearest_distance >= word.size)
		return NULL;
	return nearest;
}
