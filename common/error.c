/* See error.h. */
#include "common/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum error_code
code_of_errno(int number)
{
	switch (number) {
	case ENOSPC:
	case EDQUOT:
		return ERROR_FULL;
	case ENOENT:
		return ERROR_MISSING;
	case EEXIST:
		return ERROR_EXISTS;
	default:
		return ERROR_SYSTEM;
	}
}

int
error_set(struct error *error, enum error_code code, const char *format, ...)
{
	va_list arguments;

	if (error == NULL)
		return -1;
	error->code = code;
	error->errno_value = 0;
	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	return -1;
}

int
error_set_errno(struct error *error, const char *format, ...)
{
	va_list arguments;
	int number = errno;
	size_t used;

	if (error == NULL)
		return -1;
	error->code = code_of_errno(number);
	error->errno_value = number;
	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	used = strlen(error->text);
	snprintf(error->text + used, sizeof(error->text) - used, ": %s",
	    strerror(number));
	errno = number;
	return -1;
}
