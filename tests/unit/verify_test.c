/*
 * Damage to a real store, byte by byte: each is found, or the store still lists
 * the same.  The store is built by snapd's own writer; its listing is made in a
 * child, because LMDB may crash on what the verifier must survive.
 */
#include "common/clock.h"
#include "common/file.h"
#include "common/control_record.h"
#include "common/memory.h"
#include "snapd/batch.h"
#include "snapd/verify.h"
#include "tests/unit/scratch_store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	MESSAGES = 90,
	MAP_BYTES = 64 << 20,
	FLIPS = 700,
	PAGE = 4096
};

struct fixture {
	char path[64];
	char data_path[96];
	struct store *store;
	struct journal *journal;
	struct digest *digest;
	uint64_t counter;
	uint8_t *bytes; /* the whole file */
	size_t size;
	struct hash listing;
	int fd;
	char last[300]; /* finding */
};

static uint64_t random_state;

static uint64_t
random_next(void)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1;
	return random_state >> 20;
}

/* -- A store with everything in it -- */

static void
commit(struct fixture *f)
{
	struct error error = { .code = ERROR_NONE };

	assert_int_equal(journal_commit(f->journal, &error), STATUS_OK);
	journal_set_clock(
	    f->journal, f->journal->now_us + 700000000, clock_raw_us());
}

static void
apply(struct fixture *f, const struct message *change)
{
	struct batch *batch = batch_new(++f->counter);
	struct batch_reply reply;

	assert_int_equal(batch_add(batch, change, NULL, 0), 0);
	batch_apply(batch, f->journal, 1, &reply);
	assert_int_equal(reply.status, STATUS_OK);
	buf_clear(&reply.results);
	batch_free(&batch);
}

static void
append(struct fixture *f, unsigned int n, char *body, size_t size)
{
	struct message m = { .type = MESSAGE_change_append };

	memset(body, 'a' + (int)(n % 26), size);
	memcpy(body, &n, sizeof(n));
	memcpy(m.change_append.delivery.bytes, &n, sizeof(n));
	m.change_append.mailbox = 1;
	m.change_append.data = text_make(body, size);
	m.change_append.size = size;
	apply(f, &m);
}

static void
set_flags(struct fixture *f, uint32_t uid)
{
	struct message m = { .type = MESSAGE_change_flags };
	struct flag_record record = { .uid = uid, .flags = 1 };
	uint8_t data[64];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	record_put_flags(&w, &record);
	m.change_flags.mailbox = 1;
	m.change_flags.records = text_make(data, w.size);
	apply(f, &m);
}

static void
expunge(struct fixture *f, uint32_t uid)
{
	struct message m = { .type = MESSAGE_change_expunge };
	uint8_t data[4] = { (uint8_t)uid };

	m.change_expunge.mailbox = 1;
	m.change_expunge.uids = text_make(data, sizeof(data));
	apply(f, &m);
}

static void
rename_new(struct fixture *f)
{
	struct message m = { .type = MESSAGE_change_create };

	m.change_create.name = TEXT("Old");
	apply(f, &m);
	commit(f);
	m = (struct message){ .type = MESSAGE_change_rename };
	m.change_rename.mailbox = 3;
	m.change_rename.name = TEXT("New");
	apply(f, &m);
	commit(f);
}

static void
accept_one(struct fixture *f)
{
	struct recipient_record recipient = { 2, TEXT("b@demo.test") };
	struct error error = { .code = ERROR_NONE };
	struct delivery_id delivery = { { 200 } };
	uint8_t data[400];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	record_put_recipient(&w, &recipient);
	assert_int_equal(
	    journal_accept(f->journal, &delivery, 0, 1, TEXT("s@example.org"),
		text_make(data, w.size), TEXT("Subject: x\n\nx\n"), &error),
	    STATUS_OK);
	commit(f);
}

