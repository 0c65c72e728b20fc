"""The day after.  Mail is lost in each way that one can think of, clients are
connected and reconnect all the while, and none of them may ever see an empty
mailbox, a new UIDVALIDITY, an expunge, or one UID for two messages."""
import contextlib
import imaplib
import os
import re
import shutil
import threading

import pytest

from clients import say
from conftest import View, wait_for

KEYS = ['mail-%d' % n for n in range(25)]


class Watcher(threading.Thread):
    """A client that connects again and again and writes down what it saw."""

    def __init__(self, server, before):
        super().__init__(daemon=True)
        self.server = server
        self.before = before
        self.wrong = []
        self.views = 0
        self.done = threading.Event()

    def run(self):
        while not self.done.is_set():
            try:
                with self.server.imap_session() as client:
                    self.check(View(client))
                    self.check_counts(client)
            except (imaplib.IMAP4.error, OSError, AssertionError):
                # Refused, unavailable or cut off: that is allowed.
                self.done.wait(0.05)

    def check(self, view):
        self.views += 1
        if view.uidvalidity != self.before.uidvalidity:
            self.wrong.append('UIDVALIDITY %s' % view.uidvalidity)
        for uid, key in self.before.keys.items():
            if view.keys.get(uid) != key:
                self.wrong.append('UID %d is %s' % (uid, view.keys.get(uid)))

    def check_counts(self, client):
        """What else says how much there is never says less."""
        for command, numbers in (
                ('LIST "" INBOX RETURN (STATUS (MESSAGES))',
                 rb'MESSAGES (\d+)'),
                ('UID SORT RETURN (COUNT) (DATE) UTF-8 ALL',
                 rb'COUNT (\d+)'),
                ('UID THREAD REFERENCES UTF-8 ALL', rb'\d+')):
            said = b' '.join(say(client, command))
            found = re.findall(numbers, said)
            count = len(found) if 'THREAD' in command else int(found[0])
            if count < len(self.before.keys):
                self.wrong.append('%s: %r' % (command, said))

    def finish(self):
        self.done.set()
        self.join(30)
        assert not self.wrong, self.wrong[:5]


@pytest.fixture
def filled(server):
    one = server('--accounts', '2')
    one.fill(KEYS)
    with one.imap_session() as client:
        client.select('INBOX')
        client.uid('STORE', '3', '+FLAGS', '(\\Flagged $later)')
    one.before = one.view()
    assert len(one.before.keys) == len(KEYS)
    return one


def same_again(one):
    wait_for(lambda: one.view().same(one.before), 60, 'the same mailbox')


def maildir_names(one):
    return sorted(name for part in ('cur', 'new')
                  for name in os.listdir(os.path.join(one.maildir1, part)))


def wipe_maildir(one):
    """All of it; files may come back while they are being removed."""
    with contextlib.suppress(OSError):
        shutil.rmtree(one.maildir1)


def wipe_files_only(one):
    for part in ('cur', 'new'):
        for name in os.listdir(os.path.join(one.maildir1, part)):
            os.unlink(os.path.join(one.maildir1, part, name))


def wipe_index(one):
    shutil.rmtree(os.path.join(os.path.dirname(one.maildir1), 'index'))


def wipe_home(one):
    """As above: a running worker begins to make the files again at once."""
    home = os.path.dirname(one.maildir1)
    for name in os.listdir(home):
        path = os.path.join(home, name)
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)


def wipe_all_mail(one):
    shutil.rmtree(os.path.dirname(os.path.dirname(one.maildir1)),
                  ignore_errors=True)


@pytest.mark.parametrize('wipe', [wipe_maildir, wipe_files_only, wipe_index,
                                  wipe_home])
def test_no_client_is_misled_while_mail_is_wiped_under_it(filled, wipe):
    watcher = Watcher(filled, filled.before)
    with filled.imap_session() as idle:
        idle.select('INBOX')
        watcher.start()
        wipe(filled)
        filled.send('meanwhile')
        status, data = idle.noop()
        assert b'EXPUNGE' not in repr((status, data)).encode()
        assert idle.response('EXPUNGE')[1] == [None]
    filled.snapctl('restore', 'latest:' + filled.user1, '--yes')
    wait_for(lambda: 'meanwhile' in filled.view().keys.values(), 60,
             'what came meanwhile')
    with filled.imap_session() as client:
        client.select('INBOX')
        watcher.check_counts(client)
    watcher.finish()
    assert watcher.views > 0
    view = filled.view()
    for uid, key in filled.before.keys.items():
        assert view.keys[uid] == key
        assert view.attributes[uid] == filled.before.attributes[uid]
    assert len(maildir_names(filled)) == len(KEYS) + 1


