/* Where lines go: syslog's datagram socket, or a file, pipe or terminal. */
#ifndef LOGGER_LOG_OUTPUT_H
#define LOGGER_LOG_OUTPUT_H

#include "common/messages.h"

#include <stdbool.h>

struct log_output {
	int fd;
	bool is_syslog;
	unsigned int dropped;
};

struct log_sender {
	enum role role;
	uint32_t pid;
	uint32_t account;
};

void log_output_open(struct log_output *output, int fd);

/* Writes a line, or counts it when that would have to wait. Control bytes in
 * it become '?'. */
void log_output_write(struct log_output *output,
    const struct log_sender *sender, const struct message_log_line *line);

/* The sender sent what it may not. */
void log_output_complain(struct log_output *output,
    const struct log_sender *sender, const char *why);

#endif
