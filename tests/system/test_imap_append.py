"""Messages that come in over IMAP: several at once (RFC 3502), put together from
others (RFC 4469), in the place of another (RFC 8508); a table for each, and what
hostile clients make of them."""
import re

import pytest

from clients import say

NOTE = b'Subject: note\r\n\r\nAs it was.\r\n'
DRAFT = (b'Subject: parts\r\nMIME-Version: 1.0\r\n'
         b'Content-Type: multipart/mixed; boundary=b\r\n\r\n'
         b'--b\r\nContent-Type: text/plain\r\n\r\nfirst\r\n'
         b'--b\r\nContent-Type: text/html\r\n\r\n<b>second</b>\r\n--b--\r\n')


@pytest.fixture
def box(shared, request):
    """A mailbox of two messages, selected: a draft of parts, and a note."""
    name = request.node.name.partition('[')[0]
    with shared.imap_session() as client:
        assert client.create(name)[0] == 'OK'
        for message in (DRAFT, NOTE):
            assert client.append(name, None, None, message)[0] == 'OK'
        client.select(name)
        yield name, client


def talk(client, *lines):
    """Says them as they are; the answers up to the tagged one."""
    client.send(b''.join(lines))
    answers = []
    while True:
        answers.append(client.readline().rstrip(b'\r\n'))
        if answers[-1].startswith(b'x '):
            return answers


def bodies(client):
    return [part[1] for part in client.uid('FETCH', '1:*', '(BODY.PEEK[])')[1]
            if isinstance(part, tuple)]


def test_many_messages_are_one_command(box):
    name, client = box
    count = 100
    parts = [b' (\\Seen work%d) " 5-Jan-2026 10:00:0%d +0000" {%d+}\r\n%s' % (
        n % 3, n % 10, len(NOTE) + n, NOTE + b'x' * n) for n in range(count)]
    said = talk(client, b'x APPEND %s' % name.encode(), *parts, b'\r\n')
    assert b'* 102 EXISTS' in said
    assert re.search(rb'^x OK \[APPENDUID \d+ 3:102\]', said[-1])
    assert bodies(client)[2:] == [NOTE + b'x' * n for n in range(count)]
    assert say(client, 'SEARCH KEYWORD work2 SENTON 5-Jan-2026') == [
        b'* SEARCH']
    assert say(client, 'SEARCH KEYWORD work2 ON 5-Jan-2026 LARGER %d' % (
        len(NOTE) + 94)) == [b'* SEARCH 98 101']


def test_large_ones_and_small_ones(box):
    name, client = box
    sizes = [1, 40000, 200, 3 << 20, 7]
    messages = [b'y' * size for size in sizes]
    parts = [b' {%d+}\r\n%s' % (len(m), m) for m in messages]
    said = talk(client, b'x APPEND %s' % name.encode(), *parts, b'\r\n')
    assert said[-1].startswith(b'x OK')
    assert bodies(client)[2:] == messages


REFUSED = {
    'an empty one': b' {0+}\r\n',
    'a flag that is none': b' (\\Foo) {1+}\r\nx',
    'no message': b' (\\Seen)',
    'one that is too large': b' {262144000}',
    'a keyword too many': b' (%s) {1+}\r\nx' % b' '.join(
        b'k%d' % n for n in range(65)),
    'an URL of nothing': b' CATENATE (URL /INBOX/;UID=4294967295)',
}


def test_none_is_there_if_one_is_refused(box):
    name, client = box
    for what, rest in REFUSED.items():
        said = talk(client, b'x APPEND %s {%d+}\r\n%s' % (
            name.encode(), len(NOTE), NOTE), rest, b'\r\n')
        assert re.match(rb'x (NO|BAD) ', said[-1]) and len(said) == 1, what
        assert say(client, 'STATUS %s (MESSAGES)' % name) == [
            b'* STATUS %s (MESSAGES 2)' % name.encode()], what


# What is put together of the draft (UID 1) and the note (UID 2).
PARTS = {
    'URL ;UID=2': NOTE,
    'URL "/%(name)s;UIDVALIDITY=%(validity)s/;UID=1/;SECTION=1"': b'first',
    'URL ;UID=1/;SECTION=2.MIME URL ;UID=1/;SECTION=2':
        b'Content-Type: text/html\r\n\r\n<b>second</b>',
    'URL ;UID=1/;SECTION=HEADER': DRAFT[:DRAFT.index(b'--b')],
    'URL ";UID=1/;SECTION=HEADER.FIELDS%%20(SUBJECT)"':
        b'Subject: parts\r\n\r\n',
    'URL ";UID=1/;SECTION=HEADER.FIELDS.NOT%%20(CONTENT-TYPE)"':
        b'Subject: parts\r\nMIME-Version: 1.0\r\n\r\n',
    'URL ;UID=1/;SECTION=TEXT/;PARTIAL=0.3 URL ;UID=2/;PARTIAL=17':
        b'--b' + NOTE[17:],
    'TEXT {5+}\r\na\r\nb\n URL ;UID=2/;SECTION=TEXT TEXT {1+}\r\n!':
        b'a\r\nb\r\nAs it was.\r\n!',
}


