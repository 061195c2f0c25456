"""Run one round of a cell on its device and turn its output into a result."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

from farm.analysis.steady import round_value
from farm.causes.diagnose import announces_hang, diagnose, stranger
from farm.device.jobs import Ended, JobSpec, drop, drop_later, start_job, wait_for_job
from farm.device.session import Conversation, Session
from farm.errors import DeviceError, Fault
from farm.logs.load_and_run import MAX_ITERATIONS
from farm.logs.round_log import RoundLog, read_round_log, round_log
from farm.model.artifact import Artifact
from farm.model.comparison import Phase
from farm.model.limits.deadlines import Deadlines
from farm.model.matrix import CHECKS, Cell, Round, RoundKind
from farm.model.measurement import Cause
from farm.model.run import Quality, RoundResult, RoundStatus
from farm.options import argv as options_argv
from farm.options import outputs
from farm.plan.layout import input_names
from farm.run.context import OnDevice
from farm.run.deploy import Deployed, environment_of
from farm.run.disk import disk_error
from farm.run.measure.assess import assessed
from farm.run.measure.readings import BESIDE, asked_for, read_readings, with_exact_times
from farm.run.pull.collect import BLOCK_BYTES, LIMITS, OTHER, Pulled, Rules, collect
from farm.tasks import ended
from farm.worker import LateError, WorkerError, in_worker

OUT_DIR = "."
"""Rounds start in their output folder, so that what they write is found there and nowhere else."""

ADOPTED = "it ended while no process of farm was there: when it began, and how long it took, is not known"
HUSH_S = 3.0
TAIL_BYTES = 4096
SMALL_ROUND_BYTES = 256 << 10
"""So much of 30 rounds is no burden for the disk of any device."""
SMALL_LOG_BYTES = 32 << 10
"""A log that is read in a thread, whatever is in it; longer ones in a process of their own."""
NOT_ASKED_FOR = frozenset({OTHER, *BESIDE.values()})
"""Roles of files that no round fails for."""
LOGS = frozenset({"stdout", "stderr"})
"""Roles of the files that a measurement is read from."""


@dataclass(frozen=True)
class Ready:
    """A cell on its device, ready to be run.

    `program` and `environment` start it; `model_path`, `input_text` and `check_text` (of check rounds) hold
    the device's paths; `reads` are the paths of files that options read; `copies` are (name, digest) of files
    that each round gets a copy of in its output folder, because it may rewrite them. `names` has what the
    user calls the files at these paths.
    """

    cell: Cell
    program: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    model_path: str
    input_text: str | None
    reads: Mapping[str, str] = field(default_factory=dict)
    copies: tuple[tuple[str, str], ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    check_text: str | None = None


def ready(cell: Cell, deployed: Deployed) -> Ready:
    """The cell as it was deployed, before any preparation."""
    program = deployed.program(cell)
    return Ready(
        cell,
        program.argv,
        environment_of(program, cell.device),
        deployed.model_path(cell.model),
        deployed.input_text(cell.model),
        deployed.reads(cell),
        deployed.copies(cell),
        _names(cell, deployed),
        deployed.check_text(cell.model),
    )


def _names(cell: Cell, deployed: Deployed) -> dict[str, str]:
    """Of the paths on the device that a round's messages may have."""
    model, options, program = cell.model, cell.variant.options, cell.device.runtime.program
    folder = deployed.folders[model]
    inputs = zip(input_names(model.inputs), model.inputs.files, strict=True)
    return {
        **({deployed.program(cell).argv[0]: program} if program else {}),
        deployed.model_path(model): _typed(model.artifact),
        **{f"{folder}/{name}": _typed(file.artifact) for name, file in inputs},
        **{path: str(options.get(option)) for option, path in deployed.reads(cell).items()},
    }


def _typed(file: Artifact) -> str:
    """A user's file: its path; of a converted one, which is in the cache, the name that it came from."""
    return str(file.path) if file.path.name == file.name else file.name


def command_of(made: Ready, one: Round) -> tuple[str, ...]:
    """The exact argument vector that runs on the device."""
    return options_argv(
        one.options,
        program=made.program,
        model=made.model_path,
        input_text=made.check_text if one.kind in CHECKS else made.input_text,
        out_dir=OUT_DIR,
        inputs=made.reads,
    )


@dataclass(frozen=True)
class Executed:
    """A round that was started and has ended; `wall_s` is from its start until its end was seen here. Of one
    that another process had started, neither is known.
    """

    job: str
    argv: tuple[str, ...]
    started_at: str | None
    wall_s: float | None
    ended: Ended
    names: Mapping[str, str] = field(default_factory=dict)


