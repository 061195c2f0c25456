"""Why a round failed: exit codes and error texts of load_and_run as one table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from farm.causes.endings import CRASHES, ENDINGS, EXIT_CODES
from farm.causes.row import SEE_STDERR, Row
from farm.causes.texts import LOADER, TEXTS
from farm.errors import Fault
from farm.model.measurement import Cause
from farm.model.options import OptionSet
from farm.visible import one_line

TEXT_LIMIT = 64 * 1024
WORD_LIMIT = 160
NOT_STARTED = {
    2: tuple(row for row in LOADER if row.cause == "wrong-architecture"),  # the shell read it as a script
    126: LOADER,
    127: LOADER,
}
PLAIN_CODES = range(126)
HANGS = tuple(row for row in TEXTS if row.hangs)
_NO_OPTIONS = OptionSet()
_NO_NAMES: Mapping[str, str] = MappingProxyType({})
_OF_LOAD_AND_RUN = re.compile(
    r"\[\d\d \d\d:\d\d:\d\d |\bLITE\[|<model_path>|MegBrain|MegEngine|mgb::|lar::|load_and_run\.py"
)
"""What a load_and_run prints before it fails: a log line, its usage, or Python's traceback where the wheel
runs. Its name alone says nothing: any pushed program has it.
"""
_WHAT = re.compile(r"^\s*what\(\):\s*(?P<what>.{1,400})", re.MULTILINE)
_EXTRA = re.compile(r"^extra message: (?P<extra>.{1,400})", re.MULTILINE)


def diagnose(
    exit_code: int | None,
    why: str,
    stdout: str,
    stderr: str,
    options: OptionSet = _NO_OPTIONS,
    names: Mapping[str, str] = _NO_NAMES,
) -> Cause:
    """The cause of a failed round.

    `why` is how the agent reports the end (`-`, `wall-limit`, `silence-limit`, `killed`, `lease-lost`,
    `lost`), `exit_code` is None where there is none; a signal is 128 + its number. `names` has the user's
    names of paths on the device. Only the first and last TEXT_LIMIT characters of the texts are searched.
    Quotations from them are printable and short.
    """
    text = f"{ends(stdout)}\n{ends(stderr)}"
    for path, name in names.items():
        text = text.replace(path, name)
    if exit_code in NOT_STARTED:
        found = _first(NOT_STARTED[exit_code], text)
        if found:
            return found
    if why != "-":
        return _first(HANGS, text) or _ended(why, options)
    return (
        _first(TEXTS, text)
        or _crash(exit_code, options)
        or _exception(text)
        or (stranger(text) if exit_code in PLAIN_CODES else None)
        or _by_code(exit_code)
        or Cause(
            Fault.RUNTIME,
            "unknown",
            f"the program ended with exit code {exit_code}; its output has no known error",
            SEE_STDERR,
        )
    )


def announces_hang(text: str) -> bool:
    """Whether a program that printed this will not end by itself."""
    return _first(HANGS, text) is not None


def stranger(text: str) -> Cause | None:
    """The cause of a program that is no load_and_run: it printed something, and nothing of it is one's.

    None for a program without output: a lowered log level has that effect, too.
    """
    text = ends(text).strip()
    if not text or _OF_LOAD_AND_RUN.search(text):
        return None
    said = one_line(text.split("\n", 1)[0], WORD_LIMIT)
    return Cause(
        Fault.USER,
        "not-load-and-run",
        f"the program is not a load_and_run; it printed: {said}",
        "correct `program:` of the runtime in the inventory",
    )


def _ended(why: str, options: OptionSet) -> Cause:
    """A round that was ended from outside."""
    ended = ENDINGS.get(why)
    if ended is not None:
        hang = next((row for row in CRASHES if row.why == why and row.applies(options)), None)
        if hang is not None:
            return Cause(ended.fault, ended.cause, f"{ended.message}: {hang.message}", hang.hint)
        return Cause(ended.fault, ended.cause, ended.message, ended.hint)
    return Cause(Fault.DEVICE, "ended", f"the device ended the round: {one_line(why, WORD_LIMIT)}")


def _first(rows: tuple[Row, ...], text: str) -> Cause | None:
    for row in rows:
        found = row.pattern.search(text)
        if found:
            words = {name: one_line(word or "", WORD_LIMIT) for name, word in found.groupdict().items()}
            return Cause(row.fault, row.cause, row.message.format(**words).rstrip(" :"), row.hint)
    return None


def _crash(exit_code: int | None, options: OptionSet) -> Cause | None:
    """A crash without an error text, found by the options that are known to cause it."""
    for row in CRASHES:
        if row.exit_code == exit_code and row.applies(options):
            return Cause(Fault.RUNTIME, "crashed", row.message, row.hint)
    return None


def _exception(output: str) -> Cause | None:
    found = _WHAT.search(output)
    if found is None:
        return None
    extra = _EXTRA.search(output)
    text = one_line(extra["extra"] if extra else found["what"], WORD_LIMIT)
    return Cause(
        Fault.RUNTIME,
        "exception",
        f"the program threw an exception: {text}",
        SEE_STDERR,
    )


def _by_code(exit_code: int | None) -> Cause | None:
    row = EXIT_CODES.get(exit_code) if exit_code is not None else None
    return Cause(row.fault, row.cause, row.message, row.hint) if row else None


def ends(text: str) -> str:
    """The first and last TEXT_LIMIT characters of a text, where causes are searched."""
    return text if len(text) <= 2 * TEXT_LIMIT else f"{text[:TEXT_LIMIT]}\n{text[-TEXT_LIMIT:]}"
