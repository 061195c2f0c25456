"""Sizes and digests that lie, and output that does not end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from tests.hostile.attack import Answer, Asked, Attack, Job, Lie, Said, endless, files, says
from tests.hostile.attacks.names import DIGEST, listed

BIG = 10**17


def streams(change):
    """Another answer to `gather` of a round."""

    def lie(asked: Asked, honest: Answer) -> Said:
        return change(asked, honest) if asked.job is not None and asked.job.is_round else honest

    return lie


def announced(*sizes: object) -> Lie:
    return streams(lambda _, honest: replace(honest, fields=tuple(map(str, sizes))))


def more_stdout(asked: Asked, honest: Answer) -> Answer:
    """stdout is announced with 10^17 bytes, of which the first MiB is there; of one round."""
    if honest.data is None or asked.count > 1 or asked.job is None or not asked.job.is_round:
        return honest
    listing, out, err, telemetry = map(int, honest.fields)
    begin = honest.data[:listing] + b"x" * (1 << 20) + honest.data[listing + out :]
    return Answer((str(listing), str(BIG), str(err), str(telemetry)), begin)


def full(asked: Asked, _: Answer) -> Answer:
    return Answer(data=b"x" * int(asked.words[3]))


def reads(count: int) -> Lie:
    """So many bytes, however many were asked for."""
    return lambda *_: Answer(data=b"x" * count)


def row(digest: bytes, size: object) -> bytes:
    return b"%s %s file" % (digest, str(size).encode())


def flooding(head: bytes) -> Lie:
    def lie(asked: Asked, _: Answer) -> AsyncIterator[bytes]:
        async def said() -> AsyncIterator[bytes]:
            yield head.replace(b"%d", b"%d" % asked.number)
            async for piece in endless(b"x" * (1 << 16)):
                yield piece

        return said()

    return lie


def drip(asked: Asked, _: Answer) -> Answer:
    return Answer(data=b"x" * min(1, int(asked.words[3])))


ATTACKS = (
    Attack("size-huge", "a file of 10^17 bytes", listed(row(DIGEST, BIG)), fails=None),
    Attack("size-huge-sum", "100 files of a GiB, and no bytes", listed(*(b"%s %d f%d" % (DIGEST, 1 << 30, i) for i in range(100))) | {"read": reads(0)}, fails=None),
    Attack("size-no-number", "a size that is no number", listed(row(DIGEST, "1e3"))),
    Attack("size-negative", "a size below 0", listed(row(DIGEST, -1))),
    Attack("size-400-digits", "a size of 400 digits", listed(row(DIGEST, "9" * 400))),
    Attack("size-arabic", "digits of another script", listed(row(DIGEST, "٣"))),
    Attack("size-less-than-said", "a file that ends early", listed(row(DIGEST, 100)) | {"read": reads(0)}, fails=None),
    Attack("size-more-than-asked", "more bytes than were asked for", listed(row(DIGEST, 100)) | {"read": reads(101)}),
    Attack("size-drip", "one byte for each block that is asked for", {"gather": more_stdout, "read": drip}, fails=None),
    Attack("size-endless-log", "a log that does not end", {"gather": more_stdout, "read": full}, fails=None, is_slow=True),
    Attack("digest-wrong", "a digest that is another's", listed(row(b"0" * 64, 4)) | {"read": reads(4)}, fails=None),
    Attack("digest-short", "a digest that is none", listed(row(b"../escaped", 4))),
    Attack("digest-upper", "a digest in other letters", listed(row(b"A" * 64, 4))),
    Attack("gather-cut", "lengths that are more than the data", {"gather": announced(BIG, 0, 0, 0)}),
    Attack("gather-shifted", "lengths that are less than the data", {"gather": announced(0, 1, 1, 0)}),
    Attack("gather-words", "lengths that are words", {"gather": announced("a", "b", "c", "d")}),
    Attack("gather-fields", "one length", {"gather": announced(1)}),
    Attack("gather-tebibyte", "a reply of 10^12 bytes", {"gather": says(b"%d data 1000000000000 1 1 1 1\n")}),
    Attack("gather-flood", "a reply that never ends", {"gather": flooding(b"%d data 1000000000000 1 1 1 1\n")}),
    Attack("gather-blank", "12 MiB of empty lines for a listing", listed(b"\n" * (12 << 20)), fails=None),
    Attack("probe-flood", "facts that never end", {"probe": flooding(b"%d data 8000000\n")}),
    Attack("sense-flood", "sensors of 10^17 bytes", {"sense": says(b"%d data 100000000000000000\n")}, fails=None),
    Attack("log-blob", "a MiB of zeros between the lines", job=lambda job: replace(job, streams={**job.streams, "stdout": b"\0" * (1 << 20)}), fails=None),
    Attack("log-one-line", "one line of 2 MiB", job=lambda job: replace(job, streams={**job.streams, "stdout": b"iter 0/10: " + b"x" * (2 << 20)}), fails=None),
    Attack("telemetry-bomb", "5 MiB of telemetry, of columns", job=lambda job: _telemetry(job, b"uptime_s " + b" ".join(b"temp:%d_mc" % i for i in range(4990)) + b"\n" + (b"1.0 " + b" ".join([b"9"] * 4990) + b"\n") * 400), fails=None, is_slow=True),
    Attack("telemetry-wide", "half a MiB of telemetry, of columns", job=lambda job: _telemetry(job, b"uptime_s " + b" ".join(b"temp:%d_mc" % i for i in range(4990)) + b"\n" + (b"1.0 " + b" ".join([b"9"] * 4990) + b"\n") * 40), fails=None),
    Attack("file-zeros", "5 MiB of zeros in a file", job=files({b"zeros": b"\0" * (5 << 20)}), fails=None),
)  # fmt: skip


def _telemetry(job: Job, text: bytes) -> Job:
    return replace(job, streams={**job.streams, "telemetry": text})
