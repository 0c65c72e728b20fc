/* See worker_places.h. */
#include "broker/worker_places.h"

#include "common/memory.h"
#include "common/status.h"
#include "common/table.h"

#include <stdlib.h>
#include <unistd.h>

struct worker *
worker_find(const struct workers *workers, uint32_t account)
{
	return table_find_u64(workers->by_account, account);
}

struct worker *
worker_add(struct workers *workers, uint32_t account)
{
	struct worker *worker = memory_new(1, sizeof(*worker));

	worker->workers = workers;
	worker->member.broker = workers->broker;
	worker->member.role = ROLE_WORKER;
	worker->member.account = account;
	worker->member.log_end = -1;
	table_put_u64(workers->by_account, account, worker);
	return worker;
}

void
worker_forget(struct worker *worker)
{
	worker_leave_line(worker);
	table_remove_u64(worker->workers->by_account, worker->member.account);
	timer_free(&worker->member.timer);
	timer_free(&worker->member.kill_timer);
	if (worker->member.log_end != -1)
		close(worker->member.log_end);
	session_list_free(&worker->sessions);
	worker_answer_sessions(worker, STATUS_UNAVAILABLE);
	free(worker);
}

struct worker *
worker_next(const struct workers *workers, size_t *position)
{
	void *worker;

	return table_next(workers->by_account, position, NULL, NULL, &worker)
		   ? worker
		   : NULL;
}

void
worker_enter_process(struct worker *worker)
{
	table_put_u64(
	    worker->workers->by_process, (uint64_t)worker->member.pid, worker);
}

struct member *
workers_take_pid(struct workers *workers, pid_t pid)
{
	struct worker *worker =
	    table_remove_u64(workers->by_process, (uint64_t)pid);

	return worker != NULL ? &worker->member : NULL;
}

void
worker_enter_line(struct worker *worker, struct worker_line *line)
{
	worker_leave_line(worker);
	worker->line = line;
	worker->before = line->last;
	if (line->last != NULL)
		line->last->behind = worker;
	else
		line->first = worker;
	line->last = worker;
	line->count++;
}

void
worker_leave_line(struct worker *worker)
{
	struct worker_line *line = worker->line;

	if (line == NULL)
		return;
	if (worker->before != NULL)
		worker->before->behind = worker->behind;
	else
		line->first = worker->behind;
	if (worker->behind != NULL)
		worker->behind->before = worker->before;
	else
		line->last = worker->before;
	line->count--;
	worker->before = worker->behind = NULL;
	worker->line = NULL;
}
