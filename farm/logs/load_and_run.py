"""The log of load_and_run: times, the engine's version, the table of tensors.

Three grammars are in use: MegBrain 8.4 (`exec=..,device=..`), MegEngine 1.7 (`exec=.. ms`) and 1.13
(`e2e=.. ms (host=.. ms)`). A line counts only when it is complete, newline included, and has nothing else
in it: a log truncated anywhere gives the first numbers of the complete log, and never a wrong number.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field

from farm.logs.tensor_table import TableReader
from farm.model.measurement import Measurement, TensorInfo

MAX_ITERATIONS = 100_000
MAX_LINE_CHARS = 4096

_NUMBER = r"(\d{1,12}(?:\.\d{1,9})?)"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")
_PREFIX = re.compile(
    r"\[\d{1,2} \d\d:\d\d:\d\d [^\n]{0,300}?:\d{1,6}\](?P<level>\[[A-Z]+\])? ?"
    r"|LITE\[(?P<lite>[A-Z]{3})\] \S+ ?"
)
_ITERATION = {
    "1.13": re.compile(rf"iter (\d{{1,9}})/(\d{{1,9}}): e2e={_NUMBER} ms \(host={_NUMBER} ms\)"),
    "1.7": re.compile(rf"iter (\d{{1,9}})/(\d{{1,9}}): {_NUMBER} ms \(exec={_NUMBER} ms\)"),
    "8.4": re.compile(rf"iter (\d{{1,9}})/(\d{{1,9}}): {_NUMBER}ms \(exec={_NUMBER},device={_NUMBER}\)"),
}
_FINISHED = re.compile(rf"=== finished test #\d{{1,9}}: time={_NUMBER} ?ms avg_time={_NUMBER} ?ms .*")
_TOTAL = re.compile(rf"=== total time: {_NUMBER}ms")
_LOAD = re.compile(rf"load model: {_NUMBER} ?ms")
_PREPARE = re.compile(rf"=== prepare: {_NUMBER} ?ms; going to warmup")
_WARMUP = re.compile(rf"(?:warmup (\d{{1,9}}):|warm up (\d{{1,9}})) +{_NUMBER} ?ms")
_TESTCASE = re.compile(r"run testcase: \d{1,9}")
_ENGINE = re.compile(r"using MegBrain ([\w.]{1,40})\(\w{1,20}\) and MegDNN ([\w.]{1,40})")
_INTERFACES = {"creat mdl model": "mdl", "creat lite model": "lite", "run model force lite mode": "lite"}
SUMMARY_ROUNDING_MS = 0.0011
"""A time is printed with three digits; a sum may differ by this much for each term."""


@dataclass
class _Log:
    """What has been read so far."""

    load_ms: list[float] = field(default_factory=list)
    prepare_ms: list[float] = field(default_factory=list)
    warmup_ms: list[float] = field(default_factory=list)
    e2e_ms: list[float] = field(default_factory=list)
    host_ms: list[float] = field(default_factory=list)
    sums_ms: list[float] = field(default_factory=list)
    indices: Counter[int] = field(default_factory=Counter)
    announced: set[int] = field(default_factory=set)
    grammars: set[str] = field(default_factory=set)
    testcases: int = 0
    totals: int = 0
    skipped: int = 0
    engine: str | None = None
    interface: str | None = None
    tensors: tuple[TensorInfo, ...] = ()


def parse_log(text: str, *, runs: int = 1) -> Measurement:
    """The measurement in a round's log; `text` is standard error (or both streams).

    `runs` is how many runs the log should have (`--thread`). Linear in the length of the text for any
    content; beyond MAX_ITERATIONS iterations nothing is read and the measurement is not complete.
    """
    log, table = _Log(), TableReader()
    lines = text.split("\n")
    for line in lines[:-1]:  # what follows the last newline may have been cut
        _read(log, table, line)
    log.tensors = table.first
    return Measurement(
        load_ms=log.load_ms[0] if log.load_ms else None,
        prepare_ms=log.prepare_ms[0] if log.prepare_ms else None,
        warmup_ms=tuple(log.warmup_ms),
        e2e_ms=tuple(log.e2e_ms),
        host_ms=tuple(log.host_ms),
        complete=_is_complete(log, runs),
        engine=log.engine,
        tensors=log.tensors,
        grammar=min(log.grammars, default=None),
        skipped_lines=log.skipped,
        runs=max(len(log.load_ms), 1),
        interface=log.interface,
    )


def _read(log: _Log, table: TableReader, line: str) -> None:
    if len(line) > MAX_LINE_CHARS:
        log.skipped += 1
        return
    message = message_of(line)
    if not message:
        table.close()
    elif not (table.read(message) or _timing(log, message) or _fact(log, message)):
        log.skipped += 1


def message_of(line: str) -> str | None:
    """The message of a log line, without colours and prefix; None for warnings, errors and debug lines.

    What was printed before the prefix without a newline is dropped with it.
    """
    plain = _ESCAPES.sub("", line).rstrip()
    last = max(_PREFIX.finditer(plain), key=lambda found: found.end(), default=None)
    if last is None:
        return plain
    if last["level"] or last["lite"] not in (None, "INF"):
        return None
    return plain[last.end() :]


def _timing(log: _Log, message: str) -> bool:
    """Whether the message is a time."""
    for grammar, pattern in _ITERATION.items():
        found = pattern.fullmatch(message)
        if found:
            if len(log.e2e_ms) < MAX_ITERATIONS:
                log.indices[int(found[1])] += 1
                log.announced.add(int(found[2]))
                log.e2e_ms.append(float(found[3]))
                log.host_ms.append(float(found[4]))
                log.grammars.add(grammar)
            return True
    for pattern, times in ((_LOAD, log.load_ms), (_PREPARE, log.prepare_ms), (_FINISHED, log.sums_ms)):
        found = pattern.fullmatch(message)
        if found:
            times.append(float(found[1]))
            return True
    found = _WARMUP.fullmatch(message)
    if found:
        log.warmup_ms.append(float(found[3]))
    return found is not None


def _fact(log: _Log, message: str) -> bool:
    """Whether the message is another known line."""
    found = _ENGINE.fullmatch(message)
    if found:
        log.engine = f"MegBrain {found[1]}, MegDNN {found[2]}"
    elif _TESTCASE.fullmatch(message):
        log.testcases += 1
    elif _TOTAL.fullmatch(message):
        log.totals += 1
    elif message.startswith(tuple(_INTERFACES)):
        log.interface = next(value for start, value in _INTERFACES.items() if message.startswith(start))
    else:
        return message == "megbrain/lite/load_and_run:"
    return True


def _is_complete(log: _Log, runs: int) -> bool:
    """Whether the log is complete: every announced iteration once for each run and test case, all summaries,
    and the summaries' sums are the sums of the iterations.
    """
    if len(log.announced) != 1 or len(log.grammars) != 1:
        return False
    (announced,) = log.announced
    parts = max(len(log.load_ms), log.testcases, runs)
    if len(log.e2e_ms) != announced * parts or len(log.sums_ms) != parts:
        return False
    if "1.13" in log.grammars and log.totals != max(len(log.load_ms), runs):
        return False
    whole = all(log.indices[index] == parts for index in range(announced))
    return whole and math.isclose(
        sum(log.sums_ms), sum(log.e2e_ms), rel_tol=1e-6, abs_tol=SUMMARY_ROUNDING_MS * len(log.e2e_ms)
    )
