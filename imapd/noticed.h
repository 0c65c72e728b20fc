/*
 * Names of files that somebody was told of and that nobody has looked at yet,
 * each once when they are taken.  Nothing here asks the disk.
 */
#ifndef IMAPD_NOTICED_H
#define IMAPD_NOTICED_H

#include <stdbool.h>
#include <stddef.h>

struct noticed_name {
	bool is_new; /* in new/, not in cur/ */
	char *name;
};

/* Zeroed: an empty one. */
struct noticed {
	struct noticed_name *names;
	size_t count;
	size_t capacity;
};

/* A copy of the name. */
void noticed_add(struct noticed *noticed, bool is_new, const char *name);
/* Takes what `from` has, sorted, each once; `from` is empty then. */
void noticed_take(struct noticed *from, struct noticed *taken);
void noticed_clear(struct noticed *noticed);

#endif
