/*
 * Messages in the spool: taken once, whole or not at all, found again after a
 * restart, and gone with all that is theirs; what it costs does not grow with
 * how many there are.
 */
#include "common/file.h"
#include "common/record.h"
#include "common/smtp_verdict.h"
#include "smtpd/spool_body.h"
#include "smtpd/spool_env.h"
#include "smtpd/spool_senders.h"
#include "smtpd/spool_sent.h"
#include "smtpd/spool_store.h"
#include "tests/unit/scratch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	MAP_BYTES = 1 << 30,
	LARGE = SPOOL_INLINE_BYTES + 1000,
	MANY = 2000
};

static char folder[SCRATCH_PATH];
static struct spool_store *store;
static uint8_t records[40000];
static char large[LARGE];

static void
open_store(void)
{
	struct error error = { .text = "" };

	store = spool_store_open(folder, MAP_BYTES, &error);
	if (store == NULL)
		fail_msg("%s", error.text);
}

static int
set_up(void **state)
{
	scratch_make(folder, "firnmail-spool");
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (char)('a' + i % 26);
	open_store();
	return 0;
}

static int
tear_down(void **state)
{
	file_set_fault_hook(NULL, NULL);
	spool_store_close(&store);
	scratch_remove(folder);
	return 0;
}

static struct text
recipients(const char *const *addresses, size_t count)
{
	struct outgoing_record record = { .original = TEXT("") };
	struct writer writer;

	writer_init(&writer, records, sizeof(records));
	for (size_t i = 0; i < count; i++) {
		record.address = text_of(addresses[i]);
		record_put_outgoing(&writer, &record);
	}
	assert_false(writer.failed);
	return text_make(records, writer.size);
}

static struct spool_mail
mail_to(unsigned int number, const char *address)
{
	struct spool_mail mail = { .time = 1000,
		.account = 7,
		.sender = TEXT("bob@demo.test"),
		.envelope_id = TEXT(""),
		.recipients = recipients(&address, 1),
		.size = 5,
		.data = TEXT("Hi\r\n."),
		.fd = -1 };

	memcpy(mail.delivery.bytes, &number, sizeof(number));
	return mail;
}

/* As the writer's thread does it. */
static int
write_body(struct spool_mail *mail)
{
	struct error error;

	mail->id = spool_store_new_id(store);
	if (spool_bodies_write(spool_store_body_folder(store), mail->id,
		mail->size, mail->fd, &error) == 0)
		return 0;
	spool_store_drop_body(store, mail->id);
	return -1;
}

static int
put(const struct spool_mail *given, uint64_t *id)
{
	struct spool_mail mail = *given;
	struct error error = { .text = "" };
	int result;

	if (spool_store_wants_file(&mail) && write_body(&mail) == -1)
		return -1;
	assert_int_equal(spool_store_begin(store, &error), 0);
	result = spool_store_put(store, &mail, id, &error);
	if (result == -1) {
		spool_store_abort(store);
		return -1;
	}
	if (spool_store_commit(store, &error) == -1)
		fail_msg("%s", error.text);
	return result;
}

static void
end(uint64_t id, uint16_t number)
{
	struct error error = { .text = "" };

	assert_int_equal(spool_store_begin(store, &error), 0);
	assert_int_equal(
	    spool_store_end_parcel(store, id, number, 2000, &error), 0);
	assert_int_equal(spool_store_commit(store, &error), 0);
}

static int
count_parcel(void *context, const struct spool_parcel *parcel)
{
	++*(size_t *)context;
	return 0;
}

static size_t
count_parcels(uint64_t id)
{
	struct error error;
	size_t count = 0;

	assert_int_equal(
	    spool_store_each_parcel(store, id, count_parcel, &count, &error),
	    0);
	spool_store_rest(store);
	return count;
}

static size_t
count_files(void)
{
	char path[SCRATCH_PATH + 8];

	snprintf(path, sizeof(path), "%s/body", folder);
	return scratch_count(path);
}

static void
assert_body(uint64_t id, const void *bytes, size_t size)
{
	struct spool_message message;
	struct error error;
	struct buf read;
	int fd;

	assert_int_equal(spool_store_message(store, id, &message, &error), 1);
	fd = spool_store_open_body(store, id, &message, &error);
	assert_int_not_equal(fd, -1);
	buf_init(&read, 1 << 20);
	assert_int_equal(file_read_all(fd, &read, &error), 0);
	assert_int_equal(read.size, size);
	assert_memory_equal(read.data, bytes, size);
	buf_clear(&read);
	close(fd);
	spool_store_rest(store);
}

