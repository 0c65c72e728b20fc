/*
 * See control.h.  The socket is 0600 and root's; who connects is looked up
 * (SO_PEERCRED) all the same.  Few places, so that nobody fills the broker.
 */
#include "broker/control.h"

#include "broker/workers.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/control_socket.h"
#include "common/log.h"
#include "common/status.h"

#include <unistd.h>

enum {
	CONTROL_PLACES = 8,
	CONTROL_MAX_TEXT = 60000
};

struct place {
	struct channel *channel;
	uint64_t reload_tag; /* ours, 0: does not wait */
	uint64_t its_tag;
};

static struct broker *control_broker;
static int control_fd;
static struct place places[CONTROL_PLACES];
static uint64_t last_tag;
static struct buf lines;

static void
put_line(enum role role, pid_t pid, uint32_t uid, uint32_t account,
    uint32_t walls, int64_t started_us, unsigned int restarts,
    uint64_t generation)
{
	(void)buf_put_format(&lines,
	    "role=%s pid=%d uid=%u account=%u walls=0x%x uptime_s=%lld "
	    "restarts=%u generation=%llu\n",
	    role_name(role), pid, uid, account, walls,
	    (long long)((clock_monotonic_us() - started_us) / 1000000),
	    restarts, (unsigned long long)generation);
}

static void
put_elders(void)
{
	for (int i = 0; i < ROLE_COUNT; i++) {
		const struct elder *elder = &control_broker->elders[i];

		if (elder->pid != 0)
			put_line((enum role)i, elder->pid, elder->uid, 0,
			    elder->walls, elder->started_us, elder->restarts,
			    control_broker->settings->generation);
	}
}

static void
put_member(struct member *member)
{
	if (member->pid == 0)
		return;
	put_line(member->role, member->pid, member->uid, member->account,
	    member->walls, member->started_us, member->starts - 1,
	    member->generation);
}

static void
answer_processes(struct channel *channel, uint64_t tag)
{
	struct message answer = { .type = MESSAGE_processes };

	buf_init(&lines, CONTROL_MAX_TEXT);
	put_elders();
	for (int i = ROLE_AUTHD; i <= ROLE_IMAPD; i++)
		put_member(&control_broker->services[i]);
	workers_each(control_broker->workers, put_member);
	answer.processes.tag = tag;
	answer.processes.lines = text_make(lines.data, lines.size);
	(void)channel_send(channel, &answer, NULL, 0);
	buf_clear(&lines);
}

static void
ask_reload(struct place *place, uint64_t tag)
{
	struct message wish = { .type = MESSAGE_reload };

	place->its_tag = tag;
	place->reload_tag = wish.reload.tag = ++last_tag;
	(void)channel_send(control_broker->master, &wish, NULL, 0);
}

void
control_reloaded(uint64_t tag, uint8_t status, uint64_t generation)
{
	struct message answer = { .type = MESSAGE_settings_reloaded };

	for (size_t i = 0; i < CONTROL_PLACES; i++) {
		if (places[i].channel == NULL || places[i].reload_tag != tag)
			continue;
		answer.settings_reloaded.tag = places[i].its_tag;
		answer.settings_reloaded.status = status;
		answer.settings_reloaded.generation = generation;
		places[i].reload_tag = 0;
		(void)channel_send(places[i].channel, &answer, NULL, 0);
	}
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_list_processes)
		answer_processes(channel, message->list_processes.tag);
	else if (message->type == MESSAGE_reload_settings)
		ask_reload(context, message->reload_settings.tag);
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct place *place = context;

	channel_free(&place->channel);
	place->reload_tag = 0;
}

static const struct channel_handler handler = { received, closed };

static void
connection_waits(int fd, int events, void *context)
{
	int peer = control_socket_accept(fd, NULL);

	if (peer == -1)
		return;
	for (size_t i = 0; i < CONTROL_PLACES; i++) {
		if (places[i].channel != NULL)
			continue;
		places[i].channel = channel_new(control_broker->loop, peer,
		    ROLE_BROKER, ROLE_FIRNMAIL, &handler, &places[i]);
		return;
	}
	close(peer);
}

void
control_open(struct broker *broker, int fd)
{
	control_broker = broker;
	control_fd = fd;
	watch_new(broker->loop, control_fd, WATCH_READ, connection_waits, NULL);
}
