/*
 * firnmail account add|list|passwd.  The users file and the store must agree on
 * an account's number, and a number is never used again: `add` takes the one
 * after the highest of the file that the store has not known either, has the
 * store know it, and only then writes the file, whole, and asks for a reload.
 * What ends half-way costs a number and nothing else.
 */
#include "common/domain_name.h"
#include "common/status.h"
#include "firnmail/account_purge.h"
#include "firnmail/account_show.h"
#include "firnmail/edit.h"
#include "firnmail/firnmail.h"
#include "firnmail/password_input.h"
#include "firnmail/users_file.h"

#include <stdio.h>
#include <string.h>

#define ACCOUNT_SYNOPSIS                                                \
	"account add ADDRESS [--hash '{SCHEME}HASH'] | account list | " \
	"account show|retire|revive ADDRESS | "                         \
	"account passwd ADDRESS [--hash '{SCHEME}HASH'] | "             \
	"account purge-request|purge-confirm|purge-withdraw ADDRESS"

static int
open_users(const struct settings *settings, struct edit *users)
{
	int code =
	    edit_open(settings->users_path, ACCOUNT_MAX_FILE_BYTES, users);

	users->mode = 0600; /* it holds hashes */
	return code;
}

static struct account_table *
parse_users(const struct settings *settings, const char *name, struct text text)
{
	const struct account_source source = { name, text };
	struct report *report = report_new();
	struct account_table *table =
	    account_table_parse(&source, NULL, settings, report);

	if (report_errors(report) > 0)
		command_print_report(report);
	report_free(&report);
	return table;
}

/* Replaces the file if the new text is one that firnmaild will take. */
static int
users_replace(const struct firnmail *firnmail, const struct edit *users,
    const struct buf *text)
{
	const struct settings *settings = firnmail->settings;
	struct account_table *table = parse_users(
	    settings, settings->users_path, text_make(text->data, text->size));

	if (table == NULL)
		return command_fail(
		    EXIT_CONFIG, "the users file was not changed");
	account_table_free(&table);
	return edit_replace(users, text);
}

/* Says what is wrong with the address or the given hash before anything is
 * asked or done. */
static int
check_line(const struct firnmail *firnmail, const char *address)
{
	const char *hash = firnmail->options.hash;
	struct account_table *table = NULL;
	struct buf line;

	if (strpbrk(address, ":\r\n") != NULL || address[0] == '#')
		return command_fail(
		    EXIT_USAGE, "\"%s\" is not an address", address);
	buf_init(&line, ACCOUNT_MAX_LINE_BYTES);
	if (users_file_add(text_make(NULL, 0), text_of(address),
		text_of(hash != NULL ? hash : ""), 1, &line) == 0)
		table = parse_users(firnmail->settings, address,
		    text_make(line.data, line.size));
	buf_clear(&line);
	if (table == NULL)
		return command_fail(EXIT_USAGE, "nothing was changed");
	account_table_free(&table);
	return EXIT_DONE;
}

/* The hash that was given, or that of the password that is typed. */
static int
take_hash(const struct options *options, char to[PASSWORD_HASH_SIZE])
{
	char password[PASSWORD_MAX_BYTES + 1];
	struct error error;
	int status;

	if (options->hash != NULL) {
		if (text_copy(text_of(options->hash), to, PASSWORD_HASH_SIZE) ==
		    -1)
			return command_fail(EXIT_USAGE, "the hash is too long");
		return EXIT_DONE;
	}
	status = password_input(password, &error);
	if (status == 0)
		status =
		    password_hash(password, options->is_cheap_hash, to, &error);
	explicit_bzero(password, sizeof(password));
	return status == 0 ? EXIT_DONE
			   : command_fail(EXIT_USAGE, "%s", error.text);
}

static uint32_t
highest_number(const struct account_table *accounts)
{
	uint32_t highest = 0;

	for (size_t i = 0; i < account_table_count(accounts); i++)
		if (account_table_at(accounts, i)->number > highest)
			highest = account_table_at(accounts, i)->number;
	return highest;
}

/* A number that neither the file nor the store knows; the store does then. */
static int
allocate_number(const struct firnmail *firnmail,
    const struct account_table *accounts, struct daemon *snapd,
    uint32_t *number)
{
	uint32_t max = ~firnmail->settings->uid_account_mask;
	uint8_t status = STATUS_EXISTS;
	int code;

	*number = highest_number(accounts);
	while (status == STATUS_EXISTS) {
		if (*number == max)
			return command_fail(EXIT_FAILED,
			    "every number up to %u is taken: make uid-range "
			    "larger",
			    max);
		code = daemon_create_account(snapd, ++*number, &status);
		if (code != EXIT_DONE)
			return code;
	}
	return EXIT_DONE;
}

