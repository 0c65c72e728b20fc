/* See stay_awake.h. */
#include "common/stay_awake.h"

#include <string.h>

void
stay_awake_init(struct stay_awake *stay)
{
	memset(stay, 0, sizeof(*stay));
	stay->fds[0] = stay->fds[1] = -1;
	stay->after = STAY_AFTER;
}

bool
stay_awake_begin(struct stay_awake *stay, int64_t now_us)
{
	bool stays = stay->quick >= stay->after;

	/* Timers alone do not end a silence. */
	if (stay->heard_us != 0)
		stay->silent_us = now_us;
	stay->heard_us = 0;
	stay->is_other = false;
	stay->until_us = stays ? now_us + STAY_AWAKE_US : 0;
	return stays;
}

void
stay_awake_heard(struct stay_awake *stay, int fd, int64_t now_us)
{
	if (stay->heard_us == 0)
		stay->heard_us = now_us;
	if (fd == stay->fds[0] || fd == stay->fds[1])
		return;
	stay->is_other = true;
	stay->fds[0] = stay->fds[1];
	stay->fds[1] = fd;
}

bool
stay_awake_goes_on(const struct stay_awake *stay, int64_t now_us)
{
	return stay->heard_us == 0 && now_us < stay->until_us;
}

void
stay_awake_end(struct stay_awake *stay)
{
	bool was_awake = stay->until_us != 0;

	if (stay->heard_us == 0) {
		if (!was_awake)
			return;
		stay->quick = 0;
		if (stay->after < STAY_AFTER_MOST)
			stay->after *= 2;
		return;
	}
	if (stay->is_other || stay->heard_us - stay->silent_us > STAY_QUICK_US)
		stay->quick = 0;
	else if (was_awake)
		stay->after = STAY_AFTER;
	else
		stay->quick++;
}
