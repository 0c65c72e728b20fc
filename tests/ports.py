"""Ports for servers of a test: below those that the kernel gives to clients,
which could take one while its server is stopped, and for each of the processes
that pytest runs at a time a range of its own."""
import os
import random
import socket

FIRST = 10000
EACH = 2500
RANGES = 8


def free_ports(count):
    worker = os.environ.get('PYTEST_XDIST_WORKER', 'gw%d' % (RANGES - 1))
    first = FIRST + EACH * (int(worker[2:]) % RANGES)
    free = []
    for port in random.sample(range(first, first + EACH), EACH):
        with socket.socket() as one:
            try:
                one.bind(('127.0.0.1', port))
            except OSError:
                continue
        free.append(port)
        if len(free) == count:
            return free
    raise OSError('no port is free')
