/*
 * Sealed segments with a real index and real environments, in one thread: what
 * was sealed reads as before, and a cut after any step loses nothing and stores
 * nothing twice.
 */
#include "common/clock.h"
#include "common/file.h"
#include "common/memory.h"
#include "snapd/batch.h"
#include "snapd/expire.h"
#include "snapd/growth.h"
#include "snapd/leap.h"
#include "snapd/rebuild.h"
#include "snapd/sealing.h"
#include "snapd/segment_folder.h"
#include "snapd/segments_open.h"
#include "snapd/verify.h"
#include "tests/unit/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	MAP_BYTES = 256 << 20,
	SMALL_SEGMENT = 8 << 20,
	NO_LIMIT = 1 << 30
};

struct fixture {
	char path[64];
	uint64_t segment_bytes;
	uint8_t recovery[RECOVERY_KEY_SIZE];
	struct store_id id;
	struct store *store;
	struct segments *segments;
	struct journal *journal;
	struct digest *digest;
	struct sealing sealing;
	uint64_t counter;
	unsigned int messages; /* appended */
	/* Slices of batches that still reach the index. */
	int slices_left;
	bool has_removed; /* bodies, and not their rows */
	int64_t budget_us;
};

/* -- Bodies that look a little like mail -- */

static size_t
size_of(unsigned int n)
{
	if (n % 50 == 49)
		return 700000 + n;
	return n % 10 == 9 ? 40000 + n : 500 + n * 37 % 9000;
}

static char *
make_body(unsigned int n, size_t *size)
{
	static const char *const words[] = { "snow", "firn", "glacier", "the",
		"summer", "and", "mail", "outlives" };
	uint64_t random = n * UINT64_C(0x9E3779B97F4A7C15) + 1;
	char *body = memory_new(1, size_of(n) + 32);
	size_t used;

	*size = size_of(n);
	used = (size_t)sprintf(body, "Subject: message %u\n\n", n);
	while (used < *size) {
		random = random * UINT64_C(6364136223846793005) + 1;
		used += (size_t)snprintf(body + used, *size - used + 1, "%s%c",
		    words[random >> 61], random >> 40 & 7 ? ' ' : '\n');
	}
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
	struct fixture *f = context;
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

static void
open_store(struct fixture *f)
{
	struct error error;

	f->store = store_open(f->path, MAP_BYTES, &error);
	assert_non_null(f->store);
	f->segments =
	    segments_open(f->store, f->path, f->segment_bytes, &error);
	if (f->segments == NULL)
		fail_msg("%s", error.text);
	f->journal = journal_new(f->store, &error);
	assert_non_null(f->journal);
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

static void
close_store(struct fixture *f)
{
	sealing_clear(&f->sealing);
	journal_free(&f->journal);
	segments_free(&f->segments);
	store_close(&f->store);
}

static void
reopen(struct fixture *f)
{
	close_store(f);
	open_store(f);
}

static void
commit(struct fixture *f)
{
	struct error error = { .code = ERROR_NONE };

	assert_int_equal(journal_commit(f->journal, &error), STATUS_OK);
}

static void
apply_change(struct fixture *f, uint32_t account, const struct message *change)
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
add_message(struct fixture *f, unsigned int n)
{
	struct recipient_record recipient = { 1 + n % 2, TEXT("a@demo.test") };
	struct message m = { .type = MESSAGE_change_append };
	struct delivery_id delivery = { { 0 } };
	struct error error = { .code = ERROR_NONE };
	uint8_t recipients[100];
	struct writer w;
	size_t size;
	char *body = make_body(n, &size);

	memcpy(delivery.bytes, &n, sizeof(n));
	if (size <= 16000) {
		m.change_append.delivery = delivery;
		m.change_append.mailbox = 1 + n % 2;
		m.change_append.data = text_make(body, size);
		m.change_append.size = size;
		apply_change(f, 1 + n % 2, &m);
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

static void
add_messages(struct fixture *f, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		add_message(f, f->messages++);
	commit(f);
}

static int
set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));
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
	open_store(f);
	for (account = 1; account <= 2; account++) {
		name[0] = (char)('0' + account);
		assert_int_equal(journal_create_account(f->journal, account,
				     text_of(name), &error),
		    STATUS_OK);
	}
	commit(f);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	segment_env_set_fault(0);
	store_set_commit_fault(0);
	growth_set_fault(0);
	file_set_fault_hook(NULL, NULL);
	close_store(f);
	digest_free(&f->digest);
	scratch_remove(f->path);
	free(f);
	return 0;
}

/* -- What is looked at -- */

static int
pass(struct fixture *f, struct error *error)
{
	error->code = ERROR_NONE;
	if (f->sealing.writer == NULL &&
	    sealing_replay(&f->sealing, error) != 0)
		return -1;
	if (sealing_pass(&f->sealing, error) != 0)
		return -1;
	return sealing_finish_full(&f->sealing, error);
}

static void
must_pass(struct fixture *f)
{
	struct error error;

	if (pass(f, &error) != 0)
		fail_msg("%s", error.text);
}

/* Each message of both accounts is there, and as it was. */
static void
check_bodies(struct fixture *f, uint64_t *sealed)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	struct object object;
	unsigned int n;

	assert_non_null(t);
	*sealed = 0;
	/* Blobs are numbered as they came, from 1. */
	for (n = 0; n < f->messages; n++) {
		size_t size;
		char *body = make_body(n, &size);
		uint8_t *read = memory_new(1, size);

		assert_int_equal(
		    object_store_find(t, n + 1, &object, &error), 1);
		assert_int_equal(object.size, size);
		assert_int_equal(object.account, 1 + n % 2);
		if (object_store_read(t, f->digest, &object, read, &error) != 0)
			fail_msg("%u: %s", n, error.text);
		assert_memory_equal(read, body, size);
		*sealed += object.is_sealed;
		free(read);
		free(body);
	}
	transaction_abort(&t);
}

