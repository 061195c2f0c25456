"""Push what the cells of a device need and the device lacks; files that are there are not sent again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from farm import agents
from farm.device.disk.room import Room
from farm.device.faults import DISK_FULL
from farm.device.jobs import JobSpec, SmallOutcome, run_small
from farm.device.session import Conversation, Session
from farm.errors import DeviceError, Fault, RequestError, Stage
from farm.files import digest_path
from farm.model.artifact import Artifact, Tree
from farm.model.device import Device, Facts, Python, Runtime
from farm.model.matrix import Cell, InputSpec, Model
from farm.options import outputs
from farm.plan.layout import (
    PRELOADED,
    Files,
    check_names,
    content_digest,
    digest_with_preloaded,
    input_names,
    laid_over,
    model_file_name,
    model_tree,
    native_digest,
    own_files,
    tree_of,
)
from farm.plan.matrix import needed_artifacts
from farm.run.push.pusher import Pusher, gone
from farm.runtime.compact import Pack
from farm.runtime.files import WheelFiles

UNPACK_WALL_S = 900
REWRITTEN = frozenset({"fast-run-algo-policy", "tensorrt-cache"})
"""Options whose file the program reads, and rewrites at the end of every run."""

UNPACK_DISK_FULL = 28
PRELOAD_PATH = "preload-path"
LISTS = frozenset({"LD_LIBRARY_PATH", "LD_PRELOAD"})


@dataclass(frozen=True)
class Program:
    """How rounds are started: `argv` begins every argument vector; `digest` identifies the program with its
    own libraries, pushed or not, or alone where these are not known (`is_whole` is false); None where it is
    not known either. `linked` covers the device's libraries as well, of a program that is there already.
    """

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    digest: str | None = None
    is_whole: bool = True
    linked: str | None = None


@dataclass(frozen=True)
class Part:
    """What a runtime is made of on a device: the user's own `files` by their names there, a `program` that is
    there already, the interpreter that drives the wheel.
    """

    files: Files = ()
    program: Program | None = None
    python: Python | None = None


@dataclass(frozen=True)
class Deployed:
    """Where things are on the device: the program of each runtime, the store, the folder of each model. All
    paths are absolute.
    """

    programs: Mapping[Runtime, Program] = field(default_factory=dict)
    store: str = ""
    folders: Mapping[Model, str] = field(default_factory=dict)

    def program(self, cell: Cell) -> Program:
        """What the cell's build runs."""
        return self.programs[cell.device.runtime]

    def model_path(self, model: Model) -> str:
        return f"{self.folders[model]}/{model_file_name(model)}"

    def input_text(self, model: Model) -> str | None:
        """The `--input` text with the device's paths in it, or None when inputs are left out."""
        return self._input_text(model, model.inputs, input_names(model.inputs))

    def check_text(self, model: Model) -> str | None:
        """The same of its check rounds."""
        spec = model.check.inputs if model.check else None
        return self.input_text(model) if spec is None else self._input_text(model, spec, check_names(spec))

    def _input_text(self, model: Model, spec: InputSpec, names: Sequence[str]) -> str | None:
        if not spec.text:
            return None
        return spec.template.format(*(f"{self.folders[model]}/{name}" for name in names))

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


