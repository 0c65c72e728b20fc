"""Messages that are handed in by URL (BURL, RFC 4468): a draft goes out without a
client having its bytes, whole or in parts, and only by who may."""
import base64
import contextlib
import imaplib
import re
import smtplib

import pytest

from conftest import wait_for
from test_urlauth import authorized, talk


def draft(user, key, size=0):
    """What needs no repair, so that it arrives as it was."""
    return ('Date: Mon, 05 Jan 2026 10:00:00 +0000\r\n'
            'Message-ID: <%s@burl.test>\r\nFrom: %s\r\nTo: you@burl.test\r\n'
            'Subject: %s\r\n\r\n%s.dots\r\n..\r\n' % (
                key, user, key, ('x' * 70 + '\r\n') * (size // 72))).encode()


class Drafts:
    """A mailbox of user1's, and URLs of what is in it."""

    def __init__(self, server, name):
        self.server = server
        self.name = name
        self.count = 0
        self.client = server.imap()
        assert self.client.create(name)[0] == 'OK'

    def put(self, message):
        assert self.client.append(self.name, None, None, message)[0] == 'OK'
        self.count += 1
        return self.count

    def rump(self, uid, part='', access=None, host=None):
        user = self.server.user1.replace('@', '%40')
        return 'imap://%s@%s/%s/;UID=%d%s;URLAUTH=%s' % (
            user, host or 'mail.' + self.server.domain, self.name, uid, part,
            access or 'submit+' + user)

    def url(self, uid, **what):
        return authorized(self.client, self.rump(uid, **what))


@pytest.fixture
def drafts(shared, request):
    made = Drafts(shared, re.sub(r'\W', '-', request.node.name))
    yield made
    with contextlib.suppress(OSError, imaplib.IMAP4.error):
        made.client.logout()


@pytest.fixture
def client(shared):
    with shared.submission() as made:
        yield made


def say(client, line):
    code, text = client.docmd(line)
    return code, text.decode().partition(' ')[0]


def begin(client, server, *recipients):
    assert client.mail(server.user1)[0] == 250
    for recipient in recipients or (server.user2,):
        assert client.rcpt(recipient)[0] == 250


def chunk(client, data, last=''):
    client.send(b'BDAT %d %s\r\n' % (len(data), last.encode()) + data)
    return client.getreply()[0]


def arrived(server, key, user=None):
    """What INBOX has under that subject."""
    def look():
        with server.imap_session(user or server.user2) as imap:
            imap.select('INBOX', readonly=True)
            found = imap.uid('SEARCH', 'SUBJECT', key)[1][0].split()
            return found and imap.uid(
                'FETCH', found[0].decode(), '(BODY.PEEK[])')[1][0][1]
    return wait_for(look, what='mail with %s' % key)


def test_a_draft_goes_out_by_its_url(shared, drafts, client):
    message = draft(shared.user1, drafts.name)
    url = drafts.url(drafts.put(message))
    shared.kill('worker')  # one is started for it
    assert client.docmd('NOOP')[0] == 250
    begin(client, shared)
    code, status = say(client, 'BURL %s LAST' % url)
    assert (code, status) == (250, '2.0.0')
    got = arrived(shared, drafts.name)
    assert got.endswith(message)
    assert b'\r\nReceived: ' in got[:-len(message)]
    assert b'URLAUTH' not in got


def test_it_may_all_be_sent_ahead(shared, drafts, client):
    message = draft(shared.user1, drafts.name)
    url = drafts.url(drafts.put(message))
    client.send('MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nBURL %s LAST\r\n'
                'NOOP\r\n' % (shared.user1, shared.user2, url))
    assert [client.getreply()[0] for _ in range(4)] == [250] * 4
    assert arrived(shared, drafts.name).endswith(message)


def test_chunks_may_stand_before_and_behind(shared, drafts, client):
    message = draft(shared.user1, drafts.name)
    header, _, _ = message.partition(b'\r\n\r\n')
    first = drafts.put(message)
    second = drafts.put(b'X: y\r\n\r\nquoted\r\n' + b'z' * 200000 + b'\r\n')
    begin(client, shared)
    assert chunk(client, b'X-First: 1\r\n') == 250
    assert say(client, 'BURL ' + drafts.url(
        first, part='/;SECTION=HEADER')) == (250, '2.5.0')
    assert chunk(client, b'between\r\n') == 250
    assert say(client, 'BURL ' + drafts.url(
        second, part='/;SECTION=TEXT')) == (250, '2.5.0')
    assert say(client, 'BURL ' + drafts.url(
        second, part='/;SECTION=TEXT/;PARTIAL=2.4')) == (250, '2.5.0')
    assert say(client, 'DATA')[0] == 503
    assert chunk(client, b'\r\nend\r\n', 'LAST') == 250
    assert arrived(shared, drafts.name).endswith(
        b'X-First: 1\r\n' + header + b'\r\n\r\nbetween\r\nquoted\r\n' +
        b'z' * 200000 + b'\r\noted\r\nend\r\n')


def test_a_line_end_of_a_chunk_and_a_part_is_one(shared, drafts, client):
    uid = drafts.put(draft(shared.user1, drafts.name))
    message = draft(shared.user1, drafts.name)
    cut = message.index(b'.dots\r\n') + 6
    begin(client, shared)
    assert say(client, 'BURL ' + drafts.url(
        uid, part='/;PARTIAL=0.%d' % cut)) == (250, '2.5.0')
    assert chunk(client, b'\nbetween\r') == 250
    assert say(client, 'BURL %s LAST' % drafts.url(
        uid, part='/;PARTIAL=%d' % cut))[0] == 250
    assert arrived(shared, drafts.name).endswith(
        message[:cut] + b'\nbetween\r' + message[cut:])


def test_a_large_one_is_as_exact(shared, drafts, client):
    message = draft(shared.user1, drafts.name, 9 << 20)
    url = drafts.url(drafts.put(message))
    begin(client, shared)
    assert say(client, 'BURL %s LAST' % url)[0] == 250
    assert arrived(shared, drafts.name).endswith(message)


def test_it_is_announced_where_it_can_be_used(shared):
    with shared.smtp() as client:
        client.ehlo()
        assert 'burl' not in client.esmtp_features
        assert say(client, 'BURL imap://a@b/c/;UID=1 LAST') == (502, '5.5.1')
    with shared.submission() as client:
        assert client.esmtp_features['burl'] == 'imap'


def test_who_has_not_logged_in_hands_nothing_in(shared, drafts):
    url = drafts.url(drafts.put(draft(shared.user1, drafts.name)))
    with smtplib.SMTP('127.0.0.1', shared.submission_port, timeout=60,
                      local_hostname='client.test') as client:
        client.ehlo()
        assert 'burl' not in client.esmtp_features
        client.starttls(context=shared.context())
        client.ehlo()
        assert client.esmtp_features['burl'] == ''
        assert say(client, 'BURL %s LAST' % url) == (530, '5.7.0')
        plain = base64.b64encode(('\0%s\0%s' % (
            shared.user1, shared.pass1)).encode()).decode()
        assert client.docmd('AUTH PLAIN', plain)[0] == 235
        assert say(client, 'BURL %s LAST' % url)[0] == 503
        assert client.mail(shared.user1)[0] == 250
        assert say(client, 'BURL %s LAST' % url)[0] == 554
        assert client.rcpt(shared.user2)[0] == 250
        assert say(client, 'BURL %s FIRST' % url) == (501, '5.5.4')
        assert say(client, 'BURL') == (501, '5.5.4')
        assert say(client, 'BURL %s LAST' % url)[0] == 250
        assert say(client, 'BURL %s LAST' % url)[0] == 503


def flipped(url):
    return url[:-1] + ('0' if url[-1] != '0' else '1')


def reset(drafts, url):
    talk(drafts.client, 'RESETKEY ' + drafts.name)
    return url


def rearranged(drafts, url):
    return url.replace(';UID=1;', ';UID=2;')


EXPIRED = ';EXPIRE=2026-01-01T00:00:00Z'
REFUSED = {
    'a changed token': (lambda d: flipped(d.url(1)), 554, '5.7.0'),
    'another message': (lambda d: rearranged(d, d.url(1)), 554, '5.7.0'),
    'no token': (lambda d: d.rump(1), 554, '5.7.0'),
    'no access identifier': (
        lambda d: d.rump(1).partition(';URLAUTH')[0], 554, '5.7.0'),
    'an old date': (lambda d: d.url(1, part=EXPIRED), 554, '5.7.0'),
    'another key': (lambda d: reset(d, d.url(1)), 554, '5.7.0'),
    'to be fetched by its owner': (
        lambda d: d.url(1, access='user+' + d.server.user1.replace(
            '@', '%40')), 554, '5.7.0'),
    'for another user': (
        lambda d: d.url(1, access='submit+' + d.server.user2.replace(
            '@', '%40')), 554, '5.7.0'),
    'of another server': (
        lambda d: d.url(1).replace('@mail.', '@mail.other-'), 554, '5.7.14'),
    'no message': (lambda d: d.url(9), 554, '5.6.6'),
    'no section': (lambda d: d.url(1, part='/;SECTION=2'), 554, '5.6.6'),
    'of a mailbox': (
        lambda d: d.rump(1).partition('/;UID')[0], 501, '5.5.4'),
    'no URL': (lambda d: 'http://mail.example.org/', 501, '5.5.4'),
}


@pytest.mark.parametrize('what', REFUSED)
@pytest.mark.parametrize('last', ['', ' LAST'])
def test_what_an_url_does_not_give_ends_the_message(
        shared, drafts, client, what, last):
    make, code, status = REFUSED[what]
    drafts.put(draft(shared.user1, drafts.name))
    drafts.put(draft(shared.user1, 'other'))
    begin(client, shared)
    assert say(client, 'BURL ' + make(drafts) + last) == (code, status)
    assert say(client, 'RCPT TO:<%s>' % shared.user2)[0] == 503
    begin(client, shared)
    assert say(client, 'BURL %s LAST' % drafts.url(1))[0] == 250
    assert arrived(shared, drafts.name)


def test_nobody_hands_in_what_is_anothers(shared, drafts):
    drafts.put(draft(shared.user1, drafts.name))
    urls = [drafts.url(1), drafts.url(1, access='authuser'), drafts.url(
        1, access='submit+' + shared.user2.replace('@', '%40'))]
    with shared.submission(shared.user2) as client:
        for url in urls:
            assert client.mail(shared.user2)[0] == 250
            assert client.rcpt(shared.user1)[0] == 250
            assert say(client, 'BURL %s LAST' % url) == (554, '5.7.0')
