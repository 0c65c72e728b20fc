/*
 * `export --format eml`: a folder for each mailbox, a file UID.eml for each
 * message, as it is stored.
 */
#include "common/maildir.h"
#include "snapctl/export_tree.h"

static void
mailbox(struct export *export)
{
	struct buf *folder = &export->folder;
	struct buf name;

	buf_reset(folder);
	buf_init(&name, MAILDIR_MAX_NAME);
	if (export->is_many)
		buf_put_format(folder, "%.*s/", TEXT_FMT(export->account));
	/* Maildir's names are safe ones, but for the dot that hides them. */
	(void)maildir_folder_format(export->mailbox.name, &name);
	if (name.size == 0)
		buf_put_text(folder, "INBOX/");
	else
		buf_put_format(folder, "%.*s/", (int)name.size - 1,
		    (const char *)name.data + 1);
	buf_clear(&name);
	export_tree_folder(export, text_make(folder->data, folder->size), "");
}

static void
message(struct export *export)
{
	char name[24];

	snprintf(name, sizeof(name), "%u.eml", export->message.uid);
	export_tree_message(export, text_of(name));
}

const struct export_format export_eml = {
	.name = "eml",
	.is_archive = true,
	.mailbox = mailbox,
	.message = message,
	.message_bytes = export_tree_bytes,
	.message_end = export_tree_message_end,
	.end = export_tree_end,
};
