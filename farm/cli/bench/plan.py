"""`farm plan`: exactly what `farm bench` would do, without touching a device."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from farm.cli import arguments as args
from farm.cli.bench.catalogue_options import normalise
from farm.cli.bench.ceilings import ceilings_json, ceilings_lines
from farm.cli.bench.request_options import takes_request
from farm.cli.bench.sampling import comparisons_of, duel_json, expected_json
from farm.cli.bench.skips import skips_of
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.progress import Bar
from farm.cli.terminal.tables import plan_table
from farm.model.artifact import Artifact
from farm.model.build import INVENTORY_BUILD
from farm.model.device import Device, Runtime, RuntimeKind
from farm.model.matrix import CHECKS, Plan, RoundKind
from farm.model.outputs import Check
from farm.model.request import Request
from farm.options import words
from farm.plan.builds import runtimes_of
from farm.plan.estimate import expected
from farm.plan.layout import files_to_push
from farm.plan.matrix import cells_of
from farm.plan.prepare import prepare
from farm.run.devices.quarantined import without_quarantined
from farm.run.measure.against import against
from farm.store.recent import recent_results

SETTINGS: dict[str, Any] = {
    "context_settings": {"token_normalize_func": normalise},
    "epilog": "Examples:\n\n"
    "  farm plan --devices 'arm-*,gpu-*,!arm-2' --model resnet18.mge\n\n"
    "  farm plan --suite inventory/nightly.yaml --json",
}


MOST_NAMED = 10


@takes_request
def command(*, request: Request, runs_dir: args.EarlierRuns = None, json: args.Json = False) -> None:
    """Show what a bench would run, compare and push, and how long it takes. Touches no device.

    The time is by earlier runs in --runs-dir, where there are any. What is skipped has its reason.
    Takes the same options as `farm bench`. Facts of a device (its cores, its GPU) are checked by the
    bench after its probe.
    """
    earlier = runs_dir or Path("runs")
    with Bar() as bar:
        prepared = prepare(request, bar.update, fetch=False)
    plan = against(without_quarantined(prepared.plan, earlier), request, earlier)
    time_needed = expected(plan, recent_results(earlier))
    if json:
        show_json(as_json(plan) | {"expected": expected_json(time_needed)})
        return
    out.print(plan_table(plan))
    for line in comparisons_of(plan):
        out.print(plain(line))
    skipped = ((one.device.name, one.model.name, one.column, one.reason) for one in plan.skips)
    for line in skips_of(skipped, "--json shows them"):
        out.print(plain(line))
    for variant_ in plan.variants:
        text = shlex.join(words(variant_.options)) or "(no options)"
        out.print(plain(f"variant {variant_.name}: {text}"))
    if plan.checking.check is not Check.OFF:
        out.print(plain(_checks(plan)))
    for line in ceilings_lines(plan):
        out.print(plain(line))
    if profiles := sum(one.kind is RoundKind.PROFILE for cell in plan.cells for one in cell.rounds):
        out.print(
            plain(
                f"profiles are written in {profiles} round{'s' if profiles != 1 else ''} after the timed ones"
            )
        )
    for note in dict.fromkeys(note for cell in plan.cells for note in cell.notes):
        out.print(plain(f"note: {note}", "yellow"))
    files = files_to_push(plan)
    for device in plan.devices:
        out.print(plain(_pushed(plan, device, files[device.name])))
    for line in power_lines(plan.devices):
        out.print(plain(line))
    if time_needed is not None:
        out.print(plain(f"takes {time_needed.text}"))


def _pushed(plan: Plan, device: Device, files: Sequence[Artifact]) -> str:
    """What goes to a device, and how."""
    total = sum(file.size_bytes for file in files)
    cells = cells_of(plan, device)
    runtimes = {cell.build: runtimes_of(plan, cell) for cell in cells}
    every = dict.fromkeys(runtime for some in runtimes.values() for runtime in some) or {device.runtime: None}
    what = "models and inputs"
    if any(one.overlay or one.preload or (one.program and not one.on_device) for one in every):
        libraries = any(one.libraries or one.overlay or one.preload for one in every)
        what = "program, libraries, models and inputs" if libraries else "program, models and inputs"
    verb = "linked" if device.is_local else "pushed unless already there"
    told = [
        f"{'' if build == INVENTORY_BUILD.name else f'build {build}: '}{_runtimes(some, device)}"
        for build, some in runtimes.items()
    ]
    through = f" through {device.relay.device.name}" if device.relay else ""
    return (
        f"{device.name}: {len(files)} files, {total:,} bytes of {what} ({verb}{through}); "
        f"{'; '.join(told) or _runtimes((device.runtime,), device)}"
    )


def power_lines(devices: Sequence[Device]) -> Iterator[str]:
    """Which devices can be switched by whom looks on: a bench never does."""
    switched = [f"{one.name} ({', '.join(one.power.actions)})" for one in devices if one.power]
    if switched:
        more = f" and {len(switched) - MOST_NAMED} more" if len(switched) > MOST_NAMED else ""
        yield (
            f"power hooks, which a bench never calls (farm devices power): {', '.join(switched[:MOST_NAMED])}"
            f"{more}"
        )


def _checks(plan: Plan) -> str:
    """How outputs are checked."""
    checks = ((one.name, one.check.golden) for one in plan.models if one.check)
    golden = ", ".join(f"{name} with {found.name}" for name, found in checks if found)
    rounds = sum(one.kind in CHECKS for cell in plan.cells for one in cell.rounds)
    return f"outputs are checked in {rounds} rounds before the timed ones; {golden or 'no golden file'}"


def _runtimes(runtimes: Sequence[Runtime], device: Device) -> str:
    """`wheel runtime, whose libraries are pushed once`; several where the device's facts decide."""
    told = []
    for runtime in runtimes:
        where = f" ({runtime.program} of the device)" if runtime.on_device else ""
        is_pushed = runtime.kind is RuntimeKind.WHEEL and not device.is_local
        told.append(
            f"{runtime.kind} runtime{where}{', whose libraries are pushed once' if is_pushed else ''}"
        )
    told = list(dict.fromkeys(told))
    return f"{' or '.join(told)}, as the probe will show" if len(runtimes) > 1 else told[0]


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan for scripts."""
    return {
        "rounds": plan.rounds,
        "seed": plan.seed,
        "sampling": asdict(plan.sampled),
        "duels": [duel_json(duel) for duel in plan.duels],
        "check": plan.checking.check,
        "ceilings": ceilings_json(plan),
        "cells": [
            {
                "device": cell.device.name,
                "model": cell.model.name,
                "variant": cell.variant.name,
                "build": cell.build,
                "options": cell.variant.options.as_dict(),
                "rounds": [{"kind": one.kind, "index": one.index} for one in cell.rounds],
                "notes": list(cell.notes),
            }
            for cell in plan.cells
        ],
        "skips": [
            {
                "device": s.device.name,
                "model": s.model.name,
                "variant": s.variant.name,
                "build": s.build,
                "reason": s.reason,
            }
            for s in plan.skips
        ],
        "power": {one.name: list(one.power.actions) for one in plan.devices if one.power},
        "relays": {one.name: one.relay.device.name for one in plan.devices if one.relay},
        "push": {
            name: [
                {"name": file.name, "sha256": file.sha256, "size_bytes": file.size_bytes} for file in files
            ]
            for name, files in files_to_push(plan).items()
        },
    }
