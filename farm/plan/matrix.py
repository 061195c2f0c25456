"""Devices x models x variants -> the run matrix. Pure: the same request gives the same plan."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from farm.errors import RequestError
from farm.model.artifact import Artifact
from farm.model.device import Device, RuntimeKind
from farm.model.matrix import Cell, Model, Plan, Round, RoundKind, Skip
from farm.model.options import OptionSet, Variant
from farm.options import Works, check, from_mapping, merge, option, resolve_cores, split_rounds, stages

Rule = Callable[[Device, Model, Variant], str | None]
"""Why a cell is not wanted, or None: what a suite's include and exclude rules become."""

Files = dict[str, tuple[tuple[str, Artifact], ...]]
"""By variant: the local files that its options read, by option."""


def make_plan(
    devices: Sequence[Device],
    models: Sequence[Model],
    variants: Sequence[Variant],
    *,
    rounds: int,
    seed: int,
    rules: Sequence[Rule] = (),
    files: Files | None = None,
) -> Plan:
    """The matrix with its stages and rounds. `files` are what each variant's options read.

    Raises RequestError when a variant would be ignored, crash or hang on a device's runtime: that is
    a mistake of the request. What a runtime cannot do at all is a skip with its reason.
    """
    cells: list[Cell] = []
    skips: list[Skip] = []
    for variant in variants:
        if "input" in variant.options:
            raise RequestError(
                f"variant {variant.name!r}: --input belongs to a model, not to a variant",
                hint="give --input beside --model; several models take one each, in the same order",
            )
    for device in devices:
        for model in models:
            for variant in variants:
                outcome = _cell(device, model, variant, rounds, rules, files or {})
                (cells if isinstance(outcome, Cell) else skips).append(outcome)  # type: ignore[arg-type]
    if not cells:
        reasons = "; ".join(dict.fromkeys(skip.reason for skip in skips))
        raise RequestError(f"nothing to run: {reasons}", hint="farm options show NAME explains an option")
    return Plan(tuple(devices), tuple(models), tuple(variants), tuple(cells), tuple(skips), rounds, seed)


def _cell(
    device: Device, model: Model, variant: Variant, rounds: int, rules: Sequence[Rule], files: Files
) -> Cell | Skip:
    for rule in rules:
        reason = rule(device, model, variant)
        if reason is not None:
            return Skip(device, model, variant, reason)
    try:
        options = resolve_cores(variant.options, device.cores)
    except RequestError as error:
        return Skip(device, model, variant, error.message)
    cannot = impossible(options, device.runtime.kind)
    if cannot:
        return Skip(device, model, variant, cannot)
    with_input = merge(options, from_mapping({"input": model.inputs.text}))
    findings = check(with_input, runtime=device.runtime.kind, model_kind=model.kind)
    if findings.refusals:
        where = f"variant {variant.name!r} of {model.name} on {device.name} ({device.runtime.kind} runtime)"
        raise RequestError(
            f"{where}: {findings.refusals[0]}", hint="farm options show NAME explains an option"
        )
    planned: list[Round] = []
    todo, rest = stages(options)
    for kind, options_of_round in split_rounds(rest):
        repeat = rounds if kind is RoundKind.TIMED else 1
        taken = sum(1 for one in planned if one.kind is kind)
        planned += [Round(kind, taken + index, options_of_round) for index in range(repeat)]
    notes = (*model.notes, *findings.warnings, *findings.notes)
    return Cell(
        device,
        model,
        replace(variant, options=options),
        tuple(planned),
        todo,
        files.get(variant.name, ()),
        notes,
    )


def impossible(options: OptionSet, runtime: RuntimeKind) -> str | None:
    """What a runtime can never do, whatever the device; None when it can do all."""
    for name, _ in options.values:
        support = option(name).support(runtime)
        if support.works is Works.NO:
            return f"--{name} cannot be had on the {runtime} runtime: {support.why}"
    return None


def schedule(cells: Sequence[Cell], seed: int) -> tuple[tuple[Cell, Round], ...]:
    """The order of one device's rounds.

    Setup rounds come first, then the timed rounds in blocks of one per cell, each block shuffled from
    `seed`, so that drift of the device falls on all variants alike; separate rounds come last, where
    they can no longer disturb a time.
    """
    order = random.Random(f"{seed}/{cells[0].device.name}" if cells else seed)  # noqa: S311 - a schedule, no secret
    lanes: dict[int, list[tuple[Cell, Round]]] = {}
    last: list[tuple[Cell, Round]] = []
    first: list[tuple[Cell, Round]] = []
    for cell in cells:
        for one in cell.rounds:
            if one.kind is RoundKind.TIMED:
                lanes.setdefault(one.index, []).append((cell, one))
            else:
                (first if one.kind is RoundKind.SETUP else last).append((cell, one))
    timed: list[tuple[Cell, Round]] = []
    for index in sorted(lanes):
        block = lanes[index]
        order.shuffle(block)
        timed += block
    return (*first, *timed, *last)


def needed_artifacts(cells: Sequence[Cell]) -> tuple[Artifact, ...]:
    """The models and inputs that these cells need on their device, each once, in order."""
    found: dict[str, Artifact] = {}
    for cell in cells:
        inputs = (file.artifact for file in cell.model.inputs.files)
        for artifact in (cell.model.artifact, *inputs, *(file for _, file in cell.files)):
            found.setdefault(artifact.sha256, artifact)
    return tuple(found.values())


def cells_of(plan: Plan, device: Device) -> tuple[Cell, ...]:
    return tuple(cell for cell in plan.cells if cell.device.name == device.name)
