/*
 * See pack_queue.h.  One lock, over the states only: who packs a block has it
 * alone.
 */
#include "snapd/pack_queue.h"

#include "common/log.h"
#include "common/memory.h"
#include "snapd/segment_form.h"

#include <pthread.h>

enum job_state {
	JOB_FREE,
	JOB_WAITS,
	JOB_IS_PACKED, /* now */
	JOB_DONE
};

struct job {
	enum job_state state;
	struct buf raw;
	struct packed_block packed;
	int result;
	struct error error;
};

struct pack_queue {
	/* Of the thread that puts. */
	struct block_packer *packer;
	size_t first, count;
	bool has_thread;
	/* Of both. */
	struct job jobs[PACK_QUEUE_MAX];
	bool is_ending;
	pthread_mutex_t lock;
	pthread_cond_t put, done;
	pthread_t thread;
};

/* The one that waits longest, which the caller takes; with the lock. */
static struct job *
take_job(struct pack_queue *queue, size_t first)
{
	size_t i;

	for (i = 0; i < PACK_QUEUE_MAX; i++) {
		struct job *job = &queue->jobs[(first + i) % PACK_QUEUE_MAX];

		if (job->state == JOB_WAITS) {
			job->state = JOB_IS_PACKED;
			return job;
		}
	}
	return NULL;
}

/* With the lock, which it lets go of meanwhile. */
static void
pack(struct pack_queue *queue, struct job *job, struct block_packer *packer)
{
	pthread_mutex_unlock(&queue->lock);
	job->result = block_pack(packer,
	    text_make(job->raw.data, job->raw.size), &job->packed, &job->error);
	pthread_mutex_lock(&queue->lock);
	job->state = JOB_DONE;
	pthread_cond_signal(&queue->done);
}

/* -- The thread beside -- */

static void *
run(void *context)
{
	struct pack_queue *queue = context;
	struct block_packer *packer = block_packer_new();
	struct job *job;
	size_t next = 0;

	pthread_mutex_lock(&queue->lock);
	while (!queue->is_ending) {
		job = take_job(queue, next);
		if (job == NULL) {
			pthread_cond_wait(&queue->put, &queue->lock);
			continue;
		}
		next = (size_t)(job - queue->jobs) + 1;
		pack(queue, job, packer);
	}
	pthread_mutex_unlock(&queue->lock);
	block_packer_free(&packer);
	return NULL;
}

/* It has the mask of signals of the caller, who has none. */
static void
start_thread(struct pack_queue *queue)
{
	if (pthread_create(&queue->thread, NULL, run, queue) != 0)
		fatal("no thread that packs");
	queue->has_thread = true;
}

/* -- Who puts -- */

struct pack_queue *
pack_queue_new(struct block_packer *packer)
{
	struct pack_queue *queue = memory_new(1, sizeof(*queue));
	size_t i;

	queue->packer = packer;
	for (i = 0; i < PACK_QUEUE_MAX; i++)
		buf_init(&queue->jobs[i].raw, BLOCK_MAX_RAW);
	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->put, NULL);
	pthread_cond_init(&queue->done, NULL);
	return queue;
}

void
pack_queue_free(struct pack_queue **queue)
{
	struct pack_queue *q = *queue;
	size_t i;

	if (q == NULL)
		return;
	pthread_mutex_lock(&q->lock);
	q->is_ending = true;
	pthread_cond_signal(&q->put);
	pthread_mutex_unlock(&q->lock);
	if (q->has_thread)
		pthread_join(q->thread, NULL);
	for (i = 0; i < PACK_QUEUE_MAX; i++) {
		buf_clear(&q->jobs[i].raw);
		packed_block_clear(&q->jobs[i].packed);
	}
	pthread_cond_destroy(&q->put);
	pthread_cond_destroy(&q->done);
	pthread_mutex_destroy(&q->lock);
	memory_free(queue);
}

size_t
pack_queue_count(const struct pack_queue *queue)
{
	return queue->count;
}

static struct job *
next_job(struct pack_queue *queue)
{
	return &queue->jobs[(queue->first + queue->count) % PACK_QUEUE_MAX];
}

struct buf *
pack_queue_raw(struct pack_queue *queue)
{
	return &next_job(queue)->raw;
}

void
pack_queue_put(struct pack_queue *queue)
{
	if (!queue->has_thread)
		start_thread(queue);
	pthread_mutex_lock(&queue->lock);
	next_job(queue)->state = JOB_WAITS;
	queue->count++;
	pthread_cond_signal(&queue->put);
	pthread_mutex_unlock(&queue->lock);
}

/* Until it is packed: what nobody has begun meanwhile is done here. */
static void
wait_for(struct pack_queue *queue, const struct job *job)
{
	struct job *other;

	pthread_mutex_lock(&queue->lock);
	while (job->state != JOB_DONE) {
		other = take_job(queue, queue->first);
		if (other != NULL)
			pack(queue, other, queue->packer);
		else
			pthread_cond_wait(&queue->done, &queue->lock);
	}
	pthread_mutex_unlock(&queue->lock);
}

const struct packed_block *
pack_queue_oldest(struct pack_queue *queue, struct error *error)
{
	struct job *job = &queue->jobs[queue->first];

	wait_for(queue, job);
	if (job->result == 0)
		return &job->packed;
	*error = job->error;
	return NULL;
}

void
pack_queue_drop(struct pack_queue *queue)
{
	struct job *job = &queue->jobs[queue->first];

	wait_for(queue, job);
	pthread_mutex_lock(&queue->lock);
	job->state = JOB_FREE;
	pthread_mutex_unlock(&queue->lock);
	queue->first = (queue->first + 1) % PACK_QUEUE_MAX;
	queue->count--;
}
