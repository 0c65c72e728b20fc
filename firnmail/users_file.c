/* See users_file.h. */
#include "firnmail/users_file.h"

#include "common/domain_name.h"

#include <stdbool.h>
#include <string.h>

int
users_file_add(struct text users, struct text address, struct text hash,
    uint32_t number, struct buf *to)
{
	bool is_open = users.size > 0 && users.data[users.size - 1] != '\n';

	if (buf_put(to, users.data, users.size) == -1 ||
	    (is_open && buf_put_byte(to, '\n') == -1))
		return -1;
	for (size_t i = 0; i < address.size; i++)
		if (buf_put_byte(
			to, (uint8_t)text_lower_byte(address.data[i])) == -1)
			return -1;
	return buf_put_format(
	    to, ":%.*s::::::firnmail_id=%u\n", TEXT_FMT(hash), number);
}

/* `address` has its domain as an A-label. */
static bool
is_of(struct text name, struct text address)
{
	char ascii[USERS_FILE_ADDRESS_SIZE];

	return text_equal_nocase(name, address) ||
	       (!text_is_ascii(name) &&
		   domain_name_of_address(name, ascii, sizeof(ascii)) == 0 &&
		   text_equal_nocase(text_of(ascii), address));
}

/* The line up to its hash, and what stands behind it; false if the line is not
 * one of `address`. */
static bool
cut_line(struct text line, struct text address, struct text *before,
    struct text *behind)
{
	struct text name = { NULL, 0 }, hash;
	struct text rest = line;

	if (!text_next(&rest, ':', &name) || name.size == line.size ||
	    !is_of(name, address))
		return false;
	*before = text_make(line.data, name.size + 1);
	hash = text_make(NULL, 0);
	(void)text_next(&rest, ':', &hash);
	*behind = text_skip(line, before->size + hash.size);
	return true;
}

int
users_file_set_hash(
    struct text users, struct text address, struct text hash, struct buf *to)
{
	struct text rest = users, line, before, behind;
	bool is_found = false;

	while (text_next(&rest, '\n', &line)) {
		bool is_ended = line.data + line.size < users.data + users.size;
		int status;

		if (cut_line(line, address, &before, &behind)) {
			is_found = true;
			status = buf_put(to, before.data, before.size) |
				 buf_put(to, hash.data, hash.size) |
				 buf_put(to, behind.data, behind.size);
		} else {
			status = buf_put(to, line.data, line.size);
		}
		if (status != 0 || (is_ended && buf_put_byte(to, '\n') == -1))
			return -1;
	}
	return is_found ? 0 : -1;
}

/* The line of `address`, and its last field; false if there is none. */
static bool
find_line(struct text users, struct text address, struct text *line,
    struct text *extra)
{
	struct text before, behind, field;

	while (text_next(&users, '\n', line)) {
		if (!cut_line(*line, address, &before, &behind))
			continue;
		*extra = text_make(line->data + line->size, 0);
		while (text_next(&behind, ':', &field))
			*extra = field;
		while (extra->size > 0 && extra->data[extra->size - 1] == '\r')
			extra->size--;
		return true;
	}
	return false;
}

static bool
is_nologin(struct text word)
{
	return text_is_nocase(word, "nologin") ||
	       text_is_nocase(word, "nologin=y");
}

int
users_file_set_login(
    struct text users, struct text address, bool may_login, struct buf *to)
{
	struct text line, extra, rest, word;
	size_t before, words = 0;
	bool is_retired = false;
	int result;

	if (!find_line(users, address, &line, &extra))
		return -1;
	before = (size_t)(extra.data - users.data);
	result = buf_put(to, users.data, before);
	rest = extra;
	while (result == 0 && text_next(&rest, ' ', &word)) {
		is_retired |= is_nologin(word);
		if (word.size > 0 && !is_nologin(word))
			result = buf_put_format(to, "%s%.*s",
			    words++ == 0 ? "" : " ", TEXT_FMT(word));
	}
	if (is_retired != may_login && result == 0)
		return 0;
	if (result == 0 && !may_login)
		result = buf_put_format(to, "%snologin", words == 0 ? "" : " ");
	if (result == 0)
		result = buf_put(to, extra.data + extra.size,
		    users.size - before - extra.size);
	return result == 0 ? 1 : -1;
}

struct text
users_file_find_word(struct text users, struct text address, const char *start)
{
	struct text line, extra, word;

	if (find_line(users, address, &line, &extra))
		while (text_next(&extra, ' ', &word))
			if (text_starts_nocase(word, start))
				return text_skip(word, strlen(start));
	return text_make(NULL, 0);
}
