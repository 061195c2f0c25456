"""Who is told what is new: a real HTTP server and real programs, whatever they do."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from farm.model.limits.deadlines import Deadlines
from farm.model.request import Notice
from farm.nightly.notify import SIGNATURE, as_json, as_text, notify
from farm.nightly.nouns import Finding, Kind, Message, Open

QUICK = Deadlines(notify_s=1.0)
NEWS = (Finding(Kind.SLOWER, "arm-1/m/fp32", "last-good", "arm-1/m/fp32: 9 % slower"),)
MESSAGE = Message(
    "lab", "n2", 1, NEWS, (Open(Finding(Kind.FASTER, "b", "", "b is faster"), "n1"),), ("c",), "r.html"
)


NO_URL = "the webhook is no http or https URL that can be used (without a user in it)"


class Server:
    """Answers with one status after the other, the last one for ever; keeps what it was sent. It hangs before each
    answer from the `hangs_from`th on.
    """

    def __init__(self, *statuses: int, hangs_s: float = 0.0, hangs_from: int = 0) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        outer, left = self, list(statuses)
        self._ended = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
                outer._ended.wait(hangs_s if len(outer.got) > hangs_from else 0)
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self.url = f"http://127.0.0.1:{self._server.server_port}/secret-path"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve() -> Iterator[type[Server]]:
    made: list[Server] = []

    def start(*statuses: int, **more: Any) -> Server:
        made.append(Server(*statuses, **more))
        return made[-1]

    yield start  # type: ignore[misc]
    for one in made:
        one.close()


def tell(notice: Notice, **environment: str) -> tuple[str, ...]:
    return notify(MESSAGE, [notice], QUICK, {"PATH": os.environ["PATH"], **environment})


def test_a_webhook_gets_what_is_new_signed_with_the_key(serve) -> None:
    server = serve(200)
    assert tell(Notice(server.url, "KEY"), KEY="s3cret") == ()
    [(headers, body)] = server.got
    assert json.loads(body) == as_json(MESSAGE)
    assert headers[SIGNATURE.title()] == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert b"s3cret" not in body


def test_the_url_may_be_in_the_environment(serve) -> None:
    server = serve(204)
    assert tell(Notice("$HOOK"), HOOK=server.url) == ()
    assert len(server.got) == 1
    assert SIGNATURE.title() not in server.got[0][0]


def test_a_server_that_fails_at_first_is_tried_again(serve, monkeypatch) -> None:
    monkeypatch.setattr("farm.nightly.notify.LONGEST_PAUSE_S", 0.01)
    server = serve(500, 503, 429, 200)
    assert tell(Notice(server.url)) == ()
    assert len(server.got) == 4
    assert len({body for _, body in server.got}) == 1


def test_a_server_that_fails_for_ever_is_given_up_after_its_deadline(serve, monkeypatch) -> None:
    monkeypatch.setattr("farm.nightly.notify.LONGEST_PAUSE_S", 0.1)
    server = serve(500)
    [problem] = tell(Notice(server.url))
    assert problem.startswith("the webhook at 127.0.0.1 was not told: HTTP 500, ")
    assert problem.endswith(" s (deadline notify)")
    assert "secret-path" not in problem
    assert len(server.got) > 1


def test_a_server_that_fails_and_then_says_nothing_is_told_with_both(serve, monkeypatch) -> None:
    monkeypatch.setattr("farm.nightly.notify.LONGEST_PAUSE_S", 0.01)
    server = serve(503, 200, hangs_s=60, hangs_from=1)
    [problem] = tell(Notice(server.url))
    assert problem.endswith("HTTP 503, and then no answer within 1 s (deadline notify)")


@pytest.mark.parametrize("status", [400, 404, 410, 302, 308])
def test_a_server_that_does_not_want_it_is_asked_once_and_no_other(serve, status: int) -> None:
    server = serve(status)
    assert tell(Notice(server.url)) == (
        f"the webhook at 127.0.0.1 was not told: HTTP {status}, given up at once",
    )
    assert len(server.got) == 1


def test_a_server_that_does_not_answer_or_is_not_there_is_given_up(serve) -> None:
    [hanging] = tell(Notice(serve(200, hangs_s=3.0).url))
    assert "timed out" in hanging or "no answer within 1 s (deadline notify)" in hanging
    gone = serve(200)
    gone.close()
    [refused] = tell(Notice(gone.url))
    assert "refused" in refused


@pytest.mark.parametrize(
    ("notice", "problem"),
    [
        (Notice("$HOOK"), "the webhook is in $HOOK, which is not set"),
        (Notice("file:///etc/passwd"), NO_URL),
        (Notice("http://"), NO_URL),
        (Notice("https://user:pass@h.example/x"), NO_URL),
        (Notice("http://[secret/x"), "a webhook cannot be told: ValueError"),
        (
            Notice("http://127.0.0.1:1/se cret"),
            "the webhook at 127.0.0.1 was not told: its URL cannot be used (InvalidURL), given up at once",
        ),
        (
            Notice("http://h.example/x", "KEY"),
            "the key of the webhook at h.example is in $KEY, which is not set",
        ),
    ],
)
def test_a_webhook_that_cannot_be_told_is_named_without_its_secrets(notice: Notice, problem: str) -> None:
    assert tell(notice) == (problem,)


def test_a_server_that_sends_a_byte_now_and_then_does_not_hold_the_night() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = threading.Event()

        def drip() -> None:
            other, _ = listening.accept()
            with other:
                for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100:
                    other.sendall(bytes([byte]))
                    if ended.wait(0.2):
                        return

        dripping = threading.Thread(target=drip)
        dripping.start()
        assert tell(Notice(f"http://127.0.0.1:{listening.getsockname()[1]}/")) == (
            "the webhook at 127.0.0.1 was not told: no answer within 1 s (deadline notify)",
        )
        ended.set()
        dripping.join()


def test_a_key_of_any_bytes_signs(serve) -> None:
    server = serve(200)
    assert tell(Notice(server.url, "KEY"), KEY="\udcff") == ()
    [(headers, body)] = server.got
    assert headers[SIGNATURE.title()] == "sha256=" + hmac.new(b"\xff", body, hashlib.sha256).hexdigest()


def test_a_url_that_no_client_takes_is_a_problem_and_no_exception() -> None:
    [problem] = tell(Notice("http://host\n.example:99999999/x"))
    assert problem.startswith("the webhook")


def script(folder: Path, text: str) -> Notice:
    path = folder / "tell.py"
    path.write_text(text)
    return Notice(command=(sys.executable, str(path), str(folder / "out")))


def test_a_command_gets_the_text_on_stdin_and_the_subject_beside_it(tmp_path: Path) -> None:
    notice = script(
        tmp_path,
        "import os,sys; open(sys.argv[1],'w').write(os.environ['FARM_SUBJECT']+'\\n'+sys.stdin.read())",
    )
    assert tell(notice) == ()
    said = (tmp_path / "out").read_text()
    assert said == f"{MESSAGE.subject}\n{as_text(MESSAGE)}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import sys; sys.exit('no mail server')", "ended with 1: no mail server"),
        ("import time; time.sleep(60)", "did not end within 1 s (deadline notify)"),
        ("import os,time; os.fork() or time.sleep(60)", None),
        ("import os; os.write(2, b'x' * 10_000_000)", None),
    ],
)
def test_a_command_that_fails_or_does_not_end_is_named_and_not_waited_for(
    tmp_path: Path, text: str, problem: str | None
) -> None:
    found = tell(script(tmp_path, text))
    assert [problem in one for one in found] == ([True] if problem else [])


def test_a_command_that_is_not_there_is_named() -> None:
    assert tell(Notice(command=("/no/such/program",))) == (
        "/no/such/program cannot be run: No such file or directory",
    )
    assert "cannot be run" in tell(Notice(command=("a\0b",)))[0]


def test_one_who_cannot_be_told_costs_no_other(serve) -> None:
    server = serve(200)
    notices = [Notice("$NONE"), Notice(server.url), Notice(command=("false",))]
    assert len(notify(MESSAGE, notices, QUICK, {"PATH": os.environ["PATH"]})) == 2
    assert len(server.got) == 1


def test_the_text_has_what_is_new_first() -> None:
    assert as_text(MESSAGE).splitlines() == [
        "lab: arm-1/m/fp32: 9 % slower", "", "new:", "- arm-1/m/fp32: 9 % slower", "", "still open:",
        "- b is faster (since n1)", "", "known and accepted:", "- c", "", "report: r.html",
    ]  # fmt: skip
