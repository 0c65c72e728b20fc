/*
 * What a process that was taken over says to the store: mail that is not its
 * account's, what it may not read or change, and what is no file at all.
 */
#include "tests/redteam/intruder.h"

#include "common/codec.h"
#include "common/log.h"
#include "common/record.h"
#include "common/status.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* -- What is given to it -- */

static enum status
accept_mail(
    uint32_t account, uint8_t first, const char *bytes, int fd, uint64_t size)
{
	struct message message = { .type = MESSAGE_accept };
	struct recipient_record recipient = { .account = account,
		.address = text_of("x@demo.test") };
	uint8_t space[200];
	struct writer writer;

	writer_init(&writer, space, sizeof(space));
	record_put_recipient(&writer, &recipient);
	message.accept.tag = 9;
	memset(message.accept.delivery.bytes, first, 16);
	message.accept.time = 1700000000;
	message.accept.sender = text_of("y@demo.test");
	message.accept.recipients = text_make(space, writer.size);
	message.accept.size = size;
	message.accept.data = text_of(bytes);
	if (!intruder_ask(ROLE_SNAPD, &message, fd, MESSAGE_accepted))
		return STATUS_UNAVAILABLE;
	return (enum status)message.accepted.status;
}

static bool
is_store_alive(void)
{
	struct message message = { .type = MESSAGE_queue_hello };

	return intruder_ask(ROLE_SNAPD, &message, -1, MESSAGE_store_state) &&
	       message.store_state.status == STATUS_OK;
}

static enum result
give_descriptor(int fd, uint64_t size)
{
	if (intruder.self != ROLE_QUEUE)
		return NO_PEER;
	return accept_mail(1, 0xd0, "", fd, size) == STATUS_OK ||
		       !is_store_alive()
		   ? THROUGH
		   : REFUSED;
}

static enum result
give_sparse(void)
{
	int fd;

	if (intruder.self != ROLE_QUEUE)
		return NO_PEER;
	fd = memfd_create("sparse", MFD_CLOEXEC);
	(void)ftruncate(fd, (off_t)1 << 40);
	return give_descriptor(fd, UINT64_C(1) << 40);
}

/* It grows and shrinks while snapd may be reading: any answer will do, but
 * snapd lives. */
static enum result
give_moving(void)
{
	struct message message = { .type = MESSAGE_accept };
	struct recipient_record recipient = { .account = 1 };
	uint8_t space[64];
	struct writer writer;
	int fd;

	if (intruder.self != ROLE_QUEUE)
		return NO_PEER;
	fd = memfd_create("moving", MFD_CLOEXEC);
	writer_init(&writer, space, sizeof(space));
	record_put_recipient(&writer, &recipient);
	message.accept.recipients = text_make(space, writer.size);
	message.accept.size = 8 << 20;
	for (uint8_t i = 0; i < 20; i++) {
		(void)ftruncate(fd, 8 << 20);
		memset(message.accept.delivery.bytes, 0xe0 + i, 16);
		if (channel_send_now(intruder.peers[ROLE_SNAPD], intruder.self,
			ROLE_SNAPD, &message, &fd, 1, &intruder.why) == -1)
			return THROUGH;
		for (int turn = 0; turn < 200; turn++) {
			(void)pwrite(fd, "changed", 7, turn * 4096);
			(void)ftruncate(fd, turn % 2 ? 8 << 20 : 1 << 20);
		}
	}
	return is_store_alive() ? REFUSED : THROUGH;
}

/* The same delivery again, with other bytes and for another account. */
static enum result
accept_again(void)
{
	if (intruder.self != ROLE_QUEUE)
		return NO_PEER;
	if (accept_mail(1, 0xaa, "one\n", -1, 4) != STATUS_OK)
		return THROUGH;
	(void)accept_mail(1, 0xaa, "two\n", -1, 4);
	/* The worker's read_own tells what is there. */
	return is_store_alive() ? REFUSED : THROUGH;
}

/* -- A worker, and what is not its account's -- */

static bool
is_own(const uint64_t *own, size_t count, uint64_t id)
{
	for (size_t i = 0; i < count; i++)
		if (own[i] == id)
			return true;
	return false;
}

static size_t
list_own(uint64_t *own, size_t most)
{
	struct message message = { .type = MESSAGE_list_mailboxes };
	static struct change_record record;
	struct reader reader;
	size_t count = 0;

	if (!intruder_ask(ROLE_SNAPD, &message, -1, MESSAGE_listing) ||
	    message.listing.status != STATUS_OK)
		return 0;
	reader_init(
	    &reader, message.listing.data.data, message.listing.data.size);
	while (count < most && record_get_change(&reader, &record) == 1)
		if (record.kind == CHANGE_MAILBOX)
			own[count++] = record.mailbox.id;
	return count;
}

