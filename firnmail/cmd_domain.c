/*
 * firnmail domain add|remove|list|show.  The domain lines of firnmail.conf, and
 * nothing else of it, are changed; what firnmaild would not take is not
 * written.
 */
#include "common/domain_name.h"
#include "firnmail/config_file.h"
#include "firnmail/edit.h"
#include "firnmail/firnmail.h"

#include <stdio.h>
#include <string.h>

#define DOMAIN_SYNOPSIS                                                   \
	"domain add NAME [is NAME] | domain remove NAME | domain list | " \
	"domain show NAME"

/* -- Looking -- */

static size_t
count_accounts(const struct account_table *accounts, const char *domain)
{
	size_t count = 0;

	for (size_t i = 0; i < account_table_count(accounts); i++) {
		const char *address = account_table_at(accounts, i)->address;
		const char *at = strrchr(address, '@');

		count += at != NULL && strcmp(at + 1, domain) == 0;
	}
	return count;
}

/* Names, not rows; those without a domain are in all of them. */
static size_t
count_aliases(const struct account_table *accounts, const char *domain)
{
	const struct account_alias *aliases;
	size_t rows = account_table_aliases(accounts, &aliases), count = 0;

	for (size_t i = 0; i < rows; i++) {
		const char *at = strrchr(aliases[i].name, '@');

		count += at != NULL && at != aliases[i].name &&
			 strcmp(at + 1, domain) == 0 &&
			 account_find_alias(
			     accounts, text_of(aliases[i].name)) == &aliases[i];
	}
	return count;
}

static void
print_domain(struct firnmail *firnmail, size_t n)
{
	const struct settings *settings = firnmail->settings;
	const struct account_table *accounts = firnmail->accounts;
	const char *domain = settings->domains[n];
	const char *is = settings->domain_is[n] == 0
			     ? "-"
			     : settings->domains[settings->domain_is[n] - 1];
	char name[260];

	snprintf(name, sizeof(name), "@%s", domain);
	const struct field fields[] = {
		FIELD_T("domain", 24, text_of(domain)),
		FIELD_N("accounts", 8, count_accounts(accounts, domain)),
		FIELD_N("aliases", 7, count_aliases(accounts, domain)),
		FIELD_T("catch_all", 9,
		    account_find_alias(accounts, text_of(name)) != NULL
			? TEXT("yes")
			: TEXT("no")),
		FIELD_T("is", 0, text_of(is)),
	};
	output_row(firnmail->output, "domain", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

/* NULL: all of them. */
static int
domain_list(struct firnmail *firnmail, const char *wanted)
{
	const struct settings *settings = firnmail->settings;
	int code = command_drop_rights();
	bool is_found = wanted == NULL;

	if (code != EXIT_DONE)
		return code;
	for (size_t i = 0; i < settings->domain_count; i++)
		if (wanted == NULL ||
		    text_is_nocase(text_of(wanted), settings->domains[i])) {
			print_domain(firnmail, i);
			is_found = true;
		}
	return is_found
		   ? EXIT_DONE
		   : command_fail(EXIT_NONE, "%s is no domain of ours", wanted);
}

/* -- Changing -- */

/* The text becomes the settings if firnmaild would take it. */
static int
check_config(struct firnmail *firnmail, const struct buf *text)
{
	const char *path = firnmail->options.config;
	const char *slash = strrchr(path, '/');
	struct report *report = report_new();
	struct settings *settings = settings_new();
	struct account_table *accounts = NULL;
	char directory[512];

	(void)text_copy(text_make(path, (size_t)(slash - path)), directory,
	    sizeof(directory));
	if (settings_parse(path, directory, text_make(text->data, text->size),
		settings, NULL, report) == 0)
		accounts = account_table_load(settings, report);
	if (accounts == NULL) {
		command_print_report(report);
		settings_free(&settings);
	} else {
		account_table_free(&firnmail->accounts);
		settings_free(&firnmail->settings);
		firnmail->accounts = accounts;
		firnmail->settings = settings;
	}
	report_free(&report);
	return accounts != NULL
		   ? EXIT_DONE
		   : command_fail(EXIT_REFUSED, "nothing was changed");
}

static int
change_locked(struct firnmail *firnmail, const struct edit *edit,
    const char *domain, const char *is, bool is_add)
{
	struct text file = text_make(edit->text.data, edit->text.size);
	struct buf text;
	int code = EXIT_DONE, result;

	buf_init(&text, SETTINGS_MAX_FILE_BYTES);
	result = is_add ? config_file_add_domain(file, domain, is, &text)
			: config_file_remove_domain(file, domain, &text);
	if (result == -1)
		code = command_fail(EXIT_FAILED,
		    "%s is full, or has no line \"domain\"", edit->path);
	else if (result == 0)
		code =
		    command_fail(EXIT_NONE, "%s is no domain of ours", domain);
	if (code == EXIT_DONE)
		code = check_config(firnmail, &text);
	if (code == EXIT_DONE)
		code = edit_replace(edit, &text);
	if (code == EXIT_DONE)
		code = edit_put_in_force(firnmail, edit);
	buf_clear(&text);
	return code;
}

static int
domain_change(
    struct firnmail *firnmail, const char *domain, const char *is, bool is_add)
{
	struct edit edit = { .dir_fd = -1 };
	int code;

	if (!edit_is_word(domain) || (is != NULL && !edit_is_word(is)))
		return command_fail(EXIT_USAGE, "that is not a domain");
	code =
	    edit_open(firnmail->options.config, SETTINGS_MAX_FILE_BYTES, &edit);
	if (code == EXIT_DONE)
		code = change_locked(firnmail, &edit, domain, is, is_add);
	edit_close(&edit);
	if (is_add && (code == EXIT_DONE || code == EXIT_PARTLY))
		print_domain(firnmail, firnmail->settings->domain_count - 1);
	return code;
}

int
cmd_domain(struct firnmail *firnmail, int argc, char **argv)
{
	const char *verb = argc > 0 ? argv[0] : "";
	bool is_add = strcmp(verb, "add") == 0 &&
		      (argc == 2 || (argc == 4 && strcmp(argv[2], "is") == 0));
	bool is_remove = argc == 2 && strcmp(verb, "remove") == 0;
	bool is_list = argc == 1 && strcmp(verb, "list") == 0;
	bool is_show = argc == 2 && strcmp(verb, "show") == 0;
	char domain[DOMAIN_NAME_SIZE] = "";
	int code;

	if (!is_add && !is_remove && !is_list && !is_show)
		return command_usage(DOMAIN_SYNOPSIS);
	if (!is_list && domain_name_to_ascii(text_of(argv[1]), domain) == -1)
		return command_fail(EXIT_USAGE, "that is not a domain");
	code = command_load(firnmail, false);
	if (code != EXIT_DONE)
		return code;
	if (is_list || is_show)
		return domain_list(firnmail, is_show ? domain : NULL);
	return domain_change(firnmail, is_add ? argv[1] : domain,
	    argc == 4 ? argv[3] : NULL, is_add);
}
