"""Mail programs of a distribution doing their day's work: download, flag, move,
append, delete.  Each has an account of its own; one that is not installed is
skipped.  tests/system/test_mail_programs.py has those that ./check installs
anyway, tests/disaster/test_clients_go_on.py what they do after a loss."""
import os
import shutil

import pytest

from clients import (Desk, Terminal, account_section, interimap, offlineimap,
                     read)
from conftest import Server, end, message

CLIENTS = ('curl', 'fetchmail', 'getmail', 'imapfilter', 'offlineimap',
           's-nail', 'neomutt', 'alpine', 'interimap')


@pytest.fixture(scope='module')
def post(tmp_path_factory):
    """One instance, an account for each client, one more for interimap."""
    directory = '/var/tmp/firnmail-%d-%s' % (
        os.getpid(), tmp_path_factory.mktemp('clients').name)
    os.makedirs(directory, mode=0o711)
    yield Server(directory, '--cheap-hash', '--accounts', str(len(CLIENTS) + 1))
    end(directory)


@pytest.fixture
def desk(request, post, tmp_path):
    """Of the client that the test's name names: test_CLIENT_does."""
    program = next(one for one in CLIENTS if
                   one.replace('-', '_') in request.node.name)
    if not shutil.which(program):
        pytest.skip(program + ' is not installed')
    return Desk(post, CLIENTS.index(program) + 1, tmp_path)


def test_curl_reads_appends_flags_moves_and_deletes(desk):
    base = 'imaps://localhost:%d/' % desk.port

    def curl(where, *words):
        return desk.run('curl', '-sS', '--fail', '--cacert',
                        desk.server.cafile, '-u',
                        '%s:%s' % (desk.user, desk.password), base + where,
                        *words)

    assert 'INBOX' in curl('')
    assert 'Subject: two' in curl('INBOX;UID=2')
    assert 'Subject: two' in curl('INBOX;UID=2;SECTION=HEADER')
    assert curl('INBOX?SUBJECT%20three').split() == ['*', 'SEARCH', '3']
    curl('', '-X', 'CREATE Kept')
    curl('Kept', '-T', desk.write('mail', message('four')))
    curl('INBOX', '-X', 'UID MOVE 1 Kept')
    curl('INBOX', '-X', 'UID STORE 2 +FLAGS (\\Flagged)')
    curl('INBOX', '-X', 'UID STORE 3 +FLAGS.SILENT (\\Deleted)')
    curl('INBOX', '-X', 'EXPUNGE')
    assert desk.keys() == ['two'] and desk.keys('Kept') == ['four', 'one']
    assert '\\Flagged' in desk.flags('two')
    assert 'MESSAGES 2' in curl('', '-X', 'STATUS Kept (MESSAGES)')


def test_fetchmail_takes_all_mail_and_deletes_it(desk):
    rc = '''
poll localhost protocol IMAP port %d user "%s" password "%s"
    ssl sslcertfile "%s" fetchall %%s mda "cat >>%s"
''' % (desk.port, desk.user, desk.password, desk.server.cafile,
       desk.path('mbox'))
    keep = desk.write('keep', rc % 'keep')
    gone = desk.write('gone', rc % 'nokeep')
    fetch = ('fetchmail', '--pidfile', desk.path('pid'), '-f')
    desk.run(*fetch, keep)
    assert desk.keys() == ['one', 'three', 'two']
    assert '\\Seen' in desk.flags('one')
    desk.run(*fetch, gone)
    assert desk.keys() == []
    assert read(desk.path('mbox')).count('Subject: two') == 2
    desk.run(*fetch, gone, code=1)


def test_getmail_takes_new_mail_once(desk):
    for part in ('cur', 'new', 'tmp'):
        os.makedirs(desk.path('mail', part))
    rc = '''
[retriever]
type = SimpleIMAPSSLRetriever
server = localhost
port = %d
username = %s
password = %s
ca_certs = %s
mailboxes = ("INBOX",)
[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat >%s/new/$$")
allow_root_commands = true
[options]
read_all = false
delete = %%s
''' % (desk.port, desk.user, desk.password, desk.server.cafile,
       desk.path('mail'))
    desk.write('keep', rc % 'false')
    desk.write('gone', rc % 'true')
    get = ('getmail', '--getmaildir', desk.home, '--rcfile')
    desk.run(*get, 'keep')
    assert len(desk.texts('mail')) == 3
    desk.server.fill(['four'], desk.user)
    desk.run(*get, 'keep')
    assert len(desk.texts('mail')) == 4
    desk.run(*get, 'gone')
    assert desk.keys() == []


def test_imapfilter_sorts_flags_and_deletes(desk):
    rc = desk.write('config.lua', '''
options.create = true
options.subscribe = true
account = IMAP { server = 'localhost', port = %d, ssl = 'auto',
    username = '%s', password = '%s' }
all, recent, unseen, uidnext = account.INBOX:check_status()
assert(all == 3)
account.INBOX:contain_subject('one'):move_messages(account['Lists/One'])
account.INBOX:contain_subject('two'):mark_flagged()
account.INBOX:contain_subject('two'):copy_messages(account['Lists/One'])
rest = account.INBOX:contain_from('sender') * account.INBOX:is_unseen() -
    account.INBOX:is_flagged()
rest:delete_messages()
mailboxes, folders = account:list_all('Lists')
assert(#mailboxes == 1)
''' % (desk.port, desk.user, desk.password))
    desk.run('imapfilter', '-t', desk.server.cafile, '-c', rc)
    assert desk.keys() == ['two'] and '\\Flagged' in desk.flags('two')
    assert desk.keys('Lists/One') == ['one', 'two']
    with desk.server.imap_session(desk.user) as client:
        assert b'Lists/One' in client.lsub()[1][0]


