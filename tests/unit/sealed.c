/* See sealed.h. */
#include "tests/unit/sealed.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/memory.h"
#include "snapd/batch.h"
#include "snapd/growth.h"
#include "snapd/segment_folder.h"
#include "snapd/segments_open.h"

#include <string.h>

enum {
	NO_LIMIT = 1 << 30
};

/* -- Bodies that look a little like mail -- */

size_t
sealed_size(unsigned int n)
{
	if (n % 50 == 49)
		return 700000 + n;
	return n % 10 == 9 ? 40000 + n : 500 + n * 37 % 9000;
}

static uint64_t
next_random(uint64_t *random)
{
	return *random = *random * UINT64_C(6364136223846793005) + 1;
}

static size_t
put_words(char *body, size_t used, size_t end, uint64_t *random)
{
	static const char *const words[] = { "snow", "firn", "glacier", "the",
		"summer", "and", "mail", "outlives" };

	while (used < end) {
		const char *word = words[next_random(random) >> 61];

		used += (size_t)snprintf(body + used, end - used + 1, "%s%c",
		    word, *random >> 40 & 7 ? ' ' : '\n');
	}
	return end;
}

/* An attachment's lines, behind an empty one; it packs as well as words do. */
static size_t
put_base64(char *body, size_t used, size_t lines, uint64_t *random)
{
	int i;

	body[used++] = '\n';
	for (; lines > 0; lines--) {
		for (i = 0; i < 76; i++)
			body[used++] = "Ax"[next_random(random) >> 63];
		body[used++] = '\n';
	}
	return used;
}

/* Large ones have something attached, which no other has. */
char *
sealed_body(unsigned int n, size_t *size)
{
	uint64_t random = n * UINT64_C(0x9E3779B97F4A7C15) + 1;
	char *body = memory_new(1, sealed_size(n) + 32);
	size_t used, lines;

	*size = sealed_size(n);
	used = (size_t)sprintf(body, "Subject: message %u\n\n", n);
	lines = *size < 30000 ? 0 : *size / 2 / 77;
	if (lines > 0) {
		used = put_words(body, used, *size / 4, &random);
		used = put_base64(body, used, lines, &random);
	}
	put_words(body, used, *size, &random);
	return body;
}

/* -- The store -- */

static bool
never(void *context)
{
	(void)context;
	return false;
}

/* As the loop does it: slice after slice, each committed. */
static int
apply(void *context, struct seal_batch *batch, struct error *error)
{
	struct sealed *f = context;
	int result = 0;

	while (result == 0 && batch->committed.done < batch->count) {
		if (f->slices_left-- <= 0)
			result = error_set(error, ERROR_BUSY, "cut");
		else if (seal_batch_apply(
			     batch, f->journal, f->budget_us, error) != 0)
			result = -1;
		else
			seal_batch_committed(batch,
			    journal_commit(f->journal, error) == STATUS_OK);
	}
	seal_batch_clear(batch);
	return result;
}

void
sealed_open(struct sealed *f)
{
	static const struct allowance_limits limits = { .changes = 1 << 20 };
	struct error error;

	f->store = store_open(f->path, MAP_BYTES, &error);
	assert_non_null(f->store);
	f->segments =
	    segments_open(f->store, f->path, f->segment_bytes, &error);
	if (f->segments == NULL)
		fail_msg("%s", error.text);
	f->journal = journal_new(f->store, &error);
	assert_non_null(f->journal);
	allowance_configure(f->journal->allowance, &limits);
	journal_set_clock(f->journal, clock_wall_us(), clock_raw_us());
	memset(&f->sealing, 0, sizeof(f->sealing));
	f->sealing.store = f->store;
	f->sealing.segments = f->segments;
	f->sealing.apply = apply;
	f->sealing.is_stopping = never;
	f->sealing.context = f;
	sealing_init(&f->sealing);
	f->slices_left = NO_LIMIT;
	f->budget_us = 5000;
}

void
sealed_close(struct sealed *f)
{
	sealing_clear(&f->sealing);
	journal_free(&f->journal);
	segments_free(&f->segments);
	store_close(&f->store);
}

