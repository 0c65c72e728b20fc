/* See spool_window.h. */
#include "smtpd/spool_window.h"

#include <string.h>

void
spool_window_init(struct spool_window *window)
{
	memset(window, 0, sizeof(*window));
	window->size = SPOOL_WINDOW_START;
}

void
spool_window_success(struct spool_window *window)
{
	window->failures = 0;
	if (window->pauses > 0)
		window->size = SPOOL_WINDOW_START;
	window->pauses = 0;
	if (window->size < SPOOL_WINDOW_MAX &&
	    ++window->successes >= window->size) {
		window->size++;
		window->successes = 0;
	}
}

bool
spool_window_trouble(struct spool_window *window)
{
	window->failures++;
	window->successes = 0;
	if (window->failures < window->size) {
		window->size = (window->size + 1) / 2;
		return false;
	}
	window->pauses++;
	/* Then one goes ahead, and the others follow if it arrives. */
	window->size = 1;
	return true;
}

int64_t
spool_delay_ms(
    uint64_t base_s, uint64_t most_s, unsigned int doublings, uint64_t noise)
{
	uint64_t ms = 1000 * base_s, most = 1000 * most_s;

	while (doublings-- > 0 && ms < most)
		ms *= 2;
	if (ms > most)
		ms = most;
	return (int64_t)(ms - ms / 8 + (ms > 4 ? noise % (ms / 4) : 0));
}

uint64_t
spool_noise(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}
