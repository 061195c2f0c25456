"""From what a lab file says of a device to its `Properties`: kind, then oddities, then what is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any
from zlib import crc32

from farm.sim.lab.entries import Behaviour, FaultEntry
from farm.sim.lab.faults import FAULTS
from farm.sim.lab.heat_entry import HeatEntry, heated
from farm.sim.lab.kinds import KINDS
from farm.sim.oddities import ODDITIES
from farm.sim.properties import Line, Login, Program, Properties, Strike, Tensor, Written

PAIRS = frozenset({"factors", "shifts", "environment", "tools"})
"""Mappings of a file that are pairs here."""

LOGIN = {"shell": "shell", "rc": "rc", "forced_command": "forced", "environment": "environment"} | {
    "neighbours": "neighbours"
}
PROGRAM = frozenset(field.name for field in fields(Program)) - {"strikes", "outputs", "writes"}


def properties_of(name: str, entry: Behaviour, inventory: Mapping[str, object]) -> Properties:
    """Of a device with this name, which decides its noise where no seed does. `inventory` are further keys
    of its entry there. Raises ValueError for what does not go together.
    """
    found = KINDS[entry.like].properties if entry.like else Properties()
    for oddity in entry.oddity:
        found = _with_oddity(found, ODDITIES[oddity].properties)
    program, said = found.program, entry.model_fields_set
    if "seed" not in said:
        program = replace(program, seed=crc32(name.encode()))
    program = replace(program, **{key: _value(entry, key) for key in PROGRAM & said})
    if entry.outputs:
        outputs = tuple(Tensor(one.values, one.shape, one.name, one.variable) for one in entry.outputs)
        program = replace(program, outputs=outputs)
    if "writes" in said:
        written = tuple(Written(one.name, one.size_bytes, one.count) for one in entry.writes)
        program = replace(program, writes=written)
    program = replace(program, strikes=(*program.strikes, *_strikes(entry.faults)))
    return replace(
        found,
        program=program,
        login=replace(found.login, **{LOGIN[key]: _value(entry, key) for key in LOGIN.keys() & said}),
        line=_line(found.line, entry.faults),
        **{key: _value(entry, key) for key in {"home", "fork_s"} & said},
        tools=_merged(found.tools, tuple(entry.tools.items())),
        heat=_heat(found, entry.heat) if "heat" in said else found.heat,
        entry=tuple(inventory.items()),
    )


def _value(entry: Behaviour, key: str) -> Any:
    value = getattr(entry, key)
    return tuple(value.items()) if key in PAIRS else value


def _heat(kind: Properties, entry: HeatEntry | None) -> Any:
    return None if entry is None else heated(kind.heat, entry)


def _with_oddity(base: Properties, odd: Properties) -> Properties:
    """The base with what is not usual of the other."""
    return replace(
        base,
        program=_over(base.program, odd.program, Program()),
        login=_over(base.login, odd.login, Login()),
        line=_over(base.line, odd.line, Line()),
        tools=_merged(base.tools, odd.tools),
        home=odd.home if odd.home != Properties().home else base.home,
        fork_s=odd.fork_s or base.fork_s,
    )


def _over(base: Any, odd: Any, usual: Any) -> Any:
    """Strikes and files add up, all else takes the place of what was there."""
    changed = {
        field.name: getattr(odd, field.name)
        for field in fields(usual)
        if getattr(odd, field.name) != getattr(usual, field.name)
    }
    for name in {"strikes", "writes"} & changed.keys():
        changed[name] = (*getattr(base, name), *changed[name])
    return replace(base, **changed)


def _merged(
    first: tuple[tuple[str, str], ...], second: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    return tuple({**dict(first), **dict(second)}.items())


def _strikes(entries: tuple[FaultEntry, ...]) -> Iterator[Strike]:
    for entry in entries:
        strike = FAULTS[entry.fault].strike
        if strike is not None:
            said = {key: getattr(entry, key) for key in ("run", "iteration", "lasts_s")}
            yield replace(strike, **{key: value for key, value in said.items() if value is not None})


def _line(line: Line, entries: tuple[FaultEntry, ...]) -> Line:
    for entry in entries:
        fault = FAULTS[entry.fault].line
        if fault is None:
            continue
        if fault.resets:
            line = replace(line, resets=entry.times or fault.resets)
        else:
            line = replace(line, deaf_s=fault.deaf_s if entry.lasts_s is None else entry.lasts_s)
    return line
