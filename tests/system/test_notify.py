"""NOTIFY (RFC 5465): what one session does, another is told unasked, between its
commands and in IDLE, of the mailboxes that it named."""
import re
import select

import pytest

from clients import say
from conftest import message

NEWS = '(MessageNew MessageExpunge FlagChange)'


def listen(client, wanted):
    """Lines that come unasked, up to one that matches."""
    heard = []
    while not heard or not re.search(wanted, heard[-1]):
        line = client.readline()
        assert line, 'the connection ended'
        heard.append(line.rstrip(b'\r\n'))
    return heard


def is_silent(client):
    """Nothing has come: what the server would have said is there before its
    answer to another session's NOOP, which asked later."""
    return not client.sock.pending() and not select.select(
        [client.sock], [], [], 0)[0]


@pytest.fixture(name='boxes')
def fixture_boxes(shared, request):
    """Two mailboxes for one test, a session that changes them, and one that
    hears of it."""
    name = re.sub(r'\W', '-', request.node.name)
    with shared.imap_session() as one, shared.imap_session() as other:
        for box in (name, name + '/b'):
            assert one.create(box)[0] == 'OK'
        yield name, one, other


def append(client, box, key='x'):
    status, _ = client.append(box, None, None, message(key).encode())
    assert status == 'OK'


# RFC 5465 section, arguments, what the other does, what comes.
OTHERS = [
    ('5.2 MessageNew', '(mailboxes {0} %s)' % NEWS,
     lambda one, box: append(one, box),
     rb'\* STATUS {0} \(MESSAGES 3 UIDNEXT 4 UIDVALIDITY \d+ UNSEEN 3\)'),
    ('5.3 MessageExpunge', '(subtree {0} %s)' % NEWS,
     lambda one, box: one.uid('MOVE', '1', 'INBOX'),
     rb'\* STATUS {0} \(MESSAGES 1 UIDNEXT 3 UIDVALIDITY \d+ UNSEEN 1\)'),
    ('5.1 FlagChange', '(personal %s)' % NEWS,
     lambda one, box: one.store('1', '+FLAGS', r'(\Seen)'),
     rb'\* STATUS {0} \(MESSAGES 2 UIDNEXT 3 UIDVALIDITY \d+ UNSEEN 1\)'),
    ('5.4 MailboxName made', '(personal (MailboxName))',
     lambda one, box: one.create(box + '/new'), rb'\* LIST \(\) "/" {0}/new'),
    ('5.4 MailboxName made for a use', '(personal (MailboxName))',
     lambda one, box: say(one, r'CREATE %s/new (USE (\Drafts \Sent))' % box),
     rb'\* LIST \(\\Drafts \\Sent\) "/" {0}/new'),
    ('5.4 MailboxName renamed', '(subtree {0} (MailboxName))',
     lambda one, box: one.rename(box + '/b', box + '/c'),
     rb'\* LIST \(\) "/" {0}/c \("OLDNAME" \({0}/b\)\)'),
    ('5.4 MailboxName deleted', '(mailboxes {0}/b (MailboxName))',
     lambda one, box: one.delete(box + '/b'),
     rb'\* LIST \(\\NonExistent\) "/" {0}/b'),
    ('5.5 SubscriptionChange', '(inboxes (SubscriptionChange))',
     lambda one, box: one.subscribe(box), rb'\* LIST \(\\Subscribed\) "/" {0}'),
]


@pytest.mark.parametrize('arguments, act, wanted',
                         [row[1:] for row in OTHERS],
                         ids=[row[0] for row in OTHERS])
@pytest.mark.parametrize('is_idle', [False, True], ids=['between', 'idle'])
def test_news_come_unasked(shared, arguments, act, wanted, is_idle, request):
    name = re.sub(r'\W', '-', request.node.callspec.id)
    with shared.imap_session() as one, shared.imap_session() as other:
        one.create(name)
        one.create(name + '/b')
        append(one, name)
        append(one, name)
        one.select(name)
        say(other, 'NOTIFY SET ' + arguments.format(name))
        if is_idle:
            other.send(b'i IDLE\r\n')
            assert other.readline().startswith(b'+')
        act(one, name)
        listen(other, wanted.replace(b'{0}', name.encode()))
        if is_idle:
            other.send(b'DONE\r\n')
            listen(other, rb'^i OK')
        # And then no more of it.
        assert say(other, 'NOTIFY NONE') == []
        append(one, name)
        assert say(other, 'NOOP') == []


def test_6_1_the_selected_mailbox_is_told_at_once(boxes):
    name, one, other = boxes
    append(one, name)
    other.select(name)
    one.select(name)
    say(other, 'NOTIFY SET (selected (MessageNew (UID BODY.PEEK[HEADER.FIELDS '
        '(SUBJECT)]) MessageExpunge FlagChange))')
    append(one, name, 'news')
    heard = listen(other, rb'^\)$')
    assert heard[0] == b'* 2 EXISTS'
    assert b'Subject: news' in heard
    assert any(line.startswith(b'* 2 FETCH (UID 2 BODY[HEADER.FIELDS')
               for line in heard)
    one.store('1', '+FLAGS', r'(\Deleted)')
    listen(other, rb'\* 1 FETCH \(FLAGS \(.*\\Deleted')
    one.expunge()
    listen(other, rb'\* 1 EXPUNGE')


