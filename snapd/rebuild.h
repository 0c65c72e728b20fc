/*
 * Makes the index anew from segments: see docs/segments.  Nobody else has the
 * store open.  The index that was there is kept beside the new one.  Mail that
 * the log beside it has (accept_log.h) stays there for whoever opens it.
 */
#ifndef SNAPD_REBUILD_H
#define SNAPD_REBUILD_H

#include "snapd/rebuild_folder.h"
#include "snapd/segments.h"
#include "snapd/store.h"

struct rebuild_result {
	struct store_id store;
	uint64_t segments;
	uint64_t sequence; /* of the last event */
	uint64_t rows;
	uint64_t bodies;
	uint64_t damaged;         /* blocks that could not be read */
	uint64_t accepted;        /* mail after that event, which the log has */
	rebuild_folder_name kept; /* of the index that was there, or "" */
	/* Damage, as it is found. */
	void (*finding)(void *context, const char *text);
	void *context;
};

/* In the folder `path`. ERROR_MISSING: there is no segment, or no pass that is
 * complete; ERROR_BUSY: somebody has the store. With damage it goes on, and
 * result->damaged says so. */
int rebuild_index(const char *path, size_t map_bytes,
    struct rebuild_result *result, struct error *error);

#endif
