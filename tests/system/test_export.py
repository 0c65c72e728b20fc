"""snapctl export: other programs read what it writes, under the same UIDs."""
import hashlib
import imaplib
import io
import mailbox
import os
import pathlib
import shutil
import subprocess
import tarfile

import pytest

from conftest import wait_for

DATES = [1000000000 + 86400 * n for n in range(6)]
LONG = '/'.join(['Projects', 'a.b', 'x' * 90])


def fill(server):
    """Two accounts; flags, keywords, an expunged UID, a long mailbox name."""
    with server.imap_session() as client:
        for number, date in enumerate(DATES):
            status, data = client.append(
                'INBOX', r'(\Seen Work)' if number % 2 else r'(\Flagged)',
                imaplib.Time2Internaldate(date),
                b'From: a@b.test\r\nSubject: n%d\r\nMessage-ID: <n%d@test>\r\n'
                b'\r\nFrom here\r\n' % (number, number))
            assert status == 'OK', data
        client.select('INBOX')
        client.uid('STORE', '2', '+FLAGS.SILENT', r'\Deleted')
        client.expunge()
        assert client.create(LONG)[0] == 'OK'
        assert client.subscribe(LONG)[0] == 'OK'
        client.append(LONG, None, imaplib.Time2Internaldate(DATES[0]),
                      b'Subject: big\r\n\r\n' + b'y' * 300000 + b'\r\n')
    server.send('second', server.user2)
    wait_for(lambda: server.view(server.user2).exists == 1, what='mail filed')
    return server


@pytest.fixture(scope='module')
def filled(shared):
    return fill(shared)


@pytest.fixture
def alone(server):
    """The same for one test, which damages it."""
    return fill(server())


def export(server, *words, code=0, **options):
    options.setdefault('stdout', subprocess.PIPE)
    done = subprocess.run(
        server.snapctl_command.split() + ['export', *words], check=False,
        stderr=subprocess.PIPE, timeout=60, **options)
    assert done.returncode == code, done.stderr
    return done.stdout if done.stdout is not None else done.stderr


def unpack(data, folder):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(folder)
    return folder


def test_maildir_holds_messages_flags_and_dates(filled, tmp_path):
    unpack(export(filled, 'live:' + filled.user1), tmp_path)
    box = mailbox.Maildir(tmp_path, create=False)
    assert 'Projects.a\\2eb.' + 'x' * 90 in box.list_folders()
    by_subject = {m['Subject']: m for m in box}
    assert sorted(by_subject) == ['n0', 'n2', 'n3', 'n4', 'n5']
    assert by_subject['n0'].get_flags() == 'F'
    assert by_subject['n3'].get_flags() == 'Sa'
    times = {int(os.stat(entry).st_mtime)
             for entry in (tmp_path / 'cur').iterdir()}
    assert times == {date for n, date in enumerate(DATES) if n != 1}


