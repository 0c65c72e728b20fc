/*
 * The grammar of SEARCH: CHARSET (common/charset.h), keys.
 * Comes from a client's command, goes to search_match.  Depth and number of
 * keys are limited (imap_parser.h), so that matching is.
 */
#include "imapd/search_keys.h"

#include "common/casefold.h"
#include "common/record.h"

#include <stdlib.h>
#include <string.h>

enum key_argument {
	ARGUMENT_NONE,
	ARGUMENT_TEXT,
	ARGUMENT_FIELD_TEXT,
	ARGUMENT_KEYWORD,
	ARGUMENT_DATE,
	ARGUMENT_SAVED_DATE,
	ARGUMENT_NUMBER,
	ARGUMENT_INTERVAL,
	ARGUMENT_OBJECT,
	ARGUMENT_SET,
	ARGUMENT_UID_BELOW,
	ARGUMENT_UID_ABOVE,
	ARGUMENT_MODSEQ,
	ARGUMENT_KEY,
	ARGUMENT_TWO_KEYS
};

static const struct key_rule {
	const char *name;
	enum search_kind kind;
	enum key_argument argument;
	uint64_t number;
	bool is_unset;
	const char *field;
} key_rules[] = {
	{ "ALL", SEARCH_ALL, ARGUMENT_NONE, 0, false, NULL },
	{ "ANSWERED", SEARCH_FLAG, ARGUMENT_NONE, FLAG_ANSWERED, false, NULL },
	{ "BCC", SEARCH_HEADER, ARGUMENT_TEXT, 0, false, "Bcc" },
	{ "BEFORE", SEARCH_BEFORE, ARGUMENT_DATE, 0, false, NULL },
	{ "BODY", SEARCH_BODY, ARGUMENT_TEXT, 0, false, NULL },
	{ "CC", SEARCH_HEADER, ARGUMENT_TEXT, 0, false, "Cc" },
	{ "DELETED", SEARCH_FLAG, ARGUMENT_NONE, FLAG_DELETED, false, NULL },
	{ "DRAFT", SEARCH_FLAG, ARGUMENT_NONE, FLAG_DRAFT, false, NULL },
	{ "EMAILID", SEARCH_EMAILID, ARGUMENT_OBJECT, 0, false, NULL },
	{ "FLAGGED", SEARCH_FLAG, ARGUMENT_NONE, FLAG_FLAGGED, false, NULL },
	{ "FROM", SEARCH_HEADER, ARGUMENT_TEXT, 0, false, "From" },
	{ "HEADER", SEARCH_HEADER, ARGUMENT_FIELD_TEXT, 0, false, NULL },
	{ "KEYWORD", SEARCH_KEYWORD, ARGUMENT_KEYWORD, 0, false, NULL },
	{ "LARGER", SEARCH_LARGER, ARGUMENT_NUMBER, 0, false, NULL },
	{ "MODSEQ", SEARCH_MODSEQ, ARGUMENT_MODSEQ, 0, false, NULL },
	{ "NEW", SEARCH_NEW, ARGUMENT_NONE, 0, false, NULL },
	{ "NOT", SEARCH_NOT, ARGUMENT_KEY, 0, false, NULL },
	{ "OLD", SEARCH_RECENT, ARGUMENT_NONE, 0, true, NULL },
	{ "OLDER", SEARCH_OLDER, ARGUMENT_INTERVAL, 0, false, NULL },
	{ "ON", SEARCH_ON, ARGUMENT_DATE, 0, false, NULL },
	{ "OR", SEARCH_OR, ARGUMENT_TWO_KEYS, 0, false, NULL },
	{ "RECENT", SEARCH_RECENT, ARGUMENT_NONE, 0, false, NULL },
	{ "SEEN", SEARCH_FLAG, ARGUMENT_NONE, FLAG_SEEN, false, NULL },
	{ "SAVEDATESUPPORTED", SEARCH_SAVEDATESUPPORTED, ARGUMENT_NONE, 0,
	    false, NULL },
	{ "SAVEDBEFORE", SEARCH_SAVEDBEFORE, ARGUMENT_SAVED_DATE, 0, false,
	    NULL },
	{ "SAVEDON", SEARCH_SAVEDON, ARGUMENT_SAVED_DATE, 0, false, NULL },
	{ "SAVEDSINCE", SEARCH_SAVEDSINCE, ARGUMENT_SAVED_DATE, 0, false,
	    NULL },
	{ "SENTBEFORE", SEARCH_SENTBEFORE, ARGUMENT_DATE, 0, false, NULL },
	{ "SENTON", SEARCH_SENTON, ARGUMENT_DATE, 0, false, NULL },
	{ "SENTSINCE", SEARCH_SENTSINCE, ARGUMENT_DATE, 0, false, NULL },
	{ "SINCE", SEARCH_SINCE, ARGUMENT_DATE, 0, false, NULL },
	{ "SMALLER", SEARCH_SMALLER, ARGUMENT_NUMBER, 0, false, NULL },
	{ "SUBJECT", SEARCH_HEADER, ARGUMENT_TEXT, 0, false, "Subject" },
	{ "TEXT", SEARCH_TEXT, ARGUMENT_TEXT, 0, false, NULL },
	{ "THREADID", SEARCH_THREADID, ARGUMENT_OBJECT, 0, false, NULL },
	{ "TO", SEARCH_HEADER, ARGUMENT_TEXT, 0, false, "To" },
	{ "UID", SEARCH_UID, ARGUMENT_SET, 0, false, NULL },
	{ "UIDAFTER", SEARCH_UID, ARGUMENT_UID_BELOW, 0, false, NULL },
	{ "UIDBEFORE", SEARCH_UID, ARGUMENT_UID_ABOVE, 0, false, NULL },
	{ "UNANSWERED", SEARCH_FLAG, ARGUMENT_NONE, FLAG_ANSWERED, true, NULL },
	{ "UNDELETED", SEARCH_FLAG, ARGUMENT_NONE, FLAG_DELETED, true, NULL },
	{ "UNDRAFT", SEARCH_FLAG, ARGUMENT_NONE, FLAG_DRAFT, true, NULL },
	{ "UNFLAGGED", SEARCH_FLAG, ARGUMENT_NONE, FLAG_FLAGGED, true, NULL },
	{ "UNKEYWORD", SEARCH_KEYWORD, ARGUMENT_KEYWORD, 0, true, NULL },
	{ "UNSEEN", SEARCH_FLAG, ARGUMENT_NONE, FLAG_SEEN, true, NULL },
	{ "YOUNGER", SEARCH_YOUNGER, ARGUMENT_INTERVAL, 0, false, NULL },
};

