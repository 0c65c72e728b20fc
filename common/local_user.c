/* See local_user.h. */
#include "common/local_user.h"

#include "common/buf.h"
#include "common/file.h"
#include "common/memory.h"

#include <stdio.h>
#include <string.h>

enum {
	MAX_BYTES = 4 << 20
};

struct local_users {
	struct buf lines; /* "uid name\n", "uid name trusted\n" */
};

bool
local_user_is_name(struct text name)
{
	for (size_t i = 0; i < name.size; i++) {
		char c = name.data[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !text_is_digit(c) && c != '_' &&
		    ((c != '-' && c != '.') || i == 0))
			return false;
	}
	return name.size > 0 && name.size < LOCAL_USER_SIZE &&
	       name.data[name.size - 1] != '.';
}

struct local_users *
local_users_read(int fd, struct error *error)
{
	struct local_users *users = memory_new(1, sizeof(*users));

	buf_init(&users->lines, MAX_BYTES);
	if (file_check_sealed(fd, error) == -1 ||
	    file_read_all(fd, &users->lines, error) == -1)
		local_users_free(&users);
	return users;
}

void
local_users_free(struct local_users **users)
{
	if (*users == NULL)
		return;
	buf_clear(&(*users)->lines);
	memory_free(users);
}

bool
local_users_find(
    const struct local_users *users, uint32_t uid, char name[LOCAL_USER_SIZE])
{
	struct text rest = { NULL, 0 }, line, number, found_name;
	uint64_t found;

	if (users != NULL)
		rest = text_make(users->lines.data, users->lines.size);
	while (text_next(&rest, '\n', &line))
		if (text_next(&line, ' ', &number) &&
		    text_parse_number(number, UINT32_MAX, &found) == 0 &&
		    found == uid && text_next(&line, ' ', &found_name) &&
		    (line.size == 0 || text_is(line, "trusted")) &&
		    local_user_is_name(found_name) &&
		    text_copy(found_name, name, LOCAL_USER_SIZE) == 0)
			return uid == 0 || line.size > 0;
	snprintf(name, LOCAL_USER_SIZE, "uid-%u", uid);
	return uid == 0;
}
