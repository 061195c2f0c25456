"""--input in all its forms: the right numbers reach the model, or the run stops with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from farm.dumps.tensor import parse_tensor

from .conftest import BUNDLED, Ended, Load, Wheel, close, golden

pytestmark = pytest.mark.wheel
TINY, TWO = BUNDLED / "tiny.mge", BUNDLED / "two_inputs.mge"
IMAGE = np.load(BUNDLED / "tiny.data.npy")
PICTURE = np.load(BUNDLED / "two_inputs.image.npy")


def run(wheel: Wheel, model: Path, text: str, folder: Path | None = None, *more: str) -> Ended:
    return wheel(
        model,
        "--iter",
        "1",
        "--warmup-iter",
        "0",
        "--bin-out-dump",
        "o",
        "--input",
        text,
        *more,
        within=folder,
    )


def saved(wheel: Wheel, array: np.ndarray, name: str = "x.npy") -> Path:
    folder = wheel.place()
    np.save(folder / name, array)
    return folder


@pytest.mark.parametrize(
    "weights",
    [
        f"weights:{BUNDLED / 'two_inputs.weights.json'}",
        "weights:[0,0.25,0.5,0.75,1.0,1.25,1.5,1.75,2.0,2.25]",
        "weights:[[0,0.25,.5,7.5e-1,1,1.25,1.5,1.75,2,2.25]]",
        "weights:0,0.25,0.5,0.75,1.0,1.25,1.5,1.75,2.0,2.25",
    ],
)
@pytest.mark.parametrize("suffix", ["npy", "ppm"])
def test_strings_json_npy_and_ppm_give_the_same_numbers(wheel: Wheel, weights: str, suffix: str) -> None:
    name = Path(weights.partition(":")[2]).name if weights.endswith(".json") else weights.partition(":")[0]
    assert name
    done = run(wheel, TWO, f"image:{BUNDLED / f'two_inputs.image.{suffix}'};{weights}").passed()
    output = done.output()
    assert close(output.reshape(1, -1), golden("two_inputs.ramp"))


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(np.asfortranarray(IMAGE), id="fortran"),
        pytest.param(IMAGE.astype(np.float64), id="float64"),
        pytest.param(IMAGE.astype(">f4"), id="big-endian"),
    ],
)
def test_arrays_that_the_c_program_misreads_or_refuses_are_read_right(
    wheel: Wheel, array: np.ndarray
) -> None:
    done = run(wheel, TINY, "data:x.npy", saved(wheel, array)).passed()
    assert close(done.output(), golden("tiny"))


@pytest.mark.parametrize("dtype", ["i8", "i4", "i2", "i1", "u4", "u2", "u1", "f2", "?"])
def test_numbers_of_every_type_reach_a_float_input_with_a_note(wheel: Wheel, dtype: str) -> None:
    numbers = (np.arange(3 * 16 * 16) % 2).reshape(1, 3, 16, 16)
    expected = run(wheel, TINY, "data:x.npy", saved(wheel, numbers.astype(np.float32))).passed()
    done = run(wheel, TINY, "data:x.npy", saved(wheel, numbers.astype(dtype))).passed()
    assert np.array_equal(done.output(), expected.output())
    assert "converted to float32" in done.err


def test_every_axis_of_a_fortran_array_lands_where_it_belongs(wheel: Wheel) -> None:
    done = run(wheel, TWO, "image:x.npy", saved(wheel, np.asfortranarray(PICTURE))).passed()
    plain = run(wheel, TWO, f"image:{BUNDLED / 'two_inputs.image.npy'}").passed()
    dump = [wheel(TWO, "--iter", "1", "--warmup-iter", "0", "--io-dump", "io.txt", "--input", text, within=folder).passed()
            for text, folder in (("image:x.npy", done.folder), (f"image:{BUNDLED / 'two_inputs.image.npy'}", plain.folder))]  # fmt: skip
    first, second = [(one.folder / "io.txt").read_text() for one in dump]
    assert first == second
    assert np.array_equal(done.output(), plain.output())


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.full((1, 32, 32, 3), 0.5), "which uint8 cannot hold"),
        (np.full((1, 32, 32, 3), 256), "which uint8 cannot hold"),
        (np.full((1, 32, 32, 3), -1, np.int8), "which uint8 cannot hold"),
        (np.full((1, 32, 32, 3), np.nan, np.float32), "which uint8 cannot hold"),
    ],
)
def test_numbers_that_the_input_cannot_hold_are_refused(wheel: Wheel, array: np.ndarray, why: str) -> None:
    assert why in run(wheel, TWO, "image:x.npy", saved(wheel, array)).why()


def test_integers_that_a_float_would_round_are_refused(wheel: Wheel) -> None:
    array = np.full((1, 3, 16, 16), 2**24 + 1)
    assert "cannot hold exactly" in run(wheel, TINY, "data:x.npy", saved(wheel, array)).why()


def test_doubles_beyond_float_are_refused(wheel: Wheel) -> None:
    assert (
        "beyond the range"
        in run(wheel, TINY, "data:x.npy", saved(wheel, np.full((1, 3, 16, 16), 1e300))).why()
    )


@pytest.mark.parametrize(
    "header",
    [
        b"P6\n32 32\n255\n",
        b"P6\n# a comment\n32 32\n# another\n255\n",
        b"P6 32 32 255 ",
    ],
)
def test_every_header_of_a_picture_gives_the_same_pixels(wheel: Wheel, header: bytes) -> None:
    folder = wheel.place()
    (folder / "x.ppm").write_bytes(header + PICTURE.tobytes())
    done = run(wheel, TWO, f"image:x.ppm;weights:{BUNDLED / 'two_inputs.weights.npy'}", folder).passed()
    assert close(done.output(), golden("two_inputs"))


def test_a_grey_picture_has_one_channel(wheel: Wheel) -> None:
    folder = wheel.place()
    (folder / "x.pgm").write_bytes(b"P5\n32 32 255\n" + bytes(32 * 32))
    done = wheel(TWO, "--model-info", "--input", "image:x.pgm", within=folder)
    assert "{1,32,32,1}" in done.err or "channel" in done.err


def test_a_shape_alone_fills_ones(wheel: Wheel) -> None:
    done = run(wheel, TWO, "image:{2,16,16,3}").passed()
    assert done.output().shape == (2, 10)


def test_an_input_that_is_not_given_is_zero(wheel: Wheel) -> None:
    weights = f"weights:{BUNDLED / 'two_inputs.weights.npy'}"
    done = wheel(TWO, "--iter", "1", "--bin-io-dump", "io", "--input", weights).passed()
    found = [parse_tensor(path.read_bytes()) for path in (done.folder / "io").iterdir()]
    pictures = [
        tensor.values for tensor in found if tensor.values.shape == PICTURE.shape and tensor.dtype == "uint8"
    ]
    assert pictures
    assert not any(picture.any() for picture in pictures)


def test_another_height_and_width_are_taken(wheel: Wheel) -> None:
    done = run(
        wheel, TINY, "data:x.npy", saved(wheel, np.ones((1, 3, 20, 24), np.float32)), "--model-info"
    ).passed()
    assert "{1,3,20,24}" in done.err


def test_batch_size_repeats_the_rows(wheel: Wheel) -> None:
    done = run(wheel, TINY, f"data:{BUNDLED / 'tiny.data.npy'}", None, "--batch-size", "3").passed()
    assert close(done.output(), np.repeat(golden("tiny"), 3, axis=0))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nope:[1.0]", "the model's inputs are: data"),
        ("data:none.npy", "failed to open none.npy"),
        ("data:none.ppm", "failed to open none.ppm"),
        ("none.json", "failed to open none.json"),
        ("data:x.txt", "must end in .json, .npy, .ppm or .pgm"),
        ("data:[[1,2],[3]]", "rows of different length"),
        ("data:[1,2", "braces not closed"),
        ("data:hello", "cannot read"),
        ("data:{1,x}", "valid format: {d0,d1,..,dn}"),
        ("data:[1.0];data:[2.0]", "gives data twice"),
    ],
)
def test_an_input_that_cannot_be_read_is_named(wheel: Wheel, text: str, why: str) -> None:
    assert why in run(wheel, TINY, text).why()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("x.npy", b"no array", "does not have a valid npy format"),
        ("x.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': '<c8'}", "invalid npy header"),
        ("x.npy", b"\x93NUMPY\x01\x00\x40\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}".ljust(64), "needs 12"),
        ("x.ppm", b"P3\n1 1 255\n0 0 0", "not a formal ppm/pgm"),
        ("x.ppm", b"P6\n4 4 255\n123", "needs 48"),
        ("x.ppm", b"P6\n1 1 65535\n123456", "only one byte"),
        ("x.json", b"[1]", '"raw"'),
        ("x.json", b"{", "parse json"),
        ("x.json", json.dumps({"data": {"shape": [2], "type": "float32", "raw": [1]}}).encode(), "needs 2"),
        ("x.json", json.dumps({"data": {"shape": [1], "type": "double", "raw": [1]}}).encode(), "unknown json data type"),
    ],
)  # fmt: skip
def test_a_file_that_is_damaged_is_refused(wheel: Wheel, name: str, content: bytes, why: str) -> None:
    folder = wheel.place()
    (folder / name).write_bytes(content)
    assert why in run(wheel, TINY, f"data:{name}", folder).why()


def test_numbers_written_as_strings_in_json_are_numbers(wheel: Wheel) -> None:
    folder = wheel.place()
    ramp = [str(index / 4) for index in range(10)]
    (folder / "x.json").write_text(
        json.dumps({"weights": {"shape": [1, 10], "type": "float32", "raw": ramp}})
    )
    done = run(wheel, TWO, f"image:{BUNDLED / 'two_inputs.image.npy'};x.json", folder).passed()
    assert close(done.output(), golden("two_inputs.ramp"))


@pytest.mark.parametrize(
    ("number", "letter", "why"),
    [
        (2**11 + 1, "e", "integers that float16 cannot hold exactly"),
        (70_000, "e", "numbers beyond the range of float16"),
        (2**24 + 1, "f", "integers that float32 cannot hold exactly"),
    ],
)
def test_an_integer_that_a_float_input_cannot_hold_is_refused(
    module: Load, number: int, letter: str, why: str
) -> None:
    arrays, errors = module("inputs.arrays"), module("errors")
    with pytest.raises(errors.AbortError, match=why):
        arrays.encode("data", arrays.Array([number], (1,), "q", "x.npy"), letter, 1)
