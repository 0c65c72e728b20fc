"""The resolver against a signed DNS of the test's own, in its real sandbox."""
import os

import pytest

import dns_zone
from conftest import wait_for
from net_stand import Stand, own_network

A, CNAME, PTR, MX, TXT, AAAA, SRV, TLSA = 1, 5, 12, 15, 16, 28, 33, 52
MANY = '\n'.join('many IN A 192.0.2.%d' % n for n in range(256)) + '\n' + \
    '\n'.join('many IN A 198.51.100.%d' % n for n in range(100))


@pytest.fixture(scope='module')
def dns(tmp_path_factory):
    with dns_zone.serve(tmp_path_factory.mktemp('dns')) as one:
        one.zone('good.example', '''
            @ IN MX 20 Mx2
            @ IN MX 10 mx
            mx IN A 192.0.2.1
            mx IN AAAA 2001:db8::1
            _25._tcp.mx IN TLSA 3 1 1 ''' + '5a' * 32 + '''
            @ IN TXT "v=one;" " id=2"
            _srv._tcp IN SRV 1 2 443 mx
            alias IN CNAME alias2
            alias2 IN CNAME mx.plain.example.
            alias3 IN CNAME mx
            dangling IN CNAME nowhere
            loop IN CNAME loop2
            loop2 IN CNAME loop
            odd IN MX 10 a\\.b
            odd2 IN MX 10 a\\.b
            odd2 IN MX 20 mx
            1.2.0.192.in-addr IN PTR mx
        ''' + MANY)
        one.zone('plain.example', '@ IN MX 0 .\nmx IN A 192.0.2.7',
                 signed=False)
        one.zone('forged.example', 'mx IN A 192.0.2.1\n@ IN MX 1 mx',
                 forge=('192.0.2.1', '192.0.2.66'))
        one.zone('old.example', 'mx IN A 192.0.2.1',
                 dates=('20240101', '20240201'))
        one.zone('hashed.example', 'mx IN A 192.0.2.1\n*.w IN MX 5 mx\n'
                 'below.empty IN A 192.0.2.1', nsec3=True)
        one.zone('island.example', 'mx IN A 192.0.2.1', ds=False)
        one.zone('stripped.example', '@ IN MX 0 mx\nmx IN A 192.0.2.1',
                 stripped=True)
        one.zone('silent.example', 'mx IN A 192.0.2.1')
        one.silent.add('silent.example')
        one.start()
        yield one


@pytest.fixture(name='stand', scope='module')
def _stand(dns, tmp_path_factory):
    stand = Stand(tmp_path_factory.mktemp('stand'), dns.config)
    yield stand
    stand.stop()


GOOD = 'good.example'
ANSWERS = (
    (MX, 'Good.Example.', 'found', 'secure', GOOD,
     ['10/mx.good.example', '20/mx2.good.example']),
    (A, 'mx.good.example', 'found', 'secure', 'mx.good.example',
     ['c0000201']),
    (AAAA, 'mx.good.example', 'found', 'secure', 'mx.good.example',
     ['20010db8000000000000000000000001']),
    (TLSA, '_25._tcp.mx.good.example', 'found', 'secure',
     '_25._tcp.mx.good.example', ['3/1/1/' + '5a' * 32]),
    (TXT, GOOD, 'found', 'secure', GOOD, [b'v=one; id=2'.hex()]),
    (SRV, '_srv._tcp.good.example', 'found', 'secure',
     '_srv._tcp.good.example', ['1/2/443/mx.good.example']),
    (PTR, '1.2.0.192.in-addr.good.example', 'found', 'secure',
     '1.2.0.192.in-addr.good.example', ['mx.good.example']),
    (CNAME, 'alias3.good.example', 'found', 'secure', 'alias3.good.example',
     ['mx.good.example']),
    # Chains, and where they end.
    (A, 'alias3.good.example', 'found', 'secure', 'mx.good.example',
     ['c0000201']),
    (A, 'alias.good.example', 'found', 'insecure', 'mx.plain.example',
     ['c0000207']),
    (A, 'dangling.good.example', 'no-name', 'secure', 'nowhere.good.example',
     []),
    (A, 'loop.good.example', 'failed', 'insecure', '', []),
    # What is not there: provably, or by somebody's word.
    (TLSA, 'mx.good.example', 'no-data', 'secure', 'mx.good.example', []),
    (A, 'none.good.example', 'no-name', 'secure', 'none.good.example', []),
    (A, 'none.example', 'no-name', 'secure', 'none.example', []),
    (TLSA, '_25._tcp.mx.plain.example', 'no-name', 'insecure',
     '_25._tcp.mx.plain.example', []),
    (TLSA, 'mx.hashed.example', 'no-data', 'secure', 'mx.hashed.example', []),
    (TLSA, '_25._tcp.mx.hashed.example', 'no-name', 'secure',
     '_25._tcp.mx.hashed.example', []),
    (MX, 'empty.hashed.example', 'no-data', 'secure', 'empty.hashed.example',
     []),
    (MX, 'a.w.hashed.example', 'found', 'secure', 'a.w.hashed.example',
     ['5/mx.hashed.example']),
    # Signed, and nobody says so.
    (A, 'mx.island.example', 'found', 'insecure', 'mx.island.example',
     ['c0000201']),
    # The null MX (RFC 7505), without a signature.
    (MX, 'plain.example', 'found', 'insecure', 'plain.example', ['0/']),
    # Signed, but for something else; signed, but a while ago.
    (A, 'mx.forged.example', 'failed', 'bogus', '', []),
    (MX, 'forged.example', 'found', 'secure', 'forged.example',
     ['1/mx.forged.example']),
    (A, 'mx.old.example', 'failed', 'bogus', '', []),
    # The signatures were taken away; what is not there is no proof, either.
    (MX, 'stripped.example', 'failed', 'bogus', '', []),
    (TLSA, '_25._tcp.mx.stripped.example', 'failed', 'bogus', '', []),
    # Names that are none: what is left of several counts.
    (MX, 'odd.good.example', 'failed', 'secure', '', []),
    (MX, 'odd2.good.example', 'found', 'secure', 'odd2.good.example',
     ['20/mx.good.example']),
    # Asked with what no name is of.
    (A, 'a..example', 'no-name', 'insecure', '', []),
    (A, 'a\\046.example', 'no-name', 'insecure', '', []),
    (A, 'x' * 64 + '.example', 'no-name', 'insecure', '', []),
    (A, '.'.join(['x' * 63] * 4), 'no-name', 'insecure', '', []),
    (6, GOOD, 'no-name', 'insecure', '', []),
)


