"""smtpd, smtpd-queue and keyd in their sandboxes, with everybody else played
by smtp_alone: what a client sees, and how the processes stop."""
import os
import queue
import smtplib
import socket
import ssl
import subprocess
import threading

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))))
BUILD = os.environ.get('BUILD', os.path.join(TOP, 'build'))
STAND = os.path.join(BUILD, 'tests/system/smtp_alone')
SECONDS = 60

pytestmark = pytest.mark.skipif(not os.path.exists(STAND),
                                reason='smtp_alone is not built')


class Stand:
    """The processes, their ports, and what they say."""

    def __init__(self, certificate, key):
        self.certificate = certificate
        self.ended = {}
        self.walls = {}
        self.lines = queue.Queue()
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            [STAND, BUILD, certificate, key, '-v'], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self.read, daemon=True).start()
        _, self.smtp, self.submit, self.submits = (
            int(self.expect('port')[1]) for _ in range(4))
        self.expect('ready')
        with socket.create_connection(('127.0.0.1', self.smtp),
                                      SECONDS) as probe:
            self.first_greeting = probe.recv(3)

    def read(self):
        """Gathers what the stand prints."""
        for line in self.process.stdout:
            self.lines.put(line.split())
        self.lines.put(['end'])

    def expect(self, event):
        """The next line of that event."""
        while True:
            line = self.lines.get(timeout=SECONDS)
            if line[0] == 'walls':
                self.walls[line[1]] = int(line[2])
            if line[0] == 'ended':
                self.ended[line[1]] = (line[2], int(line[3]))
            if line[0] == event:
                return line
            assert line[0] not in ('end', 'misbehaved'), line

    def tell(self, word):
        """Says a word to the stand and waits until it is obeyed."""
        self.process.stdin.write(word + '\n')
        self.process.stdin.flush()
        self.expect('did')

    def expect_end(self):
        """All three end by themselves with status 0."""
        self.expect('end')
        assert self.ended == {name: ('status', 0)
                              for name in ('smtpd', 'queue', 'keyd')}

    def context(self):
        """TLS that trusts the stand's certificate."""
        return ssl.create_default_context(cafile=self.certificate)

    def client(self, port=None):
        """A client after EHLO."""
        client = smtplib.SMTP('127.0.0.1', port or self.smtp,
                              timeout=SECONDS)
        client._host = 'mx.demo.test'  # pylint: disable=protected-access
        client.ehlo('client.example')
        return client

    def submitter(self):
        """A client that has logged in as user1."""
        client = self.client(self.submit)
        client.starttls(context=self.context())
        client.login('user1@demo.test', 'pw')
        return client


@pytest.fixture(name='certificate', scope='module')
def fixture_certificate(tmp_path_factory):
    """A certificate and its key."""
    folder = tmp_path_factory.mktemp('tls')
    paths = [str(folder / 'certificate.pem'), str(folder / 'key.pem')]
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
         'ec_paramgen_curve:P-256', '-nodes', '-out', paths[0], '-keyout',
         paths[1], '-days', '2', '-subj', '/CN=mx.demo.test', '-addext',
         'subjectAltName=DNS:mx.demo.test'], check=True,
        stderr=subprocess.DEVNULL)
    os.chmod(paths[1], 0o644)
    return paths


@pytest.fixture(name='stand')
def fixture_stand(certificate):
    """A running stand."""
    stand = Stand(*certificate)
    yield stand
    if stand.process.poll() is None:
        stand.process.stdin.close()
        stand.process.wait(SECONDS)


def raw(port):
    """A socket and a file of its lines, after the greeting."""
    connection = socket.create_connection(('127.0.0.1', port), SECONDS)
    lines = connection.makefile('rb')
    assert lines.readline().startswith(b'220 ')
    return connection, lines


def begin_data(connection, lines):
    """Up to the 354, for user2."""
    connection.sendall(b'HELO c\r\n')
    assert lines.readline().startswith(b'250 ')
    connection.sendall(b'MAIL FROM:<>\r\nRCPT TO:<user2@demo.test>\r\n'
                       b'DATA\r\n')
    assert [lines.readline()[:3] for _ in range(3)] == [
        b'250', b'250', b'354']


def test_a_mail_is_taken_and_filed_and_all_end_cleanly(stand):
    client = stand.client()
    assert client.esmtp_features.keys() >= {
        'pipelining', 'size', '8bitmime', 'smtputf8', 'starttls',
        'enhancedstatuscodes'}
    assert 'auth' not in client.esmtp_features
    client.sendmail('a@example.net', ['user1@demo.test', 'alias1@demo.test'],
                    b'Subject: x\r\n\r\nbody \xc3\xa4\r\n',
                    mail_options=['BODY=8BITMIME'])
    assert stand.expect('body')[2] == '0'
    assert [stand.expect('filed')[1], stand.expect('filed')[1]] in (
        ['1', '2'], ['2', '1'])
    assert client.docmd('NOOP')[0] == 250
    assert client.quit()[0] == 221
    stand.tell('stop')
    stand.expect_end()
    if os.geteuid() == 0:
        # uid, chroot, capabilities and seccomp stand for each of them.
        assert all(walls & 0x17 == 0x17 for walls in stand.walls.values())
    assert all(walls & 16 for walls in stand.walls.values())


def test_the_first_client_waits_until_the_queue_knows_of_the_store(stand):
    assert stand.first_greeting == b'220'