static void
print_account(
    struct firnmail *firnmail, const char *type, const struct account *account)
{
	const struct field fields[] = {
		FIELD_N("number", 6, account->number),
		FIELD_N("uid", 10, account->uid),
		FIELD_T("login", 5,
		    account->flags & ACCOUNT_DISABLED ? TEXT("no")
						      : TEXT("yes")),
		FIELD_T("address", 0, text_of(account->address)),
	};

	output_row(
	    firnmail->output, type, fields, sizeof(fields) / sizeof(fields[0]));
}

/* The account as it stands in the new text. */
static void
print_changed(
    struct firnmail *firnmail, const char *address, const struct buf *text)
{
	struct account_table *table = parse_users(firnmail->settings,
	    firnmail->settings->users_path, text_make(text->data, text->size));
	const struct account *account =
	    table == NULL ? NULL
			  : account_find_address(table, text_of(address));

	if (account != NULL)
		print_account(firnmail, "account", account);
	if (table != NULL)
		account_table_free(&table);
}

/* Writes the file and has it read. */
static int
put_in_force(struct firnmail *firnmail, const char *address,
    const struct edit *users, const struct buf *text, struct daemon *broker)
{
	uint64_t generation;
	int code = users_replace(firnmail, users, text);

	if (code != EXIT_DONE)
		return code;
	if (broker->fd != -1 && daemon_reload(broker, &generation) != EXIT_DONE)
		return command_fail(EXIT_PARTLY,
		    "%s stands in the users file, but is not in force yet: "
		    "firnmail reload",
		    address);
	print_changed(firnmail, address, text);
	return EXIT_DONE;
}

struct daemons {
	struct daemon snapd;
	struct daemon broker;
};

static int
add_locked(struct firnmail *firnmail, const char *address, const char *hash,
    const struct edit *users, struct daemons *daemons)
{
	struct account_table *table =
	    parse_users(firnmail->settings, firnmail->settings->users_path,
		text_make(users->text.data, users->text.size));
	struct buf text;
	uint32_t number = 0;
	int code;

	if (table == NULL)
		return EXIT_CONFIG;
	buf_init(&text, ACCOUNT_MAX_FILE_BYTES);
	if (account_find_address(table, text_of(address)) != NULL)
		code = command_fail(
		    EXIT_REFUSED, "%s is an account already", address);
	else
		code =
		    allocate_number(firnmail, table, &daemons->snapd, &number);
	if (code == EXIT_DONE &&
	    users_file_add(text_make(users->text.data, users->text.size),
		text_of(address), text_of(hash), number, &text) == -1)
		code = command_fail(EXIT_FAILED, "the users file is full");
	if (code == EXIT_DONE)
		code = put_in_force(
		    firnmail, address, users, &text, &daemons->broker);
	account_table_free(&table);
	if (text.size > 0)
		explicit_bzero(text.data, text.size);
	buf_clear(&text);
	return code;
}

static int
open_daemons(const struct firnmail *firnmail, struct daemons *daemons)
{
	int code = daemon_open(firnmail, ROLE_SNAPD, &daemons->snapd);

	if (code == EXIT_DONE)
		code = daemon_open(firnmail, ROLE_BROKER, &daemons->broker);
	if (code != EXIT_DONE)
		(void)command_fail(code,
		    "an account can be added while firnmaild runs only; "
		    "nothing was changed");
	return code;
}

static int
account_add(struct firnmail *firnmail, const char *address)
{
	struct daemons daemons = { { .fd = -1 }, { .fd = -1 } };
	struct edit users = { .dir_fd = -1 };
	char hash[PASSWORD_HASH_SIZE] = "";
	int code = check_line(firnmail, address);

	if (code == EXIT_DONE)
		code = open_daemons(firnmail, &daemons);
	if (code == EXIT_DONE)
		code = take_hash(&firnmail->options, hash);
	if (code == EXIT_DONE) {
		code = open_users(firnmail->settings, &users);
		if (code == EXIT_DONE)
			code = add_locked(
			    firnmail, address, hash, &users, &daemons);
		edit_close(&users);
	}
	explicit_bzero(hash, sizeof(hash));
	daemon_close(&daemons.snapd);
	daemon_close(&daemons.broker);
	return code;
}

