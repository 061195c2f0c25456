"""Run one round of a cell on its device and turn what it left behind into a result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zlib import crc32

from farm.analysis.steady import round_value
from farm.device.jobs import Ended, JobSpec, start_job, wait_for_job
from farm.device.session import Session
from farm.errors import Fault
from farm.logs.load_and_run import diagnose, parse_log
from farm.model.artifact import Produced
from farm.model.matrix import Cell, Round, RoundKind
from farm.model.measurement import Cause, Measurement
from farm.model.run import RoundResult
from farm.options import argv as options_argv
from farm.options import outputs
from farm.run.collect import Pulled, collect
from farm.run.deploy import Deployed
from farm.store.runs import RunDirectory

OUT_DIR = "."
"""Rounds start in their output folder, so that what they write is found there and nowhere else."""


@dataclass(frozen=True)
class Limits:
    """When a round is ended from outside, in seconds: in all, and without a sign of life."""

    wall_s: int = 1800
    silence_s: int = 600


@dataclass(frozen=True)
class Ready:
    """A cell on its device, ready to be run.

    `program` and `environment` start it; `model_path` and `input_text` hold the device's paths;
    `reads` are the paths of files that options read; `copies` are (name, digest) of files that each
    round gets a copy of in its output folder, because it may rewrite them.
    """

    cell: Cell
    program: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    model_path: str
    input_text: str | None
    reads: dict[str, str] = field(default_factory=dict)
    copies: tuple[tuple[str, str], ...] = ()


def ready(cell: Cell, deployed: Deployed) -> Ready:
    """The cell as it was deployed, before any stage."""
    return Ready(
        cell,
        deployed.program,
        (*deployed.environment, *cell.device.environment),
        deployed.model_path(cell.model),
        deployed.input_text(cell.model),
        deployed.reads(cell),
        deployed.copies(cell),
    )


def command_of(here: Ready, one: Round) -> tuple[str, ...]:
    """The exact argument vector that runs on the device."""
    return options_argv(
        one.options,
        program=here.program,
        model=here.model_path,
        input_text=here.input_text,
        out_dir=OUT_DIR,
        inputs=here.reads,
    )


async def run_round(
    session: Session,
    here: Ready,
    one: Round,
    run: RunDirectory,
    limits: Limits,
    clock: Callable[[], float],
    *,
    adopt: bool = False,
) -> RoundResult:
    """Start, wait, pull everything it wrote (always), judge.

    With `adopt`, what it wrote also stays in the device's store, for later rounds. A round that fails
    is a result with `status="failed"`; DeviceError means that the device cannot go on.
    """
    cell = here.cell
    name = round_name(one)
    job = f"{run.run_id}-{crc32(cell.id.encode()):08x}-{name}"
    argv = command_of(here, one)
    folders = tuple(output.path for output in outputs(one.options) if output.is_directory)
    spec = JobSpec(job, argv, limits.wall_s, limits.silence_s, here.environment, folders, here.copies)
    started_at, began = datetime.now(UTC).isoformat(timespec="milliseconds"), clock()
    await start_job(session, spec)
    ended = await wait_for_job(session, job)
    wall_s = clock() - began
    under = run.cell_path(cell.device.name, cell.model.name, cell.variant.name, name)
    pulled = await collect(session, job, run, under, one, adopt=adopt)
    measurement = parse_log(pulled.log, runs=int(one.options.get("thread") or 1))
    cause = failure_of(one, ended, measurement, pulled)
    is_timed = one.kind is RoundKind.TIMED and cause is None
    value_ms, quality = round_value(measurement.e2e_ms) if is_timed else (None, "ok")
    return RoundResult(
        kind=one.kind.value,
        index=one.index,
        status="failed" if cause else "completed",
        quality=quality,
        started_at=started_at,
        wall_s=round(wall_s, 3),
        exit_code=ended.exit_code,
        argv=argv,
        load_ms=measurement.load_ms,
        prepare_ms=measurement.prepare_ms,
        warmup_ms=measurement.warmup_ms,
        e2e_ms=measurement.e2e_ms,
        host_ms=measurement.host_ms,
        value_ms=value_ms,
        engine=measurement.engine,
        tensors=measurement.tensors,
        fault=cause.fault if cause else None,
        cause=cause.cause if cause else None,
        error=cause.message if cause else None,
        hint=cause.hint if cause else None,
        artifacts=pulled.artifacts,
    )


def failure_of(one: Round, ended: Ended, measurement: Measurement, pulled: Pulled) -> Cause | None:
    """Why a round does not count, or None. Exit code 0 is not enough: the log must be whole and the
    files that the options promise must be there.
    """
    if ended.exit_code != 0 or ended.why != "-":
        return diagnose(ended.exit_code, ended.why, pulled.stdout, pulled.stderr, one.options)
    if one.kind is RoundKind.TIMED and not measurement.complete:
        return Cause(
            Fault.RUNTIME,
            "log-incomplete",
            f"exit code 0, but the log is not whole: {len(measurement.e2e_ms)} iterations in it",
            "look at stderr.txt of this round; --iter 0 and lowered log levels print no times",
        )
    for output in outputs(one.options):
        if output.path not in pulled.paths and not any(p.startswith(f"{output.path}/") for p in pulled.paths):
            return Cause(
                Fault.RUNTIME,
                "output-missing",
                f"the program wrote no {output.role} ({output.path}) though it was asked to",
                f"farm options show {output.option} tells when it is ignored",
            )
    return None


def round_name(one: Round) -> str:
    return f"{one.kind.value}-{one.index}"


def artifacts_of(rounds: tuple[RoundResult, ...]) -> tuple[Produced, ...]:
    """All files of a cell's rounds."""
    return tuple(artifact for one in rounds for artifact in one.artifacts)