struct key_parser {
	struct imap_parser *parser;
	struct search_request *request;
	size_t count;
	size_t depth;
};

static struct search_key *parse_key(struct key_parser *keys);

/* What is no text of the charset would find what it does not mean. */
static int
to_utf8(struct imap_parser *parser, const struct charset *charset,
    struct text *text)
{
	static const char unknown[] = "\xef\xbf\xbd"; /* U+FFFD */
	struct buf utf8;
	bool is_good;

	if (charset == NULL)
		return text_is_utf8(*text)
			   ? 0
			   : imap_parse_error(parser, "Text is not UTF-8");
	buf_init(&utf8, 3 * text->size + 4);
	is_good = charset_decode(charset, *text, &utf8) == 0 &&
		  (utf8.size == 0 || memmem(utf8.data, utf8.size, unknown,
					 sizeof(unknown) - 1) == NULL);
	if (is_good)
		*text = text_make(
		    pool_copy(parser->pool, utf8.data, utf8.size), utf8.size);
	buf_clear(&utf8);
	return is_good
		   ? 0
		   : imap_parse_error(parser, "Text is not of that charset");
}

static int
parse_text(struct key_parser *keys, struct search_key *key)
{
	struct imap_parser *parser = keys->parser;
	struct text text;

	if (imap_parse_astring(parser, &text) == -1 ||
	    to_utf8(parser, keys->request->charset, &text) == -1)
		return -1;
	key->text = casefold(text, parser->pool);
	return 0;
}

