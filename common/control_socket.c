/* See control_socket.h. */
#include "common/control_socket.h"

#include "common/log.h"

#include <sys/socket.h>
#include <unistd.h>

int
control_socket_accept(int fd, uint32_t *uid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (client == -1)
		return -1;
	if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
	    (peer.uid != 0 && peer.uid != geteuid())) {
		log_alarm("control-refused", "uid=%u", (unsigned int)peer.uid);
		close(client);
		return -1;
	}
	if (uid != NULL)
		*uid = (uint32_t)peer.uid;
	return client;
}
