"""UIDONLY (RFC 9586), UIDBATCHES (RFC 10022) and MESSAGELIMIT (RFC 9738) over the
wire: a client that knows no message numbers, what it is told of the doings of others,
and mailboxes a batch at a time."""
import re
import signal

import pytest

from clients import say, uids_of

MESSAGE = b'Subject: x\r\n\r\nx\r\n'
REQUIRED = b'x BAD [UIDREQUIRED]'


def fill(client, box, count):
    """One commit each 500."""
    for start in range(0, count, 500):
        size = min(500, count - start)
        client.send(b'x APPEND %s' % box.encode() + b' {%d+}\r\n%s' % (
            len(MESSAGE), MESSAGE) * size + b'\r\n')
        while not (line := client.readline()).startswith(b'x '):
            assert line.startswith(b'* '), line
        assert line.startswith(b'x OK'), line


@pytest.fixture(name='boxes')
def fixture_boxes(shared, request):
    """A mailbox of four, the second expunged; who works by UID, and another."""
    name = re.sub(r'\W', '-', request.node.name)
    with shared.imap_session() as one, shared.imap_session() as other:
        assert one.create(name)[0] == 'OK'
        fill(one, name, 4)
        other.select(name)
        other.store('2', '+FLAGS.SILENT', r'(\Deleted)')
        other.expunge()
        assert say(one, 'ENABLE UIDONLY') == [b'* ENABLED UIDONLY']
        say(one, 'SELECT ' + name)
        yield name, one, other


def tagged(client, command):
    client.send(b'x ' + command.encode() + b'\r\n')
    while not (line := client.readline()).startswith(b'x '):
        assert line.startswith(b'* '), line
    return line


# RFC section, command, what it answers: a tagged line, or untagged ones.
ANSWERS = [
    ('9586 3.2 FETCH', 'FETCH 1 FLAGS', REQUIRED),
    ('9586 3.2 STORE', r'STORE 1 +FLAGS (\Seen)', REQUIRED),
    ('9586 3.2 SEARCH', 'SEARCH UID 1:*', REQUIRED),
    ('9586 3.2 COPY', 'COPY 1 INBOX', REQUIRED),
    ('9586 3.2 MOVE', 'MOVE 1 INBOX', REQUIRED),
    ('9586 3.3 flags', 'UID FETCH 3:4 FLAGS',
     [rb'3 UIDFETCH \(FLAGS \(.*\)\)', rb'4 UIDFETCH \(FLAGS \(.*\)\)']),
    ('9586 3.3 UID', 'UID FETCH * UID', [rb'4 UIDFETCH \(UID 4\)']),
    ('9586 3.3 STORE', r'UID STORE 1 +FLAGS (\Seen)',
     [rb'1 UIDFETCH \(FLAGS \(\\Seen.*\)\)']),
    ('9586 3.4 expunge', 'UID EXPUNGE 1:*', []),
    ('9586 3.5 set', 'UID SEARCH 1:*', REQUIRED),
    ('9586 3.5 in OR', 'UID SEARCH OR SEEN 1', REQUIRED),
    ('9586 3.5 UID', 'UID SEARCH UID 2:*', [rb'SEARCH 3 4']),
    ('9586 3.8 SORT', 'SORT (DATE) UTF-8 ALL', REQUIRED),
    ('9586 3.8 THREAD', 'THREAD ORDEREDSUBJECT UTF-8 ALL', REQUIRED),
    ('9586 3.8 UID SORT', 'UID SORT (ARRIVAL) UTF-8 ALL', [rb'SORT 1 3 4']),
    ('9586 3.8 UID THREAD', 'UID THREAD REFERENCES UTF-8 1:2', REQUIRED),
    ('4731 ESEARCH', 'UID SEARCH RETURN (MIN MAX COUNT) ALL',
     [rb'ESEARCH \(TAG ".*"\) UID MIN 1 MAX 4 COUNT 3']),
    ('9394 PARTIAL', 'UID SEARCH RETURN (PARTIAL -1:-2) ALL',
     [rb'ESEARCH \(TAG ".*"\) UID PARTIAL \(-1:-2 3:4\)']),
    ('9394 3.3 page', 'UID FETCH 1:* UID (PARTIAL 2:2)',
     [rb'3 UIDFETCH \(UID 3\)']),
    ('7162 CHANGEDSINCE', 'UID FETCH 4 UID (CHANGEDSINCE 1)',
     [rb'OK \[HIGHESTMODSEQ \d+\] Highest',
      rb'4 UIDFETCH \(UID 4 MODSEQ \(\d+\)\)']),
    ('8508 REPLACE', 'REPLACE 1 INBOX {1+}\r\nx', REQUIRED),
    ('10022 3.1 all', 'UIDBATCHES 500', [rb'UIDBATCHES \(TAG ".*"\) 4:1']),
    ('10022 3.1 none', 'UIDBATCHES 500 2:9', [rb'UIDBATCHES \(TAG ".*"\)']),
    ('10022 3.1 few', 'UIDBATCHES 99', b'x NO [TOOFEW]'),
    ('10022 3.1 many', 'UIDBATCHES 1000 1:1001', b'x NO [TOOMANY]'),
    ('10022 3.1 enough', 'UIDBATCHES 500 1:200', [
        rb'UIDBATCHES \(TAG ".*"\) 4:1']),
    ('10022 3.1 syntax', 'UIDBATCHES 500 2:1', b'x BAD'),
]


