"""What other programs did to the Maildir of an account that nobody uses."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from conftest import wait_for
from test_events import following

TAKES_LONG = True  # conftest.py


def own(path):
    """By the account's uid, as its home is."""
    home = next(parent for parent in path.parents if parent.name == 'Maildir')
    info = home.stat()
    for one in (path, *path.rglob('*')):
        os.chown(one, info.st_uid, info.st_gid)


def listed(server, mailbox):
    out = server.snapctl('ls', '--json', 'live:%s/%s' %
                         (server.user1, mailbox))
    return [json.loads(line) for line in out.splitlines()]


def flags(server, mailbox):
    return {row['uid']: row['flags'] for row in listed(server, mailbox)}


def test_is_found_without_a_session(server):
    running = server()
    running.fill(['a', 'b', 'c'])
    maildir = pathlib.Path(running.maildir1)
    running.stop()
    files = sorted((maildir / 'new').iterdir()) + \
        sorted((maildir / 'cur').iterdir())
    lost = files[1]
    bytes_of = lost.read_bytes()
    lost.unlink()
    for part in ('cur', 'new', 'tmp'):
        (maildir / '.Backup' / part).mkdir(parents=True)
    (maildir / '.Backup/cur/1.b.host:2,S').write_text('Subject: x\n\nback\n')
    own(maildir / '.Backup')
    (maildir / 'new/2.m.host').write_text('Subject: y\n\nfrom an MDA\n')
    own(maildir / 'new/2.m.host')
    running.start()
    assert set(flags(running, 'INBOX')) == {1, 2, 3}
    running.snapctl('reconcile', running.user1)
    assert set(flags(running, 'INBOX')) == {1, 2, 3, 4}
    assert flags(running, 'Backup') == {1: 'S'}
    # A loss is no death: the file is there again.
    assert [path for path in (*maildir.glob('new/*'), *maildir.glob('cur/*'))
            if path.read_bytes() == bytes_of]


def deliver(maildir, name):
    """As another MDA does: a worker may run, and watch."""
    path = maildir / 'tmp' / name
    path.write_text('Subject: %s\n\nfrom an MDA\n' % name)
    own(path)
    path.rename(maildir / 'new' / name)


def test_a_snapshot_of_an_account_has_what_was_put_there_before(server):
    running = server()
    running.fill(['a'])
    maildir = pathlib.Path(running.maildir1)
    for count in (2, 3, 4):
        deliver(maildir, '%d.m.host' % count)
        if count == 3:  # now without a worker that watches
            running.stop()
            deliver(maildir, '3b.m.host')
            running.start()
        name = 'with-%d' % count
        running.snapctl('create', '--name', name, running.user1)
        out = running.snapctl('ls', '--json', '%s:%s/INBOX' %
                              (name, running.user1))
        assert len(out.splitlines()) == count + (count > 2)


def test_a_snapshot_of_an_unknown_account_is_none(server):
    running = server()
    running.snapctl('create', '--name', 'none', '4711', code=10)
    assert running.snapctl('list', '--json') == ''


@pytest.mark.skipif(os.geteuid() != 0, reason='needs root')
def test_what_cannot_be_made_again_can_be_let_go(server):
    running = server()
    keys = ['k%d' % n for n in range(30)]
    running.fill(keys)
    maildir = pathlib.Path(running.maildir1)
    selection = 'live:%s/INBOX' % running.user1
    running.stop()
    for part in ('cur', 'new', 'tmp'):
        for path in sorted((maildir / part).iterdir())[:-1]:
            path.unlink()
        os.chown(maildir / part, 0, 0)
        os.chmod(maildir / part, 0o755)
    running.start()
    running.snapctl('reconcile', running.user1)
    missing = {uid for uid, letters in flags(running, 'INBOX').items()
               if '!' in letters}
    assert len(missing) >= 28
    # Until somebody says so they are served.
    assert running.view().exists == 30
    running.snapctl('accept-missing', '--dry-run', selection)
    assert len(flags(running, 'INBOX')) == 30
    with running.imap_session() as client:
        assert client.select()[1] == [b'30']
        running.snapctl('accept-missing', '--yes', selection)
        wait_for(lambda: client.noop() and client.uid(
            'SEARCH', 'ALL')[1][0].split() == [
                b'%d' % uid for uid in sorted(set(range(1, 31)) - missing)],
                 what='the session sees it')
    assert 'accept-missing' in running.snapctl('log', running.user1)
    # The store keeps what they held.
    assert 'k%d' % (min(missing) - 1) in running.snapctl(
        'find', '--deleted', '--account', running.user1)