static void
recipients_are_sorted_into_parcels_by_domain(void **state)
{
	static const char *const given[] = { "a@One.test", "b@two.test",
		"c@one.TEST", "d@[192.0.2.1]" };
	struct spool_mail mail = mail_to(1, "x@y.test");
	struct spool_parcel parcel;
	struct spool_recipient recipient;
	struct error error;
	uint64_t id;

	mail.recipients = recipients(given, 4);
	assert_int_equal(put(&mail, &id), 1);
	assert_int_equal(count_parcels(id), 3);
	assert_int_equal(spool_store_parcel(store, id, 1, &parcel, &error), 1);
	assert_true(text_is(parcel.domain, "one.test"));
	assert_int_equal(parcel.first, 1);
	assert_int_equal(parcel.count, 2);
	assert_int_equal(parcel.next, 1000);
	assert_int_equal(
	    spool_store_recipient(store, id, 2, &recipient, &error), 1);
	assert_true(text_is(recipient.address, "c@one.TEST"));
}

static void
more_recipients_than_a_job_takes_are_several_parcels(void **state)
{
	static char addresses[250][32];
	const char *given[250];
	struct spool_mail mail = mail_to(1, "x@y.test");
	uint64_t id;

	for (int i = 0; i < 250; i++) {
		snprintf(addresses[i], sizeof(addresses[i]), "u%d@y.test", i);
		given[i] = addresses[i];
	}
	mail.recipients = recipients(given, 250);
	assert_int_equal(put(&mail, &id), 1);
	assert_int_equal(count_parcels(id), 3);
}

static void
a_delivery_is_taken_once_and_remembered_when_it_is_gone(void **state)
{
	struct spool_mail mail = mail_to(1, "x@y.test");
	uint64_t id, other;

	assert_int_equal(put(&mail, &id), 1);
	assert_int_equal(put(&mail, &other), 0);
	assert_int_equal(count_parcels(0), 1);
	end(id, 0);
	assert_int_equal(count_parcels(0), 0);
	assert_int_equal(put(&mail, &other), 0);
	spool_store_close(&store);
	open_store();
	assert_int_equal(put(&mail, &other), 0);
}

static void
what_went_is_forgotten_in_the_end(void **state)
{
	struct spool_mail mail = mail_to(1, "x@y.test");
	struct error error;
	uint64_t id;

	assert_int_equal(put(&mail, &id), 1);
	end(id, 0);
	for (int64_t now = 2000; now <= 2000 + 3600; now += 3600) {
		assert_int_equal(spool_store_begin(store, &error), 0);
		assert_int_equal(spool_store_forget(store, now, &error), 0);
		assert_int_equal(spool_store_commit(store, &error), 0);
		assert_int_equal(put(&mail, &id), now == 2000 ? 0 : 1);
	}
	for (int table = 0; table < SPOOL_TABLES; table++)
		if (table != SPOOL_META && table != SPOOL_SENT &&
		    table != SPOOL_REPORT && table != SPOOL_GONE &&
		    table != SPOOL_UNDECIDED && table != SPOOL_DRAFT &&
		    table != SPOOL_TLSRPT && table != SPOOL_POLICY &&
		    table != SPOOL_SENDER && table != SPOOL_SENDER_DUE)
			assert_int_equal(
			    spool_env_count(spool_store_env(store), table), 1);
}

/* RFC 2852: until when stands in the parcel's row, and nothing where nobody
 * said. */
static int
take_parcel(void *context, const struct spool_parcel *parcel)
{
	struct spool_parcel *to = context;

	to->deliver_by = parcel->deliver_by;
	to->flags = parcel->flags;
	return 0;
}

static void
a_time_to_deliver_by_is_remembered(void **state)
{
	static const struct {
		int64_t deliver_by;
		uint16_t flags;
		uint8_t kept;
	} rows[] = { { 0, 0, 0 }, { 5000, 0, 0 },
		{ 5000, TRANSACTION_BY_RETURN, SPOOL_BY_RETURN },
		{ 0, TRANSACTION_BY_RETURN, 0 } };
	struct spool_parcel parcel;
	struct error error;
	uint64_t ids[4];

	for (unsigned int i = 0; i < 4; i++) {
		struct spool_mail mail = mail_to(i, "carol@far.test");

		mail.deliver_by = rows[i].deliver_by;
		mail.flags = rows[i].flags;
		assert_int_equal(put(&mail, &ids[i]), 1);
	}
	spool_store_close(&store);
	open_store();
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(spool_store_each_parcel(store, ids[i],
				     take_parcel, &parcel, &error),
		    0);
		assert_int_equal(parcel.deliver_by, rows[i].deliver_by);
		assert_int_equal(parcel.flags, rows[i].kept);
	}
}

