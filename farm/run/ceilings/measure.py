"""Rounds of the two bundled models on a device, and the ceilings that their profiles show."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from farm import resources
from farm.analysis.operators.roofline import measured
from farm.errors import RequestError
from farm.model.artifact import Artifact
from farm.model.device import Facts
from farm.model.limits.deadlines import Deadlines
from farm.model.matrix import Cell, Model, Round, RoundKind
from farm.model.operators import Ceilings, Profile
from farm.model.options import Variant
from farm.model.run import RoundStatus
from farm.options import from_mapping, merge
from farm.options.core_sets import only_deciding
from farm.plan.layout import model_file_name, tree_of
from farm.run.context import OnDevice
from farm.run.deploy import environment_of
from farm.run.execute import Ready, forget, run_round
from farm.run.push.pusher import Pusher
from farm.store.artifacts import artifact_of
from farm.store.profiles import PROFILE, read

ROUNDS = 3
PRODUCT, ELEMENTWISE = "product", "elementwise"
ONE_ROUND = from_mapping({"iter": 3, "warmup-iter": 1, "profile": "profile.json"})
"""The last inference counts; those before it bring the clock up."""

MOST_BYTES = 4 << 20
"""Of a profile: those of the two models have 10 kB."""
OUR_LIMIT = ("wall-limit", "silence-limit")
"""What a round of them ends with where the time of the deadline `ceilings` was its limit."""
NEEDED_BYTES = 640 << 20
"""Of memory: what the wheel runtime takes for tensors of 64 MiB and their copies."""

Say = Callable[[str], None]


class NotMeasuredError(Exception):
    """The message says why the ceilings of a core set are not known."""


@dataclass(frozen=True)
class Asked:
    """A core set by its `name`, and a profiled `cell` that computes with it: with the core ids of the device,
    and the runtime of its build.
    """

    name: str
    cell: Cell


def ceiling_models() -> dict[str, Artifact]:
    folder = resources.folder("bundled") / "ceilings"
    return {name: artifact_of(folder / f"{name}.mge") for name in (PRODUCT, ELEMENTWISE)}


async def measure(here: OnDevice, asked: Asked, facts: Facts, say: Say) -> Ceilings:
    """Ceilings of a core set by at least one round of each model, the best of ROUNDS. As a timed round, they
    wait until the device is cool and idle.

    Raises NotMeasuredError, and DeviceError where the device cannot go on.
    """
    _require_memory(facts)
    say(f"measuring the ceilings of {asked.name}")
    await here.surroundings.before()
    deadlines, clock = here.context.settings.deadlines, here.context.clock
    ends_at = clock() + deadlines.ceilings_s
    files = await asyncio.to_thread(ceiling_models)
    made = {name: await _ready(here, asked, name, file) for name, file in files.items()}
    found: dict[str, list[Profile]] = {name: [] for name in made}
    why = ""
    for index in range(ROUNDS):
        for name, one in made.items():
            left_s = ends_at - clock()
            try:
                if left_s > 0:
                    found[name].append(await _round(here, one, index, left_s))
                    continue
            except NotMeasuredError as error:
                why = str(error)
            if clock() >= ends_at:
                why = _too_late(deadlines)
            break
        if why:
            break
    best = measured(found[PRODUCT], found[ELEMENTWISE], device=here.device.name, cores=asked.name)
    if best is None:
        raise NotMeasuredError(why or "the profiles of the bundled models have no times of their operators")
    return replace(best, from_run=here.context.directory.run_id, disturbed=here.surroundings.busy)


def _too_late(deadlines: Deadlines) -> str:
    return f"not measured {deadlines.ran_out('ceilings')}; try {deadlines.more('ceilings')}"


def _require_memory(facts: Facts) -> None:
    known = [one for one in (facts.memory_available_bytes, facts.memory_limit_bytes) if one is not None]
    if known and min(known) < NEEDED_BYTES:
        raise NotMeasuredError(
            f"it has {min(known) >> 20} MiB of memory for a program, and the bundled models need "
            f"{NEEDED_BYTES >> 20} MiB; the inventory can give them (ceilings)"
        )


async def _ready(here: OnDevice, asked: Asked, name: str, file: Artifact) -> Ready:
    """A bundled model on the device, as a cell that computes as the asked one; it is in no plan, and its
    rounds are in no results.
    """
    options = merge(only_deciding(asked.cell.variant.options), ONE_ROUND)
    model, variant = Model(name, file), Variant(f"farm ceilings {asked.name}", options)
    rounds = tuple(Round(RoundKind.PROFILE, index, options) for index in range(ROUNDS))
    cell = Cell(asked.cell.device, model, variant, rounds, build=asked.cell.build)
    await Pusher(here.session, here.room).push([file], own=True)
    tree = tree_of("model", [(model_file_name(model), file)])
    folder = await here.session.call(lambda agent: agent.tree(tree))
    program = here.deployed.program(cell)
    environment = environment_of(program, cell.device)
    return Ready(cell, program.argv, environment, f"{folder}/{model_file_name(model)}", None)


async def _round(here: OnDevice, made: Ready, index: int, left_s: float) -> Profile:
    """The profile of a round that ends within `left_s`."""
    settings, limit_s = here.context.settings, max(1, math.ceil(left_s))
    given = settings.deadlines
    deadlines = replace(given, round_s=min(limit_s, given.round_s), silence_s=min(limit_s, given.silence_s))
    context = replace(here.context, settings=replace(settings, deadlines=deadlines))
    one = made.cell.rounds[index]
    result = await run_round(replace(here, context=context), made, one)
    await forget(here, made.cell, one)
    if result.cause in OUR_LIMIT and limit_s < min(given.round_s, given.silence_s):
        raise NotMeasuredError(_too_late(given))  # the device counts in whole seconds, and may end it early
    if result.status is RoundStatus.FAILED:
        raise NotMeasuredError(f"{made.cell.model.name}: {result.error or 'it failed'}")
    written = next((one for one in result.artifacts if one.role == PROFILE), None)
    if written is None or written.size_bytes > MOST_BYTES:
        raise NotMeasuredError(
            f"{made.cell.model.name}: no profile, or one of more than {MOST_BYTES >> 20} MiB"
        )
    try:
        return await asyncio.to_thread(read, here.context.directory.path / written.path)
    except RequestError as error:
        raise NotMeasuredError(f"{made.cell.model.name}: {error.message}") from error