def test_offlineimap_keeps_both_sides_alike(desk):
    sync = offlineimap(desk)
    sync()
    assert len(desk.texts('mail', 'INBOX')) == 3
    desk.write('mail/INBOX/new/1.local', message('up').replace('\r\n', '\n'))
    name = next(name for name in os.listdir(desk.path('mail/INBOX/new'))
                if 'Subject: two' in read(desk.path('mail/INBOX/new', name)))
    os.rename(desk.path('mail/INBOX/new', name),
              desk.path('mail/INBOX/cur', name.split(':')[0] + ':2,FS'))
    name = next(name for name in os.listdir(desk.path('mail/INBOX/new'))
                if 'Subject: one' in read(desk.path('mail/INBOX/new', name)))
    os.unlink(desk.path('mail/INBOX/new', name))
    sync()
    assert desk.keys() == ['three', 'two', 'up']
    assert {'\\Flagged', '\\Seen'} <= set(desk.flags('two'))
    sync()
    assert desk.keys() == ['three', 'two', 'up']


def test_s_nail_reads_saves_and_deletes(desk):
    login = '%s:%s' % (desk.user.replace('@', '%40'), desk.password)
    out = desk.run(
        's-nail', '-n', '-S', 'v15-compat', '-S', 'ssl-verify=ignore', '-S',
        'tls-verify=ignore', '-S', 'record=', '-R', '-N', '-f',
        'imaps://%s@localhost:%d/INBOX' % (login, desk.port),
        text='headers\ntype 2\nexit\n')
    assert 'Subject: two' in out, out
    desk.run(
        's-nail', '-n', '-S', 'v15-compat', '-S', 'tls-verify=ignore', '-S',
        'hold', '-N', '-f', 'imaps://%s@localhost:%d/INBOX' %
        (login, desk.port),
        text='copy 1 %s\nflag 2\ndelete 3\nquit\n' % desk.path('mbox'))
    assert desk.keys() == ['one', 'two']
    assert '\\Flagged' in desk.flags('two')
    assert 'Subject: one' in read(desk.path('mbox'))


def test_neomutt_tags_moves_and_deletes(desk):
    rc = desk.write('neomuttrc', '''
set imap_user="%s" imap_pass="%s" folder="imaps://localhost:%d"
set certificate_file="%s" ssl_verify_host=no ssl_force_tls=yes
set spoolfile="+INBOX" header_cache="%s" message_cachedir="%s"
set confirmappend=no confirmcreate=no delete=yes quit=yes sort=mailbox-order
set imap_qresync=yes imap_condstore=yes move=no mark_old=no
push "<limit>~s one<enter><save-message>=Kept<enter><limit>~s two<enter><flag-message><limit>~s three<enter><delete-message><limit>all<enter><quit>"
''' % (desk.user, desk.password, desk.port, desk.server.cafile,
       desk.path('headers'), desk.path('bodies')))
    with desk.server.imap_session(desk.user) as client:
        client.create('Kept')
    desk.run('script', '-qec', 'neomutt -F %s' % rc, '/dev/null')
    assert desk.keys() == ['two'] and desk.keys('Kept') == ['one']
    assert '\\Flagged' in desk.flags('two')


def test_alpine_saves_and_deletes(desk):
    where = '{localhost:%d/ssl/novalidate-cert/user="%s"}' % (desk.port,
                                                             desk.user)
    rc = desk.write('pinerc', '''
inbox-path=%sINBOX
folder-collections=Far %s[]
feature-list=expunge-without-confirm,expunge-without-confirm-everywhere,
 quit-without-confirm,save-will-quote-leading-froms,auto-move-read-msgs,
 enable-flag-cmd
last-time-prune-questions-asked=999.12
last-version-used=6.26
personal-name=Test
user-domain=demo.test
''' % (where, where))
    seat = Terminal(desk, 'alpine', '-p', rc, '-i')
    seat.expect('PASSWORD', desk.password + '\r')
    seat.expect('Preserve password', 'N')
    seat.expect('three', 'S')
    seat.expect('SAVE', 'Kept\r')
    seat.expect('Create.*No', 'Y')
    # What it says depends on how long that took.
    seat.expect('and deleted|Saving.*DONE', 'N')
    seat.expect('two', 'D')
    seat.expect('Message 2 marked for deletion', 'Q')
    assert seat.finish() == 0
    assert desk.keys() == ['three'] and desk.keys('Kept') == ['one']


def test_interimap_keeps_two_accounts_alike(desk):
    other = Desk(desk.server, len(CLIENTS) + 1, desk.home, ['far'])
    interimap(desk, account_section(desk), account_section(other))()
    assert desk.keys() == other.keys() == ['far', 'one', 'three', 'two']