/* -- Senders that are kept -- */

#define DAY      86400
#define TOKEN    "SRS0=HASHHASH=AB==ABCDEFGHIJKLMNOP@ours.test"
#define ANY_CASE "srs0=other000=XY==abcdefghIJKLMNOP@ours.test"
#define LONG     "bounces-123456789-123456789-123456789@Far.test"

static struct spool_mail
forwarded(
    unsigned int number, const char *token, const char *origin, int64_t until)
{
	struct spool_mail mail = mail_to(number, "carol@far.test");

	mail.sender = text_of(token);
	mail.origin = text_of(origin);
	mail.origin_until = until;
	return mail;
}

/* Whom a message goes to that comes back to `token`; "": nobody. */
static void
send_back(unsigned int number, const char *token, char to[100])
{
	struct outgoing_record record = { .original = TEXT(""),
		.address = text_of(token),
		.fate = OUTGOING_BACK };
	struct spool_mail mail = mail_to(number, "x@y.test");
	struct spool_recipient recipient;
	struct error error = { .text = "" };
	struct writer writer;
	uint64_t id;

	to[0] = '\0';
	mail.sender = TEXT("");
	writer_init(&writer, records, sizeof(records));
	record_put_outgoing(&writer, &record);
	mail.recipients = text_make(records, writer.size);
	if (put(&mail, &id) != 1)
		return;
	assert_int_equal(
	    spool_store_recipient(store, id, 0, &recipient, &error), 1);
	(void)text_copy(recipient.address, to, 100);
}

static void
forget(int64_t now)
{
	struct error error;

	assert_int_equal(spool_store_begin(store, &error), 0);
	assert_int_equal(spool_store_forget(store, now, &error), 0);
	assert_int_equal(spool_store_commit(store, &error), 0);
}

static void
a_kept_sender_gets_what_comes_back(void **state)
{
	struct spool_mail mail;
	char to[100];
	uint64_t id;

	send_back(2, TOKEN, to);
	assert_string_equal(to, "");
	mail = forwarded(1, TOKEN, LONG, 30 * DAY);
	assert_int_equal(put(&mail, &id), 1);
	spool_store_close(&store);
	open_store();
	send_back(3, ANY_CASE, to);
	assert_string_equal(to, LONG);
	send_back(4, "SRS0=HASHHASH=AB==ABCDEFGHIJKLMNOQ@ours.test", to);
	assert_string_equal(to, "");
	send_back(5, "short@ours.test", to);
	assert_string_equal(to, "");
	send_back(6, "nothing", to);
	assert_string_equal(to, "");
}

static void
he_is_kept_until_his_last_mail_is_old(void **state)
{
	struct spool_mail first = forwarded(1, TOKEN, LONG, 30 * DAY);
	struct spool_mail same_day = forwarded(2, TOKEN, LONG, 30 * DAY + 5);
	struct spool_mail later = forwarded(3, TOKEN, LONG, 40 * DAY);
	struct spool_env *env = spool_store_env(store);
	char to[100];
	uint64_t id;

	assert_int_equal(put(&first, &id), 1);
	assert_int_equal(put(&same_day, &id), 1);
	assert_int_equal(put(&later, &id), 1);
	assert_int_equal(spool_env_count(env, SPOOL_SENDER), 1);
	assert_int_equal(spool_env_count(env, SPOOL_SENDER_DUE), 1);
	forget(40 * DAY);
	send_back(4, TOKEN, to);
	assert_string_equal(to, LONG);
	forget(40 * DAY + 1);
	send_back(5, TOKEN, to);
	assert_string_equal(to, "");
	assert_int_equal(spool_env_count(env, SPOOL_SENDER), 0);
	assert_int_equal(spool_env_count(env, SPOOL_SENDER_DUE), 0);
}

