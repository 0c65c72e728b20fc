/*
 * `export --format mbox`: one mailbox as an mboxrd file (every line of a
 * message that is From_ behind any number of '>' gets one more), with the
 * header fields in which mutt, Dovecot and others keep flags, UIDs and
 * keywords of an mbox.
 */
#include "snapctl/export.h"

#include "common/text.h"

#include <string.h>
#include <time.h>

static const char from_line[] = "From ";

enum {
	MAX_LINE_START = 1000 /* '>'s that are looked through */
};

static void
mailbox(struct export *export)
{
	export->is_first = true;
	buf_clear(&export->line);
	buf_init(&export->line, MAX_LINE_START);
}

static void
put_keywords(struct export *export, uint64_t wanted)
{
	const struct mailbox_record *mailbox = &export->mailbox;

	for (unsigned int i = 0; i < mailbox->keyword_count; i++)
		if (wanted & UINT64_C(1) << i)
			fprintf(export->to, " %.*s",
			    TEXT_FMT(mailbox->keywords[i]));
	fputc('\n', export->to);
}

static void
put_fields(struct export *export)
{
	static const struct {
		uint32_t flag;
		char letter;
	} letters[] = { { FLAG_ANSWERED, 'A' }, { FLAG_FLAGGED, 'F' },
		{ FLAG_DRAFT, 'T' }, { FLAG_DELETED, 'D' } };
	const struct message_record *message = &export->message;

	if (export->is_first) {
		fprintf(export->to, "X-IMAPbase: %010u %010u",
		    export->mailbox.uidvalidity, export->mailbox.uidnext - 1);
		put_keywords(export, UINT64_MAX);
	}
	export->is_first = false;
	fprintf(export->to, "X-UID: %u\n", message->uid);
	fprintf(
	    export->to, "Status: %sO\n", message->flags & FLAG_SEEN ? "R" : "");
	if (message->flags & FLAG_ALL & ~(uint32_t)FLAG_SEEN) {
		fputs("X-Status: ", export->to);
		for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]);
		     i++)
			if (message->flags & letters[i].flag)
				fputc(letters[i].letter, export->to);
		fputc('\n', export->to);
	}
	if (message->keywords != 0) {
		fputs("X-Keywords:", export->to);
		put_keywords(export, message->keywords);
	}
}

static void
message(struct export *export)
{
	time_t when = (time_t) export->message.internaldate;
	char date[32];
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm) == 0)
		snprintf(date, sizeof(date), "Thu Jan  1 00:00:00 1970");
	fprintf(export->to, "%sMAILER-DAEMON %s\n", from_line, date);
	put_fields(export);
}

/* The start of a line, of which no more comes or is needed. */
static void
put_start(struct export *export)
{
	const struct buf *line = &export->line;
	size_t quotes = 0;

	while (quotes < line->size && line->data[quotes] == '>')
		quotes++;
	if (line->size - quotes >= strlen(from_line) &&
	    memcmp(line->data + quotes, from_line, strlen(from_line)) == 0)
		fputc('>', export->to);
	if (line->size > 0)
		fwrite(line->data, 1, line->size, export->to);
}

/* Whether these bytes may still become a From_ line behind '>'s. */
static bool
is_start(const struct buf *line)
{
	size_t quotes = 0;

	while (quotes < line->size && line->data[quotes] == '>')
		quotes++;
	return line->size - quotes < strlen(from_line) &&
	       memcmp(line->data + quotes, from_line, line->size - quotes) == 0;
}

static void
message_bytes(struct export *export, struct text bytes)
{
	const char *p = bytes.data, *end = bytes.data + bytes.size, *newline;

	while (p < end) {
		if (export->is_in_line) {
			newline = memchr(p, '\n', (size_t)(end - p));
			newline = newline == NULL ? end : newline + 1;
			fwrite(p, 1, (size_t)(newline - p), export->to);
			export->is_in_line = newline[-1] != '\n';
			p = newline;
			continue;
		}
		/* It is never full here. */
		(void)buf_put_byte(&export->line, (uint8_t)*p++);
		if (is_start(&export->line) &&
		    export->line.size < export->line.max_size)
			continue;
		put_start(export);
		export->is_in_line = p[-1] != '\n';
		buf_reset(&export->line);
	}
}

static void
message_end(struct export *export)
{
	put_start(export);
	if (export->is_in_line || export->line.size > 0)
		fputc('\n', export->to);
	export->is_in_line = false;
	buf_reset(&export->line);
	fputc('\n', export->to);
}

const struct export_format export_mbox = {
	.name = "mbox",
	.is_one_mailbox = true,
	.mailbox = mailbox,
	.message = message,
	.message_bytes = message_bytes,
	.message_end = message_end,
};
