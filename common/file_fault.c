/* See file_fault.h. */
#include "common/file_fault.h"

#include "common/file.h"

#include <errno.h>
#include <stddef.h>

static int (*fault_hook)(const char *call, const char *name, void *context);
static void *fault_context;

void
file_set_fault_hook(
    int (*hook)(const char *call, const char *name, void *context),
    void *context)
{
	fault_hook = hook;
	fault_context = context;
}

int
file_fault(const char *call, const char *name)
{
	int wished;

	if (fault_hook == NULL)
		return 0;
	wished = fault_hook(call, name, fault_context);
	if (wished == 0)
		return 0;
	errno = wished;
	return -1;
}

int
file_fail(struct error *error, const char *call, const char *name)
{
	int saved = errno;

	error_set_errno(error, "%s %s", call, name);
	if (error != NULL && saved == EEXIST)
		error->code = ERROR_EXISTS;
	if (error != NULL && (saved == ELOOP || saved == EXDEV))
		error->code = ERROR_REFUSED;
	errno = saved;
	return -1;
}
