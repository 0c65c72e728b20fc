"""Mail that is passed on to another host: under which sender it goes, and how
what fails there finds its way back.  The addresses are computed here again."""
import base64
import hashlib
import hmac
import os
import re
import time

import pytest

from conftest import RELAYING, message, wait_for
from test_outgoing import NextHost, Outgoing

ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'


def hash_of(secret, tag, body):
    digest = hmac.new(secret.encode(), ('%s=%s' % (tag, body)).lower().encode(),
                      hashlib.sha256).digest()
    return base64.b32encode(digest)[:8].decode()


def rewritten(secret, sender, ours, days_ago=0):
    local, domain = sender.rsplit('@', 1)
    day = (int(time.time()) // 86400 - days_ago) % 1024
    body = '%s%s=%s=%s' % (ALPHABET[day >> 5], ALPHABET[day & 31], domain,
                           local)
    return 'SRS0=%s=%s@%s' % (hash_of(secret, 'SRS0', body), body, ours)


class Forwarding(Outgoing):
    def __init__(self, server, host):
        super().__init__(server)
        self.host = host
        self.ours = server.domain

    def secret(self):
        path = os.path.join(self.server.dir, 'etc/srs-secret')
        assert os.stat(path).st_mode & 0o777 == 0o600
        with open(path, encoding='ascii') as file:
            return file.read().split()[0]

    def pass_on(self, sender, recipient, text='forwarded'):
        """What the server says of the recipient, or at the end."""
        with self.server.smtp() as client:
            client.ehlo()
            client.mail(sender)
            code, said = client.rcpt(recipient)
            if code != 250:
                return code, said.decode()
            code, said = client.data(message(text))
            return code, said.decode()

    def taken(self, count):
        """(sender, recipients, body) of what the next host has."""
        wait_for(lambda: len(self.host.taken) >= count, what='mail there')
        return [(re.search('<(.*)>', envelope[0]).group(1),
                 [re.search('<(.*)>', line).group(1) for line in envelope[1:]],
                 body) for envelope, body in self.host.taken]


@pytest.fixture
def forwarding(server, tmp_path):
    host = NextHost()
    aliases = tmp_path / 'aliases'
    aliases.write_text('', encoding='utf-8')
    config = tmp_path / 'config'
    config.write_text(
        RELAYING + 'aliases file %s\nrelay via 127.0.0.1 port %d\n' %
        (aliases, host.port), encoding='utf-8')
    made = Forwarding(server('--accounts', '1', '--config', str(config)), host)
    aliases.write_text('away: bob@far.test\n'
                       'both: {0}, carol@far.test\n'
                       'gone: no-such@far.test\n'
                       '@{1}: {0}\n'.format(made.user, made.ours),
                       encoding='utf-8')
    made.firnmail('reload')
    yield made
    host.shutdown()
    host.server_close()


def test_a_bounce_finds_its_way_back(forwarding):
    secret, ours = forwarding.secret(), forwarding.ours
    assert forwarding.pass_on('ann@there.test', 'away@' + ours)[0] == 250
    (sender, to, body), = forwarding.taken(1)
    assert (sender, to) == (rewritten(secret, 'ann@there.test', ours),
                            ['bob@far.test'])
    assert b'Return-Path' not in body
    # The next host returns it: it goes to the first sender, from nobody.
    assert forwarding.pass_on('', sender, 'a bounce')[0] == 250
    sender, to, body = forwarding.taken(2)[1]
    assert (sender, to) == ('', ['ann@there.test'])
    assert b'a bounce' in body


def test_what_cannot_be_passed_on_is_reported_to_the_first_sender(forwarding):
    assert forwarding.pass_on('ann@there.test', 'gone@' + forwarding.ours)[0] == 250
    (sender, to, body), = forwarding.taken(1)
    assert (sender, to) == ('', ['ann@there.test'])
    assert b'no-such@far.test' in body and b'multipart/report' in body


def test_who_keeps_a_copy_keeps_the_sender(forwarding):
    server = forwarding.server
    assert forwarding.pass_on('ann@there.test', 'both@' + forwarding.ours)[0] == 250
    assert forwarding.taken(1)[0][1] == ['carol@far.test']

    def kept():
        with server.imap() as client:
            client.select('INBOX')
            return client.fetch('1', '(BODY.PEEK[HEADER.FIELDS (Return-Path)])')
    answer = wait_for(lambda: kept()[1][0], what='the copy')
    assert b'Return-Path: <ann@there.test>' in answer[1]


def test_senders_that_need_it_not_stay(forwarding):
    server, ours = forwarding.server, forwarding.ours
    assert forwarding.pass_on('', 'away@' + ours)[0] == 250
    # One of ours, whom our own SPF lets through.
    with server.submission() as client:
        server.submit(client, 'mine', ['away@' + ours])
    # Of another who passes mail on: back to him.
    assert forwarding.pass_on('SRS0=aa=bb=first.test=ann@mid.test',
                           'away@' + ours)[0] == 250
    body = 'mid.test==aa=bb=first.test=ann'
    assert sorted(one[0] for one in forwarding.taken(3)) == sorted([
        '', server.user1,
        'SRS1=%s=%s@%s' % (hash_of(forwarding.secret(), 'SRS1', body), body,
                           ours)])


def test_a_sender_that_is_too_long_stands_under_a_token(forwarding):
    """As those of newsletters are: kept by the spool, also while it is away."""
    ours = forwarding.ours
    long = 'bounces-12345678901234567890-abcdefghijk=Bob@news.example.test'
    assert forwarding.pass_on(long, 'away@' + ours)[0] == 250
    (sender, _, _), = forwarding.taken(1)
    assert re.fullmatch('SRS0=[A-Z2-7]{8}=[A-Z2-7]{2}==[A-Z2-7]{16}@' +
                        re.escape(ours), sender)
    body = sender[14:].partition('@')[0]
    assert sender[5:13] == hash_of(forwarding.secret(), 'SRS0', body)
    forwarding.server.kill('spool')

    def comes_back():
        return forwarding.pass_on('', sender.lower(), 'a bounce')[0] == 250
    wait_for(comes_back, what='the bounce taken')
    back, to, text = forwarding.taken(2)[1]
    assert (back, to) == ('', [long])
    assert b'a bounce' in text
    # A token that nobody has, and one that was not made here.
    body = body[:4] + 'A' * 16
    right = 'SRS0=%s=%s@%s' % (
        hash_of(forwarding.secret(), 'SRS0', body), body, ours)
    assert forwarding.pass_on('', right)[0] == 550
    forged = sender[:5] + ('B' if sender[5] == 'A' else 'A') + sender[6:]
    assert forwarding.pass_on('', forged)[0] == 550


def test_guesses_and_old_ones_are_nobodys(forwarding):
    secret, ours = forwarding.secret(), forwarding.ours
    good = rewritten(secret, 'ann@there.test', ours)
    for address in (good.replace('there', 'where'),
                    good[:5] + 'AAAAAAAA' + good[13:],
                    good[:5] + good[6:],
                    rewritten('x' * 64, 'ann@there.test', ours),
                    rewritten(secret, 'ann@there.test', ours, days_ago=22),
                    'SRS0=a=b=c=d@' + ours, 'SRS1=x=y=z@' + ours):
        for sender in ('', 'eve@evil.test'):
            assert forwarding.pass_on(sender, address)[0] == 550, address
    assert forwarding.pass_on('', rewritten(secret, 'ann@there.test', ours,
                                         days_ago=20))[0] == 250
    # Of another domain it is somebody else's: no relay.
    assert forwarding.pass_on('', good.replace(ours, 'else.test'))[0] == 550
    assert len(forwarding.taken(1)) == 1


def test_a_new_secret_leaves_the_old_in_force(forwarding):
    secret, ours = forwarding.secret(), forwarding.ours
    path = os.path.join(forwarding.server.dir, 'etc/srs-secret')
    with open(path, 'w', encoding='ascii') as file:
        file.write('# new first\n%s\n%s\n' % ('n' * 32, secret))
    forwarding.firnmail('reload')
    assert forwarding.pass_on('ann@there.test', 'away@' + ours)[0] == 250
    assert forwarding.taken(1)[0][0] == rewritten('n' * 32, 'ann@there.test',
                                                  ours)
    assert forwarding.pass_on('', rewritten(secret, 'old@there.test', ours))[0] \
        == 250
    assert forwarding.taken(2)[1][1] == ['old@there.test']
    with open(path, 'w', encoding='ascii') as file:
        file.write('short\n')
    forwarding.firnmail('check', code=78)
