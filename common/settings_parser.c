/*
 * Reads firnmail.conf word by word, by the tables of settings_directives.c.  A
 * mistake is reported and reading goes on, so that one run shows them all.
 * Pure: the files that belong to the settings are read by settings_load.c.
 */
#include "common/settings_parser.h"

#include "common/memory.h"
#include "common/settings_grammar.h"
#include "common/settings_value.h"
#include "common/span.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct report_place
place_of(const struct parser *parser, struct word at)
{
	return (struct report_place){ parser->name, parser->line, at.column,
		parser->source };
}

void
settings_complain(
    struct parser *parser, struct word at, const char *format, ...)
{
	struct report_place place = place_of(parser, at);
	char text[400];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	report_error(parser->report, &place, "%s", text);
}

/* -- Values -- */

static int
parse_path(struct parser *parser, struct value *value)
{
	struct text path = value->word.text;
	bool is_absolute = path.size > 0 && path.data[0] == '/';
	int n = snprintf(value->path, sizeof(value->path), "%s%s%.*s",
	    is_absolute ? "" : parser->directory, is_absolute ? "" : "/",
	    TEXT_FMT(path));

	if (path.size == 0 || n < 0 || (size_t)n >= sizeof(value->path) ||
	    strstr(value->path, "/../") != NULL)
		return -1;
	while (n > 1 && value->path[n - 1] == '/')
		value->path[--n] = '\0';
	return 0;
}

static const char *const kind_names[] = { [VALUE_NONE] = "nothing",
	[VALUE_TEXT] = "a word",
	[VALUE_PATH] = "a path without \"..\" of at most 500 bytes",
	[VALUE_NUMBER] = "a number",
	[VALUE_SPAN] = "a time such as 15m, 24h, 7d, 2w or 1y",
	[VALUE_SIZE] = "a size such as 512K, 50M or 2G",
	[VALUE_ABSENT] = "nothing" };

const char *
settings_kind_name(enum value_kind kind)
{
	return kind_names[kind];
}

static int
parse_value(
    struct parser *parser, const struct option *option, struct value *value)
{
	struct text text = value->word.text;
	int status = 0;

	if (option->kind == VALUE_PATH)
		status = parse_path(parser, value);
	else if (option->kind == VALUE_NUMBER)
		status = settings_parse_number(text, &value->number);
	else if (option->kind == VALUE_SPAN)
		status = span_parse(text, &value->number);
	else if (option->kind == VALUE_SIZE)
		status = settings_parse_size(text, &value->number);
	if (status == -1) {
		settings_complain(parser, value->word, "\"%.*s\" is not %s",
		    TEXT_FMT(text), settings_kind_name(option->kind));
		return -1;
	}
	if (option->max != 0 && value->number > option->max) {
		settings_complain(parser, value->word,
		    "\"%.*s\" is too much: at most %llu", TEXT_FMT(text),
		    (unsigned long long)option->max);
		return -1;
	}
	return 0;
}

/* -- Words -- */

int
settings_take_domain(
    struct parser *parser, struct word word, char to[DOMAIN_NAME_SIZE])
{
	if (domain_name_to_ascii(word.text, to) == 0 &&
	    settings_is_host_name(text_of(to)))
		return 0;
	settings_complain(
	    parser, word, "\"%.*s\" is not a domain", TEXT_FMT(word.text));
	return -1;
}

const struct word *
settings_take(struct parser *parser)
{
	if (parser->next == parser->word_count)
		return NULL;
	return &parser->words[parser->next++];
}

struct word
settings_end_of_line(const struct parser *parser)
{
	const struct word *last = &parser->words[parser->word_count - 1];

	return (struct word){ { NULL, 0 },
		last->column + (unsigned int)last->text.size };
}

/* The next word of the line at *position; 1, 0 at the end, -1 reported. */
static int
next_word(struct parser *parser, size_t *position, struct word *word)
{
	struct text line = parser->source;
	size_t at = *position;
	size_t start;
	bool is_quoted;

	while (at < line.size && strchr(" \t\r", line.data[at]) != NULL)
		at++;
	if (at == line.size || line.data[at] == '#')
		return 0;
	is_quoted = line.data[at] == '"';
	start = at + is_quoted;
	word->column = (unsigned int)at + 1;
	for (at = start; at < line.size; at++)
		if (is_quoted ? line.data[at] == '"'
			      : strchr(" \t\r", line.data[at]) != NULL)
			break;
	if (is_quoted && at == line.size) {
		settings_complain(
		    parser, *word, "the closing quote is missing");
		return -1;
	}
	word->text = text_make(line.data + start, at - start);
	*position = at + is_quoted;
	return 1;
}

static int
split_line(struct parser *parser)
{
	struct word start = { { NULL, 0 }, 1 };
	size_t position = 0;
	struct word word;
	int status;

	parser->word_count = 0;
	if (parser->source.size > SETTINGS_MAX_LINE_BYTES ||
	    !text_is_utf8(parser->source) ||
	    text_find_byte(parser->source, '\0') >= 0) {
		settings_complain(parser, start,
		    "a line must be UTF-8 text of at most %d bytes",
		    SETTINGS_MAX_LINE_BYTES);
		return -1;
	}
	while ((status = next_word(parser, &position, &word)) == 1) {
		if (parser->word_count == SETTINGS_MAX_WORDS) {
			settings_complain(parser, word,
			    "more than %d words in a line", SETTINGS_MAX_WORDS);
			return -1;
		}
		parser->words[parser->word_count++] = word;
	}
	return status;
}

