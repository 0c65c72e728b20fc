/*
 * Alarms that snapd has not been told of yet, because it was away: each once.
 * Where there are more than there is room for, one that is about no account in
 * particular stands for all of them: snapd then holds what every account had,
 * and which they were is in the log lines.  Pure.
 */
#ifndef BROKER_ALARMS_H
#define BROKER_ALARMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ALARMS_MAX = 64
};

struct alarm_entry {
	uint8_t role;
	uint8_t reason;
	uint32_t account; /* 0: of none, or of several */
};

struct alarms {
	struct alarm_entry list[ALARMS_MAX];
	size_t count;
};

void alarms_keep(
    struct alarms *alarms, uint8_t role, uint32_t account, uint8_t reason);
/* Takes one out; false if there is none. */
bool alarms_take(struct alarms *alarms, struct alarm_entry *alarm);

#endif
