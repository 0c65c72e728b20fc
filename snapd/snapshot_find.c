/*
 * One snapshot by its name, its id or its time: see snapshot.h.  Marks come
 * from snapshot_names.h; what is computed (timers, of which a policy has some
 * hundred, and holds) is made and looked through.
 */
#include "snapd/snapshot_parts.h"

#include "snapd/as_of.h"
#include "snapd/snapshot_names.h"

#include <inttypes.h>
#include <string.h>

enum {
	MIN_ID_DIGITS = 4
};

struct find {
	struct snapshot_names *names;
	struct transaction *t;
	const struct snapshot_view *view;
	struct snapshot_kept kept;
	struct snapshot_list computed;
	struct error *error;
};

/* The mark, but for its id: 1, 0 if it is not kept or does not concern us,
 * -1. */
static int
read_mark(
    struct find *find, uint32_t at, struct snapshot *mark, struct text *name)
{
	struct key key = snapshot_names_key(find->names, at);
	struct text value;
	int found = store_get(find->t, DB_MARK, &key, &value, find->error);

	if (found != 1)
		return found;
	found = snapshot_read_mark(&find->kept, text_make(key.bytes, key.size),
	    value, mark, name, find->error);
	return found == 1 ? snapshot_concerns(mark, find->view->account)
			  : found;
}

/* The newest of that name: 1, 0 or -1. */
static int
find_name(struct find *find, struct text wanted, uint64_t *sequence)
{
	struct snapshot mark;
	struct text name;
	uint32_t at;
	int found = 0;

	if (wanted.size == 0)
		return 0;
	for (at = snapshot_names_first(
		 find->names, SNAPSHOT_BY_NAME, wanted, NULL);
	     at != 0;
	     at = snapshot_names_next(find->names, SNAPSHOT_BY_NAME, at)) {
		found = read_mark(find, at, &mark, &name);
		if (found < 0)
			return -1;
		if (found == 1 && text_equal(name, wanted)) {
			*sequence = mark.sequence;
			return 1;
		}
	}
	return 0;
}

/* -- By id -- */

static bool
is_id(const uint8_t *id, struct text hex)
{
	char digits[SNAPSHOT_ID_BYTES * 2 + 1];

	text_format_hex(id, SNAPSHOT_ID_BYTES, digits);
	return hex.size >= MIN_ID_DIGITS && hex.size < sizeof(digits) &&
	       text_equal_nocase(hex, text_make(digits, hex.size));
}

/* Another one of which the digits are the beginning: ERROR_LIMIT. */
static int
note_match(struct text wanted, uint64_t sequence, uint64_t *match,
    bool *is_found, struct error *error)
{
	if (*is_found && *match != sequence)
		return error_set(error, ERROR_LIMIT,
		    "\"%.*s\" is the beginning of several ids",
		    TEXT_FMT(wanted));
	*is_found = true;
	*match = sequence;
	return 0;
}

static int
note_mark(struct find *find, uint32_t at, struct text wanted, uint64_t *match,
    bool *is_found)
{
	const struct snapshot_view *view = find->view;
	struct snapshot mark;
	struct text name;
	struct hash id;
	int found = read_mark(find, at, &mark, &name);

	if (found != 1)
		return found;
	id = snapshot_id(
	    view->digest, &view->store, mark.account, mark.sequence);
	return is_id(id.bytes, wanted) ? note_match(wanted, mark.sequence,
					     match, is_found, find->error)
				       : 0;
}

/* 1, 0 or -1. */
static int
find_id(struct find *find, struct text wanted, uint64_t *sequence)
{
	const struct snapshot_list *list = &find->computed;
	bool is_found = false;
	uint8_t first[2];
	uint32_t at;
	size_t i;

	if (wanted.size < MIN_ID_DIGITS ||
	    text_parse_hex(text_make(wanted.data, MIN_ID_DIGITS), first,
		sizeof(first)) != 0)
		return 0;
	for (at = snapshot_names_first(
		 find->names, SNAPSHOT_BY_ID, wanted, first);
	     at != 0; at = snapshot_names_next(find->names, SNAPSHOT_BY_ID, at))
		if (note_mark(find, at, wanted, sequence, &is_found) != 0)
			return -1;
	for (i = 0; i < list->count; i++)
		if (is_id(list->snapshots[i].id, wanted) &&
		    note_match(wanted, list->snapshots[i].sequence, sequence,
			&is_found, find->error) != 0)
			return -1;
	return is_found;
}

