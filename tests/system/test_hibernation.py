"""Sessions that rest leave no worker behind, and notice nothing of it: those in
IDLE hear of news, the others go on where they were."""
import contextlib
import glob
import imaplib
import re
import select
import subprocess
import time
import zlib

import pytest

from clients import Compressed, say
from conftest import wait_for
from sleepers import all_asleep, has_worker, log, sleepy_instance, user, wakes


@pytest.fixture(name='sleepy', scope='module')
def fixture_sleepy(tmp_path_factory):
    with sleepy_instance(tmp_path_factory, 20) as server:
        yield server


@pytest.fixture
def alone(server, tmp_path):
    """The same for one test, which may do anything to it."""
    config = tmp_path / 'config'
    config.write_text('hibernate after 1s\n')
    return server('--config', str(config))


def sleeps(server):
    return len(re.findall(r'worker\[\d+\] info session-sleep ', log(server)))


class Idler:
    """A session in IDLE."""

    def __init__(self, server, user=None, *commands):
        self.client = server.imap(user)
        for command in commands:
            say(self.client, command)
        self.answer = say(self.client, 'SELECT INBOX')
        self.client.send(b'i IDLE\r\n')
        assert self.client.readline() == b'+ idling\r\n'

    def hear(self, wanted, seconds=60):
        """Lines up to one that matches, and how long that took."""
        began = time.monotonic()
        heard = []
        self.client.sock.settimeout(seconds)
        while not heard or not re.search(wanted, heard[-1]):
            heard.append(self.client.readline())
            assert heard[-1], heard
        return heard, time.monotonic() - began

    def is_silent(self):
        self.client.sock.setblocking(False)
        try:
            return not select.select([self.client.sock], [], [], 0)[0] and \
                not self.client.sock.pending()
        finally:
            self.client.sock.settimeout(60)

    def done(self):
        """IDLE ends, and all was told before; a new message may be recent
        here or in another session."""
        self.client.send(b'DONE\r\n')
        heard, _ = self.hear(rb'^i ')
        assert heard[-1].startswith(b'i OK')
        assert all(re.fullmatch(rb'\* \d+ RECENT\r\n', line)
                   for line in heard[:-1])

    def close(self):
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            self.client.logout()


@contextlib.contextmanager
def idling(server, user=None, *commands):
    idler = Idler(server, user, *commands)
    try:
        yield idler
    finally:
        idler.close()


def test_idle_hears_of_mail_while_no_worker_is_there(sleepy):
    name = user(sleepy, 2)
    sleepy.fill(['before'], name)
    with idling(sleepy, name) as idler:
        for count in (2, 3):
            all_asleep(sleepy, name)
            assert idler.is_silent()
            sleepy.send('mail-%d' % count, name)
            heard, _ = idler.hear(rb'RECENT')
            assert heard[0] == b'* %d EXISTS\r\n' % count
            assert len(heard) == 2
        all_asleep(sleepy, name)
        idler.done()
        found = idler.client.search(None, 'ALL')
        assert found == ('OK', [b'1 2 3'])


def test_idle_hears_what_another_session_does(sleepy):
    name = user(sleepy, 3)
    sleepy.fill(['a', 'b', 'c', 'd'], name)
    with idling(sleepy, name) as idler:
        all_asleep(sleepy, name)
        with sleepy.imap_session(name) as other:
            other.select()
            other.store('3', '+FLAGS', '(\\Seen)')
            heard, _ = idler.hear(rb'FETCH')
            assert heard == [b'* 3 FETCH (FLAGS (\\Seen))\r\n'] or \
                heard == [b'* 3 FETCH (FLAGS (\\Seen \\Recent))\r\n']
        all_asleep(sleepy, name)
        with sleepy.imap_session(name) as other:
            other.select()
            other.store('1', '+FLAGS', '(\\Deleted)')
            other.expunge()
            heard, _ = idler.hear(rb'EXPUNGE')
            assert heard[-1] == b'* 1 EXPUNGE\r\n'
        idler.done()


