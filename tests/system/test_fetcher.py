"""The fetcher against HTTPS servers of the test's own, in a network namespace
where an address of the public Internet is ours."""
import gzip
import http.server
import os
import ssl
import subprocess
import threading

import pytest

import dns_zone
from net_stand import Stand, own_network

PUBLIC = '203.0.113.1'
OK, MISSING, REFUSED, INVALID, LIMIT, UNAVAILABLE = 0, 1, 3, 4, 5, 7
POLICY = b'version: STSv1\r\nmode: enforce\r\nmx: mx.good.example\r\n' \
    b'max_age: 86400\r\n'
HOSTS = ('good', 'parameter', 'redirect', 'large', 'endless', 'headers',
         'html', 'none', 'broken', 'silent', 'chunked', 'plain')


@pytest.fixture(scope='module', autouse=True)
def network():
    if os.geteuid() != 0:
        pytest.skip('needs root')
    with own_network(PUBLIC):
        yield


def openssl(directory, *words):
    subprocess.run(['openssl', *words], cwd=directory, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_certificate(directory, name, names, signer):
    """name.pem with its key, signed by signer.pem, or by itself."""
    with open(os.path.join(directory, name + '.ext'), 'w',
              encoding='ascii') as file:
        file.write('subjectAltName=%s\n' % ','.join('DNS:' + one
                                                    for one in names))
    new = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
           '-keyout', name + '.key', '-subj', '/CN=' + name]
    if not signer:
        openssl(directory, 'req', '-x509', *new, '-days', '9', '-out',
                name + '.pem')
        return
    openssl(directory, 'req', *new, '-out', name + '.csr')
    openssl(directory, 'x509', '-req', '-in', name + '.csr', '-CA',
            signer + '.pem', '-CAkey', signer + '.key', '-CAcreateserial',
            '-days', '9', '-extfile', name + '.ext', '-out', name + '.pem')


class Handler(http.server.BaseHTTPRequestHandler):
    """What it does depends on who it is."""
    protocol_version = 'HTTP/1.1'
    timeout = 60

    def log_message(self, *_):
        pass

    def reply(self, code, body=b'', kind='text/plain', **fields):
        self.send_response(code)
        if kind:
            self.send_header('Content-Type', kind)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_endless(self):
        self.send_response(200)
        self.send_header('Content-Type', 'text/plain')
        self.end_headers()
        while True:
            self.wfile.write(b'x: y\n' * 1000)

    def send_chunked(self):
        self.send_response(200)
        self.send_header('Content-Type', 'Text/Plain')
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        self.wfile.write(b'%x\r\n%s\r\n0\r\n\r\n' % (len(POLICY), POLICY))

    def do_GET(self):
        self.server.paths.append(self.path)
        who = self.headers['Host'].split('.')[1]
        if who == 'parameter':
            self.reply(200, POLICY, 'text/plain; charset=utf-8')
        elif who == 'redirect':
            self.reply(301, POLICY, Location='https://mta-sts.good.example'
                       '/.well-known/mta-sts.txt')
        elif who == 'large':
            self.reply(200, b'x' * 60001)
        elif who == 'endless':
            self.send_endless()
        elif who == 'headers':
            self.reply(200, POLICY, **{'X-%d' % n: 'x' * 1000
                                       for n in range(40)})
        elif who == 'html':
            self.reply(200, POLICY, 'text/html')
        elif who == 'none':
            self.reply(404, b'no')
        elif who == 'broken':
            self.reply(503, b'later')
        elif who == 'silent':
            self.server.hold.wait(60)
            self.close_connection = True
        elif who == 'chunked':
            self.send_chunked()
        else:
            self.reply(200, POLICY)

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        self.server.posts.append((self.path, dict(self.headers), body))
        self.reply(201 if self.path.startswith('/v1/') else 400)


class Https(http.server.ThreadingHTTPServer):
    """On the public address; the handshake is the connection's thread's."""
    daemon_threads = True

    def __init__(self, certificate):
        super().__init__((PUBLIC, 443), Handler)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate + '.pem',
                                     certificate + '.key')
        self.paths, self.posts = [], []
        self.hold = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, client_address):
        try:
            with self.context.wrap_socket(request, server_side=True) as one:
                super().finish_request(one, client_address)
        except OSError:
            pass

    def stop(self):
        self.hold.set()
        self.shutdown()
        self.server_close()


@pytest.fixture(scope='module')
def certificates(tmp_path_factory):
    path = str(tmp_path_factory.mktemp('certificates'))
    make_certificate(path, 'ca', [], None)
    make_certificate(path, 'stranger', [], None)
    make_certificate(path, 'host', ['mta-sts.%s.example' % one
                                    for one in HOSTS], 'ca')
    return path


@pytest.fixture(scope='module')
def server(certificates):
    one = Https(certificates + '/host')
    yield one
    one.stop()


