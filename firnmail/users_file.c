/* See users_file.h. */
#include "firnmail/users_file.h"

#include <stdbool.h>

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

/* The line up to its hash, and what stands behind it; false if the line is not
 * one of `address`. */
static bool
cut_line(struct text line, struct text address, struct text *before,
    struct text *behind)
{
	struct text name = { NULL, 0 }, hash;
	struct text rest = line;

	if (!text_next(&rest, ':', &name) ||
	    !text_equal_nocase(name, address) || name.size == line.size)
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
