/*
 * Special uses of mailboxes between their names for clients (RFC 6154) and
 * their bits in the store (common/record.h).
 */
#include "imapd/special_use.h"

#include "common/record.h"

static const struct {
	uint32_t bit;
	const char *name;
} uses[] = {
	{ SPECIAL_USE_ARCHIVE, "Archive" },
	{ SPECIAL_USE_DRAFTS, "Drafts" },
	{ SPECIAL_USE_FLAGGED, "Flagged" },
	{ SPECIAL_USE_JUNK, "Junk" },
	{ SPECIAL_USE_SENT, "Sent" },
	{ SPECIAL_USE_TRASH, "Trash" },
};

uint32_t
special_use_find(struct text name)
{
	size_t i;

	for (i = 0; i < sizeof(uses) / sizeof(*uses); i++) {
		if (text_is_nocase(name, uses[i].name))
			return uses[i].bit;
	}
	return 0;
}

int
special_use_put(struct buf *to, uint32_t special_use, const char *separator)
{
	size_t i;

	for (i = 0; i < sizeof(uses) / sizeof(*uses); i++) {
		if ((special_use & uses[i].bit) == 0)
			continue;
		if (buf_put_format(to, "%s\\%s", separator, uses[i].name) == -1)
			return -1;
		separator = " ";
	}
	return 0;
}
