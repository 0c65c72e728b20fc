/*
 * snapd: the snapshot store's process.  Started by master with the store's
 * directory as its root, the control socket for snapctl and its settings; the
 * broker introduces queue and workers.  `snapd create`, run once by setup with
 * the empty directory as descriptor 3, makes the store and prints its id and,
 * once and for all, the private half of its recovery key.  `snapd rebuild`, run
 * by snapctl with that directory, makes the index anew; `snapd recover`, run in
 * it with the recovery key as descriptor 3, puts a lost store key back; `snapd
 * open-damaged` has the next start open a store that the fence keeps closed.
 */
#include "common/control_socket.h"
#include "common/event_loop.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "common/settings.h"
#include "common/digest.h"
#include "snapd/fence.h"
#include "snapd/rebuild.h"
#include "snapd/segments_open.h"
#include "snapd/snapd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	/* Above the 2 MiB that LMDB takes for each nested transaction, of which
	 * every message has one. */
	RETURN_ABOVE = 2304 << 10
};

struct server {
	struct process process;
	struct event_loop *loop;
	struct snapd *snapd;
	struct channel *starter;
	struct watch *control;
	bool is_failed;
};

static int
create(void)
{
	uint8_t recovery[RECOVERY_KEY_SIZE];
	struct store_id id;
	struct error error;
	char hex[33], recovery_hex[2 * RECOVERY_KEY_SIZE + 1];

	if (segments_create_store(PROCESS_STARTER_FD, &id, recovery, &error) !=
	    0) {
		fprintf(stderr, "snapd: %s\n", error.text);
		return 1;
	}
	text_format_hex(id.bytes, sizeof(id.bytes), hex);
	text_format_hex(recovery, sizeof(recovery), recovery_hex);
	return printf("%s\n%s\n", hex, recovery_hex) > 0 && fflush(stdout) == 0
		   ? 0
		   : 1;
}

/* The recovery key comes in descriptor 3, the store is the present folder. */
static int
recover(void)
{
	uint8_t recovery[RECOVERY_KEY_SIZE];
	struct error error = { .code = ERROR_INPUT, .text = "no key" };
	int result = -1;

	if (pread(PROCESS_STARTER_FD, recovery, sizeof(recovery), 0) ==
	    (ssize_t)sizeof(recovery))
		result = segments_recover_key(".", recovery, &error);
	explicit_bzero(recovery, sizeof(recovery));
	if (result != 0)
		fprintf(stderr, "snapd: %s\n", error.text);
	return result == 0 ? 0 : 1;
}

static void
tell_damage(void *context, const char *text)
{
	(void)context;
	fprintf(stderr, "snapd: %s\n", text);
}

static int
rebuild(void)
{
	struct rebuild_result result = { .finding = tell_damage };
	struct error error;
	char hex[33];

	if (fchdir(PROCESS_STARTER_FD) != 0 ||
	    rebuild_index(".", SNAPD_MAP_BYTES, &result, &error) != 0) {
		fprintf(stderr, "snapd: %s\n", error.text);
		return 1;
	}
	text_format_hex(result.store.bytes, sizeof(result.store.bytes), hex);
	return printf("store=%s\nsegments=%" PRIu64 "\nevents=%" PRIu64
		      "\nrows=%" PRIu64 "\nbodies=%" PRIu64
		      "\naccepted=%" PRIu64 "\ndamaged=%" PRIu64 "\nkept=%s\n",
		   hex, result.segments, result.sequence, result.rows,
		   result.bodies, result.accepted, result.damaged,
		   result.kept) > 0 &&
		       fflush(stdout) == 0
		   ? 0
		   : 1;
}

/* The next start opens the store whatever the verifier says. */
static int
open_damaged(void)
{
	struct error error = { .code = ERROR_NONE };

	if (fchdir(PROCESS_STARTER_FD) == 0 && fence_lift(".", &error) == 0)
		return printf("state=lifted\n") > 0 && fflush(stdout) == 0 ? 0
									   : 1;
	if (error.code == ERROR_EXISTS)
		return printf("state=open\n") > 0 && fflush(stdout) == 0 ? 0
									 : 1;
	fprintf(stderr, "snapd: %s\n",
	    error.code != ERROR_NONE ? error.text : "no store");
	return 1;
}

static void
failed(void *context)
{
	struct server *server = context;

	server->is_failed = true;
	event_loop_stop(server->loop);
}

static struct retention
retention_of(const struct settings *settings)
{
	struct retention retention = { .every_s = settings->snapshot_every_s,
		.minimum_s = settings->keep_minimum_s };
	size_t i;

	for (i = 0; i < settings->keep_count && i < RETENTION_MAX_TIERS; i++) {
		retention.tiers[i].every_s = settings->keep[i].every_s;
		retention.tiers[i].span_s = settings->keep[i].span_s;
	}
	retention.count = i;
	return retention;
}

static struct allowance_limits
limits_of(const struct settings *settings)
{
	return (struct allowance_limits){ settings->max_account_changes,
		settings->max_account_bytes };
}

