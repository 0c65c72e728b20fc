/*
 * Jobs wait in one queue and are given to idle children.  A job has a number,
 * new each time it is given to a child, so that a late answer to what was
 * given before a death is told from the one that is waited for.
 */
#include "authd/password_pool.h"

#include "common/codec.h"
#include "common/memory.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct job {
	struct job *next;
	size_t deaths; /* of children that had it */
	size_t size;
	void (*done)(enum password_result result, void *context);
	void *context;
	uint8_t packet[PASSWORD_CHILD_MAX_JOB];
};

struct child {
	struct password_pool *pool;
	int fd;
	struct watch *watch; /* NULL: lost */
	struct job *job;
	uint32_t number; /* of the job */
};

struct password_pool {
	size_t child_count;
	struct child children[PASSWORD_POOL_MAX_CHILDREN];
	struct job *first;
	struct job **last;
	size_t waiting;
	uint32_t last_number;
	void (*lost)(void *context);
	void *lost_context;
};

static int
make_sockets(struct password_pool *pool, size_t count, int *far_ends,
    struct error *error)
{
	int ends[2];

	/* Blocking: a child has nothing else to do than to wait. */
	for (size_t i = 0; i < count; i++) {
		if (socketpair(
			AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1)
			return error_set_errno(error, "socketpair");
		far_ends[i] = ends[1];
		pool->children[i].pool = pool;
		pool->children[i].fd = ends[0];
		pool->child_count++;
	}
	return 0;
}

static int
fork_keeper(struct password_pool *pool, const int *far_ends,
    void (*confine)(void *context), void *context, struct error *error)
{
	pid_t pid = fork();

	if (pid == -1)
		return error_set_errno(error, "fork");
	if (pid > 0)
		return 0;
	for (size_t i = 0; i < pool->child_count; i++)
		close(pool->children[i].fd);
	confine(context);
	password_keeper_run(far_ends, pool->child_count);
}

struct password_pool *
password_pool_new(size_t children, void (*confine)(void *context),
    void *context, struct error *error)
{
	struct password_pool *pool = memory_new(1, sizeof(*pool));
	int far_ends[PASSWORD_POOL_MAX_CHILDREN];
	int result;

	pool->last = &pool->first;
	if (children > PASSWORD_POOL_MAX_CHILDREN)
		children = PASSWORD_POOL_MAX_CHILDREN;
	result = make_sockets(pool, children, far_ends, error);
	if (result == 0)
		result = fork_keeper(pool, far_ends, confine, context, error);
	for (size_t i = 0; i < pool->child_count; i++)
		close(far_ends[i]);
	if (result == -1)
		password_pool_free(&pool);
	return pool;
}

static void
job_free(struct job **job)
{
	explicit_bzero(*job, sizeof(**job));
	memory_free(job);
}

void
password_pool_free(struct password_pool **pointer)
{
	struct password_pool *pool = *pointer;
	struct job *job;

	if (pool == NULL)
		return;
	for (size_t i = 0; i < pool->child_count; i++) {
		struct child *child = &pool->children[i];

		if (child->watch != NULL)
			watch_free(&child->watch);
		if (child->job != NULL)
			job_free(&child->job);
		close(child->fd);
	}
	while ((job = pool->first) != NULL) {
		pool->first = job->next;
		job_free(&job);
	}
	memory_free(pointer);
}

static void
finish_job(struct job *job, enum password_result result)
{
	void (*done)(enum password_result, void *) = job->done;
	void *context = job->context;

	job_free(&job);
	done(result, context);
}

static void
give_job(struct child *child, struct job *job)
{
	struct password_pool *pool = child->pool;
	struct writer writer;

	if (++pool->last_number == 0)
		pool->last_number = 1;
	child->job = job;
	child->number = pool->last_number;
	writer_init(&writer, job->packet, 4);
	writer_put_u32(&writer, child->number);
	/* A job at a time: the socket has room. A keeper that is gone shows at
	 * the watch. */
	(void)send(
	    child->fd, job->packet, job->size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
next_job(struct child *child)
{
	struct password_pool *pool = child->pool;
	struct job *job = pool->first;

	if (child->watch == NULL || child->job != NULL || job == NULL)
		return;
	pool->first = job->next;
	if (pool->first == NULL)
		pool->last = &pool->first;
	pool->waiting--;
	give_job(child, job);
}

/* Its children may live and answer, but nobody would follow them. */
static void
lose(struct child *child)
{
	struct password_pool *pool = child->pool;
	struct job *job = child->job;

	child->job = NULL;
	watch_free(&child->watch);
	if (job != NULL)
		finish_job(job, PASSWORD_UNKNOWN);
	pool->lost(pool->lost_context);
}

static void
child_died(struct child *child)
{
	struct job *job = child->job;

	if (job == NULL)
		return;
	if (job->deaths++ == 0) {
		give_job(child, job);
		return;
	}
	child->job = NULL;
	next_job(child);
	finish_job(job, PASSWORD_UNKNOWN);
}

static void
answered(struct child *child, uint32_t number, uint8_t result)
{
	struct job *job = child->job;

	if (job == NULL || number != child->number)
		return;
	child->job = NULL;
	next_job(child);
	finish_job(job, result == PASSWORD_RIGHT   ? PASSWORD_RIGHT
			: result == PASSWORD_WRONG ? PASSWORD_WRONG
						   : PASSWORD_UNKNOWN);
}

static void
on_answer(int fd, int events, void *context)
{
	struct child *child = context;
	uint8_t packet[PASSWORD_CHILD_ANSWER];
	struct reader reader;
	uint32_t number;
	uint8_t result;
	ssize_t n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);

	if (n <= 0) {
		lose(child);
		return;
	}
	reader_init(&reader, packet, (size_t)n);
	number = reader_get_u32(&reader);
	result = reader_get_u8(&reader);
	if (reader_done(&reader) == -1)
		return;
	if (number == 0)
		child_died(child);
	else
		answered(child, number, result);
}

void
password_pool_start(struct password_pool *pool, struct event_loop *loop,
    void (*lost)(void *context), void *context)
{
	pool->lost = lost;
	pool->lost_context = context;
	for (size_t i = 0; i < pool->child_count; i++)
		pool->children[i].watch = watch_new(loop, pool->children[i].fd,
		    WATCH_READ, on_answer, &pool->children[i]);
}

int
password_pool_check(struct password_pool *pool, struct text hash,
    struct text password,
    void (*done)(enum password_result result, void *context), void *context)
{
	struct writer writer;
	struct job *job;

	if (pool->waiting == PASSWORD_POOL_MAX_WAITING)
		return -1;
	job = memory_new(1, sizeof(*job));
	writer_init(&writer, job->packet, sizeof(job->packet));
	writer_put_u32(&writer, 0);
	writer_put_text(&writer, hash, PASSWORD_CHILD_MAX_HASH);
	writer_put_text(&writer, password, PASSWORD_CHILD_MAX_PASSWORD);
	if (writer.failed) {
		job_free(&job);
		return -1;
	}
	job->size = writer.size;
	job->done = done;
	job->context = context;
	*pool->last = job;
	pool->last = &job->next;
	pool->waiting++;
	for (size_t i = 0; i < pool->child_count; i++)
		next_job(&pool->children[i]);
	return 0;
}
