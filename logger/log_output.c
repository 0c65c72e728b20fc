/*
 * See log_output.h.  A line: `smtpd[123] info connect sid=... ip=...`, with
 * account=N behind the pid for workers; in syslog's form (RFC 3164, as its
 * local socket takes it) with <priority> and the program's name in front.
 */
#include "logger/log_output.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LINE_MAX_BYTES = 1400,
	FACILITY_MAIL = 2 << 3
};

static const struct {
	const char *name;
	int priority;
} levels[] = { { "alarm", 1 }, { "error", 3 }, { "warning", 4 }, { "info", 6 },
	{ "debug", 7 } };

void
log_output_open(struct log_output *output, int fd)
{
	struct stat st;

	output->fd = fd;
	output->is_syslog = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
	output->dropped = 0;
}

static bool
is_writable(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };

	return poll(&wait, 1, 0) == 1 && (wait.revents & POLLOUT) != 0;
}

static bool
write_bytes(const struct log_output *output, const char *line, size_t size)
{
	if (output->is_syslog)
		return send(output->fd, line, size,
			   MSG_DONTWAIT | MSG_NOSIGNAL) != -1;
	return is_writable(output->fd) &&
	       write(output->fd, line, size) == (ssize_t)size;
}

static bool
write_line(
    const struct log_output *output, unsigned int level, const char *text)
{
	char line[LINE_MAX_BYTES + 32];
	int size;

	if (output->is_syslog)
		size = snprintf(line, sizeof(line), "<%d>firnmail: %s",
		    FACILITY_MAIL | levels[level].priority, text);
	else
		size = snprintf(line, sizeof(line), "%s\n", text);
	for (int i = 0; i < size - 1; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	return write_bytes(output, line, (size_t)size);
}

static void
write_text(struct log_output *output, unsigned int level, const char *text)
{
	char lost[60];

	if (output->dropped > 0) {
		snprintf(lost, sizeof(lost), "logger lines-lost count=%u",
		    output->dropped);
		if (write_line(output, 2, lost))
			output->dropped = 0;
	}
	if (!write_line(output, level, text))
		output->dropped++;
}

void
log_output_write(struct log_output *output, const struct log_sender *sender,
    const struct message_log_line *line)
{
	unsigned int level = line->level < 5 ? line->level : 1;
	char text[LINE_MAX_BYTES], account[24] = "";

	if (sender->account != 0)
		snprintf(
		    account, sizeof(account), " account=%u", sender->account);
	snprintf(text, sizeof(text), "%s[%u] %s %.*s%s %.*s",
	    role_name(sender->role), sender->pid, levels[level].name,
	    TEXT_FMT(line->event), account, TEXT_FMT(line->pairs));
	write_text(output, level, text);
}

void
log_output_complain(
    struct log_output *output, const struct log_sender *sender, const char *why)
{
	char text[LINE_MAX_BYTES];

	snprintf(text, sizeof(text),
	    "logger alarm misbehaved role=%s pid=%u why=\"%s\"",
	    role_name(sender->role), sender->pid, why);
	write_text(output, 0, text);
}
