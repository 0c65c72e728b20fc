"""The servers of the exchange: each with a host of its own (net_hosts), its
configuration, and its user's mail.  Exim and OpenSMTPD, which Debian does not
install beside Postfix, come by `apt-get download` and are unpacked below a folder
(or $PEERS, where they may lie already)."""
import glob
import hashlib
import os
import pwd
import smtplib
import subprocess
import tempfile

import conftest

USERS = ('Debian-exim:x:64001:64001::/:/usr/sbin/nologin',
         'opensmtpd:x:64002:64002::/:/usr/sbin/nologin',
         'opensmtpq:x:64003:64003::/:/usr/sbin/nologin')
NAMESERVER = '203.0.113.2'

# Postfix has no MTA-STS of its own: these lines of its map are what a resolver
# of policies answers it.
POSTFIX_MAIN = '''compatibility_level = 3.6
queue_directory = {dir}/spool
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.postfix.example
mydestination =
alias_maps =
inet_interfaces = {address}
inet_protocols = ipv4
mynetworks = {address}/32
virtual_mailbox_domains = postfix.example
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = inline:{{ {{ user@postfix.example = user/Maildir/ }} }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
virtual_minimum_uid = 1
smtpd_tls_security_level = may
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtp_tls_security_level = dane
smtp_dns_support_level = dnssec
smtp_tls_loglevel = 1
smtp_tls_CAfile = {authority}
smtp_tls_policy_maps = inline:{{
 {{ sts.example = secure match=mail.sts.example }}
 {{ forged-sts.example = secure match=mail.forged-sts.example }} }}
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
maillog_file = {dir}/maillog
maillog_file_prefixes = {dir}
'''
POSTFIX_MASTER = '''{address}:25 inet n - n - - smtpd
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
relay unix - - n - - smtp
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
showq unix n - n - - showq
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
'''
EXIM_CONF = '''primary_hostname = mail.exim.example
exim_path = {exim}
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {dir}/spool
log_file_path = {dir}/log/%slog
pid_file_path = {dir}/exim.pid
local_interfaces = {address}
daemon_smtp_ports = 25
domainlist ours = exim.example : sts.example : plain.example : \
  forged-dane.example : forged-sts.example : forged-plain.example
tls_advertise_hosts = *
tls_certificate = {cert}
tls_privatekey = {key}
dns_dnssec_ok = 1
acl_smtp_rcpt = rcpt
ignore_bounce_errors_after = 1h
queue_run_in_order = false
begin acl
rcpt:
  accept domains = +ours
         verify = recipient
  deny   domains = +ours
         message = 5.1.1 nobody of that name
  accept hosts = {address}
  deny
begin routers
ours:
  driver = accept
  domains = +ours
  local_parts = user : postmaster
  transport = maildir
others:
  driver = dnslookup
  domains = ! +ours
  transport = smtp
  dnssec_request_domains = *
  no_more
begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = {dir}/mail/user/Maildir
  create_directory
  user = Debian-exim
smtp:
  driver = smtp
  hosts_try_dane = *
  dnssec_request_domains = *
begin retry
* * F,1h,5s
'''
SMTPD_CONF = '''pki mail.smtpd.example cert "{cert}"
pki mail.smtpd.example key "{key}"
listen on {address} port 25 hostname mail.smtpd.example
listen on {address} port 26 tls pki mail.smtpd.example
table users {{ "user@smtpd.example" = "mail" }}
action "deliver" maildir "{dir}/mail/%{{rcpt.user}}/Maildir" virtual <users>
action "relay" relay helo mail.smtpd.example
match from any for domain "smtpd.example" action "deliver"
match from src {address} for any action "relay"
match from local for any action "relay"
'''
FIRNMAIL_LINES = '''listen smtp on {address} port 25 tls
ca-certificates file {authority}
aliases file {dir}/aliases
queue retry 2s retry-most 4s delay-notice 10s
'''
# For reports of each kind.
ALIASES = '''gone: nobody@postfix.example
late: user@away.example
elsewhere: user@exim.example
everyone: user1, user2
'''


def run(*command, **options):
    return subprocess.run(command, check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **options).stdout