@pytest.mark.parametrize('wipe', [wipe_maildir, wipe_index, wipe_home,
                                  wipe_all_mail])
def test_mail_wiped_while_nothing_runs_comes_back(filled, wipe):
    filled.stop()
    wipe(filled)
    filled.start()
    filled.snapctl('restore', 'latest:' + filled.user1, '--yes')
    same_again(filled)
    wait_for(lambda: len(maildir_names(filled)) == len(KEYS), 60, 'files')


def test_an_empty_mailbox_opens_empty(filled):
    view = filled.view(filled.user2)
    assert view.exists == 0


def test_store_gone_is_unavailable_and_nothing_is_recreated(filled):
    filled.stop()
    shutil.rmtree(filled.store)
    os.mkdir(filled.store, 0o700)
    filled.start_expecting_trouble()
    with pytest.raises((imaplib.IMAP4.error, OSError, AssertionError)):
        filled.view()
    assert len(maildir_names(filled)) == len(KEYS)
    assert not os.listdir(filled.store)


@pytest.mark.parametrize('in_place', [False, True])
def test_an_older_copy_never_gives_a_uid_to_a_second_message(filled,
                                                             in_place):
    lib = os.path.dirname(filled.store)
    copy = filled.dir + '/copy'
    filled.stop()
    shutil.copytree(lib, copy, symlinks=True)
    restore_owners(lib, copy)
    filled.start()
    filled.fill(['newer-%d' % n for n in range(5)])
    newer = filled.view()
    filled.stop()
    if in_place:
        overwrite(copy, lib)
    else:
        shutil.rmtree(lib)
        os.rename(copy, lib)
    filled.start()
    filled.send('after')
    view = wait_for(lambda: find_after(filled), 60, 'mail after the copy')
    assert view.uidvalidity == newer.uidvalidity
    for uid, key in view.keys.items():
        assert newer.keys.get(uid, key) == key


@pytest.mark.parametrize('users', [1, 2])
def test_only_the_workers_know_that_the_store_is_older(filled, users):
    """A copy taken while all runs, side file and all, put back over the store
    in place: nothing but the witnesses beside the newer Maildirs shows it."""
    copy = filled.dir + '/copy'
    accounts = [filled.user1, filled.user2][:users]
    filled.fill(['old'], filled.user2)
    shutil.copytree(filled.store, copy)
    for user in accounts:
        filled.fill(['newer-%d' % n for n in range(5)], user)
    with filled.imap_session() as client:
        client.create('Lost')
        client.append('Lost', None, None, b'Message-ID: <lost@x>\r\n\r\n')
    newer = {user: filled.view(user) for user in accounts}
    filled.stop()
    overwrite(copy, filled.store)
    filled.start()
    for user in accounts:
        check_after_the_leap(filled, user, newer[user])
    with filled.imap_session() as client:
        assert View(client, 'Lost').keys.values()
    filled.snapctl('verify')
    wait_for(lambda: len(alarms(filled, 'result=')) >= users,
             what='the alarms in the log')
    leaps = alarms(filled, 'result=')
    assert len(leaps) == users, leaps
    assert [line for line in leaps if 'store-leaps' in line] == leaps[1:]


def check_after_the_leap(one, user, newer):
    """Nothing is lost, and no UID means anything else."""
    one.send('after', user)
    view = wait_for(lambda: find_after(one, user), 60, 'mail after the copy')
    assert view.uidvalidity == newer.uidvalidity
    assert set(newer.keys.values()) <= set(view.keys.values())
    assert len(view.keys) == len(set(view.keys.values()))
    for uid, key in view.keys.items():
        assert newer.keys.get(uid, key) == key
    assert view.uidnext > 1 << 20


def alarms(one, what):
    with open(one.dir + '/log', encoding='utf-8', errors='replace') as log:
        return [line for line in log if 'alarm' in line and what in line]


def find_after(one, user=None):
    view = one.view(user)
    return view if 'after' in view.keys.values() else None


def restore_owners(source, target):
    for root, folders, names in os.walk(source):
        for name in folders + names + ['.']:
            old = os.path.join(root, name)
            new = os.path.join(target, os.path.relpath(old, source))
            status = os.lstat(old)
            os.chown(new, status.st_uid, status.st_gid, follow_symlinks=False)


def overwrite(source, target):
    """The older bytes into the same files, as a careless backup does; files
    that the copy does not have stay."""
    for root, _, names in os.walk(source):
        for name in names:
            old = os.path.join(root, name)
            new = os.path.join(target, os.path.relpath(old, source))
            if os.path.exists(new):
                with open(old, 'rb') as one, open(new, 'r+b') as other:
                    other.truncate(0)
                    shutil.copyfileobj(one, other)