def test_the_last_to_leave_takes_the_worker_along(sleepy):
    name = user(sleepy, 3)
    with idling(sleepy, name) as idler:
        all_asleep(sleepy, name)
        with sleepy.imap_session(name) as other:
            other.select()
            other.search(None, 'ALL')
        all_asleep(sleepy, name)
        idler.done()


def test_idle_sleeps_through_what_concerns_another_mailbox(sleepy):
    name = user(sleepy, 10)
    with sleepy.imap_session(name) as other:
        other.create('Elsewhere')
    with idling(sleepy, name) as idler:
        all_asleep(sleepy, name)
        with sleepy.imap_session(name) as other:
            other.append('Elsewhere', None, None, b'Subject: x\r\n\r\nx\r\n')
        assert wakes(sleepy, name) == 0
        sleepy.send('here', name)
        idler.hear(rb'EXISTS')


def test_a_session_goes_on_where_it_was(sleepy):
    """What it was told, not what is: numbers stay until it hears."""
    name = user(sleepy, 4)
    sleepy.fill(['a', 'b', 'c', 'd', 'e'], name)
    with sleepy.imap_session(name) as client:
        client.select()
        assert client.search(None, 'ALL')[1] == [b'1 2 3 4 5']
        all_asleep(sleepy, name)
        with sleepy.imap_session(name) as other:
            other.select()
            other.store('2', '+FLAGS', '(\\Deleted)')
            other.expunge()
            other.store('4', '+FLAGS', '(\\Flagged)')
        # By number: no EXPUNGE may come before its answer.
        heard = say(client, 'FETCH 5 UID')
        assert b'* 5 FETCH (UID 5)' in heard
        assert not any(b'EXPUNGE' in line for line in heard)
        heard = say(client, 'NOOP')
        assert [line for line in heard if b'EXPUNGE' in line] == \
            [b'* 2 EXPUNGE']
        assert say(client, 'FETCH 4 UID')[0] == b'* 4 FETCH (UID 5)'


def test_qresync_and_searchres_outlive_sleep(sleepy):
    name = user(sleepy, 5)
    sleepy.fill(['a', 'b', 'c', 'd'], name)
    with sleepy.imap_session(name) as client:
        assert client.enable('QRESYNC')[0] == 'OK'
        say(client, 'SELECT INBOX')
        say(client, 'UID SEARCH RETURN (SAVE) 2:3')
        all_asleep(sleepy, name)
        with sleepy.imap_session(name) as other:
            other.select()
            other.store('1', '+FLAGS', '(\\Deleted)')
            other.expunge()
            other.store('3', '+FLAGS', '(\\Answered)')
        heard = say(client, 'UID FETCH $ UID')
        assert b'* VANISHED 1' in heard
        assert [line for line in heard if b'UID' in line and
                b'FLAGS' not in line and b'FETCH' in line] == \
            [b'* 2 FETCH (UID 2)', b'* 3 FETCH (UID 3)'] or \
            [line for line in heard if re.search(rb'FETCH \(UID \d\)', line)]
        assert any(re.search(rb'UID 4 MODSEQ \(\d+\) FLAGS \([^)]*Answered',
                             line) for line in heard + say(client, 'NOOP'))


def test_uids_alone_outlive_sleep(sleepy):
    """What others did meanwhile, by UID (RFC 9586)."""
    name = user(sleepy, 5)
    sleepy.fill(['a', 'b', 'c'], name)
    with idling(sleepy, name, 'ENABLE UIDONLY') as idler:
        with sleepy.imap_session(name) as other:
            other.select()
            uids = other.uid('SEARCH', 'ALL')[1][0].split()
        all_asleep(sleepy, name)
        with sleepy.imap_session(name) as other:
            other.select()
            other.uid('STORE', uids[-1].decode(), '+FLAGS', '(\\Flagged)')
            heard, _ = idler.hear(rb'FETCH')
            assert heard[-1].startswith(b'* %s UIDFETCH (FLAGS (' % uids[-1])
            other.uid('STORE', uids[-2].decode(), '+FLAGS', '(\\Deleted)')
            other.expunge()
            idler.hear(rb'\* VANISHED %s\r' % uids[-2])
        all_asleep(sleepy, name)
        idler.done()
        idler.client.send(b'x FETCH 1 FLAGS\r\n')
        assert idler.client.readline().startswith(b'x BAD [UIDREQUIRED]')


