/* See future_release.h. */
#include "smtpd/future_release.h"

#include <time.h>

int
future_release_parse_interval(struct text value, uint32_t *seconds)
{
	uint64_t number;

	if (value.size == 0 || value.size > 9 ||
	    text_parse_number(value, 999999999, &number) == -1 || number == 0)
		return -1;
	*seconds = (uint32_t)number;
	return 0;
}

void
future_release_format(int64_t time, char *to)
{
	time_t seconds = (time_t)time;
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(to, FUTURE_RELEASE_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		to[0] = '\0';
}

int
future_release_decide(
    uint32_t interval, int64_t until, int64_t now, int64_t *not_before)
{
	*not_before = interval != 0 ? now + interval : until;
	if (*not_before == 0)
		return 0;
	if ((interval != 0 && until != 0) || *not_before <= now ||
	    *not_before > now + FUTURE_RELEASE_MAX_S)
		return -1;
	return 0;
}
