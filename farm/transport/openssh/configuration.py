"""What OpenSSH's own client would do to reach a host: `ssh -G` is asked, nothing is read by our own rules.

See docs/decisions/0014-ssh-reads-its-own-configuration.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import getpass
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from weakref import WeakKeyDictionary

from farm.errors import RequestError
from farm.model.device import Address
from farm.transport.openssh import alike
from farm.transport.reading import in_turn, require_no_pipe

DEFAULT_PORT = 22
READ_LIMIT_S = 30.0
"""For one reading of the configuration: commands of `Match exec` and name servers take part."""

_OWN_LIMIT_S = 10.0
_AT_A_TIME = 8
_INSTALL = "install OpenSSH's client, for example: apt install openssh-client"
_MISTAKE = re.compile(r"(?P<file>.+?):? line (?P<line>\d+): (?P<text>.+)")
_READ_FILE = re.compile(r"debug1: Reading configuration data ([^\r\n]+)")
_TOKEN = re.compile(r"%(.?)", re.DOTALL)
_NAMED = re.compile(r"%[A-Za-z]\b|\$\{\w+\}")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_BETWEEN = "\x1f"
_slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

_USUAL: Mapping[str, tuple[str, ...]] = {
    "identityfile": tuple(
        f"~/.ssh/id_{kind}" for kind in ("ed25519", "ecdsa", "rsa", "ed25519_sk", "ecdsa_sk")
    ),
    "globalknownhostsfile": ("/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2",),
}


@dataclass(frozen=True)
class Settings:
    """The configuration of one host, final and complete.

    `values` has OpenSSH's keywords in lower case, each with its lines; tokens (`%h`) are replaced. `changed`
    are the keywords that differ from OpenSSH's own defaults. `question` is the command that was asked,
    empty where there is no configuration.
    """

    host: str
    port: int
    user: str
    values: Mapping[str, tuple[str, ...]]
    changed: frozenset[str]
    question: tuple[str, ...] = ()

    def lines(self, keyword: str) -> tuple[str, ...]:
        return tuple(line for line in self.values.get(keyword, ()) if line.lower() != "none")

    def line(self, keyword: str) -> str | None:
        return next(iter(self.lines(keyword)), None)

    def paths(self, keyword: str) -> tuple[Path, ...]:
        return tuple(_home(line) for line in self.lines(keyword))

    def known_hosts(self, keyword: str) -> tuple[Path, ...]:
        """The files of a list. Only those that exist where names have spaces: the list has no quotes.

        `~` is the home folder of /etc/passwd for OpenSSH, and $HOME for farm; the usual files are farm's.
        """
        if keyword == "userknownhostsfile" and keyword not in self.changed:
            return _home("~/.ssh/known_hosts"), _home("~/.ssh/known_hosts2")
        return tuple(path for line in self.lines(keyword) for path in _split(line.split(" ")))


async def settings_of(address: Address) -> Settings:
    """How OpenSSH would reach `address`; what the inventory says takes precedence.

    Raises RequestError, with `file:line` as source where OpenSSH tells it, for a configuration that it
    refuses, that cannot be read without it, or that takes longer than READ_LIMIT_S.
    """
    try:
        start = await _started()
        if start is None:
            return await _unconfigured(address)
        ssh, flags, defaults, own = start
        question = (ssh, "-T", "-G", *flags, *_given(address), "--", address.host)
        if alike.is_plain(address.host) and not address.proxy_jump:
            told = await alike.answer_for_all(ssh, flags, own, _told)
            if told is not None:
                return await _settings(question, defaults, told, _own(address))
        return await _settings(question, defaults)
    except OSError as error:
        raise RequestError(f"ssh cannot be asked for its configuration: {error.strerror}") from error


async def settings_in(file: Path, host: str) -> Settings:
    """The same of one configuration file alone, for a host that it names. Raises RequestError likewise."""
    ssh = await asyncio.to_thread(shutil.which, "ssh")
    if ssh is None:
        raise RequestError("needs `ssh` to be read, which is not in PATH", source=str(file), hint=_INSTALL)
    try:
        defaults = await asyncio.to_thread(_defaults, ssh)
        return await _settings((ssh, "-T", "-G", "-F", str(file), "--", host), defaults)
    except OSError as error:
        raise RequestError(f"ssh cannot be asked for its configuration: {error.strerror}") from error


async def _settings(
    question: tuple[str, ...],
    defaults: Mapping[str, tuple[str, ...]],
    told: str | None = None,
    own: Mapping[str, tuple[str, ...]] | None = None,
) -> Settings:
    """By the answer to the question, or by one for all hosts and what is the host's `own`."""
    values = {**_values(await _answer(question) if told is None else told), **(own or {})}
    values |= await _replaced(values, question)
    changed = frozenset(name for name in values if values[name] != defaults.get(name))
    return Settings(
        values["hostname"][0], int(values["port"][0]), values["user"][0], values, changed, question
    )


