/*
 * snapctl accept-missing: the files of a mailbox that are missing were meant to
 * go.  Looks which messages the store has marked, says so, asks on a terminal,
 * and names exactly these to snapd, which looks again.
 */
#include "common/buf.h"
#include "snapctl/selector.h"
#include "snapctl/snapctl.h"

#include <stdio.h>

static const char synopsis[] =
    "accept-missing [--dry-run] [--yes] live:ACCOUNT/MAILBOX[;UID=n]";

enum {
	A_REQUEST = 10000 /* messages */
};

struct missing {
	uint64_t mailbox;
	size_t count;
	struct buf uids;
};

static int
take_row(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	struct missing *missing = context;
	struct message_record message;
	struct reader reader;
	uint8_t uid[4];
	struct writer w;

	reader_init(&reader, record.data, record.size);
	if (kind != CONTROL_MESSAGE ||
	    record_get_message(&reader, &message) != 1 ||
	    (message.flags & RECORD_MISSING) == 0)
		return EXIT_DONE;
	writer_init(&w, uid, sizeof(uid));
	writer_put_u32(&w, message.uid);
	if (buf_put(&missing->uids, uid, sizeof(uid)) == -1)
		return EXIT_FAILED;
	missing->mailbox = message.mailbox;
	missing->count++;
	return command_print_listing(snapctl, kind, record, NULL);
}

static int
accept_all(
    struct snapctl *snapctl, uint32_t account, const struct missing *missing)
{
	struct text rest = text_make(missing->uids.data, missing->uids.size);
	int code = EXIT_DONE;

	while (rest.size > 0 && code == EXIT_DONE) {
		struct message m = { .type = MESSAGE_control_accept_missing };
		size_t size =
		    rest.size < 4 * A_REQUEST ? rest.size : 4 * A_REQUEST;

		m.control_accept_missing.account = account;
		m.control_accept_missing.mailbox = missing->mailbox;
		m.control_accept_missing.uids = text_make(rest.data, size);
		code = client_ask(snapctl, &m, NULL, NULL);
		rest = text_skip(rest, size);
	}
	return code;
}

static int
run(struct snapctl *snapctl, const struct selector *selector,
    struct missing *missing)
{
	struct message request = { .type = MESSAGE_control_ls };
	int code;

	request.control_ls.point_kind = POINT_NOW;
	request.control_ls.account = selector->account;
	request.control_ls.mailbox = selector->mailbox;
	request.control_ls.uid = selector->uid;
	code = client_ask(snapctl, &request, take_row, missing);
	if (code != EXIT_DONE)
		return code;
	output_say(snapctl->output,
	    "%zu messages whose files are missing would be expunged; what they "
	    "held stays in the store for its retention",
	    missing->count);
	if (missing->count == 0 || snapctl->options.is_dry_run)
		return EXIT_DONE;
	if (!command_is_agreed(snapctl))
		return EXIT_FAILED;
	return accept_all(snapctl, selector->account, missing);
}

int
cmd_accept_missing(struct snapctl *snapctl, int argc, char **argv)
{
	struct selector selector;
	struct missing missing = { 0 };
	struct error error;
	int code;

	if (argc != 1)
		return command_usage(synopsis);
	if (selector_parse(text_of(argv[0]), snapctl->accounts, snapctl->now,
		&selector, &error) == -1)
		return command_fail(&error);
	if (selector.point.kind != POINT_NOW || selector.mailbox.size == 0 ||
	    selector.message_id.size > 0)
		return command_usage(synopsis);
	buf_init(&missing.uids, SIZE_MAX / 2);
	code = run(snapctl, &selector, &missing);
	buf_clear(&missing.uids);
	return code;
}
