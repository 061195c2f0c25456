"""Do a cell's stages once, or take their products from the store; the rounds then use them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from farm.device.session import Session
from farm.model.artifact import Artifact
from farm.model.device import Device, Facts
from farm.model.matrix import Round, RoundKind, StageSpec
from farm.model.run import RoundResult, StageResult
from farm.options import MODEL_FEED, without
from farm.plan.layout import tree_of
from farm.run.deploy import Deployed, Pushed, push
from farm.run.execute import Limits, Ready, run_round
from farm.store.products import Product, ProductStore
from farm.store.runs import RunDirectory

KEY_VERSION = 1

Copies = tuple[tuple[str, str], ...]
"""Names and digests of files that a round gets a copy of."""


@dataclass(frozen=True)
class StageContext:
    """What all stages of a device share."""

    session: Session
    deployed: Deployed
    facts: Facts
    run: RunDirectory
    products: ProductStore
    limits: Limits
    clock: Callable[[], float]


def cache_key(
    stage: StageSpec, *, model_sha256: str, runtime_digest: str, device: Device, facts: Facts, given: Copies
) -> str:
    """SHA-256 of everything that a product depends on.

    MegEngine's own keys are too weak (the CPU's is the constant `plat=cpu`): ours has the digests of
    runtime and model, the stage's options with threads and core ids, the processor and its features,
    GPU and driver, and the files that it is `given`. A device that does not name its processor shares
    with nobody: its own name is in.
    """
    options = without(stage.options, stage.product, "iter", "warmup-iter").as_dict()
    record = {
        "version": KEY_VERSION,
        "kind": stage.kind,
        "options": options,
        "model": model_sha256,
        "runtime": runtime_digest,
        "architecture": facts.architecture,
        "cpu": facts.cpu_model or f"device {device.name}",
        "cpu_features": sorted(facts.cpu_features),
        "cores": len(facts.core_ids),
        "max_frequency_khz": sorted({khz for _, khz in facts.max_frequency_khz}),
        "given": sorted(given),
        "gpus": [(gpu.name, gpu.driver, gpu.compute_capability) for gpu in facts.gpus],
    }
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


async def run_stages(context: StageContext, here: Ready) -> tuple[Ready, tuple[StageResult, ...]]:
    """The cell ready for its rounds, and what its stages cost.

    A stage that fails ends the chain: its result has `status="failed"`, and the cell cannot be run.
    Raises DeviceError when the device cannot go on.
    """
    done: list[StageResult] = []
    model_sha256 = here.cell.model.artifact.sha256
    for number, stage in enumerate(here.cell.stages):
        key = cache_key(
            stage,
            model_sha256=model_sha256,
            runtime_digest=context.deployed.digest or f"unknown {context.session.device.name}",
            device=here.cell.device,
            facts=context.facts,
            given=here.copies,
        )
        found = context.products.find(key)
        if found is None:
            result, artifact = await _make(context, here, stage, number, key)
        else:
            product, artifact = found
            await push(context.session, [artifact], Pushed(), lambda _done, _total: None)
            result = StageResult(
                stage.kind, "completed", product.seconds, product.run_id, key, artifact.sha256
            )
        done.append(result)
        if artifact is None:
            break
        here = await _feed(context, here, stage, artifact)
        if stage.feeds == MODEL_FEED:
            model_sha256 = artifact.sha256
    return here, tuple(done)


async def _make(
    context: StageContext, here: Ready, stage: StageSpec, number: int, key: str
) -> tuple[StageResult, Artifact | None]:
    """Run the stage and keep what it wrote, on the controller and on the device."""
    one = Round(RoundKind.SETUP, number, stage.options)
    # A cache that is given to the search is added to, as the program does.
    result = await run_round(
        context.session, here, one, context.run, context.limits, context.clock, adopt=True
    )
    written = next((item for item in result.artifacts if item.role == stage.role), None)
    if result.status == "failed" or written is None:
        return StageResult(stage.kind, "failed", result.wall_s, None, key, None, result), None
    product = Product(
        key,
        stage.kind,
        stage.file_name,
        written.sha256,
        written.size_bytes,
        result.wall_s or 0.0,
        context.run.run_id,
    )
    artifact = context.products.keep(product, context.run.path / written.path)
    return StageResult(stage.kind, "completed", result.wall_s, None, key, written.sha256, result), artifact


async def _feed(context: StageContext, here: Ready, stage: StageSpec, artifact: Artifact) -> Ready:
    """Give the product to what comes after."""
    if stage.feeds != MODEL_FEED:
        kept = tuple(copy for copy in here.copies if copy[0] != stage.file_name)
        return replace(here, copies=(*kept, (stage.file_name, artifact.sha256)))
    tree = tree_of("model", [(f"{here.cell.model.name}-transformed.mge", artifact)])
    folder = await context.session.call(lambda agent: agent.tree(tree))
    return replace(here, model_path=f"{folder}/{tree.files[0][0]}")


def failed_stage(results: tuple[StageResult, ...]) -> RoundResult | None:
    """The round of the stage that failed, if one did."""
    return next((result.round for result in results if result.status == "failed"), None)
