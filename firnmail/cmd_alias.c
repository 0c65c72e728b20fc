/*
 * firnmail alias add|remove|list|show|test.  What firnmaild would not take is
 * not written.
 */
#include "firnmail/alias_file.h"
#include "firnmail/alias_tree.h"
#include "firnmail/edit.h"
#include "firnmail/firnmail.h"

#include <stdio.h>
#include <string.h>

#define ALIAS_SYNOPSIS                                                  \
	"alias add NAME TARGET ... | alias remove NAME [TARGET ...] | " \
	"alias list | alias show NAME | alias test ADDRESS"

typedef int edit_function(struct text file, const char *name,
    const char *const *targets, size_t count, struct buf *to);

/* The users as they are and the aliases as they would be. */
static int
check_aliases(const struct firnmail *firnmail, const struct buf *aliases)
{
	const struct settings *settings = firnmail->settings;
	struct account_source users_source = { settings->users_path,
		{ NULL, 0 } };
	const struct account_source aliases_source = { settings->aliases_path,
		text_make(aliases->data, aliases->size) };
	struct report *report = report_new();
	struct account_table *table;
	struct error error;
	struct buf users;

	buf_init(&users, ACCOUNT_MAX_FILE_BYTES);
	(void)settings_read_file(settings->users_path, &users, &error);
	users_source.text = text_make(users.data, users.size);
	table = account_table_parse(
	    &users_source, &aliases_source, settings, report);
	command_print_report(report);
	report_free(&report);
	if (users.size > 0)
		explicit_bzero(users.data, users.size);
	buf_clear(&users);
	if (table == NULL)
		return command_fail(EXIT_REFUSED, "nothing was changed");
	account_table_free(&table);
	return EXIT_DONE;
}

static void
print_alias(struct firnmail *firnmail, struct text name, struct text targets)
{
	const struct field fields[] = {
		FIELD_T("name", 24, name),
		FIELD_T("targets", 0, text_trim(targets)),
	};

	output_row(firnmail->output, "alias", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

static void
print_line(
    struct firnmail *firnmail, const struct buf *file, const char *wanted)
{
	struct text rest = text_make(file->data, file->size), name, targets;

	while (alias_file_next(&rest, &name, &targets))
		if (wanted == NULL || text_is_nocase(name, wanted))
			print_alias(firnmail, name, targets);
}

static int
change_locked(struct firnmail *firnmail, edit_function *change,
    const struct edit *edit, int argc, char **argv)
{
	struct buf text;
	int code = EXIT_DONE, result;

	buf_init(&text, ACCOUNT_MAX_FILE_BYTES);
	result = change(text_make(edit->text.data, edit->text.size), argv[0],
	    (const char *const *)argv + 1, (size_t)argc - 1, &text);
	if (result == -1)
		code = command_fail(EXIT_FAILED, "%s is full", edit->path);
	else if (result == 0)
		code = change == alias_file_add
			   ? command_fail(EXIT_REFUSED,
				 "%s leads there already", argv[0])
			   : command_fail(EXIT_NONE,
				 "%s has no such line or target", edit->path);
	if (code == EXIT_DONE)
		code = check_aliases(firnmail, &text);
	if (code == EXIT_DONE)
		code = edit_replace(edit, &text);
	if (code == EXIT_DONE) {
		print_line(firnmail, &text, argv[0]);
		code = edit_put_in_force(firnmail, edit);
	}
	buf_clear(&text);
	return code;
}

static int
alias_change(
    struct firnmail *firnmail, edit_function *change, int argc, char **argv)
{
	struct edit edit = { .dir_fd = -1 };
	int code;

	for (int i = 0; i < argc; i++)
		if (!edit_is_word(argv[i]))
			return command_fail(EXIT_USAGE,
			    "\"%s\" is not a name of an alias", argv[i]);
	code = edit_open(
	    firnmail->settings->aliases_path, ACCOUNT_MAX_FILE_BYTES, &edit);
	if (code == EXIT_DONE)
		code = change_locked(firnmail, change, &edit, argc, argv);
	edit_close(&edit);
	return code;
}

static int
alias_list(struct firnmail *firnmail)
{
	struct error error;
	struct buf file;
	int code = EXIT_DONE;

	buf_init(&file, ACCOUNT_MAX_FILE_BYTES);
	if (settings_read_file(
		firnmail->settings->aliases_path, &file, &error) == -1)
		code = command_fail(EXIT_FAILED, "%s", error.text);
	if (code == EXIT_DONE)
		code = command_drop_rights();
	if (code == EXIT_DONE)
		print_line(firnmail, &file, NULL);
	buf_clear(&file);
	return code;
}

/* Where it leads to in the end. */
static int
alias_show(struct firnmail *firnmail, const char *name)
{
	const struct account_table *accounts = firnmail->accounts;
	const struct account_alias *alias =
	    account_find_alias(accounts, text_of(name));
	int code = command_drop_rights();

	if (code != EXIT_DONE)
		return code;
	if (alias == NULL)
		return command_fail(EXIT_NONE, "%s is no alias", name);
	for (; alias != NULL; alias = account_next_alias(accounts, alias)) {
		bool is_ours = account_find_address(
				   accounts, text_of(alias->target)) != NULL;
		const struct field fields[] = {
			FIELD_T("kind", 9,
			    is_ours ? TEXT("account") : TEXT("elsewhere")),
			FIELD_T("target", 0, text_of(alias->target)),
		};

		output_row(firnmail->output, "target", fields,
		    sizeof(fields) / sizeof(fields[0]));
	}
	return EXIT_DONE;
}

/* Without a file there is no alias but the names that all have. */
static int
load(struct firnmail *firnmail, bool is_test)
{
	struct report *report;
	int code;

	if (!is_test) {
		code = command_load(firnmail, false);
	} else { /* what is wrong with aliases is what is to be seen */
		report = report_new();
		firnmail->settings = settings_load(
		    firnmail->options.config, &firnmail->origin, report);
		if (firnmail->settings == NULL)
			command_print_report(report);
		code = firnmail->settings != NULL ? EXIT_DONE : EXIT_CONFIG;
		report_free(&report);
	}
	if (code == EXIT_DONE && !is_test &&
	    firnmail->settings->aliases_path[0] == '\0')
		code = command_fail(EXIT_CONFIG,
		    "%s has no line \"aliases file FILE\"",
		    firnmail->options.config);
	return code;
}

int
cmd_alias(struct firnmail *firnmail, int argc, char **argv)
{
	const char *verb = argc > 0 ? argv[0] : "";
	bool is_add = argc > 2 && strcmp(verb, "add") == 0;
	bool is_remove = argc > 1 && strcmp(verb, "remove") == 0;
	bool is_list = argc == 1 && strcmp(verb, "list") == 0;
	bool is_show = argc == 2 && strcmp(verb, "show") == 0;
	bool is_test = argc == 2 && strcmp(verb, "test") == 0;
	int code;

	if (!is_add && !is_remove && !is_list && !is_show && !is_test)
		return command_usage(ALIAS_SYNOPSIS);
	code = load(firnmail, is_test);
	if (code != EXIT_DONE)
		return code;
	if (is_list)
		return alias_list(firnmail);
	if (is_show)
		return alias_show(firnmail, argv[1]);
	if (is_test)
		return alias_tree_print(firnmail, argv[1]);
	return alias_change(firnmail,
	    is_add ? alias_file_add : alias_file_remove, argc - 1, argv + 1);
}
