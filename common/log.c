/*
 * See log.h.  A line leaves as one log_line packet; when the logger's socket
 * is full the line is dropped and counted, and the count goes out with the
 * next line that fits.
 */
#include "common/log.h"

#include "common/messages.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	LOG_MAX_PAIRS = 1000
};

static int log_fd = -1;
static const char *log_name = "firnmail";
static enum log_level log_limit = LOG_LEVEL_INFO;
static unsigned int log_dropped;

static const char *const level_names[] = { "alarm", "error", "warning", "info",
	"debug" };

void
log_open(int fd, const char *name)
{
	log_fd = fd;
	log_name = name;
}

void
log_set_level(enum log_level most_verbose)
{
	log_limit = most_verbose;
}

static void
replace_control_bytes(char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

static int
send_line(enum log_level level, const char *event, const char *pairs)
{
	static uint8_t packet[MESSAGE_MAX_SIZE];
	struct message message = { .type = MESSAGE_log_line };
	size_t size;

	message.log_line.level = level;
	message.log_line.event = text_of(event);
	message.log_line.pairs = text_of(pairs);
	size = message_encode(&message, packet);
	if (size == 0)
		return -1;
	return send(log_fd, packet, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1
									   : 0;
}

static void
tell_dropped(void)
{
	char pairs[40];

	if (log_dropped == 0)
		return;
	snprintf(pairs, sizeof(pairs), "lines=%u", log_dropped);
	if (send_line(LOG_LEVEL_WARNING, "log-dropped", pairs) == 0)
		log_dropped = 0;
}

static void
write_line(enum log_level level, const char *event, const char *format,
    va_list arguments)
{
	char pairs[LOG_MAX_PAIRS + 1];
	int number = errno;

	vsnprintf(pairs, sizeof(pairs), format, arguments);
	replace_control_bytes(pairs);
	if (log_fd == -1) {
		fprintf(stderr, "%s: %s: %s %s\n", log_name, level_names[level],
		    event, pairs);
	} else {
		tell_dropped();
		if (send_line(level, event, pairs) == -1)
			log_dropped++;
	}
	errno = number;
}

void
log_event(enum log_level level, const char *event, const char *format, ...)
{
	va_list arguments;

	if (level > log_limit)
		return;
	va_start(arguments, format);
	write_line(level, event, format, arguments);
	va_end(arguments);
}

void
fatal(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line(LOG_LEVEL_ERROR, "fatal", format, arguments);
	va_end(arguments);
	exit(1);
}
