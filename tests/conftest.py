"""Fixtures around tests/instance for all tests over real sockets."""
import contextlib
import glob
import imaplib
import json
import os
import re
import shutil
import signal
import smtplib
import ssl
import subprocess
import sys
import time

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
BUILD = os.environ.get('BUILD') or os.path.join(TOP, 'build-check')
# Not by its first line: what finds a python3 may take longer than it runs.
INSTANCE = (sys.executable, os.path.join(TOP, 'tests/instance'))
# A relay that goes nowhere (system/false_relay.c), and who may use it.
FALSE_RELAY = ('--replace',
               'smtpd-relay=%s/tests/system/false_relay' % BUILD)
RELAYING = 'match from auth for any relay\n'
CRASH_SIGNALS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE,
                 signal.SIGILL)


def pytest_configure():
    """Who is told to end leaves no server behind: as at Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """What takes long begins first, so that nobody is left alone with it."""
    items.sort(key=lambda item: not getattr(item.module, 'TAKES_LONG', False))


def wait_for(condition, seconds=60, what='condition'):
    """Waits until condition() is true; what it raises meanwhile, as one who asks
    a process that has just been killed, is kept."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            last = condition()
            if last:
                return last
        except (AssertionError, OSError, imaplib.IMAP4.error,
                smtplib.SMTPException, subprocess.SubprocessError) as error:
            last = error
        time.sleep(0.05)
    pytest.fail('%s not within %d s: %r' % (what, seconds, last))
    return None


def crashes(directory):
    """What the log says of processes that ended by a signal of their own
    making: a bug, whether or not a client noticed."""
    signals = '|'.join(str(int(number)) for number in CRASH_SIGNALS)
    with open(os.path.join(directory, 'log'), encoding='utf-8',
              errors='replace') as log:
        return [line for line in log if
                re.search(r'ended.* signal=(%s)\b|seccomp-kill' % signals,
                          line)]


