/* See completion.h. */
#include "snapctl/completion.h"

#include <string.h>

/* A line of options and arguments as it is read, the last word excepted. */
struct line {
	const struct verb_table *table;
	struct completion *completion;
	size_t arguments;  /* of the verb */
	bool has_value;    /* the word before wants one */
	struct text value; /* of which kind */
};

static bool
starts(struct text word, struct text with)
{
	return word.size >= with.size &&
	       memcmp(word.data, with.data, with.size) == 0;
}

bool
completion_fits(const struct completion *completion, struct text word)
{
	return starts(word, completion->begun);
}

/* -3d is a point in time. */
static bool
is_option(struct text word)
{
	return word.size > 0 && word.data[0] == '-' &&
	       !(word.size > 1 && text_is_digit(word.data[1]));
}

/* "--at=SNAP" is the option --at; true and SNAP if it has a value. */
static bool
split_option(struct text token, struct text *name, struct text *value)
{
	*name = token;
	*value = text_make(NULL, 0);
	if (text_find_byte(token, '=') < 0)
		return false;
	*value = token;
	(void)text_next(value, '=', name);
	return true;
}

/* The option of that name, of the verb or of all: true if it has a value. */
static bool
find_value(const struct line *line, struct text option, struct text *value)
{
	const struct verb *verb = line->completion->verb;
	struct text lists[] = { text_of(line->table->globals),
		text_of(verb == NULL ? "" : verb->completes) };
	struct text token, name;

	for (size_t i = 0; i < 2; i++)
		while (text_next(&lists[i], ' ', &token))
			if (split_option(token, &name, value) &&
			    text_equal(name, option))
				return true;
	return false;
}

/* The kind of the verb's n-th argument, empty if it takes no more. */
static struct text
argument_kind(const struct verb *verb, size_t n)
{
	struct text rest = text_of(verb->completes);
	struct text token, last = { NULL, 0 };

	while (text_next(&rest, ' ', &token)) {
		if (is_option(token) || token.size == 0)
			continue;
		last = token;
		if (n-- == 0)
			break;
	}
	if (last.size > 3 && memcmp(last.data + last.size - 3, "...", 3) == 0) {
		last.size -= 3;
		return last;
	}
	return n == SIZE_MAX ? last : text_make(NULL, 0);
}

static void
find_verb(struct line *line, struct text word)
{
	for (size_t i = 0; i < line->table->count; i++)
		if (text_is(word, line->table->verbs[i].name))
			line->completion->verb = &line->table->verbs[i];
}

/* One word that is complete. */
static void
read_word(struct line *line, struct text option, const char *word)
{
	struct text text = text_of(word);

	if (line->has_value) {
		if (text_is(option, "-c"))
			line->completion->config = word;
		if (text_is(option, "--socket"))
			line->completion->socket = word;
		line->has_value = false;
	} else if (is_option(text)) {
		line->has_value = find_value(line, text, &line->value);
	} else if (line->completion->verb == NULL) {
		find_verb(line, text);
	} else {
		line->arguments++;
	}
}

/* SNAP[:ACCOUNT[/MAILBOX]] as far as it goes. */
static void
complete_selection(struct completion *c)
{
	struct text rest = c->begun, snap, account;
	ptrdiff_t colon = text_find_byte(rest, ':'), slash;

	c->kind = COMPLETE_SNAPSHOT;
	if (colon < 0)
		return;
	snap = text_make(rest.data, (size_t)colon + 1);
	rest = text_skip(rest, snap.size);
	c->kind = COMPLETE_ACCOUNT;
	slash = text_find_byte(rest, '/');
	if (slash >= 0) {
		account = text_make(rest.data, (size_t)slash);
		rest = text_skip(rest, account.size + 1);
		c->account = account;
		c->kind = COMPLETE_MAILBOX;
	}
	c->kept.size += c->begun.size - rest.size;
	c->begun = rest;
}

static void
complete_kind(struct completion *c, struct text kind)
{
	if (text_find_byte(kind, '|') >= 0 ||
	    (kind.size > 0 && text_lower_byte(kind.data[0]) == kind.data[0])) {
		c->kind = COMPLETE_CHOICE;
		c->choices = kind;
	} else if (text_is(kind, "ACCOUNT")) {
		c->kind = COMPLETE_ACCOUNT;
	} else if (text_is(kind, "SNAP")) {
		c->kind = COMPLETE_SNAPSHOT;
	} else if (text_is(kind, "TAG")) {
		c->kind = COMPLETE_TAG;
	} else if (text_is(kind, "SEL")) {
		complete_selection(c);
	}
}

static void
complete_word(struct line *line, struct text word)
{
	struct completion *c = line->completion;
	struct text name, value, kind;

	c->kept = text_make(word.data, 0);
	c->begun = word;
	if (line->has_value) {
		complete_kind(c, line->value);
	} else if (is_option(word) && split_option(word, &name, &value)) {
		c->kept.size = word.size - value.size;
		c->begun = value;
		if (find_value(line, name, &kind))
			complete_kind(c, kind);
	} else if (is_option(word)) {
		c->kind = COMPLETE_OPTION;
	} else if (c->verb == NULL) {
		c->kind = COMPLETE_VERB;
	} else {
		complete_kind(c, argument_kind(c->verb, line->arguments));
	}
}

void
completion_find(const struct verb_table *table, size_t count,
    char *const *words, struct completion *completion)
{
	struct line line = { .table = table, .completion = completion };

	memset(completion, 0, sizeof(*completion));
	for (size_t i = 0; i + 1 < count; i++)
		read_word(&line,
		    i > 0 ? text_of(words[i - 1]) : text_make(NULL, 0),
		    words[i]);
	complete_word(&line, count == 0 ? TEXT("") : text_of(words[count - 1]));
}

static void
offer_options(const struct completion *c, const char *list,
    void (*offer)(struct text word, const char *about, void *context),
    void *context)
{
	struct text rest = text_of(list);
	struct text token, name, value;

	while (text_next(&rest, ' ', &token)) {
		(void)split_option(token, &name, &value);
		if (is_option(token) && completion_fits(c, name))
			offer(name, "", context);
	}
}

void
completion_offer(const struct verb_table *table, const struct completion *c,
    void (*offer)(struct text word, const char *about, void *context),
    void *context)
{
	struct text rest = c->choices, word;

	if (c->kind == COMPLETE_OPTION) {
		if (c->verb != NULL)
			offer_options(c, c->verb->completes, offer, context);
		offer_options(c, table->globals, offer, context);
	}
	for (size_t i = 0; c->kind == COMPLETE_VERB && i < table->count; i++) {
		word = text_of(table->verbs[i].name);
		if (completion_fits(c, word))
			offer(word, table->verbs[i].summary, context);
	}
	while (c->kind == COMPLETE_CHOICE && text_next(&rest, '|', &word))
		if (completion_fits(c, word))
			offer(word, "", context);
}
