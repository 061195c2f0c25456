"""How a process of `farm` ends: signals, closed terminals, full disks and closed streams, narrow terminals."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from farm import resources
from farm.cli.commands import COMMANDS
from farm.files import sha256_of
from farm.tune.nouns import Asked, Tune
from farm.tune.search import search
from farm.tune.state import TuneFolder
from tests.e2e.conftest import LOOKALIKE, PATIENCE_S, Farm, until
from tests.forked import Forks
from tests.unit.tune.made import REQUEST, Played, of_candidates, some

STORE = ("--store", "sqlite:///fleet.db")
TINY = ("--model", "bundled:tiny", "--rounds", "2", "--iter", "10")


class Local:
    """The device `local` with the look-alike as its program, whose rounds wait when `wait` was called."""

    def __init__(self, folder: Path, forks: Forks) -> None:
        self.farm = Farm(folder, forks)
        self.folder = folder
        self.run = folder / "runs" / "cut"
        self.report = self.run / "report.html"
        self._meeting = folder / "meeting"
        (folder / "inventory").mkdir()
        self._write("")

    def wait(self) -> None:
        self._meeting.mkdir()
        self._write(f", env: {{LOOKALIKE: 'wait:{self._meeting}'}}")

    def in_a_round(self) -> bool:
        return any(self._meeting.glob("here.*"))

    def go(self) -> None:
        (self._meeting / "go").touch()

    def results(self) -> Any:
        return json.loads((self.run / "results.json").read_bytes())

    def _write(self, more: str) -> None:
        runtime = f"{{kind: native, program: {LOOKALIKE}}}"
        text = f"devices:\n  local: {{address: local, runtime: {runtime}{more}}}\n"
        (self.folder / "inventory" / "lab.yaml").write_text(text)


@pytest.fixture
def local(tmp_path: Path, forks: Forks) -> Local:
    return Local(tmp_path, forks)


def cut(local: Local) -> None:
    """The run was interrupted: cells, report and lease say so."""
    results = local.results()
    assert results["status"] == "interrupted"
    assert {cell["status"] for cell in results["cells"]} == {"cancelled"}
    assert local.report.stat().st_size > 1000
    checked = local.farm("devices", "check", "--json")
    assert checked.code == 0, checked.stderr
    assert json.loads(checked.stdout)[0]["holder"] is None


SIGNALS = {
    "SIGHUP": [signal.SIGHUP],
    "Ctrl-C five times": [signal.SIGINT] * 5,
    "all": [signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGTERM],
}


@pytest.mark.parametrize("numbers", SIGNALS.values(), ids=SIGNALS)
def test_signals_end_a_bench_with_its_report_and_without_a_lease(
    local: Local, numbers: list[signal.Signals]
) -> None:
    local.wait()
    process = local.farm.start("bench", "--run-id", "cut", *TINY)
    until(local.in_a_round, "the round")
    done = threading.Event()

    def send() -> None:  # all along the clean-up, not only before it
        for number in numbers:
            process.send_signal(number)
            done.wait(0.1 if len(numbers) < 5 else 0.3)

    sender = threading.Thread(target=send)
    sender.start()
    outcome = local.farm.end(process)
    done.set()
    sender.join()
    assert outcome.code == 130, outcome.stderr
    assert "interrupted" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    cut(local)


def in_a_terminal(
    local: Local, words: Sequence[str], *, hangup: Any = signal.SIG_DFL
) -> tuple[subprocess.Popen, int]:
    """`farm` as the leader of a terminal's session, and our end of the terminal."""
    ours, theirs = pty.openpty()

    def own_the_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGHUP, hangup)

    process = subprocess.Popen(
        [sys.executable, "-m", "farm", *words], cwd=local.folder, env=local.farm.environment, stdin=theirs,
        stdout=theirs, stderr=theirs, start_new_session=True, preexec_fn=own_the_terminal,  # noqa: PLW1509
    )  # fmt: skip
    os.close(theirs)
    return process, ours


def test_a_closed_terminal_ends_a_bench_with_its_report_and_without_a_lease(local: Local) -> None:
    local.wait()
    process, terminal = in_a_terminal(local, ("bench", "--run-id", "cut", *TINY))
    until(local.in_a_round, "the round")
    os.close(terminal)
    assert process.wait(PATIENCE_S) == 130
    cut(local)


def test_a_bench_under_nohup_outlives_its_terminal(local: Local) -> None:
    local.wait()
    process, terminal = in_a_terminal(local, ("bench", "--run-id", "cut", *TINY), hangup=signal.SIG_IGN)
    until(local.in_a_round, "the round")
    os.close(terminal)
    local.go()
    assert process.wait(PATIENCE_S) == 4  # its table could not be printed
    assert {cell["status"] for cell in local.results()["cells"]} == {"completed"}
    assert local.report.is_file()


