/*
 * What a process that was taken over says to those whom it has channels to:
 * malformed and foreign messages, floods, grants it was not given, and to the
 * store what is not its account's or no file at all.  One function a row of
 * the table at the end.
 */
#include "tests/redteam/intruder.h"

#include "common/codec.h"
#include "common/log.h"
#include "common/login.h"
#include "common/record.h"
#include "common/settings.h"
#include "common/smtp_verdict.h"
#include "common/status.h"
#include "tests/redteam/attacks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	FLOOD = 100000
};

static uint8_t storage[MESSAGE_MAX_SIZE];
static struct error why;

/* -- Talking -- */

static int
peer_fd(enum role peer)
{
	return peer == intruder.starter ? PROCESS_STARTER_FD
					: intruder.peers[peer];
}

bool
intruder_send_raw(int fd, const void *data, size_t size, int stray)
{
	char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { (void *)(uintptr_t)data, size };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *control;

	if (stray != -1) {
		packet.msg_control = space;
		packet.msg_controllen = sizeof(space);
		control = CMSG_FIRSTHDR(&packet);
		control->cmsg_level = SOL_SOCKET;
		control->cmsg_type = SCM_RIGHTS;
		control->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(control), &stray, sizeof(int));
	}
	return sendmsg(fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) != -1;
}

/* Whether the peer closes, or has us killed, within the time. */
static bool
is_shut(int fd)
{
	struct pollfd wait = { fd, POLLIN, 0 };

	while (poll(&wait, 1, INTRUDER_PATIENCE_MS) == 1)
		if (recv(fd, storage, sizeof(storage), MSG_DONTWAIT) <= 0 &&
		    errno != EAGAIN)
			return true;
	return false;
}

/* Sends and waits for the answer of this type, others are passed over. */
static bool
ask(enum role peer, struct message *message, int fd, enum message_type answer)
{
	int fds[CHANNEL_MAX_DESCRIPTORS];
	size_t count;

	if (channel_send_now(peer_fd(peer), intruder.self, peer, message, &fd,
		fd != -1, &why) == -1)
		return false;
	do {
		if (channel_receive_now(peer_fd(peer), intruder.self, peer,
			INTRUDER_PATIENCE_MS, storage, message, fds, &count,
			&why) == -1)
			return false;
		while (count > 0)
			close(fds[--count]);
	} while (message->type != answer);
	return true;
}

/* -- Malformed messages, to each peer -- */

static uint16_t
own_request(enum role peer)
{
	switch (peer) {
	case ROLE_SNAPD:
		return intruder.self == ROLE_QUEUE ? MESSAGE_queue_hello
						   : MESSAGE_worker_hello;
	case ROLE_KEYD:
		return intruder.self == ROLE_SMTPD ? MESSAGE_smtp_sign
						   : MESSAGE_imap_sign;
	case ROLE_QUEUE:
		return MESSAGE_sender_gone;
	case ROLE_AUTHD:
		return intruder.self == ROLE_SMTPD ? MESSAGE_smtp_credentials
						   : MESSAGE_imap_credentials;
	default:
		return MESSAGE_ready;
	}
}

static enum result
malformed(enum role peer, const char *kind)
{
	int fd = peer_fd(peer);
	uint8_t packet[64] = { 0 };
	uint16_t type = own_request(peer);
	size_t size = 10;
	int stray = -1;

	if (fd == -1)
		return NO_PEER;
	if (strcmp(kind, "unknown") == 0)
		type = 0x7777;
	else if (strcmp(kind, "admin") == 0)
		type = MESSAGE_control_account_create;
	else if (strcmp(kind, "master") == 0)
		type = MESSAGE_equip;
	else if (strcmp(kind, "service") == 0)
		type = MESSAGE_service_file;
	else if (strcmp(kind, "grant") == 0)
		type = MESSAGE_grant;
	else if (strcmp(kind, "short") == 0)
		size = 1;
	else if (strcmp(kind, "long") == 0)
		size = sizeof(packet);
	else
		stray = 0;
	memcpy(packet, &type, sizeof(type));
	if (!intruder_send_raw(fd, packet, size, stray))
		return THROUGH;
	return is_shut(fd) ? REFUSED : THROUGH;
}