static uint64_t
count_of(struct fixture *f, enum database database)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	uint64_t count = store_count(t, database);

	transaction_abort(&t);
	return count;
}

struct totals {
	struct fixture *f;
	uint64_t body_bytes; /* of bodies in blocks, dead ones too */
	uint64_t blocks;
	uint64_t ends;
};

static int
count_segment(void *context, uint32_t number)
{
	struct totals *totals = context;
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

static struct totals
count_all(struct fixture *f)
{
	struct totals totals = { .f = f };

	segments_each(f->segments, count_segment, &totals);
	return totals;
}

static uint64_t
bytes_of_all(const struct fixture *f)
{
	uint64_t sum = 0;
	unsigned int n;

	for (n = 0; n < f->messages; n++)
		sum += size_of(n);
	return sum;
}

/* Live and dead bytes of all segments, as the index counts them. */
static void
sum_use(struct fixture *f, uint64_t *live, uint64_t *dead)
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
static void
check_sealed(struct fixture *f)
{
	uint64_t sealed, live, dead;
	struct totals totals;

	check_bodies(f, &sealed);
	assert_int_equal(sealed, f->messages);
	assert_int_equal(count_of(f, DB_CHUNK), 0);
	totals = count_all(f);
	assert_int_equal(totals.body_bytes, bytes_of_all(f));
	assert_true(totals.ends >= 1);
	sum_use(f, &live, &dead);
	assert_int_equal(live, bytes_of_all(f));
	assert_int_equal(dead, 0);
}

/* -- Tests -- */

static void
sealed_bodies_read_as_before(void **state)
{
	struct fixture *f = *state;
	uint64_t sealed;

	add_messages(f, 60);
	check_bodies(f, &sealed);
	assert_int_equal(sealed, 0);
	must_pass(f);
	check_sealed(f);
	reopen(f);
	check_sealed(f);
	/* Another pass goes on in the same value, and changes nothing. */
	add_messages(f, 5);
	must_pass(f);
	check_sealed(f);
	assert_int_equal(segments_newest(f->segments), 1);
}

static void
pass_without_news_writes_nothing(void **state)
{
	struct fixture *f = *state;
	struct totals before, after;

	add_messages(f, 3);
	must_pass(f);
	before = count_all(f);
	must_pass(f);
	reopen(f);
	must_pass(f);
	after = count_all(f);
	assert_int_equal(after.blocks, before.blocks);
}

/* After each slice of the index in turn the power fails. */
static void
cut_after_any_step_loses_and_doubles_nothing(void **state)
{
	struct fixture *f = *state;
	struct error error;
	uint64_t sealed;
	int cut;

	add_messages(f, 40);
	for (cut = 0;; cut++) {
		add_messages(f, 10);
		f->slices_left = cut;
		f->budget_us = 0; /* one body, or a part of a large one */
		if (pass(f, &error) == 0)
			break;
		assert_int_equal(error.code, ERROR_BUSY);
		reopen(f);
		check_bodies(f, &sealed);
		must_pass(f);
		check_sealed(f);
	}
	assert_true(cut > 10);
}

static void
full_disk_leaves_mail_staged(void **state)
{
	struct fixture *f = *state;
	struct error error;
	uint64_t sealed;

	add_messages(f, 60);
	segment_env_set_fault(ENOSPC);
	assert_int_equal(pass(f, &error), -1);
	assert_int_equal(error.code, ERROR_FULL);
	segment_writer_free(&f->sealing.writer);
	seal_batch_clear(&f->sealing.batch);
	check_bodies(f, &sealed);
	assert_int_equal(sealed, 0);
	add_messages(f, 2);
	segment_env_set_fault(0);
	must_pass(f);
	check_sealed(f);
}

static int
no_room(const char *call, const char *name, void *context)
{
	return strcmp(call, context) == 0 ? ENOSPC : 0;
}

/* LMDB would say of it that the disk failed. */
static void
no_commit_begins_without_its_blocks(void **state)
{
	static const char *const calls[] = { "create", "write", "reserve" };
	struct fixture *f = *state;
	struct error error;
	uint64_t sealed;

	add_messages(f, 60);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		file_set_fault_hook(no_room, (void *)(uintptr_t)calls[i]);
		assert_int_equal(pass(f, &error), -1);
		file_set_fault_hook(NULL, NULL);
		assert_int_equal(error.code, ERROR_FULL);
		segment_writer_free(&f->sealing.writer);
		seal_batch_clear(&f->sealing.batch);
		check_bodies(f, &sealed);
		assert_int_equal(sealed, 0);
	}
	must_pass(f);
	check_sealed(f);
}

