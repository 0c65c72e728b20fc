"""firnmail against a running instance: accounts, passwords, reload, status."""
import contextlib
import fcntl
import imaplib
import json
import os
import pty
import signal
import socket
import subprocess
import threading

import pytest

from conftest import wait_for


class Admin:
    def __init__(self, server):
        self.server = server
        self.command = server.firnmail.split()
        self.users = os.path.join(server.dir, 'etc/users')

    def run(self, *words, text='', code=0):
        done = subprocess.run(self.command + list(words), input=text,
                              text=True, check=False, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout, done.stderr

    def rows(self, *words, text=''):
        return [json.loads(line) for line in
                self.run('--json', *words, text=text)[0].splitlines()]

    def numbers(self):
        return {row['address']: row['number']
                for row in self.rows('account', 'list')}

    def add(self, address, password='secret'):
        return self.rows('account', 'add', address, '--cheap-hash',
                         text=password + '\n')[0]

    def read_users(self):
        with open(self.users, encoding='utf-8') as file:
            return file.read()

    def write_users(self, text):
        with open(self.users, 'w', encoding='utf-8') as file:
            file.write(text)

    def can_log_in(self, address, password):
        client = self.server.imap_bare()
        try:
            client.login(address, password)
            client.logout()
            return True
        except imaplib.IMAP4.error:
            return False


@pytest.fixture
def admin(server):
    return Admin(server())


def test_new_account_can_log_in_and_read(admin):
    admin.add('Carol@demo.test', 'one')
    assert admin.can_log_in('carol@demo.test', 'one')
    client = admin.server.imap_bare()
    client.login('carol@demo.test', 'one')
    assert client.select('INBOX') == ('OK', [b'0'])
    client.logout()


def test_new_password_replaces_the_old_one(admin):
    user = admin.server.user1
    before = admin.read_users()
    admin.run('account', 'passwd', user, '--cheap-hash', text='other\n')
    assert admin.can_log_in(user, 'other')
    assert not admin.can_log_in(user, admin.server.pass1)
    changed = [new for old, new in zip(before.splitlines(),
                                       admin.read_users().splitlines())
               if old != new]
    assert len(changed) == 1 and changed[0].startswith(user + ':')


def test_number_of_a_vanished_account_is_not_used_again(admin):
    taken = admin.numbers()
    last = admin.server.user2
    admin.write_users(''.join(line for line in
                              admin.read_users().splitlines(True)
                              if not line.startswith(last + ':')))
    admin.run('reload')
    assert not admin.can_log_in(last, admin.server.pass2)
    assert admin.add('new@demo.test')['number'] > taken[last]


def test_adding_at_the_same_time_gives_different_numbers(admin):
    adders = [threading.Thread(target=admin.add, args=('n%d@demo.test' % n,))
              for n in range(8)]
    for adder in adders:
        adder.start()
    for adder in adders:
        adder.join()
    numbers = admin.numbers()
    assert len(numbers) == 10 and len(set(numbers.values())) == 10
    assert admin.can_log_in('n7@demo.test', 'secret')


def test_wrong_input_changes_nothing(admin):
    before = admin.read_users()
    for words, text, code, error in (
            (('add', admin.server.user1), 'x\n', 12, 'already'),
            (('add', 'a@other.test'), 'x\n', 2, 'none of the domains'),
            (('add', 'a:b@demo.test'), 'x\n', 2, 'not an address'),
            (('add', 'new@demo.test'), '', 2, 'no password'),
            (('add', 'new@demo.test', '--hash', 'plain'), '', 2, 'crypt'),
            (('add', 'new@demo.test'), 'x' * 600 + '\n', 2, 'longer'),
            (('passwd', 'new@demo.test'), 'x\n', 10, 'no account'),
            (('forget',), '', 2, 'usage')):
        assert error in admin.run('account', *words, text=text,
                                  code=code)[1]
        assert admin.read_users() == before
    # None of them cost a number.
    assert admin.add('new@demo.test')['number'] == 3


def test_account_that_was_written_by_hand_is_known_after_reload(admin):
    line = admin.read_users().splitlines()[-1]
    hashed = line.split(':')[1]
    admin.write_users(admin.read_users() +
                      'hand@demo.test:%s::::::firnmail_id=40\n' % hashed)
    admin.run('reload')
    assert admin.server.send('to-hand', 'hand@demo.test')[0] == 250
    assert admin.can_log_in('hand@demo.test', admin.server.pass1)


def test_reload_refuses_a_wrong_file_with_all_its_errors(admin):
    path = os.path.join(admin.server.dir, 'etc/firnmail.conf')
    with open(path, 'a', encoding='utf-8') as file:
        file.write('listen imapp port 1\nmax-workers many\n')
    for verb in ('reload', 'check'):
        _, errors = admin.run(verb, code=78)
        assert 'did you mean "imap"?' in errors and '"many"' in errors
    assert admin.can_log_in(admin.server.user1, admin.server.pass1)


def processes(admin):
    return [row for row in admin.rows('status') if row['type'] == 'process']


def test_status_and_who_show_what_is_there(admin):
    with admin.server.imap_session():
        wait_for(lambda: all('seccomp' in row['walls']
                             for row in processes(admin)
                             if row['role'] != 'master'),
                 what='every process behind its walls')
        status = admin.rows('status')
        who = admin.rows('who')
    assert [row['account'] for row in who] == [admin.server.user1]
    roles = {row['role']: row for row in status if row['type'] == 'process'}
    assert {'authd', 'smtpd', 'queue', 'imapd', 'worker'} <= set(roles)
    for row in roles.values():
        os.kill(row['pid'], 0)
        if os.geteuid() == 0 and row['role'] not in ('master', 'broker'):
            assert row['walls'] == \
                'uid chroot capabilities bounding landlock seccomp'
    facts = {row['name']: row['value'] for row in status
             if row['type'] == 'fact'}
    with open(os.path.join(admin.server.dir, 'etc/store-id'),
              encoding='ascii') as file:
        assert facts['store'] == file.read().strip()


def test_stopped_server_is_told_and_nothing_is_changed(admin):
    before = admin.read_users()
    admin.server.stop()
    for words in (('account', 'add', 'new@demo.test'), ('status',), ('who',),
                  ('reload',)):
        assert 'firnmaild' in admin.run(*words, text='x\n', code=75)[1]
    assert admin.read_users() == before
    admin.run('check')


def test_setup_never_replaces_a_store(admin):
    lib = os.path.join(admin.server.dir, 'lib')
    admin.server.stop()
    identity = os.path.join(admin.server.dir, 'etc/store-id')
    with open(identity, encoding='ascii') as file:
        before = file.read()
    admin.run('setup')
    admin.run('setup', '--new-store', code=12)
    os.rename(os.path.join(lib, 'snap'), os.path.join(lib, 'away'))
    assert 'is gone' in admin.run('setup', code=12)[1]
    with open(identity, encoding='ascii') as file:
        assert file.read() == before
    admin.run('setup', '--new-store')
    with open(identity, encoding='ascii') as file:
        assert file.read() != before
    admin.server.start()
    admin.run('reload')
    assert admin.server.send('after')[0] == 250


def test_interrupted_add_leaves_the_file_whole(admin):
    """Killed while it waits for the password: nothing has begun."""
    before = admin.read_users()
    with subprocess.Popen(admin.command + ['account', 'add', 'k@demo.test'],
                          stdin=subprocess.PIPE) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert admin.read_users() == before
    assert os.listdir(os.path.dirname(admin.users)).count('users') == 1
    admin.add('k@demo.test')


def status_of(pid):
    with open('/proc/%d/status' % pid, encoding='ascii') as file:
        return dict(line.rstrip('\n').split(':\t', 1) for line in file
                    if ':\t' in line)


def walls_while_it_prints(command, patience=20):
    """The status of a command that cannot go on: its output is full."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, b'x' * 4096)
    child = subprocess.Popen(command, stdout=writer, stdin=subprocess.DEVNULL)
    os.close(writer)
    try:
        return wait_for(lambda: (status_of(child.pid)['Seccomp'] == '2' and
                                 status_of(child.pid)),
                        patience, 'a filter around ' + ' '.join(command))
    finally:
        with os.fdopen(reader, 'rb') as file:
            file.read()
        assert child.wait(60) == 0


def test_what_is_shown_is_shown_behind_walls(admin):
    server = admin.server
    for command in ([*admin.command, 'status'],
                    [*admin.command, '--json', 'who'],
                    [*admin.command, 'account', 'list'],
                    [*server.snapctl_command.split(), 'list'],
                    [*server.snapctl_command.split(), '--json', 'log']):
        status = walls_while_it_prints(command)
        assert status['NoNewPrivs'] == '1'
        if os.geteuid() == 0:
            assert set(status['Uid'].split()) == {'65534'}
            assert status['CapPrm'] == status['CapEff'] == '0' * 16


def test_an_answer_of_the_store_finds_the_walls_shut(admin, tmp_path):
    """A store that was taken over: it has the question and says nothing yet."""
    path = str(tmp_path / 'snapd.sock')
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as false_store:
        false_store.bind(path)
        false_store.listen(1)
        for words in (['create'], ['cat', 'latest:user1@demo.test/INBOX;UID=1'],
                      ['find', 'letter']):
            child = subprocess.Popen([*admin.server.snapctl_command.split(),
                                      '--socket', path, *words],
                                     stderr=subprocess.DEVNULL)
            with false_store.accept()[0] as peer:
                assert peer.recv(65536)
                status = wait_for(
                    lambda: status_of(child.pid)['Seccomp'] == '2' and
                    status_of(child.pid), 60, 'a filter around %s' % words)
                if os.geteuid() == 0:
                    assert set(status['Uid'].split()) == {'65534'}
            assert child.wait(60) == 75


def on_a_terminal(command):
    """(exit status, what was shown) of a command that has a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    os.write(terminal, b'y\n')
    shown = b''
    with contextlib.suppress(OSError):  # EIO: it has ended
        while data := os.read(terminal, 65536):
            shown += data
    os.close(terminal)
    return os.waitpid(pid, 0)[1], shown.decode()


def test_each_verb_does_its_work_behind_the_walls(admin):
    """A call that the filter misses would be a death by SIGSYS."""
    server = admin.server
    server.fill(['m%d' % n for n in range(5)])
    snapctl = server.snapctl_command.split()
    inbox = 'live:%s/INBOX' % server.user1
    admin.server.snapctl('create', '--name', 'one')
    for verb in ('list', 'create', 'show one', 'ls one', 'ls ' + inbox,
                 'cat %s;UID=1' % inbox, 'diff -1d live', 'log', 'status',
                 'restore --dry-run one', 'restore one', 'restore --yes one',
                 'verify', 'verify --read-data', 'find --from sender',
                 'find --deleted --subject m1', 'stats', 'stats --since -30d',
                 'stats ' + server.user1, 'log --deleted',
                 'events', 'events --since @2'):
        for form in ((), ('--json',), ('-H',), ('-p',)):
            command = [*snapctl, *form, *verb.split()]
            for status, shown in (on_a_terminal(command), run_piped(command)):
                assert status == 0, (command, status, shown)
    for kind in ('maildir', 'mbox', 'eml'):
        status, shown = run_piped(
            [*snapctl, 'export', inbox, '--format', kind])
        assert status == 0, (kind, shown)
    for verb in ('status', 'who', 'account list'):
        for form in ((), ('--json',), ('-H',), ('-p',)):
            command = [*admin.command, *form, *verb.split()]
            for status, shown in (on_a_terminal(command), run_piped(command)):
                assert status == 0, (command, status, shown)


def run_piped(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout
