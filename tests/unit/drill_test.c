/*
 * snapd-drill's own part of a drill: rows become files, files are read back,
 * what differs is named, and the scratch folder is empty afterwards, whatever
 * the disk does.
 */
#include "common/file.h"
#include "common/memory.h"
#include "snapd/drill_check.h"
#include "snapd/drill_folder.h"
#include "snapd/drill_work.h"
#include "tests/unit/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MAIL "Subject: x\n\nthe bytes of a message\n"

struct fixture {
	char path[64];
	int top_fd;
	struct digest *digest;
	struct drill_work *work;
	unsigned int lists;   /* that were written: one a part */
	unsigned int calls;   /* that changed the disk */
	unsigned int fail_at; /* the n-th of them; 0: none */
	int fail_with;
	char found[2000]; /* "uid what;" */
};

static void
found(void *context, uint32_t account, struct text mailbox, uint32_t uid,
    const char *what)
{
	struct fixture *f = context;
	size_t used = strlen(f->found);

	(void)account;
	(void)mailbox;
	snprintf(f->found + used, sizeof(f->found) - used, "%u %s;", uid, what);
}

static void
found_in_folder(void *context, uint32_t uid, const char *what)
{
	found(context, 0, TEXT(""), uid, what);
}

static int
on_call(const char *call, const char *name, void *context)
{
	struct fixture *f = context;

	f->lists += strcmp(call, "write") != 0 &&
		    strcmp(name, DRILL_LIST) == 0 &&
		    strcmp(call, "unlink") != 0;
	return ++f->calls == f->fail_at ? f->fail_with : 0;
}

static void
begin(struct fixture *f, uint64_t part_messages)
{
	const struct drill_options options = { .top_fd = f->top_fd,
		.part_messages = part_messages,
		.part_bytes = DRILL_PART_BYTES,
		.finding = found,
		.context = f };

	drill_work_free(&f->work);
	f->work = drill_work_new(&options);
	f->found[0] = '\0';
	f->calls = f->lists = 0;
}

static int
set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	scratch_make(f->path, "drill_test");
	f->top_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->top_fd >= 0);
	f->digest = digest_new();
	file_set_fault_hook(on_call, f);
	begin(f, DRILL_PART_MESSAGES);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	file_set_fault_hook(NULL, NULL);
	drill_work_free(&f->work);
	digest_free(&f->digest);
	close(f->top_fd);
	scratch_remove(f->path);
	memory_free(&f);
	return 0;
}

static bool
is_empty(const struct fixture *f)
{
	return scratch_count(f->path) == 0;
}

/* -- Rows as snapd sends them -- */

static int
row(struct fixture *f, enum control_row_kind kind, const struct writer *w)
{
	struct error error;

	assert_false(w->failed);
	return drill_work_row(
	    f->work, kind, text_make(w->data, w->size), &error);
}

static struct mailbox_record
mailbox_of(const char *name)
{
	return (struct mailbox_record){ .id = 7,
		.uidvalidity = 1234,
		.uidnext = 100,
		.name = text_of(name) };
}

static int
mailbox(struct fixture *f, const char *name)
{
	struct mailbox_record record = mailbox_of(name);
	struct control_account account = { .account = 3 };
	uint8_t data[RECORD_MAILBOX_MAX];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	control_put_account(&w, &account);
	if (row(f, CONTROL_ACCOUNT, &w) != 0)
		return -1;
	writer_init(&w, data, sizeof(data));
	record_put_mailbox(&w, &record);
	return row(f, CONTROL_MAILBOX, &w);
}

static struct message_record
message_of(struct fixture *f, uint32_t uid, const char *base)
{
	return (struct message_record){ .mailbox = 7,
		.uid = uid,
		.internaldate = 1000000000 + uid,
		.size = strlen(MAIL) + 3,
		.stored_size = strlen(MAIL),
		.flags = uid % 2 ? FLAG_SEEN : FLAG_FLAGGED | RECORD_MISSING,
		/* The second one is not in a file's name. */
		.keywords = UINT64_C(1) << uid % 3 | UINT64_C(1) << 40,
		.hash = digest_of(f->digest, MAIL, strlen(MAIL)),
		.base = text_of(base) };
}

static int
head(struct fixture *f, const struct message_record *record)
{
	uint8_t data[RECORD_MESSAGE_MAX];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	record_put_message(&w, record);
	return row(f, CONTROL_MESSAGE, &w);
}

static int
bytes(struct fixture *f, const char *text)
{
	struct error error;

	return drill_work_row(f->work, CONTROL_BODY, text_of(text), &error);
}

static int
message(struct fixture *f, uint32_t uid)
{
	struct message_record record;
	char base[20];

	snprintf(base, sizeof(base), "base%u", uid);
	record = message_of(f, uid, base);
	return head(f, &record) == 0 ? bytes(f, MAIL) : -1;
}

