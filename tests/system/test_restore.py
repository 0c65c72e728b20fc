"""snapctl restore over real sockets: its modes, its dry run, what kills it, and
the mail programs that are connected meanwhile."""
import imaplib
import os
import re
import shutil
import signal
import subprocess

import pytest

from clients import Desk, mbsync
from conftest import View, message, wait_for

TAKES_LONG = True  # conftest.py


def fill(client, mailbox, keys, flags='()'):
    """All of them in one commit, or each 500."""
    for start in range(0, len(keys), 500):
        command = b'fill APPEND "%s"' % mailbox.encode()
        for number, key in enumerate(keys[start:start + 500], start):
            date = imaplib.Time2Internaldate(1700000000 + number)
            command += b' %s %s {%d+}\r\n%s' % (
                flags.encode(), date.encode(), len(message(key)),
                message(key).encode())
        client.send(command + b'\r\n')
        while not (line := client.readline()).startswith(b'fill '):
            assert line.startswith(b'* '), line
        assert line.startswith(b'fill OK'), line


def letters(first, last):
    return ['letter-%d' % number for number in range(first, last + 1)]


def mailboxes(client):
    return [line.decode().split(' "/" ')[1].strip('"')
            for line in client.list()[1]]


def expunge(client, mailbox, uids):
    client.select(mailbox)
    client.uid('STORE', uids, '+FLAGS', r'(\Deleted)')
    client.expunge()


def find(client, level, end):
    """The one mailbox below the level, quoted."""
    found = [name for name in mailboxes(client)
             if name.startswith(level + '/') and name.endswith('/' + end)]
    assert len(found) == 1, mailboxes(client)
    return '"%s"' % found[0]


def files(server):
    return [os.path.join(folder, name)
            for folder, _, names in os.walk(server.maildir1)
            if os.path.basename(folder) in ('cur', 'new') for name in names]


def child(server, name):
    """The pid of a process of the instance."""
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/stat' % pid, encoding='ascii') as file:
                comm, rest = file.read().split('(', 1)[1].rsplit(')', 1)
        except OSError:
            continue
        if comm == name and rest.split()[1] == str(server.pid):
            return int(pid)
    raise AssertionError('no ' + name)


