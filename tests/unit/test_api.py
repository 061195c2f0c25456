"""farm.api: what a script asks for is what the options say, and what is wrong is told as there."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from farm import api
from farm.errors import RequestError
from farm.plan.request import Arguments, read_request
from tests.data.results import make
from tests.unit.history.nights import keep, name_of, night

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")


def test_a_request_is_what_the_options_say() -> None:
    asked = api.request(
        models="bundled:tiny",
        variants={"plain": "", "nchw44": {"enable-nchw44": True}},
        rounds=5,
        seed=1,
        options={"iter": 50},
        ab=["plain", "nchw44"],
        minimum_effect="5%",
        devices=None,
    )
    typed = Arguments(
        models=("bundled:tiny",),
        variants=("plain=", "nchw44=--enable-nchw44"),
        rounds="5",
        seed=1,
        options=asked.variants[0].options,
        ab="plain,nchw44",
        minimum_effect="5%",
    )
    assert asked.rounds == 5
    assert asked.variants[0].options.as_dict() == {"iter": 50}
    assert asked == read_request(typed)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"modles": ["a.mge"]}, r"a request has no 'modles' \(did you mean models\?\)"),
        ({"rounds": 0}, "rounds"),
        ({"options": {"itre": 5}}, "itre"),
        ({"variants": {"a": {"nonsense": 1}}}, "nonsense"),
        ({"devices": " "}, "--devices is empty"),
    ],
)
def test_what_is_wrong_is_a_request_error(given, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        api.request(**given)


def test_records_have_a_mapping_for_each_round() -> None:
    made = make.lab()
    rows = api.records(made)
    assert len(rows) >= sum(len(cell.rounds) for cell in made.cells)
    assert {"device", "model", "variant", "value_ms", "e2e_ms"} <= rows[0].keys()


def test_a_frame_needs_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RequestError, match="no frame of 'excel'"):
        api.frame(make.small(), "excel")
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    with pytest.raises(RequestError, match="polars is not installed") as caught:
        api.frame(make.small(), "polars")
    assert caught.value.hint == "pip install polars"


def test_runs_are_read_and_compared_by_their_names(tmp_path: Path) -> None:
    for number in range(2):
        keep(tmp_path, night(number))
    assert api.results(runs_dir=tmp_path).run_id == name_of(1)
    compared = api.compare(name_of(0), name_of(1), runs_dir=str(tmp_path))
    assert (compared.baseline_run, len(compared.comparisons)) == (name_of(0), 1)
    with pytest.raises(RequestError, match="no tag"):
        api.results("tag:none", runs_dir=tmp_path)


def test_every_call_is_typed_documented_and_on_the_page() -> None:
    for name in api.__all__:
        call = getattr(api, name)
        assert inspect.getdoc(call), name
        if name != "Run":
            assert f"`{name}(" in PAGE or f"await {name}(" in PAGE, name
            assert all(
                one.annotation is not inspect.Parameter.empty
                for one in inspect.signature(call).parameters.values()
            )


def test_the_examples_are_python() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        ast.parse(block)
