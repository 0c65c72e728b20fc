/*
 * Account 0: the service's own files are kept when they changed, secrets in a
 * form that the recovery key alone opens, and nobody else has a way to them.
 */
#include "common/file.h"
#include "common/sealed_secret.h"
#include "snapd/rebuild.h"
#include "snapd/service_files.h"
#include "tests/unit/sealed.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static const char hash_line[] = "a@demo.test:{BLF-CRYPT}$2y$05$hashhashhash";

struct told {
	const char *name;
	const char *bytes; /* NULL: it could not be read */
	bool is_secret;
};

#define PLAIN(name, bytes)         \
	{                          \
		name, bytes, false \
	}
#define SECRET(name, bytes)       \
	{                         \
		name, bytes, true \
	}

static enum status
keep(struct sealed *f, const struct told *list, size_t count,
    const uint8_t *recovery)
{
	struct service_files *files = service_files_new();
	struct error error = { .code = ERROR_NONE };
	enum status status;

	for (size_t i = 0; i < count; i++) {
		struct message_service_file file = { .name =
							 text_of(list[i].name),
			.is_secret = list[i].is_secret,
			.time = 1000 };
		int fd = list[i].bytes == NULL
			     ? -1
			     : file_sealed_memory("file", list[i].bytes,
				   strlen(list[i].bytes), &error);

		service_files_add(files, &file, fd);
	}
	status = service_files_keep(files, f->journal, recovery, &error);
	service_files_free(&files);
	if (status == STATUS_OK)
		sealed_commit(f);
	return status;
}

#define KEEP(f, list)                                                    \
	assert_int_equal(keep((f), (list), sizeof(list) / sizeof(*list), \
			     segments_options((f)->segments)->recovery), \
	    STATUS_OK)

/* The version of the file that is live: its UID, 0 if there is none, and its
 * bytes. */
static uint32_t
read_live(struct sealed *f, const char *name, struct buf *to)
{
	struct error error = { .code = ERROR_NONE };
	struct transaction *t = transaction_begin(f->store, false, &error);
	struct key key, from = { .size = 0 };
	struct text found, value, part;
	struct message_row row = { .record = { .uid = 0 } };
	struct object object;
	struct cursor *cursor;
	uint64_t mailbox;

	buf_init(to, 1 << 20);
	journal_name_key(f->journal, &key, ACCOUNT_SERVICE, text_of(name));
	if (store_get(t, DB_NAME, &key, &value, &error) != 1) {
		transaction_abort(&t);
		return 0;
	}
	mailbox = key_u64_at(text_skip(value, 1), 0);
	key_put_u64(&from, mailbox);
	cursor = cursor_open(t, DB_LIVE, &from, &error);
	if (cursor_next(cursor, &found, &value, &error) == 1 &&
	    key_u64_at(found, 0) == mailbox) {
		assert_int_equal(
		    row_decode_live(found, value, &row, &error), 0);
		assert_int_equal(
		    object_store_find(t, row.record.blob, &object, &error), 1);
		while (
		    object_store_part(t, &object, to->size, &part, &error) == 1)
			assert_int_equal(buf_put(to, part.data, part.size), 0);
	}
	cursor_close(&cursor);
	transaction_abort(&t);
	return row.record.uid;
}

static void
must_be(struct sealed *f, const char *name, uint32_t uid, const char *bytes)
{
	struct buf is;

	assert_int_equal(read_live(f, name, &is), uid);
	assert_int_equal(is.size, strlen(bytes));
	if (is.size > 0)
		assert_memory_equal(is.data, bytes, is.size);
	buf_clear(&is);
}

static void
must_open_to(
    struct sealed *f, const char *name, uint32_t uid, const char *bytes)
{
	struct buf sealed, secret;
	struct error error;

