/*
 * Two lists under one lock; an eventfd tells the loop that something is done.
 * See spool_writer.h.
 */
#include "smtpd/spool_writer.h"

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "smtpd/spool_body.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct spool_writer {
	struct watch *watch;
	int dir_fd;
	int event_fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct spool_writing *waiting; /* in the order in which they came, */
	struct spool_writing **last;
	struct spool_writing *finished; /* and in none */
	bool is_stopping;
};

/* -- In the thread -- */

/* All that wait; NULL: the end. */
static struct spool_writing *
take_waiting(struct spool_writer *writer)
{
	struct spool_writing *all = NULL;

	pthread_mutex_lock(&writer->lock);
	while (!writer->is_stopping && writer->waiting == NULL)
		pthread_cond_wait(&writer->wake, &writer->lock);
	if (!writer->is_stopping) {
		all = writer->waiting;
		writer->waiting = NULL;
		writer->last = &writer->waiting;
	}
	pthread_mutex_unlock(&writer->lock);
	return all;
}

/* One sync of the folder for all of them. */
static void
write_all(const struct spool_writer *writer, struct spool_writing *all)
{
	struct spool_writing *one;
	struct error error;
	int result;

	for (one = all; one != NULL; one = one->next)
		one->result = spool_bodies_write(
		    writer->dir_fd, one->id, one->size, one->fd, &one->error);
	result = file_sync_directory(writer->dir_fd, &error);
	for (one = all; result == -1 && one != NULL; one = one->next) {
		one->result = -1;
		one->error = error;
	}
}

static void
finish(struct spool_writer *writer, struct spool_writing *all)
{
	struct spool_writing **last = &all;
	uint64_t one = 1;

	while (*last != NULL)
		last = &(*last)->next;
	pthread_mutex_lock(&writer->lock);
	*last = writer->finished;
	writer->finished = all;
	pthread_mutex_unlock(&writer->lock);
	/* It cannot be full, and the loop reads until it is empty. */
	if (write(writer->event_fd, &one, sizeof(one)) < 0)
		fatal("eventfd of the spool's writer");
}

static void *
run(void *context)
{
	struct spool_writer *writer = context;
	struct spool_writing *all;

	while ((all = take_waiting(writer)) != NULL) {
		write_all(writer, all);
		finish(writer, all);
	}
	return NULL;
}

/* -- In the loop -- */

static void
tell(struct spool_writing *all)
{
	struct spool_writing *next;

	for (; all != NULL; all = next) {
		next = all->next;
		all->done(all);
	}
}

static void
collect(int fd, int events, void *context)
{
	struct spool_writer *writer = context;
	struct spool_writing *finished;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&writer->lock);
	finished = writer->finished;
	writer->finished = NULL;
	pthread_mutex_unlock(&writer->lock);
	tell(finished);
}

struct spool_writer *
spool_writer_new(struct event_loop *loop, int dir_fd)
{
	struct spool_writer *writer = memory_new(1, sizeof(*writer));
	sigset_t all, old;

	writer->dir_fd = dir_fd;
	writer->last = &writer->waiting;
	writer->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (writer->event_fd < 0)
		fatal("no eventfd");
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->wake, NULL);
	writer->watch =
	    watch_new(loop, writer->event_fd, WATCH_READ, collect, writer);
	/* Signals belong to the loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&writer->thread, NULL, run, writer) != 0)
		fatal("no thread that writes bodies");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return writer;
}

void
spool_writer_add(struct spool_writer *writer, struct spool_writing *writing)
{
	writing->next = NULL;
	pthread_mutex_lock(&writer->lock);
	*writer->last = writing;
	writer->last = &writing->next;
	pthread_mutex_unlock(&writer->lock);
	pthread_cond_signal(&writer->wake);
}

void
spool_writer_free(struct spool_writer **pointer)
{
	struct spool_writer *writer = *pointer;
	struct spool_writing *one;

	if (writer == NULL)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->is_stopping = true;
	pthread_mutex_unlock(&writer->lock);
	pthread_cond_signal(&writer->wake);
	pthread_join(writer->thread, NULL);
	for (one = writer->waiting; one != NULL; one = one->next)
		one->result =
		    error_set(&one->error, ERROR_UNAVAILABLE, "stopping");
	tell(writer->finished);
	tell(writer->waiting);
	watch_free(&writer->watch);
	close(writer->event_fd);
	pthread_cond_destroy(&writer->wake);
	pthread_mutex_destroy(&writer->lock);
	memory_free(pointer);
}