static int
end(struct fixture *f, struct drill_result *result)
{
	struct error error;
	int code = drill_work_end(f->work, &error);

	drill_work_result(f->work, result);
	return code;
}

/* -- What is restored comes back -- */

static void
mailboxes_and_messages_come_back_as_they_were(void **state)
{
	struct fixture *f = *state;
	struct drill_result result;

	assert_int_equal(mailbox(f, "INBOX"), 0);
	for (uint32_t uid = 1; uid <= 9; uid++)
		assert_int_equal(message(f, uid), 0);
	assert_int_equal(mailbox(f, "Work/a.b/\xc3\xa4"), 0);
	assert_int_equal(message(f, 5), 0);
	assert_int_equal(mailbox(f, "Empty"), 0);
	assert_int_equal(end(f, &result), 0);
	assert_string_equal(f->found, "");
	assert_int_equal(result.messages, 10);
	assert_int_equal(result.bytes, 10 * strlen(MAIL));
	assert_int_equal(result.findings, 0);
	assert_int_equal(f->lists, 3);
	assert_true(is_empty(f));
}

static void
a_large_mailbox_is_taken_in_parts(void **state)
{
	struct fixture *f = *state;
	struct drill_result result;

	begin(f, 2);
	assert_int_equal(mailbox(f, "INBOX"), 0);
	for (uint32_t uid = 1; uid <= 5; uid++)
		assert_int_equal(message(f, uid), 0);
	assert_int_equal(end(f, &result), 0);
	assert_string_equal(f->found, "");
	assert_int_equal(result.messages, 5);
	assert_int_equal(f->lists, 3);
	assert_true(is_empty(f));
}

static void
a_message_that_is_not_whole_is_named_and_the_others_go_on(void **state)
{
	struct fixture *f = *state;
	struct control_finding why = { TEXT("blob 3"), TEXT("block 9 is bad") };
	struct message_record record = message_of(f, 2, "short");
	struct drill_result result;
	uint8_t data[200];
	struct writer w;

	assert_int_equal(mailbox(f, "INBOX"), 0);
	assert_int_equal(message(f, 1), 0);
	assert_int_equal(head(f, &record), 0);
	assert_int_equal(bytes(f, "Subject"), 0);
	record = message_of(f, 3, "unreadable");
	assert_int_equal(head(f, &record), 0);
	writer_init(&w, data, sizeof(data));
	control_put_finding(&w, &why);
	assert_int_equal(row(f, CONTROL_FINDING, &w), 0);
	record = message_of(f, 4, "long");
	assert_int_equal(head(f, &record), 0);
	assert_int_equal(bytes(f, MAIL "and more"), 0);
	record = message_of(f, 5, "another");
	record.hash.bytes[0] ^= 1;
	assert_int_equal(head(f, &record), 0);
	assert_int_equal(bytes(f, MAIL), 0);
	assert_int_equal(message(f, 6), 0);
	assert_int_equal(end(f, &result), 0);
	assert_string_equal(f->found,
	    "2 its last 28 bytes are missing;3 block 9 is bad;"
	    "4 it is longer than it says;"
	    "5 its bytes are others: their SHA-256 is not the one in the "
	    "store;");
	assert_int_equal(result.findings, 4);
	assert_int_equal(result.messages, 3);
	assert_true(is_empty(f));
}

static void
a_name_that_makes_no_file_is_a_finding(void **state)
{
	struct fixture *f = *state;
	struct message_record record = message_of(f, 1, "../../../etc/x");
	struct drill_result result;
	char name[RECORD_MAX_NAME_SIZE];

	assert_int_equal(mailbox(f, "INBOX"), 0);
	assert_int_equal(head(f, &record), 0);
	assert_int_equal(bytes(f, MAIL), 0);
	/* Twice the same: one of them would be lost. */
	record = message_of(f, 3, "same");
	assert_int_equal(head(f, &record), 0);
	assert_int_equal(bytes(f, MAIL), 0);
	record.uid = 9;
	assert_int_equal(head(f, &record), 0);
	assert_int_equal(bytes(f, MAIL), 0);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(mailbox(f, name), 0);
	assert_int_equal(message(f, 1), 0);
	assert_int_equal(end(f, &result), 0);
	assert_int_equal(result.findings, 3);
	assert_int_equal(result.messages, 1);
	assert_non_null(strstr(f->found, "1 its name makes no file;9 "));
	assert_non_null(strstr(f->found, ";0 its name makes no folder;"));
	assert_true(is_empty(f));
}

/* -- The disk -- */

static int
whole_drill(struct fixture *f, struct drill_result *result)
{
	if (mailbox(f, "INBOX") != 0 || message(f, 1) != 0 ||
	    message(f, 2) != 0 || mailbox(f, "Work") != 0 || message(f, 1) != 0)
		return -1;
	return end(f, result);
}

