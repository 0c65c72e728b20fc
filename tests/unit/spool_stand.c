/* See spool_stand.h. */
#include "tests/unit/spool_stand.h"

#include "tests/unit/loop_wait.h"

#include <string.h>

char folder[SCRATCH_PATH];
struct event_loop *loop;
struct settings *settings;
struct spool *spool;

void
make_folder(void)
{
	scratch_make(folder, "firnmail-spool");
	settings = settings_new();
	strcpy(settings->host, "mx.demo.test");
}

void
remove_folder(void)
{
	settings_free(&settings);
	scratch_remove(folder);
}

void
open_spool(const struct account_table *accounts, void (*failed)(void *context))
{
	const struct spool_options options = { .path = folder,
		.map_bytes = 1 << 30,
		.settings = settings,
		.accounts = accounts,
		.failed = failed };
	struct error error;

	loop = event_loop_new();
	spool = spool_new(loop, &options, &error);
	if (spool == NULL)
		fail_msg("%s", error.text);
}

void
close_spool(void)
{
	spool_free(&spool);
	event_loop_free(&loop);
}

struct channel *
connect_to(enum role role, const struct channel_handler *handler)
{
	struct error error;
	int ends[2];

	assert_int_equal(channel_pair(ends, &error), 0);
	if (role == ROLE_FIRNMAIL)
		spool_add_control(spool, ends[1]);
	else
		spool_introduce(spool, role, INSTANCE, ends[1]);
	return channel_new(loop, ends[0], role, ROLE_SPOOL, handler, NULL);
}

void
gone(struct channel *channel, const struct error *error, void *context)
{
}

void
wait_for(bool (*is_so)(void))
{
	assert_true(loop_wait(loop, is_so));
}