static int
passwd_locked(struct firnmail *firnmail, const char *address, const char *hash,
    const struct edit *users, struct daemon *broker)
{
	struct buf text;
	int code;

	buf_init(&text, ACCOUNT_MAX_FILE_BYTES);
	if (users_file_set_hash(text_make(users->text.data, users->text.size),
		text_of(address), text_of(hash), &text) == -1)
		code = command_fail(
		    EXIT_NONE, "%s has no line in the users file", address);
	else
		code = put_in_force(firnmail, address, users, &text, broker);
	if (text.size > 0)
		explicit_bzero(text.data, text.size);
	buf_clear(&text);
	return code;
}

static int
account_passwd(struct firnmail *firnmail, const char *address)
{
	struct edit users = { .dir_fd = -1 };
	struct daemon broker = { .fd = -1 };
	char hash[PASSWORD_HASH_SIZE] = "";
	int code;

	if (account_find_address(firnmail->accounts, text_of(address)) == NULL)
		return command_fail(EXIT_NONE, "%s is no account", address);
	code = check_line(firnmail, address);
	if (code == EXIT_DONE)
		code = daemon_open(firnmail, ROLE_BROKER, &broker);
	if (code == EXIT_DONE)
		code = take_hash(&firnmail->options, hash);
	if (code == EXIT_DONE) {
		code = open_users(firnmail->settings, &users);
		if (code == EXIT_DONE)
			code = passwd_locked(
			    firnmail, address, hash, &users, &broker);
		edit_close(&users);
	}
	explicit_bzero(hash, sizeof(hash));
	daemon_close(&broker);
	return code;
}

static int
set_login_locked(struct firnmail *firnmail, const char *address, bool may_login,
    const struct edit *users, struct daemon *broker)
{
	struct buf text;
	int code, result;

	buf_init(&text, ACCOUNT_MAX_FILE_BYTES);
	result =
	    users_file_set_login(text_make(users->text.data, users->text.size),
		text_of(address), may_login, &text);
	if (result == 1)
		code = put_in_force(firnmail, address, users, &text, broker);
	else if (result == 0)
		code = command_fail(EXIT_REFUSED, "%s is so already", address);
	else
		code = command_fail(
		    EXIT_NONE, "%s has no line in the users file", address);
	if (text.size > 0)
		explicit_bzero(text.data, text.size);
	buf_clear(&text);
	return code;
}

static int
set_login(struct firnmail *firnmail, const char *address, bool may_login)
{
	struct edit users = { .dir_fd = -1 };
	struct daemon broker = { .fd = -1 };
	int code = daemon_open(firnmail, ROLE_BROKER, &broker);

	if (code == EXIT_DONE) {
		code = open_users(firnmail->settings, &users);
		if (code == EXIT_DONE)
			code = set_login_locked(
			    firnmail, address, may_login, &users, &broker);
		edit_close(&users);
	}
	daemon_close(&broker);
	return code;
}

static int
account_retire(struct firnmail *firnmail, const char *address)
{
	return set_login(firnmail, address, false);
}

static int
account_revive(struct firnmail *firnmail, const char *address)
{
	return set_login(firnmail, address, true);
}

static int
account_list(struct firnmail *firnmail)
{
	int code = command_drop_rights();

	if (code != EXIT_DONE)
		return code;
	for (size_t i = 0; i < account_table_count(firnmail->accounts); i++)
		print_account(firnmail, "account",
		    account_table_at(firnmail->accounts, i));
	return EXIT_DONE;
}

static const struct {
	const char *name;
	int (*run)(struct firnmail *firnmail, const char *address);
} verbs[] = {
	{ "add", account_add },
	{ "passwd", account_passwd },
	{ "show", account_show },
	{ "retire", account_retire },
	{ "revive", account_revive },
};

int
cmd_account(struct firnmail *firnmail, int argc, char **argv)
{
	int (*run)(struct firnmail * firnmail, const char *address) = NULL;
	bool is_list = argc == 1 && strcmp(argv[0], "list") == 0;
	bool is_purge = argc == 2 && account_is_purge(argv[0]);
	char address[USERS_FILE_ADDRESS_SIZE] = "";
	int code;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (argc == 2 && strcmp(argv[0], verbs[i].name) == 0)
			run = verbs[i].run;
	if (run == NULL && !is_list && !is_purge)
		return command_usage(ACCOUNT_SYNOPSIS);
	if (!is_list && domain_name_of_address(
			    text_of(argv[1]), address, sizeof(address)) == -1)
		return command_fail(
		    EXIT_USAGE, "\"%s\" is not an address", argv[1]);
	code = command_load(firnmail, false);
	if (code != EXIT_DONE)
		return code;
	if (is_purge)
		return account_purge(firnmail, argv[0], address);
	return is_list ? account_list(firnmail) : run(firnmail, address);
}
