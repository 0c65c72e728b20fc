/*
 * How many connections a destination gets at once, and how long it is left
 * alone when it is in trouble.  Pure.
 */
#ifndef SMTPD_SPOOL_WINDOW_H
#define SMTPD_SPOOL_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum {
	SPOOL_WINDOW_START = 5,
	SPOOL_WINDOW_MAX = 20
};

struct spool_window {
	unsigned int size;      /* connections at once */
	unsigned int successes; /* since it grew */
	unsigned int failures;  /* in a row */
	unsigned int pauses;    /* in a row */
};

void spool_window_init(struct spool_window *window);
/* It was reached: the window grows when so many successes have come. */
void spool_window_success(struct spool_window *window);
/* It is in trouble: the window is halved. True: as many have failed in a row as
 * may run, so that it is to be left alone; then one may go ahead. */
bool spool_window_trouble(struct spool_window *window);

/* `base_s` seconds doubled so often, at most `most_s`, give or take an eighth
 * by the noise: milliseconds. */
int64_t spool_delay_ms(
    uint64_t base_s, uint64_t most_s, unsigned int doublings, uint64_t noise);
/* Noise out of what tells one thing from another. */
uint64_t spool_noise(uint64_t x);

#endif
