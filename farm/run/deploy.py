"""Put on a device what its cells need and it does not have; nothing that is there travels again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from farm import agents
from farm.device.agent import Missing
from farm.device.jobs import JobSpec, run_small
from farm.device.session import Conversation, Session
from farm.errors import DeviceError, Fault, Stage
from farm.files import digest_path
from farm.model.artifact import Artifact, Tree
from farm.model.device import Device, Facts, Python, RuntimeKind
from farm.model.matrix import Cell, Model
from farm.options import outputs
from farm.plan.layout import content_digest, input_names, model_file_name, model_tree, native_files, tree_of
from farm.plan.matrix import needed_artifacts
from farm.runtime.compact import Pack

OLDEST_PYTHON = (3, 6)
UNPACK_WALL_S = 900
REWRITTEN = frozenset({"fast-run-algo-policy", "tensorrt-cache"})
"""Options whose file the program reads and writes anew at the end of every run."""

Sent = Callable[[int, int], None]
"""Progress of a transfer: bytes done, bytes in all."""


@dataclass(frozen=True)
class WheelFiles:
    """The wheel runtime on the controller.

    `libraries` are the pristine files by their name in the tree, `cpu_libraries` the ones without CUDA
    code (name, sha256, size): those exist only in `cpu_pack`, and on devices.
    """

    libraries: tuple[tuple[str, Artifact], ...]
    cpu_libraries: tuple[tuple[str, Artifact], ...]
    cpu_pack: Callable[[], Pack]
    full_pack: Callable[[], Pack]


@dataclass
class Pushed:
    """What a deployment moved, for the report: a second bench of the same files pushes 0 bytes."""

    bytes: int = 0
    files: int = 0
    reused: int = 0


@dataclass(frozen=True)
class Deployed:
    """Where things are on the device. `program` starts every argument vector; paths are absolute."""

    program: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    digest: str | None
    store: str = ""
    folders: dict[str, str] = field(default_factory=dict)

    def model_path(self, model: Model) -> str:
        return f"{self.folders[model.name]}/{model_file_name(model)}"

    def input_text(self, model: Model) -> str | None:
        """The `--input` text with the device's paths in it, or None when inputs are left out."""
        if not model.inputs.text:
            return None
        names = input_names(model.inputs)
        return model.inputs.template.format(*(f"{self.folders[model.name]}/{name}" for name in names))

    def reads(self, cell: Cell) -> dict[str, str]:
        """Where the files are that options read, by option."""
        return {
            option: str(digest_path(PurePosixPath(self.store), file.sha256))
            for option, file in cell.files
            if option not in REWRITTEN
        }

    def copies(self, cell: Cell) -> tuple[tuple[str, str], ...]:
        """(name in the output folder, digest) of files that a round both reads and rewrites."""
        names = {output.option: output.path for output in outputs(cell.variant.options)}
        return tuple((names[option], file.sha256) for option, file in cell.files if option in REWRITTEN)


async def deploy(
    session: Session,
    cells: Sequence[Cell],
    facts: Facts,
    wheel: WheelFiles | None,
    pushed: Pushed,
    sent: Sent,
) -> Deployed:
    """Push what is missing and lay out the runtime and every model of `cells`.

    Raises DeviceError, stage `deploy`: `disk-full`, `digest-mismatch`, `program-missing`,
    `architecture`, `python-missing`.
    """
    device = session.device
    await push(session, needed_artifacts(cells), pushed, sent)
    if device.runtime.kind is RuntimeKind.WHEEL:
        assert wheel is not None, "the wheel runtime is prepared before devices are touched"
        deployed = await _deploy_wheel(session, facts, wheel, pushed, sent)
    else:
        deployed = await _deploy_native(session, pushed, sent)
    for model in {cell.model.name: cell.model for cell in cells}.values():
        tree = model_tree(model)
        deployed.folders[model.name] = await session.call(_laying_out(tree))
    return replace(deployed, store=f"{session.workdir}/cas")


async def push(session: Session, artifacts: Sequence[Artifact], pushed: Pushed, sent: Sent) -> None:
    """One question for all digests, then only the missing ones travel; on `local` they are linked."""
    missing = {item.sha256: item.present_bytes for item in await _missing(session, artifacts)}
    pushed.reused += len(artifacts) - len(missing)
    total = sum(artifact.size_bytes for artifact in artifacts if artifact.sha256 in missing)
    done = 0
    for artifact in artifacts:
        if artifact.sha256 not in missing:
            continue
        if session.device.is_local:
            await session.call(_linking(artifact))
            pushed.reused += 1
            continue
        moved = await session.call(_uploading(artifact, _offset(sent, done, total)))
        pushed.bytes += moved
        pushed.files += 1
        done += artifact.size_bytes
        sent(done, total)


def _laying_out(tree: Tree) -> Conversation[str]:
    return lambda agent: agent.tree(tree)


def _linking(artifact: Artifact) -> Conversation[None]:
    return lambda agent: agent.link(artifact.sha256, str(artifact.path))


def _uploading(artifact: Artifact, progress: Callable[[int], None]) -> Conversation[int]:
    return lambda agent: agent.upload(artifact, progress)


def _offset(sent: Sent, before: int, total: int) -> Callable[[int], None]:
    return lambda count: sent(before + count, total)