def _own(address: Address) -> dict[str, tuple[str, ...]]:
    """What OpenSSH answers with what it was asked."""
    given = {"host": address.host, "hostname": address.host, "user": address.user, "port": address.port}
    return {name: (str(value),) for name, value in given.items() if value}


def place_of(question: Sequence[str], pattern: str) -> str | None:
    """`file:line` of the first line that `pattern` matches in the files that OpenSSH reads; blocks.

    OpenSSH does not tell where a value is from; the line may be one of another host.
    """
    if not question:
        return None
    ssh, *words = question
    told = _said((ssh, "-v", *words))
    wanted = re.compile(os.fsencode(pattern), re.IGNORECASE)
    for path in _READ_FILE.findall(os.fsdecode(told.stderr)):
        with contextlib.suppress(OSError):
            for number, line in enumerate(Path(path).read_bytes().splitlines(), 1):
                if wanted.search(line):
                    return f"{path}:{number}"
    return None


# --------------------------------------------------------------------------- whom to ask


_Start = tuple[str, tuple[str, ...], Mapping[str, tuple[str, ...]], alike.Own]
_looks: dict[asyncio.AbstractEventLoop, asyncio.Task[_Start | None]] = {}
"""Those under way."""


async def _started() -> _Start | None:
    """`_start`; those who ask while it is looked at share one look."""
    loop = asyncio.get_running_loop()
    look = _looks.get(loop)
    if look is None:
        look = _looks[loop] = loop.create_task(in_turn(_start), name="whom to ask about SSH")
        look.add_done_callback(_looked)
    return await asyncio.shield(look)


def _looked(look: asyncio.Task[_Start | None]) -> None:
    _looks.pop(look.get_loop(), None)
    if not look.cancelled():
        look.exception()  # nobody may wait for it any more


def _start() -> _Start | None:
    """The program, its flags and its defaults, and the user's file; None where there is nothing to be read.

    OpenSSH looks into the home folder of /etc/passwd. Where $HOME is another, its file is named to it, and
    /etc/ssh/ssh_config is not read.
    """
    own = _home("~/.ssh/config")
    try:
        at_home = Path(pwd.getpwuid(os.getuid()).pw_dir) == Path.home()
    except KeyError:
        at_home = False
    exists = os.path.exists(own)  # noqa: PTH110 - False for a folder that may not be entered
    ssh = shutil.which("ssh")
    if not exists and (ssh is None or not at_home):
        return None
    if ssh is None:
        raise RequestError("needs `ssh` to be read, which is not in PATH", source=str(own), hint=_INSTALL)
    if exists:
        _can_be_read(own)
    try:
        defaults = _defaults(ssh)
    except RequestError as error:
        if exists:
            raise RequestError(error.message, source=str(own), hint=error.hint) from error
        return None
    return ssh, () if at_home else ("-F", str(own)), defaults, alike.own_file(own)


@functools.lru_cache(maxsize=4)
def _defaults(ssh: str) -> Mapping[str, tuple[str, ...]]:
    """The answer of this `ssh` where nothing is configured. Raises RequestError if it is not OpenSSH's."""
    version = _said((ssh, "-V"))
    if b"OpenSSH" not in version.stderr + version.stdout:
        raise RequestError(f"needs OpenSSH's `ssh` to be read; {ssh} is another", hint=_INSTALL)
    told = _said((ssh, "-T", "-G", "-F", "none", "--", "localhost"))
    if told.returncode:
        raise _refused(os.fsdecode(told.stderr), ())
    return _values(os.fsdecode(told.stdout))


def _can_be_read(path: Path) -> None:
    """OpenSSH ignores its file then; its user should know."""
    try:
        require_no_pipe(path)
        with path.open("rb"):
            pass
    except IsADirectoryError:
        pass  # as OpenSSH: empty
    except OSError as error:
        raise RequestError(f"cannot be read: {error.strerror}", source=str(path)) from error


def _said(words: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603
            words, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=_OWN_LIMIT_S
        )
    except subprocess.TimeoutExpired as error:
        raise RequestError(f"{words[0]} did not answer within {_OWN_LIMIT_S:.0f} s") from error


def _given(address: Address) -> tuple[str, ...]:
    words: list[str] = []
    if address.user:
        words += ["-l", address.user]
    if address.port:
        words += ["-p", str(address.port)]
    if address.proxy_jump:
        words += ["-o", f"ProxyJump={address.proxy_jump}"]
    return tuple(words)


async def _unconfigured(address: Address) -> Settings:
    user = address.user
    if not user:
        user = await in_turn(_login_name)
    values = {**_USUAL, "proxyjump": (address.proxy_jump,)} if address.proxy_jump else _USUAL
    return Settings(address.host, address.port or DEFAULT_PORT, user, values, frozenset())


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise RequestError(
            "this user has no name here", hint="set `user` of the device in the inventory"
        ) from error


