/* Records: each kind there and back, cut at every byte, at its limits. */
#include "common/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	ROOM = 16384
};

static struct mailbox_record
make_mailbox(void)
{
	struct mailbox_record r = { .id = 1ULL << 60,
		.uidvalidity = 1234567890,
		.uidnext = 77,
		.highest_modseq = 99,
		.message_count = 5,
		.special_use = SPECIAL_USE_SENT,
		.name = TEXT("Sent/2026"),
		.keyword_count = 2 };

	r.keywords[0] = TEXT("$Junk");
	r.keywords[1] = TEXT("later");
	return r;
}

static struct message_record
make_message(void)
{
	struct message_record r = { .mailbox = 3,
		.uid = UINT32_MAX,
		.modseq = 1ULL << 40,
		.born = 12,
		.internaldate = -1,
		.size = 5000,
		.stored_size = 4900,
		.flags = FLAG_SEEN | RECORD_MISSING,
		.keywords = 1ULL << 63,
		.blob = 8,
		.form = FORM_EXACT,
		.base = TEXT("1234.abc") };

	memset(r.hash.bytes, 0xa5, 32);
	return r;
}

static size_t
put_change(enum change_kind kind, uint8_t *data)
{
	struct change_record r = { .sequence = 9, .kind = kind };
	struct writer w;

	if (kind == CHANGE_MESSAGE || kind == CHANGE_EXPUNGE ||
	    kind == CHANGE_PAST)
		r.message = make_message();
	if (kind == CHANGE_PAST)
		r.number = 77;
	if (kind == CHANGE_MAILBOX)
		r.mailbox = make_mailbox();
	if (kind == CHANGE_SUBSCRIBE) {
		r.name = TEXT("Lists");
		r.is_subscribed = 1;
	}
	writer_init(&w, data, ROOM);
	record_put_change(&w, &r);
	assert_false(w.failed);
	assert_true(w.size <= RECORD_CHANGE_MAX);
	return w.size;
}

static void
each_kind_of_change_comes_back(void **state)
{
	uint8_t data[ROOM];

	(void)state;
	for (int kind = CHANGE_MESSAGE; kind <= CHANGE_PAST; kind++) {
		size_t size = put_change(kind, data);
		struct change_record got;
		struct reader r;

		reader_init(&r, data, size);
		assert_int_equal(record_get_change(&r, &got), 1);
		assert_int_equal(got.kind, kind);
		assert_int_equal(got.sequence, 9);
		if (kind == CHANGE_MESSAGE) {
			assert_true(got.message.keywords == 1ULL << 63);
			assert_true(got.message.internaldate == -1);
			assert_true(text_is(got.message.base, "1234.abc"));
			assert_int_equal(got.message.hash.bytes[31], 0xa5);
		}
		if (kind == CHANGE_EXPUNGE) {
			assert_int_equal(got.message.uid, UINT32_MAX);
			assert_true(got.message.modseq == 1ULL << 40);
		}
		if (kind == CHANGE_PAST) {
			assert_int_equal(got.number, 77);
			assert_true(text_is(got.message.base, "1234.abc"));
		}
		if (kind == CHANGE_MAILBOX) {
			assert_true(text_is(got.mailbox.name, "Sent/2026"));
			assert_int_equal(got.mailbox.keyword_count, 2);
			assert_true(text_is(got.mailbox.keywords[1], "later"));
		}
		if (kind == CHANGE_SUBSCRIBE)
			assert_true(text_is(got.name, "Lists"));
		assert_int_equal(record_get_change(&r, &got), 0);
	}
}

static void
a_change_cut_at_any_byte_is_malformed(void **state)
{
	uint8_t data[ROOM];

	(void)state;
	for (int kind = CHANGE_MESSAGE; kind <= CHANGE_PAST; kind++) {
		size_t size = put_change(kind, data);

		for (size_t cut = 1; cut < size; cut++) {
			uint8_t *part = malloc(cut);
			struct change_record got;
			struct reader r;

			memcpy(part, data, cut);
			reader_init(&r, part, cut);
			assert_int_equal(record_get_change(&r, &got), -1);
			free(part);
		}
	}
}

static void
lists_of_fixed_records_come_back_in_order(void **state)
{
	uint8_t data[ROOM];
	struct writer w;
	struct reader r;
	struct flag_record flag = { 0 };
	struct copy_record copy = { 0 };
	struct recall_record recall = { .blob = 1ULL << 40, .form = 1 };
	struct result_record result = { 0 };

	(void)state;
	writer_init(&w, data, sizeof(data));
	for (flag.uid = 1; flag.uid <= 50; flag.uid++)
		record_put_flags(&w, &flag);
	assert_int_equal(w.size, 50 * RECORD_FLAGS_SIZE);
	reader_init(&r, data, w.size);
	for (uint32_t i = 1; i <= 50; i++) {
		assert_int_equal(record_get_flags(&r, &flag), 1);
		assert_int_equal(flag.uid, i);
	}
	assert_int_equal(record_get_flags(&r, &flag), 0);

	writer_init(&w, data, sizeof(data));
	copy.delivery.bytes[17] = 9;
	record_put_copy(&w, &copy);
	assert_int_equal(w.size, RECORD_COPY_SIZE);
	reader_init(&r, data, w.size);
	assert_int_equal(record_get_copy(&r, &copy), 1);
	assert_int_equal(copy.delivery.bytes[17], 9);

	writer_init(&w, data, sizeof(data));
	recall.internaldate = -1;
	record_put_recall(&w, &recall);
	assert_int_equal(w.size, RECORD_RECALL_SIZE);
	reader_init(&r, data, w.size);
	assert_int_equal(record_get_recall(&r, &recall), 1);
	assert_true(recall.blob == 1ULL << 40);
	assert_true(recall.internaldate == -1);
	assert_int_equal(recall.form, 1);
	assert_int_equal(record_get_recall(&r, &recall), 0);

	writer_init(&w, data, sizeof(data));
	result.hash.bytes[0] = 7;
	record_put_result(&w, &result);
	assert_int_equal(w.size, RECORD_RESULT_SIZE);
	reader_init(&r, data, w.size - 1);
	assert_int_equal(record_get_result(&r, &result), -1);
}