def test_a_signal_while_results_are_shown_comes_after_them(local: Local) -> None:
    """The reader of stdout sends it when the first byte has come: the bench is over, the report is being written."""
    process = local.farm.start("bench", "--run-id", "cut", "--json", *TINY)
    until(
        lambda: (local.run / "results.json").is_file() and local.results()["status"] == "completed", "the end"
    )
    process.send_signal(signal.SIGTERM)
    outcome = local.farm.end(process)
    assert outcome.code in (0, 130), outcome.stderr  # 0: it was over before the signal came
    assert outcome.results["status"] == "completed"
    assert local.report.is_file()


def test_nobody_has_to_read_the_notes_of_a_bench(local: Local) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b" " * 512)
    os.set_blocking(writer, True)
    process = subprocess.Popen(
        [sys.executable, "-m", "farm", "bench", "--run-id", "cut", *TINY], cwd=local.folder,
        env=local.farm.environment, stdout=subprocess.DEVNULL, stderr=writer,
    )  # fmt: skip
    os.close(writer)
    until(local.report.is_file, "the report, while nobody reads")
    with os.fdopen(reader, "rb") as stream:
        text = stream.read()
    assert process.wait(PATIENCE_S) == 0
    assert b"local: connecting" in text
    assert {cell["status"] for cell in local.results()["cells"]} == {"completed"}


# --- streams ------------------------------------------------------------------------------------------------------

