"""Add check rounds to a plan, whatever made it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from farm.errors import RequestError
from farm.files import ascii_name, user_path
from farm.model.matrix import Cell, CheckData, Golden, InputFile, InputSpec, Model, Plan, Round, RoundKind
from farm.model.outputs import Check, Checking, CheckInput
from farm.model.request import Request
from farm.options import check_round, tensor_round
from farm.options.input_spec import DEFAULT_TENSOR, parse_input
from farm.plan.checks.golden import read_golden, require_fit
from farm.plan.checks.random_input import RANGES, random_input, why_not
from farm.plan.content.model_info import UnreadableError, model_tensors
from farm.plan.inputs import keep_input, literal
from farm.runtime.cache import Progress
from farm.runtime.install import InstalledRuntime
from farm.suggest import nearest

SEED = 0
"""Of the inputs that nobody gave: the same in every run, so that the outputs of two runs can be compared."""

TWICE = 2


def with_checks(
    plan: Plan, request: Request, runtime: InstalledRuntime | None, progress: Progress, *, is_compared: bool
) -> Plan:
    """The plan with check rounds for all its cells; without any, if the request does not ask for them.

    Where it says nothing of them they are done if there is something to compare with: a golden file, or a
    comparison (`is_compared`). Raises RequestError for golden files that do not fit their model.
    """
    if request.check is Check.OFF:
        return plan
    goldens = _goldens(plan, request)
    if request.check is None and not goldens and not is_compared:
        return plan
    models = {model.name: model for model in plan.models}
    for model in {cell.model.name: cell.model for cell in plan.cells}.values():
        golden, source = goldens.get(model.name, (None, None))
        try:
            if golden is not None:
                _require_golden(model, golden, runtime, progress)
        except RequestError as error:
            raise RequestError(
                f"golden file of {model.name}: {error.message}", hint=error.hint, source=source
            ) from error
        models[model.name] = _with_data(model, golden)
    return replace(
        plan,
        models=tuple(models.values()),
        cells=_checked(plan, models, is_all=request.check is Check.ALL),
        checking=Checking(request.check or Check.OUTPUTS, request.tolerances, SEED),
    )


# --------------------------------------------------------------------------- golden files

_ByModel: TypeAlias = dict[str, tuple[Golden, str | None]]


def _goldens(plan: Plan, request: Request) -> _ByModel:
    found: _ByModel = {}
    for model, asked in zip(plan.models, request.models, strict=False):
        if asked.golden is not None:
            try:
                found[model.name] = read_golden(asked.golden), asked.source
            except RequestError as error:
                message = f"golden file of {model.name}: {error.message}"
                raise RequestError(message, hint=error.hint, source=asked.source) from error
    names = [model.name for model in plan.models]
    for text in request.goldens:
        name, path = _named(text, names)
        if name in found:
            raise RequestError(f"--golden {text}: a second one for {name}", hint="remove one of them")
        try:
            found[name] = read_golden(user_path(path)), None
        except RequestError as error:
            raise RequestError(f"--golden {text}: {error.message}", hint=error.hint) from error
    return found


def _named(text: str, names: Sequence[str]) -> tuple[str, str]:
    """(model, file) of `MODEL:FILE`; of `FILE` alone where there is one model."""
    name, has_name, path = text.partition(":")
    if has_name and name in names and path:
        return name, path
    if len(names) == 1 and (not has_name or user_path(text).exists()):
        return names[0], text
    raise RequestError(
        f"--golden {text}: no model {name!r}{nearest(name, names)}",
        hint=f"write --golden MODEL:FILE; models: {', '.join(names)}",
    )


def _require_golden(
    model: Model, golden: Golden, runtime: InstalledRuntime | None, progress: Progress
) -> None:
    if model.kind == "testcase":
        return
    left_out = ", ".join(one.name for one in model.left_out or ())
    if left_out or (model.left_out is None and not model.inputs.text):
        what = f"for {left_out}" if left_out else ""
        raise RequestError(
            f"there is no --input {what}".rstrip() + ", so that its outputs cannot be those of the file",
            hint="give the input that the golden file was made with",
        )
    if runtime is None or model.left_out is None:
        return
    try:
        tensors = model_tensors(model.artifact, runtime, progress)
    except UnreadableError:
        return
    require_fit(golden, tensors, has_own_shapes=not model.is_reshaped)


# --------------------------------------------------------------------------- inputs


def _with_data(model: Model, golden: Golden | None) -> Model:
    """The model with what its check rounds get: random numbers for inputs that nobody gave."""
    records = list(_given(model.inputs))
    pieces, files, notes = model.inputs.template.split(";"), list(model.inputs.files), []
    drawn = []
    for tensor in model.left_out or ():
        reason = why_not(tensor)
        if reason is not None:
            notes.append(f"outputs of {model.name} are checked with zeros for {tensor.name}: {reason}")
            continue
        file = keep_input(f"{ascii_name(tensor.name)}.npy", random_input(tensor, SEED))
        prefix = literal(f"{tensor.name}:")
        pieces = [one for one in pieces if not one.startswith(f"{prefix}{{{{")]  # a shape without data
        pieces.append(f"{prefix}{{{len(files)}}}")
        files.append(InputFile(tensor.name, file))
        records.append(CheckInput(tensor.name, file.sha256, SEED))
        drawn.append(f"{tensor.name} ({RANGES[tensor.dtype]})")
    if drawn:
        notes.append(f"outputs of {model.name} are checked with random numbers for {', '.join(drawn)}")
    elif model.left_out is None and not model.inputs.text and model.kind != "testcase":
        notes.append(f"outputs of {model.name} are checked with zeros: its inputs could not be read here")
    template = ";".join(filter(None, pieces))
    spec = InputSpec(template, template, tuple(files)) if drawn else None
    return replace(model, notes=(*model.notes, *notes), check=CheckData(spec, tuple(records), golden))


def _given(inputs: InputSpec) -> list[CheckInput]:
    """The data that the user gave: files, and all numbers in the text together."""
    records = [CheckInput(one.tensor or DEFAULT_TENSOR, one.artifact.sha256) for one in inputs.files]
    if any(part.inline and not part.inline.startswith("{") for part in parse_input(inputs.text)):
        digest = hashlib.sha256(inputs.template.encode("utf-8", "surrogateescape")).hexdigest()
        records.append(CheckInput("", digest))
    return records


# --------------------------------------------------------------------------- rounds


def _checked(plan: Plan, models: dict[str, Model], *, is_all: bool) -> tuple[Cell, ...]:
    """Every cell with a check round; the first cell of a model, variant and build has two. The other side of
    a canary has none: it is the same cell. With `is_all` each has a round for every tensor.
    """
    doubles = {duel.candidate for duel in plan.duels if duel.is_canary}
    seen: set[tuple[str, str, str]] = set()
    cells = []
    for cell in plan.cells:
        model = models[cell.model.name]
        added = tuple(note for note in model.notes if note not in cell.model.notes)
        told = replace(cell, model=model, notes=(*cell.notes, *added))
        key = model.name, cell.variant.name, cell.build
        times = 1 if key in seen else TWICE
        seen.add(key)
        cells.append(told if cell.id in doubles else _with_rounds(told, times, is_all=is_all))
    return tuple(cells)


def checked_as(old: Cell, new: Cell) -> Cell:
    """The old side of a comparison with the check rounds and the inputs of the new one, if it has any."""
    if new.model.check is None or not any(one.kind is RoundKind.CHECK for one in new.rounds):
        return old
    data = CheckData(new.model.check.inputs, new.model.check.records)
    is_all = any(one.kind is RoundKind.TENSORS for one in new.rounds)
    return _with_rounds(replace(old, model=replace(old.model, check=data)), 1, is_all=is_all)


def _with_rounds(cell: Cell, times: int, *, is_all: bool) -> Cell:
    timed = next((one for one in cell.rounds if one.kind is RoundKind.TIMED), None)
    if timed is None:
        return cell
    options = check_round(timed.options, cell.device.runtime.kind, cell.model.kind)
    if isinstance(options, str):
        return replace(cell, notes=(*cell.notes, f"outputs are not checked: {options}"))
    rounds = [Round(RoundKind.CHECK, index, options) for index in range(times)]
    notes = cell.notes
    if is_all:
        every = tensor_round(timed.options, cell.device.runtime.kind, cell.model.kind)
        if isinstance(every, str):
            notes = (*notes, f"tensors are not checked: {every}")
        else:
            rounds.append(Round(RoundKind.TENSORS, 0, every))
    return replace(cell, rounds=(*cell.rounds, *rounds), notes=notes)
