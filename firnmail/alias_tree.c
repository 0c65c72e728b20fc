/*
 * See alias_tree.h.  The files are read first, then all rights are given up.
 */
#include "firnmail/alias_tree.h"

#include "common/route.h"
#include "common/smtp_verdict.h"

#include <stdio.h>
#include <string.h>

enum {
	INDENT = 2, /* of a table, for each level */
	NAME_SIZE = 400
};

struct tree {
	struct firnmail *firnmail;
	struct buf users;
	struct buf aliases;
	bool has_mistake;
};

static const char *const step_names[] = {
	[ALIAS_STEP_ALIAS] = "alias",
	[ALIAS_STEP_ACCOUNT] = "account",
	[ALIAS_STEP_KEPT] = "keeps",
	[ALIAS_STEP_ELSEWHERE] = "elsewhere",
	[ALIAS_STEP_AGAIN] = "again",
	[ALIAS_STEP_LOOP] = "loop",
	[ALIAS_STEP_TOO_DEEP] = "too-deep",
	[ALIAS_STEP_TOO_MANY] = "too-many",
	[ALIAS_STEP_UNKNOWN] = "unknown",
};

static const char *const route_names[] = {
	[ROUTE_OTHER_DOMAIN] = "domain",
	[ROUTE_SUBADDRESS] = "subaddress",
	[ROUTE_ALIAS] = "alias",
	[ROUTE_ACCOUNT] = "account",
	[ROUTE_EVERYBODY] = "first-account",
	[ROUTE_CATCH_ALL] = "catch-all",
};

static void
print_step(const struct tree *tree, unsigned int depth, const char *step,
    struct text name)
{
	struct output *output = tree->firnmail->output;
	char text[NAME_SIZE];

	snprintf(text, sizeof(text), "%*s%.*s",
	    output_form(output) == OUTPUT_TABLE ? (int)depth * INDENT : 0, "",
	    TEXT_FMT(name));
	const struct field fields[] = {
		FIELD_N("depth", 5, depth),
		FIELD_T("step", 13, text_of(step)),
		FIELD_T("address", 0, text_of(text)),
	};
	output_row(output, "step", fields, sizeof(fields) / sizeof(fields[0]));
}

static struct account_table *
read_table(const struct tree *tree, const struct alias_watch *watch,
    struct report *report)
{
	const struct settings *settings = tree->firnmail->settings;
	const struct account_source users = { settings->users_path,
		text_make(tree->users.data, tree->users.size) };
	const struct account_source aliases = { settings->aliases_path,
		text_make(tree->aliases.data, tree->aliases.size) };

	return account_table_watch(&users, &aliases, settings, watch, report);
}

/* The alias itself was told of by the route. */
static void
follow_step(
    void *context, unsigned int depth, enum alias_step step, struct text name)
{
	struct tree *tree = context;

	if (depth == 0 && step == ALIAS_STEP_ALIAS)
		return;
	if (step >= ALIAS_STEP_LOOP)
		tree->has_mistake = true;
	print_step(tree, depth + 1, step_names[step], name);
}

static void
follow(struct tree *tree, struct text alias)
{
	const struct alias_watch watch = { alias, follow_step, tree };
	struct report *report = report_new();
	struct account_table *table = read_table(tree, &watch, report);

	account_table_free(&table);
	report_free(&report);
}

static void
route_step(void *context, enum route_step step, struct text name)
{
	struct tree *tree = context;

	print_step(tree, 1, route_names[step], name);
	if (step == ROUTE_ALIAS || step == ROUTE_CATCH_ALL)
		follow(tree, name);
}

static void
print_end(
    const struct tree *tree, unsigned int verdict, const struct route *route)
{
	struct output *output = tree->firnmail->output;
	const char *end = "delivered";

	if (verdict != VERDICT_OK)
		end = smtp_verdict_row(verdict)->text;
	const struct field fields[] = {
		FIELD_T("end", 13, text_of(end)),
		FIELD_N("accounts", 8, route->count),
		FIELD_N("elsewhere", 9, route->remote_count),
	};
	output_new_table(output);
	output_row(output, "end", fields, sizeof(fields) / sizeof(fields[0]));
}

static int
print_tree(struct tree *tree, const char *address, struct report *report)
{
	const struct route_trace trace = { route_step, tree };
	struct account_table *table = read_table(tree, NULL, report);
	static struct route route;
	unsigned int verdict;

	print_step(tree, 0, "address", text_of(address));
	verdict = route_look(
	    tree->firnmail->settings, table, text_of(address), &route, &trace);
	print_end(tree, verdict, &route);
	account_table_free(&table);
	if (tree->has_mistake || report_errors(report) > 0)
		return EXIT_CONFIG;
	return verdict == VERDICT_OK ? EXIT_DONE : EXIT_NONE;
}

static int
read_files(struct tree *tree)
{
	const struct settings *settings = tree->firnmail->settings;
	struct error error;

	if (settings_read_file(settings->users_path, &tree->users, &error) ==
		-1 &&
	    error.code != ERROR_MISSING)
		return command_fail(EXIT_CONFIG, "%s", error.text);
	if (settings->aliases_path[0] != '\0' &&
	    settings_read_file(
		settings->aliases_path, &tree->aliases, &error) == -1)
		return command_fail(EXIT_CONFIG, "%s", error.text);
	return EXIT_DONE;
}

int
alias_tree_print(struct firnmail *firnmail, const char *address)
{
	struct tree tree = { .firnmail = firnmail };
	struct report *report = report_new();
	int code;

	buf_init(&tree.users, ACCOUNT_MAX_FILE_BYTES);
	buf_init(&tree.aliases, ACCOUNT_MAX_FILE_BYTES);
	code = read_files(&tree);
	if (code == EXIT_DONE)
		code = command_drop_rights();
	if (code == EXIT_DONE) {
		code = print_tree(&tree, address, report);
		command_print_report(report);
	}
	if (tree.users.size > 0)
		explicit_bzero(tree.users.data, tree.users.size);
	buf_clear(&tree.users);
	buf_clear(&tree.aliases);
	report_free(&report);
	return code;
}
