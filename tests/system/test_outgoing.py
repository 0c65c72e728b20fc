"""Mail that users send to other hosts: it is kept, tried, reported, and what an
administrator does about it.  The relay is one that goes nowhere
(false_relay.c): what becomes of a recipient stands in the address."""
import email
import email.policy
import json
import os
import re
import signal
import smtplib
import socketserver
import subprocess
import threading

import pytest

import dsn_grammar
from conftest import FALSE_RELAY, RELAYING, wait_for


class Outgoing:
    def __init__(self, server):
        self.server = server
        self.user = server.user1
        self.given = server.given_to_relay

    def send(self, key, *recipients, **options):
        """The queue id of the message."""
        with self.server.submission() as client:
            return self.server.submit(client, key, recipients, **options)

    def firnmail(self, *words, code=0):
        done = subprocess.run(self.server.firnmail.split() + list(words),
                              text=True, check=False, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def rows(self, *words):
        return [json.loads(line) for line in
                self.firnmail('--json', *words).splitlines()]

    def logged(self, event):
        with open(os.path.join(self.server.dir, 'log'), encoding='utf-8',
                  errors='replace') as log:
            return event in log.read()

    def inbox(self):
        with self.server.imap_session(self.user) as client:
            client.select('INBOX')
            found = client.uid('SEARCH', 'ALL')[1][0].split()
            raw = [client.uid('FETCH', uid, 'BODY.PEEK[]')[1][0][1]
                   for uid in found]
        for one in raw:
            if b'report-type=delivery-status' in one:
                dsn_grammar.check_report(one)
        return [email.message_from_bytes(one, policy=email.policy.default)
                for one in raw]

    def reports(self, count):
        wait_for(lambda: len(self.inbox()) >= count, what='a report')
        return self.inbox()


@pytest.fixture
def outgoing(server, tmp_path):
    config = str(tmp_path / 'config')
    aliases = str(tmp_path / 'aliases')
    with open(aliases, 'w', encoding='utf-8') as file:
        file.write('away@demo.test: no@far.test\n')
    with open(config, 'w', encoding='utf-8') as file:
        file.write(RELAYING + 'aliases file %s\n' % aliases)
    return Outgoing(server('--accounts', '1', *FALSE_RELAY, '--config',
                           config))


def check_report(report, user):
    """RFC 3464 and 6522; the fields of the message and of each recipient."""
    assert report['Return-Path'] == '<>'
    assert report['To'] == '<%s>' % user or report['To'] == user
    assert report['Auto-Submitted'] == 'auto-replied'
    assert report.get_content_type() == 'multipart/report'
    assert report.get_param('report-type') == 'delivery-status'
    assert not report.defects
    text, status, original = report.get_payload()
    assert text.get_content_type() == 'text/plain'
    assert status.get_content_type() == 'message/delivery-status'
    assert not status.defects and not original.defects
    blocks = status.get_payload()
    assert blocks[0]['Reporting-MTA'].startswith('dns;')
    assert 'Arrival-Date' in blocks[0]
    return blocks[0], blocks[1:], original


def test_mail_goes_out_and_its_failures_come_back(outgoing):
    queue_id = outgoing.send(
        'one', 'ok@far.test', 'no@far.test', 'ok2@other.test',
        mail=['ENVID=env+2B1', 'RET=HDRS'],
        options=['ORCPT=rfc822;first+2Blast@old.test'])
    report, = outgoing.reports(1)
    wait_for(lambda: {recipient for _, recipient in outgoing.given()} == {
        'ok@far.test', 'no@far.test', 'ok2@other.test'}, what='all given')
    assert {one for one, _ in outgoing.given()} == {queue_id}
    of_message, recipients, original = check_report(report, outgoing.user)
    assert of_message['Original-Envelope-Id'] == 'env+1'
    assert [one['Final-Recipient'] for one in recipients] == [
        'rfc822;no@far.test']
    assert recipients[0]['Original-Recipient'] == 'rfc822;first+last@old.test'
    assert recipients[0]['Action'] == 'failed'
    assert recipients[0]['Status'] == '5.1.1'
    assert recipients[0]['Diagnostic-Code'] == 'smtp;550 5.1.1 No such user'
    assert recipients[0]['Remote-MTA'] == 'dns;mx.false.test'
    assert original.get_content_type() == 'text/rfc822-headers'
    assert 'Subject: one' in original.get_payload()
    wait_for(lambda: not outgoing.rows('queue'), what='an empty queue')


def test_a_failure_brings_the_whole_message_back(outgoing):
    outgoing.send('two', 'no@far.test', size=2000, mail=['RET=FULL'])
    report, = outgoing.reports(1)
    _, _, original = check_report(report, outgoing.user)
    assert original.get_content_type() == 'message/rfc822'
    inner = original.get_payload()[0]
    assert inner['Subject'] == 'two'
    assert inner.get_payload().count('A line of the body') > 50
    assert inner['Return-Path'] is None


def test_success_is_reported_where_nobody_else_does(outgoing):
    outgoing.send('three', 'passed@far.test', options=['NOTIFY=SUCCESS'])
    report, = outgoing.reports(1)
    _, recipients, _ = check_report(report, outgoing.user)
    assert recipients[0]['Action'] == 'relayed'
    assert recipients[0]['Status'] == '2.1.5'
    outgoing.send('four', 'no@far.test', options=['NOTIFY=NEVER'])
    wait_for(lambda: not outgoing.rows('queue'), what='an empty queue')
    assert len(outgoing.inbox()) == 1


def test_a_delay_is_reported(server, tmp_path):
    """Once, with until when it is tried; and who wants to hear of failures only
    does not."""
    config = tmp_path / 'config'
    config.write_text(RELAYING + 'queue delay-notice 1s\n')
    one = Outgoing(server('--accounts', '1', *FALSE_RELAY, '--config',
                          str(config)))
    one.send('quiet', 'late@other.test', options=['NOTIFY=FAILURE'])
    one.send('late', 'late@far.test', mail=['ENVID=e5'])
    report, = one.reports(1)
    of_message, recipients, original = check_report(report, one.user)
    assert of_message['Original-Envelope-Id'] == 'e5'
    assert [(got['Final-Recipient'], got['Action'], got['Status'])
            for got in recipients] == [
                ('rfc822;late@far.test', 'delayed', '4.2.1')]
    assert recipients[0]['Will-Retry-Until']
    assert original.get_content_type() == 'text/rfc822-headers'
    wait_for(lambda: len(one.rows('queue')) == 2,
             what='a queue without the report')


def test_success_here_is_reported_too(outgoing):
    outgoing.send('here', outgoing.user, mail=['ENVID=e', 'RET=FULL'],
                  options=['NOTIFY=SUCCESS', 'ORCPT=rfc822;first@old.test'])
    report = next(one for one in outgoing.reports(2)
                  if one['Subject'] != 'here')
    of_message, recipients, original = check_report(report, outgoing.user)
    assert of_message['Original-Envelope-Id'] == 'e'
    assert recipients[0]['Action'] == 'delivered'
    assert recipients[0]['Final-Recipient'] == 'rfc822;' + outgoing.user
    assert recipients[0]['Original-Recipient'] == 'rfc822;first@old.test'
    assert 'Subject: here' in original.get_payload()
    wait_for(lambda: not outgoing.rows('queue'), what='an empty queue')


def test_what_waits_is_listed_held_released_and_returned(outgoing):
    late = outgoing.send('late', 'late@far.test', 'wait@slow.test')
    row = wait_for(lambda: [one for one in outgoing.rows(
        'queue', 'list', 'far.test') if one['tries'] == 1], what='a try')[0]
    assert (row['id'], row['state']) == (late, 'waits')
    assert row['why'] == '450 4.2.1 Come again'
    assert row['next'] - row['time'] in range(250, 350)
    wait_for(lambda: outgoing.rows('queue', 'list', 'slow.test')[0]['state'] ==
             'under-way', what='the slow one under way')
    shown = outgoing.rows('queue', 'show', late[:8])
    assert {(one['recipient'], one['state']) for one in shown
            if one['type'] == 'recipient'} == {
                ('late@far.test', 'waits'), ('wait@slow.test', 'waits')}
    assert len(outgoing.rows('trace', 'late@far.test')) == 2
    assert outgoing.rows('queue', 'hold', 'far.test')[0]['changed'] == 1
    assert outgoing.rows('queue', 'flush')[0]['changed'] == 0
    assert outgoing.rows('queue', 'list', 'held')[0]['domain'] == 'far.test'
    outgoing.server.kill('spool')
    wait_for(lambda: outgoing.rows('queue', 'list', 'held'),
             what='the spool again')
    assert outgoing.rows('queue', 'release', 'held')[0]['changed'] == 1
    wait_for(lambda: outgoing.rows('queue', 'list', 'far.test')[0]['tries'] == 2,
             what='another try')
    assert outgoing.rows('queue', 'bounce', 'far.test')[0]['changed'] == 1
    report, = outgoing.reports(1)
    _, recipients, _ = check_report(report, outgoing.user)
    assert recipients[0]['Final-Recipient'] == 'rfc822;late@far.test'
    outgoing.firnmail('queue', 'show', 'ffffffff', code=1)
    outgoing.firnmail('queue', 'hold', code=2)
    outgoing.firnmail('queue', 'list', 'nonsense', code=2)


def test_a_dead_destination_waits_and_others_do_not(outgoing):
    for number in range(20):
        outgoing.send('d%d' % number, 'x@dead.test')
    ok = outgoing.send('ok', 'ok@far.test')
    wait_for(lambda: (ok, 'ok@far.test') in outgoing.given(),
             what='delivery')
    wait_for(lambda: {one['state'] for one in outgoing.rows(
        'queue', 'list', 'dead.test')} <= {'waits', 'paused'},
        what='the destination being left alone')
    assert len([1 for _, to in outgoing.given() if to == 'x@dead.test']) < 10
    assert any('nobody could be reached' in one['because']
               for one in outgoing.rows('queue', 'why', 'dead.test'))


def test_a_relay_that_dies_is_given_it_again_and_not_for_ever(outgoing):
    bad = outgoing.send('bad', 'die@far.test')
    wait_for(lambda: outgoing.given().count((bad, 'die@far.test')) == 3,
             what='three tries')
    good = outgoing.send('good', 'ok@far.test')
    wait_for(lambda: (good, 'ok@far.test') in outgoing.given(),
             seconds=60, what='delivery of another')


def test_without_the_spool_nothing_is_acknowledged(outgoing):
    outgoing.send('kept', 'wait@far.test', size=100000)
    outgoing.server.kill('spool')
    with outgoing.server.submission() as client:
        client.mail(outgoing.user)
        answers = {client.rcpt('ok@far.test')[0]}
    assert answers <= {250, 451}
    wait_for(lambda: outgoing.rows('queue', 'list', 'far.test'),
             what='what was acknowledged')
    assert wait_for(lambda: outgoing.given().count(
        (outgoing.rows('queue')[0]['id'], 'wait@far.test')) == 2,
        what='a second try')


def hand_in(client, answers, text):
    """In a thread: nobody answers until the store does."""
    try:
        answers.append(client.data(text)[0])
    except (smtplib.SMTPException, OSError) as error:
        answers.append(error)


@pytest.mark.parametrize('role', ('spool', 'snapd', 'queue'))
def test_mail_for_here_and_elsewhere_is_one_message_whoever_dies(outgoing,
                                                                 role):
    """The spool has its part, the store has not answered: both go, or none."""
    one = outgoing.server
    answers = []
    with one.submission() as client:
        client.mail(outgoing.user)
        for recipient in (outgoing.user, 'ok@far.test'):
            assert client.rcpt(recipient)[0] == 250
        one.kill('snapd', signal.SIGSTOP)
        try:
            thread = threading.Thread(target=hand_in, args=(
                client, answers, 'From: %s\r\n\r\nx\r\n' % outgoing.user))
            thread.start()
            wait_for(lambda: outgoing.logged('mail-queued'), what='the first half')
            assert not outgoing.given() and not answers
            one.kill(role)
        finally:
            if role != 'snapd':
                one.kill('snapd', signal.SIGCONT)
        thread.join(timeout=90)
    if role != 'queue':
        assert answers == [250]
    wait_for(lambda: outgoing.logged('mail-decided') or
             outgoing.logged('mail-withdrawn'), what='what the store says')
    count = 1 if outgoing.logged('mail-decided') else 0
    assert count == 1 or role == 'queue'
    wait_for(lambda: len(outgoing.given()) == count and
             len(outgoing.inbox()) == count, what='both or none')
    wait_for(lambda: not outgoing.rows('queue'), what='an empty queue')


def test_a_report_goes_to_where_the_mail_came_from(outgoing):
    """Of mail that an alias passed on, to a sender who is not ours."""
    with outgoing.server.smtp() as client:
        client.sendmail('sender@there.test', ['away@demo.test'],
                        'Subject: x\r\n\r\nx\r\n')
    wait_for(lambda: 'sender@there.test' in {to for _, to in outgoing.given()},
             what='the report on its way')


def test_no_one_relays_without_a_login(outgoing):
    with outgoing.server.smtp() as client:
        client.ehlo()
        client.mail('sender@there.test')
        code, text = client.rcpt('ok@far.test')
        assert (code, text[:5]) == (550, b'5.7.1')


class NextHost(socketserver.ThreadingTCPServer):
    """A mail server that takes everything, without TLS, and remembers it."""
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Conversation)
        self.taken = []  # envelope and message
        self.extensions = []
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Conversation(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b'\r\n')

    def handle(self):
        envelope = []
        self.say('220 next.test')
        for line in self.rfile:
            word = line[:4].upper()
            if word == b'EHLO':
                self.say('250-next.test')
                for one in self.server.extensions:
                    self.say('250-' + one)
                self.say('250-PIPELINING')
                self.say('250 DSN')
            elif word == b'DATA' and len(envelope) < 2:
                self.say('554 5.5.1 for nobody')
            elif word == b'DATA':
                self.say('354 go on')
                body = b''.join(iter(self.rfile.readline, b'.\r\n'))
                self.server.taken.append((envelope, body))
                envelope = []
                self.say('250 2.0.0 taken')
            elif word == b'RSET':
                envelope = []
                self.say('250 2.0.0 ok')
            elif word == b'QUIT':
                self.say('221 bye')
                return
            else:
                if b':<no-such' in line:
                    self.say('550 5.1.1 nobody')
                    continue
                if word in (b'MAIL', b'RCPT'):
                    envelope.append(line.decode().strip())
                self.say('250 2.1.0 ok')


