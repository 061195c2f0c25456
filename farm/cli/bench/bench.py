"""`farm bench`."""

from __future__ import annotations

import getpass
import os
import secrets
import shlex
import socket
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from farm import resources
from farm.cli import arguments as args
from farm.cli.bench.catalogue_options import (
    misspelling_notes,
    normalise,
    with_load_and_run_options,
    with_recipe,
)
from farm.cli.bench.prepare import check_inputs, prepare_plan, prepare_wheel
from farm.cli.terminal.console import out, say, show_json
from farm.cli.terminal.live import Display
from farm.cli.terminal.loop import run
from farm.cli.terminal.tables import results_table
from farm.device.session import Patience
from farm.model.options import OptionSet
from farm.model.run import Results
from farm.report.compose import compose
from farm.report.render import render
from farm.run.bench import BenchSettings, bench, exit_code
from farm.run.execute import Limits
from farm.store.codec import results_to_dict
from farm.store.programs import program_store
from farm.store.runs import RunDirectory

SETTINGS: dict[str, Any] = {
    "context_settings": {"token_normalize_func": normalise},
    "epilog": "Examples:\n\n"
    "  farm bench\n\n"
    "  farm bench --devices 'arm-*,gpu-*' --model resnet18.mge --iter 50\n\n"
    "  farm bench --model a.mge --input 'data:x.npy' --variant 'plain=' --variant 'mt2=--multithread 2'\n\n"
    "  farm bench --suite inventory/nightly.yaml --run-id nightly-2026-11-23 --json",
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
    runs_dir: args.RunsDir = Path("runs"),
    run_id: Annotated[
        str | None, typer.Option(help="Name of the run. Default: the time.", metavar="ID")
    ] = None,
    round_limit: Annotated[
        int, typer.Option(help="Seconds that a round may take in all.", metavar="S", min=1)
    ] = Limits.wall_s,
    silence_limit: Annotated[
        int, typer.Option(help="Seconds that a round may print nothing.", metavar="S", min=1)
    ] = Limits.silence_s,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for a device that another run holds.", metavar="S", min=0)
    ] = 0,
    reconnect: Annotated[
        float, typer.Option(help="Seconds to try a lost connection again.", metavar="S", min=0)
    ] = Patience.reconnect_s,
    json: args.Json = False,
) -> None:
    """Run models on devices and write a report.

    Without a model: the bundled ones. Without an inventory: this machine, as the device `local`.
    Every option of load_and_run can be given under its own name; a --variant adds to these.
    """
    for note in misspelling_notes(sys.argv):
        say(f"note: {note}", "dim")
    prepared = prepare_plan(
        inventory=inventory, devices=devices, models=model or [], inputs=input or [],
        options=with_recipe(recipe, options),
        variants=variant or [], sweeps=sweep or [], suite=suite, rounds=rounds, seed=seed,
    )  # fmt: skip
    wheel = prepare_wheel(prepared.plan)
    prepared = replace(prepared, plan=check_inputs(prepared.plan))
    directory = RunDirectory.create(runs_dir, run_id or new_run_id())
    settings = BenchSettings(
        holder=f"{getpass.getuser()}@{socket.gethostname()} pid {os.getpid()} run {directory.run_id}",
        known_hosts=prepared.inventory.known_hosts,
        command=("farm", *sys.argv[1:]),
        products=resources.cache_folder() / "products",
        programs=program_store(),
        limits=Limits(round_limit, silence_limit),
        patience=Patience(lease_wait_s=wait, reconnect_s=reconnect),
    )
    directory.write_run(
        {
            "schema_version": 1,
            "run_id": directory.run_id,
            "command": shlex.join(settings.command),
            "inventory": str(prepared.inventory.source) if prepared.inventory.source else None,
            "devices": [device.name for device in prepared.plan.devices],
            "models": [one.name for one in prepared.plan.models],
            "variants": [one.name for one in prepared.plan.variants],
            "cells": len(prepared.plan.cells),
            "rounds": prepared.plan.rounds,
            "seed": prepared.plan.seed,
        }
    )
    try:
        with Display(prepared.plan) as display:
            results = run(bench(prepared.plan, directory, wheel, settings, display.on_event, prepared.rule))
    except KeyboardInterrupt:
        finish(directory, directory.results(), json=json)
        raise
    finish(directory, results, json=json)
    raise typer.Exit(exit_code(results))


def finish(directory: RunDirectory, results: Results, *, json: bool) -> None:
    """Write the report and say where it is; the path is the last line."""
    report = directory.write_report(render(compose(results)))
    if json:
        show_json(results_to_dict(results))
        return
    out.print(results_table(results))
    for device in results.devices:
        say(f"{device.name}: pushed {device.pushed_bytes:,} bytes in {device.pushed_files} files, "
            f"{device.reused_files} files were there already", "dim")  # fmt: skip
    for cell in results.cells:
        if cell.error:
            say(f"{cell.device}/{cell.model}/{cell.variant} failed at {cell.stage}: {cell.error}", "red")
            if cell.hint:
                say(f"  try: {cell.hint}")
    say(f"results: {directory.path / 'results.json'}")
    say(f"report:  {report}")


def new_run_id() -> str:
    """UTC time and a few letters, so that names sort by time and two runs never collide."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
