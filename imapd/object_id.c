/*
 * See object_id.h.
 */
#include "imapd/object_id.h"

#include "common/table.h"

#include <stdio.h>

void
object_id_of_mailbox(
    const struct mailbox_info *info, struct text past, char id[OBJECT_ID_SIZE])
{
	/* Not secret: names of one account shall differ. */
	static const uint8_t key[16] = "mailboxes past";

	if (past.size > 0)
		snprintf(id, OBJECT_ID_SIZE, "P%016llx",
		    (unsigned long long)table_siphash(
			key, past.data, past.size));
	else
		snprintf(id, OBJECT_ID_SIZE, "F%016llx",
		    (unsigned long long)info->id);
}

void
object_id_of_content(const struct hash *hash, char id[OBJECT_ID_SIZE])
{
	id[0] = 'M';
	text_format_hex(hash->bytes, (OBJECT_ID_SIZE - 2) / 2, id + 1);
}
