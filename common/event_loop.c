/* See event_loop.h. */
#include "common/event_loop.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/stay_awake.h"

#include <event2/event.h>

#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

struct event_loop {
	struct event_base *base;
	bool is_stopping;
	void (*on_round)(void *context);
	void *round_context;
	bool stays_awake;
	struct stay_awake stay;
};

struct watch {
	struct event *event; /* NULL while nothing is watched */
	struct event_loop *loop;
	int fd;
	int events;
	void (*callback)(int fd, int events, void *context);
	void *context;
};

struct timer {
	struct event *event;
	void (*callback)(void *context);
	void *context;
};

struct signal_watch {
	struct event *event;
	void (*callback)(int number, void *context);
	void *context;
};

struct event_loop *
event_loop_new(void)
{
	struct event_loop *loop = memory_new(1, sizeof(*loop));
	struct event_config *config = event_config_new();

	/* There is no environment; to ask whether it may be trusted takes
	 * twenty system calls. */
	if (config == NULL ||
	    event_config_set_flag(config,
		EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == -1)
		fatal("what=\"no event configuration\"");
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	if (loop->base == NULL)
		fatal("what=\"no event base\"");
	return loop;
}

void
event_loop_free(struct event_loop **loop)
{
	if (*loop == NULL)
		return;
	event_base_free((*loop)->base);
	memory_free(loop);
}

void
event_loop_stay_awake(struct event_loop *loop)
{
	loop->stays_awake = true;
	stay_awake_init(&loop->stay);
}

static void
run_round(struct event_loop *loop, int how)
{
	if (event_base_loop(loop->base, how) == -1)
		fatal("what=\"event loop failed\"");
	if (loop->on_round != NULL)
		loop->on_round(loop->round_context);
}

/* Who else wants the processor has it first. */
static void
run_round_awake(struct event_loop *loop)
{
	struct stay_awake *stay = &loop->stay;
	bool is_awake = stay_awake_begin(stay, clock_monotonic_us());

	run_round(loop, is_awake ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
	while (is_awake && !loop->is_stopping &&
	       stay_awake_goes_on(stay, clock_monotonic_us())) {
		(void)sched_yield();
		run_round(loop, EVLOOP_NONBLOCK);
	}
	stay_awake_end(stay);
}

void
event_loop_run(struct event_loop *loop)
{
	loop->is_stopping = false;
	while (!loop->is_stopping) {
		if (loop->stays_awake)
			run_round_awake(loop);
		else
			run_round(loop, EVLOOP_ONCE);
	}
}

void
event_loop_stop(struct event_loop *loop)
{
	loop->is_stopping = true;
	event_base_loopbreak(loop->base);
}

struct event_base *
event_loop_base(struct event_loop *loop)
{
	return loop->base;
}

void
event_loop_on_round(
    struct event_loop *loop, void (*callback)(void *context), void *context)
{
	loop->on_round = callback;
	loop->round_context = context;
}

static void
watch_fired(evutil_socket_t fd, short events, void *context)
{
	struct watch *watch = context;
	struct event_loop *loop = watch->loop;
	int ready = 0;

	if (loop->stays_awake)
		stay_awake_heard(&loop->stay, watch->fd, clock_monotonic_us());
	if (events & EV_READ)
		ready |= WATCH_READ;
	if (events & EV_WRITE)
		ready |= WATCH_WRITE;
	watch->callback(fd, ready, watch->context);
}

struct watch *
watch_new(struct event_loop *loop, int fd, int events,
    void (*callback)(int fd, int events, void *context), void *context)
{
	struct watch *watch = memory_new(1, sizeof(*watch));

	watch->loop = loop;
	watch->fd = fd;
	watch->callback = callback;
	watch->context = context;
	watch->event = event_new(loop->base, fd, 0, watch_fired, watch);
	if (watch->event == NULL)
		fatal("what=\"no event\"");
	watch_set(watch, events);
	return watch;
}

void
watch_set(struct watch *watch, int events)
{
	short wanted = EV_PERSIST;

	if (events == watch->events)
		return;
	if (watch->events != 0)
		event_del(watch->event);
	watch->events = events;
	if (events == 0)
		return;
	if (events & WATCH_READ)
		wanted |= EV_READ;
	if (events & WATCH_WRITE)
		wanted |= EV_WRITE;
	if (event_assign(watch->event, watch->loop->base, watch->fd, wanted,
		watch_fired, watch) == -1 ||
	    event_add(watch->event, NULL) == -1)
		fatal("what=\"cannot watch a descriptor\" fd=%d", watch->fd);
}

void
watch_free(struct watch **watch)
{
	if (*watch == NULL)
		return;
	if ((*watch)->events != 0)
		event_del((*watch)->event);
	event_free((*watch)->event);
	memory_free(watch);
}

static void
timer_fired(evutil_socket_t fd, short events, void *context)
{
	struct timer *timer = context;

	(void)fd;
	(void)events;
	timer->callback(timer->context);
}

struct timer *
timer_new(
    struct event_loop *loop, void (*callback)(void *context), void *context)
{
	struct timer *timer = memory_new(1, sizeof(*timer));

	timer->callback = callback;
	timer->context = context;
	timer->event = event_new(loop->base, -1, 0, timer_fired, timer);
	if (timer->event == NULL)
		fatal("what=\"no timer\"");
	return timer;
}

void
timer_start(struct timer *timer, int64_t delay_ms)
{
	struct timeval delay = { .tv_sec = delay_ms / 1000,
		.tv_usec = delay_ms % 1000 * 1000 };

	if (event_add(timer->event, &delay) == -1)
		fatal("what=\"cannot start a timer\"");
}

void
timer_stop(struct timer *timer)
{
	event_del(timer->event);
}

void
timer_free(struct timer **timer)
{
	if (*timer == NULL)
		return;
	event_free((*timer)->event);
	memory_free(timer);
}

static void
signal_fired(evutil_socket_t number, short events, void *context)
{
	struct signal_watch *watch = context;

	(void)events;
	watch->callback((int)number, watch->context);
}

struct signal_watch *
signal_watch_new(struct event_loop *loop, int number,
    void (*callback)(int number, void *context), void *context)
{
	struct signal_watch *watch = memory_new(1, sizeof(*watch));

	watch->callback = callback;
	watch->context = context;
	watch->event = event_new(
	    loop->base, number, EV_SIGNAL | EV_PERSIST, signal_fired, watch);
	if (watch->event == NULL || event_add(watch->event, NULL) == -1)
		fatal("what=\"cannot watch a signal\" signal=%d", number);
	return watch;
}

void
signal_watch_free(struct signal_watch **watch)
{
	if (*watch == NULL)
		return;
	event_free((*watch)->event);
	memory_free(watch);
}
