/*
 * See rebuild_folder.h.
 */
#include "snapd/rebuild_folder.h"

#include "common/file.h"
#include "snapd/segments_open.h"

#include <stdio.h>
#include <unistd.h>

enum {
	MAX_LOST = 1000 /* indexes that are kept */
};

/* What was there gets another name; nothing is removed. */
int
rebuild_folder_put(
    const char *path, rebuild_folder_name *kept, struct error *error)
{
	int dir = segments_open_folder(path, error), result = -1;
	unsigned int n;

	if (dir == -1)
		return -1;
	for (n = 1; n < MAX_LOST && result != 0; n++) {
		snprintf(*kept, sizeof(*kept), "index.before-rebuild-%u", n);
		result = file_rename_new(dir, "index", dir, *kept, error);
		if (result != 0 && error->code == ERROR_MISSING) {
			(*kept)[0] = '\0';
			result = 0;
		}
		if (result != 0 && error->code != ERROR_EXISTS)
			break;
	}
	if (result == 0)
		result = file_rename_new(dir, "index.new", dir, "index", error);
	if (result == 0)
		result = file_sync_directory(dir, error);
	close(dir);
	return result;
}

/* An empty folder; what a rebuild that was cut left in it goes away. */
int
rebuild_folder_begin(const char *path, struct error *error)
{
	int dir = segments_open_folder(path, error), made, result;

	if (dir == -1)
		return -1;
	result = file_make_directory(dir, "index.new", 0700, error);
	if (result != 0 && error->code == ERROR_EXISTS) {
		made = file_open_directory(dir, "index.new", error);
		result = made == -1 ? -1 : 0;
		if (result == 0 && file_unlink(made, "data.mdb", error) != 0 &&
		    error->code != ERROR_MISSING)
			result = -1;
		if (made != -1)
			close(made);
	}
	close(dir);
	return result;
}
