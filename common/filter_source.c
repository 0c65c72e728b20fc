/*
 * Run by the build: prints the seccomp programs of the administrator's commands
 * as C, so that they need neither libseccomp nor the time to compile them,
 * which were a third of what a command took that asks one thing.
 */
#include "common/buf.h"
#include "common/file.h"
#include "common/process.h"
#include "common/sandbox.h"

#include <stdio.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
static const unsigned int process_flags = PROCESS_SANITIZER;
#else
static const unsigned int process_flags = 0;
#endif

enum {
	FILTER_MAX_BYTES = 65536,
	BYTES_A_LINE = 12
};

static int
print_filter(enum role tool, struct error *error)
{
	const struct sandbox_ranges none = { 0 };
	struct buf program;
	int fd, result;

	fd = sandbox_filter_compile(tool, &none, process_flags, error);
	if (fd == -1)
		return -1;
	buf_init(&program, FILTER_MAX_BYTES);
	result = file_read_all(fd, &program, error);
	printf("static const uint8_t filter_%s[] = {", role_name(tool));
	for (size_t i = 0; result == 0 && i < program.size; i++)
		printf("%s0x%02x,", i % BYTES_A_LINE == 0 ? "\n\t" : " ",
		    ((const uint8_t *)program.data)[i]);
	printf("\n};\n");
	buf_clear(&program);
	close(fd);
	return result;
}

int
main(void)
{
	struct error error;

	sandbox_filter_assume_kernel();
	if (print_filter(ROLE_SNAPCTL, &error) == 0 &&
	    print_filter(ROLE_FIRNMAIL, &error) == 0 && fflush(stdout) == 0)
		return 0;
	fprintf(stderr, "filter_source: %s\n", error.text);
	return 1;
}
