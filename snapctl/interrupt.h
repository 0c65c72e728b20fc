/*
 * Signals: SIGUSR1 prints one line of progress on standard error, SIGINT says
 * what becomes of what was begun and ends the command.  The lines are made
 * beforehand: a handler only writes.
 */
#ifndef SNAPCTL_INTERRUPT_H
#define SNAPCTL_INTERRUPT_H

#include "common/control_record.h"

void interrupt_prepare(void);
void interrupt_note_progress(const struct control_progress *progress);
/* What SIGINT prints from now on; empty: nothing. */
void interrupt_set_farewell(const char *text);

#endif
