"""Texts of all charsets are searched, in whatever charset the client asks (RFC
3501 6.4.4, RFC 5255 section 4): letters as mail programs of East Asia write
them."""
import base64

import pytest

from clients import say

# Charset, Python's codec, a word, and another that is in no message.
TABLE = [
    ('ISO-2022-JP', 'iso2022_jp', '日本語', '英語'),
    ('Shift_JIS', 'shift_jis', '東京都', '京都府'),
    ('EUC-JP', 'euc_jp', 'ひらがな', 'カタカナ'),
    ('GB18030', 'gb18030', '简体中文', '廣東'),
    ('GB2312', 'gb2312', '北京', '上海'),
    ('Big5', 'big5', '繁體中文', '簡體'),
    ('EUC-KR', 'euc_kr', '한국어', '조선말'),
    ('KOI8-R', 'koi8_r', 'Привет', 'Пока'),
    ('windows-1252', 'cp1252', 'Größe', 'Länge'),
]


def letter(charset, codec, word):
    coded = base64.b64encode(word.encode(codec)).decode()
    return ('From: =?%s?B?%s?= <a@there.test>\r\nSubject: =?%s?B?%s?=\r\n'
            'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=%s\r\n'
            'Content-Transfer-Encoding: base64\r\n\r\n%s\r\n' %
            (charset, coded, charset, coded, charset, coded)).encode()


@pytest.fixture(name='box', scope='module')
def fixture_box(shared):
    with shared.imap_session() as client:
        client.create('charsets')
        for charset, codec, word, _ in TABLE:
            client.append('charsets', None, None, letter(charset, codec, word))
        client.select('charsets')
        yield client


def search(client, charset, key, data):
    """Numbers that are found; the text goes as a literal."""
    client.literal = data
    status, lines = client.search(charset, key)
    assert status == 'OK'
    return [int(number) for number in lines[0].split()]


@pytest.mark.parametrize('number', range(1, len(TABLE) + 1),
                         ids=[row[0] for row in TABLE])
def test_words_are_found_in_header_and_text(box, number):
    charset, codec, word, other = TABLE[number - 1]
    for key in ('SUBJECT', 'FROM', 'BODY', 'TEXT'):
        assert search(box, charset, key, word.encode(codec)) == [number]
        assert search(box, 'UTF-8', key, word.encode()) == [number]
        assert search(box, charset, key, other.encode(codec)) == []


def test_a_charset_that_is_not_known_is_answered_with_those_that_are(box):
    status, lines = box.search('KLINGON', 'ALL')
    assert status == 'NO' and lines[0].startswith(b'[BADCHARSET (US-ASCII ')
    names = lines[0].partition(b'(')[2].partition(b')')[0].split()
    for name in names:
        assert box.search(name.decode(), 'ALL')[0] == 'OK'
    assert {b'ISO-2022-JP', b'GB18030', b'UTF-8'} <= set(names)


def test_comparison_is_that_of_unicode(box):
    capability = box.capability()[1][0].split()
    assert b'I18NLEVEL=1' in capability
    for word in ('GRÖßE', 'gro\u0308ße', 'Ｇröße'):
        assert search(box, 'UTF-8', 'SUBJECT', word.encode()) == [9]
    assert say(box, 'SORT (SUBJECT) UTF-8 9,8') == [b'* SORT 9 8']