/* Mailboxes of all accounts have low numbers in a young store. */
static enum result
read_others_mailbox(uint64_t as_of)
{
	uint64_t own[64];
	size_t count;

	if (intruder.self != ROLE_WORKER)
		return NO_PEER;
	count = list_own(own, 64);
	if (count == 0)
		return THROUGH; /* nothing was shown */
	for (uint64_t id = 1; id < 64; id++) {
		struct message message = { .type = MESSAGE_list_messages };

		message.list_messages.mailbox = id;
		message.list_messages.as_of = as_of;
		if (!is_own(own, count, id) &&
		    intruder_ask(ROLE_SNAPD, &message, -1, MESSAGE_listing) &&
		    message.listing.status == STATUS_OK)
			return THROUGH;
	}
	return REFUSED;
}

static enum result
read_others_blob(void)
{
	if (intruder.self != ROLE_WORKER)
		return NO_PEER;
	for (uint64_t blob = 1; blob < 64; blob++) {
		struct message message = { .type = MESSAGE_read_blob };

		message.read_blob.blob = blob;
		if (intruder_ask(ROLE_SNAPD, &message, -1, MESSAGE_body) &&
		    message.body.status == STATUS_OK &&
		    memmem(message.body.data.data, message.body.data.size,
			"OTHERS SECRET", 13) != NULL)
			return THROUGH;
	}
	return REFUSED;
}

/* The same, many at a time: all that there may be. */
static enum result
read_others_blobs(void)
{
	uint8_t blobs[BODIES_MAX * sizeof(uint64_t)];
	struct message message = { .type = MESSAGE_read_blobs };
	struct writer writer;

	if (intruder.self != ROLE_WORKER)
		return NO_PEER;
	writer_init(&writer, blobs, sizeof(blobs));
	for (uint64_t blob = 1; blob <= BODIES_MAX; blob++)
		writer_put_u64(&writer, blob);
	message.read_blobs.blobs = text_make(blobs, writer.size);
	if (!intruder_ask(ROLE_SNAPD, &message, -1, MESSAGE_bodies))
		return REFUSED;
	return memmem(message.bodies.data.data, message.bodies.data.size,
		   "OTHERS SECRET", 13) != NULL
		   ? THROUGH
		   : REFUSED;
}

/* Account 0's blobs are the first ones of a store. */
static enum result
read_service_files(void)
{
	if (intruder.self != ROLE_WORKER)
		return NO_PEER;
	for (uint64_t blob = 1; blob < 64; blob++) {
		struct message message = { .type = MESSAGE_read_blob };
		struct text *data = &message.body.data;

		message.read_blob.blob = blob;
		if (intruder_ask(ROLE_SNAPD, &message, -1, MESSAGE_body) &&
		    message.body.status == STATUS_OK &&
		    (memmem(data->data, data->size, "FIRNSEAL", 8) != NULL ||
			memmem(data->data, data->size, "\nlisten ", 8) != NULL))
			return THROUGH;
	}
	return REFUSED;
}

/* A message of its own out of bytes that it may not read. */
static enum result
recall_others_blob(void)
{
	uint64_t own[64];

	if (intruder.self != ROLE_WORKER)
		return NO_PEER;
	if (list_own(own, 64) == 0)
		return THROUGH;
	for (uint64_t blob = 1; blob < 64; blob++) {
		struct message read = { .type = MESSAGE_read_blob };
		struct message begin = { .type = MESSAGE_batch_begin };
		struct message change = { .type = MESSAGE_change_recall };
		struct message commit = { .type = MESSAGE_batch_commit };
		struct recall_record record = { .blob = blob };
		uint8_t bytes[RECORD_RECALL_SIZE];
		struct writer writer;

		read.read_blob.blob = blob;
		if (intruder_ask(ROLE_SNAPD, &read, -1, MESSAGE_body) &&
		    read.body.status == STATUS_OK)
			continue;
		record.delivery.bytes[0] = (uint8_t)blob;
		writer_init(&writer, bytes, sizeof(bytes));
		record_put_recall(&writer, &record);
		change.change_recall.mailbox = own[0];
		change.change_recall.records = text_make(bytes, writer.size);
		begin.batch_begin.counter = 4000 + blob;
		commit.batch_commit.counter = 4000 + blob;
		(void)channel_send_now(intruder.peers[ROLE_SNAPD],
		    intruder.self, ROLE_SNAPD, &begin, NULL, 0, &intruder.why);
		(void)channel_send_now(intruder.peers[ROLE_SNAPD],
		    intruder.self, ROLE_SNAPD, &change, NULL, 0, &intruder.why);
		if (intruder_ask(ROLE_SNAPD, &commit, -1, MESSAGE_batch_done) &&
		    commit.batch_done.status == STATUS_OK)
			return THROUGH;
	}
	return REFUSED;
}

