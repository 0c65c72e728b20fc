"""What ./demo prints of the instance that it started: each process with its
user and its walls, and the commands to try.  On a terminal it stays until the
instance ends, and Ctrl-C ends it; elsewhere the instance runs on."""
import os
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
INSTANCE = os.path.join(TOP, 'tests/instance')


def values(directory):
    out = subprocess.run([INSTANCE, 'show', directory], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    return dict(line.split('=', 1) for line in out.splitlines())


def status(pid):
    with open('/proc/%d/status' % pid, encoding='ascii') as file:
        return dict(line.rstrip('\n').split(':\t', 1) for line in file
                    if ':\t' in line)


def processes(master):
    """Rows of the table: program, pid, uid, root, capabilities, seccomp."""
    parents = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                one = status(int(name))
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents.setdefault(int(one['PPid']), []).append((int(name), one))
    todo = [(master, status(master))]
    while todo:
        pid, one = todo.pop(0)
        try:
            root = os.readlink('/proc/%d/root' % pid)
        except OSError:
            root = '?'
        if root.startswith(TOP + '/'):
            root = root[len(TOP) + 1:]
        caps = int(one['CapEff'], 16)
        yield (one['Name'], pid, one['Uid'].split()[1], root,
               'none' if caps == 0 else '%x' % caps,
               'yes' if one['Seccomp'] == '2' else 'no')
        todo += parents.get(pid, [])


def ends():
    """Until the instance is stopped; ends it if we are told to end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        while values(sys.argv[1])['PID']:
            time.sleep(1)
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        print('\nstopping', flush=True)
        subprocess.run([INSTANCE, 'stop', sys.argv[1]], check=True)


def main():
    row = values(sys.argv[1])
    stays = sys.stdin.isatty() and sys.stdout.isatty()
    form = '%-14s %7s %11s  %-20s %-12s %s'
    print(form % ('process', 'pid', 'uid', 'jail', 'capabilities', 'seccomp'))
    rows = list(processes(int(row['PID'])))
    for one in rows:
        print(form % one)
    if os.geteuid() != 0:
        jails = any(one[3] != '/' for one in rows)
        print('\nNot root: all processes share your uid, so the walls of uid%s'
              ' are missing.' % ('' if jails else ' and chroot'))
    print('''
Accounts {USER1} and {USER2}, password {PASS1}

  send     printf 'Subject: Hello\\n\\nFirst letter\\n' | curl -sS --crlf -T - \\
             smtp://127.0.0.1:{SMTP_PORT}/there.test \\
             --mail-from me@there.test --mail-rcpt {USER1}
  read     curl -sS "imap://127.0.0.1:{IMAP_PORT}/INBOX;UID=1" \\
             -u {USER1}:{PASS1}
           or any mail program: IMAP with TLS on port {IMAPS_PORT}
  look     {SNAPCTL} list {USER1}
  restore  {SNAPCTL} restore latest:{USER1}
  story    ./demo tour
  stop     {how}
'''.format(how='Ctrl-C' if stays else './demo stop', **row), flush=True)
    if stays:
        ends()


main()
