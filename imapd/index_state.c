/*
 * See index_state.h.  Format: u8 1, boot 40, u8 touch, u8 crashes.
 */
#include "imapd/index_state.h"

#include "common/codec.h"
#include "common/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	STATE_FORMAT = 1
};

void
index_state_boot(char boot[40])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? 0 : read(fd, boot, 36);
	struct timespec up, now;

	if (fd != -1)
		close(fd);
	if (n == 36)
		return;
	/* Without /proc (chroot): when the machine came up, in 10 s steps. */
	clock_gettime(CLOCK_BOOTTIME, &up);
	clock_gettime(CLOCK_REALTIME, &now);
	memset(boot, 0, 40);
	snprintf(
	    boot, 40, "up-%lld", (long long)(now.tv_sec - up.tv_sec + 5) / 10);
}

int
index_state_read(int home_fd, struct index_state *state)
{
	struct error error;
	struct buf buf;
	struct reader r;
	int fd = file_open_read(home_fd, "state", &error);
	int result;

	if (fd == -1)
		return -1;
	buf_init(&buf, 256);
	result = file_read_all(fd, &buf, &error);
	close(fd);
	reader_init(&r, buf.data, buf.size);
	if (reader_get_u8(&r) != STATE_FORMAT)
		result = -1;
	reader_get_raw(&r, state->boot, sizeof(state->boot));
	state->touch = reader_get_u8(&r);
	state->crashes = reader_get_u8(&r);
	if (reader_done(&r) == -1)
		result = -1;
	buf_clear(&buf);
	return result;
}

int
index_state_write(int home_fd, const struct index_state *state, bool is_synced,
    struct error *error)
{
	uint8_t bytes[64];
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	writer_put_u8(&w, STATE_FORMAT);
	writer_put_raw(&w, state->boot, sizeof(state->boot));
	writer_put_u8(&w, state->touch);
	writer_put_u8(&w, state->crashes);
	if (!is_synced && file_replace_unsynced(home_fd, "state", bytes, w.size,
			      0600, error) == 0)
		return 0;
	return file_replace_note(home_fd, "state", bytes, w.size, 0600, error);
}
