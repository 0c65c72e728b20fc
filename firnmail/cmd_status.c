/*
 * firnmail status: the processes with their walls, and the store.  Scripts get
 * rows of two types: process and fact.
 */
#include "common/status.h"
#include "firnmail/process_list.h"

#include <stdio.h>

/* The address of an account, or its number in `storage`; "-" for 0. */
static struct text
account_name(const struct firnmail *firnmail, uint64_t number, char storage[24])
{
	const struct account *account =
	    account_find_number(firnmail->accounts, (uint32_t)number);

	if (number == 0)
		return TEXT("-");
	if (account != NULL)
		return text_of(account->address);
	(void)snprintf(storage, 24, "%llu", (unsigned long long)number);
	return text_of(storage);
}

static void
print_process(struct firnmail *firnmail, const struct process_line *process)
{
	char walls[64], storage[24];

	process_line_walls(process->walls, walls);
	const struct field fields[] = {
		FIELD_T("role", 8, process->role),
		FIELD_N("pid", 8, process->pid),
		FIELD_N("uid", 11, process->uid),
		FIELD_N("uptime_s", 9, process->uptime_s),
		FIELD_N("restarts", 8, process->restarts),
		FIELD_T("account", 24,
		    account_name(firnmail, process->account, storage)),
		FIELD_T("walls", 0, text_of(walls)),
	};
	output_row(firnmail->output, "process", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

static void
print_fact(const struct message_control_row *row, void *context)
{
	struct firnmail *firnmail = context;
	struct control_fact fact;

	if (row->kind != CONTROL_FACT ||
	    control_get_fact(row->record, &fact) == -1)
		return;
	const struct field fields[] = {
		FIELD_T("name", 20, fact.name),
		FIELD_T("value", 0, fact.value),
	};
	output_row(firnmail->output, "fact", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

static int
show_store(struct firnmail *firnmail, struct daemon *snapd)
{
	struct message request = { .type = MESSAGE_control_status };
	struct message answer;
	int code;

	output_say(firnmail->output, "\nsnapshot store");
	output_new_table(firnmail->output);
	code = daemon_ask(snapd, &request, print_fact, firnmail, &answer);
	if (code != EXIT_DONE || answer.control_done.status == STATUS_OK)
		return code;
	return command_fail(EXIT_UNREACHABLE, "snapshot store: %s %.*s",
	    status_name(answer.control_done.status),
	    TEXT_FMT(answer.control_done.text));
}

int
cmd_status(struct firnmail *firnmail, int argc, char **argv)
{
	struct daemon broker = { .fd = -1 }, snapd = { .fd = -1 };
	int code;

	(void)argv;
	if (argc > 0)
		return command_usage("status");
	code = command_load(firnmail, false);
	if (code == EXIT_DONE)
		code = daemon_open(firnmail, ROLE_BROKER, &broker);
	if (code == EXIT_DONE)
		code = daemon_open(firnmail, ROLE_SNAPD, &snapd);
	if (code == EXIT_DONE)
		code = command_drop_rights();
	if (code == EXIT_DONE)
		code = process_list_each(firnmail, &broker, print_process);
	if (code == EXIT_DONE)
		code = show_store(firnmail, &snapd);
	daemon_close(&broker);
	daemon_close(&snapd);
	return code;
}
