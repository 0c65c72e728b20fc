/*
 * The store as a whole, and its rows one by one.
 */
#include "smtpd/spool_store.h"

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "smtpd/spool_store_state.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	ROW_BYTES = 8192 /* what a message's own rows take at most, about */
};

/* -- Opening -- */

static int
open_folder(const char *path, struct error *error)
{
	return path[0] == '/' ? file_open_absolute_directory(path, error)
			      : file_open_directory(AT_FDCWD, path, error);
}

/* Numbers are never used again: a delivery remembers its message's. */
static const struct spool_key next_key = { "next", 4 };

static int
read_next_id(struct spool_store *store, struct error *error)
{
	struct text value;
	int found =
	    spool_env_get(store->env, SPOOL_META, &next_key, &value, error);

	store->next_id = found == 1 ? spool_key_get(value, 0, 8) : 1;
	store->kept_id = store->next_id;
	spool_env_rest(store->env);
	return found == -1 ? -1 : 0;
}

static int
keep_next_id(struct spool_store *store, struct error *error)
{
	struct spool_key next = spool_message_key(store->next_id);

	if (store->next_id == store->kept_id)
		return 0;
	return spool_env_put(
	    store->env, SPOOL_META, &next_key, spool_key_text(&next), error);
}

static int
open_parts(struct spool_store *store, const char *path, int dir_fd,
    uint64_t map_bytes, struct error *error)
{
	char folder[4096];
	int orphans;

	if (file_make_directory(dir_fd, "index", 0700, error) == -1 &&
	    error->code != ERROR_EXISTS)
		return -1;
	(void)snprintf(folder, sizeof(folder), "%s/index", path);
	store->env = spool_env_open(folder, map_bytes, error);
	if (store->env == NULL)
		return -1;
	store->bodies = spool_bodies_open(dir_fd, store->env, error);
	if (store->bodies == NULL || file_sync_directory(dir_fd, error) == -1)
		return -1;
	orphans = spool_bodies_remove_orphans(store->bodies, error);
	if (orphans > 0)
		log_info("spool-orphans", "removed=%d", orphans);
	return orphans == -1 ? -1 : read_next_id(store, error);
}

struct spool_store *
spool_store_open(const char *path, uint64_t map_bytes, struct error *error)
{
	struct spool_store *store = memory_new(1, sizeof(*store));
	int dir_fd = open_folder(path, error);

	if (dir_fd == -1 ||
	    open_parts(store, path, dir_fd, map_bytes, error) == -1)
		spool_store_close(&store);
	if (dir_fd != -1)
		close(dir_fd);
	return store;
}

void
spool_store_close(struct spool_store **store)
{
	if (*store == NULL)
		return;
	spool_bodies_close(&(*store)->bodies);
	spool_env_close(&(*store)->env);
	memory_free(store);
}

struct spool_env *
spool_store_env(struct spool_store *store)
{
	return store->env;
}

bool
spool_store_has_room(struct spool_store *store, uint64_t bytes)
{
	/* A file is no page of the environment: if the disk has no room for it,
	 * it says so. */
	if (bytes > SPOOL_INLINE_BYTES)
		bytes = 0;
	return spool_env_has_room(store->env, bytes + ROW_BYTES);
}

/* -- Transactions -- */

int
spool_store_begin(struct spool_store *store, struct error *error)
{
	return spool_env_begin(store->env, error);
}

int
spool_store_commit(struct spool_store *store, struct error *error)
{
	int result = keep_next_id(store, error);

	if (result == -1)
		spool_env_abort(store->env);
	else
		result = spool_env_commit(store->env, error);
	if (result == 0)
		store->kept_id = store->next_id;
	spool_bodies_ended(store->bodies, result == 0);
	return result;
}

void
spool_store_abort(struct spool_store *store)
{
	spool_env_abort(store->env);
	spool_bodies_ended(store->bodies, false);
}

void
spool_store_rest(struct spool_store *store)
{
	spool_env_rest(store->env);
}

/* -- Bodies in files -- */

bool
spool_store_wants_file(const struct spool_mail *mail)
{
	return mail->data.size < mail->size && mail->size > SPOOL_INLINE_BYTES;
}

int
spool_store_body_folder(const struct spool_store *store)
{
	return spool_bodies_folder(store->bodies);
}

uint64_t
spool_store_new_id(struct spool_store *store)
{
	return store->next_id++;
}

void
spool_store_drop_body(struct spool_store *store, uint64_t id)
{
	spool_bodies_drop(store->bodies, id);
}

/* -- Reading -- */

int
spool_store_message(struct spool_store *store, uint64_t id,
    struct spool_message *message, struct error *error)
{
	struct spool_key key = spool_message_key(id);
	struct text value;
	int found =
	    spool_env_get(store->env, SPOOL_MESSAGE, &key, &value, error);

	if (found == 1 && spool_get_message(value, message) == -1)
		return error_set(error, ERROR_DAMAGED, "spool: a message");
	return found;
}

int
spool_store_parcel(struct spool_store *store, uint64_t id, uint16_t number,
    struct spool_parcel *parcel, struct error *error)
{
	struct spool_key key = spool_numbered_key(id, number);
	struct text value;
	int found =
	    spool_env_get(store->env, SPOOL_PARCEL, &key, &value, error);

	if (found == 1 &&
	    spool_get_parcel(spool_key_text(&key), value, parcel) == -1)
		return error_set(error, ERROR_DAMAGED, "spool: a parcel");
	return found;
}

