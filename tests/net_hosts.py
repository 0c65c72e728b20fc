"""Hosts of a test: each has a network namespace with a cable (veth) to a switch
(bridge), which is in a namespace too.  Needs root.

    with Network() as network:
        host = network.host('one', '203.0.113.11')
        with host.inside():    # this thread, and what it starts
            ...
        network.plug(host, network.add_switch())  # out of one, into another

Nothing has a name outside: when the last process of a namespace has ended and
its file here is closed, it goes, with its cables.
"""
import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000


def run(*command):
    done = subprocess.run(command, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, '%s: %s' % (command, done.stdout)
    return done.stdout


class Namespace:
    """Of the network, without any but lo."""

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        with self.own() as before:
            assert self.libc.unshare(CLONE_NEWNET) == 0, ctypes.get_errno()
            try:
                self.file = self.own()
                run('ip', 'link', 'set', 'lo', 'up')
            finally:
                self.enter(before)

    @staticmethod
    def own():
        # pylint: disable=consider-using-with
        return open('/proc/thread-self/ns/net', 'rb')

    @property
    def path(self):
        return '/proc/%d/fd/%d' % (os.getpid(), self.file.fileno())

    def enter(self, file):
        assert self.libc.setns(file.fileno(), CLONE_NEWNET) == 0, \
            ctypes.get_errno()

    @contextlib.contextmanager
    def inside(self):
        with self.own() as before:
            self.enter(self.file)
            try:
                yield
            finally:
                self.enter(before)

    def close(self):
        self.file.close()


class Host(Namespace):
    """With one cable, eth0; its other end is `port` of the switch."""

    def __init__(self, name, address):
        super().__init__()
        self.name, self.address, self.port = name, address, 'to-' + name
        self.mac = None


class Network(Namespace):
    """The switches, and what is plugged in."""

    def __init__(self):
        super().__init__()
        self.hosts = []
        self.switches = 0
        self.main = self.add_switch()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.hosts:
            one.close()
        self.close()

    def add_switch(self):
        name = 'switch%d' % self.switches
        self.switches += 1
        with self.inside():
            run('ip', 'link', 'add', name, 'type', 'bridge')
            run('ip', 'link', 'set', name, 'up')
        return name

    def host(self, name, address, switch=None, mac=None):
        """One more; with `mac` of another it can stand where that one stood."""
        host = Host(name, address)
        self.hosts.append(host)
        hardware = ('address', mac) if mac else ()
        with self.inside():
            run('ip', 'link', 'add', host.port, 'type', 'veth', 'peer', 'name',
                'eth0', *hardware, 'netns', host.path)
            run('ip', 'link', 'set', host.port, 'up')
        with host.inside():
            run('ip', 'address', 'add', address + '/24', 'dev', 'eth0')
            run('ip', 'link', 'set', 'eth0', 'up')
            host.mac = run('ip', '-brief', 'link', 'show', 'eth0').split()[2]
        self.plug(host, switch or self.main)
        return host

    def plug(self, host, switch):
        """None: it is not plugged in."""
        with self.inside():
            run('ip', 'link', 'set', host.port,
                *(('master', switch) if switch else ('nomaster',)))