@pytest.mark.parametrize('kind,name,result,security,canonical,records',
                         ANSWERS)
def test_answers(stand, kind, name, result, security, canonical, records):
    got = stand.lookup(kind, name)
    assert (got[0], got[1], got[3], got[4]) == (result, security, canonical,
                                                records), stand.log()
    if result not in ('failed', 'found'):
        assert got[2] <= 60


def test_an_answer_has_at_most_256_records(stand):
    """It takes TCP: 356 addresses do not fit into a datagram."""
    got = stand.lookup(A, 'many.good.example')
    assert got[:2] == ('found', 'secure')
    assert len(set(got[4])) == len(got[4]) == 256


def test_why_a_name_failed_is_logged(stand):
    assert stand.lookup(A, 'mx.old.example')[1] == 'bogus'
    line = [one for one in stand.log().splitlines()
            if 'name=mx.old.example' in one][0]
    assert 'lookup-failed' in line and 'security=bogus' in line
    assert 'expired' in line


def test_the_cache_answers_the_second_time(dns, stand):
    stand.lookup(A, 'mx2.good.example')
    before = len(dns.questions)
    assert stand.lookup(A, 'mx2.good.example')[0] == 'no-name'
    assert len(dns.questions) == before


def test_one_who_does_not_answer_delays_nobody(dns, stand):
    """Others are answered while 60 questions wait; all are answered in the end,
    or nobody is left to be answered."""
    waiting = [stand.say('lookup %d n%d.silent.example' % (A, n))
               for n in range(60)]
    wait_for(lambda: any(name.endswith('silent.example')
                         for name, _ in dns.questions), what='a question')
    assert stand.lookup(MX, GOOD)[0] == 'found'
    assert stand.ask('relay') == 'relay'
    assert stand.lookup(MX, GOOD)[0] == 'found'
    assert not stand.answers, waiting


def test_a_reload_asks_others(dns, stand, tmp_path):
    """Those who are asked, and what is believed, are new; so is the cache."""
    stand.write_config(dns.config.split(' trust-anchor')[0] + '\n')
    stand.say('reload ' + os.path.join(stand.dir, 'firnmail.conf'))
    assert stand.lookup(MX, GOOD)[:2] == ('failed', 'bogus')
    stand.write_config(dns.config + 'resolver insecure good.example\n')
    stand.say('reload ' + os.path.join(stand.dir, 'firnmail.conf'))
    assert stand.lookup(MX, GOOD)[:2] == ('found', 'insecure')
    anchors = tmp_path / 'root.key'
    anchors.write_text('; of the test\n%s ; its root\n' % dns.anchor)
    stand.write_config(dns.config.split(' trust-anchor')[0] +
                       '\nresolver trust-anchor-file %s\n' % anchors)
    stand.say('reload ' + os.path.join(stand.dir, 'firnmail.conf'))
    assert stand.lookup(MX, GOOD)[:2] == ('found', 'secure')


# Of the zones' server, and of the root's servers as libunbound has known them.
SERVERS = ('203.0.113.53', '198.41.0.4', '199.9.14.201', '170.247.170.2',
           '192.33.4.12', '199.7.91.13', '192.203.230.10', '192.5.5.241',
           '192.112.36.4', '198.97.190.53', '192.36.148.17', '192.58.128.30',
           '193.0.14.129', '199.7.83.42', '202.12.27.33')


def test_without_a_forwarder_it_begins_at_the_root(tmp_path):
    if os.geteuid() != 0:
        pytest.skip('needs root')
    with own_network(*SERVERS), \
            dns_zone.serve(tmp_path / 'dns', port=53,
                           addresses=SERVERS) as dns:
        dns.zone('good.example', '@ IN MX 10 mx\nmx IN A 192.0.2.1')
        dns.start()
        os.mkdir(tmp_path / 'stand')
        stand = Stand(tmp_path / 'stand',
                      'resolver trust-anchor "%s"\n' % dns.anchor)
        assert stand.lookup(MX, GOOD)[:2] == ('found', 'secure'), stand.log()
        assert stand.lookup(TLSA, '_25._tcp.mx.good.example')[:2] == (
            'no-name', 'secure')
        # Names go to the root one label at a time (RFC 9156).
        assert ('', 2) in dns.questions
        stand.stop()
