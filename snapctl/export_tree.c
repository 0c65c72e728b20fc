/* See export_tree.h. */
#include "snapctl/export_tree.h"

#include "snapctl/tar.h"

#include <string.h>

/* A path that is too long cannot be: account, folder and file name have
 * limits, and their sum is below that of tar.h. */
static void
put_entry(bool is_file, struct text folder, struct text name, uint64_t size,
    int64_t time, FILE *to)
{
	char path[TAR_MAX_PATH];
	struct buf head;
	struct text whole;

	buf_init(&head, TAR_MAX_HEAD);
	snprintf(
	    path, sizeof(path), "%.*s%.*s", TEXT_FMT(folder), TEXT_FMT(name));
	whole = text_of(path);
	if (is_file)
		(void)tar_put_file(whole, size, time, &head);
	else
		(void)tar_put_folder(whole, time, &head);
	fwrite(head.data, 1, head.size, to);
	buf_clear(&head);
}

static void
put_padding(uint64_t size, FILE *to)
{
	struct buf padding;

	buf_init(&padding, TAR_BLOCK);
	(void)tar_put_padding(size, &padding);
	fwrite(padding.data, 1, padding.size, to);
	buf_clear(&padding);
}

void
export_tree_folder(struct export *export, struct text folder, const char *name)
{
	put_entry(false, folder, text_of(name), 0, export->now, export->to);
}

void
export_tree_file(struct export *export, struct text folder, struct text name,
    struct text bytes)
{
	put_entry(true, folder, name, bytes.size, export->now, export->to);
	fwrite(bytes.data, 1, bytes.size, export->to);
	put_padding(bytes.size, export->to);
}

void
export_tree_message(struct export *export, struct text name)
{
	put_entry(true, text_make(export->folder.data, export->folder.size),
	    name, export->message.stored_size, export->message.internaldate,
	    export->to);
}

void
export_tree_bytes(struct export *export, struct text bytes)
{
	fwrite(bytes.data, 1, bytes.size, export->to);
}

void
export_tree_message_end(struct export *export)
{
	put_padding(export->message.stored_size, export->to);
}

void
export_tree_end(struct export *export)
{
	struct buf end;

	buf_init(&end, 2 * TAR_BLOCK);
	(void)tar_put_end(&end);
	fwrite(end.data, 1, end.size, export->to);
	buf_clear(&end);
}