/* A flood of senders drives out who is kept longest, and fills no disk. */
static void
there_are_so_many_kept_senders_and_no_more(void **state)
{
	struct spool_env *env = spool_store_env(store);
	struct error error = { .text = "" };
	char token[64], to[100];

	assert_int_equal(spool_store_begin(store, &error), 0);
	for (unsigned int i = 0; i <= SPOOL_MAX_SENDERS; i++) {
		snprintf(token, sizeof(token),
		    "SRS0=HASHHASH=AB==%016u@ours.test", i);
		assert_int_equal(spool_senders_keep(env, text_of(token),
				     TEXT(LONG), DAY + (int64_t)i, &error),
		    0);
	}
	assert_int_equal(spool_store_commit(store, &error), 0);
	assert_int_equal(spool_env_count(env, SPOOL_SENDER), SPOOL_MAX_SENDERS);
	send_back(1, "SRS0=HASHHASH=AB==0000000000000000@ours.test", to);
	assert_string_equal(to, "");
	send_back(2, "SRS0=HASHHASH=AB==0000000000000001@ours.test", to);
	assert_string_equal(to, LONG);
}

/* -- Messages that are undecided -- */

static int
decide(const struct spool_mail *mail, bool is_kept)
{
	struct error error = { .text = "" };
	uint32_t account;
	uint64_t id;
	int result;

	assert_int_equal(spool_store_begin(store, &error), 0);
	result = spool_store_decide(
	    store, &mail->delivery, is_kept, &id, &account, &error);
	assert_int_equal(spool_store_commit(store, &error), 0);
	return result;
}

static uint32_t
count_sent(void)
{
	struct error error;
	uint32_t sent;

	assert_int_equal(
	    spool_sent_find(spool_store_env(store), 7, 1000, &sent, &error), 0);
	spool_store_rest(store);
	return sent;
}

static int
count_one(void *context, uint64_t id, uint32_t decider)
{
	assert_int_equal(decider, 9);
	++*(size_t *)context;
	return 0;
}

static size_t
count_undecided(void)
{
	struct error error;
	size_t count = 0;

	assert_int_equal(
	    spool_store_each_undecided(store, count_one, &count, &error), 0);
	spool_store_rest(store);
	return count;
}

static void
what_is_undecided_is_not_tried_until_it_is_kept(void **state)
{
	static const char *const addresses[] = { "a@x.test", "b@y.test",
		"c@x.test" };
	struct spool_mail mail = mail_to(1, "x@y.test");
	uint64_t id;

	mail.recipients = recipients(addresses, 3);
	mail.decider = 9;
	assert_int_equal(put(&mail, &id), 1);
	spool_store_close(&store);
	open_store();
	assert_int_equal(count_parcels(0), 0);
	assert_int_equal(count_undecided(), 1);
	assert_int_equal(count_sent(), 3);
	/* The queue asks again: it is there. */
	assert_int_equal(put(&mail, &id), 0);
	assert_int_equal(decide(&mail, true), 1);
	assert_int_equal(count_undecided(), 0);
	assert_int_equal(count_parcels(id), 2);
	/* Nobody takes back what goes out. */
	assert_int_equal(decide(&mail, false), 0);
	assert_int_equal(count_parcels(id), 2);
	end(id, 0);
	end(id, 1);
	assert_int_equal(put(&mail, &id), 0);
}

static void
what_is_dropped_was_never_there(void **state)
{
	struct spool_mail mail = mail_to(1, "x@y.test");
	struct error error;
	uint64_t id;

	mail.decider = 9;
	mail.size = LARGE;
	mail.data = text_make(NULL, 0);
	mail.fd = file_sealed_memory("mail", large, LARGE, &error);
	assert_int_equal(put(&mail, &id), 1);
	assert_int_equal(count_files(), 1);
	assert_int_equal(decide(&mail, false), 1);
	assert_int_equal(count_files(), 0);
	assert_int_equal(count_sent(), 0);
	for (int table = 0; table < SPOOL_TABLES; table++)
		if (table != SPOOL_META && table != SPOOL_SENT)
			assert_int_equal(
			    spool_env_count(spool_store_env(store), table), 0);
	assert_int_equal(decide(&mail, true), 0);
	/* The same delivery may come again. */
	assert_int_equal(put(&mail, &id), 1);
	assert_int_equal(decide(&mail, true), 1);
	assert_int_equal(count_parcels(id), 1);
	close(mail.fd);
}

