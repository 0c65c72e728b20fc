/* See sandbox_tool.h. */
#include "common/sandbox_tool.h"

#include "common/process.h"
#include "common/sandbox.h"
#include "common/sandbox_ids.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
/* The leak check at the end needs ptrace. */
int __lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
	return 1;
}

static const unsigned int process_flags = PROCESS_SANITIZER;
#else
static const unsigned int process_flags = 0;
#endif

int
sandbox_tool_enter(enum role tool, struct error *error)
{
	const struct sandbox_ranges none = { 0 };
	int filter, result;

	/* glibc reads the time zone once; the default one it looks at again at
	 * each mktime(), unless it has a name. */
	setenv("TZ", ":/etc/localtime", 0);
	tzset();
	filter = sandbox_filter_compile(tool, &none, process_flags, error);
	if (filter == -1)
		return -1;
	result = sandbox_become(SANDBOX_NOBODY, error);
	if (result == 0)
		result = sandbox_enter_filter(filter, error);
	close(filter);
	return result;
}
