"""Mail programs that were away while mail was lost, restored or put back to an
older state: they are told what they missed and nothing else, fetch no body a
second time, and never take one message for another (P5)."""
import os
import shutil

import pytest

from clients import Desk, Resyncer, account_section, interimap
from conftest import View, wait_for
from test_disaster import overwrite, restore_owners

KEYS = ['mail-%d' % n for n in range(12)]
DOVECOT = '/usr/lib/dovecot/imap'


def change_everything(one, user=None):
    """Flags, an expunge, a move, a new message."""
    with one.imap_session(user) as client:
        client.create('Away')
        client.select('INBOX')
        client.uid('STORE', '2:3', '+FLAGS', '(\\Flagged $seen-elsewhere)')
        client.uid('STORE', '5,7', '+FLAGS', '(\\Deleted)')
        client.expunge()
        client._simple_command('UID', 'MOVE', '9', 'Away')
    one.fill(['newer'], user)


def wipe_home(one):
    shutil.rmtree(os.path.dirname(one.maildir1))


def wipe_index(one):
    shutil.rmtree(os.path.join(os.path.dirname(one.maildir1), 'index'))


@pytest.fixture
def away(server):
    """A client that knows INBOX, and is away."""
    one = server()
    one.fill(KEYS)
    client = Resyncer(one)
    client.sync()
    client.check(one.view())
    assert client.fetched == len(KEYS)
    return client


@pytest.mark.parametrize('wipe', [None, wipe_home, wipe_index])
def test_a_client_is_told_what_it_missed_and_fetches_nothing_again(away, wipe):
    change_everything(away.server)
    away.server.stop()
    if wipe is not None:
        wipe(away.server)
    away.server.start()
    if wipe is wipe_home:
        away.server.snapctl('restore', 'latest:' + away.server.user1, '--yes')
    away.sync()
    away.check(away.server.view())
    assert sorted(away.vanished) == [5, 7, 9]
    assert away.fetched == len(KEYS) + 1
    away.sync()
    assert not away.vanished and away.fetched == len(KEYS) + 1


def test_a_folder_that_came_back_knows_what_vanished_before(away):
    one = away.server
    with one.imap_session() as client:
        client.create('Work')
        client.select('INBOX')
        client.uid('COPY', '1:6', 'Work')
    there = Resyncer(one, mailbox='Work')
    there.sync()
    with one.imap_session() as client:
        client.select('Work')
        client.uid('STORE', '2:3', '+FLAGS', '(\\Deleted)')
        client.expunge()
    one.snapctl('create', '--name', 'before')
    with one.imap_session() as client:
        assert client.delete('Work')[0] == 'OK'
    one.snapctl('restore', 'before:%s/Work' % one.user1, '--yes')
    there.sync()
    with one.imap_session() as client:
        there.check(View(client, 'Work'))
    assert sorted(there.vanished) == [2, 3]
    assert there.fetched == 6


@pytest.mark.parametrize('in_place', [False, True])
def test_an_older_store_misleads_no_cache(away, in_place):
    """The client saw a time that the store has lost: new mail, flags and
    expunges.  None of its UIDs may name another message, none of the lost time
    is said to have vanished, and what was there before is as the store has it."""
    one = away.server
    lib = os.path.dirname(one.store)
    copy = one.dir + '/copy'
    one.stop()
    shutil.copytree(lib, copy, symlinks=True)
    restore_owners(lib, copy)
    one.start()
    before = one.view()
    change_everything(one)
    away.sync()
    lost = dict(away.keys)
    new = max(lost)
    assert lost[new] == 'newer' and 5 not in lost
    one.stop()
    if in_place:
        overwrite(copy, lib)
    else:
        shutil.rmtree(lib)
        os.rename(copy, lib)
    one.start()
    one.fill(['after'])
    away.sync()
    view = one.view()
    assert not away.vanished
    assert set(before.keys.items()) <= set(view.keys.items())
    for uid, key in view.keys.items():
        assert away.keys[uid] == key
        assert lost.get(uid, key) == key
        assert away.flags[uid] == sorted(
            flag.encode() for flag in view.attributes[uid][2])
    # What only the lost time had stays with the client.
    assert set(away.keys) - set(view.keys) <= {new}
    # It fetched what it had seen vanish, and what is new.
    assert away.fetched <= len(KEYS) + 1 + 3 + 2


