"""A process that did what it may not is an alarm, whoever started it: what the
store had in the day before stays until somebody has looked."""
import json
import os
import re
import signal

from conftest import wait_for


def logged(server, pattern):
    with open(os.path.join(server.dir, 'log'), encoding='utf-8',
              errors='replace') as log:
        return [line for line in log if re.search(pattern, line)]


def ready(server, role):
    return len(logged(server, r' ready role=%s ' % role))


def die_of_seccomp(server, *roles):
    """As the kernel would end them; the next ones are there afterwards."""
    before = {role: wait_for(lambda r=role: ready(server, r), 60, role)
              for role in roles}
    for role in roles:
        server.kill(role, signal.SIGSYS)
    for role in roles:
        wait_for(lambda r=role: logged(
            server, r'alarm .*why="%s of account 0: seccomp' % r), 60,
            'the alarm of ' + role)
        wait_for(lambda r=role: ready(server, r) > before[r], 60,
                 'another ' + role)


def holds(server):
    return [json.loads(line)['tag'] for line in
            server.snapctl('--json', 'holds').splitlines()]


def test_seccomp_kill_of_each_of_masters_children_is_an_alarm(server):
    one = server()
    one.crashing_role = 'keyd|logger|verify|resolver|fetcher|snapd|broker'
    one.fill(['before'])
    assert not holds(one)
    die_of_seccomp(one, 'keyd')
    # It holds all accounts, and one in ten minutes is enough.
    assert wait_for(lambda: holds(one), 60, 'the hold') == ['alarm']
    die_of_seccomp(one, 'logger', 'verify', 'resolver', 'fetcher', 'broker',
                   'snapd')
    wait_for(lambda: one.send('after')[0] == 250, 60, 'mail is taken')
    assert 'alarm' in holds(one)


def test_alarm_of_a_worker_waits_until_snapd_is_there_again(server):
    one = server()
    one.crashing_role = 'snapd|worker'
    one.fill(['before'])
    client = one.imap()
    client.select()
    starts = wait_for(lambda: ready(one, 'snapd'), what='snapd in the log')
    one.kill('snapd')
    wait_for(lambda: logged(one, r' ended role=snapd '), 60, 'its end')
    one.kill('worker', signal.SIGSYS)
    wait_for(lambda: logged(one, r' seccomp-kill role=worker '), 60, 'its end')
    wait_for(lambda: ready(one, 'snapd') > starts, 60, 'another snapd')
    rows = wait_for(lambda: one.snapctl('--json', 'holds'), 60, 'the hold')
    hold = json.loads(rows.splitlines()[0])
    assert (hold['tag'], hold['account']) == ('alarm', one.user1)
    assert 'worker of account 1: seccomp kill' in hold['why']
