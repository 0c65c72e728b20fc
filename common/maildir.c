/* See maildir.h. */
#include "common/maildir.h"

#include "common/utf7.h"

#include <string.h>

/* -- Folders -- */

static bool
is_escaped(char byte)
{
	return byte == '.' || byte == '\\';
}

static int
put_level(struct text level, struct buf *to)
{
	if (level.size == 0 || buf_put_byte(to, '.') == -1)
		return -1;
	for (size_t i = 0; i < level.size; i++) {
		char byte = level.data[i];

		if (is_escaped(byte)
			? buf_put_format(to, "\\%02x", (unsigned char)byte)
			: buf_put_byte(to, (uint8_t)byte))
			return -1;
	}
	return 0;
}

int
maildir_folder_format(struct text mailbox, struct buf *to)
{
	struct buf utf7;
	struct text rest, level;
	size_t before = to->size;
	int result = 0;

	if (text_is_nocase(mailbox, "INBOX"))
		return 0;
	buf_init(&utf7, 4 * RECORD_MAX_NAME_SIZE);
	if (mailbox.size == 0 || utf7_encode(mailbox, &utf7) == -1 ||
	    utf7.data[utf7.size - 1] == '/')
		result = -1;
	rest = text_make(utf7.data, utf7.size);
	while (result == 0 && text_next(&rest, '/', &level))
		result = put_level(level, to);
	buf_clear(&utf7);
	return result == 0 && to->size - before <= MAILDIR_MAX_NAME ? 0 : -1;
}

/* Undoes the escapes of a level. */
static int
get_level(struct text level, struct buf *to)
{
	struct text code;
	uint8_t byte;

	if (level.size == 0)
		return -1;
	for (size_t i = 0; i < level.size; i++) {
		if (level.data[i] != '\\') {
			if (level.data[i] == '/' ||
			    buf_put_byte(to, (uint8_t)level.data[i]) == -1)
				return -1;
			continue;
		}
		/* Lower-case only: each name has one folder. */
		code = text_make(level.data + i + 1, level.size - i - 1);
		code.size = code.size < 2 ? code.size : 2;
		if ((!text_is(code, "2e") && !text_is(code, "5c")) ||
		    text_parse_hex(code, &byte, 1) == -1 ||
		    buf_put_byte(to, byte) == -1)
			return -1;
		i += 2;
	}
	return 0;
}

int
maildir_folder_parse(struct text folder, struct buf *to)
{
	struct buf utf7;
	struct text rest, level;
	int result = 0;

	if (folder.size < 2 || folder.size > MAILDIR_MAX_NAME ||
	    folder.data[0] != '.' || folder.data[folder.size - 1] == '.')
		return -1;
	buf_init(&utf7, MAILDIR_MAX_NAME);
	rest = text_skip(folder, 1);
	while (result == 0 && text_next(&rest, '.', &level)) {
		if (utf7.size > 0)
			result = buf_put_byte(&utf7, '/');
		if (result == 0)
			result = get_level(level, &utf7);
	}
	if (result == 0)
		result = utf7_decode(text_make(utf7.data, utf7.size), to);
	buf_clear(&utf7);
	return result;
}

/* -- Message files -- */

static const struct {
	char letter;
	uint32_t flag;
} flag_letters[] = {
	{ 'D', FLAG_DRAFT },
	{ 'F', FLAG_FLAGGED },
	{ 'R', FLAG_ANSWERED },
	{ 'S', FLAG_SEEN },
	{ 'T', FLAG_DELETED },
};

enum {
	FLAG_LETTERS = sizeof(flag_letters) / sizeof(flag_letters[0])
};

static void
parse_flags(struct text letters, struct maildir_name *name)
{
	for (size_t i = 0; i < letters.size; i++) {
		char c = letters.data[i];

		if (c == ',')
			break;
		if (c >= 'a' && c <= 'z')
			name->keywords |= (uint64_t)1 << (c - 'a');
		for (size_t n = 0; n < FLAG_LETTERS; n++)
			if (flag_letters[n].letter == c)
				name->flags |= flag_letters[n].flag;
	}
}

static void
parse_field(struct text field, struct maildir_name *name)
{
	uint64_t value;

	if (field.size < 3 || field.data[1] != '=' ||
	    text_parse_number(text_skip(field, 2), UINT64_MAX, &value) == -1)
		return;
	if (field.data[0] == 'S') {
		name->has_size = true;
		name->size = value;
	} else if (field.data[0] == 'W') {
		name->has_wire_size = true;
		name->wire_size = value;
	}
}