static void
fill(struct fixture *f)
{
	struct error error = { .code = ERROR_NONE };
	static char body[12000];
	uint64_t sequence;
	unsigned int n;

	for (n = 1; n <= 2; n++)
		assert_int_equal(journal_create_account(f->journal, n,
				     TEXT("a@demo.test"), &error),
		    STATUS_OK);
	commit(f);
	for (n = 1; n <= MESSAGES; n++) {
		append(f, n, body, 20 + n * 97 % sizeof(body));
		if (n % 3 == 0)
			set_flags(f, n);
		if (n % 4 == 0)
			expunge(f, n - 1);
		if (n % 8 != 0)
			commit(f);
	}
	rename_new(f);
	accept_one(f);
	assert_int_equal(journal_mark(f->journal, SNAPSHOT_NAMED, 1,
			     TEXT("mark"), TEXT("why"), &sequence, &error),
	    STATUS_OK);
	commit(f);
}

static void
open_journal(struct fixture *f)
{
	struct error error;

	f->store = store_open(f->path, MAP_BYTES, &error);
	if (f->store == NULL)
		fail_msg("%s", error.text);
	f->journal = journal_new(f->store, &error);
	if (f->journal == NULL)
		fail_msg("%s", error.text);
	journal_set_clock(f->journal, INT64_C(1700000000000000), 1);
}

static void
close_journal(struct fixture *f)
{
	journal_free(&f->journal);
	store_close(&f->store);
}

static void
read_file(struct fixture *f)
{
	struct stat status;

	assert_int_equal(fstat(f->fd, &status), 0);
	free(f->bytes);
	f->size = (size_t)status.st_size;
	f->bytes = memory_new(1, f->size);
	assert_int_equal(pread(f->fd, f->bytes, f->size, 0), f->size);
}

/* Puts the file back as it was. */
static void
restore(struct fixture *f)
{
	assert_int_equal(pwrite(f->fd, f->bytes, f->size, 0), f->size);
	assert_int_equal(ftruncate(f->fd, (off_t)f->size), 0);
}

/* -- What snapd would list -- */

static int
list_database(struct transaction *t, struct digest *digest,
    enum database database, struct error *error)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	cursor = cursor_open(t, database, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1) {
		digest_add(digest, key.data, key.size);
		digest_add(digest, value.data, value.size);
	}
	cursor_close(&cursor);
	return got;
}

/* SHA-256 over every row and chunk, through LMDB: in a child. */
static int
list_store(struct fixture *f, struct hash *hash)
{
	struct digest *digest = digest_new();
	struct transaction *t = NULL;
	struct error error;
	struct store *store;
	int i, result = 0;

	store = store_open(f->path, MAP_BYTES, &error);
	if (store != NULL)
		t = transaction_begin(store, false, &error);
	if (t == NULL)
		return -1;
	digest_start(digest);
	for (i = 0; i < DB_COUNT && result == 0; i++)
		result = list_database(t, digest, (enum database)i, &error);
	*hash = digest_finish(digest);
	return result;
}

static int
list_in_child(struct fixture *f, struct hash *hash)
{
	int ends[2], status, got;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		struct hash listed;

		alarm(60);
		if (list_store(f, &listed) == 0 &&
		    write(ends[1], &listed, sizeof(listed)) ==
			(ssize_t)sizeof(listed))
			_exit(0);
		_exit(1);
	}
	close(ends[1]);
	got = (int)read(ends[0], hash, sizeof(*hash));
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return got == (int)sizeof(*hash) && status == 0 ? 0 : -1;
}

/* -- Verifying -- */

static void
take_finding(void *context, const char *text)
{
	struct fixture *f = context;

	if (f->last[0] == '\0')
		snprintf(f->last, sizeof(f->last), "%s", text);
}

static int
verify(struct fixture *f, enum verify_depth depth, struct verify_result *result)
{
	struct verify_options options = { .depth = depth,
		.percent = 100,
		.findings = { take_finding, f, 0 } };
	int fd = open(f->data_path, O_RDONLY | O_CLOEXEC);
	int status;

	f->last[0] = '\0';
	status = verify_run(fd, &options, result);
	close(fd);
	return status;
}

static bool
is_found(struct fixture *f)
{
	struct verify_result result;

	return verify(f, VERIFY_ALL, &result) != 0;
}

