"""snapctl restore over real sockets: its modes, its dry run, its repetition
after a kill, and the mail programs that are connected meanwhile."""
import email.utils
import imaplib
import os
import shutil
import signal
import subprocess
import time

import pytest

from conftest import Server, wait_for

MAILBOX_FILES = ('cur', 'new')


@pytest.fixture(name='server')
def fixture_server(tmp_path):
    server = Server(tmp_path / 'instance', '--cheap-hash')
    yield server
    server.stop()


def message(number, size=200):
    return ('From: a@demo.test\r\nSubject: number %d\r\n'
            'Message-ID: <n%d@demo.test>\r\n\r\n%s\r\n'
            % (number, number, 'x' * size)).encode()


def fill(client, mailbox, numbers, flags=''):
    for number in numbers:
        date = imaplib.Time2Internaldate(1700000000 + number)
        assert client.append(mailbox, flags, date, message(number))[0] == 'OK'


def look(client, mailbox):
    """UID -> (flags, INTERNALDATE, subject) of a mailbox."""
    status, data = client.select('"%s"' % mailbox, readonly=True)
    assert status == 'OK', data
    rows = {}
    if data[0] == b'0':
        return rows
    status, data = client.fetch(
        '1:*', '(UID FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
    assert status == 'OK'
    for part in data:
        if not isinstance(part, tuple):
            continue
        head = part[0].decode()
        uid = int(head.split('UID ')[1].split()[0].rstrip(')'))
        flags = head.split('FLAGS (')[1].split(')')[0].split()
        date = head.split('INTERNALDATE "')[1].split('"')[0]
        rows[uid] = (frozenset(f for f in flags if f != '\\Recent'), date,
                     part[1].decode().strip())
    return rows


def subjects(rows):
    return sorted(row[2] for row in rows.values())


def mailboxes(client):
    return [line.decode().rsplit('"/" ', 1)[1].strip('"')
            for line in client.list()[1] if line and b'"/"' in line]


def expunge(client, mailbox, uids):
    client.select('"%s"' % mailbox)
    client.uid('STORE', uids, '+FLAGS', r'(\Deleted)')
    client.expunge()


def wipe(server):
    """Takes all message files away, as an intruder with the worker's rights
    would."""
    for folder, _, names in os.walk(server.maildir1):
        if os.path.basename(folder) in MAILBOX_FILES:
            for name in names:
                os.unlink(os.path.join(folder, name))


def count_files(server):
    return sum(len(names) for folder, _, names in os.walk(server.maildir1)
               if os.path.basename(folder) in MAILBOX_FILES)


def test_rewind_brings_then_back_and_moves_later_mail_aside(server):
    client = server.imap()
    fill(client, 'INBOX', range(1, 31), r'(\Seen)')
    client.create('Work')
    client.subscribe('Work')
    fill(client, 'Work', range(31, 36))
    client.select('INBOX')
    client.uid('STORE', '3', '+FLAGS', r'(\Flagged blue)')
    then = {box: look(client, box) for box in ('INBOX', 'Work')}
    server.snapctl('create', '--name', 'good')
    client.select('INBOX')
    client.uid('STORE', '3', 'FLAGS', r'()')
    client.uid('STORE', '4:6', '-FLAGS', r'(\Seen)')
    expunge(client, 'INBOX', '10:19')
    fill(client, 'INBOX', range(101, 106))
    client.delete('Work')
    client.unsubscribe('Work')
    client.create('Later')
    fill(client, 'Later', range(106, 108))
    sel = 'good:' + server.user1
    plan = server.snapctl('restore', '--mode', 'rewind', '--dry-run', sel)
    assert ('would add 15 messages to 2 mailboxes (' in plan and
            'change 4, delete 0' in plan), plan
    assert '7 that came later' in plan, plan
    client.select('INBOX')
    done = server.snapctl('restore', '--mode', 'rewind', '--yes', sel)
    assert 'added 15 messages to 2 mailboxes (' in done, done
    now = {box: look(client, box) for box in ('INBOX', 'Work')}
    assert now['Work'] == then['Work']
    assert subjects(now['INBOX']) == subjects(then['INBOX'])
    for uid, row in then['INBOX'].items():
        if not 10 <= uid <= 19:
            assert now['INBOX'][uid] == row, uid
    assert (sorted(now['INBOX'].values(), key=repr) ==
            sorted(then['INBOX'].values(), key=repr))
    names = mailboxes(client)
    inbox = [n for n in names if n.startswith('Superseded/') and
             n.endswith('/INBOX')]
    later = [n for n in names if n.startswith('Superseded/') and
             n.endswith('/Later')]
    assert len(inbox) == 1 and len(later) == 1, names
    assert len(look(client, inbox[0])) == 5
    assert len(look(client, later[0])) == 2
    assert 'Later' not in names
    assert any(b'Work' in line for line in client.lsub()[1])
    again = server.snapctl('restore', '--mode', 'rewind', '--yes', sel)
    assert 'added 0 messages to 0 mailboxes (0 B), change 0' in again, again
    client.logout()


def test_copy_stands_beside_what_is_there_and_is_not_doubled(server):
    client = server.imap()
    fill(client, 'INBOX', range(1, 21), r'(\Answered)')
    server.snapctl('create', '--name', 'good')
    expunge(client, 'INBOX', '1:10')
    sel = 'good:' + server.user1
    for _ in range(2):
        server.snapctl('restore', '--mode', 'copy', '--yes', sel)
        copies = [n for n in mailboxes(client) if n.startswith('Restored/')
                  and n.endswith('/INBOX')]
        assert len(copies) == 1
        rows = look(client, copies[0])
        assert len(rows) == 20
        assert all(row[0] == {'\\Answered'} for row in rows.values())
        assert len(look(client, 'INBOX')) == 10
    server.snapctl('restore', '--mode', 'copy', '--yes', '--into', 'One',
                   sel + '/INBOX;UID=2')
    assert subjects(look(client, 'One')) == ['Subject: number 2']
    client.logout()


def test_dry_run_counts_a_loss_that_nobody_has_noticed(server):
    with server.imap_session() as client:
        fill(client, 'INBOX', range(1, 61))
    wait_for(lambda: 'imapd-worker' not in server.processes(), 30,
             'the worker to leave') if hasattr(server, 'processes') else None
    server.stop()
    wipe(server)
    server.start()
    plan = server.snapctl('restore', '--dry-run', 'latest:' + server.user1)
    assert 'would add 60 messages to 1 mailboxes (' in plan, plan
    done = server.snapctl('restore', '--yes', 'latest:' + server.user1)
    assert count_files(server) == 60
    assert 'delete 0' in done


def test_sigusr1_prints_progress_and_sigint_ends_with_130(server):
    command = server.__dict__['snapctl_command'].split()
    with subprocess.Popen(
            command + ['restore', 'latest:' + server.user1],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True) as process:
        process.communicate(timeout=60)
        assert process.returncode == 0
    with server.imap_session() as client:
        fill(client, 'INBOX', range(1, 3))
        expunge(client, 'INBOX', '1')
