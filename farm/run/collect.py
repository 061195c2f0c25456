"""Pull everything a round left behind, whether it passed or failed, and keep it by digest."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from farm.device.agent import FileEntry
from farm.device.session import Conversation, Session
from farm.errors import DeviceError, Fault, Stage
from farm.model.artifact import Produced
from farm.model.matrix import Round
from farm.options import outputs
from farm.store.runs import RunDirectory

BLOCK_BYTES = 1 << 20
LOG_LIMIT_BYTES = 64 << 20
FILES_LIMIT = 50_000
STREAMS = ("stdout", "stderr", "telemetry")


@dataclass(frozen=True)
class Pulled:
    """What came: the two streams as text (bytes that are no UTF-8 replaced), and every file kept."""

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
    for stream in STREAMS:
        path, digest = await _pull(session, job, run, stream, None)
        streams[stream] = path.read_text("utf-8", "replace") if stream != "telemetry" else ""
        if path.stat().st_size:
            kept.append(run.keep(path, role=stream, sha256=digest, under=under, name=f"{stream}.txt"))
        else:
            path.unlink()
    entries = await session.call(lambda agent: agent.files(job))
    if len(entries) > FILES_LIMIT:
        raise _refused(f"it left {len(entries)} files, more than {FILES_LIMIT}")
    for entry in entries:
        role = role_of(entry.path, one)
        if run.has(entry.sha256):
            kept.append(run.link(entry.sha256, role=role, under=under, name=entry.path))
        else:
            path, digest = await _pull(session, job, run, f"out/{entry.path}", entry)
            kept.append(run.keep(path, role=role, sha256=digest, under=under, name=entry.path))
        if adopt:
            await session.call(_adopting(job, entry))
    await session.call(lambda agent: agent.drop(job))
    return Pulled(
        streams["stdout"], streams["stderr"], tuple(kept), frozenset(entry.path for entry in entries)
    )


def role_of(path: str, one: Round) -> str:
    """The role in results.json of a file that a round wrote; `file` for one that no option announced."""
    for output in outputs(one.options):
        if path == output.path or path.startswith(f"{output.path}/"):
            return output.role
    return "file"


async def _pull(
    session: Session, job: str, run: RunDirectory, name: str, entry: FileEntry | None
) -> tuple[Path, str]:
    """One file in blocks into a scratch file of the run; a lost connection goes on where it stopped."""
    digest = hashlib.sha256()
    size = 0
    limit = LOG_LIMIT_BYTES if entry is None else entry.size_bytes
    handle, temporary = tempfile.mkstemp(dir=run.path / "artifacts", prefix=".incoming-")
    path = Path(temporary)
    try:
        with open(handle, "wb") as stream:  # noqa: PTH123 - takes over the descriptor
            while size < limit:
                block = await session.call(_reading(job, name, size, min(BLOCK_BYTES, limit - size)))
                if not block:
                    break
                stream.write(block)
                digest.update(block)
                size += len(block)
        path.chmod(0o644)
        if entry is not None and digest.hexdigest() != entry.sha256:
            raise _refused(f"{name} changed while it was pulled, or arrived damaged")
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