@pytest.fixture(scope='module')
def dns(tmp_path_factory):
    with dns_zone.serve(tmp_path_factory.mktemp('dns')) as one:
        for host in HOSTS:
            one.zone(host + '.example', 'mta-sts IN A ' + PUBLIC,
                     signed=host != 'plain')
        one.zone('other.example', 'mta-sts IN A ' + PUBLIC)
        one.zone('refused.example', 'mta-sts IN A 203.0.113.1\n'
                 'mta-sts IN AAAA ::1')
        one.zone('forged.example', 'mta-sts IN A 203.0.113.2',
                 forge=('203.0.113.2', PUBLIC))
        one.zone('inner.example', 'mta-sts IN A 127.0.0.1\n'
                 'reports IN A 127.0.0.1\nreports IN AAAA ::1\n'
                 'cname IN CNAME mta-sts.good.example.')
        one.start()
        yield one


@pytest.fixture(scope='module')
def stand(dns, server, certificates, tmp_path_factory):
    one = Stand(tmp_path_factory.mktemp('stand'), dns.config +
                'ca-certificates file %s/ca.pem\n' % certificates)
    yield one
    one.stop()


def policy(stand, domain):
    """(status, text, why)"""
    words = stand.ask('policy ' + domain).split(' ', 3)
    return int(words[1]), bytes.fromhex(words[2]), words[3]


def test_a_policy_is_fetched(stand, server):
    assert policy(stand, 'good.example') == (OK, POLICY, '')
    assert server.paths == ['/.well-known/mta-sts.txt']
    assert policy(stand, 'GOOD.example') == (OK, POLICY, '')
    assert policy(stand, 'parameter.example') == (OK, POLICY, '')
    assert policy(stand, 'chunked.example') == (OK, POLICY, '')
    # DNSSEC is no condition: the certificate is.
    assert policy(stand, 'plain.example') == (OK, POLICY, '')


@pytest.mark.parametrize('host,status,why', (
    ('redirect', INVALID, 'status is not 200'),
    ('large', LIMIT, 'too large'),
    ('endless', LIMIT, 'too large'),
    ('headers', LIMIT, 'too large'),
    ('html', INVALID, 'another type'),
    ('none', MISSING, 'no such document'),
    ('broken', UNAVAILABLE, 'server failed'),
    # A certificate for others; a name that DNSSEC says is forged; none.
    ('other', REFUSED, 'certificate is not good'),
    ('forged', UNAVAILABLE, 'cannot be found now'),
    ('nobody', MISSING, 'no address'),
    ('a..b', MISSING, 'no policy host'),
    ('1.2.3.4/x?.', MISSING, 'no policy host'),
    ('inner', UNAVAILABLE, 'connect'),
))
def test_there_is_no_policy(stand, server, host, status, why):
    before = len(server.paths)
    got = policy(stand, host + '.example')
    assert got[:2] == (status, b'') and why in got[2], got
    assert len(server.paths) - before == (host in HOSTS)


def test_a_stranger_is_not_believed(stand, dns, certificates):
    """Whose authority is not in the file, until the file is another."""
    lines = dns.config + 'ca-certificates file %s/' % certificates
    stand.say('reload ' + stand.write_config(lines + 'stranger.pem\n'))
    assert policy(stand, 'good.example')[0] == REFUSED
    stand.say('reload ' + stand.write_config(lines + 'ca.pem\n'))
    assert policy(stand, 'good.example') == (OK, POLICY, '')


def test_one_who_is_silent_delays_nobody(stand, server):
    waiting = [stand.say('policy silent.example') for _ in range(20)]
    assert policy(stand, 'good.example')[0] == OK
    server.hold.set()
    for number in waiting:
        assert int(stand.answer(number).split(' ')[1]) != OK
    server.hold.clear()


def test_a_report_is_posted(stand, server):
    body = gzip.compress(b'{"organization-name": "x"}')
    got = stand.ask('post HTTPS://mta-sts.Good.example./v1/r?a=b%%20 %s' %
                    body.hex())
    assert got.split(' ')[:2] == ['posted', str(OK)], got
    path, fields, data = server.posts.pop()
    assert (path, data) == ('/v1/r?a=b%20', body)
    assert fields['Content-Type'] == 'application/tlsrpt+gzip'
    assert fields['Host'] == 'mta-sts.good.example'
    assert not {'Expect', 'Cookie', 'Referer', 'Authorization'} & set(fields)


@pytest.mark.parametrize('uri,status', (
    ('https://mta-sts.good.example/v2/', INVALID),
    ('https://mta-sts.other.example/v1/', REFUSED),
    # Not the public Internet, whatever the name is.
    ('https://reports.inner.example/v1/', MISSING),
    ('https://cname.inner.example/v1/', REFUSED),
    ('http://mta-sts.good.example/v1/', INVALID),
    ('https://203.0.113.1/v1/', INVALID),
    ('https://user@mta-sts.good.example/v1/', INVALID),
    ('https://mta-sts.good.example:0/v1/', INVALID),
))
def test_a_report_is_not_posted(stand, server, uri, status):
    got = stand.ask('post %s 00' % uri)
    assert got.split(' ')[1] == str(status), got
    assert status == INVALID or not server.posts
    server.posts.clear()