async def deploy(
    pusher: Pusher[Session, Room],
    cells: Sequence[Cell],
    facts: Facts,
    wheel: WheelFiles | None,
    parts: Mapping[Runtime, Part],
) -> Deployed:
    """Push what is missing and lay out every runtime and model of `cells`. What is run here was checked
    before, by farm.run.programs.program.

    Raises DeviceError, stage `deploy`: `disk-full`, `digest-mismatch`, `file-changed`, `preload-path`.
    """
    session = pusher.session
    wanted = {artifact.sha256: artifact for artifact in needed_artifacts(cells)}
    wanted |= {artifact.sha256: artifact for part in parts.values() for _, artifact in part.files}
    files = tuple(wanted.values())  # together: each push of small ones is a channel and a dozen programs
    pythons = [part.python for part in parts.values() if part.python]
    base: Files = ()
    if pythons:
        assert wheel is not None, "farm.run.programs.program refuses a device without it"
        lacking = await _make_room_for_wheel(pusher, facts, wheel, files)
        await pusher.push(files, lacking=lacking)
        base = await _push_wheel(pusher, facts, wheel, pythons[0])
    else:
        await pusher.push(files, lacking=await _make_room(pusher, facts, files))
    programs = {runtime: await _lay_out(session, part, base) for runtime, part in parts.items()}
    models = dict.fromkeys(cell.model for cell in cells)
    folders = {model: await session.call(_laying_out(model)) for model in models}
    return Deployed(programs, f"{session.workdir}/cas", folders)


async def _make_room(
    pusher: Pusher[Session, Room], facts: Facts, files: Sequence[Artifact], more_bytes: int = 0
) -> Collection[str]:
    """For what is missing of `files`, of which nothing will be removed, and `more_bytes`; the digests of what
    is missing.
    """
    pusher.room.need(file.sha256 for file in files)
    missing = {item.sha256: item.present_bytes for item in await pusher.missing(files)}
    sizes = {file.sha256: file.size_bytes for file in files}
    lacking_bytes = sum(max(sizes[sha256] - there, 0) for sha256, there in missing.items())
    push_bytes = more_bytes + lacking_bytes
    await pusher.room.make_before(push_bytes, facts.disk_free_bytes, facts.disk_bytes)
    return missing


async def _make_room_for_wheel(
    pusher: Pusher[Session, Room], facts: Facts, wheel: WheelFiles, files: Sequence[Artifact]
) -> Collection[str]:
    """As `_make_room`, and for the runtime: on `local` it is linked, elsewhere it comes as a pack."""
    runner = _files_of(agents.runner_files())
    if pusher.session.device.is_local:
        pusher.room.need(artifact.sha256 for artifact in (*runner, *_files_of(wheel.libraries)))
        return await _make_room(pusher, facts, files)
    libraries = _files_of(wheel.libraries if facts.gpus else wheel.cpu_libraries)
    pusher.room.need(library.sha256 for library in libraries)
    if not await pusher.missing(libraries):
        return await _make_room(pusher, facts, (*files, *runner))
    pack = await (wheel.full_pack if facts.gpus else wheel.cpu_pack)()
    return await _make_room(pusher, facts, (*files, *runner, pack.artifact), pack.unpacked_bytes)


def _files_of(named: Iterable[tuple[str, Artifact]]) -> list[Artifact]:
    return [artifact for _, artifact in named]


def _laying_out(model: Model) -> Conversation[str]:
    return _laying(model_tree(model))


def _laying(tree: Tree) -> Conversation[str]:
    return lambda agent: agent.tree(tree)


async def _push_wheel(
    pusher: Pusher[Session, Room], facts: Facts, wheel: WheelFiles, python: Python
) -> Files:
    """The files of the wheel runtime by their names in a folder; all are on the device then."""
    runner = agents.runner_files()
    await pusher.push(_files_of(runner), own=True)
    if pusher.session.device.is_local:
        libraries = wheel.libraries
        await pusher.push(_files_of(libraries), own=True)
    else:
        libraries = wheel.libraries if facts.gpus else wheel.cpu_libraries
        if await pusher.missing(_files_of(libraries)):
            pack = await (wheel.full_pack if facts.gpus else wheel.cpu_pack)()
            await _unpack(pusher, python, pack)
        else:
            pusher.pushed.reused += len(libraries)
    return (*runner, *libraries)