/* A transaction that may write more than has blocks. */
static int
commit_much(struct fixture *f, struct error *error)
{
	struct transaction *t = transaction_begin(f->store, true, error);
	static const char chunk[STORE_CHUNK_SIZE];
	struct key key = { .size = 0 };

	for (uint32_t i = 0; i < 16 * 1024; i++) {
		key.size = 0;
		key_put_u64(&key, UINT64_MAX);
		key_put_u32(&key, i);
		assert_int_equal(store_put(t, DB_CHUNK, &key,
				     text_make(chunk, sizeof(chunk)), error),
		    0);
	}
	return transaction_commit(&t, error);
}

static void
an_index_without_room_is_no_failed_disk(void **state)
{
	struct fixture *f = *state;
	struct error error;

	store_set_commit_fault(EIO);
	assert_int_equal(commit_much(f, &error), -1);
	assert_int_equal(error.code, ERROR_SYSTEM);
	reopen(f);
	growth_set_fault(ENOSPC);
	assert_int_equal(commit_much(f, &error), -1);
	assert_int_equal(error.code, ERROR_FULL);
	growth_set_fault(0);
	store_set_commit_fault(0);
	assert_int_equal(commit_much(f, &error), 0);
}

static void
failed_disk_is_no_full_disk(void **state)
{
	struct fixture *f = *state;
	struct error error;
	uint64_t sealed;

	add_messages(f, 10);
	segment_env_set_fault(EIO);
	assert_int_equal(pass(f, &error), -1);
	assert_int_equal(error.code, ERROR_SYSTEM);
	segment_env_set_fault(0);
	reopen(f);
	check_bodies(f, &sealed);
	must_pass(f);
	check_sealed(f);
}

/* A full segment: state, sum, event; and the next one goes on. */
static void
full_segments_have_their_sum_in_the_log(void **state)
{
	struct fixture *f = *state;
	uint64_t events = 0;
	struct transaction *t;
	struct segment_use use;
	struct error error;
	uint32_t number;

	f->segment_bytes = SMALL_SEGMENT;
	reopen(f);
	while (segments_newest(f->segments) < 3) {
		add_messages(f, 100);
		must_pass(f);
	}
	check_sealed(f);
	t = transaction_begin(f->store, false, &error);
	for (number = 1; number <= 3; number++) {
		static const struct hash none;

		assert_int_equal(segment_use_find(t, number, &use, &error), 1);
		assert_int_equal(
		    use.state, number < 3 ? SEGMENT_FULL : SEGMENT_OPEN);
		assert_int_equal(
		    memcmp(&use.hash, &none, sizeof(none)) != 0, number < 3);
		events += use.state == SEGMENT_FULL;
	}
	transaction_abort(&t);
	assert_int_equal(events, 2);
	reopen(f);
	check_sealed(f);
}

static void
removed_bodies_are_dead_bytes(void **state)
{
	struct fixture *f = *state;
	struct transaction *t;
	struct object object;
	struct error error;
	uint64_t live, dead;

	add_messages(f, 60);
	must_pass(f);
	add_messages(f, 1);
	t = transaction_begin(f->store, true, &error);
	assert_int_equal(object_store_remove(t, 50, &error), 0);
	assert_int_equal(object_store_remove(t, 7, &error), 0);
	assert_int_equal(object_store_remove(t, 61, &error), 0); /* staged */
	assert_int_equal(object_store_remove(t, 7, &error), -1);
	assert_int_equal(object_store_find(t, 7, &object, &error), 0);
	assert_int_equal(transaction_commit(&t, &error), 0);
	assert_int_equal(count_of(f, DB_CHUNK), 0);
	assert_int_equal(count_of(f, DB_HASH), 58);
	sum_use(f, &live, &dead);
	assert_int_equal(dead, size_of(49) + size_of(6));
	assert_int_equal(live + dead, bytes_of_all(f) - size_of(60));
}

/* Removed while the sealer had it in hand. */
static void
body_removed_meanwhile_is_dead(void **state)
{
	struct fixture *f = *state;
	struct transaction *t;
	struct error error;
	uint64_t live, dead;

	add_messages(f, 20);
	f->slices_left = 0;
	assert_int_equal(pass(f, &error), -1);
	reopen(f);
	t = transaction_begin(f->store, true, &error);
	assert_int_equal(object_store_remove(t, 10, &error), 0);
	assert_int_equal(transaction_commit(&t, &error), 0);
	must_pass(f);
	sum_use(f, &live, &dead);
	assert_int_equal(dead, size_of(9));
	assert_int_equal(live, bytes_of_all(f) - size_of(9));
}