DUMPS = Path(__file__).parent.parent / "unit" / "dumps" / "data"
PRINTING = {
    "": ["--help"],
    "version": ["--version"],
    "bench": ["bench", *TINY],
    "bench --json": ["bench", "--json", *TINY],
    "nightly": ["nightly", "night.yaml"],
    "bisect": ["bisect", "old", "new"],
    "tune": ["tune", "--resume", "t"],
    "submit": ["submit", *TINY, *STORE],
    "worker": ["worker", "--site", "nobody", "--drain", *STORE],
    "queue": ["queue", *STORE],
    "schedule add": ["schedule", "add", "night", "--cron", "0 2 * * *", "--replace", *TINY, *STORE],
    "schedule list": ["schedule", "list", *STORE],
    "schedule remove": ["schedule", "remove", "none", *STORE],
    "schedule run": ["schedule", "run", "queued", *STORE],
    "plan": ["plan", *TINY],
    "devices list": ["devices", "list"],
    "devices check": ["devices", "check"],
    "devices discover": ["devices", "discover", "127.0.0.1", "--port", "1", "--yes"],
    "devices provision": ["devices", "provision", "local", "--dry-run"],
    "devices clean": ["devices", "clean", "local"],
    "devices stability": ["devices", "stability"],
    "devices power": ["devices", "power", "local", "status"],
    "devices release": ["devices", "release", "local"],
    "devices quarantine": ["devices", "quarantine"],
    "devices restore": ["devices", "restore", "none"],
    "devices trust": ["devices", "trust", "far", "--yes", "-i", "far.yaml"],
    "runs list": ["runs", "list"],
    "runs kept": ["runs", "kept"],
    "runs show": ["runs", "show", "latest"],
    "runs resume": ["runs", "resume", "first"],
    "runs fetch": ["runs", "fetch", "none", *STORE],
    "runs cancel": ["runs", "cancel", "queued", *STORE],
    "runs index": ["runs", "index"],
    "runs tag": ["runs", "tag"],
    "runs gc": ["runs", "gc", "--keep-last", "1"],
    "runs export": ["runs", "export", "first", "--force"],
    "runs import": ["runs", "import", "none.farm.tar.gz"],
    "history": ["history"],
    "profiles show": ["profiles", "show", "p.json"],
    "profiles compare": ["profiles", "compare", "p.json", "p.json"],
    "report": ["report", "latest"],
    "site": ["site", "--out", "site"],
    "serve": ["serve", "--port", "0", "--for", "1s"],
    "compare": ["compare", "first", "second"],
    "release": ["release", "first", "second", "--format", "markdown"],
    "export": ["export", "latest", "--format", "markdown"],
    "dumps compare": ["dumps", "compare", str(DUMPS), str(DUMPS)],
    "dumps memory": ["dumps", "memory", str(DUMPS)],
    "runtime install": ["runtime", "install", "--wheel", "none.whl"],
    "runtime list": ["runtime", "list"],
    "plugins list": ["plugins", "list"],
    "sim up": ["sim", "up", "sim.yaml", "--for", "1s"],
    "sim run": ["sim", "run", "sim.yaml", "--", "true"],
    "sim list": ["sim", "list"],
    "options list": ["options", "list"],
    "options show": ["options", "show", "iter"],
    "schema": ["schema", "results"],
}
PROFILE = Path(__file__).parents[1] / "unit" / "dumps" / "data" / "profile.json"
SILENT = {
    "bisect": 2, "devices trust": 2, "devices discover": 4, "devices power": 2, "runtime install": 2, "runs import": 2,
    "devices restore": 2, "sim run": 0, "runs fetch": 2, "worker": 0,
    "schedule remove": 2,
}  # fmt: skip
"""Commands that fail here, and so print nothing on stdout, or leave that to another program."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Local:
    """A folder with two runs in it."""
    local = Local(tmp_path_factory.mktemp("place"), forks)
    inventory = local.folder / "inventory" / "lab.yaml"
    far = local.folder / "far.yaml"
    far.write_text(inventory.read_text() + "  far: {address: 127.0.0.1, port: 1}\n")
    shutil.copyfile(PROFILE, local.folder / "p.json")
    (local.folder / "night.yaml").write_text(
        "{models: {tiny: bundled:tiny}, rounds: 2, options: {iter: 10}, canary: false}\n"
    )
    (local.folder / "sim.yaml").write_text("devices: {one: }\n")
    TuneFolder(local.folder / "runs", "t").path.mkdir(parents=True)
    TuneFolder(local.folder / "runs", "t").save(a_search_that_is_over())
    for name in ("first", "second"):
        assert local.farm("bench", "--run-id", name, *TINY).code == 0
    assert local.farm("submit", "--run-id", "queued", *TINY, *STORE).code == 0
    assert local.farm("schedule", "add", "queued", "--cron", "0 2 * * *", *TINY, *STORE).code == 0
    return local


def a_search_that_is_over() -> Tune:
    played = Played(lambda name, _: 5.0 if name == "c1" else 10.0)
    model = sha256_of(resources.folder("bundled") / "tiny.mge")
    asked = Asked(model="bundled:tiny")
    return search(
        of_candidates(some(3), model_sha256=model, asked=asked, device="local"), REQUEST, played.world()
    )


Run = Callable[..., int]


@pytest.fixture
def run(forks: Forks, place: Local) -> Run:
    def call(words: Sequence[str], *streams: int | None, **environment: str) -> int:
        env = place.farm.environment | environment
        if "install" in words:  # the runtime may be here
            env["FARM_CACHE_DIR"] = str(place.folder / "empty")
        return forks.run(words, cwd=place.folder, env=env, streams=streams)

    return call


@pytest.fixture
def opened() -> Iterator[Callable[[str], int]]:
    descriptors: list[int] = []

    def open_(path: str) -> int:
        descriptors.append(os.open(path, os.O_RDWR))
        return descriptors[-1]

    yield open_
    for one in descriptors:
        os.close(one)


def test_all_commands_are_tried() -> None:
    tried = {words.removesuffix(" --json") for words in PRINTING}
    assert tried >= {row.words for row in COMMANDS}


@pytest.mark.parametrize("name", PRINTING)
def test_a_full_disk_under_stdout_is_said_and_gives_4(
    run: Run, opened: Callable[[str], int], tmp_path: Path, name: str
) -> None:
    said = tmp_path / "said"
    said.touch()
    code = run(PRINTING[name], None, opened("/dev/full"), opened(str(said)))
    assert code == SILENT.get(name, 4)
    if name not in SILENT:
        assert "error: cannot write to stdout: No space left on device\n  try: " in said.read_text()
    assert "Traceback" not in said.read_text()


@pytest.mark.parametrize("name", ["", "bench", "bench --json", "options list", "runs show", "report"])
def test_a_reader_who_has_read_enough_changes_no_code(
    run: Run, opened: Callable[[str], int], tmp_path: Path, name: str
) -> None:
    said = tmp_path / "said"
    said.touch()
    reader, writer = os.pipe()
    os.close(reader)
    code = run(PRINTING[name], None, writer, opened(str(said)))
    os.close(writer)
    assert code == SILENT.get(name, 0), said.read_text()
    assert "stdout" not in said.read_text()


@pytest.mark.parametrize("name", ["bench", "options list"])
def test_closed_streams_change_no_file_and_give_their_code(
    run: Run, opened: Callable[[str], int], tmp_path: Path, name: str
) -> None:
    said = tmp_path / "said"
    said.touch()
    null = opened("/dev/null")
    assert run(PRINTING[name], null, None, opened(str(said))) == 4
    assert "cannot write to stdout: Bad file descriptor" in said.read_text()
    assert run(PRINTING[name], null, null, None) == 0


def test_a_wrong_request_is_one_though_nobody_can_be_told(run: Run, opened: Callable[[str], int]) -> None:
    full = opened("/dev/full")
    for stream in (None, full):
        assert run(["bench", "--model", "no-such"], None, stream, stream) == 2


def test_what_is_said_never_goes_into_a_file_that_took_a_closed_descriptor(run: Run, place: Local) -> None:
    assert run(["bench", "--run-id", "closed", *TINY], None, None, None) == 4
    for path in (place.folder / "runs" / "closed").rglob("*"):
        if path.is_file():
            assert b"local: connecting" not in path.read_bytes(), path


# --- terminals and characters -------------------------------------------------------------------------------------


def shown(run: Run, words: Sequence[str], columns: int, **environment: str) -> tuple[int, str]:
    """The code, and what a terminal of so many columns got."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 10, columns, 0, 0))
    text: list[bytes] = []

    def read() -> None:
        try:
            while piece := os.read(ours, 65536):
                text.append(piece)
        except OSError:  # the last process of the terminal is gone
            return

    reader = threading.Thread(target=read)
    reader.start()
    code = run(words, theirs, theirs, theirs, **{"TERM": "xterm", "COLUMNS": ""} | environment)
    os.close(theirs)
    reader.join()
    os.close(ours)
    return code, b"".join(text).decode("utf-8", "replace")


