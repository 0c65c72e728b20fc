/* snapctl ls: accounts, mailboxes or messages as of a point in time. */
#include "snapctl/selector.h"
#include "snapctl/snapctl.h"

/* The version of a file of account 0 that its mailbox, which comes next, is
 * the name of. */
struct version {
	uint32_t number; /* 0: there was none then */
	int64_t date;
	uint64_t size;
	bool is_sealed;
};

static void
take_version(struct text record, struct version *version)
{
	struct message_record row;
	struct reader reader;

	reader_init(&reader, record.data, record.size);
	if (record_get_message(&reader, &row) == 1)
		*version = (struct version){ row.uid, row.internaldate,
			row.stored_size,
			(row.flags & SERVICE_FILE_SEALED) != 0 };
}

static int
print_file(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	struct version *version = context;
	struct mailbox_record row;
	struct reader reader;

	if (kind == CONTROL_MESSAGE)
		take_version(record, version);
	reader_init(&reader, record.data, record.size);
	if (kind != CONTROL_MAILBOX || record_get_mailbox(&reader, &row) != 1 ||
	    version->number == 0)
		return EXIT_DONE;
	const struct field fields[] = {
		FIELD_N("version", 7, version->number),
		FIELD_D("date", version->date),
		FIELD_B("size", version->size),
		FIELD_T("kept", 6,
		    version->is_sealed ? TEXT("sealed") : TEXT("plain")),
		FIELD_T("file", 0, row.name),
	};
	output_row(snapctl->output, "file", fields,
	    sizeof(fields) / sizeof(fields[0]));
	version->number = 0;
	return EXIT_DONE;
}

int
cmd_ls(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_ls };
	struct message_control_ls *ls = &request.control_ls;
	struct version version = { .number = 0 };
	struct selector selector;
	struct error error;

	if (argc != 1)
		return command_usage(
		    "ls SNAP[:ACCOUNT[/MAILBOX[;UID=n|;id=<message-id>]]]");
	if (selector_parse(text_of(argv[0]), snapctl->accounts, snapctl->now,
		&selector, &error) == -1)
		return command_fail(&error);
	point_fill(
	    &selector.point, &ls->point_kind, &ls->point_time, &ls->point_name);
	ls->account = selector.account;
	ls->mailbox = selector.mailbox;
	ls->uid = selector.uid;
	ls->message_id = selector.message_id;
	if (selector.account == ACCOUNT_SERVICE && selector.mailbox.size == 0)
		return client_ask(snapctl, &request, print_file, &version);
	return client_ask(snapctl, &request, command_print_listing, NULL);
}