static void
the_largest_mailbox_fits_its_bound_and_one_keyword_more_is_refused(void **state)
{
	char name[RECORD_MAX_NAME_SIZE], keyword[RECORD_MAX_KEYWORD_SIZE];
	uint8_t data[ROOM];
	struct mailbox_record box = make_mailbox(), got;
	struct writer w;
	struct reader r;

	(void)state;
	memset(name, 'n', sizeof(name));
	memset(keyword, 'k', sizeof(keyword));
	box.name = text_make(name, sizeof(name));
	box.keyword_count = RECORD_MAX_KEYWORDS;
	for (int i = 0; i < RECORD_MAX_KEYWORDS; i++)
		box.keywords[i] = text_make(keyword, sizeof(keyword));
	writer_init(&w, data, sizeof(data));
	record_put_mailbox(&w, &box);
	assert_false(w.failed);
	assert_true(w.size <= RECORD_MAILBOX_MAX);
	reader_init(&r, data, w.size);
	assert_int_equal(record_get_mailbox(&r, &got), 1);
	assert_int_equal(got.keyword_count, RECORD_MAX_KEYWORDS);
}

static void
recipients_and_unfiled_mail_come_back(void **state)
{
	uint8_t data[ROOM];
	struct recipient_record to = { 7, TEXT("a+b@example.org") };
	struct unfiled_record mail = { .time = 5,
		.form = FORM_LF,
		.size = 10,
		.stored_size = 9,
		.blob = 3,
		.sender = TEXT(""),
		.address = TEXT("a+b@example.org") };
	struct writer w;
	struct reader r;

	(void)state;
	writer_init(&w, data, sizeof(data));
	record_put_recipient(&w, &to);
	record_put_recipient(&w, &to);
	reader_init(&r, data, w.size);
	assert_int_equal(record_get_recipient(&r, &to), 1);
	assert_int_equal(record_get_recipient(&r, &to), 1);
	assert_int_equal(to.account, 7);
	assert_true(text_is(to.address, "a+b@example.org"));
	assert_int_equal(record_get_recipient(&r, &to), 0);
	writer_init(&w, data, sizeof(data));
	record_put_unfiled(&w, &mail);
	reader_init(&r, data, w.size);
	assert_int_equal(record_get_unfiled(&r, &mail), 1);
	assert_true(text_is(mail.address, "a+b@example.org"));
	assert_int_equal(mail.stored_size, 9);
}

static void
the_longest_snapshot_fits_its_bound_and_one_digit_more_is_refused(void **state)
{
	uint8_t data[RECORD_SNAPSHOT_MAX];
	struct snapshot_record snapshot = { 5, 6,
		TEXT("0123456789abcdef0123456789abcdef") };
	struct writer w;
	struct reader r;

	(void)state;
	writer_init(&w, data, sizeof(data));
	record_put_snapshot(&w, &snapshot);
	assert_false(w.failed);
	reader_init(&r, data, w.size);
	assert_int_equal(record_get_snapshot(&r, &snapshot), 1);
	assert_int_equal(snapshot.sequence, 5);
	assert_int_equal(snapshot.time, 6);
	assert_int_equal(snapshot.id.size, RECORD_MAX_ID_SIZE);
	assert_int_equal(record_get_snapshot(&r, &snapshot), 0);
	writer_init(&w, data, sizeof(data));
	snapshot.id = TEXT("0123456789abcdef0123456789abcdef0");
	record_put_snapshot(&w, &snapshot);
	assert_true(w.failed);
}

static void
a_writer_that_is_full_fails_and_writes_nothing_behind(void **state)
{
	uint8_t data[9] = { 0, 0, 0, 0, 0, 0, 0, 0, 0xee };
	struct writer w;

	(void)state;
	writer_init(&w, data, 8);
	writer_put_u32(&w, 1);
	writer_put_u64(&w, 1);
	assert_true(w.failed);
	writer_put_u8(&w, 1);
	assert_true(w.failed);
	assert_int_equal(data[8], 0xee);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_change_comes_back),
		cmocka_unit_test(a_change_cut_at_any_byte_is_malformed),
		cmocka_unit_test(lists_of_fixed_records_come_back_in_order),
		cmocka_unit_test(
		    the_largest_mailbox_fits_its_bound_and_one_keyword_more_is_refused),
		cmocka_unit_test(recipients_and_unfiled_mail_come_back),
		cmocka_unit_test(
		    the_longest_snapshot_fits_its_bound_and_one_digit_more_is_refused),
		cmocka_unit_test(
		    a_writer_that_is_full_fails_and_writes_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
