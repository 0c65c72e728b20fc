/*
 * Any bytes as folder name, file name, dovecot-uidlist and dovecot-keywords:
 * a folder name that is understood must be written back as it was.
 */
#include "common/maildir.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_folder(struct text folder)
{
	struct buf mailbox, again;

	buf_init(&mailbox, 4096);
	buf_init(&again, 4096);
	if (maildir_folder_parse(folder, &mailbox) == 0 &&
	    maildir_folder_format(
		text_make(mailbox.data, mailbox.size), &again) == 0 &&
	    again.size != 0 &&
	    !text_equal(folder, text_make(again.data, again.size)))
		abort();
	buf_clear(&mailbox);
	buf_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text text = text_make(data, size), rest = text, keyword;
	struct uidlist_header header;
	struct uidlist_entry entry = { 0 };
	struct maildir_name name;
	unsigned int number;

	try_folder(text);
	maildir_name_parse(text, &name);
	if (uidlist_parse_header(&rest, &header) == 0)
		while (uidlist_parse_entry(&rest, entry.uid, &entry) == 1)
			;
	rest = text;
	while (keywords_parse_line(&rest, &number, &keyword) == 1)
		;
	return 0;
}
