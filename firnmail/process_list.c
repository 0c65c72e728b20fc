/* See process_list.h. */
#include "firnmail/process_list.h"

#include "common/sandbox.h"
#include "common/status.h"

#include <stdio.h>
#include <string.h>

/* "0x1f" */
static int
parse_walls(struct text text, unsigned int *walls)
{
	uint8_t byte;

	if (!text_starts_nocase(text, "0x"))
		return -1;
	text = text_skip(text, 2);
	if (text.size == 1 && text_is_digit(text.data[0])) {
		*walls = (unsigned int)(text.data[0] - '0');
		return 0;
	}
	if (text.size == 1 && text.data[0] >= 'a' && text.data[0] <= 'f') {
		*walls = (unsigned int)(text.data[0] - 'a' + 10);
		return 0;
	}
	if (text_parse_hex(text, &byte, 1) == -1)
		return -1;
	*walls = byte;
	return 0;
}

static int
take_pair(struct text key, struct text value, struct process_line *process)
{
	const struct {
		const char *key;
		uint64_t *number;
	} numbers[] = {
		{ "pid", &process->pid },
		{ "uid", &process->uid },
		{ "account", &process->account },
		{ "uptime_s", &process->uptime_s },
		{ "restarts", &process->restarts },
		{ "generation", &process->generation },
	};

	if (text_is(key, "role")) {
		process->role = value;
		return 0;
	}
	if (text_is(key, "walls"))
		return parse_walls(value, &process->walls);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (text_is(key, numbers[i].key))
			return text_parse_number(
			    value, INT64_MAX, numbers[i].number);
	return 0;
}

int
process_line_parse(struct text line, struct process_line *process)
{
	struct text pair, key;

	memset(process, 0, sizeof(*process));
	while (text_next(&line, ' ', &pair)) {
		if (text_find_byte(pair, '=') == -1)
			return -1;
		(void)text_next(&pair, '=', &key);
		if (take_pair(key, pair, process) == -1)
			return -1;
	}
	return process->role.size > 0 && process->pid > 0 ? 0 : -1;
}

void
process_line_walls(unsigned int walls, char to[64])
{
	static const struct {
		unsigned int bit;
		const char *name;
	} names[] = { { WALL_UID, "uid" }, { WALL_CHROOT, "chroot" },
		{ WALL_CAPABILITIES, "capabilities" },
		{ WALL_BOUNDING, "bounding" }, { WALL_LANDLOCK, "landlock" },
		{ WALL_SECCOMP, "seccomp" } };
	size_t size = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (walls & names[i].bit)
			size += (size_t)snprintf(to + size, 64 - size, "%s%s",
			    size > 0 ? " " : "", names[i].name);
	if (size == 0)
		(void)snprintf(to, 64, "-");
}

int
process_list_each(struct firnmail *firnmail, struct daemon *broker,
    void (*each)(struct firnmail *firnmail, const struct process_line *process))
{
	struct message request = { .type = MESSAGE_list_processes };
	struct message answer;
	struct process_line process;
	struct text rest, line;
	int code = daemon_ask(broker, &request, NULL, NULL, &answer);

	if (code != EXIT_DONE)
		return code;
	if (answer.processes.status != STATUS_OK)
		return command_fail(EXIT_FAILED, "processes: %s",
		    status_name(answer.processes.status));
	rest = answer.processes.lines;
	while (text_next(&rest, '\n', &line)) {
		if (line.size == 0)
			continue;
		if (process_line_parse(line, &process) == -1)
			return command_fail(EXIT_FAILED,
			    "the broker sent a line that cannot be read");
		each(firnmail, &process);
	}
	return EXIT_DONE;
}
