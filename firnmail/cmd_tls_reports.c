/*
 * firnmail tls-reports: what is counted for reports of TLS to other domains
 * (RFC 8460), and sending them before their time.
 */
#include "common/queue_record.h"
#include "common/status.h"
#include "firnmail/firnmail.h"

#include <string.h>

static void
print_report(
    struct firnmail *firnmail, const struct queue_tls_report_record *report)
{
	const struct field fields[] = {
		FIELD_T("domain", 32, report->domain),
		FIELD_D("begin", report->begin),
		FIELD_D("due", report->due),
		FIELD_N("good", 8, report->good),
		FIELD_N("bad", 8, report->bad),
		FIELD_N("tries", 5, report->tries),
	};

	output_row(firnmail->output, "report", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

static int
list(struct firnmail *firnmail, struct daemon *spool)
{
	struct message request = { .type = MESSAGE_tls_reports_list }, answer;
	const struct message_tls_reports_page *page = &answer.tls_reports_page;
	struct queue_tls_report_record report;
	struct reader reader;
	size_t count = 0;
	int code;

	do {
		code = daemon_ask(spool, &request, NULL, NULL, &answer);
		if (code != EXIT_DONE)
			return code;
		if (page->status != STATUS_OK)
			return command_fail(
			    EXIT_DAMAGED, "the spool cannot read its reports");
		reader_init(&reader, page->rows.data, page->rows.size);
		for (; queue_get_tls_report(&reader, &report) == 1; count++)
			print_report(firnmail, &report);
		request.tls_reports_list.period = page->period;
		request.tls_reports_list.domain = page->domain;
	} while (!page->is_last);
	if (count == 0)
		output_say(firnmail->output, "Nothing is counted.");
	return EXIT_DONE;
}

static int
send(struct firnmail *firnmail, struct daemon *spool)
{
	struct message request = { .type = MESSAGE_tls_reports_send }, answer;
	int code = daemon_ask(spool, &request, NULL, NULL, &answer);

	if (code != EXIT_DONE)
		return code;
	const struct field fields[] = {
		FIELD_N("begun", 8, answer.tls_reports_begun.reports),
	};
	output_row(firnmail->output, "reports", fields,
	    sizeof(fields) / sizeof(fields[0]));
	return EXIT_DONE;
}

static int
run(struct firnmail *firnmail,
    int (*verb)(struct firnmail *firnmail, struct daemon *spool))
{
	struct daemon spool = { .fd = -1 };
	int code = command_load(firnmail, false);

	if (code == EXIT_DONE)
		code = daemon_open(firnmail, ROLE_SPOOL, &spool);
	if (code == EXIT_DONE)
		code = command_drop_rights();
	if (code == EXIT_DONE)
		code = verb(firnmail, &spool);
	daemon_close(&spool);
	return code;
}

int
cmd_tls_reports(struct firnmail *firnmail, int argc, char **argv)
{
	if (argc == 0 || (argc == 1 && strcmp(argv[0], "list") == 0))
		return run(firnmail, list);
	if (argc == 1 && strcmp(argv[0], "send") == 0)
		return run(firnmail, send);
	return command_usage("tls-reports [list|send]");
}
