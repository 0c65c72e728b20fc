"""Debian's Roundcube, served by `php -S`, with a configuration of its own."""
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import urllib.request

from stand import TOP, wait_for

sys.path.insert(0, str(TOP / 'tests'))
# pylint: disable=wrong-import-position
from ports import free_ports

ROUNDCUBE = pathlib.Path('/usr/share/roundcube')
CONFIG = '''<?php
$config['db_dsnw'] = 'sqlite:///%(dir)s/db?mode=0600';
$config['log_dir'] = '%(dir)s/logs/';
$config['temp_dir'] = '%(dir)s/temp/';
$config['imap_host'] = 'ssl://127.0.0.1:%(imaps)d';
$config['smtp_host'] = 'tls://127.0.0.1:%(submission)d';
$config['smtp_user'] = '%%u';
$config['smtp_pass'] = '%%p';
$own = ['ssl' => ['cafile' => '%(ca)s', 'peer_name' => '%(name)s']];
$config['imap_conn_options'] = $own;
$config['smtp_conn_options'] = $own;
$config['des_key'] = 'a-key-of-24-characters--';
$config['plugins'] = [];
$config['enable_spellcheck'] = false;
'''


class Webmail:
    """One user's way to `server`, which has imaps, submission and ca."""

    def __init__(self, folder, server):
        self.dir = folder / 'roundcube'
        for part in ('logs', 'temp', 'config'):
            (self.dir / part).mkdir(parents=True)
        for name in ('defaults.inc.php', 'mimetypes.php'):
            shutil.copy(pathlib.Path('/etc/roundcube') / name,
                        self.dir / 'config')
        (self.dir / 'config/config.inc.php').write_text(CONFIG % dict(
            dir=self.dir, imaps=server.imaps, submission=server.submission,
            ca=server.ca, name='localhost'), encoding='utf-8')
        with sqlite3.connect(self.dir / 'db') as database:
            database.executescript(
                (ROUNDCUBE / 'SQL/sqlite.initial.sql').read_text('utf-8'))
        port = free_ports(1)[0]
        self.url = 'http://127.0.0.1:%d/' % port
        self.log = open(self.dir / 'php.log', 'wb')
        self.php = subprocess.Popen(
            ['php', '-S', '127.0.0.1:%d' % port, '-t', '/var/lib/roundcube'],
            stdout=self.log, stderr=self.log,
            env=dict(os.environ,
                     ROUNDCUBE_CONFIG_DIR=str(self.dir / 'config')))
        wait_for(lambda: urllib.request.urlopen(self.url), 'Roundcube')

    def stop(self):
        self.php.terminate()
        self.php.wait()
        self.log.close()