async def run_round(here: OnDevice, made: Ready, one: Round, *, adopt: bool = False) -> RoundResult:
    """Wait until the device is fit for a timed round, execute, collect everything it wrote (always), judge.

    With `adopt`, what it wrote also stays in the device's store, for later rounds. A round that fails
    is a result with status `failed`; DeviceError means that the device cannot go on. What the device has of
    it stays there until it is told to `forget` it: once the result is on disk.
    """
    cell, directory = made.cell, here.context.directory
    if one.kind is RoundKind.TIMED and job_of(here, cell, one) not in here.session.left:
        await here.surroundings.before()
    executed = await execute(here, made, one)
    folder = directory.round_folder(*cell.id.split("/"), round_name(one))
    rules = Rules(here.room if adopt else None, here.context.recorder.hider.log, here.allowance)
    try:
        pulled = await collect(here.session, executed.job, folder, one, rules, executed.ended.left)
        if _is_small(pulled):

            def read_and_concluded() -> RoundResult:
                return _concluded(here, one, executed, pulled, read_round_log(*_logs(pulled, one)))

            return await asyncio.to_thread(read_and_concluded)
        log = await read_log(pulled, one, here.context.settings.deadlines)
        return await asyncio.to_thread(_concluded, here, one, executed, pulled, log)
    except OSError as error:
        raise disk_error(error) from error


def _concluded(here: OnDevice, one: Round, executed: Executed, pulled: Pulled, log: RoundLog) -> RoundResult:
    """The result of a round by all that was pulled of it. Raises OSError."""
    readings = read_readings(pulled.logs)
    measurement, note = with_exact_times(log.measurement, readings.exact_ns)
    result = judge(one, executed, pulled, replace(log, measurement=measurement))
    result = assessed(result, one, here.facts, readings, here.surroundings)
    here.surroundings.after(readings.samples)
    begun_again = here.session.lost_jobs.note_of(executed.job)
    notes = (note, ADOPTED if executed.started_at is None else None, begun_again)
    return replace(result, notes=(*result.notes, *filter(None, notes)))


async def read_log(pulled: Pulled, one: Round, deadlines: Deadlines) -> RoundLog:
    """The log of a round, whatever is in it: the event loop goes on meanwhile. Raises OSError."""
    if _is_small(pulled):
        return await asyncio.to_thread(read_round_log, *_logs(pulled, one))
    try:
        return await in_worker(deadlines.read_log_s, read_round_log, *_logs(pulled, one))
    except LateError:
        return replace(round_log("", ""), unread=f"not read {deadlines.ran_out('read-log')}")
    except WorkerError as error:
        return replace(round_log("", ""), unread=str(error))


def _is_small(pulled: Pulled) -> bool:
    return sum(kept.size_bytes for kept in pulled.artifacts if kept.role in LOGS) <= SMALL_LOG_BYTES


def _logs(pulled: Pulled, one: Round) -> tuple[Path | None, Path | None, int]:
    """What `read_round_log` reads, and of how many runs."""
    return pulled.logs.get("stdout"), pulled.logs.get("stderr"), int(one.options.get("thread") or 1)


def job_of(here: OnDevice, cell: Cell, one: Round) -> str:
    """The name of a round on its device: the same for every process that goes on with the run."""
    return f"{here.context.directory.run_id}-{crc32(cell.id.encode()):08x}-{round_name(one)}"


async def forget(here: OnDevice, cell: Cell, one: Round) -> None:
    """Let the device forget a round that was collected."""
    await drop(here.session, job_of(here, cell, one))


async def forget_timed(here: OnDevice, cell: Cell, one: Round, result: RoundResult) -> None:
    """The same for a round of which nothing is run again; a small one is forgotten with others, later."""
    size_bytes = sum(artifact.size_bytes for artifact in result.artifacts)
    if one.kind is RoundKind.TIMED and size_bytes <= SMALL_ROUND_BYTES:
        await drop_later(here.session, job_of(here, cell, one))
    else:
        await forget(here, cell, one)


async def execute(here: OnDevice, made: Ready, one: Round) -> Executed:
    """Start the round's process and wait for its end; or take one that ran while no process was here."""
    name = job_of(here, made.cell, one)
    deadlines, clock = here.context.settings.deadlines, here.context.clock
    argv = command_of(made, one)
    folders = tuple(output.path for output in outputs(one.options) if output.is_directory)
    environment = (*made.environment, *asked_for(here.device, here.facts, one))
    spec = JobSpec(name, argv, deadlines.round_s, deadlines.silence_s, environment, folders, made.copies)
    if name in here.session.left:
        here.session.left.discard(name)
        ended = await wait_for_job(here.session, spec, BLOCK_BYTES)
        return Executed(name, argv, None, None, ended, made.names)
    started_at, began = datetime.now(UTC).isoformat(timespec="milliseconds"), clock()
    await start_job(here.session, spec)
    ended = await _see_through(here.session, spec)
    wall_s = round(clock() - began - ended.known_s, 3)
    return Executed(name, argv, started_at, wall_s, ended, made.names)


