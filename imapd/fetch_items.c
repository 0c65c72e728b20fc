/*
 * The items of FETCH: macros, attributes and BODY[section]<partial> (RFC 3501
 * section 9, "fetch-att"), BINARY (RFC 3516).  Comes from a client's command,
 * goes to cmd_fetch. Every list has a limit of imap_parser.h.
 */
#include "imapd/fetch_items.h"

#include <string.h>

static const struct {
	const char *name;
	unsigned int items;
} simple_items[] = {
	{ "ALL",
	    FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE | FETCH_ENVELOPE },
	{ "FULL", FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE |
		      FETCH_ENVELOPE | FETCH_BODY },
	{ "FAST", FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE },
	/* Above: macros, only alone. */
	{ "UID", FETCH_UID },
	{ "FLAGS", FETCH_FLAGS },
	{ "INTERNALDATE", FETCH_INTERNALDATE },
	{ "RFC822.SIZE", FETCH_SIZE },
	{ "MODSEQ", FETCH_MODSEQ },
	{ "ENVELOPE", FETCH_ENVELOPE },
	{ "BODYSTRUCTURE", FETCH_BODYSTRUCTURE },
	{ "BODY", FETCH_BODY },
	{ "EMAILID", FETCH_EMAILID },
	{ "THREADID", FETCH_THREADID },
	{ "PREVIEW", FETCH_PREVIEW },
	{ "SAVEDATE", FETCH_SAVEDATE },
};
enum {
	FETCH_MACROS = 3
};

/* Old names of sections (RFC 3501 6.4.5). */
static const struct {
	const char *name;
	enum section_kind kind;
	bool is_seen;
} old_items[] = {
	{ "RFC822", SECTION_ALL, true },
	{ "RFC822.HEADER", SECTION_HEADER, false },
	{ "RFC822.TEXT", SECTION_TEXT, true },
};

static struct fetch_section *
add_section(struct imap_parser *parser, struct fetch_items *items)
{
	if (items->section_count == IMAP_MAX_FETCH_ITEMS) {
		(void)imap_parse_error(parser, "Too many items");
		return NULL;
	}
	/* Room doubles: 1, 2, 4 ... */
	if ((items->section_count & (items->section_count - 1)) == 0) {
		struct fetch_section *larger = pool_alloc(parser->pool,
		    items->section_count == 0 ? 1 : items->section_count * 2,
		    sizeof(*larger));

		if (items->section_count > 0)
			memcpy(larger, items->sections,
			    items->section_count * sizeof(*larger));
		items->sections = larger;
	}
	return &items->sections[items->section_count++];
}

static int
parse_names(struct imap_parser *parser, struct section *section)
{
	struct text *names;

	names = pool_alloc(parser->pool, IMAP_MAX_HEADER_NAMES, sizeof(*names));
	if (imap_parse_space(parser) == -1)
		return -1;
	if (!imap_parse_skip(parser, '('))
		return imap_parse_error(parser, "List of fields expected");
	do {
		if (section->name_count == IMAP_MAX_HEADER_NAMES)
			return imap_parse_error(parser, "Too many fields");
		if (imap_parse_astring(parser, &names[section->name_count++]) ==
		    -1)
			return -1;
	} while (imap_parse_skip(parser, ' '));
	section->names = names;
	return imap_parse_skip(parser, ')')
		   ? 0
		   : imap_parse_error(parser, "List has no end");
}

static int
parse_section_text(struct imap_parser *parser, struct section *section)
{
	if (imap_parse_skip_word(parser, "HEADER.FIELDS.NOT")) {
		section->kind = SECTION_HEADER_FIELDS_NOT;
		return parse_names(parser, section);
	}
	if (imap_parse_skip_word(parser, "HEADER.FIELDS")) {
		section->kind = SECTION_HEADER_FIELDS;
		return parse_names(parser, section);
	}
	if (imap_parse_skip_word(parser, "HEADER"))
		section->kind = SECTION_HEADER;
	else if (imap_parse_skip_word(parser, "TEXT"))
		section->kind = SECTION_TEXT;
	else if (section->depth > 0 && imap_parse_skip_word(parser, "MIME"))
		section->kind = SECTION_MIME;
	else
		return imap_parse_error(parser, "Unknown section");
	return 0;
}

