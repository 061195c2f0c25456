"""Lies in the agent's protocol, at every verb."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from tests.hostile.attack import Answer, Asked, Attack, Lie, Said, endless, fields, says

VERBS = (
    "lease", "jobs", "probe", "start", "wait", "gather", "read", "drop", "have", "stock", "tree", "sense", "release",
)  # fmt: skip


def at(verbs: tuple[str, ...], lie: Lie) -> dict[str, Lie]:
    return dict.fromkeys(verbs, lie)


def again(text: bytes) -> AsyncIterator[bytes]:
    """The honest begin of a greeting, then this for ever."""

    async def said() -> AsyncIterator[bytes]:
        yield b"\nfarm-agent 1 42 /w\n"
        async for piece in endless(text):
            yield piece

    return said()


def held(asked: Asked, _: Answer) -> Said:
    """By whoever asks."""
    from farm.device.wire import encode

    return b"%d err held %s 1 2 3 4\n" % (asked.number, encode(asked.words[0]))


def twice(asked: Asked, honest: Answer) -> Said:
    return honest.line(asked.number) * 2


def flood(asked: Asked, honest: Answer) -> Said:
    return honest.line(asked.number) + b"".join(b"%d ok x\n" % number for number in range(1000, 2000))


def cut(asked: Asked, honest: Answer) -> Said:
    return honest.line(asked.number)[:-1]


def state(*words: str) -> Lie:
    """Of each round."""

    def lie(asked: Asked, honest: Answer) -> Answer:
        return replace(honest, fields=words) if asked.job is not None and asked.job.is_round else honest

    return lie


async def _silence() -> AsyncIterator[bytes]:
    return
    yield b""


def silence(*_: object) -> Said:
    return _silence()


ATTACKS = (
    Attack("wire-id-other", "replies with another's number", at(VERBS, says(b"99999 ok\n"))),
    Attack("wire-id-huge", "numbers of 400 digits", at(VERBS, says(b"9" * 400 + b" ok\n"))),
    Attack("wire-id-word", "numbers that are none", at(VERBS, says(b"-1 ok\n"))),
    Attack("wire-twice", "each reply twice", at(VERBS, twice)),
    Attack("wire-flood", "a thousand replies that nobody asked for", at(("probe",), flood)),
    Attack("wire-no-fields", "empty replies", at(("probe", "start", "wait", "tree"), says(b"%d ok\n"))),
    Attack("wire-many-fields", "200,000 fields", at(("wait", "poll", "tree"), says(b"%d ok" + b" x" * 200_000 + b"\n"))),
    Attack("wire-long-field", "a field of nearly 1 MiB", at(("tree",), says(b"%d ok /" + b"x" * 1_000_000 + b"\n")), fails=None),
    Attack("wire-long-line", "a line of 2 MiB", at(("tree",), says(b"%d ok " + b"x" * (2 << 20) + b"\n"))),
    Attack("wire-endless-line", "a line that does not end", greeting=lambda: again(b"x" * (1 << 16))),
    Attack("wire-endless-noise", "a login that prints for ever", greeting=lambda: endless(b"noise\n" * 10_000), is_slow=True),
    Attack("wire-endless-replies", "replies without end", greeting=lambda: again(b"1 ok x\n" * 5_000)),
    Attack("wire-greeting-twice", "two greetings", greeting=b"\nfarm-agent 1 42 /w\nfarm-agent 1 43 /w\n"),
    Attack("wire-greeting-version", "an agent of another version", greeting=b"\nfarm-agent 2 42 /w\n", ends=True),
    Attack("wire-greeting-relative", "a working directory that is not absolute", greeting=b"\nfarm-agent 1 42 ../../w\n"),
    Attack("wire-greeting-pid", "an agent with the number 10^300", greeting=b"\nfarm-agent 1 " + b"1" * 300 + b" /w\n"),
    Attack("wire-escapes", "escapes that there are not", at(("tree",), says(b"%d ok /%41%zz%\n"))),
    Attack("wire-nul", "a NUL in a field", at(("tree",), says(b"%d ok /a\0b\n"))),
    Attack("wire-not-utf8", "fields that are no UTF-8", at(("tree",), says(b"%d ok /\xff\xfe\xed\xa0\x80\n")), fails=None),
    Attack("wire-garbage", "bytes of all kinds", at(VERBS, says(bytes(range(256)) * 10))),
    Attack("wire-bad-code", "a refusal without a word", at(("tree",), says(b"%d err ../../x\n"))),
    Attack("wire-half", "replies without their end", at(("tree",), cut)),
    Attack("wire-silence", "no reply to anything", at(VERBS, silence)),
    Attack("wire-data-short", "data that stop in the middle", at(("gather",), says(b"%d data 1000000 1000000 0 0 0\nabc"))),
    Attack("wire-data-nowhere", "data where none were asked for", at(("tree",), says(b"%d data 10 /x\n0123456789"))),
    Attack("wire-data-negative", "data of a negative size", at(("gather",), says(b"%d data -1 0 0 0 0\n"))),
    Attack("lease-of-yours", "held by who asks, for ever", {"lease": held}),
    Attack("lease-huge", "a lease with a number of 18 digits", {"lease": fields("9" * 18, "-")}, fails=None),
    Attack("lease-word", "a lease whose number is a word", {"lease": fields("x", "-")}),
    Attack("lease-again", "restarted at each lease", {"lease": fields("1", "-", "restarted")}, fails=None),
    Attack("jobs-many", "130,000 jobs that are to be dropped", {"jobs": says(b"%d ok" + b"".join(b" %d=" % n for n in range(130_000)) + b"\n")}, fails=None),
    Attack("jobs-names", "jobs with names that are commands", {"jobs": fields("$(touch escaped)=exited", "../../x=running", "=", "")}, fails=None),
    Attack("job-runs-for-ever", "a round that is never seen to end", {"wait": state("running", "-", "-", "0", "0", "0"), "poll": state("running", "-", "-", "0", "0", "0")}, is_slow=True),
    Attack("job-code-huge", "an exit code of 18 digits", {"wait": state("exited", "9" * 18, "-", "0", "0", "0")}),
    Attack("job-code-negative", "an exit code below 0", {"wait": state("exited", "-1", "-", "0", "0", "0")}),
    Attack("job-state", "a state that there is not", {"wait": state("finished", "0", "-", "0", "0", "0")}),
    Attack("job-exists", "each job is there already", {"start": says(b"%d err exists x\n")}, says_farm=True),
    Attack("stale", "each word is refused as stale", at(("tree", "start", "beat", "resume"), says(b"%d err stale\n"))),
    Attack("restarts", "restarted whenever something is to be done", at(("tree", "resume", "beat"), says(b"%d err device-restarted\n"))),
    Attack("have-lies", "files that are there in part, with 10^17 bytes", {"have": lambda asked, _: Answer((*(f"{word}={10**17}" for word in asked.words), "../x=1"))}, fails=None),
    Attack("have-no-number", "files that are there with no number", {"have": lambda asked, _: Answer(tuple(f"{word}=x" for word in asked.words))}),
    Attack("kept-never", "what is pushed is damaged each time", {"have": lambda asked, _: Answer(tuple(f"{word}=5" for word in asked.words)) }, upload=b"farm-agent 1 err digest-mismatch\n"),
    Attack("disk-full", "the disk is full whenever something is pushed", {"have": lambda asked, _: Answer(tuple(f"{word}=0" for word in asked.words)) }, upload=b"farm-agent 1 err disk-full\n"),
    Attack("tree-relative", "a folder for the program that is not absolute", {"tree": fields("../../bin")}),
    Attack("help-without", "a program that has hardly a flag", help=lambda job: replace(job, streams={"stdout": b"    -iter (x) type: int32\n"}), fails=None),
    Attack("help-markup", "a help of markup", help=lambda job: replace(job, streams={"stdout": b"    -<script> (x)\n" * 1000}), fails=None),
    Attack("bye-never", "no goodbye", {"release": says(b"%d err stuck\n"), "bye": silence}, fails=None),
)  # fmt: skip
