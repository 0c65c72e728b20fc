/*
 * See account_show.h.  The class stands in the users file alone: the table has what
 * it means.
 */
#include "firnmail/account_show.h"

#include "firnmail/users_file.h"

#include <string.h>

static void
print(
    struct firnmail *firnmail, const struct account *account, struct text class)
{
	const struct settings *settings = firnmail->settings;
	const struct field fields[] = {
		FIELD_N("number", 6, account->number),
		FIELD_N("uid", 10, account->uid),
		FIELD_T("login", 5,
		    account->flags & ACCOUNT_DISABLED ? TEXT("no")
						      : TEXT("yes")),
		FIELD_T("class", 8, class.size > 0 ? class : TEXT("-")),
		FIELD_N("sends_a_day", 11, account->send_per_day),
		FIELD_N("changes_a_day", 13, settings->max_account_changes),
		FIELD_B("bytes_a_day", settings->max_account_bytes),
		FIELD_T("quota", 5, TEXT("none")),
		FIELD_T("address", 0, text_of(account->address)),
	};

	output_row(firnmail->output, "account", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

int
account_show(struct firnmail *firnmail, const char *address)
{
	const struct account *account =
	    account_find_address(firnmail->accounts, text_of(address));
	struct error error;
	struct buf users;
	int code = EXIT_DONE;

	if (account == NULL)
		return command_fail(EXIT_NONE, "%s is no account", address);
	buf_init(&users, ACCOUNT_MAX_FILE_BYTES);
	if (settings_read_file(
		firnmail->settings->users_path, &users, &error) == -1)
		code = command_fail(EXIT_FAILED, "%s", error.text);
	if (code == EXIT_DONE)
		code = command_drop_rights();
	if (code == EXIT_DONE)
		print(firnmail, account,
		    users_file_find_word(text_make(users.data, users.size),
			text_of(account->address), "firnmail_class="));
	if (users.size > 0)
		explicit_bzero(users.data, users.size);
	buf_clear(&users);
	return code;
}