/* The end of the section, or of the text if it stands alone. */
static bool
is_section_end(const struct imap_parser *parser)
{
	return imap_parse_at_end(parser) || imap_parse_next_is(parser, ']');
}

int
fetch_section_parse(struct imap_parser *parser, struct section *section)
{
	uint64_t number;

	section->kind = SECTION_ALL;
	while (parser->rest.size > 0 && text_is_digit(parser->rest.data[0])) {
		if (section->depth == SECTION_MAX_DEPTH)
			return imap_parse_error(parser, "Section is too deep");
		if (imap_parse_number(parser, UINT32_MAX, &number) == -1 ||
		    number == 0)
			return imap_parse_error(parser, "Invalid part number");
		section->path[section->depth++] = (uint32_t)number;
		if (is_section_end(parser))
			return 0;
		if (!imap_parse_skip(parser, '.'))
			return imap_parse_error(parser, "Invalid section");
	}
	if (imap_parse_next_is(parser, ']'))
		return section->depth == 0
			   ? 0
			   : imap_parse_error(parser, "Invalid section");
	return parse_section_text(parser, section);
}

static int
parse_partial(struct imap_parser *parser, struct section *section)
{
	if (!imap_parse_skip(parser, '<'))
		return 0;
	section->is_partial = true;
	if (imap_parse_number(parser, INT64_MAX, &section->first) == -1 ||
	    !imap_parse_skip(parser, '.') ||
	    imap_parse_number(parser, INT64_MAX, &section->count) == -1 ||
	    section->count == 0 || !imap_parse_skip(parser, '>'))
		return imap_parse_error(parser, "Invalid partial range");
	return 0;
}

/* Names in front of "[": what the answer is called, what it is. */
static const struct section_name {
	const char *name;
	const char *label;
	enum fetch_form form;
	bool is_seen;
} section_names[] = {
	{ "BODY[", "BODY", FETCH_AS_SENT, true },
	{ "BODY.PEEK[", "BODY", FETCH_AS_SENT, false },
	{ "BINARY[", "BINARY", FETCH_BINARY, true },
	{ "BINARY.PEEK[", "BINARY", FETCH_BINARY, false },
	{ "BINARY.SIZE[", "BINARY.SIZE", FETCH_BINARY_SIZE, false },
};
enum {
	SECTION_NAME_COUNT = sizeof(section_names) / sizeof(*section_names)
};

/* BINARY is of parts, by number. */
static int
check_form(struct imap_parser *parser, const struct fetch_section *section)
{
	if (section->form == FETCH_AS_SENT)
		return 0;
	if (section->section.kind != SECTION_ALL)
		return imap_parse_error(parser, "Part number expected");
	if (section->form == FETCH_BINARY_SIZE &&
	    imap_parse_next_is(parser, '<'))
		return imap_parse_error(parser, "BINARY.SIZE has no range");
	return 0;
}

/* A space that the parser has passed over. */
static bool
is_surplus(struct text from, const char *to, size_t size)
{
	return from.data[0] == ' ' &&
	       (size == 0 || to[size - 1] == ' ' || to[size - 1] == '(' ||
		   (from.size > 1 && strchr(" )]", from.data[1]) != NULL));
}

/* What the client wrote, to be said back: its literals as a server has them,
 * without the "+", no more spaces than there may be. Their number is the one in
 * front of the bytes, as the parser has found it to be. */
