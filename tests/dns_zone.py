"""A DNS of the test's own, signed from its root down, on loopback.

    with dns_zone.serve(directory) as dns:
        dns.zone('good.example', '''
            @      IN MX 10 mx
            mx     IN A 127.0.0.1
            _25._tcp.mx IN TLSA 3 1 1 %s
            ''' % digest)
        dns.zone('plain.example', '@ IN MX 0 .', signed=False)
        dns.zone('forged.example', 'mx IN A 192.0.2.1',
                 forge=('192.0.2.1', '192.0.2.66'))
        dns.start()
        config = dns.config      # lines for firnmail.conf

nsd has the zones, signed by ldns-signzone; in front of it stands a relay in
Python that notes each question (dns.questions), never answers those below a
name in dns.silent, and sends no datagram of more than 1232 bytes.  Every zone
is delegated by the root: with a DS if it is signed (ds=False leaves it out),
provably without one if it is not.
"""
import contextlib
import glob
import os
import socket
import struct
import subprocess
import threading
import time

from ports import free_ports

START_SECONDS = 20
MAX_DATAGRAM = 1232
LOOPBACK = '127.0.0.1'
SOA = '''$ORIGIN {origin}
$TTL {ttl}
@ IN SOA ns. postmaster. 1 3600 600 86400 {ttl}
@ IN NS ns.
'''
NSD_CONF = '''server:
    ip-address: {address}@{port}
    username: ""
    chroot: ""
    zonesdir: "{directory}"
    database: ""
    zonelistfile: "{directory}/zone.list"
    xfrdfile: "{directory}/xfrd.state"
    xfrdir: "{directory}"
    pidfile: "{directory}/nsd.pid"
    logfile: "{directory}/nsd.log"
    server-count: 1
    refuse-any: no
    rrl-ratelimit: 0
remote-control:
    control-enable: no
'''
ZONE_CONF = '''zone:
    name: "{name}"
    zonefile: "{file}"
'''


def end_of_question(message):
    at = 12
    while message[at]:
        at += 1 + message[at]
    return at + 5


def question_of(message):
    """(name, type) of a query, the name in lower case without the last dot."""
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]])
        at += 1 + message[at]
    name = b'.'.join(labels).decode('ascii', 'replace').lower()
    return name, struct.unpack('!H', message[at + 1:at + 3])[0]


def cut(answer):
    """What is too large for a datagram is to be asked for by TCP (TC)."""
    if len(answer) <= MAX_DATAGRAM:
        return answer
    return (answer[:2] + bytes((answer[2] | 2, answer[3])) + answer[4:6] +
            b'\0' * 6 + answer[12:end_of_question(answer)])


