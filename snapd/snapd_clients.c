/*
 * Who is at the other ends of the snapshot process's channels, and what comes
 * from them: messages go to mail_requests.c, control.c or drill.c by the role
 * that the broker or the socket gave a channel.
 */
#include "snapd/snapd_state.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "common/table.h"
#include "snapd/batch.h"
#include "snapd/drill.h"
#include "snapd/reconcile.h"
#include "snapd/restore.h"
#include "snapd/round.h"

#include <stdio.h>
#include <stdlib.h>

struct client *
snapd_client(struct snapd *snapd, uint64_t id)
{
	return table_find_u64(snapd->clients, id);
}

void
snapd_tell_followers(struct snapd *snapd, uint64_t sequence)
{
	size_t position = 0;
	void *value;

	while (table_next(snapd->clients, &position, NULL, NULL, &value))
		control_follow_on(value, sequence);
}

size_t
snapd_waiting_bytes(const struct snapd *snapd)
{
	size_t position = 0, sum = 0;
	void *value;

	while (table_next(snapd->clients, &position, NULL, NULL, &value)) {
		const struct client *client = value;

		if (client->role == ROLE_SNAPCTL)
			sum += channel_waiting_bytes(client->channel);
	}
	return sum;
}

struct client *
snapd_worker(struct snapd *snapd, uint32_t account)
{
	struct client *newest = NULL;
	size_t position = 0;
	void *value;

	while (table_next(snapd->clients, &position, NULL, NULL, &value)) {
		struct client *client = value;

		if (client->role == ROLE_WORKER && client->account == account &&
		    (newest == NULL || client->id > newest->id))
			newest = client;
	}
	return newest;
}

bool
snapd_is_replaced(const struct client *client)
{
	size_t position = 0;
	void *value;

	while (
	    table_next(client->snapd->clients, &position, NULL, NULL, &value)) {
		const struct client *other = value;

		if (other->role == client->role &&
		    other->account == client->account && other->id > client->id)
			return true;
	}
	return false;
}

int
snapd_start_worker(struct snapd *snapd, uint32_t account)
{
	struct message message = { .type = MESSAGE_start_worker };
	struct client *broker = snapd_client(snapd, snapd->broker);

	if (broker == NULL)
		return -1;
	message.start_worker.account = account;
	return channel_send(broker->channel, &message, NULL, 0);
}

void
snapd_reading_done(struct reading *reading, void *context)
{
	struct snapd *snapd = context;
	struct client *client = table_find_u64(
	    snapd->clients, (uint64_t)(uintptr_t)reading->context);

	if (client != NULL && !round_is_failed(snapd->round)) {
		if (client->role == ROLE_DRILL) {
			drill_reading_done(client, reading);
			return;
		}
		if (reading->kind == READ_CONTROL) {
			control_reading_done(client, reading);
			return;
		}
		mail_reading_done(client, reading);
	}
	reading_free(&reading);
}

void
snapd_free_client(struct client *client)
{
	table_remove_u64(client->snapd->clients, client->id);
	if (client->snapd->broker == client->id)
		client->snapd->broker = 0;
	if (client->role == ROLE_WORKER) {
		restore_worker_gone(client->snapd, client->account);
		reconcile_worker_gone(client->snapd->reconciler,
		    client->account, client->has_committed);
	}
	if (client->role == ROLE_DRILL && client->snapd->drill != NULL)
		drill_process_gone(client->snapd->drill, client);
	reading_free(&client->stream);
	reading_free(&client->follower);
	channel_free(&client->channel);
	batch_free(&client->batch);
	free(client);
}

static void
receive_from_broker(
    struct snapd *snapd, const struct message *message, int *fds)
{
	const struct message_introduce *introduce = &message->introduce;

	switch ((int)message->type) {
	case MESSAGE_introduce:
		if (fds[0] == -1 || (introduce->role != ROLE_QUEUE &&
					introduce->role != ROLE_WORKER))
			break;
		if (introduce->account >= ACCOUNT_SERVICE) {
			log_alarm("introduction-refused", "account=%u",
			    introduce->account);
			break;
		}
		snapd_add_client(snapd, fds[0], (enum role)introduce->role,
		    introduce->account)
		    ->instance = introduce->instance;
		fds[0] = -1;
		break;
	case MESSAGE_account_started:
		if (message->account_started.status == STATUS_OK)
			break;
		restore_worker_failed(snapd, message->account_started.account);
		reconcile_worker_failed(
		    snapd->reconciler, message->account_started.account);
		break;
	case MESSAGE_alarm:
		snapd_alarm(snapd, message->alarm.role, message->alarm.account,
		    message->alarm.reason);
		break;
	default:
		break;
	}
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct client *client = context;

	if (round_is_failed(client->snapd->round))
		return;
	if (client->role == ROLE_BROKER)
		receive_from_broker(client->snapd, message, fds);
	else if (client->role == ROLE_SNAPCTL)
		control_request_received(client, message);
	else if (client->role == ROLE_DRILL)
		drill_received(client, message);
	else
		mail_request_received(client, message, fds);
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct client *client = context;

	process_peer_closed(
	    error, client->role, client->account, client->instance);
	snapd_free_client(client);
}

static const struct channel_handler handler = { received, closed };

struct client *
snapd_add_client(struct snapd *snapd, int fd, enum role peer, uint32_t account)
{
	struct client *client = memory_new(1, sizeof(*client));

	client->id = ++snapd->next_client;
	client->snapd = snapd;
	client->role = peer;
	client->account = account;
	client->channel =
	    channel_new(snapd->loop, fd, ROLE_SNAPD, peer, &handler, client);
	table_put_u64(snapd->clients, client->id, client);
	if (peer == ROLE_BROKER)
		snapd->broker = client->id;
	if (peer == ROLE_WORKER) {
		restore_worker_there(client);
		reconcile_worker_there(snapd->reconciler, account);
	}
	return client;
}

void
snapd_add_channel(struct snapd *snapd, int fd, enum role peer, uint32_t account)
{
	(void)snapd_add_client(snapd, fd, peer, account);
}

void
snapd_add_control(struct snapd *snapd, int fd, uint32_t uid)
{
	struct client *client = snapd_add_client(snapd, fd, ROLE_SNAPCTL, 0);

	snprintf(client->note.user, sizeof(client->note.user), "uid=%u", uid);
}

void
snapd_set_driller(struct snapd *snapd, int fd)
{
	struct client *before = snapd_client(snapd, snapd->driller);
	struct client *now;

	if (before != NULL)
		snapd_free_client(before);
	now = snapd_add_client(snapd, fd, ROLE_DRILL, 0);
	snapd->driller = now->id;
	drill_process_there(snapd->drill, now);
}
