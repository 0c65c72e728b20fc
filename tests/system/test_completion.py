"""Completion of snapctl in real shells on a terminal, and what it never says."""
import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import tempfile
import termios
import time

import pytest

from conftest import BUILD, TOP

SCRIPTS = {'bash': 'bash/snapctl', 'zsh': 'zsh/_snapctl',
           'fish': 'fish/snapctl.fish'}


class Terminal:
    """A shell at a terminal, and all that it has shown."""

    def __init__(self, command, home, path):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # Wide: no line is broken in the middle of a word.
            fcntl.ioctl(0, termios.TIOCSWINSZ,
                        struct.pack('4H', 24, 500, 0, 0))
            os.execve(command[0], command, {
                'HOME': home, 'TERM': 'dumb', 'PS1': 'ready> ', 'PATH': path,
                'LC_ALL': 'C.UTF-8'})
        self.shown = ''

    def type(self, text):
        """Types it; what was shown before does not count any more."""
        self.shown = ''
        os.write(self.fd, text.encode())

    def wait_for(self, pattern, seconds=60):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.shown):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                pytest.fail('no %r in %r' % (pattern, self.shown))
            self.shown += os.read(self.fd, 65536).decode(
                errors='replace').replace('\a', '')
        return self.shown

    def close(self):
        os.close(self.fd)  # SIGHUP
        os.waitpid(self.pid, 0)


def path_of(server):
    return '%s:%s' % (os.path.dirname(server.snapctl_command.split()[0]),
                      os.environ['PATH'])


def script(shell):
    return os.path.join(TOP, 'contrib/completion', SCRIPTS[shell])


def to_ask(server):
    return 'snapctl ' + ' '.join(server.snapctl_command.split()[1:])


@pytest.mark.parametrize('shell, begin', [
    ('bash', ['--norc', '--noprofile', '-i']),
    ('zsh', ['-f', '-i']),
])
def test_a_shell_completes_verb_account_and_mailbox(shared, tmp_path, shell,
                                                    begin):
    program = shutil.which(shell)
    if program is None:
        pytest.skip('no %s here' % shell)
    with shared.imap_session() as client:
        client.create('Zoological')
    terminal = Terminal([program, *begin], str(tmp_path), path_of(shared))
    try:
        terminal.wait_for('ready> ')
        if shell == 'zsh':
            terminal.type('autoload -Uz compinit; compinit -D -u; '
                          'unsetopt zle_bracketed_paste\r')
            terminal.wait_for(r'\n.*ready> ')
        # What is shown is not what was typed.
        terminal.type('. %s; echo lo"ad"ed\r' % script(shell))
        terminal.wait_for('loaded')
        terminal.wait_for(r'loaded[\s\S]*ready> ')
        terminal.type(to_ask(shared) + ' rel\t')
        terminal.wait_for('release ')
        # Two accounts begin so; then one of them does, and its mailbox.
        terminal.type('\x15' + to_ask(shared) + ' -H ls live:us\t')
        terminal.wait_for('live:user')
        terminal.type('1@\t')
        terminal.wait_for('demo.test')
        terminal.type('\x15' + to_ask(shared) + ' -H ls live:%s/Zoo\t' %
                      shared.user1)
        terminal.wait_for('/Zoological')
        terminal.type('\r')
        assert 'snapctl:' not in terminal.wait_for(r'\n[\s\S]*ready> ')
    finally:
        terminal.close()


def test_fish_completes_what_the_command_says(shared):
    if shutil.which('fish') is None:
        pytest.skip('no fish here')
    line = '%s ls live:user' % to_ask(shared)
    done = subprocess.run(
        ['fish', '--no-config', '-c',
         'source %s; complete -C "%s"; complete -C "snapctl accept-"' %
         (script('fish'), line)], check=True, text=True,
        stdout=subprocess.PIPE, env={**os.environ, 'PATH': path_of(shared)})
    words = [word.split('\t')[0] for word in done.stdout.splitlines()]
    assert words == ['live:' + shared.user1, 'live:' + shared.user2,
                     'accept-missing']


