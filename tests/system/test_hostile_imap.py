"""Clients that want too much of IMAP, or give nothing: each has an answer, costs
bounded memory, and keeps nobody else waiting."""
import subprocess
import time

import pytest

from clients import say

LINE = 2 << 20
RANGES = 100000
PARTS = 10000
DEPTH = 100


@pytest.fixture(name='client', scope='module')
def fixture_client(shared):
    with shared.imap_session() as client:
        for name in ('few', 'parts', 'deep'):
            assert client.create(name)[0] == 'OK'
        for _ in range(3):
            client.append('few', None, None, b'Subject: few\r\n\r\nx\r\n')
        client.select('few')
        yield client


def answer(client, tag=b'x'):
    """Untagged lines, and the tagged one."""
    lines = []
    while not (line := client.readline()).startswith(tag + b' '):
        assert line, 'the connection ended'
        lines.append(line.rstrip(b'\r\n'))
    return lines, line.rstrip(b'\r\n')


def test_a_line_before_login_is_short(shared):
    client = shared.imap_bare()
    client.send(b'x LOGIN a ' + b'b' * 9000 + b'\r\ny NOOP\r\n')
    assert client.readline() == b'* BAD The command is too long\r\n'
    assert client.readline().startswith(b'y OK')
    client.shutdown()


@pytest.mark.parametrize('command, said', [
    (b'NOOP ' + b' ' * (LINE - 8), b'x OK'),
    (b'NOOP ' + b' ' * LINE, b'x BAD Command line is too long'),
    (b'UID STORE 1:3 FLAGS (' + b'a ' * LINE,
     b'x BAD Command line is too long'),
    (b'SEARCH SUBJECT {%d+}\r\n' % (LINE + 1) + b'a' * (LINE + 1),
     b'x BAD [TOOBIG] Literal is too large'),
    (b'SEARCH ' + b'(' * 10000, b'x BAD Search is too complex'),
    (b'SEARCH ' + b'SEEN ' * 4097, b'x BAD Search is too complex'),
    (b'SEARCH SUBJECT "' + b'a' * (LINE - 30) + b'"', b'x OK'),
    (b'FETCH 1 (' + b'BODY.PEEK[1] ' * 1025 + b'UID)',
     b'x BAD Too many items'),
    (b'FETCH 1 (' + b'(' * 10000, b'x BAD'),
    (b'LIST (((( "" *', b'x BAD'),
], ids=['a line', 'too long', 'flags', 'literal', 'depth', 'keys', 'string',
        'items', 'parentheses', 'list'])
def test_what_a_command_may_hold(client, command, said):
    client.send(b'x ' + command + b'\r\ny NOOP\r\n')
    assert answer(client)[1].startswith(said)
    assert answer(client, b'y')[1].startswith(b'y OK')


@pytest.mark.parametrize('command', ['UID FETCH %s FLAGS', 'UID SEARCH UID %s',
                                     'UID STORE %s +FLAGS.SILENT (\\Seen)',
                                     'UID COPY %s few', 'UID EXPUNGE %s'])
def test_a_set_of_a_hundred_thousand_ranges(client, command):
    """Apart from each other, the last first; and one more is too many."""
    numbers = [str(n) for n in range(2 * RANGES + 1, 0, -2)]
    assert len(numbers) == RANGES + 1
    client.send(b'x %s\r\n' % (command % ','.join(numbers[1:])).encode())
    assert answer(client)[1].startswith(b'x OK')
    client.send(b'x %s\r\n' % (command % ','.join(numbers)).encode())
    assert answer(client)[1] == b'x BAD Message set is too long'


def test_ten_thousand_parts(client):
    part = b'--b\r\n\r\nx\r\n'
    client.append('parts', None, None,
                  b'Content-Type: multipart/mixed; boundary=b\r\n\r\n' +
                  part * (PARTS + 1000) + b'--b--\r\n')
    client.select('parts')
    line, = say(client, 'FETCH 1 BODYSTRUCTURE')
    # The multipart is one of them.
    assert line.count(b'"text" "plain"') == PARTS - 1
    _, parts = client.fetch('1', '(BODY.PEEK[%d])' % (PARTS - 2))
    assert parts[0][1] == b'x'


def test_a_hundred_parts_in_each_other(client):
    client.append('deep', None, None, b'\r\n'.join(
        b'Content-Type: multipart/mixed; boundary=b%d-\r\n\r\n--b%d-' % (n, n)
        for n in range(10 * DEPTH)) + b'\r\n\r\nx\r\n')
    client.select('deep')
    line, = say(client, 'FETCH 1 BODYSTRUCTURE')
    # What the innermost holds is text.
    assert line.count(b'"mixed"') == DEPTH - 1


def memory_kib(shared, program):
    """What all processes of that program have in memory."""
    listed = subprocess.run(['ps', '-o', 'comm=,rss=', '-g', str(shared.pid)],
                            check=True, text=True, stdout=subprocess.PIPE)
    sizes = [int(line.split()[-1]) for line in listed.stdout.splitlines()
             if line.split()[0] == program[:15]]
    assert sizes
    return sum(sizes)


def is_asan(shared):
    """The programs of this instance map its shadow."""
    with open('/proc/%s/maps' % shared.pid, encoding='ascii') as file:
        return 'libasan' in file.read()


def times(client, before=lambda: None, rounds=8):
    """Seconds that commands take, the middle one of them."""
    found = []
    for _ in range(rounds):
        before()
        began = time.monotonic()
        assert client.noop()[0] == 'OK'
        assert client.fetch('1', '(FLAGS BODY.PEEK[])')[0] == 'OK'
        found.append(time.monotonic() - began)
    return sorted(found)[rounds // 2]


def test_two_hundred_slow_clients_keep_nobody_waiting(shared, client):
    """A hundred before and a hundred after login send a byte now and then."""
    client.select('few')
    alone = times(client)
    slow = [shared.imap() if n % 2 else shared.imap_bare()
            for n in range(200)]
    command = iter(b'x NOOP\r\n')

    def send_a_byte():
        byte = bytes([next(command)])
        for one in slow:
            one.send(byte)

    beside = times(client, send_a_byte, rounds=8)
    for one in slow:
        assert answer(one)[1].startswith(b'x OK')
        one.shutdown()
    # Each waits for the others' bytes at most, not for their commands.
    assert beside < 20 * alone + 1, (alone, beside)


def test_who_never_reads_costs_bounded_memory(shared, client):
    """4 GB are asked for and none is taken."""
    assert client.create('large')[0] == 'OK'
    line = b'x' * 78 + b'\r\n'
    for _ in range(20):
        client.append('large', None, None,
                      b'Subject: x\r\n\r\n' + line * 13000)
    client.select('few')
    # A MiB or two for each of the deaf; ASan keeps what was freed.
    slack = 10 * 1024 + (300 * 1024 if is_asan(shared) else 0)
    front, worker = (memory_kib(shared, name)
                     for name in ('imapd', 'imapd-worker'))
    deaf = [shared.imap() for _ in range(5)]
    for one in deaf:
        one.select('large')
        one.send(b'y FETCH 1:* BODY.PEEK[]\r\n' * 40)
    try:
        for user in (shared.user1, shared.user2):
            with shared.imap_session(user) as other:
                other.select()
                for _ in range(20):
                    assert other.noop()[0] == 'OK'
        assert times(client) < 5
        assert memory_kib(shared, 'imapd') < front + slack
        assert memory_kib(shared, 'imapd-worker') < worker + slack
    finally:
        for one in deaf:
            one.shutdown()
    assert times(client) < 5
