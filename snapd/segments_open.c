/*
 * See segments_open.h.  meta "recovery_key": form u8 = 1, public half 32.
 */
#include "snapd/segments_open.h"

#include "common/file.h"
#include "common/memory.h"
#include "snapd/segment_folder.h"
#include "snapd/segment_use.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum {
	CREATE_MAP = 1 << 24
};

static const struct key recovery_key = { "recovery_key", 12 };

/* -- A new store -- */

static int
put_recovery(const uint8_t *public_key, struct error *error)
{
	uint8_t value[1 + RECOVERY_KEY_SIZE] = { 1 };
	struct store *store = store_open(".", CREATE_MAP, error);
	struct transaction *t;
	int result = -1;

	if (store == NULL)
		return -1;
	memcpy(value + 1, public_key, RECOVERY_KEY_SIZE);
	t = transaction_begin(store, true, error);
	if (t != NULL)
		result = store_put(t, DB_META, &recovery_key,
		    text_make(value, sizeof(value)), error);
	if (result == 0)
		result = transaction_commit(&t, error);
	else
		transaction_abort(&t);
	store_close(&store);
	return result;
}

int
segments_create_store(int dir_fd, struct store_id *id,
    uint8_t recovery[RECOVERY_KEY_SIZE], struct error *error)
{
	uint8_t public_key[RECOVERY_KEY_SIZE];

	if (recovery_key_make(recovery, public_key, error) != 0)
		return -1;
	/* Of a store whose making was cut: nothing is sealed with it yet. */
	if (store_key_create(dir_fd, error) != 0 && error->code != ERROR_EXISTS)
		return -1;
	if (store_create(dir_fd, id, error) != 0)
		return -1;
	return put_recovery(public_key, error);
}

/* -- Opening -- */

static int
read_recovery(struct store *store, uint8_t *public_key, struct error *error)
{
	struct transaction *t = transaction_begin(store, false, error);
	struct text value;
	int found;

	memset(public_key, 0, RECOVERY_KEY_SIZE);
	if (t == NULL)
		return -1;
	found = store_get(t, DB_META, &recovery_key, &value, error);
	if (found == 1 && value.size != 1 + RECOVERY_KEY_SIZE)
		found = error_set(
		    error, ERROR_DAMAGED, "store: malformed recovery key");
	if (found == 1)
		memcpy(public_key, value.data + 1, RECOVERY_KEY_SIZE);
	transaction_abort(&t);
	return found < 0 ? -1 : 0;
}

int
segments_open_folder(const char *path, struct error *error)
{
	return path[0] == '/' ? file_open_absolute_directory(path, error)
			      : file_open_directory(AT_FDCWD, path, error);
}