/* Found, or nothing that snapd lists has changed. */
static bool
is_found_or_harmless(struct fixture *f, unsigned int *found)
{
	struct hash hash;

	if (is_found(f)) {
		(*found)++;
		return true;
	}
	return list_in_child(f, &hash) == 0 &&
	       memcmp(&hash, &f->listing, sizeof(hash)) == 0;
}

static int
set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));
	struct store_id id;

	scratch_store_make(f->path, "verify_test", &id);
	f->digest = digest_new();
	snprintf(
	    f->data_path, sizeof(f->data_path), "%s/index/data.mdb", f->path);
	open_journal(f);
	fill(f);
	close_journal(f);
	f->fd = open(f->data_path, O_RDWR | O_CLOEXEC);
	read_file(f);
	assert_int_equal(list_in_child(f, &f->listing), 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	scratch_remove(f->path);
	digest_free(&f->digest);
	free(f->bytes);
	free(f);
	return 0;
}

/* -- The tests -- */

static void
whole_store_has_no_findings(void **state)
{
	struct fixture *f = *state;
	struct verify_result result;

	if (verify(f, VERIFY_ALL, &result) != 0)
		fail_msg("%s", f->last);
	assert_int_equal(result.lost_pages, 0);
	assert_int_equal(result.bodies, MESSAGES + 1);
	assert_true(result.heads >= 10);
	assert_true(result.events > MESSAGES);
	assert_true(result.body_bytes > 0);
	if (verify(f, VERIFY_CHEAP, &result) != 0)
		fail_msg("%s", f->last);
}

static void
flip(struct fixture *f, size_t offset, unsigned int bit)
{
	uint8_t byte = f->bytes[offset] ^ (uint8_t)(1U << bit);

	assert_int_equal(pwrite(f->fd, &byte, 1, (off_t)offset), 1);
}

static void
unflip(struct fixture *f, size_t offset)
{
	assert_int_equal(pwrite(f->fd, f->bytes + offset, 1, (off_t)offset), 1);
}

static void
flipped_bits_anywhere_are_found_or_harmless(void **state)
{
	struct fixture *f = *state;
	unsigned int i, found = 0;

	random_state = 1;
	for (i = 0; i < FLIPS; i++) {
		size_t offset = random_next() % f->size;
		unsigned int bit = (unsigned int)random_next() % 8;

		flip(f, offset, bit);
		if (!is_found_or_harmless(f, &found))
			fail_msg("byte %zu of page %zu, bit %u is not found",
			    offset % PAGE, offset / PAGE, bit);
		unflip(f, offset);
	}
	/* The rest hit free pages and unused bytes. */
	assert_true(found > FLIPS / 4);
	print_message("%u of %d found\n", found, FLIPS);
}

static void
flipped_bits_in_page_heads_are_found_or_harmless(void **state)
{
	struct fixture *f = *state;
	unsigned int i, found = 0;

	random_state = 2;
	for (i = 0; i < FLIPS; i++) {
		size_t page = random_next() % (f->size / PAGE);
		size_t offset = page * PAGE + random_next() % 48;
		unsigned int bit = (unsigned int)random_next() % 8;

		flip(f, offset, bit);
		if (!is_found_or_harmless(f, &found))
			fail_msg("byte %zu of page %zu, bit %u is not found",
			    offset % PAGE, page, bit);
		unflip(f, offset);
	}
	assert_true(found > FLIPS / 4);
	print_message("%u of %d found\n", found, FLIPS);
}

static void
bits_of_each_byte_of_the_meta_pages_is_found_or_harmless(void **state)
{
	struct fixture *f = *state;
	size_t offset;
	unsigned int found = 0;

	for (offset = 0; offset < 2 * PAGE_META_SIZE * 8; offset += 3) {
		size_t at = offset / 8 % PAGE_META_SIZE +
			    offset / 8 / PAGE_META_SIZE * PAGE;

		flip(f, at, (unsigned int)offset % 8);
		if (!is_found_or_harmless(f, &found))
			fail_msg("byte %zu of a meta page is not found", at);
		unflip(f, at);
	}
	assert_true(found > 150);
}

