/* See alias_file.h. */
#include "firnmail/alias_file.h"

/* `line` is "name: targets", and no comment. */
static bool
cut_line(struct text line, struct text *name, struct text *targets)
{
	ptrdiff_t colon = text_find_byte(line, ':');

	if (line.size == 0 || line.data[0] == '#' || colon < 0)
		return false;
	*name = text_trim(text_make(line.data, (size_t)colon));
	*targets = text_skip(line, (size_t)colon + 1);
	return name->size > 0;
}

bool
alias_file_next(struct text *rest, struct text *name, struct text *targets)
{
	struct text line;

	while (text_next(rest, '\n', &line))
		if (cut_line(line, name, targets))
			return true;
	return false;
}

/* The next target of a list; false at its end. */
static bool
next_target(struct text *targets, struct text *target)
{
	while (text_next(targets, ',', target)) {
		*target = text_trim(*target);
		if (target->size > 0)
			return true;
	}
	return false;
}

static bool
has_target(struct text targets, const char *wanted)
{
	struct text target;

	while (next_target(&targets, &target))
		if (text_is_nocase(target, wanted))
			return true;
	return false;
}

static bool
is_among(struct text target, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (text_is_nocase(target, list[i]))
			return true;
	return false;
}

/* The line that has the name; false if there is none. */
static bool
find_line(
    struct text file, const char *name, struct text *line, struct text *targets)
{
	struct text found;

	while (text_next(&file, '\n', line))
		if (cut_line(*line, &found, targets) &&
		    text_is_nocase(found, name))
			return true;
	return false;
}

/* The file with another line in the place of `line`, which is of the file. */
static int
put_around(struct text file, struct text line, struct text instead,
    bool with_line_end, struct buf *to)
{
	size_t before = (size_t)(line.data - file.data);
	struct text behind = text_skip(file, before + line.size);

	if (!with_line_end && behind.size > 0)
		behind = text_skip(behind, 1);
	return buf_put(to, file.data, before) == -1 ||
		       buf_put(to, instead.data, instead.size) == -1 ||
		       buf_put(to, behind.data, behind.size) == -1
		   ? -1
		   : 1;
}

static int
put_list(
    struct buf *to, const char *start, const char *const *targets, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (buf_put_format(
			to, "%s%s", i == 0 ? start : ", ", targets[i]) == -1)
			return -1;
	return 0;
}

static int
add_line(struct text file, const char *name, const char *const *targets,
    size_t count, struct buf *to)
{
	bool is_open = file.size > 0 && file.data[file.size - 1] != '\n';

	if (buf_put(to, file.data, file.size) == -1 ||
	    (is_open && buf_put_byte(to, '\n') == -1) ||
	    buf_put_format(to, "%s:", name) == -1 ||
	    put_list(to, " ", targets, count) == -1)
		return -1;
	return buf_put_byte(to, '\n') == -1 ? -1 : 1;
}

int
alias_file_add(struct text file, const char *name, const char *const *targets,
    size_t count, struct buf *to)
{
	struct text line, old, kept;
	struct buf changed;
	bool is_new = false;
	int result;

	if (!find_line(file, name, &line, &old))
		return add_line(file, name, targets, count, to);
	buf_init(&changed, to->max_size);
	kept = text_make(line.data, line.size);
	while (kept.size > 0 &&
	       text_trim(text_skip(kept, kept.size - 1)).size == 0)
		kept.size--;
	result = buf_put(&changed, kept.data, kept.size);
	for (size_t i = 0; i < count && result == 0; i++) {
		if (has_target(old, targets[i]))
			continue;
		result = buf_put_format(&changed, "%s%s",
		    text_trim(old).size > 0 || is_new ? ", " : " ", targets[i]);
		is_new = true;
	}
	if (result == 0 && is_new)
		result = put_around(file, line,
		    text_make(changed.data, changed.size), true, to);
	buf_clear(&changed);
	return result;
}

int
alias_file_remove(struct text file, const char *name,
    const char *const *targets, size_t count, struct buf *to)
{
	struct text line, old, rest, target;
	struct buf changed;
	size_t left = 0;
	int result;

	if (!find_line(file, name, &line, &old))
		return 0;
	for (size_t i = 0; i < count; i++)
		if (!has_target(old, targets[i]))
			return 0;
	buf_init(&changed, to->max_size);
	result = buf_put(&changed, line.data, (size_t)(old.data - line.data));
	rest = old;
	while (count > 0 && result == 0 && next_target(&rest, &target))
		if (!is_among(target, targets, count))
			result = buf_put_format(&changed, "%s%.*s",
			    left++ == 0 ? " " : ", ", TEXT_FMT(target));
	if (result == 0)
		result = put_around(file, line,
		    left > 0 ? text_make(changed.data, changed.size)
			     : text_make(NULL, 0),
		    left > 0, to);
	buf_clear(&changed);
	return result;
}
