"""What is answered at which address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from urllib.parse import parse_qs

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from farm.errors import RequestError
from farm.model.limits.deadlines import Deadlines
from farm.run.devices.release import Released, release_one
from farm.serve.cancel import cancel
from farm.serve.files import Opened, open_file, run_folder
from farm.serve.fleet import Fleet
from farm.serve.guard import Token
from farm.serve.live import Live, NoRunError
from farm.serve.render import Around, document, message, script, style, warm_up
from farm.serve.shelf import Shelf
from farm.serve.topic import LateError, Topic
from farm.visible import visible

MOST_FORM_BYTES = 8192
MOST_FIELDS = 8
BLOCK_BYTES = 1 << 18
PING_S = 15

SANDBOX = (
    "sandbox allow-scripts allow-downloads allow-popups; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Of a report, which has a policy of its own inside: it may come from anybody, and is no part of this
server.
"""

Answer = Callable[[Request], Awaitable[Response]]


class Pages:
    """The routes of one server; without a token there are no actions."""

    def __init__(
        self, live: Live, shelf: Shelf, fleet: Fleet, token: Token | None, deadlines: Deadlines
    ) -> None:
        self._live = live
        self._shelf = shelf
        self._fleet = fleet
        self._token = token
        self._deadlines = deadlines

    def app(self) -> Starlette:
        """The application. Reads files: not for an event loop."""
        warm_up()
        static = {"serve.css": ("text/css", style()), "serve.js": ("text/javascript", script())}
        routes = [
            Route("/", self._runs),
            Route("/fleet", self._devices),
            Route("/runs/{run_id}", self._run),
            Route("/runs/{run_id}/files/{name:path}", self._file),
            Route("/events/runs", partial(self._events, self._live.shelf)),
            Route("/events/fleet", partial(self._events, self._live.fleet)),
            Route("/events/runs/{run_id}", self._run_events),
            *(Route(f"/static/{name}", partial(_static, *made)) for name, made in static.items()),
        ]
        if self._token is not None:
            routes += [
                Route("/runs/{run_id}/cancel", self._cancel, methods=["POST"]),
                Route("/fleet/release", self._release, methods=["POST"]),
            ]
        missing = partial(_plain_error, 404, "There is no such page")
        wrong = partial(_plain_error, 405, "Pages can be read only")
        return Starlette(routes=routes, exception_handlers={404: missing, 405: wrong})

    async def _runs(self, _request: Request) -> Response:
        return await self._page(self._live.shelf, Around("runs", "Runs", "/events/runs"))

    async def _devices(self, _request: Request) -> Response:
        names = self._fleet.names
        around = Around("fleet", "Fleet", "/events/fleet", self._token is not None, names)
        return await self._page(self._live.fleet, around)

    async def _run(self, request: Request) -> Response:
        run_id = request.path_params["run_id"]
        if await asyncio.to_thread(run_folder, self._shelf.runs_dir, run_id) is None:
            return _told_error(404, "There is no such run", "The list of runs has those that there are.")
        around = Around("run", f"Run {run_id}", f"/events/runs/{run_id}", self._token is not None)
        return await self._page(self._live.run(run_id), around)

    async def _page(self, topic: Topic, around: Around) -> Response:
        try:
            page = await topic.now()
        except NoRunError:
            return _told_error(404, "There is no such run", "The list of runs has those that there are.")
        except LateError as error:
            return _told_error(503, "Nothing can be shown", str(error))
        return _html(await asyncio.to_thread(document, page, around))

    async def _run_events(self, request: Request) -> Response:
        run_id = request.path_params["run_id"]
        if await asyncio.to_thread(run_folder, self._shelf.runs_dir, run_id) is None:
            return _told_error(404, "There is no such run", "The list of runs has those that there are.")
        return await self._events(self._live.run(run_id), request)

    async def _events(self, topic: Topic, _request: Request) -> Response:
        if self._live.is_full:
            return _told_error(503, "Too many pages are open", "Close one, and load this one again.")
        return EventSourceResponse(self._told(topic), ping=PING_S, sep="\n")

    async def _told(self, topic: Topic) -> AsyncIterator[dict[str, str]]:
        try:
            async for text in self._live.events(topic):
                yield {"data": text}
        except LateError:
            return  # the page asks again

    async def _file(self, request: Request) -> Response:
        folder = await asyncio.to_thread(run_folder, self._shelf.runs_dir, request.path_params["run_id"])
        name = request.path_params["name"]
        found = await asyncio.to_thread(open_file, folder, name) if folder is not None else None
        if found is None:
            return _told_error(
                404, "There is no such file", "A report of a large run has its pages beside it."
            )
        headers = {"Content-Length": str(found.size_bytes), "Content-Security-Policy": SANDBOX}
        if found.media_type.startswith("text/css"):  # a page in a sandbox is of no origin
            headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        if found.media_type == "application/octet-stream":
            headers["Content-Disposition"] = "attachment"
        if request.method == "HEAD":
            found.file.close()
            return Response(headers=headers, media_type=found.media_type)
        return _Sent(found, headers)

    async def _cancel(self, request: Request) -> Response:
        form = await self._form(request)
        if isinstance(form, Response):
            return form
        run_id = request.path_params["run_id"]
        folder = await asyncio.to_thread(run_folder, self._shelf.runs_dir, run_id)
        if folder is None:
            return _told_error(404, "There is no such run", "The list of runs has those that there are.")
        try:
            pid = await asyncio.to_thread(cancel, folder)
        except RequestError as error:
            return _told_error(409, "Nothing was cancelled", error.message, *filter(None, [error.hint]))
        return _html(
            message("Cancelled", [f"Process {pid} of the run {run_id} was sent SIGINT, as by Ctrl-C."])
        )

    async def _release(self, request: Request) -> Response:
        form = await self._form(request)
        if isinstance(form, Response):
            return form
        device = self._fleet.device(form.get("device", ""))
        epoch = form.get("epoch", "")
        if device is None or not (epoch == "" or (epoch.isdecimal() and len(epoch) < 19)):
            return _told_error(400, "There is no such device", "The inventory has those of the fleet page.")
        asked = int(epoch) if epoch else None
        limit_s = self._deadlines.check_s
        try:
            async with asyncio.timeout(limit_s):
                made = await release_one(device, self._fleet.known_hosts, self._deadlines, asked)
        except TimeoutError:
            return _told_error(
                504, "It is not known", f"{device.name} did not answer {self._deadlines.ran_out('check')}."
            )
        return _released(made, asked)

    async def _form(self, request: Request) -> dict[str, str] | Response:
        """The fields of a form with the right token, in it or in `Authorization: Bearer`; else what to
        answer.
        """
        assert self._token is not None, "there are no actions without one"
        try:
            async with asyncio.timeout(self._deadlines.serve_send_s):
                body = await _body(request)
        except (TimeoutError, ClientDisconnect):
            return _told_error(408, "The form did not come", "Send it again.")
        if body is None:
            return _told_error(413, "The form is too long", f"It has more than {MOST_FORM_BYTES} bytes.")
        try:
            fields = {name: values[0] for name, values in parse_qs(body, max_num_fields=MOST_FIELDS).items()}
        except ValueError:
            return _told_error(400, "The form is not right", f"It has more than {MOST_FIELDS} fields.")
        kind, _, bearer = request.headers.get("authorization", "").partition(" ")
        given = bearer.strip() if kind.lower() == "bearer" else fields.get("token", "")
        if not self._token.is_right(given):
            return _told_error(403, "The token is not right", "It is in the file that farm serve was given.")
        return fields