/* As many as go without reading one answer: the sender is to stall, the others
 * are to live on (the runner looks). */
static enum result
flood(enum role peer)
{
	uint8_t packet[19] = { 0 };
	uint16_t type = own_request(peer);

	if (peer_fd(peer) == -1 || peer == ROLE_AUTHD || peer == ROLE_KEYD)
		return NO_PEER;
	if (peer == intruder.starter)
		type = intruder.self == ROLE_QUEUE   ? MESSAGE_need_worker
		       : intruder.self == ROLE_IMAPD ? MESSAGE_attach
						     : MESSAGE_ready;
	memcpy(packet, &type, sizeof(type));
	for (int i = 0; i < FLOOD; i++)
		if (!intruder_send_raw(peer_fd(peer), packet,
			type == MESSAGE_attach     ? 19
			: peer == intruder.starter ? 6
						   : 10,
			-1))
			return REFUSED;
	return REFUSED;
}

/* -- Grants -- */

static enum status
attach(uint64_t number)
{
	struct message message = { .type = MESSAGE_attach };

	message.attach.connection = number;
	if (!ask(ROLE_BROKER, &message, -1, MESSAGE_attached))
		return STATUS_REFUSED;
	return (enum status)message.attached.status;
}

static enum result
attach_without_grant(void)
{
	if (intruder.self != ROLE_IMAPD)
		return NO_PEER;
	return attach(4) == STATUS_OK ? THROUGH : REFUSED;
}

/* The first attach must succeed, or nothing is shown. */
static enum result
attach_twice(void)
{
	struct message message = { .type = MESSAGE_imap_credentials };

	if (intruder.self != ROLE_IMAPD)
		return NO_PEER;
	message.imap_credentials.connection = 5;
	message.imap_credentials.user = text_of("red1@demo.test");
	message.imap_credentials.password = text_of(intruder.password);
	message.imap_credentials.client_ip = text_of("127.0.0.1");
	if (!ask(ROLE_AUTHD, &message, -1, MESSAGE_imap_login) ||
	    message.imap_login.result != LOGIN_OK || attach(5) != STATUS_OK) {
		log_error("attack", "why=\"no first attach\"");
		return THROUGH;
	}
	return attach(5) == STATUS_OK || attach(6) == STATUS_OK ? THROUGH
								: REFUSED;
}

/* To have others killed: snapd is nobody of a front's. */
static enum result
complain(void)
{
	uint8_t packet[] = { 0x0b, 0x01, ROLE_SNAPD, 0, 0, 0, 0, 1, 0, 0, 0, 0,
		0, 0, 0 };

	return intruder_send_raw(PROCESS_STARTER_FD, packet, sizeof(packet), -1)
		   ? REFUSED
		   : NO_PEER;
}

/* -- What is given to the store -- */

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
	if (!ask(ROLE_SNAPD, &message, fd, MESSAGE_accepted))
		return STATUS_UNAVAILABLE;
	return (enum status)message.accepted.status;
}

