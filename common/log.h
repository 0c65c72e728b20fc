/*
 * Event lines of a process.  A line is an event name and key=value pairs; it
 * goes as one packet to the logger's descriptor, or to stderr where there is
 * no logger (command line tools, tests).  Logging never blocks: lines that do
 * not fit are counted and the count is told later.  No secret and no message
 * text may be given to these functions.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

enum log_level {
	LOG_LEVEL_ALARM, /* somebody attacks or mail is in danger */
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/*
 * Lines go to `fd`, a SOCK_SEQPACKET end of the logger's channel, from now on;
 * -1 for stderr.  `name` (static storage) stands before lines on stderr.
 */
void log_open(int fd, const char *name);
void log_set_level(enum log_level most_verbose);

/* `event` is a word-with-dashes, `format` the pairs: "user=%s ip=%s". Control
 * bytes in the result are replaced by '?'. Longest line: 1,000 bytes. */
void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_alarm(...)   log_event(LOG_LEVEL_ALARM, __VA_ARGS__)
#define log_error(...)   log_event(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_event(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_event(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_event(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* For start-up, broken invariants and lack of memory only: logs an error with
 * event "fatal" and exits with status 1. Never for what a peer, a client, a
 * disk or a mail did. */
void fatal(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

#endif
