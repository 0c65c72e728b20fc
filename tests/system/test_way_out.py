"""Relay, resolver and fetcher as they are, in a network of their own with a
signed DNS, policies over HTTPS and hosts at port 25: what DANE and MTA-STS
enforce, and that one in the middle gains nothing."""
import http.server
import os
import socket
import ssl
import threading

import pytest

import dns_zone
import tls_report
from conftest import RELAYING, wait_for
from net_stand import Stand, own_network
from test_relay import Certificates, Server, digest

POLICIES, OWN, CLEAR, SIGNED, EVIL = ('203.0.113.%d' % n for n in range(1, 6))
DELIVERED, DEFERRED, FAILED = '0', '1', '2'
STS = ('sts', 'stscert', 'stsstrip', 'stsmx', 'ststest')


class Host(Server):
    """One at port 25 of an address."""

    def __init__(self, address, context=None):
        self.address = address
        super().__init__(context)

    def listen(self):
        self.socket.close()
        self.socket = socket.create_server((self.address, 25))
        super().listen()


POSTED = []


class Handler(http.server.BaseHTTPRequestHandler):
    """The policy of whoever is asked for; and reports are taken."""

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        POSTED.append((self.headers['Content-Type'], self.path, body))
        self.send_response(201)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def do_GET(self):
        domain = self.headers['Host'].split('.')[1]
        body = ('version: STSv1\nmode: %s\nmx: mail.%s.example\n'
                'max_age: 86400\n' %
                ('testing' if domain == 'ststest' else 'enforce',
                 domain)).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'text/plain')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve_policies(certificates):
    """A certificate for each domain's policy host, by the name asked for."""
    contexts = {'mta-sts.%s.example' % one: certificates.make(
        'mta-sts.%s.example' % one) for one in STS}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def choose(connection, name, _):
        connection.context = contexts[name]

    context.sni_callback = choose
    server = http.server.ThreadingHTTPServer((POLICIES, 443), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True,
                                        do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def add_zones(dns, right, wrong):
    """`right` is the digest of OWN's certificate."""
    wish = '_smtp._tls IN TXT "v=TLSRPTv1; rua=mailto:tls@reports.example"\n'
    host = '@ IN MX 10 mail\nmail IN A %s\n' + wish
    tlsa = '_25._tcp.mail IN TLSA 3 0 1 %s\n'
    dns.zone('dane.example', host % OWN + tlsa % right)
    dns.zone('danewrong.example', host % OWN + tlsa % wrong)
    dns.zone('danestrip.example', host % CLEAR + tlsa % right)
    dns.zone('daneforged.example', host % OWN + tlsa % right,
             forge=(right, wrong))
    dns.zone('mxforged.example', host % OWN + 'evil IN A %s\n' % EVIL +
             tlsa % right, forge=('MX\t10 mail', 'MX\t10 evil'))
    for name, address in (('sts', SIGNED), ('stscert', OWN),
                          ('stsstrip', CLEAR), ('ststest', CLEAR)):
        dns.zone(name + '.example', host % address +
                 'mta-sts IN A %s\n_mta-sts IN TXT "v=STSv1; id=1;"\n' %
                 POLICIES, signed=False)
    dns.zone('reports.example', '@ IN MX 10 mail\nmail IN A %s\n'
             '_25._tcp.mail IN TLSA 3 0 1 %s\n' % (OWN, wrong))
    dns.zone('posted.example', '@ IN MX 10 mail\nmail IN A %s\n'
             '_smtp._tls IN TXT "v=TLSRPTv1; '
             'rua=https://mta-sts.sts.example/tls"\n' % CLEAR, signed=False)
    dns.zone('stsmx.example', wish + '@ IN MX 10 evil\nevil IN A %s\n'
             'mta-sts IN A %s\n_mta-sts IN TXT "v=STSv1; id=1;"\n' %
             (EVIL, POLICIES), signed=False)
    dns.zone('plain.example', host % CLEAR, signed=False)
    dns.zone('opportune.example', host % OWN, signed=False)
    dns.zone('implicit.example', '@ IN A %s\n' % CLEAR)
    dns.zone('null.example', '@ IN MX 0 .\n')


@pytest.fixture(scope='module')
def hosts():
    return {}


@pytest.fixture(scope='module')
def stand(hosts, tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip('needs root')
    top = tmp_path_factory.mktemp('way')
    certificates = Certificates(top)
    with own_network(POLICIES, OWN, CLEAR, SIGNED, EVIL), \
            dns_zone.serve(top / 'dns') as dns:
        own = certificates.make('own.example', signed=False)
        hosts[OWN] = Host(OWN, own)
        hosts[CLEAR] = Host(CLEAR)
        hosts[SIGNED] = Host(SIGNED, certificates.make('mail.sts.example'))
        hosts[EVIL] = Host(EVIL, certificates.make('evil.stsmx.example'))
        policies = serve_policies(certificates)
        add_zones(dns, digest(own.path), '5a' * 32)
        dns.start()
        (top / 'body').write_bytes(b'Subject: x\r\n\r\nbody\r\n')
        (top / 'stand').mkdir()
        lines = dns.config + ('ca-certificates file %s\n' %
                              certificates.authority)
        one = Stand(top / 'stand', lines, 'relay')
        one.lines = lines
        one.body = str(top / 'body')
        yield one
        one.stop()
        policies.shutdown()
        policies.server_close()
        for host in hosts.values():
            host.socket.close()


@pytest.mark.parametrize('domain,outcome,tls,address', (
    ('dane', DELIVERED, 'TLSv1.3', OWN),
    ('danewrong', DEFERRED, '-', None),
    ('danestrip', DEFERRED, '-', None),
    ('daneforged', DEFERRED, '-', None),
    ('mxforged', DEFERRED, '-', None),
    ('sts', DELIVERED, 'TLSv1.3', SIGNED),
    ('stscert', DEFERRED, '-', None),
    ('stsstrip', DEFERRED, '-', None),
    # A forged MX, whose host even has a certificate for its name.
    ('stsmx', DEFERRED, '-', None),
    ('ststest', DELIVERED, '-', CLEAR),
    # Nobody demands anything.
    ('plain', DELIVERED, '-', CLEAR),
    ('opportune', DELIVERED, 'TLSv1.3', OWN),
    ('implicit', DELIVERED, '-', CLEAR),
    ('null', FAILED, '-', None),
    ('nobody', FAILED, '-', None),
))
def test_the_way_out(stand, hosts, domain, outcome, tls, address):
    said = stand.ask('job %s.example %s bob@%s.example' %
                     (domain, stand.body, domain)).split(' ')
    took = [one for one, host in hosts.items() if host.mails]
    for host in hosts.values():
        host.mails.clear()
    assert (said[1], said[4]) == (outcome, tls), (said, stand.log())
    assert took == ([address] if address else []), said


def test_the_whole_server_sends(stand, hosts, server, tmp_path):
    """From a user's submission to other hosts, and what cannot go comes back:
    nobody is played."""
    config = tmp_path / 'config'
    config.write_text(RELAYING + stand.lines)
    one = server('--accounts', '1', '--config', str(config))
    with one.submission() as client:
        queue_id = one.submit(client, 'out', ['bob@%s.example' % domain for domain in (
            'dane', 'sts', 'plain', 'danestrip', 'null')])
    wait_for(lambda: all(hosts[address].mails
                         for address in (OWN, SIGNED, CLEAR)), 60, 'the mail')
    assert [(len(hosts[address].mails), hosts[address].mails[0][0])
            for address in (OWN, SIGNED, CLEAR)] == [
                (1, True), (1, True), (1, False)]
    assert b'\r\nReceived: from' in b'\r\n' + hosts[OWN].mails[0][1]
    # The null MX is reported, the stripped STARTTLS is tried again.
    wait_for(lambda: one.view().keys, 60, 'the report')
    wait_for(lambda: ('bob@danestrip.example', 'waits') in {
        (row['recipient'], row['state'])
        for row in one.queue('show', queue_id) if 'host' in row},
             what='the end of its first try')
    for host in hosts.values():
        host.mails.clear()


# What became of TLS with each domain: by policy how many sessions went well, and
# what was wrong with the others.
REPORTED = {
    'dane': {('tlsa', 'mail.dane.example'): (1, {})},
    'danewrong': {('tlsa', 'mail.danewrong.example'): (
        0, {'tlsa-invalid': 1})},
    'danestrip': {('tlsa', 'mail.danestrip.example'): (
        0, {'starttls-not-supported': 1})},
    'daneforged': {('tlsa', 'mail.daneforged.example'): (
        0, {'dnssec-invalid': 1})},
    'mxforged': {('tlsa', 'mxforged.example'): (0, {'dnssec-invalid': 1})},
    'sts': {('sts', 'sts.example'): (1, {})},
    'stscert': {('sts', 'stscert.example'): (
        0, {'certificate-not-trusted': 1})},
    'stsstrip': {('sts', 'stsstrip.example'): (
        0, {'starttls-not-supported': 1})},
    'stsmx': {('sts', 'stsmx.example'): (0, {'validation-failure': 1})},
    'ststest': {('sts', 'ststest.example'): (
        0, {'starttls-not-supported': 1})},
    'plain': {('no-policy-found', 'plain.example'): (
        0, {'starttls-not-supported': 1})},
    'opportune': {('no-policy-found', 'opportune.example'): (1, {})},
    'posted': {('no-policy-found', 'posted.example'): (
        0, {'starttls-not-supported': 1})},
}


def test_what_one_in_the_middle_did_is_reported(stand, hosts, server,
                                                tmp_path):
    """Each downgrade is refused, counted, and told to the domain: by mail, which
    gets through where TLS is broken, and by HTTPS."""
    config = tmp_path / 'config'
    config.write_text(RELAYING + stand.lines)
    one = server('--accounts', '1', '--config', str(config))
    with one.submission() as client:
        one.submit(client, 'out', ['bob@%s.example' % domain
                                   for domain in REPORTED])
    wait_for(lambda: {row['domain'] for row in one.tls_reports()} ==
             {domain + '.example' for domain in REPORTED}, 60, 'the counts')
    one.kill('spool')
    assert len(wait_for(one.tls_reports, 60, 'a new spool')) == len(REPORTED)
    one.tls_reports('send')
    taken = lambda: [body for _, body in hosts[OWN].mails
                     if b'tlsrpt+gzip' in body]
    wait_for(lambda: len(taken()) == len(REPORTED) - 1 and POSTED, 60,
             'the reports')
    reports = dict(tls_report.read_mail(body) for body in taken())
    kind, path, body = POSTED.pop()
    assert (kind, path) == ('application/tlsrpt+gzip', '/tls')
    reports['posted.example'] = tls_report.read(body)
    assert {domain.split('.')[0]: tls_report.in_short(report)
            for domain, report in reports.items()} == REPORTED
    # What was reported is gone; reports themselves are not reported on.
    wait_for(lambda: not one.tls_reports(), 60, 'the end')
    for host in hosts.values():
        host.mails.clear()
