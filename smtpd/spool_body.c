/*
 * Rows and files of bodies.
 */
#include "smtpd/spool_body.h"

#include "common/file.h"
#include "common/memory.h"
#include "common/table.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	NAME_SIZE = 17,
	COPY_STEP = 256 << 10
};

/* Numbers of messages. */
struct id_list {
	uint64_t *ids;
	size_t count;
};

struct spool_bodies {
	struct spool_env *env;
	int dir_fd; /* the folder of the files */
	struct id_list over;
};

static void
list_add(struct id_list *list, uint64_t id)
{
	if ((list->count & (list->count + 1)) == 0)
		list->ids = memory_resize(
		    list->ids, 2 * list->count + 2, sizeof(*list->ids));
	list->ids[list->count++] = id;
}

static void
list_clear(struct id_list *list)
{
	memory_free(&list->ids);
	list->count = 0;
}

static void
name_of(uint64_t id, char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "%016llx", (unsigned long long)id);
}

static struct spool_key
chunk_key(uint64_t id, uint32_t number)
{
	struct spool_key key = { .size = 0 };

	spool_key_u64(&key, id);
	spool_key_u32(&key, number);
	return key;
}

static uint64_t
body_sum(struct text data)
{
	static const uint8_t secret[16] = "firnmail body";

	return table_siphash(secret, data.data, data.size);
}

struct spool_bodies *
spool_bodies_open(int dir_fd, struct spool_env *env, struct error *error)
{
	struct spool_bodies *bodies = memory_new(1, sizeof(*bodies));

	bodies->env = env;
	bodies->dir_fd = -1;
	if (file_make_directory(dir_fd, "body", 0700, error) == 0 ||
	    error->code == ERROR_EXISTS)
		bodies->dir_fd = file_open_directory(dir_fd, "body", error);
	if (bodies->dir_fd == -1)
		spool_bodies_close(&bodies);
	return bodies;
}

void
spool_bodies_close(struct spool_bodies **pointer)
{
	struct spool_bodies *bodies = *pointer;

	if (bodies == NULL)
		return;
	spool_bodies_ended(bodies, false);
	if (bodies->dir_fd != -1)
		close(bodies->dir_fd);
	memory_free(pointer);
}

/* -- Keeping -- */

static int
read_exactly(
    int fd, uint64_t offset, uint8_t *to, size_t size, struct error *error)
{
	ssize_t got;

	while (size > 0) {
		got = pread(fd, to, size, (off_t)offset);
		if (got == -1)
			return error_set_errno(error, "reading a message");
		if (got == 0)
			return error_set(error, ERROR_INPUT,
			    "a message is shorter than announced");
		to += got;
		offset += (uint64_t)got;
		size -= (size_t)got;
	}
	return 0;
}

static int
put_rows(struct spool_bodies *bodies, uint64_t id, struct text data,
    struct error *error)
{
	struct spool_key key;
	uint32_t number = 0;
	struct text chunk;
	size_t size;

	for (; data.size > 0; data = text_skip(data, size)) {
		size =
		    data.size < SPOOL_CHUNK_SIZE ? data.size : SPOOL_CHUNK_SIZE;
		chunk = text_make(data.data, size);
		key = chunk_key(id, number++);
		if (spool_env_put(
			bodies->env, SPOOL_BODY, &key, chunk, error) == -1)
			return -1;
	}
	return 0;
}

static int
copy_bytes(int from, int to, uint64_t size, struct error *error)
{
	uint8_t *bytes = memory_new(COPY_STEP, 1);
	uint64_t offset = 0;
	size_t step;
	int result = 0;

	while (result == 0 && offset < size) {
		step = size - offset < COPY_STEP ? (size_t)(size - offset)
						 : COPY_STEP;
		result = read_exactly(from, offset, bytes, step, error);
		if (result == 0)
			result = file_write_all(to, bytes, step, error);
		offset += step;
	}
	free(bytes);
	return result;
}

int
spool_bodies_write(
    int dir_fd, uint64_t id, uint64_t size, int from, struct error *error)
{
	char name[NAME_SIZE];
	int fd, result;

	name_of(id, name);
	fd = file_create(dir_fd, name, 0600, error);
	if (fd == -1)
		return -1;
	result = copy_bytes(from, fd, size, error);
	if (result == 0)
		result = file_sync(fd, error);
	close(fd);
	return result;
}

void
spool_bodies_drop(struct spool_bodies *bodies, uint64_t id)
{
	char name[NAME_SIZE];
	struct error error;

	/* One that stays by mistake is found at the next start. */
	name_of(id, name);
	(void)file_unlink(bodies->dir_fd, name, &error);
}

int
spool_bodies_folder(const struct spool_bodies *bodies)
{
	return bodies->dir_fd;
}

int
spool_bodies_put(struct spool_bodies *bodies, uint64_t id,
    struct spool_message *message, struct text data, int fd,
    struct error *error)
{
	uint8_t *bytes;
	int result;

	message->sum = 0;
	message->place = SPOOL_IN_ROWS;
	if (data.size >= message->size) {
		data.size = (size_t)message->size;
		message->sum = body_sum(data);
		return put_rows(bodies, id, data, error);
	}
	bytes = memory_new((size_t)message->size, 1);
	result = read_exactly(fd, 0, bytes, (size_t)message->size, error);
	data = text_make(bytes, (size_t)message->size);
	message->sum = body_sum(data);
	if (result == 0)
		result = put_rows(bodies, id, data, error);
	free(bytes);
	return result;
}

