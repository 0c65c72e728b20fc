"""Ports for servers of a test: below those that the kernel gives to clients,
which could take one while its server is stopped, and for each of the processes
that pytest runs at a time a range of its own.  They are handed out in turn, so
that a port is not given twice to two who ask before either listens: a test and
the `instance` that it starts are different processes of one range.  What else
two instances may not share is handed out in the same way."""
import fcntl
import os
import random
import socket
import tempfile

FIRST = 10000
EACH = 2500
RANGES = 8


def next_of(kind, first, count):
    """The one of count numbers whose turn it is, by a file that all processes
    share; a new file begins anywhere, as other users have files of their own."""
    path = os.path.join(tempfile.gettempdir(),
                        'firnmail-%s-%d-%d' % (kind, os.getuid(), first))
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        text = os.read(handle, 16)
        turn = int(text) if text.isdigit() else random.randrange(count)
        os.pwrite(handle, b'%016d' % ((turn + 1) % count), 0)
    finally:
        os.close(handle)
    return first + turn


def free_ports(count):
    worker = os.environ.get('PYTEST_XDIST_WORKER', 'gw%d' % (RANGES - 1))
    first = FIRST + EACH * (int(worker[2:]) % RANGES)
    free = []
    for _ in range(EACH):
        port = next_of('ports', first, EACH)
        with socket.socket() as one:
            try:
                one.bind(('127.0.0.1', port))
            except OSError:
                continue
        free.append(port)
        if len(free) == count:
            return free
    raise OSError('no port is free')
