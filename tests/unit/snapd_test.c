/*
 * What the queue and the workers can ask of the snapshot process: nothing is
 * doubled, a batch is whole or not there, an account reaches its own rows only,
 * and any moment is listed as it was.
 */
#include "common/memory.h"
#include "tests/unit/snapd_mail_stand.h"

#include <stdlib.h>
#include <string.h>

static size_t
list_as_of(struct peer *worker, uint64_t mailbox, uint64_t as_of,
    struct message_record *records, size_t room)
{
	struct message m = { .type = MESSAGE_list_messages };
	size_t count = 0;
	struct reader r;

	m.list_messages.mailbox = mailbox;
	m.list_messages.as_of = as_of;
	ask(worker, &m);
	if (worker->answer.listing.status != STATUS_OK)
		return SIZE_MAX;
	reader_init(&r, worker->data, worker->size);
	while (count < room && record_get_message(&r, &records[count]) == 1)
		count++;
	assert_int_equal(reader_done(&r), 0);
	return count;
}

static enum status
file_mail(struct fixture *f, unsigned int n, uint64_t mailbox)
{
	begin(&f->worker, ++f->counter);
	part_file(&f->worker, n, mailbox);
	return commit(&f->worker, f->counter);
}

static void
accepted_mail_is_filed_once(void **state)
{
	struct message read = { .type = MESSAGE_read_unfiled };
	struct fixture *f = *state;
	struct message_record record;
	struct result_record result, again;

	assert_int_equal(
	    accept_mail(f, 7, 1, TEXT("A: b\n\nhello\n")), STATUS_OK);
	assert_int_equal(
	    accept_mail(f, 7, 1, TEXT("A: b\n\nOTHER\n")), STATUS_OK);
	read.read_unfiled.delivery = delivery_of(7);
	ask(&f->worker, &read);
	assert_int_equal(f->worker.answer.body.status, STATUS_OK);
	assert_memory_equal(f->worker.data, "A: b\n\nhello\n", 12);
	assert_int_equal(file_mail(f, 7, 1), STATUS_OK);
	result = first_result(&f->worker);
	assert_int_equal(result.uid, 1);
	assert_int_equal(result.size, 15);
	assert_int_equal(file_mail(f, 7, 1), STATUS_OK);
	again = first_result(&f->worker);
	assert_int_equal(again.uid, 1);
	assert_int_equal(again.size, result.size);
	assert_memory_equal(&again.hash, &result.hash, sizeof(result.hash));
	assert_int_equal(list_as_of(&f->worker, 1, 0, &record, 1), 1);
	assert_int_equal(record.internaldate, 1700000000);
}

static void
accept_for_unknown_account_stores_nothing(void **state)
{
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_list_unfiled_accounts };

	assert_int_equal(accept_mail(f, 1, 99, TEXT("x")), STATUS_MISSING);
	ask(&f->queue, &m);
	assert_int_equal(f->queue.size, 0);
}

static enum status
find_mail(struct fixture *f, uint32_t account, unsigned int n)
{
	struct message m = { .type = MESSAGE_find_delivery };

	m.find_delivery.account = account;
	m.find_delivery.delivery = delivery_of(n);
	ask(&f->queue, &m);
	assert_int_equal(f->queue.answer.type, MESSAGE_delivery_found);
	return f->queue.answer.delivery_found.status;
}

/* Of mail that another queue had begun. */
static void
the_queue_is_told_what_was_accepted_for_whom(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(find_mail(f, 1, 1), STATUS_MISSING);
	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_OK);
	assert_int_equal(find_mail(f, 1, 1), STATUS_OK);
	assert_int_equal(find_mail(f, 2, 1), STATUS_MISSING);
	assert_int_equal(find_mail(f, 1, 2), STATUS_MISSING);
	assert_int_equal(file_mail(f, 1, 1), STATUS_OK);
	assert_int_equal(find_mail(f, 1, 1), STATUS_OK);
}

