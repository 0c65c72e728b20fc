/*
 * See account_show.h.  The class stands in the users file alone: the table has
 * what it means.  How much is in the mailboxes snapd knows; while it is away
 * the rest is shown without it.
 */
#include "firnmail/account_show.h"

#include "common/control_record.h"
#include "firnmail/users_file.h"

#include <string.h>

static void
take_usage(const struct message_control_row *row, void *context)
{
	if (row->kind == CONTROL_USAGE)
		(void)control_get_usage(row->record, context);
}

static int
ask_usage(const struct firnmail *firnmail, const struct account *account,
    struct control_usage *usage)
{
	struct message request = { .type = MESSAGE_control_stats };
	struct message answer;
	struct daemon snapd;
	int code = daemon_open(firnmail, ROLE_SNAPD, &snapd);

	if (code != EXIT_DONE)
		return code;
	request.control_stats.account = account->number;
	request.control_stats.days = 1;
	code = daemon_ask(&snapd, &request, take_usage, usage, &answer);
	daemon_close(&snapd);
	return code;
}

/* `usage` is NULL if it is not known. */
static void
print(struct firnmail *firnmail, const struct account *account,
    struct text class, const struct control_usage *usage)
{
	const struct settings *settings = firnmail->settings;
	struct field fields[] = {
		FIELD_N("number", 6, account->number),
		FIELD_N("uid", 10, account->uid),
		FIELD_T("login", 5,
		    account->flags & ACCOUNT_DISABLED ? TEXT("no")
						      : TEXT("yes")),
		FIELD_T("class", 8, class.size > 0 ? class : TEXT("-")),
		FIELD_N("sends_a_day", 11, account->send_per_day),
		FIELD_N("changes_a_day", 13, settings->max_account_changes),
		FIELD_B("bytes_a_day", settings->max_account_bytes),
		FIELD_B("quota", account->quota_bytes),
		FIELD_N("quota_messages", 14, account->quota_messages),
		FIELD_T("address", 0, text_of(account->address)),
		FIELD_T("", 0, TEXT("")),
		FIELD_T("", 0, TEXT("")),
	};
	size_t count = sizeof(fields) / sizeof(fields[0]) - 2;

	if (usage != NULL) {
		fields[count + 1] = fields[count - 1];
		fields[count - 1] =
		    (struct field)FIELD_B("used", usage->wire_bytes);
		fields[count] =
		    (struct field)FIELD_N("messages", 8, usage->messages);
		count += 2;
	}
	output_row(firnmail->output, "account", fields, count);
}

int
account_show(struct firnmail *firnmail, const char *address)
{
	const struct account *account =
	    account_find_address(firnmail->accounts, text_of(address));
	struct control_usage usage = { 0 };
	struct error error;
	struct buf users;
	bool is_known;
	int code = EXIT_DONE;

	if (account == NULL)
		return command_fail(EXIT_NONE, "%s is no account", address);
	is_known = ask_usage(firnmail, account, &usage) == EXIT_DONE;
	buf_init(&users, ACCOUNT_MAX_FILE_BYTES);
	if (settings_read_file(
		firnmail->settings->users_path, &users, &error) == -1)
		code = command_fail(EXIT_FAILED, "%s", error.text);
	if (code == EXIT_DONE)
		code = command_drop_rights();
	if (code == EXIT_DONE) {
		print(firnmail, account,
		    users_file_find_word(text_make(users.data, users.size),
			text_of(account->address), "firnmail_class="),
		    is_known ? &usage : NULL);
		code = is_known ? EXIT_DONE : EXIT_PARTLY;
	}
	if (users.size > 0)
		explicit_bzero(users.data, users.size);
	buf_clear(&users);
	return code;
}
