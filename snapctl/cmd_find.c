/*
 * snapctl find: messages by what their header says, as of a point in time or
 * among the deleted ones.  The store sends headers; they are parsed here, where
 * a parser has no rights.
 */
#include "common/casefold.h"
#include "common/mail_header.h"
#include "common/mime_encoding.h"
#include "snapctl/selector.h"
#include "snapctl/snapctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char synopsis[] =
    "find [--deleted | --at SNAP] [--account A] [--from T] [--to T] "
    "[--subject T] [--since T] [--before T] [TEXT...]";

enum {
	MAX_HEAD = 128 << 10,
	MAX_VALUE = 64 << 10,
	FIELD_COUNT = 4
};

static const char *const field_names[FIELD_COUNT] = { "From", "To", "Subject",
	"Message-ID" };

struct search {
	struct snapctl *snapctl;
	struct pool *pool;               /* of the words */
	struct text wanted[FIELD_COUNT]; /* folded; empty: any */
	struct text *words;              /* each in one of the fields */
	size_t word_count;
	/* The message that is being told. */
	uint32_t account;
	struct mailbox_record mailbox;
	uint8_t storage[RECORD_MAILBOX_MAX];
	struct message_record message;
	bool has_message;
	struct control_death death;
	uint8_t death_storage[600];
	bool has_death;
	struct buf head;
	uint64_t found;
};

/* A field's value, unfolded and decoded; empty if there is none. */
static struct text
decode_field(struct text head, const char *name, struct pool *pool)
{
	struct text result = { NULL, 0 };
	struct buf unfolded, decoded;
	struct mail_field field;

	if (!mail_header_find(head, name, &field))
		return result;
	buf_init(&unfolded, MAX_VALUE);
	buf_init(&decoded, 4 * MAX_VALUE);
	if (mail_header_unfold(field.value, true, &unfolded) == 0 &&
	    mime_decode_words(
		text_make(unfolded.data, unfolded.size), &decoded) == 0)
		result = text_make(
		    pool_copy(pool, decoded.data, decoded.size), decoded.size);
	buf_clear(&unfolded);
	buf_clear(&decoded);
	return result;
}

static bool
contains(struct text value, struct text wanted, struct pool *pool)
{
	struct text folded = casefold(value, pool);

	return wanted.size == 0 || (folded.size >= wanted.size &&
				       memmem(folded.data, folded.size,
					   wanted.data, wanted.size) != NULL);
}

static bool
is_match(
    const struct search *search, const struct text *values, struct pool *pool)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (!contains(values[i], search->wanted[i], pool))
			return false;
	for (size_t i = 0; i < search->word_count; i++) {
		bool is_there = false;

		for (size_t f = 0; f < FIELD_COUNT && !is_there; f++)
			is_there = contains(values[f], search->words[i], pool);
		if (!is_there)
			return false;
	}
	return true;
}

/* What names the message to ls, cat, export and restore. */
static struct text
format_selection(
    const struct search *search, struct text account, struct buf *to)
{
	const char *at = search->snapctl->options.at;
	char before[24];

	if (search->has_death) {
		snprintf(before, sizeof(before), "@%" PRIu64,
		    search->death.sequence - 1);
		at = before;
	}
	buf_put_format(to, "%s:%.*s/%.*s;UID=%u", at == NULL ? "live" : at,
	    TEXT_FMT(account), TEXT_FMT(search->mailbox.name),
	    search->message.uid);
	return text_make(to->data, to->size);
}

static void
print(struct search *search, const struct text *values)
{
	char storage[12];
	struct text account =
	    command_account_name(search->snapctl, search->account, storage);
	struct buf selection;
	struct text select;

	buf_init(&selection, 2 * RECORD_MAX_NAME_SIZE);
	select = format_selection(search, account, &selection);
	const struct field live[] = {
		FIELD_T("account", 20, account),
		FIELD_T("mailbox", 10, search->mailbox.name),
		FIELD_N("uid", 6, search->message.uid),
		FIELD_D("date", search->message.internaldate),
		FIELD_T("from", 24, values[0]),
		FIELD_T("subject", 24, values[2]),
		FIELD_T("selection", 0, select),
	};
	const struct field deleted[] = {
		FIELD_T("account", 20, account),
		FIELD_T("mailbox", 10, search->mailbox.name),
		FIELD_N("uid", 6, search->message.uid),
		FIELD_D("deleted", search->death.time),
		NOTE_FIELDS(search->death.note),
		FIELD_T("from", 24, values[0]),
		FIELD_T("subject", 24, values[2]),
		FIELD_T("selection", 0, select),
	};
	if (search->has_death)
		output_row(search->snapctl->output, "found", deleted,
		    sizeof(deleted) / sizeof(deleted[0]));
	else
		output_row(search->snapctl->output, "found", live,
		    sizeof(live) / sizeof(live[0]));
	buf_clear(&selection);
	search->found++;
}

