"""Who may ask what: the host that was asked for, the methods, the token. And what every answer says of
itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from farm.errors import RequestError
from farm.serve.render import POLICY

SHORTEST_TOKEN = 16
MOST_TOKEN_BYTES = 4096

HEADERS = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
"""Of every answer that says nothing else. No answer allows another origin anything (CORS)."""


class Token:
    """A secret, kept as its digest."""

    def __init__(self, text: str) -> None:
        self._digest = hashlib.sha256(text.encode()).digest()

    def is_right(self, text: str) -> bool:
        """In the same time for every text of one length."""
        given = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        return hmac.compare_digest(self._digest, given)


def read_token(path: Path) -> Token:
    """The first and only line of a file that nobody else can read. Raises RequestError."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_TOKEN_BYTES:
            raise RequestError(f"{path} is no file of one line", hint=_MAKE.format(path))
        if found.st_mode & 0o077:
            raise RequestError(f"others can read the token in {path}", hint=f"chmod 600 {path}")
        text = path.read_bytes().decode("ascii").strip()
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}", hint=_MAKE.format(path)) from error
    except UnicodeDecodeError as error:
        raise RequestError(f"the token in {path} is not ASCII", hint=_MAKE.format(path)) from error
    if len(text) < SHORTEST_TOKEN or not text.isprintable() or " " in text:
        problem = f"the token in {path} is not one word of {SHORTEST_TOKEN} characters or more"
        raise RequestError(problem, hint=_MAKE.format(path))
    return Token(text)


_MAKE = "umask 077; openssl rand -hex 32 > {}"


class Names:
    """The names under which this server may be asked for. A page of somebody else's whose name was made to
    lead here (DNS rebinding) asks for another one; addresses are nobody's names.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name.lower().rstrip(".") for name in names} | {"localhost"}

    def has(self, host: str) -> bool:
        """A value of the header `Host`."""
        name = host_name(host)
        if name is None:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.lower().rstrip(".") in self._names
        return True


def host_name(host: str) -> str | None:
    """Without its port and brackets; None for what is no host."""
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        return name if bracket and (not port or port[0] == ":") else None
    name, _, port = host.partition(":")
    return name if name and (not port or port.isdecimal()) else None


class Guard:
    """Around the application. What it raises is told to `note`, and answered: it ends nothing. Who does not
    take what it is sent within `send_s` is sent no more.
    """

    def __init__(
        self, app: ASGIApp, names: Names, note: Callable[[Exception], None], send_s: float, *, can_act: bool
    ) -> None:
        self._send_s = send_s
        self._app = app
        self._names = names
        self._note = note
        self._methods = {"GET", "HEAD", "POST"} if can_act else {"GET", "HEAD"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
            return
        has_begun = False

        async def guarded(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in HEADERS:
                    headers.setdefault(name, value)
            async with asyncio.timeout(self._send_s):
                await send(message)

        refused = self._refused(scope)
        if refused is not None:
            await _say(guarded, *refused)
            return
        try:
            await self._app(scope, receive, guarded)
        except TimeoutError:
            return  # the server drops a connection whose answer is not whole
        except Exception as error:  # noqa: BLE001 - one page ends nothing
            self._note(error)
            if not has_begun:
                await _say(guarded, 500, "a mistake of farm: it is told where farm serve runs")

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._names.has(hosts[0]):
            return 421, "this server does not go by that name: farm serve --name NAME adds one"
        if scope["method"] not in self._methods:
            return 405, "pages can be read only: farm serve --token-file FILE allows actions"
        if scope["method"] == "POST" and not _is_own(headers, hosts[0]):
            return 403, "asked for by a page of another server"
        return None


def _is_own(headers: Headers, host: str) -> bool:
    """Whether a page of this server asks, or no page at all. A browser that says nothing of `site` says the
    origin.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == host


async def _say(send: Send, status: int, text: str) -> None:
    body = f"{text}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
