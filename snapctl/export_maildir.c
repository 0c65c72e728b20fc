/*
 * `export --format maildir`: a Maildir++ that Dovecot takes over as it is, with
 * UIDVALIDITY, UIDs, flags, keywords, dates and subscriptions (P7).  Layout and
 * names are those of common/maildir.h.
 */
#include "common/maildir.h"
#include "snapctl/export_tree.h"

enum {
	MAX_LIST = 1 << 30, /* bytes of dovecot-uidlist or subscriptions */
	MAX_KEYWORDS_FILE = MAILDIR_MAX_KEYWORDS * 128
};

static struct text
view(const struct buf *buf)
{
	return text_make(buf->data, buf->size);
}

static void
put_folder_of(struct export *export, struct buf *folder)
{
	buf_reset(folder);
	if (export->is_many)
		buf_put_format(folder, "%.*s/", TEXT_FMT(export->account));
}

static void
account(struct export *export)
{
	buf_clear(&export->list);
	buf_init(&export->list, MAX_LIST);
	/* As Dovecot's file of that name has it. */
	buf_put_text(&export->list, "V\t2\n\n");
}

/* Levels in Dovecot's form, which is that of the folder's name. */
static void
subscription(struct export *export, struct text name)
{
	struct text levels, level;
	struct buf folder;

	buf_init(&folder, MAILDIR_MAX_NAME);
	if (text_is_nocase(name, "INBOX"))
		buf_put_text(&folder, ".INBOX");
	else
		(void)maildir_folder_format(name, &folder);
	levels = text_skip(view(&folder), 1);
	while (text_next(&levels, '.', &level)) {
		buf_put(&export->list, level.data, level.size);
		buf_put_byte(&export->list, levels.size > 0 ? '\t' : '\n');
	}
	buf_clear(&folder);
}

static void
put_subscriptions(struct export *export)
{
	struct buf folder;

	if (export->list.size == 0)
		return;
	buf_init(&folder, RECORD_MAX_ADDRESS_SIZE + 1);
	put_folder_of(export, &folder);
	if (export->is_many)
		export_tree_folder(export, view(&folder), "");
	export_tree_file(
	    export, view(&folder), TEXT("subscriptions"), view(&export->list));
	buf_clear(&folder);
	buf_clear(&export->list);
}

static void
mailbox(struct export *export)
{
	static const char *const folders[] = { "cur/", "new/", "tmp/" };
	const struct uidlist_header header = { export->mailbox.uidvalidity,
		export->mailbox.uidnext };
	struct buf *folder = &export->folder;
	size_t before;

	put_subscriptions(export);
	put_folder_of(export, folder);
	before = folder->size;
	(void)maildir_folder_format(export->mailbox.name, folder);
	if (folder->size > before) {
		buf_put_byte(folder, '/');
		export_tree_folder(export, view(folder), "");
		export_tree_file(
		    export, view(folder), TEXT("maildirfolder"), TEXT(""));
	}
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		export_tree_folder(export, view(folder), folders[i]);
	buf_init(&export->list, MAX_LIST);
	(void)uidlist_format_header(&header, &export->list);
}

static void
put_keywords(struct export *export)
{
	const struct mailbox_record *mailbox = &export->mailbox;
	struct buf file;

	buf_init(&file, MAX_KEYWORDS_FILE);
	for (unsigned int i = 0;
	     i < mailbox->keyword_count && i < MAILDIR_MAX_KEYWORDS; i++)
		(void)keywords_format_line(i, mailbox->keywords[i], &file);
	if (file.size > 0)
		export_tree_file(export, view(&export->folder),
		    TEXT("dovecot-keywords"), view(&file));
	buf_clear(&file);
}

static void
mailbox_end(struct export *export)
{
	export_tree_file(export, view(&export->folder), TEXT("dovecot-uidlist"),
	    view(&export->list));
	buf_clear(&export->list);
	put_keywords(export);
}

static void
message(struct export *export)
{
	const struct message_record *record = &export->message;
	struct uidlist_entry entry = { .uid = record->uid };
	struct buf whole, name;

	buf_init(&whole, MAILDIR_MAX_NAME);
	buf_init(&name, MAILDIR_MAX_NAME + sizeof("cur/"));
	buf_put(&whole, record->base.data, record->base.size);
	buf_put_format(&whole, ",S=%llu,W=%llu",
	    (unsigned long long)record->stored_size,
	    (unsigned long long)record->size);
	entry.whole = view(&whole);
	(void)uidlist_format_entry(&entry, &export->list);
	buf_put_text(&name, "cur/");
	(void)maildir_name_format(
	    entry.whole, false, record->flags, record->keywords, &name);
	export_tree_message(export, view(&name));
	buf_clear(&whole);
	buf_clear(&name);
}

const struct export_format export_maildir = {
	.name = "maildir",
	.is_archive = true,
	.account = account,
	.subscription = subscription,
	.account_end = put_subscriptions,
	.mailbox = mailbox,
	.mailbox_end = mailbox_end,
	.message = message,
	.message_bytes = export_tree_bytes,
	.message_end = export_tree_message_end,
	.end = export_tree_end,
};