/* Each call that changes the disk fails once: the drill ends, or says that
 * something is not there, and leaves nothing behind. */
static void
no_failing_call_is_taken_for_success(void **state)
{
	static const int reasons[] = { ENOSPC, EIO };
	struct fixture *f = *state;
	struct drill_result result;
	unsigned int calls;

	assert_int_equal(whole_drill(f, &result), 0);
	calls = f->calls;
	assert_true(calls > 20);
	for (size_t i = 0; i < 2; i++) {
		for (unsigned int n = 1; n <= calls; n++) {
			begin(f, DRILL_PART_MESSAGES);
			f->fail_at = n;
			f->fail_with = reasons[i];
			if (whole_drill(f, &result) == 0)
				assert_true(result.findings > 0);
			f->fail_at = 0;
			drill_work_free(&f->work);
			assert_true(is_empty(f));
		}
	}
}

static void
a_full_scratch_folder_is_said_to_be_full(void **state)
{
	struct fixture *f = *state;
	struct error error;

	assert_int_equal(mailbox(f, "INBOX"), 0);
	f->fail_at = f->calls + 2; /* create, write */
	f->fail_with = ENOSPC;
	assert_int_equal(message(f, 1), -1);
	assert_int_equal(drill_folder_check_room(f->top_fd, 0, &error), 0);
	assert_int_equal(
	    drill_folder_check_room(f->top_fd, UINT64_MAX, &error), -1);
	assert_int_equal(error.code, ERROR_FULL);
}

static void
nothing_but_its_own_folder_is_ever_removed(void **state)
{
	struct fixture *f = *state;
	struct error error;
	struct drill_result result;
	int fd = file_create(f->top_fd, "somebody's", 0600, &error);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(
	    file_make_directory(f->top_fd, "else", 0700, &error), 0);
	assert_int_equal(whole_drill(f, &result), 0);
	assert_int_equal(drill_folder_remove(f->top_fd, &error), 0);
	assert_int_equal(faccessat(f->top_fd, "somebody's", F_OK, 0), 0);
	assert_int_equal(faccessat(f->top_fd, "else", F_OK, 0), 0);
	assert_int_equal(faccessat(f->top_fd, DRILL_FOLDER, F_OK, 0), -1);
}

/* A link that somebody put there leads nowhere. */
static void
a_link_in_the_scratch_folder_is_removed_and_not_followed(void **state)
{
	struct fixture *f = *state;
	struct error error;
	char outside[100];

	snprintf(outside, sizeof(outside), "%s/outside", f->path);
	assert_int_equal(mkdir(outside, 0700), 0);
	snprintf(outside, sizeof(outside), "%s/outside/kept", f->path);
	assert_int_equal(mkdir(outside, 0700), 0);
	assert_int_equal(
	    file_make_directory(f->top_fd, DRILL_FOLDER, 0700, &error), 0);
	assert_int_equal(
	    symlinkat("../outside", f->top_fd, DRILL_FOLDER "/1"), 0);
	assert_int_equal(drill_folder_remove(f->top_fd, &error), 0);
	assert_int_equal(faccessat(f->top_fd, "outside/kept", F_OK, 0), 0);
	assert_int_equal(symlinkat("outside", f->top_fd, DRILL_FOLDER), 0);
	assert_int_equal(drill_folder_remove(f->top_fd, &error), -1);
	assert_int_equal(faccessat(f->top_fd, "outside/kept", F_OK, 0), 0);
}

/* -- Reading back sees every difference -- */

struct change {
	const char *what; /* shell-free: see change_one */
	const char *expected;
};

