"""Why a round failed: exit codes and error texts of load_and_run as one table."""

from __future__ import annotations

import re

from farm.causes.endings import CRASHES, ENDINGS, EXIT_CODES
from farm.causes.row import Row
from farm.causes.texts import LOADER, TEXTS
from farm.errors import Fault
from farm.model.measurement import Cause
from farm.model.options import OptionSet
from farm.visible import one_line

TEXT_LIMIT = 64 * 1024
WORD_LIMIT = 160
_NO_OPTIONS = OptionSet()
_WHAT = re.compile(r"^\s*what\(\):\s*(?P<what>.{1,400})", re.MULTILINE)
_EXTRA = re.compile(r"^extra message: (?P<extra>.{1,400})", re.MULTILINE)


def diagnose(
    exit_code: int | None, why: str, stdout: str, stderr: str, options: OptionSet = _NO_OPTIONS
) -> Cause:
    """The cause of a failed round.

    `why` is how the agent reports the end (`-`, `wall-limit`, `silence-limit`, `killed`, `lease-lost`),
    `exit_code` is None where there is none; a signal is 128 + its number. Only the first and last
    TEXT_LIMIT characters of the texts are searched. Quotations from them are printable and short.
    """
    text = f"{_ends(stdout)}\n{_ends(stderr)}"
    if exit_code in (126, 127):
        found = _first(LOADER, text)
        if found:
            return found
    ended = ENDINGS.get(why)
    if ended is not None:
        hang = next((row for row in CRASHES if row.why == why and row.applies(options)), None)
        if hang is not None:
            return Cause(ended.fault, ended.cause, f"{ended.message}: {hang.message}", hang.hint)
        return Cause(ended.fault, ended.cause, ended.message, ended.hint)
    return (
        _first(TEXTS, text)
        or _crash(exit_code, options)
        or _exception(text)
        or _by_code(exit_code)
        or Cause(
            Fault.RUNTIME,
            "unknown",
            f"the program ended with exit code {exit_code}; its output has no known error",
            "see stderr",
        )
    )


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
    return Cause(Fault.RUNTIME, "exception", f"the program threw an exception: {text}", "see stderr")


def _by_code(exit_code: int | None) -> Cause | None:
    row = EXIT_CODES.get(exit_code) if exit_code is not None else None
    return Cause(row.fault, row.cause, row.message, row.hint) if row else None


def _ends(text: str) -> str:
    return text if len(text) <= 2 * TEXT_LIMIT else f"{text[:TEXT_LIMIT]}\n{text[-TEXT_LIMIT:]}"
