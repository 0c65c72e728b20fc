/* See change_note.h. */
#include "common/change_note.h"

#include <string.h>

static const char *const names[CAUSE_COUNT] = {
	[CAUSE_NONE] = "-",
	[CAUSE_DELIVERY] = "delivery",
	[CAUSE_RECONCILE] = "reconcile",
	[CAUSE_HEAL] = "heal",
	[CAUSE_NOTICE] = "notice",
	[CAUSE_IMPORT] = "import",
	[CAUSE_APPEND] = "APPEND",
	[CAUSE_CLOSE] = "CLOSE",
	[CAUSE_COPY] = "COPY",
	[CAUSE_CREATE] = "CREATE",
	[CAUSE_DELETE] = "DELETE",
	[CAUSE_EXPUNGE] = "EXPUNGE",
	[CAUSE_FETCH] = "FETCH",
	[CAUSE_MOVE] = "MOVE",
	[CAUSE_RENAME] = "RENAME",
	[CAUSE_STORE] = "STORE",
	[CAUSE_SUBSCRIBE] = "SUBSCRIBE",
	[CAUSE_UNSUBSCRIBE] = "UNSUBSCRIBE",
	[CAUSE_REPLACE] = "REPLACE",
};

const char *
change_cause_name(unsigned int cause)
{
	return cause < CAUSE_COUNT ? names[cause] : "?";
}

enum change_cause
change_cause_of_command(const char *name)
{
	for (unsigned int i = CAUSE_APPEND; i < CAUSE_COUNT; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum change_cause)i;
	return CAUSE_NONE;
}

static bool
has_control(struct text text)
{
	for (size_t i = 0; i < text.size; i++)
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
			return true;
	return false;
}

bool
change_note_take(struct change_note *note, unsigned int cause, struct text user,
    struct text address)
{
	if (cause >= CAUSE_COUNT || has_control(user) || has_control(address) ||
	    text_copy(user, note->user, sizeof(note->user)) != 0 ||
	    text_copy(address, note->address, sizeof(note->address)) != 0)
		return false;
	note->cause = (uint8_t)cause;
	return true;
}