static void
put_bytes(int folder_fd, const char *path, const char *data, off_t at)
{
	int fd = openat(folder_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(
	    pwrite(fd, data, strlen(data), at), (ssize_t)strlen(data));
	close(fd);
}

static void
change_one(int folder_fd, const char *what)
{
	static const char name[] = "cur/base2,S=35,W=38:2,Fc";
	const struct timespec times[2] = { { 5, 0 }, { 5, 0 } };
	struct stat st;

	assert_int_equal(fstatat(folder_fd, name, &st, 0), 0);
	if (strcmp(what, "flags") == 0)
		assert_int_equal(renameat(folder_fd, name, folder_fd,
				     "cur/base2,S=35,W=38:2,FSc"),
		    0);
	else if (strcmp(what, "keywords") == 0)
		assert_int_equal(renameat(folder_fd, name, folder_fd,
				     "cur/base2,S=35,W=38:2,Fb"),
		    0);
	else if (strcmp(what, "date") == 0)
		assert_int_equal(utimensat(folder_fd, name, times, 0), 0);
	else if (strcmp(what, "gone") == 0)
		assert_int_equal(unlinkat(folder_fd, name, 0), 0);
	else if (strcmp(what, "size") == 0)
		put_bytes(folder_fd, name, "longer", st.st_size);
	else if (strcmp(what, "byte") == 0)
		put_bytes(folder_fd, name, "B", 12);
	else if (strcmp(what, "stranger") == 0)
		put_bytes(folder_fd, "cur/stranger:2,", "x", 0);
	else if (strcmp(what, "uid") == 0)
		put_bytes(folder_fd, DRILL_LIST, "7", 32);
	else if (strcmp(what, "uidvalidity") == 0)
		put_bytes(folder_fd, DRILL_LIST, "9", 3);
	else
		put_bytes(folder_fd, DRILL_LIST, "4", 0);
	/* What the bytes' change did to the date is not meant. */
	if (strcmp(what, "size") == 0 || strcmp(what, "byte") == 0) {
		const struct timespec back[2] = { st.st_mtim, st.st_mtim };

		assert_int_equal(utimensat(folder_fd, name, back, 0), 0);
	}
}

static struct drill_expected
restore_one(struct fixture *f, struct drill_folder *folder, uint32_t uid)
{
	struct message_record record;
	struct error error;
	char base[20];

	snprintf(base, sizeof(base), "base%u", uid);
	record = message_of(f, uid, base);
	assert_int_equal(drill_folder_begin(folder, &record, &error), 0);
	assert_int_equal(drill_folder_put(folder, TEXT(MAIL), &error), 0);
	assert_int_equal(drill_folder_end(folder, &record, &error), 0);
	return (struct drill_expected){ .uid = uid,
		.flags = record.flags & FLAG_ALL,
		.keywords = UINT64_C(1) << uid % 3,
		.date = record.internaldate,
		.size = record.stored_size,
		.wire_size = record.size,
		.hash = record.hash };
}

static void
check_change(struct fixture *f, const struct change *change)
{
	struct mailbox_record record = mailbox_of("INBOX");
	struct drill_expected expected[3];
	struct drill_check check = { .uidvalidity = record.uidvalidity,
		.uidnext = record.uidnext,
		.expected = expected,
		.count = 3,
		.digest = f->digest,
		.finding = found_in_folder,
		.context = f };
	struct drill_folder folder;
	struct error error;

	f->found[0] = '\0';
	drill_folder_init(&folder);
	assert_int_equal(
	    drill_folder_make(&folder, f->top_fd, 3, &record, &error), 0);
	for (uint32_t uid = 1; uid <= 3; uid++)
		expected[uid - 1] = restore_one(f, &folder, uid);
	assert_int_equal(drill_folder_finish(&folder, &error), 0);
	check.folder_fd = folder.fd;
	assert_int_equal(drill_check_folder(&check, &error), 0);
	assert_string_equal(f->found, "");
	change_one(folder.fd, change->what);
	assert_int_equal(drill_check_folder(&check, &error), 0);
	assert_string_equal(f->found, change->expected);
	drill_folder_close(&folder);
	assert_int_equal(drill_folder_remove(f->top_fd, &error), 0);
}

static void
every_difference_is_seen_and_named(void **state)
{
	static const struct change changes[] = {
		{ "flags", "2 flags 0x5 instead of 0x4;" },
		{ "keywords", "2 keywords 0x2 instead of 0x4;" },
		{ "date", "2 date 5 instead of 1000000002;" },
		{ "gone", "2 its file is not there;" },
		{ "size", "2 41 bytes instead of 35;" },
		{ "byte", "2 its bytes are others: their SHA-256 is not the "
			  "one in the store;" },
		{ "stranger", "0 1 files that are nobody's;" },
		{ "uid", "2 its UID is not in the list;"
			 "3 its UID is not in the list;7 nobody has this UID;"
			 "0 its list of UIDs is malformed;"
			 "0 2 files that are nobody's;" },
		{ "uidvalidity", "0 UIDVALIDITY 9234 instead of 1234;" },
		{ "head", "0 its list of UIDs cannot be read;"
			  "0 3 files that are nobody's;" },
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		check_change(*state, &changes[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mailboxes_and_messages_come_back_as_they_were),
		TEST(a_large_mailbox_is_taken_in_parts),
		TEST(a_message_that_is_not_whole_is_named_and_the_others_go_on),
		TEST(a_name_that_makes_no_file_is_a_finding),
		TEST(no_failing_call_is_taken_for_success),
		TEST(a_full_scratch_folder_is_said_to_be_full),
		TEST(nothing_but_its_own_folder_is_ever_removed),
		TEST(a_link_in_the_scratch_folder_is_removed_and_not_followed),
		TEST(every_difference_is_seen_and_named),
	};

	digest_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
