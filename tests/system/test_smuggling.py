"""What ends a message: CR LF . CR LF and nothing else, of a real front, on each
kind of listener, in one piece and in pieces that come one after the other."""
import itertools
import os
import re
import socket

import pytest

from conftest import Server, end
from ports import free_ports

SECONDS = 60
ALPHABET = (b'\r', b'\n', b'\0')
END = b'\r\n.\r\n'
KINDS = ('smtp', 'lmtp', 'proxied', 'xclient')
# Short of the ten errors that end a connection.
A_CONNECTION = 9
SMUGGLED = b'MAIL FROM:<evil@there.test>\r\nRCPT TO:<%s>\r\nDATA\r\nsmuggled'


def words(longest):
    """All of CR, LF and NUL up to that length."""
    return [b''.join(letters) for length in range(longest + 1)
            for letters in itertools.product(ALPHABET, repeat=length)]


@pytest.fixture(name='site', scope='module')
def fixture_site(tmp_path_factory):
    directory = '/var/tmp/firnmail-%d-%s' % (
        os.getpid(), tmp_path_factory.mktemp('smuggling').name)
    os.makedirs(directory, mode=0o711)
    ports = dict(zip(KINDS, free_ports(len(KINDS))))
    config = tmp_path_factory.mktemp('config') / 'lines'
    config.write_text('''
listen smtp on 127.0.0.1 port {smtp}
listen lmtp on 127.0.0.1 port {lmtp}
listen smtp on 127.0.0.1 port {proxied} proxy from 127.0.0.1
listen smtp on 127.0.0.1 port {xclient} xclient from 127.0.0.1
'''.format(**ports))
    site = Server(directory, '--cheap-hash', '--config', str(config))
    site.ports = ports
    yield site
    end(directory)


class Client:
    """Connected and introduced."""

    def __init__(self, site, kind):
        self.user = site.user1.encode()
        self.port = site.ports[kind]
        self.socket = socket.create_connection(('127.0.0.1', self.port),
                                               SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines = self.socket.makefile('rb')
        if kind == 'proxied':
            self.socket.sendall(b'PROXY UNKNOWN\r\n')
        assert self.answer() == b'220'
        if kind == 'xclient':
            self.say(b'XCLIENT ADDR=127.0.0.9 HELO=c.test', b'220')
        self.say((b'LHLO' if kind == 'lmtp' else b'EHLO') + b' c.test', b'250')

    def answer(self):
        """The code of a whole answer."""
        line = self.lines.readline()
        while line[3:4] == b'-':
            line = self.lines.readline()
        return line[:3]

    def say(self, line, code):
        self.socket.sendall(line + b'\r\n')
        assert self.answer() == code

    def is_read(self):
        """Has the front taken all that was sent off its socket?"""
        mine = '%04X' % self.socket.getsockname()[1]
        with open('/proc/net/tcp', encoding='ascii') as table:
            found = re.search(r': 0100007F:%04X 0100007F:%s \w\w '
                              r'\w{8}:(\w{8})' % (self.port, mine),
                              table.read())
        return found is None or found[1] == '00000000'

    def begin(self):
        self.socket.sendall(b'MAIL FROM:<a@there.test>\r\nRCPT TO:<%s>\r\n'
                            b'DATA\r\n' % self.user)
        assert [self.answer() for _ in range(3)] == [b'250', b'250', b'354']

    def try_one(self, before, after, is_split):
        """True if the dot between the two ended the message."""
        pieces = [b'a' + before, b'.', after,
                  SMUGGLED % self.user + END + b'NOOP x\r\n']
        self.begin()
        if is_split:
            for piece in pieces[:3]:
                self.socket.sendall(piece)
                while not self.is_read():
                    pass
        self.socket.sendall(pieces[3] if is_split else b''.join(pieces))
        assert self.answer() in (b'250', b'550')
        # The next answer is NOOP's, or is about what was left as a command.
        line = self.lines.readline()
        return line != b'250 2.0.0 Ok\r\n'


def combinations(kind):
    """What stands around the dot, and whether it comes in pieces."""
    few = words(1) + [b'\r\n', b'\n\r']
    for one, other in itertools.product(few, repeat=2):
        yield one, other, True
    for one, other in itertools.product(words(3 if kind == 'smtp' else 2),
                                        repeat=2):
        yield one, other, False


@pytest.mark.parametrize('kind', KINDS)
def test_nothing_else_ends_a_message(site, kind):
    client, left, wrong, ends = None, 0, [], 0
    for before, after, is_split in combinations(kind):
        if left == 0:
            client, left = Client(site, kind), A_CONNECTION
        left -= 1
        is_end = before.endswith(b'\r\n') and after.startswith(b'\r\n')
        ends += is_end
        if client.try_one(before, after, is_split) != is_end:
            wrong.append((before, after, is_split))
        if is_end:
            left = 0  # the rest is commands, as it should
    assert not wrong
    assert ends > 0
