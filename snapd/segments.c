/*
 * See segments.h.  One lock over the lists; reading and unpacking happen
 * outside of it, each with contexts of its own.
 */
#include "snapd/segments.h"

#include "common/memory.h"
#include "snapd/segment_folder.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MAX_SEALS = 8
};

struct entry {
	uint32_t number;
	struct segment_env *env; /* NULL: not opened yet */
};

struct segments {
	struct segments_options options;
	pthread_mutex_t lock;
	struct entry *entries; /* by number */
	size_t count;
	struct block *blocks[SEGMENTS_CACHED_BLOCKS];
	uint64_t uses;
	struct block_seal *seals[MAX_SEALS]; /* that nobody uses */
	size_t seal_count;
};

struct segments *
segments_new(const struct segments_options *options, struct error *error)
{
	struct segments *segments = memory_new(1, sizeof(*segments));
	uint32_t *numbers;
	size_t i;

	segments->options = *options;
	segments->options.lock_fd = -1; /* the caller's until all is well */
	pthread_mutex_init(&segments->lock, NULL);
	if (segment_folder_list(
		options->path, &numbers, &segments->count, error) != 0) {
		segments_free(&segments);
		return NULL;
	}
	segments->entries =
	    memory_new(segments->count + 1, sizeof(*segments->entries));
	for (i = 0; i < segments->count; i++)
		segments->entries[i].number = numbers[i];
	segments->options.lock_fd = options->lock_fd;
	free(numbers);
	return segments;
}

static void
free_block(struct block *block)
{
	free((void *)(uintptr_t)block->raw.data);
	free(block);
}

void
segments_free(struct segments **segments)
{
	struct segments *s = *segments;
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < SEGMENTS_CACHED_BLOCKS; i++)
		if (s->blocks[i] != NULL)
			free_block(s->blocks[i]);
	for (i = 0; i < s->count; i++)
		segment_env_close(&s->entries[i].env);
	while (s->seal_count > 0)
		block_seal_free(&s->seals[--s->seal_count]);
	free(s->entries);
	if (s->options.lock_fd >= 0)
		close(s->options.lock_fd);
	pthread_mutex_destroy(&s->lock);
	OPENSSL_cleanse(&s->options.key, sizeof(s->options.key));
	memory_free(segments);
}

const struct segments_options *
segments_options(const struct segments *segments)
{
	return &segments->options;
}

static uint32_t
newest(const struct segments *segments)
{
	return segments->count > 0
		   ? segments->entries[segments->count - 1].number
		   : 0;
}

uint32_t
segments_newest(struct segments *segments)
{
	uint32_t number;

	pthread_mutex_lock(&segments->lock);
	number = newest(segments);
	pthread_mutex_unlock(&segments->lock);
	return number;
}

int
segments_each(struct segments *segments,
    int (*call)(void *context, uint32_t number), void *context)
{
	uint32_t number = 0;
	int result = 0;
	size_t i;

	while (result == 0) {
		pthread_mutex_lock(&segments->lock);
		for (i = 0; i < segments->count; i++)
			if (segments->entries[i].number > number)
				break;
		number = i < segments->count ? segments->entries[i].number : 0;
		pthread_mutex_unlock(&segments->lock);
		if (number == 0)
			break;
		result = call(context, number);
	}
	return result;
}

static struct entry *
find(struct segments *segments, uint32_t number)
{
	size_t i;

	for (i = 0; i < segments->count; i++)
		if (segments->entries[i].number == number)
			return &segments->entries[i];
	return NULL;
}

struct segment_env *
segments_get(struct segments *segments, uint32_t number, struct error *error)
{
	const struct segments_options *options = &segments->options;
	struct segment_env *env = NULL;
	struct entry *entry;

	pthread_mutex_lock(&segments->lock);
	entry = find(segments, number);
	if (entry == NULL)
		error_set(error, ERROR_DAMAGED, "segment %u is gone", number);
	else if (entry->env == NULL)
		/* Only the newest is ever written. */
		entry->env = segment_env_open(options->path, number,
		    &options->store, options->segment_bytes,
		    number != newest(segments), error);
	if (entry != NULL)
		env = entry->env;
	pthread_mutex_unlock(&segments->lock);
	if (env == NULL && error->code == ERROR_MISSING)
		error->code = ERROR_DAMAGED;
	return env;
}

