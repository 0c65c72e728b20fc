"""Resolver and fetcher as they are, asked by a test (tests/system/net_stand), and
a network namespace for them."""
import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP = 0x8914, 0x8916, 1

BASE = '''host mail.demo.test
domain demo.test
listen imap on 127.0.0.1 port 143
users file users
store maildir mail
snapshot dir snap
'''


class Stand:
    """tests/system/net_stand: the real processes, asked by lines."""

    def __init__(self, directory, lines, *options):
        self.dir = str(directory)
        build = os.environ['BUILD']
        self.err = open(os.path.join(self.dir, 'stand.err'), 'wb')
        self.process = subprocess.Popen(
            [os.path.join(build, 'tests/system/net_stand'), build,
             self.write_config(lines), *options], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.err)
        self.count = 0
        self.answers = {}
        line = self.process.stdout.readline()
        assert line == 'ready\n', line + self.log()

    def write_config(self, lines):
        path = os.path.join(self.dir, 'firnmail.conf')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(BASE + lines)
        return path

    def log(self):
        with open(self.err.name, encoding='utf-8') as file:
            return file.read()

    def say(self, line):
        """The number of its answer."""
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()
        self.count += 1
        return str(self.count)

    def answer(self, number):
        while number not in self.answers:
            line = self.process.stdout.readline()
            assert line, 'no answer: ' + self.log()
            key, _, rest = line.rstrip('\n').partition(' ')
            self.answers[key] = rest
        return self.answers.pop(number)

    def ask(self, line):
        return self.answer(self.say(line))

    def lookup(self, kind, name):
        """(result, security, ttl, canonical, [record])."""
        words = self.ask('lookup %d %s' % (kind, name)).split(' ')
        return (words[0], words[1], int(words[2]), words[3],
                sorted(words[4:]))

    def stop(self):
        self.process.stdin.close()
        ended = [line for line in self.process.stdout
                 if line.startswith('ended')]
        self.process.wait(timeout=30)
        self.err.close()
        assert len(ended) >= 2 and all(
            line.endswith(' status 0\n') for line in ended), \
            str(ended) + self.log()


def wish(name, *rest):
    return struct.pack('16s', name.encode()) + b''.join(rest).ljust(24, b'\0')


@contextlib.contextmanager
def own_network(*addresses):
    """A namespace with lo and these addresses on it, for this thread and what it
    starts. Needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open('/proc/thread-self/ns/net', 'rb') as before:
        assert libc.unshare(CLONE_NEWNET) == 0, ctypes.get_errno()
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                fcntl.ioctl(one, SIOCSIFFLAGS,
                            wish('lo', struct.pack('h', IFF_UP)))
                for n, address in enumerate(addresses):
                    fcntl.ioctl(one, SIOCSIFADDR, wish(
                        'lo:%d' % (n + 1),
                        struct.pack('HH4s', socket.AF_INET, 0,
                                    socket.inet_aton(address))))
            yield
        finally:
            assert libc.setns(before.fileno(), CLONE_NEWNET) == 0
