"""Command line rules of gflags, as the C++ load_and_run has them: `-` and `_` are the same in a flag's name,
`--flag=v`, `--flag v`, `-flag`, `--flag`/`--noflag` for booleans, `--flagfile`, `--fromenv`, `--undefok`,
`--` ends the flags.
"""

import os
import re
from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Tuple

from mge.command_line.flag_table import FLAGS

USAGE = "load_and_run <model_path> [options Flags...]"
LINE_WIDTH = 80
TRUE = ("1", "t", "true", "y", "yes")
FALSE = ("0", "f", "false", "n", "no")
RANGES = {"int32": (-(2**31), 2**31 - 1), "uint64": (0, 2**64 - 1)}
SHOWN_IN_USAGE = (
    "lite",
    "iter",
    "thread",
    "warmup_iter",
    "flagfile",
    "fromenv",
    "help",
    "helpmatch",
    "version",
)


class FlagError(Exception):
    """A command line that gflags refuses: messages without their `ERROR: `."""

    def __init__(self, messages: List[str]) -> None:
        Exception.__init__(self, "\n".join(messages))
        self.messages = messages


class Values:
    """One attribute for each flag."""

    def __init__(self) -> None:
        for _, rows in FLAGS:
            for name, kind, default, _ in rows:
                setattr(self, name, convert(name, kind, default))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


def table() -> Dict[str, Tuple[str, str, str]]:
    """By name: (type, default, description)."""
    return {name: (kind, default, text) for _, rows in FLAGS for name, kind, default, text in rows}


def convert(name: str, kind: str, text: str) -> Any:
    """The value that `text` is for a flag of type `kind`. Raises FlagError."""
    if kind == "string":
        return text
    refused = FlagError([f"illegal value '{text}' specified for {kind} flag '{name}'"])
    if kind == "bool":
        if text.lower() not in TRUE + FALSE:
            raise refused
        return text.lower() in TRUE
    try:
        value = float(text) if kind == "double" else int(text, 16 if text[:2].lower() == "0x" else 10)
    except ValueError:
        raise refused from None
    low, high = RANGES.get(kind, (value, value))
    if not low <= value <= high or not re.match(r"^[-+0-9.a-zA-Z]+$", text):
        raise refused
    return value


def parse(argv: Sequence[str]) -> Tuple[Values, List[str]]:
    """(values, words that are no flags) of a command line without the program's name. Raises FlagError."""
    parser = _Parser()
    words = parser.words(list(argv))
    errors = parser.errors + parser.unknown_flags()
    if errors:
        raise FlagError(errors)
    return parser.values, words


