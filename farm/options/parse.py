"""Command lines and mappings to option sets, by the rules of gflags.

One or two dashes, dashes or underscores, `--name=value` or the next word, `--nobool`. Unlike gflags, a
stray word is an error: the program takes it for another file and ignores it (`--lite false` is lite on).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from farm.errors import RequestError
from farm.model.options import OptionSet, Value
from farm.options.catalogue import BY_NAME, CATALOGUE
from farm.options.lookup import find, misspelling_note, normal, option
from farm.options.row import Option
from farm.options.values import FALSE, TRUE, convert, usage

PROGRAM_FLAGS = {
    "flagfile": "write the options themselves",
    "fromenv": "a round has a clean environment; write the options themselves",
    "tryfromenv": "a round has a clean environment; write the options themselves",
    "undefok": "not needed: farm reads the program's --help and never sends an unknown flag",
    "help": "`farm options list` shows all options",
    "version": "the report shows the engine's version",
}
"""Flags of gflags itself, and what to do instead."""


def parse(argv: Sequence[str], *, read_file: Callable[[str], str] | None = None) -> OptionSet:
    """An option set from the words of a command line. Raises RequestError."""
    return parse_with_notes(argv, read_file=read_file)[0]


def parse_with_notes(
    argv: Sequence[str], *, read_file: Callable[[str], str] | None = None
) -> tuple[OptionSet, tuple[str, ...]]:
    """Like `parse`, with notes on misspellings and repeated options.

    `read_file` reads what `--flagfile` names (one option a line, `#` for comments); without it that flag
    is refused.
    """
    return _read(list(argv), read_file=read_file, bare=False)


def parse_bare(words: Sequence[str]) -> tuple[OptionSet, tuple[str, ...]]:
    """Like `parse_with_notes`, where the leading dashes of an option's name may be missing."""
    return _read(list(words), read_file=None, bare=True)


def from_mapping(values: Mapping[str, object]) -> OptionSet:
    """An option set from names and values, as in a suite. Raises RequestError."""
    pairs: dict[str, Value] = {}
    for name, value in values.items():
        row = option(str(name))
        if row.name in pairs:
            raise RequestError(f"--{row.name} is given twice")
        pairs[row.name] = convert(row, _scalar(row, value))
    return build(pairs)


def _scalar(row: Option, value: object) -> Value:
    """A value of YAML or JSON as one value: null turns a flag on, a list is joined by commas."""
    if isinstance(value, list | tuple):
        value = ",".join(str(part) for part in value)
    if value is None and row.is_flag:
        return True
    if not isinstance(value, bool | int | float | str):
        raise RequestError(f"--{row.name}: a {type(value).__name__} is not a value", hint=usage(row))
    return value


def build(pairs: Mapping[str, Value]) -> OptionSet:
    """An option set from converted values: catalogue order, defaults left out (kept as `resets`)."""
    values = tuple((row.name, pairs[row.name]) for row in CATALOGUE if row.name in pairs)
    return OptionSet(
        values=tuple((name, value) for name, value in values if not _is_default(name, value)),
        resets=frozenset(name for name, value in values if _is_default(name, value)),
    )


def merge(base: OptionSet, override: OptionSet) -> OptionSet:
    """`base` with everything in `override` applied, resets to defaults included."""
    kept = {name: value for name, value in base.values if name not in override.resets}
    merged = build(kept | override.as_dict())
    return OptionSet(merged.values, (base.resets | override.resets).difference(merged.as_dict()))


def words(options: OptionSet) -> tuple[str, ...]:
    """The words of a command line that `parse` reads as these options."""
    return tuple(f"--{name}" if value is True else f"--{name}={value}" for name, value in options.values)


def without(options: OptionSet, *names: str) -> OptionSet:
    """`options` less the named ones."""
    return OptionSet(
        tuple((name, value) for name, value in options.values if name not in names), options.resets
    )


def _is_default(name: str, value: Value) -> bool:
    row = BY_NAME[name]
    return value is False or value == "" or (not row.is_flag and value == row.default)


def _read(
    words: list[str], *, read_file: Callable[[str], str] | None, bare: bool
) -> tuple[OptionSet, tuple[str, ...]]:
    pairs: dict[str, Value] = {}
    notes: list[str] = []
    words.reverse()
    while words:
        word = words.pop()
        name, equals, text = word.partition("=")
        if not bare and not (word.startswith("-") and normal(name)):
            raise RequestError(
                f"unexpected argument {word!r}: load_and_run would ignore it", hint=_stray_hint(word, pairs)
            )
        if normal(name) in PROGRAM_FLAGS and find(name) is None:
            if normal(name) != "flagfile" or read_file is None:
                raise RequestError(
                    f"--{normal(name)} cannot be passed through farm", hint=PROGRAM_FLAGS[normal(name)]
                )
            words.extend(_flagfile(read_file(text if equals else words.pop() if words else ""))[::-1])
            read_file = None  # a flag file does not name another
            continue
        row_name, value = _one(name, text if equals else None, words)
        note = misspelling_note(name)
        if note:
            notes.append(note)
        if row_name in pairs and pairs[row_name] != value:
            notes.append(f"--{row_name} is given more than once; the last one is used")
        pairs[row_name] = value
    return build(pairs), tuple(dict.fromkeys(notes))


def _one(name: str, text: str | None, rest: list[str]) -> tuple[str, Value]:
    """One option; takes its value from the end of `rest` where it is the next word."""
    row = find(name)
    if row is None and normal(name).startswith("no"):
        negated = find(normal(name)[2:].lstrip("-"))
        if negated is not None and negated.is_flag and text is None:
            return negated.name, False
    row = option(name)
    if row.is_flag:
        return row.name, True if text is None else convert(row, text)
    if text is None:
        if not rest or _is_option(rest[-1]):
            raise RequestError(f"--{row.name} needs a value", hint=usage(row))
        text = rest.pop()
    return row.name, convert(row, text)


def _is_option(word: str) -> bool:
    return word.startswith("-") and find(word.partition("=")[0]) is not None


def _stray_hint(word: str, pairs: dict[str, Value]) -> str:
    last = next(reversed(pairs), None)
    if last is not None and BY_NAME[last].is_flag and word.lower() in TRUE | FALSE:
        return f"join the value to the flag: --{last}={word.lower()}"
    return f"did you mean --{word}?" if find(word) else "options start with --; use --model for models"


def _flagfile(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