def test_who_wants_no_news_is_not_woken_by_them(sleepy):
    """NOTIFY NONE (RFC 5465), also in IDLE."""
    name = user(sleepy, 11)
    sleepy.fill(['a'], name)
    with idling(sleepy, name, 'NOTIFY NONE') as idler:
        all_asleep(sleepy, name)
        sleepy.send('unheard', name)
        wait_for(lambda: 'unheard' in sleepy.view(name).keys.values())
        assert idler.is_silent()
        assert wakes(sleepy, name) == 0
        idler.done()
        assert b'* 2 EXISTS' in say(idler.client, 'NOOP')


def test_commands_in_a_row_wake_once_and_keep_their_order(sleepy):
    name = user(sleepy, 6)
    sleepy.fill(['a', 'b'], name)
    with sleepy.imap_session(name) as client:
        client.select()
        all_asleep(sleepy, name)
        client.send(b''.join(b'p%d FETCH %d UID\r\n' % (n, n % 2 + 1)
                             for n in range(200)) +
                    b'l LOGIN {4}\r\n')
        heard = []
        while not heard or not heard[-1].startswith(b'+'):
            heard.append(client.readline())
            if heard[-1].startswith(b'l '):
                break
        tags = [line.split()[0] for line in heard if line.startswith(b'p')]
        assert tags == [b'p%d' % n for n in range(200)]
        wait_for(lambda: wakes(sleepy, name) > 0, what='the wake in the log')
        assert wakes(sleepy, name) == 1


def test_a_mailbox_that_goes_while_its_session_sleeps(sleepy):
    name = user(sleepy, 7)
    with sleepy.imap_session(name) as other:
        other.create('Gone')
    client = sleepy.imap(name)
    client.select('Gone')
    client.send(b'i IDLE\r\n')
    assert client.readline() == b'+ idling\r\n'
    all_asleep(sleepy, name)
    with sleepy.imap_session(name) as other:
        assert other.delete('Gone')[0] == 'OK'
        assert client.readline() == b'* BYE Mailbox was deleted\r\n'
        assert client.readline() == b''
    client.shutdown()


def test_a_client_that_goes_wakes_nobody(sleepy):
    name = user(sleepy, 12)
    idler = Idler(sleepy, name)
    all_asleep(sleepy, name)
    idler.client.shutdown()
    wait_for(lambda: re.search(r'session-close sid=\d+ account=12 asleep=1',
                               log(sleepy)), what='forgotten')
    assert wakes(sleepy, name) == 0
    assert not has_worker(sleepy, name)


@pytest.mark.parametrize('flush', [zlib.Z_SYNC_FLUSH, zlib.Z_PARTIAL_FLUSH],
                         ids=['sync', 'partial'])
def test_a_session_that_compresses_goes_on_where_it_was(sleepy, flush):
    """What it says refers to what it said before it slept, and so may what it
    hears: that it is deflate, its zlib says."""
    name = user(sleepy, 13)
    command = b'SEARCH SUBJECT "words that nobody says twice but he"'
    with sleepy.imap_session(name) as client:
        client.select()
        packed = Compressed(client, flush)
        said = packed.say(command)
        for _ in range(2):
            all_asleep(sleepy, name)
            assert packed.say(command) == said
        packed.send(b'i IDLE\r\n')
        assert packed.line() == b'+ idling\r\n'
        all_asleep(sleepy, name)
        sleepy.send('while-asleep', name)
        assert packed.line().endswith(b' EXISTS\r\n')
        packed.send(b'DONE\r\n')
        while not packed.line().startswith(b'i OK'):
            pass
        packed.logout()


