"""smtpd-relay in its sandbox against servers with real TLS: STARTTLS, DANE,
MTA-STS and a smarthost, and what a man in the middle would do."""
import base64
import hashlib
import os
import queue
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from conftest import wait_for
from ports import free_ports

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))))
BUILD = os.environ.get('BUILD', os.path.join(TOP, 'build'))
STAND = os.path.join(BUILD, 'tests/system/relay_alone')
SECONDS = 60
A, CNAME, MX, TXT, AAAA, TLSA = 1, 5, 15, 16, 28, 52
DEFAULT, NEVER, ENCRYPT, VERIFY, DANE = range(5)

pytestmark = pytest.mark.skipif(not os.path.exists(STAND),
                                reason='relay_alone is not built')


class Server:
    """A server of SMTP on a port of its own: what it offers, and what it was
    sent."""

    def __init__(self, context=None, implicit=False, offers=('PIPELINING',)):
        self.context = context
        self.implicit = implicit
        self.offers = list(offers)
        self.mails = []
        self.commands = []
        self.resumed = []       # of each session of TLS: was it?
        self.breaks_next = False
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        """Takes connections until the socket is closed."""
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,),
                             daemon=True).start()

    def serve(self, connection):
        """One connection, to its end."""
        try:
            with connection:
                connection.settimeout(SECONDS)
                if self.implicit:
                    connection = self.context.wrap_socket(connection, True)
                self.talk(connection)
        except OSError:
            pass

    def extensions(self, is_tls):
        """The answer to EHLO."""
        offers = list(self.offers)
        if self.context and not is_tls and not self.implicit:
            offers.append('STARTTLS')
        lines = ['there'] + offers
        return ''.join('250%s%s\r\n' % ('-' if line is not lines[-1] else ' ',
                                        line) for line in lines)

    def talk(self, connection):
        """The conversation."""
        stream = connection.makefile('rwb', buffering=65536)
        is_tls = self.implicit
        says = lambda text: (stream.write(text.encode()), stream.flush())
        says('220 there\r\n')
        while line := stream.readline():
            word = line.strip().decode()
            self.commands.append(word)
            verb = word.split(' ')[0].upper()
            if verb == 'EHLO':
                says(self.extensions(is_tls))
            elif verb == 'STARTTLS':
                says('220 go\r\n')
                if self.breaks_next:
                    self.breaks_next = False
                    return
                connection = self.context.wrap_socket(connection, True)
                self.resumed.append(connection.session_reused)
                stream = connection.makefile('rwb', buffering=65536)
                is_tls = True
            elif verb == 'AUTH':
                says('235 welcome\r\n')
            elif verb == 'DATA':
                says('354 go\r\n')
                body = b''.join(iter(stream.readline, b'.\r\n'))
                self.mails.append((is_tls, body))
                says('250 2.0.0 kept\r\n')
            elif verb == 'QUIT':
                says('221 bye\r\n')
                return
            else:
                says('250 ok\r\n')


class Stand:
    """The relay, and everybody around it."""

    def __init__(self, authorities):
        self.walls = None
        self.jobs = 0
        self.lines = queue.Queue()
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            [STAND, BUILD, authorities], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.log = []
        threading.Thread(target=self.read, daemon=True).start()
        threading.Thread(target=self.read_log, daemon=True).start()
        self.walls = int(self.expect('walls')[1])
        self.expect('ready')

    def read(self):
        """Gathers what the stand prints."""
        for line in self.process.stdout:
            self.lines.put(line.split())
        self.lines.put(['end'])

    def read_log(self):
        """Gathers what the relay logs."""
        for line in self.process.stderr:
            self.log.append(line)

    def has_logged(self, words):
        """Waits for a line of the log with these words."""
        return wait_for(lambda: any(words in line for line in self.log),
                        what=words)

    def expect(self, event):
        """The next line, which is of that event."""
        line = self.lines.get(timeout=SECONDS)
        assert line[0] == event, (line, self.log[-3:])
        return line

    def tell(self, *words):
        """Says a line to the stand."""
        self.process.stdin.write(' '.join(map(str, words)) + '\n')
        self.process.stdin.flush()

    def host(self, name='mail.there.test', security='secure', records=(),
             port=25):
        """there.test has one host, on 127.0.0.1."""
        self.tell('name', MX, 'there.test', security, '10:' + name)
        self.tell('name', A, name, security, '127.0.0.1')
        self.tell('name', AAAA, name, security)
        self.tell('name', TLSA, '_%d._tcp.%s' % (port, name), security,
                  *records)

    # pylint: disable=too-many-arguments
    def send(self, port, body, tls=DEFAULT, host='-', implicit=0, user='-',
             password='-', flags=0, to=('bob@there.test',)):
        """A job: the outcomes of its recipients, and how it ended."""
        self.jobs += 1
        self.tell('job', self.jobs, 'there.test', tls, host, port, implicit,
                  user, password, flags, body, *to)
        outcomes = [self.expect('outcome')[3:] for _ in to]
        return outcomes, self.expect('done')[2:]


