"""Every form of `--input`, through `farm bench` with real MegEngine: right numbers, or no run at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from farm import resources
from tests.e2e.conftest import Farm
from tests.e2e.test_wheel import golden, output_of

pytestmark = [pytest.mark.wheel, pytest.mark.usefixtures("wheel_runtime")]

BUNDLED = resources.folder("bundled")
IMAGE = np.load(BUNDLED / "two_inputs.image.npy")
RAMP = np.arange(10) / 4  # the weights of two_inputs.ramp
TINY = np.load(BUNDLED / "tiny.data.npy")
NUMBERS = ",".join(f"{number:.2f}" for number in RAMP)
DOCUMENTED = '{"weights":\n\n    "shape": [1,10],\n    "type": "%s",\n    "raw": [%s]\n    }\n}\n'


def write_files(folder: Path) -> None:
    """Each is read wrong by load_and_run itself, or not at all."""
    np.save(folder / "fortran.npy", np.asfortranarray(TINY))
    np.save(folder / "f8.npy", TINY.astype(np.float64))
    np.save(folder / "i8.npy", IMAGE.astype(np.int64))
    (folder / "three_lines.ppm").write_bytes(b"P6\n# a comment\n32 32\n255\n" + IMAGE.tobytes())
    (folder / "documented.json").write_text(DOCUMENTED % ("float64", NUMBERS))


def dumped(farm: Farm, model: str, text: str) -> tuple[dict[str, Any], np.ndarray]:
    """The only cell of a bench on this machine, and its output."""
    outcome = farm(
        "bench", "--model", f"bundled:{model}", "--input", text, "--rounds", "1", "--iter", "2",
        "--bin-out-dump", "out", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.stderr
    (cell,) = outcome.results["cells"]
    return cell, output_of(cell, farm.folder / "runs" / outcome.results["run_id"])


@pytest.mark.parametrize(
    ("model", "text", "expected", "notes"),
    [
        ("tiny", "data:fortran.npy", "tiny", ["Fortran order converted"]),
        ("tiny", "f8.npy", "tiny", ["float64 converted to the model's float32"]),
        (
            "two_inputs",
            "image:i8.npy;documented.json",
            "two_inputs.ramp",
            ["int64 converted to the model's uint8", "added the brace", "float64 converted to float32"],
        ),
        ("two_inputs", f"image:three_lines.ppm;weights:[{NUMBERS}]", "two_inputs.ramp", ["header rewritten"]),
        (
            "two_inputs",
            f"image:three_lines.ppm;weights:[[[{NUMBERS}]]]",
            "two_inputs.ramp",
            ["header rewritten", "load_and_run would read the text as float32 {1,1,1,10}"],
        ),
    ],
    ids=["fortran", "f8", "i8-json", "ppm-text", "ppm-deep-text"],
)
def test_each_form_gives_megengines_own_output(
    farm: Farm, tmp_path: Path, model: str, text: str, expected: str, notes: list[str]
) -> None:
    write_files(tmp_path)
    cell, found = dumped(farm, model, text)
    wanted = golden(expected)
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    for note in notes:
        assert any(note in said for said in cell["notes"]), cell["notes"]


def test_integers_as_text_reach_a_float_input_as_these_numbers(farm: Farm, tmp_path: Path) -> None:
    """Text without a dot is int32: MDL aborts on it, Lite takes its bits as float."""
    write_files(tmp_path)
    ones = "[" + ",".join("1" * 10) + "]"
    cell, found = dumped(farm, "two_inputs", f"image:i8.npy;weights:{ones}")
    # The model multiplies by `weights` at its end: with the ramp and with ones the outputs differ by the ramp.
    np.testing.assert_allclose(found.ravel() * RAMP, golden("two_inputs.ramp").ravel(), rtol=1e-4, atol=1e-5)
    assert any("sent as float32 {1,10}" in note for note in cell["notes"])
    assert "weights:" in " ".join(cell["argv"])
    assert ones not in " ".join(cell["argv"])


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("dat:f8.npy", "no input 'dat'", "did you mean data?"),
        ("data:flat.npy", "4 dimensions, the data has 1", "data {1,3,16,16} float32"),
        ("data:wide.npy", "cannot represent exactly", "save them as float32"),
    ],
)
def test_data_that_the_model_cannot_take_ends_before_any_run(
    farm: Farm, tmp_path: Path, text: str, says: str, hint: str
) -> None:
    write_files(tmp_path)
    np.save(tmp_path / "flat.npy", TINY.ravel())
    np.save(tmp_path / "wide.npy", np.full(TINY.shape, 2**24 + 1))
    outcome = farm("bench", "--model", "bundled:tiny", "--input", text)
    assert outcome.code == 2, outcome.stderr
    words = " ".join(outcome.stderr.split())
    assert says in words
    assert hint in words
    assert not (tmp_path / "runs").exists()


def test_the_plan_says_what_is_converted_and_asks_the_model_once(farm: Farm, tmp_path: Path) -> None:
    write_files(tmp_path)
    words = ("plan", "--model", "bundled:two_inputs", "--input", "image:i8.npy")
    first = farm(*words)
    assert first.code == 0, first.stderr
    plain = " ".join(first.stdout.split())
    assert "i8.npy: int64 converted to the model's uint8" in plain
    assert "no data given for weights of two_inputs" in plain
    assert "reading the inputs" in first.stderr
    (kept,) = (tmp_path / "cache" / "model-info").iterdir()
    again = farm(*words)
    assert (again.stdout, again.stderr) == (first.stdout, "")
    kept.write_text("damaged")
    assert farm(*words).stdout == first.stdout
    assert farm("plan", "--model", "bundled:two_inputs", "--input", "imag:i8.npy").code == 2


def test_without_the_runtime_the_plan_only_says_that_it_did_not_look(farm: Farm, tmp_path: Path) -> None:
    runtimes = tmp_path / "cache" / "runtimes"
    runtimes.unlink()
    write_files(tmp_path)
    outcome = farm("plan", "--model", "bundled:tiny", "--input", "dat:f8.npy")
    assert outcome.code == 0, outcome.stderr
    assert "not compared with the model" in outcome.stdout
    assert not runtimes.exists()


def test_a_model_that_the_runtime_cannot_load_is_left_to_its_device(farm: Farm, tmp_path: Path) -> None:
    (tmp_path / "cut.mge").write_bytes((BUNDLED / "tiny.mge").read_bytes()[:2000])
    outcome = farm("plan", "--model", "cut.mge", "--input", "data:[1.0]")
    assert outcome.code == 0, outcome.stderr
    assert "not compared with the model: the wheel runtime" in " ".join(outcome.stdout.split())