static void
bodies_of_each_size_come_back(void **state)
{
	static const size_t sizes[] = { 0, 1, SPOOL_CHUNK_SIZE,
		SPOOL_CHUNK_SIZE + 1, 16384, 16385, SPOOL_INLINE_BYTES, LARGE };
	struct spool_mail mail;
	struct error error;
	uint64_t id;

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		mail = mail_to(i, "x@y.test");
		mail.size = sizes[i];
		mail.data = text_make(large, sizes[i]);
		if (sizes[i] > 16384) {
			mail.data = TEXT("");
			mail.fd =
			    file_sealed_memory("mail", large, sizes[i], &error);
		}
		assert_int_equal(put(&mail, &id), 1);
		if (mail.fd != -1)
			close(mail.fd);
		assert_body(id, large, sizes[i]);
		spool_store_close(&store);
		open_store();
		assert_body(id, large, sizes[i]);
		assert_int_equal(count_files(), sizes[i] == LARGE);
		end(id, 0);
		assert_int_equal(count_files(), 0);
	}
	assert_int_equal(
	    spool_env_count(spool_store_env(store), SPOOL_BODY), 0);
	assert_int_equal(
	    spool_env_count(spool_store_env(store), SPOOL_RECIPIENT), 0);
}

/* A number that was given out before a commit which found no room is of a row
 * after the next one: it may not be given out again after a restart. */
static void
a_number_is_not_used_again_after_a_commit_that_failed(void **state)
{
	struct spool_mail mail = mail_to(1, "x@y.test");
	struct error error;
	uint64_t id;

	mail.id = spool_store_new_id(store);
	assert_int_equal(spool_store_begin(store, &error), 0);
	spool_env_set_fault(ENOSPC);
	assert_int_equal(spool_store_commit(store, &error), -1);
	spool_env_set_fault(0);
	assert_int_equal(put(&mail, &id), 1);
	assert_int_equal(id, mail.id);
	spool_store_close(&store);
	open_store();
	assert_true(spool_store_new_id(store) > id);
}

static void
put_large(struct spool_mail *mail, unsigned int number)
{
	struct error error;

	*mail = mail_to(number, "x@y.test");
	mail->size = LARGE;
	mail->data = TEXT("");
	mail->fd = file_sealed_memory("mail", large, LARGE, &error);
	assert_int_not_equal(mail->fd, -1);
}

static int
fail_call(const char *call, const char *name, void *context)
{
	return strcmp(call, context) == 0 ? ENOSPC : 0;
}

static void
a_file_that_finds_no_room_leaves_nothing(void **state)
{
	struct spool_mail mail;
	uint64_t id;

	put_large(&mail, 1);
	file_set_fault_hook(fail_call, "write");
	assert_int_equal(put(&mail, &id), -1);
	file_set_fault_hook(NULL, NULL);
	assert_int_equal(count_files(), 0);
	assert_int_equal(put(&mail, &id), 1);
	assert_body(id, large, LARGE);
	close(mail.fd);
}

/* As after a crash between the sync of the file and the commit. */
static void
a_file_that_no_row_names_goes_at_the_start(void **state)
{
	struct spool_mail mail;
	struct error error;
	uint64_t id;

	put_large(&mail, 1);
	assert_int_equal(put(&mail, &id), 1);
	put_large(&mail, 2);
	assert_int_equal(write_body(&mail), 0);
	assert_int_equal(spool_store_begin(store, &error), 0);
	assert_int_equal(spool_store_put(store, &mail, &id, &error), 1);
	spool_store_abort(store);
	spool_store_close(&store);
	assert_int_equal(count_files(), 2);
	open_store();
	assert_int_equal(count_files(), 1);
	close(mail.fd);
}

static void
what_was_not_committed_is_not_there(void **state)
{
	struct spool_mail mail = mail_to(1, "x@y.test");
	struct error error;
	uint64_t id;

	assert_int_equal(spool_store_begin(store, &error), 0);
	assert_int_equal(spool_store_put(store, &mail, &id, &error), 1);
	spool_env_set_fault(EIO);
	assert_int_equal(spool_store_commit(store, &error), -1);
	spool_env_set_fault(0);
	assert_int_equal(error.code, ERROR_SYSTEM);
	assert_int_equal(count_parcels(0), 0);
	assert_int_equal(put(&mail, &id), 1);
}