static void
repeated_batch_gets_the_answer_of_then(void **state)
{
	struct fixture *f = *state;
	struct message_record records[3];

	assert_int_equal(append(f, 1, 1), STATUS_OK);
	assert_int_equal(append(f, 2, 1), STATUS_OK);
	begin(&f->worker, 1);
	part_append(&f->worker, 9, 1, "something else");
	assert_int_equal(commit(&f->worker, 1), STATUS_OK);
	assert_int_equal(first_result(&f->worker).uid, 1);
	assert_int_equal(list_as_of(&f->worker, 1, 0, records, 3), 2);
}

static void
batch_with_one_bad_change_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct message_record record;

	begin(&f->worker, 1);
	part_append(&f->worker, 1, 1, "good");
	part_append(&f->worker, 2, 77, "no such mailbox");
	assert_int_equal(commit(&f->worker, 1), STATUS_MISSING);
	assert_int_equal(list_as_of(&f->worker, 1, 0, &record, 1), 0);
	assert_int_equal(append(f, 1, 1), STATUS_OK);
	assert_int_equal(first_result(&f->worker).uid, 1);
}

static void
foreign_mailbox_blob_and_delivery_are_missing(void **state)
{
	struct fixture *f = *state;
	struct message read = { .type = MESSAGE_read_blob };
	struct message file = { .type = MESSAGE_change_file };
	struct message_record record;
	uint64_t blob;

	assert_int_equal(append(f, 1, 1), STATUS_OK);
	blob = first_result(&f->worker).blob;
	assert_int_equal(list_as_of(&f->other, 1, 0, &record, 1), SIZE_MAX);
	assert_int_equal(f->other.answer.listing.status, STATUS_MISSING);
	read.read_blob.blob = blob;
	ask(&f->other, &read);
	assert_int_equal(f->other.answer.body.status, STATUS_MISSING);
	begin(&f->other, 1);
	part_append(&f->other, 5, 1, "into another's mailbox");
	assert_int_equal(commit(&f->other, 1), STATUS_MISSING);
	assert_int_equal(accept_mail(f, 6, 1, TEXT("x")), STATUS_OK);
	file.change_file.delivery = delivery_of(6);
	file.change_file.mailbox = 2;
	begin(&f->other, 1);
	channel_send(f->other.channel, &file, NULL, 0);
	assert_int_equal(commit(&f->other, 1), STATUS_MISSING);
}

static void
reused_name_gets_a_higher_uidvalidity(void **state)
{
	struct fixture *f = *state;
	struct message create = { .type = MESSAGE_change_create };
	struct message retire = { .type = MESSAGE_change_retire };
	struct result_record first, second;

	create.change_create.name = TEXT("Work/2026");
	begin(&f->worker, 1);
	channel_send(f->worker.channel, &create, NULL, 0);
	assert_int_equal(commit(&f->worker, 1), STATUS_OK);
	first = first_result(&f->worker);
	begin(&f->worker, 2);
	channel_send(f->worker.channel, &create, NULL, 0);
	assert_int_equal(commit(&f->worker, 2), STATUS_EXISTS);
	retire.change_retire.mailbox = first.mailbox;
	begin(&f->worker, 2);
	channel_send(f->worker.channel, &retire, NULL, 0);
	channel_send(f->worker.channel, &create, NULL, 0);
	assert_int_equal(commit(&f->worker, 2), STATUS_OK);
	memmove(f->worker.data, f->worker.data + RECORD_RESULT_SIZE,
	    f->worker.size - RECORD_RESULT_SIZE);
	f->worker.size -= RECORD_RESULT_SIZE;
	second = first_result(&f->worker);
	assert_true(second.uid > first.uid);
	assert_true(second.mailbox > first.mailbox);
}

enum {
	MODEL_STEPS = 400,
	MODEL_UIDS = 200
};

struct model {
	uint32_t flags[MODEL_STEPS + 1][MODEL_UIDS];
	bool is_live[MODEL_STEPS + 1][MODEL_UIDS];
	uint64_t sequence[MODEL_STEPS + 1];
	uint32_t next;
};