/* After a reload; a policy that keeps less waits, as any other does. */
static void
take_new_settings(struct server *server, const struct message_settings *message,
    const int *fds)
{
	struct allowance_limits limits;
	struct settings *settings;
	struct retention retention;
	struct error error;
	size_t i;

	for (i = 0; i < message->kinds.size; i++) {
		if (message->kinds.data[i] != START_SETTINGS || fds[i] == -1)
			continue;
		settings = settings_read_slice(fds[i], &error);
		if (settings == NULL) {
			log_error("reload", "why=\"%s\"", error.text);
			return;
		}
		retention = retention_of(settings);
		limits = limits_of(settings);
		snapd_configure(server->snapd, &retention, &limits,
		    settings->reconcile_every_s);
		snapd_configure_drill(server->snapd, settings->drill_every_s,
		    settings->drill_sample);
		snapd_configure_segments(server->snapd, settings->segment_bytes,
		    settings->seal_after_s);
		settings_free(&settings);
		return;
	}
}

/* -- master, who introduces the broker -- */

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct server *server = context;

	(void)channel;
	switch (message->type) {
	case MESSAGE_introduce:
		if (message->introduce.role == ROLE_VERIFY && fds[0] != -1) {
			snapd_set_verifier(server->snapd, fds[0]);
			fds[0] = -1;
			break;
		}
		if (message->introduce.role == ROLE_DRILL && fds[0] != -1) {
			snapd_set_driller(server->snapd, fds[0]);
			fds[0] = -1;
			break;
		}
		if (message->introduce.role != ROLE_BROKER || fds[0] == -1)
			break;
		snapd_add_channel(server->snapd, fds[0], ROLE_BROKER, 0);
		fds[0] = -1;
		break;
	case MESSAGE_settings:
		take_new_settings(server, &message->settings, fds);
		break;
	case MESSAGE_elder_alarm:
		snapd_alarm(server->snapd, message->elder_alarm.role, 0,
		    message->elder_alarm.reason);
		break;
	case MESSAGE_service_file:
		snapd_service_file(
		    server->snapd, &message->service_file, fds[0]);
		fds[0] = -1;
		break;
	case MESSAGE_service_files:
		snapd_service_files(server->snapd);
		break;
	case MESSAGE_stop:
		event_loop_stop(server->loop);
		break;
	default:
		break;
	}
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct server *server = context;

	(void)channel;
	log_warning("master-gone", "why=\"%s\"", error->text);
	event_loop_stop(server->loop);
}

static void
accept_control(int fd, int events, void *context)
{
	struct server *server = context;
	uint32_t uid;
	int client = control_socket_accept(fd, &uid);

	if (client != -1)
		snapd_add_control(server->snapd, client, uid);
}

static const struct channel_handler handler = { received, closed };

static struct settings *
take_settings(struct process *process)
{
	struct settings *settings;
	struct error error;
	int fd = process_take(process, START_SETTINGS, 0);

	settings = settings_read_slice(fd, &error);
	if (settings == NULL)
		fatal("settings: %s", error.text);
	close(fd);
	return settings;
}

static void
serve(struct server *server, const struct settings *settings, int control_fd,
    uint32_t walls)
{
	struct snapd_options options = { .path = ".",
		.store_id = settings->store_id,
		.retention = retention_of(settings),
		.limits = limits_of(settings),
		.reconcile_every_s = settings->reconcile_every_s,
		.drill_every_s = settings->drill_every_s,
		.drill_sample = settings->drill_sample,
		.segment_bytes = settings->segment_bytes,
		.seal_after_ms = (int64_t)settings->seal_after_s * 1000,
		.failed = failed,
		.context = server };

	server->loop = event_loop_new();
	server->snapd = snapd_new(server->loop, &options);
	server->starter = process_ready(
	    &server->process, server->loop, walls, &handler, server);
	if (control_fd >= 0)
		server->control = watch_new(server->loop, control_fd,
		    WATCH_READ, accept_control, server);
	event_loop_run(server->loop);
	watch_free(&server->control);
	snapd_free(&server->snapd);
	/* Last: master kills who closes his channel and is still there. */
	channel_free(&server->starter);
	event_loop_free(&server->loop);
}

int
main(int argc, char **argv)
{
	struct server server = { .is_failed = false };
	struct settings *settings;
	uint32_t walls;
	int control_fd;

	if (argc == 2 && strcmp(argv[1], "create") == 0)
		return create();
	if (argc == 2 && strcmp(argv[1], "rebuild") == 0)
		return rebuild();
	if (argc == 2 && strcmp(argv[1], "recover") == 0)
		return recover();
	if (argc == 2 && strcmp(argv[1], "open-damaged") == 0)
		return open_damaged();
	process_begin(&server.process, ROLE_SNAPD);
	memory_return_above(RETURN_ABOVE);
	settings = take_settings(&server.process);
	control_fd = process_take(&server.process, START_CONTROL, 0);
	digest_prepare();
	walls = process_confine(&server.process);
	serve(&server, settings, control_fd, walls);
	settings_free(&settings);
	return server.is_failed ? 1 : 0;
}
