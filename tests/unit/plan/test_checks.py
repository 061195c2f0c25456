"""Check rounds in a plan: when there are any, what they get, and golden files."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from farm.errors import RequestError
from farm.inventory.values.checks import parse_check, parse_tolerances
from farm.model.artifact import Artifact
from farm.model.comparison import Change, Duel
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Model, Plan, RoundKind
from farm.model.measurement import TensorInfo
from farm.model.options import OptionSet, Variant
from farm.model.outputs import Check, Tolerance
from farm.model.request import ModelRequest, Request
from farm.options import parse
from farm.plan.checks import apply
from farm.plan.checks.apply import with_checks
from farm.plan.checks.golden import read_golden, require_fit
from farm.plan.checks.random_input import random_input, why_not
from farm.plan.inputs import fit_inputs, read_input
from farm.plan.layout import model_tree
from farm.plan.matrix import needed_artifacts
from farm.plan.schedule import schedule
from farm.run.deploy import Deployed, Program
from farm.run.execute import command_of, ready
from farm.runtime.install import InstalledRuntime
from tests.unit.plans import plan_of

DATA = TensorInfo("input", "data", (1, 3), "float32")
MORE = TensorInfo("input", "more{1}", (2,), "int8")
OUT = TensorInfo("output", "out", (1, 10), "float32")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FARM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def model(text: str = "", *tensors: TensorInfo, name: str = "m") -> Model:
    spec, notes = read_input(text)
    made = Model(name, Artifact("m.mge", "0" * 64, 1, Path("m.mge")), spec, "mdl", notes)
    return fit_inputs(made, (*tensors, OUT)) if tensors else made


def planned(*models: Model, options: str = "", runtime: RuntimeKind = RuntimeKind.WHEEL) -> Plan:
    devices = [Device(name, Address(name), Runtime(runtime, "p")) for name in ("a", "b")]
    return plan_of(devices, models, [Variant("v", parse(options.split())), Variant("w", OptionSet())])


def checked(
    plan: Plan, *, is_compared: bool = False, runtime: InstalledRuntime | None = None, **more: Any
) -> Plan:
    given = {"models": tuple(ModelRequest(Path("m.mge")) for _ in plan.models)} | more
    return with_checks(plan, Request(**given), runtime, lambda *_: None, is_compared=is_compared)


def checks_of(plan: Plan) -> dict[str, int]:
    return {cell.id: sum(one.kind is RoundKind.CHECK for one in cell.rounds) for cell in plan.cells}


# --------------------------------------------------------------------------- when


def test_outputs_are_checked_where_there_is_something_to_compare_them_with(here: Path) -> None:
    plan = planned(model("data:[1.0,2.0,3.0]", DATA))
    np.save("g.npy", np.zeros((1, 10), np.float32))
    assert checked(plan) == plan
    assert checked(plan, check=Check.OFF, goldens=("m:g.npy",), is_compared=True) == plan
    for asked in (
        checked(plan, check=Check.OUTPUTS),
        checked(plan, is_compared=True),
        checked(plan, goldens=("m:g.npy",)),
    ):
        assert asked.checking.check is Check.OUTPUTS
        # The first cell of each model and variant runs twice.
        assert checks_of(asked) == {"a/m/v": 2, "a/m/w": 2, "b/m/v": 1, "b/m/w": 1}


def test_check_rounds_come_before_the_timed_ones_and_have_the_options_of_these() -> None:
    plan = checked(
        planned(model("data:[1.0,2.0,3.0]", DATA), options="--enable-nchw44 --iter 50 --profile p"),
        check=Check.OUTPUTS,
    )
    order = schedule([cell for cell in plan.cells if cell.device.name == "a"], 1)
    kinds = [one.kind for _, one in order.steps]
    assert kinds == [RoundKind.CHECK] * 4 + [RoundKind.TIMED] * 2 + [RoundKind.PROFILE] * 3
    options = next(
        one.options for cell, one in order.steps if cell.variant.name == "v" and one.kind is RoundKind.CHECK
    )
    assert options.as_dict() == {
        "iter": 2,
        "warmup-iter": 0,
        "bin-out-dump": "outputs",
        "enable-nchw44": True,
    }


@pytest.mark.parametrize(
    ("options", "runtime", "why"),
    [
        ("--record-comp-seq2 --no-sanity-check", RuntimeKind.WHEEL, "frees the graph"),
        ("--lite", RuntimeKind.NATIVE, "does not support Lite models"),
    ],
)
def test_options_that_allow_no_dump_of_outputs_are_a_note_and_no_failure(
    options: str, runtime: RuntimeKind, why: str
) -> None:
    plan = checked(
        planned(model("data:[1.0,2.0,3.0]", DATA), options=options, runtime=runtime), check=Check.OUTPUTS
    )
    assert checks_of(plan) == {"a/m/v": 0, "a/m/w": 2, "b/m/v": 0, "b/m/w": 1}
    assert any("outputs are not checked" in note and why in note for note in plan.cells[0].notes)


@pytest.mark.parametrize("options", ["--thread 2", "--no-sanity-check --fake-first", "--copy-to-host"])
def test_options_that_change_no_output_are_left_out_of_the_check(options: str) -> None:
    plan = checked(
        planned(model("data:[1.0,2.0,3.0]", DATA), options=options, runtime=RuntimeKind.NATIVE),
        check=Check.OUTPUTS,
    )
    assert checks_of(plan)["a/m/v"] == 2


def test_the_other_side_of_a_canary_has_no_check_round() -> None:
    plan = planned(model("data:[1.0,2.0,3.0]", DATA))
    twin = replace(plan.cells[0], build="again")
    duel = Duel(plan.cells[0].id, twin.id, Change.NOTHING, is_canary=True)
    plan = checked(replace(plan, cells=(*plan.cells, twin), duels=(duel,)), check=Check.OUTPUTS)
    assert checks_of(plan)["a/m/v@again"] == 0


# --------------------------------------------------------------------------- inputs


def test_inputs_that_nobody_gave_are_random_numbers_of_the_check_rounds_only(here: Path) -> None:
    plan = checked(planned(model("data:[1.0,2.0,3.0]", DATA, MORE)), check=Check.OUTPUTS)
    cell = plan.cells[0]
    made = ready(cell, Deployed({cell.device.runtime: Program(("p",))}, folders={cell.model: "/d"}))
    timed, check = (
        next(one for one in cell.rounds if one.kind is kind) for kind in (RoundKind.TIMED, RoundKind.CHECK)
    )
    assert "--input=data:[1.0,2.0,3.0]" in command_of(made, timed)
    (text,) = (word for word in command_of(made, check) if word.startswith("--input="))
    name = text.rpartition("/")[2]
    assert text == f"--input=data:[1.0,2.0,3.0];more{{1}}:/d/{name}"
    artifact = dict(model_tree(cell.model).files)[name]
    assert artifact in needed_artifacts([cell])
    array = np.load(artifact.path)
    assert (array.shape, array.dtype) == ((2,), np.int8)
    records = cell.model.check.records if cell.model.check else ()
    assert [(one.tensor, one.seed) for one in records] == [("", None), ("more{1}", 0)]
    assert records[1].sha256 == artifact.sha256
    assert any("checked with random numbers for more{1} (all of int8)" in note for note in cell.notes)


def test_a_shape_without_data_is_filled_with_random_numbers_of_this_shape(here: Path) -> None:
    np.save("more.npy", np.ones(2, np.int8))
    plan = checked(planned(model("data:{4,3};more{1}:more.npy", DATA, MORE)), check=Check.OUTPUTS)
    found = plan.cells[0].model
    assert found.check
    assert found.check.inputs
    assert found.check.inputs.template == "more{{1}}:{0};data:{1}"
    assert np.load(found.check.inputs.files[1].artifact.path).shape == (4, 3)
    assert {one.tensor: one.seed for one in found.check.records} == {"more{1}": None, "data": 0}


@pytest.mark.parametrize(
    ("dtype", "digest"),
    [
        ("float32", "6ffc102cf8338853"),
        ("int8", "a85c069eafbea2ef"),
        ("int32", "6c2694c0a117f724"),
    ],
)
def test_the_same_seed_gives_the_same_bytes_for_ever(dtype: str, digest: str) -> None:
    data = random_input(TensorInfo("input", "data", (2, 500), dtype), 0)
    assert hashlib.sha256(data).hexdigest()[:16] == digest
    array = np.load(io.BytesIO(data))
    assert (array.dtype.name, array.shape) == (dtype, (2, 500))
    low, high = {"float32": (-1, 1), "int8": (-128, 127), "int32": (0, 1)}[dtype]
    assert low <= array.min() < array.max() <= high
    assert len(np.unique(array)) > {"float32": 900, "int8": 200, "int32": 1}[dtype]
    assert data != random_input(TensorInfo("input", "other", (2, 500), dtype), 0)
    assert data != random_input(TensorInfo("input", "data", (2, 500), dtype), 1)


@pytest.mark.parametrize(
    "tensor",
    [
        TensorInfo("input", "data", (1, 3), "float16"),
        TensorInfo("input", "data", (), "float32"),
        TensorInfo("input", "data", (1, 0), "float32"),
        TensorInfo("input", "data", (1 << 20, 1 << 20), "float32"),
        TensorInfo("input", "a;b", (1, 3), "float32"),
    ],
)
def test_an_input_that_cannot_have_random_numbers_keeps_zeros_and_says_so(tensor: TensorInfo) -> None:
    assert why_not(tensor)
    plan = checked(planned(replace(model(), left_out=(tensor,))), check=Check.OUTPUTS)
    assert any("are checked with zeros for" in note for note in plan.cells[0].notes)
    assert plan.cells[0].model.check
    assert plan.cells[0].model.check.inputs is None


def test_a_model_that_cannot_be_read_here_is_checked_with_zeros_and_says_so() -> None:
    plan = checked(planned(model()), check=Check.OUTPUTS)
    assert any(
        "checked with zeros: its inputs could not be read here" in note for note in plan.cells[0].notes
    )


# --------------------------------------------------------------------------- golden files


def fits(path: str, *outputs: TensorInfo, has_own_shapes: bool = True) -> None:
    require_fit(read_golden(Path(path)), (DATA, *outputs), has_own_shapes=has_own_shapes)


def test_golden_files_are_an_array_an_archive_or_a_folder(here: Path) -> None:
    one, two = np.zeros((1, 10), np.float32), np.ones(3, np.int32)
    second = TensorInfo("output", "second", (3,), "int32")
    np.save("g.npy", one)
    np.savez("g.npz", out=one, second=two)
    Path("g").mkdir()
    np.save("g/out.npy", one)
    np.save("g/second.npy", two)
    np.savez("unnamed.npz", one, two)
    fits("g.npy", OUT)
    for name in ("g.npz", "g", "unnamed.npz"):
        fits(name, OUT, second)
    assert [name for name, _ in read_golden(Path("g")).files] == ["out", "second"]
    np.savez("some.npz", second=two)
    fits("some.npz", OUT, second)
    np.save("wide.npy", one.astype(np.float64))
    fits("wide.npy", OUT)
    np.save("batch.npy", np.zeros((8, 10), np.float32))
    fits("batch.npy", OUT, has_own_shapes=False)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: None, "no such file"),
        (lambda: Path("g.npy").write_bytes(b""), "the file is empty"),
        (lambda: Path("g.npy").write_bytes(b"not an array"), "cannot be read as .npy"),
        (lambda: np.save("g.npy", np.array(["x"])), "which no output has"),
        (lambda: np.save("g.npy", np.array([{}]), allow_pickle=True), "cannot be read as .npy"),
        (lambda: np.save("g.npy", np.zeros((1, 10), np.int32)), "has the type int32, the output float32"),
        (
            lambda: np.save("g.npy", np.zeros((10,), np.float32)),
            r"has the shape \(10,\), the output \(1, 10\)",
        ),
        (lambda: Path("g.npy").mkdir(), "no .npy file in"),
    ],
)
def test_a_golden_file_that_is_no_such_output_is_refused(here: Path, make: Any, message: str) -> None:
    make()
    with pytest.raises(RequestError, match=message):
        fits("g.npy", OUT)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK", "cannot be read as .npz"),
        ({"readme.txt": b"x"}, "has no array"),
        ({"out.npy": b"x"}, "g.npz: out cannot be read as .npy"),
        ({"oust.npy": None}, "has 'oust', which is no output of the model.*out"),
    ],
)
def test_an_archive_that_is_none_is_refused(here: Path, content: Any, message: str) -> None:
    if isinstance(content, bytes):
        Path("g.npz").write_bytes(content)
    else:
        stream = io.BytesIO()
        np.save(stream, np.zeros((1, 10), np.float32))
        with zipfile.ZipFile("g.npz", "w") as archive:
            for name, data in content.items():
                archive.writestr(name, stream.getvalue() if data is None else data)
    with pytest.raises(RequestError, match=message):
        fits("g.npz", OUT, TensorInfo("output", "second", (3,), "int32"))


def test_one_array_for_a_model_of_two_outputs_is_refused(here: Path) -> None:
    np.save("g.npy", np.zeros((1, 10), np.float32))
    with pytest.raises(RequestError, match="is one array, the model has 2 outputs"):
        fits("g.npy", OUT, TensorInfo("output", "second", (3,), "int32"))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (("x:g.npy",), "no model 'x'"),
        (("g.npy",), "no model 'g.npy'"),
        (("m:g.npy", "m:g.npy"), "a second one for m"),
        (("m:missing.npy",), "no such file"),
    ],
)
def test_a_golden_file_names_its_model_and_is_there(here: Path, texts: tuple[str, ...], message: str) -> None:
    np.save("g.npy", np.zeros((1, 10), np.float32))
    given = model("data:[1.0,2.0,3.0]", DATA)
    with pytest.raises(RequestError, match=message):
        checked(planned(given, replace(given, name="n")), goldens=texts)


def test_of_one_model_the_golden_file_needs_no_name(here: Path) -> None:
    np.save("odd:name.npy", np.zeros((1, 10), np.float32))
    plan = checked(planned(model("data:[1.0,2.0,3.0]", DATA)), goldens=("odd:name.npy",))
    assert plan.models[0].check
    assert plan.models[0].check.golden
    assert plan.models[0].check.golden.name == "odd:name.npy"


def test_a_golden_file_without_the_input_that_it_was_made_with_is_refused(here: Path) -> None:
    np.save("g.npy", np.zeros((1, 10), np.float32))
    for given in (model("", DATA), model("")):
        with pytest.raises(RequestError, match="there is no --input"):
            checked(planned(given), goldens=("m:g.npy",))


def test_a_golden_file_of_a_suite_is_refused_with_its_line(here: Path) -> None:
    asked = ModelRequest(Path("m.mge"), name="m", source="nightly.yaml:3", golden=Path("g.npy"))
    with pytest.raises(RequestError, match="no such file") as caught:
        checked(planned(model("data:[1.0,2.0,3.0]", DATA)), models=(asked,))
    assert caught.value.source == "nightly.yaml:3"


def test_the_shape_of_a_golden_file_is_that_of_the_model(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save("g.npy", np.zeros((1, 11), np.float32))
    monkeypatch.setattr(apply, "model_tensors", lambda *_: (DATA, OUT))
    installed = InstalledRuntime("1.13.0", here, ())
    with pytest.raises(RequestError, match=r"has the shape \(1, 11\)"):
        checked(planned(model("data:[1.0,2.0,3.0]", DATA)), goldens=("m:g.npy",), runtime=installed)
    reshaped = model("data:[[1.0,2.0,3.0],[1.0,2.0,3.0]]", DATA)
    assert reshaped.is_reshaped
    checked(planned(reshaped), goldens=("m:g.npy",), runtime=installed)


# --------------------------------------------------------------------------- words


def test_every_tensor_has_a_round_of_its_own_for_each_cell() -> None:
    plan = checked(planned(model("data:[1.0,2.0,3.0]", DATA)), check=Check.ALL)
    kinds = [one.kind for one in plan.cells[0].rounds]
    assert (kinds.count(RoundKind.TENSORS), plan.checking.check) == (1, Check.ALL)
    (every,) = (one for one in plan.cells[0].rounds if one.kind is RoundKind.TENSORS)
    assert every.options.as_dict() == {"iter": 1, "warmup-iter": 0, "bin-io-dump": "tensors"}
    assert RoundKind.TENSORS not in [
        one.kind
        for one in checked(planned(model("data:[1.0,2.0,3.0]", DATA)), check=Check.OUTPUTS).cells[0].rounds
    ]


def test_a_word_that_check_does_not_know_is_refused_with_the_nearest_one() -> None:
    assert parse_check("all") is Check.ALL
    with pytest.raises(RequestError, match="outputs"):
        parse_check("output")
    assert parse_check(None) is None


@pytest.mark.parametrize(
    ("texts", "tolerances"),
    [
        ((), ()),
        (("1e-2",), (Tolerance("*", 1e-2, 0),)),
        (("0.01,1e-6", "qint8=0,2"), (Tolerance("*", 0.01, 1e-6), Tolerance("qint8", 0, 2))),
    ],
)
def test_tolerances_are_of_all_types_or_of_one(
    texts: tuple[str, ...], tolerances: tuple[Tolerance, ...]
) -> None:
    assert parse_tolerances(texts) == tolerances


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "1,2,3", "float23=1", "float32=", "=1"])
def test_a_tolerance_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="--tolerance"):
        parse_tolerances([text])


def test_two_tolerances_of_one_type_are_refused() -> None:
    with pytest.raises(RequestError, match="a second one for float32"):
        parse_tolerances(["float32=1", "float32=2"])