@pytest.mark.parametrize('command, answer', [row[1:] for row in ANSWERS],
                         ids=[row[0] for row in ANSWERS])
def test_commands_by_uid(boxes, command, answer):
    _, client, _ = boxes
    if isinstance(answer, bytes):
        assert tagged(client, command).startswith(answer)
        return
    said = say(client, command)
    assert len(said) == len(answer), said
    for line, wanted in zip(said, answer):
        assert re.fullmatch(rb'\* ' + wanted, line), line


def test_9586_3_6_select_and_status_name_no_number(boxes):
    name, client, _ = boxes
    said = say(client, 'SELECT ' + name)
    assert b'* 3 EXISTS' in said
    assert not any(b'UNSEEN' in line for line in said)
    assert say(client, 'STATUS %s (UNSEEN)' % name) == [
        b'* STATUS %s (UNSEEN 3)' % name.encode()]


def test_9586_3_7_qresync_without_numbers(boxes):
    name, client, other = boxes
    say(client, 'ENABLE QRESYNC')
    validity = re.search(rb'UIDVALIDITY (\d+)', b' '.join(
        say(client, 'SELECT ' + name)))[1].decode()
    where = 'SELECT %s (QRESYNC (%s 1 1:9' % (name, validity)
    assert tagged(client, where + ' (1 1)))').startswith(REQUIRED)
    other.store('3', '+FLAGS.SILENT', r'(\Deleted)')
    other.expunge()
    said = say(client, where + '))')
    assert b'* VANISHED (EARLIER) 2,4' in said
    assert [line.split()[1] for line in said if b'UIDFETCH (' in line] == [
        b'1', b'3']
    assert not any(b' FETCH ' in line for line in said)


@pytest.mark.parametrize('way', ['NOOP', 'IDLE', 'NOTIFY'])
def test_9586_3_3_and_3_4_what_others_do(boxes, way):
    name, client, other = boxes
    say(client, 'NOOP')
    if way == 'NOTIFY':
        say(client, 'NOTIFY SET (selected (MessageNew (FLAGS) MessageExpunge '
            'FlagChange))')
    if way == 'IDLE':
        client.send(b'i IDLE\r\n')
        assert client.readline().startswith(b'+')

    def hear(wanted):
        if way == 'NOOP':
            client.send(b'n NOOP\r\n')
        while not re.match(wanted, line := client.readline()):
            assert re.match(rb'\* \d+ (EXISTS|RECENT|UIDFETCH)|n OK', line), \
                line

    # Which of the two others is \Recent is no matter here.
    other.uid('STORE', '3', '+FLAGS', r'(\Flagged)')
    hear(rb'\* 3 UIDFETCH \(FLAGS \(\\Flagged')
    other.uid('STORE', '1,4', '+FLAGS.SILENT', r'(\Deleted)')
    other.expunge()
    hear(rb'\* VANISHED 1,4\r|\* VANISHED 1\r')
    fill(other, name, 1)
    hear(rb'\* 2 EXISTS')
    if way == 'NOTIFY':
        hear(rb'\* 5 UIDFETCH \(FLAGS')


