/*
 * snapctl export: everything of a selection on the standard output, in a format
 * that other programs read.  The rows of the answer become calls of an
 * export_format (export.h).
 */
#include "snapctl/export.h"
#include "snapctl/selector.h"
#include "snapctl/snapctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char synopsis[] = "export SEL [--format maildir|mbox|eml] > FILE";

static const struct export_format *const formats[] = { &export_maildir,
	&export_mbox, &export_eml };

/* Where the answer stands. */
struct job {
	struct export export;
	struct snapctl *snapctl;
	bool is_in_account;
	bool is_in_mailbox;
	bool is_in_message;
	uint64_t damaged;
};

static const struct export_format *
find_format(const char *name)
{
	if (name == NULL)
		return &export_maildir;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(name, formats[i]->name) == 0)
			return formats[i];
	return NULL;
}

static void
call(void (*step)(struct export *export), struct export *export)
{
	if (step != NULL)
		step(export);
}

/* What was damaged is as long as it was, so that the rest can be read. */
static void
fill_up(struct export *export)
{
	static const char zeros[4096];

	while (export->missing > 0) {
		size_t size = export->missing < sizeof(zeros)
				  ? (size_t) export->missing
				  : sizeof(zeros);

		export->format->message_bytes(export, text_make(zeros, size));
		export->missing -= size;
	}
}

static void
end_message(struct job *job)
{
	if (!job->is_in_message)
		return;
	fill_up(&job->export);
	call(job->export.format->message_end, &job->export);
	job->is_in_message = false;
}

static void
end_mailbox(struct job *job)
{
	end_message(job);
	if (job->is_in_mailbox)
		call(job->export.format->mailbox_end, &job->export);
	job->is_in_mailbox = false;
}

static void
end_account(struct job *job)
{
	end_mailbox(job);
	if (job->is_in_account)
		call(job->export.format->account_end, &job->export);
	job->is_in_account = false;
}

/* An address may hold a slash: as a folder it must not. */
static void
set_account(struct job *job, uint32_t number)
{
	char *storage = job->export.account_storage;
	char digits[12];

	(void)text_copy(command_account_name(job->snapctl, number, digits),
	    storage, sizeof(job->export.account_storage));
	for (char *p = storage; *p != '\0'; p++)
		if (*p == '/' || (*p == '.' && p == storage))
			*p = '_';
	job->export.account = text_of(storage);
}

static int
take_account(struct job *job, struct text record)
{
	struct control_account row;

	end_account(job);
	if (control_get_account(record, &row) == -1)
		return EXIT_FAILED;
	set_account(job, row.account);
	job->is_in_account = true;
	call(job->export.format->account, &job->export);
	return EXIT_DONE;
}

static int
take_mailbox(struct job *job, struct text record)
{
	struct export *export = &job->export;
	struct reader reader;

	end_mailbox(job);
	if (record.size > sizeof(export->mailbox_storage))
		return EXIT_FAILED;
	memcpy(export->mailbox_storage, record.data, record.size);
	reader_init(&reader, export->mailbox_storage, record.size);
	if (record_get_mailbox(&reader, &export->mailbox) != 1)
		return EXIT_FAILED;
	job->is_in_mailbox = true;
	call(export->format->mailbox, export);
	return EXIT_DONE;
}

static int
take_message(struct job *job, struct text record)
{
	struct export *export = &job->export;
	struct reader reader;

	end_message(job);
	reader_init(&reader, record.data, record.size);
	if (!job->is_in_mailbox ||
	    record_get_message(&reader, &export->message) != 1 ||
	    text_copy(export->message.base, export->base_storage,
		sizeof(export->base_storage)) == -1)
		return EXIT_FAILED;
	export->message.base = text_of(export->base_storage);
	export->missing = export->message.stored_size;
	export->count++;
	job->is_in_message = true;
	call(export->format->message, export);
	output_progress(
	    job->snapctl->output, "messages exported", export->count, 0);
	return EXIT_DONE;
}

static int
take_bytes(struct job *job, struct text bytes)
{
	struct export *export = &job->export;

	if (!job->is_in_message || bytes.size > export->missing)
		return EXIT_FAILED;
	export->missing -= bytes.size;
	export->format->message_bytes(export, bytes);
	return EXIT_DONE;
}

/* The number of a finding about "WHAT number". */
static bool
is_about(struct text where, const char *what, uint64_t *number)
{
	struct text word;

	return text_next(&where, ' ', &word) && text_is(word, what) &&
	       text_parse_number(where, UINT64_MAX, number) == 0;
}

