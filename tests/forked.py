"""`farm` in a process of its own without the half second of imports: a server that has them forks one for each call.

The process has what it would have from a shell: descriptors, environment, folder and words of its own, streams made
for these, and the true end of an interpreter.
"""

from __future__ import annotations

import gc
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[1]
LOADED = (
    "asyncssh",
    "filelock",
    "humanize",
    "jinja2",
    "numpy",
    "pydantic",
    "rich.live",
    "rich.progress",
    "typer.main",
)
FRESH = ("farm.cli", "typer.rich_utils")
"""What looks at the environment or at the streams when it is imported."""


class TimeIsUpError(Exception):
    """The process did not end and was killed."""


class Forks:
    """A context manager; `run` is one call of `farm`."""

    def __enter__(self) -> Self:
        self._socket, theirs = socket.socketpair()
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "tests.forked", str(theirs.fileno())]
        self._server = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()])
        theirs.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._server.wait()

    def run(
        self,
        words: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        streams: Sequence[int | None],
        limit_s: float = 120,
    ) -> int:
        """The exit code, as a shell has it. `streams` are descriptors for stdin, stdout and stderr; None is closed.

        Raises TimeIsUpError after `limit_s`.
        """
        closed = [number for number, stream in enumerate(streams) if stream is None]
        request = json.dumps({"words": list(words), "cwd": str(cwd), "env": dict(env), "closed": closed})
        given = [stream for stream in streams if stream is not None]
        # A stream socket needs a byte to carry descriptors; the text comes after it.
        socket.send_fds(self._socket, [b"\n"], given)
        self._socket.sendall(request.encode() + b"\n")
        pid = int(self._line())
        self._socket.settimeout(limit_s)
        try:
            return int(self._line())
        except TimeoutError:
            self._socket.settimeout(None)
            os.killpg(pid, signal.SIGKILL)
            self._line()
            raise TimeIsUpError from None
        finally:
            self._socket.settimeout(None)

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            piece = self._socket.recv(1)
            assert piece, "the server of forks is gone"
            line += piece
        return line


def _serve(connection: socket.socket) -> bool:
    """Fork for each request. True in a process that has become `farm`; False when no more is asked for."""
    while True:
        byte, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
        if not byte:
            return False
        text = b""
        while not text.endswith(b"\n"):
            text += connection.recv(1 << 16)
        pid = os.fork()
        if pid == 0:
            connection.close()
            _become(json.loads(text), descriptors)
            return True
        for descriptor in descriptors:
            os.close(descriptor)
        connection.sendall(b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        connection.sendall(b"%d\n" % (code if code >= 0 else 128 - code))


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    os.setsid()
    streams = [None if number in request["closed"] else descriptors.pop(0) for number in range(3)]
    high = [None if one is None else os.dup2(one, 100 + number) for number, one in enumerate(streams)]
    os.closerange(0, 100)
    for number, one in enumerate(high):
        if one is not None:
            os.dup2(one, number)
            os.close(one)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = ["farm", *request["words"]]
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = None if high[number] is None else _stream(number, encoding)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    for name in list(sys.modules):
        if name.startswith(FRESH):
            del sys.modules[name]


def _stream(number: int, encoding: str) -> io.TextIOWrapper:
    raw = io.FileIO(number, "r" if number == 0 else "w", closefd=False)
    if number == 0:
        return io.TextIOWrapper(io.BufferedReader(raw), encoding)
    errors = "backslashreplace" if number == 2 else "strict"
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, errors, line_buffering=raw.isatty() or number == 2
    )


if __name__ == "__main__":
    for module in LOADED:
        import_module(module)
    for row in import_module("farm.cli.commands").COMMANDS:
        import_module("farm.cli.lazy").load(row)
    gc.collect()
    gc.freeze()  # a fork copies no page only to count what is in it
    if _serve(socket.socket(fileno=int(sys.argv[1]))):
        import_module("farm.cli.main").main()
