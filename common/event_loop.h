/*
 * The event loop of a process: descriptors, timers and signals.  The only
 * place that includes libevent.  One loop a process, one thread.
 */
#ifndef COMMON_EVENT_LOOP_H
#define COMMON_EVENT_LOOP_H

#include <stdint.h>

struct event_base;
struct event_loop;
struct watch;
struct timer;

enum {
	WATCH_READ = 1,
	WATCH_WRITE = 2
};

struct event_loop *event_loop_new(void);
void event_loop_free(struct event_loop **loop);

/* Runs until event_loop_stop. */
void event_loop_run(struct event_loop *loop);
void event_loop_stop(struct event_loop *loop);

/*
 * Calls `callback` each time when all that was ready in this round has been
 * handled and before the loop waits again: the place for group commits.  One
 * a loop.
 */
void event_loop_on_round(
    struct event_loop *loop, void (*callback)(void *context), void *context);

/* Before it sleeps it looks again for a moment while one or two descriptors
 * alone are heard, each time soon (common/stay_awake.h). */
void event_loop_stay_awake(struct event_loop *loop);

/* Watches `fd`, which stays the caller's, for `events` (0: nothing yet). */
struct watch *watch_new(struct event_loop *loop, int fd, int events,
    void (*callback)(int fd, int events, void *context), void *context);
void watch_set(struct watch *watch, int events);
void watch_free(struct watch **watch); /* before the descriptor is closed */

/* A timer that is not running; it fires once a timer_start. */
struct timer *timer_new(
    struct event_loop *loop, void (*callback)(void *context), void *context);
void timer_start(struct timer *timer, int64_t delay_ms);
void timer_stop(struct timer *timer);
void timer_free(struct timer **timer);

/* libevent's own, for a library that wants to be driven by it. */
struct event_base *event_loop_base(struct event_loop *loop);

struct signal_watch;
struct signal_watch *signal_watch_new(struct event_loop *loop, int number,
    void (*callback)(int number, void *context), void *context);
void signal_watch_free(struct signal_watch **watch);

#endif