static void
complain_unknown(struct parser *parser, struct word word,
    const char *const *words, const char *usage)
{
	const char *meant = report_suggest(word.text, words);

	if (meant != NULL)
		settings_complain(parser, word,
		    "unknown word \"%.*s\" (did you mean \"%s\"?)",
		    TEXT_FMT(word.text), meant);
	else
		settings_complain(parser, word,
		    "unknown word \"%.*s\": usage is %s", TEXT_FMT(word.text),
		    usage);
}

static const struct option *
find_option(
    const struct directive *directive, struct text word, unsigned int *number)
{
	const struct option *option = directive->options;

	for (*number = 0; option->name != NULL; option++, ++*number)
		if (text_is(word, option->name))
			return option;
	return option->kind != VALUE_NONE ? option : NULL;
}

static void
unknown_option(
    struct parser *parser, const struct directive *directive, struct word word)
{
	const char *words[24];
	size_t count = 0;

	for (const struct option *option = directive->options;
	     option->name != NULL; option++)
		words[count++] = option->name;
	words[count] = NULL;
	complain_unknown(parser, word, words, directive->usage);
}

/* Reads the words behind an option and applies it. */
static void
read_option(
    struct parser *parser, const struct option *option, struct word word)
{
	struct value value = { .word = word };
	const struct word *next;

	if (option->kind == VALUE_ABSENT) {
		settings_complain(parser, word,
		    "this version has no \"%.*s\" yet: %s", TEXT_FMT(word.text),
		    option->instead);
		parser->next = parser->word_count;
		return;
	}
	if (option->name != NULL && option->kind != VALUE_NONE) {
		next = settings_take(parser);
		if (next == NULL) {
			settings_complain(parser, settings_end_of_line(parser),
			    "%s needs %s behind it", option->name,
			    settings_kind_name(option->kind));
			return;
		}
		value.word = *next;
	}
	if (parse_value(parser, option, &value) == 0)
		option->apply(parser, &value);
}

static void
read_words(struct parser *parser, const struct directive *directive)
{
	const struct word *word;

	while ((word = settings_take(parser)) != NULL) {
		unsigned int number;
		const struct option *option =
		    find_option(directive, word->text, &number);

		if (option == NULL) {
			unknown_option(parser, directive, *word);
			continue;
		}
		if ((parser->options_seen & (1U << number)) != 0 &&
		    !(directive->takes_many && option->name == NULL)) {
			settings_complain(parser, *word,
			    "\"%.*s\" is one too many", TEXT_FMT(word->text));
			continue;
		}
		parser->options_seen |= 1U << number;
		read_option(parser, option, *word);
	}
}

static void
read_directive(struct parser *parser, enum directive_number number)
{
	const struct directive *directive = &settings_directives[number];
	unsigned int *origin = &parser->origin->directive[number];

	if (*origin != 0 && !directive->is_repeatable) {
		settings_complain(parser, parser->words[0],
		    "%s was given in line %u already", directive->name,
		    *origin);
		return;
	}
	*origin = parser->line;
	parser->options_seen = 0;
	if (directive->begin != NULL && !directive->begin(parser))
		return;
	if (parser->word_count == 1) {
		settings_complain(parser, settings_end_of_line(parser),
		    "usage is %s", directive->usage);
		return;
	}
	read_words(parser, directive);
	if (directive->finish != NULL)
		directive->finish(parser);
}

static void
read_line(struct parser *parser)
{
	const char *words[DIRECTIVE_COUNT + 1];
	size_t n;

	parser->had_errors = (unsigned int)report_errors(parser->report);
	if (split_line(parser) == -1 || parser->word_count == 0)
		return;
	parser->next = 1;
	for (n = 0; n < DIRECTIVE_COUNT; n++) {
		if (text_is(
			parser->words[0].text, settings_directives[n].name)) {
			read_directive(parser, (enum directive_number)n);
			return;
		}
		words[n] = settings_directives[n].name;
	}
	words[n] = NULL;
	complain_unknown(parser, parser->words[0], words,
	    "host, domain, listen, tls, users, aliases, store, snapshot, "
	    "keep, match ...: see firnmail.conf(5)");
}

int
settings_parse(const char *name, const char *directory, struct text text,
    struct settings *settings, struct settings_origin *origin,
    struct report *report)
{
	struct parser *parser = memory_new(1, sizeof(*parser));
	struct settings_origin *own = memory_new(1, sizeof(*own));
	struct text rest = text;
	size_t before = report_errors(report);

	parser->name = name;
	parser->directory = directory;
	parser->settings = settings;
	parser->origin = own;
	parser->report = report;
	while (text_next(&rest, '\n', &parser->source)) {
		parser->line++;
		read_line(parser);
	}
	settings_check_whole(parser);
	if (origin != NULL)
		*origin = *own;
	memory_free(&own);
	memory_free(&parser);
	return report_errors(report) == before ? 0 : -1;
}