def test_the_same_older_store_twice_gives_no_uid_twice(away):
    """Nothing beside the copy remembers the first time: Maildirs, witnesses and
    all are put back with it."""
    one = away.server
    lib = os.path.dirname(one.store)
    copy = one.dir + '/copy'
    one.stop()
    shutil.copytree(lib, copy, symlinks=True)
    restore_owners(lib, copy)
    for key in ('first', 'second'):
        shutil.rmtree(lib)
        shutil.copytree(copy, lib, symlinks=True)
        restore_owners(copy, lib)
        one.start()
        one.fill([key])
        before = dict(away.keys)
        away.sync()
        view = one.view()
        for uid, there in view.keys.items():
            assert away.keys[uid] == there
            assert before.get(uid, there) == there
        one.stop()


def dovecot_section(desk):
    """Another server's mailbox, of a user without rights: on a pipe."""
    uid = os.getuid() or 65534
    top = '/var/tmp/firnmail-dovecot-%d-%s' % (
        os.getpid(), os.path.basename(desk.home))
    for name in ('cur', 'new', 'tmp'):
        os.makedirs(os.path.join(top, 'Maildir', name))
    with open(os.path.join(top, 'conf'), 'w', encoding='ascii') as file:
        file.write('''log_path = {top}/log
mail_location = maildir:{top}/Maildir
mail_home = {top}
base_dir = {top}/run
state_dir = {top}/state
ssl = no
first_valid_uid = 1
first_valid_gid = 1
mail_uid = {uid}
mail_gid = {uid}
protocols = imap
stats_writer_socket_path =
namespace inbox {{
  inbox = yes
  separator = /
}}
'''.format(top=top, uid=uid))
    for folder, _, names in os.walk(top):
        for name in [''] + names:
            os.chown(os.path.join(folder, name), uid, uid)
    return top, '''type = tunnel
command = cat | env USER=probe HOME={top} {dovecot} -c {top}/conf | cat
'''.format(top=top, dovecot=DOVECOT)


@pytest.fixture(params=['ours', 'dovecot'])
def pair(request, server, tmp_path):
    """interimap between our account 1 and another, synchronised."""
    if not shutil.which('interimap'):
        pytest.skip('interimap is not installed')
    desk = Desk(server('--accounts', '2'), 1, tmp_path, KEYS)
    if request.param == 'ours':
        other = Desk(desk.server, 2, tmp_path, ['far'])
        desk.sync = interimap(desk, account_section(other),
                              account_section(desk))
        desk.sync()
        assert other.keys() == desk.keys() == sorted(KEYS + ['far'])
        yield desk, other.keys
        return
    if not os.access(DOVECOT, os.X_OK):
        pytest.skip('dovecot-imapd is not installed')
    top, section = dovecot_section(desk)
    try:
        desk.sync = interimap(desk, section, account_section(desk))
        desk.sync()
        yield desk, lambda: dovecot_files(top)
    finally:
        shutil.rmtree(top)


def dovecot_files(top):
    return sorted(name for part in ('cur', 'new')
                  for name in os.listdir(os.path.join(top, 'Maildir', part)))


def bodies(desk):
    """How many messages interimap has asked for."""
    with open(desk.path('interimap.log'), encoding='utf-8',
              errors='replace') as log:
        return sum(1 for line in log if 'BODY' in line and 'FETCH (' in line)


def test_interimap_goes_on_after_wipe_and_restore(pair):
    desk, look = pair
    server = desk.server
    change_everything(server, desk.user)
    desk.sync()
    before, fetched = look(), bodies(desk)
    assert fetched > 0
    with server.imap_session(desk.user) as client:
        client.select('INBOX')
        client.uid('STORE', '1', '+FLAGS', '(\\Deleted)')
        client.expunge()
    server.stop()
    wipe_home(server)
    server.start()
    server.snapctl('restore', 'latest:' + desk.user, '--yes')
    view = desk.view()
    desk.sync()
    assert bodies(desk) == fetched
    assert desk.view().same(view)
    assert wait_for(lambda: look() != before, what='the expunge over there')
