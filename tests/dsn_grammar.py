"""The grammar of message/delivery-status (RFC 3464 section 2, RFC 6533), read from
the bytes of a report, and not by what a mail library makes of them."""
import email.utils
import re

DATES = {'arrival-date', 'last-attempt-date', 'will-retry-until',
         'deliver-by-date'}
MESSAGE = {'original-envelope-id', 'reporting-mta', 'dsn-gateway',
           'received-from-mta', 'arrival-date',
           'deliver-by-date'}  # RFC 2852
RECIPIENT = {'original-recipient', 'final-recipient', 'action', 'status',
             'remote-mta', 'diagnostic-code', 'last-attempt-date',
             'final-log-id', 'will-retry-until'}
ACTIONS = {'failed': '5', 'delayed': '4', 'delivered': '2', 'relayed': '2',
           'expanded': '2'}
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
TYPED = re.compile(r'(%s) ?; ?(.+)' % ATOM)
STATUS = re.compile(r'([245])\.[0-9]{1,3}\.[0-9]{1,3}')


def fields_of(block, allowed):
    """{name: value} of one group: each field once, and none that is not known
    but extensions; long lines folded, no byte beyond ASCII."""
    fields = {}
    for line in re.sub(r'\r\n(?=[ \t])', '', block).split('\r\n'):
        assert len(line) <= 998 and line.isascii(), line
        name, colon, value = line.partition(':')
        assert colon and re.fullmatch(ATOM, name), line
        name, value = name.lower(), value.strip()
        assert name in allowed or name.startswith('x-'), line
        assert name not in fields and value, line
        fields[name] = value
        if name in DATES:
            assert email.utils.parsedate_to_datetime(value), line
        elif name.endswith('-mta'):
            assert TYPED.fullmatch(value).group(1) == 'dns', line
        elif name.endswith('-recipient'):
            kind, address = TYPED.fullmatch(value).groups()
            assert kind in ('rfc822', 'utf-8') and '@' in address, line
        elif name == 'diagnostic-code':
            kind, words = TYPED.fullmatch(value).groups()
            assert kind == 'smtp' and re.match(r'[245]\d\d ', words), line
    return fields


def check(part):
    """The groups of the bytes of such a part, behind its own header: the message,
    and each recipient."""
    text = part.decode('ascii')
    assert '\r\n' in text and not re.search(r'(?<!\r)\n|\r(?!\n)', text)
    message, *recipients = text.strip('\r\n').split('\r\n\r\n')
    message = fields_of(message, MESSAGE)
    assert 'reporting-mta' in message and recipients
    recipients = [fields_of(block, RECIPIENT) for block in recipients]
    for one in recipients:
        assert {'final-recipient', 'action', 'status'} <= set(one)
        status = STATUS.fullmatch(one['status'])
        assert status.group(1) == ACTIONS[one['action']], one
        assert ('will-retry-until' in one) <= (one['action'] == 'delayed')
    return message, recipients


def check_report(data):
    """The same of a whole report, as it stands in a mailbox: (message,
    recipients), after its parts were found by their boundary."""
    head, _, body = data.partition(b'\r\n\r\n')
    boundary = re.search(rb'boundary="([^"]{1,70})"', head).group(1)
    parts = body.split(b'\r\n--' + boundary)
    assert parts.pop().startswith(b'--') and len(parts) == 4, parts
    return check(parts[2].partition(b'\r\n\r\n')[2])
