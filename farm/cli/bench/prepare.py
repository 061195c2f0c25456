"""From arguments to a plan and its runtime: everything that is checked before a device is touched."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from farm.cli.terminal.progress import Bar
from farm.errors import RequestError
from farm.inventory import devices as inventories
from farm.inventory import suite as suites
from farm.model.device import Inventory
from farm.model.matrix import Cell, Model, Plan
from farm.model.options import OptionSet, Variant
from farm.options import product, unique
from farm.options import sweep as read_sweep
from farm.options import variant as read_variant
from farm.plan.flags import refuse_unknown_flags
from farm.plan.inputs import fit_inputs, leave_unchecked
from farm.plan.matrix import make_plan
from farm.plan.model_info import UnreadableError, model_tensors
from farm.plan.models import option_files, read_models, with_base
from farm.plan.select import select
from farm.plan.suite import suite_request
from farm.run.bench import FactRule, needs_wheel
from farm.run.deploy import WheelFiles
from farm.run.wheel import wheel_files
from farm.runtime import install
from farm.runtime.cache import Progress
from farm.runtime.install import InstalledRuntime
from farm.store.programs import program_store

DEFAULT_ROUNDS = 3
EVERYTHING = "*"


@dataclass(frozen=True)
class Prepared:
    """`rule` is asked again about each cell once its device was probed (a suite's conditions)."""

    inventory: Inventory
    plan: Plan
    rule: FactRule | None = None


def load_inventory(path: Path | None) -> Inventory:
    """The inventory that was named, the one that is here, or the built-in `local`."""
    return inventories.load(path or inventories.find_default(Path.cwd()))


def prepare_plan(
    *,
    inventory: Path | None,
    devices: str | None,
    models: Sequence[str],
    inputs: Sequence[str],
    options: OptionSet,
    variants: Sequence[str],
    sweeps: Sequence[str],
    suite: Path | None,
    rounds: int | None,
    seed: int | None,
) -> Prepared:
    """Raises RequestError for everything that is wrong with the request."""
    loaded = load_inventory(inventory)
    if suite is not None:
        if models or inputs or variants or sweeps:
            raise RequestError(
                "--suite brings its own models, inputs and variants",
                hint="leave out --model, --input, --variant and --sweep, or copy the suite",
            )
        asked = suite_request(suites.load(suite), options)
        chosen = select(loaded, devices or asked.suite.devices or EVERYTHING)
        inventories.require_files(chosen)
        plan = make_plan(
            chosen, asked.models, asked.variants,
            rounds=rounds or asked.suite.rounds or DEFAULT_ROUNDS, seed=_seed(seed), rules=(asked.rule,),
            files=option_files(asked.variants),
        )  # fmt: skip
        refuse_unknown_flags(plan.cells, program_store())
        return Prepared(loaded, plan, asked.rule)
    chosen = select(loaded, devices or EVERYTHING)
    inventories.require_files(chosen)
    columns = with_base(options, read_columns(variants, sweeps))
    plan = make_plan(
        chosen, read_models(models, inputs), columns,
        rounds=rounds or DEFAULT_ROUNDS, seed=_seed(seed), files=option_files(columns),
    )  # fmt: skip
    refuse_unknown_flags(plan.cells, program_store())
    return Prepared(loaded, plan)


def read_columns(variants: Sequence[str], sweeps: Sequence[str]) -> tuple[Variant, ...]:
    """Variants and sweeps together: each variant with every combination of the sweeps."""
    named = [read_variant(text) for text in variants]
    swept = read_sweep(*sweeps)
    return product(named, swept) if named and swept else unique(named or swept)


def prepare_wheel(plan: Plan) -> WheelFiles | None:
    """The wheel runtime's files, installed first when a device needs them."""
    if not needs_wheel(plan):
        return None
    with Bar() as bar:
        return wheel_files(bar.update)


def check_inputs(plan: Plan) -> Plan:
    """The plan with its inputs compared with what the models take, and converted where that helps.

    It takes the wheel runtime on this machine: to be called when that was prepared. Where there is none,
    or it cannot read a model, a note says so. Raises RequestError for data that a model cannot take.
    """
    runtime = install.installed()
    with Bar() as bar:
        fitted = {
            name: _fitted(model, runtime, bar.update)
            for name, model in {cell.model.name: cell.model for cell in plan.cells}.items()
        }
    return replace(
        plan,
        models=tuple(fitted.get(model.name, model) for model in plan.models),
        cells=tuple(_with_model(cell, fitted[cell.model.name]) for cell in plan.cells),
    )


def _fitted(model: Model, runtime: InstalledRuntime | None, progress: Progress) -> Model:
    if model.kind == "testcase":  # it holds its own inputs
        return model
    if runtime is None:
        return leave_unchecked(model, "the wheel runtime is not installed here")
    try:
        tensors = model_tensors(model.artifact, runtime, progress)
    except UnreadableError as error:
        return leave_unchecked(model, error.message)
    return fit_inputs(model, tensors)


def _with_model(cell: Cell, model: Model) -> Cell:
    others = (note for note in cell.notes if note not in cell.model.notes)
    return replace(cell, model=model, notes=(*model.notes, *others))


def _seed(seed: int | None) -> int:
    return secrets.randbelow(2**31) if seed is None else seed
