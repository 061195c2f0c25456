"""`farm plan`: exactly what `farm bench` would do, without touching a device."""

from __future__ import annotations

import shlex
from typing import Any

from farm.cli import arguments as args
from farm.cli.bench.catalogue_options import normalise
from farm.cli.bench.request_options import takes_request
from farm.cli.terminal.console import out, plain, show_json
from farm.cli.terminal.progress import Bar
from farm.cli.terminal.tables import plan_table
from farm.model.matrix import Plan
from farm.model.request import Request
from farm.options import words
from farm.plan.matrix import cells_of, needed_artifacts
from farm.plan.prepare import prepare

SETTINGS: dict[str, Any] = {
    "context_settings": {"token_normalize_func": normalise},
    "epilog": "Examples:\n\n"
    "  farm plan --devices 'arm-*,gpu-*,!arm-2' --model resnet18.mge\n\n"
    "  farm plan --suite inventory/nightly.yaml --json",
}


@takes_request
def command(*, request: Request, json: args.Json = False) -> None:
    """Show the matrix, the skipped cells with the reason, and what would be pushed. Touches no device.

    Takes the same options as `farm bench`. Facts of a device (its cores, its GPU) are checked by the
    bench after its probe.
    """
    with Bar() as bar:
        plan = prepare(request, bar.update, fetch=False).plan
    if json:
        show_json(as_json(plan))
        return
    out.print(plan_table(plan))
    for skip in plan.skips:
        out.print(plain(f"skipped {skip.device.name}/{skip.model.name}/{skip.variant.name}: {skip.reason}"))
    for variant_ in plan.variants:
        text = shlex.join(words(variant_.options)) or "(no options)"
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
