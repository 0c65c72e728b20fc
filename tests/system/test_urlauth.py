"""URLs that show a message to whom they name (URLAUTH, RFC 4467): between two
sessions, across a kill of the worker, and to nobody else."""
import re

import pytest

PART = b'first\r\n'
DRAFT = (b'Subject: parts\r\nMIME-Version: 1.0\r\n'
         b'Content-Type: multipart/mixed; boundary=b\r\n\r\n'
         b'--b\r\nContent-Type: text/plain\r\n\r\n' + PART +
         b'\r\n--b\r\nContent-Type: text/html\r\n\r\n<b>x</b>\r\n--b--\r\n')


def talk(client, line):
    """The answers up to the tagged one, with their literals."""
    client.send(b'x ' + line.encode() + b'\r\n')
    answers = []
    while True:
        said = client.readline()
        literal = re.search(rb'\{(\d+)\}\r\n$', said)
        while literal:
            said += client.read(int(literal.group(1)))
            rest = client.readline()
            literal = re.search(rb'\{(\d+)\}\r\n$', rest)
            said += rest
        answers.append(said)
        if said.startswith(b'x '):
            return answers


def url(server, box, rest, user=None):
    owner = (user or server.user1).replace('@', '%40')
    return 'imap://%s@mail.%s/%s/;UID=1%s' % (
        owner, server.domain, box, rest)


def authorized(client, rump):
    said, tagged = talk(client, 'GENURLAUTH "%s" INTERNAL' % rump)
    assert tagged.startswith(b'x OK'), tagged
    found = re.fullmatch(
        rb'\* GENURLAUTH "(.*:internal:01[0-9a-f]{32})"\r\n', said)
    assert found and found.group(1).startswith(rump.encode()), said
    return found.group(1).decode()


def fetched(client, address):
    """The bytes that an URL shows, or None."""
    said, tagged = talk(client, 'URLFETCH "%s"' % address)
    assert tagged.startswith(b'x OK'), tagged
    start = b'* URLFETCH "%s" ' % address.encode()
    assert said.startswith(start), said
    if said == start + b'NIL\r\n':
        return None
    size, _, rest = said[len(start):].partition(b'\r\n')
    assert rest.endswith(b'\r\n')
    assert int(size[1:-1]) == len(rest) - 2
    return rest[:-2]


@pytest.fixture
def box(shared, request):
    """A mailbox with one message."""
    name = request.node.name
    with shared.imap_session() as client:
        assert client.create(name)[0] == 'OK'
        assert client.append(name, None, None, DRAFT)[0] == 'OK'
        yield name, client


def test_an_url_shows_its_message_until_there_is_another_key(shared, box):
    name, client = box
    whole = authorized(client, url(shared, name, ';URLAUTH=authuser'))
    part = authorized(
        client, url(shared, name, '/;SECTION=1;URLAUTH=anonymous'))
    with shared.imap_session() as other:
        assert fetched(other, whole) == DRAFT
        assert fetched(other, part) == PART
        other.select(name)
        shared.kill('worker')
        with shared.imap_session() as again:
            assert fetched(again, whole) == DRAFT
            again.select(name)
            with shared.imap_session() as third:
                said = talk(third, 'RESETKEY ' + name)
                assert said == [b'x OK [URLMECH INTERNAL] Key is a new '
                                b'one\r\n']
                assert fetched(third, whole) is None
            assert b'* OK [URLMECH INTERNAL] Key is a new one\r\n' in talk(
                again, 'NOOP')
            assert fetched(again, part) is None


def test_an_url_of_one_account_leads_nowhere_from_another(shared, box):
    name, client = box
    rumps = [url(shared, name, ';URLAUTH=' + access) for access in (
        'authuser', 'anonymous', 'user+' + shared.user2.replace('@', '%40'))]
    made = [authorized(client, rump) for rump in rumps]
    with shared.imap_session(shared.user2) as other:
        for address in made:
            assert fetched(other, address) is None
        said = talk(other, 'GENURLAUTH "%s" INTERNAL' % rumps[0])
        assert said == [b'x BAD Owner is somebody else\r\n']


def test_a_mailbox_that_is_gone_takes_its_urls_along(shared, box):
    name, client = box
    made = authorized(client, url(shared, name, ';URLAUTH=authuser'))
    client.rename(name, name + '2')
    assert fetched(client, made) is None
    client.rename(name + '2', name)
    assert fetched(client, made) == DRAFT
    client.delete(name)
    client.create(name)
    client.append(name, None, None, DRAFT)
    assert fetched(client, made) is None


def test_a_nul_is_shown_as_fetch_shows_it(shared, box):
    name, client = box
    client.append(name, None, None, b'Subject: nul\r\n\r\n\0x\r\n')
    rump = url(shared, name, ';URLAUTH=authuser').replace('UID=1', 'UID=2')
    assert fetched(client, authorized(client, rump)) == \
        b'Subject: nul\r\n\r\n\x80x\r\n'
