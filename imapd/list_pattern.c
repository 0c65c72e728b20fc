/*
 * Matches mailbox names against patterns of LIST and LSUB (RFC 3501 6.3.8) in
 * time bounded by the product of their lengths, whatever the client sends.
 */
#include "imapd/list_pattern.h"

#include <string.h>

static bool
same_byte(char a, char b, bool is_any_case)
{
	return a == b ||
	       (is_any_case && text_lower_byte(a) == text_lower_byte(b));
}

/* From reachable places in the pattern to those that need no further byte. */
static void
spread(struct text pattern, unsigned char *reached)
{
	size_t i;

	for (i = 0; i < pattern.size; i++) {
		if (reached[i] &&
		    (pattern.data[i] == '*' || pattern.data[i] == '%'))
			reached[i + 1] = 1;
	}
}

static void
advance(
    struct text pattern, unsigned char *reached, char byte, bool is_any_case)
{
	unsigned char next[LIST_PATTERN_MAX_SIZE + 1] = { 0 };
	size_t i;
	char p;

	for (i = 0; i < pattern.size; i++) {
		if (!reached[i])
			continue;
		p = pattern.data[i];
		if (p == '*' || (p == '%' && byte != '/'))
			next[i] = 1;
		else if (p != '%' && same_byte(p, byte, is_any_case))
			next[i + 1] = 1;
	}
	memcpy(reached, next, pattern.size + 1);
	spread(pattern, reached);
}

/* Where in the pattern the name may end; false if the pattern is too long. */
static bool
walk(struct text pattern, struct text name,
    unsigned char reached[LIST_PATTERN_MAX_SIZE + 1])
{
	bool is_inbox;
	size_t i;

	if (pattern.size > LIST_PATTERN_MAX_SIZE)
		return false;
	is_inbox = text_starts_nocase(name, "INBOX") &&
		   (name.size == 5 || name.data[5] == '/');
	spread(pattern, reached);
	for (i = 0; i < name.size; i++)
		advance(pattern, reached, name.data[i], is_inbox && i < 5);
	return true;
}

bool
list_pattern_matches(struct text pattern, struct text name)
{
	unsigned char reached[LIST_PATTERN_MAX_SIZE + 1] = { 1 };

	return walk(pattern, name, reached) && reached[pattern.size] != 0;
}

bool
list_pattern_reaches(struct text pattern, struct text level)
{
	unsigned char reached[LIST_PATTERN_MAX_SIZE + 1] = { 1 };

	if (!walk(pattern, level, reached))
		return false;
	advance(pattern, reached, '/', false);
	return pattern.size > 0 && memchr(reached, 1, pattern.size) != NULL;
}