def test_others_may_delete_where_the_settings_say_so(server):
    running = server()
    running.fill(['a', 'b', 'c'])
    maildir = pathlib.Path(running.maildir1)
    running.stop()
    conf = pathlib.Path(running.dir, 'etc/firnmail.conf')
    conf.write_text(re.sub(r'(?m)^(store maildir .*)$',
                           r'\1 external-deletes accept', conf.read_text()))
    sorted((*maildir.glob('new/*'), *maildir.glob('cur/*')))[1].unlink()
    running.start()
    running.snapctl('reconcile', running.user1)
    assert len(flags(running, 'INBOX')) == 2
    log = [json.loads(line) for line in
           running.snapctl('--json', 'log', '--deleted').splitlines()]
    assert [(row['removed'], row['said_command'], row['said_user'])
            for row in log] == [(1, 'reconcile', '')]
    assert 'selection' in running.snapctl('--json', 'find', '--deleted')


def reload_with(running, client, old, new):
    """Its worker, which this session keeps, has the settings afterwards: they
    reach it before the broker says that the reload is done."""
    conf = pathlib.Path(running.dir, 'etc/firnmail.conf')
    conf.write_text(re.sub(old, new, conf.read_text()))
    subprocess.run(running.firnmail.split() + ['reload'], check=True,
                   stdout=subprocess.DEVNULL)
    assert client.noop()[0] == 'OK'


def test_a_reload_tells_running_workers_what_becomes_of_missing_files(server):
    running = server()
    running.fill(['a', 'b', 'c'])
    maildir = pathlib.Path(running.maildir1)

    def files():
        return sorted((*maildir.glob('new/*'), *maildir.glob('cur/*')))

    # A worker that made its index anew deletes nothing.
    running.stop()
    running.start()
    with running.imap_session() as client:
        client.select()
        reload_with(running, client, r'(?m)^(store maildir .*)$',
                    r'\1 external-deletes accept')
        files()[1].unlink()
        wait_for(lambda: client.noop() and
                 len(client.uid('SEARCH', 'ALL')[1][0].split()) == 2, 60,
                 'it is an expunge')
        reload_with(running, client, ' external-deletes accept', '')
        files()[1].unlink()
        running.snapctl('reconcile', running.user1)
        wait_for(lambda: len(files()) == 2, 60, 'it is made again')
        assert len(client.uid('SEARCH', 'ALL')[1][0].split()) == 2


def test_an_unknown_account_is_said(server):
    running = server()
    running.snapctl('reconcile', '4711', code=75)


@contextlib.contextmanager
def background(*command):
    with subprocess.Popen(command, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        yield process
        process.wait(100)


def workers(running):
    """Their process ids."""
    listed = subprocess.run(
        ['ps', '-o', 'pid=,args=', '-g', str(running.pid)], check=False,
        text=True, stdout=subprocess.PIPE).stdout
    return [int(line.split()[0]) for line in listed.splitlines()
            if line.split()[1:] == ['firnmail-worker']]


@pytest.mark.parametrize('killed', ['worker', 'command'])
def test_an_import_that_was_cut_off_keeps_uids(server, tmp_path, killed):
    """The command waits for the next worker; who cut it off types it again."""
    running = server()
    count = 8000
    for part in ('cur', 'new', 'tmp'):
        (tmp_path / 'old' / part).mkdir(parents=True)
    lines = ['3 V1234567 N%d' % (3 * count + 1)]
    for n in range(1, count + 1):
        name = '%06d.x.old' % (count - n)
        (tmp_path / 'old/cur' / (name + ':2,')).write_text(
            'Subject: s%d\nMessage-ID: <%d@x>\n\n%d\n' % (n, 3 * n, n))
        lines.append('%d :%s' % (3 * n, name))
    (tmp_path / 'old/dovecot-uidlist').write_text('\n'.join(lines) + '\n')
    command = running.__dict__['firnmail'].split() + [
        'import', 'dovecot', str(tmp_path / 'old'), running.user1]

    def begun():
        """Lets the worker run for some moments and looks while it stands still:
        it cannot be at the end before anybody has seen that it began."""
        pids = workers(running)
        for _ in range(8):
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.01)
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            if any(line['rows'] > 100 for line in lines()):
                return True
        return False

    with following(running) as (_, lines), background(*command) as process:
        wait_for(begun, 60, 'the first batch')
        if killed == 'worker':
            running.kill('worker')
            assert process.wait(100) == 0
        else:
            process.kill()
            for pid in workers(running):
                os.kill(pid, signal.SIGCONT)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=100)
    view = running.view()
    assert view.uidvalidity == b'1234567'
    assert view.keys == {3 * n: str(3 * n) for n in range(1, count + 1)}
    assert view.uidnext == 3 * count + 1