void
sealed_reopen(struct sealed *f)
{
	sealed_close(f);
	sealed_open(f);
}

void
sealed_commit(struct sealed *f)
{
	struct error error = { .code = ERROR_NONE };

	assert_int_equal(journal_commit(f->journal, &error), STATUS_OK);
}

void
sealed_change(struct sealed *f, uint32_t account, const struct message *change)
{
	struct batch *batch = batch_new(++f->counter);
	struct batch_reply reply;

	assert_int_equal(batch_add(batch, change, NULL, 0), 0);
	batch_apply(batch, f->journal, account, &reply);
	assert_int_equal(reply.status, STATUS_OK);
	buf_clear(&reply.results);
	batch_free(&batch);
}

/* Message n goes to account 1 or 2; bodies of more than a packet come by
 * accept, and stay unfiled. */
static void
add_message(struct sealed *f, unsigned int n)
{
	struct recipient_record recipient = { 1 + n % 2, TEXT("a@demo.test") };
	struct message m = { .type = MESSAGE_change_append };
	struct delivery_id delivery = { { 0 } };
	struct error error = { .code = ERROR_NONE };
	uint8_t recipients[100];
	struct writer w;
	size_t size;
	char *body = sealed_body(n, &size);

	memcpy(delivery.bytes, &n, sizeof(n));
	if (size <= 16000) {
		m.change_append.delivery = delivery;
		m.change_append.mailbox = 1 + n % 2;
		m.change_append.data = text_make(body, size);
		m.change_append.size = size;
		sealed_change(f, 1 + n % 2, &m);
	} else {
		writer_init(&w, recipients, sizeof(recipients));
		record_put_recipient(&w, &recipient);
		assert_int_equal(
		    journal_accept(f->journal, &delivery, 0, 1700000000,
			TEXT("s@there.test"), text_make(recipients, w.size),
			text_make(body, size), &error),
		    STATUS_OK);
	}
	free(body);
}

void
sealed_add(struct sealed *f, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		add_message(f, f->messages++);
	sealed_commit(f);
}

int
sealed_set_up(void **state)
{
	struct sealed *f = memory_new(1, sizeof(*f));
	struct error error = { .code = ERROR_NONE };
	int cwd = open(".", O_DIRECTORY | O_CLOEXEC), fd;
	char name[] = "1@demo.test";
	uint32_t account;

	scratch_make(f->path, "segments_test");
	fd = open(f->path, O_DIRECTORY | O_CLOEXEC);
	if (segments_create_store(fd, &f->id, f->recovery, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(fchdir(cwd), 0);
	close(cwd);
	close(fd);
	f->digest = digest_new();
	sealed_open(f);
	for (account = 1; account <= 2; account++) {
		name[0] = (char)('0' + account);
		assert_int_equal(journal_create_account(f->journal, account,
				     text_of(name), &error),
		    STATUS_OK);
	}
	sealed_commit(f);
	*state = f;
	return 0;
}

int
sealed_tear_down(void **state)
{
	struct sealed *f = *state;

	segment_env_set_fault(0);
	store_set_commit_fault(0);
	growth_set_fault(0);
	file_set_fault_hook(NULL, NULL);
	sealed_close(f);
	digest_free(&f->digest);
	scratch_remove(f->path);
	free(f);
	return 0;
}

/* -- What is looked at -- */

int
sealed_pass(struct sealed *f, struct error *error)
{
	error->code = ERROR_NONE;
	if (f->sealing.writer == NULL &&
	    sealing_replay(&f->sealing, error) != 0)
		return -1;
	if (sealing_pass(&f->sealing, error) != 0)
		return -1;
	return sealing_finish_full(&f->sealing, error);
}

void
sealed_must_pass(struct sealed *f)
{
	struct error error;

	if (sealed_pass(f, &error) != 0)
		fail_msg("%s", error.text);
}

int
sealed_find(struct sealed *f, struct transaction *t, unsigned int n,
    struct object *object)
{
	struct text bytes;
	struct error error;
	char *body = sealed_body(n, &bytes.size);
	int found;

	bytes.data = body;
	*object = (struct object){ .account = 1 + n % 2 };
	object_store_look(f->digest, bytes, object);
	free(body);
	found = object_store_find_same(t, f->digest, object, &error);
	assert_true(found >= 0);
	return found;
}

void
sealed_remove(struct sealed *f, struct transaction *t, unsigned int n)
{
	struct object object;
	struct error error;

	assert_int_equal(sealed_find(f, t, n, &object), 1);
	assert_int_equal(object_store_remove(t, object.blob, &error), 0);
}

/* Each message of both accounts is there, and as it was. */
void
sealed_check_bodies(struct sealed *f, uint64_t *sealed)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	struct object object;
	unsigned int n;

	assert_non_null(t);
	*sealed = 0;
	for (n = 0; n < f->messages; n++) {
		size_t size;
		char *body = sealed_body(n, &size);
		uint8_t *read = memory_new(1, size);

		assert_int_equal(sealed_find(f, t, n, &object), 1);
		assert_int_equal(object.size, size);
		assert_int_equal(object.account, 1 + n % 2);
		if (object_store_read(t, f->digest, &object, read, &error) != 0)
			fail_msg("%u: %s", n, error.text);
		assert_memory_equal(read, body, size);
		/* The last of its pieces had the number before. */
		if (object.is_pieced)
			assert_int_equal(object_store_find(t, object.blob - 1,
					     &object, &error),
			    1);
		*sealed += object.is_sealed;
		free(read);
		free(body);
	}
	transaction_abort(&t);
}

uint64_t
sealed_count(struct sealed *f, enum database database)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	uint64_t count = store_count(t, database);

	transaction_abort(&t);
	return count;
}

