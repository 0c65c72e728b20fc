"""Whom the fronts take mail from, and whose word they believe: HAProxy, XCLIENT,
LMTP, budgets."""
import imaplib
import os
import re
import smtplib
import socket
import subprocess

import pytest

from conftest import TOP, Server, end, message, wait_for
from ports import free_ports

NAMES = ('smtp', 'imap', 'submit', 'xclient', 'lmtp', 'closed')
SOURCE = '127.0.0.77'  # of clients, who are not the proxy
CONFIG = '''
listen smtp on 127.0.0.1 port {smtp} tls proxy from 127.0.0.1
listen imap on 127.0.0.1 port {imap} tls-required proxy from 127.0.0.1
listen submit on 127.0.0.1 port {submit} tls-required proxy from 127.0.0.1
listen smtp on 127.0.0.1 port {xclient} tls xclient from 127.0.0.1
listen lmtp on 127.0.0.1 port {lmtp}
listen lmtp on 127.0.0.1 port {closed} from 192.0.2.0/24
listen lmtp unix {directory}/lmtp
limit errors 6/hour
limit connections 20/hour per-network 30
'''
HAPROXY = '''
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
listen smtp
    bind 127.0.0.1:{0}
    server s 127.0.0.1:{smtp} send-proxy check check-send-proxy inter 100
listen imap
    bind 127.0.0.1:{1}
    server s 127.0.0.1:{imap} send-proxy-v2 check check-send-proxy inter 100
listen submit
    bind 127.0.0.1:{2}
    server s 127.0.0.1:{submit} send-proxy-v2-ssl-cn
'''


@pytest.fixture(name='site', scope='module')
def fixture_site(tmp_path_factory):
    """An instance with a listener of each kind; its ports by name."""
    directory = '/var/tmp/firnmail-%d-%s' % (
        os.getpid(), tmp_path_factory.mktemp('receiving').name)
    os.makedirs(directory, mode=0o711)
    ports = dict(zip(NAMES, free_ports(len(NAMES))))
    config = tmp_path_factory.mktemp('config') / 'lines'
    config.write_text(CONFIG.format(directory=directory, **ports))
    site = Server(directory, '--cheap-hash', '--config', str(config))
    site.ports = ports
    yield site
    end(directory)


