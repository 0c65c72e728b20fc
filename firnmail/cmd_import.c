/*
 * firnmail import dovecot|maildir DIR ADDRESS: what another server has of an
 * account becomes the account's own.  The order: the account's worker looks at
 * what is there, snapd says what the account has; firnmail-import, behind
 * walls of its own, copies the Maildir into the account's home, one folder
 * after the other; the worker looks again and adopts what was put there, each
 * folder while the next ones are copied.  What that process says is data of
 * somebody who has read hostile mail: split into fields and printed.
 */
#include "common/file.h"
#include "common/process.h"
#include "common/sandbox.h"
#include "common/spawn.h"
#include "firnmail/firnmail.h"
#include "firnmail/import_account.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMPORT_SYNOPSIS \
	"import dovecot|maildir DIR ADDRESS [--into MAILBOX] [--dry-run]"

enum {
	MAX_SAID_BYTES = 64 << 20,
	MAX_KNOWN_BYTES = 16 << 20,
	MAX_FIELDS = 6
};

#ifdef __SANITIZE_ADDRESS__
static const unsigned int process_flags = PROCESS_SANITIZER;
#else
static const unsigned int process_flags = 0;
#endif

struct import {
	struct firnmail *firnmail;
	const struct account *account;
	const char *form;
	struct daemon snapd;
	int source_fd;
	int home_fd;
	struct table *before; /* mailboxes that were there */
	struct table *after;
	struct import_look look;
	struct buf said; /* by firnmail-import */
	size_t heard;    /* of it: whole lines */
	uint64_t left;   /* files and folders that were not taken */
	uint64_t used;
	uint64_t failed;
	uint64_t changed; /* mailboxes whose UIDs could not be kept */
};

/* -- Opening -- */

/* DIR may be relative; no part of it is followed through a link. */
static int
open_source(struct import *import, const char *path)
{
	char whole[PATH_MAX], here[PATH_MAX];
	struct error error;

	if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return command_fail(EXIT_FAILED, "where are we?");
	if ((size_t)snprintf(whole, sizeof(whole), "%s%s%s",
		path[0] == '/' ? "" : here, path[0] == '/' ? "" : "/",
		path) >= sizeof(whole))
		return command_fail(EXIT_USAGE, "the path is too long");
	import->source_fd = file_open_absolute_directory(whole, &error);
	return import->source_fd != -1
		   ? EXIT_DONE
		   : command_fail(EXIT_USAGE, "%s: %s", path, error.text);
}

/* The worker's first look made sure of it. */
static int
open_home(struct import *import)
{
	char path[sizeof(import->firnmail->settings->mail_path) + 16];
	struct error error;

	snprintf(path, sizeof(path), "%s/%u",
	    import->firnmail->settings->mail_path, import->account->number);
	import->home_fd = file_open_absolute_directory(path, &error);
	return import->home_fd != -1
		   ? EXIT_DONE
		   : command_fail(EXIT_FAILED, "%s: %s", path, error.text);
}

static int
known_file(const struct import *import, struct error *error)
{
	struct buf list;
	size_t position = 0, size;
	const void *name;
	void *value;
	int fd;

	buf_init(&list, MAX_KNOWN_BYTES);
	while (table_next(import->before, &position, &name, &size, &value)) {
		const struct import_mailbox *mailbox = value;

		buf_put_format(&list, "%u %u %.*s\n", mailbox->uidvalidity,
		    mailbox->uidnext, (int)size, (const char *)name);
	}
	fd = file_sealed_memory("known", list.data, list.size, error);
	buf_clear(&list);
	return fd;
}

/* -- Copying -- */

/* A folder that was copied just now. */
static bool
is_new_folder(struct text line)
{
	struct text fields[3];

	for (size_t i = 0; i < 3; i++)
		if (!text_next(&line, '\t', &fields[i]))
			return false;
	return text_is(fields[0], "mailbox") && text_is(fields[2], "new");
}

/* Its mail is adopted while the next ones are copied. A whole folder at a time:
 * UIDs must come in their order, and the last of them before any other mail. */
