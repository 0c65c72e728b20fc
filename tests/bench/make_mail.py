#!/usr/bin/env python3
"""The Maildir of the snapshot figures: make_mail.py DIR [MESSAGES [SEED]].

Mail as an account of some years holds it, of texts that are on each Debian
(documentation, manual pages): sizes are lognormal around 11 KiB, three of five
are HTML beside text, one of 75 has an attachment that does not compress, some
of which are sent again.  100,000 messages are 2.4 GiB, median 12 KiB.  The same
seed gives the same mail where the same packages are installed.
"""
import base64
import email.utils
import glob
import gzip
import math
import os
import pathlib
import random
import sys

START = 1230768000      # 2009
SPAN = 540000000        # until 2026
POOL_BYTES = 60000000
TEXTS = ("/usr/share/doc/*/*.gz", "/usr/share/doc/*/copyright",
         "/usr/share/doc/*/README*", "/usr/share/man/man*/*.gz")
STYLE = ("<style>body{font-family:Arial,Helvetica,sans-serif;font-size:14px;"
         "color:#222}table{border-collapse:collapse}td{padding:8px 12px}"
         "a{color:#1a73e8}</style>")
CELL = ('<tr><td class=3D"cell-%d" style=3D"padding:8px;line-height:20px">'
        '<p>%s</p><a href=3D"https://%s/c/%s">%s</a></td></tr>=\n')


def read_text(path):
    opener = gzip.open if path.endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            return file.read(60000).decode("utf-8", "replace")
    except OSError:
        return ""


def wrap(paragraph, width=76):
    lines, line = [], ""
    for word in paragraph.split():
        if line and len(line) + len(word) + 1 > width:
            lines.append(line)
            line = word
        else:
            line = (line + " " + word) if line else word
    return "\n".join(lines + [line])


def quoted(text):
    return text.replace("=", "=3D")


