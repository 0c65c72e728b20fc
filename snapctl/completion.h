/*
 * What can follow on a command line of snapctl, for the shells' completion: the
 * table of verbs says it, so that none of them needs to know a verb or an
 * option.  Pure; what only the store knows is asked by cmd_completion.c.
 *
 * A verb's `completes` holds words with blanks between them: options
 * ("--name=",
 * "--at=SNAP", "--format=maildir|mbox" or "--yes") and then its arguments in
 * order (ACCOUNT, SEL, SNAP, TAG, FILE, TEXT, or words with | between them);
 * the last one may come again if "..." follows it.
 */
#ifndef SNAPCTL_COMPLETION_H
#define SNAPCTL_COMPLETION_H

#include "common/text.h"
#include "snapctl/snapctl.h"

enum completion_kind {
	COMPLETE_NOTHING,
	COMPLETE_VERB,
	COMPLETE_OPTION,
	COMPLETE_CHOICE, /* of `choices` */
	COMPLETE_ACCOUNT,
	COMPLETE_SNAPSHOT,
	COMPLETE_MAILBOX, /* of `account` */
	COMPLETE_TAG
};

/* Texts point into the words and the table. */
struct completion {
	enum completion_kind kind;
	const struct verb *verb; /* NULL: none yet */
	struct text choices;     /* with | between them */
	struct text account;
	struct text kept;  /* of the last word, before the part that is begun */
	struct text begun; /* candidates begin so */
	/* As the line says; NULL: it does not. */
	const char *config;
	const char *socket;
};

/* `words` are those behind the program's name, the last one is begun (or
 * empty). */
void completion_find(const struct verb_table *table, size_t count,
    char *const *words, struct completion *completion);

/* The candidates that the table has, as far as they begin so. */
void completion_offer(const struct verb_table *table,
    const struct completion *completion,
    void (*offer)(struct text word, const char *about, void *context),
    void *context);

/* Prints what can follow, one a line, for the shell's script: a word, and
 * behind a tab what it is. `socket` is used if the words do not name another.
 */
int completion_words(struct snapctl *snapctl, const struct verb_table *table,
    const char *socket, int count, char **words);

bool completion_fits(const struct completion *completion, struct text word);

#endif