async def _body(request: Request) -> str | None:
    """None for one that is too long; what is no form is one without fields."""
    body = b""
    async for block in request.stream():
        body += block
        if len(body) > MOST_FORM_BYTES:
            return None
    return body.decode("utf-8", "replace")


def _released(made: Released, asked: int | None) -> Response:
    name = visible(made.device)
    if made.error is not None:
        return _told_error(
            502, f"{name} cannot be asked", f"{made.stage}: {visible(made.error)}", f"try: {made.hint}"
        )
    if made.held is None:
        return _html(message(f"{name} is free", ["There is no lease to end."]))
    whose = f"{visible(made.held.holder)} (since {made.held.held_s} s, last seen {made.held.seen_s} s ago)"
    if made.is_broken:
        return _html(message(f"{name} is free", [f"The lease of {whose} is broken."]))
    lines = [
        f"It is held by {whose}.",
        "Who breaks it kills what runs there; the run that held it loses the device.",
    ]
    if asked is not None:
        lines.insert(0, "Another one has it by now: nothing was ended.")
    fields = {"device": made.device, "epoch": str(made.held.epoch)}
    ask = {"action": "/fleet/release", "fields": fields, "button": "Break this lease"}
    return Response(
        message(f"End the lease of {name}?", lines, ask=ask), 409 if asked else 200, media_type=HTML
    )


HTML = "text/html; charset=utf-8"


def _html(body: bytes) -> Response:
    return Response(body, media_type=HTML)


def _told_error(status: int, title: str, *lines: str) -> Response:
    return Response(message(title, lines), status, media_type=HTML)


async def _plain_error(status: int, title: str, _request: Request, _error: Exception) -> Response:
    return _told_error(status, title)


async def _static(media_type: str, body: bytes, _request: Request) -> Response:
    return Response(body, media_type=media_type)


class _Sent(StreamingResponse):
    """A file, as much of it as there was when it was opened. It is closed here and not by the generator: of
    one that never begins, since the client is gone, no `finally` runs.
    """

    def __init__(self, opened: Opened, headers: Mapping[str, str]) -> None:
        super().__init__(self._blocks(), headers=headers, media_type=opened.media_type)
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._opened.file:
            await super().__call__(scope, receive, send)

    async def _blocks(self) -> AsyncIterator[bytes]:
        left = self._opened.size_bytes
        while left:
            block = await asyncio.to_thread(self._opened.file.read, min(BLOCK_BYTES, left))
            if not block:
                return
            left -= len(block)
            yield block