class Writer:
    """One correspondent's inbox: draws everything from its own seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.paragraphs = self.read_pool()
        self.words = sorted({
            word for text in self.paragraphs[:20000] for word in text.split()
            if word.isascii() and word.isalpha() and len(word) > 2})
        self.domains = [self.word() + self.random.choice(
            (".com", ".org", ".net", ".de", ".io")) for _ in range(400)]
        self.people = [self.make_person() for _ in range(1500)]
        self.sent_before = []

    def read_pool(self):
        files = sorted(path for one in TEXTS for path in glob.glob(one))
        self.random.shuffle(files)
        pool, size = [], 0
        for path in files:
            for text in read_text(path).replace("\r", "").split("\n\n"):
                if 80 < len(text) < 1500:
                    pool.append(wrap(text))
                    size += len(text)
            if size > POOL_BYTES:
                break
        if not pool:
            sys.exit("make_mail.py: no texts in /usr/share/doc")
        return pool

    def word(self):
        return self.random.choice(self.words).lower()

    def hexadecimal(self, digits):
        return "%0*x" % (digits, self.random.getrandbits(4 * digits))

    def base64(self, size):
        return base64.b64encode(self.random.randbytes(size)).decode()

    def make_person(self):
        name = self.word().title(), self.word().title()
        return " ".join(name), "%s@%s" % (".".join(name).lower(),
                                          self.random.choice(self.domains))

    def head(self, time):
        name, address = self.random.choice(self.people)
        host, draw = address.split("@")[1], self.random.randrange
        date = email.utils.formatdate(time)
        lines = ["Return-Path: <%s>" % address,
                 "Delivered-To: user@example.org"]
        for hop in range(self.random.choice((2, 3, 3, 4))):
            lines.append(
                "Received: from mail%d.%s (mail%d.%s [198.51.%d.%d])\n\tby "
                "mx%d.example.org (Postfix) with ESMTPS id %s\n\tfor "
                "<user@example.org>; %s" % (
                    draw(40), host, draw(40), host, draw(256), draw(256), hop,
                    self.hexadecimal(12).upper(), date))
        lines.append(
            "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=%s; "
            "s=s%d;\n\th=from:to:subject:date:message-id:mime-version; "
            "bh=%s;\n\tb=%s" % (host, draw(99), self.base64(32), "\n\t ".join(
                self.base64(54) for _ in range(5))))
        lines.append(
            "Authentication-Results: mx.example.org; dkim=pass header.d=%s; "
            "spf=pass smtp.mailfrom=%s; dmarc=pass" % (host, host))
        lines.append('From: "%s" <%s>\nTo: "User" <user@example.org>' %
                     (name, address))
        lines.append("Subject: " + " ".join(
            self.word() for _ in range(draw(3, 9))))
        lines.append("Date: %s\nMessage-ID: <%s.%s@%s>\nMIME-Version: 1.0" % (
            date, self.hexadecimal(16), self.hexadecimal(8), host))
        return lines, host

    def texts(self, wanted):
        texts, size = [], 0
        while size < wanted:
            texts.append(self.random.choice(self.paragraphs))
            size += len(texts[-1]) + 2
        return texts

    def attachment(self):
        """One of 75 messages has it; one of eight was sent before."""
        if self.sent_before and self.random.random() < .12:
            return self.random.choice(self.sent_before)
        size = int(math.exp(self.random.uniform(math.log(75000),
                                                math.log(1500000))))
        data = base64.encodebytes(self.random.randbytes(size)).decode()
        self.sent_before = self.sent_before[-99:] + [data]
        return data

    def html(self, texts, host):
        return "<html><head>%s</head><body><table width=3D\"100%%\">%s" \
            "</table></body></html>" % (STYLE, "".join(
                CELL % (number, quoted(text), host, self.hexadecimal(40),
                        self.word()) for number, text in enumerate(texts)))

    def message(self, time):
        lines, host = self.head(time)
        size = int(math.exp(self.random.gauss(math.log(11200), 0.85)))
        wanted = max(1800, min(size, 400000)) - sum(map(len, lines)) - 200
        is_html = self.random.random() < .6
        has_file = self.random.random() < .013
        texts = self.texts(int(wanted * .36) if is_html else wanted)
        if not is_html and not has_file:
            lines.append("Content-Type: text/plain; charset=utf-8\n"
                         "Content-Transfer-Encoding: 8bit")
            return "\n".join(lines) + "\n\n" + "\n\n".join(texts) + "\n"
        boundary = "----=_Part_" + self.hexadecimal(20)
        lines.append('Content-Type: multipart/%s; boundary="%s"' % (
            "mixed" if has_file else "alternative", boundary))
        kind = ("Content-Type: text/%s; charset=utf-8\n"
                "Content-Transfer-Encoding: quoted-printable\n\n%s\n")
        parts = [kind % ("plain", quoted("\n\n".join(texts)))]
        if is_html:
            parts.append(kind % ("html", self.html(texts, host)))
        if has_file:
            parts.append('Content-Type: application/pdf; name="%s.pdf"\n'
                         "Content-Transfer-Encoding: base64\n"
                         "Content-Disposition: attachment\n\n%s" % (
                             self.word(), self.attachment()))
        return "%s\n\n%s--%s--\n" % ("\n".join(lines), "".join(
            "--%s\n%s" % (boundary, part) for part in parts), boundary)


def make(folder, messages, seed=42):
    """Fills FOLDER/cur; how many bytes."""
    writer, total = Writer(seed), 0
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    draw = writer.random.randrange
    for number in range(messages):
        time = START + number * SPAN // messages + draw(3000)
        data = writer.message(time).encode("utf-8", "replace")
        flags = writer.random.choice(("S", "S", "S", "S", "RS", "FS", "", "S"))
        path = folder / "cur" / ("%d.M%06dP%d.mx1,S=%d,W=%d:2,%s" % (
            time, draw(1000000), number % 32768, len(data),
            len(data) + data.count(b"\n"), flags))
        path.write_bytes(data)
        os.utime(path, (time, time))
        total += len(data)
    return total


def main():
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__.split("\n", maxsplit=1)[0])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 42
    total = make(pathlib.Path(sys.argv[1]), count, seed)
    print("%d messages, %.1f MiB" % (count, total / 1048576))


if __name__ == "__main__":
    main()