static int
count_segment(void *context, uint32_t number)
{
	struct sealed_totals *totals = context;
	struct segments *segments = totals->f->segments;
	struct block_at at = { number, 0, 0 };
	struct segment_env *env;
	struct block_entry entry;
	struct error error;
	struct block_head head;
	struct block *block;
	uint32_t values, count, i;
	size_t offset;
	uint8_t *value = memory_new(1, SEGMENT_VALUE_SIZE);

	env = segments_get(segments, number, &error);
	assert_non_null(env);
	assert_int_equal(segment_env_values(env, &values, &error), 0);
	for (; at.value < values; at.value++, at.block = 0) {
		assert_int_equal(
		    segment_env_value(env, at.value, value, &error), 1);
		for (; block_find(value, at.block, &head, &offset, &error) == 1;
		     at.block++) {
			block = segments_read(segments, &at, &error);
			assert_non_null(block);
			totals->blocks++;
			totals->ends += head.kind == BLOCK_END;
			count = 0;
			if (head.kind == BLOCK_BODIES)
				assert_int_equal(
				    block_entries(block->raw, &count), 0);
			for (i = 0; i < count; i++) {
				assert_int_equal(
				    block_entry_get(block->raw, i, &entry), 0);
				totals->body_bytes += entry.length;
			}
			block_release(&block);
		}
	}
	free(value);
	return 0;
}

struct sealed_totals
sealed_totals(struct sealed *f)
{
	struct sealed_totals totals = { .f = f };

	segments_each(f->segments, count_segment, &totals);
	return totals;
}

uint64_t
sealed_bytes(const struct sealed *f)
{
	uint64_t sum = 0;
	unsigned int n;

	for (n = 0; n < f->messages; n++)
		sum += sealed_size(n);
	return sum;
}

/* Live and dead bytes of all segments, as the index counts them. */
void
sealed_sum_use(struct sealed *f, uint64_t *live, uint64_t *dead)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	struct segment_use use;
	uint32_t n;

	*live = *dead = 0;
	for (n = 1; n <= segments_newest(f->segments); n++) {
		assert_true(segment_use_find(t, n, &use, &error) >= 0);
		*live += use.live_bytes;
		*dead += use.dead_bytes;
	}
	transaction_abort(&t);
}

