/*
 * Any bytes as a store's file, and real stores with any damage: the verifier
 * neither crashes nor runs on.  The input is written over the start of a
 * memory file; the first byte chooses the depth.
 */
#include "snapd/verify.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
ignore(void *context, const char *text)
{
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verify_options options = { .depth = VERIFY_ALL,
		.percent = 100,
		.findings = { ignore, NULL, 0 } };
	struct verify_result result;
	static int fd = -1;

	if (size < 1)
		return 0;
	if (fd < 0)
		fd = memfd_create("store", MFD_CLOEXEC);
	if ((data[0] & 1) != 0)
		options.depth = VERIFY_CHEAP;
	if (ftruncate(fd, 0) != 0 ||
	    pwrite(fd, data + 1, size - 1, 0) != (ssize_t)(size - 1))
		return 0;
	(void)verify_run(fd, &options, &result);
	return 0;
}
