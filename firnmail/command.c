/* What several verbs of firnmail need: complaints, settings, fewer rights. */
#include "common/sandbox_tool.h"
#include "firnmail/firnmail.h"

#include <stdarg.h>
#include <stdio.h>

enum {
	COMMAND_MAX_REPORT_BYTES = 1024 * 1024
};

int
command_fail(int code, const char *format, ...)
{
	va_list arguments;

	fputs("firnmail: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return code;
}

int
command_usage(const char *synopsis)
{
	fprintf(stderr, "usage: firnmail %s\n", synopsis);
	return EXIT_USAGE;
}

void
command_print_report(const struct report *report)
{
	struct buf text;

	buf_init(&text, COMMAND_MAX_REPORT_BYTES);
	report_format(report, &text);
	fwrite(text.data, 1, text.size, stderr);
	buf_clear(&text);
}

int
command_load(struct firnmail *firnmail, bool is_warned)
{
	struct report *report = report_new();

	firnmail->settings =
	    settings_load(firnmail->options.config, &firnmail->origin, report);
	if (firnmail->settings != NULL)
		firnmail->accounts =
		    account_table_load(firnmail->settings, report);
	if (is_warned || report_errors(report) > 0)
		command_print_report(report);
	report_free(&report);
	return firnmail->accounts != NULL ? EXIT_DONE : EXIT_CONFIG;
}

int
command_drop_rights(void)
{
	struct error error;

	if (sandbox_tool_enter(ROLE_FIRNMAIL, &error) == 0)
		return EXIT_DONE;
	return command_fail(EXIT_FAILED, "%s", error.text);
}