def test_a_large_mail_comes_as_a_sealed_descriptor(stand):
    client = stand.client()
    text = b'Subject: x\r\n\r\n' + b'0123456789\r\n' * 400000
    assert client.sendmail('a@example.net', 'user3@demo.test', text) == {}
    size = stand.expect('body')
    assert size[2] == '1' and int(size[1]) > 11 * 400000
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        client.sendmail('a@example.net', 'user3@demo.test', text * 3)
    assert refused.value.smtp_code == 552
    stand.tell('stop')
    stand.expect_end()


def test_what_is_pipelined_is_answered_in_order(stand):
    connection, lines = raw(stand.smtp)
    connection.sendall(b'EHLO c\r\n')
    said = b''
    while not said.endswith(b'250 ENHANCEDSTATUSCODES\r\n'):
        said += lines.readline()
    connection.sendall(
        b'MAIL FROM:<>\r\nRCPT TO:<nobody@demo.test>\r\n'
        b'RCPT TO:<postmaster>\r\nDATA\r\n')
    while b'354 ' not in said:
        said += lines.readline()
    connection.sendall(b'A: b\r\n\r\n..x\r\n.\r\nMAIL FROM:<x@y>\r\n'
                       b'RSET\r\nQUIT\r\n')
    said += lines.read()
    codes = [line[:3] for line in said.split(b'\r\n')
             if line[3:4] == b' ']
    assert codes == [b'250', b'250', b'550', b'250', b'354', b'250', b'250',
                     b'250', b'221']


def test_starttls_and_login_make_a_sender(stand):
    client = stand.client(stand.submit)
    assert client.docmd('AUTH', 'PLAIN AHVzZXIxQGRlbW8udGVzdABwdw==')[0] == 530
    client.starttls(context=stand.context())
    with pytest.raises(smtplib.SMTPAuthenticationError):
        client.login('user1@demo.test', 'wrong')
    client.login('user1@demo.test', 'pw')
    with pytest.raises(smtplib.SMTPSenderRefused):
        client.sendmail('user2@demo.test', 'user2@demo.test', b'x')
    assert client.sendmail('user1+tag@demo.test', 'user2@demo.test',
                           b'Subject: x\r\n\r\nx\r\n') == {}
    client.quit()
    direct = smtplib.SMTP_SSL(
        '127.0.0.1', stand.submits, timeout=SECONDS,
        context=ssl._create_unverified_context())
    direct.login('user2@demo.test', 'pw')
    assert direct.sendmail('alias1@demo.test', 'user1@demo.test',
                           b'x') == {}
    direct.quit()
    stand.tell('stop')
    stand.expect_end()


def test_bytes_after_starttls_end_the_connection(stand):
    connection, lines = raw(stand.smtp)
    connection.sendall(b'STARTTLS\r\nEHLO injected\r\n')
    assert lines.readline().startswith(b'554 ')
    assert lines.read() == b''


def test_utf8_addresses_need_smtputf8(stand):
    client = stand.client()
    assert client.docmd('MAIL', 'FROM:<a@example.net>')[0] == 250
    assert client.docmd('RSET')[0] == 250
    client.sock.sendall('MAIL FROM:<ä@example.net>\r\n'.encode())
    assert client.getreply()[0] == 553
    client.sock.sendall('MAIL FROM:<ä@example.net> SMTPUTF8\r\n'.encode())
    assert client.getreply()[0] == 250


def test_a_stop_answers_what_was_begun(stand):
    idle, idle_lines = raw(stand.smtp)
    client = stand.client()
    client.mail('a@example.net')
    client.rcpt('user1@demo.test')
    stand.tell('silent')
    client.docmd('DATA')
    client.sock.sendall(b'x\r\n.\r\n')
    stand.expect('body')
    writing, lines = raw(stand.smtp)
    begin_data(writing, lines)
    stand.tell('stop')
    assert idle_lines.read().startswith(b'421 ')
    stand.tell('answer')
    assert client.getreply()[0] == 250
    assert client.getreply()[0] == 421
    writing.sendall(b'late\r\n.\r\n')
    assert lines.readline().startswith(b'250 ')
    assert lines.read().startswith(b'421 ')
    stand.expect_end()
    idle.close()


def test_a_stop_does_not_wait_for_ever(stand):
    writing, lines = raw(stand.smtp)
    begin_data(writing, lines)
    stand.tell('stop')
    stand.expect_end()
    writing.close()


def test_a_full_store_is_said(stand):
    stand.tell('full')
    client = stand.client()
    with pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail('a@example.net', 'user1@demo.test', b'x')
    assert refused.value.smtp_code == 452


def test_what_a_worker_cannot_file_is_tried_again(stand):
    stand.tell('starve')
    client = stand.client()
    client.sendmail('a@example.net', 'user9@demo.test', b'x')
    stand.expect('filed')
    stand.expect('filed')
    stand.tell('feed')
    stand.expect('filed')
    client.quit()
    stand.tell('stop')
    stand.expect_end()


def test_a_reload_leaves_connections_alone(stand):
    old = stand.client()
    stand.tell('reload')
    # The settings go another way than the client's bytes.
    while True:
        with smtplib.SMTP('127.0.0.1', stand.smtp, timeout=SECONDS) as new:
            if b'new.demo.test' in new.ehlo()[1]:
                break
    assert old.sendmail('a@example.net', 'user1@demo.test', b'x') == {}
    second = socket.create_connection(('127.0.0.1', stand.smtp), SECONDS)
    assert second.recv(100).startswith(b'220 ')
    third = socket.create_connection(('127.0.0.1', stand.smtp), SECONDS)
    assert third.recv(100).startswith(b'421 ')
    second.close()
    third.close()
    old.close()
    stand.tell('stop')
    stand.expect_end()