/* "MODSEQ 5" or "MODSEQ \"/flags/\\\\seen\" all 5". */
static int
parse_modseq(struct key_parser *keys, struct search_key *key)
{
	struct imap_parser *parser = keys->parser;
	struct text entry;

	if (imap_parse_next_is(parser, '"') &&
	    (imap_parse_string(parser, &entry) == -1 ||
		imap_parse_space(parser) == -1 ||
		imap_parse_atom(parser, &entry) == -1 ||
		imap_parse_space(parser) == -1))
		return -1;
	keys->request->has_modseq = true;
	return imap_parse_number(parser, INT64_MAX, &key->number);
}

static int
parse_interval(struct imap_parser *parser, struct search_key *key)
{
	if (imap_parse_number(parser, UINT32_MAX, &key->number) == -1)
		return -1;
	return key->number > 0
		   ? 0
		   : imap_parse_error(parser, "Interval is a second or more");
}

/* RFC 9738 3.2: those after it or before it, which may be none; unlike "7:*" it
 * never means the last message. */
static int
parse_uid(struct imap_parser *parser, struct search_key *key, bool is_after)
{
	struct imap_range range = { 1, UINT32_MAX };
	uint64_t uid;

	if (imap_parse_number(parser, UINT32_MAX, &uid) == -1)
		return -1;
	if (uid == 0)
		return imap_parse_error(parser, "Invalid number");
	if (is_after ? uid == UINT32_MAX : uid == 1)
		return 0;
	if (is_after)
		range.first = (uint32_t)uid + 1;
	else
		range.last = (uint32_t)uid - 1;
	key->set.ranges = pool_copy(parser->pool, &range, sizeof(range));
	key->set.count = 1;
	return 0;
}

static int
parse_key_argument(
    struct key_parser *keys, struct search_key *key, enum key_argument argument)
{
	struct imap_parser *parser = keys->parser;

	switch (argument) {
	case ARGUMENT_NONE:
		return 0;
	case ARGUMENT_TEXT:
		return parse_text(keys, key);
	case ARGUMENT_FIELD_TEXT:
		if (imap_parse_astring(parser, &key->field) == -1 ||
		    imap_parse_space(parser) == -1)
			return -1;
		return parse_text(keys, key);
	case ARGUMENT_KEYWORD:
		return imap_parse_atom(parser, &key->text);
	case ARGUMENT_SAVED_DATE:
		keys->request->has_saved = true;
		return imap_parse_date(parser, &key->day);
	case ARGUMENT_DATE:
		return imap_parse_date(parser, &key->day);
	case ARGUMENT_NUMBER:
		return imap_parse_number(parser, INT64_MAX, &key->number);
	case ARGUMENT_INTERVAL:
		return parse_interval(parser, key);
	case ARGUMENT_OBJECT:
		keys->request->has_email_id = true;
		return imap_parse_atom(parser, &key->text);
	case ARGUMENT_SET:
		return imap_parse_set(parser, &key->set);
	case ARGUMENT_UID_BELOW:
		return parse_uid(parser, key, true);
	case ARGUMENT_UID_ABOVE:
		return parse_uid(parser, key, false);
	case ARGUMENT_MODSEQ:
		return parse_modseq(keys, key);
	case ARGUMENT_KEY:
		key->child = parse_key(keys);
		return key->child != NULL ? 0 : -1;
	case ARGUMENT_TWO_KEYS:
		if ((key->child = parse_key(keys)) == NULL ||
		    imap_parse_space(parser) == -1)
			return -1;
		key->child->next = parse_key(keys);
		return key->child->next != NULL ? 0 : -1;
	}
	return -1;
}

/* Keys with spaces between them, all of which must hold. */
static int
parse_key_list(struct key_parser *keys, struct search_key *parent)
{
	struct search_key **end = &parent->child;

	parent->kind = SEARCH_AND;
	do {
		if (imap_parse_at_end(keys->parser) && parent->child != NULL)
			break;
		if ((*end = parse_key(keys)) == NULL)
			return -1;
		end = &(*end)->next;
	} while (imap_parse_skip(keys->parser, ' '));
	return 0;
}

