#!/usr/bin/env python3
"""names.py BUILD: what lookups cost the resolver, against a signed DNS of its own
on loopback (tests/dns_zone.py), 50 at a time."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
BUILD = os.path.realpath(sys.argv[1])
sys.path.insert(0, os.path.dirname(HERE))
os.environ['BUILD'] = BUILD

import dns_zone  # noqa: E402  (tests/ is in the path only now)
from net_stand import Stand  # noqa: E402

A, MX = 1, 15
COLD, CACHED, PENDING = 3000, 20000, 2000


def resolver_of(stand):
    listed = subprocess.check_output(['pgrep', '-P', str(stand.process.pid)])
    for pid in listed.decode().split():
        if os.readlink('/proc/%s/exe' % pid).endswith('/resolver'):
            return pid
    raise RuntimeError('there is no resolver')


def cpu_ms(pid):
    with open('/proc/%s/stat' % pid, encoding='ascii') as file:
        fields = file.read().rpartition(')')[2].split()
    return sum(map(int, fields[11:13])) * 1000 / os.sysconf('SC_CLK_TCK')


def memory_mib(pid):
    with open('/proc/%s/status' % pid, encoding='ascii') as file:
        return [int(line.split()[1]) / 1024 for line in file
                if line.startswith('VmRSS')][0]


def measure(stand, pid, what, kind, names):
    before = cpu_ms(pid)
    for first in range(0, len(names), 50):
        numbers = [stand.say('lookup %d %s' % (kind, name))
                   for name in names[first:first + 50]]
        assert all(stand.answer(one).startswith('found secure')
                   for one in numbers)
    print('%-28s %6.1f us of CPU each, %5.1f MiB' % (
        what, (cpu_ms(pid) - before) * 1000 / len(names), memory_mib(pid)))


with tempfile.TemporaryDirectory(prefix='firnmail-names-') as top, \
        dns_zone.serve(top + '/dns') as dns:
    dns.zone('good.example', '@ IN MX 10 mx\n' + '\n'.join(
        'h%d IN A 192.0.2.7' % n for n in range(COLD)))
    dns.zone('silent.example', '@ IN MX 10 mx')
    dns.silent.add('silent.example')
    dns.start()
    os.mkdir(top + '/stand')
    stand = Stand(top + '/stand', dns.config)
    pid = resolver_of(stand)
    print('%-28s %29.1f MiB' % ('at the start', memory_mib(pid)))
    measure(stand, pid, 'signed, asked for', A,
            ['h%d.good.example' % n for n in range(COLD)])
    measure(stand, pid, 'signed, in the cache', MX, ['good.example'] * CACHED)
    for n in range(PENDING):
        stand.say('lookup %d n%d.silent.example' % (A, n))
    assert stand.lookup(MX, 'good.example')[0] == 'found'
    print('%-28s %29.1f MiB' % ('2,000 wait', memory_mib(pid)))
    stand.stop()
