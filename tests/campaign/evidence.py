"""Results of long runs as lines in docs/evidence: date, commit, machine, what
was run, what came out.  One line a result, never changed afterwards; a file for
each step.  A result holds for the commit that it names and for later ones that
do not differ from it in code: that is what makes a campaign resumable."""
import datetime
import os
import platform
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))))
FOLDER = os.path.join(TOP, 'docs/evidence')
# A change of these leaves results as they were.
NOT_CODE = (':!docs', ':!tests/campaign', ':!HACKING', ':!README', ':!CHANGES')


def git(*words):
    return subprocess.run(['git', '-C', TOP, *words], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def commit():
    """The commit that is checked out; + marks a tree with changes."""
    name = git('rev-parse', '--short=10', 'HEAD').stdout.strip()
    changed = git('status', '--porcelain', '--untracked-files=no', '--', '.',
                  *NOT_CODE).stdout
    return (name or 'none') + ('+' if changed else '')


# Of the code that runs: what is checked out meanwhile does not count.
STARTED_AT = commit()


def file_system(path):
    return subprocess.run(
        ['findmnt', '-n', '-o', 'FSTYPE', '-T', path], text=True, check=False,
        stdout=subprocess.PIPE).stdout.strip() or 'unknown'


def machine(path):
    release = '.'.join(platform.release().split('-')[0].split('.')[:2])
    return '%d cores, %s %s, %s' % (os.cpu_count(), platform.system(),
                                    release, file_system(path))


def line_of(fields):
    return ' '.join('%s=%s' % (key, '"%s"' % value if ' ' in str(value)
                               else value) for key, value in fields.items())


def add(step, fields, path=TOP, of_commit=None):
    """Appends one result and shows it.  path: where its files lay."""
    today = datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%d')
    line = line_of({'date': today, 'commit': of_commit or STARTED_AT,
                    'machine': machine(path), **fields})
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, step), 'a', encoding='utf-8') as file:
        file.write(line + '\n')
    print('%s: %s' % (step, line), flush=True)


def holds(name):
    """Whether a result of that commit is one of the code that is here."""
    if name.endswith('+') or commit().endswith('+'):
        return False
    return git('diff', '--quiet', name, 'HEAD', '--', '.',
               *NOT_CODE).returncode == 0


def good_lines(step, identity):
    """The good results of that identity for this code."""
    words = line_of(identity) + ' '
    try:
        with open(os.path.join(FOLDER, step), encoding='utf-8') as file:
            lines = [line for line in file if words in line + ' ']
    except FileNotFoundError:
        return []
    return [line for line in lines if 'result=ok' in line and
            holds(line.split('commit=')[1].split()[0])]


def had(step, identity):
    """How many of them there are."""
    return len(good_lines(step, identity))
