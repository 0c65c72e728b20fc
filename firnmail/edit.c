/* See edit.h. */
#include "firnmail/edit.h"

#include "common/file.h"
#include "firnmail/directory.h"

#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	NEW_MODE = 0600
};

static int
read_file(struct edit *edit, struct error *error)
{
	int fd = file_open_absolute(edit->path, error), result = -1;
	struct stat info;

	if (fd == -1)
		return error->code == ERROR_MISSING ? 0 : -1;
	if (fstat(fd, &info) == -1) {
		error_set_errno(error, "fstat");
	} else {
		edit->mode = info.st_mode & 0777;
		result = file_read_all(fd, &edit->text, error);
	}
	close(fd);
	return result;
}

int
edit_open(const char *path, size_t max_bytes, struct edit *edit)
{
	struct error error;

	edit->path = path;
	edit->mode = NEW_MODE;
	buf_init(&edit->text, max_bytes);
	edit->dir_fd = directory_of(path, &edit->name, &error);
	if (edit->dir_fd == -1)
		return command_fail(EXIT_FAILED, "%s", error.text);
	if (flock(edit->dir_fd, LOCK_EX) == -1) {
		error_set_errno(&error, "lock of %s", path);
		return command_fail(EXIT_FAILED, "%s", error.text);
	}
	if (read_file(edit, &error) == -1)
		return command_fail(EXIT_FAILED, "%s: %s", path, error.text);
	return EXIT_DONE;
}

void
edit_close(struct edit *edit)
{
	if (edit->text.size > 0)
		explicit_bzero(edit->text.data, edit->text.size);
	buf_clear(&edit->text);
	if (edit->dir_fd != -1)
		close(edit->dir_fd);
	edit->dir_fd = -1;
}

int
edit_replace(const struct edit *edit, const struct buf *text)
{
	struct error error;

	if (file_replace(edit->dir_fd, edit->name, text->data, text->size,
		edit->mode, &error) == -1)
		return command_fail(
		    EXIT_FAILED, "%s: %s", edit->path, error.text);
	return EXIT_DONE;
}

int
edit_put_in_force(const struct firnmail *firnmail, const struct edit *edit)
{
	struct daemon broker;
	uint64_t generation;
	int code = daemon_open(firnmail, ROLE_BROKER, &broker);

	if (code == EXIT_DONE) {
		code = daemon_reload(&broker, &generation);
		daemon_close(&broker);
	}
	return code == EXIT_DONE
		   ? EXIT_DONE
		   : command_fail(EXIT_PARTLY,
			 "%s is written, but not in force yet", edit->path);
}

bool
edit_is_word(const char *word)
{
	if (*word == '\0' || *word == '#')
		return false;
	for (; *word != '\0'; word++)
		if ((unsigned char)*word <= ' ' || *word == 0x7f ||
		    strchr(",:\"", *word) != NULL)
			return false;
	return true;
}
