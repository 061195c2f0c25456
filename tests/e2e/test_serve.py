"""`farm serve` over HTTP, without a browser: what it refuses, and who does not get it down."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from farm.store.runs import RunDirectory
from tests.data.results import make
from tests.e2e.conftest import Farm, until
from tests.e2e.served import Served, free_port, served, token_file
from tests.e2e.test_serve_browser import ended
from tests.unit.store.test_journal import planned


def test_it_ends_with_its_time_and_prints_its_address(farm: Farm) -> None:
    outcome = farm("serve", "--port", "0", "--for", "1s", "--json")
    assert outcome.code == 0, outcome.stderr
    assert outcome.results["address"].startswith("http://127.0.0.1:")


def test_a_port_that_is_taken_is_told(farm: Farm) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        outcome = farm("serve", "--port", str(taken.getsockname()[1]))
    assert outcome.code == 2
    assert "Address already in use" in outcome.stderr
    assert "--port 0" in outcome.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.255.255.1"])
def test_a_host_that_others_can_reach_needs_a_token(farm: Farm, host: str) -> None:
    outcome = farm("serve", "--host", host, "--port", "0")
    assert outcome.code == 2
    assert "can be reached from other machines" in outcome.stderr
    assert "--token-file" in outcome.stderr


def test_with_a_token_it_listens_there(farm: Farm) -> None:
    words = ("--host", "0.0.0.0", "--token-file", str(token_file(farm.folder)))
    with served(farm, *words) as one:
        assert one.ask("/").status == 200


def test_hosts_that_are_none_and_tokens_that_are_none_are_told(farm: Farm) -> None:
    assert "is not known" in farm("serve", "--host", "no.such.host.invalid").stderr
    assert farm("serve", "--host", "a" * 300).code == 2
    assert farm("serve", "--token-file", "none").code == 2


def test_other_names_methods_and_pages_are_refused(farm: Farm) -> None:
    with served(farm, "--name", "farm.lab") as one:
        assert one.ask("/", Host="evil.example").status == 421
        assert one.ask("/", Host=f"farm.lab:{one.port}").status == 200
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
            assert one.ask("/", method).status == 405
        assert one.ask("/", "HEAD").text == ""
        for path in (
            "/none",
            "/runs/none",
            "/runs/..%2f..%2fetc",
            "/runs/%2e%2e",
            "/events/runs/none",
            "/static/",
        ):
            assert one.ask(path).status == 404, path
        answered = one.ask("/", Origin="http://evil.example")
        assert not [name for name in answered.headers if name.startswith("access-control")]
        assert answered.headers["x-content-type-options"] == "nosniff"
        assert answered.headers["referrer-policy"] == "no-referrer"
        assert "'unsafe" not in answered.headers["content-security-policy"]


def test_no_path_and_no_link_leads_out_of_a_run(farm: Farm) -> None:
    folder = ended(farm, "over", make.small()).path
    (farm.folder / "secret.txt").write_text("a secret")
    (folder / "out.txt").symlink_to(farm.folder / "secret.txt")
    (folder.parent / "link").symlink_to(farm.folder)
    with served(farm) as one:
        assert one.ask("/runs/over/files/report.html").status == 200
        assert one.ask("/runs/over/files/run.json").headers["content-type"].startswith("text/plain")
        for path in ("over/files/out.txt", "over/files/../../../secret.txt", "over/files/%2e%2e/%2e%2e/secret.txt",
                     "over/files//etc/passwd", "over/files/..%2f..%2fsecret.txt", "link/files/secret.txt", "over/files/",
                     "over/files/a%00b"):  # fmt: skip
            answered = one.ask(f"/runs/{path}")
            assert answered.status == 404, path
            assert "a secret" not in answered.text


def test_a_form_that_is_too_long_or_is_none_is_refused(farm: Farm) -> None:
    with served(farm, "--token-file", str(token_file(farm.folder))) as one:
        for body, status in (("x" * 10_000, 413), ("&".join(["a=b"] * 20), 400), ("\0\xff", 403), ("", 403)):
            assert one.ask("/fleet/release", "POST", body).status == status


def test_whatever_becomes_of_a_journal_the_server_goes_on(farm: Farm) -> None:
    directory = RunDirectory.create(farm.folder / "runs", "r")
    file = directory.begin(planned())
    journal = directory.path / "journal.jsonl"
    with served(farm) as one:
        assert "running" in one.ask("/runs/r").text
        for data in (b"", b"\xff\xfe\n" * 1000, b"{}", b"[" * 1_000_000, b"x" * 20_000_000):
            journal.write_bytes(data)
            assert one.ask("/runs/r").status == 200
            assert one.ask("/").status == 200
        journal.unlink()
        journal.mkdir()
        assert one.ask("/").status == 200
        assert one.ask("/runs/r").status in (200, 404)
        file.close()
        said = farm.interrupt(one.process, signal.SIGTERM)
    assert said.code == 130
    assert "note" not in said.stderr


def test_who_reads_nothing_is_dropped(farm: Farm) -> None:
    folder = ended(farm, "over", make.small()).path
    with (folder / "artifacts" / "big").open("wb") as stream:
        stream.truncate(200_000_000)
    with served(farm, "--deadline", "serve-send=1") as one, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", one.port))
        client.sendall(b"GET /runs/over/files/artifacts/big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert is_connected(one, client)
        until(lambda: not is_connected(one, client), "its end")
        assert one.ask("/").status == 200


@pytest.mark.long
def test_who_asks_for_half_a_page_is_dropped(farm: Farm) -> None:
    with served(farm) as one, socket.create_connection(("127.0.0.1", one.port)) as client:
        client.sendall(b"GET / HT")
        assert is_connected(one, client)
        until(lambda: not is_connected(one, client), "its end")


def is_connected(one: Served, client: socket.socket) -> bool:
    """Whether the server's side of a connection is still there."""
    theirs, ours = (f"0100007F:{port:04X}" for port in (one.port, client.getsockname()[1]))
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any((line[1], line[2], line[3]) == (theirs, ours, "01") for line in lines)


def test_100_open_pages_cost_one_reader_and_all_end_with_the_server(farm: Farm) -> None:
    ended(farm, "over", make.small())
    with served(farm) as one:
        clients = [socket.create_connection(("127.0.0.1", one.port)) for _ in range(100)]
        for client in clients:
            client.sendall(b"GET /events/runs HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for client in clients:
            client.settimeout(60)
            assert client.recv(100)
        assert one.ask("/").status == 200
        assert farm.interrupt(one.process, signal.SIGINT).code == 130
        for client in clients:
            client.close()


def test_without_the_extra_it_says_what_to_type(farm: Farm) -> None:
    (farm.folder / "uvicorn.py").write_text("raise ModuleNotFoundError(name='uvicorn')\n")
    farm.environment["PYTHONPATH"] = f"{farm.folder}{os.pathsep}{farm.environment['PYTHONPATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "farm", "serve", "--port", str(free_port())],
        cwd=farm.folder,
        env=farm.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "pip install 'megengine-farm[serve]'" in done.stderr