static void
truncated_files_are_found_or_harmless(void **state)
{
	struct fixture *f = *state;
	size_t pages = f->size / PAGE, page;
	unsigned int found = 0;

	for (page = 0; page < pages; page++) {
		assert_int_equal(ftruncate(f->fd, (off_t)(page * PAGE)), 0);
		if (!is_found_or_harmless(f, &found))
			fail_msg("%zu pages of %zu are enough", page, pages);
		restore(f);
	}
	assert_true(found > pages / 2);
}

static void
garbage_is_found(void **state)
{
	static const size_t sizes[] = { 0, 1, 151, 152, 4095, 4096, 4097, 8192,
		70000 };
	struct fixture *f = *state;
	uint8_t *noise = memory_new(1, f->size);
	size_t i, j;

	random_state = 3;
	for (i = 0; i < f->size; i++)
		noise[i] = (uint8_t)random_next();
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (j = 0; j < 3; j++) {
			/* j: so many meta pages are real. */
			assert_int_equal(
			    pwrite(f->fd, noise, sizes[i], 0), sizes[i]);
			assert_int_equal(ftruncate(f->fd, (off_t)sizes[i]), 0);
			if (sizes[i] >= j * PAGE)
				assert_int_equal(
				    pwrite(f->fd, f->bytes, j * PAGE, 0),
				    j * PAGE);
			assert_true(is_found(f));
		}
	restore(f);
	assert_false(is_found(f));
	free(noise);
}

static size_t
newest_meta(const struct fixture *f)
{
	return memcmp(f->bytes + 144, f->bytes + PAGE + 144, 1) > 0 ? 0 : 1;
}

static void
older_meta_page_in_the_place_of_the_newest_is_found(void **state)
{
	struct fixture *f = *state;
	size_t newest = newest_meta(f);
	uint8_t old[PAGE];
	uint64_t transaction;

	/* As if the last write of the meta page had been lost. */
	memcpy(old, f->bytes + newest * PAGE, PAGE);
	memcpy(&transaction, old + 144, 8);
	transaction -= 2;
	memcpy(old + 144, &transaction, 8);
	assert_int_equal(
	    pwrite(f->fd, old, PAGE, (off_t)(newest * PAGE)), PAGE);
	assert_true(is_found(f));
	restore(f);
	/* The older one says that it is the newer one. */
	memcpy(old, f->bytes + (1 - newest) * PAGE, PAGE);
	memcpy(&transaction, old + 144, 8);
	transaction += 2;
	memcpy(old + 144, &transaction, 8);
	assert_int_equal(
	    pwrite(f->fd, old, PAGE, (off_t)((1 - newest) * PAGE)), PAGE);
	assert_true(is_found(f));
	assert_non_null(strstr(f->last, "later state"));
	restore(f);
}

/* Writes a row as snapd does, with its sum: only who knows the form can. */
static void
forge(struct fixture *f, enum database database, size_t offset)
{
	struct key from = { .size = 0 }, first = { .size = 0 };
	struct text key, value;
	struct transaction *t;
	struct cursor *cursor;
	uint8_t forged[2000];
	struct error error;

	f->store = store_open(f->path, MAP_BYTES, &error);
	t = transaction_begin(f->store, true, &error);
	cursor = cursor_open(t, database, &from, &error);
	assert_int_equal(cursor_next(cursor, &key, &value, &error), 1);
	memcpy(forged, value.data, value.size);
	forged[offset] ^= 1;
	key_put_raw(&first, key.data, key.size);
	cursor_close(&cursor);
	assert_int_equal(store_put(t, database, &first,
			     text_make(forged, value.size), &error),
	    0);
	assert_int_equal(transaction_commit(&t, &error), 0);
	store_close(&f->store);
}