def words_of(command, *line):
    done = subprocess.run([*command[:1], 'completion', 'words', *command[1:],
                           *line], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return [word.split('\t')[0] for word in done.stdout.splitlines()]


def test_what_the_store_knows_can_follow(shared):
    command = shared.snapctl_command.split()
    shared.snapctl('create', '--name', 'before-tests')
    shared.snapctl('hold', 'case-9', 'before-tests')
    assert 'before-tests' in words_of(command, 'restore', 'before')
    assert words_of(command, 'release', 'case') == ['case-9']
    assert words_of(command, 'stats', 'user1') == [shared.user1]
    assert words_of(command, 'ls', 'live:%s/INB' % shared.user1) == \
        ['live:%s/INBOX' % shared.user1]
    assert words_of(command, 'ls', 'live:nobody@demo.test/') == []


def test_no_account_is_named_to_who_may_not_ask_the_store(shared):
    command = shared.snapctl_command.split()
    assert words_of(command, 'stats', '') != []
    away = [word if not word.endswith('.sock') else '/nonexistent.sock'
            for word in command]
    assert words_of(away, 'stats', '') == []
    assert words_of(away, 'ls', 'live:') == []
    if os.geteuid() != 0:
        return
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        copy = shutil.copy(command[0], folder)
        done = subprocess.run(
            [copy, 'completion', 'words', *command[1:], 'stats', ''],
            check=False, user=65534, group=65534, extra_groups=[],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr) == (75, b'', b'')


@pytest.mark.parametrize('shell', SCRIPTS)
def test_the_scripts_that_are_printed_are_those_that_are_installed(
        shared, shell):
    with open(script(shell), encoding='ascii') as file:
        assert shared.snapctl('completion', shell) == file.read()
    shared.snapctl('completion', 'tcsh', code=2)


# firnmail's, which knows words and options and asks nobody.


def firnmail_words(*line):
    done = subprocess.run(
        [os.path.join(BUILD, 'firnmail/firnmail'), 'completion', 'words', *line],
        check=True, text=True, stdout=subprocess.PIPE)
    return [word.split('\t')[0] for word in done.stdout.splitlines()]


def test_firnmail_offers_what_its_help_shows():
    text = subprocess.run([os.path.join(BUILD, 'firnmail/firnmail'), '--help'],
                          check=True, text=True, stdout=subprocess.PIPE).stdout
    rows = [line[2:60].split(None, 1) for line in text.splitlines()
            if line.startswith('  ')]
    assert firnmail_words('') == [row[0] for row in rows]
    for verb, synopsis in ((row[0], row[1] if len(row) > 1 else '')
                           for row in rows):
        begun = {word for way in synopsis.split(' | ')
                 for word in re.findall('^[a-z|-]+', way.lstrip('[').split(
                     ' ')[0].rstrip(']'))}
        for words in begun:
            if words[0] != '-':
                assert set(words.split('|')) <= set(
                    firnmail_words(verb, '')), verb
        for option in re.findall(r'--[a-z-]+', synopsis):
            assert option in firnmail_words(verb, '--'), verb


def test_firnmail_completes_where_the_line_is():
    assert firnmail_words('que') == ['queue']
    assert firnmail_words('-c', '/a file', 'queue', 'fl') == ['flush']
    assert firnmail_words('queue', 'list', 'h') == []
    assert firnmail_words('account', 'purge-c') == ['purge-confirm']
    assert firnmail_words('alias', 'te') == ['test']
    assert firnmail_words('import', 'maildir', 'DIR', '--in') == ['--into']
    assert firnmail_words('-c', '') == []
    assert firnmail_words('nonsense', '') == []


@pytest.mark.parametrize('shell, name', [
    ('bash', 'bash/firnmail'), ('zsh', 'zsh/_firnmail'),
    ('fish', 'fish/firnmail.fish')])
def test_firnmail_prints_the_script_that_is_installed(shell, name):
    done = subprocess.run(
        [os.path.join(BUILD, 'firnmail/firnmail'), 'completion', shell],
        check=True, text=True, stdout=subprocess.PIPE)
    with open(os.path.join(TOP, 'contrib/completion', name),
              encoding='ascii') as file:
        assert done.stdout == file.read()


def test_bash_completes_firnmail():
    if shutil.which('bash') is None:
        pytest.skip('no bash here')
    done = subprocess.run(
        ['bash', '--norc', '--noprofile', '-c',
         '. contrib/completion/bash/firnmail; COMP_LINE="firnmail queue rel" '
         'COMP_POINT=18; _firnmail; echo "${COMPREPLY[@]}"'], cwd=TOP,
        check=True, text=True, stdout=subprocess.PIPE,
        env={**os.environ, 'PATH': '%s:%s' % (
            os.path.join(BUILD, 'firnmail'), os.environ['PATH'])})
    assert done.stdout == 'release\n'