static int
parse_named_key(struct key_parser *keys, struct search_key *key)
{
	struct imap_parser *parser = keys->parser;
	const struct key_rule *rule;
	size_t i;

	for (i = 0; i < sizeof(key_rules) / sizeof(*key_rules); i++) {
		rule = &key_rules[i];
		if (!imap_parse_skip_word(parser, rule->name))
			continue;
		key->kind = rule->kind;
		key->number = rule->number;
		key->is_unset = rule->is_unset;
		if (rule->field != NULL)
			key->field = text_of(rule->field);
		if (rule->argument != ARGUMENT_NONE &&
		    imap_parse_space(parser) == -1)
			return -1;
		return parse_key_argument(keys, key, rule->argument);
	}
	return imap_parse_error(parser, "Unknown search key");
}

static int
parse_key_into(struct key_parser *keys, struct search_key *key)
{
	struct imap_parser *parser = keys->parser;

	if (imap_parse_skip(parser, '(')) {
		if (parse_key_list(keys, key) == -1)
			return -1;
		return imap_parse_skip(parser, ')')
			   ? 0
			   : imap_parse_error(parser, "List has no end");
	}
	if (parser->rest.size > 0 &&
	    (text_is_digit(parser->rest.data[0]) ||
		parser->rest.data[0] == '*' || parser->rest.data[0] == '$')) {
		if (parser->has_no_numbers && parser->rest.data[0] != '$')
			return imap_parse_error(parser, IMAP_UID_REQUIRED);
		key->kind = SEARCH_SET;
		return imap_parse_set(parser, &key->set);
	}
	return parse_named_key(keys, key);
}

static struct search_key *
parse_key(struct key_parser *keys)
{
	const struct imap_limits *limits = keys->parser->limits;
	struct search_key *key;
	int result;

	if (++keys->count > limits->search_keys ||
	    keys->depth == limits->search_nesting) {
		(void)imap_parse_error(keys->parser, "Search is too complex");
		return NULL;
	}
	key = pool_alloc(keys->parser->pool, 1, sizeof(*key));
	keys->depth++;
	result = parse_key_into(keys, key);
	keys->depth--;
	return result == 0 ? key : NULL;
}

int
search_keys_parse_charset(
    struct imap_parser *parser, struct search_request *request)
{
	struct text name;

	if (imap_parse_astring(parser, &name) == -1 ||
	    imap_parse_space(parser) == -1)
		return -1;
	/* ASCII in it is UTF-8 as well. */
	if (text_is_nocase(name, "UTF-8") || text_is_nocase(name, "US-ASCII"))
		return 0;
	request->charset = charset_find(name);
	return request->charset != NULL && charset_has_ascii(request->charset)
		   ? 0
		   : -2;
}

int
search_keys_parse_keys(
    struct imap_parser *parser, struct search_request *request)
{
	struct key_parser keys = { .parser = parser, .request = request };

	request->root = pool_alloc(parser->pool, 1, sizeof(*request->root));
	if (parse_key_list(&keys, request->root) == -1)
		return -1;
	return imap_parse_end(parser);
}

int
search_keys_parse(struct imap_parser *parser, struct search_request *request)
{
	int result = 0;

	memset(request, 0, sizeof(*request));
	if (imap_parse_space(parser) == -1)
		return -1;
	if (search_return_parse(parser, &request->options) == -1)
		return -1;
	if (parser->has_no_charset && imap_parse_skip_word(parser, "CHARSET"))
		return imap_parse_error(
		    parser, "CHARSET is of no use with UTF8=ACCEPT");
	if (imap_parse_skip_word(parser, "CHARSET"))
		result = imap_parse_space(parser) == -1
			     ? -1
			     : search_keys_parse_charset(parser, request);
	return result != 0 ? result : search_keys_parse_keys(parser, request);
}

bool
search_keys_need_body(const struct search_key *key)
{
	for (; key != NULL; key = key->next) {
		if (key->kind >= SEARCH_SENTBEFORE ||
		    search_keys_need_body(key->child))
			return true;
	}
	return false;
}
