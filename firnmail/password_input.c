/* See password_input.h. */
#include "firnmail/password_input.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Up to the first line end. Byte by byte: nothing is left in a stdio buffer. */
static int
read_line(char to[PASSWORD_MAX_BYTES + 1], struct error *error)
{
	size_t size = 0;
	char c;

	for (;;) {
		ssize_t n = read(STDIN_FILENO, &c, 1);

		if (n == -1)
			return error_set_errno(error, "read the password");
		if (n == 0 || c == '\n')
			break;
		if (c == '\0')
			return error_set(
			    error, ERROR_INPUT, "the password holds a NUL");
		if (size == PASSWORD_MAX_BYTES)
			return error_set(error, ERROR_LIMIT,
			    "the password is longer than %d bytes",
			    PASSWORD_MAX_BYTES);
		to[size++] = c;
	}
	to[size] = '\0';
	if (size == 0)
		return error_set(error, ERROR_INPUT,
		    "no password: type one, or give it on standard input");
	return 0;
}

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
enum {
	SIGNAL_COUNT = sizeof(signals) / sizeof(signals[0])
};

static volatile sig_atomic_t caught_signal;

static void
note_signal(int number)
{
	caught_signal = number;
}

/* Reads with what is typed hidden; a signal interrupts the reading. */
static int
read_hidden(char to[PASSWORD_MAX_BYTES + 1], struct error *error)
{
	/* Without SA_RESTART. */
	const struct sigaction note = { .sa_handler = note_signal };
	struct sigaction before[SIGNAL_COUNT];
	struct termios shown, hidden;
	int status;

	if (tcgetattr(STDIN_FILENO, &shown) == -1)
		return error_set_errno(error, "terminal");
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		(void)sigaction(signals[i], &note, &before[i]);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == -1)
		status = error_set_errno(error, "terminal");
	else
		status = read_line(to, error);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		(void)sigaction(signals[i], &before[i], NULL);
	return status;
}

static int
ask(const char *prompt, char to[PASSWORD_MAX_BYTES + 1], struct error *error)
{
	int status;

	fputs(prompt, stderr);
	fflush(stderr);
	status = read_hidden(to, error);
	fputc('\n', stderr);
	if (caught_signal != 0)
		(void)raise(caught_signal);
	return status;
}

int
password_input(char to[PASSWORD_MAX_BYTES + 1], struct error *error)
{
	char again[PASSWORD_MAX_BYTES + 1];
	int status;

	if (isatty(STDIN_FILENO) != 1)
		return read_line(to, error);
	if (ask("Password: ", to, error) == -1)
		return -1;
	status = ask("Again: ", again, error);
	if (status == 0 && strcmp(to, again) != 0)
		status =
		    error_set(error, ERROR_INPUT, "the two passwords differ");
	explicit_bzero(again, sizeof(again));
	return status;
}
