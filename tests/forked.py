"""`farm` in a process of its own without the half second of imports: a server that has them forks one for each call.

The process has what it would have from a shell: descriptors, environment, folder and words of its own, streams made
for these, and the true end of an interpreter.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import io
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Self

ROOT = Path(__file__).parents[1]
LOADED = (
    "asyncssh",
    "encodings.idna",
    "filelock",
    "humanize",
    "jinja2",
    "numpy",
    "pydantic",
    "rich._emoji_codes",
    "rich.live",
    "rich.markdown",
    "rich.progress",
    "rich.traceback",
    "ruptures",
    "scipy.stats",
    "sqlalchemy",
    "sqlite3.dbapi2",
    "sse_starlette",
    "starlette.applications",
    "tests.blocking",
    "typer._adapters",
    "typer.main",
    "uvicorn",
)
FRESH = ("farm.cli", "typer.rich_utils")
"""What looks at the environment or at the streams when it is imported."""


class TimeIsUpError(Exception):
    """The process did not end and was killed."""


class Forked:
    """A process of `farm`, with what tests need of a `Popen`.

    `outputs` are what is read from its stdout and stderr, if these are pipes.
    """

    def __init__(self, connection: socket.socket, outputs: Sequence[IO[str]] = ()) -> None:
        self._connection = connection
        self._outputs = outputs
        self._reading = ThreadPoolExecutor(2) if outputs else None
        self._texts = [self._reading.submit(output.read) for output in outputs] if self._reading else []
        self.pid = int(self._line())
        self.returncode: int | None = None

    def wait(self, limit_s: float | None = None) -> int:
        """The exit code, negative for a signal. Raises TimeoutError."""
        if self.returncode is None:
            self._connection.settimeout(limit_s)
            self.returncode = int(self._line())
            self._connection.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it wrote to stdout and stderr, when it has ended. Raises TimeoutError."""
        if wait(self._texts, timeout).not_done:
            raise TimeoutError
        self.wait(timeout)
        if self._reading:
            self._reading.shutdown()
        for output in self._outputs:
            output.close()
        stdout, stderr = (text.result() for text in self._texts)
        return stdout, stderr

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):  # it has ended, and nobody has waited for it yet
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            piece = self._connection.recv(1)
            assert piece, "the server of forks is gone"
            line += piece
        return line


class Forks:
    """A context manager. Calls may overlap."""

    def __enter__(self) -> Self:
        self._socket, theirs = socket.socketpair()
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-W", "error", "-m", "tests.forked", str(theirs.fileno())]
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
        """One call; the exit code, as a shell has it. `streams` are descriptors for stdin, stdout and stderr; None
        is closed.

        Raises TimeIsUpError after `limit_s`.
        """
        request = {"words": list(words), "cwd": str(cwd), "env": dict(env)}
        process = Forked(self._ask(request, streams))
        try:
            code = process.wait(limit_s)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise TimeIsUpError from None
        return code if code >= 0 else 128 - code

    def start(
        self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], terminal: int | None = None
    ) -> Forked:
        """One call that goes on; stdout and stderr are pipes, or both the `terminal`. What stops its event loop is
        an error there.
        """
        request = {"words": list(words), "cwd": str(cwd), "env": dict(env), "nothing_blocks": True}
        with ExitStack() as stack:
            empty = stack.enter_context(open(os.devnull))  # noqa: PTH123 - a descriptor
            if terminal is not None:
                return Forked(self._ask(request, [empty.fileno(), terminal, terminal]))
            pipes = [os.pipe() for _ in range(2)]
            for _, writing in pipes:
                stack.callback(os.close, writing)
            connection = self._ask(request, [empty.fileno(), *(writing for _, writing in pipes)])
        return Forked(connection, [open(reading, encoding="utf-8") for reading, _ in pipes])  # noqa: PTH123

    def _ask(self, request: dict[str, Any], streams: Sequence[int | None]) -> socket.socket:
        closed = [number for number, stream in enumerate(streams) if stream is None]
        given = [stream for stream in streams if stream is not None]
        ours, theirs = socket.socketpair()
        with theirs:
            # A stream socket needs a byte to carry descriptors; the text comes on the call's own connection.
            socket.send_fds(self._socket, [b"\n"], [theirs.fileno(), *given])
        ours.sendall(json.dumps(request | {"closed": closed}).encode() + b"\n")
        return ours


def _serve(server: socket.socket) -> dict[str, Any] | None:
    """Fork for each request. What was asked for, in a process that is to be `farm`; None when no more is asked."""
    running = selectors.DefaultSelector()
    running.register(server, selectors.EVENT_READ)
    while True:
        for key, _ in running.select():
            if key.fileobj is not server:
                pid, connection = key.data
                _, status = os.waitpid(pid, 0)
                running.unregister(key.fileobj)
                os.close(key.fd)
                _tell(connection, os.waitstatus_to_exitcode(status))
                connection.close()
                continue
            byte, descriptors, _, _ = socket.recv_fds(server, 1, 4)
            if not byte:
                return None
            connection = socket.socket(fileno=descriptors.pop(0))
            request = json.loads(_text(connection))
            pid = os.fork()
            if pid == 0:
                running.close()
                server.close()
                connection.close()
                _become(request, descriptors)
                return dict(request)
            for descriptor in descriptors:
                os.close(descriptor)
            _tell(connection, pid)
            running.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, connection))


def _text(connection: socket.socket) -> bytes:
    text = b""
    while not text.endswith(b"\n"):
        text += connection.recv(1 << 16)
    return text


def _tell(connection: socket.socket, number: int) -> None:
    try:
        connection.sendall(b"%d\n" % number)
    except OSError:  # who asked is gone
        return


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
    tempfile.tempdir = None  # that of its own TMPDIR
    os.chdir(request["cwd"])
    sys.argv = ["farm", *request["words"]]
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [path for path in paths if path and path not in sys.path]
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = None if high[number] is None else _stream(number, encoding)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    for name in list(sys.modules):
        if name.startswith(FRESH):
            del sys.modules[name]


def _keep(names: set[str]) -> None:
    """The last that is done before an interpreter ends: what the server had loaded is not taken apart object by
    object, which copies each page of it and takes longer than most calls. What the call itself made is.
    """
    kept = [sys.modules.pop(name) for name in names if name in sys.modules]
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))


def _stream(number: int, encoding: str) -> io.TextIOWrapper:
    raw = io.FileIO(number, "r" if number == 0 else "w", closefd=False)
    if number == 0:
        return io.TextIOWrapper(io.BufferedReader(raw), encoding)
    errors = "backslashreplace" if number == 2 else "strict"
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, errors, line_buffering=raw.isatty() or number == 2
    )


if __name__ == "__main__":
    bare, loaded = set(sys.modules), set[str]()
    atexit.register(_keep, loaded)  # before any other: it is called after them
    for module in LOADED:
        import_module(module)
    for row in import_module("farm.cli.commands").COMMANDS:
        import_module("farm.cli.lazy").load(row)
    templates = import_module("farm.report.render").environment()
    for name in templates.list_templates(["j2"]):
        templates.get_template(name)  # a quarter of a second, which each report would pay again
    loaded |= {name for name in sys.modules.keys() - bare if not name.startswith(FRESH)}
    gc.collect()
    gc.freeze()  # a fork copies no page only to count what is in it
    asked = _serve(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        with ExitStack() as stack:
            if asked.get("nothing_blocks"):
                stack.enter_context(import_module("tests.blocking").nothing_blocks())
            import_module("farm.cli.main").main()
