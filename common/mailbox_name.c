/*
 * See mailbox_name.h.
 */
#include "common/mailbox_name.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>
#include <uninorm.h>

/* "e" and an accent are the one letter. */
static char *
compose(struct text name)
{
	size_t size = 0;
	uint8_t *nfc = u8_normalize(
	    UNINORM_NFC, (const uint8_t *)name.data, name.size, NULL, &size);
	char *copy;

	if (nfc == NULL)
		return NULL;
	copy = memory_new(1, size + 1);
	memcpy(copy, nfc, size);
	free(nfc);
	return copy;
}

static char *
copy_text(struct text name)
{
	char *copy = memory_new(1, name.size + 1);

	if (name.size > 0)
		memcpy(copy, name.data, name.size);
	return copy;
}

char *
mailbox_name_normal(struct text name)
{
	char *copy = text_is_ascii(name) ? copy_text(name) : compose(name);

	if (copy != NULL && text_starts_nocase(text_of(copy), "INBOX") &&
	    (copy[5] == '\0' || copy[5] == '/'))
		memcpy(copy, "INBOX", 5);
	return copy;
}
