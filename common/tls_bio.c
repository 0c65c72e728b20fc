/*
 * See tls_bio.h.
 */
#include "common/tls_bio.h"

#include "common/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

struct way {
	const SSL *ssl;
	int fd;
	bool is_drained; /* the last read got less than it asked for */
	bool is_at_end;  /* the peer has closed */
	bool is_ending;  /* we shall, after what is written now */
};

static int
read_some(BIO *bio, char *to, int size)
{
	struct way *way = BIO_get_data(bio);
	ssize_t n = -1;

	BIO_clear_retry_flags(bio);
	errno = EAGAIN;
	/* Once only: whoever waits then hears of what came since. */
	if (!way->is_drained)
		n = recv(way->fd, to, (size_t)size, 0);
	way->is_drained = n > 0 && n < size;
	way->is_at_end = n == 0;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(bio);
	return (int)n;
}

/* The client who waits for an answer waits for no ticket: it goes with what is
 * said next. */
static bool
is_followed(const struct way *way)
{
	return way->is_ending ||
	       SSL_get_state(way->ssl) == TLS_ST_SW_SESSION_TICKET;
}

static int
write_some(BIO *bio, const char *data, int size)
{
	const struct way *way = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	n = send(way->fd, data, (size_t)size,
	    MSG_NOSIGNAL | (is_followed(way) ? MSG_MORE : 0));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	return (int)n;
}

static long
control(BIO *bio, int command, long number, void *pointer)
{
	const struct way *way = BIO_get_data(bio);

	if (command == BIO_CTRL_EOF)
		return way->is_at_end;
	return command == BIO_CTRL_FLUSH;
}

static int
create(BIO *bio)
{
	BIO_set_data(bio, memory_new(1, sizeof(struct way)));
	BIO_set_init(bio, 1);
	return 1;
}

static int
destroy(BIO *bio)
{
	free(BIO_get_data(bio));
	return 1;
}

/* One for the process, made with its first session. */
static const BIO_METHOD *
method(void)
{
	static BIO_METHOD *made;

	if (made != NULL)
		return made;
	made =
	    BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
	if (made != NULL) {
		BIO_meth_set_read(made, read_some);
		BIO_meth_set_write(made, write_some);
		BIO_meth_set_ctrl(made, control);
		BIO_meth_set_create(made, create);
		BIO_meth_set_destroy(made, destroy);
	}
	return made;
}

int
tls_bio_attach(SSL *ssl, int fd)
{
	const BIO_METHOD *way_method = method();
	BIO *bio = way_method != NULL ? BIO_new(way_method) : NULL;
	struct way *way;

	if (bio == NULL)
		return -1;
	way = BIO_get_data(bio);
	way->ssl = ssl;
	way->fd = fd;
	SSL_set_bio(ssl, bio, bio);
	return 0;
}

void
tls_bio_expect_end(SSL *ssl)
{
	/* SSL_get_wbio would be the buffer of a handshake. */
	struct way *way = BIO_get_data(SSL_get_rbio(ssl));

	way->is_ending = true;
}
