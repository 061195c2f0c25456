"""Which cells of a plan are compared with each other: builds, models or variants, and canaries. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from farm.errors import RequestError
from farm.model.build import CANARY, INVENTORY_BUILD, Build
from farm.model.comparison import Change, Duel
from farm.model.matrix import Cell, Plan, RoundKind
from farm.suggest import nearest

NAME_OF: Mapping[Change, Callable[[Cell], str]] = {
    Change.BUILD: lambda cell: cell.build,
    Change.VARIANT: lambda cell: cell.variant.name,
    Change.MODEL: lambda cell: cell.model.name,
}
"""The part of a cell's key that differs between the two sides of a duel."""


def with_duels(plan: Plan, ab: Sequence[str]) -> Plan:
    """The plan with a duel of the first name of `ab` against each other one, wherever both are cells.

    Raises RequestError where a name is unknown, or may be that of two things, or nothing is compared.
    """
    if not ab:
        return plan
    change = _change(plan, ab)
    name_of = NAME_OF[change]
    rest = [(cell, _key(cell, change)) for cell in plan.cells]
    baselines = {key: cell for cell, key in rest if name_of(cell) == ab[0]}
    duels = tuple(
        Duel(baselines[key].id, cell.id, change)
        for other in ab[1:]
        for cell, key in rest
        if name_of(cell) == other and key in baselines
    )
    if not duels:
        reasons = "; ".join(dict.fromkeys(one.reason for one in plan.skips))
        raise RequestError(
            f"--ab {','.join(ab)}: no device runs two of them with the same rest"
            + (f" ({reasons})" if reasons else ""),
            hint="farm plan without --ab shows the cells",
        )
    return replace(plan, duels=(*plan.duels, *duels))


def _key(cell: Cell, change: Change) -> tuple[str, ...]:
    """All of a cell's key but what changes."""
    return cell.device.name, *(name(cell) for what, name in NAME_OF.items() if what is not change)


def _change(plan: Plan, ab: Sequence[str]) -> Change:
    """Of what these are the names."""
    names = {
        Change.BUILD: [one.name for one in plan.builds],
        Change.VARIANT: [one.name for one in plan.variants],
        Change.MODEL: [one.name for one in plan.models],
    }
    fitting = [change for change, known in names.items() if set(ab) <= set(known)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        kinds = " and ".join(f"{change.value}s" for change in fitting)
        raise RequestError(
            f"--ab {','.join(ab)}: there are {kinds} of these names", hint="rename the ones or the others"
        )
    everything = [name for known in names.values() for name in known]
    for name in ab:
        if name not in everything:
            raise RequestError(
                f"--ab: no build, variant or model is named {name!r}{nearest(name, everything)}",
                hint="variants come with --variant NAME=OPTIONS, models with --model, builds with --build",
            )
    raise RequestError(
        f"--ab {','.join(ab)}: not all of one kind",
        hint="name builds, or variants, or models, but not some of each",
    )


def with_canaries(plan: Plan) -> Plan:
    """The plan with one cell of each device twice, under two names: what differs between them is nothing.

    It is the first one with the smallest model, without preparations where there is such a one.
    Raises RequestError where a build has the name that the twin gets.
    """
    originals = [cell for device in plan.devices if (cell := _cheapest(plan, device.name)) is not None]
    builds = {build.name: build for build in plan.builds}
    twins: dict[str, Cell] = {}
    extra: dict[str, Build] = {}
    for cell in originals:
        name = twin_name(cell.build)
        if name in builds:
            raise RequestError(
                f"the build name {name} is farm's own: a cell that is measured twice has it",
                hint="rename the build, or use --no-canary",
            )
        extra[name] = Build(name, builds[cell.build].choices if cell.build in builds else ())
        timed = tuple(one for one in cell.rounds if one.kind in (RoundKind.TIMED, RoundKind.SETUP))
        twins[cell.id] = replace(cell, build=name, rounds=timed)
    duels = (Duel(one, twin.id, Change.NOTHING, is_canary=True) for one, twin in twins.items())
    return replace(
        plan,
        cells=tuple(one for cell in plan.cells for one in (cell, twins.get(cell.id)) if one is not None),
        builds=(*plan.builds, *extra.values()),
        duels=(*plan.duels, *duels),
    )


def twin_name(build: str) -> str:
    """The build of the second cell of a canary: `canary`, or `canary-new` of the build `new`."""
    return CANARY if build == INVENTORY_BUILD.name else f"{CANARY}-{build}"


def _cheapest(plan: Plan, device: str) -> Cell | None:
    cells = [cell for cell in plan.cells if cell.device.name == device]
    return min(cells, key=lambda one: (bool(one.preparations), one.model.artifact.size_bytes), default=None)
