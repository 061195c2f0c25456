"""Push what the cells of a device need and the device lacks; files that are there are not sent again."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from farm import agents
from farm.device.agent import Missing
from farm.device.jobs import JobSpec, run_small
from farm.device.session import Conversation, Session
from farm.errors import DeviceError, Fault, Stage
from farm.files import digest_path, sha256_of
from farm.model.artifact import Artifact
from farm.model.device import Device, Facts, Python, RuntimeKind
from farm.model.matrix import Cell, Model
from farm.options import outputs
from farm.plan.layout import content_digest, input_names, model_file_name, model_tree, native_files, tree_of
from farm.plan.matrix import needed_artifacts
from farm.runtime.compact import Pack
from farm.runtime.files import WheelFiles

OLDEST_PYTHON = (3, 6)
UNPACK_WALL_S = 900
REWRITTEN = frozenset({"fast-run-algo-policy", "tensorrt-cache"})
"""Options whose file the program reads, and rewrites at the end of every run."""

DAMAGED = frozenset({"digest-mismatch", "short"})

Sent = Callable[[int, int], None]
"""Progress of a transfer: bytes done, bytes in all."""


@dataclass
class Pushed:
    """What a deployment moved, for the report: a second bench of the same files pushes 0 bytes."""

    bytes: int = 0
    files: int = 0
    reused: int = 0


@dataclass(frozen=True)
class Program:
    """How a round is started: `argv` begins every argument vector; `digest` identifies the program with its
    libraries, or alone where these are not known (`is_whole` is false); None where it is not known either.
    """

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    digest: str | None = None
    is_whole: bool = True


@dataclass(frozen=True)
class Deployed:
    """Where things are on the device: the store, and the folder of each model by its name. All absolute."""

    program: Program
    store: str = ""
    folders: Mapping[str, str] = field(default_factory=dict)

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
        return {option: self.kept(file.sha256) for option, file in cell.files if option not in REWRITTEN}

    def copies(self, cell: Cell) -> tuple[tuple[str, str], ...]:
        """(name in the output folder, digest) of files that a round both reads and rewrites."""
        names = {output.option: output.path for output in outputs(cell.variant.options)}
        return tuple((names[option], file.sha256) for option, file in cell.files if option in REWRITTEN)

    def kept(self, sha256: str) -> str:
        """Where the store has an artifact."""
        return _kept(self.store, sha256)


def _kept(store: str, sha256: str) -> str:
    return str(digest_path(PurePosixPath(store), sha256))


class Pusher:
    """Pushes artifacts to one device and counts what was sent."""

    def __init__(self, session: Session, sent: Sent = lambda _done, _total: None) -> None:
        self.session = session
        self.pushed = Pushed()
        self._sent = sent

    async def missing(self, artifacts: Sequence[Artifact]) -> tuple[Missing, ...]:
        """Which artifacts the device lacks, in one call."""
        return await self.session.call(lambda agent: agent.have([artifact.sha256 for artifact in artifacts]))

    async def push(self, artifacts: Sequence[Artifact], *, own: bool = False) -> None:
        """Send only what is missing. On `local` farm's `own` files and the runtime's are linked; those of the
        user are copied, since a file that is replaced meanwhile must not be measured in the place of another.
        """
        missing = {item.sha256 for item in await self.missing(artifacts)}
        wanted = [artifact for artifact in artifacts if artifact.sha256 in missing]
        if wanted and own and self.session.device.is_local:
            paths = {artifact.sha256: str(artifact.path) for artifact in wanted}
            await self.session.call(lambda agent: agent.link(paths))
            wanted = []
        self.pushed.reused += len(artifacts) - len(wanted)
        total = sum(artifact.size_bytes for artifact in wanted)
        done = 0
        for artifact in wanted:
            self.pushed.bytes += await self._upload(artifact, done, total)
            self.pushed.files += 1
            done += artifact.size_bytes
            self._sent(done, total)

    async def _upload(self, artifact: Artifact, before: int, total: int) -> int:
        try:
            return await self.session.call(
                lambda agent: agent.upload(artifact, lambda count: self._sent(before + count, total))
            )
        except DeviceError as error:
            if error.cause in DAMAGED and await asyncio.to_thread(_was_changed, artifact):
                raise _changed(artifact) from error
            raise
        except OSError as error:
            raise _changed(artifact, f": {error.strerror or error}") from error


def _was_changed(artifact: Artifact) -> bool:
    try:
        return sha256_of(artifact.path) != artifact.sha256
    except OSError:
        return True


def _changed(artifact: Artifact, why: str = "") -> DeviceError:
    return DeviceError(
        f"{artifact.path} was changed or removed after the run was planned{why}",
        stage=Stage.DEPLOY,
        fault=Fault.USER,
        cause="file-changed",
        hint="run the bench again when nobody writes this file",
    )


async def deploy(pusher: Pusher, cells: Sequence[Cell], facts: Facts, wheel: WheelFiles | None) -> Deployed:
    """Push what is missing and lay out the runtime and every model of `cells`.

    Raises DeviceError, stage `deploy`: `disk-full`, `digest-mismatch`, `program-missing`,
    `architecture`, `python-missing`.
    """
    session = pusher.session
    await pusher.push(needed_artifacts(cells))
    if session.device.runtime.kind is RuntimeKind.WHEEL:
        assert wheel is not None, "the wheel runtime is prepared before devices are touched"
        program = await _deploy_wheel(pusher, facts, wheel)
    else:
        program = await _deploy_native(pusher)
    models = {cell.model.name: cell.model for cell in cells}
    folders = {name: await session.call(_laying_out(model)) for name, model in models.items()}
    return Deployed(program, f"{session.workdir}/cas", folders)


def _laying_out(model: Model) -> Conversation[str]:
    tree = model_tree(model)
    return lambda agent: agent.tree(tree)


async def _deploy_wheel(pusher: Pusher, facts: Facts, wheel: WheelFiles) -> Program:
    session = pusher.session
    python = device_python(session.device, facts)
    require_wheel_platform(session.device, facts)
    runner = agents.runner_files()
    await pusher.push([artifact for _, artifact in runner], own=True)
    if session.device.is_local:
        libraries = wheel.libraries
        await pusher.push([artifact for _, artifact in libraries], own=True)
    else:
        libraries = wheel.libraries if facts.gpus else wheel.cpu_libraries
        if await pusher.missing([artifact for _, artifact in libraries]):
            pack = await (wheel.full_pack if facts.gpus else wheel.cpu_pack)()
            await _unpack(pusher, python, pack)
        else:
            pusher.pushed.reused += len(libraries)
    tree = tree_of("wheel", (*runner, *libraries))
    folder = await session.call(lambda agent: agent.tree(tree))
    # -B: nothing is written beside the program; -E: the user's PYTHON* settings do not reach a round.
    argv = (python.path, "-B", "-E", f"{folder}/load_and_run.py")
    return Program(argv, digest=content_digest(tree.files))


async def _unpack(pusher: Pusher, python: Python, pack: Pack) -> None:
    session = pusher.session
    script = agents.unpack_script()
    await pusher.push([script, pack.artifact])
    store = f"{session.workdir}/cas"
    paths = (_kept(store, script.sha256), _kept(store, pack.artifact.sha256), store)
    argv = (python.path, "-B", "-E", *paths, "--remove-pack")
    outcome = await run_small(session, JobSpec(f"unpack-{pack.artifact.sha256[:12]}", argv, UNPACK_WALL_S))
    if outcome.exit_code != 0:
        full = outcome.exit_code == 28
        raise DeviceError(
            f"cannot unpack the runtime on the device: {outcome.output_tail}",
            stage=Stage.DEPLOY,
            fault=Fault.DEVICE,
            cause="disk-full" if full else "unpack-failed",
            hint=f"free 600 MB in {session.workdir}" if full else f"farm devices check {session.device.name}",
        )


def device_python(device: Device, facts: Facts) -> Python:
    """The interpreter that drives the wheel's libraries. Raises DeviceError `python-missing`."""
    wanted = device.runtime.python
    for python in facts.pythons:
        if python.version >= OLDEST_PYTHON:  # the probe asked for the wanted one alone
            return python
    found = ", ".join(f"{one.path} {'.'.join(map(str, one.version))}" for one in facts.pythons) or "none"
    raise DeviceError(
        f"no CPython >= 3.6{f' named {wanted}' if wanted else ''} on the device (found: {found})",
        stage=Stage.DEPLOY,
        fault=Fault.DEVICE,
        cause="python-missing",
        hint="install python3 on the device, set runtime: {kind: wheel, python: PATH}, or use kind: native",
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


async def _deploy_native(pusher: Pusher) -> Program:
    session = pusher.session
    runtime = session.device.runtime
    assert runtime.program is not None, "the inventory checks that a native runtime names its program"
    if runtime.on_device:
        return await _find_native(session, runtime.program)
    files = native_files(runtime)
    await pusher.push([artifact for _, artifact in files])
    tree = tree_of("native", files)
    folder = await session.call(lambda agent: agent.tree(tree))
    environment = (("LD_LIBRARY_PATH", f"{folder}/lib"),) if runtime.libraries else ()
    return Program((f"{folder}/load_and_run",), environment, content_digest(files))


FIND_PROGRAM = r"""
p=$(command -v "$0") && [ -x "$p" ] && printf '%s\n' "$p" && sha256sum "$p" || exit
all=$(ldd "$p" 2>/dev/null) || exit 0
printf '%s\n' "$all" | while read -r _ arrow path _; do
  [ "$arrow" != '=>' ] || sha256sum "$path" || echo unknown
done
echo whole
"""
"""Prints the path of a program, its digest, those of its libraries (or `unknown`), and `whole` at the end.
There is no `ldd` on Android, and it knows nothing of a script that starts the program.
"""


async def _find_native(session: Session, program: str) -> Program:
    """A program that is already on the device: it must exist and be executable; its digest is recorded."""
    argv = ("/bin/sh", "-c", FIND_PROGRAM, program)
    spec = JobSpec("find-program", argv, 60, environment=session.device.environment)
    outcome = await run_small(session, spec)
    found = program_found(outcome.stdout.decode("utf-8", "replace"))
    if found is None:
        raise DeviceError(
            f"program not found on the device, or not executable: {program}",
            stage=Stage.DEPLOY,
            fault=Fault.USER,
            cause="program-missing",
            hint="correct runtime.program, or use a local build without on_device, which is pushed",
        )
    return found


def program_found(text: str) -> Program | None:
    """What FIND_PROGRAM printed; None where there is no such program."""
    path, *lines = text.splitlines() or [""]
    digests = [word for line in lines for word in line.split()[:1] if re.fullmatch("[0-9a-f]{64}", word)]
    if not path or not digests:
        return Program((path,), is_whole=False) if path else None
    if lines[-1] != "whole" or "unknown" in lines:
        return Program((path,), digest=digests[0], is_whole=False)
    whole = hashlib.sha256("\n".join([digests[0], *sorted(set(digests[1:]))]).encode()).hexdigest()
    return Program((path,), digest=whole)
