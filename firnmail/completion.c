/* See completion.h. */
#include "firnmail/completion.h"

#include "common/text.h"
#include "firnmail/completion_scripts.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
	WORD_SIZE = 64
};

static const char *const global_options[] = { "--config", "--help", "--json",
	"--libexec", "--run", "-H", "-c", "-h", "-p" };
static const char *const with_value[] = { "--config", "--run", "--libexec",
	"-c", "--host", "--domain", "--state", "--hash", "--into" };

struct asked {
	const char *begun;
	void (*offer)(const char *word, const char *about, void *context);
	void *context;
};

static void
offer(const struct asked *asked, const char *word, const char *about)
{
	if (strncmp(word, asked->begun, strlen(asked->begun)) == 0)
		asked->offer(word, about, asked->context);
}

static void
offer_text(const struct asked *asked, struct text word)
{
	char name[WORD_SIZE];

	if (word.size > 0 && word.size < sizeof(name)) {
		(void)text_copy(word, name, sizeof(name));
		offer(asked, name, "");
	}
}

/* Without the brackets around what may be left out. */
static struct text
bare(struct text token)
{
	while (token.size > 0 && token.data[0] == '[')
		token = text_skip(token, 1);
	while (token.size > 0 && token.data[token.size - 1] == ']')
		token.size--;
	return token;
}

/* "list|show" or "add": words that are typed as they are. */
static void
offer_choice(const struct asked *asked, struct text token)
{
	struct text word;

	while (text_next(&token, '|', &word))
		if (word.size > 0 && word.data[0] >= 'a' && word.data[0] <= 'z')
			offer_text(asked, word);
}

/* Options anywhere; words only where a way of saying it begins. */
static void
offer_synopsis(
    const struct asked *asked, const char *synopsis, bool is_first_word)
{
	struct text rest = text_of(synopsis), token;
	bool is_begin = true;

	while (text_next(&rest, ' ', &token)) {
		if (text_is(token, "|")) {
			is_begin = true;
			continue;
		}
		token = bare(token);
		if (token.size > 0 && token.data[0] == '-')
			offer_text(asked, token);
		else if (is_begin && is_first_word)
			offer_choice(asked, token);
		is_begin = false;
	}
}

static bool
takes_value(const char *option)
{
	for (size_t i = 0; i < sizeof(with_value) / sizeof(with_value[0]); i++)
		if (strcmp(option, with_value[i]) == 0)
			return true;
	return false;
}

void
completion_offer(const struct completion_verb *verbs, size_t verb_count,
    char *const *words, size_t count,
    void (*callback)(const char *word, const char *about, void *context),
    void *context)
{
	const struct asked asked = { count > 0 ? words[count - 1] : "",
		callback, context };
	const struct completion_verb *verb = NULL;
	size_t arguments = 0;

	for (size_t i = 0; i + 1 < count; i++) {
		if (words[i][0] == '-') {
			i += takes_value(words[i]);
			if (i + 1 >= count)
				return;
		} else if (verb != NULL) {
			arguments++;
		} else {
			for (size_t n = 0; n < verb_count; n++)
				if (strcmp(words[i], verbs[n].name) == 0)
					verb = &verbs[n];
			arguments = 0;
			if (verb == NULL)
				return;
		}
	}
	for (size_t n = 0; verb == NULL && n < verb_count; n++)
		offer(&asked, verbs[n].name, verbs[n].summary);
	if (verb != NULL) {
		offer_synopsis(&asked, verb->synopsis, arguments == 0);
		if (verb->more != NULL)
			offer_synopsis(&asked, verb->more, arguments == 0);
	}
	for (size_t n = 0;
	     asked.begun[0] == '-' &&
	     n < sizeof(global_options) / sizeof(global_options[0]);
	     n++)
		offer(&asked, global_options[n], "");
}

const char *
completion_script(const char *shell)
{
	if (strcmp(shell, "bash") == 0)
		return completion_bash;
	if (strcmp(shell, "zsh") == 0)
		return completion_zsh;
	return strcmp(shell, "fish") == 0 ? completion_fish : NULL;
}