/* Its lock says who has the store; the descriptor holds it. */
static int
lock_key(int dir, int *lock_fd, struct error *error)
{
	*lock_fd = file_open_read(dir, "key", error);
	if (*lock_fd == -1)
		return -1;
	if (flock(*lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	close(*lock_fd);
	*lock_fd = -1;
	return errno == EWOULDBLOCK
		   ? error_set(error, ERROR_BUSY,
			 "another process has the store: is it running?")
		   : error_set_errno(error, "key");
}

static int
read_store_key(
    const char *path, struct segments_options *options, struct error *error)
{
	int dir = segments_open_folder(path, error);
	uint32_t *numbers = NULL;
	size_t count = 0;
	int result;

	if (dir == -1)
		return -1;
	result = store_key_load(dir, &options->key, error);
	if (result != 0 && error->code == ERROR_MISSING &&
	    segment_folder_list(path, &numbers, &count, error) == 0 &&
	    count == 0 && store_key_create(dir, error) == 0 &&
	    file_sync_directory(dir, error) == 0)
		result = store_key_load(dir, &options->key, error);
	if (count > 0)
		error_set(error, ERROR_MISSING,
		    "the store's file `key` is gone: put it back, or use "
		    "`snapctl recover-key`");
	if (result == 0)
		result = lock_key(dir, &options->lock_fd, error);
	memory_free(&numbers);
	close(dir);
	return result;
}

/* The files of segments that were dropped, if a crash left them. */
static int
drop_left(void *context, uint32_t number)
{
	struct transaction *t = context;
	struct segment_use use;
	struct error error;
	int found = segment_use_find(t, number, &use, &error);

	return found == 1 && use.state == SEGMENT_DROPPED ? (int)number : 0;
}

static int
finish_drops(
    struct store *store, struct segments *segments, struct error *error)
{
	struct transaction *t = transaction_begin(store, false, error);
	int number = 1, result = 0;

	if (t == NULL)
		return -1;
	while (result == 0 && number != 0) {
		number = segments_each(segments, drop_left, t);
		if (number != 0)
			result =
			    segments_drop(segments, (uint32_t)number, error);
	}
	transaction_abort(&t);
	return result;
}

struct segments *
segments_open(struct store *store, const char *path, uint64_t segment_bytes,
    struct error *error)
{
	struct segments_options options = { .path = path,
		.lock_fd = -1,
		.store = *store_identity(store),
		.segment_bytes =
		    segment_bytes != 0 ? segment_bytes : SEGMENT_BYTES };
	struct segments *segments = NULL;

	if (read_recovery(store, options.recovery, error) == 0 &&
	    read_store_key(path, &options, error) == 0)
		segments = segments_new(&options, error);
	if (segments == NULL && options.lock_fd >= 0)
		close(options.lock_fd);
	OPENSSL_cleanse(&options.key, sizeof(options.key));
	if (segments != NULL && finish_drops(store, segments, error) != 0)
		segments_free(&segments);
	if (segments != NULL)
		store_set_segments(store, segments);
	return segments;
}

/* The first segment that tells. */
static int
peek(const char *path, struct segment_info *info, struct error *error)
{
	uint32_t *numbers;
	size_t count, i;
	int result = -1;

	if (segment_folder_list(path, &numbers, &count, error) != 0)
		return -1;
	error_set(error, ERROR_MISSING, "there are no segments");
	for (i = 0; i < count && result != 0; i++)
		result = segment_env_peek(path, numbers[i], info, error);
	free(numbers);
	return result;
}

struct segments *
segments_open_alone(
    const char *path, struct store_id *store, struct error *error)
{
	struct segments_options options = {
		.path = path, .lock_fd = -1, .segment_bytes = SEGMENT_BYTES
	};
	struct segments *segments = NULL;
	struct segment_info info;

	if (peek(path, &info, error) != 0)
		return NULL;
	options.store = info.store;
	memcpy(options.recovery, info.recovery, sizeof(options.recovery));
	if (read_store_key(path, &options, error) == 0)
		segments = segments_new(&options, error);
	if (segments == NULL && options.lock_fd >= 0)
		close(options.lock_fd);
	OPENSSL_cleanse(&options.key, sizeof(options.key));
	*store = options.store;
	return segments;
}

int
segments_recover_key(const char *path,
    const uint8_t recovery[RECOVERY_KEY_SIZE], struct error *error)
{
	struct key_owner owner = { .account = KEY_OF_STORE };
	struct segment_info info;
	struct aead_key key;
	int dir, result;

	if (peek(path, &info, error) != 0)
		return -1;
	owner.store = info.store;
	if (recovery_unbox(&owner, info.box, recovery, &key, error) != 0)
		return error_set(error, ERROR_REFUSED,
		    "this is not the recovery key of the store");
	dir = segments_open_folder(path, error);
	result = dir == -1 ? -1 : store_key_put(dir, &key, error);
	if (result == 0)
		result = file_sync_directory(dir, error);
	if (dir != -1)
		close(dir);
	OPENSSL_cleanse(&key, sizeof(key));
	return result;
}
