/*
 * The grammar shared by all IMAP commands: tags, atoms, strings, literals,
 * numbers, sets, mailbox names, flags and dates (RFC 3501 section 9).  Reads a
 * complete command in memory, writes only to the pool; what is malformed gets
 * a sentence for the client's BAD and never more than that.
 */
#include "imapd/imap_parser.h"

#include "imapd/imap_capability.h"

#include "common/mail_date.h"
#include "common/mailbox_name.h"
#include "common/record.h"
#include "common/utf7.h"

#include <stdlib.h>
#include <string.h>

const struct imap_limits imap_limits = {
	.set_ranges = 100000,
	.search_keys = 4096,
	.search_nesting = 64,
	.messages = IMAP_MESSAGE_LIMIT,
};

void
imap_parser_init(
    struct imap_parser *parser, struct text command, struct pool *pool)
{
	memset(parser, 0, sizeof(*parser));
	parser->rest = command;
	parser->pool = pool;
	parser->limits = &imap_limits;
}

int
imap_parse_error(struct imap_parser *parser, const char *error)
{
	parser->error = error;
	return -1;
}

bool
imap_parse_at_end(const struct imap_parser *parser)
{
	return parser->rest.size == 0;
}

bool
imap_parse_next_is(const struct imap_parser *parser, char c)
{
	return parser->rest.size > 0 && parser->rest.data[0] == c;
}

static struct text
skip_spaces(struct text rest)
{
	while (rest.size > 0 && rest.data[0] == ' ')
		rest = text_skip(rest, 1);
	return rest;
}

bool
imap_parse_skip(struct imap_parser *parser, char c)
{
	if (c == ')' || c == ']')
		parser->rest = skip_spaces(parser->rest);
	if (!imap_parse_next_is(parser, c))
		return false;
	parser->rest = text_skip(parser->rest, 1);
	if (c == ' ' || c == '(')
		parser->rest = skip_spaces(parser->rest);
	return c != ' ' ||
	       (!imap_parse_at_end(parser) && !imap_parse_next_is(parser, ')'));
}

/* ATOM-CHAR, and "]" where the grammar lets it stand in an astring. */
static bool
is_atom_char(char c)
{
	unsigned char u = (unsigned char)c;

	return u > 0x20 && u != 0x7f && strchr("(){%*\"\\]", c) == NULL;
}

static struct text
take_while(struct imap_parser *parser, const char *also)
{
	struct text word;
	size_t size = 0;
	char c;

	while (size < parser->rest.size) {
		c = parser->rest.data[size];
		if (!is_atom_char(c) && (c == '\0' || strchr(also, c) == NULL))
			break;
		size++;
	}
	word = text_make(parser->rest.data, size);
	parser->rest = text_skip(parser->rest, size);
	return word;
}

bool
imap_parse_skip_word(struct imap_parser *parser, const char *word)
{
	size_t size = strlen(word);

	if (!text_starts_nocase(parser->rest, word))
		return false;
	if (parser->rest.size > size && is_atom_char(parser->rest.data[size]) &&
	    parser->rest.data[size] != '[' && parser->rest.data[size] != '<')
		return false;
	parser->rest = text_skip(parser->rest, size);
	return true;
}

int
imap_parse_tag(struct imap_parser *parser, struct text *tag)
{
	*tag = take_while(parser, "]");
	if (tag->size == 0 || tag->size > IMAP_MAX_TAG_SIZE ||
	    memchr(tag->data, '+', tag->size) != NULL || !text_is_ascii(*tag)) {
		tag->size = 0;
		return imap_parse_error(parser, "Missing or malformed tag");
	}
	return 0;
}

int
imap_parse_atom(struct imap_parser *parser, struct text *atom)
{
	*atom = take_while(parser, "");
	if (atom->size == 0)
		return imap_parse_error(parser, "Atom expected");
	return 0;
}

/* A copy of what stands between the quotes, without its backslashes. */
static struct text
unescape(struct pool *pool, struct text quoted)
{
	char *copy = pool_alloc(pool, quoted.size, 1);
	size_t size = 0;

	for (size_t i = 0; i < quoted.size; i++) {
		if (quoted.data[i] == '\\')
			i++;
		copy[size++] = quoted.data[i];
	}
	return text_make(copy, size);
}

