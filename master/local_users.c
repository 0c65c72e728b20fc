/* See local_users.h. */
#include "master/local_users.h"

#include "common/buf.h"
#include "common/file.h"
#include "common/local_user.h"
#include "common/text.h"

#include <fcntl.h>
#include <unistd.h>

enum {
	MAX_FILE_BYTES = 4 << 20
};

/* name:password:uid:... */
static void
put_line(struct buf *to, const struct settings *settings, struct text line)
{
	struct text name, password, number;
	uint64_t uid;

	if (text_next(&line, ':', &name) && text_next(&line, ':', &password) &&
	    text_next(&line, ':', &number) &&
	    text_parse_number(number, UINT32_MAX, &uid) == 0 &&
	    local_user_is_name(name))
		(void)buf_put_format(to, "%u %.*s%s\n", (uint32_t)uid,
		    TEXT_FMT(name),
		    settings_is_trusted(settings, name) ? " trusted" : "");
}

int
local_users_slice(
    const char *path, const struct settings *settings, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result;
	struct text rest, line;
	struct buf file, slice;

	if (fd == -1)
		return error_set_errno(error, "%s", path);
	buf_init(&file, MAX_FILE_BYTES);
	buf_init(&slice, MAX_FILE_BYTES);
	result = file_read_all(fd, &file, error);
	close(fd);
	rest = text_make(file.data, file.size);
	while (result == 0 && text_next(&rest, '\n', &line))
		put_line(&slice, settings, line);
	if (result == 0)
		result = file_sealed_memory(
		    "local users", slice.data, slice.size, error);
	buf_clear(&file);
	buf_clear(&slice);
	return result;
}
