/*
 * What several verbs of snapctl need: arguments, names, the rows of a listing.
 */
#include "snapctl/selector.h"
#include "snapctl/snapctl.h"

#include "common/account_parser.h"
#include "common/report.h"
#include "common/settings_parser.h"
#include "common/span.h"

#include <stdio.h>
#include <unistd.h>

int
command_fail(const struct error *error)
{
	fprintf(stderr, "snapctl: %s\n", error->text);
	return error->code == ERROR_MISSING ? EXIT_NONE : EXIT_USAGE;
}

int
command_usage(const char *synopsis)
{
	fprintf(stderr, "usage: snapctl %s\n", synopsis);
	return EXIT_USAGE;
}

int
command_account(
    const struct snapctl *snapctl, int argc, char **argv, uint32_t *account)
{
	struct error error;

	*account = 0;
	if (argc == 1 && account_parse(text_of(argv[0]), snapctl->accounts,
			     account, &error) == -1)
		return command_fail(&error);
	return EXIT_DONE;
}

void
command_load_accounts(struct snapctl *snapctl)
{
	struct report *report = report_new();
	struct settings *settings =
	    settings_load(snapctl->options.config, NULL, report);

	if (settings != NULL)
		snapctl->accounts = account_table_load(settings, report);
	settings_free(&settings);
	report_free(&report);
}

int
command_time(const struct snapctl *snapctl, const char *option,
    const char *value, int64_t *time)
{
	struct point point;
	struct error error;

	*time = 0;
	if (value == NULL)
		return EXIT_DONE;
	if (point_parse(text_of(value), snapctl->now, &point, &error) == -1)
		return command_fail(&error);
	if (point.kind != POINT_TIME) {
		fprintf(stderr, "snapctl: %s takes a date or an age\n", option);
		return EXIT_USAGE;
	}
	*time = point.time;
	return EXIT_DONE;
}

int
command_since(const struct snapctl *snapctl, int64_t *since)
{
	return command_time(snapctl, "--since", snapctl->options.since, since);
}

int
command_since_event(
    const struct snapctl *snapctl, struct message_control_log *log)
{
	const char *since = snapctl->options.since;
	struct point point;
	struct error error;

	if (since == NULL || since[0] != '@')
		return command_since(snapctl, &log->since);
	if (point_parse(text_of(since), snapctl->now, &point, &error) == -1)
		return command_fail(&error);
	log->after = (uint64_t)point.time;
	return EXIT_DONE;
}

bool
command_is_agreed(const struct snapctl *snapctl)
{
	char answer[16];

	if (snapctl->options.is_yes || isatty(STDIN_FILENO) != 1)
		return true;
	fprintf(stderr, "Go on? [y/N] ");
	return fgets(answer, sizeof(answer), stdin) != NULL &&
	       (answer[0] == 'y' || answer[0] == 'Y');
}

struct text
command_account_name(
    const struct snapctl *snapctl, uint32_t account, char *storage)
{
	const struct account *found =
	    snapctl->accounts == NULL
		? NULL
		: account_find_number(snapctl->accounts, account);

	if (account == 0)
		return TEXT("-");
	if (account == ACCOUNT_SERVICE)
		return TEXT("config");
	if (found != NULL)
		return text_of(found->address);
	snprintf(storage, 12, "%u", account);
	return text_of(storage);
}

struct text
command_flags(uint32_t flags, char *storage)
{
	static const struct {
		uint32_t bit;
		char letter;
	} letters[] = { { FLAG_DRAFT, 'D' }, { FLAG_FLAGGED, 'F' },
		{ FLAG_ANSWERED, 'R' }, { FLAG_SEEN, 'S' },
		{ FLAG_DELETED, 'T' }, { RECORD_MISSING, '!' } };
	size_t size = 0;

	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (flags & letters[i].bit)
			storage[size++] = letters[i].letter;
	if (size == 0)
		storage[size++] = '-';
	return text_make(storage, size);
}

void
command_print_snapshot(
    struct snapctl *snapctl, const struct control_snapshot *snapshot)
{
	static const char *const kinds[] = { "timer", "named", "alarm", "head",
		"rewind" };
	char storage[12];
	const struct field fields[] = {
		FIELD_T("id", 8, snapshot->id),
		FIELD_D("time", snapshot->time),
		FIELD_T("kind", 5,
		    text_of(snapshot->kind < 5 ? kinds[snapshot->kind] : "?")),
		FIELD_T("account", 20,
		    command_account_name(snapctl, snapshot->account, storage)),
		FIELD_N("sequence", 10, snapshot->sequence),
		FIELD_T("name", 12, snapshot->name),
		FIELD_T("why", 0, snapshot->why),
	};

