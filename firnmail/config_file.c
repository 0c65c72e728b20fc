/* See config_file.h. */
#include "firnmail/config_file.h"

#include "common/domain_name.h"

#include <stdbool.h>

/* Takes a word off a line; false at its end, or at a comment. */
static bool
next_word(struct text *rest, struct text *word)
{
	size_t size = 0;

	while (
	    rest->size > 0 && (rest->data[0] == ' ' || rest->data[0] == '\t' ||
				  rest->data[0] == '\r'))
		*rest = text_skip(*rest, 1);
	while (size < rest->size && rest->data[size] != ' ' &&
	       rest->data[size] != '\t' && rest->data[size] != '\r' &&
	       rest->data[size] != '#')
		size++;
	*word = text_make(rest->data, size);
	*rest = text_skip(*rest, size);
	return size > 0;
}

static bool
is_domain_line(struct text *line)
{
	struct text word;

	return next_word(line, &word) && text_is(word, "domain");
}

int
config_file_add_domain(
    struct text file, const char *domain, const char *is, struct buf *to)
{
	struct text rest = file, line, words;
	size_t end = 0;

	while (text_next(&rest, '\n', &line)) {
		words = line;
		if (is_domain_line(&words))
			end = (size_t)(line.data + line.size - file.data);
	}
	if (end == 0 || buf_put(to, file.data, end) == -1 ||
	    buf_put_format(to, "\ndomain %s%s%s", domain,
		is != NULL ? " is " : "", is != NULL ? is : "") == -1 ||
	    buf_put(to, file.data + end, file.size - end) == -1)
		return -1;
	return 1;
}

/* How many names the line has before "is", and where that one is among them. */
static size_t
count_names(struct text words, const char *domain, struct text *found)
{
	char ascii[DOMAIN_NAME_SIZE];
	struct text word;
	size_t count = 0;

	found->size = 0;
	while (next_word(&words, &word) && !text_is(word, "is")) {
		count++;
		if (domain_name_to_ascii(word, ascii) == 0 &&
		    text_is_nocase(text_of(ascii), domain))
			*found = word;
	}
	return count;
}

int
config_file_remove_domain(struct text file, const char *domain, struct buf *to)
{
	struct text rest = file, line, words, found = { NULL, 0 };
	size_t start, end, count = 0;

	while (found.size == 0 && text_next(&rest, '\n', &line)) {
		words = line;
		if (is_domain_line(&words))
			count = count_names(words, domain, &found);
	}
	if (found.size == 0)
		return 0;
	if (count == 1)
		found = line;
	start = (size_t)(found.data - file.data);
	end = start + found.size;
	/* The line end behind a line, or the blanks behind a word. */
	while (end < file.size &&
	       (count == 1 ? file.data[end] == '\n'
			   : file.data[end] == ' ' || file.data[end] == '\t')) {
		end++;
		if (count == 1)
			break;
	}
	return buf_put(to, file.data, start) == -1 ||
		       buf_put(to, file.data + end, file.size - end) == -1
		   ? -1
		   : 1;
}
