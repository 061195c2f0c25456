"""The rules of gflags, against what the C++ program of the recorded transcripts printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from farm import resources

from .conftest import BUNDLED, Load, Wheel

pytestmark = pytest.mark.wheel
TINY = BUNDLED / "tiny.mge"
TRANSCRIPTS = Path(__file__).parent.parent / "data" / "transcripts"
LEFT_OUT = {"tab_completion_columns", "tab_completion_word", "helppackage", "helpxml"}


def flag_texts(text: str) -> dict[str, str]:
    """name -> the lines about it, as in gflags' help."""
    parts = re.findall(r"^    -(\w+) (.*?)(?=^    -|^\s*$|\Z)", text, re.MULTILINE | re.DOTALL)
    return {name: body.replace(" currently: true", "") for name, body in parts}


def test_help_describes_every_flag_of_the_c_program_in_the_same_lines(wheel: Wheel) -> None:
    native = flag_texts(json.loads((TRANSCRIPTS / "help.json").read_text())["stdout"])
    done = wheel("--help")
    assert done.code == 1
    assert flag_texts(done.out) == {name: body for name, body in native.items() if name not in LEFT_OUT}
    assert len(native) > 80


@pytest.mark.parametrize("name", ["unknown", "unknown_two", "iter_bad", "iter_noval", "version", "helpshort"])
def test_what_gflags_answers_by_itself_is_what_the_c_program_answered(wheel: Wheel, name: str) -> None:
    recorded = json.loads((TRANSCRIPTS / f"{name}.json").read_text())
    done = wheel(*recorded["command"].split()[1:])
    assert (done.code, done.out, done.err) == (recorded["exit_code"], recorded["stdout"], recorded["stderr"])


def test_without_arguments_it_prints_how_it_is_used(wheel: Wheel) -> None:
    done = wheel()
    assert done.code == 255
    assert "load_and_run <model_path> [options Flags...]" in done.out


def test_flags_without_a_model_abort(wheel: Wheel) -> None:
    assert "no model path" in wheel("--iter", "3").why()


@pytest.mark.parametrize(
    "words",
    [
        ("--iter=3", "--warmup-iter=0"),
        ("-iter", "3", "--warmup_iter", "0"),
        ("--iter", "0x3", "--warmup-iter", "0", "--nomodel-info"),
        ("--rocm", "--undefok=rocm", "--iter=3", "--warmup_iter=0"),
        ("--iter=9", "--iter=3", "--warmup_iter=0"),
        ("--lite", "false", "--iter=3", "--warmup_iter=0"),
    ],
)
def test_every_spelling_of_a_flag_is_understood(wheel: Wheel, words: tuple[str, ...]) -> None:
    commands: list[tuple[str | Path, ...]] = [(TINY, *words)]
    if words[0] == "-iter":  # the model may stand between
        commands.append((*words[:2], TINY, *words[2:]))
    for command in commands:
        done = wheel(*command).passed()
        assert len(done.e2e_ms) == 3
        assert "warm up" not in done.err
        assert "Runtime Model Info" not in done.err


def test_a_flag_file_is_read(wheel: Wheel) -> None:
    folder = wheel.place()
    (folder / "flags.txt").write_text("# flags\n--iter=4\n--model_info\n")
    done = wheel(TINY, "--flagfile=flags.txt", within=folder).passed()
    assert len(done.e2e_ms) == 4
    assert "Runtime Model Info" in done.err


