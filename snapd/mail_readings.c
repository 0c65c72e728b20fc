/*
 * What queue and workers ask of the store is a reading (reading.h) of its own
 * account, answered when the reader thread has done it.
 */
#include "snapd/mail_parts.h"

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/restore.h"

#include <unistd.h>

enum {
	BODY_INLINE = 16384,   /* bytes in the packet itself, of a body */
	LISTING_INLINE = 60000 /* and of the others */
};

/* A restore's progress, and what is damaged by name. */
static void
tell_restore(struct client *client, const struct reading *reading)
{
	struct body_record record;
	struct reader r;

	if (reading->kind == READ_BLOB)
		restore_body_read(client->snapd, client->account, reading->blob,
		    reading->status);
	if (reading->kind != READ_BLOBS)
		return;
	reader_init(&r, reading->envelope.data, reading->envelope.size);
	for (size_t i = 0;
	     i < reading->blob_count && record_get_body(&r, &record) == 1; i++)
		if (record.status != STATUS_LIMIT) /* asked for again */
			restore_body_read(client->snapd, client->account,
			    reading->blobs[i], (enum status)record.status);
}

static bool
is_body(const struct reading *reading)
{
	return reading->kind == READ_BLOB || reading->kind == READ_UNFILED_BODY;
}

/* `data`: what stands in the packet itself. */
static struct message
answer_of(const struct reading *reading, struct text data)
{
	uint8_t status = (uint8_t)reading->status;
	uint64_t tag = reading->tag, size = reading->data.size;
	struct text envelope =
	    text_make(reading->envelope.data, reading->envelope.size);

	if (reading->kind == READ_UNFILED_ACCOUNTS)
		return (struct message){ .type = MESSAGE_unfiled_accounts,
			.unfiled_accounts = { tag, status, data } };
	if (reading->kind == READ_BLOBS)
		return (struct message){ .type = MESSAGE_bodies,
			.bodies = { tag, status, envelope, size, data } };
	if (is_body(reading))
		return (struct message){ .type = MESSAGE_body,
			.body = { tag, status, envelope, size, data } };
	return (struct message){ .type = MESSAGE_listing,
		.listing = { tag, status, reading->sequence, size, data } };
}

void
mail_reading_done(struct client *client, struct reading *reading)
{
	struct text data = text_make(reading->data.data, reading->data.size);
	size_t inline_max = is_body(reading) ? BODY_INLINE : LISTING_INLINE;
	struct message answer;
	struct error error;
	int fd = -1;

	if (data.size > inline_max) {
		fd =
		    file_sealed_memory("listing", data.data, data.size, &error);
		data = text_make(NULL, 0);
		if (fd < 0)
			reading->status = STATUS_UNAVAILABLE;
	}
	answer = answer_of(reading, data);
	if (channel_send(client->channel, &answer, &fd, fd >= 0) != 0)
		log_warning("answer-dropped", "account=%u", client->account);
	if (fd >= 0)
		close(fd);
	tell_restore(client, reading);
}

static struct reading *
new_reading(enum reading_kind kind, uint64_t tag)
{
	struct reading *reading = memory_new(1, sizeof(*reading));

	reading->kind = kind;
	reading->tag = tag;
	return reading;
}

/* Who can name these bytes was told of them: is it of such as the index has, or
 * of such as only the log may have? */
static bool
has_index(const struct client *client, const struct journal *journal,
    const struct reading *reading)
{
	uint64_t next = journal->committed.next_blob;
	size_t i;

	switch (reading->kind) {
	case READ_BLOB:
		return reading->blob < next;
	case READ_BLOBS:
		for (i = 0; i < reading->blob_count; i++)
			if (reading->blobs[i] >= next)
				return false;
		return true;
	case READ_UNFILED_BODY:
		return !snapd_has_delivery(client->snapd, &reading->delivery);
	default:
		return false;
	}
}

static void
start_reading(struct client *client, struct reading *reading)
{
	struct journal *journal = snapd_journal(client->snapd);

	reading->account = client->account;
	if (journal != NULL) {
		reading->store = *store_identity(journal->store);
		reading->retention = *snapd_retention(client->snapd);
		reading->now = journal->now_us / 1000000;
		if (has_index(client, journal, reading))
			snapd_read_on(client, reading);
		else if (reading->kind == READ_UNFILED_BODY)
			snapd_read_round(client, reading);
		else
			snapd_read(client, reading);
		return;
	}
	reading->status = STATUS_UNAVAILABLE;
	mail_reading_done(client, reading);
	reading_free(&reading);
}

/* What is no list of numbers is one of none. */
static void
take_blobs(struct reading *reading, struct text blobs)
{
	struct reader r;

	reader_init(&r, blobs.data, blobs.size);
	while (r.size >= sizeof(reading->blobs[0]) &&
	       reading->blob_count < BODIES_MAX)
		reading->blobs[reading->blob_count++] = reader_get_u64(&r);
	if (reader_done(&r) == -1)
		reading->blob_count = 0;
}

void
mail_read_past(struct client *client, const struct message *message)
{
	struct reading *reading =
	    new_reading(READ_SNAPSHOTS, message->list_snapshots.tag);

	if (message->type == MESSAGE_list_expunged) {
		reading->kind = READ_EXPUNGED;
		reading->tag = message->list_expunged.tag;
		reading->after = message->list_expunged.after;
	} else if (message->type == MESSAGE_list_vanished) {
		reading->kind = READ_VANISHED;
		reading->tag = message->list_vanished.tag;
	} else if (message->type == MESSAGE_list_saved) {
		reading->kind = READ_SAVED;
		reading->tag = message->list_saved.tag;
		reading->as_of = message->list_saved.since;
	}
	start_reading(client, reading);
}

void
mail_read(struct client *client, const struct message *message)
{
	struct reading *reading = new_reading(READ_UNFILED, 0);

	switch ((int)message->type) {
	case MESSAGE_list_mailboxes:
		reading->kind = READ_MAILBOXES;
		reading->tag = message->list_mailboxes.tag;
		reading->as_of = message->list_mailboxes.as_of;
		break;
	case MESSAGE_list_messages:
		reading->kind = READ_MESSAGES;
		reading->tag = message->list_messages.tag;
		reading->as_of = message->list_messages.as_of;
		reading->mailbox = message->list_messages.mailbox;
		break;
	case MESSAGE_list_changes:
		reading->kind = READ_CHANGES;
		reading->tag = message->list_changes.tag;
		reading->as_of = message->list_changes.since;
		break;
	case MESSAGE_list_unfiled:
		reading->tag = message->list_unfiled.tag;
		break;
	case MESSAGE_read_blob:
		reading->kind = READ_BLOB;
		reading->tag = message->read_blob.tag;
		reading->blob = message->read_blob.blob;
		break;
	case MESSAGE_read_blobs:
		reading->kind = READ_BLOBS;
		reading->tag = message->read_blobs.tag;
		take_blobs(reading, message->read_blobs.blobs);
		break;
	case MESSAGE_read_unfiled:
		reading->kind = READ_UNFILED_BODY;
		reading->tag = message->read_unfiled.tag;
		reading->delivery = message->read_unfiled.delivery;
		break;
	case MESSAGE_list_unfiled_accounts:
		reading->kind = READ_UNFILED_ACCOUNTS;
		reading->tag = message->list_unfiled_accounts.tag;
		reading->after = message->list_unfiled_accounts.after;
		break;
	default:
		reading_free(&reading);
		return;
	}
	start_reading(client, reading);
}
