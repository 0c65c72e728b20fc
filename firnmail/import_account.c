/* See import_account.h. */
#include "firnmail/import_account.h"

#include "common/memory.h"
#include "common/status.h"

#include <stdlib.h>
#include <time.h>

enum {
	LOOK_AGAIN_MS = 250,
	LOOK_TRIES = 2400 /* ten minutes of others' looks */
};

static int
code_of(const struct message *answer, const char *what)
{
	const struct message_control_done *done = &answer->control_done;

	if (done->status == STATUS_OK)
		return EXIT_DONE;
	return command_fail(done->status == STATUS_UNAVAILABLE
				? EXIT_UNREACHABLE
			    : done->status == STATUS_LIMIT ? EXIT_BUSY
							   : EXIT_FAILED,
	    "%s: %s%s%.*s", what, status_name((enum status)done->status),
	    done->text.size > 0 ? ": " : "", TEXT_FMT(done->text));
}

static int
begin_look(struct import_look *look)
{
	struct message request = { .type = MESSAGE_control_reconcile };
	int code;

	request.control_reconcile.account = look->account;
	code = daemon_send(look->snapd, &request);
	look->is_due = false;
	look->is_under_way = code == EXIT_DONE;
	return code;
}

static int
receive_look(struct import_look *look, struct message *answer)
{
	int code = daemon_receive(look->snapd, answer);

	if (code != EXIT_DONE || answer->type != MESSAGE_control_row)
		look->is_under_way = false;
	return code;
}

/* How it ended says nothing: another one follows when all is there. */
void
import_look_soon(struct import_look *look, bool is_more)
{
	struct message answer;

	look->is_due |= is_more;
	while (look->is_under_way && daemon_has_news(look->snapd))
		if (receive_look(look, &answer) != EXIT_DONE)
			return;
	if (look->is_due && !look->is_under_way)
		(void)begin_look(look);
}

/* The answer to one that is begun here. */
static int
look_once(struct import_look *look, struct message *answer)
{
	int code = EXIT_DONE;

	while (look->is_under_way && code == EXIT_DONE)
		code = receive_look(look, answer);
	if (code == EXIT_DONE)
		code = begin_look(look);
	while (look->is_under_way && code == EXIT_DONE)
		code = receive_look(look, answer);
	return code;
}

/* Where somebody else has asked for a look, this one follows his, which may
 * have passed what is new. */
int
import_look_now(struct import_look *look)
{
	const struct timespec pause = { .tv_nsec = LOOK_AGAIN_MS * 1000000 };
	struct message answer;
	unsigned int tries = 0;
	int code;

	for (;;) {
		code = look_once(look, &answer);
		if (code != EXIT_DONE ||
		    answer.control_done.status != STATUS_LIMIT ||
		    ++tries == LOOK_TRIES)
			break;
		(void)nanosleep(&pause, NULL);
	}
	return code != EXIT_DONE
		   ? code
		   : code_of(&answer, "the account's worker could not look at "
				      "all of its mail");
}

static void
take_row(const struct message_control_row *row, void *context)
{
	struct table *mailboxes = context;
	struct import_mailbox *mailbox;
	struct mailbox_record record;
	struct reader reader;

	if (row->kind != CONTROL_MAILBOX)
		return;
	reader_init(&reader, row->record.data, row->record.size);
	if (record_get_mailbox(&reader, &record) != 1 || record.is_retired)
		return;
	mailbox = memory_new(1, sizeof(*mailbox));
	mailbox->uidvalidity = record.uidvalidity;
	mailbox->uidnext = record.uidnext;
	mailbox->messages = record.message_count;
	free(table_put(mailboxes, record.name.data, record.name.size, mailbox));
}

int
import_list(struct daemon *snapd, uint32_t account, struct table **mailboxes)
{
	struct message request = { .type = MESSAGE_control_ls };
	struct message answer;
	int code;

	*mailboxes = table_new();
	request.control_ls.point_kind = POINT_NOW;
	request.control_ls.account = account;
	code = daemon_ask(snapd, &request, take_row, *mailboxes, &answer);
	return code != EXIT_DONE ? code
				 : code_of(&answer, "list of the mailboxes");
}

void
import_mailboxes_free(struct table **mailboxes)
{
	size_t position = 0;
	void *value;

	if (*mailboxes == NULL)
		return;
	while (table_next(*mailboxes, &position, NULL, NULL, &value))
		free(value);
	table_free(mailboxes);
}