static int
parse_quoted(struct imap_parser *parser, struct text *string)
{
	struct text rest = text_skip(parser->rest, 1);
	bool is_escaped = false;
	size_t i;

	for (i = 0; i < rest.size && rest.data[i] != '"'; i++) {
		if (rest.data[i] == '\\') {
			is_escaped = true;
			if (++i == rest.size)
				break;
		}
		if (rest.data[i] == '\0' || rest.data[i] == '\r' ||
		    rest.data[i] == '\n')
			return imap_parse_error(
			    parser, "Control byte in quoted string");
	}
	if (i >= rest.size)
		return imap_parse_error(parser, "Quoted string has no end");
	*string = text_make(rest.data, i);
	if (is_escaped)
		*string = unescape(parser->pool, *string);
	parser->rest = text_skip(rest, i + 1);
	return 0;
}

static int
parse_literal(struct imap_parser *parser, struct text *string)
{
	struct text digits, rest = text_skip(parser->rest, 1);
	ptrdiff_t end = text_find_byte(rest, '}');
	uint64_t size;

	if (end <= 0)
		return imap_parse_error(parser, "Malformed literal");
	digits = text_make(rest.data, (size_t)end);
	if (digits.data[end - 1] == '+')
		digits.size--;
	rest = text_skip(rest, (size_t)end + 1);
	if (rest.size < 2 || memcmp(rest.data, "\r\n", 2) != 0 ||
	    text_parse_number(digits, rest.size - 2, &size) == -1)
		return imap_parse_error(parser, "Malformed literal");
	rest = text_skip(rest, 2);
	*string = text_make(rest.data, (size_t)size);
	parser->rest = text_skip(rest, (size_t)size);
	if (size > 0 && memchr(string->data, '\0', string->size) != NULL)
		return imap_parse_error(parser, "NUL byte in literal");
	return 0;
}

int
imap_parse_string(struct imap_parser *parser, struct text *string)
{
	if (imap_parse_next_is(parser, '"'))
		return parse_quoted(parser, string);
	if (imap_parse_next_is(parser, '{'))
		return parse_literal(parser, string);
	return imap_parse_error(parser, "String expected");
}

int
imap_parse_astring(struct imap_parser *parser, struct text *string)
{
	if (imap_parse_next_is(parser, '"') || imap_parse_next_is(parser, '{'))
		return imap_parse_string(parser, string);
	*string = take_while(parser, "]");
	if (string->size == 0)
		return imap_parse_error(parser, "String expected");
	return 0;
}

int
imap_parse_space(struct imap_parser *parser)
{
	if (!imap_parse_skip(parser, ' '))
		return imap_parse_error(parser, imap_parse_at_end(parser)
						    ? "Missing argument"
						    : "Space expected");
	return 0;
}

int
imap_parse_end(struct imap_parser *parser)
{
	(void)imap_parse_skip(parser, ' ');
	if (!imap_parse_at_end(parser))
		return imap_parse_error(parser, "Unexpected argument");
	return 0;
}

int
imap_parse_number(struct imap_parser *parser, uint64_t max, uint64_t *number)
{
	struct text rest = parser->rest;
	size_t size = 0;

	while (size < rest.size && text_is_digit(rest.data[size]))
		size++;
	if (text_parse_number(text_make(rest.data, size), max, number) == -1)
		return imap_parse_error(parser, "Invalid number");
	parser->rest = text_skip(rest, size);
	return 0;
}

int
imap_parse_set(struct imap_parser *parser, struct imap_set *set)
{
	size_t size;
	int result;

	*set = (struct imap_set){ .is_saved = imap_parse_skip(parser, '$') };
	if (set->is_saved)
		return 0;
	result = imap_set_parse(
	    parser->rest, parser->limits->set_ranges, parser->pool, set, &size);
	if (result != 0)
		return imap_parse_error(parser, result == -2
						    ? "Message set is too long"
						    : "Invalid message set");
	parser->rest = text_skip(parser->rest, size);
	return 0;
}

/* In the pool; what the client wrote is kept beside it where it differs. */
static const char *
normal_name(struct imap_parser *parser, struct text name)
{
	char *normal = mailbox_name_normal(name);
	const char *result;

	result = normal == NULL
		     ? pool_text(parser->pool, name.data, name.size)
		     : pool_text(parser->pool, normal, strlen(normal));
	free(normal);
	if (!text_equal_nocase(name, text_of(result)))
		parser->other_name =
		    pool_text(parser->pool, name.data, name.size);
	return result;
}

