/* See password_input.h. */
#include "firnmail/password_input.h"

#include <stdbool.h>
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

static int
ask(const char *prompt, char to[PASSWORD_MAX_BYTES + 1], struct error *error)
{
	struct termios shown, hidden;
	int status;

	if (tcgetattr(STDIN_FILENO, &shown) == -1)
		return error_set_errno(error, "terminal");
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	fputs(prompt, stderr);
	fflush(stderr);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == -1)
		return error_set_errno(error, "terminal");
	status = read_line(to, error);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	fputc('\n', stderr);
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
