"""Builds files, and builds in suites."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from farm.errors import ExitCode, RequestError
from farm.inventory import builds, suite
from farm.model.device import Runtime, RuntimeKind

ROOT = Path(__file__).parents[3]
WHOLE = """
builds:
  release:
    - {when: arch == aarch64, runtime: {kind: native, program: rel/lr, libraries: [rel/*.so]}}
    - when: [tag:cuda, not @old]
      runtime: {kind: wheel, overlay: {lib/libx.so: new/x.so}, preload: [b.so, a.so]}
  nightly: {kind: native, program: /data/lr, on_device: true, preload: p.so}
  one: {runtime: {kind: wheel}}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "builds.yaml"
    path.write_text(text)
    return path


def mistakes(folder: Path, text: str) -> str:
    path = write(folder, text)
    with pytest.raises(RequestError) as caught:
        builds.load(path)
    assert caught.value.exit_code is ExitCode.REQUEST
    return str(caught.value).replace(f"{folder}/", "")


def test_a_build_is_one_runtime_or_a_list_of_conditions_with_runtimes(tmp_path: Path) -> None:
    (tmp_path / "rel").mkdir()
    (tmp_path / "rel" / "a.so").touch()
    path = write(tmp_path, WHOLE)
    release, nightly, one = builds.load(path)
    assert release.source == f"{path}:3"
    assert [[condition.text for condition in choice.when] for choice in release.choices] == [
        ["arch == aarch64"], ["tag:cuda", "not @old"],
    ]  # fmt: skip
    native, wheel = (choice.runtime for choice in release.choices)
    assert native.program == str(tmp_path / "rel" / "lr")
    assert native.libraries == (str(tmp_path / "rel" / "a.so"),)
    assert wheel.overlay == (("lib/libx.so", str(tmp_path / "new" / "x.so")),)
    assert wheel.preload == (str(tmp_path / "b.so"), str(tmp_path / "a.so"))  # their order counts
    assert [choice.source for choice in release.choices] == [f"{path}:4", f"{path}:5"]
    assert nightly.choices[0].runtime == Runtime(
        RuntimeKind.NATIVE, "/data/lr", on_device=True, preload=(str(tmp_path / "p.so"),)
    )
    assert [choice.runtime for choice in one.choices] == [Runtime(RuntimeKind.WHEEL)]
    schema = json.loads((ROOT / "docs" / "schema" / "builds.schema.json").read_text("utf-8"))
    jsonschema.validate(YAML(typ="safe", pure=True).load(path), schema)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("builds: {a: {kid: wheel}}", "unknown key (did you mean kind?)"),
        ("builds: {a: {kind: wheel, preload: x, program: y}}", "program is for kind: native"),
        ("builds: {a: {kind: native, program: p, on_device: true, overlay: {lib/x.so: y}}}", "nothing is laid out"),
        ("builds: {a: {kind: wheel, overlay: {../../x: y}}}", "no name of a file in the folder"),
        ("builds: {a: {kind: wheel, overlay: {/etc/x: y}}}", "no name of a file in the folder"),
        ("builds: {a: [{when: arch == arm64}]}", "[1].runtime: is missing"),
        ("builds: {a: [{when: tags:x, runtime: {kind: wheel}}]}", "unknown subject"),
        ("builds: {a: [{when: model:x, runtime: {kind: wheel}}]}", "depends on the device, not on the model"),
        ("builds: {a: [{runtime: {kind: wheel}}, {runtime: {kind: wheel}}]}", "is never used"),
        ("builds: {a: []}", "has no runtime"), ("builds: {a: }", "has no runtime"),
        ("builds: {inventory: {kind: wheel}}", "each device's own runtime"),
        ("builds: {baseline: {kind: wheel}}", "is reserved"), ("builds: {baseline-x: {kind: wheel}}", "is reserved"),
        ("builds: {a@b: {kind: wheel}}", "not a name"), ("builds: {}", "define at least one"),
        ("builds: [a]", "mapping"), ("build: {}", "unknown key"), ("builds: 3", "mapping"),
    ],
)  # fmt: skip
def test_mistakes_in_a_builds_file_have_their_line(tmp_path: Path, text: str, says: str) -> None:
    said = mistakes(tmp_path, text + "\n")
    assert says in said
    assert said.startswith("builds.yaml:1: ")


def test_all_mistakes_of_a_builds_file_are_told_at_once(tmp_path: Path) -> None:
    said = mistakes(tmp_path, "builds:\n  a: {kind: whel}\n  b: {program: x}\n")
    assert "builds.yaml:2: build a, kind:" in said
    assert "builds.yaml:3: build b, kind: is missing" in said


def test_a_later_version_of_a_builds_file_is_refused_by_its_number(tmp_path: Path) -> None:
    assert "version" in mistakes(tmp_path, "version: 7\nbuilds: {a: {kind: wheel}}\n")


@pytest.mark.parametrize(
    ("text", "names", "defined"),
    [
        ("builds: release", ("release",), ()),
        ("builds: [inventory, release]", ("inventory", "release"), ()),
        ("builds: {inventory: , release: {kind: wheel, preload: x.so}}", ("inventory", "release"), ("release",)),
        ("", (), ()),
    ],
)  # fmt: skip
def test_a_suite_names_builds_and_may_define_them(
    tmp_path: Path, text: str, names: tuple[str, ...], defined: tuple[str, ...]
) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(f"models: {{tiny: bundled:tiny}}\n{text}\n")
    found = suite.load(path)
    assert found.builds == names
    assert tuple(build.name for build in found.defined) == defined
    for build in found.defined:
        assert build.choices[0].runtime.preload == (str(tmp_path / "x.so"),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("builds: {a: {kind: whel}}", "suite.yaml:2: build a, kind:"),
        ("builds: {baseline: {kind: wheel}}", "suite.yaml:2: build baseline: the name baseline is reserved"),
        ("builds: [[a]]", "suite.yaml:2: builds: should be names"), ("builds: [3, {}]", "should be names"),
    ],
)  # fmt: skip
def test_mistakes_in_the_builds_of_a_suite_have_their_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(f"models: {{tiny: bundled:tiny}}\n{text}\n")
    with pytest.raises(RequestError) as caught:
        suite.load(path)
    assert says in str(caught.value)


def test_the_schema_in_docs_is_the_one_of_the_code() -> None:
    path = ROOT / "docs" / "schema" / "builds.schema.json"
    assert json.loads(path.read_text("utf-8")) == json.loads(json.dumps(builds.schema()))