static void
forged_rows_with_right_sums_are_found(void **state)
{
	static const struct {
		enum database database;
		size_t offset;
		const char *finding;
	} rows[] = {
		{ DB_LIVE, 40, "tells of another row" },
		{ DB_DEAD, 50, "tells of another row" },
		{ DB_DEAD, 0, "tells of another row" },
		{ DB_MAILBOX, 24, "tells of another row" },
		{ DB_MAILBOX_OLD, 24, "tells of another row" },
		{ DB_ACCOUNT_LOG, 2, "differ" },
		{ DB_LOG, 2, "another root" },
		{ DB_HEAD, 100, "signature" },
		{ DB_HEAD, 1, "signature" },
		{ DB_BLOB, 5, "not whole" },
		{ DB_CHUNK, 5, "hash" },
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		forge(f, rows[i].database, rows[i].offset);
		assert_true(is_found(f));
		if (strstr(f->last, rows[i].finding) == NULL)
			fail_msg("%s: %s", rows[i].finding, f->last);
		restore(f);
	}
	assert_false(is_found(f));
}

/* While one reads, others write: what the reader holds stays as it was. */
static void
store_that_is_written_is_verified_as_of_a_transaction(void **state)
{
	struct fixture *f = *state;
	struct verify_options options = { .depth = VERIFY_ALL,
		.percent = 100,
		.findings = { take_finding, f, 0 } };
	struct verify_result before, result;
	struct transaction *held;
	uint8_t meta[PAGE_META_SIZE], other[PAGE_META_SIZE];
	static char body[9000];
	struct error error;
	unsigned int n;

	assert_int_equal(verify(f, VERIFY_ALL, &before), 0);
	open_journal(f);
	held = transaction_begin(f->store, false, &error);
	assert_int_equal(
	    transaction_read_meta(held, meta, sizeof(meta), &error), 0);
	for (n = 1000; n < 1030; n++) {
		append(f, n, body, sizeof(body));
		commit(f);
	}
	/* Two commits later the meta page is another's. */
	assert_int_equal(
	    transaction_read_meta(held, other, sizeof(other), &error), -1);
	options.meta = meta;
	if (verify_run(f->fd, &options, &result) != 0)
		fail_msg("%s", f->last);
	assert_int_equal(result.events, before.events);
	assert_memory_equal(&result.root, &before.root, 32);
	transaction_abort(&held);
	close_journal(f);
	assert_int_equal(verify(f, VERIFY_ALL, &result), 0);
	assert_int_equal(result.events, before.events + 30);
	restore(f);
}

static void
heads_are_signed_by_their_key_only(void **state)
{
	struct head head = { .events = 7 }, decoded;
	struct store_id store = { { 1 } }, other = { { 2 } };
	struct head_key key, foreign;
	uint8_t data[HEAD_SIZE] = { 0 };
	struct text value = text_make(data, sizeof(data));
	struct error error;

	assert_int_equal(head_key_make(&key, &error), 0);
	assert_int_equal(head_key_make(&foreign, &error), 0);
	assert_int_equal(head_sign(&head, &key, &store, data, &error), 0);
	assert_int_equal(head_decode(value, &decoded, &error), 0);
	assert_int_equal(decoded.events, 7);
	assert_int_equal(head_check(value, key.public_key, &store, &error), 0);
	assert_int_equal(
	    head_check(value, foreign.public_key, &store, &error), -1);
	assert_int_equal(head_check(value, key.public_key, &other, &error), -1);
	data[25]++;
	assert_int_equal(head_check(value, key.public_key, &store, &error), -1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_store_has_no_findings),
		cmocka_unit_test(flipped_bits_anywhere_are_found_or_harmless),
		cmocka_unit_test(
		    flipped_bits_in_page_heads_are_found_or_harmless),
		cmocka_unit_test(
		    bits_of_each_byte_of_the_meta_pages_is_found_or_harmless),
		cmocka_unit_test(truncated_files_are_found_or_harmless),
		cmocka_unit_test(garbage_is_found),
		cmocka_unit_test(
		    older_meta_page_in_the_place_of_the_newest_is_found),
		cmocka_unit_test(forged_rows_with_right_sums_are_found),
		cmocka_unit_test(
		    store_that_is_written_is_verified_as_of_a_transaction),
		cmocka_unit_test(heads_are_signed_by_their_key_only),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