static void
heard_more(void *context)
{
	struct import *import = context;
	struct text rest = text_make(import->said.data + import->heard,
	    import->said.size - import->heard);
	bool is_more = false;
	ptrdiff_t end;

	while ((end = text_find_byte(rest, '\n')) != -1) {
		is_more |= is_new_folder(text_make(rest.data, (size_t)end));
		rest = text_skip(rest, (size_t)end + 1);
		import->heard += (size_t)end + 1;
	}
	import_look_soon(&import->look, is_more);
}

static int
copy(struct import *import)
{
	static const struct sandbox_ranges none = { 0 };
	const struct options *options = &import->firnmail->options;
	struct error error = { .code = ERROR_NONE };
	char program[600], uid[12];
	struct spawn spawn = { .program = program,
		.arguments = { import->form,
		    options->is_dry_run ? "dry-run" : "run", uid,
		    options->into != NULL ? options->into : "" },
		.fds = { import->source_fd, import->home_fd,
		    sandbox_filter_compile(
			ROLE_IMPORT, &none, process_flags, &error),
		    -1 },
		.fd_count = 4,
		.shuts_walls = true };
	int result = -1;

	snprintf(
	    program, sizeof(program), "%s/firnmail-import", options->libexec);
	snprintf(uid, sizeof(uid), "%u", import->account->uid);
	if (spawn.fds[2] != -1)
		spawn.fds[3] = known_file(import, &error);
	if (spawn.fds[3] != -1)
		result = spawn_and_follow(
		    &spawn, &import->said, heard_more, import, &error);
	for (size_t i = 2; i < 4; i++)
		if (spawn.fds[i] != -1)
			close(spawn.fds[i]);
	return result == 0 ? EXIT_DONE
			   : command_fail(EXIT_FAILED, "%s", error.text);
}

/* -- What it said -- */

static uint64_t
number_of(struct text field)
{
	uint64_t value;

	return text_parse_number(field, INT64_MAX, &value) == 0 ? value : 0;
}

/* What became of its UIDs, which only the store can say. */
static struct text
uids_of(struct import *import, const struct text *fields)
{
	const struct import_mailbox *now;
	uint64_t wished = number_of(fields[5]);

	if (text_is(fields[2], "used"))
		return TEXT("-");
	if (wished == 0)
		return TEXT("new");
	if (import->after == NULL)
		return TEXT("kept");
	now = table_find(import->after, fields[1].data, fields[1].size);
	if (now != NULL && now->uidvalidity == wished)
		return TEXT("kept");
	import->changed++;
	return TEXT("lost");
}

static void
print_mailbox(struct import *import, const struct text *fields)
{
	const struct field row[] = {
		FIELD_T("state", 5, fields[2]),
		FIELD_N("messages", 9, number_of(fields[3])),
		FIELD_B("size", number_of(fields[4])),
		FIELD_T("uids", 4, uids_of(import, fields)),
		FIELD_N("uidvalidity", 11, number_of(fields[5])),
		FIELD_T("mailbox", 0, fields[1]),
	};

	import->used += text_is(fields[2], "used");
	output_row(import->firnmail->output, "mailbox", row,
	    sizeof(row) / sizeof(row[0]));
}

static void
print_left(struct import *import, const struct text *fields)
{
	const struct field row[] = {
		FIELD_N("left", 9, number_of(fields[2])),
		FIELD_T("why", 31, fields[3]),
		FIELD_T("folder", 20, fields[1]),
		FIELD_T("example", 0, fields[4]),
	};

	import->left += number_of(fields[2]);
	output_row(import->firnmail->output, "left", row,
	    sizeof(row) / sizeof(row[0]));
}

static void
print_failed(struct import *import, const struct text *fields)
{
	const struct field row[] = {
		FIELD_T("failed", 20, fields[1]),
		FIELD_T("why", 0, fields[2]),
	};

	import->failed++;
	output_row(import->firnmail->output, "failed", row,
	    sizeof(row) / sizeof(row[0]));
}

