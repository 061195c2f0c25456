"""From a request to a plan: read, choose, fit, plan. Touches no device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from farm.inventory import read_devices
from farm.inventory.files import require_files
from farm.model.build import INVENTORY_BUILD
from farm.model.device import Device, Inventory, RuntimeKind
from farm.model.matrix import Model, Plan, Sampling
from farm.model.request import Request
from farm.plan.builds import read_builds, refuse_unfit_builds
from farm.plan.checks.apply import with_checks
from farm.plan.content.model_info import UnreadableError, model_tensors
from farm.plan.duels import with_canaries, with_duels
from farm.plan.inputs import fit_inputs, leave_unchecked
from farm.plan.matrix import Matrix, Sources, choose, make_plan
from farm.plan.models import option_files, read_models
from farm.plan.programs import refuse_wrong_programs
from farm.runtime import install
from farm.runtime.cache import Progress
from farm.runtime.install import InstalledRuntime


@dataclass(frozen=True)
class Prepared:
    """A plan, the inventory it was made from, and the wheel runtime of this machine where it is here."""

    plan: Plan
    inventory: Inventory
    runtime: InstalledRuntime | None


OfUse = Callable[[Inventory, Sequence[Device]], bool]
"""Whether one of these devices can run the wheel runtime, as far as they say."""


def prepare(
    request: Request, progress: Progress, *, fetch: bool, of_use: OfUse = lambda _inventory, _devices: True
) -> Prepared:
    """The plan of a request. With `fetch` the wheel runtime is installed first when a device needs it, and it
    is `of_use` to one: nobody waits for a gigabyte that a board cannot run.

    Raises RequestError for everything that is wrong with the request, all but the check of its inputs
    before anything is fetched, and RunError when the runtime cannot be installed.
    """
    inventory, devices = read_devices(request.inventory, request.devices)
    builds = read_builds(request, inventory)
    require_files(devices, with_runtime=INVENTORY_BUILD in builds)
    refuse_unfit_builds(builds, devices)
    refuse_wrong_programs(devices, builds)
    sources = Sources(
        devices=devices,
        models=read_models(request.models),
        variants=request.variants,
        rounds=request.rounds,
        seed=request.seed,
        rules=request.rules,
        files=option_files(request.variants),
        sampling=sampling_of(request),
        comparing=request.comparing,
        builds=builds,
        profile_rounds=request.profile_rounds,
    )
    matrix = choose(sources)
    runtime = install.installed()
    wheel_devices = with_wheel(matrix)
    if runtime is None and fetch and wheel_devices and of_use(inventory, wheel_devices):
        runtime = install.ensure(progress)
    fitted = fit_models(matrix.models, runtime, progress)
    plan = with_duels(make_plan(sources, matrix, fitted), request.ab)
    plan = with_checks(plan, request, runtime, progress, is_compared=bool(plan.duels or request.baseline))
    plan = replace(plan, measures_ceilings=request.ceilings)
    return Prepared(with_canaries(plan) if request.canary else plan, inventory, runtime)


def sampling_of(request: Request) -> Sampling:
    """How many rounds it asks for."""
    return Sampling(request.rounds, request.is_auto, request.precision, request.budget_s, request.fresh)


def with_wheel(matrix: Matrix) -> tuple[Device, ...]:
    """The devices that may run the wheel runtime, each with the one that it may get first."""
    found: dict[str, Device] = {}
    for one in matrix.wanted:
        for runtime in one.runtimes:
            if runtime.kind is RuntimeKind.WHEEL:
                found.setdefault(one.device.name, replace(one.device, runtime=runtime))
    return tuple(found.values())


def fit_models(
    models: Sequence[Model], runtime: InstalledRuntime | None, progress: Progress
) -> tuple[Model, ...]:
    """The models with their inputs checked against the model, and converted where needed.

    This needs the wheel runtime on this machine. Where it is missing, or cannot read a model, a note
    is added. Raises RequestError for data that a model cannot take.
    """
    return tuple(_fitted(model, runtime, progress) for model in models)


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