def members(batches, uids):
    """For each batch, which of the UIDs are its."""
    found = []
    for batch in batches.split(b','):
        high, low = map(int, batch.split(b':'))
        assert high >= low
        found.append([uid for uid in uids if low <= uid <= high])
    return found


def test_10022_3_batches_hold_so_many_and_all(shared):
    with shared.imap_session() as client:
        client.create('batches')
        fill(client, 'batches', 1250)
        client.select('batches')
        client.store('2,700:720,1100:1110', '+FLAGS.SILENT', r'(\Deleted)')
        client.expunge()
        uids = list(map(int, client.uid('SEARCH', 'ALL')[1][0].split()))
        assert len(uids) == 1250 - 33
        whole = re.fullmatch(rb'\* UIDBATCHES \(TAG "[^"]+"\) (.*)',
                             say(client, 'UIDBATCHES 500')[0])[1]
        assert whole.endswith(b':1')
        held = members(whole, uids)
        assert [len(batch) for batch in held] == [500, 500, 217]
        assert sorted(sum(held, [])) == uids
        some, = say(client, 'UIDBATCHES 500 2:2')
        assert some.split(b' ')[-1] == whole.split(b',')[1]
        # A batch is what UID SEARCH takes.
        low, high = held[1][0], held[1][-1]
        found, = say(client, 'UID SEARCH RETURN (ALL) UID %d:%d' % (high, low))
        assert list(uids_of(found.split()[-1].decode())) == held[1]


# RFC 9738 section, command, answer.
LIMITED = [
    ('3.1 append', 'APPEND INBOX' + ' {1+}\r\nx' * 501,
     b'x NO [MESSAGELIMIT 500]'),
    ('3.1 page', 'UID FETCH 1:* UID (PARTIAL 1:1000001)',
     b'x NO [MESSAGELIMIT 1000000]'),
    ('3.2 after', 'UID SEARCH UIDAFTER 1', [rb'SEARCH 3 4']),
    ('3.2 before', 'UID SEARCH UIDBEFORE 4', [rb'SEARCH 1 3']),
    ('3.2 both', 'UID SEARCH UIDAFTER 1 UIDBEFORE 4', [rb'SEARCH 3']),
    ('3.2 after the last', 'UID SEARCH UIDAFTER 4', [rb'SEARCH']),
    ('3.2 sorted', 'UID SORT (ARRIVAL) UTF-8 UIDBEFORE 4', [rb'SORT 1 3']),
    ('3.2 numbers', 'UID SEARCH UIDAFTER *', b'x BAD'),
]


@pytest.mark.parametrize('command, answer', [row[1:] for row in LIMITED],
                         ids=[row[0] for row in LIMITED])
def test_9738_messages_of_a_command(boxes, command, answer):
    test_commands_by_uid(boxes, command, answer)


def test_9738_3_the_limit_is_announced(shared):
    with shared.imap_session() as client:
        said, = say(client, 'CAPABILITY')
        assert b' MESSAGELIMIT=1000000 ' in said
        # One of the two.
        assert b'SAVELIMIT' not in said


def test_9585_4_who_waits_is_told_how_far_it_is(shared, boxes):
    _, client, _ = boxes
    shared.kill('snapd', signal.SIGSTOP)
    try:
        client.send(b'x UID STORE 3:4 +FLAGS (\\Answered)\r\n')
        assert client.readline() == \
            b'* OK [INPROGRESS ("x" 0 2)] Still at work\r\n'
    finally:
        shared.kill('snapd', signal.SIGCONT)
    while (line := client.readline()).startswith(b'* '):
        assert b'INPROGRESS' in line or b'UIDFETCH' in line
    assert line.startswith(b'x OK')
