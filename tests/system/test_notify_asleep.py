"""NOTIFY (RFC 5465) of sessions that sleep: no worker is there, and what another
session does is told all the same, to who asked for it and to nobody else."""
import contextlib
import re

import pytest

from clients import say
from conftest import wait_for
from sleepers import all_asleep, log, sleepy_instance, user
from test_notify import NEWS, OTHERS, append, is_silent, listen


@pytest.fixture(name='sleepy', scope='module')
def fixture_sleepy(tmp_path_factory):
    with sleepy_instance(tmp_path_factory, 2 * len(OTHERS) + 8) as server:
        yield server


def begin_idle(client):
    client.send(b'i IDLE\r\n')
    assert client.readline().startswith(b'+')


class Asleep:
    """A session that asked for one row of test_notify, in an account of its
    own."""

    def __init__(self, server, name, row, is_idle):
        _, arguments, self.act, wanted = row
        self.server, self.name, self.is_idle = server, name, is_idle
        self.box = 'box'
        self.wanted = wanted.replace(b'{0}', b'box')
        with server.imap_session(name) as one:
            one.create('box')
            one.create('box/b')
            append(one, 'box')
            append(one, 'box')
        self.client = server.imap(name)
        say(self.client, 'NOTIFY SET ' + arguments.format('box'))
        if is_idle:
            begin_idle(self.client)

    def check(self):
        assert is_silent(self.client)
        with self.server.imap_session(self.name) as one:
            one.select('box')
            self.act(one, 'box')
            assert len(listen(self.client, self.wanted)) == 1
        if self.is_idle:
            self.client.send(b'DONE\r\n')
            assert len(listen(self.client, rb'^i OK')) == 1
        assert say(self.client, 'NOOP') == []


def test_news_of_other_mailboxes_come_unasked(sleepy):
    """All of test_notify, each in IDLE and between two commands."""
    with contextlib.ExitStack() as stack:
        sleepers = [
            Asleep(sleepy, user(sleepy, 2 * number + is_idle + 1), row,
                   is_idle)
            for number, row in enumerate(OTHERS) for is_idle in (0, 1)]
        for sleeper in sleepers:
            stack.callback(sleeper.client.shutdown)
        all_asleep(sleepy, *(sleeper.name for sleeper in sleepers))
        for sleeper in sleepers:
            sleeper.check()


def spare(server, number):
    """An account of no row."""
    return user(server, 2 * len(OTHERS) + number)


def sleeps_and_wakes(server, name):
    """Of the first session of an account that was woken: "sws"."""
    text = log(server)
    woken = re.search(r' session-wake .*(sid=\d+) user=%s ' %
                      re.escape(name), text)
    return woken and ''.join(
        what[0] for what in re.findall(r' session-(sleep|wake) .*%s\b' %
                                       woken[1], text))


def test_news_that_nobody_asked_for_wake_nobody(sleepy):
    """Another mailbox, other news of the same, and the one that is selected
    without being asked for."""
    name = spare(sleepy, 1)
    with sleepy.imap_session(name) as one:
        for box in ('A', 'B'):
            one.create(box)
            append(one, box)
    with sleepy.imap_session(name) as client:
        client.select('B')
        say(client, 'NOTIFY SET (mailboxes A (MessageNew MessageExpunge))')
        all_asleep(sleepy, name)
        with sleepy.imap_session(name) as one:
            append(one, 'B')
            append(one, 'INBOX')
            one.select('A')
            one.store('1', '+FLAGS', r'(\Seen)')
        all_asleep(sleepy, name)
        assert is_silent(client)
        with sleepy.imap_session(name) as one:
            append(one, 'A')
            assert len(listen(client, rb'\* STATUS A \(MESSAGES 2 ')) == 1
        all_asleep(sleepy, name)
        wait_for(lambda: sleeps_and_wakes(sleepy, name) == 'sws',
                 what='one wake between two sleeps in the log')
        # By now it hears of its own mailbox as well.
        assert b'* 2 EXISTS' in say(client, 'NOOP')


def test_the_selected_mailbox_is_told_and_fetched(sleepy):
    name = spare(sleepy, 2)
    with sleepy.imap_session(name) as client:
        client.select()
        say(client, 'NOTIFY SET (selected (MessageNew (UID BODY.PEEK['
            'HEADER.FIELDS (SUBJECT)]) MessageExpunge FlagChange))')
        for count in (1, 2):
            all_asleep(sleepy, name)
            with sleepy.imap_session(name) as one:
                append(one, 'INBOX', 'news-%d' % count)
                heard = listen(client, rb'^\)$')
            assert heard[0] == b'* %d EXISTS' % count
            assert b'Subject: news-%d' % count in heard
        all_asleep(sleepy, name)
        with sleepy.imap_session(name) as one:
            one.select()
            one.store('1', '+FLAGS', r'(\Deleted)')
            listen(client, rb'\* 1 FETCH \(FLAGS \(.*\\Deleted')
            one.expunge()
            listen(client, rb'\* 1 EXPUNGE')


def test_its_expunges_are_told_later_and_wake_nobody(sleepy):
    name = spare(sleepy, 3)
    with sleepy.imap_session(name) as one:
        for key in 'abc':
            append(one, 'INBOX', key)
    with sleepy.imap_session(name) as client:
        client.select()
        say(client, 'NOTIFY SET (selected-delayed %s)' % NEWS)
        all_asleep(sleepy, name)
        with sleepy.imap_session(name) as one:
            one.select()
            one.store('1', '+FLAGS', r'(\Deleted)')
            listen(client, rb'\* 1 FETCH \(FLAGS \(.*\\Deleted')
        all_asleep(sleepy, name)
        with sleepy.imap_session(name) as one:
            one.select()
            one.expunge()
        all_asleep(sleepy, name)
        assert is_silent(client)
        assert say(client, 'FETCH 2 UID') == [b'* 2 FETCH (UID 2)']
        assert say(client, 'NOOP') == [b'* 1 EXPUNGE']


def test_mail_is_told_by_way_of_smtp(sleepy):
    name = spare(sleepy, 4)
    with sleepy.imap_session(name) as client:
        say(client, 'NOTIFY SET (inboxes %s)' % NEWS)
        for count in (1, 2):
            all_asleep(sleepy, name)
            sleepy.send('notified-%d' % count, name)
            assert len(listen(client, rb'\* STATUS INBOX \(MESSAGES %d '
                              % count)) == 1
        assert say(client, 'NOTIFY NONE') == []


def test_a_name_is_read_as_it_was_said(sleepy):
    """In UTF-8 only from the next command on, whatever was enabled since."""
    name = spare(sleepy, 5)
    with sleepy.imap_session(name) as client:
        assert client.create('Entw&APw-rfe')[0] == 'OK'
        say(client, 'NOTIFY SET (mailboxes Entw&APw-rfe %s)' % NEWS)
        say(client, 'ENABLE IMAP4rev2')
        all_asleep(sleepy, name)
        with sleepy.imap_session(name) as one:
            append(one, 'Entw&APw-rfe')
            assert len(listen(client, rb'\* STATUS ')) == 1