static size_t
copy_section(struct text from, char *to)
{
	bool is_quoted = false;
	size_t size = 0;

	while (from.size > 0) {
		ptrdiff_t end = from.data[0] == '{' && !is_quoted
				    ? text_find_byte(from, '}')
				    : -1;
		uint64_t bytes = 1;

		if (!is_quoted && is_surplus(from, to, size)) {
			from = text_skip(from, 1);
			continue;
		}
		is_quoted ^= from.data[0] == '"';
		if (end > 1 && from.data[end - 1] == '+' &&
		    text_parse_number(text_make(from.data + 1, (size_t)end - 2),
			from.size, &bytes) == 0) {
			memcpy(to + size, from.data, (size_t)end - 1);
			size += (size_t)end - 1;
			from = text_skip(from, (size_t)end);
			bytes += 3; /* and "}", CRLF */
		}
		if (bytes > from.size)
			bytes = from.size;
		memcpy(to + size, from.data, (size_t)bytes);
		size += (size_t)bytes;
		from = text_skip(from, (size_t)bytes);
	}
	return size;
}

/* "[...]<...>", behind one of the names. */
static int
parse_body_section(struct imap_parser *parser, struct fetch_items *items,
    const struct section_name *name)
{
	struct fetch_section *to = add_section(parser, items);
	size_t label_size = strlen(name->label), size;
	struct text start = parser->rest;
	char *label;

	if (to == NULL)
		return -1;
	(void)imap_parse_skip(parser, '[');
	to->form = name->form;
	if (fetch_section_parse(parser, &to->section) == -1)
		return -1;
	if (!imap_parse_skip(parser, ']'))
		return imap_parse_error(parser, "Section has no end");
	size = start.size - parser->rest.size;
	label = pool_alloc(parser->pool, label_size + size + 1, 1);
	memcpy(label, name->label, label_size);
	size = copy_section(text_make(start.data, size), label + label_size);
	to->label = text_make(label, label_size + size);
	to->is_seen = name->is_seen;
	return check_form(parser, to) == -1
		   ? -1
		   : parse_partial(parser, &to->section);
}

static int
parse_old_item(struct imap_parser *parser, struct fetch_items *items)
{
	struct fetch_section *to;
	size_t i;

	for (i = 0; i < sizeof(old_items) / sizeof(*old_items); i++) {
		if (!imap_parse_skip_word(parser, old_items[i].name))
			continue;
		if ((to = add_section(parser, items)) == NULL)
			return -1;
		to->section.kind = old_items[i].kind;
		to->label = text_of(old_items[i].name);
		to->is_seen = old_items[i].is_seen;
		return 0;
	}
	return imap_parse_error(parser, "Unknown item");
}

/* "PREVIEW (LAZY)": what it asks for is done anyway (fetch_preview.c). */
static int
skip_lazy(struct imap_parser *parser)
{
	if (!text_starts_nocase(parser->rest, " (LAZY"))
		return 0;
	parser->rest = text_skip(parser->rest, sizeof(" (LAZY") - 1);
	return imap_parse_skip(parser, ')')
		   ? 0
		   : imap_parse_error(parser, "Unknown PREVIEW modifier");
}

static int
parse_item(struct imap_parser *parser, struct fetch_items *items, size_t from)
{
	size_t i;

	for (i = 0; i < SECTION_NAME_COUNT; i++) {
		const char *name = section_names[i].name;

		if (!text_starts_nocase(parser->rest, name))
			continue;
		parser->rest = text_skip(parser->rest, strlen(name) - 1);
		return parse_body_section(parser, items, &section_names[i]);
	}
	for (i = from; i < sizeof(simple_items) / sizeof(*simple_items); i++) {
		if (imap_parse_skip_word(parser, simple_items[i].name)) {
			items->simple |= simple_items[i].items;
			return simple_items[i].items == FETCH_PREVIEW
				   ? skip_lazy(parser)
				   : 0;
		}
	}
	return parse_old_item(parser, items);
}

int
fetch_items_parse(struct imap_parser *parser, struct fetch_items *items)
{
	memset(items, 0, sizeof(*items));
	if (!imap_parse_skip(parser, '('))
		return parse_item(parser, items, 0);
	do {
		if (parse_item(parser, items, FETCH_MACROS) == -1)
			return -1;
	} while (imap_parse_skip(parser, ' '));
	return imap_parse_skip(parser, ')')
		   ? 0
		   : imap_parse_error(parser, "List has no end");
}
