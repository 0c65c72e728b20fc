"""firnmail dns: the records of a domain as they should be, put into a signed zone
of the test's own as they are printed, and what is said of those that are not so."""
import hashlib
import json
import os
import ssl
import subprocess

import pytest

import dns_zone
from conftest import Server, end

BAD = '''
    @ IN MX 10 mail.elsewhere.example.
    @ IN TXT "v=spf1 -all"
    @ IN TXT "something else"
    _mta-sts IN TXT "v=STSv1;"
    _smtp._tls IN TXT "v=TLSRPTv1; rua=mailto:x@y.example"
    _smtp._tls IN TXT "v=TLSRPTv1; rua=mailto:z@y.example"
    _submissions._tcp IN SRV 0 1 1 mail.good.example.
'''
OWN = '''
    @ IN MX 5 other.example.
    @ IN MX 9 Mail.Good.example.
    @ IN TXT "v=spf1 +mx include:x.example ~all"
    _mta-sts IN TXT "v=STSv1; id=20261126"
    _smtp._tls IN TXT "v=TLSRPTv1;rua=https://y.example/in"
'''


class Dns:
    def __init__(self, server):
        self.server = server
        self.config = os.path.join(server.dir, 'etc/firnmail.conf')
        with open(self.config, encoding='ascii') as file:
            text = file.read()
        # What the command reads: of a host that listens everywhere, and whose
        # address is what the DNS says.
        text = text.replace('host mail.demo.test', 'host mail.good.example')
        text = text.replace('listen smtp   on 127.0.0.1', 'listen smtp   on *')
        self.elsewhere = os.path.join(server.dir, 'etc/elsewhere.conf')
        with open(self.elsewhere, 'w', encoding='ascii') as file:
            file.write(text + 'domain %s\n' % ' '.join(
                one + '.example' for one in
                ('good', 'bad', 'own', 'plain', 'empty', 'forged')))

    def ask_here(self, lines):
        """Lines for the resolver of the server that runs."""
        with open(self.config, 'a', encoding='ascii') as file:
            file.write(lines)
        subprocess.run(self.server.firnmail.split() + ['reload'], check=True,
                       timeout=60, stdout=subprocess.DEVNULL)

    def run(self, *words, code=0):
        done = subprocess.run(self.server.firnmail.split() +
                              ['-c', self.elsewhere, *words], text=True, check=False, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def zone_lines(self, domain):
        """What dns show prints, as lines of a zone file."""
        rows = [line.split('\t') for line in
                self.run('-H', 'dns', 'show', domain).splitlines()]
        return [' IN '.join((row[0], ' '.join(row[1:]))) for row in rows
                if len(row) == 3 and '(' not in row[2]]

    def check(self, domain, code):
        """What is said of each record: {(record, name): row}."""
        rows = [json.loads(line) for line in self.run(
            '--json', 'dns', 'check', domain, code=code).splitlines()]
        return {(one['record'], one['name']): one for one in rows}

    def states(self, domain, code):
        return {key: row['state']
                for key, row in self.check(domain, code).items()}


@pytest.fixture(name='made', scope='module')
def _made(tmp_path_factory):
    directory = '/var/tmp/firnmail-%d-dns-records' % os.getpid()
    os.makedirs(directory, mode=0o711)
    with dns_zone.serve(tmp_path_factory.mktemp('dns')) as dns:
        one = Dns(Server(directory, '--cheap-hash', '--accounts', '1'))
        dns.zone('good.example', '\n'.join(
            one.zone_lines('good.example') + ['mail IN A 198.18.0.1']))
        dns.zone('plain.example', '\n'.join(
            line for line in one.zone_lines('plain.example')
            if line.split()[0].endswith('plain.example.')), signed=False)
        dns.zone('18.198.in-addr.arpa', '1.0 IN PTR mail.good.example.')
        dns.zone('bad.example', BAD)
        dns.zone('own.example', OWN)
        dns.zone('empty.example', '')
        dns.zone('forged.example', '@ IN MX 10 mail.good.example.',
                 forge=('MX\t10', 'MX\t11'))
        dns.start()
        one.ask_here(dns.config)
        yield one
    end(directory)


def test_what_is_shown_is_what_is_wanted(made):
    """As it is printed it goes into a zone, and then everything is well."""
    rows = made.check('good.example', 0)
    states = {row['state'] for row in rows.values()}
    assert rows.pop(('AAAA', 'mail.good.example'))['state'] == 'missing'
    assert states == {'ok', 'missing'}
    assert {row['state'] for row in rows.values()} == {'ok'}
    assert sorted(record for record, _ in rows) == sorted(
        ['MX', 'A', 'PTR', 'TXT', 'TXT', 'TXT', 'TLSA', '-'] + ['SRV'] * 4)
    assert rows['PTR', '1.0.18.198.in-addr.arpa']['wanted'] == \
        'mail.good.example.'


def test_the_key_is_that_of_the_certificate_which_is_shown(made):
    """By OpenSSL's own reckoning (RFC 6698: 3 1 1)."""
    server = made.server
    with open(server.cafile, encoding='ascii') as file:
        shown = ssl.get_server_certificate(('127.0.0.1', server.imaps_port))
        assert shown.split() == file.read().split()
    key = subprocess.run(['openssl', 'x509', '-pubkey', '-noout'],
                         input=shown.encode(), check=True,
                         stdout=subprocess.PIPE).stdout
    der = subprocess.run(['openssl', 'pkey', '-pubin', '-outform', 'DER'],
                         input=key, check=True, stdout=subprocess.PIPE).stdout
    row = made.check('good.example', 0)['TLSA', '_25._tcp.mail.good.example']
    assert row['wanted'] == row['found'] == \
        '3 1 1 ' + hashlib.sha256(der).hexdigest()


def test_records_that_are_wrong_are_told_from_those_that_are_not_there(made):
    states = made.states('bad.example', 4)
    assert states['MX', 'bad.example'] == 'differs'
    assert states['TXT', 'bad.example'] == 'differs'
    assert states['TXT', '_mta-sts.bad.example'] == 'differs'
    assert states['TXT', '_smtp._tls.bad.example'] == 'differs'
    assert states['SRV', '_submissions._tcp.bad.example'] == 'differs'
    assert states['SRV', '_imaps._tcp.bad.example'] == 'missing'
    assert states['-', 'bad.example'] == 'ok'
    # The host is that of good.example, where all is well.
    assert states['A', 'mail.good.example'] == 'ok'
    states = made.states('empty.example', 4)
    assert {states[key] for key in states
            if key[1].endswith('empty.example') and key[0] != '-'} == {
                'missing'}


def test_what_comes_to_the_same_is_as_good(made):
    states = made.states('own.example', 0)
    assert [states[key] for key in (
        ('MX', 'own.example'), ('TXT', 'own.example'),
        ('TXT', '_mta-sts.own.example'),
        ('TXT', '_smtp._tls.own.example'))] == ['ok'] * 4


def test_dnssec_is_part_of_the_answer(made):
    states = made.states('plain.example', 0)
    assert states['MX', 'plain.example'] == 'ok'
    assert states['-', 'plain.example'] == 'missing'
    row = made.check('forged.example', 4)['MX', 'forged.example']
    assert (row['state'], row['found']) == ('failed',
                                            'its signatures are wrong')


def test_of_others_nothing_is_said(made):
    made.run('dns', 'check', 'elsewhere.example', code=10)
    made.run('dns', 'show', code=2)
    assert 'mode: enforce' in made.run('dns', 'show', 'good.example')
