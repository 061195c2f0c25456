"""`--input` before a device: read, converted where a program would misread it, compared with the model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from farm.errors import RequestError
from farm.model.artifact import Artifact
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Model, Plan
from farm.model.measurement import TensorInfo
from farm.model.options import Variant
from farm.options import parse
from farm.plan import prepare
from farm.plan.content.model_info import UnreadableError
from farm.plan.inputs import fit_inputs, leave_unchecked, read_input
from farm.plan.layout import input_names
from farm.plan.matrix import Sources, choose, make_plan
from farm.run.deploy import Deployed
from farm.runtime.install import InstalledRuntime

DATA = TensorInfo("input", "data", (1, 3), "float32")
IMAGE = TensorInfo("input", "image", (1, 2, 3, 3), "uint8")
OUT = TensorInfo("output", "out", (1, 10), "float32")
PIXELS = bytes(range(18))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FARM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def model(text: str, kind: str = "mdl") -> Model:
    spec, notes = read_input(text)
    return Model("m", Artifact("m.mge", "0" * 64, 1, Path("m.mge")), spec, kind, notes)  # type: ignore[arg-type]


def fitted(text: str, *tensors: TensorInfo) -> Model:
    return fit_inputs(model(text), (*tensors, OUT))


def travels(one: Model, index: int = 0) -> np.ndarray:
    return np.load(one.inputs.files[index].artifact.path)


def on_device(one: Model) -> str | None:
    """The text that the program gets."""
    return Deployed(folders={one: "/d"}).input_text(one)


def test_a_file_that_every_program_reads_right_travels_as_it_is(here: Path) -> None:
    np.save("x.npy", np.ones((1, 3), np.float32))
    one = fitted("data:x.npy", DATA)
    assert one.inputs.files[0].artifact.path == here / "x.npy"
    assert one.notes == ()
    assert not (here / "cache" / "inputs").exists()


def test_what_a_program_would_misread_is_kept_converted_once_with_a_note(here: Path) -> None:
    np.save("x.npy", np.arange(6.0).reshape(2, 3).T)
    first, second = model("data:x.npy"), model("data:x.npy")
    assert first.inputs == second.inputs
    assert [path.name for path in (here / "cache" / "inputs").rglob("*.npy")] == [
        f"{first.inputs.files[0].artifact.sha256}.npy"
    ]
    np.testing.assert_array_equal(travels(first), np.load("x.npy"))
    assert travels(first).flags.c_contiguous
    assert first.notes == (
        "x.npy: float64 converted to float32",
        "x.npy: Fortran order converted to C order",
    )


def test_a_converted_file_that_was_damaged_in_the_cache_is_written_again() -> None:
    Path("x.ppm").write_bytes(b"P6\n3 2\n255\n" + PIXELS)
    path = model("image:x.ppm").inputs.files[0].artifact.path
    path.write_bytes(b"damaged")
    assert model("image:x.ppm").inputs.files[0].artifact.path.read_bytes() == b"P6\n3 2 255\n" + PIXELS


def test_notes_of_the_text_itself_are_not_lost() -> None:
    assert "no data" in model("data:{1,3}").notes[0]


def test_the_suffix_of_the_name_counts_not_of_what_a_link_points_to(here: Path) -> None:
    np.save("blob.npy", np.ones((1, 3), np.float32))
    Path("blob.npy").rename("blob")
    Path("x.npy").symlink_to("blob")
    one = fitted("data:x.npy", DATA)
    assert one.inputs.files[0].artifact.path == here / "blob"
    assert on_device(one) == "data:/d/input0-x.npy"


def test_the_program_gets_files_and_text_under_their_tensors() -> None:
    np.save("x.npy", np.ones((1, 3), np.float32))
    Path("x.ppm").write_bytes(b"P6\n3 2 255\n" + PIXELS)
    other = TensorInfo("input", "b{1}", (1, 2), "float32")
    one = fitted("data:x.npy; image:x.ppm; b{1}:[1.5,2]", DATA, IMAGE, other)
    assert on_device(one) == "data:/d/input0-x.npy;image:/d/input1-x.ppm;b{1}:[1.5,2]"


def test_an_array_gets_the_type_of_the_model_from_the_users_own_numbers() -> None:
    np.save("x.npy", np.array([[1, 2, 2**24 + 1]], np.float64))
    one = fitted("data:x.npy", TensorInfo("input", "data", (1, 3), "int32"))
    assert travels(one).tolist() == [[1, 2, 2**24 + 1]]
    assert one.notes == ("x.npy: float64 converted to the model's int32",)


@pytest.mark.parametrize(
    ("text", "tensor", "sent"),
    [
        ("data:[1,2,3]", DATA, [[1, 2, 3]]),
        ("data:[[1.0,2.0,3.0]]", DATA, [[1, 2, 3]]),
        ("data:1.5,2,3", DATA, [[1.5, 2, 3]]),
        ("data:[1.0,2.0,3.0]", TensorInfo("input", "data", (1, 3), "int8"), [[1, 2, 3]]),
    ],
)
def test_text_that_would_be_of_another_type_or_rank_is_sent_as_a_file(
    text: str, tensor: TensorInfo, sent: list[object]
) -> None:
    one = fitted(text, tensor)
    assert on_device(one) == "data:/d/input0-data.npy"
    assert travels(one).tolist() == sent
    assert travels(one).dtype == tensor.dtype
    assert "load_and_run would read the text as" in one.notes[0]


def test_text_that_is_right_stays_text() -> None:
    one = fitted("data:[1.0,2,3]", DATA)
    assert (on_device(one), one.notes) == ("data:[1.0,2,3]", ())


@pytest.mark.parametrize("tensors", [(), (replace(DATA, dtype="int32"),)], ids=["unknown", "int32"])
def test_an_integer_that_the_program_would_cut_to_32_bits_is_refused(tensors: tuple[TensorInfo, ...]) -> None:
    rows = TensorInfo("input", "other", (), "")
    with pytest.raises(RequestError, match="int32"):
        fitted("data:[[0,2147483648,1]]" if tensors else "other:[[0,2147483648,1]]", *tensors, rows)
    assert fitted("data:[[-2147483648,2147483647,1]]", replace(DATA, dtype="int32")).inputs


def test_names_that_are_not_utf_8_travel_under_readable_ones(here: Path) -> None:
    np.save("caf\udce9.npy", np.ones((1, 3), np.float64))
    one = fitted("data:caf\udce9.npy", DATA)
    (name,) = input_names(one.inputs)
    assert name.isascii()
    assert name.startswith("input0-caf-")
    assert all(note.isprintable() for note in one.notes)


def test_an_image_for_a_float_input_travels_as_an_array() -> None:
    Path("x.ppm").write_bytes(b"P6\n3 2\n255\n" + PIXELS)
    one = fitted("data:x.ppm", TensorInfo("input", "data", (1, 2, 3, 3), "float32"))
    assert input_names(one.inputs) == ("input0-x.npy",)
    assert travels(one).ravel().tolist() == list(range(18))


def test_json_gets_the_type_of_the_model() -> None:
    Path("x.json").write_text('{"data":\n "shape": [1,3], "type": "int32", "raw": [3,4,5] } }')
    one = fitted("x.json", DATA)
    assert json.loads(one.inputs.files[0].artifact.path.read_text())["data"]["type"] == "float32"
    assert len(one.notes) == 2


def test_a_name_left_out_is_the_only_input() -> None:
    one = fitted("[1,2,3,4]", TensorInfo("input", "weights", (1, 4), "int32"))
    assert on_device(one) == "weights:[1,2,3,4]"
    assert "'weights', the only input" in one.notes[0]
    assert on_device(fitted("[1.0,2,3]", DATA)) == "data:[1.0,2,3]"


@pytest.mark.parametrize(
    ("text", "tensors", "says", "hint"),
    [
        ("dat:[1.0,2,3]", (DATA, IMAGE), "no input 'dat'", "did you mean data?; inputs of the model: data {1,3} float32, image {1,2,3,3} uint8"),
        ("[1.0,2,3]", (IMAGE, OUT, TensorInfo("input", "w", (1,), "int32")), "no input 'data'", "image {1,2,3,3} uint8, w {1} int32"),
        ("x.json", (IMAGE,), "no input 'data'", "image"),
        ("data:[[[1.0],[2.0]],[[1.0],[2.0]]]", (DATA,), "2 dimensions, the data has 3", "data {1,3}"),
        ("data:{1,3,1}", (DATA,), "2 dimensions, the data has 3", "data"),
        ("data:flat.npy", (DATA,), "2 dimensions, the data has 1", "data"),
        ("data:[1.5,2,3]", (TensorInfo("input", "data", (1, 3), "int32"),), "cannot represent", "{1,3} int32"),
        ("data:flat.npy", (TensorInfo("input", "data", (3,), "uint8"),), "flat.npy has numbers that uint8", "data {3} uint8"),
        ("x.json", (TensorInfo("input", "data", (1, 3), "int16"),), "is int16, the data is int32", "int16"),
        ("x.json;data:[1.0,2,3]", (DATA,), "twice", "remove one"),
        ("[1.0];image:[1.0]", (IMAGE,), "twice", "remove one"),
    ],
)  # fmt: skip
def test_data_that_no_input_takes_is_refused_with_what_the_model_has(
    text: str, tensors: tuple[TensorInfo, ...], says: str, hint: str
) -> None:
    np.save("flat.npy", np.array([1.5, 2, 3], np.float32))
    Path("x.json").write_text('{"data": {"shape": [1,3], "type": "int32", "raw": [3,4,5]}}')
    with pytest.raises(RequestError, match="--input") as caught:
        fitted(text, *tensors)
    assert says in caught.value.message
    assert hint in str(caught.value.hint)


def test_types_that_no_file_can_have_are_left_to_the_program() -> None:
    np.save("x.npy", np.ones((1, 3), np.float32))
    assert fitted("data:x.npy", TensorInfo("input", "data", (1, 3), "float16")).notes == ()


def test_inputs_that_are_left_out_are_named() -> None:
    (note,) = fitted("data:[1.0,2,3]", DATA, IMAGE).notes
    assert note.startswith("no data given for image of m: outputs, and times")
    assert "are for zeros" in note


def test_a_file_that_is_gone_when_the_model_is_known_is_an_error_of_the_request() -> None:
    np.save("x.npy", np.ones((1, 3), np.float32))
    one = model("data:x.npy")
    Path("x.npy").unlink()
    with pytest.raises(RequestError, match="no such file"):
        fit_inputs(one, (DATA,))


def test_a_model_that_cannot_be_read_keeps_its_input_and_says_so() -> None:
    assert leave_unchecked(model("data:[1.0]"), "why").notes == (
        "input of m not compared with the model: why",
    )
    assert "zeros" in leave_unchecked(model(""), "why").notes[0]


def planned(*models: Model) -> Plan:
    """The plan of these models, planned as farm does: their inputs fitted before."""
    device = Device("d", Address("10.0.0.1"), Runtime(RuntimeKind.NATIVE, program="/bin/true"))
    variant = Variant("v", parse(["--multithread", "2", "--cpu"]))
    sources = Sources((device,), models, (variant,))
    matrix = choose(sources)
    runtime = cast("InstalledRuntime", object())
    return make_plan(sources, matrix, prepare.fit_models(matrix.models, runtime, lambda *_: None))


def test_the_plan_has_the_fitted_models_and_the_cells_their_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    np.save("x.npy", np.array([[1, 2, 3]], np.int64))
    read = model("data:x.npy")
    assert read.notes == ("x.npy: int64 converted to int32",)
    monkeypatch.setattr(prepare, "model_tensors", lambda *_: (DATA, OUT))
    plan = planned(read)
    note, *others = plan.cells[0].notes
    assert note == "x.npy: int64 converted to the model's float32"
    assert others
    assert plan.models == (plan.cells[0].model,)
    assert travels(plan.cells[0].model).dtype == np.float32


def test_without_the_runtime_or_its_help_a_note_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise UnreadableError("it cannot")

    (unchecked,) = prepare.fit_models([model("data:[1]")], None, lambda *_: None)
    assert "not installed here" in unchecked.notes[0]
    monkeypatch.setattr(prepare, "model_tensors", refuse)
    assert "it cannot" in planned(model("data:[1]")).cells[0].notes[0]


def test_a_test_case_holds_its_own_inputs_and_is_not_asked() -> None:
    one = model("", "testcase")
    assert prepare.fit_models([one], None, lambda *_: None) == (one,)
