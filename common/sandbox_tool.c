/* See sandbox_tool.h. */
#include "common/sandbox_tool.h"

#include "common/file.h"
#include "common/sandbox.h"
#include "common/sandbox_ids.h"
#include "common/tool_filters.h"

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
#endif

int
sandbox_tool_enter(enum role tool, struct error *error)
{
	bool is_snapctl = tool == ROLE_SNAPCTL;
	int filter, result;

	/* glibc reads the time zone once; the default one it looks at again at
	 * each mktime(), unless it has a name. */
	setenv("TZ", ":/etc/localtime", 0);
	tzset();
	filter = file_sealed_memory(role_name(tool),
	    is_snapctl ? filter_snapctl : filter_firnmail,
	    is_snapctl ? sizeof(filter_snapctl) : sizeof(filter_firnmail),
	    error);
	if (filter == -1)
		return -1;
	result = sandbox_become(SANDBOX_NOBODY, error);
	if (result == 0)
		result = sandbox_enter_filter(filter, error);
	close(filter);
	return result;
}