def key_digest(certificate):
    """Of its public key: TLSA 3 1 1."""
    key = subprocess.run(
        ['sh', '-c', 'openssl x509 -in "$0" -noout -pubkey | '
         'openssl pkey -pubin -outform DER', certificate], check=True,
        stdout=subprocess.PIPE).stdout
    return hashlib.sha256(key).hexdigest()


class Authority:
    """Of the test: whom Firnmail and Postfix are told to trust."""

    def __init__(self, top):
        self.dir = os.path.join(top, 'authority')
        os.makedirs(self.dir)
        os.chmod(self.dir, 0o755)
        self.cert, self.key = self.make('authority', 'authority.example', ())

    def make(self, name, subject, names, is_ours=True):
        """The files of a new certificate and its key."""
        cert, key = (os.path.join(self.dir, '%s.%s' % (name, one))
                     for one in ('pem', 'key'))
        signed = ('-CA', self.cert, '-CAkey', self.key) \
            if names and is_ours else ()
        kind = ('-addext', 'basicConstraints=critical,CA:FALSE', '-addext',
                'subjectAltName=' + ','.join('DNS:' + one for one in names)) \
            if names else ()
        run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
            'ec_paramgen_curve:P-256', '-nodes', '-out', cert, '-keyout', key,
            '-days', '2', '-subj', '/CN=' + subject, *signed, *kind)
        return cert, key


class Peer:
    """A server: its domains, and where its user's mail comes to lie."""

    # pylint: disable=too-many-arguments
    def __init__(self, top, host, authority, domain, *domains):
        self.dir = os.path.join(top, host.name)
        os.makedirs(self.dir)
        os.chmod(self.dir, 0o755)
        self.host, self.name, self.address = host, host.name, host.address
        self.domain, self.authority = domain, authority
        self.user = 'user@' + domain
        self.process = None
        self.cert, self.key = authority.make(
            host.name, 'mail.' + domain,
            ['mail.' + one for one in (domain, *domains)])

    def write(self, name, text, **values):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='ascii') as file:
            file.write(text.format(
                dir=self.dir, address=self.address, cert=self.cert,
                key=self.key, authority=self.authority.cert, **values))
        return path

    def folder(self, name, owner, mode=0o755):
        path = os.path.join(self.dir, name)
        os.makedirs(path, exist_ok=True)
        os.chown(path, *(pwd.getpwnam(owner)[2:4]))
        os.chmod(path, mode)

    def begin(self):
        with self.host.inside():
            self.start()

    def end(self):
        with self.host.inside():
            self.stop()

    def run(self, *command):
        with open(self.dir + '/out', 'wb') as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def said(self, name='out'):
        with open(os.path.join(self.dir, name), encoding='utf-8',
                  errors='replace') as file:
            return file.read()

    def mails(self):
        found = glob.glob(self.dir + '/mail/user/Maildir/*/*')
        for path in found:
            with open(path, 'rb') as file:
                yield file.read().replace(b'\r\n', b'\n').replace(
                    b'\n', b'\r\n')

    def send(self, key, recipient):
        with self.host.inside(), smtplib.SMTP(
                self.address, 25, timeout=20, source_address=(
                    self.address, 0)) as client:
            client.sendmail(self.user, recipient, conftest.message(
                key).replace('sender@there.test', self.user))

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


class Postfix(Peer):
    def start(self):
        self.folder('data', 'postfix')
        self.folder('spool/pid', 'root')
        self.folder('mail', 'mail')
        self.write('etc/main.cf', POSTFIX_MAIN, uid=pwd.getpwnam('mail')[2])
        self.write('etc/master.cf', POSTFIX_MASTER)
        run('postfix', '-c', self.dir + '/etc', 'start')

    def stop(self):
        run('postfix', '-c', self.dir + '/etc', 'stop')


class Exim(Peer):
    def start(self):
        for one in ('spool', 'log', 'mail'):
            self.folder(one, 'Debian-exim')
        os.chown(self.key, *(pwd.getpwnam('Debian-exim')[2:4]))
        program = os.path.join(peers(), 'usr/sbin/exim4')
        path = self.write('exim.conf', EXIM_CONF, exim=program)
        self.run(program, '-C', path, '-bdf', '-q2s')


