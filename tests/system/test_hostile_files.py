"""Whoever writes into a Maildir writes names and contents; neither shortens what
the store keeps, of this account or of another (P2)."""
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import TOP, message

CORPUS = pathlib.Path(TOP, 'tests/fuzz/corpus')


def past(server):
    """What the store has promised, as an administrator sees it."""
    def bytes_of(selection):
        return subprocess.run(
            [*server.snapctl_command.split(), 'cat', selection], check=True,
            stdout=subprocess.PIPE, timeout=60).stdout

    seen = [server.snapctl('--json', 'ls', 'mark:%s/INBOX' % user)
            for user in (server.user1, server.user2)]
    seen += [bytes_of('mark:%s/INBOX;UID=%d' % (server.user1, uid))
             for uid in (1, 2, 3)]
    seen += [server.snapctl('--json', *words) for words in (
        ('find', '--deleted'), ('keep', 'show'), ('holds',))]
    return seen


def hostile_contents():
    yield from (path.read_bytes() for path in sorted(CORPUS.rglob('*'))
                if path.is_file())
    yield b'Subject: ' + b'x' * (1 << 20)
    yield b'\0' * 65536
    yield b''.join(b'Content-Type: multipart/mixed; boundary=%d\n\n--%d\n' %
                   (n, n) for n in range(5000))
    yield b'X: y\n' * 100000


def own(folder, owner):
    for path in (folder, *folder.rglob('*')):
        os.chown(path, owner.st_uid, owner.st_gid)
        path.chmod(0o700 if path.is_dir() else 0o600)


def plant(maildir, deleted_base):
    """Mail of any content under names that are, or were, somebody else's."""
    known = sorted((*maildir.glob('cur/*'), *maildir.glob('new/*')))
    evil = maildir / '.Evil'
    for part in ('cur', 'new', 'tmp'):
        (evil / part).mkdir(parents=True)
    for number, data in enumerate(hostile_contents()):
        (evil / 'cur' / ('%d.x,S=1,W=99999999999:2,T' % number)
         ).write_bytes(data)
    for path in known:
        base = path.name.partition(':')[0]
        (evil / 'new' / base).write_bytes(message('other').encode())
        (evil / 'cur' / (base + ':2,ST')).write_bytes(b'')
    (maildir / 'cur' / (deleted_base + ':2,T')).write_bytes(
        message('other').encode())
    # The claims of another mailbox, and of another server.
    shutil.copy(maildir / 'firnmail-id', evil / 'firnmail-id')
    (evil / 'dovecot-uidlist').write_text('3 V1 N4\n' + ''.join(
        '%d :%s\n' % (uid, path.name.partition(':')[0])
        for uid, path in enumerate(known, 1)))
    # And other bytes under a name that the store knows.
    known[0].write_bytes(message('overwritten', 5000).encode())
    return evil


@pytest.mark.skipif(os.geteuid() != 0, reason='needs root')
def test_nothing_in_a_file_shortens_anything(server):
    one = server('--accounts', '2')
    one.fill(['a', 'b', 'c'])
    one.fill(['other'], one.user2)
    maildir = pathlib.Path(one.maildir1)
    one.snapctl('create', '--name', 'mark')
    one.snapctl('hold', 'case', 'mark:' + one.user1)
    with one.imap_session() as client:
        client.select('INBOX')
        before = {path.name for path in maildir.glob('*/*')}
        client.uid('STORE', '2', '+FLAGS', '(\\Deleted)')
        client.expunge()
    gone = before - {path.name for path in maildir.glob('*/*')}
    promised, others = past(one), one.view(one.user2)
    one.stop()
    evil = plant(maildir, min(gone).partition(':')[0])
    own(evil, maildir.stat())
    own(maildir / 'cur', maildir.stat())
    one.start()
    one.snapctl('reconcile', one.user1)
    with one.imap_session() as client:
        for box, least in (('INBOX', 2), ('Evil', 100)):
            assert int(client.select(box)[1][0]) >= least
            assert client.uid('FETCH', '1:*', '(FLAGS ENVELOPE BODYSTRUCTURE '
                              'BODY.PEEK[])')[0] == 'OK'
            assert client.uid('SEARCH', 'BODY', 'nothing')[0] == 'OK'
    assert past(one) == promised
    assert one.view(one.user2).same(others)
    one.snapctl('show', '--proof', 'mark', 'latest')
    one.snapctl('verify', '--read-data')
