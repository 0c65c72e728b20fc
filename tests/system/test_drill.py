"""snapctl drill: what is restored into the scratch folder is what was there, a
bit that is not is named, and nothing is left behind."""
import imaplib
import json
import os
import re
import signal
import subprocess

from conftest import wait_for

COUNT = 12
NESTED = 'Work/a.b'


def fill(server):
    with server.imap_session() as client:
        assert client.create(NESTED)[0] == 'OK'
        for number in range(COUNT):
            status, data = client.append(
                NESTED if number % 3 == 0 else 'INBOX',
                r'(\Seen Work)' if number % 2 else r'(\Flagged)',
                imaplib.Time2Internaldate(1000000000 + number),
                b'From: a@b.test\r\nSubject: n%d\r\n\r\nmark-%d.\r\n' %
                (number, number) + b'line\r\n' * 2000)
            assert status == 'OK', data


def drill(server, *words, code=0):
    """Its rows: findings, and what it came to."""
    out = server.snapctl('--json', 'drill', *words, code=code)
    rows = [json.loads(line) for line in out.splitlines()]
    return ([row for row in rows if row['type'] == 'finding'],
            [row for row in rows if row['type'] == 'drill'])


def last_drill(server):
    facts = [json.loads(line) for line in
             server.snapctl('--json', 'status').splitlines()]
    return next(fact['value'] for fact in facts
                if fact['name'] == 'last_drill')


def scratch(server):
    return server.store + '.drill'


def process(server):
    listed = subprocess.run(['ps', '-o', 'pid=,args=', '-g', str(server.pid)],
                            check=True, text=True, stdout=subprocess.PIPE)
    return [int(line.split()[0]) for line in listed.stdout.splitlines()
            if 'firnmail-drill' in line]


def test_all_comes_back_and_is_on_record(shared):
    server = shared
    assert last_drill(server) == 'never'
    fill(server)
    findings, (result,) = drill(server, '--all', 'live')
    assert not findings
    assert result['messages'] == COUNT
    assert result['findings'] == 0
    assert os.listdir(scratch(server)) == []
    assert last_drill(server).startswith('ok ')
    assert 'drilled' in server.snapctl('log')
    _, (result,) = drill(server, '--sample', '5', 'live:' + server.user1)
    assert result['messages'] == 5
    assert result['accounts'] == 1
    _, (result,) = drill(server, 'live:%s/%s' % (server.user1, NESTED))
    assert result['messages'] == COUNT // 3
    drill(server, 'live:%s/none' % server.user1, code=10)
    drill(server, '--all', '--sample', '5', code=2)


def leave_something(server):
    """As one that is killed leaves it."""
    owner = os.stat(scratch(server))
    path = scratch(server)
    for part in ('firnmail-drill', '1', 'Maildir', 'cur'):
        path += '/' + part
        os.mkdir(path, 0o700)
        os.chown(path, owner.st_uid, owner.st_gid)
    with open(path + '/message', 'wb') as file:
        file.write(b'x')


def test_one_that_is_killed_leaves_nothing(shared):
    server = shared
    (pid,) = process(server)
    os.kill(pid, signal.SIGSTOP)
    leave_something(server)
    asking = subprocess.Popen(
        server.snapctl_command.split() + ['drill', '--all', 'live'],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    os.kill(pid, signal.SIGKILL)
    _, said = asking.communicate(timeout=60)
    assert asking.returncode == 75, said
    wait_for(lambda: process(server) not in ([], [pid]),
             what='the next snapd-drill')
    wait_for(lambda: os.listdir(scratch(server)) == [], what='no scratch')
    wait_for(lambda: subprocess.run(
        server.snapctl_command.split() + ['drill', '--all', 'live'],
        check=False, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL).returncode == 0, what='a drill that passes')
    assert last_drill(server).startswith('ok ')


def flip(server, marker):
    """A bit of a body in the store, while it is served; and of what may be left
    of it in pages that are free."""
    fd = os.open(server.store + '/index/data.mdb', os.O_RDWR)
    data = os.pread(fd, os.fstat(fd).st_size, 0)
    places = [found.start() for found in
              re.finditer(re.escape(marker), data)]
    assert places
    for at in places:
        os.pwrite(fd, bytes([marker[0] ^ 1]), at)
    os.close(fd)


def test_a_flipped_bit_is_named(server):
    server = server()
    fill(server)
    drill(server, '--all', 'live')
    flip(server, b'mark-7.')
    findings, (result,) = drill(server, '--all', 'live', code=20)
    (found,) = findings
    # Number 7 is the fifth that went to INBOX.
    assert (found['account'], found['mailbox'], found['uid']) == \
        (server.user1, 'INBOX', 5)
    assert result['messages'] == COUNT - 1
    assert last_drill(server).startswith('damaged ')
    assert 'drill-failed' in server.snapctl('list')
    assert 'alarm' in server.snapctl('holds')
    # Mailboxes without it are as good as they were.
    drill(server, 'live:%s/%s' % (server.user1, NESTED))
