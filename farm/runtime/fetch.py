"""Get the wheel with the user's own pip or uv and their index, proxy, certificate and cache settings.

pip downloads the wheel; uv cannot, so it unpacks it into a folder. Either checks the pinned SHA-256.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from farm.errors import RunError
from farm.runtime.cache import Progress
from farm.runtime.wheel import Wheel

POLL_S = 0.2
LAST_LINES = 8
STOP_S = 5

# Runs its arguments as a program that ends when we do, however we end: then our end of its stdin closes.
_GUARD = """
import os, signal, subprocess, sys, threading
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
def guard():
    os.read(0, 1)
    child.send_signal(signal.SIGINT)
    try:
        child.wait(2)
    except subprocess.TimeoutExpired:
        child.kill()
threading.Thread(target=guard, daemon=True).start()
code = child.wait()
os._exit(code if code >= 0 else 1)
"""


@dataclass(frozen=True)
class Tool:
    """A program that can get the wheel. `command` starts it; `unpacks` is true for uv, false for pip."""

    command: tuple[str, ...]
    unpacks: bool = False

    def needed_bytes(self, wheel: Wheel) -> int:
        """Peak disk space of an installation; uv keeps the unpacked wheel in its cache."""
        return wheel.libraries_bytes * 2 if self.unpacks else wheel.size_bytes + wheel.libraries_bytes


def find_tool() -> Tool:
    """The pip of this environment, uv, or any other pip. Raises RunError when there is none."""
    uv = shutil.which(
        "uv", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    )
    tools = [Tool((sys.executable, "-m", "pip"))]
    tools += [Tool((uv,), unpacks=True)] if uv else []
    tools += [
        Tool(command) for command in (("python3", "-m", "pip"), ("python", "-m", "pip"), ("pip3",), ("pip",))
    ]
    for tool in tools:
        if _answers(tool):
            return tool
    raise RunError(
        "neither pip nor uv found; one is needed to download MegEngine's wheel",
        hint=f"{sys.executable} -m ensurepip   (or install uv, or farm runtime install --wheel FILE)",
    )


def fetch(tool: Tool, wheel: Wheel, staging: Path, progress: Progress) -> Path:
    """The wheel's file, or with uv the folder that it was unpacked into, somewhere in `staging`.

    Raises RunError with the tool's last lines when it fails.
    """
    requirement = staging / "requirement.txt"
    requirement.write_text(f"{wheel.project}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    temporary, target = staging / "tmp", staging / "fetched"
    temporary.mkdir()
    if tool.unpacks:
        uv_cache, total_bytes = _uv_cache(tool), max(one.size_bytes for one in wheel.libraries)
        arguments = _uv_arguments(wheel, target)
    else:
        uv_cache, total_bytes = None, wheel.size_bytes
        arguments = _pip_arguments(wheel, target)
    arguments += ("--require-hashes", "-r", str(requirement))
    with _running(tool.command + arguments, temporary) as (process, last_lines):
        while _still_runs(process):
            progress(
                f"downloading MegEngine {wheel.version}",
                min(_largest(staging, uv_cache), total_bytes),
                total_bytes,
            )
    if process.returncode != 0:
        raise _failure(tool, wheel, last_lines)
    return target if tool.unpacks else next(target.glob("*.whl"))


def _pip_arguments(wheel: Wheel, target: Path) -> tuple[str, ...]:
    abi = "cp" + wheel.python.replace(".", "")
    return (
        "download", "--dest", str(target), "--no-deps", "--only-binary=:all:", "--platform", wheel.platform,
        "--python-version", wheel.python, "--implementation", "cp", "--abi", abi, "--progress-bar", "off",
    )  # fmt: skip


def _uv_arguments(wheel: Wheel, target: Path) -> tuple[str, ...]:
    system, _, machine = wheel.platform.partition("_")
    return (
        "pip", "install", "--target", str(target), "--no-deps", "--no-build", "--python", sys.executable,
        "--python-version", wheel.python, "--python-platform", f"{machine}-{system}", "--no-progress",
    )  # fmt: skip


def _answers(tool: Tool) -> bool:
    try:
        return _ask(tool, "--version").returncode == 0
    except OSError:
        return False


def _ask(tool: Tool, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = (*tool.command, *arguments)
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # noqa: S603


def _uv_cache(tool: Tool) -> Path | None:
    """Where uv unpacks while it downloads, to see how far it is."""
    found = _ask(tool, "cache", "dir")
    return Path(found.stdout.strip()) if found.returncode == 0 and found.stdout.strip() else None


@contextmanager
def _running(
    command: tuple[str, ...], temporary: Path
) -> Iterator[tuple[subprocess.Popen[bytes], deque[bytes]]]:
    """The command in a session of its own, so that Ctrl-C reaches us first, and its last lines of output.

    When the block is left, the process is gone and its output complete. In memory: the disk may be full.
    """
    environment = dict(
        os.environ, TMPDIR=str(temporary), PYTHONSAFEPATH="1", PIP_NO_INPUT="1",
        PIP_REQUIRE_VIRTUALENV="0", PIP_DISABLE_PIP_VERSION_CHECK="1",
    )  # fmt: skip
    last_lines: deque[bytes] = deque(maxlen=LAST_LINES)
    with subprocess.Popen(  # noqa: S603
        (sys.executable, "-I", "-S", "-c", _GUARD, *command), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env=environment, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        reader = threading.Thread(
            target=last_lines.extend, args=(filter(bytes.strip, process.stdout),), daemon=True
        )
        reader.start()
        try:
            yield process, last_lines
        finally:
            process.stdin.close()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
            reader.join(STOP_S)


def _still_runs(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(POLL_S)
    except subprocess.TimeoutExpired:
        return True
    return False


def _largest(staging: Path, uv_cache: Path | None) -> int:
    """Size in bytes of the largest file that is being made, in `staging` or in uv's temporary folders."""
    unpacking = uv_cache.glob(".tmp*") if uv_cache else ()
    files = (
        Path(folder, name)
        for top in (staging, *unpacking)
        for folder, _, names in os.walk(top)
        for name in names
    )
    return max(map(_size, files), default=0)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # gone since it was listed
        return 0


def _failure(tool: Tool, wheel: Wheel, last_lines: Iterable[bytes]) -> RunError:
    name = "uv" if tool.unpacks else "pip"
    # An index address may carry a password.
    output = re.sub(r"//[^/@\s]+@", "//***@", b"".join(last_lines).decode("utf-8", "replace")).rstrip()
    if any(text in output for text in ("No space left on device", "Disk quota exceeded")):
        hint = "free 3 GB on that disk, or set FARM_CACHE_DIR to a folder on a bigger disk"
    else:
        hint = (
            f"check the index settings of {name}; or download {wheel.file_name} yourself and type: "
            f"farm runtime install --wheel {wheel.file_name}"
        )
    return RunError(
        f"{name} could not download {wheel.project} {wheel.version} from your package index:\n{output}",
        hint=hint,
    )