async def _see_through(session: Session, spec: JobSpec) -> Ended:
    """Wait for the end of a job; one whose last words are those of a hang does not take its silence limit."""
    watch = asyncio.create_task(_end_hang(session, spec.name), name=f"watch over {spec.name}")
    try:
        return await wait_for_job(session, spec, BLOCK_BYTES)
    finally:
        await ended(watch, DeviceError)  # what it is answered, the wait for the job was answered too


async def _end_hang(session: Session, job: str) -> None:
    """End a job that printed nothing for HUSH_S after a line that announces a hang. What a log ends with is
    read once, since that costs the device processes; a look at its size costs none.
    """
    size = looked_at = 0
    while True:
        await asyncio.sleep(HUSH_S)
        before, state = size, await session.pulse(lambda agent: agent.poll(job))
        size = state.stderr_bytes
        if state.exit_code is not None:
            return
        if size == before and size != looked_at:
            looked_at, start = size, max(0, size - TAIL_BYTES)
            tail = await session.call(_reading(job, start))
            if announces_hang(tail.decode("utf-8", "replace")):
                await session.call(lambda agent: agent.kill(job))
                return


def _reading(job: str, start: int) -> Conversation[bytes]:
    return lambda agent: agent.read(job, "stderr", start, TAIL_BYTES)


def judge(one: Round, executed: Executed, pulled: Pulled, log: RoundLog) -> RoundResult:
    """The result of a round: its times when its log is complete, else why it failed."""
    measurement = log.measurement
    cause = failure_of(one, executed, pulled, log)
    is_timed = one.kind is RoundKind.TIMED and cause is None
    value_ms, quality = round_value(measurement.e2e_ms) if is_timed else (None, Quality.OK)
    return RoundResult(
        kind=one.kind,
        index=one.index,
        phase=one.phase,
        attempt=one.attempt,
        status=RoundStatus.FAILED if cause else RoundStatus.COMPLETED,
        quality=quality,
        started_at=executed.started_at,
        wall_s=executed.wall_s,
        exit_code=executed.ended.exit_code,
        argv=executed.argv,
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
        notes=pulled.notes,
        artifacts=pulled.artifacts,
    )


def failure_of(one: Round, executed: Executed, pulled: Pulled, log: RoundLog) -> Cause | None:
    """Why a round failed, or None. Exit code 0 is not enough: the log must be complete and the output
    files of the options must exist.
    """
    ended = executed.ended
    if ended.exit_code != 0 or ended.why != "-":
        return diagnose(ended.exit_code, ended.why, log.stdout, log.stderr, one.options, executed.names)
    if log.unread is not None:
        return Cause(
            Fault.DEVICE,
            "log-unread",
            f"the log could not be read: {log.unread}",
            "print less: --verbose in a variant of its own",
        )
    refused = next((item for item in pulled.refused if item.role not in NOT_ASKED_FOR), None)
    if refused is not None:
        return Cause(
            Fault.DEVICE,
            "output-refused",
            f"the round's {refused.role} was not kept: {refused.why}",
            "docs/run-directory.md lists the limits of what is pulled of a round",
        )
    if one.kind is RoundKind.TIMED and not log.measurement.complete:
        return _why_incomplete(pulled, log)
    for output in outputs(one.options):
        if output.path not in pulled.paths and not any(p.startswith(f"{output.path}/") for p in pulled.paths):
            return Cause(
                Fault.RUNTIME,
                "output-missing",
                f"the program did not write the requested {output.role} ({output.path})",
                f"farm options show {output.option} lists when it is ignored",
            )
    return None


def _why_incomplete(pulled: Pulled, log: RoundLog) -> Cause:
    """Why a log lacks times although the program says that all is well."""
    if any(kept.role in LOGS and kept.size_bytes >= LIMITS.log_bytes for kept in pulled.artifacts):
        limit = f"{LIMITS.log_bytes >> 20} MiB"
        return Cause(
            Fault.USER,
            "log-too-long",
            f"the log is longer than {limit}, and farm reads no more: the times at its end are missing",
            "use fewer iterations, and --verbose in a variant of its own",
        )
    if len(log.measurement.e2e_ms) >= MAX_ITERATIONS:
        return Cause(
            Fault.USER,
            "log-too-long",
            f"the log has more than {MAX_ITERATIONS} iterations, and farm reads no more",
            f"use at most --iter {MAX_ITERATIONS}, and more --rounds",
        )
    return stranger(log.text) or Cause(
        Fault.RUNTIME,
        "log-incomplete",
        f"exit code 0, but the log is incomplete: {len(log.measurement.e2e_ms)} iterations",
        "see stderr.txt of this round; a raised log level hides the times",
    )


def round_name(one: Round | RoundResult) -> str:
    """Unique in its cell: `timed-0`, `confirm-0`, `timed-0-again`."""
    word = one.phase.value if one.phase is Phase.CONFIRM else one.kind.value
    return f"{word}-{one.index}{AGAIN * one.attempt}"


AGAIN = "-again"
