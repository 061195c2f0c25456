"""A search from what was typed: what is tuned, its space, and all that can be wrong before it begins."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import farm
from farm.cli.bench.bench import is_wheel_of_any_use
from farm.cli.terminal.loop import run
from farm.cli.terminal.progress import Bar
from farm.errors import RequestError, RunError
from farm.inventory.values.sampling import budget_s_of
from farm.inventory.yaml_source import Scalar, read
from farm.model.build import Build
from farm.model.device import Facts
from farm.model.limits.disk import portion
from farm.model.matrix import Cell, Plan
from farm.model.outputs import Check
from farm.model.request import Request
from farm.options import from_mapping, option
from farm.plan.builds import builds_path
from farm.plan.layout import input_digest
from farm.plan.prepare import Prepared, prepare
from farm.plan.request import Arguments, read_request
from farm.report.numerals import in_memory
from farm.run.devices.check import Checked, check_devices
from farm.tune.nouns import Asked, Tune
from farm.tune.space import Axis, Target, axis_of, axis_of_text, combinations, default_axes

DEFAULT_BUDGET = "10m"
SHORTEST_S = 10.0


@dataclass(frozen=True)
class Begun:
    """The request without candidates, and the cell of the default, before anything is measured."""

    request: Request
    cell: Cell
    prepared: Prepared


def request_of(asked: Asked) -> Request:
    """Of what does not change during a search. Raises RequestError."""
    if asked.model is None:
        raise RequestError("farm tune needs a model", hint="--model FILE, or --model bundled:tiny")
    for name in asked.options:
        if not option(name).is_timed:
            raise RequestError(
                f"--{name} has no part in a timed round, and is nothing to tune with",
                hint=f"leave it out; farm bench --{name} with the options that were found",
            )
    return read_request(
        Arguments(
            inventory=Path(asked.inventory) if asked.inventory else None,
            devices=asked.devices,
            models=(asked.model,),
            inputs=(asked.input,) if asked.input is not None else (),
            seed=asked.seed,
            minimum_effect=asked.minimum_effect,
            canary=False,
            ceilings=False,
            options=from_mapping(asked.options),
            check=asked.check or Check.OUTPUTS.value,
            goldens=(asked.golden,) if asked.golden else (),
            tolerances=asked.tolerance,
            builds=(asked.build,) if asked.build else (),
            builds_file=Path(asked.builds) if asked.builds else None,
        )
    )


def begun(asked: Asked) -> Begun:
    """Raises RequestError where it is not one model on one device, or cannot be measured at all."""
    request = request_of(asked)
    with Bar() as bar:
        prepared = prepare(request, bar.update, fetch=True, of_use=is_wheel_of_any_use)
    return Begun(request, _one_cell(prepared.plan), prepared)


def _one_cell(plan: Plan) -> Cell:
    if len(plan.devices) > 1:
        names = ", ".join(one.name for one in plan.devices[:5])
        raise RequestError(
            f"a search is of one device, and --devices chooses {len(plan.devices)}: {names}",
            hint=f"--devices {plan.devices[0].name}",
        )
    (cell,) = plan.cells
    return cell


def new_tune(tune_id: str, asked: Asked, begin: Begun) -> Tune:
    """A search before its first step. Raises RequestError for a space that cannot be, RunError where the
    device cannot be reached.
    """
    facts = facts_of(begin)
    target = target_of(begin, facts, checks=begin.request.check is not Check.OFF)
    budget_s = _budget_s(asked.budget or DEFAULT_BUDGET)
    axes = axes_of(asked.space) or default_axes(target)
    space = combinations(axes, target)
    return Tune(
        id=tune_id,
        farm_version=farm.__version__,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        asked=asked,
        device=begin.cell.device.name,
        model=begin.cell.model.name,
        model_sha256=begin.cell.model.artifact.sha256,
        about=_about(begin.cell, facts),
        seed=secrets.randbelow(2**31) if asked.seed is None else asked.seed,
        budget_s=budget_s,
        axes=tuple(axis.text for axis in axes),
        invalid=space.invalid,
        candidates=space.candidates,
        memory_limit_bytes=_memory_limit(asked.memory_limit),
        checks=target.checks,
        input_sha256=input_digest(begin.cell.model.inputs),
    )


def facts_of(begin: Begun) -> Facts:
    """What the device says of itself. Raises RunError where it cannot be reached."""
    device = begin.cell.device
    found: Checked
    (found,) = run(check_devices([device], begin.prepared.inventory.known_hosts))
    if found.facts is None:
        raise RunError(f"{device.name}: {found.error}", hint=found.hint)
    return found.facts


def target_of(begin: Begun, facts: Facts, *, checks: bool) -> Target:
    kind = begin.cell.model.kind
    (variant,) = begin.request.variants
    return Target(begin.cell.device, facts, kind, variant.options, checks)


def require_same(tune: Tune, begin: Begun) -> None:
    """Raises RequestError where the device, or the bytes of the model or of its inputs, are others than when
    the search began. (What runs it is known only after a step: farm.tune.search looks.)
    """
    model, differing = begin.cell.model, []
    if begin.cell.device.name != tune.device:
        differing.append(f"the device was {tune.device}, not {begin.cell.device.name}")
    if model.artifact.sha256 != tune.model_sha256:
        differing.append(f"{model.artifact.path} is another model")
    if tune.input_sha256 not in (None, input_digest(model.inputs)):
        differing.append("the inputs of the model are others")
    if differing:
        raise RequestError(
            f"this search began with something else: {'; '.join(differing)}",
            hint="begin a new one without --resume",
        )


def build_of(begin: Begun) -> Build | None:
    """The build of a search, where one was given. Without its definition where that is of the builds file
    beside the inventory: with that it is there anyway, and refused as a second one.
    """
    request, inventory = begin.request, begin.prepared.inventory
    if not request.builds:
        return None
    (build,) = begin.prepared.plan.builds
    path, beside = (builds_path(one, inventory) for one in (request, replace(request, builds_file=None)))
    is_beside = path is not None and beside is not None and path.resolve() == beside.resolve()
    return Build(build.name) if is_beside else build


# --------------------------------------------------------------------------- what was typed


def axes_of(texts: tuple[str, ...]) -> tuple[Axis, ...]:
    """Of `--space`: `NAME=VALUES`, or a file of them. Raises RequestError."""
    found: dict[str, Axis] = {}
    for text in texts:
        for axis in (axis_of_text(text),) if "=" in text else _axes_of_file(Path(text)):
            if axis.name in found:
                raise RequestError(f"--space {axis.name} is given twice", hint="put all values into one")
            found[axis.name] = axis
    return tuple(found.values())


def _axes_of_file(path: Path) -> tuple[Axis, ...]:
    """A mapping of names to values. Raises RequestError with file and line."""
    document = read(path)
    found = []
    for name, raw in document.data.items():
        words = [one for one in (raw if isinstance(raw, list) else [raw]) if isinstance(one, Scalar)]
        try:
            found.append(axis_of(name, [_word(one) for one in words]))
        except RequestError as error:
            document.report((name,), error.message)
    document.refuse()
    if not found:
        raise RequestError("has no options to try", hint="threads: [default, 2]", source=str(path))
    return tuple(found)


def _word(scalar: Scalar) -> str:
    return str(scalar.value).lower() if isinstance(scalar.value, bool) else str(scalar)


def _budget_s(text: str) -> float:
    try:
        seconds = budget_s_of(text)
    except RequestError as error:
        raise RequestError(f"--budget {error.message}", hint=f"--budget {DEFAULT_BUDGET}") from None
    if seconds < SHORTEST_S:
        raise RequestError(f"--budget {text}: a search takes {SHORTEST_S:g} s at least", hint="--budget 10m")
    return seconds


def _memory_limit(text: str | None) -> int | None:
    if text is None:
        return None
    hint = "--memory-limit 200MB"
    try:
        found = portion(text)
    except ValueError:
        found = None
    if found is None or not found.most_bytes:
        raise RequestError(f"--memory-limit {text[:80]!r} is not a size", hint=hint)
    return found.most_bytes


def _about(cell: Cell, facts: Facts) -> str:
    """The device in a line."""
    parts = (
        facts.cpu_model,
        facts.architecture,
        f"{len(facts.core_ids)} cores" if facts.core_ids else None,
        in_memory(facts.memory_bytes) if facts.memory_bytes else None,
        f"{cell.device.runtime.kind.value} runtime",
    )
    return ", ".join(part for part in parts if part)
