"""Domains and aliases as an administrator changes them: what he is shown is what
the server does, and what it would not take is not written."""
import imaplib
import json
import os
import subprocess

import pytest

from conftest import FALSE_RELAY, message, wait_for


class Admin:
    def __init__(self, server):
        self.server = server
        self.domain = server.domain
        self.user1, self.user2 = server.user1, server.user2

    def path(self, name):
        return os.path.join(self.server.dir, 'etc', name)

    def read(self, name):
        with open(self.path(name), encoding='utf-8') as file:
            return file.read()

    def write(self, name, text):
        with open(self.path(name), 'w', encoding='utf-8') as file:
            file.write(text)

    def run(self, *words, code=0):
        done = subprocess.run(self.server.firnmail.split() + list(words),
                              text=True, check=False, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout, done.stderr

    def rows(self, *words, code=0):
        out, _ = self.run('--json', *words, code=code)
        return [json.loads(line) for line in out.splitlines()]

    def tree(self, address, code=0):
        """(depth, step, address) of each step, and how it ended."""
        *steps, end = self.rows('alias', 'test', address, code=code)
        return [(one['depth'], one['step'], one['address'])
                for one in steps], end

    def rcpt(self, address):
        with self.server.smtp() as client:
            client.ehlo()
            client.mail('sender@there.test')
            return client.rcpt(address)[0]

    def arrives(self, address, user):
        """What is sent to the address is in the user's INBOX, and nobody's
        else's."""
        key = 'to-' + address.replace('@', '-at-')
        self.server.send(key, address)
        for one in (self.user1, self.user2):
            if one == user:
                wait_for(lambda: key in self.server.view(user).keys.values(),
                         what='mail to ' + address)
            else:
                assert key not in self.server.view(one).keys.values()


@pytest.fixture
def admin(server, tmp_path):
    config = tmp_path / 'config'
    config.write_text('match from auth for any relay\n', encoding='ascii')
    made = server('--accounts', '2', *FALSE_RELAY, '--config', str(config))
    one = Admin(made)
    one.write('aliases', '# names\n\nteam: %s\n# the end\n' % one.user1)
    text = one.read('firnmail.conf')
    if 'aliases file' not in text:
        one.write('firnmail.conf',
                  text + 'aliases file %s\n' % one.path('aliases'))
    one.run('reload')
    return one


def test_aliases_come_and_go(admin):
    assert admin.rcpt('sales@' + admin.domain) == 550
    admin.run('alias', 'add', 'sales', admin.user2)
    assert admin.rcpt('sales@' + admin.domain) == 250
    admin.run('alias', 'add', 'Team', admin.user2, 'far@away.test')
    assert admin.read('aliases') == (
        '# names\n\nteam: %s, %s, far@away.test\n# the end\nsales: %s\n' %
        (admin.user1, admin.user2, admin.user2))
    assert [(one['name'], one['targets'].count('@'))
            for one in admin.rows('alias', 'list')] == [
                ('team', 3), ('sales', 1)]
    assert [(one['kind'], one['target'])
            for one in admin.rows('alias', 'show', 'team')] == [
                ('account', admin.user1), ('account', admin.user2),
                ('elsewhere', 'far@away.test')]
    admin.run('alias', 'remove', 'team', admin.user1, 'far@away.test')
    admin.arrives('team@' + admin.domain, admin.user2)
    admin.run('alias', 'remove', 'team')
    assert admin.rcpt('team@' + admin.domain) == 550
    assert admin.read('aliases') == (
        '# names\n\n# the end\nsales: %s\n' % admin.user2)
    admin.run('alias', 'remove', 'team', code=10)
    admin.run('alias', 'remove', 'sales', 'nobody', code=10)
    admin.run('alias', 'show', 'team', code=10)
    admin.run('alias', 'add', 'sales', admin.user2, code=12)
    admin.run('alias', 'add', 'sales', code=2)


def test_what_the_server_would_not_take_is_not_written(admin):
    before = admin.read('aliases'), admin.read('firnmail.conf')
    for words in (('a', 'nobody'), ('x@else.test', admin.user1),
                  ('team', 'team'), ('@else.test', admin.user1),
                  ('a', '|sh')):
        _, said = admin.run('alias', 'add', *words, code=12)
        assert 'nothing was changed' in said
    for words in (('a:b', admin.user1), ('#a', admin.user1),
                  ('a', 'b\nroot: c'), ('a', 'b,c'), ('', 'b')):
        admin.run('alias', 'add', *words, code=2)
    admin.run('domain', 'add', admin.domain, code=12)
    admin.run('domain', 'add', 'not_a_domain', code=12)
    admin.run('domain', 'add', 'a.test', 'is', 'nowhere.test', code=12)
    admin.run('domain', 'remove', admin.domain, code=12)
    admin.run('domain', 'remove', 'nowhere.test', code=10)
    assert (admin.read('aliases'), admin.read('firnmail.conf')) == before


def test_domains_come_and_go(admin):
    before = admin.read('firnmail.conf')
    local = admin.user1.partition('@')[0]
    assert admin.rcpt(local + '@second.test') == 550
    admin.run('domain', 'add', 'second.test')
    admin.run('domain', 'add', 'Old.test', 'is', admin.domain)
    # Another domain has accounts of its own; another name has those of its
    # own domain, and its aliases.
    assert admin.rcpt(local + '@second.test') == 550
    assert admin.rcpt('team@second.test') == 250
    assert admin.rcpt(local + '@old.test') == 250
    admin.run('alias', 'add', 'only@second.test', admin.user2)
    admin.run('alias', 'add', '@second.test', admin.user2)
    assert [(one['domain'], one['accounts'], one['aliases'], one['catch_all'],
             one['is']) for one in admin.rows('domain', 'list')] == [
                 (admin.domain, 2, 0, 'no', '-'),
                 ('second.test', 0, 1, 'yes', '-'),
                 ('old.test', 0, 0, 'no', admin.domain)]
    assert len(admin.rows('domain', 'show', 'OLD.test')) == 1
    admin.run('domain', 'show', 'nowhere.test', code=10)
    admin.arrives(local + '@OLD.test', admin.user1)
    admin.arrives('nobody@second.test', admin.user2)
    # It has aliases yet; the domain of another name stays, too.
    admin.run('domain', 'remove', 'second.test', code=12)
    admin.run('alias', 'remove', 'only@second.test')
    admin.run('alias', 'remove', '@second.test')
    admin.run('domain', 'remove', 'second.test')
    admin.run('domain', 'remove', 'old.test')
    assert admin.read('firnmail.conf') == before
    assert admin.rcpt(local + '@old.test') == 550


def test_domains_in_other_scripts(admin):
    """They are what DNS has of them, in files, commands and envelopes."""
    user = 'jürgen@bücher.test'
    admin.run('domain', 'add', 'Bücher.test')
    assert 'domain Bücher.test\n' in admin.read('firnmail.conf')
    admin.run('alias', 'add', user, admin.user1, 'jürgen@straße.test')
    assert [one['domain'] for one in admin.rows('domain', 'list')] == [
        admin.domain, 'xn--bcher-kva.test']
    steps, end = admin.tree('jürgen+x@BÜCHER.test')
    assert [one[1:] for one in steps] == [
        ('address', 'jürgen+x@BÜCHER.test'),
        ('domain', 'jürgen+x@xn--bcher-kva.test'),
        ('subaddress', 'jürgen@xn--bcher-kva.test'),
        ('alias', 'jürgen@xn--bcher-kva.test'),
        ('account', admin.user1),
        ('elsewhere', 'jürgen@xn--strae-oqa.test')]
    with admin.server.smtp() as client:
        client.ehlo()
        client.mail('sender@there.test', ['SMTPUTF8'])
        # smtplib's own rcpt() would not let it pass.
        client.command_encoding = 'utf-8'
        for domain in ('bücher.test', 'xn--bcher-kva.test'):
            assert client.docmd('RCPT TO:<jürgen@%s>' % domain)[0] == 250
        assert client.docmd('RCPT TO:<nobody@bücher.test>')[0] == 550
        assert client.docmd('RCPT TO:<nobody@öffentlich.test>')[1][:5] == \
            b'5.7.1'
        assert client.data(message('in another script'))[0] == 250
    wait_for(lambda: 'in another script' in
             admin.server.view(admin.user1).keys.values(), what='mail')
    wait_for(lambda: [to for _, to in admin.server.given_to_relay()] ==
             ['jürgen@xn--strae-oqa.test'], what='what is passed on')
    admin.run('alias', 'remove', user)
    # snapctl has no library for such names: it begins anew as one that has.
    assert 'INBOX' in admin.server.snapctl('ls', 'live:' + admin.user1)
    admin.server.snapctl('ls', 'live:' + user, code=10)
    admin.run('domain', 'remove', 'bücher.test')
    assert [one['domain'] for one in admin.rows('domain', 'list')] == [
        admin.domain]


def test_a_catch_all_swallows_nobodys_mail(admin):
    admin.run('alias', 'add', '@' + admin.domain, admin.user2)
    admin.run('alias', 'add', 'info@' + admin.domain, admin.user1)
    local = admin.user1.partition('@')[0]
    for address in (admin.user1, local + '+tag@' + admin.domain,
                    'info@' + admin.domain, 'info+x@' + admin.domain,
                    'team@' + admin.domain):
        admin.arrives(address, admin.user1)
    admin.arrives('whoever@' + admin.domain, admin.user2)


def test_the_whole_way_of_an_address_is_shown(admin):
    domain, one, two = admin.domain, admin.user1, admin.user2
    admin.run('domain', 'add', 'old.test', 'is', domain)
    admin.write('aliases', '\n'.join((
        'staff: boss, team, far@away.test, %s' % one,
        'team: %s, %s' % (one, two), 'boss: %s' % two,
        '%s: %s, copy@away.test' % (two, two), '@%s: staff' % domain, '')))
    admin.run('reload')
    steps, end = admin.tree('Staff+hr@old.test')
    assert steps == [
        (0, 'address', 'Staff+hr@old.test'),
        (1, 'domain', 'Staff+hr@' + domain),
        (1, 'subaddress', 'Staff@' + domain),
        (1, 'alias', 'Staff'),
        (2, 'alias', 'boss'),
        (3, 'alias', two),
        (4, 'account', two),
        (4, 'elsewhere', 'copy@away.test'),
        (2, 'alias', 'team'),
        (3, 'account', one),
        (3, 'again', two),
        (2, 'elsewhere', 'far@away.test'),
        (2, 'again', one)]
    assert (end['end'], end['accounts'], end['elsewhere']) == (
        'delivered', 2, 2)
    steps, end = admin.tree(two)
    assert steps[1:] == [(1, 'alias', two), (2, 'keeps', two),
                         (2, 'elsewhere', 'copy@away.test')]
    steps, end = admin.tree('who@' + domain)
    assert steps[1] == (1, 'catch-all', '@' + domain)
    assert (end['accounts'], end['elsewhere']) == (2, 2)
    steps, _ = admin.tree('postmaster@' + domain)
    assert steps[1:] == [(1, 'first-account', 'postmaster')]
    steps, _ = admin.tree(one)
    assert steps[1:] == [(1, 'account', one)]
    _, end = admin.tree('x@elsewhere.test', code=10)
    assert end['end'] == 'Relaying denied'
    out, _ = admin.run('alias', 'test', 'team@' + domain)
    assert '    ' + one in out and not out.startswith('{')


def test_loops_and_too_much_are_named(admin):
    lines = ['n%d: n%d' % (n, n + 1) for n in range(18)]
    lines += ['n18: ' + admin.user1, 'a: b', 'b: c, gone, ' + admin.user1,
              'c: a']
    admin.write('aliases', '\n'.join(lines) + '\n')
    steps, _ = admin.tree('a@' + admin.domain, code=78)
    assert steps[1:] == [(1, 'alias', 'a'), (2, 'alias', 'b'),
                         (3, 'alias', 'c'), (4, 'loop', 'a'),
                         (3, 'unknown', 'gone'), (3, 'account', admin.user1)]
    steps, _ = admin.tree('n0@' + admin.domain, code=78)
    assert steps[-1] == (18, 'too-deep', 'n17')
    lines = ['g%d: %s' % (g, ', '.join('%d.%d@b.test' % (g, n)
                                       for n in range(201)))
             for g in range(5)] + ['all: g0, g1, g2, g3, g4']
    admin.write('aliases', '\n'.join(lines) + '\n')
    steps, _ = admin.tree('all@' + admin.domain, code=78)
    assert [one[2] for one in steps if one[1] == 'too-many'] == [
        '4.%d@b.test' % n for n in range(196, 201)]


def test_an_account_is_shown_retired_and_revived(admin):
    shown, = admin.rows('account', 'show', admin.user1.upper())
    assert (shown['address'], shown['login'], shown['class'], shown['quota'],
            shown['sends_a_day']) == (admin.user1, 'yes', '-', 0, 0)
    assert shown['bytes_a_day'] == 50 << 30
    admin.run('account', 'show', 'nobody@' + admin.domain, code=10)
    admin.run('account', 'retire', admin.user1)
    with pytest.raises(imaplib.IMAP4.error):
        admin.server.imap(admin.user1)
    assert admin.rcpt(admin.user1) == 250
    admin.run('account', 'retire', admin.user1, code=12)
    admin.run('account', 'revive', admin.user1)
    admin.server.imap(admin.user1).logout()
    text = admin.read('firnmail.conf')
    admin.write('firnmail.conf', text + 'limit send 7/day class free\n')
    users = admin.read('users')
    admin.write('users', users.replace('firnmail_id=1',
                                       'firnmail_class=free firnmail_id=1'))
    shown, = admin.rows('account', 'show', admin.user1)
    assert (shown['class'], shown['sends_a_day']) == ('free', 7)