static void
print_subscriptions(struct import *import, const struct text *fields)
{
	const struct field row[] = { FIELD_N(
	    "subscriptions", 9, number_of(fields[1])) };

	output_row(import->firnmail->output, "subscriptions", row, 1);
}

/* A table for each kind of line. */
static void
print_kind(struct import *import, const char *kind, size_t count,
    void (*print)(struct import *import, const struct text *fields))
{
	struct text rest = text_make(import->said.data, import->said.size);
	struct text line, fields[MAX_FIELDS];

	output_new_table(import->firnmail->output);
	while (text_next(&rest, '\n', &line)) {
		size_t n = 0;

		while (n < MAX_FIELDS && text_next(&line, '\t', &fields[n]))
			n++;
		if (n == count && text_is(fields[0], kind))
			print(import, fields);
	}
}

static int
report(struct import *import)
{
	bool is_dry_run = import->firnmail->options.is_dry_run;

	print_kind(import, "mailbox", 6, print_mailbox);
	print_kind(import, "left", 5, print_left);
	print_kind(import, "failed", 3, print_failed);
	print_kind(import, "subscriptions", 2, print_subscriptions);
	if (import->used > 0)
		return command_fail(EXIT_REFUSED,
		    "%llu mailboxes have other mail already; nothing was "
		    "changed: --into MAILBOX puts everything beneath one of "
		    "its own",
		    (unsigned long long)import->used);
	if (import->changed > 0)
		(void)command_fail(EXIT_PARTLY,
		    "%llu mailboxes have a UIDVALIDITY that one of that name "
		    "had before, with other mail, and got new UIDs",
		    (unsigned long long)import->changed);
	if (import->failed > 0 && !is_dry_run)
		(void)command_fail(EXIT_PARTLY,
		    "%llu mailboxes were not taken: the same command goes on "
		    "where this one was",
		    (unsigned long long)import->failed);
	return import->left + import->changed + import->failed > 0 ? EXIT_PARTLY
								   : EXIT_DONE;
}

static int
run(struct import *import, const char *directory)
{
	bool is_dry_run = import->firnmail->options.is_dry_run;
	uint32_t account = import->account->number;
	int code = open_source(import, directory);

	import->look.snapd = &import->snapd;
	import->look.account = account;
	if (code == EXIT_DONE)
		code =
		    daemon_open(import->firnmail, ROLE_SNAPD, &import->snapd);
	if (code == EXIT_DONE)
		code = import_look_now(&import->look);
	if (code == EXIT_DONE)
		code = import_list(&import->snapd, account, &import->before);
	if (code == EXIT_DONE)
		code = open_home(import);
	if (code == EXIT_DONE)
		code = copy(import);
	if (code == EXIT_DONE && !is_dry_run)
		code = import_look_now(&import->look);
	if (code == EXIT_DONE && !is_dry_run)
		code = import_list(&import->snapd, account, &import->after);
	if (code == EXIT_DONE)
		code = command_drop_rights();
	return code == EXIT_DONE ? report(import) : code;
}

int
cmd_import(struct firnmail *firnmail, int argc, char **argv)
{
	struct import import = { .firnmail = firnmail,
		.snapd = { .fd = -1 },
		.source_fd = -1,
		.home_fd = -1 };
	int code;

	if (argc != 3 || (strcmp(argv[0], "dovecot") != 0 &&
			     strcmp(argv[0], "maildir") != 0))
		return command_usage(IMPORT_SYNOPSIS);
	import.form = argv[0];
	code = command_load(firnmail, false);
	if (code != EXIT_DONE)
		return code;
	import.account =
	    account_find_address(firnmail->accounts, text_of(argv[2]));
	if (import.account == NULL)
		return command_fail(EXIT_NONE, "%s is no account", argv[2]);
	buf_init(&import.said, MAX_SAID_BYTES);
	code = run(&import, argv[1]);
	buf_clear(&import.said);
	import_mailboxes_free(&import.before);
	import_mailboxes_free(&import.after);
	daemon_close(&import.snapd);
	if (import.source_fd != -1)
		close(import.source_fd);
	if (import.home_fd != -1)
		close(import.home_fd);
	return code;
}