/* Sealed once, whole, and counted. */
void
sealed_check(struct sealed *f)
{
	uint64_t sealed, live, dead;
	struct sealed_totals totals;

	sealed_check_bodies(f, &sealed);
	assert_int_equal(sealed, f->messages);
	assert_int_equal(sealed_count(f, DB_CHUNK), 0);
	totals = sealed_totals(f);
	assert_int_equal(totals.body_bytes, sealed_bytes(f));
	assert_true(totals.ends >= 1);
	sealed_sum_use(f, &live, &dead);
	assert_int_equal(live, sealed_bytes(f));
	assert_int_equal(dead, 0);
}

static void
take_finding(void *context, const char *text)
{
	struct sealed_told *told = context;

	/* Rows whose bodies this test has taken away. */
	if (told->ignores_uses && strncmp(text, "blob_use: ", 10) == 0) {
		told->ignored++;
		return;
	}
	if (told->count++ == 0)
		snprintf(told->first, sizeof(told->first), "%s", text);
	if (strstr(text, "segment 1: value ") != NULL)
		told->names_value = true;
	if (strcmp(text, "segment 1 is missing") == 0)
		told->is_missing = true;
}

/* The store is closed. */
void
sealed_verify(struct sealed *f, unsigned int percent, struct sealed_told *told,
    struct verify_result *result)
{
	struct verify_segment segments[8];
	struct verify_options options = { .depth = VERIFY_ALL,
		.percent = percent,
		.findings = { take_finding, told, 0 },
		.has_segments = true,
		.segments = segments,
		.has_key = true };
	struct error error;
	char path[100];
	uint32_t number;
	int dir, fd;

	*told = (struct sealed_told){ .ignores_uses = f->has_removed };
	dir = open(f->path, O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(store_key_load(dir, &options.key, &error), 0);
	close(dir);
	for (number = 1; number < 16 && options.segment_count < 8; number++) {
		fd = segment_folder_file(f->path, number);
		if (fd != -1)
			segments[options.segment_count++] =
			    (struct verify_segment){ fd, number, NULL };
	}
	snprintf(path, sizeof(path), "%s/index/data.mdb", f->path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	(void)verify_run(fd, &options, result);
	close(fd);
	while (options.segment_count > 0)
		close(segments[--options.segment_count].fd);
	assert_int_equal(result->findings, told->count + told->ignored);
}

/* The hash of each database. */
static void
dump_database(
    struct transaction *t, struct digest *digest, enum database database)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct error error;
	struct cursor *cursor = cursor_open(t, database, &from, &error);

	while (
	    cursor != NULL && cursor_next(cursor, &key, &value, &error) == 1) {
		digest_add(digest, &key.size, sizeof(key.size));
		digest_add(digest, key.data, key.size);
		digest_add(digest, &value.size, sizeof(value.size));
		digest_add(digest, value.data, value.size);
	}
	cursor_close(&cursor);
}

void
sealed_dump_store(
    struct store *store, struct digest *digest, struct hash *hashes)
{
	struct error error;
	struct transaction *t = transaction_begin(store, false, &error);
	int i;

	for (i = 0; i < DB_COUNT && t != NULL; i++) {
		digest_start(digest);
		dump_database(t, digest, (enum database)i);
		hashes[i] = digest_finish(digest);
	}
	transaction_abort(&t);
}

void
sealed_dump(struct sealed *f, struct hash *hashes)
{
	sealed_dump_store(f->store, f->digest, hashes);
}

void
sealed_must_verify(struct sealed *f)
{
	struct verify_result result;
	struct sealed_told told;

	sealed_verify(f, 100, &told, &result);
	if (told.count > 0)
		fail_msg("%s", told.first);
}

void
sealed_must_equal(
    const struct hash *before, const struct hash *after, uint32_t except)
{
	int i;

	for (i = 0; i < DB_COUNT; i++)
		if ((except >> i & 1) == 0 &&
		    memcmp(&before[i], &after[i], sizeof(before[i])) != 0)
			fail_msg("%s differs", database_name((enum database)i));
}
