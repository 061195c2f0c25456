"""The command line as gflags reads it."""

from __future__ import annotations

OWN = {"help": "bool", "version": "bool", "flagfile": "string", "undefok": "string"}
"""Flags that gflags adds to those of the program."""


class MistakeError(Exception):
    """What gflags says about a command line that it does not take."""


def read(words: list[str], flags: dict[str, str]) -> tuple[str | None, dict[str, str]]:
    """(model or None, flag -> text) of a command line; `flags` are the names (with underscores) and types.

    `-` and `_` are the same in a name, which has one or two dashes before it. Raises MistakeError.
    """
    known = OWN | flags
    model, found = None, {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            model = model or word
            continue
        written, equals, value = word.removeprefix("-").removeprefix("-").partition("=")
        name = written.replace("-", "_")
        kind = known.get(name)
        if kind is None:
            raise MistakeError(f"unknown command line flag '{written}'")
        if not equals:
            if kind == "bool":
                value = "true"
            elif rest:
                value = rest.pop(0)
            else:
                raise MistakeError(f"flag '{word}' is missing its argument")
        _check(name, kind, value)
        found[name] = value
    return model, {name: value for name, value in found.items() if value != "false"}


def _check(name: str, kind: str, value: str) -> None:
    try:
        if kind in {"int32", "uint64"}:
            int(value)
        elif kind == "double":
            float(value)
    except ValueError:
        raise MistakeError(f"illegal value '{value}' specified for {kind} flag '{name}'") from None


def help_text(flags: dict[str, str]) -> str:
    """What `--help` prints."""
    lines = [
        "load_and_run: load_and_run <model_path> [options Flags...]",
        "",
        "  Flags from sim/options.cpp:",
    ]
    lines += [f"    -{name} (as the real one) type: {kind}" for name, kind in flags.items()]
    lines += ["", "", "", "  Flags from ./tp/gflags/src/gflags.cc:"]
    lines += [f"    -{name} (of gflags) type: {kind}" for name, kind in OWN.items()]
    return "\n".join(lines) + "\n"
