"""`farm profiles`: what it prints, of which files and cells, and its exit codes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from farm.cli.main import main
from farm.errors import ExitCode
from farm.model.artifact import Produced
from farm.model.matrix import RoundKind
from farm.model.operators import Ceilings
from farm.model.run import RoundResult, RoundStatus
from farm.store.codec import results_from_json, results_to_json
from tests.unit.compare.made import cell, run, timed

Farm = Callable[..., tuple[int, str, str]]
DATA = Path(__file__).parents[1] / "dumps" / "data" / "profile.json"


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Farm:
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(DATA, "p.json")

    def run_(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["farm", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run_


def slower(path: str | Path, name: str = "second.Convolution", by_ms: float = 1.8) -> None:
    """The profile again, with one operator slower, and its name as given."""
    root = json.loads(DATA.read_text())
    key = next(
        key for key, one in root["graph_exec"]["operator"].items() if one["name"] == "second.Convolution"
    )
    for span in root["profiler"]["device"][key].values():
        span["end"] += by_ms / 1e3
    root["graph_exec"]["operator"][key]["name"] = name
    Path(path).write_text(json.dumps(root))


def profiled_round(path: str, index: int = 0) -> RoundResult:
    produced = (Produced("profile", path, "ab" * 32, 1),)
    return RoundResult(RoundKind.PROFILE, index, RoundStatus.COMPLETED, artifacts=produced)


def keep(*variants: tuple[str, tuple[str, ...]], name: str = "night") -> Path:
    """A run whose variants have these profiles, each of a round."""
    cells = [
        cell(
            *timed([5.0, 5.0, 5.0]),
            *(profiled_round(path, at) for at, path in enumerate(paths)),
            variant=variant,
        )
        for variant, paths in variants
    ]
    folder = Path("runs") / name
    folder.mkdir(parents=True)
    (folder / "results.json").write_bytes(results_to_json(replace(run(*cells), run_id=name)))
    for _, paths in variants:
        for path in paths:
            if not path.startswith(("/", "..")):
                shutil.copyfile("p.json", folder / path)
    return folder


def test_the_slowest_operators_of_a_file_are_shown_with_their_rates(farm: Farm) -> None:
    code, out, _ = farm("profiles", "show", "p.json", "--top", "2", "--ceilings", "100,10", "--wide")
    assert code == ExitCode.OK
    assert "18 operators, device 0.077 ms, host 0.058 ms" in out
    rows = [line for line in out.splitlines() if "ConvolutionForward" in line]
    assert len(rows) == 2
    assert "1x3x16x16 8x3x3x3 1x8x1x1" in out or "1x3x16x16 8x3x3x3" in out
    assert "reach" in out


def test_the_ceilings_of_a_run_are_used_where_none_are_given(farm: Farm) -> None:
    folder = keep(("old", ("a1",)))
    results = results_from_json((folder / "results.json").read_bytes(), "night")
    measured = Ceilings(50.0, 10.0, "measured", "arm-1", "default", (50.0, 48.0), (10.0, 9.0), "night")
    device = replace(results.devices[0], ceilings=(measured,))
    (folder / "results.json").write_bytes(results_to_json(replace(results, devices=(device,))))
    _, out, _ = farm("profiles", "show", "night", "arm-1/m/old")
    assert "ceilings of default: 50 GFLOP/s, 10 GB/s (measured, the best of 2 rounds)" in out
    assert "reach" in out
    found = json.loads(farm("profiles", "show", "night", "arm-1/m/old", "--json")[1])
    assert (found["ceilings"]["gflops"], found["ceilings"]["source"]) == (50.0, "measured")
    assert {"bound", "of_ceiling"} <= set(found["profiles"][0]["operators"][0])
    given = json.loads(farm("profiles", "show", "night", "arm-1/m/old", "--json", "--ceilings", "9,8")[1])
    assert (given["ceilings"]["gflops"], given["ceilings"]["source"]) == (9.0, "given")


@pytest.mark.parametrize(("by", "word"), [("type", "ImmutableTensor"), ("layer", "first")])
def test_types_and_layers_are_shown(farm: Farm, by: str, word: str) -> None:
    code, out, _ = farm("profiles", "show", "p.json", "--by", by, "--depth", "1")
    assert code == ExitCode.OK
    assert word in out


def test_json_is_for_scripts_and_has_everything(farm: Farm) -> None:
    found = json.loads(farm("profiles", "show", "p.json", "--json", "--ceilings", "100,10")[1])
    (profile,) = found["profiles"]
    assert len(profile["operators"]) == 18
    assert sum(one["share"] for one in profile["operators"]) == pytest.approx(1)
    assert {"gflops", "gbps", "bound", "input_shapes", "algorithm", "host_ms"} <= set(profile["operators"][0])
    assert sum(one["count"] for one in profile["types"]) == 18


def test_a_planted_slow_operator_of_a_run_is_the_top_bar(farm: Farm) -> None:
    folder = keep(("old", ("a1", "a2", "a3")), ("new", ("b1", "b2", "b3")))
    for name in ("b1", "b2", "b3"):
        slower(folder / name)
    code, out, _ = farm("profiles", "compare", "night:arm-1/m/old", "night:arm-1/m/new", "--top", "3")
    assert code == ExitCode.OK
    bar = next(line for line in out.splitlines() if line.startswith("+"))
    assert bar.split()[:3] == ["+1.800", "*", "second.Convolution"]
    assert "unattributed" in out  # both took 5 ms
    found = json.loads(farm("profiles", "compare", "night:arm-1/m/old", "night:arm-1/m/new", "--json")[1])
    assert [row["name"] for row in found["rows"] if row["is_changed"][1]] == ["second.Convolution"]


def test_cells_are_listed_and_one_that_cannot_be_read_hides_no_other(farm: Farm) -> None:
    folder = keep(("old", ("a",)), ("new", ("b",)))
    (folder / "b").write_text("{")
    code, out, err = farm("profiles", "show", "night")
    assert code == ExitCode.OK
    assert "arm-1/m/old" in out
    assert "arm-1/m/new: " in err
    assert "no operators" in err
    assert farm("profiles", "show", "night", "arm-1/m/old")[0] == ExitCode.OK
    assert farm("profiles", "show", "night", "arm-1/m/new")[0] == ExitCode.REQUEST


def test_medians_and_ranges_of_all_profiles_are_shown(farm: Farm) -> None:
    folder = keep(("old", ("a", "b", "c")))
    slower(folder / "b", by_ms=1.0)
    slower(folder / "c", by_ms=3.0)
    code, out, _ = farm("profiles", "show", "night", "--top", "1")
    assert code == ExitCode.OK
    assert "medians of 3 profiles" in out
    (row,) = (line.split() for line in out.splitlines() if line.startswith("second.Convolution"))
    assert row[2:4] == ["1.041", "0.041-3.041"]
    _, out, _ = farm("profiles", "show", "night", "--by", "layer", "--depth", "1", "--top", "1")
    (row,) = (line.split() for line in out.splitlines() if line.startswith("second"))
    assert row[3] == "0.043-3.043"
    found = json.loads(farm("profiles", "show", "night", "--json")[1])
    assert len(found["profiles"]) == 3
    (span,) = (one for one in found["ranges"] if one["name"] == "second.Convolution")
    assert (round(span["low_ms"], 3), round(span["high_ms"], 3), span["rounds"]) == (0.041, 3.041, 3)
    assert found["median"]["operators"][0]["device_ms"] is not None


@pytest.mark.parametrize(("paths", "word"), [(("b1",), "one profile"), (("b1", "b2"), "2 profiles")])
def test_fewer_than_three_profiles_of_a_side_decide_nothing(
    farm: Farm, paths: tuple[str, ...], word: str
) -> None:
    folder = keep(("old", ("a1", "a2", "a3")), ("new", paths))
    for name in paths:
        slower(folder / name)
    _, out, _ = farm("profiles", "compare", "night:arm-1/m/old", "night:arm-1/m/new")
    assert f"{word}: not decided what changed" in out
    assert "*" not in out


def test_many_cells_are_named_by_one_pattern_in_the_order_of_the_run(farm: Farm) -> None:
    folder = keep(("old", ("a1", "a2", "a3")), ("mid", ("m1",)), ("new", ("b1", "b2", "b3")))
    for name in ("b1", "b2", "b3"):
        slower(folder / name, by_ms=2.0)
    found = json.loads(farm("profiles", "compare", "night:arm-1/*", "--by", "layer", "--json")[1])
    assert [one["name"] for one in found["sides"]] == [
        f"night:arm-1/m/{one}" for one in ("old", "mid", "new")
    ]
    assert [row["name"] for row in found["rows"] if row["is_changed"][2]] == ["second"]
    code, out, _ = farm("profiles", "compare", "night:*/m/old", "night:*/m/new", "--by", "type")
    assert code == ExitCode.OK
    assert "ConvolutionForward" in out
    assert " by" not in out.splitlines()[2]


def test_one_damaged_round_of_three_is_said_and_the_others_are_used(farm: Farm) -> None:
    folder = keep(("old", ("a", "b", "c")))
    (folder / "b").write_text("[]")
    code, out, err = farm("profiles", "show", "night:x".partition(":")[0], "--top", "1")
    assert code == ExitCode.OK
    assert "no operators" in err
    assert "medians of 2 profiles" in out


@pytest.mark.parametrize("path", ["../../../etc/passwd", "/etc/passwd", "pipe", "gone"])
def test_a_run_cannot_name_files_outside_or_pipes(farm: Farm, path: str) -> None:
    folder = keep(("old", ("a",)))
    text = (folder / "results.json").read_text().replace('"path": "a"', f'"path": "{path}"')
    assert path in text
    (folder / "results.json").write_text(text)
    os.mkfifo(folder / "pipe")
    code, _, err = farm("profiles", "show", "night")
    assert code == ExitCode.REQUEST
    assert "is missing" in err


@pytest.mark.parametrize(
    "words",
    [
        ("show", "none"),
        ("show", "p.json", "--ceilings", "0,1"),
        ("show", "p.json", "--ceilings", "nan,1"),
        ("show", "p.json", "--ceilings", "4"),
        ("show", "cut.json"),
        ("show", "x" * 5000),
        ("show", "night"),
        ("compare", "p.json"),
        ("compare", *["p.json"] * 65),
        ("compare", "p.json", "night:arm-1/m/none"),
        ("compare", "p.json", "."),
        ("compare", "night:*/none"),
        ("compare", "night:*/m/first"),
    ],
    ids=lambda words: " ".join(words)[:40],
)
def test_a_wrong_request_gives_2_and_a_hint(farm: Farm, words: tuple[str, ...]) -> None:
    Path("cut.json").write_text('{"profiler": {"dev')
    keep(("old", ()))
    code, out, err = farm("profiles", *words)
    assert (code, out) == (ExitCode.REQUEST, "")
    assert "  try: " in err


def test_names_that_hide_text_are_made_visible(farm: Farm) -> None:
    slower("odd.json", name="<script>\x1b[31m\u202ereversed[bold]\n\nnext")
    _, out, _ = farm("profiles", "compare", "odd.json", "p.json")
    assert "<script><U+001B>[31m<U+202E>reversed[bold] next" in out
    assert "only in" not in out  # it was found by its type and shapes


def test_operators_that_only_one_side_has_are_named(farm: Farm) -> None:
    root = json.loads(DATA.read_text())
    root["profiler"]["device"] = dict(list(root["profiler"]["device"].items())[:4])
    root["profiler"]["host"] = {}
    Path("few.json").write_text(json.dumps(root))
    _, out, _ = farm("profiles", "compare", "few.json", "p.json")
    assert out.count("only in B: ") == 11  # ten, and how many more
    assert "only in B: 4 more; --json names them" in out


def test_more_than_two_sides_have_a_column_and_a_waterfall_each(farm: Farm) -> None:
    slower("slow.json")
    found = json.loads(farm("profiles", "compare", "p.json", "slow.json", "p.json", "--json")[1])
    assert [one["delta_ms"] for one in found["waterfalls"]] == [
        pytest.approx(1.8),
        pytest.approx(0, abs=1e-9),
    ]
    assert all(len(row["ratios"]) == 3 for row in found["rows"])