void
segments_limit(struct segments *segments, uint64_t segment_bytes)
{
	struct entry *entry;

	pthread_mutex_lock(&segments->lock);
	segments->options.segment_bytes = segment_bytes;
	entry = find(segments, newest(segments));
	if (entry != NULL && entry->env != NULL)
		segment_env_limit(entry->env, segment_bytes);
	pthread_mutex_unlock(&segments->lock);
}

struct segment_env *
segments_add(struct segments *segments, struct error *error)
{
	const struct segments_options *options = &segments->options;
	struct key_owner owner = { options->store, KEY_OF_STORE };
	struct segment_info info = { .store = options->store,
		.number = segments_newest(segments) + 1 };

	memcpy(info.recovery, options->recovery, sizeof(info.recovery));
	if (recovery_key_is_set(info.recovery) &&
	    recovery_box(
		&owner, &options->key, info.recovery, info.box, error) != 0)
		return NULL;
	if (segment_env_create(segments->options.path, &info, error) != 0)
		return NULL;
	pthread_mutex_lock(&segments->lock);
	segments->entries = memory_resize(
	    segments->entries, segments->count + 1, sizeof(*segments->entries));
	segments->entries[segments->count++] =
	    (struct entry){ info.number, NULL };
	pthread_mutex_unlock(&segments->lock);
	return segments_get(segments, info.number, error);
}

bool
segments_is_held(struct segments *segments, uint32_t number)
{
	struct entry *entry;
	bool is_held;

	pthread_mutex_lock(&segments->lock);
	entry = find(segments, number);
	is_held = entry != NULL && entry->env != NULL &&
		  segment_env_is_held(entry->env);
	pthread_mutex_unlock(&segments->lock);
	return is_held;
}

int
segments_drop(struct segments *segments, uint32_t number, struct error *error)
{
	struct entry *entry;
	size_t i;

	pthread_mutex_lock(&segments->lock);
	entry = find(segments, number);
	if (entry != NULL) {
		segment_env_close(&entry->env);
		for (i = (size_t)(entry - segments->entries) + 1;
		     i < segments->count; i++)
			segments->entries[i - 1] = segments->entries[i];
		segments->count--;
	}
	pthread_mutex_unlock(&segments->lock);
	return segment_folder_destroy(segments->options.path, number, error);
}

int
segments_key(struct segments *segments, uint32_t number, uint32_t account,
    bool is_writer, struct aead_key *key, struct error *error)
{
	struct key_owner owner = { segments->options.store, account };
	struct segment_env *env = segments_get(segments, number, error);
	uint8_t row[ACCOUNT_KEY_ROW];
	int found;

	if (env == NULL)
		return -1;
	found = segment_env_key(env, account, is_writer, row, error);
	if (found == 1 &&
	    account_key_unwrap(&owner, text_make(row, sizeof(row)),
		&segments->options.key, key, error) != 0)
		return error_set(error, ERROR_DAMAGED,
		    "segment %u: the key of account %u does not open", number,
		    account);
	return found;
}

/* -- Blocks -- */

static struct block_seal *
take_seal(struct segments *segments)
{
	struct block_seal *seal = NULL;

	pthread_mutex_lock(&segments->lock);
	if (segments->seal_count > 0)
		seal = segments->seals[--segments->seal_count];
	pthread_mutex_unlock(&segments->lock);
	return seal != NULL ? seal : block_seal_new();
}

static void
give_seal(struct segments *segments, struct block_seal *seal)
{
	pthread_mutex_lock(&segments->lock);
	if (segments->seal_count < MAX_SEALS) {
		segments->seals[segments->seal_count++] = seal;
		seal = NULL;
	}
	pthread_mutex_unlock(&segments->lock);
	block_seal_free(&seal);
}

