"""Sessions without TLS, whose socket the worker has: on this host only, where a
webmail program logs in for each page.  What the front does for others somebody
does for them."""
import contextlib
import json
import os
import re
import socket
import subprocess

import pytest

from conftest import Server, end, wait_for


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    """An instance that takes passwords in clear, and whose sessions sleep."""
    base = tmp_path_factory.mktemp('plain')
    directory = '/var/tmp/firnmail-%d-%s' % (os.getpid(), base.name)
    os.makedirs(directory, mode=0o711)
    config = base / 'config'
    config.write_text('hibernate after 1s\n')
    yield Server(directory, '--cheap-hash', '--accounts', '8',
                 '--plain-login', '--config', str(config))
    end(directory)


class Client:
    def __init__(self, server, number):
        self.server = server
        self.name = 'user%d@%s' % (number, server.domain)
        self.socket = socket.create_connection(
            ('127.0.0.1', server.imap_port), timeout=60)
        self.lines = self.socket.makefile('rb')
        assert self.lines.readline().startswith(b'* OK')

    def send(self, text):
        self.socket.sendall(text.encode())

    def hear(self, wanted):
        """Lines up to one that begins so."""
        heard = []
        tag = wanted[:2] if wanted[:2] != b'* ' else b'none'
        while not heard or not heard[-1].startswith(wanted):
            heard.append(self.lines.readline())
            assert heard[-1], heard
            assert heard[-1].startswith(wanted) or \
                not heard[-1].startswith(tag), heard
        return heard

    def say(self, text, wanted):
        self.send(text + '\r\n')
        return self.hear(wanted)

    def login(self, behind=''):
        self.send('l LOGIN %s %s\r\n%s' %
                  (self.name, self.server.pass1, behind))
        assert b'[CAPABILITY IMAP4rev1 ' in self.hear(b'l OK')[-1]
        return self

    def idle(self):
        self.say('s SELECT INBOX', b's OK')
        self.say('i IDLE', b'+ ')
        return self

    def log(self):
        """What is said of the sessions of this user."""
        with open(self.server.dir + '/log', encoding='utf-8') as file:
            return [line for line in file if
                    'session-' in line and 'user=' + self.name in line]

    def has_worker(self):
        done = subprocess.run(
            self.server.firnmail.split() + ['--json', 'status'], text=True,
            check=True, timeout=60, stdout=subprocess.PIPE)
        return any(json.loads(line).get('account') == self.name
                   for line in done.stdout.splitlines())

    def asleep(self):
        wait_for(lambda: not self.has_worker(), what='no worker left')
        return self

    def close(self):
        self.lines.close()
        self.socket.close()


@pytest.fixture
def client(plain):
    with contextlib.ExitStack() as stack:
        def made(number):
            one = Client(plain, number)
            stack.callback(one.close)
            return one
        yield made


def test_what_is_sent_behind_the_login_is_answered(client):
    one = client(1)
    one.login('a SELECT INBOX\r\nb NOOP\r\n')
    one.hear(b'a OK')
    assert one.hear(b'b OK') == [b'b OK NOOP completed\r\n']
    wait_for(lambda: any(re.search(r'session-open .* tls=0 direct=1$', line)
                         for line in one.log()), what='its log line')
    assert one.say('c LOGOUT', b'c OK')[0].startswith(b'* BYE')
    assert one.lines.readline() == b''


def test_half_a_command_and_a_literal(client):
    one = client(1).login()
    one.say('a APPEND INBOX {27}', b'+ ')
    one.send('Subject: x\r\n\r\n')
    assert one.say('some text\r\n\r\n', b'a OK')
    one.say('b COMPRESS DEFLATE', b'b OK')


def test_it_sleeps_and_both_ends_wake_it(plain, client):
    idler = client(2).login().idle().asleep()
    plain.send('while-asleep', idler.name)
    assert idler.hear(b'* 1 RECENT')[0] == b'* 1 EXISTS\r\n'
    idler.asleep()
    assert idler.say('DONE', b'i OK') == [b'i OK Idle completed\r\n']
    heard = idler.say('f FETCH 1 BODY.PEEK[HEADER]', b'f OK')
    assert b'Subject: while-asleep\r\n' in heard
    assert any('session-wake' in line for line in idler.log())


def test_who_goes_while_asleep_is_forgotten(plain, client):
    one = client(3).login().idle().asleep()
    opened = wait_for(lambda: [line for line in one.log()
                               if 'session-open' in line])
    sid = re.search(r' sid=\d+ ', opened[-1]).group(0)
    one.close()

    def forgotten():
        with open(plain.dir + '/log', encoding='utf-8') as file:
            return any('session-close' in line and sid in line
                       for line in file)
    wait_for(forgotten, what='the end of a session that slept')
    assert not one.has_worker()


def test_a_worker_that_is_killed_ends_its_sessions_alone(plain, client):
    sleeper = client(4).login().idle().asleep()
    awake = client(5).login()

    def ended():
        """While it is asked it has a worker, and a second longer."""
        try:
            awake.send('a NOOP\r\n')
            if not awake.lines.readline():
                return True
        except ConnectionError:
            return True
        plain.kill('worker')
        return False
    wait_for(ended, what='the end of the session')
    plain.send('after', sleeper.name)
    sleeper.hear(b'* 1 EXISTS')


def test_a_front_that_is_killed_does_not(plain, client):
    """It has no part in them; those that it relays end."""
    awake, sleeper = client(6).login(), client(7).login().idle().asleep()
    relayed = plain.imap()
    plain.kill('imapd')
    awake.say('a NOOP', b'a OK')
    sleeper.say('DONE', b'i OK')
    assert relayed.readline() == b''
    relayed.shutdown()

    def served():
        client(6).login().say('a LOGOUT', b'a OK')
        return True
    wait_for(served, what='a new front')
    assert awake.say('b LOGOUT', b'b OK')[0].startswith(b'* BYE')
    assert awake.lines.readline() == b''


def greeting(port):
    """What one hears who connects, and who goes again."""
    with socket.create_connection(('127.0.0.1', port), timeout=60) as one:
        return one.makefile('rb').readline()


def test_the_next_front_counts_them(server):
    """Two connections and no more: one is a session that the front handed over,
    which was killed since."""
    here = server('--accounts', '1', '--plain-login')
    path = here.dir + '/etc/firnmail.conf'
    with open(path, encoding='utf-8') as file:
        settings = file.read()
    with open(path, 'w', encoding='utf-8') as file:
        file.write(re.sub('max-connections .*', 'max-connections 2', settings))
    subprocess.run(here.firnmail.split() + ['reload'], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)
    with contextlib.closing(Client(here, 1).login()) as handed:
        here.kill('imapd')

        def is_full():
            """With another one there. What the new front is told and who comes
            take two ways."""
            with contextlib.closing(Client(here, 1)):
                return greeting(here.imap_port).startswith(b'* BYE')
        wait_for(is_full, what='a front that counts both')
        assert handed.say('a LOGOUT', b'a OK')[0].startswith(b'* BYE')
        wait_for(lambda: not is_full(), what='a place for another one')


def test_a_stop_ends_them(plain, client):
    awake, sleeper = client(1).login(), client(8).login().idle().asleep()
    awake.say('a NOOP', b'a OK')
    plain.stop()
    for one in awake, sleeper:
        line = one.lines.readline()
        assert line == b'' or line.startswith(b'* BYE [UNAVAILABLE]')
    plain.start()
    client(1).login()
