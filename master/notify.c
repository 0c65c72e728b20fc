/* See notify.h. A name that begins with '@' is in the abstract space. For
 * RELOADING=1 systemd also wants the time. */
#include "master/notify.h"

#include "common/clock.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void
notify_state(const char *state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *name = getenv("NOTIFY_SOCKET");
	char text[80];
	socklen_t size;
	int fd;

	if (name == NULL || strlen(name) >= sizeof(address.sun_path))
		return;
	snprintf(text, sizeof(text), "%s\nMONOTONIC_USEC=%lld", state,
	    (long long)clock_monotonic_us());
	memcpy(address.sun_path, name, strlen(name));
	size =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return;
	(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
	    (struct sockaddr *)&address, size);
	close(fd);
}