class Server:
    """One instance, its addresses as attributes in lower case."""

    def __init__(self, directory, *options):
        self.dir = str(directory)
        self.options = options
        self.crashing_role = None
        self.start()

    def start(self):
        done = subprocess.run(
            [*INSTANCE, 'start', self.dir, *self.options], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
            timeout=120)
        assert done.returncode == 0, done.stderr
        for line in done.stdout.splitlines():
            key, value = line.split('=', 1)
            setattr(self, key.lower(),
                    int(value) if key.endswith('_PORT') else value)

    def stop(self):
        subprocess.run([*INSTANCE, 'stop', self.dir], check=True, timeout=120)

    def start_expecting_trouble(self):
        """A start that may fail to become ready, which is an answer too."""
        subprocess.run([*INSTANCE, 'start', self.dir, *self.options],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       check=False, timeout=120)

    def kill(self, role, number=signal.SIGKILL):
        subprocess.run([*INSTANCE, 'kill', self.dir, role, '--signal',
                        str(int(number))], check=True,
                       stdout=subprocess.DEVNULL, timeout=30)

    def signal_all(self, number):
        """To every process of the instance."""
        listed = subprocess.run(['ps', '-o', 'pid=', '-g', str(self.pid)],
                                check=True, text=True, stdout=subprocess.PIPE)
        for pid in listed.stdout.split():
            # One that hashes a password ends by itself meanwhile.
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), number)

    def forget_boot(self):
        """As after a new boot of the machine: format of imapd/index_state.c."""
        for path in glob.glob(os.path.dirname(self.store) + '/mail/*/state'):
            with open(path, 'r+b') as file:
                file.seek(1)
                file.write(b'another boot'.ljust(40, b'\0'))

    def context(self):
        made = ssl.create_default_context(cafile=self.cafile)
        made.check_hostname = False
        return made

    def imap(self, user=None):
        client = imaplib.IMAP4_SSL('127.0.0.1', self.imaps_port, timeout=60,
                                   ssl_context=self.context())
        client.login(user or self.user1, self.pass1)
        return client

    def imap_bare(self):
        """Connected, greeted, not logged in."""
        return imaplib.IMAP4_SSL('127.0.0.1', self.imaps_port, timeout=60,
                                 ssl_context=self.context())

    @contextlib.contextmanager
    def imap_session(self, user=None):
        client = self.imap(user)
        try:
            yield client
        finally:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                client.logout()

    def smtp(self):
        return smtplib.SMTP('127.0.0.1', self.smtp_port, timeout=60,
                            local_hostname='client.test')

    def submission(self, user=None):
        """Logged in, to send anywhere."""
        client = smtplib.SMTP('127.0.0.1', self.submission_port, timeout=60,
                              local_hostname='client.test')
        client.starttls(context=self.context())
        client.login(user or self.user1, self.pass1)
        client.ehlo()
        return client

    def submit(self, client, key, recipients, size=0, mail=(), options=()):
        """One message of user1's on such a connection: its queue id."""
        code, text = client.mail(self.user1, mail)
        assert code == 250, text
        for recipient in recipients:
            code, text = client.rcpt(recipient, options)
            assert code == 250, text
        code, text = client.data(
            message(key, size).replace('sender@there.test', self.user1))
        assert code == 250, text
        return re.search(rb'as ([0-9a-f]{32})', text).group(1).decode()

    def given_to_relay(self):
        """What false_relay.c was given: (queue id, recipient), in order."""
        with open(os.path.join(self.dir, 'log'), encoding='utf-8',
                  errors='replace') as log:
            return re.findall(r'false-relay qid=(\w+) to=(\S+)', log.read())

    def queue(self, *words):
        """Rows of firnmail queue."""
        done = subprocess.run(
            self.firnmail.split() + ['--json', 'queue', *words], text=True,
            check=True, timeout=60, stdout=subprocess.PIPE)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def tls_reports(self, *words):
        """Rows of firnmail tls-reports; OSError if the spool is away."""
        done = subprocess.run(
            self.firnmail.split() + ['--json', 'tls-reports', *words],
            text=True, check=False, timeout=60, stdout=subprocess.PIPE)
        if done.returncode != 0:
            raise OSError(done.returncode, 'firnmail tls-reports')
        return [json.loads(line) for line in done.stdout.splitlines()]

    def send(self, key, to=None, size=0):
        """One message, found again by its key; the answer to the final dot."""
        with self.smtp() as client:
            client.ehlo()
            client.mail('sender@there.test')
            code, text = client.rcpt(to or self.user1)
            assert code == 250, text
            return client.data(message(key, size))

    def fill(self, keys, to=None):
        with self.smtp() as client:
            for key in keys:
                client.sendmail('sender@there.test', to or self.user1,
                                message(key))
        wait_for(lambda: set(keys) <= set(self.view(to).keys.values()),
                 what='mail filed')

    def view(self, user=None):
        with self.imap_session(user) as client:
            return View(client)

    def snapctl(self, *words, code=0):
        done = subprocess.run(self.__dict__['snapctl_command'].split() +
                              list(words), text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def __setattr__(self, name, value):
        # The method of that name is what tests call.
        if name == 'snapctl':
            name = 'snapctl_command'
        self.__dict__[name] = value


class View:
    """What a client that selects INBOX sees: UIDVALIDITY, UIDs, flags, dates,
    and which message lies under each UID."""

    def __init__(self, client, mailbox='INBOX', readonly=False):
        status, count = client.select(mailbox, readonly)
        assert status == 'OK', count
        self.exists = int(count[0])
        self.uidvalidity = client.response('UIDVALIDITY')[1][0]
        self.uidnext = int(client.response('UIDNEXT')[1][0])
        self.keys = {}
        self.attributes = {}
        if self.exists == 0:
            return
        status, data = client.uid(
            'FETCH', '1:*', '(FLAGS INTERNALDATE RFC822.SIZE '
            'BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])')
        assert status == 'OK', data
        for item in data:
            if not isinstance(item, tuple):
                continue
            head = item[0].decode()
            uid = int(head.split('UID ')[1].split()[0].rstrip(')'))
            self.keys[uid] = item[1].decode().split('<')[1].split('@')[0]
            date = head.split('INTERNALDATE "')[1].split('"')[0]
            flags = head.split('FLAGS (')[1].split(')')[0].split()
            size = head.split('RFC822.SIZE ')[1].split()[0].rstrip(')')
            self.attributes[uid] = (date, size,
                                    tuple(sorted(set(flags) - {'\\Recent'})))
        assert len(self.keys) == self.exists

    def same(self, other):
        return (self.uidvalidity, self.keys, self.attributes) == \
            (other.uidvalidity, other.keys, other.attributes)


def message(key, size=0):
    body = ('A line of the body of this message.\r\n' * (size // 37 + 1))
    return ('From: sender@there.test\r\nTo: someone@here.test\r\n'
            'Subject: %s\r\nMessage-ID: <%s@there.test>\r\n\r\n%s' %
            (key, key, body))


def end(directory, expected=None):
    """Stops the instance there and removes it; no process may have crashed, but
    for those of the roles (a|b) that a test has crash."""
    subprocess.run([*INSTANCE, 'stop', directory], check=False, timeout=120)
    found = [line for line in crashes(directory)
             if not expected or not re.search(r'role=(%s) ' % expected, line)]
    shutil.rmtree(directory, ignore_errors=True)
    assert not found, found


def mount(image, directory):
    os.makedirs(directory, exist_ok=True)
    return subprocess.run(['mount', '-o', 'loop', image, directory],
                          check=False, stderr=subprocess.DEVNULL
                          ).returncode == 0


@pytest.fixture
def disk(tmp_path):
    """A journaled ext4 of its own in a file."""
    if os.geteuid() != 0:
        pytest.skip('mounting needs root')
    base = '/var/tmp/firnmail-disk-%d' % os.getpid()
    os.makedirs(base, mode=0o711)
    image = base + '/disk'
    with open(image, 'wb') as file:
        file.truncate(192 << 20)
    subprocess.run(['mkfs.ext4', '-q', image], check=True)
    if not mount(image, base + '/live'):
        shutil.rmtree(base)
        pytest.skip('no loop devices here')
    os.chmod(base + '/live', 0o711)
    yield base
    try:
        end(base + '/live')
    finally:
        subprocess.run(['umount', base + '/live'], check=False)
        shutil.rmtree(base)


@pytest.fixture
def server(tmp_path):
    """A fresh instance for one test."""
    made = []
    # Under /var/tmp: the roles need to reach it, pytest's own is 0700.
    directory = '/var/tmp/firnmail-%d-%s' % (os.getpid(), tmp_path.name)
    os.makedirs(directory, mode=0o711)

    def start(*options):
        made.append(Server(directory, '--cheap-hash', *options))
        return made[-1]

    yield start
    end(directory, made[-1].crashing_role if made else None)


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    """One instance for all tests of a file that only add."""
    directory = '/var/tmp/firnmail-%d-%s' % (
        os.getpid(), tmp_path_factory.mktemp('shared').name)
    os.makedirs(directory, mode=0o711)
    yield Server(directory, '--cheap-hash')
    end(directory)