int
spool_bodies_remove(struct spool_bodies *bodies, uint64_t id,
    const struct spool_message *message, struct error *error)
{
	uint64_t chunks =
	    (message->size + SPOOL_CHUNK_SIZE - 1) / SPOOL_CHUNK_SIZE;
	struct spool_key key;

	if (message->place == SPOOL_IN_FILE) {
		list_add(&bodies->over, id);
		return 0;
	}
	for (uint64_t i = 0; i < chunks; i++) {
		key = chunk_key(id, (uint32_t)i);
		if (spool_env_remove(bodies->env, SPOOL_BODY, &key, error) ==
		    -1)
			return -1;
	}
	return 0;
}

/* -- Reading -- */

static int
read_rows(struct spool_bodies *bodies, uint64_t id, struct buf *to,
    struct error *error)
{
	struct spool_key from = chunk_key(id, 0);
	struct spool_cursor *cursor =
	    spool_cursor_open(bodies->env, SPOOL_BODY, &from, error);
	struct text key, value;
	int found = cursor == NULL ? -1 : 1;
	size_t room;

	while (found == 1) {
		found = spool_cursor_next(cursor, &key, &value, error);
		if (found != 1 || spool_key_get(key, 0, 8) != id)
			break;
		room = to->max_size - to->size;
		buf_put(to, value.data, value.size < room ? value.size : room);
		if (to->size == to->max_size)
			break;
	}
	spool_cursor_close(&cursor);
	return found < 0 ? -1 : 0;
}

static int
open_rows(struct spool_bodies *bodies, uint64_t id,
    const struct spool_message *message, struct error *error)
{
	struct buf bytes;
	int fd = -1;

	if (message->size > SPOOL_MAX_REPORT)
		return error_set(error, ERROR_DAMAGED, "spool: size of a body");
	buf_init(&bytes, (size_t)message->size);
	if (read_rows(bodies, id, &bytes, error) == -1)
		fd = -1;
	else if (bytes.size != message->size ||
		 body_sum(text_make(bytes.data, bytes.size)) != message->sum)
		error_set(error, ERROR_DAMAGED, "spool: wrong sum of a body");
	else
		fd = file_sealed_memory("mail", bytes.data, bytes.size, error);
	buf_clear(&bytes);
	return fd;
}

int
spool_bodies_open_body(struct spool_bodies *bodies, uint64_t id,
    const struct spool_message *message, struct error *error)
{
	char name[NAME_SIZE];

	if (message->place == SPOOL_IN_ROWS)
		return open_rows(bodies, id, message, error);
	name_of(id, name);
	return file_open_read(bodies->dir_fd, name, error);
}

int
spool_bodies_read(struct spool_bodies *bodies, uint64_t id,
    const struct spool_message *message, struct buf *to, struct error *error)
{
	uint64_t size = message->size;
	int fd = -1, result;

	if (message->place == SPOOL_IN_ROWS)
		return read_rows(bodies, id, to, error);
	fd = spool_bodies_open_body(bodies, id, message, error);
	if (fd == -1)
		return -1;
	if (size > to->max_size - to->size)
		size = to->max_size - to->size;
	result = read_exactly(
	    fd, 0, buf_reserve(to, (size_t)size), (size_t)size, error);
	if (result == 0)
		buf_added(to, (size_t)size);
	close(fd);
	return result;
}

/* -- Commits -- */

void
spool_bodies_ended(struct spool_bodies *bodies, bool is_committed)
{
	for (size_t i = 0; is_committed && i < bodies->over.count; i++)
		spool_bodies_drop(bodies, bodies->over.ids[i]);
	list_clear(&bodies->over);
}

/* 1 if it is the name of a body that a row names, 0 if not, -1. */
static int
is_named(struct spool_bodies *bodies, const char *file, struct error *error)
{
	struct spool_key key = { .size = 0 };
	struct spool_message message;
	uint8_t bytes[8];
	struct text value;
	int found;

	if (text_parse_hex(text_of(file), bytes, sizeof(bytes)) == -1)
		return 0;
	spool_key_raw(&key, bytes, sizeof(bytes));
	found = spool_env_get(bodies->env, SPOOL_MESSAGE, &key, &value, error);
	return found == 1 ? spool_get_message(value, &message) == 0 &&
				message.place == SPOOL_IN_FILE
			  : found;
}

int
spool_bodies_remove_orphans(struct spool_bodies *bodies, struct error *error)
{
	int fd = fcntl(bodies->dir_fd, F_DUPFD_CLOEXEC, 0), named = 0,
	    count = 0;
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (dir == NULL) {
		if (fd != -1)
			close(fd);
		return error_set_errno(error, "reading the folder of bodies");
	}
	while (named != -1 && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		named = is_named(bodies, entry->d_name, error);
		if (named == 0 &&
		    file_unlink(bodies->dir_fd, entry->d_name, error) == -1)
			named = -1;
		count += named == 0;
	}
	closedir(dir);
	return named == -1 ? -1 : count;
}