async def _lay_out(session: Session, part: Part, base: Files) -> Program:
    """The program of a runtime, whose files are there; `base` are the wheel's."""
    preloaded = [(name, one.sha256) for name, one in part.files if name.startswith(PRELOADED)]
    digests = [digest for _, digest in preloaded]
    if part.python:
        tree = tree_of("wheel", laid_over(base, part.files))
        folder = await session.call(_laying(tree))
        # -B: nothing is written beside the program; -E: the user's PYTHON* settings do not reach a round.
        argv = (part.python.path, "-B", "-I", "-S", f"{folder}/load_and_run.py")
        made = Program(argv, digest=content_digest(tree.files))
    elif part.program:
        if not preloaded:
            return part.program
        folder = await session.call(_laying(tree_of("preload", part.files)))
        digest, linked = part.program.digest, part.program.linked
        made = replace(
            part.program,
            digest=digest and digest_with_preloaded(digest, digests),
            linked=linked and digest_with_preloaded(linked, digests),
        )
    else:
        folder = await session.call(_laying(tree_of("native", part.files)))
        has_libraries = any(name.startswith("lib/") for name, _ in part.files)
        environment = (("LD_LIBRARY_PATH", f"{folder}/lib"),) if has_libraries else ()
        made = Program((f"{folder}/load_and_run",), environment, native_digest(part.files))
    return replace(made, environment=(*made.environment, *_preload(folder, [name for name, _ in preloaded])))


def _preload(folder: str, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The setting that loads libraries first. Raises DeviceError where it cannot name them."""
    if not names:
        return ()
    if re.search(r"[\s:;]", folder):  # it is a list, separated by these
        raise DeviceError(
            f"LD_PRELOAD cannot name a library in {folder}: its name has a blank or a colon",
            stage=Stage.DEPLOY,
            fault=Fault.USER,
            cause=PRELOAD_PATH,
            hint="set workdir of the device to a folder without, or leave out preload",
        )
    return (("LD_PRELOAD", ":".join(f"{folder}/{name}" for name in names)),)


def environment_of(program: Program, device: Device) -> tuple[tuple[str, str], ...]:
    """What a program is started with: its own settings, then the device's; where both have a list of
    libraries or of their folders, its own come first.
    """
    own = dict(program.environment)
    joined = {
        name: f"{own[name]}:{value}" for name, value in device.environment if name in own and name in LISTS
    }
    return tuple((own | dict(device.environment) | joined).items())


async def _unpack(pusher: Pusher[Session, Room], python: Python, pack: Pack) -> None:
    session = pusher.session
    outcome = await _unpack_once(pusher, python, pack)
    if outcome.exit_code == UNPACK_DISK_FULL:
        await pusher.room.make(pack.unpacked_bytes, at_least_bytes=pack.unpacked_bytes)
        outcome = await _unpack_once(pusher, python, pack)
    if outcome.exit_code != 0:
        full = outcome.exit_code == UNPACK_DISK_FULL
        raise DeviceError(
            f"cannot unpack the runtime on the device: {outcome.output_tail}",
            stage=Stage.DEPLOY,
            fault=Fault.DEVICE,
            cause=DISK_FULL if full else "unpack-failed",
            hint=f"free 600 MB in {session.workdir}" if full else f"farm devices check {session.device.name}",
        )


async def _unpack_once(pusher: Pusher[Session, Room], python: Python, pack: Pack) -> SmallOutcome:
    script, store = agents.unpack_script(), f"{pusher.session.workdir}/cas"
    await pusher.push([script, pack.artifact])
    paths = (_kept(store, script.sha256), _kept(store, pack.artifact.sha256), store)
    argv = (python.path, "-B", "-I", "-S", *paths, "--remove-pack")
    spec = JobSpec(f"unpack-{pack.artifact.sha256[:12]}", argv, UNPACK_WALL_S)
    return await run_small(pusher.session, spec)


async def own_files_of(runtime: Runtime) -> Files:
    """The user's files of a runtime. Raises DeviceError `file-changed`."""
    try:
        return await asyncio.to_thread(own_files, runtime)
    except RequestError as error:
        raise gone(error.message) from error