static void
account_keys_open_with_the_recovery_key_only(void **state)
{
	struct fixture *f = *state;
	struct key_owner owner = { f->id, 1 }, other = { f->id, 2 };
	struct aead_key key, recovered;
	uint8_t row[ACCOUNT_KEY_ROW], wrong[RECOVERY_KEY_SIZE];
	struct segment_env *env;
	struct text value;
	struct error error;

	add_messages(f, 4);
	must_pass(f);
	env = segments_get(f->segments, 1, &error);
	assert_int_equal(segment_env_key(env, 1, false, row, &error), 1);
	value = text_make(row, sizeof(row));
	assert_int_equal(
	    segments_key(f->segments, 1, 1, false, &key, &error), 1);
	assert_int_equal(
	    account_key_recover(&owner, value, f->recovery, &recovered, &error),
	    0);
	assert_memory_equal(&key, &recovered, sizeof(key));
	assert_int_equal(
	    account_key_recover(&other, value, f->recovery, &recovered, &error),
	    -1);
	memcpy(wrong, f->recovery, sizeof(wrong));
	wrong[5] ^= 1;
	assert_int_equal(
	    account_key_recover(&owner, value, wrong, &recovered, &error), -1);
	/* The accounts have different ones. */
	assert_int_equal(
	    segments_key(f->segments, 1, 2, false, &recovered, &error), 1);
	assert_memory_not_equal(&key, &recovered, sizeof(key));
}