/* A name off the wire as UTF-8 in the pool. */
static int
decode_mailbox(
    struct imap_parser *parser, struct text name, const char **decoded)
{
	struct buf buf;
	int result = 0;

	buf_init(&buf, IMAP_MAX_MAILBOX);
	parser->other_name = NULL;
	if (!text_is_ascii(name)) {
		/* RFC 9755, and what careless clients send anyway. */
		if (!text_is_utf8(name) ||
		    buf_put(&buf, name.data, name.size) == -1)
			result = -1;
	} else if (parser->is_utf8_names) {
		result = buf_put(&buf, name.data, name.size);
	} else {
		result = utf7_decode(name, &buf);
	}
	if (result == 0)
		*decoded = normal_name(parser, text_make(buf.data, buf.size));
	buf_clear(&buf);
	return result == 0 ? 0
			   : imap_parse_error(
				 parser, "Malformed or too long mailbox name");
}

int
imap_parse_mailbox(struct imap_parser *parser, const char **name)
{
	struct text raw;

	if (imap_parse_astring(parser, &raw) == -1)
		return -1;
	return decode_mailbox(parser, raw, name);
}

int
imap_parse_list_mailbox(struct imap_parser *parser, const char **pattern)
{
	struct text raw;

	if (imap_parse_next_is(parser, '"') ||
	    imap_parse_next_is(parser, '{')) {
		if (imap_parse_string(parser, &raw) == -1)
			return -1;
	} else {
		raw = take_while(parser, "]%*");
		if (raw.size == 0)
			return imap_parse_error(parser, "Pattern expected");
	}
	return decode_mailbox(parser, raw, pattern);
}

static const struct {
	const char *name;
	unsigned int flag;
} system_flags[] = {
	{ "Answered", FLAG_ANSWERED },
	{ "Flagged", FLAG_FLAGGED },
	{ "Deleted", FLAG_DELETED },
	{ "Seen", FLAG_SEEN },
	{ "Draft", FLAG_DRAFT },
};

static int
parse_system_flag(struct imap_parser *parser, struct imap_flags *flags)
{
	struct text name;
	size_t i;

	if (imap_parse_atom(parser, &name) == -1)
		return -1;
	for (i = 0; i < sizeof(system_flags) / sizeof(*system_flags); i++) {
		if (text_is_nocase(name, system_flags[i].name)) {
			flags->system |= system_flags[i].flag;
			return 0;
		}
	}
	return imap_parse_error(parser, "Unknown system flag");
}

static int
parse_flag(struct imap_parser *parser, struct imap_flags *flags)
{
	struct text name;

	if (imap_parse_skip(parser, '\\'))
		return parse_system_flag(parser, flags);
	if (imap_parse_atom(parser, &name) == -1)
		return -1;
	if (name.size > IMAP_MAX_KEYWORD || !text_is_ascii(name))
		return imap_parse_error(parser, "Invalid keyword");
	if (flags->keyword_count == IMAP_MAX_FLAGS)
		return imap_parse_error(parser, "Too many keywords");
	flags->keywords[flags->keyword_count++] = name;
	return 0;
}

int
imap_parse_flags(
    struct imap_parser *parser, bool is_bare_allowed, struct imap_flags *flags)
{
	bool is_list = imap_parse_skip(parser, '(');

	flags->system = 0;
	flags->keyword_count = 0;
	if (!is_list && !is_bare_allowed)
		return imap_parse_error(parser, "Flag list expected");
	if (is_list && imap_parse_skip(parser, ')'))
		return 0;
	do {
		if (parse_flag(parser, flags) == -1)
			return -1;
	} while (imap_parse_skip(parser, ' '));
	if (is_list && !imap_parse_skip(parser, ')'))
		return imap_parse_error(parser, "Flag list has no end");
	return 0;
}

int
imap_parse_date(struct imap_parser *parser, int64_t *day)
{
	struct text s;
	int64_t time;

	if (imap_parse_astring(parser, &s) == -1 ||
	    mail_date_parse_day(s, &time) == -1)
		return imap_parse_error(parser, "Invalid date");
	*day = time / 86400;
	return 0;
}

int
imap_parse_date_time(struct imap_parser *parser, int64_t *seconds)
{
	struct mail_date date;
	struct text s;

	if (imap_parse_string(parser, &s) == -1 ||
	    mail_date_parse_internal(s, &date) == -1)
		return imap_parse_error(parser, "Invalid date-time");
	*seconds = date.time;
	return 0;
}
