"""Reports of TLS as RFC 8460 has them: the mail around one, the schema of its
JSON (section 4.4), and what it says, in short."""
import datetime
import email
import email.policy
import gzip
import json
import re

RESULTS = {
    'starttls-not-supported', 'certificate-host-mismatch',
    'certificate-expired', 'certificate-not-trusted', 'validation-failure',
    'tlsa-invalid', 'dnssec-invalid', 'dane-required',
    'sts-policy-fetch-error', 'sts-policy-invalid', 'sts-webpki-invalid'}
TEXT, COUNT, TEXTS = str, int, [str]
# Key: (what it is, whether it must be there).
FAILURE = {
    'result-type': (TEXT, True), 'sending-mta-ip': (TEXT, False),
    'receiving-mx-hostname': (TEXT, False), 'receiving-mx-helo': (TEXT, False),
    'receiving-ip': (TEXT, False), 'failed-session-count': (COUNT, True),
    'additional-information': (TEXT, False),
    'failure-reason-code': (TEXT, False)}
POLICY = {
    'policy': ({'policy-type': (TEXT, True), 'policy-string': (TEXTS, False),
                'policy-domain': (TEXT, True), 'mx-host': (TEXTS, False)},
               True),
    'summary': ({'total-successful-session-count': (COUNT, True),
                 'total-failure-session-count': (COUNT, True)}, True),
    'failure-details': ([FAILURE], False)}
REPORT = {
    'organization-name': (TEXT, True),
    'date-range': ({'start-datetime': (TEXT, True),
                    'end-datetime': (TEXT, True)}, True),
    'contact-info': (TEXT, True), 'report-id': (TEXT, True),
    'policies': ([POLICY], True)}


def check_form(value, form, where='report'):
    """Of that form, with no key that it does not name."""
    if isinstance(form, dict):
        assert isinstance(value, dict), where
        assert set(value) <= set(form), (where, set(value) - set(form))
        for key, (inner, is_needed) in form.items():
            assert key in value or not is_needed, (where, key)
            if key in value:
                check_form(value[key], inner, where + '.' + key)
    elif isinstance(form, list):
        assert isinstance(value, list), where
        for one in value:
            check_form(one, form[0], where + '[]')
    else:
        assert isinstance(value, form) and value != '', (where, value)
        assert form is not COUNT or value >= 0, where


def check(report):
    """The schema, and what it cannot say."""
    check_form(report, REPORT)
    begin, end = (datetime.datetime.strptime(
        report['date-range'][key], '%Y-%m-%dT%H:%M:%SZ')
        for key in ('start-datetime', 'end-datetime'))
    assert begin < end <= begin + datetime.timedelta(days=1)
    assert '@' in report['contact-info'] and report['policies']
    for policy in report['policies']:
        kind = policy['policy']['policy-type']
        assert kind in ('tlsa', 'sts', 'no-policy-found')
        details = policy.get('failure-details', [])
        assert {one['result-type'] for one in details} <= RESULTS
        assert sum(one['failed-session-count'] for one in details) == \
            policy['summary']['total-failure-session-count']
    return report


def read(data):
    """The report of gzipped JSON."""
    return check(json.loads(gzip.decompress(data)))


def read_mail(data):
    """(domain, report) of a mail (section 5.3)."""
    mail = email.message_from_bytes(data, policy=email.policy.default)
    assert not mail.defects, mail.defects
    assert mail.get_content_type() == 'multipart/report'
    assert mail.get_param('report-type') == 'tlsrpt'
    words, packed = mail.get_payload()
    assert words.get_content_type() == 'text/plain'
    assert packed.get_content_type() == 'application/tlsrpt+gzip'
    domain, submitter = mail['TLS-Report-Domain'], mail['TLS-Report-Submitter']
    assert re.fullmatch(r'%s!%s!\d+!\d+\.json\.gz' % (
        re.escape(submitter), re.escape(domain)), packed.get_filename())
    report = read(packed.get_payload(decode=True))
    assert mail['Subject'] == 'Report Domain: %s Submitter: %s ' \
        'Report-ID: <%s>' % (domain, submitter, report['report-id'])
    assert mail['From'].addresses[0].addr_spec == report['contact-info']
    return domain, report


def in_short(report):
    """{(policy type, policy domain): (good, {result: count})}"""
    short = {}
    for one in report['policies']:
        bad = {}
        for failure in one.get('failure-details', []):
            result = failure['result-type']
            bad[result] = bad.get(result, 0) + failure['failed-session-count']
        short[one['policy']['policy-type'], one['policy']['policy-domain']] = (
            one['summary']['total-successful-session-count'], bad)
    return short
