"""From Dovecot to Firnmail and back: a mail program with the state of its last
run goes on as if it were the same server, and nothing is downloaded again."""
import imaplib
import os
import pathlib
import shutil
import ssl
import subprocess
import types

import pytest

from clients import Desk, mbsync
from conftest import TOP, View
from ports import free_ports

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ('dovecot', 'mbsync'))),
    reason='needs root, Dovecot and mbsync')

FOLDERS = ('INBOX', 'Sent', 'Lists/caf&AOk-')


class Dovecot:
    """Debian's, by tests/peers/dovecot.sh; user1 with the server's password."""

    def __init__(self, directory, password):
        self.dir = pathlib.Path(directory)
        self.maildir = self.dir / 'mail/user1/Maildir'
        self.password = password
        self.cafile = str(self.dir / 'cert.pem')
        self.ports = free_ports(2)

    def script(self, *words):
        subprocess.run(
            ['sh', os.path.join(TOP, 'tests/peers/dovecot.sh'), *words],
            check=True, timeout=60, stdout=subprocess.DEVNULL,
            env=dict(os.environ, USERS='1', PASS=self.password))

    def __enter__(self):
        self.script('start', str(self.dir), *map(str, self.ports))
        return self

    def __exit__(self, *_):
        self.script('stop', str(self.dir))

    def imap(self):
        context = ssl.create_default_context(cafile=self.cafile)
        client = imaplib.IMAP4_SSL('localhost', self.ports[1], timeout=60,
                                   ssl_context=context)
        client.login('user1', self.password)
        return client


def append(client, mailbox, key, flags=None):
    status, said = client.append(
        mailbox, flags, imaplib.Time2Internaldate(1000000000),
        b'From: a@b.test\r\nMessage-ID: <%s@old>\r\n\r\nText\r\n' %
        key.encode())
    assert status == 'OK', said


def fill(client):
    """UIDs with gaps in three mailboxes, one of them empty in the end."""
    for mailbox in FOLDERS[1:]:
        client.create(mailbox)
        client.subscribe(mailbox)
    for number in range(6):
        append(client, 'INBOX', 'm%d' % number,
               r'(\Seen Work)' if number % 2 else None)
    append(client, FOLDERS[2], 'listed', r'(\Flagged)')
    append(client, 'Sent', 'gone')
    for mailbox, uids in (('INBOX', '1,4'), ('Sent', '1')):
        client.select(mailbox)
        client.uid('STORE', uids, '+FLAGS.SILENT', r'\Deleted')
        client.expunge()


def views(client):
    found = {}
    for mailbox in FOLDERS:
        view = View(client, '"%s"' % mailbox)
        found[mailbox] = (view.uidvalidity, view.uidnext, view.keys,
                          view.attributes)
    return found


class User:
    """Has a mail program, which is told of another server."""

    path = Desk.path
    write = Desk.write
    run = Desk.run

    def __init__(self, home):
        self.home = str(home)

    def sync_with(self, cafile, port, user, password):
        self.server = types.SimpleNamespace(cafile=cafile)
        self.port, self.user, self.password = port, user, password
        return mbsync(self, '-V')()

    def sync_dovecot(self, dovecot):
        return self.sync_with(dovecot.cafile, dovecot.ports[1], 'user1',
                              dovecot.password)

    def sync_firnmail(self, server):
        return self.sync_with(server.cafile, server.imaps_port, server.user1,
                              server.pass1)

    def files(self):
        """By inode: one that was written again is another."""
        return {path.stat().st_ino: path.name.partition(':')[0]
                for part in ('cur', 'new')
                for path in pathlib.Path(self.home).rglob(part + '/*')}


def goes_on(user, server):
    """What comes now is downloaded, and nothing else."""
    before = user.files()
    server.fill(['after'])
    user.sync_firnmail(server)
    assert len(user.files()) == len(before) + 1
    assert set(before) <= set(user.files())


@pytest.fixture
def running(server):
    return server()


@pytest.fixture
def user(tmp_path):
    home = tmp_path / 'user'
    home.mkdir()
    return User(home)


def test_from_dovecot(running, user):
    with Dovecot(running.dir + '/dovecot', running.pass1) as dovecot:
        client = dovecot.imap()
        fill(client)
        there = views(client)
        client.logout()
        user.sync_dovecot(dovecot)
    downloaded = user.files()
    assert len(downloaded) == 5
    subprocess.run(running.__dict__['firnmail'].split() +
                   ['import', 'dovecot', str(dovecot.maildir), running.user1],
                   check=True, timeout=60, stdout=subprocess.DEVNULL)
    with running.imap_session() as client:
        assert views(client) == there
        listed = b''.join(client.lsub()[1])
        assert b'Lists/caf&AOk-' in listed and b'Sent' in listed
    said = user.sync_firnmail(running)
    assert user.files() == downloaded, said
    goes_on(user, running)


def test_to_dovecot(running, user):
    with running.imap_session() as client:
        fill(client)
        here = views(client)
    user.sync_firnmail(running)
    downloaded = user.files()
    assert len(downloaded) == 5
    dovecot = Dovecot(running.dir + '/dovecot', running.pass1)
    dovecot.maildir.mkdir(parents=True)
    archive = subprocess.run(
        running.__dict__['snapctl_command'].split() +
        ['export', 'live:' + running.user1], check=True, timeout=60,
        stdout=subprocess.PIPE).stdout
    subprocess.run(['tar', 'x', '-C', str(dovecot.maildir)], input=archive,
                   check=True, timeout=60)
    for path in (dovecot.dir / 'mail', *(dovecot.dir / 'mail').rglob('*')):
        shutil.chown(path, 'mail', 'mail')
    with dovecot:
        client = dovecot.imap()
        assert views(client) == here
        client.logout()
        said = user.sync_dovecot(dovecot)
        assert user.files() == downloaded, said