int
spool_store_recipient(struct spool_store *store, uint64_t id, uint16_t number,
    struct spool_recipient *recipient, struct error *error)
{
	struct spool_key key = spool_numbered_key(id, number);
	struct text value;
	int found =
	    spool_env_get(store->env, SPOOL_RECIPIENT, &key, &value, error);

	if (found == 1 && spool_get_recipient(value, recipient) == -1)
		return error_set(error, ERROR_DAMAGED, "spool: a recipient");
	return found;
}

int
spool_store_find_id(struct spool_store *store, const uint8_t *start,
    size_t size, uint64_t *id, struct error *error)
{
	struct spool_key from = { .size = 0 };
	struct spool_cursor *cursor;
	struct text key, value;
	int found, count = 0;

	spool_key_raw(&from, start, size);
	cursor = spool_cursor_open(store->env, SPOOL_DELIVERY, &from, error);
	if (cursor == NULL)
		return -1;
	while ((found = spool_cursor_next(cursor, &key, &value, error)) == 1 &&
	       key.size >= size && memcmp(key.data, start, size) == 0) {
		if (spool_key_get(key, SPOOL_REPORT_MARK, 1) != 0)
			continue;
		if (++count > 1)
			break;
		*id = spool_key_get(value, 0, 8);
	}
	spool_cursor_close(&cursor);
	return found == -1 ? -1 : count == 1;
}

static int
each_parcel(struct spool_store *store, const struct spool_key *from,
    uint64_t only,
    int (*callback)(void *context, const struct spool_parcel *parcel),
    void *context, struct error *error)
{
	struct spool_cursor *cursor =
	    spool_cursor_open(store->env, SPOOL_PARCEL, from, error);
	struct spool_parcel parcel;
	struct text key, value;
	int found = cursor == NULL ? -1 : 1, result = 0;

	while (found == 1 && result == 0) {
		found = spool_cursor_next(cursor, &key, &value, error);
		if (found != 1)
			break;
		if (spool_get_parcel(key, value, &parcel) == -1)
			found =
			    error_set(error, ERROR_DAMAGED, "spool: a parcel");
		else if (only != 0 && parcel.message != only)
			break;
		else
			result = callback(context, &parcel);
	}
	spool_cursor_close(&cursor);
	return found == -1 ? -1 : result;
}

int
spool_store_each_parcel(struct spool_store *store, uint64_t id,
    int (*callback)(void *context, const struct spool_parcel *parcel),
    void *context, struct error *error)
{
	struct spool_key from = spool_message_key(id);

	return each_parcel(store, &from, id, callback, context, error);
}

int
spool_store_each_parcel_from(struct spool_store *store, uint64_t id,
    uint16_t number,
    int (*callback)(void *context, const struct spool_parcel *parcel),
    void *context, struct error *error)
{
	struct spool_key from = spool_numbered_key(id, number);

	return each_parcel(store, &from, 0, callback, context, error);
}

int
spool_store_each_report(struct spool_store *store,
    int (*callback)(void *context, uint64_t id), void *context,
    struct error *error)
{
	struct spool_key from = { .size = 0 };
	struct spool_cursor *cursor =
	    spool_cursor_open(store->env, SPOOL_REPORT, &from, error);
	struct text key, value;
	int found = cursor == NULL ? -1 : 1, result = 0;

	while (found == 1 && result == 0) {
		found = spool_cursor_next(cursor, &key, &value, error);
		if (found == 1)
			result = callback(context, spool_key_get(key, 0, 8));
	}
	spool_cursor_close(&cursor);
	return found == -1 ? -1 : result;
}

int
spool_store_open_body(struct spool_store *store, uint64_t id,
    const struct spool_message *message, struct error *error)
{
	return spool_bodies_open_body(store->bodies, id, message, error);
}

int
spool_store_read_body(struct spool_store *store, uint64_t id,
    const struct spool_message *message, struct buf *to, struct error *error)
{
	return spool_bodies_read(store->bodies, id, message, to, error);
}

/* -- Changes -- */

int
spool_store_put_message(struct spool_store *store, uint64_t id,
    const struct spool_message *message, struct error *error)
{
	struct spool_key key = spool_message_key(id);
	uint8_t value[SPOOL_MAX_VALUE];
	size_t size = spool_put_message(value, message);

	if (size == 0)
		return error_set(error, ERROR_INPUT, "a message is too long");
	return spool_env_put(
	    store->env, SPOOL_MESSAGE, &key, text_make(value, size), error);
}

int
spool_store_put_parcel(struct spool_store *store, enum spool_table table,
    const struct spool_parcel *parcel, struct error *error)
{
	struct spool_key key =
	    spool_numbered_key(parcel->message, parcel->number);
	uint8_t value[SPOOL_MAX_VALUE];
	size_t size = spool_put_parcel(value, parcel);

	if (size == 0)
		return error_set(error, ERROR_INPUT, "a parcel is too long");
	return spool_env_put(
	    store->env, table, &key, text_make(value, size), error);
}

int
spool_store_set_parcel(struct spool_store *store,
    const struct spool_parcel *parcel, struct error *error)
{
	return spool_store_put_parcel(store, SPOOL_PARCEL, parcel, error);
}

int
spool_store_set_recipient(struct spool_store *store, uint64_t id,
    uint16_t number, const struct spool_recipient *recipient,
    struct error *error)
{
	struct spool_key key = spool_numbered_key(id, number);
	uint8_t value[SPOOL_MAX_VALUE];
	size_t size = spool_put_recipient(value, recipient);

	if (size == 0)
		return error_set(error, ERROR_INPUT, "a recipient is too long");
	return spool_env_put(
	    store->env, SPOOL_RECIPIENT, &key, text_make(value, size), error);
}
