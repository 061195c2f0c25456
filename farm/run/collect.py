"""Pull everything a round left behind, whether it passed or failed, and keep it by digest."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from farm.device.session import Conversation, Session
from farm.device.spool import FileEntry, Stream
from farm.errors import DeviceError, Fault, Stage
from farm.model.artifact import Produced
from farm.model.matrix import Round
from farm.options import outputs
from farm.store.runs import RunDirectory

BLOCK_BYTES = 1 << 20
LOG_LIMIT_BYTES = 64 << 20
FILES_LIMIT = 50_000


@dataclass(frozen=True)
class Pulled:
    """The two streams as text (bytes that are not UTF-8 are replaced), and every file that was kept."""

    stdout: str
    stderr: str
    artifacts: tuple[Produced, ...]
    paths: frozenset[str]

    @property
    def log(self) -> str:
        """Where a measurement may be written: stderr in current builds, stdout in old ones."""
        return self.stdout + self.stderr


async def collect(
    session: Session, job: str, run: RunDirectory, under: Path, one: Round, *, adopt: bool = False
) -> Pulled:
    """Pull the streams and the files under the job's out/, then forget the job on the device.
    With `adopt` the files also stay in the device's store.

    Names are hostile: they are cut to safe components before they become paths. Raises DeviceError,
    stage `collect`, when a file does not have the digest that the device announced.
    """
    kept: list[Produced] = []
    streams: dict[str, str] = {}
    gathered = await session.call(lambda agent: agent.gather(job, BLOCK_BYTES))
    for name in ("stdout", "stderr", "telemetry"):
        stream: Stream = getattr(gathered, name)
        if not stream.size_bytes:
            continue
        wanted = Wanted(name, min(stream.size_bytes, LOG_LIMIT_BYTES), stream.begin)
        path, digest = await _pull(session, job, run, wanted)
        streams[name] = path.read_text("utf-8", "replace") if name != "telemetry" else ""
        kept.append(run.keep(path, role=name, sha256=digest, under=under, name=f"{name}.txt"))
    entries = gathered.files
    if len(entries) > FILES_LIMIT:
        raise _refused(f"it left {len(entries)} files, more than {FILES_LIMIT}")
    for entry in entries:
        role = role_of(entry.path, one)
        if run.has(entry.sha256):
            kept.append(run.link(entry.sha256, role=role, under=under, name=entry.path))
        else:
            wanted = Wanted(f"out/{entry.path}", entry.size_bytes, sha256=entry.sha256)
            path, digest = await _pull(session, job, run, wanted)
            kept.append(run.keep(path, role=role, sha256=digest, under=under, name=entry.path))
        if adopt:
            await session.call(_adopting(job, entry))
    await session.call(lambda agent: agent.drop(job))
    return Pulled(
        streams.get("stdout", ""),
        streams.get("stderr", ""),
        tuple(kept),
        frozenset(entry.path for entry in entries),
    )


def role_of(path: str, one: Round) -> str:
    """The role in results.json of a file that a round wrote; `file` for one that no option announced."""
    for output in outputs(one.options):
        if path == output.path or path.startswith(f"{output.path}/"):
            return output.role
    return "file"


@dataclass(frozen=True)
class Wanted:
    """A file of a job: how much of it, its beginning where that is here already, its digest if announced."""

    name: str
    size_bytes: int
    begin: bytes = b""
    sha256: str | None = None


async def _pull(session: Session, job: str, run: RunDirectory, wanted: Wanted) -> tuple[Path, str]:
    """One file in blocks into a scratch file of the run; a lost connection goes on where it stopped."""
    digest = hashlib.sha256(wanted.begin)
    size = len(wanted.begin)
    handle, temporary = tempfile.mkstemp(dir=run.path / "artifacts", prefix=".incoming-")
    path = Path(temporary)
    try:
        with open(handle, "wb") as stream:  # noqa: PTH123 - takes over the descriptor
            stream.write(wanted.begin)
            while size < wanted.size_bytes:
                count = min(BLOCK_BYTES, wanted.size_bytes - size)
                block = await session.call(_reading(job, wanted.name, size, count))
                if not block:
                    break
                stream.write(block)
                digest.update(block)
                size += len(block)
        path.chmod(0o644)
        if size != wanted.size_bytes or wanted.sha256 not in (None, digest.hexdigest()):
            raise _refused(f"{wanted.name} changed while it was pulled, or arrived damaged")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path, digest.hexdigest()


def _reading(job: str, name: str, offset: int, count: int) -> Conversation[bytes]:
    return lambda agent: agent.read(job, name, offset, count)


def _adopting(job: str, entry: FileEntry) -> Conversation[None]:
    return lambda agent: agent.adopt(job, entry.path, entry.sha256)


def _refused(message: str) -> DeviceError:
    return DeviceError(
        message,
        stage=Stage.COLLECT,
        fault=Fault.DEVICE,
        cause="output-refused",
        hint="look at the device's disk",
    )