/* Of a message whose row is damaged nothing came but this; of one whose bytes
 * are, its row came before. */
static int
take_finding(struct job *job, struct text record)
{
	const struct export *export = &job->export;
	struct control_finding finding;
	uint64_t number = export->message.uid;

	if (control_get_finding(record, &finding) == -1)
		return EXIT_FAILED;
	output_progress_end(job->snapctl->output);
	fprintf(stderr, "snapctl: damaged: %s", export->account_storage);
	if (is_about(finding.where, "account", &number))
		fputs(", its own row", stderr);
	else if (is_about(finding.where, "subscription", &number))
		fputs(", one of its subscriptions", stderr);
	else if (is_about(finding.where, "mailbox", &number))
		fprintf(stderr, ", mailbox %llu, whose name cannot be read",
		    (unsigned long long)number);
	else
		fprintf(stderr, " %.*s UID %llu",
		    TEXT_FMT(export->mailbox.name),
		    (unsigned long long)(is_about(finding.where, "uid", &number)
					     ? number
					     : export->message.uid));
	fputc('\n', stderr);
	job->damaged++;
	return EXIT_DONE;
}

static int
take(struct job *job, enum control_row_kind kind, struct text record)
{
	switch (kind) {
	case CONTROL_ACCOUNT:
		return take_account(job, record);
	case CONTROL_SUBSCRIPTION:
		if (job->export.format->subscription != NULL)
			job->export.format->subscription(&job->export, record);
		return EXIT_DONE;
	case CONTROL_MAILBOX:
		return take_mailbox(job, record);
	case CONTROL_MESSAGE:
		return take_message(job, record);
	case CONTROL_BODY:
		return take_bytes(job, record);
	case CONTROL_FINDING:
		return take_finding(job, record);
	default:
		return EXIT_DONE;
	}
}

/* Not perror(), whose dup(2) is outside the walls. */
static int
fail_to_write(void)
{
	fprintf(stderr, "snapctl: standard output: %s\n", strerror(errno));
	return EXIT_FAILED;
}

static int
take_row(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	struct job *job = context;
	int code = take(job, kind, record);

	(void)snapctl;
	if (code != EXIT_DONE)
		fprintf(stderr, "snapctl: snapd sent a row that cannot be "
				"read\n");
	else if (ferror(job->export.to))
		code = fail_to_write();
	return code;
}

static int
run(struct job *job, struct message *request)
{
	struct export *export = &job->export;
	int code;

	buf_init(&export->folder, 8 * RECORD_MAX_NAME_SIZE);
	code = client_ask(job->snapctl, request, take_row, job);
	if (code == EXIT_DONE) {
		end_account(job);
		call(export->format->end, export);
	}
	if (code == EXIT_DONE && fflush(export->to) == EOF)
		code = fail_to_write();
	buf_clear(&export->folder);
	buf_clear(&export->list);
	buf_clear(&export->line);
	return code == EXIT_DONE && job->damaged > 0 ? EXIT_DAMAGED : code;
}

static int
check_target(
    const struct export_format *format, const struct selector *selector)
{
	if (format->is_archive && isatty(STDOUT_FILENO) == 1) {
		fprintf(stderr,
		    "snapctl: this is an archive for tar: redirect it, or "
		    "pipe it into \"tar x -C DIR\"\n");
		return EXIT_USAGE;
	}
	if (format->is_one_mailbox && selector->mailbox.size == 0) {
		fprintf(stderr,
		    "snapctl: --format %s holds one mailbox: name it, as in "
		    "latest:ACCOUNT/INBOX\n",
		    format->name);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

int
cmd_export(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_export };
	struct message_control_export *ask = &request.control_export;
	static struct job job; /* too large for the stack */
	struct selector selector;
	struct error error;

	job.snapctl = snapctl;
	job.export.to = stdout;
	job.export.now = snapctl->now;
	job.export.format = find_format(snapctl->options.format);
	if (argc != 1 || job.export.format == NULL)
		return command_usage(synopsis);
	if (selector_parse(text_of(argv[0]), snapctl->accounts, snapctl->now,
		&selector, &error) == -1)
		return command_fail(&error);
	if (check_target(job.export.format, &selector) != EXIT_DONE)
		return EXIT_USAGE;
	job.export.is_many = selector.account == 0;
	point_fill(&selector.point, &ask->point_kind, &ask->point_time,
	    &ask->point_name);
	ask->account = selector.account;
	ask->mailbox = selector.mailbox;
	ask->uid = selector.uid;
	ask->message_id = selector.message_id;
	return run(&job, &request);
}
