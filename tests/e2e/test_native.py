"""`farm bench` with the native program: recorded runs of the real one behind a real server, and the real one itself."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from farm.logs.load_and_run import parse_log
from tests.e2e.conftest import ROOT, Lab, Outcome
from tests.forked import Forks
from tests.servers import LoopbackFarm, known_hosts, sshd

pytestmark = pytest.mark.sshd

TRANSCRIPTS = ROOT / "tests" / "data" / "transcripts"
SAMPLES = ROOT / "tests" / "unit" / "dumps" / "data"
REPLAY = ROOT / "tests" / "lookalike" / "replay.py"
TINY = ROOT / "farm" / "bundled" / "tiny.mge"

Native = Callable[..., Lab]


def transcript(name: str) -> dict[str, Any]:
    return json.loads((TRANSCRIPTS / f"{name}.json").read_text("utf-8"))


@pytest.fixture
def native(tmp_path: Path, forks: Forks) -> Iterator[Native]:
    """A lab of one device, `one`, whose program replays the transcripts that it is given."""
    with sshd(tmp_path / "device") as server:
        lab = Lab(
            tmp_path, LoopbackFarm({"one": server}, known_hosts(tmp_path / "known_hosts", server)), forks
        )

        def make(*names: str, help_text: str | None = None, files: Path | None = SAMPLES) -> Lab:
            folder = tmp_path / "transcripts"
            folder.mkdir()
            for name in names:
                shutil.copy(TRANSCRIPTS / f"{name}.json", folder)
            said = transcript("help")
            if help_text is not None:
                said["stdout"] = help_text
            (folder / "help.json").write_text(json.dumps(said))
            env = {"REPLAY": str(folder)} | ({"REPLAY_FILES": str(files)} if files else {})
            lab.write({"kind": "native", "program": str(REPLAY)}, one={"env": env})
            return lab

        yield make


def bench(lab: Lab, model: str, variants: Mapping[str, str], *words: str) -> Outcome:
    """A bench of each variant, two iterations, one round; the model has this name."""
    file = lab.folder / f"{model}.mge"
    shutil.copyfile(TINY, file)
    columns = [word for name, options in variants.items() for word in ("--variant", f"{name}={options}")]
    return lab.farm("bench", "--model", str(file), *columns, "--rounds", "1", "--iter", "2", "--json", *words)


def by_variant(outcome: Outcome) -> dict[str, dict[str, Any]]:
    return {cell["variant"]: cell for cell in outcome.results["cells"]}


COMPLETED = {
    "tiny": {
        "dup_iter": "",
        "lite": "--lite",
        "cpu_default": "--cpu-default",
        "fake_first": "--fake-first",
        "no_sanity": "--no-sanity-check",
        "rec1": "--record-comp-seq",
        "thread2_input": "--thread 2",
    },
    "resnets": {
        "enable_nchw44": "--enable-nchw44",
        "rec2_ns_constshape": "--record-comp-seq2 --no-sanity-check --const-shape",
        "wpre": "--weight-preprocess",
        "repro": "--reproducible",
    },
}
FAILED = {
    "tiny": {"copr_notlib": ("--c-opr-lib lib.so", "operator-library")},
    "resnets": {
        "enable_nhwcd4": ("--enable-nhwcd4", "layout-unsupported"),
        "jit": ("--enable-jit", "no-jit-compiler"),
    },
    "int8": {"enable_chwn4_int8": ("--enable-chwn4", "layout-unsupported")},
    "flipped": {"bad_flipped": ("", "model-corrupt")},
}
"""By model: transcripts, the options that lead to them, and the causes."""


@pytest.mark.parametrize("model", FAILED)
def test_recorded_runs_give_their_numbers_or_their_cause(native: Native, tmp_path: Path, model: str) -> None:
    (tmp_path / "lib.so").write_bytes(b"no library")
    completed, failed = COMPLETED.get(model, {}), FAILED[model]
    variants = completed | {name: options for name, (options, _) in failed.items()}
    outcome = bench(native(*variants), model, variants)
    assert outcome.code == (3 if completed else 4), outcome.stdout + outcome.stderr
    cells = by_variant(outcome)
    for name in completed:
        assert cells[name]["status"] == "completed", cells[name]["error"]
        recorded = parse_log(transcript(name)["stderr"])
        (found,) = cells[name]["rounds"]
        assert tuple(found["e2e_ms"]) == recorded.e2e_ms
        assert tuple(found["warmup_ms"]) == recorded.warmup_ms
        assert found["load_ms"] == recorded.load_ms
    causes = {name: (cell["status"], cell["cause"]) for name, cell in cells.items() if name in failed}
    assert causes == {name: ("failed", cause) for name, (_, cause) in failed.items()}


OBSERVERS = {
    "io_dump": ("--io-dump io.txt", {"io-dump"}),
    "bin_io_dump": ("--bin-io-dump vars", {"bin-io-dump"}),
    "bin_out_dump": ("--bin-out-dump out", {"bin-out-dump"}),
    "profile_iter20": ("--profile p.json", {"profile"}),
    "fastrun_load": ("--full-run", {"fast-run-cache"}),
    "static_mem": ("--get-static-mem-info mem", {"static-mem-info"}),
}


def test_files_that_the_program_wrote_come_back_by_their_role(native: Native) -> None:
    tiny = {
        name: options
        for name, (options, _) in OBSERVERS.items()
        if name not in {"fastrun_load", "static_mem"}
    }
    lab = native("dup_iter", *tiny)
    cells = by_variant(bench(lab, "tiny", tiny))
    for name in tiny:
        assert cells[name]["status"] == "completed", cells[name]["error"]
        roles = {one["role"] for one in cells[name]["artifacts"]}
        assert roles >= OBSERVERS[name][1]


def test_a_search_and_what_it_feeds_are_replayed(native: Native) -> None:
    lab = native("default_resnets", "full_run_resnets", "fastrun_load", "static_mem")
    variants = {name: OBSERVERS[name][0] for name in ("fastrun_load", "static_mem")}
    cells = by_variant(bench(lab, "resnets", variants))
    for name in variants:
        assert cells[name]["status"] == "completed", cells[name]["error"]
        assert {one["role"] for one in cells[name]["artifacts"]} >= OBSERVERS[name][1]
    (prepared,) = cells["fastrun_load"]["preparations"]
    assert prepared["status"] == "completed"


def test_exit_code_0_without_the_promised_file_is_a_failure(native: Native) -> None:
    outcome = bench(native("dup_iter", "profile_iter20", files=None), "tiny", {"p": "--profile p.json"})
    cell = by_variant(outcome)["p"]
    assert (cell["status"], cell["cause"]) == ("failed", "output-missing")
    # The times came before, and stay.
    assert cell["summary"]["rounds"] == 1


def test_a_run_that_never_ends_is_ended_with_its_reason(native: Native) -> None:
    lab = native("dup_iter", "wait_gdb_pipe")
    cell = by_variant(bench(lab, "tiny", {"w": "--wait-gdb"}, "--round-limit", "2"))["w"]
    assert (cell["status"], cell["cause"]) == ("failed", "wall-limit")
    assert "waited for keyboard input" in cell["error"]


def help_without(*flags: str) -> str:
    """The real help less these flags."""
    lines = transcript("help")["stdout"].splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(tuple(f"    -{flag} (" for flag in flags)))


def test_what_a_build_has_not_fails_its_own_cells_and_is_refused_at_once_when_it_is_known(
    native: Native, tmp_path: Path
) -> None:
    lab = native("dup_iter", "lite", help_text=help_without("profile", "enable_nchw44"))
    variants = {"plain": "", "lite": "--lite", "profiled": "--profile p.json", "nchw44": "--enable-nchw44"}
    first = bench(lab, "tiny", variants)
    assert first.code == 3, first.stderr
    cells = by_variant(first)
    assert [cells[name]["status"] for name in ("plain", "lite")] == ["completed"] * 2
    for name, option in (("profiled", "--profile"), ("nchw44", "--enable-nchw44")):
        cell = cells[name]
        assert (cell["status"], cell["stage"]) == ("failed", "deploy")
        assert (cell["fault"], cell["cause"]) == ("user", "unknown-flag")
        assert option in cell["error"]
        assert cell["hint"]
    assert "MGB_ENABLE_JSON" in cells["profiled"]["hint"]
    # The digest is known now: the second plan needs no device.
    lab.servers.servers["one"].kill()
    second = bench(lab, "tiny", variants)
    assert second.code == 2
    assert "--profile" in second.stderr
    assert bench(lab, "tiny", {"plain": ""}).code != 2
    (known,) = (tmp_path / "cache" / "programs").iterdir()
    # The digest that its flags are kept by belongs to every number, too.
    assert [device["runtime_digest"] for device in first.results["devices"]] == [known.stem]
    asked = json.loads(known.read_text())
    assert asked["asked_on"] == "one"
    assert "profile" not in asked["flags"]


def test_a_program_is_asked_once(native: Native) -> None:
    lab = native("dup_iter")
    assert bench(lab, "tiny", {"plain": ""}).code == 0
    # It would answer otherwise now; nobody asks.
    said = lab.folder / "transcripts" / "help.json"
    said.write_text(json.dumps(transcript("help") | {"stdout": help_without("cpu")}))
    lab.write(
        {"kind": "native", "program": str(REPLAY)},
        one={"env": {"REPLAY": str(said.parent), "REPLAY_FILES": ""}},
    )
    (lab.folder / "transcripts" / "cpu.json").write_text(json.dumps(transcript("cpu")))
    assert bench(lab, "tiny", {"cpu": "--cpu"}).code == 0


def test_a_program_that_does_not_say_what_it_has_is_run_with_a_note(native: Native, tmp_path: Path) -> None:
    lab = native("dup_iter", help_text="usage: see the manual\n")
    cell = by_variant(bench(lab, "tiny", {"plain": ""}))["plain"]
    assert cell["status"] == "completed"
    assert any("--help" in note for note in cell["notes"])
    assert not (tmp_path / "cache" / "programs").exists()


def test_a_program_that_hangs_after_its_last_words_is_ended_and_they_are_the_cause(native: Native) -> None:
    """The limit that would end it, 600 s, is beyond the patience of the test."""
    lab = native("enable_nchw88")
    path = lab.folder / "transcripts" / "enable_nchw88.json"
    said = json.loads(path.read_text())
    said |= {
        "exit_code": "hangs",
        "stderr": said["stderr"].split("=== prepare")[0] + "\nbad err=45 in Xbyak::Error\n",
    }
    path.write_text(json.dumps(said))
    outcome = bench(lab, "resnets", {"layout": "--enable-nchw88"})
    cell = by_variant(outcome)["layout"]
    assert (cell["status"], cell["cause"]) == ("failed", "no-code-for-processor")
    assert "limit" not in cell["hint"]
    assert not lab.leftovers()


def test_a_program_that_is_no_load_and_run_is_named(native: Native) -> None:
    lab = native()
    lab.write({"kind": "native", "program": "/bin/echo"})
    outcome = bench(lab, "tiny", {"plain": ""})
    assert outcome.code == 4, outcome.stderr
    cell = by_variant(outcome)["plain"]
    assert (cell["fault"], cell["cause"]) == ("user", "not-load-and-run")
    assert "program:" in cell["hint"]


def test_what_was_made_for_another_processor_is_noted_after_the_probe(native: Native) -> None:
    lab = native("enable_nchw44", "enable_nchw88")
    cells = by_variant(bench(lab, "resnets", {"arm": "--enable-nchw44", "x86": "--enable-nchw88"}))
    foreign = [name for name, cell in cells.items() if any("was made for" in note for note in cell["notes"])]
    assert len(foreign) == 1, "this machine is either an ARM or an x86"


REAL = {
    "plain": "",
    "lite": "--lite",
    "cpu_default": "--cpu-default",
    "fused": "--enable-fuse-preprocess --weight-preprocess",
    "recorded": "--record-comp-seq2 --no-sanity-check --const-shape",
    "search": "--fast-run",
    "profiled": "--cpu --profile p.json",
    "dumped": "--bin-io-dump vars",
    "text": "--io-dump io.txt",
    "outputs": "--bin-out-dump out",
    "memory": "--get-static-mem-info a-b/c.d",
    "info": "--model-info",
}


@pytest.mark.skipif("LOAD_AND_RUN" not in os.environ, reason="LOAD_AND_RUN names no native load_and_run")
def test_the_real_program_runs_a_set_of_options(native: Native) -> None:
    lab = native()
    env = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    program = {"kind": "native", "program": os.environ["LOAD_AND_RUN"], "on_device": True}
    lab.write(program, one={"env": env} if env else {})
    outcome = bench(lab, "tiny", REAL)
    cells = by_variant(outcome)
    assert {name: cell["error"] for name, cell in cells.items() if cell["error"]} == {}
    assert all(cell["summary"]["median_ms"] > 0 for cell in cells.values())
    roles = {name: {one["role"] for one in cell["artifacts"]} for name, cell in cells.items()}
    for name, role in (
        ("search", "fast-run-cache"), ("profiled", "profile"), ("dumped", "bin-io-dump"), ("text", "io-dump"),
        ("outputs", "bin-out-dump"), ("memory", "static-mem-info"),
    ):  # fmt: skip
        assert role in roles[name]
