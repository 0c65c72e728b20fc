"""A file system that is full: no more mail is taken, but what makes room, and
what protects, still works."""
import json
import os
import smtplib
import subprocess
import tempfile

import pytest

from conftest import Server, wait_for

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
    """The reply to a message of a megabyte that no other equals."""
    body = 'Subject: %d\r\n\r\n' % number + ('%d ' % number * 60 + '\r\n') * \
        (MEGABYTE // (len('%d ' % number) * 60 + 2))
    with smtplib.SMTP(server.host, server.smtp_port, timeout=60) as client:
        try:
            client.sendmail('s@example.org', [server.user1], body)
        except smtplib.SMTPResponseException as error:
            return error.smtp_code
        except smtplib.SMTPRecipientsRefused as error:
            return list(error.recipients.values())[0][0]
    return 250


def snapctl_rows(server, *words):
    return [json.loads(line) for line in
            server.snapctl('--json', *words).splitlines()]


def release_alarms(server):
    for hold in snapctl_rows(server, 'holds'):
        server.snapctl('release', hold['tag'], hold['snapshot'])


def expunge_half(server, sent):
    client = server.imap()
    wait_for(lambda: int(client.select('INBOX')[1][0]) >= sent,
             what='all filed')
    assert client.store('1:%d' % (sent // 2), '+FLAGS', '\\Deleted')[0] == 'OK'
    assert client.expunge()[0] == 'OK'
    client.logout()


def test_deaths_marks_and_expiry_work_on_a_full_disk(small_disk):
    config = small_disk + '/config'
    with open(config, 'w', encoding='utf-8') as file:
        file.write('keep 1s for 2s minimum 1s\n')
    directory = small_disk + '/instance'
    os.mkdir(directory, 0o711)
    server = Server(directory, '--cheap-hash', '--config', config)
    try:
        sent = 0
        while send(server, sent) == 250:
            sent += 1
        assert sent > 20
        assert send(server, sent) == 452
        expunge_half(server, sent)
        server.snapctl('create', '-m', 'why', '--name', 'full')
        # What is lost in bulk is held; until somebody has looked at it, mail
        # has to wait.
        release_alarms(server)
        wait_for(lambda: 'forgot' in server.snapctl('log'), 60, 'expiry')
        wait_for(lambda: send(server, sent) == 250, 60, 'room')
        server.snapctl('verify', '--read-data')
    finally:
        server.stop()