/* 0xbb.. is account 2's, by the queue's order `accept_for_other`. */
static enum result
read_others_delivery(void)
{
	struct message message = { .type = MESSAGE_read_unfiled };

	if (intruder.self != ROLE_WORKER)
		return NO_PEER;
	memset(message.read_unfiled.delivery.bytes, 0xbb, 16);
	return intruder_ask(ROLE_SNAPD, &message, -1, MESSAGE_body) &&
		       message.body.status == STATUS_OK
		   ? THROUGH
		   : REFUSED;
}

static enum result
file_others_delivery(void)
{
	struct message begin = { .type = MESSAGE_batch_begin };
	struct message change = { .type = MESSAGE_change_file };
	struct message commit = { .type = MESSAGE_batch_commit };
	uint64_t own[64];

	if (intruder.self != ROLE_WORKER)
		return NO_PEER;
	if (list_own(own, 64) == 0)
		return THROUGH;
	begin.batch_begin.counter = commit.batch_commit.counter = 1000;
	memset(change.change_file.delivery.bytes, 0xbb, 16);
	change.change_file.mailbox = own[0];
	(void)channel_send_now(intruder.peers[ROLE_SNAPD], intruder.self,
	    ROLE_SNAPD, &begin, NULL, 0, &intruder.why);
	(void)channel_send_now(intruder.peers[ROLE_SNAPD], intruder.self,
	    ROLE_SNAPD, &change, NULL, 0, &intruder.why);
	return intruder_ask(ROLE_SNAPD, &commit, -1, MESSAGE_batch_done) &&
		       commit.batch_done.status == STATUS_OK
		   ? THROUGH
		   : REFUSED;
}

/* Expunges and renames in every mailbox that is not its own. */
static enum result
change_others_mailbox(void)
{
	uint64_t own[64];
	size_t count;

	if (intruder.self != ROLE_WORKER)
		return NO_PEER;
	count = list_own(own, 64);
	for (uint64_t id = 1; id < 64 && count > 0; id++) {
		struct message begin = { .type = MESSAGE_batch_begin };
		struct message change = { .type = MESSAGE_change_rename };
		struct message commit = { .type = MESSAGE_batch_commit };

		if (is_own(own, count, id))
			continue;
		begin.batch_begin.counter = 2000 + id;
		commit.batch_commit.counter = 2000 + id;
		change.change_rename.mailbox = id;
		change.change_rename.name = text_of("taken");
		(void)channel_send_now(intruder.peers[ROLE_SNAPD],
		    intruder.self, ROLE_SNAPD, &begin, NULL, 0, &intruder.why);
		(void)channel_send_now(intruder.peers[ROLE_SNAPD],
		    intruder.self, ROLE_SNAPD, &change, NULL, 0, &intruder.why);
		if (intruder_ask(ROLE_SNAPD, &commit, -1, MESSAGE_batch_done) &&
		    commit.batch_done.status == STATUS_OK)
			return THROUGH;
	}
	return count > 0 ? REFUSED : THROUGH;
}

/* Claims that the store is older than a witness, again and again: its own
 * account may leap once, so more than one answer of OK is too many. */
static enum result
claim_leaps(void)
{
	struct message hello = { .type = MESSAGE_worker_hello };
	struct store_id store;
	unsigned int leaps = 0;

	if (intruder.self != ROLE_WORKER)
		return NO_PEER;
	if (!intruder_ask(ROLE_SNAPD, &hello, -1, MESSAGE_account_state))
		return THROUGH;
	store = hello.account_state.store;
	for (unsigned int i = 0; i < 50; i++) {
		struct message claim = { .type = MESSAGE_witness };

		claim.witness.store = store;
		claim.witness.incarnation = UINT64_MAX - i;
		claim.witness.sequence = UINT64_MAX;
		if (!intruder_ask(
			ROLE_SNAPD, &claim, -1, MESSAGE_witness_heard))
			return THROUGH;
		leaps += claim.witness_heard.status == STATUS_OK;
	}
	return leaps <= 1 ? REFUSED : THROUGH;
}