LOOKED_AT = {
    "": "options",
    "bench": "tiny",
    "plan": "default",
    "devices list": "native",
    "options list": "enable-nchw44-dot",
}
"""A word that each shows."""


@pytest.mark.parametrize("columns", [0, 10])
@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_narrow_terminal_shows_whole_words(run: Run, name: str, columns: int) -> None:
    code, text = shown(run, PRINTING[name], columns)
    assert code == 0, text
    assert LOOKED_AT[name] in text.lower()
    assert "Traceback" not in text


@pytest.mark.parametrize("columns", ["0", "²", "9" * 30, "1", "\udcff"])
def test_columns_that_are_no_number_of_columns_are_not_used(
    run: Run, opened: Callable[[str], int], tmp_path: Path, columns: str
) -> None:
    for words in (["options", "list", "nchw44"], ["options", "list", "--help"]):
        said = tmp_path / "said"
        said.touch()
        stream = opened(str(said))
        code = run(words, None, stream, stream, COLUMNS=columns, LINES=columns, TERMINAL_WIDTH=columns)
        assert code == 0, said.read_text()
        assert "Traceback" not in said.read_text()


@pytest.mark.parametrize("columns", [{}, {"COLUMNS": "20"}])
def test_a_listing_through_a_pipe_has_a_line_for_each_row(
    run: Run, opened: Callable[[str], int], tmp_path: Path, columns: dict[str, str]
) -> None:
    said = tmp_path / "said"
    said.touch()
    assert run(["options", "list"], None, opened(str(said)), None, **columns) == 0
    lines = said.read_text().splitlines()[1:]
    everything = tmp_path / "json"
    everything.touch()
    assert run(["options", "list", "--json"], None, opened(str(everything)), None) == 0
    assert [line.split()[0] for line in lines] == [row["name"] for row in json.loads(everything.read_text())]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_any_characters_can_be_shown_in_any_encoding(run: Run, encoding: str) -> None:
    code, text = shown(run, ["plan", *TINY, "--variant", "模型=--cpu"], 80, PYTHONIOENCODING=encoding)
    assert code == 0, text
    name = "caf\udce9-模型-\x1b.mge"
    code, text = shown(
        run, ["plan", "--model", name, "--variant", f"{name}=--cpu"], 80, PYTHONIOENCODING=encoding
    )
    assert code == 2, text
    for words in (PRINTING["runs show"], PRINTING["options list"]):
        code, text = shown(run, words, 80, PYTHONIOENCODING=encoding)
        assert code == 0, text


def test_an_interruption_while_dumps_are_compared_leaves_no_process_and_no_traceback(farm: Farm) -> None:
    """Tensors of 8 GB, without blocks on the disk; Ctrl-C reaches the worker, too."""
    text = b"var={id:1, layout:{1}, Float32, owner:o{T}, name:n, slot:0}"
    path = farm.folder / "d" / "000001"
    path.parent.mkdir()
    path.write_bytes(struct.pack("<10I", len(text), 0, 7, 1 << 31, *(0,) * 6) + text)
    os.truncate(path, path.stat().st_size + (4 << 31))
    process = farm.start("dumps", "compare", "d", "d")
    until(lambda: any(map(is_comparing, children_of(process.pid))), "a worker that compares")
    workers = children_of(process.pid)
    for worker in workers:
        os.kill(worker, signal.SIGINT)
    outcome = farm.interrupt(process, signal.SIGINT)
    assert outcome.code == 130, outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not [one for one in workers if Path(f"/proc/{one}/exe").exists()]


def is_comparing(pid: int) -> bool:
    """Whether a worker has the dump open."""
    try:
        return any("000001" in os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir())  # noqa: PTH115
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
