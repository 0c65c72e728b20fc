"""firnmail import: a Maildir of another server becomes the account's own."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import pytest

from conftest import View, wait_for

UIDVALIDITY = 1577836800
DATE = 1000000000


def put(folder, name, subject, date=DATE, part='cur'):
    path = folder / part / name
    path.write_bytes(b'From: a@b.test\nSubject: %s\nMessage-ID: <%s@old>\n\n'
                     b'text\n' % (subject.encode(), subject.encode()))
    os.utime(path, (date, date))
    return path


def make_folder(path):
    for part in ('cur', 'new', 'tmp'):
        (path / part).mkdir(parents=True)
    return path


def make_maildir(top):
    """INBOX with gaps, flags and keywords; a folder; an empty one."""
    inbox = make_folder(top)
    lines = ['3 V%d N30 Gdeadbeef' % UIDVALIDITY]
    for uid in (3, 7, 20):
        name = '15000000%02d.M1P1.old,S=70,W=76' % uid
        put(inbox, name + ':2,' + {3: 'S', 7: 'Fa', 20: 'b'}[uid],
            'm%d' % uid, DATE + uid)
        lines.append('%d :%s' % (uid, name))
    put(inbox, '1500000099.M1P1.old', 'fresh', part='new')
    (inbox / 'dovecot-uidlist').write_text('\n'.join(lines) + '\n')
    (inbox / 'dovecot-keywords').write_text('0 Work\n1 $Forwarded\n')
    sub = make_folder(top / '.Lists.caf&AOk-')
    put(sub, '1.one.old:2,S', 'listed')
    (sub / 'dovecot-uidlist').write_text(
        '3 V%d N9\n8 :1.one.old\n' % (UIDVALIDITY + 1))
    (make_folder(top / '.Empty') / 'dovecot-uidlist').write_text(
        '3 V%d N5\n' % (UIDVALIDITY + 2))
    (top / 'subscriptions').write_text('V\t2\n\nLists\tcaf&AOk-\n')
    return top


@pytest.fixture
def maildir(tmp_path):
    return make_maildir(tmp_path / 'old')


def firnmail_import(server, *words, code=0):
    done = subprocess.run(
        server.__dict__['firnmail'].split() + ['--json', 'import', *words],
        text=True, check=False, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return rows, done.stderr


def state_of(rows):
    return {row['mailbox']: (row['state'], row['messages'], row['uids'])
            for row in rows if row['type'] == 'mailbox'}


def left_of(rows):
    return {(row['folder'], row['why']): row['left'] for row in rows
            if row['type'] == 'left'}


ALL_NEW = {'INBOX': ('new', 4, 'kept'), 'Lists/café': ('new', 1, 'kept'),
           'Empty': ('new', 0, 'kept')}


def check_imported(server):
    with server.imap_session() as client:
        inbox = View(client)
        assert inbox.uidvalidity == b'%d' % UIDVALIDITY
        assert inbox.keys == {3: 'm3', 7: 'm7', 20: 'm20', 30: 'fresh'}
        assert inbox.uidnext == 31
        flags = {uid: inbox.attributes[uid][2] for uid in (3, 7, 20)}
        assert flags == {3: ('\\Seen',), 7: ('Work', '\\Flagged'),
                         20: ('$Forwarded',)}
        assert '09-Sep-2001 01:46:43 +0000' in inbox.attributes[3][0]
        lists = View(client, '"Lists/caf&AOk-"')
        assert (lists.uidvalidity, lists.keys) == \
            (b'%d' % (UIDVALIDITY + 1), {8: 'listed'})
        empty = View(client, 'Empty')
        assert (empty.uidvalidity, empty.uidnext) == \
            (b'%d' % (UIDVALIDITY + 2), 5)
        subscribed = [line.decode() for line in client.lsub()[1]]
        assert any('Lists/caf&AOk-' in line for line in subscribed)


def test_uids_flags_dates_and_names_are_kept(server, maildir):
    running = server()
    rows, _ = firnmail_import(running, 'dovecot', str(maildir), running.user1)
    assert state_of(rows) == ALL_NEW
    assert left_of(rows) == {}
    check_imported(running)
    # All of it is in the store.
    listed = running.snapctl('ls', '--json', 'live:%s/INBOX' % running.user1)
    assert len(listed.splitlines()) == 4
    # Again: nothing happens.
    rows, _ = firnmail_import(running, 'dovecot', str(maildir), running.user1)
    assert {state for state, _, _ in state_of(rows).values()} == {'there'}
    check_imported(running)
    # The source was read, nothing else.
    assert (maildir / 'new/1500000099.M1P1.old').exists()


def test_mailboxes_of_one_second(server, tmp_path):
    """All have the same UIDVALIDITY, and our INBOX had it as well."""
    running = server()
    own = running.view().uidvalidity
    top = make_folder(tmp_path / 'old')
    for uid, folder in enumerate((top / '.Sent', top / '.Drafts', top), 4):
        if folder != top:
            make_folder(folder)
        put(folder, '1.%d.old:2,S' % uid, 'm%d' % uid)
        (folder / 'dovecot-uidlist').write_text(
            '3 V%s N9\n%d :1.%d.old\n' % (own.decode(), uid, uid))
    with running.imap_session() as client:
        assert client.select()[1] == [b'0']
        rows, _ = firnmail_import(
            running, 'dovecot', str(top), running.user1)
        assert {state for _, _, state in state_of(rows).values()} == {'kept'}
        assert client.noop()[0] == 'OK'
        for uid, name in enumerate(('Sent', 'Drafts', 'INBOX'), 4):
            view = View(client, name)
            assert (view.uidvalidity, view.keys) == (own, {uid: 'm%d' % uid})
        # A name is never seen again with what it had.
        assert client.rename('Sent', 'Older')[0] == 'OK'
        assert client.rename('Drafts', 'Sent')[0] == 'OK'
        sent = View(client, 'Sent')
        assert sent.keys == {5: 'm5'} and int(sent.uidvalidity) > int(own)


def test_while_a_session_is_open(server, maildir):
    running = server()
    with running.imap_session() as client:
        assert client.select()[1] == [b'0']
        firnmail_import(running, 'dovecot', str(maildir), running.user1)
        assert client.uid('SEARCH', 'ALL')[0] == 'OK'
    check_imported(running)


def test_a_folder_is_adopted_while_the_next_one_is_copied(server, maildir):
    running = server()
    big = make_folder(maildir / '.Zuletzt')
    first = put(big, '1.1.old:2,', 'big')
    for number in range(2, 20001):
        os.link(first, big / 'cur' / ('1.%d.old:2,' % number))
    staged = pathlib.Path(running.maildir1).parent / 'import/messages/.Zuletzt'

    def signal_importer(number):
        """The child of the command that we start."""
        children = pathlib.Path(
            '/proc/%d/task/%d/children' % (process.pid, process.pid))
        for pid in children.read_text(encoding='ascii').split():
            os.kill(int(pid), number)

    def is_in_the_middle():
        """Lets it run for some moments and looks while it stands still: it
        cannot be at the end before anybody has seen that it began."""
        for _ in range(8):
            signal_importer(signal.SIGCONT)
            time.sleep(0.01)
            signal_importer(signal.SIGSTOP)
            if staged.exists():
                return True
        return False

    def listed(mailbox):
        return len(running.snapctl('ls', '--json', 'live:%s/%s' % (
            running.user1, mailbox)).splitlines())

    with subprocess.Popen(
            running.__dict__['firnmail'].split() +
            ['import', 'dovecot', str(maildir), running.user1],
            stdout=subprocess.DEVNULL) as process:
        wait_for(is_in_the_middle, 100, 'the large folder is being copied')
        try:
            wait_for(lambda: listed('INBOX') == 4, 100, 'INBOX is in the store')
        finally:
            signal_importer(signal.SIGCONT)
        assert process.wait(100) == 0
    check_imported(running)
    assert listed('Zuletzt') == 20000


def test_dry_run_changes_nothing(server, maildir):
    running = server()
    rows, _ = firnmail_import(
        running, 'dovecot', str(maildir), running.user1, '--dry-run')
    assert {name: state[:2] for name, state in state_of(rows).items()} == \
        {name: ('would', state[1]) for name, state in ALL_NEW.items()}
    assert running.view().exists == 0
    firnmail_import(running, 'dovecot', str(maildir), running.user1)
    check_imported(running)


def test_mail_that_is_there_is_not_mixed_up(server, maildir):
    running = server()
    running.fill(['own'])
    before = running.view()
    rows, said = firnmail_import(
        running, 'dovecot', str(maildir), running.user1, code=12)
    assert 'nothing was changed' in said
    assert state_of(rows) == {'INBOX': ('used', 4, '-')}
    assert running.view().same(before)
    with running.imap_session() as client:
        assert b'Lists' not in b''.join(client.list()[1])
    rows, _ = firnmail_import(running, 'dovecot', str(maildir), running.user1,
                              '--into', 'Old')
    assert running.view().same(before)
    with running.imap_session() as client:
        view = View(client, 'Old/INBOX')
        assert view.uidvalidity == b'%d' % UIDVALIDITY
        assert sorted(view.keys) == [3, 7, 20, 30]
        assert View(client, '"Old/Lists/caf&AOk-"').keys == {8: 'listed'}


def test_what_is_no_mail_stays_and_is_said(server, maildir, tmp_path):
    running = server()
    secret = tmp_path / 'secret'
    secret.write_text('root:secret\n')
    inbox = maildir / 'cur'
    (inbox / '1.link.old:2,').symlink_to(secret)
    os.mkfifo(inbox / '2.fifo.old:2,')
    (inbox / '3.directory.old:2,').mkdir()
    unix = socket.socket(socket.AF_UNIX)
    with contextlib.closing(unix):
        unix.bind(os.path.relpath(inbox / '4.socket.old:2,'))
        (inbox / '5.packed.old:2,').write_bytes(b'\x1f\x8b\x08packed')
        (inbox / 'bad\nname').write_text('x')
        put(maildir, '1500000003.M1P1.old,S=70:2,', 'again', part='new')
        outside = make_folder(tmp_path / 'outside')
        put(outside, '1.a.old:2,', 'outside')
        (maildir / '.Linked').symlink_to(outside)
        put(make_folder(maildir / 'Plain'), '1.p.old:2,', 'plain')
        os.link(secret, inbox / '6.hard.old:2,')
        if os.geteuid() == 0:
            for path in (maildir, *maildir.rglob('*')):
                if not path.is_symlink() and '6.hard' not in path.name:
                    shutil.chown(path, 'mail', 'mail')
        rows, _ = firnmail_import(
            running, 'dovecot', str(maildir), running.user1, code=3)
    left = left_of(rows)
    assert left[('INBOX', 'no regular file')] == 4
    assert left[('INBOX', 'compressed or encrypted')] == 1
    assert left[('INBOX', 'no name of a message')] == 1
    assert left[('INBOX', 'there twice')] == 1
    assert [why for folder, why in left if folder == 'Plain'] == \
        ['a mailbox of LAYOUT=fs: convert it with doveadm']
    if os.geteuid() == 0:
        assert left[('INBOX', "another owner than the folder's")] == 1
    check_imported(running)
    found = subprocess.run(
        ['grep', '-rlE', 'root:secret|outside', running.dir + '/lib'],
        check=False, stdout=subprocess.PIPE, text=True).stdout
    assert found == '' or os.geteuid() != 0


def test_what_a_name_had_before_is_not_taken_again(server, maildir):
    running = server()
    firnmail_import(running, 'dovecot', str(maildir), running.user1)
    with running.imap_session() as client:
        assert client.delete('Lists/caf&AOk-')[0] == 'OK'
    rows, said = firnmail_import(
        running, 'dovecot', str(maildir), running.user1, code=3)
    assert state_of(rows) == {'INBOX': ('there', 4, 'kept'),
                              'Lists/café': ('new', 1, 'lost'),
                              'Empty': ('there', 0, 'kept')}
    assert 'got new UIDs' in said


def test_without_uid_lists_uids_are_new(server, maildir):
    running = server()
    rows, _ = firnmail_import(running, 'maildir', str(maildir), running.user1)
    assert {state[2] for state in state_of(rows).values()} == {'new'}
    assert sorted(running.view().keys) == [1, 2, 3, 4]


def test_wrong_uses_are_explained(server, maildir, tmp_path):
    running = server()
    firnmail_import(running, 'mbox', str(maildir), running.user1, code=2)
    firnmail_import(running, 'dovecot', str(maildir), 'nobody@x.test', code=10)
    firnmail_import(running, 'dovecot', '/nowhere', running.user1, code=2)
    (tmp_path / 'none').mkdir()
    _, said = firnmail_import(
        running, 'dovecot', str(tmp_path / 'none'), running.user1, code=1)
    assert 'no Maildir' in said
