/* See interrupt.h. */
#include "snapctl/interrupt.h"

#include "common/clock.h"
#include "common/exit_code.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	LINE_SIZE = 256
};

/* Two of each: the handler never sees one that is being written. */
struct line {
	char text[2][LINE_SIZE];
	volatile sig_atomic_t current;
};

static struct line progress_line = {
	.text = { "snapctl: no progress to tell of yet\n" }
};
static struct line farewell;
static int64_t start_us;
static char start_what[CONTROL_MAX_NAME + 1];

static void
print(const struct line *line)
{
	const char *text = line->text[line->current];
	int kept = errno;

	if (write(STDERR_FILENO, text, strlen(text)) == -1)
		errno = kept; /* nobody is left to be told */
	errno = kept;
}

static void
take_signal(int number)
{
	if (number == SIGUSR1) {
		print(&progress_line);
		return;
	}
	print(&farewell);
	_exit(EXIT_INTERRUPTED);
}

void
interrupt_prepare(void)
{
	struct sigaction action = { .sa_handler = take_signal,
		.sa_flags = SA_RESTART };

	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGUSR1, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
}

void
interrupt_note_progress(const struct control_progress *progress)
{
	int next = !progress_line.current;
	int64_t now = clock_monotonic_us();
	char what[CONTROL_MAX_NAME + 1];
	double rate;

	if (text_copy(progress->what, what, sizeof(what)) != 0)
		return;
	if (start_us == 0 || strcmp(what, start_what) != 0)
		start_us = now;
	memcpy(start_what, what, sizeof(what));
	rate = now > start_us
		   ? (double)progress->done * 1e6 / (double)(now - start_us)
		   : 0;
	if (progress->total > 0)
		snprintf(progress_line.text[next], LINE_SIZE,
		    "snapctl: %s: %llu of %llu, %.0f a second\n", what,
		    (unsigned long long)progress->done,
		    (unsigned long long)progress->total, rate);
	else
		snprintf(progress_line.text[next], LINE_SIZE,
		    "snapctl: %s: %llu, %.0f a second\n", what,
		    (unsigned long long)progress->done, rate);
	progress_line.current = next;
}

void
interrupt_set_farewell(const char *text)
{
	int next = !farewell.current;

	snprintf(farewell.text[next], LINE_SIZE, "%s", text);
	farewell.current = next;
}