static bool
is_same(const struct block_at *a, const struct block_at *b)
{
	return a->segment == b->segment && a->value == b->value &&
	       a->block == b->block;
}

static struct block *
find_cached(struct segments *segments, const struct block_at *at)
{
	struct block *block = NULL;
	size_t i;

	pthread_mutex_lock(&segments->lock);
	for (i = 0; i < SEGMENTS_CACHED_BLOCKS && block == NULL; i++)
		if (segments->blocks[i] != NULL &&
		    is_same(&segments->blocks[i]->at, at))
			block = segments->blocks[i];
	if (block != NULL) {
		block->holders++;
		block->used = ++segments->uses;
	}
	pthread_mutex_unlock(&segments->lock);
	return block;
}

/* Into the place of the one that was used longest ago. */
static void
put_cached(struct segments *segments, struct block *block)
{
	size_t i, oldest = 0;

	pthread_mutex_lock(&segments->lock);
	for (i = 0; i < SEGMENTS_CACHED_BLOCKS; i++) {
		if (segments->blocks[i] == NULL) {
			oldest = i;
			break;
		}
		if (segments->blocks[i]->used < segments->blocks[oldest]->used)
			oldest = i;
	}
	block->holders++;
	block->used = ++segments->uses;
	if (segments->blocks[oldest] != NULL &&
	    --segments->blocks[oldest]->holders == 0)
		free_block(segments->blocks[oldest]);
	segments->blocks[oldest] = block;
	pthread_mutex_unlock(&segments->lock);
}

void
block_release(struct block **block)
{
	struct block *b = *block;
	bool is_last;

	if (b == NULL)
		return;
	pthread_mutex_lock(&b->segments->lock);
	is_last = --b->holders == 0;
	pthread_mutex_unlock(&b->segments->lock);
	if (is_last)
		free_block(b);
	*block = NULL;
}

static struct block *
unpack(struct segments *segments, const struct block_at *at,
    const struct block_head *head, const struct buf *sealed,
    struct error *error)
{
	struct block_seal *seal;
	struct aead_key key;
	struct block *block;
	struct error why;
	int result;

	result = segments_key(
	    segments, at->segment, head->account, false, &key, error);
	if (result != 1) {
		if (result == 0)
			error_set(error, ERROR_DAMAGED,
			    "segment %u: account %u has no key", at->segment,
			    head->account);
		return NULL;
	}
	block = memory_new(1, sizeof(*block));
	block->at = *at;
	block->head = *head;
	block->segments = segments;
	block->holders = 1;
	block->raw =
	    text_make(memory_new(1, head->raw_size + 1U), head->raw_size);
	seal = take_seal(segments);
	result = block_seal_open(seal, &segments->options.store, at, &key, head,
	    (const uint8_t *)sealed->data,
	    (uint8_t *)(uintptr_t)block->raw.data, &why);
	give_seal(segments, seal);
	OPENSSL_cleanse(&key, sizeof(key));
	if (result == 0)
		return block;
	free_block(block);
	error_set(error, ERROR_DAMAGED, "segment %u: value %u: block %u: %s",
	    at->segment, at->value, at->block, why.text);
	return NULL;
}

struct block *
segments_read(
    struct segments *segments, const struct block_at *at, struct error *error)
{
	struct block *block = find_cached(segments, at);
	struct segment_env *env;
	struct block_head head;
	struct buf sealed;
	int found;

	if (block != NULL)
		return block;
	env = segments_get(segments, at->segment, error);
	if (env == NULL)
		return NULL;
	buf_init(&sealed, SEGMENT_VALUE_SIZE);
	found =
	    segment_env_block(env, at->value, at->block, &head, &sealed, error);
	if (found == 1)
		block = unpack(segments, at, &head, &sealed, error);
	else if (found == 0)
		error_set(error, ERROR_DAMAGED,
		    "segment %u: value %u has no block %u", at->segment,
		    at->value, at->block);
	buf_clear(&sealed);
	if (block != NULL)
		put_cached(segments, block);
	return block;
}