class Smtpd(Peer):
    def start(self):
        self.folder('spool', 'root', 0o711)
        self.folder('mail', 'mail')
        for path in ('/usr/libexec', '/var/spool', '/var/lib'):
            upper, work = (tempfile.mkdtemp(dir=self.dir) for _ in range(2))
            os.chmod(upper, 0o755)
            run('mount', '-t', 'overlay', 'overlay', '-o',
                'lowerdir=%s,upperdir=%s,workdir=%s' % (path, upper, work),
                path)
        for path in ('/usr/libexec/opensmtpd', '/var/spool/smtpd',
                     '/var/lib/opensmtpd/empty'):
            os.makedirs(path, exist_ok=True)
        run('mount', '--bind', peers() + '/usr/libexec/opensmtpd',
            '/usr/libexec/opensmtpd')
        run('mount', '--bind', self.dir + '/spool', '/var/spool/smtpd')
        path = self.write('smtpd.conf', SMTPD_CONF)
        self.run(peers() + '/usr/sbin/smtpd', '-d', '-v', '-f', path)


class Firnmail(Peer):
    """The instance of the built tree; its mail is read over IMAP."""

    def __init__(self, top, host, authority, domain, lines):
        super().__init__(top, host, authority, domain)
        path = self.write('lines', conftest.RELAYING + FIRNMAIL_LINES)
        with open(path, 'a', encoding='ascii') as file:
            file.write(lines)
        self.write('aliases', '')
        with self.host.inside():
            self.server = conftest.Server(
                self.dir + '/run', '--accounts', '2', '--domain', domain,
                '--config', path)
            self.write('aliases', ALIASES)
            run(*self.server.firnmail.split(), 'reload')
        self.user, self.cert = self.server.user1, self.server.cafile

    def start(self):
        pass

    def mails(self):
        with self.host.inside(), self.server.imap_session() as client:
            client.select('INBOX')
            for uid in client.uid('SEARCH', 'ALL')[1][0].split():
                yield client.uid('FETCH', uid, 'BODY.PEEK[]')[1][0][1]

    def send(self, key, recipient):
        """The queue id."""
        with self.host.inside(), self.server.submission() as client:
            return self.server.submit(client, key, [recipient])

    def send_as(self, sender, key, recipient, notify):
        """A program of root's: with sendmail, for whoever it says."""
        subprocess.run(
            [os.path.join(conftest.BUILD, 'sendmail/sendmail'), '-f', sender,
             '-N', notify, recipient], check=True, text=True,
            input=conftest.message(key), env={
                'FIRNMAIL_SUBMIT': os.path.join(self.server.dir,
                                                'run/submit.sock')})

    def stop(self):
        self.server.stop()


def peers():
    return os.environ['PEERS']


def fetch_peers(top):
    """Unpacks the two packages, unless they lie somewhere."""
    os.environ.setdefault('PEERS', os.path.join(top, 'peers'))
    if os.path.exists(peers() + '/usr/sbin/smtpd'):
        return
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        run('apt-get', 'download', 'opensmtpd', 'exim4-daemon-light',
            cwd=folder)
        for path in glob.glob(folder + '/*.deb'):
            run('dpkg', '-x', path, peers())


def hide_system(top):
    """Users and resolver of our own, for this mount namespace."""
    for name in ('passwd', 'group'):
        with open('/etc/' + name, encoding='utf-8') as file:
            lines = file.read().splitlines()
        for user in USERS:
            fields = user.split(':')
            lines = [one for one in lines
                     if one.split(':')[0] != fields[0]]
            lines.append(user if name == 'passwd' else
                         '%s:x:%s:' % (fields[0], fields[3]))
        with open(os.path.join(top, name), 'w', encoding='utf-8') as file:
            file.write('\n'.join(lines) + '\n')
        run('mount', '--bind', os.path.join(top, name), '/etc/' + name)
    with open(os.path.join(top, 'resolv.conf'), 'w', encoding='ascii') as file:
        file.write('nameserver %s\noptions edns0 trust-ad\n' % NAMESERVER)
    path = os.path.realpath('/etc/resolv.conf')
    run('mount', '--bind', os.path.join(top, 'resolv.conf'), path)
