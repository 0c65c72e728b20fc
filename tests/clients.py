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
        deadline = time.monotonic() + 20
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
        deadline = time.monotonic() + 30
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
