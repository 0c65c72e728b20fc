/* What the programs that people run exit with (snapctl(8), firnmail(8)). */
#ifndef COMMON_EXIT_CODE_H
#define COMMON_EXIT_CODE_H

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_PARTLY = 3,
	EXIT_DIFFERS = 4,
	EXIT_NONE = 10, /* no such snapshot, account, message */
	EXIT_BUSY = 11,
	EXIT_REFUSED = 12,
	EXIT_DAMAGED = 20,
	EXIT_UNREACHABLE = 75,
	EXIT_CONFIG = 78,
	EXIT_INTERRUPTED = 130 /* SIGINT */
};

#endif