static enum result
give_directory(void)
{
	struct message begin = { .type = MESSAGE_batch_begin };
	struct message change = { .type = MESSAGE_change_append };
	struct message commit = { .type = MESSAGE_batch_commit };
	uint64_t own[64];
	int fd;

	if (intruder.self != ROLE_WORKER || list_own(own, 64) == 0)
		return NO_PEER;
	fd = open(".", O_RDONLY | O_DIRECTORY);
	begin.batch_begin.counter = commit.batch_commit.counter = 3000;
	change.change_append.mailbox = own[0];
	change.change_append.size = 4096;
	(void)channel_send_now(intruder.peers[ROLE_SNAPD], intruder.self,
	    ROLE_SNAPD, &begin, NULL, 0, &intruder.why);
	(void)channel_send_now(intruder.peers[ROLE_SNAPD], intruder.self,
	    ROLE_SNAPD, &change, &fd, 1, &intruder.why);
	return intruder_ask(ROLE_SNAPD, &commit, -1, MESSAGE_batch_done) &&
		       commit.batch_done.status == STATUS_OK
		   ? THROUGH
		   : REFUSED;
}

static enum result
accept_for_other(void)
{
	if (intruder.self != ROLE_QUEUE)
		return NO_PEER;
	return accept_mail(2, 0xbb, "OTHERS SECRET\n", -1, 14) == STATUS_OK
		   ? REFUSED
		   : THROUGH;
}

/* Mail among the service's own files. */
static enum result
accept_for_service(void)
{
	if (intruder.self != ROLE_QUEUE)
		return NO_PEER;
	return accept_mail(ACCOUNT_SERVICE, 0xcc, "host x\n", -1, 7) ==
		       STATUS_OK
		   ? THROUGH
		   : REFUSED;
}

/* The broker makes itself a worker of account 0. */
static enum result
become_service_worker(void)
{
	struct message introduce = { .type = MESSAGE_introduce };
	struct message list = { .type = MESSAGE_list_mailboxes };
	int ends[2];

	if (intruder.self != ROLE_BROKER)
		return NO_PEER;
	if (channel_pair(ends, &intruder.why) == -1)
		return THROUGH;
	introduce.introduce.role = ROLE_WORKER;
	introduce.introduce.account = ACCOUNT_SERVICE;
	if (channel_send_now(intruder.peers[ROLE_SNAPD], intruder.self,
		ROLE_SNAPD, &introduce, &ends[0], 1, &intruder.why) == -1)
		return THROUGH;
	close(ends[0]);
	intruder.peers[ROLE_SNAPD] = ends[1];
	intruder.self = ROLE_WORKER;
	return intruder_ask(ROLE_SNAPD, &list, -1, MESSAGE_listing) ? THROUGH
								    : REFUSED;
}

/* The worker of account 1 is told to file what is account 2's. */
static enum result
file_for_wrong_worker(void)
{
	struct message message = { .type = MESSAGE_file };

	if (intruder.self != ROLE_QUEUE || intruder.peers[ROLE_WORKER] == -1)
		return NO_PEER;
	memset(message.file.delivery.bytes, 0xbb, 16);
	if (!intruder_ask(ROLE_WORKER, &message, -1, MESSAGE_filed)) {
		log_error("attack", "why=\"no answer: %s\"", intruder.why.text);
		return THROUGH;
	}
	return message.filed.status == STATUS_OK ? THROUGH : REFUSED;
}

static enum result
give_fifo(void)
{
	int ends[2];

	if (intruder.self != ROLE_QUEUE)
		return NO_PEER;
	(void)pipe2(ends, O_CLOEXEC);
	return give_descriptor(ends[0], 10);
}

static enum result
give_device(void)
{
	return give_descriptor(0, 10);
}

static enum result
read_others_now(void)
{
	return read_others_mailbox(0);
}

static enum result
read_others_past(void)
{
	return read_others_mailbox(3);
}

const struct talk intruder_store_talks[] = {
	{ "accept_again_with_other_bytes", accept_again },
	{ "accept_for_other_first", accept_for_other },
	{ "accept_for_account_0", accept_for_service },
	{ "read_files_of_account_0", read_service_files },
	{ "be_worker_of_account_0", become_service_worker },
	{ "read_other_accounts_delivery", read_others_delivery },
	{ "file_other_accounts_delivery", file_others_delivery },
	{ "file_with_other_accounts_delivery", file_for_wrong_worker },
	{ "read_other_accounts_blob", read_others_blob },
	{ "read_other_accounts_blobs", read_others_blobs },
	{ "recall_other_accounts_blob", recall_others_blob },
	{ "list_other_accounts_mailbox", read_others_now },
	{ "list_other_accounts_mailbox_as_of", read_others_past },
	{ "change_other_accounts_mailbox", change_others_mailbox },
	{ "claim_leaps_without_end", claim_leaps },
	{ "give_fifo", give_fifo },
	{ "give_device", give_device },
	{ "give_directory", give_directory },
	{ "give_sparse_terabyte", give_sparse },
	{ "give_file_that_changes", give_moving },
	{ NULL, NULL },
};
