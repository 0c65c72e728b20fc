/* See fence.h. */
#include "snapd/fence.h"

#include "common/buf.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/segment_folder.h"
#include "snapd/segments_open.h"
#include "snapd/verify.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const char name[] = "starts";

/* -- How often -- */

enum {
	LIFTED = 255
};

/* Since the last clean stop; what cannot be read is often. */
static uint8_t
read_count(int dir)
{
	uint8_t count = FENCE_STARTS;
	struct error error;
	struct buf buf;
	int fd = file_open_read(dir, name, &error);

	if (fd == -1)
		return error.code == ERROR_MISSING ? 0 : count;
	buf_init(&buf, 2);
	if (file_read_all(fd, &buf, &error) == 0 && buf.size == 2 &&
	    buf.data[0] == 1)
		count = (uint8_t)buf.data[1];
	close(fd);
	buf_clear(&buf);
	return count;
}

/* On a full disk it is not counted. */
static void
write_count(int dir, uint8_t count)
{
	const uint8_t data[] = { 1, count };
	struct error error;

	if (file_replace(dir, name, data, sizeof(data), 0600, &error) != 0)
		log_warning("starts", "error=\"%s\"", error.text);
}

/* -- Is it whole? -- */

static void
take_first(void *context, const char *text)
{
	struct error *error = context;

	if (error->code == ERROR_NONE)
		error_set(
		    error, ERROR_DAMAGED, "the store is damaged: %s", text);
}

static int
verify(const char *path, const struct verify_options *options,
    const struct error *first, struct error *error)
{
	struct verify_result result;
	char data_path[4096];
	int fd, status;

	snprintf(data_path, sizeof(data_path), "%s/index/data.mdb", path);
	fd = open(data_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_set_errno(error, "%s", data_path);
	status = verify_run(fd, options, &result);
	close(fd);
	if (status != 0)
		*error = *first;
	return status;
}

/* Every page and row, of segments the pages; bodies are not read. */
static int
verify_whole(
    const char *path, struct verify_options *options, struct error *error)
{
	struct error *first = options->findings.context;
	struct verify_segment *segments;
	uint32_t *numbers;
	size_t count, i;
	int status;

	if (segment_folder_list(path, &numbers, &count, error) != 0)
		return -1;
	segments = memory_new(count + 1, sizeof(*segments));
	for (i = 0; i < count; i++) {
		int fd = segment_folder_file(path, numbers[i]);

		if (fd != -1)
			segments[options->segment_count++] =
			    (struct verify_segment){ fd, numbers[i], NULL };
	}
	options->depth = VERIFY_ALL;
	options->has_segments = true;
	options->segments = segments;
	log_info("verifying", "why=\"the last starts had no clean stop\"");
	status = verify(path, options, first, error);
	for (i = 0; i < options->segment_count; i++)
		close(segments[i].fd);
	memory_free(&segments);
	memory_free(&numbers);
	return status;
}

int
fence_enter(const char *path, bool *was_lifted, struct error *error)
{
	struct error first = { .code = ERROR_NONE };
	struct verify_options options = { .depth = VERIFY_CHEAP,
		.findings = { take_first, &first, 0 } };
	int dir = segments_open_folder(path, error), status;
	uint8_t count;

	if (dir == -1)
		return -1;
	count = read_count(dir);
	*was_lifted = count == LIFTED;
	if (count < FENCE_STARTS || *was_lifted)
		status = verify(path, &options, &first, error);
	else
		status = verify_whole(path, &options, error);
	if (status == 0)
		write_count(dir, count < FENCE_STARTS ? count + 1 : 1);
	close(dir);
	return status;
}

void
fence_leave(const char *path)
{
	struct error error;
	int dir = segments_open_folder(path, &error);

	if (dir == -1)
		return;
	if (file_unlink(dir, name, &error) != 0 && error.code != ERROR_MISSING)
		log_warning("starts", "error=\"%s\"", error.text);
	close(dir);
}

int
fence_lift(const char *path, struct error *error)
{
	const uint8_t data[] = { 1, LIFTED };
	struct error first = { .code = ERROR_NONE };
	struct verify_options options = { .depth = VERIFY_CHEAP,
		.findings = { take_first, &first, 0 } };
	int dir = segments_open_folder(path, error), status;

	if (dir == -1)
		return -1;
	status = verify(path, &options, &first, error);
	if (status == 0 && read_count(dir) < FENCE_STARTS)
		status = error_set(
		    error, ERROR_EXISTS, "nothing keeps the store closed");
	if (status == 0)
		status =
		    file_replace(dir, name, data, sizeof(data), 0600, error);
	close(dir);
	return status;
}
