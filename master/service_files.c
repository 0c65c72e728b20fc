/*
 * See service_files.h.  Each file is read anew when it is told: what stands on
 * the disk is what a new machine needs.
 */
#include "master/service_files.h"

#include "common/file.h"
#include "common/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	NAME_SIZE = 501 /* of service_file.name, and a NUL */
};

/* Bytes of `path` up to its last '/', that one included. */
static size_t
folder_size(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

int
service_files_name(
    const char *path, const char *config_path, char *to, size_t to_size)
{
	size_t folder = folder_size(config_path), size = 0;

	if (folder > 0 && strncmp(path, config_path, folder) == 0)
		path += folder;
	for (; *path != '\0'; path++) {
		if (*path == '/' && (size == 0 || path[1] == '/'))
			continue;
		if ((unsigned char)*path < 32 || *path == 127 ||
		    size + 1 >= to_size)
			return -1;
		to[size++] = *path;
	}
	to[size] = '\0';
	return size == 0 || to[size - 1] == '/' ||
		       !text_is_utf8(text_make(to, size))
		   ? -1
		   : 0;
}

/* A sealed copy of the file, and when it was changed; -1. */
static int
copy_file(const char *path, int64_t *time, struct error *error)
{
	int fd = file_open_absolute(path, error), copy = -1;
	struct stat info;
	struct buf data;

	if (fd == -1)
		return -1;
	buf_init(&data, SERVICE_FILES_MAX_BYTES);
	if (fstat(fd, &info) == -1) {
		error_set_errno(error, "fstat");
	} else if (file_read_all(fd, &data, error) == 0) {
		*time = info.st_mtime;
		copy = file_sealed_memory(
		    "service-file", data.data, data.size, error);
	}
	close(fd);
	if (data.data != NULL)
		explicit_bzero(data.data, data.size);
	buf_clear(&data);
	return copy;
}

/* One that is not there is not told; one that cannot be read, without bytes. */
static void
tell_file(struct supervisor *supervisor, const char *path, bool is_secret)
{
	struct child *snapd = supervisor_child(supervisor, ROLE_SNAPD);
	struct message message = { .type = MESSAGE_service_file };
	struct message_service_file *file = &message.service_file;
	char name[NAME_SIZE];
	struct error error;
	int fd;

	if (path[0] == '\0')
		return;
	if (service_files_name(
		path, (*supervisor->config)->path, name, sizeof(name)) == -1) {
		log_warning("service-file", "why=\"odd name\"");
		return;
	}
	file->name = text_of(name);
	file->is_secret = is_secret;
	fd = copy_file(path, &file->time, &error);
	if (fd == -1 && error.code == ERROR_MISSING)
		return;
	if (fd == -1)
		log_warning(
		    "service-file", "name=\"%s\" why=\"%s\"", name, error.text);
	(void)channel_send(snapd->channel, &message, &fd, fd != -1);
	if (fd != -1)
		close(fd);
}

static void
tell_keys(struct supervisor *supervisor)
{
	const struct settings *settings = (*supervisor->config)->settings;

	for (size_t i = 0; i < settings->key_count; i++) {
		tell_file(
		    supervisor, settings->keys[i].certificate_path, false);
		tell_file(supervisor, settings->keys[i].key_path, true);
	}
}

void
service_files_tell(struct supervisor *supervisor)
{
	const struct child *snapd = supervisor_child(supervisor, ROLE_SNAPD);
	const struct config *config = *supervisor->config;
	struct message end = { .type = MESSAGE_service_files };
	char store_id[600];
	int size;

	if (!snapd->is_ready || snapd->channel == NULL)
		return;
	size = snprintf(store_id, sizeof(store_id), "%.*sstore-id",
	    (int)folder_size(config->path), config->path);
	tell_file(supervisor, config->path, false);
	if (size < (int)sizeof(store_id))
		tell_file(supervisor, store_id, false);
	tell_file(supervisor, config->settings->users_path, true);
	tell_file(supervisor, config->settings->aliases_path, false);
	tell_file(supervisor, config->settings->srs_path, true);
	tell_file(supervisor, config->settings->relay_auth_path, true);
	tell_keys(supervisor);
	end.service_files.generation = config->settings->generation;
	(void)channel_send(snapd->channel, &end, NULL, 0);
}
