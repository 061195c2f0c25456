"""`farm plugins list`."""

from __future__ import annotations

from typing import Any

from farm.cli import arguments as args
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.tables import simple_table
from farm.errors import RunError
from farm.export.formats import FORMATS
from farm.plugins.find import Group, Plugin, nothing_on_stdout, plugins

SETTINGS: dict[str, Any] = {"epilog": "Examples:\n\n  farm plugins list --json"}

COLUMNS = ("name", "group", "package", "version", "state")
OWN = {Group.EXPORTERS: tuple(one.name for one in FORMATS)}
OK = "ok"


def command(json: args.Json = False) -> None:
    """List the plugins that are installed, and whether each can be used. Loads each of them."""
    with nothing_on_stdout():
        rows = [_row(one) for group in Group for one in plugins(group, OWN.get(group, ()))]
    if json:
        show_json([dict(zip(COLUMNS, row, strict=True)) for row in rows])
    elif rows:
        shown = [
            (name, group.removeprefix("farm."), f"{package} {version}", state)
            for name, group, package, version, state in rows
        ]
        out.print(simple_table(("name", "group", "package", "state"), shown))
    else:
        out.print(plain("no plugins installed: docs/how-to/plugins.md says how to make one"))


def _row(one: Plugin) -> tuple[str, str, str, str, str]:
    return one.name, str(one.group), one.package, one.version, _state(one)


def _state(one: Plugin) -> str:
    try:
        one.load()
    except RunError as error:
        return error.message.removeprefix(f"the plugin {one.label} ")
    return OK