def test_messages_are_put_together(box):
    name, client = box
    validity = client.response('UIDVALIDITY')[1][0].decode()
    for parts in PARTS:
        said = talk(client, (
            'x APPEND %s CATENATE (%s)\r\n' % (name, parts % {
                'name': name, 'validity': validity})).encode())
        assert said[-1].startswith(b'x OK [APPENDUID '), (parts, said)
    assert bodies(client)[2:] == list(PARTS.values())


def test_no_url_leads_to_another_account(shared, box):
    name, client = box
    user = shared.user2.replace('@', '%40')
    for url in ('imap://%s@localhost/INBOX/;UID=1' % user,
                '//%s@localhost/INBOX/;UID=1' % user,
                '/../%s/INBOX/;UID=1' % user, '/%%2e%%2e/INBOX/;UID=1',
                '/INBOX/../../x/;UID=1', '/user/%s/INBOX/;UID=1' % user):
        said = talk(client, ('x APPEND %s CATENATE (URL "%s")\r\n' % (
            name, url)).encode())
        assert said == [said[0]] and said[0].startswith(
            b'x NO [BADURL ' + url.encode() + b']'), url


def test_a_draft_takes_the_place_of_its_last_version(box):
    name, client = box
    for n in range(3):
        said = talk(client, b'x UID REPLACE %d %s (\\Draft) {%d+}\r\n%s\r\n' % (
            2 + n, name.encode(), len(NOTE), NOTE))
        assert re.match(rb'\* OK \[APPENDUID \d+ %d\]' % (3 + n), said[0])
        assert said[1:3] == [b'* 2 EXPUNGE', b'* 2 EXISTS']
    assert say(client, 'UID SEARCH DRAFT') == [b'* SEARCH 5']
    # What was replaced is there for those who want it back.
    lines = say(client, 'EXAMINE "Snapshots/Deleted mail"')
    assert any(re.match(rb'\* [3-9]\d* EXISTS', line) for line in lines)


def test_two_sessions_replace_one_message(shared, box):
    """One of them does, the other is told."""
    name, client = box
    with shared.imap_session() as second:
        second.select(name)
        line = b'x REPLACE 2 %s {1+}\r\n%%c\r\n' % name.encode()
        client.send(line % b'1')
        second.send(line % b'2')
        ends = []
        for session in (client, second):
            while not (said := session.readline()).startswith(b'x '):
                pass
            ends.append(said[:20])
        assert sorted(end[:5] for end in ends) == [b'x NO ', b'x OK ']
        assert [end for end in ends if end.startswith(b'x NO [EXPUNGEISSUED]')]
        assert say(client, 'STATUS %s (MESSAGES)' % name) == [
            b'* STATUS %s (MESSAGES 2)' % name.encode()]


def test_arguments_without_end_are_refused(box):
    name, client = box
    said = talk(client, b'x APPEND %s CATENATE (' % name.encode() + b' '.join(
        [b'TEXT {1+}\r\nx'] * 1001) + b')\r\n')
    assert said == [b'x NO [LIMIT] Too many parts at once']
    said = talk(client, b'x APPEND %s' % name.encode() +
                b' {1+}\r\nx' * 501 + b'\r\n')
    assert said == [b'x NO [MESSAGELIMIT 500] Too many messages at once']
    said = talk(client, b'x APPEND %s {1+}\r\nx (%s\r\n' % (
        name.encode(), b'k ' * 1100000))
    assert said == [b'x BAD Command line is too long']
    assert say(client, 'NOOP') == []


def test_who_goes_away_in_the_middle_adds_nothing(shared, box):
    name, client = box
    for rest in (b' {100+}\r\nhalf of it', b' (\\Seen)', b'',
                 b' CATENATE (URL ;UID=1 TEXT {100+}\r\n'):
        with shared.imap_session() as second:
            second.select(name)
            second.send(b'x APPEND %s {%d+}\r\n%s' % (
                name.encode(), len(NOTE), NOTE) + rest)
            second.shutdown()
    assert say(client, 'NOOP') == []
    assert say(client, 'STATUS %s (MESSAGES)' % name) == [
        b'* STATUS %s (MESSAGES 2)' % name.encode()]
