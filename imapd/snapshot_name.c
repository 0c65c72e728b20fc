/* See snapshot_name.h. */
#include "imapd/snapshot_name.h"

#include "common/mail_date.h"

#include <stdio.h>
#include <string.h>

static const struct text root = { SNAPSHOT_ROOT, sizeof(SNAPSHOT_ROOT) - 1 };

static bool
starts_with_root(struct text name)
{
	return name.size >= root.size &&
	       memcmp(name.data, root.data, root.size) == 0;
}

bool
snapshot_name_is(struct text name)
{
	return starts_with_root(name) &&
	       (name.size == root.size || name.data[root.size] == '/');
}

bool
snapshot_name_split(struct text name, struct text *tree, struct text *mailbox)
{
	ptrdiff_t slash;

	if (!snapshot_name_is(name) || name.size == root.size)
		return false;
	name = text_skip(name, root.size + 1);
	slash = text_find_byte(name, '/');
	if (slash == -1)
		return false;
	*tree = text_make(name.data, (size_t)slash);
	*mailbox = text_skip(name, (size_t)slash + 1);
	return mailbox->size > 0;
}

void
snapshot_name_format(
    int64_t time, struct text id, char name[SNAPSHOT_TREE_SIZE])
{
	char date[MAIL_DATE_SORTED_SIZE];

	mail_date_format_sorted(time, date);
	snprintf(name, SNAPSHOT_TREE_SIZE, "%s UTC%s%.*s", date,
	    id.size > 0 ? " " : "", TEXT_FMT(id));
}

bool
snapshot_name_is_asked(struct text pattern)
{
	size_t literal = 0;

	while (literal < pattern.size && pattern.data[literal] != '*' &&
	       pattern.data[literal] != '%')
		literal++;
	pattern.size = literal;
	return snapshot_name_is(pattern);
}
