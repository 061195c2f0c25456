"""Names of files that a program left."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from tests.hostile.attack import Answer, Asked, Attack, Said, files
from tests.hostile.attacks.payloads import ESCAPES, HTML, NOT_UTF8, SHELL

DIGEST = hashlib.sha256(b"x").hexdigest().encode()


def listed(*rows: bytes):
    """The honest listing, then these lines: names that the fake agent would not write by itself."""

    def lie(asked: Asked, honest: Answer) -> Said:
        more = b"".join(row + b"\n" for row in rows)
        if honest.data is None or asked.job is None or not asked.job.is_round:
            return honest
        here = int(honest.fields[0])
        data = honest.data[:here] + more + honest.data[here:]
        return Answer((str(here + len(more)), *honest.fields[1:]), data)

    return {"gather": lie}


def row(name: bytes) -> bytes:
    return b"%s 1 %s" % (DIGEST, name)


def named(*names: bytes) -> Mapping[bytes, bytes]:
    return dict.fromkeys(names, b"escaped")


ATTACKS = (
    Attack("name-parent", "a file that lies outside of the run: ../", listed(row(b"../../../../../../escaped"))),
    Attack("name-absolute", "a file with an absolute name", listed(row(b"/tmp/escaped"))),
    Attack("name-home", "a file in the user's home", listed(row(b"~/escaped")), fails=None),
    Attack("name-detour", "a way out in the middle", listed(row(b"out/../../../escaped"))),
    Attack("name-escaped-dots", "dots and slashes in escapes", listed(row(b"%2e%2e%2fescaped"))),
    Attack("name-overlong", "dots as UTF-8 that is too long", listed(row(b"\xc0\xae\xc0\xae\xc0\xafescaped")), fails=None),
    Attack("name-nul", "a NUL in a name", listed(row(b"a\0/../escaped"))),
    Attack("name-raw-tab", "white space in the line of a file", listed(DIGEST + b" 1 a\tb")),
    Attack("name-empty", "no name, only dots and slashes", listed(row(b"%00"), row(b"."), row(b"./"), row(b"./.")), fails=None),
    Attack("name-lines", "line breaks and returns in names", job=files(named(b"a\nb", b"a\r\nb", b"\n")), fails=None),
    Attack("name-deep", "17 folders of 255 bytes", job=files(named(b"/".join([b"d" * 255] * 17))), fails=None),
    Attack("name-deep-as-allowed", "16 folders of 255 bytes", job=files(named(b"/".join([b"d" * 255] * 15))), fails=None),
    Attack("name-long", "a name of 4000 bytes", job=files(named(b"n" * 4000, "模".encode() * 1000)), fails=None),
    Attack("name-not-utf8", "names that are no UTF-8", job=files(named(NOT_UTF8, b"\xff/" + NOT_UTF8, b"\xed\xb3\xa9")), fails=None),
    Attack("name-html", "markup in names", job=files(named(HTML.encode(), b"<b>/" + HTML.replace("/", "").encode())), fails=None),
    Attack("name-escapes", "terminal escapes in names", job=files(named(ESCAPES.encode(), ESCAPES.encode("latin-1", "ignore"))), fails=None),
    Attack("name-shell", "shell words in names", job=files(named(SHELL.encode(), b"-rf", b"--help", b"|sh", b"*", b"~")), fails=None),
    Attack("name-format", "formats in names", job=files(named(b"%s%n", b"{0.__class__}", b"{{7*7}}", b"%(x)s")), fails=None),
    Attack(
        "name-of-farm", "names that farm uses itself",
        job=files(named(b"stdout.txt", b"stdout.txt/x", b"report.html", b"results.json", b".incoming-0", b"journal.jsonl", b"out")),
        fails=None,
    ),
    Attack("name-file-and-folder", "a name that is a file and a folder", job=files(named(b"x", b"x/y", b"x/y/z")), fails=None),
    Attack("name-twice", "one name with other contents", listed(row(b"twice"), row(b"./twice"), row(b"a//b"), row(b"a/b")), fails=None),
    Attack("name-alike", "names that some disks take for one", job=files(named(b"ALIKE", b"alike", "\u00e9".encode(), "e\u0301".encode())), fails=None),
    Attack("name-windows", "names that are paths elsewhere", job=files(named(b"C:\\x", b"..\\..\\escaped", b"CON", b"a.", b"a:b")), fails=None),
    Attack(
        "name-many", "20,000 files, each too large",
        listed(b"\n".join(b"%s 9999999999 f%d" % (DIGEST, number) for number in range(20_000))),
        fails=None,
    ),
)  # fmt: skip