static void
model_step(struct fixture *f, struct model *model, unsigned int n)
{
	uint32_t uid = 1 + (uint32_t)random() % (model->next + 1);
	uint32_t flags = (uint32_t)random() & FLAG_ALL;

	memcpy(model->flags[n], model->flags[n - 1], sizeof(model->flags[0]));
	memcpy(model->is_live[n], model->is_live[n - 1],
	    sizeof(model->is_live[0]));
	if (uid >= model->next || !model->is_live[n][uid]) {
		if (model->next == MODEL_UIDS)
			flags = UINT32_MAX;
		else
			assert_int_equal(append(f, n, 1), STATUS_OK);
		if (flags != UINT32_MAX) {
			assert_int_equal(
			    first_result(&f->worker).uid, model->next);
			model->flags[n][model->next] = 0;
			model->is_live[n][model->next++] = true;
		}
	} else if (random() % 3 == 0) {
		assert_int_equal(expunge(f, 1, uid), STATUS_OK);
		model->is_live[n][uid] = false;
	} else {
		assert_int_equal(set_flags(f, 1, uid, flags), STATUS_OK);
		model->flags[n][uid] = flags;
	}
	model->sequence[n] = f->worker.answer.batch_done.sequence;
}

static void
listing_as_of_any_sequence_equals_a_naive_model(void **state)
{
	struct model *model = memory_new(1, sizeof(*model));
	struct message_record records[MODEL_UIDS];
	struct fixture *f = *state;
	unsigned int n, uid;
	size_t count, i;

	srandom(4);
	model->next = 1;
	for (n = 1; n <= MODEL_STEPS; n++)
		model_step(f, model, n);
	for (n = 1; n <= MODEL_STEPS; n++) {
		count = list_as_of(
		    &f->worker, 1, model->sequence[n], records, MODEL_UIDS);
		for (i = 0, uid = 1; uid < MODEL_UIDS; uid++) {
			if (!model->is_live[n][uid])
				continue;
			assert_true(i < count);
			assert_int_equal(records[i].uid, uid);
			assert_int_equal(
			    records[i].flags, model->flags[n][uid]);
			i++;
		}
		assert_int_equal(i, count);
	}
	free(model);
}

static enum status
claim_anything(struct fixture *f, struct peer *worker, bool is_foreign)
{
	struct message m = { .type = MESSAGE_witness };

	text_parse_hex(text_of(f->id), m.witness.store.bytes, 16);
	m.witness.store.bytes[0] ^= is_foreign;
	m.witness.incarnation = m.witness.sequence = UINT64_MAX;
	ask(worker, &m);
	return worker->answer.witness_heard.status;
}

/* Whatever it claims, a worker moves its own counters, once. */
static void
witness_is_heard_once_a_channel_and_not_of_another_store(void **state)
{
	struct fixture *f = *state;
	struct message_record records[8];

	assert_int_equal(append(f, 1, 1), STATUS_OK);
	assert_int_equal(claim_anything(f, &f->other, true), STATUS_REFUSED);
	assert_int_equal(claim_anything(f, &f->other, false), STATUS_LIMIT);
	assert_int_equal(claim_anything(f, &f->worker, false), STATUS_OK);
	for (int i = 0; i < 10; i++)
		assert_int_equal(
		    claim_anything(f, &f->worker, false), STATUS_LIMIT);
	assert_int_equal(append(f, 2, 1), STATUS_OK);
	assert_int_equal(list_as_of(&f->worker, 1, 0, records, 8), 2);
	assert_int_equal(records[0].uid, 1);
	assert_int_equal(records[1].uid, 2 + (1 << 20));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(accepted_mail_is_filed_once),
		TEST(accept_for_unknown_account_stores_nothing),
		TEST(the_queue_is_told_what_was_accepted_for_whom),
		TEST(repeated_batch_gets_the_answer_of_then),
		TEST(batch_with_one_bad_change_changes_nothing),
		TEST(foreign_mailbox_blob_and_delivery_are_missing),
		TEST(reused_name_gets_a_higher_uidvalidity),
		TEST(listing_as_of_any_sequence_equals_a_naive_model),
		TEST(witness_is_heard_once_a_channel_and_not_of_another_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
