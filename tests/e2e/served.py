"""`farm serve` in a process of its own, and what a client of HTTP gets from it."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from farm.files import write_atomic
from tests.e2e.conftest import Farm, until
from tests.forked import Forked

TOKEN = "0123456789abcdef-of-a-test"


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True)
class Served:
    port: int
    process: Forked

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Answered:
        """`headers` with `_` for `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            return Answered(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def token_file(folder: Path) -> Path:
    write_atomic(folder / "token", f"{TOKEN}\n".encode())
    return folder / "token"


@contextlib.contextmanager
def served(farm: Farm, *words: str, port: int | None = None) -> Iterator[Served]:
    """It is killed where the test has not ended it."""
    port = port or free_port()
    process = farm.start("serve", "--port", str(port), *words)
    try:
        one = Served(port, process)
        until(lambda: _answers(one) or process.returncode is not None, "the server")
        yield one
    finally:
        process.kill()
        process.communicate()


def _answers(one: Served) -> bool:
    try:
        return one.ask("/").status == 200
    except OSError:
        return False
