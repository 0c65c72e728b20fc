/*
 * Children and the jobs that wait for one.  A job is a packet: the hash, a
 * NUL, the password; the answer is one byte.  A child that died takes no more
 * jobs; its job is answered with no.
 */
#include "authd/password_pool.h"

#include "common/channel.h"
#include "common/memory.h"

#include <crypt.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	JOB_MAX = 2048
};

struct job {
	struct job *next;
	size_t size;
	void (*done)(bool is_right, void *context);
	void *context;
	char packet[JOB_MAX];
};

struct child {
	struct password_pool *pool;
	int fd; /* -1: dead */
	struct watch *watch;
	struct job *job;
};

struct password_pool {
	size_t child_count;
	struct child children[PASSWORD_POOL_MAX_CHILDREN];
	struct job *first;
	struct job **last;
	size_t waiting;
};

/* No early end: the time does not tell where the difference is. */
static bool
is_same(const char *a, const char *b)
{
	size_t size = strlen(a);
	unsigned char different = 0;

	if (strlen(b) != size)
		return false;
	for (size_t i = 0; i < size; i++)
		different |= (unsigned char)(a[i] ^ b[i]);
	return different == 0;
}

/* `packet` has a NUL behind its end. */
static bool
is_right(const char *packet, size_t size)
{
	static struct crypt_data data;
	size_t hash_size = strlen(packet);
	const char *password = packet + hash_size + 1;
	const char *made;
	bool right;

	if (hash_size >= size || memchr(password, '\0', size - hash_size - 1))
		return false;
	made = crypt_rn(password, packet, &data, sizeof(data));
	right = made != NULL && made[0] != '*' && is_same(made, packet);
	explicit_bzero(&data, sizeof(data));
	return right;
}

static void
child_run(int fd)
{
	char packet[JOB_MAX + 1];
	ssize_t size;
	char answer;

	while ((size = recv(fd, packet, JOB_MAX, 0)) > 0) {
		packet[size] = '\0';
		answer = is_right(packet, (size_t)size);
		explicit_bzero(packet, sizeof(packet));
		if (send(fd, &answer, 1, MSG_NOSIGNAL) != 1)
			break;
	}
	_exit(0);
}

static int
fork_child(struct password_pool *pool, void (*confine)(void *context),
    void *context, struct error *error)
{
	int ends[2];
	pid_t pid;

	/* Blocking: the child has nothing else to do than to wait. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1)
		return error_set_errno(error, "socketpair");
	pid = fork();
	if (pid == -1) {
		error_set_errno(error, "fork");
		close(ends[0]);
		close(ends[1]);
		return -1;
	}
	if (pid == 0) {
		for (size_t i = 0; i < pool->child_count; i++)
			close(pool->children[i].fd);
		close(ends[0]);
		confine(context);
		child_run(ends[1]);
	}
	close(ends[1]);
	pool->children[pool->child_count].pool = pool;
	pool->children[pool->child_count++].fd = ends[0];
	return 0;
}

struct password_pool *
password_pool_new(size_t children, void (*confine)(void *context),
    void *context, struct error *error)
{
	struct password_pool *pool = memory_new(1, sizeof(*pool));

	pool->last = &pool->first;
	if (children > PASSWORD_POOL_MAX_CHILDREN)
		children = PASSWORD_POOL_MAX_CHILDREN;
	for (size_t i = 0; i < children; i++) {
		if (fork_child(pool, confine, context, error) == 0)
			continue;
		password_pool_free(&pool);
		return NULL;
	}
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
		if (child->fd != -1)
			close(child->fd);
	}
	while ((job = pool->first) != NULL) {
		pool->first = job->next;
		job_free(&job);
	}
	memory_free(pointer);
}

static void
finish_job(struct job *job, bool right)
{
	void (*done)(bool, void *) = job->done;
	void *context = job->context;

	job_free(&job);
	done(right, context);
}

static void
give_job(struct child *child, struct job *job)
{
	child->job = job;
	/* One packet in flight: the socket is empty and takes it. A child that
	 * is gone shows at the watch. */
	(void)send(
	    child->fd, job->packet, job->size, MSG_NOSIGNAL | MSG_DONTWAIT);
	explicit_bzero(job->packet, sizeof(job->packet));
}

static void
next_job(struct child *child)
{
	struct password_pool *pool = child->pool;
	struct job *job = pool->first;

	if (child->fd == -1 || child->job != NULL || job == NULL)
		return;
	pool->first = job->next;
	if (pool->first == NULL)
		pool->last = &pool->first;
	pool->waiting--;
	give_job(child, job);
}

static void
on_answer(int fd, int events, void *context)
{
	struct child *child = context;
	struct job *job = child->job;
	char answer = 0;
	ssize_t n = recv(fd, &answer, 1, MSG_DONTWAIT);

	child->job = NULL;
	if (n != 1) {
		watch_free(&child->watch);
		close(child->fd);
		child->fd = -1;
	}
	next_job(child);
	if (job != NULL)
		finish_job(job, n == 1 && answer == 1);
}

void
password_pool_start(struct password_pool *pool, struct event_loop *loop)
{
	for (size_t i = 0; i < pool->child_count; i++)
		pool->children[i].watch = watch_new(loop, pool->children[i].fd,
		    WATCH_READ, on_answer, &pool->children[i]);
}

int
password_pool_check(struct password_pool *pool, const char *hash,
    struct text password, void (*done)(bool is_right, void *context),
    void *context)
{
	size_t hash_size = strlen(hash) + 1;
	bool is_alive = false;
	struct job *job;

	for (size_t i = 0; i < pool->child_count; i++)
		is_alive = is_alive || pool->children[i].fd != -1;
	if (!is_alive || pool->waiting == PASSWORD_POOL_MAX_WAITING ||
	    hash_size + password.size > JOB_MAX)
		return -1;
	job = memory_new(1, sizeof(*job));
	memcpy(job->packet, hash, hash_size);
	if (password.size > 0)
		memcpy(job->packet + hash_size, password.data, password.size);
	job->size = hash_size + password.size;
	job->done = done;
	job->context = context;
	*pool->last = job;
	pool->last = &job->next;
	pool->waiting++;
	for (size_t i = 0; i < pool->child_count; i++)
		next_job(&pool->children[i]);
	return 0;
}
