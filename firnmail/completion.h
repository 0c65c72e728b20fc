/*
 * What can follow on a command line of firnmail, for the shells' completion.
 * Pure: the synopsis of each verb, which --help shows, says it: options, and
 * the words that come first in what is between bars.
 */
#ifndef FIRNMAIL_COMPLETION_H
#define FIRNMAIL_COMPLETION_H

#include <stddef.h>

struct completion_verb {
	const char *name;
	const char *synopsis;
	const char *summary;
	const char *more; /* words that there was no room for, or NULL */
};

/* What can stand for the last of `words`, which is begun or empty, as far as it
 * begins so. `about` is "" if there is nothing to say. */
void completion_offer(const struct completion_verb *verbs, size_t verb_count,
    char *const *words, size_t count,
    void (*offer)(const char *word, const char *about, void *context),
    void *context);

/* The script for that shell, or NULL. */
const char *completion_script(const char *shell);

#endif
