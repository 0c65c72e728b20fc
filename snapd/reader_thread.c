/*
 * The thread that reads: see reading.h.  Two lists under one lock; an eventfd
 * tells the loop that something is done.
 */
#include "snapd/reading.h"

#include "common/log.h"
#include "common/memory.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct list {
	struct reading *first;
	struct reading **last;
};

struct reader_thread {
	struct store *store;
	struct watch *watch;
	void (*done)(struct reading *reading, void *context);
	void *context;
	int event_fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct list waiting;
	struct list taken; /* the thread's own */
	struct list finished;
	bool is_stopping;
};

static void
list_put(struct list *list, struct reading *reading)
{
	reading->next = NULL;
	if (list->first == NULL)
		list->last = &list->first;
	*list->last = reading;
	list->last = &reading->next;
}

static struct reading *
list_take(struct list *list)
{
	struct reading *reading = list->first;

	if (reading != NULL)
		list->first = reading->next;
	return reading;
}

/* Waits until there is something to do; false: the end. */
static bool
take_waiting(struct reader_thread *thread)
{
	bool goes_on;

	pthread_mutex_lock(&thread->lock);
	while (!thread->is_stopping && thread->waiting.first == NULL)
		pthread_cond_wait(&thread->wake, &thread->lock);
	thread->taken = thread->waiting;
	thread->waiting.first = NULL;
	goes_on = !thread->is_stopping;
	pthread_mutex_unlock(&thread->lock);
	return goes_on;
}

/* One wake-up for all that the loop finds when it comes. */
static bool
give_finished(struct reader_thread *thread, struct reading *reading)
{
	uint64_t one = 1;
	bool is_first, goes_on;

	pthread_mutex_lock(&thread->lock);
	is_first = thread->finished.first == NULL;
	list_put(&thread->finished, reading);
	goes_on = !thread->is_stopping;
	pthread_mutex_unlock(&thread->lock);
	/* Who is woken under the lock would only wait for it. */
	if (is_first && write(thread->event_fd, &one, sizeof(one)) < 0)
		return false;
	return goes_on;
}

static void *
run(void *context)
{
	struct reader_thread *thread = context;
	struct reading *reading;
	bool goes_on = true;

	while (goes_on && take_waiting(thread))
		while (
		    goes_on && (reading = list_take(&thread->taken)) != NULL) {
			reading_run(reading, thread->store);
			goes_on = give_finished(thread, reading);
		}
	return NULL;
}

static void
collect(int fd, int events, void *context)
{
	struct reader_thread *thread = context;
	struct reading *reading, *next;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&thread->lock);
	reading = thread->finished.first;
	thread->finished.first = NULL;
	pthread_mutex_unlock(&thread->lock);
	for (; reading != NULL; reading = next) {
		next = reading->next;
		thread->done(reading, thread->context);
	}
}

struct reader_thread *
reader_thread_new(struct event_loop *loop, struct store *store,
    void (*done)(struct reading *reading, void *context), void *context)
{
	struct reader_thread *thread = memory_new(1, sizeof(*thread));
	sigset_t all, old;

	thread->store = store;
	thread->done = done;
	thread->context = context;
	thread->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (thread->event_fd < 0)
		fatal("no eventfd");
	pthread_mutex_init(&thread->lock, NULL);
	pthread_cond_init(&thread->wake, NULL);
	thread->watch =
	    watch_new(loop, thread->event_fd, WATCH_READ, collect, thread);
	/* Signals belong to the loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&thread->thread, NULL, run, thread) != 0)
		fatal("no reader thread");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return thread;
}

void
reader_thread_submit(struct reader_thread *thread, struct reading *reading)
{
	pthread_mutex_lock(&thread->lock);
	list_put(&thread->waiting, reading);
	pthread_mutex_unlock(&thread->lock);
	pthread_cond_signal(&thread->wake);
}

void
reader_thread_free(struct reader_thread **thread)
{
	struct reader_thread *t = *thread;
	struct reading *reading;

	if (t == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	t->is_stopping = true;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	while ((reading = list_take(&t->taken)) != NULL ||
	       (reading = list_take(&t->waiting)) != NULL ||
	       (reading = list_take(&t->finished)) != NULL)
		reading_free(&reading);
	watch_free(&t->watch);
	close(t->event_fd);
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	memory_free(thread);
}