	output_row(snapctl->output, "snapshot", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

static int
bad_row(void)
{
	fprintf(stderr, "snapctl: snapd sent a row that cannot be read\n");
	return EXIT_FAILED;
}

static int
print_account(struct snapctl *snapctl, struct text record)
{
	struct control_account row;
	char storage[12];

	if (control_get_account(record, &row) == -1)
		return bad_row();
	const struct field fields[] = {
		FIELD_N("number", 6,
		    row.account == ACCOUNT_SERVICE ? 0 : row.account),
		FIELD_T("account", 28,
		    command_account_name(snapctl, row.account, storage)),
		FIELD_N("mailboxes", 9, row.mailboxes),
		FIELD_N("messages", 9, row.messages),
		FIELD_N("unfiled", 7, row.unfiled),
		FIELD_B("size", row.bytes),
	};
	output_row(snapctl->output, "account", fields,
	    sizeof(fields) / sizeof(fields[0]));
	return EXIT_DONE;
}

static int
print_mailbox(struct snapctl *snapctl, struct text record)
{
	struct mailbox_record row;
	struct reader reader;

	reader_init(&reader, record.data, record.size);
	if (record_get_mailbox(&reader, &row) != 1)
		return bad_row();
	const struct field fields[] = {
		FIELD_N("messages", 9, row.message_count),
		FIELD_N("uidvalidity", 11, row.uidvalidity),
		FIELD_N("uidnext", 9, row.uidnext),
		FIELD_N("modseq", 9, row.highest_modseq),
		FIELD_T("mailbox", 0, row.name),
	};
	output_row(snapctl->output, "mailbox", fields,
	    sizeof(fields) / sizeof(fields[0]));
	return EXIT_DONE;
}

static int
print_message(struct snapctl *snapctl, struct text record)
{
	struct message_record row;
	struct reader reader;
	char flags[8], hash[65];

	reader_init(&reader, record.data, record.size);
	if (record_get_message(&reader, &row) != 1)
		return bad_row();
	text_format_hex(row.hash.bytes, sizeof(row.hash.bytes), hash);
	const struct field fields[] = {
		FIELD_N("uid", 9, row.uid),
		FIELD_D("date", row.internaldate),
		FIELD_B("size", row.size),
		FIELD_T("flags", 6, command_flags(row.flags, flags)),
		FIELD_N("modseq", 9, row.modseq),
		FIELD_T("sha256", 0, text_of(hash)),
	};
	output_row(snapctl->output, "message", fields,
	    sizeof(fields) / sizeof(fields[0]));
	return EXIT_DONE;
}

int
command_print_listing(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	(void)context;
	switch (kind) {
	case CONTROL_ACCOUNT:
		return print_account(snapctl, record);
	case CONTROL_MAILBOX:
		return print_mailbox(snapctl, record);
	case CONTROL_MESSAGE:
		return print_message(snapctl, record);
	default:
		return EXIT_DONE;
	}
}

int
command_print_hold(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	char storage[12], left[SPAN_SIZE];
	struct control_hold row;

	(void)context;
	if (kind != CONTROL_HOLD)
		return EXIT_DONE;
	if (control_get_hold(record, &row) == -1)
		return bad_row();
	/* Hours are enough for people. */
	span_format(
	    row.left_s < 7200 ? row.left_s : row.left_s / 3600 * 3600, left);
	const struct field fields[] = {
		FIELD_T("tag", 10, row.tag),
		FIELD_D("since", row.time),
		FIELD_T("snapshot", 8, row.id),
		FIELD_N("sequence", 10, row.sequence),
		FIELD_T("account", 20,
		    command_account_name(snapctl, row.account, storage)),
		FIELD_N("mailbox", 7, row.mailbox),
		FIELD_N("uid", 9, row.uid),
		FIELD_T(
		    "ends_in", 8, row.is_released ? text_of(left) : TEXT("-")),
		FIELD_T("why", 0, row.why),
	};
	output_row(snapctl->output, "hold", fields,
	    sizeof(fields) / sizeof(fields[0]));
	return EXIT_DONE;
}

int
command_print_event(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	struct control_event row;
	char account[12];

	(void)context;
	if (kind != CONTROL_EVENT || control_get_event(record, &row) == -1 ||
	    (snapctl->options.is_deleted &&
		(row.removed == 0 || row.account == ACCOUNT_SERVICE)))
		return EXIT_DONE;
	const struct field fields[] = {
		FIELD_N("sequence", 8, row.sequence),
		FIELD_D("time", row.time_us / 1000000),
		FIELD_T("account", 18,
		    command_account_name(snapctl, row.account, account)),
		FIELD_T("actor", 7, row.actor),
		FIELD_T("event", 8, row.what),
		FIELD_N("rows", 5, row.rows),
		FIELD_N("removed", 7, row.removed),
		FIELD_T("mailbox", 8, row.mailbox),
		NOTE_FIELDS(row.note),
		FIELD_T("detail", 0, row.detail),
	};
	output_row(snapctl->output, "event", fields,
	    sizeof(fields) / sizeof(fields[0]));
	return EXIT_DONE;
}
