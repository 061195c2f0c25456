"""Devices x models x variants -> the run matrix. Pure: the same request gives the same plan."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from farm.errors import RequestError
from farm.model.artifact import Artifact
from farm.model.build import INVENTORY_BUILD, Build
from farm.model.device import Device, Facts, RuntimeKind
from farm.model.matrix import Cell, Model, Plan, Preparation, Round, RoundKind, Skip
from farm.model.options import OptionSet, Variant
from farm.model.request import DEFAULT_ROUNDS, Rules
from farm.options import (
    Findings,
    Works,
    check,
    from_mapping,
    merge,
    option,
    preparations,
    resolve_cores,
    split_rounds,
)
from farm.plan.rules import unwanted

Files = Mapping[str, tuple[tuple[str, Artifact], ...]]
"""By variant: the local files that its options read, by option."""


@dataclass(frozen=True)
class Sources:
    """What was read for a request: everything that goes into a plan."""

    devices: tuple[Device, ...]
    models: tuple[Model, ...]
    variants: tuple[Variant, ...]
    rounds: int = DEFAULT_ROUNDS
    seed: int = 0
    rules: Rules = Rules()
    files: Files = field(default_factory=dict)
    builds: tuple[Build, ...] = (INVENTORY_BUILD,)


@dataclass(frozen=True)
class Wanted:
    """A cell before its inputs are checked: its options are valid for the runtime.

    `variant` has the device's own cores in place of their names, as far as the inventory has them; `notes`
    are about the options.
    """

    device: Device
    model: Model
    variant: Variant
    rounds: tuple[Round, ...]
    preparations: tuple[Preparation, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Matrix:
    """Every combination, wanted or skipped with its reason."""

    wanted: tuple[Wanted, ...]
    skips: tuple[Skip, ...]

    @property
    def models(self) -> tuple[Model, ...]:
        """The models that are run somewhere, each once."""
        return tuple({one.model.name: one.model for one in self.wanted}.values())


def choose(sources: Sources) -> Matrix:
    """Which combinations are run, with which options.

    Raises RequestError when a variant would be ignored, crash or hang on a device's runtime, or nothing
    is left: the request is wrong. What a runtime does not support at all is a skip with its reason.
    """
    for variant in sources.variants:
        if "input" in variant.options:
            raise RequestError(
                f"variant {variant.name!r}: --input cannot be in a variant",
                hint="put --input next to --model; for several models, one each in the same order",
            )
    outcomes = [
        _outcome(sources, device, model, variant)
        for device in sources.devices
        for model in sources.models
        for variant in sources.variants
    ]
    matrix = Matrix(
        tuple(one for one in outcomes if isinstance(one, Wanted)),
        tuple(one for one in outcomes if isinstance(one, Skip)),
    )
    if not matrix.wanted:
        reasons = "; ".join(dict.fromkeys(skip.reason for skip in matrix.skips))
        raise RequestError(f"nothing to run: {reasons}", hint="farm options show NAME")
    return matrix


def make_plan(sources: Sources, matrix: Matrix, fitted: Sequence[Model]) -> Plan:
    """The plan. `fitted` are the models of the matrix with their inputs fitted."""
    models = {model.name: model for model in fitted}
    cells = tuple(
        Cell(
            one.device,
            models[one.model.name],
            one.variant,
            one.rounds,
            one.preparations,
            sources.files.get(one.variant.name, ()),
            (*models[one.model.name].notes, *one.notes),
        )
        for one in matrix.wanted
    )
    return Plan(
        sources.devices,
        tuple(models.get(model.name, model) for model in sources.models),
        sources.variants,
        cells,
        matrix.skips,
        sources.rounds,
        sources.seed,
        sources.rules,
        sources.builds,
    )


def _outcome(sources: Sources, device: Device, model: Model, variant: Variant) -> Wanted | Skip:
    reason = unwanted(sources.rules, device, None, model=model.name, variant=variant.name)
    if reason is not None:
        return Skip(device, model, variant, reason)
    try:
        options = resolve_cores(variant.options, device.cores)
    except RequestError as error:
        return Skip(device, model, variant, error.message)
    reason = impossible(options, device.runtime.kind)
    if reason is not None:
        return Skip(device, model, variant, reason)
    findings = _checked(device, model, variant.name, options)
    before, rest = preparations(options)
    return Wanted(
        device,
        model,
        replace(variant, options=options),
        _rounds(rest, sources.rounds),
        before,
        (*findings.warnings, *findings.notes),
    )


def _checked(device: Device, model: Model, variant: str, options: OptionSet) -> Findings:
    """Warnings and notes on the options. Raises RequestError where `check` refuses them."""
    runtime = device.runtime.kind
    with_input = merge(options, from_mapping({"input": model.inputs.text}))
    findings = check(with_input, runtime=runtime, model_kind=model.kind)
    if findings.refusals:
        where = f"variant {variant!r} of {model.name} on {device.name} ({runtime} runtime)"
        raise RequestError(f"{where}: {findings.refusals[0]}", hint="farm options show NAME")
    return findings


def _rounds(options: OptionSet, timed: int) -> tuple[Round, ...]:
    """`timed` rounds, and one of each other kind that the options ask for."""
    planned: list[Round] = []
    for kind, options_of_round in split_rounds(options):
        repeat = timed if kind is RoundKind.TIMED else 1
        taken = sum(1 for one in planned if one.kind is kind)
        planned += [Round(kind, taken + index, options_of_round) for index in range(repeat)]
    return tuple(planned)


def on_cores(cell: Cell, facts: Facts) -> Cell:
    """With core ids in place of names for cores that only a probed device can resolve: see `resolve_cores`.

    Raises RequestError where it cannot; `farm.options.applicable` says so before.
    """

    def resolved(options: OptionSet) -> OptionSet:
        return resolve_cores(options, cell.device.cores, facts)

    return replace(
        cell,
        variant=replace(cell.variant, options=resolved(cell.variant.options)),
        rounds=tuple(replace(one, options=resolved(one.options)) for one in cell.rounds),
        preparations=tuple(replace(one, options=resolved(one.options)) for one in cell.preparations),
    )


def impossible(options: OptionSet, runtime: RuntimeKind) -> str | None:
    """Why a runtime does not support the options on any device; None when it does."""
    for name, _ in options.values:
        support = option(name).support(runtime)
        if support.works is Works.NO:
            return f"--{name} is not available on the {runtime} runtime: {support.why}"
    return None


def schedule(cells: Sequence[Cell], seed: int) -> tuple[tuple[Cell, Round], ...]:
    """The order of one device's rounds.

    Setup rounds come first, then the timed rounds in blocks of one per cell, each block shuffled from
    `seed`, so that drift of the device affects all variants alike; separate rounds come last, where
    they cannot disturb a time.
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
