/*
 * See segment_folder.h.
 */
#include "snapd/segment_folder.h"

#include "common/file.h"
#include "common/memory.h"
#include "common/text.h"
#include "snapd/step.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAX_SEGMENTS = 1 << 20
};

void
segment_folder_path(
    char *to, const char *path, const char *name, uint32_t number)
{
	if (name != NULL)
		snprintf(to, SEGMENT_MAX_PATH, "%s/segment/%s", path, name);
	else
		snprintf(to, SEGMENT_MAX_PATH, "%s/segment/%u", path, number);
}

static int
open_top(const char *path, struct error *error)
{
	return path[0] == '/' ? file_open_absolute_directory(path, error)
			      : file_open_directory(AT_FDCWD, path, error);
}

int
segment_folder_open(const char *path, struct error *error)
{
	int top = open_top(path, error), folder;

	if (top == -1)
		return -1;
	folder = file_open_directory(top, "segment", error);
	close(top);
	return folder;
}

int
segment_folder_make(const char *path, struct error *error)
{
	int top = open_top(path, error), result;

	if (top == -1)
		return -1;
	result = file_make_directory(top, "segment", 0700, error);
	if (result != 0 && error->code == ERROR_EXISTS)
		result = 0;
	if (result == 0)
		result = file_sync_directory(top, error);
	close(top);
	return result;
}

int
segment_folder_remove(int folder, const char *name, struct error *error)
{
	static const char *const files[] = { "data.mdb", "lock.mdb" };
	int dir = file_open_directory(folder, name, error), result = 0;
	size_t i;

	if (dir == -1)
		return error->code == ERROR_MISSING ? 0 : -1;
	for (i = 0; i < 2 && result == 0; i++) {
		if (file_unlink(dir, files[i], error) != 0 &&
		    error->code != ERROR_MISSING)
			result = -1;
		step_reached(STEP_COLLECT_UNLINKED);
	}
	close(dir);
	return result == 0 ? file_remove_directory(folder, name, error) : -1;
}

int
segment_folder_destroy(const char *path, uint32_t number, struct error *error)
{
	int folder = segment_folder_open(path, error), result;
	char name[16];

	if (folder == -1)
		return error->code == ERROR_MISSING ? 0 : -1;
	snprintf(name, sizeof(name), "%u", number);
	result = segment_folder_remove(folder, name, error);
	if (result == 0)
		result = file_sync_directory(folder, error);
	step_reached(STEP_COLLECT_GONE);
	close(folder);
	return result;
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int
segment_folder_list(
    const char *path, uint32_t **numbers, size_t *count, struct error *error)
{
	int folder = segment_folder_open(path, error);
	struct dirent *entry;
	uint64_t number;
	DIR *dir;

	*numbers = NULL;
	*count = 0;
	if (folder == -1)
		return error->code == ERROR_MISSING ? 0 : -1;
	dir = fdopendir(folder);
	if (dir == NULL) {
		close(folder);
		return error_set_errno(error, "segment");
	}
	while ((entry = readdir(dir)) != NULL && *count < MAX_SEGMENTS) {
		if (text_parse_number(
			text_of(entry->d_name), UINT32_MAX, &number) != 0 ||
		    entry->d_name[0] == '0')
			continue;
		*numbers =
		    memory_resize(*numbers, *count + 1, sizeof(**numbers));
		(*numbers)[(*count)++] = (uint32_t)number;
	}
	closedir(dir);
	if (*count > 0)
		qsort(*numbers, *count, sizeof(**numbers), by_number);
	return 0;
}

static int
open_data(const char *path, uint32_t number, int mode)
{
	char env_path[SEGMENT_MAX_PATH], data_path[SEGMENT_MAX_PATH + 16];
	struct stat st;
	int fd;

	segment_folder_path(env_path, path, NULL, number);
	snprintf(data_path, sizeof(data_path), "%s/data.mdb", env_path);
	fd = open(data_path, mode | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd != -1 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int
segment_folder_file(const char *path, uint32_t number)
{
	return open_data(path, number, O_RDONLY);
}

int
segment_folder_file_to_trim(const char *path, uint32_t number)
{
	return open_data(path, number, O_RDWR);
}
