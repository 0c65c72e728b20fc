"""Clients that want too much, or nothing good, of SMTP, LMTP and a port behind a
proxy: each has an answer, costs no memory, and keeps nobody else waiting."""
import os
import socket

import pytest

from conftest import Server, end, wait_for
from ports import free_ports

SECONDS = 60
KINDS = ('smtp', 'lmtp', 'proxied')
MANY = 10000
GIGABYTE = 1 << 30


@pytest.fixture(name='site', scope='module')
def fixture_site(tmp_path_factory):
    directory = '/var/tmp/firnmail-%d-%s' % (
        os.getpid(), tmp_path_factory.mktemp('hostile').name)
    os.makedirs(directory, mode=0o711)
    ports = dict(zip(KINDS, free_ports(len(KINDS))))
    config = tmp_path_factory.mktemp('config') / 'lines'
    config.write_text('''
listen smtp on 127.0.0.1 port {smtp} tls
listen lmtp on 127.0.0.1 port {lmtp} tls
listen smtp on 127.0.0.1 port {proxied} tls proxy from 127.0.0.1
max-recipients 10000
max-message-size 1M
'''.format(**ports))
    site = Server(directory, '--cheap-hash', '--config', str(config))
    site.ports = ports
    yield site
    end(directory)


class Client:
    """Connected and introduced; answers by their codes."""

    def __init__(self, site, kind):
        self.user = site.user1.encode()
        self.socket = socket.create_connection(
            ('127.0.0.1', site.ports[kind]), SECONDS)
        self.lines = self.socket.makefile('rb')
        if kind == 'proxied':
            self.socket.sendall(b'PROXY UNKNOWN\r\n')
        self.expect(b'220')
        self.verb = b'LHLO' if kind == 'lmtp' else b'EHLO'
        self.say(self.verb + b' c.test', b'250')

    def answer(self):
        line = self.lines.readline()
        while line[3:4] == b'-':
            line = self.lines.readline()
        return line

    def expect(self, *codes):
        for code in codes:
            line = self.answer()
            assert line.startswith(code), line

    def say(self, line, *codes):
        self.socket.sendall(line + b'\r\n')
        self.expect(*codes)

    def envelope(self):
        self.say(b'MAIL FROM:<a@there.test>\r\nRCPT TO:<%s>' % self.user,
                 b'250', b'250')


@pytest.fixture(name='client', params=KINDS)
def fixture_client(site, request):
    client = Client(site, request.param)
    client.is_lmtp = request.param == 'lmtp'
    client.again = lambda: Client(site, request.param)
    yield client
    client.lines.close()
    client.socket.close()


