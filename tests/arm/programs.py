"""The stand-in for load_and_run, built for arm64 (static, dynamic, with a library of its own) and for this machine."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.arm import packages

SOURCE = Path(__file__).parent / "program"
RECORDED_HELP = Path(__file__).parents[1] / "data" / "transcripts" / "help.json"
ARM64 = "aarch64-linux-gnu-gcc"
LACKS = ("cuda", "tensorrt", "tensorrt_cache", "enable_jit")
"""Flags of the recorded build that one for ARM boards has not."""
_FLAG = re.compile(
    r"^    -(\w+) \(.*?\)\s+type: (\w+)\s+default: *(?:\".*?\"|\S+)\n", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Programs:
    """`library` is what `with_library` needs beside it, found by LD_LIBRARY_PATH."""

    static: Path
    dynamic: Path
    with_library: Path
    library: Path


def arm64() -> Programs:
    """For boards. Raises UnavailableError."""
    return _built(ARM64)


def native() -> Programs:
    """The same for this machine. Raises UnavailableError."""
    return _built("gcc")


def _built(compiler: str) -> Programs:
    packages.need(compiler)
    sources = [*sorted(SOURCE.iterdir()), RECORDED_HELP, Path(__file__)]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    root = packages.cache_root()
    with packages.locked(root):
        folder = packages.kept(root, f"programs-{compiler}", digest, lambda to: _compile(compiler, to))
    return Programs(
        folder / "static" / "load_and_run", folder / "dynamic" / "load_and_run",
        folder / "with_library" / "load_and_run", folder / "with_library" / "libwork.so",
    )  # fmt: skip


def _compile(compiler: str, folder: Path) -> None:
    (folder / "flags.h").write_text(_flags())
    work, program = SOURCE / "work.c", SOURCE / "load_and_run.c"
    library = folder / "with_library" / "libwork.so"
    for name, words in {
        "static": ("-static", work), "dynamic": (work,), "with_library": ("-L", library.parent, "-lwork"),
    }.items():  # fmt: skip
        (folder / name).mkdir()
        if name == "with_library":
            _gcc(compiler, folder, "-shared", "-fPIC", work, "-o", library)
        _gcc(compiler, folder, program, "-o", folder / name / "load_and_run", *words, "-lm")


def _gcc(compiler: str, folder: Path, *words: str | Path) -> None:
    command = (compiler, "-O1", "-Wall", "-Wextra", "-s", "-pthread", "-I", folder, *words)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise packages.UnavailableError(f"{compiler} failed: {done.stderr.strip()[-2000:]}")


def _flags() -> str:
    """A C header with names and types of the flags, and the text of `--help`."""
    text = json.loads(RECORDED_HELP.read_text("utf-8"))["stdout"]
    text = _FLAG.sub(lambda found: "" if found[1] in LACKS else found[0], text)
    rows = [f'    {{"{found[1]}", "{found[2]}"}},\n' for found in _FLAG.finditer(text)]
    lines = [f"    {json.dumps(line, ensure_ascii=True)}\n" for line in text.splitlines(keepends=True)]
    return (
        f"static const struct {{ const char *name, *type; }} FLAGS[] = {{\n{''.join(rows)}}};\n"
        f"enum {{ FLAG_COUNT = {len(rows)} }};\nstatic const char HELP[] =\n{''.join(lines)};\n"
    )
