"""What the user typed becomes models and variants; every mistake is found here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from farm.errors import RequestError
from farm.model.matrix import Model
from farm.model.options import OptionSet, Variant
from farm.options import parse
from farm.plan.layout import model_file_name, model_tree
from farm.plan.models import bundled_models, option_files, read_models
from farm.plan.request import Arguments, read_request, with_base

TINY = bundled_models()["tiny"].file.read_bytes()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FARM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mge").write_bytes(TINY)
    return tmp_path


def asked(models: list[str], inputs: list[str]) -> tuple[Model, ...]:
    return read_models(read_request(Arguments(models=tuple(models), inputs=tuple(inputs))).models)


def one(model: str, *inputs: str) -> Model:
    (only,) = asked([model], [*inputs])
    return only


def test_a_bundled_model_brings_its_input_unless_another_is_given() -> None:
    own = one("bundled:two_inputs")
    assert [file.tensor for file in own.inputs.files] == ["image", "weights"]
    assert own.inputs.template == "image:{0};weights:{1}"
    assert one("bundled:two_inputs", "").inputs.files == ()


def test_what_was_done_to_an_input_is_a_note_of_its_model() -> None:
    np.save("x.npy", np.ones((1, 3, 16, 16)))
    assert one("a.mge", "data:x.npy").notes == ("x.npy: float64 converted to float32",)


@pytest.mark.parametrize(
    ("path", "says", "hint"),
    [
        ("none.mge", "no such file", "check the path"),
        ("empty.mge", "empty", "copy it again"),
        ("text.mge", "not a MegEngine model", "bundled:tiny"),
        ("short.mge", "not a MegEngine model", "dump"),
        (".", "not a file", "the file itself"),
        ("bundled:tinny", "unknown bundled model 'tinny'", "did you mean tiny?"),
    ],
)
def test_a_model_that_is_none_is_refused_with_the_way_out(
    here: Path, path: str, says: str, hint: str
) -> None:
    (here / "empty.mge").touch()
    (here / "text.mge").write_text("this is no model, but it is long enough to be one")
    (here / "short.mge").write_bytes(TINY[:10])
    with pytest.raises(RequestError, match=says) as caught:
        one(path)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "says"), [("data:none.npy", "no such file: none.npy"), ("data:a.npy", "a.npy cannot be read"), ("data:hello", "neither")]
)  # fmt: skip
def test_an_input_that_cannot_be_read_is_refused(here: Path, text: str, says: str) -> None:
    (here / "a.npy").write_text("not numpy")
    with pytest.raises(RequestError, match=says):
        one("a.mge", text)


@pytest.mark.parametrize(
    ("file", "name"),
    [("模型.mge", "模型"), ("caf\udce9.mge", "caf-0dabce"), ("e\u0301t.mge", "\xe9t")],
    ids=ascii,
)
def test_a_model_keeps_a_readable_name_and_has_one_in_ascii_on_devices(
    here: Path, file: str, name: str
) -> None:
    (here / file).write_bytes(TINY)
    made = one(file)
    assert made.name == name
    assert model_file_name(made).isascii()
    assert model_tree(made).name.isascii()


@pytest.mark.parametrize("model", ["~no-such-user/x.mge", "m" * 5000])
def test_a_path_that_cannot_be_is_refused(here: Path, model: str) -> None:
    for arguments in ((model,), ("bundled:tiny", f"data:{model}.npy")):
        with pytest.raises(RequestError):
            one(*arguments)


def test_no_model_means_the_bundled_ones() -> None:
    assert [model.name for model in asked([], [])] == [*bundled_models()]


def test_one_input_serves_all_models_and_several_serve_one_each() -> None:
    Path("b.mge").write_bytes(TINY)
    both = asked(["a.mge", "bundled:int8"], ["data:[1.0]"])
    assert [model.inputs.text for model in both] == ["data:[1.0]", "data:[1.0]"]
    each = asked(["a.mge", "b.mge"], ["data:[1.0]", "data:[2.0]"])
    assert [model.inputs.text for model in each] == ["data:[1.0]", "data:[2.0]"]
    with pytest.raises(RequestError, match="2 inputs for 3 models"):
        asked(["a.mge", "b.mge", "bundled:int8"], ["data:[1.0]", "data:[2.0]"])


@pytest.mark.parametrize("name", ["models", "inputs", "variants", "sweeps"])
def test_a_suite_is_never_mixed_with_models_and_variants_of_the_command_line(name: str) -> None:
    with pytest.raises(RequestError, match="--suite cannot be combined with"):
        read_request(Arguments(suite=Path("nightly.yaml"), **{name: ("x",)}))  # type: ignore[arg-type]


def test_models_of_one_name_are_told_apart_and_the_same_twice_is_refused(here: Path) -> None:
    (here / "other").mkdir()
    (here / "other" / "a.mge").write_bytes(TINY + b"more")
    names = [model.name for model in asked(["a.mge", "other/a.mge"], [])]
    assert len(set(names)) == 2
    assert all(name.startswith("a-") for name in names)
    with pytest.raises(RequestError, match="twice"):
        asked(["a.mge", "a.mge"], [])


def test_variants_stand_on_the_options_of_the_command_line() -> None:
    base = parse(["--iter", "20", "--cpu"])
    (only,) = with_base(base, [])
    assert (only.name, only.options) == ("default", base)
    (more,) = with_base(base, [Variant("v", parse(["--iter", "5"]))])
    assert more.options.as_dict() == {"iter": 5, "cpu": True}
    with pytest.raises(RequestError, match="two variants have the name 'v'"):
        with_base(base, [Variant("v", OptionSet()), Variant("v", base)])


def test_files_that_options_read_belong_to_their_variant() -> None:
    Path("lib.so").write_bytes(b"library")
    with_library = Variant("v", parse(["--c-opr-lib", "lib.so"]))
    found = option_files([with_library, Variant("plain", OptionSet())])
    assert [(name, file.name) for name, file in found["v"]] == [("c-opr-lib", "lib.so")]
    assert found["plain"] == ()
