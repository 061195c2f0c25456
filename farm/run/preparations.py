"""Do a cell's preparations once, or take their products from the store; the rounds then use them."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from pathlib import Path

from farm.files import ascii_name
from farm.model.artifact import Artifact
from farm.model.device import Device, Facts
from farm.model.matrix import Preparation, Round, RoundKind
from farm.model.run import PreparationResult, RoundStatus
from farm.options import MODEL_FEED, without
from farm.plan.layout import tree_of
from farm.run.context import OnDevice
from farm.run.deploy import Program
from farm.run.disk import not_kept
from farm.run.events import Event, Kind
from farm.run.execute import Ready, forget, run_round
from farm.run.push.pusher import Pusher
from farm.store.cache.products import Product

KEY_VERSION = 2

Copies = tuple[tuple[str, str], ...]
"""Names and digests of files that a round reads."""


def cache_key(
    preparation: Preparation,
    *,
    model_sha256: str,
    runtime_digest: str,
    device: Device,
    facts: Facts,
    given: Copies,
) -> str:
    """SHA-256 of everything that a product depends on.

    MegEngine's own keys are too weak (the CPU's is the constant `plat=cpu`): ours has the digests of
    runtime (see `runtime_key`) and model, the preparation's options with threads and core ids, the device's
    environment, the processor and its features, GPU and driver, and all that it is `given`: inputs,
    operator libraries, caches. For a device with an unknown
    processor the key has the device's name, so that no other device uses the product.
    """
    options = without(preparation.options, preparation.product, "iter", "warmup-iter").as_dict()
    record = {
        "version": KEY_VERSION,
        "kind": preparation.kind,
        "options": options,
        "model": model_sha256,
        "runtime": runtime_digest,
        "architecture": facts.architecture,
        "cpu": facts.cpu_model or f"device {device.name}",
        "cpu_features": sorted(facts.cpu_features),
        "cores": len(facts.core_ids),
        "max_frequency_khz": sorted({khz for _, khz in facts.max_frequency_khz}),
        "given": sorted(given),
        "environment": sorted(device.environment),
        "gpus": [(gpu.name, gpu.driver, gpu.compute_capability) for gpu in facts.gpus],
    }
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def runtime_key(program: Program, device: str, run_id: str) -> str:
    """What executes a preparation, libraries included. Where these are not known, a product is not used in
    another run: it may have been made with other ones.
    """
    if program.digest and program.is_whole:
        return program.linked or program.digest
    return f"{program.digest} {device} {run_id}"


def _given(made: Ready) -> Copies:
    """What a preparation reads beside the model, with digests: options have its names alone."""
    inputs = made.cell.model.inputs
    return (
        *made.copies,
        *((option, file.sha256) for option, file in made.cell.files),
        ("input", inputs.template),
        *(("input", file.artifact.sha256) for file in inputs.files),
    )


async def prepare(here: OnDevice, made: Ready) -> tuple[Ready, tuple[PreparationResult, ...]]:
    """The cell ready for its rounds, and the results of its preparations.

    One that fails ends the chain: its result has status `failed`, and the cell cannot be run. Raises
    DeviceError when the device cannot go on.
    """
    done: list[PreparationResult] = []
    model_sha256 = made.cell.model.artifact.sha256
    for number, preparation in enumerate(made.cell.preparations):
        key = cache_key(
            preparation,
            model_sha256=model_sha256,
            runtime_digest=runtime_key(
                here.deployed.program(made.cell), here.device.name, here.context.directory.run_id
            ),
            device=here.device,
            facts=here.facts,
            given=_given(made),
        )
        found = await asyncio.to_thread(here.context.settings.products.find, key)
        if found is None:
            result, artifact = await _make(here, made, number, key)
        else:
            product, artifact = found
            await _keep_for_later(here, made, product, artifact)
            await Pusher(here.session, here.room).push([artifact])
            result = PreparationResult(
                preparation.kind, RoundStatus.COMPLETED, product.seconds, product.run_id, key, artifact.sha256
            )
        done.append(result)
        if artifact is None:
            break
        made = await _feed(here, made, preparation, artifact)
        if preparation.feeds == MODEL_FEED:
            model_sha256 = artifact.sha256
    return made, tuple(done)


async def _make(
    here: OnDevice, made: Ready, number: int, key: str
) -> tuple[PreparationResult, Artifact | None]:
    """Do the preparation and keep what it wrote, on the controller and on the device."""
    preparation, directory = made.cell.preparations[number], here.context.directory
    one = Round(RoundKind.SETUP, number, preparation.options)
    # The search adds to a cache that is given, as the program does.
    result = await run_round(here, made, one, adopt=True)
    written = next((item for item in result.artifacts if item.role == preparation.role), None)
    kind = preparation.kind
    if result.status is RoundStatus.FAILED or written is None:
        await forget(here, made.cell, one)
        return PreparationResult(kind, RoundStatus.FAILED, result.wall_s, None, key, None, result), None
    product = Product(
        key,
        kind,
        preparation.file_name,
        written.sha256,
        written.size_bytes,
        result.wall_s or 0.0,
        directory.run_id,
    )
    artifact = await _keep(here, product, directory.path / written.path)
    await _keep_for_later(here, made, product, artifact)
    await forget(here, made.cell, one)
    done = PreparationResult(kind, RoundStatus.COMPLETED, result.wall_s, None, key, written.sha256, result)
    return done, artifact


async def _keep(here: OnDevice, product: Product, source: Path) -> Artifact:
    """Where the store cannot be written, this run uses the file in its own folder."""
    try:
        return await asyncio.to_thread(here.context.settings.products.keep, product, source)
    except OSError as error:
        text = f"{not_kept(error)}: the next run does {product.kind} again"
        here.context.listener(Event(here.device.name, Kind.NOTE, text))
        return Artifact(product.file_name, product.sha256, product.size_bytes, source)


async def _keep_for_later(here: OnDevice, made: Ready, product: Product, artifact: Artifact) -> None:
    def note(text: str) -> None:
        here.context.listener(Event(here.device.name, Kind.NOTE, text))

    if here.context.keeper is not None:
        await here.context.keeper.keep_product(made.cell, product, artifact, note)


async def _feed(here: OnDevice, made: Ready, preparation: Preparation, artifact: Artifact) -> Ready:
    """Use the product in the following preparations and rounds."""
    if preparation.feeds != MODEL_FEED:
        kept = tuple(copy for copy in made.copies if copy[0] != preparation.file_name)
        return replace(made, copies=(*kept, (preparation.file_name, artifact.sha256)))
    tree = tree_of("model", [(f"{ascii_name(made.cell.model.name)}-transformed.mge", artifact)])
    folder = await here.session.call(lambda agent: agent.tree(tree))
    return replace(made, model_path=f"{folder}/{tree.files[0][0]}")