def test_the_past_is_the_same_after_a_sleep(sleepy):
    """A snapshot, and the deleted mail, of which there is more by then."""
    name = user(sleepy, 14)
    ask = 'FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])'
    with contextlib.ExitStack() as stack:
        one, tree, deleted = (stack.enter_context(sleepy.imap_session(name))
                              for _ in range(3))

        def lose(key):
            sleepy.fill([key], name)
            one.select()
            one.store('1', '+FLAGS', '(\\Deleted Work)')
            one.expunge()

        sleepy.fill(['stays', 'goes', 'goes-as-well'], name)
        sleepy.snapctl('create', '--name', 'asleep', name)
        lose('more')
        lose('and-more')
        root = say(one, 'LIST "" Snapshots/%')[-1].split(b'"')[-2].decode()
        say(tree, 'EXAMINE "%s/INBOX"' % root)
        say(deleted, 'EXAMINE "Snapshots/Deleted mail"')
        before = [say(client, ask) for client in (tree, deleted)]
        assert len(before[0]) > len(before[1]) > 0
        # One of them in IDLE: nothing that happens now is news to it.
        deleted.send(b'i IDLE\r\n')
        assert deleted.readline() == b'+ idling\r\n'
        one.logout()
        all_asleep(sleepy, name)
        one = stack.enter_context(sleepy.imap_session(name))
        lose('too-late')
        one.logout()
        all_asleep(sleepy, name)
        deleted.send(b'DONE\r\n')
        assert deleted.readline() == b'i OK Idle completed\r\n'
        assert [say(client, ask) for client in (tree, deleted)] == before
        assert say(tree, 'NOOP') == say(deleted, 'NOOP') == []
        assert say(deleted, 'COPY 1 INBOX') is not None


def test_two_hundred_sessions_sleep_and_wake(sleepy):
    """100 in IDLE, 100 between two commands, of two accounts."""
    one, two = user(sleepy, 8), user(sleepy, 9)
    with contextlib.ExitStack() as stack:
        idlers = [stack.enter_context(idling(sleepy, one))
                  for _ in range(100)]
        others = [stack.enter_context(sleepy.imap_session(two))
                  for _ in range(100)]
        for client in others:
            client.select()
        all_asleep(sleepy, one)
        all_asleep(sleepy, two)
        sleepy.send('to-all', one)
        sleepy.fill(['to-all'], two)
        for idler in idlers:
            heard, _ = idler.hear(rb'EXISTS')
            assert heard == [b'* 1 EXISTS\r\n']
        for client in others:
            assert b'* 1 EXISTS' in say(client, 'NOOP')
        for idler in idlers:
            idler.done()


# ---- What may happen to the server meanwhile ----

def test_a_worker_that_is_killed_leaves_sleepers_alone(alone):
    with idling(alone) as idler:
        all_asleep(alone)
        other = alone.imap()
        other.select()

        def killed():
            """While it asks it has a worker, and a second longer."""
            other.noop()
            alone.kill('worker')
            return True

        wait_for(killed, what='a worker to kill')
        other.shutdown()
        alone.send('after')
        idler.hear(rb'EXISTS')
        idler.done()


def test_a_reload_ends_sleepers_of_accounts_that_are_gone(alone):
    name = user(alone, 2)
    with idling(alone) as stays:
        goes = Idler(alone, name)
        all_asleep(alone)
        users = glob.glob(alone.dir + '/**/users', recursive=True)[0]
        with open(users, encoding='utf-8') as file:
            lines = file.readlines()
        # Another password, and another account less.
        with open(users, 'w', encoding='utf-8') as file:
            file.writelines(re.sub(r'(:\{[^:]*)[^:]:', r'\1.:', line)
                            if line.startswith(alone.user1) else line
                            for line in lines if not line.startswith(name))
        subprocess.run(alone.firnmail.split() + ['reload'], check=True,
                       timeout=60, stdout=subprocess.DEVNULL)
        heard, _ = goes.hear(rb'BYE')
        assert b'not served here' in heard[-1]
        alone.send('to-who-stays')
        stays.hear(rb'EXISTS')
        stays.done()
        goes.client.shutdown()


def test_a_stop_ends_sleepers(alone):
    idler = Idler(alone)
    all_asleep(alone)
    alone.stop()
    heard = idler.client.readline()
    assert heard == b'' or heard.startswith(b'* BYE [UNAVAILABLE]')
    idler.client.shutdown()
    alone.start()
    with idling(alone) as again:
        all_asleep(alone)
        alone.send('after')
        again.hear(rb'EXISTS')
