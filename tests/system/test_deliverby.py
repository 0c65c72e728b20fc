"""Mail with a time to be delivered by (DELIVERBY, RFC 2852)."""
import re

import pytest

from conftest import FALSE_RELAY, RELAYING, wait_for
from test_outgoing import NextHost, Outgoing, check_report


@pytest.fixture(name='host')
def fixture_host():
    made = NextHost()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(name='sender')
def fixture_sender(server, tmp_path, host):
    config = tmp_path / 'config'
    config.write_text(RELAYING + 'relay via 127.0.0.1 port %d\n' % host.port)
    return Outgoing(server('--accounts', '1', '--config', str(config)))


def reported(report, user):
    of_message, recipients, _ = check_report(report, user)
    assert of_message['Deliver-By-Date']
    return [(got['Final-Recipient'], got['Action'], got['Status'])
            for got in recipients]


def test_the_next_host_hears_the_time_that_is_left(sender, host):
    host.extensions = ['DELIVERBY 30']
    with sender.server.submission() as client:
        assert client.has_extn('deliverby')
    sender.send('back', 'a@far.test', mail=['BY=600;R'])
    sender.send('told', 'b@far.test', mail=['BY=600;N'])
    sender.send('traced', 'c@far.test', mail=['BY=600;RT'])
    wait_for(lambda: len(host.taken) == 3, what='mail at the next host')
    said = {}
    for envelope, body in host.taken:
        subject = re.search(rb'Subject: (\w+)', body).group(1).decode()
        left, mode = re.search(r' BY=(\d+);(\w+)', envelope[0]).groups()
        assert 0 < int(left) <= 600
        said[subject] = mode
    assert said == {'back': 'R', 'told': 'N', 'traced': 'RT'}
    # Who follows it hears where it went.
    report, = sender.reports(1)
    assert reported(report, sender.user) == [
        ('rfc822;c@far.test', 'relayed', '2.0.0')]


def test_what_the_next_host_does_not_keep_to_is_told_or_returned(sender, host):
    sender.send('back', 'a@far.test', mail=['BY=600;R'])
    sender.send('told', 'b@far.test', mail=['BY=600;N'])
    reports = [reported(report, sender.user) for report in sender.reports(2)]
    assert sorted(reports) == [
        [('rfc822;a@far.test', 'failed', '5.4.7')],
        [('rfc822;b@far.test', 'relayed', '2.0.0')]]
    (envelope, body), = host.taken
    assert b'told' in body and 'BY=' not in envelope[0]


def test_what_waits_too_long_is_told_or_returned(server, tmp_path):
    config = tmp_path / 'config'
    config.write_text(RELAYING)
    one = Outgoing(server('--accounts', '1', *FALSE_RELAY, '--config',
                          str(config)))
    one.send('back', 'late@far.test', mail=['BY=1;R'])
    one.send('told', 'late@other.test', mail=['BY=1;N'])
    one.send('quiet', 'late@third.test', mail=['BY=1;N'],
             options=['NOTIFY=FAILURE'])
    one.send('early', 'late@fourth.test', mail=['BY=3600;N'])
    (back,), (told,) = sorted(
        reported(report, one.user) for report in one.reports(2))
    assert back == ('rfc822;late@far.test', 'failed', '5.4.7')
    assert told[:2] == ('rfc822;late@other.test', 'delayed')
    wait_for(lambda: len(one.rows('queue')) == 3, what='three that wait')


def test_a_time_that_cannot_be_is_refused(sender):
    with sender.server.submission() as client:
        for words in (['BY=0;R'], ['BY=60'], ['BY=60;R', 'HOLDFOR=120']):
            assert client.mail(sender.user, words)[0] == 501
        assert client.mail(sender.user, ['BY=60;N', 'HOLDFOR=120'])[0] == 250
    # What is for here is there.
    with sender.server.smtp() as client:
        client.ehlo()
        assert client.has_extn('deliverby')
        assert client.mail('x@there.test', ['BY=1;R'])[0] == 250
        assert client.rcpt(sender.user)[0] == 250
        assert client.data('Subject: here\r\n\r\nx\r\n')[0] == 250
    wait_for(lambda: [mail['Subject'] for mail in sender.inbox()] == ['here'],
             what='mail')