@pytest.mark.parametrize(
    "flag", ["--rocm", "--rocm-enable-miopen-search", "--enbale-jit", "--mode-info", "--Lite"]
)
def test_flags_that_the_program_does_not_have_are_unknown(wheel: Wheel, flag: str) -> None:
    done = wheel(TINY, flag)
    assert (done.code, done.err) == (1, f"ERROR: unknown command line flag '{flag[2:]}'\n")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--iter", "-1"), "would never end"),
        (("--warmup-iter", "-1"), "would never end"),
        (("--thread", "0"), "--thread must input a positive number!!"),
        (("--thread", "-1"), "--thread must input a positive number!!"),
        (("--multi-thread-core-ids", "0"), "core ids should be set after --multithread"),
        (
            ("--multithread", "2", "--multi-thread-core-ids", "0"),
            "core ids number should be same with thread number",
        ),
        (("--multithread", "1", "--multi-thread-core-ids", "4000"), "may not run on core 4000"),
        (("--multithread", "1", "--multi-thread-core-ids", "x"), "takes numbers"),
        (("--multithread", "2", "--multithread-default", "2"), "should not bet set at the same time"),
        (("--enable-nchw44", "--enable-nchw88"), "only one of these"),
        (("--io-dump", "a", "--bin-io-dump", "b"), "only one of these"),
        (("--fast-run", "--full-run"), "invalid options of both fast-run and full-run"),
        (("--fast-run-algo-policy", "none.cache"), "--fast-run or --full-run should be enabled"),
        (("--fast-run-shared-batch-size", "2"), "--fast-run-shared-batch-size should be used with"),
        (("--record-comp-seq", "--profile", "p.json"), "exclude each other"),
        (("--record-comp-seq2", "--no-sanity-check", "--io-dump-stdout"), "waited for for ever"),
        (("--record-comp-seq2", "--no-sanity-check", "--io-dump-stderr"), "waited for for ever"),
        (("--record-comp-seq2",), "--no-sanity-check should be set before"),
        (("--record-comp-seq2", "--no-sanity-check", "--fake-first"), "--fake-first should not be set"),
        (("--layout-transform-dump", "m.mge"), "does nothing without --layout-transform"),
        (("--dump-fitting-model", "m.mge"), "does nothing without --fitting"),
        (("--layout-transform", "npu"), "unsupported target(got:npu)"),
        (("--get-static-mem-info", "my-folder"), "log_dir format error"),
        (("--check-var-value", "x"), "interval"),
        (("--c-opr-lib", "none.so"), "failed to open c opr lib none.so"),
        (("--thread", "2", "--io-dump", "a"), "all threads would write"),
        (("--enable-jit",), "No compiler support for cpu"),
    ],
)
def test_what_would_abort_hang_crash_or_be_ignored_is_refused_with_the_reason(
    wheel: Wheel, words: tuple[str, ...], why: str
) -> None:
    assert why in wheel(TINY, *words).why()


@pytest.mark.parametrize(
    "flag",
    ["--range=1", "--check-dispatch", "--enable-chwn4", "--fuse-grain", "--disable-mem-opt", "--bin-out-dump=o",
     "--io-dump-stdout", "--get-static-mem-info=m", "--optimize-for-inference"],
)  # fmt: skip
def test_lite_refuses_what_the_c_program_refuses_with_lite(wheel: Wheel, flag: str) -> None:
    assert "lite model" in wheel(TINY, "--lite", flag).why()


def test_a_missing_library_is_named(wheel: Wheel, wheel_folder: Path) -> None:
    folder = wheel.place()
    for name in ("load_and_run.py", "mge"):
        (folder / name).symlink_to(wheel_folder / name)
    done = Wheel(folder, folder)(TINY)
    assert done.code == 127
    assert "libatomic.so.1: no such file" in done.err


def test_every_value_that_the_program_asks_for_is_one_of_a_flag(module: Load) -> None:
    """A misspelled one would be found only by the run that needs it: values have no types."""
    sources = [path.read_text("utf-8") for path in (resources.folder("agents") / "wheel").rglob("*.py")]
    asked = {name for text in sources for name in re.findall(r"\bvalues\.(\w+)", text)}
    checks = module("command_line.checks")
    config, fitting = module("execution.config"), module("execution.fitting")
    tables = (checks.LITE_REFUSES, checks.NEEDS, checks.CONFLICTS, config.FIELDS, config.GRAPH_FIELDS)
    asked |= {row[0] for table in tables for row in table} | {
        row[1] for row in checks.CONFLICTS + checks.NEEDS
    }
    asked |= {*checks.LAYOUT_FLAGS, *checks.ONE_THREAD, *(f"enable_{name}" for name in config.LAYOUTS)}
    asked |= {*fitting.MORE, *(name for options in fitting.CPU + fitting.CUDA for name in options)}
    assert asked <= set(module("command_line.flags").table())
