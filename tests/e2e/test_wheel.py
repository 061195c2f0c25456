"""`farm bench` with real MegEngine: on this machine, and over real SSH servers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from farm.dumps.tensor import parse_tensor
from farm.runtime import compact
from farm.runtime.install import InstalledRuntime
from tests.e2e.conftest import ROOT, Farm, Lab

pytestmark = [pytest.mark.wheel, pytest.mark.usefixtures("wheel_runtime")]

GOLDEN = ROOT / "tests" / "golden"


def output_of(cell: dict[str, Any], run: Path) -> np.ndarray:
    """The value that the last run of a `--bin-out-dump` round wrote."""
    dumps = [one["path"] for one in cell["artifacts"] if one["role"] == "bin-out-dump"]
    last = max(dumps, key=lambda path: int(Path(path).name.removeprefix("run").partition("-")[0]))
    return parse_tensor((run / last).read_bytes()).values


def golden(model: str) -> np.ndarray:
    """What megengine itself computed in Python 3.10 on the same input: see scripts/make_models.py."""
    return np.load(GOLDEN / f"{model}.npy")


@pytest.mark.parametrize("model", ["two_inputs", "int8", "shufflenet_v2_x0_5"])
def test_the_output_is_megengines_own(farm: Farm, tmp_path: Path, model: str) -> None:
    outcome = farm(
        "bench",
        "--model",
        f"bundled:{model}",
        "--rounds",
        "1",
        "--iter",
        "10",
        "--bin-out-dump",
        "out",
        "--json",
    )
    assert outcome.code == 0, outcome.stderr
    (cell,) = outcome.results["cells"]
    expected = golden(model)
    found = output_of(cell, tmp_path / "runs" / outcome.results["run_id"])
    # Relative to the largest value: single small values are sums of large ones that cancel.
    np.testing.assert_allclose(
        found.reshape(expected.shape), expected, rtol=0, atol=1e-5 * np.abs(expected).max()
    )


def test_outputs_are_compared_with_golden_files_before_there_are_times(farm: Farm, tmp_path: Path) -> None:
    """One model as megengine computes it, one with the golden file of another input, one without input."""
    shutil.copy(ROOT / "farm" / "bundled" / "tiny.mge", tmp_path / "blank.mge")
    outcome = farm(
        "bench", "--model", "bundled:int8", "--model", "bundled:two_inputs", "--model", str(tmp_path / "blank.mge"),
        "--golden", f"int8:{GOLDEN / 'int8.npy'}", "--golden", f"two_inputs:{GOLDEN / 'two_inputs.ramp.npy'}",
        "--rounds", "1", "--iter", "10", "--run-id", "one", "--json",
    )  # fmt: skip
    assert outcome.code == 1, outcome.stderr
    assert {cell["model"]: (cell["status"], cell["cause"]) for cell in outcome.results["cells"]} == {
        "int8": ("completed", None),
        "two_inputs": ("failed", "wrong-outputs"),
        "blank": ("completed", None),
    }
    golden = {one["cell"]: one["verdict"] for one in outcome.results["outputs"] if one["against"] == "golden"}
    assert golden == {"local/int8/default": "equal", "local/two_inputs/default": "wrong"}
    (record,) = next(one["check_inputs"] for one in outcome.results["models"] if one["name"] == "blank")
    assert (record["tensor"], record["seed"]) == ("data", 0)
    (cell,) = outcome.cells(model="blank")
    dumps = [one["path"] for one in cell["artifacts"] if one["role"] == "bin-out-dump"]
    assert len(dumps) == 4  # two runs in each of two processes
    values = [parse_tensor((tmp_path / "runs" / "one" / path).read_bytes()).values for path in dumps]
    zeros = np.load(GOLDEN / "tiny.npy") * 0
    assert all(np.array_equal(one, values[0]) for one in values)
    assert not np.allclose(values[0], zeros)


@pytest.mark.sshd
def test_devices_get_the_library_without_cuda_code_once_and_run_it(lab: Lab) -> None:
    lab.write({"kind": "wheel"})
    words = ("bench", "--devices", "arm-1", "--model", "bundled:tiny", "--rounds", "1", "--json")
    first = lab.farm(*words)
    assert first.code == 0, first.stderr
    for device in first.results["devices"]:
        assert 30e6 < device["pushed_bytes"] < 40e6
        store = lab.servers.servers[device["name"]].home / ".cache" / "farm"
        on_disk = sum(path.lstat().st_blocks * 512 for path in store.rglob("*"))
        assert on_disk < 450e6
    second = lab.farm(*words)
    assert second.code == 0, second.stderr
    assert [device["pushed_bytes"] for device in second.results["devices"]] == [0]
    assert all(cell["summary"]["median_ms"] > 0 for cell in second.results["cells"])


def test_a_fast_run_search_is_done_once_and_then_comes_from_the_cache(
    farm: Farm,
) -> None:
    words = ("bench", "--model", "bundled:tiny", "--rounds", "2", "--iter", "10", "--fast-run", "--json")
    first, second = farm(*words), farm(*words)
    for outcome, from_run in ((first, None), (second, first.results["run_id"])):
        assert outcome.code == 0, outcome.stderr
        (cell,) = outcome.results["cells"]
        (prepared,) = cell["preparations"]
        assert (prepared["kind"], prepared["status"], prepared["from_run"]) == (
            "fast-run",
            "completed",
            from_run,
        )
        assert all("--fast-run" not in one["argv"] for one in cell["rounds"])
        assert {one["role"] for one in cell["artifacts"]} >= {"fast-run-cache"}
    roles = [one["role"] for one in first.cells()[0]["preparations"][0]["round"]["artifacts"]]
    assert "fast-run-cache" in roles


def test_a_recipe_transforms_then_searches_and_gives_the_same_output(farm: Farm, tmp_path: Path) -> None:
    # int8: on some processors the wheel's MKL-DNN cannot transform float models (docs/wheel-runtime.md).
    words = ("--model", "bundled:int8", "--recipe", "x86-cpu", "--rounds", "1", "--iter", "10")
    outcome = farm("bench", *words, "--bin-out-dump", "out", "--json")
    assert outcome.code == 0, outcome.stderr
    (cell,) = outcome.results["cells"]
    assert [(prepared["kind"], prepared["status"]) for prepared in cell["preparations"]] == [
        ("layout-transform", "completed"),
        ("fast-run", "completed"),
    ]
    model = next(word for word in cell["argv"] if word.endswith(".mge"))
    assert model.endswith("int8-transformed.mge")
    found = output_of(cell, tmp_path / "runs" / outcome.results["run_id"])
    np.testing.assert_allclose(found.reshape(golden("int8").shape), golden("int8"), atol=5e-3)


@pytest.mark.long
def test_every_artifact_is_named_by_its_role(farm: Farm, tmp_path: Path) -> None:
    outcome = farm(
        "bench", "--model", "bundled:tiny", "--rounds", "1", "--iter", "10", "--profile", "p.json", "--profile-rounds", "1",
        "--bin-io-dump", "vars", "--model-info", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.stdout + outcome.stderr
    (cell,) = outcome.results["cells"]
    roles = {one["role"] for one in cell["artifacts"]}
    assert roles >= {"stderr", "profile", "bin-io-dump", "exact-times", "telemetry"}
    timed = [one for one in cell["rounds"] if one["kind"] == "timed"]
    assert [one["attempt"] for one in timed] in ([0], [0, 1])  # its times may not be steady here
    assert any(time_ms != round(time_ms, 3) for time_ms in timed[0]["e2e_ms"])
    assert timed[0]["telemetry"]["samples"] >= 2
    assert {tensor["name"] for one in cell["rounds"] for tensor in one["tensors"]} == {"data", "out"}
    run = tmp_path / "runs" / outcome.results["run_id"]
    assert all((run / one["path"]).is_file() for one in cell["artifacts"])


def test_files_of_the_user_are_named_as_the_user_did(
    farm: Farm, tmp_path: Path, wheel_runtime: InstalledRuntime
) -> None:
    (tmp_path / "my.so").write_bytes(b"no library")
    libraries = dict(compact.files(wheel_runtime, cuda=True))
    (another,) = (file.path for name, file in libraries.items() if "libatomic" in name)
    shutil.copyfile(another, tmp_path / "other.so")
    tiny = (ROOT / "farm" / "bundled" / "tiny.mge").read_bytes()
    (tmp_path / "half.mge").write_bytes(tiny[: len(tiny) // 2])
    variants = {"plain": "", "mine": "--c-opr-lib my.so", "other": "--c-opr-lib other.so"}
    words = [word for name, options in variants.items() for word in ("--variant", f"{name}={options}")]
    outcome = farm("bench", "--model", "half.mge", *words, "--rounds", "1", "--iter", "1", "--json")
    assert outcome.code == 3, outcome.stderr
    plain, mine, other = outcome.cells()
    assert plain["cause"] == "model-corrupt"
    assert mine["cause"] == "operator-library"
    assert mine["error"].startswith("cannot load the C operator library: my.so: ")
    assert other["cause"] == "operator-interface"
    assert "mgb_c_opr_init" in other["error"]


def test_what_the_runtime_says_it_cannot_do_is_a_skipped_cell_with_its_reason(farm: Farm) -> None:
    testcase = ROOT / "tests" / "wheel" / "models" / "testcase.mge"
    words = ("--c-opr-lib", "lib.so", "--c-opr-lib-with-param")
    (farm.folder / "lib.so").write_bytes(b"\x7fELF, but no library")
    outcome = farm("bench", "--model", str(testcase), *words, "--rounds", "2", "--iter", "10", "--json")
    (cell,) = outcome.results["cells"]
    assert (cell["status"], cell["error"]) == ("skipped", None), outcome.stderr
    assert "not available on this device" in cell["reason"]
    assert len(cell["rounds"]) == 1
    assert outcome.code == 4