async def _missing(session: Session, artifacts: Sequence[Artifact]) -> tuple[Missing, ...]:
    return await session.call(lambda agent: agent.have([artifact.sha256 for artifact in artifacts]))


async def _deploy_wheel(
    session: Session, facts: Facts, wheel: WheelFiles, pushed: Pushed, sent: Sent
) -> Deployed:
    python = device_python(session.device, facts)
    require_wheel_platform(session.device, facts)
    runner = agents.runner_files()
    await push(session, [artifact for _, artifact in runner], pushed, sent)
    if session.device.is_local:
        libraries = wheel.libraries
        await push(session, [artifact for _, artifact in libraries], pushed, sent)
    else:
        libraries = wheel.libraries if facts.gpus else wheel.cpu_libraries
        if await _missing(session, [artifact for _, artifact in libraries]):
            pack = await asyncio.to_thread(wheel.full_pack if facts.gpus else wheel.cpu_pack)
            await _unpack(session, python, pack, pushed, sent)
        else:
            pushed.reused += len(libraries)
    tree = tree_of("wheel", (*runner, *libraries))
    folder = await session.call(lambda agent: agent.tree(tree))
    # -B: nothing is written beside the program; -E: the user's PYTHON* settings do not reach a round.
    program = (python.path, "-B", "-E", f"{folder}/load_and_run.py")
    return Deployed(program, (), content_digest(tree.files))


async def _unpack(session: Session, python: Python, pack: Pack, pushed: Pushed, sent: Sent) -> None:
    script = agents.unpack_script()
    await push(session, [script, pack.artifact], pushed, sent)
    store = f"{session.workdir}/cas"
    paths = (_stored(store, script), _stored(store, pack.artifact), store)
    argv = (python.path, "-B", "-E", *paths, "--remove-pack")
    outcome = await run_small(session, JobSpec(f"unpack-{pack.artifact.sha256[:12]}", argv, UNPACK_WALL_S))
    if outcome.exit_code != 0:
        full = outcome.exit_code == 28
        raise DeviceError(
            f"the runtime could not be rebuilt on the device: {outcome.last_words}",
            stage=Stage.DEPLOY,
            fault=Fault.DEVICE,
            cause="disk-full" if full else "unpack-failed",
            hint=f"free 600 MB in {session.workdir}" if full else f"farm devices check {session.device.name}",
        )


def _stored(store: str, artifact: Artifact) -> str:
    return str(digest_path(PurePosixPath(store), artifact.sha256))


def device_python(device: Device, facts: Facts) -> Python:
    """The interpreter that drives the wheel's libraries. Raises DeviceError `python-missing`."""
    wanted = device.runtime.python
    for python in facts.pythons:
        if python.version >= OLDEST_PYTHON:  # the probe asked for the wanted one alone
            return python
    found = ", ".join(f"{one.path} {'.'.join(map(str, one.version))}" for one in facts.pythons) or "none"
    raise DeviceError(
        f"no CPython >= 3.6{f' called {wanted}' if wanted else ''} on the device (found: {found})",
        stage=Stage.DEPLOY,
        fault=Fault.DEVICE,
        cause="python-missing",
        hint="install python3 there, name one with runtime: {kind: wheel, python: PATH}, or use native",
    )


def require_wheel_platform(device: Device, facts: Facts) -> None:
    """The PyPI wheel is Linux x86-64 with glibc only. Raises DeviceError `architecture`."""
    if facts.architecture not in ("x86_64", "amd64", None) or facts.libc == "musl":
        raise DeviceError(
            f"the wheel runtime needs x86-64 Linux with glibc; {device.name} is "
            f"{facts.architecture} {facts.system or ''} {facts.libc or ''}".rstrip(),
            stage=Stage.DEPLOY,
            fault=Fault.USER,
            cause="architecture",
            hint="build load_and_run for it and use runtime: {kind: native, program: PATH}",
        )


async def _deploy_native(session: Session, pushed: Pushed, sent: Sent) -> Deployed:
    runtime = session.device.runtime
    assert runtime.program is not None, "the inventory checks that a native runtime names its program"
    if runtime.on_device:
        return await _find_native(session, runtime.program)
    files = native_files(runtime)
    await push(session, [artifact for _, artifact in files], pushed, sent)
    tree = tree_of("native", files)
    folder = await session.call(lambda agent: agent.tree(tree))
    environment = (("LD_LIBRARY_PATH", f"{folder}/lib"),) if runtime.libraries else ()
    return Deployed((f"{folder}/load_and_run",), environment, content_digest(files))


async def _find_native(session: Session, program: str) -> Deployed:
    """A program that is on the device already: it must be there and executable; its digest is kept."""
    look = 'p=$(command -v "$0") && [ -x "$p" ] && printf "%s\\n" "$p" && exec sha256sum "$p"'
    outcome = await run_small(session, JobSpec("find-program", ("/bin/sh", "-c", look, program), 60))
    lines = outcome.stdout.decode("utf-8", "replace").splitlines()
    if not lines:
        raise DeviceError(
            f"no program {program} on the device (or it is not executable)",
            stage=Stage.DEPLOY,
            fault=Fault.USER,
            cause="program-missing",
            hint="correct runtime.program, or give a local build without on_device: it is pushed then",
        )
    digest = lines[1].split()[0] if len(lines) > 1 and len(lines[1].split()[0]) == 64 else None
    return Deployed((lines[0],), (), digest)