	assert_int_equal(read_live(f, name, &sealed), uid);
	buf_init(&secret, 1 << 20);
	if (sealed_secret_open(text_make(sealed.data, sealed.size),
		text_of(name), f->recovery, &secret, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(secret.size, strlen(bytes));
	assert_memory_equal(secret.data, bytes, secret.size);
	buf_clear(&secret);
	buf_clear(&sealed);
}

static void
only_what_changed_is_kept(void **state)
{
	static const struct told first[] = { PLAIN("firnmail.conf", "host a\n"),
		SECRET("users", hash_line) };
	static const struct told second[] = {
		PLAIN("firnmail.conf", "host b\n"), SECRET("users", hash_line)
	};
	struct sealed *f = *state;
	uint64_t sequence;

	KEEP(f, first);
	must_be(f, "firnmail.conf", 1, "host a\n");
	must_open_to(f, "users", 1, hash_line);
	sequence = f->journal->committed.sequence;
	KEEP(f, first);
	assert_int_equal(f->journal->committed.sequence, sequence);
	KEEP(f, second);
	assert_int_equal(f->journal->committed.sequence, sequence + 1);
	must_be(f, "firnmail.conf", 2, "host b\n");
	must_open_to(f, "users", 1, hash_line);
	/* The version before is kept, and one that comes back is a third. */
	assert_int_equal(sealed_count(f, DB_DEAD), 1);
	KEEP(f, first);
	must_be(f, "firnmail.conf", 3, "host a\n");
	assert_int_equal(sealed_count(f, DB_DEAD), 2);
}

static void
files_go_and_come_and_the_unread_stay(void **state)
{
	static const struct told all[] = { PLAIN("a", "1"), PLAIN("b", "2") };
	static const struct told without_b[] = { PLAIN("a", "1") };
	static const struct told unread[] = { PLAIN("a", NULL),
		PLAIN("b", "2") };
	struct sealed *f = *state;

	KEEP(f, all);
	KEEP(f, without_b);
	must_be(f, "a", 1, "1");
	must_be(f, "b", 0, "");
	KEEP(f, without_b);
	KEEP(f, unread);
	must_be(f, "a", 1, "1");
	must_be(f, "b", 2, "2");
}

static void
odd_files_are_left_out_and_the_others_kept(void **state)
{
	static const struct told odd[] = { PLAIN("", "1"), PLAIN("INBOX", "2"),
		PLAIN("a//b", "3"), PLAIN("line\nbreak", "4"),
		PLAIN("empty", ""), PLAIN("x/y", "5"), PLAIN("x/y", "6") };
	struct service_files *files = service_files_new();
	struct message_service_file file = { .name = TEXT("leaky") };
	struct sealed *f = *state;
	struct error error = { .code = ERROR_NONE };
	int fd = memfd_create("not sealed", MFD_CLOEXEC);

	KEEP(f, odd);
	must_be(f, "empty", 1, "");
	must_be(f, "x/y", 1, "5");
	assert_int_equal(sealed_count(f, DB_LIVE), 2);
	/* What can still be changed is not read. */
	service_files_add(files, &file, fd);
	assert_int_equal(service_files_keep(files, f->journal,
			     segments_options(f->segments)->recovery, &error),
	    STATUS_OK);
	sealed_commit(f);
	must_be(f, "leaky", 0, "");
	service_files_free(&files);
}

static void
more_files_than_there_may_be_are_not_taken(void **state)
{
	struct told many[SERVICE_FILES_MAX + 5];
	char names[SERVICE_FILES_MAX + 5][8];
	struct sealed *f = *state;

	for (size_t i = 0; i < SERVICE_FILES_MAX + 5; i++) {
		snprintf(names[i], sizeof(names[i]), "f%zu", i);
		many[i] = (struct told){ names[i], "x", false };
	}
	KEEP(f, many);
	assert_int_equal(sealed_count(f, DB_LIVE), SERVICE_FILES_MAX);
}

static void
no_secret_without_a_recovery_key(void **state)
{
	static const uint8_t none[RECOVERY_KEY_SIZE];
	static const struct told list[] = { PLAIN("firnmail.conf", "host a\n"),
		SECRET("users", hash_line) };
	struct sealed *f = *state;

	assert_int_equal(keep(f, list, 2, none), STATUS_OK);
	must_be(f, "firnmail.conf", 1, "host a\n");
	must_be(f, "users", 0, "");
}

/* Is it anywhere in a file of the store? */
static bool
is_on_disk(const struct sealed *f, const char *file, const char *secret)
{
	struct error error = { .code = ERROR_NONE };
	char path[100];
	struct buf all;
	bool is;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->path, file);
	fd = file_open_absolute(path, &error);
	assert_true(fd >= 0);
	buf_init(&all, MAP_BYTES);
	assert_int_equal(file_read_all(fd, &all, &error), 0);
	close(fd);
	is = memmem(all.data, all.size, secret, strlen(secret)) != NULL;
	buf_clear(&all);
	return is;
}

static void
no_secret_stands_on_the_disk_but_sealed(void **state)
{
	static const struct told list[] = { PLAIN("firnmail.conf", "host a\n"),
		SECRET("users", hash_line) };
	struct sealed *f = *state;

	KEEP(f, list);
	assert_true(is_on_disk(f, "index/data.mdb", "host a\n"));
	assert_true(is_on_disk(f, "index/data.mdb", "FIRNSEAL"));
	assert_false(is_on_disk(f, "index/data.mdb", "hashhashhash"));
	sealed_must_pass(f);
	assert_false(is_on_disk(f, "segment/1/data.mdb", "hashhashhash"));
}

static void
verified_sealed_and_rebuilt_like_mail(void **state)
{
	static const struct told first[] = { PLAIN("firnmail.conf", "host a\n"),
		SECRET("users", hash_line) };
	static const struct told second[] = { PLAIN(
						  "firnmail.conf", "host b\n"),
		SECRET("users", hash_line), PLAIN("aliases", "x: a\n") };
	struct sealed *f = *state;
	struct hash before[DB_COUNT], after[DB_COUNT];
	struct rebuild_result result = { .damaged = 0 };
	struct error error;

	KEEP(f, first);
	sealed_add(f, 20);
	sealed_must_pass(f);
	KEEP(f, second);
	sealed_must_pass(f);
	sealed_dump(f, before);
	sealed_close(f);
	sealed_must_verify(f);
	if (rebuild_index(f->path, MAP_BYTES, &result, &error) != 0)
		fail_msg("%s", error.text);
	sealed_open(f);
	sealed_dump(f, after);
	sealed_must_equal(before, after, 1U << DB_REPLY);
	must_be(f, "firnmail.conf", 2, "host b\n");
	must_open_to(f, "users", 1, hash_line);
	sealed_close(f);
	sealed_must_verify(f);
	sealed_open(f);
}

static void
full_store_keeps_all_or_nothing(void **state)
{
	static const struct told list[] = { PLAIN("a", "1"), PLAIN("b", "2") };
	struct service_files *files = service_files_new();
	struct message_service_file file = { .name = TEXT("a") };
	struct error error = { .code = ERROR_NONE };
	struct sealed *f = *state;

	service_files_add(
	    files, &file, file_sealed_memory("a", "1", 1, &error));
	store_set_commit_fault(ENOSPC);
	assert_int_equal(service_files_keep(files, f->journal,
			     segments_options(f->segments)->recovery, &error),
	    STATUS_OK);
	assert_int_equal(journal_commit(f->journal, &error), STATUS_FULL);
	service_files_free(&files);
	store_set_commit_fault(0);
	must_be(f, "a", 0, "");
	/* The next reload brings it. */
	KEEP(f, list);
	must_be(f, "a", 1, "1");
	must_be(f, "b", 1, "2");
}

static void
nobody_gets_mail_into_account_0(void **state)
{
	static const struct told list[] = { PLAIN(
	    "firnmail.conf", "host a\n") };
	struct recipient_record recipient = { ACCOUNT_SERVICE, TEXT("x@y") };
	struct delivery_id delivery = { { 7 } };
	struct error error = { .code = ERROR_NONE };
	struct sealed *f = *state;
	uint8_t data[100];
	struct writer w;

	KEEP(f, list);
	writer_init(&w, data, sizeof(data));
	record_put_recipient(&w, &recipient);
	assert_int_equal(
	    journal_accept(f->journal, &delivery, 0, 1, TEXT("s@example.org"),
		text_make(data, w.size), TEXT("host x\n"), &error),
	    STATUS_MISSING);
	assert_int_equal(journal_create_account(
			     f->journal, ACCOUNT_SERVICE, TEXT(""), &error),
	    STATUS_INVALID);
	assert_int_equal(sealed_count(f, DB_UNFILED), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SEALED_TEST(only_what_changed_is_kept),
		SEALED_TEST(files_go_and_come_and_the_unread_stay),
		SEALED_TEST(odd_files_are_left_out_and_the_others_kept),
		SEALED_TEST(more_files_than_there_may_be_are_not_taken),
		SEALED_TEST(no_secret_without_a_recovery_key),
		SEALED_TEST(no_secret_stands_on_the_disk_but_sealed),
		SEALED_TEST(verified_sealed_and_rebuilt_like_mail),
		SEALED_TEST(full_store_keeps_all_or_nothing),
		SEALED_TEST(nobody_gets_mail_into_account_0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
