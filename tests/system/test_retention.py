"""What is kept, and who may change it: the verbs of snapctl on a running
instance."""
import json
import os
import subprocess

import pytest

from conftest import message, wait_for

USUAL = '15m for 1d, 1h for 1w, 1d for 90d minimum 30d'


class Store:
    def __init__(self, server):
        self.server = server
        self.command = server.snapctl_command.split()

    def run(self, *words, code=0):
        done = subprocess.run(self.command + list(words), text=True,
                              check=False, timeout=60, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout, done.stderr

    def rows(self, *words):
        return [json.loads(line) for line in
                self.run('--json', *words)[0].splitlines()]

    def policies(self):
        return [(row['state'], row['keep']) for row in
                self.rows('keep', 'show')]


@pytest.fixture
def store(server):
    return Store(server())


def set_directive(store, word, values):
    path = os.path.join(store.server.dir, 'etc/firnmail.conf')
    with open(path, encoding='utf-8') as file:
        lines = [line for line in file if not line.startswith(word + ' ')]
    with open(path, 'w', encoding='utf-8') as file:
        file.write(''.join(lines) + '%s %s\n' % (word, values))


def configure(store, keep):
    set_directive(store, 'keep', keep)


def reload(store):
    subprocess.run(store.server.firnmail.split() + ['reload'], check=True,
                   timeout=60, stdout=subprocess.DEVNULL)


def test_policy_of_the_configuration_is_in_force(store):
    assert store.policies() == [('in-force', USUAL)]
    assert store.rows('keep', 'show')[0]['from'] == 'configuration'


def test_longer_is_at_once_and_shorter_waits(store):
    longer = '15m for 1d, 1h for 1w, 1d for 90d, 1w for 3y minimum 60d'
    store.run('keep', 'set', longer)
    assert store.policies() == [('in-force', longer)]
    store.run('keep', 'set', '--dry-run', '1d for 2d minimum 1d')
    assert store.policies() == [('in-force', longer)]
    store.run('keep', 'set', '1d for 2d minimum 1d')
    assert store.policies() == [('ends', longer),
                                ('in-force', '1d for 2d minimum 1d')]
    assert 'policy' in store.run('log')[0]
    # Nor does a restart end the wait, and the configuration of before is no
    # new word.
    store.server.stop()
    store.server.start()
    assert store.policies() == [('ends', longer),
                                ('in-force', '1d for 2d minimum 1d')]


def test_reload_goes_through_the_same_ratchet(store):
    configure(store, '15m for 24h minimum 1d')
    reload(store)
    assert store.policies() == [('ends', USUAL),
                                ('in-force', '15m for 1d minimum 1d')]


def test_no_restart_gives_an_account_more_than_a_days_allowance(store):
    def append(user=None):
        with store.server.imap_session(user) as client:
            status, text = client.append('INBOX', None, None,
                                         message('x').encode())
            return status == 'OK' or text[0].split(b']')[0]

    set_directive(store, 'max-account-changes', '5')
    store.server.stop()
    store.server.start()
    assert [append() for _ in range(6)] == [True] * 5 + [b'[LIMIT']
    reload(store)
    assert append() == b'[LIMIT'
    store.server.kill('snapd')
    wait_for(lambda: append() == b'[LIMIT', what='refused by a new snapd')
    store.server.stop()
    store.server.start()
    assert append() == b'[LIMIT'
    assert store.server.send('mail')[0] == 452
    assert append(store.server.user2) is True
    # Nothing that is there goes for it; and more is at once.
    assert store.server.view().exists == 5
    set_directive(store, 'max-account-changes', '6')
    reload(store)
    wait_for(lambda: append() is True, what='more')


def test_policy_that_is_none_is_refused(store):
    for text in ('', '1d', '1d for 1h minimum 1d', '1d for 2d',
                 '1d for 2d minimum 0s'):
        store.run('keep', 'set', text, code=2)
    assert store.policies() == [('in-force', USUAL)]


def test_ninth_policy_that_waits_is_refused(store):
    for days in range(29, 22, -1):
        store.run('keep', 'set', '1d for 90d minimum %dd' % days)
    store.run('keep', 'set', '1d for 90d minimum 22d', code=12)
    store.run('keep', 'set', '--dry-run', '1d for 90d minimum 22d', code=12)
    assert len(store.policies()) == 8


def test_hold_stays_until_some_time_after_its_release(store):
    user = store.server.user1
    store.run('create', '--name', 'before')
    row = store.rows('hold', '-m', 'a case', 'case-7',
                     'before:%s/INBOX' % user)[0]
    assert (row['tag'], row['account'], row['ends_in'], row['why']) == \
        ('case-7', user, '-', 'a case')
    store.run('hold', 'case-7', 'before:%s/INBOX' % user, code=1)
    store.run('hold', 'case-7', 'before:%s/None' % user, code=10)
    store.run('hold', 'case-7', 'nowhere', code=10)
    assert [hold['tag'] for hold in store.rows('holds')] == ['case-7']
    store.run('release', 'case-8', 'before', code=10)
    released = store.rows('release', 'case-7', 'before:%s/INBOX' % user)
    assert [hold['ends_in'] for hold in released] == ['30d']
    store.run('release', 'case-7', 'before', code=10)
    store.server.stop()
    store.server.start()
    assert [hold['tag'] for hold in store.rows('holds')] == ['case-7']


def test_state_that_is_held_is_a_snapshot(store):
    row = store.rows('hold', 'now', 'live')[0]
    assert row['snapshot'] in {snapshot['id'][:8] for snapshot in
                               store.rows('list')}
    released = store.rows('release', 'now', row['snapshot'])
    assert len(released) == 1 and released[0]['ends_in'] == '30d'


def test_there_is_no_word_that_removes(store):
    for verb in ('destroy', 'prune', 'forget', 'delete'):
        assert 'Nothing removes' in store.run(verb, code=2)[1]
    # With whatever options it has elsewhere.
    done = subprocess.run([store.server.snapctl_command.split()[0], 'destroy',
                           '-r', 'latest'], check=False, text=True,
                          stderr=subprocess.PIPE)
    assert (done.returncode, 'Nothing removes' in done.stderr) == (2, True)


def firnmail(store, *words, text='', code=0):
    done = subprocess.run(store.server.firnmail.split() + list(words),
                          input=text, text=True, check=False, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_purge_takes_two_words_and_the_minimum(store):
    user = store.server.user1
    assert 'can log in' in firnmail(store, 'account', 'purge-request', user,
                                    text=user + '\n', code=12)
    users = os.path.join(store.server.dir, 'etc/users')
    with open(users, encoding='utf-8') as file:
        lines = [line.rstrip('\n') + ' nologin' if line.startswith(user)
                 else line.rstrip('\n') for line in file]
    with open(users, 'w', encoding='utf-8') as file:
        file.write('\n'.join(lines) + '\n')
    firnmail(store, 'reload')
    assert 'not the address' in firnmail(
        store, 'account', 'purge-request', user, text='yes\n', code=1)
    firnmail(store, 'account', 'purge-confirm', user, text=user + '\n',
             code=10)
    assert '30d' in firnmail(store, 'account', 'purge-request', user,
                             text=user + '\n')
    firnmail(store, 'account', 'purge-request', user, text=user + '\n',
             code=12)
    assert 'are left' in firnmail(store, 'account', 'purge-confirm', user,
                                  text=user + '\n', code=12)
    firnmail(store, 'account', 'purge-withdraw', user)
    firnmail(store, 'account', 'purge-withdraw', user, code=10)
    assert [row['detail'] for row in store.rows('log')
            if row['event'] == 'erasure'] == ['requested', 'withdrawn']


def openssl(*words, data=None):
    return subprocess.run(['openssl', *words], input=data, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60).stdout


def make_key(path):
    """A key of an administrator, as openssl makes one: its public half."""
    openssl('genpkey', '-algorithm', 'ed25519', '-out', path)
    return openssl('pkey', '-in', path, '-pubout', '-outform', 'DER')[-32:].hex()


def sign_all(keys, paths, statement, folder):
    """The options of snapctl keep: each key's signature of the statement."""
    file = folder / 'statement'
    file.write_bytes(bytes.fromhex(statement))
    words = []
    for key, path in zip(keys, paths):
        words += ['--sign', key + ':' + openssl(
            'pkeyutl', '-sign', '-rawin', '-inkey', path, '-in',
            str(file)).hex()]
    return words


def test_two_administrators_sign_with_openssl(store, tmp_path):
    brief = '1d for 2d minimum 1d'
    paths = [str(tmp_path / name) for name in ('one', 'two')]
    keys = [make_key(path) for path in paths]
    for key in keys:
        store.run('keep', 'add-key', key)
    assert [row['value'] for row in store.rows('keep', 'keys')] == keys
    store.run('keep', 'set', brief, code=12)
    statement = [row['value'] for row in
                 store.rows('keep', 'set', '--dry-run', brief)
                 if row.get('name') == 'statement'][0]
    signs = sign_all(keys, paths, statement, tmp_path)
    store.run('keep', 'set', *signs[:2], brief, code=12)
    store.run('keep', 'set', '--sign', 'nonsense', brief, code=2)
    store.run('keep', 'set', *signs, brief)
    assert store.policies()[-1] == ('in-force', brief)


def test_key_of_an_administrator_leaves_with_two_signatures(store, tmp_path):
    paths = [str(tmp_path / name) for name in ('one', 'two')]
    keys = [make_key(path) for path in paths]
    for key in keys:
        store.run('keep', 'add-key', key)
    store.run('keep', 'remove-key', keys[1], code=12)
    statement = store.rows('keep', 'remove-key', '--dry-run',
                           keys[1])[0]['value']
    signs = sign_all(keys, paths, statement, tmp_path)
    store.run('keep', 'remove-key', *signs, keys[1])
    listed = [(row['name'], row['value']) for row in
              store.rows('keep', 'keys')]
    assert listed[:2] == [('admin_key', keys[0]), ('leaving_key', keys[1])]
    assert 29 * 86400 < int(listed[2][1]) <= 30 * 86400
    store.run('keep', 'set', '1d for 2d minimum 1d', code=12)
