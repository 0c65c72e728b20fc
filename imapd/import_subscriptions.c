/*
 * Takes over the subscriptions that `firnmail import` left in the account's
 * home: a mailbox name a line, UTF-8.  The file goes when the store has
 * answered for all of them, so that a crash between subscribes again, which
 * changes nothing.  Names are checked as those of a client are.
 */
#include "imapd/account_state.h"

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"

#include <stdlib.h>
#include <unistd.h>

#define IMPORTED_NAMES "import/subscriptions"

enum {
	IMPORT_MAX_BYTES = 4 << 20,
	IMPORT_MAX_NAMES = 10000
};

struct import {
	struct account_store *account;
	size_t waiting;
	bool has_failed; /* the store was away: the next look tries again */
};

static void
answered(struct import *import)
{
	struct error error;

	if (--import->waiting > 0)
		return;
	if (!import->has_failed)
		file_unlink(import->account->home_fd, IMPORTED_NAMES, &error);
	free(import);
}

static void
subscribed(const struct mailbox_answer *answer, void *context)
{
	struct import *import = context;

	if (status_passes(answer->status))
		import->has_failed = true;
	else if (answer->status != STATUS_OK)
		log_warning("import-subscription", "status=%s",
		    status_name(answer->status));
	answered(import);
}

static void
subscribe_all(struct account_store *account, struct text names)
{
	static const struct change_note note = { .cause = CAUSE_IMPORT };
	struct import *import = memory_new(1, sizeof(*import));
	size_t count = 0;
	struct text name;

	import->account = account;
	import->waiting = 1;
	account_store_act_for(account, &note);
	while (text_next(&names, '\n', &name) && count++ < IMPORT_MAX_NAMES) {
		if (name.size == 0 || mailbox_list_is_subscribed(account, name))
			continue;
		import->waiting++;
		mailbox_list_subscribe(account, name, true, subscribed, import);
	}
	account_store_act_for(account, NULL);
	answered(import);
}

void
import_subscriptions(struct account_store *account)
{
	struct error error;
	struct buf buf;
	int fd = file_open_read(account->home_fd, IMPORTED_NAMES, &error);

	if (fd == -1)
		return;
	buf_init(&buf, IMPORT_MAX_BYTES);
	if (file_read_all(fd, &buf, &error) == -1)
		log_warning("import-subscriptions", "error=\"%s\"", error.text);
	else
		subscribe_all(account, text_make(buf.data, buf.size));
	buf_clear(&buf);
	close(fd);
}