def openssl(*arguments):
    """Runs openssl."""
    subprocess.run(('openssl',) + arguments, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Certificates:
    """An authority and what it signed."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = str(folder / 'ca.pem')
        openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt',
                'ec_paramgen_curve:P-256', '-nodes', '-out', self.authority,
                '-keyout', str(folder / 'ca.key'), '-days', '2', '-subj',
                '/CN=authority')

    def make(self, name, signed=True, days=2):
        """A server's context; its certificate is NAME's."""
        base = str(self.folder / ('%s-%d-%d' % (name, signed, days)))
        kind = 'IP:' if name.replace('.', '').isdigit() else 'DNS:'
        request = ('req', '-newkey', 'ec', '-pkeyopt',
                   'ec_paramgen_curve:P-256', '-nodes', '-keyout',
                   base + '.key', '-subj', '/CN=' + name, '-addext',
                   'subjectAltName=' + kind + name)
        if signed:
            openssl(*request, '-out', base + '.csr')
            with open(base + '.ext', 'w', encoding='ascii') as file:
                file.write('subjectAltName=%s%s\n' % (kind, name))
            openssl('x509', '-req', '-in', base + '.csr', '-CA',
                    self.authority, '-CAkey', str(self.folder / 'ca.key'),
                    '-CAcreateserial', '-extfile', base + '.ext', '-days',
                    str(days), '-out', base + '.leaf')
            with open(base + '.pem', 'wb') as file:
                for part in (base + '.leaf', self.authority):
                    with open(part, 'rb') as source:
                        file.write(source.read())
        else:
            openssl(*request, '-x509', '-days', str(days), '-out',
                    base + '.pem')
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(base + '.pem', base + '.key')
        context.path = base + '.pem'
        return context


def der_of(path):
    """The first certificate of a file."""
    with open(path, encoding='ascii') as file:
        text = file.read()
    return ssl.PEM_cert_to_DER_cert(
        text[:text.index('-----END CERTIFICATE-----') + 26])


def digest(path):
    """SHA-256 of the first certificate of a file."""
    return hashlib.sha256(der_of(path)).hexdigest()


@pytest.fixture(name='certificates', scope='module')
def fixture_certificates(tmp_path_factory):
    """Certificates for all tests."""
    return Certificates(tmp_path_factory.mktemp('tls'))


@pytest.fixture(name='stand')
def fixture_stand(certificates):
    """A running relay, which ends well."""
    stand = Stand(certificates.authority)
    yield stand
    if stand.process.poll() is None:
        stand.tell('stop')
        assert stand.expect('ended')[1:] == ['status', '0']
        stand.process.wait(SECONDS)


@pytest.fixture(name='body')
def fixture_body(tmp_path):
    """A small message."""
    path = tmp_path / 'body'
    path.write_bytes(b'Subject: x\r\n\r\n.dot\r\n')
    return str(path)


DELIVERED = ['delivered', '250', '2.0.0']
REFUSED = [['deferred', '0', '4.7.5']]


def test_opportunistic_tls(stand, certificates, body):
    """Any certificate will do where nothing is demanded."""
    server = Server(certificates.make('other.test', signed=False))
    stand.host(security='insecure')
    outcomes, done = stand.send(server.port, body)
    assert outcomes[0][:3] == DELIVERED and outcomes[0][3] == 'TLSv1.3'
    assert done == ['none', '0']
    assert server.mails == [(True, b'Subject: x\r\n\r\n..dot\r\n')]
    assert stand.send(server.port, body)[1] == ['none', '1']


ONE_MAIL = ('PIPELINING', 'LIMITS MAILMAX=1')


@pytest.mark.parametrize('version', ('TLSv1_2', 'TLSv1_3'))
def test_a_session_is_resumed(stand, certificates, body, version):
    """The second connection to a host costs no signature and no certificate."""
    context = certificates.make('mail.there.test')
    context.minimum_version = context.maximum_version = \
        ssl.TLSVersion[version]
    server = Server(context, offers=ONE_MAIL)
    stand.host(security='insecure')
    for _ in range(3):
        outcomes, done = stand.send(server.port, body, tls=VERIFY)
        assert outcomes[0][:3] == DELIVERED and done == ['none', '0']
    assert server.resumed == [False, True, True]


def test_a_session_is_not_resumed_where_more_is_demanded(stand, certificates,
                                                         body):
    """What was taken with any certificate proves nothing later, nor what other
    records named."""
    server = Server(certificates.make('mail.there.test', signed=False),
                    offers=ONE_MAIL)
    stand.host(security='insecure')
    assert stand.send(server.port, body)[0][0][:3] == DELIVERED
    assert stand.send(server.port, body, tls=VERIFY)[0] == REFUSED
    right = '3:0:1:' + digest(server.context.path)
    stand.host(port=server.port, records=[right])
    assert stand.send(server.port, body)[0][0][:3] == DELIVERED
    stand.host(port=server.port, records=['3:0:1:' + '00' * 32])
    assert stand.send(server.port, body)[0] == REFUSED
    stand.host(port=server.port, records=[right])
    assert stand.send(server.port, body)[0][0][:3] == DELIVERED
    assert server.resumed == [False, False, True] and len(server.mails) == 3


def test_one_that_cannot_be_resumed_is_no_downgrade(stand, certificates, body):
    """A server that breaks off where an old session is offered gets another
    connection, with TLS: it is not taken for one that has none."""
    server = Server(certificates.make('mail.there.test'), offers=ONE_MAIL)
    stand.host(security='insecure')
    assert stand.send(server.port, body)[0][0][:3] == DELIVERED
    server.breaks_next = True
    outcomes, _ = stand.send(server.port, body)
    assert outcomes[0][:3] == DELIVERED and outcomes[0][3] == 'TLSv1.3'
    assert [is_tls for is_tls, _ in server.mails] == [True, True]
    assert server.resumed == [False, False]


def test_a_certificate_of_an_address(stand, certificates, body):
    """A host that the administrator names by its address shows that."""
    server = Server(certificates.make('127.0.0.1'))
    assert stand.send(server.port, body, tls=VERIFY, host='127.0.0.1')[0][0][
        :3] == DELIVERED
    other = Server(certificates.make('127.0.0.2'))
    assert stand.send(other.port, body, tls=VERIFY, host='127.0.0.1')[
        0] == REFUSED


@pytest.mark.filterwarnings('ignore:ssl.TLSVersion')
def test_old_tls_is_no_tls(stand, certificates, body):
    """TLS 1.1 is not spoken; where nothing is demanded the mail goes in the
    clear on another connection."""
    context = certificates.make('mail.there.test')
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    server = Server(context)
    stand.host(security='insecure')
    assert stand.send(server.port, body)[0] == [DELIVERED]
    assert server.mails[0][0] is False
    assert stand.send(server.port, body, tls=ENCRYPT)[0][0][0] == 'deferred'
    assert len(server.mails) == 1


@pytest.mark.parametrize('name, signed, is_good', [
    ('mail.there.test', True, True),
    ('other.test', True, False),
    ('mail.there.test', False, False)])
def test_verified_name(stand, certificates, body, name, signed, is_good):
    """An authority's certificate of the host's name, or nothing."""
    server = Server(certificates.make(name, signed))
    stand.host(security='insecure')
    outcomes, done = stand.send(server.port, body, tls=VERIFY)
    if is_good:
        assert outcomes[0][:3] == DELIVERED
    else:
        assert outcomes == REFUSED and done[0] == 'destination'
        assert 'certificate:' in done
    assert len(server.mails) == is_good


def test_mta_sts(stand, certificates, body):
    """An enforced policy demands the name, and lists the hosts."""
    good = Server(certificates.make('mail.there.test'))
    bad = Server(certificates.make('mail.there.test', signed=False))
    stripped = Server()
    stand.host(security='insecure')
    stand.tell('name', TXT, '_mta-sts.there.test', 'insecure',
               'v=STSv1;_id=1;')
    stand.tell('policy', r'version: STSv1\nmode: enforce\n'
               r'mx: *.there.test\nmax_age: 86400\n')
    assert stand.send(good.port, body)[0][0][:3] == DELIVERED
    assert stand.send(bad.port, body)[0] == REFUSED
    assert stand.send(stripped.port, body)[0] == REFUSED
    # A forged MX: signed by the same authority, but not in the policy.
    forged = Server(certificates.make('mail.evil.test'))
    stand.host(name='mail.evil.test', security='insecure')
    assert stand.send(forged.port, body)[0] == REFUSED
    assert not bad.mails and not stripped.mails and not forged.mails


def test_mta_sts_in_testing(stand, certificates, body):
    """Nothing is refused, but what would be is told."""
    server = Server(certificates.make('other.test'))
    stand.host(security='insecure')
    stand.tell('name', TXT, '_mta-sts.there.test', 'insecure',
               'v=STSv1;_id=1;')
    stand.tell('policy', r'version: STSv1\nmode: testing\n'
               r'mx: *.there.test\nmax_age: 86400\n')
    assert stand.send(server.port, body)[0][0][:3] == DELIVERED
    assert stand.has_logged('fault=certificate-host-mismatch')


def test_dane(stand, certificates, body):
    """TLSA records that DNSSEC vouches for decide alone."""
    own = Server(certificates.make('anything.test', signed=False))
    path = own.context.path
    stand.host(port=own.port, records=['3:0:1:' + digest(path)])
    outcomes, _ = stand.send(own.port, body)
    assert outcomes[0][:3] == DELIVERED and outcomes[0][3] == 'TLSv1.3'
    stand.host(port=own.port, records=['3:0:1:' + '00' * 32])
    assert stand.send(own.port, body, flags=1)[1][0] == 'none'  # it rests
    other = Server(own.context)
    stand.host(port=other.port, records=['3:0:1:' + '00' * 32])
    outcomes, done = stand.send(other.port, body)
    assert outcomes == REFUSED and 'certificate:' in done
    # Not signed: as if there were none.
    stand.host(port=other.port, security='insecure',
               records=['3:0:1:' + '00' * 32])
    assert stand.send(other.port, body)[0][0][:3] == DELIVERED


def test_dane_by_an_authority(stand, certificates, body):
    """DANE-TA needs the name as well."""
    records = ['2:0:1:' + digest(certificates.authority)]
    for name, is_good in (('mail.there.test', True), ('there.test', True),
                          ('other.test', False)):
        server = Server(certificates.make(name))
        stand.host(port=server.port, records=records)
        outcomes, _ = stand.send(server.port, body)
        assert (outcomes[0][:3] == DELIVERED) == is_good, name
        assert len(server.mails) == is_good


def test_dane_is_not_stripped(stand, certificates, body):
    """Without STARTTLS, without an answer about TLSA, with a forged one: no
    mail."""
    server = Server()
    stand.host(port=server.port, records=['3:1:1:' + '00' * 32])
    assert stand.send(server.port, body)[0] == REFUSED
    stand.tell('name', TLSA, '_%d._tcp.mail.there.test' % server.port,
               'bogus')
    assert stand.send(server.port, body)[0] == REFUSED
    # Records that cannot be used still demand TLS, of any kind.
    stand.host(port=server.port, records=['1:1:1:' + '00' * 32])
    assert stand.send(server.port, body)[0] == REFUSED
    assert not server.mails
    tls = Server(certificates.make('other.test', signed=False))
    stand.host(port=tls.port, records=['1:1:1:' + '00' * 32])
    assert stand.send(tls.port, body)[0][0][:3] == DELIVERED


def test_forged_mx(stand, body):
    """Names that are not what was signed are no names."""
    server = Server()
    stand.tell('name', MX, 'there.test', 'bogus', '10:mail.evil.test')
    stand.tell('name', A, 'mail.evil.test', 'insecure', '127.0.0.1')
    outcomes, done = stand.send(server.port, body)
    assert outcomes == [['deferred', '0', '4.4.3']]
    assert done[0] == 'destination' and not server.mails


def test_smarthost(stand, certificates, body):
    """Implicit TLS and a login, for one who has proven his name only."""
    good = Server(certificates.make('smart.test'), implicit=True,
                  offers=['AUTH PLAIN'])
    bad = Server(certificates.make('other.test'), implicit=True,
                 offers=['AUTH PLAIN'])
    stand.tell('name', A, 'smart.test', 'insecure', '127.0.0.1')
    login = {'host': 'smart.test', 'implicit': 1, 'user': 'me',
             'password': 'secret'}
    assert stand.send(good.port, body, **login)[0][0][:3] == DELIVERED
    assert 'AUTH PLAIN ' + base64.b64encode(b'\0me\0secret').decode() in \
        good.commands
    assert stand.send(bad.port, body, **login)[0] == REFUSED
    assert not bad.commands
    # STARTTLS stripped: the password is not said.
    clear = Server(offers=['AUTH PLAIN'])
    login['implicit'] = 0
    assert stand.send(clear.port, body, **login)[0] == REFUSED
    assert not any('AUTH' in word for word in clear.commands)


def test_large_body(stand, certificates, tmp_path):
    """Megabytes with dots arrive as they were."""
    path = tmp_path / 'large'
    sent = b''.join(b'.%d %s\r\n' % (i, b'x' * (i % 500))
                    for i in range(20000))
    path.write_bytes(b'Subject: large\r\n\r\n' + sent)
    server = Server(certificates.make('mail.there.test'))
    stand.host(security='insecure')
    to = ['user%d@there.test' % i for i in range(100)]
    outcomes, _ = stand.send(server.port, path, to=to)
    assert all(outcome[:3] == DELIVERED for outcome in outcomes)
    received = server.mails[0][1].replace(b'\r\n..', b'\r\n.')
    assert received == path.read_bytes()


def test_walls(stand):
    """All walls stand."""
    assert stand.walls != 0


@pytest.fixture(name='postfix')
def fixture_postfix():
    """Debian's Postfix as the next host: its port and its folder."""
    if os.geteuid() != 0 or not shutil.which('postfix'):
        pytest.skip('needs root and Postfix')
    numbers = [str(port) for port in free_ports(2)]
    script = os.path.join(TOP, 'tests/peers/postfix.sh')
    directory = '/var/tmp/firnmail-relay-%d' % os.getpid()
    subprocess.run([script, 'start', directory] + numbers, check=True,
                   env=dict(os.environ, USERS='3'))
    yield int(numbers[0]), directory
    subprocess.run([script, 'stop', directory], check=True)
    shutil.rmtree(directory)


def test_postfix_receives(stand, postfix, tmp_path):
    """With all that Postfix offers, DANE included: what arrives is what was
    sent, and one that is not there is refused by itself."""
    port, directory = postfix
    body = tmp_path / 'body'
    body.write_bytes(b'From: a@here.test\r\nSubject: relayed\r\n\r\n'
                     b'.\r\n..two\r\nna\xc3\xafve\r\n')
    stand.host(port=port, records=['3:0:1:' + digest(directory + '/cert.pem')])
    outcomes, done = stand.send(
        port, str(body), flags=2,
        to=('user1@example.test', 'nobody@example.test',
            'user2@example.test'))
    assert [outcome[:2] for outcome in outcomes] == [
        ['failed', '550'], ['delivered', '250'], ['delivered', '250']]
    assert outcomes[1][3] == 'TLSv1.3' and done == ['none', '0']
    for user in ('user1', 'user2'):
        folder = '%s/mail/%s/Maildir/new' % (directory, user)
        wait_for(lambda: os.path.exists(folder) and os.listdir(folder))
        with open(os.path.join(folder, os.listdir(folder)[0]), 'rb') as file:
            assert file.read().endswith(b'\n\n.\n..two\nna\xc3\xafve\n')