class Dns:
    """See above; `directory` is the test's own.  With other addresses it answers
    at each of them, and the zones' servers are said to be at the first.  With
    `vouches` it says of what is signed that it was validated (AD), and nothing of
    what was forged, as the resolver of a host does for who trusts it."""

    # pylint: disable=too-many-arguments
    def __init__(self, directory, addresses=(LOOPBACK,), port=None,
                 vouches=False):
        self.dir = os.path.realpath(str(directory))
        os.makedirs(self.dir, exist_ok=True)
        self.addresses = addresses
        self.port, self.nsd_port = free_ports(2)
        self.port = port or self.port
        self.silent = set()
        self.questions = []
        self.vouches = vouches
        self.root_key = self.anchor = None
        self.signed = set()
        self.forged = set()
        self.zones = {}       # name: file
        self.delegations = [] # lines for the root
        self.server = None
        self.sockets = []

    # Zones.

    def run(self, *command):
        done = subprocess.run(command, cwd=self.dir, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 0, '%s: %s' % (command, done.stderr)
        return done.stdout

    def make_key(self, name):
        """The base name of the files of a new key, and its DS."""
        key = self.run('ldns-keygen', '-a', 'ECDSAP256SHA256', '-k', '-r',
                       '/dev/urandom', name + '.').strip()
        record = self.run('ldns-key2ds', '-n', '-2', key + '.key')
        return key, ' '.join(record.split())

    def write_zone(self, name, text, ttl, key=None, forge=None, dates=None,
                   nsec3=False):
        path = os.path.join(self.dir, (name or 'root') + '.zone')
        with open(path, 'w', encoding='ascii') as file:
            file.write(SOA.format(origin=name + '.', ttl=ttl))
            file.writelines(line.strip() + '\n' if line.strip() else ''
                            for line in text.splitlines())
        if key:
            options = ['-i', dates[0], '-e', dates[1]] if dates else []
            options += ['-n'] if nsec3 else []
            self.run('ldns-signzone', *options, '-o', name + '.', path, key)
            path += '.signed'
        if forge:
            with open(path, 'r+', encoding='ascii') as file:
                text = file.read()
                assert forge[0] in text
                file.seek(0)
                file.truncate()
                file.write(text.replace(*forge))
        self.zones[name] = path

    def zone(self, name, text, signed=True, ds=True, forge=None, dates=None,
             nsec3=False, stripped=False, ttl=60):
        """`text` are lines of a zone file below the zone's name.  `forge` is
        (old, new): what is changed after the zone was signed; `dates` are
        (inception, expiration) of its signatures, as YYYYMMDD; `nsec3`: what is
        not there is denied by NSEC3 (RFC 5155); `stripped`: there is a DS, and
        no signature, as one in the middle would have it."""
        key = record = None
        if signed:
            key, record = self.make_key(name)
        if signed and not stripped and not forge:
            self.signed.add(name)
        if signed and forge:
            self.forged.add(name)
        self.write_zone(name, text, ttl, None if stripped else key, forge,
                        dates, nsec3)
        self.delegations.append('%s. IN NS ns.' % name)
        if signed and ds:
            self.delegations.append(record)

    # The server.

    @property
    def config(self):
        """Lines of firnmail.conf that make the resolver ask here."""
        return 'resolver forward %s@%d trust-anchor "%s"\n' % (
            self.addresses[0], self.port, self.anchor)

    def make_root(self):
        """The anchor, for who must know it before there are zones."""
        if not self.anchor:
            self.root_key, self.anchor = self.make_key('')

    def start(self):
        self.make_root()
        self.write_zone('', '\n'.join(self.delegations) +
                        '\nns. IN A %s\n' % self.addresses[0], 60,
                        self.root_key)
        conf = os.path.join(self.dir, 'nsd.conf')
        with open(conf, 'w', encoding='ascii') as file:
            file.write(NSD_CONF.format(address=LOOPBACK, port=self.nsd_port,
                                       directory=self.dir))
            for name, path in self.zones.items():
                file.write(ZONE_CONF.format(name=name or '.', file=path))
        with open(os.path.join(self.dir, 'nsd.err'), 'wb') as log:
            self.server = subprocess.Popen(['/usr/sbin/nsd', '-d', '-c', conf],
                                           stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=log)
        self.wait_ready()
        self.listen()

    def wait_ready(self):
        """Until nsd answers for the root."""
        query = struct.pack('!6H', 1, 0, 1, 0, 0, 0) + b'\0\0\x06\0\x01'
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.server.poll() is None:
            with contextlib.suppress(OSError):
                if self.ask_udp(query, 0.2):
                    return
        logs = glob.glob(os.path.join(self.dir, 'nsd.[el]*'))
        raise AssertionError('nsd does not answer: %s' % ''.join(
            open(log, encoding='utf-8').read() for log in logs))

    def stop(self):
        for one in self.sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        if self.server:
            self.server.terminate()
            self.server.wait(timeout=20)

    # The relay in front of it.

    def is_silent(self, message):
        name, kind = question_of(message)
        self.questions.append((name, kind))
        return any(name == one or name.endswith('.' + one)
                   for one in self.silent)

    def vouch(self, message, answer):
        """With AD and RA, if it is so; what is forged is not told (SERVFAIL), but
        to who checks himself (CD)."""
        name, _ = question_of(answer)
        if not self.vouches:
            return answer
        if name in self.forged and not message[3] & 0x10:
            return (answer[:3] + bytes((0x82,)) + answer[4:6] + b'\0' * 6 +
                    answer[12:end_of_question(answer)])
        is_signed = any(name == one or name.endswith('.' + one)
                        for one in self.signed)
        return (answer[:3] + bytes((answer[3] | 0x80 | 0x20 * is_signed,)) +
                answer[4:])

    def ask_udp(self, message, seconds=5):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.settimeout(seconds)
            out.connect((LOOPBACK, self.nsd_port))
            out.send(message)
            return out.recv(65535)

    def listen(self):
        for address in self.addresses:
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.bind((address, self.port))
            tcp = socket.create_server((address, self.port))
            self.sockets += [udp, tcp]
            for target, one in ((self.relay_udp, udp), (self.relay_tcp, tcp)):
                threading.Thread(target=target, args=(one,),
                                 daemon=True).start()

    def relay_udp(self, udp):
        while True:
            try:
                message, peer = udp.recvfrom(65535)
                if not self.is_silent(message):
                    udp.sendto(self.vouch(
                        message, cut(self.ask_udp(message))), peer)
            except socket.timeout:
                continue
            except (OSError, IndexError):
                if udp.fileno() == -1:
                    return

    def relay_tcp(self, tcp):
        while True:
            try:
                client, _ = tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_tcp, args=(client,),
                             daemon=True).start()

    def serve_tcp(self, client):
        with client, contextlib.suppress(OSError, EOFError), \
                socket.create_connection((LOOPBACK, self.nsd_port), 5) as out:
            while True:
                message = read_tcp(client)
                if self.is_silent(message):
                    continue
                out.sendall(struct.pack('!H', len(message)) + message)
                answer = self.vouch(message, read_tcp(out))
                client.sendall(struct.pack('!H', len(answer)) + answer)


def read_exactly(sock, size):
    data = b''
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def read_tcp(sock):
    return read_exactly(sock, struct.unpack('!H', read_exactly(sock, 2))[0])


@contextlib.contextmanager
def serve(directory, **options):
    """A Dns that is stopped in the end; the caller adds zones and starts it."""
    dns = Dns(directory, **options)
    try:
        yield dns
    finally:
        dns.stop()
