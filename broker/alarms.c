/* See alarms.h. */
#include "broker/alarms.h"

static bool
is_kept(const struct alarms *alarms, const struct alarm_entry *alarm)
{
	for (size_t i = 0; i < alarms->count; i++)
		if (alarms->list[i].role == alarm->role &&
		    alarms->list[i].reason == alarm->reason &&
		    alarms->list[i].account == alarm->account)
			return true;
	return false;
}

void
alarms_keep(
    struct alarms *alarms, uint8_t role, uint32_t account, uint8_t reason)
{
	struct alarm_entry alarm = { role, reason, account };

	if (is_kept(alarms, &alarm))
		return;
	if (alarms->count == ALARMS_MAX) {
		alarms->count = 0;
		alarm.account = 0;
	}
	alarms->list[alarms->count++] = alarm;
}

bool
alarms_take(struct alarms *alarms, struct alarm_entry *alarm)
{
	if (alarms->count == 0)
		return false;
	*alarm = alarms->list[--alarms->count];
	return true;
}