class _Parser:
    """Flags are set as they come; what is wrong is kept, so that all of it is said at once."""

    def __init__(self) -> None:
        self.flags, self.values = table(), Values()
        self.unknown: Dict[str, str] = {}
        self.errors: List[str] = []

    def words(self, arguments: List[str]) -> List[str]:
        """Takes the flags out of `arguments`; the words that are left."""
        words: List[str] = []
        while arguments:
            word = arguments.pop(0)
            if word == "--":
                return arguments + words  # gflags puts these before the words it has passed
            if word == "-" or not word.startswith("-"):
                words.append(word)
            else:
                self._flag(word, arguments)
        return words

    def _flag(self, word: str, following: List[str]) -> None:
        typed, equals, text = word.lstrip("-").partition("=")
        name = typed.replace("-", "_")
        if name not in self.flags and name[:2] == "no" and name[2:] in self.flags:
            kind = self.flags[name[2:]][0]
            if kind != "bool":
                self.errors.append(f"boolean value ({typed}) specified for {kind} command line flag")
                return
            name, equals, text = name[2:], "=", "false"
        if name not in self.flags:
            self.unknown.setdefault(name, f"unknown command line flag '{typed}'")
            return
        kind, _, description = self.flags[name]
        if not equals:
            if kind == "bool":
                text = "true"
            elif following:
                text = following.pop(0)
            else:
                self.errors.append(f"flag '{word}' is missing its argument; flag description: {description}")
                return
        try:
            self._set(name, text)
        except FlagError as error:
            self.errors += error.messages

    def unknown_flags(self) -> List[str]:
        """Messages about the unknown flags that --undefok does not allow."""
        for word in self.values.undefok.split(","):
            name = word.strip().replace("-", "_")
            for spelling in (name, name[2:] if name[:2] == "no" else "no" + name):
                self.unknown.pop(spelling, None)
        return [self.unknown[name] for name in sorted(self.unknown)]

    def _set(self, name: str, text: str) -> None:
        setattr(self.values, name, convert(name, self.flags[name][0], text))
        if name == "flagfile":
            for path in text.split(","):
                self._set_from_file(path)
        elif name in ("fromenv", "tryfromenv"):
            for wanted in text.split(","):
                self._set_from_environment(wanted.replace("-", "_"), required=name == "fromenv")

    def _set_from_file(self, path: str) -> None:
        try:
            with open(path) as stream:
                lines = [line.strip() for line in stream]
        except OSError as error:
            raise FlagError([f"unable to open flagfile {path}: {error.strerror}"]) from error
        for line in lines:
            if not line.startswith("-"):
                continue
            typed, equals, text = line.lstrip("-").partition("=")
            name = typed.replace("-", "_")
            if name in self.flags:
                self._set(name, text if equals else "true")
            else:
                self.unknown.setdefault(name, f"unknown command line flag '{typed}'")

    def _set_from_environment(self, name: str, *, required: bool) -> None:
        if name not in self.flags:
            self.unknown.setdefault(
                name, f"unknown command line flag '{name}' (via --fromenv or --tryfromenv)"
            )
        elif "FLAGS_" + name in os.environ:
            self._set(name, os.environ["FLAGS_" + name])
        elif required:
            raise FlagError([f"FLAGS_{name} not found in environment"])


def _wrap(text: str) -> Tuple[str, int]:
    """(a description in lines, columns used of the last), as gflags breaks it: at the last white space before
    column 80, the rest indented by six.
    """
    done, used = "", 0
    while True:
        newline = text.find("\n")
        if newline < 0 and used + len(text) < LINE_WIDTH:
            return done + text, used + len(text)
        if 0 <= newline < LINE_WIDTH - used:
            done, text = done + text[:newline], text[newline + 1 :]
        else:
            space = LINE_WIDTH - used - 1
            while space > 0 and not text[space].isspace():
                space -= 1
            if space <= 0:
                return done + text, LINE_WIDTH
            done, text = done + text[:space], text[space:].lstrip()
        if not text:
            return done, used
        done, used = done + "\n      ", 6


def describe(name: str, kind: str, default: str, text: str) -> str:
    """A flag's lines in `--help`."""
    done, used = _wrap(f"    -{name} ({text})")
    shown = f'"{default}"' if kind == "string" else default
    for part in ("type: " + kind, "default: " + shown):
        if used + 1 + len(part) >= LINE_WIDTH:
            done, used = done + "\n      " + part, 6 + len(part)
        else:
            done, used = done + " " + part, used + 1 + len(part)
    return done + "\n"


def help_text(match: str = "") -> str:
    """Text of `--help`, or of the files whose name contains `match`."""
    parts = [
        f"  Flags from {module}:\n{''.join(describe(*row) for row in rows)}\n"
        for module, rows in FLAGS
        if match in module
    ]
    return f"load_and_run: {USAGE}\n\n" + ("".join(parts) or "  No modules matched: use -help\n")


def usage_text() -> str:
    """What the program prints without arguments."""
    flags = table()
    lines = []
    for name in SHOWN_IN_USAGE:
        kind, default, text = flags[name]
        lines.append(f"  -{name:<14} type: {kind:<9} default: {default:<10} {text}")
    shown = "\n".join(lines)
    return f'usage: \nload_and_run: {USAGE}\n\n{shown}\n\nMore details using "--help" to get!!\n'