def test_6_2_or_its_expunges_are_told_later(boxes):
    name, one, other = boxes
    for key in 'abc':
        append(one, name, key)
    other.select(name)
    one.select(name)
    say(other, 'NOTIFY SET (selected-delayed (MessageNew MessageExpunge '
        'FlagChange))')
    one.store('1', '+FLAGS', r'(\Deleted)')
    listen(other, rb'\* 1 FETCH \(FLAGS \(.*\\Deleted')
    one.expunge()
    append(one, name, 'd')
    assert listen(other, rb'EXISTS') == [b'* 4 EXISTS']
    # By number as its client knows them; then all of it.
    assert say(other, 'FETCH 2 UID') == [b'* 2 FETCH (UID 2)']
    assert say(other, 'NOOP') == [b'* 1 EXPUNGE']


def hurry(client):
    """All that the server says unasked is there."""
    client.send(b'h XX\r\n')
    return listen(client, rb'^h BAD')[:-1]


@pytest.mark.parametrize('arguments', [
    'NONE', 'SET (personal (MessageNew MessageExpunge FlagChange))'],
    ids=['none', 'not selected'])
def test_3_1_the_selected_mailbox_is_told_to_who_asks_alone(boxes, arguments):
    name, one, other = boxes
    for key in 'abc':
        append(one, name, key)
    other.select(name)
    one.select(name)
    append(one, name, 'd')
    # It is a NOOP as well.
    assert b'* 4 EXISTS' in say(other, 'NOTIFY ' + arguments)
    append(one, name, 'e')
    one.store('1', '+FLAGS', r'(\Flagged)')
    one.store('2', '+FLAGS', r'(\Deleted)')
    one.expunge()
    assert hurry(other) == []
    assert say(other, 'FETCH 3 UID') == [b'* 3 FETCH (UID 3)']
    assert say(other, 'UID SEARCH ALL') == [b'* SEARCH 1 2 3 4'] or \
        say(other, 'UID SEARCH ALL') == [b'* SEARCH 1 3 4']
    other.send(b'i IDLE\r\n')
    assert other.readline().startswith(b'+')
    append(one, name, 'f')
    other.send(b'DONE\r\n')
    assert listen(other, rb'^i OK')[:-1] == []
    heard = say(other, 'NOOP')
    assert b'* 2 EXPUNGE' in heard and b'* 5 EXISTS' in heard
    assert any(re.match(rb'\* 1 FETCH .*Flagged', line) for line in heard)


def test_4_status_tells_how_they_are(boxes):
    name, one, other = boxes
    append(one, name + '/b')
    told = say(other, 'NOTIFY SET STATUS (selected %s) (subtree %s %s)' % (
        NEWS, name, NEWS))
    assert len(told) == 2
    assert re.fullmatch(rb'\* STATUS %s/b \(MESSAGES 1 UIDNEXT 2 UIDVALIDITY '
                        rb'\d+ UNSEEN 1\)' % name.encode(), told[1])


def test_mail_is_told_and_what_was_not_asked_for_is_not(shared, boxes):
    name, one, other = boxes
    say(other, 'NOTIFY SET (mailboxes (INBOX) %s)' % NEWS)
    append(one, name)
    one.create(name + '/c')
    shared.send('notified')
    assert len(listen(other, rb'\* STATUS INBOX \(')) == 1
    say(one, 'NOOP')
    assert is_silent(other)


def test_5_5_subscriptions_of_before_are_no_news(boxes):
    name, one, other = boxes
    for box in (name + '/b', name):
        assert one.subscribe(box)[0] == 'OK'
        assert one.unsubscribe(box)[0] == 'OK'
    say(other, 'NOTIFY SET (personal (SubscriptionChange))')
    assert one.subscribe(name)[0] == 'OK'
    assert listen(other, rb'LIST') == [
        rb'* LIST (\Subscribed) "/" ' + name.encode()]
    assert one.unsubscribe(name)[0] == 'OK'
    assert listen(other, rb'LIST') == [rb'* LIST () "/" ' + name.encode()]


def test_5_8_a_client_that_does_not_read_is_told_so(boxes):
    """101 names in one command that is not over."""
    name, one, other = boxes
    say(other, 'NOTIFY SET (personal (MailboxName))')
    # The message of an APPEND that does not end: nothing may be told.
    other.send(b'a APPEND INBOX {5}\r\n')
    assert other.readline().startswith(b'+')
    for n in range(101):
        one.create('%s/n%d' % (name, n))
    other.send(b'hello\r\n')
    heard = listen(other, rb'^a OK')
    assert any(line.startswith(b'* OK [NOTIFICATIONOVERFLOW]')
               for line in heard)
    assert not any(line.startswith(b'* LIST') for line in heard)
    one.create(name + '/after')
    assert say(other, 'NOOP') == []


@pytest.mark.parametrize('arguments', [
    'SET ' + '(personal NONE) ' * 33,
    'SET (mailboxes (%s) NONE)' % ' '.join('m%d' % n for n in range(1001)),
    'SET (selected (MessageNew ' + '(' * 1000,
    'SET (personal (' + 'MessageNew ' * 10000 + '))',
], ids=['groups', 'names', 'nesting', 'events'])
def test_what_is_too_much_is_bad(shared, arguments):
    with shared.imap_session() as client:
        client.send(b'a NOTIFY ' + arguments.strip().encode() + b'\r\n')
        assert client.readline().startswith(b'a BAD ')
        assert say(client, 'NOOP') == []
