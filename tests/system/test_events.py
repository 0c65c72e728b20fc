"""snapctl events: what happens is told as it happens, and nothing is missed."""
import contextlib
import json
import os
import signal
import subprocess

import pytest

from conftest import wait_for


@contextlib.contextmanager
def following(server, *words):
    """snapctl events --follow and a list that its lines come into."""
    child = subprocess.Popen(
        [*server.snapctl_command.split(), '--json', 'events', '--follow',
         *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.set_blocking(child.stdout.fileno(), False)
    seen = bytearray()

    def lines():
        with contextlib.suppress(BlockingIOError):
            seen.extend(child.stdout.read() or b'')
        return [json.loads(line) for line in
                seen.decode().splitlines(keepends=True)
                if line.endswith('\n')]

    try:
        yield child, lines
    finally:
        if child.poll() is None:
            child.kill()
        child.wait(60)
        child.stdout.close()
        child.stderr.close()


def append(server, subject):
    with server.imap_session() as client:
        client.append('INBOX', None, None,
                      b'Subject: %s\r\n\r\n' % subject.encode())


def test_follow_tells_each_event_that_log_has(shared):
    append(shared, 'before')
    with following(shared, '--since', '@0') as (child, lines):
        before = len(shared.snapctl('-H', 'log').splitlines())
        wait_for(lambda: len(lines()) >= before, what='the past')
        append(shared, 'after')
        wait_for(lambda: lines()[-1]['said_command'] == 'APPEND',
                 what='the append')
        log = [json.loads(line) for line in
               shared.snapctl('--json', 'log').splitlines()]
        told = wait_for(lambda: len(lines()) >= len(log) and lines())
        assert told[:len(log)] == log
        assert child.poll() is None


def test_one_account_and_a_point_to_go_on_from(shared):
    append(shared, 'mine')
    log = [json.loads(line) for line in
           shared.snapctl('--json', 'log').splitlines()]
    last = log[-1]['sequence']
    assert [json.loads(line)['sequence'] for line in shared.snapctl(
        '--json', 'events', '--since', '@%d' % (last - 1),
        shared.user1).splitlines()] == [last]
    assert shared.snapctl('events', '--since', '@%d' % last) == ''
    assert shared.snapctl('--json', 'events') == \
        shared.snapctl('--json', 'log')


def test_an_interrupted_follower_ends_with_whole_lines(shared):
    with following(shared, '--since', '@0') as (child, lines):
        wait_for(lines, what='the past')
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
        assert child.stderr.read() == b''


def test_a_follower_whose_reader_is_gone_ends_without_an_event(shared):
    with following(shared, '--since', '@0') as (child, lines):
        wait_for(lines, what='the past')
        child.stdout.close()
        assert child.wait(60) == 0
        child.stdout = open(os.devnull, 'rb')


@pytest.mark.parametrize('words', [('--follow', 'a', 'b'),
                                   ('--since', 'yesterday-ish')])
def test_wrong_uses_are_explained(shared, words):
    shared.snapctl('events', *words, code=2)
