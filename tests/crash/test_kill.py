"""SIGKILL to any process while mail comes in: what was acknowledged is there,
once.  CRASH_KILLS: how many kills (10); CRASH_SEED: which ones."""
import os
import random
import smtplib
import subprocess
import threading

from conftest import message, wait_for

ROLES = ('smtpd', 'queue', 'imapd', 'worker', 'snapd', 'authd', 'keyd',
         'broker')


class Sender(threading.Thread):
    """Sends until told to stop; keeps what was answered with 250, and what got
    no answer (which may be there or not)."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.server = server
        self.number = number
        self.acknowledged = []
        self.done = threading.Event()

    def run(self):
        count = 0
        while not self.done.is_set():
            try:
                with self.server.smtp() as client:
                    while not self.done.is_set():
                        count += 1
                        key = 'kill-%d-%d' % (self.number, count)
                        client.sendmail('sender@there.test',
                                        self.server.user1, message(key))
                        self.acknowledged.append(key)
            except (smtplib.SMTPException, OSError):
                self.done.wait(0.02)


def test_kills_lose_and_double_nothing(server):
    choice = random.Random(int(os.environ.get('CRASH_SEED', '1')))
    one = server()
    one.fill(['first'])
    senders = [Sender(one, n) for n in range(4)]
    for sender in senders:
        sender.start()
    for _ in range(int(os.environ.get('CRASH_KILLS', '10'))):
        before = sum(len(sender.acknowledged) for sender in senders)
        wait_for(lambda b=before: sum(len(s.acknowledged)
                                      for s in senders) > b + 5,
                 90, 'mail is taken again')
        role = choice.choice(ROLES)
        wait_for(lambda r=role: kills(one, r), 60, 'a process to kill')
    for sender in senders:
        sender.done.set()
    for sender in senders:
        sender.join(30)
    wanted = {key for sender in senders for key in sender.acknowledged}
    view = settled(one, wanted)
    # And after one kill of everything.
    one.kill('master')
    one.stop()
    one.start()
    again = settled(one, wanted)
    assert again.uidvalidity == view.uidvalidity
    # What got no answer may be filed late.
    assert {uid: again.keys.get(uid) for uid in view.keys} == view.keys


def kills(one, role):
    """False while there is none of that role, after an earlier kill."""
    if role == 'worker':
        one.view()
    try:
        one.kill(role)
    except subprocess.CalledProcessError:
        return False
    return True


def settled(one, wanted):
    """The view with all that was acknowledged, each message once."""
    try:
        view = wait_for(lambda: all_there(one, wanted), 90, 'all of it')
    finally:
        now = one.view()
        keys = list(now.keys.values())
        print('\nacknowledged=%d lost=%d doubled=%d' % (
            len(wanted), len(wanted - set(keys)), len(keys) - len(set(keys))))
    assert len(keys) == len(set(keys)), 'a message is there twice'
    return view


def all_there(one, wanted):
    view = one.view()
    return view if wanted <= set(view.keys.values()) else None