/* A name, else an id. */
static int
find_named(struct find *find, struct text wanted, uint64_t *sequence)
{
	int found = find_name(find, wanted, sequence);

	if (found == 0)
		found = find_id(find, wanted, sequence);
	if (found == 0)
		return error_set(find->error, ERROR_MISSING,
		    "no snapshot \"%.*s\"", TEXT_FMT(wanted));
	return found < 0 ? -1 : 0;
}

/* What a rewind marks is the state that was not wanted. */
static int
find_latest(struct find *find, uint64_t *sequence)
{
	const struct snapshot_list *list = &find->computed;
	struct snapshot mark;
	struct text name;
	bool is_found = list->count > 0;
	uint64_t newest = 0;
	uint32_t at;
	int found = 0;
	size_t i;

	for (i = 0; i < list->count; i++)
		if (newest < list->snapshots[i].sequence)
			newest = list->snapshots[i].sequence;
	for (at = snapshot_names_first(
		 find->names, SNAPSHOT_BY_AGE, text_make(NULL, 0), NULL);
	     at != 0 && found == 0;
	     at = snapshot_names_next(find->names, SNAPSHOT_BY_AGE, at)) {
		found = read_mark(find, at, &mark, &name);
		if (found == 1 && mark.kind == SNAPSHOT_REWIND)
			found = 0;
	}
	if (found < 0)
		return -1;
	if (found == 1 && newest < mark.sequence)
		newest = mark.sequence;
	if (is_found || found == 1)
		*sequence = newest;
	return 0;
}

static int
find_kept(
    struct find *find, const struct snapshot_point *point, uint64_t *sequence)
{
	const struct snapshot_view *view = find->view;
	int result = snapshot_kept_read(
	    &find->kept, find->t, &view->retention, find->error);

	if (result == 0)
		result = snapshot_add_computed(&find->computed, find->t,
		    view->digest, &view->store, &find->kept, view->now,
		    view->account, find->error);
	if (result == 0)
		result = point->kind == POINT_LATEST
			     ? find_latest(find, sequence)
			     : find_named(find, text_of(point->name), sequence);
	snapshot_list_clear(&find->computed);
	pins_clear(&find->kept.pins);
	return result;
}

static int
find_in_names(struct snapshot_names *names, struct transaction *t,
    const struct snapshot_view *view, const struct snapshot_point *point,
    uint64_t *sequence, struct error *error)
{
	struct find find = {
		.names = names, .t = t, .view = view, .error = error
	};
	int result;

	if (snapshot_names_begin(names, t, view->digest, &view->store, error) !=
	    0)
		return -1;
	result = find_kept(&find, point, sequence);
	snapshot_names_end(names);
	return result;
}

int
snapshot_find(struct transaction *t, const struct snapshot_view *view,
    const struct snapshot_point *point, uint64_t *sequence, struct error *error)
{
	*sequence = as_of_last_sequence(t);
	switch (point->kind) {
	case POINT_NOW:
		return 0;
	case POINT_LATEST:
	case POINT_NAMED:
		return find_in_names(
		    store_names(t), t, view, point, sequence, error);
	case POINT_TIME:
		if (point->time > INT64_MAX / 1000000 - 1 || point->time < 0)
			return error_set(error, ERROR_INPUT, "no such time");
		return as_of_sequence_at(
		    t, point->time * 1000000 + 999999, sequence, error);
	case POINT_EVENT:
		if (point->time < 0 || (uint64_t)point->time > *sequence)
			return error_set(error, ERROR_MISSING,
			    "there is no event %" PRId64, point->time);
		*sequence = (uint64_t)point->time;
		return 0;
	default:
		return error_set(error, ERROR_INPUT, "no such kind of point");
	}
}