def test_all_accounts_get_a_folder_each(filled, tmp_path):
    unpack(export(filled, 'live'), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == \
        [filled.user1, filled.user2]
    assert len(list((tmp_path / filled.user2 / 'cur').iterdir())) == 1


def test_mbox_is_taken_apart_again(filled, tmp_path):
    path = tmp_path / 'inbox.mbox'
    path.write_bytes(
        export(filled, 'live:%s/INBOX' % filled.user1, '--format', 'mbox'))
    messages = list(mailbox.mbox(path))
    assert [m['Subject'] for m in messages] == ['n0', 'n2', 'n3', 'n4', 'n5']
    assert [m['X-UID'] for m in messages] == ['1', '3', '4', '5', '6']
    assert messages[2].get_flags() == 'RO'
    assert messages[2]['X-Keywords'] == 'Work'
    assert messages[0].get_payload() == '>From here\n'


def test_eml_files_are_named_by_uid(filled, tmp_path):
    unpack(export(filled, 'live:' + filled.user1, '--format', 'eml'), tmp_path)
    assert sorted(p.name for p in (tmp_path / 'INBOX').iterdir()) == \
        ['1.eml', '3.eml', '4.eml', '5.eml', '6.eml']
    big = next((tmp_path / ('Projects.a\\2eb.' + 'x' * 90)).iterdir())
    assert big.stat().st_size == len('Subject: big\n\n') + 300001


def test_one_message_and_an_older_state(filled, tmp_path):
    unpack(export(filled, 'live:%s/INBOX;UID=4' % filled.user1, '--format',
                  'eml'), tmp_path / 'one')
    assert [p.name for p in (tmp_path / 'one/INBOX').iterdir()] == ['4.eml']
    export(filled, 'live:%s/INBOX;UID=2' % filled.user1, code=10)


def test_a_full_disk_is_said(filled):
    with open('/dev/full', 'wb') as full:
        said = export(filled, 'live', stdout=full, code=1)
    assert b'No space left' in said


def test_wrong_uses_are_explained(filled):
    assert b'holds one mailbox' in export(
        filled, 'live', '--format', 'mbox', code=2, stdout=None)
    assert b'usage:' in export(
        filled, 'live', '--format', 'pst', code=2, stdout=None)


@pytest.mark.skipif(shutil.which('doveadm') is None,
                    reason='Dovecot is not installed')
def test_dovecot_takes_it_over_under_the_same_uids(filled):
    top = pathlib.Path(filled.dir, 'dovecot')
    home = unpack(export(filled, 'live:' + filled.user1), top / 'home')
    (top / 'dovecot.conf').write_text(
        'base_dir = %(top)s/run\nstate_dir = %(top)s/run\n'
        'mail_plugins = listescape\nlog_path = /dev/stderr\nssl = no\n'
        'mail_location = maildir:%(top)s/home\nfirst_valid_uid = 1\n'
        'namespace inbox {\n inbox = yes\n separator = /\n}\n' %
        {'top': top})
    # What tells other programs a folder from a Maildir.
    folders = [path for path in home.iterdir() if path.name.startswith('.')]
    assert folders and all((path / 'maildirfolder').exists()
                           for path in folders)
    # It serves nobody as root, and neither does doveadm.
    for path in [top, *top.rglob('*')]:
        shutil.chown(path, 'mail', 'mail')

    def doveadm(*words):
        return subprocess.run(
            ['doveadm', '-c', str(top / 'dovecot.conf'), *words], check=True,
            text=True, stdout=subprocess.PIPE, timeout=60, user='mail',
            group='mail', extra_groups=[], cwd='/',
            env=dict(os.environ, HOME=str(home), USER='mail')).stdout

    view = filled.view()
    listed = doveadm('fetch', 'uid flags', 'mailbox', 'INBOX')
    uids = [int(line.split()[1]) for line in listed.splitlines()
            if line.startswith('uid:')]
    assert uids == sorted(view.keys) == [1, 3, 4, 5, 6]
    assert 'Work' in listed
    status = doveadm('mailbox', 'status', 'uidvalidity uidnext', 'INBOX')
    assert 'uidnext=7 uidvalidity=%s' % view.uidvalidity.decode() in status
    assert LONG in doveadm('mailbox', 'list', '-s')


def damage(server, old, new):
    """Pages that were written anew leave old copies behind: all of them."""
    server.stop()
    with open(os.path.join(server.store, 'index/data.mdb'), 'r+b') as file:
        data = file.read()
        assert old in data
        file.seek(0)
        file.write(data.replace(old, new))
    server.start()


def export_damaged(server, *words):
    """What came out, and what was said of the rest."""
    done = subprocess.run(
        server.snapctl_command.split() + ['export', *words], check=False,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 20
    return done.stdout, done.stderr.decode()


def test_damage_is_named_and_the_rest_is_written(alone, tmp_path):
    damage(alone, b'Subject: n4', b'Subject: n5')
    out, said = export_damaged(
        alone, 'live:' + alone.user1, '--format', 'eml')
    assert 'damaged: %s INBOX UID 5\n' % alone.user1 in said
    assert len(list((unpack(out, tmp_path) / 'INBOX').iterdir())) == 5


def test_so_is_a_row_that_is_corrupt(alone, tmp_path):
    """Of its message nothing but the UID is known; it stands in the row's key."""
    body = (b'From: a@b.test\nSubject: n3\nMessage-ID: <n3@test>\n\n'
            b'From here\n')
    digest = hashlib.sha256(body).digest()
    damage(alone, digest, digest[::-1])
    for form, inbox in (('eml', 'INBOX'), ('maildir', 'cur')):
        out, said = export_damaged(
            alone, 'live:' + alone.user1, '--format', form)
        assert said.count('damaged: ') == 1
        assert 'damaged: %s INBOX UID 4\n' % alone.user1 in said
        folder = unpack(out, tmp_path / form)
        assert len(list((folder / inbox).iterdir())) == 4
    # All others, of all accounts.
    out, said = export_damaged(alone, 'live')
    assert said.count('damaged: ') == 1
    assert len(list((unpack(out, tmp_path / 'all') / alone.user2 /
                     'cur').iterdir())) == 1


def test_so_is_a_mailbox(alone, tmp_path):
    """The log of events is damaged with it, so that the store stays closed."""
    damage(alone, LONG.encode(), LONG.upper().encode())
    alone.snapctl('open-damaged')
    alone.stop()
    alone.start()
    out, said = export_damaged(alone, 'live:' + alone.user1)
    assert 'whose name cannot be read' in said
    assert 'one of its subscriptions' in said
    assert len(list((unpack(out, tmp_path) / 'cur').iterdir())) == 5
