/*
 * The slices that a process is given, as its main holds them: at its start, and
 * again at each reload, when both of them count or neither does.
 */
#ifndef COMMON_SETTINGS_SLICES_H
#define COMMON_SETTINGS_SLICES_H

#include "common/account.h"
#include "common/process.h"
#include "common/settings.h"

struct settings_slices {
	struct settings *settings;
	struct account_table *accounts; /* NULL: the role is given none */
};

/* Between process_begin and process_confine. What cannot be read is fatal. */
void settings_slices_take(
    struct settings_slices *slices, struct process *process);

/* Those of a reload, as many as are in use. 0, or -1 after it was logged: the
 * old ones stay. */
int settings_slices_read(struct settings_slices *fresh,
    const struct settings_slices *in_use, const struct message_settings *said,
    const int *fds);
/* They are in use from here on. */
void settings_slices_replace(
    struct settings_slices *in_use, const struct settings_slices *fresh);

void settings_slices_clear(struct settings_slices *slices);

#endif
