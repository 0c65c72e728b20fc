"""The queue dies while it knows of mail that no worker was told of."""
import os
import re
import signal

from conftest import wait_for


def pid_of_worker(one):
    with open(one.dir + '/log', encoding='utf-8', errors='replace') as log:
        found = re.findall(r'ready role=worker pid=(\d+)', log.read())
    return int(found[-1]) if found else None


def test_what_only_the_dead_queue_knew_is_filed(server):
    one = server()
    one.fill(['first'])
    worker = wait_for(lambda: pid_of_worker(one), what='the worker in the log')
    keys = ['mail-%d' % n for n in range(80)]
    os.kill(worker, signal.SIGSTOP)
    try:
        for key in keys:
            assert one.send(key)[0] == 250
        one.kill('queue')
        wait_for(lambda: one.smtp().noop()[0] == 250, what='another queue')
    finally:
        os.kill(worker, signal.SIGCONT)
    wait_for(lambda: set(keys) <= set(one.view().keys.values()), 60, 'all')
    assert pid_of_worker(one) == worker
    assert len(one.view().keys) == len(keys) + 1
