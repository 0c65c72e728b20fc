"""Mail programs on the user's side: an account of theirs with a home directory,
their configuration, a terminal to sit at."""
import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import time
import zlib

from conftest import View


class Desk:
    """A client's own account with some letters, and its home directory."""

    def __init__(self, server, number, home, keys=('one', 'two', 'three')):
        self.server = server
        self.user = 'user%d@%s' % (number, server.domain)
        self.password = server.pass1
        self.port = server.imaps_port
        self.home = str(home)
        server.fill(keys, self.user)

    def path(self, *parts):
        return os.path.join(self.home, *parts)

    def write(self, name, text):
        with open(self.path(name), 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(self.path(name), 0o600)
        return self.path(name)

    def run(self, *command, text='', code=0, **environment):
        done = subprocess.run(
            command, input=text, text=True, check=False, cwd=self.home,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
            env=dict(os.environ, HOME=self.home, TERM='xterm', **environment))
        assert code in (None, done.returncode), done.stdout
        return done.stdout

    def view(self, mailbox='INBOX'):
        with self.server.imap_session(self.user) as client:
            return View(client, mailbox)

    def keys(self, mailbox='INBOX'):
        return sorted(self.view(mailbox).keys.values())

    def flags(self, key, mailbox='INBOX'):
        view = self.view(mailbox)
        uid = next(uid for uid, one in view.keys.items() if one == key)
        return view.attributes[uid][2]

    def texts(self, *folder):
        """The files of a Maildir that the client wrote."""
        found = []
        for part in ('cur', 'new'):
            there = self.path(*folder, part)
            if os.path.isdir(there):
                found += [read(os.path.join(there, name))
                          for name in os.listdir(there)]
        return found


class Terminal:
    """A program on a terminal: waits for what it shows, types an answer."""

    def __init__(self, desk, *command):
        self.shown = ''
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(desk.home)
            os.execvpe(command[0], command, dict(
                os.environ, HOME=desk.home, TERM='vt100', LINES='24',
                COLUMNS='80'))

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            some = os.read(self.fd, 65536).decode(errors='replace')
        except OSError:
            return False
        # Positions, attributes and padding are not text.
        self.shown += re.sub(r'\x1b(\[[0-9;?]*[a-zA-Z]|[()=>].?)|\0+| +', ' ',
                             some)
        return True

    def expect(self, pattern, keys=''):
        deadline = time.monotonic() + 60
        while not re.search(pattern, self.shown, re.S):
            assert time.monotonic() < deadline, self.shown[-1500:]
            self.read(0.2)
        # Keys that come before the program waits for them, some throw away.
        while time.monotonic() < deadline and self.read(0.3):
            pass
        self.shown = ''
        os.write(self.fd, keys.encode())

    def finish(self):
        """Its exit status; one that does not end is ended."""
        deadline = time.monotonic() + 60
        with contextlib.suppress(OSError):
            while time.monotonic() < deadline and self.read(20):
                pass
        # Nothing to be read: it has closed its terminal, or it hangs.
        while os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG |
                        os.WNOWAIT) is None:
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.05)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def read(path):
    with open(path, encoding='utf-8') as file:
        return file.read()


def offlineimap(desk):
    """Its configuration; call what is returned to synchronise."""
    rc = desk.write('offlineimaprc', '''
[general]
metadata = %s
accounts = firn
[Account firn]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = %s
[Repository far]
type = IMAP
remotehost = localhost
remoteport = %d
remoteuser = %s
remotepass = %s
ssl = yes
sslcacertfile = %s
''' % (desk.path('state'), desk.path('mail'), desk.port, desk.user,
       desk.password, desk.server.cafile))
    return lambda **more: desk.run('offlineimap', '-c', rc, '-o', '-u', 'basic',
                                   **more)


def mbsync(desk, *options):
    """As offlineimap()."""
    os.makedirs(desk.path('near'), exist_ok=True)
    rc = desk.write('mbsyncrc', '''
IMAPAccount firn
Host localhost
Port %d
User %s
Pass %s
SSLType IMAPS
CertificateFile %s

IMAPStore far
Account firn

MaildirStore near
Path %s/
Inbox %s/inbox
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
''' % (desk.port, desk.user, desk.password, desk.server.cafile,
       desk.path('near'), desk.path('near')))
    return lambda **more: desk.run('mbsync', *options, '-c', rc, 'all', **more)


def account_section(desk):
    """Of interimap's configuration: an account of ours."""
    return '''type = imaps
host = localhost
port = %d
username = %s
password = %s
SSL_verify = NO
''' % (desk.port, desk.user, desk.password)


def interimap(desk, local, remote):
    """As offlineimap(), between the servers of two sections; all that was said
    but for literals is in desk.path('interimap.log')."""
    rc = desk.write('interimaprc', '''
database = %s
logfile = %s
list-mailbox = INBOX
[local]
%s
[remote]
%s
''' % (desk.path('interimap.db'), desk.path('interimap.log'), local, remote))
    return lambda **more: desk.run('interimap', '--debug', '--config=' + rc,
                                   **more)


