/*
 * See drill_work.h.  A row ends what was before it: bytes of a message end with
 * the next message, messages with the next mailbox.
 */
#include "snapd/drill_work.h"

#include "common/clock.h"
#include "common/memory.h"
#include "snapd/drill_check.h"
#include "snapd/drill_folder.h"

#include <stdio.h>
#include <string.h>

enum {
	ROOM_EVERY = 64 << 20 /* bytes between two looks at the room left */
};

struct drill_work {
	struct drill_options options;
	struct drill_result result;
	struct digest *digest;
	struct drill_folder folder;
	uint32_t account;
	bool is_in_mailbox;
	struct mailbox_record mailbox;
	uint8_t mailbox_storage[RECORD_MAILBOX_MAX];
	bool is_in_message;
	bool is_lost; /* of the message: a finding was made, it is left out */
	struct message_record message;
	char base_storage[RECORD_MAX_BASE_SIZE + 1];
	uint64_t missing; /* bytes of it */
	/* The part that lies in the folder. */
	struct drill_expected *expected;
	size_t count;
	size_t room;
	uint64_t part_bytes;
	uint64_t unchecked; /* bytes written since the room was looked at */
	int64_t started_us;
	int64_t other_us; /* of that, spent on checking and removing */
};

struct drill_work *
drill_work_new(const struct drill_options *options)
{
	struct drill_work *work = memory_new(1, sizeof(*work));

	work->options = *options;
	work->digest = digest_new();
	work->started_us = clock_monotonic_us();
	work->unchecked = ROOM_EVERY;
	drill_folder_init(&work->folder);
	return work;
}

void
drill_work_free(struct drill_work **work)
{
	struct error ignored;

	if (*work == NULL)
		return;
	drill_folder_close(&(*work)->folder);
	(void)drill_folder_remove((*work)->options.top_fd, &ignored);
	digest_free(&(*work)->digest);
	memory_free(&(*work)->expected);
	memory_free(work);
}

void
drill_work_result(const struct drill_work *work, struct drill_result *result)
{
	*result = work->result;
}

static void
find(void *context, uint32_t uid, const char *what)
{
	struct drill_work *work = context;
	const struct drill_options *options = &work->options;

	work->result.findings++;
	options->finding(
	    options->context, work->account, work->mailbox.name, uid, what);
}

/* What says something of the message or mailbox, and not of the folder. */
static bool
is_finding(const struct error *error)
{
	return error->code == ERROR_INPUT || error->code == ERROR_EXISTS;
}

/* -- A part: written, then read back -- */

static int
check_part(struct drill_work *work, struct error *error)
{
	const struct drill_check check = { .folder_fd = work->folder.fd,
		.uidvalidity = work->mailbox.uidvalidity,
		.uidnext = work->mailbox.uidnext,
		.expected = work->expected,
		.count = work->count,
		.digest = work->digest,
		.finding = find,
		.context = work };
	int64_t begun_us = clock_monotonic_us(), checked_us;

	work->result.restore_us = begun_us - work->started_us - work->other_us;
	if (drill_folder_finish(&work->folder, error) == -1 ||
	    drill_check_folder(&check, error) == -1)
		return -1;
	work->result.messages += work->count;
	work->result.bytes += work->part_bytes;
	checked_us = clock_monotonic_us();
	work->result.check_us += checked_us - begun_us;
	drill_folder_close(&work->folder);
	work->count = 0;
	work->part_bytes = 0;
	if (drill_folder_remove(work->options.top_fd, error) == -1)
		return -1;
	work->other_us += clock_monotonic_us() - begun_us;
	return 0;
}

static int
make_folder(struct drill_work *work, struct error *error)
{
	if (drill_folder_check_room(work->options.top_fd, 0, error) == -1)
		return -1;
	return drill_folder_make(&work->folder, work->options.top_fd,
	    work->account, &work->mailbox, error);
}

static void
expect(struct drill_work *work)
{
	const struct message_record *message = &work->message;

	if (work->count == work->room) {
		work->room = work->room * 2 + 64;
		work->expected = memory_resize(
		    work->expected, work->room, sizeof(*work->expected));
	}
	work->expected[work->count++] = (struct drill_expected){
		.uid = message->uid,
		.flags = message->flags & FLAG_ALL,
		/* The others live in the store and in the index only. */
		.keywords = message->keywords &
			    ((UINT64_C(1) << MAILDIR_MAX_KEYWORDS) - 1),
		.date = message->internaldate,
		.size = message->stored_size,
		.wire_size = message->size,
		.hash = message->hash,
	};
	work->part_bytes += message->stored_size;
}

/* -- Messages -- */

static void
lose_message(struct drill_work *work, const char *what)
{
	if (!work->is_lost)
		find(work, work->message.uid, what);
	work->is_lost = true;
	drill_folder_drop(&work->folder);
}

