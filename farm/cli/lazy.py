"""Commands that are imported when they are called: `farm --help` must not wait for asyncssh and numpy."""

from __future__ import annotations

import gc
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from farm.cli.commands import COMMANDS, GROUPS, Command

CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


LARGE = 10**9
DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_CHECK = object()
"""It has to be checked."""


class Option(TyperOption):
    """An option that imports what checks its value only where there is something to check: pydantic takes a
    tenth of a second, and of the hundred options of a bench few are given.
    """

    def process_value(self, ctx: Any, value: Any) -> Any:
        given = _as_it_is(self, value, absent=() if self.multiple else None)
        if given is _CHECK:
            return super().process_value(ctx, value)
        return self.callback(ctx, self, given) if self.callback else given


class Argument(TyperArgument):
    """A positional argument of this kind."""

    def process_value(self, ctx: Any, value: Any) -> Any:
        given = _as_it_is(self, value, absent=None)
        if given is _CHECK:
            return super().process_value(ctx, value)
        return self.callback(ctx, self, given) if self.callback else given


def _as_it_is(parameter: Any, value: Any, *, absent: Any) -> Any:
    """The value where there is nothing to check: text for a parameter that takes any, digits for a whole
    number within its limits, a path, a default, and nothing at all.
    """
    if value is None and not parameter.required:
        return absent
    kind = parameter.type_descriptor
    info = kind.parameter_info
    if info.parser is not None or kind.choices is not None:
        return _CHECK
    if isinstance(value, Path) or type(value) is kind.annotation:
        return value
    if kind.annotation is Path and isinstance(value, str) and not (info.exists or info.resolve_path):
        return Path(value)
    if kind.annotation == list[str] and value and all(isinstance(one, str) for one in value):
        return value
    if kind.annotation is int and isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value) if len(value) <= 9 and _is_within(int(value), info) else _CHECK
    if kind.annotation is float and isinstance(value, str) and DECIMAL.fullmatch(value):
        return float(value) if _is_within(float(value), info) else _CHECK
    return _CHECK


def _is_within(number: float, info: Any) -> bool:
    return bool((info.min or 0) <= number <= (info.max or LARGE))


class QuickCommand(TyperCommand):
    """A command with such options."""

    def get_params(self, ctx: Any) -> Any:
        return _quick(super().get_params(ctx))


def _quick(parameters: Any) -> Any:
    for parameter in parameters:
        if type(parameter) is TyperOption:  # typer makes no others, whatever it is told
            parameter.__class__ = Option
        elif type(parameter) is TyperArgument:
            parameter.__class__ = Argument
    return parameters


class LazyGroup(TyperGroup):
    """A group whose commands are the rows of farm.cli.commands below `words`, nothing for `farm` itself.

    Its `commands` are stubs with name and help: all that listings and suggestions need.
    """

    def __init__(self, *, words: str = "", **settings: Any) -> None:
        super().__init__(**settings)
        self.words = words
        for row in COMMANDS:
            if row.group == words:
                self.add_command(TyperCommand(row.name, help=row.help))
            elif not words:
                self.add_command(TyperCommand(row.group, help=GROUPS[row.group]))

    def get_params(self, ctx: Any) -> Any:
        return _quick(super().get_params(ctx))

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as click has it
        """The listing, with the full help of each command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, stub.help) for name, stub in self.commands.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself: it is imported when it is called."""
        name, stub, rest = super().resolve_command(ctx, args)
        if stub is None:
            return name, stub, rest
        words = f"{self.words} {stub.name}".strip()
        if words in GROUPS:
            return name, group(words), rest
        return name, load(next(row for row in COMMANDS if row.words == words)), rest


def group(words: str) -> LazyGroup:
    """The group that `farm WORDS` means."""
    return LazyGroup(
        words=words,
        name=words,
        help=GROUPS[words],
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings=CONTEXT,
    )


def load(row: Command) -> Any:
    """The command of a row, as click runs it."""
    module = import_module(row.module)
    settings = getattr(module, "SETTINGS", {})
    context = CONTEXT | settings.get("context_settings", {})
    app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
    settings = settings | {"context_settings": context, "cls": QuickCommand}
    app.command(row.name, **settings)(module.command)
    gc.freeze()
    gc.enable()
    return typer.main.get_command(app)
