"""The inputs and outputs of a model, read with the wheel runtime on the controller; cached by digest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from farm import agents, resources
from farm.errors import FarmError, Fault
from farm.files import private_folder, write_atomic
from farm.model.artifact import Artifact
from farm.model.measurement import TensorInfo
from farm.plan.layout import content_digest
from farm.runtime import compact
from farm.runtime.cache import Progress
from farm.runtime.install import InstalledRuntime

LIMIT_S = 120
"""Loading a model takes less than a second; loading the library from a slow disk half a minute."""

OPTIONS = ("--model-info", "--iter=0", "--warmup-iter=0")


class UnreadableError(FarmError):
    """The inputs of this model cannot be read here; `message` is why."""


def model_tensors(model: Artifact, runtime: InstalledRuntime, progress: Progress) -> tuple[TensorInfo, ...]:
    """Inputs and outputs as `--model-info` shows them.

    Raises UnreadableError where this machine cannot run the wheel runtime, or the runtime cannot load the
    model by itself (operators from a library, another version's format).
    """
    files = (*agents.runner_files(), *compact.files(runtime, cuda=True))
    kept = resources.cache_folder() / "model-info" / f"{model.sha256}-{content_digest(files)[:16]}.json"
    found = _load(kept)
    if found is None:
        progress("reading the inputs of the models", 0, None)
        found = _ask(model, files)
        _store(kept, found)
    return found


def _ask(model: Artifact, files: Sequence[tuple[str, Artifact]]) -> tuple[TensorInfo, ...]:
    from farm.causes.diagnose import diagnose
    from farm.logs.load_and_run import parse_log

    with tempfile.TemporaryDirectory(prefix="farm-model-info-") as name:
        folder = Path(name)
        for file, artifact in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).symlink_to(artifact.path)
        command = (
            sys.executable,
            "-B",
            "-I",
            "-S",
            str(folder / "load_and_run.py"),
            str(model.path),
            *OPTIONS,
        )
        environment = {"PATH": os.defpath, "HOME": name, "TMPDIR": name, "LANG": "C"}
        try:
            ended = subprocess.run(  # noqa: S603
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                timeout=LIMIT_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise UnreadableError(f"loading the model took more than {LIMIT_S} s") from None
        except OSError as error:
            raise UnreadableError(f"{sys.executable}: {error.strerror}") from error
    log = ended.stderr.decode("utf-8", "replace")
    if ended.returncode != 0:
        code = ended.returncode if ended.returncode > 0 else 128 - ended.returncode
        cause = diagnose(code, "-", ended.stdout.decode("utf-8", "replace"), log)
        where = "the wheel runtime does not run here" if cause.fault == Fault.DEVICE else "the wheel runtime"
        raise UnreadableError(f"{where}: {cause.message}")
    tensors = parse_log(log).tensors
    # The table is in the log twice; a row that cannot be parsed must not make an input unknown.
    if not tensors or 2 * len(tensors) != log.count("\n| INPUT ") + log.count("\n| OUTPUT "):
        raise UnreadableError("the --model-info output of the wheel runtime cannot be parsed")
    return tensors


def _load(path: Path) -> tuple[TensorInfo, ...] | None:
    try:
        rows = json.loads(path.read_text("utf-8"))
        return tuple(TensorInfo(**row | {"shape": tuple(row["shape"])}) for row in rows) or None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _store(path: Path, tensors: tuple[TensorInfo, ...]) -> None:
    """Write the cache; failing to do so only costs the next run half a second."""
    try:
        private_folder(path.parent)
        write_atomic(path, json.dumps([asdict(tensor) for tensor in tensors]).encode())
    except OSError:
        return
