"""What one session does, another hears as it has asked for: with MODSEQ, with
VANISHED (RFC 7162), or as in plain IMAP4rev1."""
import re

import pytest

from clients import say


@pytest.fixture
def box(shared, request):
    """A mailbox of five for one test, and a session that changes it."""
    name = request.node.name
    with shared.imap_session() as client:
        assert client.create(name)[0] == 'OK'
        for n in range(5):
            client.append(name, None, None, b'Subject: %d\r\n\r\n' % n)
        client.select(name)
        yield name, client


def hear(client, wanted):
    """Untagged lines, until one has `wanted`; each NOOP is a chance."""
    heard = []
    for _ in range(100):
        heard += say(client, 'NOOP')
        if any(re.search(wanted, line) for line in heard):
            return heard
    return pytest.fail('not heard: %r' % heard)


def expunge(client, uids):
    client.uid('STORE', uids, '+FLAGS.SILENT', '(\\Deleted)')
    assert client.expunge()[0] == 'OK'


def test_a_plain_session_hears_expunges_by_number(shared, box):
    name, other = box
    with shared.imap_session() as client:
        say(client, 'SELECT ' + name)
        other.uid('STORE', '5', '+FLAGS', '(\\Seen)')
        assert b'* 5 FETCH (FLAGS (\\Seen))' in hear(client, rb'FETCH')
        expunge(other, '2:3')
        heard = hear(client, rb'EXPUNGE')
        assert heard.count(b'* 2 EXPUNGE') == 2
        assert not any(b'MODSEQ' in line or b'VANISHED' in line
                       for line in heard)


def test_a_condstore_session_hears_modseq(shared, box):
    name, other = box
    with shared.imap_session() as client:
        say(client, 'SELECT %s (CONDSTORE)' % name)
        other.uid('STORE', '5', '+FLAGS', '(\\Seen)')
        heard = hear(client, rb'FETCH')
        assert any(re.fullmatch(
            rb'\* 5 FETCH \(UID 5 MODSEQ \(\d+\) FLAGS \(\\Seen\)\)', line)
                   for line in heard)
        expunge(other, '2:3')
        assert hear(client, rb'EXPUNGE').count(b'* 2 EXPUNGE') == 2


def test_a_qresync_session_hears_vanished(shared, box):
    name, other = box
    with shared.imap_session() as client:
        assert client.enable('QRESYNC')[0] == 'OK'
        text = b'\n'.join(say(client, 'SELECT ' + name))
        before = int(re.search(rb'HIGHESTMODSEQ (\d+)', text)[1])
        expunge(other, '2:3')
        heard = hear(client, rb'VANISHED')
        assert b'* VANISHED 2:3' in heard
        assert not any(b'EXPUNGE' in line for line in heard)
        # Numbers go on from there: 5 is the third now.
        other.uid('STORE', '5', '+FLAGS', '(\\Seen)')
        heard = hear(client, rb'FETCH')
        found = re.search(rb'\* 3 FETCH \(UID 5 MODSEQ \((\d+)\)',
                          b'\n'.join(heard))
        assert found and int(found[1]) > before
        again = say(client, 'UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d VANISHED)'
                    % before)
        assert again[0] == b'* VANISHED (EARLIER) 2:3'
        assert len(again) == 2 and b'UID 5' in again[1]


def test_numbers_stay_while_a_fetch_by_number_is_answered(shared, box):
    name, other = box
    with shared.imap_session() as client:
        assert client.enable('QRESYNC')[0] == 'OK'
        say(client, 'SELECT ' + name)
        expunge(other, '1')
        heard = say(client, 'FETCH 5 UID')
        assert b'* 5 FETCH (UID 5)' in heard
        assert not any(b'VANISHED' in line for line in heard)
        assert b'* VANISHED 1' in hear(client, rb'VANISHED')
