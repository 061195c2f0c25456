"""Devices x models x variants -> the run matrix. Pure: the same request gives the same plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

from farm.errors import RequestError
from farm.model.artifact import Artifact
from farm.model.build import INVENTORY_BUILD, Build
from farm.model.comparison import Comparing
from farm.model.device import Device, Facts, Runtime, RuntimeKind
from farm.model.matrix import Cell, Model, Plan, Preparation, Round, RoundKind, Sampling, Skip
from farm.model.options import OptionSet, Variant
from farm.model.request import DEFAULT_PROFILE_ROUNDS, DEFAULT_ROUNDS, Rules
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
from farm.options.check import ModelKind
from farm.plan.rules import candidates, no_runtime, unwanted

MOST_KNOWN = 4096
"""Answers that are kept: of so many option sets of variants."""

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
    sampling: Sampling | None = None
    comparing: Comparing = Comparing()
    profile_rounds: int = DEFAULT_PROFILE_ROUNDS


@dataclass(frozen=True)
class Wanted:
    """A cell before its inputs are checked: its options are valid for the runtime.

    `variant` has the device's own cores in place of their names, as far as the inventory has them; `notes`
    are about the options. `runtimes` are those that its build may mean there: the device has the first, its
    facts decide where there are more.
    """

    device: Device
    model: Model
    variant: Variant
    rounds: tuple[Round, ...]
    preparations: tuple[Preparation, ...]
    notes: tuple[str, ...]
    build: str
    runtimes: tuple[Runtime, ...]


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
        _outcome(sources, device, model, variant, build)
        for device in sources.devices
        for model in sources.models
        for variant in sources.variants
        for build in sources.builds
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
            one.build,
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
        sampling=sources.sampling,
        comparing=sources.comparing,
    )


def _outcome(sources: Sources, device: Device, model: Model, variant: Variant, build: Build) -> Wanted | Skip:
    skip = partial(Skip, device, model, variant, build=build.name)
    reason = unwanted(sources.rules, device, None, model=model.name, variant=variant.name)
    if reason is not None:
        return skip(reason)
    runtimes = tuple(dict.fromkeys(choice.runtime for choice in candidates(build, device, None)))
    if not runtimes:
        return skip(no_runtime(build, device))
    try:
        options = resolve_cores(variant.options, device.cores)
    except RequestError as error:
        return skip(error.message)
    kinds = tuple(dict.fromkeys(runtime.kind for runtime in runtimes))
    reasons = [impossible(options, kind) for kind in kinds]
    if None not in reasons:
        return skip(reasons[0] or "")
    findings = _checked(device, model, variant.name, options, kinds)
    before, rounds = _parted(options, sources.rounds, sources.profile_rounds)
    return Wanted(
        replace(device, runtime=runtimes[0]),
        model,
        replace(variant, options=options),
        rounds,
        before,
        (*findings.warnings, *findings.notes),
        build.name,
        runtimes,
    )


def _checked(
    device: Device, model: Model, variant: str, options: OptionSet, kinds: Sequence[RuntimeKind]
) -> Findings:
    """Warnings and notes on the options. Raises RequestError where `check` refuses them on all these kinds
    of runtime.
    """
    found = [_findings(options, model, kind) for kind in kinds]
    fitting = next((one for one in found if not one.refusals), None)
    if fitting is None:
        where = f"variant {variant!r} of {model.name} on {device.name} ({kinds[0]} runtime)"
        raise RequestError(f"{where}: {found[0].refusals[0]}", hint="farm options show NAME")
    return fitting


def _findings(options: OptionSet, model: Model, kind: RuntimeKind) -> Findings:
    return _found(options, model.inputs.text, model.kind, kind)


# These are asked for each combination, and a thousand devices have the same few answers.
@lru_cache(MOST_KNOWN)
def _found(options: OptionSet, input_text: str, model_kind: ModelKind, runtime: RuntimeKind) -> Findings:
    with_input = merge(options, from_mapping({"input": input_text}))
    return check(with_input, runtime=runtime, model_kind=model_kind)


@lru_cache(MOST_KNOWN)
def _parted(
    options: OptionSet, timed: int, profiles: int
) -> tuple[tuple[Preparation, ...], tuple[Round, ...]]:
    before, rest = preparations(options)
    return before, rounds_of(rest, timed, profiles)


def unfit(cell: Cell) -> str | None:
    """Why the runtime that its build turned out to mean cannot run a cell; None when it can."""
    options, kind = cell.variant.options, cell.device.runtime.kind
    refusals = _findings(options, cell.model, kind).refusals
    return impossible(options, kind) or next(iter(refusals), None)


def rounds_of(options: OptionSet, timed: int, profiles: int = 1) -> tuple[Round, ...]:
    """`timed` rounds, `profiles` for each profile, and one of each other kind that the options ask for."""
    planned: list[Round] = []
    numbers = {RoundKind.TIMED: timed, RoundKind.PROFILE: profiles}
    for kind, options_of_round in split_rounds(options):
        repeat = numbers.get(kind, 1)
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


@lru_cache(MOST_KNOWN)
def impossible(options: OptionSet, runtime: RuntimeKind) -> str | None:
    """Why a runtime does not support the options on any device; None when it does."""
    for name, _ in options.values:
        support = option(name).support(runtime)
        if support.works is Works.NO:
            return f"--{name} is not available on the {runtime} runtime: {support.why}"
    return None


def needed_artifacts(cells: Sequence[Cell]) -> tuple[Artifact, ...]:
    """The models and inputs that these cells need on their device, each once, in order."""
    found: dict[str, Artifact] = {}
    for cell in cells:
        check = cell.model.check.inputs if cell.model.check else None
        files = (*cell.model.inputs.files, *(check.files if check else ()))
        inputs = (file.artifact for file in files)
        for artifact in (cell.model.artifact, *inputs, *(file for _, file in cell.files)):
            found.setdefault(artifact.sha256, artifact)
    return tuple(found.values())


def cells_of(plan: Plan, device: Device) -> tuple[Cell, ...]:
    return plan.cells_on.get(device.name, ())
