"""Commands that are imported when they are called: `farm --help` must not wait for asyncssh and numpy."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from farm.cli.commands import COMMANDS, GROUPS, Command

CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyGroup(TyperGroup):
    """A group whose commands are the rows of farm.cli.commands below its name."""

    words = ""
    """What the user types to get here; nothing for `farm` itself."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        names = [row.words if row.group == self.words else row.group for row in self._rows()]
        return list(dict.fromkeys(name.rpartition(" ")[2] for name in names))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The listing, with the full help of each command."""
        stubs = [self.get_command(ctx, name) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(stub.name, stub.help) for stub in stubs])

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - as click has it
        """A stub with the command's name and help, which is all that a listing shows."""
        words = f"{self.words} {cmd_name}".strip()
        if words in GROUPS:
            return TyperCommand(cmd_name, help=GROUPS[words])
        row = next((row for row in self._rows() if row.words == words), None)
        return row and TyperCommand(cmd_name, help=row.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself: it is imported when it is called."""
        name, stub, rest = super().resolve_command(ctx, args)
        if stub is None:
            return name, stub, rest
        words = f"{self.words} {stub.name}".strip()
        if words in GROUPS:
            return name, group(words), rest
        return name, load(next(row for row in COMMANDS if row.words == words)), rest

    def _rows(self) -> list[Command]:
        inside = f"{self.words} " if self.words else ""
        return [row for row in COMMANDS if row.words.startswith(inside)]


def group(words: str) -> LazyGroup:
    """The group that `farm WORDS` means."""
    made = LazyGroup(
        name=words.rpartition(" ")[2],
        help=GROUPS[words],
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings=CONTEXT,
    )
    made.words = words
    return made


def load(row: Command) -> Any:
    """The command of a row, as click runs it."""
    module = import_module(row.module)
    settings = getattr(module, "SETTINGS", {})
    context = CONTEXT | settings.get("context_settings", {})
    app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
    app.command(row.name, **settings | {"context_settings": context})(module.command)
    return typer.main.get_command(app)