static bool
is_store_alive(void)
{
	struct message message = { .type = MESSAGE_queue_hello };

	return ask(ROLE_SNAPD, &message, -1, MESSAGE_store_state) &&
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
			ROLE_SNAPD, &message, &fd, 1, &why) == -1)
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

	if (!ask(ROLE_SNAPD, &message, -1, MESSAGE_listing) ||
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
		    ask(ROLE_SNAPD, &message, -1, MESSAGE_listing) &&
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
		if (ask(ROLE_SNAPD, &message, -1, MESSAGE_body) &&
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
	if (!ask(ROLE_SNAPD, &message, -1, MESSAGE_bodies))
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
		if (ask(ROLE_SNAPD, &message, -1, MESSAGE_body) &&
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
		if (ask(ROLE_SNAPD, &read, -1, MESSAGE_body) &&
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
		    intruder.self, ROLE_SNAPD, &begin, NULL, 0, &why);
		(void)channel_send_now(intruder.peers[ROLE_SNAPD],
		    intruder.self, ROLE_SNAPD, &change, NULL, 0, &why);
		if (ask(ROLE_SNAPD, &commit, -1, MESSAGE_batch_done) &&
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
	return ask(ROLE_SNAPD, &message, -1, MESSAGE_body) &&
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
	    ROLE_SNAPD, &begin, NULL, 0, &why);
	(void)channel_send_now(intruder.peers[ROLE_SNAPD], intruder.self,
	    ROLE_SNAPD, &change, NULL, 0, &why);
	return ask(ROLE_SNAPD, &commit, -1, MESSAGE_batch_done) &&
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
		    intruder.self, ROLE_SNAPD, &begin, NULL, 0, &why);
		(void)channel_send_now(intruder.peers[ROLE_SNAPD],
		    intruder.self, ROLE_SNAPD, &change, NULL, 0, &why);
		if (ask(ROLE_SNAPD, &commit, -1, MESSAGE_batch_done) &&
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
	if (!ask(ROLE_SNAPD, &hello, -1, MESSAGE_account_state))
		return THROUGH;
	store = hello.account_state.store;
	for (unsigned int i = 0; i < 50; i++) {
		struct message claim = { .type = MESSAGE_witness };

		claim.witness.store = store;
		claim.witness.incarnation = UINT64_MAX - i;
		claim.witness.sequence = UINT64_MAX;
		if (!ask(ROLE_SNAPD, &claim, -1, MESSAGE_witness_heard))
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
	    ROLE_SNAPD, &begin, NULL, 0, &why);
	(void)channel_send_now(intruder.peers[ROLE_SNAPD], intruder.self,
	    ROLE_SNAPD, &change, &fd, 1, &why);
	return ask(ROLE_SNAPD, &commit, -1, MESSAGE_batch_done) &&
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
	if (channel_pair(ends, &why) == -1)
		return THROUGH;
	introduce.introduce.role = ROLE_WORKER;
	introduce.introduce.account = ACCOUNT_SERVICE;
	if (channel_send_now(intruder.peers[ROLE_SNAPD], intruder.self,
		ROLE_SNAPD, &introduce, &ends[0], 1, &why) == -1)
		return THROUGH;
	close(ends[0]);
	intruder.peers[ROLE_SNAPD] = ends[1];
	intruder.self = ROLE_WORKER;
	return ask(ROLE_SNAPD, &list, -1, MESSAGE_listing) ? THROUGH : REFUSED;
}

/* The worker of account 1 is told to file what is account 2's. */
static enum result
file_for_wrong_worker(void)
{
	struct message message = { .type = MESSAGE_file };

	if (intruder.self != ROLE_QUEUE || intruder.peers[ROLE_WORKER] == -1)
		return NO_PEER;
	memset(message.file.delivery.bytes, 0xbb, 16);
	if (!ask(ROLE_WORKER, &message, -1, MESSAGE_filed)) {
		log_error("attack", "why=\"no answer: %s\"", why.text);
		return THROUGH;
	}
	return message.filed.status == STATUS_OK ? THROUGH : REFUSED;
}

/* -- Mail that an URL names -- */

/* A worker gives the queue what a token gives, whoever the queue is. */
static enum result
fetch_by_forged_url(void)
{
	struct message message = { .type = MESSAGE_fetch_url };

	if (intruder.self != ROLE_QUEUE || intruder.peers[ROLE_WORKER] == -1)
		return NO_PEER;
	message.fetch_url.max_size = UINT64_MAX;
	message.fetch_url.address = text_of("red1@demo.test");
	message.fetch_url.url = text_of(
	    "imap://red1%40demo.test@imap.demo.test/INBOX/;UID=1;URLAUTH="
	    "submit+red1%40demo.test:internal:"
	    "0100000000000000000000000000000000");
	if (!ask(ROLE_WORKER, &message, -1, MESSAGE_url_fetched)) {
		log_error("attack", "why=\"no answer: %s\"", why.text);
		return THROUGH;
	}
	return message.url_fetched.verdict == VERDICT_OK ? THROUGH : REFUSED;
}

/* Where nobody logged in there is no account whose mail could be handed in. */
static enum result
hand_in_without_grant(void)
{
	struct message message;

	if (intruder.self != ROLE_SMTPD || intruder.peers[ROLE_QUEUE] == -1)
		return NO_PEER;
	for (uint64_t i = 1; i <= 20; i++) {
		message = (struct message){ .type = MESSAGE_transaction_begin };
		message.transaction_begin.transaction = i;
		message.transaction_begin.connection = i;
		message.transaction_begin.service = SERVICE_SUBMIT;
		message.transaction_begin.sender = text_of("red1@demo.test");
		if (!ask(ROLE_QUEUE, &message, -1,
			MESSAGE_transaction_verdict) ||
		    message.transaction_verdict.verdict == VERDICT_OK)
			return THROUGH;
		message = (struct message){ .type = MESSAGE_transaction_url };
		message.transaction_url.transaction = i;
		message.transaction_url.is_last = 1;
		message.transaction_url.url = text_of("imap://a@b/c/;UID=1");
		if (!ask(ROLE_QUEUE, &message, -1,
			MESSAGE_transaction_verdict) ||
		    smtp_verdict_is_good(message.transaction_verdict.verdict))
			return THROUGH;
	}
	return REFUSED;
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

/* -- keyd -- */

/* Whether it signs that with the key; a channel that is shut is an answer. */
static bool
is_signed(uint32_t key, const void *block, size_t size)
{
	static const uint16_t schemes[] = { 0x0403, 0x0804, 0x0807 };
	struct message message = { 0 };
	struct text text = text_make(block, size);
	bool is_smtp = intruder.self == ROLE_SMTPD;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (is_smtp) {
			message.type = MESSAGE_smtp_sign;
			message.smtp_sign.key = key;
			message.smtp_sign.scheme = schemes[i];
			message.smtp_sign.to_sign = text;
		} else {
			message.type = MESSAGE_imap_sign;
			message.imap_sign.key = key;
			message.imap_sign.scheme = schemes[i];
			message.imap_sign.to_sign = text;
		}
		if (ask(ROLE_KEYD, &message, -1,
			is_smtp ? MESSAGE_smtp_signature
				: MESSAGE_imap_signature) &&
		    (is_smtp ? message.smtp_signature.status
			     : message.imap_signature.status) == STATUS_OK)
			return true;
	}
	return false;
}

/* As a TLS 1.3 server or client signs it. */
static size_t
handshake_block(uint8_t block[200], const char *side)
{
	struct writer w;

	memset(block, ' ', 64);
	writer_init(&w, block + 64, 136);
	writer_put_raw(&w, "TLS 1.3, ", 9);
	writer_put_raw(&w, side, strlen(side));
	writer_put_raw(&w, " CertificateVerify", 19);
	writer_put_raw(&w, "a hash of thirty-two bytes is it", 32);
	return 64 + w.size;
}

static bool
has_keyd(void)
{
	return intruder.peers[ROLE_KEYD] != -1 &&
	       (intruder.self == ROLE_SMTPD || intruder.self == ROLE_IMAPD);
}

/* A signature is worth something outside of TLS as well. */
static enum result
sign_anything(void)
{
	static const char dkim[] =
	    "from:root@demo.test\r\nsubject:give me money"
	    "\r\ndkim-signature:v=1; a=rsa-sha256";
	uint8_t block[200];
	bool is_through;

	if (!has_keyd())
		return NO_PEER;
	/* What it is there for, or else nothing is shown. */
	if (!is_signed(0, block, handshake_block(block, "server")))
		return THROUGH;
	is_through = is_signed(0, dkim, sizeof(dkim) - 1);
	is_through |= is_signed(0, block, handshake_block(block, "client"));
	is_through |= is_signed(0, block, 32);
	return is_through ? THROUGH : REFUSED;
}

static enum result
sign_with_no_key(void)
{
	uint8_t block[200];
	size_t size = handshake_block(block, "server");

	if (!has_keyd())
		return NO_PEER;
	return is_signed(4000, block, size) ||
		       is_signed(UINT32_MAX, block, size)
		   ? THROUGH
		   : REFUSED;
}

/* -- The broker, and master -- */

/* To have master kill who is no child of the broker's: the runner looks
 * whether it lives. */
static enum result
reap_the_keeper(void)
{
	struct message message = { .type = MESSAGE_reap };
	int pidfd;

	if (intruder.self != ROLE_BROKER)
		return NO_PEER;
	pidfd = (int)syscall(SYS_pidfd_open, target.keeper, 0);
	message.reap.pid = (uint32_t)target.keeper;
	if (pidfd == -1 || channel_send_now(PROCESS_STARTER_FD, intruder.self,
			       ROLE_MASTER, &message, &pidfd, 1, &why) == -1)
		return THROUGH; /* nothing was shown */
	return REFUSED;
}

static enum result
home_of_nobody(void)
{
	struct message message = { .type = MESSAGE_make_home };

	if (intruder.self != ROLE_BROKER)
		return NO_PEER;
	message.make_home.account = 40000;
	return ask(ROLE_MASTER, &message, -1, MESSAGE_home_made) &&
		       message.home_made.status != STATUS_OK
		   ? REFUSED
		   : THROUGH;
}

static const struct {
	const char *name;
	enum result (*run)(void);
} talks[] = {
	{ "attach_without_grant", attach_without_grant },
	{ "attach_with_used_grant", attach_twice },
	{ "sleep_of_other_accounts_sessions", intruder_lies_about_sleep },
	{ "complaint_about_a_stranger", complain },
	{ "accept_again_with_other_bytes", accept_again },
	{ "accept_for_other_first", accept_for_other },
	{ "accept_for_account_0", accept_for_service },
	{ "read_files_of_account_0", read_service_files },
	{ "be_worker_of_account_0", become_service_worker },
	{ "read_other_accounts_delivery", read_others_delivery },
	{ "file_other_accounts_delivery", file_others_delivery },
	{ "file_with_other_accounts_delivery", file_for_wrong_worker },
	{ "fetch_by_forged_url", fetch_by_forged_url },
	{ "hand_in_without_grant", hand_in_without_grant },
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
	{ "sign_what_is_no_handshake", sign_anything },
	{ "sign_with_a_key_that_is_none", sign_with_no_key },
	{ "have_the_keeper_reaped", reap_the_keeper },
	{ "home_of_an_account_that_is_none", home_of_nobody },
};

enum role
intruder_role(const char *name)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		if (strcmp(role_name((enum role)i), name) == 0)
			return (enum role)i;
	return ROLE_COUNT;
}

enum result
intruder_attempt(const char *name)
{
	char kind[20], peer[20];
	int number = attacks_find(name);

	if (number != -1)
		return attacks_run((size_t)number) ? THROUGH : REFUSED;
	for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++)
		if (strcmp(talks[i].name, name) == 0)
			return talks[i].run();
	if (sscanf(name, "%19[a-z]_to_%19[a-z]", kind, peer) != 2 ||
	    intruder_role(peer) == ROLE_COUNT)
		fatal("what=\"no such attack\" name=%s", name);
	if (strcmp(kind, "flood") == 0)
		return flood(intruder_role(peer));
	return malformed(intruder_role(peer), kind);
}