@pytest.fixture
def next_host():
    host = NextHost()
    yield host
    host.shutdown()
    host.server_close()


def test_mail_arrives_at_the_next_host(server, tmp_path, next_host):
    config = str(tmp_path / 'config')
    with open(config, 'w', encoding='utf-8') as file:
        file.write(RELAYING + 'relay via 127.0.0.1 port %d\n' %
                   next_host.port)
    one = Outgoing(server('--accounts', '1', '--config', config))
    one.send('small', 'a@far.test', 'b@far.test', mail=['ENVID=e1'],
             options=['NOTIFY=FAILURE'])
    one.send('large', 'c@other.test', size=300000)
    wait_for(lambda: len(next_host.taken) == 2, what='both messages')
    wait_for(lambda: not one.rows('queue'), what='an empty queue')
    (envelope, small), (_, large) = sorted(
        next_host.taken, key=lambda taken: len(taken[1]))
    assert envelope[0].startswith('MAIL FROM:<%s>' % one.user)
    assert 'ENVID=e1' in envelope[0]
    assert [line.split()[1] for line in envelope[1:]] == [
        'TO:<a@far.test>', 'TO:<b@far.test>']
    assert all('NOTIFY=FAILURE' in line for line in envelope[1:])
    assert small.startswith(b'Received: from client.test ')
    assert b'Return-Path' not in small
    assert small.count(b'\r\n') == small.count(b'\n')
    assert len(large) > 300000 and large.endswith(b'message.\r\n')


