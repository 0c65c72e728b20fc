/*
 * authd: who may log in.  It has the accounts with their password hashes in
 * memory, asks its password children, tells broker or queue what it granted,
 * and then the front.  It opens no file; the broker, who started it, brings it
 * fronts and queue and is the one to whom IMAP logins are granted.
 */
#include "authd/login_desk.h"
#include "common/log.h"
#include "common/process.h"

#include <stdlib.h>
#include <unistd.h>

static struct event_loop *loop;
static struct login_desk *desk;
static struct channel *broker; /* the starter */
static struct channel *queue;  /* NULL while there is none */
static uint64_t queue_instance;

/* -- The queue -- */

static void
from_queue(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_sender_granted)
		login_desk_granted(desk, ROLE_QUEUE,
		    message->sender_granted.instance,
		    message->sender_granted.connection);
}

static void
queue_closed(struct channel *channel, const struct error *error, void *context)
{
	login_desk_set_queue(desk, NULL);
	process_peer_closed(error, ROLE_QUEUE, 0, queue_instance);
	channel_free(&queue);
}

static void
set_queue(int fd, uint64_t instance)
{
	static const struct channel_handler handler = { from_queue,
		queue_closed };

	login_desk_set_queue(desk, NULL);
	channel_free(&queue);
	queue = channel_new(loop, fd, ROLE_AUTHD, ROLE_QUEUE, &handler, NULL);
	queue_instance = instance;
	login_desk_set_queue(desk, queue);
}

/* -- The broker -- */

static void
introduced(const struct message_introduce *introduce, int *fd)
{
	enum role role = (enum role)introduce->role;

	if (*fd == -1)
		return;
	if (role == ROLE_QUEUE)
		set_queue(*fd, introduce->instance);
	else if (role == ROLE_SMTPD || role == ROLE_IMAPD)
		login_desk_add_front(desk, *fd, role, introduce->instance);
	else
		return;
	*fd = -1;
}

static void
set_local_users(int fd)
{
	struct error error;
	struct local_users *users = local_users_read(fd, &error);

	if (users == NULL)
		log_error("local-users", "why=\"%s\"", error.text);
	else
		login_desk_set_local_users(desk, users);
}

static void
reload(const struct message_settings *settings, const int *fds)
{
	struct account_table *accounts;
	struct error error;

	for (size_t i = 0; i < settings->kinds.size; i++) {
		if (settings->kinds.data[i] == START_LOCAL_USERS)
			set_local_users(fds[i]);
		if (settings->kinds.data[i] != START_ACCOUNTS)
			continue;
		accounts = account_table_read(fds[i], &error);
		if (accounts != NULL)
			login_desk_set_accounts(desk, accounts);
		else
			log_error("reload", "why=\"%s\"", error.text);
	}
}

static void
from_broker(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	switch (message->type) {
	case MESSAGE_introduce:
		introduced(&message->introduce, &fds[0]);
		break;
	case MESSAGE_settings:
		reload(&message->settings, fds);
		break;
	case MESSAGE_granted:
		login_desk_granted(desk, ROLE_BROKER, message->granted.instance,
		    message->granted.connection);
		break;
	case MESSAGE_stop:
		event_loop_stop(loop);
		break;
	default:
		break;
	}
}

static void
broker_closed(struct channel *channel, const struct error *error, void *context)
{
	event_loop_stop(loop);
}

/* -- Starting -- */

static struct account_table *
read_accounts(struct process *process)
{
	int fd = process_take(process, START_ACCOUNTS, 0);
	struct account_table *accounts;
	struct error error;

	accounts = account_table_read(fd, &error);
	if (accounts == NULL)
		fatal("why=\"accounts: %s\"", error.text);
	close(fd);
	return accounts;
}

/* The keeper of the children has all walls of authd, and none of its
 * descriptors but the log. */
static void
confine_keeper(void *context)
{
	struct process *process = context;

	(void)process_confine(process);
	close(PROCESS_STARTER_FD);
}

static struct password_pool *
start_children(struct process *process)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct password_pool *pool;
	struct error error;

	pool = password_pool_new(
	    cores > 1 ? (size_t)cores : 1, confine_keeper, process, &error);
	if (pool == NULL)
		fatal("why=\"%s\"", error.text);
	return pool;
}

/* The broker starts a whole authd again. */
static void
children_lost(void *context)
{
	log_error("password-keeper-lost", "result=restart");
	_exit(EXIT_FAILURE);
}

int
main(void)
{
	static const struct channel_handler handler = { from_broker,
		broker_closed };
	struct account_table *accounts;
	struct password_pool *pool;
	struct process process;
	int local_users_fd;
	uint32_t walls;

	process_begin(&process, ROLE_AUTHD);
	/* Before the accounts are read: children know no hash but the one that
	 * they are given. */
	pool = start_children(&process);
	accounts = read_accounts(&process);
	local_users_fd = process_take(&process, START_LOCAL_USERS, 0);
	walls = process_confine(&process);
	loop = event_loop_new();
	password_pool_start(pool, loop, children_lost, NULL);
	desk = login_desk_new(loop, pool, accounts);
	if (local_users_fd != -1)
		set_local_users(local_users_fd);
	close(local_users_fd);
	broker = process_ready(&process, loop, walls, &handler, NULL);
	login_desk_set_broker(desk, broker);
	event_loop_run(loop);
	login_desk_set_broker(desk, NULL);
	login_desk_free(&desk);
	password_pool_free(&pool);
	channel_free(&queue);
	channel_free(&broker);
	event_loop_free(&loop);
	return EXIT_SUCCESS;
}
