"""After a loss and a restore mail programs go on with the state that they have:
nothing is fetched again, nothing deleted on their side, and the next new letter
is all that they fetch."""
import os
import shutil

import pytest

from clients import Desk, mbsync, offlineimap

KEYS = ['letter-%d' % n for n in range(12)]


def local_files(desk, folder):
    """Each of its files with what tells that it is still the same one."""
    found = {}
    for part in ('cur', 'new'):
        there = desk.path(folder, part)
        for name in os.listdir(there):
            status = os.stat(os.path.join(there, name))
            found[os.path.join(part, name)] = (status.st_ino, status.st_size,
                                               status.st_mtime_ns)
    return found


def wipe_home(one):
    shutil.rmtree(os.path.dirname(one.maildir1))


def wipe_maildir(one):
    shutil.rmtree(one.maildir1)


@pytest.fixture(params=['mbsync', 'offlineimap'])
def client(request, server, tmp_path):
    """(desk, how to synchronise, its copy of INBOX), synchronised."""
    if not shutil.which(request.param):
        pytest.skip(request.param + ' is not installed')
    desk = Desk(server(), 1, tmp_path, KEYS)
    sync, folder = {'mbsync': (mbsync, 'near/inbox'),
                    'offlineimap': (offlineimap, 'mail/INBOX')}[request.param]
    sync = sync(desk)
    sync()
    # What is set on one side reaches the other.
    with desk.server.imap_session() as other:
        other.select('INBOX')
        other.uid('STORE', '2:3', '+FLAGS', '(\\Seen \\Flagged)')
    sync()
    assert len(local_files(desk, folder)) == len(KEYS)
    return desk, sync, folder


@pytest.mark.parametrize('wipe', [wipe_home, wipe_maildir])
def test_a_client_fetches_nothing_again_after_a_restore(client, wipe):
    desk, sync, folder = client
    before = local_files(desk, folder)
    view = desk.view()
    desk.server.stop()
    wipe(desk.server)
    desk.server.start()
    desk.server.snapctl('restore', 'latest:' + desk.user, '--yes')
    sync()
    assert local_files(desk, folder) == before
    assert desk.view().same(view)
    desk.server.fill(['new'])
    sync()
    after = local_files(desk, folder)
    assert len(after) == len(KEYS) + 1
    assert {name: after.get(name) for name in before} == before


def test_a_client_that_comes_before_the_restore_loses_nothing(client):
    desk, sync, folder = client
    before = local_files(desk, folder)
    wipe_maildir(desk.server)
    # It may be told that the mailbox is not available; code None: either.
    sync(code=None)
    assert local_files(desk, folder) == before
    desk.server.snapctl('restore', 'latest:' + desk.user, '--yes')
    sync()
    assert local_files(desk, folder) == before
    assert sorted(desk.keys()) == sorted(KEYS)
