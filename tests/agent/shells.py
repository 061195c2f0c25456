"""The shells and tools that devices have, and a driver that talks to the real agent under each of them."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from farm.agents import agent_script
from farm.device import wire
from farm.device.spool import FileEntry, parse_gathered
from farm.model.artifact import Artifact, Script
from farm.store.artifacts import artifact_of

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
PATIENCE_S = 60.0
ODD_NAMES = (
    "with space", "two\nlines", "tab\there", "quote'\"", "back\\slash", "$HOME `id` *", "-n", "é€漢",
    ".hidden", "..dots", "per%cent", "cr\rhere", "{a,b}", "[x]", "ends ",
)  # fmt: skip

GRANDCHILDREN = "sleep 300 & (sleep 300 & sleep 300) & trap '' TERM; echo ready; while :; do sleep 1; done"
# A daemon: a session of its own, its parent gone.
DAEMON = "(setsid sleep 300 </dev/null >/dev/null 2>&1 &); echo ready; sleep 300"

# shell: the programs that are all there is on PATH (None: the machine's own), and the shell's program
SHELLS: dict[str, tuple[tuple[str, ...] | None, str]] = {
    "dash": (None, "dash"),
    "bash": (None, "bash"),
    "busybox": (("busybox", "--list"), "busybox"),
    "mksh": (("toybox",), "mksh"),  # Android's pair
}


@cache
def agent_file() -> Path:
    """The agent as a file, which a shell can be started with; gone with this process, or when tests are over."""
    folder = Path(tempfile.mkdtemp(prefix="farm-agent-"))
    atexit.register(forget_agent_file)
    folder.chmod(0o755)  # some tests become users without rights
    path = folder / "agent.sh"
    path.write_bytes(agent_script().content)
    return path


def forget_agent_file() -> None:
    if agent_file.cache_info().currsize:
        shutil.rmtree(agent_file().parent, ignore_errors=True)
        agent_file.cache_clear()


def make_box(folder: Path, shell: str) -> Path:
    """A folder with all that the one box of this shell can be, empty where the machine's own tools serve."""
    listing, program = SHELLS[shell]
    missing = [name for name in (program, *(listing or ())[:1]) if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    folder.mkdir()
    if listing is not None:
        box = shutil.which(listing[0])
        names = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()
        for name in names:
            (folder / name).symlink_to(box)
    return folder


def make_path(folder: Path, shell: str, box: Path) -> str:
    """A PATH with `sh` as this shell in `folder`, and with the one box's tools only where it has one."""
    listing, program = SHELLS[shell]
    folder.mkdir()
    (folder / "sh").symlink_to(shutil.which(program))
    return f"{folder}:{box}" if listing is not None else f"{folder}:/usr/bin:/bin"


class Refused(Exception):
    """An `err` reply; `code` and `fields` as the agent gave them."""

    def __init__(self, reply: wire.Reply) -> None:
        super().__init__(f"{reply.code} {reply.fields}")
        self.code = reply.code
        self.fields = reply.fields


class Talk:
    """One running agent, spoken to line by line."""

    def __init__(self, process: subprocess.Popen[bytes], greeting: wire.Greeting) -> None:
        self.process = process
        self.greeting = greeting
        self.number = 0

    def send(self, line: bytes) -> tuple[wire.Reply, bytes]:
        self.process.stdin.write(line)
        self.process.stdin.flush()
        reply = wire.parse_reply(self.process.stdout.readline())
        return reply, self.process.stdout.read(reply.size_bytes)

    def __call__(self, *words: object) -> tuple[str, ...]:
        """The fields of an `ok`; raises Refused."""
        return self.full(*words)[0].fields

    def data(self, *words: object) -> bytes:
        return self.full(*words)[1]

    def full(self, *words: object) -> tuple[wire.Reply, bytes]:
        self.number += 1
        reply, data = self.send(wire.request(self.number, *map(str, words)))
        assert reply.id == self.number
        if reply.status is wire.Status.ERR:
            raise Refused(reply)
        return reply, data

    def start(
        self,
        epoch: int | str,
        job: str,
        *argv: str,
        wall_s: int = 60,
        silence_s: int = 60,
        settings: tuple[str, ...] = (),
        folders: tuple[str, ...] = (),
        copies: tuple[str, ...] = (),
    ) -> int:
        counted = [word for words in (settings, folders, copies) for word in (len(words), *words)]
        return int(self("start", epoch, job, wall_s, silence_s, *counted, *argv)[0])

    def ended(self, job: str) -> tuple[int, str]:
        """Exit code and why, once the job has ended."""
        until(lambda: self("poll", job)[0] == "exited")
        _, code, why, *_ = self("poll", job)
        return int(code), why

    def output(self, job: str, path: str = "stdout") -> bytes:
        return self.data("read", job, path, 0, 1 << 20)

    def files(self, job: str) -> tuple[FileEntry, ...]:
        """What is below the job's out/."""
        reply, data = self.full("gather", job, 0)
        return parse_gathered(reply, data, 0).files

    def leave(self) -> None:
        """End of file on stdin, as when the channel closes."""
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()


@dataclass
class Phone:
    """A device as the agent sees it: a home, a working directory and a PATH."""

    folder: Path
    path: str
    shell: str
    script: Path = field(default_factory=agent_file)
    talks: list[Talk] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    """Further variables of its environment."""

    @property
    def workdir(self) -> Path:
        return self.folder / "work dir"

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": self.path, "HOME": str(self.folder), "FARM_SHARED": "/dev/null", **self.settings}

    def popen(
        self, *arguments: object, environment: dict[str, str] | None = None, **more: Any
    ) -> subprocess.Popen[bytes]:
        sh = self.path.partition(":")[0] + "/sh"
        return subprocess.Popen(
            (sh, str(self.script), *map(str, arguments)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self.environment if environment is None else environment,
            cwd="/",
            **more,
        )

    def talk(self) -> Talk:
        return self.talk_to(self.popen("serve", self.workdir))

    def talk_to(self, process: subprocess.Popen[bytes]) -> Talk:
        """Wait for the agent's greeting."""
        greeting = None
        while greeting is None and (line := process.stdout.readline()):
            greeting = wire.parse_greeting(line)
        assert isinstance(greeting, wire.Greeting), greeting
        talk = Talk(process, greeting)
        self.talks.append(talk)
        return talk

    def talk_as_nobody(self) -> Talk:
        """The agent of a user without rights; needs root."""
        if os.geteuid() != 0:
            pytest.skip("needs root to become somebody without rights")
        self.let_in()
        self.workdir.mkdir()
        self.workdir.chmod(0o777)
        return self.talk_to(self.popen("serve", self.workdir, user=65534, group=65534))

    def let_in(self) -> None:
        """Let users without rights come as far as our folder and tools, which the session keeps to itself."""
        for mine in (self.script.parent, *map(Path, self.path.split(":"))):
            for folder in (mine, *mine.parents):
                if folder.stat().st_mode & 0o005 != 0o005:
                    folder.chmod(0o755)

    def talk_with(self, mounts: dict[str, str]) -> Talk:
        """The agent where files or folders of the system are others (target: source); needs root."""
        if os.geteuid() != 0 or not shutil.which("unshare"):
            pytest.skip("needs root to put files in the place of the system's")
        mount = f"{shutil.which('mount')} --bind"
        lines = [f"{mount} {source} {target} || exit" for target, source in mounts.items()]
        command = (
            shutil.which("unshare"), "-m", "/bin/sh", "-c", "\n".join((*lines, 'exec "$@"')), "mounts",
            self.path.partition(":")[0] + "/sh", str(self.script), "serve", str(self.workdir),
        )  # fmt: skip
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment, cwd="/"
        )
        return self.talk_to(process)

    def sent(self) -> Script:
        """The agent, as a controller sends it."""
        content = self.script.read_bytes()
        return Script(content, hashlib.sha256(content).hexdigest())

    def change_script(self, old: str, new: str) -> None:
        """From here on the agent is another: to widen a moment in which something could go wrong."""
        text = self.script.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the agent"
        self.script = self.folder / "changed-agent.sh"
        self.script.write_text(text.replace(old, new))

    def own_tools(self) -> Path:
        """Give the device a folder of tools that the test may change: the box's, or none."""
        folder = self.folder / "tools"
        if SHELLS[self.shell][0] is None:
            folder.mkdir()
        else:
            shutil.copytree(self.path.partition(":")[2], folder, symlinks=True)
            self.path = f"{self.folder / 'bin'}:{folder}"
        return folder

    def replace_tool(self, name: str, script: str) -> None:
        """Put a shell script in the place of a tool; REAL in it is the real one."""
        tool, real = self.folder / "bin" / name, shutil.which(name, path=self.path) or name
        tool.write_text(f"#!/bin/sh\n{script.replace('REAL', real)}\n")
        tool.chmod(0o755)

    def once(
        self, *arguments: object, data: bytes = b"", environment: dict[str, str] | None = None
    ) -> wire.Reply:
        """Run one of the short forms of the agent; its one reply."""
        process = self.popen(*arguments, environment=environment)
        output, _ = process.communicate(data, PATIENCE_S)
        reply = wire.parse_greeting(output.removeprefix(b"\n"))
        assert isinstance(reply, wire.Reply), output
        return reply

    def receive(self, digest: str, offset: int, data: bytes, size: int | None = None) -> wire.Reply:
        """`size` of the whole file; None: the data are its end."""
        whole = offset + len(data) if size is None else size
        return self.once("receive", self.workdir, digest, offset, whole, data=data)

    def put(self, path: Path) -> Artifact:
        """A whole upload."""
        artifact = artifact_of(path)
        assert self.receive(artifact.sha256, 0, path.read_bytes()).status is wire.Status.OK
        return artifact

    def stored(self, digest: str) -> Path:
        return self.workdir / "cas" / digest[:2] / digest

    def processes(self) -> dict[int, str]:
        """What runs for this working directory, the agents that answer requests left out."""
        ours = {talk.process.pid for talk in self.talks}
        return {pid: command for pid, command in running(str(self.workdir)) if pid not in ours}


def running(*marks: str) -> Iterator[tuple[int, str]]:
    """Living processes that name all `marks` in their command line or environment."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes() + b"\0" + (folder / "environ").read_bytes()
            if all(mark.encode() in command for mark in marks):
                yield int(folder.name), command[:200].decode("utf-8", "replace")


def alive(pid: int) -> bool:
    """Runs, and is no zombie that waits for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def until(condition: Callable[[], object]) -> None:
    """Wait for something that must come; a test that waits in vain fails."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def end(pids: dict[int, str]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def refused(agent: Talk, *request: object) -> Refused:
    """How a request is refused."""
    with pytest.raises(Refused) as refusal:
        agent(*request)
    return refusal.value


def shut(agent: Talk, *request: object) -> str:
    """The code with which a request is refused."""
    return refused(agent, *request).code


def ready(agent: Talk, job: str) -> None:
    until(lambda: b"ready" in agent.output(job))