BINARY = bytes(range(256)) * 300


def send_chunks(client, data):
    for piece, last in ((data[:9000], b''), (data[9000:], b' LAST')):
        client.send(b'BDAT %d%s\r\n' % (len(piece), last) + piece)
        code, text = client.getreply()
        assert code == 250, text


def test_what_a_client_asks_for_reaches_the_next_host_or_comes_back(
        server, tmp_path, next_host):
    """RFC 3030, 6710 and 8689: to one who knows the second of them only."""
    config = str(tmp_path / 'config')
    with open(config, 'w', encoding='utf-8') as file:
        file.write(RELAYING + 'relay via 127.0.0.1 port %d\n' %
                   next_host.port)
    next_host.extensions = ['MT-PRIORITY', '8BITMIME']
    one = Outgoing(server('--accounts', '1', '--config', config))
    header = (b'From: %s\r\nSubject: %%s\r\nMIME-Version: 1.0\r\n'
              b'Content-Type: application/octet-stream\r\n'
              b'Content-Transfer-Encoding: binary\r\n\r\n' %
              one.user.encode())
    with one.server.submission() as client:
        for word in ('binarymime', 'mt-priority', 'requiretls'):
            assert client.has_extn(word)
        client.mail(one.user, ['BODY=BINARYMIME', 'MT-PRIORITY=-2'])
        for recipient in (one.user, 'a@far.test'):
            assert client.rcpt(recipient)[0] == 250
        assert client.docmd('DATA')[0] == 503
        send_chunks(client, header % b'bytes' + BINARY)
        client.mail(one.user, ['REQUIRETLS', 'RET=FULL'])
        assert client.rcpt('b@far.test')[0] == 250
        assert client.data(header.replace(b'binary', b'7bit') % b'secret' +
                           b'nobody may read it\r\n')[0] == 250
    inbox = {mail['Subject']: mail for mail in one.reports(2)}
    report = inbox['Your message could not be delivered']
    _, recipients, original = check_report(report, one.user)
    assert recipients[0]['Final-Recipient'] == 'rfc822;b@far.test'
    assert recipients[0]['Status'] == '5.7.30'
    assert original.get_content_type() == 'text/rfc822-headers'
    with one.server.imap_session(one.user) as client:
        client.select('INBOX')
        uid, = client.uid('SEARCH', 'SUBJECT', 'bytes')[1][0].split()
        assert email.message_from_bytes(
            client.uid('FETCH', uid, 'BODY.PEEK[]')[1][0][1]).get_payload(
                decode=True) == BINARY
    wait_for(lambda: next_host.taken, what='mail at the next host')
    (envelope, sent), = next_host.taken
    assert 'MT-PRIORITY=-2' in envelope[0] and 'BINARY' not in envelope[0]
    sent = email.message_from_bytes(sent)
    assert sent['Content-Transfer-Encoding'] == 'base64'
    assert sent.get_payload(decode=True) == BINARY


