"""`farm plan`: exactly what `farm bench` would do, without touching a device."""

from __future__ import annotations

import sys
from typing import Any

from farm.cli import arguments as args
from farm.cli.bench.catalogue_options import (
    misspelling_notes,
    normalise,
    with_load_and_run_options,
    with_recipe,
)
from farm.cli.bench.prepare import check_inputs, prepare_plan
from farm.cli.terminal.console import out, plain, say, show_json
from farm.cli.terminal.tables import plan_table
from farm.model.matrix import Plan
from farm.model.options import OptionSet
from farm.plan.matrix import cells_of, needed_artifacts

SETTINGS: dict[str, Any] = {
    "context_settings": {"token_normalize_func": normalise},
    "epilog": "Examples:\n\n"
    "  farm plan --devices 'arm-*,gpu-*,!arm-2' --model resnet18.mge\n\n"
    "  farm plan --suite inventory/nightly.yaml --json",
}


@with_load_and_run_options
def command(
    *,
    options: OptionSet,
    inventory: args.Inventory = None,
    devices: args.Devices = None,
    model: args.Models = None,
    input: args.Inputs = None,  # noqa: A002 - the option's name
    variant: args.Variants = None,
    sweep: args.Sweeps = None,
    recipe: args.Recipe = None,
    suite: args.Suite = None,
    rounds: args.Rounds = None,
    seed: args.Seed = None,
    json: args.Json = False,
) -> None:
    """Show the matrix, what is skipped and why, and what would be pushed. Touches no device.

    Takes what `farm bench` takes. What only a device can tell (its cores, its GPU) is checked by the
    bench after it has looked.
    """
    for note in misspelling_notes(sys.argv):
        say(f"note: {note}", "dim")
    prepared = prepare_plan(
        inventory=inventory, devices=devices, models=model or [], inputs=input or [],
        options=with_recipe(recipe, options),
        variants=variant or [], sweeps=sweep or [], suite=suite, rounds=rounds, seed=seed,
    )  # fmt: skip
    plan = check_inputs(prepared.plan)
    if json:
        show_json(as_json(plan))
        return
    out.print(plan_table(plan))
    for skip in plan.skips:
        out.print(plain(f"skipped {skip.device.name}/{skip.model.name}/{skip.variant.name}: {skip.reason}"))
    for variant_ in plan.variants:
        text = " ".join(f"--{name}={value}" for name, value in variant_.options.values) or "(no options)"
        out.print(plain(f"variant {variant_.name}: {text}"))
    for note in dict.fromkeys(note for cell in plan.cells for note in cell.notes):
        out.print(plain(f"note: {note}", "yellow"))
    for device in plan.devices:
        files = needed_artifacts(cells_of(plan, device))
        total = sum(file.size_bytes for file in files)
        verb = "linked" if device.is_local else "pushed unless already there"
        out.print(plain(f"{device.name}: {len(files)} files, {total:,} bytes of models and inputs ({verb}); "
                        f"{device.runtime.kind} runtime"))  # fmt: skip


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan for scripts."""
    return {
        "rounds": plan.rounds,
        "seed": plan.seed,
        "cells": [
            {
                "device": cell.device.name,
                "model": cell.model.name,
                "variant": cell.variant.name,
                "options": cell.variant.options.as_dict(),
                "rounds": [{"kind": one.kind, "index": one.index} for one in cell.rounds],
                "notes": list(cell.notes),
            }
            for cell in plan.cells
        ],
        "skips": [
            {"device": s.device.name, "model": s.model.name, "variant": s.variant.name, "reason": s.reason}
            for s in plan.skips
        ],
        "push": {
            device.name: [
                {"name": file.name, "sha256": file.sha256, "size_bytes": file.size_bytes}
                for file in needed_artifacts(cells_of(plan, device))
            ]
            for device in plan.devices
        },
    }
