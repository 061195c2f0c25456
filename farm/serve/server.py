"""The server itself: its socket, its end."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from farm.errors import RequestError
from farm.model.device import Device, Inventory
from farm.model.limits.deadlines import Deadlines
from farm.serve.app import Pages
from farm.serve.fleet import Fleet
from farm.serve.guard import Guard, Names, Token
from farm.serve.live import Live
from farm.serve.shelf import Shelf

MOST_CONNECTIONS = 512
KEEP_ALIVE_S = 5
LOOK_S = 5.0
"""Between two looks whether a connection is of use."""
IDLE_LOOKS = 4


@dataclass(frozen=True)
class Wanted:
    """What is to be served, and where. Browsers may ask for it under `names`, beside addresses."""

    runs_dir: Path
    inventory: Inventory
    devices: Sequence[Device]
    host: str = "127.0.0.1"
    port: int = 0
    names: Sequence[str] = ()
    token: Token | None = None
    deadlines: Deadlines = Deadlines()


class _Protocol(H11Protocol):
    """A connection that is closed, but whose other side takes nothing, is cut; so is one that asks for
    nothing, or for half of something.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._idle_looks = 0
        self._next_look = self.loop.call_later(LOOK_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._next_look.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        is_idle = self.cycle is None or self.cycle.response_complete
        self._idle_looks = self._idle_looks + 1 if is_idle else 0
        if self.transport.is_closing() or self._idle_looks >= IDLE_LOOKS:
            self.transport.abort()
            return
        self._next_look = self.loop.call_later(LOOK_S, self._look)


class _Server(uvicorn.Server):
    """Signals are the business of who called it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    wanted: Wanted, started: Callable[[str], None], note: Callable[[BaseException], None], lasts_s: float
) -> None:
    """Until it is cancelled, or `lasts_s` are over. `started` is told the address. Raises RequestError
    where it cannot listen there.
    """
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # what is news is told to `note`
    listening = await asyncio.to_thread(_listen, wanted)
    with contextlib.closing(listening):
        shelf = Shelf(wanted.runs_dir)
        fleet = Fleet(wanted.inventory, wanted.devices, shelf, wanted.deadlines)
        live = Live(shelf, fleet, wanted.deadlines)
        pages = Pages(live, shelf, fleet, wanted.token, wanted.deadlines)
        app = await asyncio.to_thread(pages.app)
        names = Names([wanted.host, socket.gethostname(), *wanted.names])
        server = _Server(
            uvicorn.Config(
                Guard(app, names, note, wanted.deadlines.serve_send_s, can_act=wanted.token is not None),
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                proxy_headers=False,
                ws="none",
                http=_Protocol,
                loop="asyncio",
                limit_concurrency=MOST_CONNECTIONS,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=max(1, round(wanted.deadlines.serve_end_s)),
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listening]), name="serving")
        try:
            await asyncio.to_thread(started, _address(wanted.host, listening))
            async with asyncio.timeout(lasts_s if lasts_s != float("inf") else None):
                await asyncio.shield(serving)
        except TimeoutError:
            pass
        finally:
            live.closing.set()
            server.should_exit = True
            await fleet.close()
            await asyncio.wait({serving}, timeout=2 * wanted.deadlines.serve_end_s)


def _listen(wanted: Wanted) -> socket.socket:
    """Raises RequestError."""
    try:
        found = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no name"
        raise RequestError(f"the host {wanted.host} is not known: {why}", hint="--host 127.0.0.1") from error
    family, kind, protocol, _, place = found[0]
    if wanted.token is None and not all(_is_loopback(str(one[4][0])) for one in found):
        raise RequestError(
            f"{wanted.host} can be reached from other machines, and no token is set",
            hint="--token-file FILE (see farm serve --help), or --host 127.0.0.1 and an SSH tunnel",
        )
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(place)
        made.listen(128)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise RequestError(
            f"cannot listen on {wanted.host} port {wanted.port}: {error.strerror}",
            hint="--port 0 takes a free one",
        ) from error
    return made


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _address(host: str, listening: socket.socket) -> str:
    port = listening.getsockname()[1]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