static void
what_nobody_should_hand_in_is_refused(void **state)
{
	struct spool_mail mail = mail_to(1, "nobody");
	uint64_t id;

	assert_int_equal(put(&mail, &id), -1);
	mail.recipients = TEXT("");
	assert_int_equal(put(&mail, &id), -1);
	mail.recipients = TEXT("xyz");
	assert_int_equal(put(&mail, &id), -1);
	mail = mail_to(1, "a@b.test");
	mail.size = 20000;
	assert_int_equal(put(&mail, &id), -1);
	assert_int_equal(count_parcels(0), 0);
}

/* The map instead of the disk: what LMDB says is the same. */
static void
when_it_is_full_mail_is_refused_and_what_went_makes_room(void **state)
{
	struct spool_mail mail;
	struct error error;
	uint64_t first = 0, id;
	unsigned int n;

	spool_store_close(&store);
	store = spool_store_open(
	    folder, SPOOL_RESERVE_BYTES / 2 + (4 << 20), &error);
	assert_non_null(store);
	for (n = 0; spool_store_has_room(store, 16384); n++) {
		assert_true(n < 1000);
		mail = mail_to(n, "x@y.test");
		mail.size = 16384;
		mail.data = text_make(large, 16384);
		assert_int_equal(put(&mail, &id), 1);
		first = first == 0 ? id : first;
	}
	assert_true(n > 100);
	for (; id >= first; id--)
		end(id, 0);
	assert_int_equal(count_parcels(0), 0);
}

static void
a_flipped_bit_is_found(void **state)
{
	struct spool_mail mail = mail_to(1, "x@y.test");
	struct spool_key key = { .size = 0 };
	struct spool_message message;
	struct error error;
	uint64_t id;

	assert_int_equal(put(&mail, &id), 1);
	spool_key_u64(&key, id);
	spool_key_u32(&key, 0);
	assert_int_equal(spool_store_begin(store, &error), 0);
	assert_int_equal(spool_env_put(spool_store_env(store), SPOOL_BODY, &key,
			     TEXT("Ho\r\n."), &error),
	    0);
	assert_int_equal(spool_store_commit(store, &error), 0);
	assert_int_equal(spool_store_message(store, id, &message, &error), 1);
	assert_int_equal(
	    spool_store_open_body(store, id, &message, &error), -1);
	assert_int_equal(error.code, ERROR_DAMAGED);
}

/* A put and an end of one more, in calls to the environment. */
static uint64_t
cost_of_one(unsigned int number)
{
	uint64_t before = spool_env_operations(spool_store_env(store)), id;
	struct spool_mail mail = mail_to(number, "x@y.test");

	assert_int_equal(put(&mail, &id), 1);
	end(id, 0);
	return spool_env_operations(spool_store_env(store)) - before;
}

static void
what_a_message_costs_does_not_grow_with_their_number(void **state)
{
	uint64_t cost = cost_of_one(1), id;
	struct spool_mail mail;
	struct error error;

	assert_int_equal(spool_store_begin(store, &error), 0);
	for (unsigned int i = 0; i < MANY; i++) {
		mail = mail_to(10 + i, "x@y.test");
		assert_int_equal(spool_store_put(store, &mail, &id, &error), 1);
	}
	assert_int_equal(spool_store_commit(store, &error), 0);
	assert_int_equal(cost_of_one(2), cost);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(recipients_are_sorted_into_parcels_by_domain),
		TEST(more_recipients_than_a_job_takes_are_several_parcels),
		TEST(a_delivery_is_taken_once_and_remembered_when_it_is_gone),
		TEST(what_went_is_forgotten_in_the_end),
		TEST(a_time_to_deliver_by_is_remembered),
		TEST(a_kept_sender_gets_what_comes_back),
		TEST(he_is_kept_until_his_last_mail_is_old),
		TEST(there_are_so_many_kept_senders_and_no_more),

		TEST(what_is_undecided_is_not_tried_until_it_is_kept),
		TEST(what_is_dropped_was_never_there),
		TEST(bodies_of_each_size_come_back),
		TEST(a_file_that_finds_no_room_leaves_nothing),
		TEST(a_file_that_no_row_names_goes_at_the_start),
		TEST(a_number_is_not_used_again_after_a_commit_that_failed),
		TEST(what_was_not_committed_is_not_there),
		TEST(what_nobody_should_hand_in_is_refused),
		TEST(when_it_is_full_mail_is_refused_and_what_went_makes_room),
		TEST(a_flipped_bit_is_found),
		TEST(what_a_message_costs_does_not_grow_with_their_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
