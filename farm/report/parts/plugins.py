"""Sections that plugins make of a run. One that fails or does not end is a section that says so."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from farm.errors import RunError
from farm.model.run import Results
from farm.plugins.find import Group, Plugin, nothing_on_stdout, plugins, reason_of
from farm.plugins.nouns import Section, Table, Value
from farm.report.numerals import MISSING
from farm.report.sections import More
from farm.report.views.plugins import PluginPart, PluginSection, PluginTable, PluginValue
from farm.visible import cleaned, one_line

LIMIT_S = 60.0
"""For each plugin."""

MOST_PARTS = 50
MOST_ROWS = 500
MOST_COLUMNS = 30
LONGEST_TITLE = 60
LONGEST_VALUE = 500


def plugin_sections(results: Results) -> More:
    """The section `plugins` of the run, by the names of the plugins; none where none has something to say."""
    shown = [section for one in plugins(Group.SECTIONS) if (section := _section(one, results))]
    return More({"plugins": tuple(cleaned(one) for one in shown)}) if shown else More()


def _section(plugin: Plugin, results: Results) -> PluginSection | None:
    """In a thread that nobody waits for at the end: the report, and the night after it, go on without one
    that hangs.
    """
    found: list[PluginSection | None] = []
    worker = threading.Thread(target=lambda: found.append(_made(plugin, results)), daemon=True)
    with nothing_on_stdout():  # not in the thread, which may never come to the end of it
        worker.start()
        worker.join(LIMIT_S)
    return found[0] if found else _failed(plugin, f"the plugin {plugin.label} did not end in {LIMIT_S:g} s")


def _made(plugin: Plugin, results: Results) -> PluginSection | None:
    try:
        made = plugin.call(results)
        return None if made is None else composed(made, plugin)
    except RunError as error:
        return _failed(plugin, error.message)
    except BaseException as error:  # noqa: BLE001 - also what its own classes do when they are read
        return _failed(
            plugin, f"the plugin {plugin.label} made no section that can be shown: {reason_of(error)}"
        )


def _failed(plugin: Plugin, problem: str) -> PluginSection:
    return PluginSection(plugin.name, plugin.label, problem=problem)


def composed(made: object, plugin: Plugin) -> PluginSection:
    """What is shown of it. Raises RunError, or whatever its own classes raise, for what is no section."""
    if not isinstance(made, Section):
        raise plugin.refuse(made, "a farm.plugins.Section")
    parts = tuple(made.content)
    return PluginSection(
        one_line(str(made.title), LONGEST_TITLE) or plugin.name,
        plugin.label,
        tuple(_part(one, plugin) for one in parts[:MOST_PARTS]),
        max(len(parts) - MOST_PARTS, 0),
    )


def _part(one: object, plugin: Plugin) -> PluginPart:
    if isinstance(one, Table):
        return PluginPart(None, _table(one))
    if isinstance(one, str):
        return PluginPart(str(one), None)  # of a class of its own (Markup) the plain text
    raise plugin.refuse(one, "a paragraph (str) or a farm.plugins.Table")


def _table(table: Table) -> PluginTable:
    columns = tuple(one_line(str(one), LONGEST_VALUE) for one in table.columns)[:MOST_COLUMNS]
    rows = tuple(table.rows)
    return PluginTable(
        str(table.caption),
        columns,
        tuple(_row(row, len(columns)) for row in rows[:MOST_ROWS]),
        max(len(rows) - MOST_ROWS, 0),
    )


def _row(row: Sequence[Value], columns: int) -> tuple[PluginValue, ...]:
    """As many values as there are columns."""
    values = [_value(one) for one in row][:columns]
    return (*values, *([_value(None)] * (columns - len(values))))


def _value(value: object) -> PluginValue:
    if value is None:
        return PluginValue(MISSING, is_number=False)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return PluginValue(one_line(text, LONGEST_VALUE), is_number)