static void
end_message(struct search *search)
{
	struct text head = text_make(search->head.data, search->head.size);
	struct text values[FIELD_COUNT];
	struct pool *pool;

	if (!search->has_message)
		return;
	pool = pool_new();
	for (size_t i = 0; i < FIELD_COUNT; i++)
		values[i] = decode_field(head, field_names[i], pool);
	if (is_match(search, values, pool))
		print(search, values);
	pool_free(&pool);
	buf_reset(&search->head);
	search->has_message = search->has_death = false;
}

static int
take_mailbox(struct search *search, struct text record)
{
	struct reader reader;

	if (record.size > sizeof(search->storage))
		return -1;
	memcpy(search->storage, record.data, record.size);
	reader_init(&reader, search->storage, record.size);
	return record_get_mailbox(&reader, &search->mailbox) == 1 ? 0 : -1;
}

static int
take_death(struct search *search, struct text record)
{
	if (record.size > sizeof(search->death_storage))
		return -1;
	memcpy(search->death_storage, record.data, record.size);
	search->has_death = true;
	return control_get_death(
	    text_make(search->death_storage, record.size), &search->death);
}

static int
take(struct search *search, enum control_row_kind kind, struct text record)
{
	struct control_account account;
	struct reader reader;

	if (kind != CONTROL_HEAD)
		end_message(search);
	switch (kind) {
	case CONTROL_ACCOUNT:
		if (control_get_account(record, &account) == -1)
			return -1;
		search->account = account.account;
		return 0;
	case CONTROL_MAILBOX:
		return take_mailbox(search, record);
	case CONTROL_DEATH:
		return take_death(search, record);
	case CONTROL_MESSAGE:
		reader_init(&reader, record.data, record.size);
		search->has_message = true;
		return record_get_message(&reader, &search->message) == 1 ? 0
									  : -1;
	case CONTROL_HEAD:
		return buf_put(&search->head, record.data, record.size);
	default:
		return 0;
	}
}

static int
take_row(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	(void)snapctl;
	if (take(context, kind, record) == 0)
		return EXIT_DONE;
	fprintf(stderr, "snapctl: snapd sent a row that cannot be read\n");
	return EXIT_FAILED;
}

static void
take_words(struct search *search, int argc, char **argv)
{
	const struct options *options = &search->snapctl->options;
	const char *const of_fields[FIELD_COUNT] = { options->from, options->to,
		options->subject, NULL };

	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (of_fields[i] != NULL)
			search->wanted[i] =
			    casefold(text_of(of_fields[i]), search->pool);
	search->words =
	    pool_alloc(search->pool, (size_t)argc + 1, sizeof(*search->words));
	for (int i = 0; i < argc; i++)
		search->words[search->word_count++] =
		    casefold(text_of(argv[i]), search->pool);
}

static int
fill_request(struct snapctl *snapctl, struct message_control_find *find)
{
	struct options *options = &snapctl->options;
	char *account = (char *)(uintptr_t)options->account;
	struct point point = { .kind = POINT_NOW };
	struct error error;
	int code;

	if (options->at != NULL && point_parse(text_of(options->at),
				       snapctl->now, &point, &error) == -1)
		return command_fail(&error);
	point_fill(
	    &point, &find->point_kind, &find->point_time, &find->point_name);
	find->is_expunged = options->is_deleted;
	code = command_account(
	    snapctl, options->account != NULL, &account, &find->account);
	if (code == EXIT_DONE)
		code = command_time(
		    snapctl, "--since", options->since, &find->since);
	if (code == EXIT_DONE)
		code = command_time(
		    snapctl, "--before", options->before, &find->before);
	return code;
}

int
cmd_find(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_find };
	static struct search search; /* too large for the stack */
	int code;

	if (snapctl->options.is_deleted && snapctl->options.at != NULL)
		return command_usage(synopsis);
	code = fill_request(snapctl, &request.control_find);
	if (code != EXIT_DONE)
		return code;
	search.snapctl = snapctl;
	search.pool = pool_new();
	buf_init(&search.head, MAX_HEAD);
	take_words(&search, argc, argv);
	code = client_ask(snapctl, &request, take_row, &search);
	if (code == EXIT_DONE)
		end_message(&search);
	buf_clear(&search.head);
	pool_free(&search.pool);
	if (code == EXIT_DONE && search.found == 0)
		output_say(snapctl->output, "nothing found");
	return code;
}