int
maildir_name_parse(struct text file, struct maildir_name *name)
{
	struct text rest, field;
	ptrdiff_t colon;

	memset(name, 0, sizeof(*name));
	if (file.size == 0 || file.size > MAILDIR_MAX_NAME ||
	    file.data[0] == '.')
		return -1;
	for (size_t i = 0; i < file.size; i++)
		if ((unsigned char)file.data[i] < 0x20 ||
		    file.data[i] == 0x7f || file.data[i] == '/')
			return -1;
	colon = text_find_byte(file, ':');
	name->whole = file;
	if (colon != -1) {
		struct text info = text_skip(file, (size_t)colon);

		name->whole.size = (size_t)colon;
		if (info.size >= 3 && memcmp(info.data, ":2,", 3) == 0) {
			name->has_flags = true;
			parse_flags(text_skip(info, 3), name);
		}
	}
	rest = name->whole;
	if (!text_next(&rest, ',', &name->base) || name->base.size == 0)
		return -1;
	while (text_next(&rest, ',', &field))
		parse_field(field, name);
	return 0;
}

int
maildir_name_format(struct text whole, bool is_new, uint32_t flags,
    uint64_t keywords, struct buf *to)
{
	size_t before = to->size;

	if (buf_put(to, whole.data, whole.size) == -1)
		return -1;
	if (!is_new && buf_put_text(to, ":2,") == -1)
		return -1;
	for (size_t n = 0; !is_new && n < FLAG_LETTERS; n++)
		if ((flags & flag_letters[n].flag) &&
		    buf_put_byte(to, (uint8_t)flag_letters[n].letter) == -1)
			return -1;
	for (unsigned int n = 0; !is_new && n < MAILDIR_MAX_KEYWORDS; n++)
		if ((keywords >> n & 1) &&
		    buf_put_byte(to, (uint8_t)('a' + n)) == -1)
			return -1;
	return to->size - before <= MAILDIR_MAX_NAME ? 0 : -1;
}

/* -- dovecot-uidlist, dovecot-keywords -- */

/* A line that ends in LF; false at the end or where the LF is missing. */
static bool
next_line(struct text *rest, struct text *line)
{
	ptrdiff_t end = text_find_byte(*rest, '\n');

	if (end == -1)
		return false;
	*line = text_make(rest->data, (size_t)end);
	*rest = text_skip(*rest, (size_t)end + 1);
	return true;
}

int
uidlist_parse_header(struct text *rest, struct uidlist_header *header)
{
	struct text line, word;
	uint64_t value;

	memset(header, 0, sizeof(*header));
	if (!next_line(rest, &line) || !text_next(&line, ' ', &word) ||
	    !text_is(word, "3"))
		return -1;
	while (text_next(&line, ' ', &word)) {
		if (word.size == 0 ||
		    (word.data[0] != 'V' && word.data[0] != 'N'))
			continue;
		if (text_parse_number(text_skip(word, 1), UINT32_MAX, &value) ==
			-1 ||
		    value == 0)
			return -1;
		if (word.data[0] == 'V')
			header->uidvalidity = (uint32_t)value;
		else
			header->uidnext = (uint32_t)value;
	}
	return header->uidvalidity != 0 && header->uidnext != 0 ? 0 : -1;
}

int
uidlist_parse_entry(
    struct text *rest, uint32_t after, struct uidlist_entry *entry)
{
	struct text line, number;
	struct maildir_name name;
	ptrdiff_t colon;
	uint64_t uid;

	if (rest->size == 0)
		return 0;
	if (!next_line(rest, &line))
		return -1;
	colon = text_find_byte(line, ':');
	if (colon == -1 ||
	    maildir_name_parse(text_skip(line, (size_t)colon + 1), &name) == -1)
		return -1;
	if (!text_next(&line, ' ', &number) ||
	    text_parse_number(number, UINT32_MAX, &uid) == -1 || uid <= after)
		return -1;
	entry->uid = (uint32_t)uid;
	entry->whole = name.whole;
	return 1;
}

int
uidlist_format_header(const struct uidlist_header *header, struct buf *to)
{
	return buf_put_format(
	    to, "3 V%u N%u\n", header->uidvalidity, header->uidnext);
}

int
uidlist_format_entry(const struct uidlist_entry *entry, struct buf *to)
{
	return buf_put_format(
	    to, "%u :%.*s\n", entry->uid, TEXT_FMT(entry->whole));
}

int
keywords_parse_line(struct text *rest, unsigned int *number, struct text *name)
{
	struct text line, word;
	uint64_t value;

	if (rest->size == 0)
		return 0;
	if (!next_line(rest, &line) || !text_next(&line, ' ', &word) ||
	    text_parse_number(word, RECORD_MAX_KEYWORDS - 1, &value) == -1 ||
	    line.size == 0 || line.size > RECORD_MAX_KEYWORD_SIZE)
		return -1;
	*number = (unsigned int)value;
	*name = line;
	return 1;
}

int
keywords_format_line(unsigned int number, struct text name, struct buf *to)
{
	return buf_put_format(to, "%u %.*s\n", number, TEXT_FMT(name));
}
