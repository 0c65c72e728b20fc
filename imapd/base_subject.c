/*
 * See base_subject.h.  The steps are those of the RFC, in its grammar:
 *
 *   subj-refwd  = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
 *   subj-blob   = "[" *BLOBCHAR "]" *WSP
 *   subj-leader = (*subj-blob subj-refwd) / WSP
 *   subj-trailer = "(fwd)" / WSP
 */
#include "imapd/base_subject.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Step 1: any run of space is one space. */
static struct text
collapse(struct text subject, struct pool *pool)
{
	char *to = pool_alloc(pool, subject.size + 1, 1);
	size_t size = 0;

	for (size_t i = 0; i < subject.size; i++) {
		if (!is_space(subject.data[i]))
			to[size++] = subject.data[i];
		else if (size == 0 || to[size - 1] != ' ')
			to[size++] = ' ';
	}
	return text_make(to, size);
}

static struct text
skip_space(struct text s)
{
	while (s.size > 0 && s.data[0] == ' ')
		s = text_skip(s, 1);
	return s;
}

/* Takes a subj-blob off, if there is one. */
static bool
skip_blob(struct text *s)
{
	size_t i = 1;

	if (s->size == 0 || s->data[0] != '[')
		return false;
	while (i < s->size && s->data[i] != '[' && s->data[i] != ']')
		i++;
	if (i == s->size || s->data[i] != ']')
		return false;
	*s = skip_space(text_skip(*s, i + 1));
	return true;
}

static bool
skip_refwd(struct text *s)
{
	static const char *const words[] = { "re", "fwd", "fw" };
	struct text rest;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!text_starts_nocase(*s, words[i]))
			continue;
		rest = skip_space(text_skip(*s, text_of(words[i]).size));
		(void)skip_blob(&rest);
		if (rest.size == 0 || rest.data[0] != ':')
			continue;
		*s = text_skip(rest, 1);
		return true;
	}
	return false;
}

/* Step 3. */
static bool
skip_leader(struct text *s, bool *is_reply)
{
	struct text rest = *s;

	if (s->size > 0 && s->data[0] == ' ') {
		*s = skip_space(*s);
		return true;
	}
	while (skip_blob(&rest))
		;
	if (!skip_refwd(&rest))
		return false;
	*s = rest;
	*is_reply = true;
	return true;
}

/* Step 4: unless nothing were left. */
static bool
skip_first_blob(struct text *s)
{
	struct text rest = *s;

	if (!skip_blob(&rest) || rest.size == 0)
		return false;
	*s = rest;
	return true;
}

static bool
ends_nocase(struct text s, const char *end)
{
	size_t size = text_of(end).size;

	return s.size >= size &&
	       text_is_nocase(text_skip(s, s.size - size), end);
}

/* Step 2. */
static struct text
cut_trailers(struct text s, bool *is_reply)
{
	for (;;) {
		if (s.size > 0 && s.data[s.size - 1] == ' ') {
			s.size--;
		} else if (ends_nocase(s, "(fwd)")) {
			s.size -= 5;
			*is_reply = true;
		} else {
			return s;
		}
	}
}

struct text
base_subject(struct text subject, struct pool *pool, bool *is_reply)
{
	struct text s = collapse(subject, pool);

	*is_reply = false;
	for (;;) {
		s = cut_trailers(s, is_reply);
		while (skip_leader(&s, is_reply))
			;
		/* No leader stands behind any of these. */
		while (skip_first_blob(&s))
			;
		/* Step 6. */
		if (!text_starts_nocase(s, "[fwd:") ||
		    s.data[s.size - 1] != ']')
			return s;
		s = text_make(s.data + 5, s.size - 6);
		*is_reply = true;
	}
}
