"""A small wheel with the names of the real one, and an index on loopback that can stop half-way."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import shutil
import subprocess
import sys
import threading
import venv
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from farm.runtime.wheel import Library, Wheel

ROOT = Path(__file__).parents[2]
SIZES = {
    "demo/lib/libbig.so": 6_000_000,
    "demo/lib/libsmall.so.1": 70_001,
    "demo/other/liblite.so": 4096,
    "demo/__init__.py": 10,
}


def content_of(member: str, size_bytes: int) -> bytes:
    """Noise with a hole of zeros of a million bytes in the large one, so that packs have something to leave out."""
    data = random.Random(member).randbytes(size_bytes)
    return data[:2_000_000] + bytes(1_000_000) + data[3_000_000:] if size_bytes > 3_000_000 else data


@pytest.fixture(scope="session")
def demo_wheel(tmp_path_factory) -> tuple[Path, Wheel]:
    """The file of a small wheel, and its pin."""
    path = tmp_path_factory.mktemp("wheel") / "farm_demo_runtime-1.0-cp310-cp310-manylinux2014_x86_64.whl"
    info = "farm_demo_runtime-1.0.dist-info"
    members = {name: content_of(name, size) for name, size in SIZES.items()}
    members[f"{info}/METADATA"] = b"Metadata-Version: 2.1\nName: farm-demo-runtime\nVersion: 1.0\n"
    members[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: cp310-cp310-manylinux2014_x86_64\n"
    )
    lines = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}"
        for name, data in members.items()
    ]
    members[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,\n"]).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    libraries = tuple(
        Library(name, hashlib.sha256(members[name]).hexdigest(), len(members[name]))
        for name in SIZES
        if "lib" in name
    )
    pin = Wheel(
        project="farm-demo-runtime", version="1.0", python="3.10", platform="manylinux2014_x86_64",
        file_name=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), size_bytes=path.stat().st_size,
        libraries=libraries, zeroed_sha256=libraries[0].sha256,
    )  # fmt: skip
    return path, pin


class Index(ThreadingHTTPServer):
    """A package index. With `gate` closed it sends half of a wheel and waits."""

    daemon_threads = True

    def __init__(self, wheel: Path, project: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.wheel, self.project, self.sent = wheel, project, 0
        self.gate, self.half_way = threading.Event(), threading.Event()
        self.gate.set()

    @property
    def url(self) -> str:
        return f"http://user:hunter2@127.0.0.1:{self.server_port}/simple/"


class Handler(BaseHTTPRequestHandler):
    server: Index

    def do_HEAD(self) -> None:
        self.respond(body=False)

    def do_GET(self) -> None:
        self.respond(body=True)

    def respond(self, *, body: bool) -> None:
        name = self.server.wheel.name
        page = self.path == f"/simple/{self.server.project}/"
        if not page and not self.path.endswith(".whl"):
            self.send_error(404)
            return
        data = f'<a href="/files/{name}">{name}</a>'.encode() if page else self.server.wheel.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if page else "application/octet-stream")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.send(data, whole=page)

    def send(self, data: bytes, *, whole: bool) -> None:
        half = len(data) if whole else len(data) // 2
        try:
            self.wfile.write(data[:half])
            if not whole:
                self.server.half_way.set()
                self.server.gate.wait()
                self.wfile.write(data[half:])
                self.server.sent += 1
        except OSError:  # the reader was killed, as the test wanted
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(demo_wheel, tmp_path, monkeypatch) -> Iterator[Index]:
    """The index, and pip and uv set to it and to nothing else, the way a user sets them."""
    server = Index(demo_wheel[0], demo_wheel[1].project)
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    settings = {
        "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": server.url, "PIP_RETRIES": "0", "PIP_DEFAULT_TIMEOUT": "1000", "PIP_CACHE_DIR": tmp_path / "pip",
        "UV_NO_CONFIG": "1", "UV_DEFAULT_INDEX": server.url, "UV_HTTP_RETRIES": "0", "UV_CACHE_DIR": tmp_path / "uv",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.gate.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory) -> str:
    """An interpreter whose environment has no pip, as in a venv of uv."""
    path = tmp_path_factory.mktemp("bare") / "venv"
    venv.create(path, with_pip=False, symlinks=True)
    return str(path / "bin" / "python")


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system with room for 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder), capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a small disk needs the right to mount a tmpfs")
    yield folder
    subprocess.run(("umount", folder), check=True)


def pythons() -> list[str]:
    """An interpreter per version that devices have: the oldest that is supported, an old one, the newest, and this one."""
    found = {sys.version_info[:2]: sys.executable}
    folders = os.environ.get("PATH", "").split(os.pathsep)
    if shutil.which("pyenv"):
        root = subprocess.run(("pyenv", "root"), capture_output=True, text=True, check=True).stdout.strip()
        folders = [str(path) for path in Path(root).glob("versions/*/bin")] + folders
    for version in ((3, 6), (3, 8), (3, 13)):
        path = shutil.which("python{}.{}".format(*version), path=os.pathsep.join(folders))
        if path and subprocess.run((path, "-c", ""), capture_output=True, check=False).returncode == 0:
            found[version] = path
    return [found[version] for version in sorted(found)]