class Resyncer:
    """A client that keeps what it knows of a mailbox, and asks with QRESYNC
    only for what it does not know."""

    def __init__(self, server, user=None, mailbox='INBOX'):
        self.server, self.user, self.mailbox = server, user, mailbox
        self.uidvalidity = self.uidnext = self.modseq = None
        self.keys = {}      # by UID
        self.flags = {}
        self.vanished = []  # what the last sync said
        self.fetched = 0    # bodies, ever

    def sync(self):
        with self.server.imap_session(self.user) as client:
            assert client.enable('QRESYNC')[0] == 'OK'
            self.vanished = []
            known = ''
            if self.modseq is not None:
                known = ' (QRESYNC (%d %d))' % (self.uidvalidity, self.modseq)
            exists = self.select(client, known)
            self.fetch_new(client)
            # It keeps what nobody has said to have vanished.
            assert len(self.keys) >= exists

    def select(self, client, parameters):
        answers = say(client, 'SELECT %s%s' % (self.mailbox, parameters))
        text = b'\n'.join(answers)
        exists = int(re.search(rb'\* (\d+) EXISTS', text)[1])
        uidvalidity = int(re.search(rb'\[UIDVALIDITY (\d+)\]', text)[1])
        assert self.uidvalidity in (None, uidvalidity)
        self.uidvalidity = uidvalidity
        self.next_uidnext = int(re.search(rb'\[UIDNEXT (\d+)\]', text)[1])
        self.modseq = int(re.search(rb'\[HIGHESTMODSEQ (\d+)\]', text)[1])
        for line in answers:
            self.hear(line)
        return exists

    def hear(self, line):
        if (found := re.match(rb'\* VANISHED \(EARLIER\) (\S+)', line)):
            for uid in uids_of(found[1].decode()):
                self.vanished.append(uid)
                self.keys.pop(uid, None)
                self.flags.pop(uid, None)
        elif re.match(rb'\* \d+ FETCH ', line):
            self.hear_flags(line)

    def hear_flags(self, line):
        uid = int(re.search(rb'UID (\d+)', line)[1])
        flags = re.search(rb'FLAGS \(([^)]*)\)', line)[1].split()
        self.flags[uid] = sorted(set(flags) - {b'\\Recent'})
        return uid

    def fetch_new(self, client):
        """What came, and what is there that it did not know."""
        first = self.uidnext or 1
        new = [str(uid) for uid in self.flags
               if uid not in self.keys and uid < first]
        if self.next_uidnext > first:
            new.append('%d:%d' % (first, self.next_uidnext - 1))
        self.uidnext = self.next_uidnext
        if not new:
            return
        _, data = client.uid('FETCH', ','.join(new), '(UID FLAGS BODY.PEEK[])')
        for item in data:
            if not isinstance(item, tuple):
                continue
            uid = self.hear_flags(item[0])
            self.keys[uid] = re.search(rb'(?mi)^Message-ID: <(.*?)@',
                                       item[1])[1].decode()
            self.fetched += 1

    def check(self, view):
        """It has what the server shows, and nothing else."""
        assert self.keys == view.keys
        assert self.flags == {
            uid: sorted(flag.encode() for flag in attributes[2])
            for uid, attributes in view.attributes.items()}


def say(client, command):
    """Untagged lines that answer; through imaplib's socket, beside its parser,
    which puts them in order of their kind."""
    tag = client._new_tag()
    client.send(tag + b' ' + command.encode() + b'\r\n')
    lines = []
    while not (line := client.readline()).startswith(tag + b' '):
        assert line, 'the connection ended'
        lines.append(line.rstrip(b'\r\n'))
    assert line.startswith(tag + b' OK'), line
    client.state = 'SELECTED'
    return lines


def uids_of(text):
    for part in text.split(','):
        first, _, last = part.partition(':')
        yield from range(int(first), int(last or first) + 1)


class Compressed:
    """A session that compresses from here on (RFC 4978), by another zlib
    than the server's wrapper; counts what goes over the wire."""

    def __init__(self, client, flush=zlib.Z_SYNC_FLUSH):
        say(client, 'COMPRESS DEFLATE')
        self.socket = client.socket()
        self.flush = flush
        self.packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        self.unpacker = zlib.decompressobj(-15)
        self.rest = b''
        self.wire_bytes = 0
        self.number = 0

    def send(self, data):
        self.socket.sendall(self.packer.compress(data) +
                            self.packer.flush(self.flush))

    def more(self):
        packed = self.socket.recv(65536)
        assert packed, 'the connection ended'
        self.wire_bytes += len(packed)
        self.rest += self.unpacker.decompress(packed)

    def take(self, size):
        while len(self.rest) < size:
            self.more()
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def line(self):
        while b'\n' not in self.rest:
            self.more()
        return self.take(self.rest.index(b'\n') + 1)

    def say(self, command):
        """All bytes that answer."""
        self.number += 1
        tag = b'c%d ' % self.number
        self.send(tag + command + b'\r\n')
        said = b''
        while not (line := self.line()).startswith(tag):
            said += line
            if (found := re.search(rb'\{(\d+)\}\r\n\Z', line)):
                said += self.take(int(found[1]))
        assert line.startswith(tag + b'OK'), line
        return said

    def logout(self):
        """imaplib's own would be plain: the server may well wait for more."""
        self.send(b'z LOGOUT\r\n')
        while not self.line().startswith(b'z OK'):
            pass
