"""Any command line, file, environment and stream: `farm` ends with a code of its table and without a traceback.

`scripts/fuzz-cli SECONDS` runs this with new examples for so long; the suite runs the same few each time.
"""

from __future__ import annotations

import contextlib
import os
import pty
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings

from farm.errors import ExitCode
from tests.forked import Forks, TimeIsUpError
from tests.fuzz.draw import Call, calls, make_sandbox

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
EXAMPLES = 30
ALLOWED = {0, 2, 3, 4, 5, 130}
LIMIT_S = 120
GOES_ON = frozenset({"serve", "worker", "up", "--watch"})
"""Words of calls that end when they are told to: such a call is let be for a while, and then killed."""

GOES_ON_S = 5
assert ExitCode.REGRESSION not in ALLOWED


class Sandbox:
    """A folder to run in, and what was seen."""

    def __init__(self, folder: Path, forks: Forks) -> None:
        self.folder = folder
        self.codes: Counter[int] = Counter()
        self.internal: dict[str, Call] = {}
        self._forks = forks
        for name in ("work", "home", "cache"):
            (folder / name).mkdir()
        make_sandbox(folder / "work")

    def check(self, call: Call) -> None:
        said = self.folder / "said"
        said.write_bytes(b"")
        with contextlib.ExitStack() as stack:
            streams = [_open(kind, said, stack) for kind in (call.stdin, call.stdout, call.stderr)]
            environment = {
                "PATH": os.environ["PATH"], "HOME": str(self.folder / "home"), "LANG": "C.UTF-8",
                "FARM_CACHE_DIR": str(self.folder / "cache"), "TMPDIR": os.environ["TMPDIR"],
                # Nothing is downloaded.
                "PIP_INDEX_URL": "http://127.0.0.1:1/", "UV_INDEX_URL": "http://127.0.0.1:1/", "PIP_RETRIES": "0",
            } | dict(call.environment)  # fmt: skip
            goes_on = not GOES_ON.isdisjoint(call.words)
            limit_s = GOES_ON_S if goes_on else LIMIT_S
            try:
                code = self._forks.run(
                    call.words, cwd=self.folder / "work", env=environment, streams=streams, limit_s=limit_s
                )
            except TimeIsUpError:
                assert goes_on, f"did not end: {call}"
                return
        text = said.read_bytes().decode("utf-8", "replace")
        self.codes[code] += 1
        for line in text.splitlines():
            if "traceback" in line:
                self.internal.setdefault(line.partition("; ")[0], call)
        assert code in ALLOWED, f"{code}: {call}\n{text}"
        assert "Traceback (most" not in text, f"{call}\n{text}"


def _open(kind: str, said: Path, stack: contextlib.ExitStack) -> int | None:
    if kind == "closed":
        return None
    if kind == "pipe":
        reader, writer = os.pipe()
        os.close(reader)
    elif kind == "terminal":
        ours, writer = pty.openpty()
        stack.callback(os.close, ours)
        reader_thread = threading.Thread(target=_drain, args=(os.dup(ours),), daemon=True)
        reader_thread.start()
    else:
        paths: dict[str, str | Path] = {
            "null": os.devnull,
            "full": "/dev/full",
            "file": said,
            "noise": said.parent / "work" / "noise",
        }
        writer = os.open(paths[kind], os.O_RDWR | os.O_APPEND)
    stack.callback(os.close, writer)
    return writer


def _drain(terminal: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(terminal, 65536):
            pass
    os.close(terminal)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Sandbox:
    return Sandbox(tmp_path_factory.mktemp("fuzz"), forks)


@pytest.mark.timeout(SECONDS + 600)
def test_any_call_ends_with_a_code_of_the_table_and_without_a_traceback(sandbox: Sandbox) -> None:
    usual = settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=not SECONDS,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    end = time.monotonic() + SECONDS
    number = 0
    while True:
        number += 1
        fuzz = given(calls(sandbox.folder / "work"))(sandbox.check)
        usual(seed(time.time_ns())(fuzz) if SECONDS else fuzz)()
        if time.monotonic() >= end:
            break
    print(f"\n{sum(sandbox.codes.values())} calls: {dict(sorted(sandbox.codes.items()))}")
    for error, call in sandbox.internal.items():
        print(f"{error}\n    {call}")