static int
end_message(struct drill_work *work, struct error *error)
{
	char what[80];

	if (!work->is_in_message)
		return 0;
	work->is_in_message = false;
	if (!work->is_lost && work->missing > 0) {
		snprintf(what, sizeof(what), "its last %llu bytes are missing",
		    (unsigned long long)work->missing);
		lose_message(work, what);
	}
	if (work->is_lost)
		return 0;
	if (drill_folder_end(&work->folder, &work->message, error) == -1) {
		if (!is_finding(error))
			return -1;
		lose_message(work, error->text);
		return 0;
	}
	expect(work);
	if (work->count < work->options.part_messages &&
	    work->part_bytes < work->options.part_bytes)
		return 0;
	return check_part(work, error);
}

static int
begin_file(struct drill_work *work, struct error *error)
{
	if (work->folder.fd == -1 && make_folder(work, error) == -1)
		return -1;
	if (drill_folder_begin(&work->folder, &work->message, error) == 0)
		return 0;
	if (!is_finding(error))
		return -1;
	lose_message(work, error->text);
	return 0;
}

static int
take_message(struct drill_work *work, struct text record, struct error *error)
{
	struct message_record *message = &work->message;
	struct reader reader;

	if (end_message(work, error) == -1)
		return -1;
	reader_init(&reader, record.data, record.size);
	if (record_get_message(&reader, message) != 1 ||
	    text_copy(message->base, work->base_storage,
		sizeof(work->base_storage)) == -1)
		return error_set(error, ERROR_DAMAGED, "malformed message row");
	message->base = text_of(work->base_storage);
	work->missing = message->stored_size;
	work->is_in_message = true;
	work->is_lost = !work->is_in_mailbox;
	return work->is_lost ? 0 : begin_file(work, error);
}

static int
take_bytes(struct drill_work *work, struct text bytes, struct error *error)
{
	if (!work->is_in_message || work->is_lost)
		return 0;
	if (bytes.size > work->missing) {
		lose_message(work, "it is longer than it says");
		return 0;
	}
	work->missing -= bytes.size;
	work->unchecked += bytes.size;
	if (work->unchecked >= ROOM_EVERY) {
		work->unchecked = 0;
		if (drill_folder_check_room(
			work->options.top_fd, ROOM_EVERY, error) == -1)
			return -1;
	}
	return drill_folder_put(&work->folder, bytes, error);
}

/* -- Mailboxes -- */

static int
end_mailbox(struct drill_work *work, struct error *error)
{
	if (end_message(work, error) == -1)
		return -1;
	work->is_in_mailbox = false;
	return work->folder.fd == -1 ? 0 : check_part(work, error);
}

static int
take_mailbox(struct drill_work *work, struct text record, struct error *error)
{
	struct reader reader;

	if (end_mailbox(work, error) == -1)
		return -1;
	if (record.size > sizeof(work->mailbox_storage))
		return error_set(error, ERROR_DAMAGED, "malformed mailbox row");
	memcpy(work->mailbox_storage, record.data, record.size);
	reader_init(&reader, work->mailbox_storage, record.size);
	if (record_get_mailbox(&reader, &work->mailbox) != 1)
		return error_set(error, ERROR_DAMAGED, "malformed mailbox row");
	work->is_in_mailbox = true;
	if (make_folder(work, error) == 0)
		return 0;
	if (!is_finding(error))
		return -1;
	find(work, 0, error->text);
	work->is_in_mailbox = false;
	return 0;
}

/* Of the message before, or of a mailbox or account that cannot be read. */
static int
take_finding(struct drill_work *work, struct text record, struct error *error)
{
	struct control_finding finding;
	char what[CONTROL_MAX_TEXT + 1];

	if (control_get_finding(record, &finding) == -1 ||
	    text_copy(finding.what, what, sizeof(what)) == -1)
		return error_set(error, ERROR_DAMAGED, "malformed finding");
	if (text_starts_nocase(finding.where, "mailbox ") ||
	    text_starts_nocase(finding.where, "account ")) {
		if (end_mailbox(work, error) == -1)
			return -1;
		work->mailbox.name = finding.where;
		find(work, 0, what);
		work->mailbox.name = text_make(NULL, 0);
	} else if (work->is_in_message) {
		lose_message(work, what);
	}
	return 0;
}

static int
take_account(struct drill_work *work, struct text record, struct error *error)
{
	struct control_account account;

	if (end_mailbox(work, error) == -1)
		return -1;
	if (control_get_account(record, &account) == -1)
		return error_set(error, ERROR_DAMAGED, "malformed account row");
	work->account = account.account;
	return 0;
}

int
drill_work_row(struct drill_work *work, enum control_row_kind kind,
    struct text record, struct error *error)
{
	switch (kind) {
	case CONTROL_ACCOUNT:
		return take_account(work, record, error);
	case CONTROL_MAILBOX:
		return take_mailbox(work, record, error);
	case CONTROL_MESSAGE:
		return take_message(work, record, error);
	case CONTROL_BODY:
		return take_bytes(work, record, error);
	case CONTROL_FINDING:
		return take_finding(work, record, error);
	default:
		return 0;
	}
}

int
drill_work_end(struct drill_work *work, struct error *error)
{
	return end_mailbox(work, error);
}
