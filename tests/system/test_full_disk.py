"""A file system that is full: no more mail is taken, but what makes room, and
what protects, still works."""
import contextlib
import json
import os
import smtplib
import subprocess
import tempfile

import pytest

from conftest import Server, wait_for

TAKES_LONG = True  # conftest.py
MEGABYTE = 1 << 20
SIZE_MB = 320


@pytest.fixture
def small_disk():
    if os.geteuid() != 0:
        pytest.skip('mounting needs root')
    base = tempfile.mkdtemp(prefix='firnmail-full-', dir='/var/tmp')
    os.chmod(base, 0o711)
    image, directory = base + '/image', base + '/disk'
    os.mkdir(directory)
    with open(image, 'wb') as file:
        file.truncate(SIZE_MB * MEGABYTE)
    subprocess.run(['mkfs.ext4', '-q', '-m', '0', image], check=True)
    mounted = subprocess.run(['mount', '-o', 'loop', image, directory],
                             check=False).returncode == 0
    if mounted:
        os.chmod(directory, 0o711)
        yield directory
        subprocess.run(['umount', directory], check=False)
    os.unlink(image)
    os.rmdir(directory)
    os.rmdir(base)
    if not mounted:
        pytest.skip('no loop devices here')


def send(server, number):
    """The reply to a message of a megabyte that no other equals.  Its size is
    not declared: what is known to be too large waits a minute (full_list.h)."""
    body = 'Subject: %d\r\n\r\n' % number + ('%d ' % number * 60 + '\r\n') * \
        (MEGABYTE // (len('%d ' % number) * 60 + 2))
    with smtplib.SMTP(server.host, server.smtp_port, timeout=60) as client:
        client.ehlo()
        client.mail('s@example.org')
        code, text = client.rcpt(server.user1)
        assert code == 250, text
        return client.data(body)[0]


def snapctl_rows(server, *words):
    return [json.loads(line) for line in
            server.snapctl('--json', *words).splitlines()]


def release_alarms(server):
    for hold in snapctl_rows(server, 'holds'):
        server.snapctl('release', hold['tag'], hold['snapshot'])


def fill_to_the_brim(path):
    """Nobody finds a block any more."""
    with contextlib.suppress(OSError), open(path, 'wb', buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    os.sync()


class Sender:
    """Sends until there is no room; who seals in the background makes some."""

    def __init__(self, server):
        self.server = server
        self.sent = 0

    def send(self):
        code = send(self.server, self.sent)
        self.sent += code == 250
        return code

    def fill(self):
        while (code := self.send()) == 250:
            pass
        assert code == 452

    def is_refused(self):
        return self.send() == 452


def pids(server, program):
    listed = subprocess.run(['ps', '-o', 'pid=,comm=', '-g', str(server.pid)],
                            check=True, text=True, stdout=subprocess.PIPE)
    return [line.split()[0] for line in listed.stdout.splitlines()
            if line.split()[1] == program]


def count(client):
    return int(client.select('INBOX')[1][0])


def last_size(client, number):
    status, data = client.fetch(str(number), '(BODY.PEEK[])')
    assert status == 'OK'
    return len(data[0][1])


def test_deaths_marks_and_expiry_work_on_a_full_disk(small_disk):
    config = small_disk + '/config'
    with open(config, 'w', encoding='utf-8') as file:
        file.write('keep 1s for 2s minimum 1s\n')
    directory = small_disk + '/instance'
    os.mkdir(directory, 0o711)
    server = Server(directory, '--cheap-hash', '--config', config)
    sender = Sender(server)
    try:
        client = server.imap()
        sender.fill()
        assert sender.sent > 20
        # The session that was there before goes on.
        wait_for(lambda: count(client) == sender.sent, 60, 'all filed')
        lives = pids(server, 'snapd') + pids(server, 'imapd-worker')
        assert len(lives) == 2
        fill_to_the_brim(small_disk + '/filler')
        sender.fill()
        wait_for(lambda: count(client) == sender.sent, 60, 'filed again')
        assert last_size(client, sender.sent) > MEGABYTE // 2
        assert client.store('1:*', '+FLAGS', '($Seen \\Flagged)')[0] == 'OK'
        assert lives == pids(server, 'snapd') + pids(server, 'imapd-worker')
        # Both start as well on a disk like that.
        for role in ('snapd', 'worker'):
            server.kill(role)
            wait_for(sender.is_refused, 60, role)
        client = wait_for(server.imap)
        wait_for(lambda: count(client) == sender.sent, 60,
                 'filed after all')
        assert last_size(client, sender.sent) > MEGABYTE // 2
        assert client.store('1:%d' % (sender.sent // 2), '+FLAGS',
                            '\\Deleted')[0] == 'OK'
        assert client.expunge()[0] == 'OK'
        server.snapctl('create', '-m', 'why', '--name', 'full')
        # What is lost in bulk is held; until somebody has looked at it, mail
        # has to wait.
        release_alarms(server)
        wait_for(lambda: 'forgot' in server.snapctl('log'), 60, 'expiry')
        wait_for(lambda: sender.send() == 250, 60, 'room')
        server.snapctl('verify', '--read-data')
        client.logout()
    finally:
        server.stop()
