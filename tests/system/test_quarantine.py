"""A message whose parsing kills the worker: three times, and no more.  The
worker is the real one but for a flaw that the linker put into its parser
(brittle_parser.c)."""
import os
import shutil

import pytest

from conftest import TOP, message, wait_for

BUILD = os.environ.get('BUILD', os.path.join(TOP, 'build'))
BRITTLE = 'imapd-worker=%s/tests/system/brittle_worker' % BUILD
TEXT = 'X-Brittle: yes\r\n' + message('brittle')


def brittle(server):
    made = server('--accounts', '1', '--replace', BRITTLE)
    made.crashing_role = 'worker'
    return made


@pytest.fixture
def one(server):
    made = brittle(server)
    made.fill(['before'])
    with made.smtp() as client:
        client.sendmail('sender@there.test', made.user1, TEXT)
    return made


def read(server, wanted):
    """Everything a mail program shows first; None while it cannot, or while
    there are not so many messages yet."""
    with server.imap_session() as client:
        status, count = client.select('INBOX')
        if status != 'OK':
            return None
        status, data = client.fetch('1:*', '(UID ENVELOPE BODYSTRUCTURE)')
        if status != 'OK' or len(data) != wanted or int(count[0]) != wanted:
            return None
        return [line.decode() for line in data]


def deaths(server):
    with open(server.dir + '/log', encoding='utf-8', errors='replace') as log:
        lines = log.readlines()
    return (sum('ended role=worker' in line and 'signal' in line
                for line in lines),
            sum('message-quarantined' in line for line in lines))


def test_what_killed_three_workers_is_served_as_it_is(one):
    lines = wait_for(lambda: read(one, 2), 90, 'the mailbox')
    assert 'before' in lines[0]
    assert 'ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)' in lines[1]
    assert '("text" "plain"' in lines[1].lower()
    with one.imap_session() as client:
        client.select('INBOX')
        whole = client.fetch('2', '(BODY.PEEK[])')[1][0][1].decode()
        part = client.fetch('2', '(BODY.PEEK[1])')[1][0][1].decode()
        field = client.fetch(
            '2', '(BODY.PEEK[HEADER.FIELDS (SUBJECT)])')[1][0][1]
        assert client.search(None, 'BODY', '"A line"') == ('OK', [b'1'])
    assert whole.endswith(TEXT)
    assert part == whole
    assert field == b'\r\n'
    wait_for(lambda: deaths(one) == (3, 1), what='three deaths in the log')


def test_the_quarantine_outlives_workers_and_the_index(one):
    wait_for(lambda: read(one, 2), 90, 'the mailbox')
    wait_for(lambda: deaths(one) == (3, 1), what='three deaths in the log')
    one.stop()
    shutil.rmtree(os.path.join(os.path.dirname(one.maildir1), 'index'))
    one.start()
    one.send('after')
    lines = wait_for(lambda: read(one, 3), 60, 'mail after')
    assert 'after' in lines[2]
    assert deaths(one) == (3, 1)


def test_a_foreign_file_that_kills_is_quarantined_too(server):
    one = brittle(server)
    one.fill(['before'])
    path = os.path.join(one.maildir1, 'cur', '1.foreign:2,')
    with open(path, 'w', encoding='ascii') as file:
        file.write(TEXT.replace('\r\n', '\n'))
    status = os.stat(one.maildir1)
    os.chown(path, status.st_uid, status.st_gid)
    lines = wait_for(lambda: read(one, 2), 90, 'the foreign file')
    assert 'ENVELOPE (NIL' in lines[1]
    wait_for(lambda: deaths(one) == (3, 1), what='three deaths in the log')
    one.stop()
    shutil.rmtree(os.path.join(os.path.dirname(one.maildir1), 'index'))
    one.start()
    wait_for(lambda: read(one, 2), 60, 'the mailbox')
    assert deaths(one) == (3, 1)