def test_what_is_for_later_goes_then_to_us_and_to_others(outgoing):
    """RFC 4865; nothing but its id, or its time, has it go."""
    server, far = outgoing.server, 'there@far.test'
    with server.submission() as client:
        assert re.fullmatch(r'2592000 20\d\d-.*Z',
                            client.esmtp_features['futurerelease'])
        for wrong in (['HOLDFOR=2592001'], ['HOLDUNTIL=2001-01-01T00:00:00Z'],
                      ['HOLDFOR=60', 'HOLDUNTIL=2099-01-01T00:00:00Z']):
            assert client.mail(outgoing.user, wrong)[0] == 501
        assert client.mail(outgoing.user, ['HOLDFOR=86400'])[0] == 250
        assert client.rcpt('nobody@demo.test')[0] == 550
        client.rset()
    tomorrow = outgoing.send('tomorrow', outgoing.user, far,
                             mail=['HOLDFOR=86400'])
    never = outgoing.send('never', outgoing.user, mail=['HOLDFOR=86400'])
    soon = outgoing.send('soon', outgoing.user, far, mail=['HOLDFOR=1'])
    wait_for(lambda: (soon, far) in outgoing.given(), what='mail there')
    wait_for(lambda: [one['Subject'] for one in outgoing.inbox()] == ['soon'],
             what='mail here')
    outgoing.firnmail('queue', 'flush')
    outgoing.firnmail('queue', 'hold', tomorrow)
    outgoing.firnmail('queue', 'release', tomorrow)
    rows = outgoing.rows('queue', 'why', tomorrow)
    assert len(rows) == 2
    assert {row['because'] for row in rows} == {
        'its sender wants it to go then, and not before'}
    assert outgoing.rows('queue', 'list', tomorrow)[0]['state'] == 'waits'
    outgoing.firnmail('queue', 'flush', tomorrow)
    wait_for(lambda: len(outgoing.inbox()) == 2, what='mail here')
    wait_for(lambda: (tomorrow, far) in outgoing.given(), what='mail there')
    outgoing.firnmail('queue', 'bounce', never)
    report = outgoing.reports(3)[2]
    assert report.get_content_type() == 'multipart/report'
    assert b'never' in report.as_bytes()
    assert {one[1] for one in outgoing.given()} == {far}
