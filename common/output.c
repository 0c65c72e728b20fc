/* See output.h. */
#include "common/output.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/memory.h"

#include <jansson.h>

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	OUTPUT_JSON_VERSION = 1,
	OUTPUT_PROGRESS_EVERY_US = 200000
};

struct output {
	enum output_form form;
	bool is_exact;
	bool is_terminal;
	bool is_progress_terminal;
	bool has_titles;
	bool has_progress;
	int64_t progress_start_us;
	int64_t progress_last_us;
};

struct output *
output_new(enum output_form form, bool is_exact)
{
	struct output *output = memory_new(1, sizeof(*output));

	output->form = form;
	output->is_exact = is_exact;
	output->is_terminal = isatty(STDOUT_FILENO) == 1;
	output->is_progress_terminal = isatty(STDERR_FILENO) == 1;
	/* Else at the first row, and behind the walls that is too late to open
	 * /dev/urandom. */
	if (form == OUTPUT_JSON)
		json_object_seed(0);
	return output;
}

void
output_free(struct output **output)
{
	memory_free(output);
}

enum output_form
output_form(const struct output *output)
{
	return output->form;
}

void
output_format_bytes(uint64_t bytes, char *to, size_t to_size)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(to, to_size, "%u B", (unsigned int)bytes);
		return;
	}
	while (value >= 1024 && unit < 3) {
		value /= 1024;
		unit++;
	}
	snprintf(to, to_size, "%.1f %s", value, units[unit]);
}

static void
format_time(int64_t seconds, char *to, size_t to_size)
{
	time_t time = (time_t)seconds;
	struct tm tm;

	if (localtime_r(&time, &tm) == NULL ||
	    strftime(to, to_size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(to, to_size, "-");
}

/* The value as text; `storage` is used for numbers. */
static struct text
format_field(const struct output *output, const struct field *field,
    char *storage, size_t storage_size)
{
	bool is_exact = output->is_exact || output->form == OUTPUT_TABS;

	if (field->type == FIELD_TEXT)
		return field->text;
	if (field->type == FIELD_BYTES && !is_exact)
		output_format_bytes(
		    (uint64_t)field->number, storage, storage_size);
	else if (field->type == FIELD_TIME && !is_exact && field->number == 0)
		return TEXT("-");
	else if (field->type == FIELD_TIME && !is_exact)
		format_time(field->number, storage, storage_size);
	else
		snprintf(
		    storage, storage_size, "%lld", (long long)field->number);
	return text_of(storage);
}

/* Control bytes as \xNN: in tabs always (a tab would be a column), in tables
 * too. Returns the columns used. */
static unsigned int
print_clean(struct text text)
{
	unsigned int columns = 0;

	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c < 0x20 || c == 0x7f) {
			printf("\\x%02x", c);
			columns += 4;
		} else {
			putchar(c);
			/* Bytes that continue a UTF-8 character are free. */
			columns += (c & 0xc0) != 0x80;
		}
	}
	return columns;
}

static void
print_titles(struct output *output, const struct field *fields, size_t count)
{
	output->has_titles = true;
	for (size_t i = 0; i < count; i++) {
		unsigned int used = 0;

		for (const char *c = fields[i].name; *c != '\0'; c++, used++)
			putchar(toupper((unsigned char)*c));
		if (i + 1 < count)
			for (; used < fields[i].width + 2; used++)
				putchar(' ');
	}
	putchar('\n');
}

static void
print_columns(struct output *output, const struct field *fields, size_t count)
{
	char storage[40];

	for (size_t i = 0; i < count; i++) {
		unsigned int used = print_clean(
		    format_field(output, &fields[i], storage, sizeof(storage)));

		if (i + 1 == count)
			break;
		if (output->form == OUTPUT_TABS) {
			putchar('\t');
			continue;
		}
		do
			putchar(' ');
		while (++used < fields[i].width + 2);
	}
	putchar('\n');
}

static json_t *
json_field(const struct field *field)
{
	json_t *value;

	if (field->type != FIELD_TEXT)
		return json_integer(field->number);
	value = json_stringn(
	    field->text.data == NULL ? "" : field->text.data, field->text.size);
	if (value != NULL)
		return value;
	/* Not UTF-8: the bytes that are not ASCII become '?'. */
	{
		char *copy = memory_copy(field->text.data, field->text.size);

		for (size_t i = 0; i < field->text.size; i++)
			if ((unsigned char)copy[i] >= 0x80)
				copy[i] = '?';
		value = json_stringn(copy, field->text.size);
		free(copy);
	}
	return value;
}

static void
print_json(const char *type, const struct field *fields, size_t count)
{
	json_t *object = json_object();
	char *line;

	json_object_set_new(
	    object, "version", json_integer(OUTPUT_JSON_VERSION));
	json_object_set_new(object, "type", json_string(type));
	for (size_t i = 0; i < count; i++)
		json_object_set_new(
		    object, fields[i].name, json_field(&fields[i]));
	line = json_dumps(object, JSON_COMPACT);
	if (line != NULL)
		puts(line);
	free(line);
	json_decref(object);
}

void
output_row(struct output *output, const char *type, const struct field *fields,
    size_t count)
{
	output_progress_end(output);
	if (output->form == OUTPUT_JSON) {
		print_json(type, fields, count);
		return;
	}
	if (output->form == OUTPUT_TABLE && !output->has_titles)
		print_titles(output, fields, count);
	print_columns(output, fields, count);
}

void
output_new_table(struct output *output)
{
	output->has_titles = false;
}

void
output_say(struct output *output, const char *format, ...)
{
	va_list arguments;

	if (output->form != OUTPUT_TABLE)
		return;
	output_progress_end(output);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

void
output_bytes(struct output *output, struct text bytes)
{
	if (!output->is_terminal) {
		fwrite(bytes.data, 1, bytes.size, stdout);
		return;
	}
	for (size_t i = 0; i < bytes.size; i++) {
		unsigned char c = (unsigned char)bytes.data[i];

		if ((c < 0x20 && c != '\n' && c != '\t' && c != '\r') ||
		    c == 0x7f)
			printf("\\x%02x", c);
		else
			putchar(c);
	}
}

void
output_progress(
    struct output *output, const char *what, uint64_t done, uint64_t total)
{
	int64_t now = clock_monotonic_us();
	double seconds, rate;

	if (!output->is_progress_terminal)
		return;
	if (!output->has_progress) {
		output->has_progress = true;
		output->progress_start_us = now;
	} else if (now - output->progress_last_us < OUTPUT_PROGRESS_EVERY_US) {
		return;
	}
	output->progress_last_us = now;
	seconds = (double)(now - output->progress_start_us) / 1e6;
	rate = seconds > 0 ? (double)done / seconds : 0;
	if (total > 0 && rate > 0)
		fprintf(stderr,
		    "\r%s: %llu of %llu, %.0f a second, %.0f s left ", what,
		    (unsigned long long)done, (unsigned long long)total, rate,
		    (double)(total - done) / rate);
	else
		fprintf(stderr, "\r%s: %llu ", what, (unsigned long long)done);
	fflush(stderr);
}

void
output_progress_end(struct output *output)
{
	if (output->has_progress)
		fputs("\r\033[K", stderr);
	output->has_progress = false;
}
