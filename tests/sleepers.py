"""Instances whose sessions sleep early, and what one sees of it from outside."""
import contextlib
import json
import os
import re
import subprocess

from conftest import Server, end, wait_for


@contextlib.contextmanager
def sleepy_instance(tmp_path_factory, accounts, after='1s'):
    """For tests that only add, each to accounts of its own."""
    base = tmp_path_factory.mktemp('sleepy')
    directory = '/var/tmp/firnmail-%d-%s' % (os.getpid(), base.name)
    os.makedirs(directory, mode=0o711)
    config = base / 'config'
    config.write_text('hibernate %s%s\n' %
                      ('' if after == 'off' else 'after ', after))
    yield Server(directory, '--cheap-hash', '--accounts', str(accounts),
                 '--config', str(config))
    end(directory)


def user(server, number):
    return 'user%d@%s' % (number, server.domain)


def with_worker(server):
    """Names of accounts."""
    done = subprocess.run(server.firnmail.split() + ['--json', 'status'],
                          text=True, check=True, timeout=60,
                          stdout=subprocess.PIPE)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row.get('account') for row in rows if row.get('role') == 'worker'}


def has_worker(server, name):
    return name in with_worker(server)


def all_asleep(server, *names):
    """Within what a worker without sessions is kept for where none sleeps."""
    names = set(names or [server.user1])
    wait_for(lambda: not names & with_worker(server), seconds=28,
             what='no worker left')


def log(server):
    with open(server.dir + '/log', encoding='utf-8') as file:
        return file.read()


def wakes(server, name):
    """Of a user whom no other test has, or their lines would count as well:
    the log may be behind."""
    return len(re.findall(r' session-wake .* user=%s ' % re.escape(name),
                          log(server)))