# --------------------------------------------------------------------------- question and answer


async def _answer(question: Sequence[str]) -> str:
    """What ssh writes to stdout; raises RequestError where it refuses the configuration."""
    return (await _told(tuple(question)))[0]


async def _told(question: tuple[str, ...]) -> tuple[str, str]:
    """What ssh writes to stdout and to stderr; raises likewise."""
    loop = asyncio.get_running_loop()
    async with _slots.setdefault(loop, asyncio.Semaphore(_AT_A_TIME)):
        # Files, not pipes: a command of `Match exec` may leave something behind that holds a pipe open.
        output = await asyncio.to_thread(tempfile.TemporaryFile)
        errors = await asyncio.to_thread(tempfile.TemporaryFile)
        try:
            code = await _exit_code(question, output.fileno(), errors.fileno())
            told, complaints = await asyncio.to_thread(lambda: (_content(output), _content(errors)))
        finally:
            output.close()
            errors.close()
    if code:
        raise await asyncio.to_thread(_refused, complaints, question)
    return told, complaints


async def _exit_code(question: Sequence[str], output: int, errors: int) -> int:
    child = await asyncio.create_subprocess_exec(
        *question, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True
    )
    try:
        async with asyncio.timeout(READ_LIMIT_S):
            return await child.wait()
    except TimeoutError as error:
        raise RequestError(
            f"reading the SSH configuration took longer than {READ_LIMIT_S:.0f} s",
            hint="look for a command of `Match exec` that does not end: " + " ".join(question),
        ) from error
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return os.fsdecode(file.read())


@functools.lru_cache(maxsize=16)
def _values(answer: str) -> Mapping[str, tuple[str, ...]]:
    """Of an answer, which for hosts that are alike is the same text: nobody changes what is returned."""
    found: dict[str, list[str]] = {}
    for line in answer.split("\n"):
        keyword, _, value = line.partition(" ")
        if value:
            found.setdefault(keyword.lower(), []).append(value)
    return {keyword: tuple(values) for keyword, values in found.items()}


def _refused(complaints: str, question: Sequence[str]) -> RequestError:
    """OpenSSH's first complaint that has a line of a file, else all that it says."""
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    for found in filter(None, map(_MISTAKE.fullmatch, lines)):
        # Commands of `Match exec` write here too: "sh: line 1: ...".
        if found["file"].startswith("/"):
            return RequestError(found["text"], source=f"{found['file']}:{found['line']}")
    text = "; ".join(lines[-3:]) or "ssh was killed"
    named = _NAMED.search(text)
    return RequestError(
        f"OpenSSH refuses the configuration: {text.removeprefix('command-line line 0: ')}",
        source=place_of(question, r"^[^#].*" + re.escape(named[0])) if named else None,
    )


# --------------------------------------------------------------------------- values


_WITH_TOKENS = ("identityfile", "certificatefile", "proxycommand", "proxyjump")
_WITH_VARIABLES = ("identityfile", "certificatefile")


async def _replaced(
    values: Mapping[str, tuple[str, ...]], question: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """What OpenSSH shows with tokens and variables in it; it is asked for the values of the tokens."""
    raw = {name: values[name] for name in _WITH_TOKENS if name in values}
    wanted = sorted({token for lines in raw.values() for line in lines for token in _TOKEN.findall(line)})
    known = {"%": "%"}
    if set(wanted) - {"%"}:
        ssh, *words = question
        command = _BETWEEN.join(["", *(f"%{token}" for token in wanted), ""])
        told = _values(await _answer((ssh, "-o", f"RemoteCommand={command}", *words)))
        known = dict(zip(wanted, told["remotecommand"][0].split(_BETWEEN)[1:-1], strict=True))

    def replace(name: str, line: str) -> str:
        line = _TOKEN.sub(lambda found: known[found[1]], line)
        return _VARIABLE.sub(_variable, line) if name in _WITH_VARIABLES else line

    return {name: tuple(replace(name, line) for line in lines) for name, lines in raw.items()}


def _variable(found: re.Match[str]) -> str:
    return os.environ.get(found[1], found[0])


def _home(path: str) -> Path:
    """`path` with `~` replaced; as it is where there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def _split(words: Sequence[str]) -> list[Path]:
    """A list of paths that was joined with spaces: the longest that exist; a missing file is an empty one."""
    found: list[Path] = []
    start = 0
    while start < len(words):
        for end in range(len(words), start, -1):
            path = _home(" ".join(words[start:end]))
            if end == start + 1 or os.path.exists(path):  # noqa: PTH110 - False for what may not be looked at
                found.append(path)
                start = end
                break
    return found
