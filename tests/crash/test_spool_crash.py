"""Mail for other hosts that was acknowledged is in the queue, or the relay was
given it: after a power cut at the instant of the 250, and after SIGKILL to each
process that has to do with it.  The relay is system/false_relay.c.
CRASH_CUTS: how many cuts (3); CRASH_KILLS: how many kills (8); CRASH_SEED."""
import contextlib
import os
import random
import smtplib
import subprocess
import threading

from conftest import FALSE_RELAY, RELAYING, Server, mount, wait_for
from test_power_cut import copy

ROLES = ('spool', 'spool', 'relay', 'queue', 'smtpd', 'broker')
SIZES = (0, 0, 5000, 20000, 70000, 300000)


def config_in(directory):
    path = os.path.join(directory, 'relaying.conf')
    with open(path, 'w', encoding='utf-8') as file:
        file.write(RELAYING)
    return ('--config', path)


def test_what_was_acknowledged_survives_a_cut(disk):
    choice = random.Random(int(os.environ.get('CRASH_SEED', '1')))
    live = Server(disk + '/live', '--cheap-hash', '--accounts', '1',
                  *FALSE_RELAY, *config_in(disk))
    subprocess.run(['sync', '-f', disk + '/live'], check=True)
    wanted = {}  # queue id: recipients
    count = lost = 0
    for _ in range(int(os.environ.get('CRASH_CUTS', '3'))):
        wait_for(live.submission, 60, 'the spool')
        with live.submission() as client:
            for _ in range(choice.randint(1, 12)):
                count += 1
                recipients = choice.sample(
                    ['wait@slow.test', 'late@far.test', live.user1], 2)
                wanted[live.submit(client, 'cut-%d' % count, recipients,
                                   choice.choice(SIZES))] = \
                    {one for one in recipients if one != live.user1}
            copy(disk, live)
        live.stop()
        lost += check_copy(disk, live, wanted)
        live.start()
    print('\nacknowledged=%d lost=%d' % (count, lost))
    assert lost == 0


def queued(live):
    """Recipients by queue id."""
    found = {}
    for row in live.queue():
        found.setdefault(row['id'], set()).add(row['first'])
    return found


def check_copy(disk, live, wanted):
    """How many recipients are not in the queue of the copy, or were not given
    to the relay with a body there."""
    subprocess.run(['umount', disk + '/live'], check=True)
    assert mount(disk + '/copy', disk + '/live')
    live.forget_boot()
    try:
        live.start()
        there = wait_for(lambda: queued(live) or not wanted, 60, 'the queue')
        missing = [(one, recipients - there.get(one, set()))
                   for one, recipients in wanted.items()
                   if recipients - there.get(one, set())]
        # Each body can be read: none is parked as damaged.
        with open(live.dir + '/log', encoding='utf-8',
                  errors='replace') as log:
            damaged = log.read().count('spool-damaged')
        if missing or damaged:
            print(missing, damaged)
        return len(missing) + damaged
    finally:
        live.stop()
        subprocess.run(['umount', disk + '/live'], check=True)
        assert mount(disk + '/disk', disk + '/live')


class Sender(threading.Thread):
    """Submits until told to stop; keeps the ids of what was acknowledged."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.server = server
        self.number = number
        self.acknowledged = []
        self.done = threading.Event()

    def run(self):
        while not self.done.is_set():
            try:
                self.send()
            except (smtplib.SMTPException, OSError, AssertionError):
                self.done.wait(0.02)

    def send(self):
        with self.server.submission() as client:
            while not self.done.is_set():
                count = len(self.acknowledged)
                self.acknowledged.append(self.server.submit(
                    client, 'kill-%d-%d' % (self.number, count),
                    ['ok@far.test'], SIZES[count % len(SIZES)]))


def test_kills_lose_nothing(server, tmp_path):
    choice = random.Random(int(os.environ.get('CRASH_SEED', '1')))
    one = server('--accounts', '1', *FALSE_RELAY, *config_in(tmp_path))
    senders = [Sender(one, n) for n in range(3)]
    for sender in senders:
        sender.start()
    for _ in range(int(os.environ.get('CRASH_KILLS', '8'))):
        before = sum(len(sender.acknowledged) for sender in senders)
        wait_for(lambda b=before: sum(len(s.acknowledged)
                                      for s in senders) > b + 5,
                 90, 'mail is taken again')
        role = choice.choice(ROLES)
        with contextlib.suppress(subprocess.CalledProcessError):
            one.kill(role)
    for sender in senders:
        sender.done.set()
    for sender in senders:
        sender.join(30)
    wanted = {key for sender in senders for key in sender.acknowledged}
    # Behind a relay that died three times a message waits for minutes.
    wait_for(lambda: not one.queue() or one.queue('flush') and False, 90,
             'an empty queue')
    given = [key for key, _ in one.given_to_relay()]
    lost = wanted - set(given)
    print('\nacknowledged=%d lost=%d again=%d' % (
        len(wanted), len(lost), len(given) - len(set(given))))
    assert not lost
