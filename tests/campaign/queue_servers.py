"""Servers whose queue is put to the test, all in the same way: mail for another
host is handed in, the power is cut or every process killed, and what was
acknowledged must arrive.  Firnmail by tests/instance; Debian's Postfix and
OpenSMTPD by tests/peers, each with everything below one folder."""
import os
import signal
import smtplib
import ssl
import subprocess
import sys
import time

from evidence import TOP

sys.path.insert(0, os.path.join(TOP, 'tests/bench'))
# pylint: disable=wrong-import-position
from servers import OPENSMTPD_ROOT, Firnmail, Peer, command

DOMAIN = 'far.test'  # where the sink is


def session_of(leader):
    """Every process of a server: it leads a session of its own."""
    done = subprocess.run(['ps', '-o', 'pid=', '-g', str(leader)], text=True,
                          check=False, stdout=subprocess.PIPE)
    return [int(pid) for pid in done.stdout.split()]


def send_signal(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class Queue:
    """One server as the campaign sees it."""

    def __init__(self, server):
        self.server = server
        self.label = server.label

    def start(self):
        self.server.start()

    def stop(self):
        self.server.stop()

    def hold_still(self):
        """No process runs any more, nor starts another."""
        held = set()
        while True:
            pids = session_of(self.server.pid)
            send_signal(pids, signal.SIGSTOP)
            if set(pids) <= held:
                return
            held |= set(pids)

    def kill(self):
        """Until nobody is left."""
        self.hold_still()
        while session_of(self.server.pid):
            send_signal(session_of(self.server.pid), signal.SIGKILL)
            time.sleep(0.01)

    def client(self):
        return smtplib.SMTP('127.0.0.1', int(self.server.smtp), timeout=20,
                            local_hostname='client.test')

    def flush(self):
        """All that waits is tried now."""

    def waiting(self):
        """How much it knows of: files that it does not read do not count."""


class FirnmailQueue(Queue):
    def __init__(self, build, folder, port):
        lines = folder.parent / 'relaying.conf'
        lines.write_text('relay via 127.0.0.1 port %d tls never\n'
                         'match from auth for any relay\n' % port,
                         encoding='utf-8')
        super().__init__(Firnmail(build, folder, 1, '--config', lines))

    def client(self):
        client = smtplib.SMTP('127.0.0.1', int(self.server.submission),
                              timeout=20, local_hostname='client.test')
        context = ssl.create_default_context(cafile=self.server.cafile)
        context.check_hostname = False
        client.starttls(context=context)
        client.login(self.server.user % 1, self.server.password)
        return client

    def flush(self):
        subprocess.run([*self.server.command, 'queue', 'flush'], check=False,
                       stdout=subprocess.DEVNULL)

    def waiting(self):
        return len(command(*self.server.command, '--json', 'queue',
                           check=False).splitlines())


class PostfixQueue(Queue):
    def __init__(self, folder, port):
        super().__init__(Peer(
            'postfix', 'postfix.sh', folder,
            EXTRA='relayhost = [127.0.0.1]:%d\n'
                  'smtp_tls_security_level = none' % port))

    def flush(self):
        subprocess.run(['postqueue', '-c', self.server.folder / 'etc', '-f'],
                       check=False)

    def waiting(self):
        return len(command('postqueue', '-c', self.server.folder / 'etc',
                           '-j', check=False).splitlines())


class OpensmtpdQueue(Queue):
    def __init__(self, folder, port):
        super().__init__(Peer(
            'opensmtpd', 'opensmtpd.sh', folder,
            EXTRA='action "out" relay host "smtp://127.0.0.1:%d"\n'
                  'match from any for any action "out"' % port))

    def control(self, *words):
        """In the mount namespace where its queue is."""
        return command('nsenter', '-t', self.server.pid, '-m',
                       OPENSMTPD_ROOT + '/usr/sbin/smtpctl', *words,
                       check=False, stderr=subprocess.DEVNULL)

    def flush(self):
        self.control('schedule', 'all')

    def waiting(self):
        return len(self.control('show', 'queue').splitlines())


def make(label, build, folder, port):
    """port: of the host that all mail goes to."""
    if label == 'firnmail':
        return FirnmailQueue(build, folder, port)
    return {'postfix': PostfixQueue,
            'opensmtpd': OpensmtpdQueue}[label](folder, port)