def start_snapctl(server, *words):
    # pylint: disable=consider-using-with
    return subprocess.Popen(
        server.__dict__['snapctl_command'].split() + list(words), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_rewind_brings_then_back_and_moves_later_mail_aside(server):
    one = server()
    client = one.imap()
    fill(client, 'INBOX', letters(1, 30), r'(\Seen)')
    client.create('Work')
    client.subscribe('Work')
    fill(client, 'Work', letters(31, 35))
    client.select('INBOX')
    client.uid('STORE', '3', '+FLAGS', r'(\Flagged blue)')
    then = {box: View(client, box) for box in ('INBOX', 'Work')}
    one.snapctl('create', '--name', 'good')
    client.select('INBOX')
    client.uid('STORE', '3', 'FLAGS', r'()')
    client.uid('STORE', '4:6', '-FLAGS', r'(\Seen)')
    expunge(client, 'INBOX', '10:19')
    fill(client, 'INBOX', letters(101, 105))
    client.delete('Work')
    client.unsubscribe('Work')
    client.create('Later')
    fill(client, 'Later', letters(106, 107))
    words = ('restore', '--mode', 'rewind', '--yes', 'good:' + one.user1)
    plan = one.snapctl(*words, '--dry-run')
    assert 'would add 15 messages to 2 mailboxes (' in plan, plan
    assert 'change 4, delete 0' in plan, plan
    assert '7 that came later' in plan, plan
    client.select('INBOX')
    done = one.snapctl(*words)
    assert 'added 15 messages to 2 mailboxes (' in done, done
    assert View(client, 'Work').same(then['Work'])
    now = View(client)
    old, new = then['INBOX'], now
    assert now.uidvalidity == old.uidvalidity
    for uid in set(old.keys) - set(range(10, 20)):
        assert (new.keys[uid], new.attributes[uid]) == \
            (old.keys[uid], old.attributes[uid])
    assert sorted((key, new.attributes[uid]) for uid, key in
                  new.keys.items()) == \
        sorted((key, old.attributes[uid]) for uid, key in old.keys.items())
    assert View(client, find(client, 'Superseded', 'INBOX')).exists == 5
    assert View(client, find(client, 'Superseded', 'Later')).exists == 2
    assert 'Later' not in mailboxes(client)
    assert any(b'Work' in line for line in client.lsub()[1])
    assert 'added 0 messages to 0 mailboxes (0 B), change 0' in \
        one.snapctl(*words)
    one.snapctl('verify', '--read-data')
    client.logout()


def test_copy_stands_beside_what_is_there_and_is_not_doubled(server):
    one = server()
    client = one.imap()
    fill(client, 'INBOX', letters(1, 20), r'(\Answered)')
    one.snapctl('create', '--name', 'good')
    expunge(client, 'INBOX', '1:10')
    for _ in range(2):
        one.snapctl('restore', '--mode', 'copy', '--yes', 'good:' + one.user1)
        copy = View(client, find(client, 'Restored', 'INBOX'))
        assert copy.exists == 20
        assert all('\\Answered' in flags
                   for _, _, flags in copy.attributes.values())
        assert View(client).exists == 10
    one.snapctl('restore', '--mode', 'copy', '--yes', '--into', 'One',
                'good:%s/INBOX;UID=2' % one.user1)
    assert list(View(client, 'One').keys.values()) == ['letter-2']
    assert re.search(r'mode=copy from=\d+ rows=1 uid=2$',
                     one.snapctl('log', one.user1), re.M)
    one.snapctl('restore', '--into', 'One', 'good', code=2)
    one.snapctl('restore', '--mode', 'sideways', 'good', code=2)
    one.snapctl('restore', 'good:%s/None' % one.user1, code=10)
    one.snapctl('restore', 'bad', code=10)
    client.logout()


def test_dry_run_counts_a_loss_that_nobody_has_noticed(server):
    one = server()
    with one.imap_session() as client:
        fill(client, 'INBOX', letters(1, 60))
    one.stop()
    for path in files(one):
        os.unlink(path)
    one.start()
    plan = one.snapctl('restore', '--dry-run', 'latest:' + one.user1)
    assert 'would add 60 messages to 1 mailboxes (' in plan, plan
    one.snapctl('restore', '--yes', 'latest:' + one.user1)
    assert len(files(one)) == 60


def test_a_session_sees_messages_come_back_and_none_go(server):
    one = server()
    client, other = one.imap(), one.imap()
    fill(client, 'INBOX', letters(1, 40))
    one.snapctl('create', '--name', 'good')
    expunge(other, 'INBOX', '1:15')
    client.select('INBOX')
    client.response('EXISTS')
    one.snapctl('restore', '--yes', 'good:' + one.user1)
    client.noop()
    assert client.response('EXISTS')[1][-1] == b'40'
    assert client.response('EXPUNGE')[1] == [None]
    client.logout()
    other.logout()


def damage(server, text):
    """Turns a bit of each place in the store that has this text."""
    with open(server.store + '/index/data.mdb', 'r+b', buffering=0) as file:
        data = file.read()
        at = data.find(text)
        assert at >= 0
        while at >= 0:
            os.pwrite(file.fileno(), bytes([text[0] ^ 1]), at)
            at = data.find(text, at + 1)


def test_a_damaged_message_is_named_and_the_others_come_back(server):
    one = server()
    with one.imap_session() as client:
        fill(client, 'INBOX', letters(1, 30))
        one.snapctl('create', '--name', 'good')
        expunge(client, 'INBOX', '11:12')
    damage(one, b'letter-11@there')
    damage(one, b'letter-22@there')
    for path in files(one):
        os.unlink(path)
    words = ('restore', '--yes', 'good:' + one.user1)
    with start_snapctl(one, *words) as asking:
        _, said = asking.communicate(timeout=120)
    assert asking.returncode == 20, said
    assert 'INBOX;UID=11: the stored message is damaged' in said, said
    assert 'INBOX;UID=22: the stored message is damaged' in said, said
    assert len(files(one)) == 28
    with one.imap_session() as client:
        view = client.select('INBOX')
        assert view[1][0] == b'29'
    # It is no better the next time, and nothing is done twice.
    one.snapctl(*words, code=20)
    assert len(files(one)) == 28


@pytest.mark.parametrize('mode', ['missing', 'rewind', 'copy'])
@pytest.mark.parametrize('role', ['snapd', 'worker', 'snapctl'])
def test_a_restore_that_is_killed_can_be_repeated(server, role, mode):
    one = server()
    client = one.imap()
    fill(client, 'INBOX', letters(1, 700))
    one.snapctl('create', '--name', 'good')
    if mode != 'copy':
        expunge(client, 'INBOX', '1:600')
    before = len(files(one))
    words = ('restore', '--yes', '--mode', mode, 'good:' + one.user1)
    with start_snapctl(one, *words) as first:
        wait_for(lambda: len(files(one)) > before or
                 first.poll() is not None, 60, 'the first file')
        if role == 'snapctl':
            first.kill()
        else:
            one.kill(role)
        first.communicate(timeout=120)
    wait_for(lambda: subprocess.run(
        one.__dict__['snapctl_command'].split() + list(words), check=False,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        timeout=120).returncode == 0, 90, 'a restore that is done')
    with one.imap_session() as after:
        box = find(after, 'Restored', 'INBOX') if mode == 'copy' else 'INBOX'
        view = View(after, box)
        # Beside them lies the letter about the bulk deletion.
        assert sorted(key for key in view.keys.values()
                      if key.startswith('letter-')) == \
            sorted(letters(1, 700))
    one.snapctl('verify')


def test_signals_ask_for_a_line_and_end_it_with_130(server):
    one = server()
    snapd = child(one, 'snapd')
    os.kill(snapd, signal.SIGSTOP)
    try:
        with start_snapctl(one, 'restore', 'latest') as asking:
            wait_for(lambda: b'nobody' if os.geteuid() else
                     os.stat('/proc/%d' % asking.pid).st_uid != 0, 20,
                     'snapctl behind its walls')
            asking.send_signal(signal.SIGUSR1)
            assert 'no progress' in asking.stderr.readline()
            asking.send_signal(signal.SIGINT)
            assert asking.wait(60) == 130
    finally:
        os.kill(snapd, signal.SIGCONT)


@pytest.mark.skipif(not shutil.which('mbsync'), reason='needs mbsync')
def test_mbsync_goes_on_after_a_rewind(server, tmp_path):
    keys = letters(1, 12)
    desk = Desk(server(), 1, tmp_path, keys)
    sync = mbsync(desk)
    sync()
    desk.server.snapctl('create', '--name', 'good')
    local = desk.path('near/inbox')

    def inodes():
        return {os.stat(os.path.join(local, part, name)).st_ino
                for part in ('cur', 'new')
                for name in os.listdir(os.path.join(local, part))}

    before = inodes()
    with desk.server.imap_session(desk.user) as client:
        client.select('INBOX')
        client.uid('STORE', '2:3', '+FLAGS', '(\\Seen \\Flagged)')
    desk.server.fill(['late'], desk.user)
    sync()
    desk.server.snapctl('restore', '--yes', '--mode', 'rewind',
                        'good:' + desk.user)
    sync()
    assert before <= inodes()
    assert desk.keys() == sorted(keys)
    assert not any('Seen' in flag for key in keys[1:3]
                   for flag in desk.flags(key))