@pytest.fixture(name='proxy', scope='module')
def fixture_proxy(site, tmp_path_factory):
    """HAProxy before it: ports of smtp, imap and submit."""
    ports = free_ports(3)
    config = tmp_path_factory.mktemp('haproxy') / 'cfg'
    config.write_text(HAPROXY.format(*ports, **site.ports))
    # pylint: disable=consider-using-with
    process = subprocess.Popen(['/usr/sbin/haproxy', '-db', '-f', config],
                               stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    wait_for(lambda: socket.create_connection(('127.0.0.1', ports[0]),
                                              1).close() is None)
    yield ports
    process.terminate()
    process.wait(60)


def log_of(site):
    with open(site.dir + '/log', encoding='utf-8', errors='replace') as log:
        return log.read()


def is_logged(site, line):
    """The logger writes in its own time."""
    wait_for(lambda: line in log_of(site), what=line)


def text_of(site, key, user=None):
    """The whole message."""
    with site.imap_session(user) as client:
        client.select('INBOX', True)
        status, found = client.search(
            None, 'HEADER', 'Message-ID', '"<%s@there.test>"' % key)
        if status != 'OK' or not found[0]:
            return None
        return client.fetch(found[0].split()[-1],
                            'BODY.PEEK[]')[1][0][1].decode()


def received(site, key, user=None):
    return wait_for(lambda: text_of(site, key, user), what=key)


def test_haproxy_says_who_sends(site, proxy):
    """Version 1, STARTTLS behind it."""
    client = smtplib.SMTP('127.0.0.1', proxy[0], 'client.test', 20,
                          source_address=(SOURCE, 0))
    client.starttls(context=site.context())
    client.sendmail('a@there.test', site.user1, message('proxied'))
    client.quit()
    assert 'from client.test ([%s])' % SOURCE in received(site, 'proxied')
    wait_for(lambda: re.search('mail-accepted .*ip=' + SOURCE, log_of(site)),
             what='where the mail came from')


def test_haproxy_says_who_logs_in(site, proxy):
    """Version 2, TLS behind it; the fail2ban line has the client."""
    client = smtplib.SMTP_SSL('127.0.0.1', proxy[2], 'client.test', timeout=60,
                              source_address=(SOURCE, 0),
                              context=site.context())
    client.login(site.user1, site.pass1)
    client.sendmail(site.user1, site.user2, message('submitted').replace(
        'sender@there.test', site.user1))
    client.quit()
    assert '([%s])' % SOURCE in received(site, 'submitted', site.user2)
    client = imaplib.IMAP4_SSL('127.0.0.1', proxy[1], timeout=60,
                               ssl_context=site.context())
    client.login(site.user1, site.pass1)
    client.logout()
    with socket.create_connection(('127.0.0.1', proxy[1]), 20,
                                  (SOURCE, 0)) as plain, \
            site.context().wrap_socket(plain) as bad:
        lines = bad.makefile('rb')
        lines.readline()
        bad.sendall(b'a LOGIN %s wrong\r\n' % site.user1.encode())
        assert lines.readline().startswith(b'a NO [AUTHENTICATIONFAILED]')
    line = 'auth-fail user=%s ip=%s proto=imap' % (site.user1, SOURCE)
    wait_for(lambda: line in log_of(site), what=line)


def proxied(site, address, sent=b'', to='smtp'):
    """A connection whose proxy says that address; and its lines."""
    connection = socket.create_connection(('127.0.0.1', site.ports[to]), 20)
    connection.sendall(b'PROXY TCP4 %s 127.0.0.1 1 25\r\n' %
                       address.encode() + sent)
    return connection, connection.makefile('rb')


def test_only_a_proxy_is_taken_where_one_is_due(site):
    with socket.create_connection(('127.0.0.1', site.ports['smtp']), 20,
                                  ('127.0.0.2', 0)) as other:
        other.sendall(b'PROXY TCP4 192.0.2.1 127.0.0.1 1 25\r\n')
        try:
            assert other.recv(100) == b''
        except ConnectionResetError:
            pass
    wait_for(lambda: 'proxy-refused ip=127.0.0.2' in log_of(site))
    with socket.create_connection(('127.0.0.1', site.ports['smtp']),
                                  20) as bare:
        bare.sendall(b'EHLO me.example\r\n')
        assert bare.recv(100) == b''
    wait_for(lambda: 'why="malformed"' in log_of(site))


def test_errors_of_one_address_close_the_door_to_it(site):
    """Six, over several connections; IMAP counts its own."""
    for _ in range(2):
        connection, lines = proxied(site, '192.0.2.66')
        assert lines.readline().startswith(b'220 ')
        connection.sendall(b'HELO c\r\n')
        assert lines.readline().startswith(b'250 ')
        connection.sendall(b'X\r\nX\r\nX\r\nQUIT\r\n')
        assert [lines.readline()[:3] for _ in range(3)] == [b'500'] * 3
        rest = lines.read()
    assert rest.startswith(b'421 4.7.0 Too many errors')
    _, lines = proxied(site, '192.0.2.66')
    assert lines.read().startswith(b'421 4.7.0 Too many errors')
    is_logged(site, 'ip=192.0.2.66 budget=address-errors')
    _, lines = proxied(site, '192.0.2.67')
    assert lines.readline().startswith(b'220 ')


def test_errors_before_login_are_counted_too(site):
    """Of IMAP, whose client is who the proxy says."""
    plain, _ = proxied(site, '192.0.2.88', to='imap')
    with site.context().wrap_socket(plain) as client:
        lines = client.makefile('rb')
        assert lines.readline().startswith(b'* OK ')
        for number in range(6):
            client.sendall(b'a NONSENSE\r\n')
            assert lines.readline().startswith(b'a BAD '), number
        assert lines.readline().startswith(b'* BYE ')
    plain, _ = proxied(site, '192.0.2.88', to='imap')
    with pytest.raises(OSError):
        site.context().wrap_socket(plain)
    is_logged(site,
              'connection-refused proto=imap ip=192.0.2.88 budget=address-errors')


def test_connections_are_counted_by_network(site):
    """Thirty of a /24, twenty of one address."""
    for last in range(1, 3):
        for _ in range(15):
            _, lines = proxied(site, '198.51.100.%d' % last)
            assert lines.readline().startswith(b'220 ')
    _, lines = proxied(site, '198.51.100.3')
    assert lines.read().startswith(b'421 4.7.0 You connect too often')
    is_logged(site, 'ip=198.51.100.3 budget=network-rate')
    _, lines = proxied(site, '198.51.101.3')
    assert lines.readline().startswith(b'220 ')


def test_swaks_speaks_for_another(site):
    done = subprocess.run(
        ['swaks', '--server', '127.0.0.1:%d' % site.ports['xclient'],
         '--xclient-addr', '192.0.2.44', '--xclient-name', 'c.example',
         '--xclient-proto', 'ESMTP', '--xclient-helo', 'c.example',
         '--xclient-port', '25', '--helo', 'c.example', '--from',
         'a@there.test', '--to', site.user1, '--header',
         'Message-ID: <swaks@there.test>'], text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert done.returncode == 0, done.stdout
    assert 'from c.example ([192.0.2.44])' in received(site, 'swaks')
    # A login is not believed, and others are not offered it.
    done = subprocess.run(
        ['swaks', '--server', '127.0.0.1:%d' % site.ports['xclient'],
         '--xclient', 'LOGIN=' + site.user1, '--to', site.user1], text=True,
        check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=60)
    assert done.returncode != 0
    with smtplib.SMTP('127.0.0.1', site.ports['xclient'], timeout=60,
                      source_address=('127.0.0.2', 0)) as other:
        other.ehlo()
        assert 'xclient' not in other.esmtp_features
        assert other.docmd('XCLIENT', 'ADDR=192.0.2.45')[0] == 500


@pytest.mark.parametrize('place', ['port', 'unix'])
def test_lmtp_answers_for_each_recipient(site, place):
    if place == 'port':
        client = smtplib.LMTP('127.0.0.1', site.ports['lmtp'])
    else:
        client = smtplib.LMTP(site.dir + '/lmtp')
    client.ehlo()
    refused = client.sendmail(
        'a@there.test', [site.user1, 'nobody@' + site.domain, site.user2,
                         'x@elsewhere.example'], message('by-' + place))
    assert {who: code for who, (code, _) in refused.items()} == {
        'nobody@' + site.domain: 550, 'x@elsewhere.example': 550}
    client.quit()
    for user in (site.user1, site.user2):
        assert re.search(r'with LMTP\s', received(site, 'by-' + place, user))


def test_a_reload_keeps_proxies_and_sockets(site):
    subprocess.run(site.firnmail.split() + ['reload'], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)
    with smtplib.LMTP(site.dir + '/lmtp') as client:
        client.ehlo()
        client.sendmail('a@there.test', site.user1, message('reloaded'))
    _, lines = proxied(site, '203.0.113.7')
    assert lines.readline().startswith(b'220 ')
    received(site, 'reloaded')


def test_lmtp_is_for_our_servers_alone(site):
    with socket.create_connection(('127.0.0.1', site.ports['closed']),
                                  20) as other:
        assert other.recv(100).startswith(b'421 4.7.1 ')


def test_postfix_delivers_by_lmtp(site):
    if os.geteuid() != 0:
        pytest.skip('an own Postfix needs root')
    helper = os.path.join(TOP, 'tests/interop/postfix')
    directory = '/var/tmp/firnmail-postfix-%d-lmtp' % os.getpid()
    subprocess.run([helper, 'start', directory, str(site.ports['lmtp']),
                    site.domain, 'lmtp'], check=True)
    try:
        subprocess.run(
            ['sendmail', '-C', directory + '/etc', '-f', 'me@sender.test',
             '--', site.user1, site.user2, 'nobody@' + site.domain],
            check=True, input=message('postfix-lmtp').replace(
                '\r\n', '\n').encode())
        for user in (site.user1, site.user2):
            received(site, 'postfix-lmtp', user)

        def log():
            with open(directory + '/log/maillog', encoding='utf-8',
                      errors='replace') as file:
                return file.read()
        wait_for(lambda: log().count('status=sent (250 ') == 2 and re.search(
            'to=<nobody@.*status=bounced', log()), 60, 'three verdicts')
        assert '5.1.1' in log()
    finally:
        subprocess.run([helper, 'stop', directory], check=True)
        subprocess.run(['rm', '-rf', directory], check=True)