def front_kib(site):
    """What all fronts of SMTP have in memory."""
    total = 0
    for name in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/stat' % name, encoding='ascii',
                      errors='replace') as file:
                before, _, fields = file.read().rpartition(')')
            if before.endswith('(smtpd') and \
                    int(fields.split()[3]) == int(site.pid):
                with open('/proc/%s/status' % name, encoding='ascii') as file:
                    total += int(file.read().split('VmRSS:')[1].split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
    assert total > 0
    return total


def test_ten_thousand_recipients(client):
    """As many as may be: all taken, then one more is not."""
    client.say(b'MAIL FROM:<a@there.test>', b'250')
    line = b'RCPT TO:<%s>\r\n' % client.user
    for _ in range(MANY // 100):
        client.socket.sendall(line * 100)
        client.expect(*[b'250'] * 100)
    client.say(line[:-2], b'452 4.5.3')
    client.say(b'DATA', b'354')
    client.socket.sendall(b'Subject: many\r\n\r\n.\r\n')
    client.expect(*[b'250'] * (MANY if client.is_lmtp else 1))
    client.say(b'NOOP', b'250 2.0.0 Ok')


def test_too_many_recipients_end_the_connection(client):
    """Who goes on asking is sent away, and has learnt no more."""
    client.say(b'MAIL FROM:<a@there.test>', b'250')
    line = b'RCPT TO:<%s>\r\n' % client.user
    last = b''
    for _ in range((MANY + 2000) // 100):
        try:
            client.socket.sendall(line * 100)
        except ConnectionError:
            break
        for _ in range(100):
            last = client.answer()
            if not last.startswith((b'250', b'452')):
                break
        if last.startswith(b'421'):
            break
    assert last.startswith(b'421 4.7.0'), last


def test_a_gigabyte_is_claimed(site, client):
    before = front_kib(site)
    client.say(b'MAIL FROM:<a@there.test> SIZE=%d' % GIGABYTE, b'552 5.3.4')
    client.say(b'MAIL FROM:<a@there.test> SIZE=%d' % 10**30, b'501')
    client.say(b'MAIL FROM:<a@there.test> SIZE=-1', b'501')
    client.envelope()
    # Bytes of a chunk that is too large are read, and not kept.
    client.socket.sendall(b'BDAT %d LAST\r\n' % GIGABYTE + b'x' * (24 << 20))
    other = client.again()
    other.envelope()
    other.say(b'DATA', b'354')
    other.socket.sendall(b'x' * 70 + b'\r\n' + b'y' * (3 << 20) +
                         b'\r\n.\r\n')
    other.expect(b'552 5.3.4')
    other.say(b'NOOP', b'250')
    assert front_kib(site) < before + 8192


def test_bytes_that_are_no_text(client):
    client.say(client.verb + b' \xff\xfe', b'501')
    client.say(b'MAIL FROM:<\xff@there.test> SMTPUTF8', b'553')
    client.say(b'MAIL FROM:<a\0b@there.test>', b'501')
    client.say(b'MAIL FROM:<\xc3\xa4@there.test>', b'553 5.6.7')
    client.say(b'MAIL FROM:<a@there.test> SMTPUTF8', b'250')
    client.say(b'RCPT TO:<\xed\xa0\x80@%s>' % client.user.split(b'@')[1],
               b'553')
    client.say(b'\xff\xff', b'500')
    client.say(b'RCPT TO:<%s>' % client.user, b'250')
    client.say(b'DATA', b'354')
    client.say(b'Subject: \xff\xfe\r\n\r\n\xc3\xc3\x80\r\n.', b'250 2.0.0')


def test_chunks_that_are_none(client):
    """A chunk is as long as it says; commands in one are text."""
    client.say(b'BDAT 6 LAST\r\nQUIT', b'503 5.5.1')
    client.envelope()
    client.say(b'BDAT 12\r\nRSET\r\nQUIT', b'250 2.0.0')
    client.say(b'DATA', b'503')
    client.say(b'RCPT TO:<%s>' % client.user, b'503')
    client.say(b'BDAT 18446744073709551616', b'501')
    client.say(b'BDAT', b'501')
    client.say(b'BDAT 0 LAST', b'250 2.0.0')
    client.envelope()
    client.socket.sendall(b'BDAT %d\r\nnever all of it' % ((1 << 63) - 1))
    client = client.again()
    client.envelope()
    # Idle chunks are idle talk.
    last = b'250'
    while last.startswith(b'250'):
        client.socket.sendall(b'BDAT 0\r\n' * 500)
        for _ in range(500):
            last = client.answer()
            if not last.startswith(b'250'):
                break
    assert last.startswith(b'421 4.7.0'), last


def test_words_behind_starttls(client):
    client.socket.sendall(b'STARTTLS\r\nMAIL FROM:<evil@there.test>\r\n')
    client.expect(b'554 5.7.0')
    assert client.lines.readline() == b''


def test_a_line_without_end(client):
    client.socket.sendall(b'NOOP ' + b'x' * 5000)
    client.expect(b'500 5.5.6')
    assert client.lines.readline() == b''


def test_slow_senders_keep_nobody_waiting(site, client):
    """A hundred within their data, and one that sends byte by byte."""
    slow = [client.again() for _ in range(100)]
    for one in slow:
        one.envelope()
        one.say(b'DATA', b'354')
        one.socket.sendall(b'Subject: slow\r\n')
    key = 'quick-' + str(client.socket.getpeername()[1])
    site.send(key, site.user2)
    wait_for(lambda: key in site.view(site.user2).keys.values())
    client.envelope()
    client.say(b'DATA', b'354')
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in b'Subject: bytes\r\n\r\nx\r\n.\r\n':
        client.socket.sendall(bytes([byte]))
    client.expect(b'250 2.0.0')
    for one in slow:
        one.socket.close()


def test_all_is_well_in_the_end(site):
    site.send('in-the-end', site.user2)
    wait_for(lambda: 'in-the-end' in site.view(site.user2).keys.values())