/* A block opens in its own place, for its own account, unaltered, only. */
static void
block_opens_in_its_place_only(void **state)
{
	struct fixture *f = *state;
	struct aead_key key = { { 1 } };
	struct block_at at = { 3, 5, 0 }, elsewhere;
	struct block_head head = { .kind = BLOCK_BODIES, .account = 9 }, read;
	struct store_id other = f->id;
	struct block_seal *seal = block_seal_new();
	uint8_t *value = memory_new(1, SEGMENT_VALUE_SIZE);
	uint8_t to[600], first[BLOCK_SALT_SIZE];
	struct text raw;
	struct error error;
	size_t size, i, n;
	char *body = make_body(0, &n);

	raw = text_make(body, 500);
	for (i = 0; i < 2; i++) {
		assert_int_equal(
		    block_seal_make(seal, &f->id, &at, &key, &head, raw, value,
			SEGMENT_VALUE_SIZE, &size, &error),
		    1);
		/* The same again is not the same bytes. */
		assert_int_equal(
		    i == 0 || memcmp(first, head.salt, sizeof(first)) != 0, 1);
		memcpy(first, head.salt, sizeof(first));
	}
	assert_int_equal(block_head_find(value, 0, 0, &read, &error), 1);
	assert_int_equal(
	    block_seal_open(seal, &f->id, &at, &key, &read, value, to, &error),
	    0);
	assert_memory_equal(to, body, 500);
	elsewhere = at;
	elsewhere.value++;
	assert_int_equal(block_seal_open(seal, &f->id, &elsewhere, &key, &read,
			     value, to, &error),
	    -1);
	other.bytes[0] ^= 1;
	assert_int_equal(
	    block_seal_open(seal, &other, &at, &key, &read, value, to, &error),
	    -1);
	/* No bit may change: of the head, the sums notice it first. */
	for (i = 0; i < size * 8; i += 7) {
		value[i / 8] ^= (uint8_t)(1U << i % 8);
		if (block_head_find(value, 0, 0, &read, &error) == 1)
			assert_int_equal(block_seal_open(seal, &f->id, &at,
					     &key, &read, value, to, &error),
			    -1);
		value[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	block_seal_free(&seal);
	free(value);
	free(body);
}

static void
lost_store_key_comes_back_with_the_recovery_key_only(void **state)
{
	struct fixture *f = *state;
	char path[100], away[110];
	struct error error;

	add_messages(f, 4);
	must_pass(f);
	close_store(f);
	snprintf(path, sizeof(path), "%s/key", f->path);
	snprintf(away, sizeof(away), "%s.away", path);
	assert_int_equal(rename(path, away), 0);
	f->store = store_open(f->path, MAP_BYTES, &error);
	assert_null(segments_open(f->store, f->path, 0, &error));
	assert_int_equal(error.code, ERROR_MISSING);
	assert_int_equal(access(path, F_OK), -1);
	store_close(&f->store);
	/* Another recovery key opens nothing; the right one makes the file. */
	f->recovery[3] ^= 1;
	assert_int_equal(
	    segments_recover_key(f->path, f->recovery, &error), -1);
	f->recovery[3] ^= 1;
	if (segments_recover_key(f->path, f->recovery, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(
	    segments_recover_key(f->path, f->recovery, &error), -1);
	assert_int_equal(error.code, ERROR_EXISTS);
	open_store(f);
	check_sealed(f);
}

/* -- Verification -- */

struct told {
	char first[300];
	bool names_value; /* any of them */
	bool is_missing;
	bool ignores_uses;
	unsigned int ignored;
	unsigned int count;
};

static void
take_finding(void *context, const char *text)
{
	struct told *told = context;

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
static void
verify(struct fixture *f, unsigned int percent, struct told *told,
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

	*told = (struct told){ .ignores_uses = f->has_removed };
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

static void
whole_segments_have_no_findings(void **state)
{
	struct fixture *f = *state;
	struct verify_result result;
	struct told told;

	f->segment_bytes = SMALL_SEGMENT;
	reopen(f);
	while (segments_newest(f->segments) < 3) {
		add_messages(f, 100);
		must_pass(f);
	}
	add_messages(f, 3); /* staged */
	close_store(f);
	verify(f, 100, &told, &result);
	if (told.count > 0)
		fail_msg("%s", told.first);
	assert_int_equal(result.body_bytes, bytes_of_all(f));
	assert_int_equal(result.bodies, f->messages);
	verify(f, 0, &told, &result);
	assert_int_equal(told.count, 0);
	open_store(f);
}

/* What is not found is harmless; what hits a value is named so. */
static void
flipped_bits_in_a_segment_are_named(void **state)
{
	struct fixture *f = *state;
	unsigned int found = 0, named = 0, tried = 0;
	uint64_t sealed;
	struct verify_result result;
	struct told told;
	char path[100];
	struct stat st;
	off_t at;
	int fd;

	add_messages(f, 120);
	must_pass(f);
	close_store(f);
	snprintf(path, sizeof(path), "%s/segment/1/data.mdb", f->path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	for (at = 7; at < st.st_size; at += 9973) {
		uint8_t byte, flipped;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		flipped = byte ^ (uint8_t)(1U << at % 8);
		assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
		verify(f, 100, &told, &result);
		if (told.count == 0) {
			open_store(f);
			check_bodies(f, &sealed);
			close_store(f);
		}
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		tried++;
		found += told.count > 0;
		named += told.names_value;
	}
	close(fd);
	verify(f, 100, &told, &result);
	assert_int_equal(told.count, 0);
	open_store(f);
	print_message(
	    "%u flips, %u found, %u of them in values\n", tried, found, named);
	/* The rest hit pages that hold nothing any more: the last value as it
	 * was before it was gone on with. */
	assert_true(named > tried / 3);
	check_sealed(f);
}

static void
lost_or_foreign_segment_is_told(void **state)
{
	struct fixture *f = *state;
	struct verify_result result;
	struct told told;
	char path[100], away[110];

	add_messages(f, 20);
	must_pass(f);
	close_store(f);
	snprintf(path, sizeof(path), "%s/segment/1", f->path);
	snprintf(away, sizeof(away), "%s/segment/2", f->path);
	assert_int_equal(rename(path, away), 0);
	verify(f, 100, &told, &result);
	assert_true(told.is_missing);
	assert_int_equal(rename(away, path), 0);
	open_store(f);
	check_sealed(f);
}

/* -- An index made anew -- */

/* The hash of each database. */
static void
dump(struct fixture *f, struct hash *hashes)
{
	struct key from = { .size = 0 };
	struct transaction *t;
	struct cursor *cursor;
	struct text key, value;
	struct error error;
	int i;

	t = transaction_begin(f->store, false, &error);
	assert_non_null(t);
	for (i = 0; i < DB_COUNT; i++) {
		digest_start(f->digest);
		cursor = cursor_open(t, (enum database)i, &from, &error);
		while (cursor_next(cursor, &key, &value, &error) == 1) {
			digest_add(f->digest, &key.size, sizeof(key.size));
			digest_add(f->digest, key.data, key.size);
			digest_add(f->digest, &value.size, sizeof(value.size));
			digest_add(f->digest, value.data, value.size);
		}
		cursor_close(&cursor);
		hashes[i] = digest_finish(f->digest);
	}
	transaction_abort(&t);
}

static void
change(struct fixture *f, const struct message *m)
{
	apply_change(f, 1, m);
	commit(f);
}

static void
set_flags(struct fixture *f, uint32_t uid, uint32_t flags)
{
	struct message m = { .type = MESSAGE_change_flags };
	struct flag_record record = { .uid = uid, .flags = flags };
	uint8_t data[64];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	record_put_flags(&w, &record);
	m.change_flags.mailbox = 1;
	m.change_flags.records = text_make(data, w.size);
	change(f, &m);
}

static void
expunge(struct fixture *f, uint32_t uid)
{
	struct message m = { .type = MESSAGE_change_expunge };
	uint8_t data[4] = { (uint8_t)uid };

	m.change_expunge.mailbox = 1;
	m.change_expunge.uids = text_make(data, sizeof(data));
	change(f, &m);
}

/* A bit of everything that leaves rows. */
static void
live_a_little(struct fixture *f, unsigned int round)
{
	struct message m = { .type = MESSAGE_change_create };
	struct error error = { .code = ERROR_NONE };
	static const char *const names[] = { "One", "Two", "Three" };
	uint64_t sequence;

	add_messages(f, 30);
	m.change_create.name = text_of(names[round]);
	change(f, &m);
	m = (struct message){ .type = MESSAGE_change_subscribe };
	m.change_subscribe.name = text_of(names[round]);
	m.change_subscribe.is_subscribed = 1;
	change(f, &m);
	set_flags(f, 1 + round, 3);
	set_flags(f, 1, round);
	expunge(f, 5 + round);
	assert_int_equal(journal_mark(f->journal, 1, 0, TEXT("a"), TEXT("b"),
			     &sequence, &error),
	    STATUS_OK);
	commit(f);
	if (round == 1) {
		m = (struct message){ .type = MESSAGE_change_rename };
		m.change_rename.mailbox = 3;
		m.change_rename.name = TEXT("Renamed");
		change(f, &m);
	}
	if (round == 2) {
		m = (struct message){ .type = MESSAGE_change_retire };
		m.change_retire.mailbox = 4;
		change(f, &m);
	}
}

/* File one of those that were accepted. */
static void
file_unfiled(struct fixture *f, unsigned int n)
{
	struct message m = { .type = MESSAGE_change_file };

	memcpy(m.change_file.delivery.bytes, &n, sizeof(n));
	m.change_file.mailbox = 1 + n % 2;
	apply_change(f, 1 + n % 2, &m);
	commit(f);
}

static void
rebuild(struct fixture *f, struct rebuild_result *result)
{
	struct error error;

	memset(result, 0, sizeof(*result));
	if (rebuild_index(f->path, MAP_BYTES, result, &error) != 0)
		fail_msg("%s", error.text);
}

static void
rebuilt_index_equals_the_lost_one(void **state)
{
	struct fixture *f = *state;
	struct hash before[DB_COUNT], after[DB_COUNT];
	struct verify_result verified;
	struct rebuild_result result;
	struct told told;
	unsigned int round;
	int i;

	f->segment_bytes = SMALL_SEGMENT;
	reopen(f);
	for (round = 0; round < 3; round++) {
		live_a_little(f, round);
		if (round == 1)
			file_unfiled(f, 9);
		must_pass(f);
	}
	while (segments_newest(f->segments) < 2) {
		add_messages(f, 100);
		must_pass(f);
	}
	must_pass(f); /* the event of the full segment */
	dump(f, before);
	close_store(f);
	rebuild(f, &result);
	assert_int_equal(result.damaged, 0);
	assert_string_equal(result.kept, "index.before-rebuild-1");
	assert_memory_equal(&result.store, &f->id, sizeof(f->id));
	open_store(f);
	dump(f, after);
	for (i = 0; i < DB_COUNT; i++)
		if (i != DB_REPLY &&
		    memcmp(&before[i], &after[i], sizeof(before[i])) != 0)
			fail_msg("%s differs", database_name((enum database)i));
	check_sealed(f);
	close_store(f);
	verify(f, 100, &told, &verified);
	if (told.count > 0)
		fail_msg("%s", told.first);
	open_store(f);
}

static void
copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char part[65536];
	ssize_t got;

	assert_true(in != -1 && out != -1);
	while ((got = read(in, part, sizeof(part))) > 0)
		assert_int_equal(write(out, part, (size_t)got), got);
	close(in);
	close(out);
}

static void
promise(struct fixture *f)
{
	const struct retention policy = { .minimum_s = 1 };
	enum ratchet_change change;
	struct error error = { .code = ERROR_NONE };

	assert_int_equal(journal_set_policy(f->journal, &policy,
			     text_make(NULL, 0), &change, &error),
	    STATUS_OK);
	commit(f);
}

/* Three years pass, and what nobody was promised any more goes. */
static void
expire_all(struct fixture *f)
{
	struct expire *expire = expire_new();
	struct error error = { .code = ERROR_NONE };
	int64_t wall_us = clock_wall_us(), raw_us = clock_raw_us(), i;
	bool has_more = true;

	for (i = 0; i < 3 * 365 * 86400 / 500; i++) {
		wall_us += INT64_C(500000000);
		raw_us += INT64_C(500000000);
		journal_set_clock(f->journal, wall_us, raw_us);
	}
	while (has_more) {
		assert_int_equal(
		    expire_step(expire, f->journal, &has_more, &error),
		    STATUS_OK);
		commit(f);
	}
	assert_true(expire_counts(expire)->bodies > 0);
	expire_free(&expire);
}

static void
what_was_forgotten_stays_forgotten_in_a_rebuilt_index(void **state)
{
	struct fixture *f = *state;
	struct hash before[DB_COUNT], after[DB_COUNT];
	struct verify_result verified;
	struct rebuild_result result;
	struct told told;
	int i;

	promise(f);
	live_a_little(f, 0);
	must_pass(f);
	live_a_little(f, 1);
	must_pass(f);
	expire_all(f);
	assert_true(count_of(f, DB_FORGOTTEN) > 0);
	must_pass(f);
	dump(f, before);
	close_store(f);
	verify(f, 100, &told, &verified);
	if (told.count > 0)
		fail_msg("%s", told.first);
	rebuild(f, &result);
	open_store(f);
	dump(f, after);
	for (i = 0; i < DB_COUNT; i++)
		/* Where deliveries went is known longer than before. */
		if (i != DB_REPLY && i != DB_DELIVERY &&
		    memcmp(&before[i], &after[i], sizeof(before[i])) != 0)
			fail_msg("%s differs", database_name((enum database)i));
	close_store(f);
	verify(f, 100, &told, &verified);
	if (told.count > 0)
		fail_msg("%s", told.first);
	open_store(f);
}

/* What came after the last pass is not in it, and all that was is whole. */
static void
rebuild_gives_the_last_complete_pass(void **state)
{
	struct fixture *f = *state;
	struct hash before[DB_COUNT], after[DB_COUNT];
	struct verify_result verified;
	struct rebuild_result result;
	struct error error;
	struct told told;
	int i;

	live_a_little(f, 0);
	must_pass(f);
	dump(f, before);
	live_a_little(f, 1);
	/* Bodies are written, rows are not. */
	f->slices_left = 0;
	assert_int_equal(pass(f, &error), -1);
	close_store(f);
	rebuild(f, &result);
	open_store(f);
	dump(f, after);
	for (i = 0; i < DB_COUNT; i++)
		if (i != DB_REPLY && i != DB_SEGMENT_USE &&
		    memcmp(&before[i], &after[i], sizeof(before[i])) != 0)
			fail_msg("%s differs", database_name((enum database)i));
	close_store(f);
	verify(f, 100, &told, &verified);
	if (told.count > 0)
		fail_msg("%s", told.first);
	open_store(f);
}

/* The index of yesterday, and segments of today: what the lost day wrote does
 * not mix with what followed. */
static void
store_that_was_put_back_is_rebuilt_as_it_went_on(void **state)
{
	struct fixture *f = *state;
	struct hash before[DB_COUNT], after[DB_COUNT];
	struct error error = { .code = ERROR_NONE };
	struct verify_result verified;
	struct rebuild_result result;
	char kept[80], path[100];
	struct told told;
	int i;

	live_a_little(f, 0);
	must_pass(f);
	close_store(f);
	snprintf(path, sizeof(path), "%s/index/data.mdb", f->path);
	snprintf(kept, sizeof(kept), "%s/kept", f->path);
	copy_file(path, kept);
	open_store(f);
	live_a_little(f, 1);
	must_pass(f);
	close_store(f);
	copy_file(kept, path);
	open_store(f);
	assert_int_equal(
	    journal_leap(f->journal, 0, true, "put back", &error), STATUS_OK);
	commit(f);
	f->counter = 1000;
	f->messages += 1000; /* other deliveries than those of the lost day */
	add_messages(f, 10);
	set_flags(f, 2, 7);
	must_pass(f);
	dump(f, before);
	close_store(f);
	rebuild(f, &result);
	assert_int_equal(result.damaged, 0);
	open_store(f);
	dump(f, after);
	for (i = 0; i < DB_COUNT; i++)
		if (i != DB_REPLY && i != DB_SEGMENT_USE &&
		    memcmp(&before[i], &after[i], sizeof(before[i])) != 0)
			fail_msg("%s differs", database_name((enum database)i));
	close_store(f);
	verify(f, 100, &told, &verified);
	if (told.count > 0)
		fail_msg("%s", told.first);
	open_store(f);
}

static void
rebuild_is_refused_while_the_store_is_open(void **state)
{
	struct fixture *f = *state;
	struct rebuild_result result = { .rows = 0 };
	struct error error;

	assert_int_equal(
	    rebuild_index(f->path, MAP_BYTES, &result, &error), -1);
	assert_int_equal(error.code, ERROR_MISSING); /* nothing is sealed */
	add_messages(f, 3);
	must_pass(f);
	assert_int_equal(
	    rebuild_index(f->path, MAP_BYTES, &result, &error), -1);
	assert_int_equal(error.code, ERROR_BUSY);
}

/* -- The collector -- */

/* Bodies but each third go away, as expiry would do it. */
static void
remove_most(struct fixture *f, unsigned int end)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, true, &error);
	unsigned int n;

	f->has_removed = true;
	for (n = 1; n <= end; n++)
		if (n % 3 != 0)
			assert_int_equal(object_store_remove(t, n, &error), 0);
	assert_int_equal(transaction_commit(&t, &error), 0);
}

/* The third that is left reads as before. */
static void
check_left(struct fixture *f, unsigned int end)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	struct object object;
	unsigned int n;

	for (n = 1; n <= f->messages; n++) {
		size_t size;
		char *body = make_body(n - 1, &size);
		uint8_t *read = memory_new(1, size);
		bool is_left = n > end || n % 3 == 0;

		assert_int_equal(
		    object_store_find(t, n, &object, &error), is_left);
		if (is_left) {
			if (object_store_read(
				t, f->digest, &object, read, &error) != 0)
				fail_msg("%u: %s", n, error.text);
			assert_memory_equal(read, body, size);
		}
		free(read);
		free(body);
	}
	transaction_abort(&t);
}

static uint8_t
state_of(struct fixture *f, uint32_t segment)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	struct segment_use use;

	assert_true(segment_use_find(t, segment, &use, &error) >= 0);
	transaction_abort(&t);
	return use.state;
}

static unsigned int
fill_segments(struct fixture *f, uint32_t count)
{
	f->segment_bytes = SMALL_SEGMENT;
	reopen(f);
	while (segments_newest(f->segments) < count) {
		add_messages(f, 100);
		must_pass(f);
	}
	must_pass(f);
	return f->messages;
}

static void
segment_under_half_alive_is_emptied_and_dropped(void **state)
{
	struct fixture *f = *state;
	struct hash before[DB_COUNT], after[DB_COUNT];
	struct rebuild_result result;
	struct verify_result verified;
	struct told told;
	char path[100];
	unsigned int all = fill_segments(f, 3);
	int i;

	remove_most(f, all);
	assert_int_equal(state_of(f, 1), SEGMENT_FULL);
	must_pass(f);
	assert_int_equal(state_of(f, 1), SEGMENT_DROPPED);
	assert_int_equal(state_of(f, 2), SEGMENT_FULL);
	check_left(f, all);
	must_pass(f);
	assert_int_equal(state_of(f, 2), SEGMENT_DROPPED);
	must_pass(f); /* the events of that */
	check_left(f, all);
	/* Files go away at the latest when it is opened again. */
	reopen(f);
	snprintf(path, sizeof(path), "%s/segment/1", f->path);
	assert_int_equal(access(path, F_OK), -1);
	check_left(f, all);
	dump(f, before);
	close_store(f);
	verify(f, 100, &told, &verified);
	if (told.count > 0)
		fail_msg("%s", told.first);
	/* Rows that the dropped ones carried went along. Bodies whose rows are
	 * still there come back as long as a segment has them. */
	rebuild(f, &result);
	open_store(f);
	dump(f, after);
	for (i = 0; i < DB_COUNT; i++)
		if (i != DB_REPLY && i != DB_SEGMENT_USE && i != DB_BLOB &&
		    i != DB_HASH &&
		    memcmp(&before[i], &after[i], sizeof(before[i])) != 0)
			fail_msg("%s differs", database_name((enum database)i));
}

static void
cut_while_collecting_loses_nothing(void **state)
{
	struct fixture *f = *state;
	unsigned int all = fill_segments(f, 2);
	struct error error;
	int cut;

	remove_most(f, all);
	for (cut = 0; cut < 1000; cut += 1 + cut / 2) {
		f->slices_left = cut;
		f->budget_us = 0;
		if (pass(f, &error) == 0)
			break;
		reopen(f);
		check_left(f, all);
	}
	assert_true(cut > 10);
	assert_int_equal(state_of(f, 1), SEGMENT_DROPPED);
	reopen(f);
	check_left(f, all);
}

static void
damaged_segment_is_not_dropped(void **state)
{
	struct fixture *f = *state;
	unsigned int all = fill_segments(f, 2);
	char path[100], byte;
	off_t middle;
	int fd;

	remove_most(f, all);
	close_store(f);
	snprintf(path, sizeof(path), "%s/segment/1/data.mdb", f->path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	middle = lseek(fd, 0, SEEK_END) / 2;
	assert_int_equal(pread(fd, &byte, 1, middle), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, middle), 1);
	close(fd);
	open_store(f);
	add_messages(f, 3);
	must_pass(f);
	assert_int_equal(state_of(f, 1), SEGMENT_FULL);
	assert_int_equal(count_of(f, DB_CHUNK), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sealed_bodies_read_as_before),
		TEST(pass_without_news_writes_nothing),
		TEST(cut_after_any_step_loses_and_doubles_nothing),
		TEST(full_disk_leaves_mail_staged),
		TEST(no_commit_begins_without_its_blocks),
		TEST(an_index_without_room_is_no_failed_disk),
		TEST(failed_disk_is_no_full_disk),
		TEST(full_segments_have_their_sum_in_the_log),
		TEST(removed_bodies_are_dead_bytes),
		TEST(body_removed_meanwhile_is_dead),
		TEST(account_keys_open_with_the_recovery_key_only),
		TEST(block_opens_in_its_place_only),
		TEST(lost_store_key_comes_back_with_the_recovery_key_only),
		TEST(whole_segments_have_no_findings),
		TEST(flipped_bits_in_a_segment_are_named),
		TEST(lost_or_foreign_segment_is_told),
		TEST(segment_under_half_alive_is_emptied_and_dropped),
		TEST(cut_while_collecting_loses_nothing),
		TEST(damaged_segment_is_not_dropped),
		TEST(rebuilt_index_equals_the_lost_one),
		TEST(rebuild_gives_the_last_complete_pass),
		TEST(what_was_forgotten_stays_forgotten_in_a_rebuilt_index),
		TEST(store_that_was_put_back_is_rebuilt_as_it_went_on),
		TEST(rebuild_is_refused_while_the_store_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
