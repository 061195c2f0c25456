"""Builds of a request: where they come from, what they mean for a device, what is wrong with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farm.errors import ExitCode, RequestError
from farm.inventory.conditions import parse
from farm.model.build import INVENTORY_BUILD, Build, BuildChoice
from farm.model.device import Address, Device, Facts, Inventory, Runtime, RuntimeKind
from farm.model.matrix import Plan
from farm.model.options import OptionSet, Variant
from farm.model.request import Request
from farm.plan.builds import (
    may_run_wheel,
    read_builds,
    refuse_unfit_builds,
    resolved,
    runtimes_of,
)
from farm.plan.layout import files_to_push, laid_over, native_digest, own_files
from farm.plan.matrix import Sources, choose, make_plan
from farm.plan.prepare import prepare
from farm.plan.programs import refuse_wrong_programs
from tests.elves import AARCH64, X86_64, elf, program
from tests.unit.plan.test_matrix import model

WHEEL = Runtime(RuntimeKind.WHEEL)
ARM = Device(
    "arm-1", Address("h"), WHEEL, tags=("board",), attributes=(("arch", "arm64"),), source="lab.yaml:3"
)
GPU = Device("gpu-1", Address("h"), WHEEL, tags=("cuda",), source="lab.yaml:4")


def native(path: Path | str, **changes: Any) -> Runtime:
    return replace(Runtime(RuntimeKind.NATIVE, str(path)), **changes)


def build(name: str, *choices: tuple[str, Runtime]) -> Build:
    made = (BuildChoice(parse(text) if text else (), runtime, "builds.yaml:2") for text, runtime in choices)
    return Build(name, tuple(made), "builds.yaml:1")


def plan_of(builds: list[Build], devices: tuple[Device, ...] = (ARM, GPU)) -> Plan:
    sources = Sources(devices, (model(),), (Variant("v", OptionSet()),), builds=tuple(builds))
    matrix = choose(sources)
    return make_plan(sources, matrix, matrix.models)


def inventory(folder: Path, name: str = "lab.yaml") -> Inventory:
    return Inventory((ARM,), folder / name, folder / "known_hosts")


def builds_yaml(folder: Path, *names: str) -> Path:
    path = folder / "builds.yaml"
    path.write_text("builds:\n" + "".join(f"  {name}: {{kind: wheel}}\n" for name in names))
    return path


def test_builds_are_those_of_the_file_beside_the_inventory(tmp_path: Path) -> None:
    builds_yaml(tmp_path, "old", "new")
    (tmp_path / "lab.yaml").touch()
    for where in (inventory(tmp_path), Inventory((ARM,), tmp_path, tmp_path / "known_hosts")):
        found = read_builds(Request(builds=("new", "inventory")), where)
        assert [one.name for one in found] == ["new", "inventory"]
        assert found[1] is INVENTORY_BUILD
        assert read_builds(Request(), where) == (INVENTORY_BUILD,)


def test_a_builds_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    request = Request(builds=("new",), builds_file=tmp_path / "none.yaml")
    with pytest.raises(RequestError) as caught:
        read_builds(request, inventory(tmp_path))
    assert caught.value.exit_code is ExitCode.REQUEST
    assert caught.value.source == str(tmp_path / "none.yaml")


def test_an_unknown_build_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    path = builds_yaml(tmp_path, "release")
    with pytest.raises(RequestError, match=r"unknown build 'relaese' \(did you mean release\?\)"):
        read_builds(Request(builds=("relaese",)), inventory(tmp_path))
    path.unlink()
    with pytest.raises(RequestError) as caught:
        read_builds(Request(builds=("release",)), inventory(tmp_path))
    assert "--builds FILE" in str(caught.value.hint)


def test_a_build_of_a_suite_and_of_a_builds_file_is_defined_twice(tmp_path: Path) -> None:
    builds_yaml(tmp_path, "release")
    own = build("release", ("", WHEEL))
    with pytest.raises(RequestError, match=r"already defined in builds\.yaml:1"):
        read_builds(Request(builds=("release",), defined=(own,)), inventory(tmp_path))
    other = build("other", ("", WHEEL))
    assert read_builds(Request(builds=("other",), defined=(own, other)), inventory(tmp_path)) == (other,)


def test_every_cell_is_run_with_each_build_and_its_program() -> None:
    new = build("new", ("tag:board", native("a")), ("tag:cuda", native("b")))
    cells = plan_of([INVENTORY_BUILD, new]).cells
    assert [(cell.id, cell.device.runtime.program) for cell in cells] == [
        ("arm-1/tiny/v", None), ("arm-1/tiny/v@new", "a"), ("gpu-1/tiny/v", None), ("gpu-1/tiny/v@new", "b"),
    ]  # fmt: skip


def test_a_build_without_a_program_for_a_device_skips_its_cells_there() -> None:
    new = build("new", ("tag:cuda", native("b")))
    plan = plan_of([INVENTORY_BUILD, new])
    assert [cell.id for cell in plan.cells] == ["arm-1/tiny/v", "gpu-1/tiny/v", "gpu-1/tiny/v@new"]
    (skip,) = plan.skips
    assert skip.id == "arm-1/tiny/v@new"
    assert skip.reason == "build new has no runtime for arm-1: none of its conditions holds"


def test_a_build_without_a_program_for_any_device_is_a_mistake() -> None:
    new = build("new", ("tag:cuda", native("b")))
    with pytest.raises(RequestError, match="build new has no runtime for any selected device") as caught:
        refuse_unfit_builds([new], [ARM, replace(ARM, name="arm-2")])
    assert caught.value.source == "builds.yaml:1"


def test_what_facts_decide_is_open_until_the_device_was_probed(tmp_path: Path) -> None:
    for name in "ab":
        program(tmp_path / name, f"#!/bin/sh\n# {name}\n".encode())
    a, b = (native(tmp_path / name) for name in "ab")
    new = build("new", ("cores >= 8", a), ("cores < 4", b))
    plan = plan_of([new], (GPU,))
    (cell,) = plan.cells
    assert runtimes_of(plan, cell) == (a, b)
    assert len(files_to_push(plan)["gpu-1"]) == 3  # both programs, and the model
    for cores, wanted in ((8, a), (2, b)):
        made = resolved(plan, cell, Facts(core_ids=tuple(range(cores))))
        assert not isinstance(made, str)
        assert made.device == replace(GPU, runtime=wanted)
        assert made.id == "gpu-1/tiny/v@new"
    assert "none of its conditions holds" in str(resolved(plan, cell, Facts(core_ids=(0, 1, 2, 3))))
    assert "cores >= 8 cannot be told there" in str(resolved(plan, cell, Facts()))


def test_the_architecture_that_the_inventory_says_decides_at_once() -> None:
    new = build("new", ("arch == aarch64", native("a")), ("arch == x86_64", WHEEL))
    plan = plan_of([new], (ARM,))
    assert [cell.device.runtime.program for cell in plan.cells] == ["a"]
    assert not may_run_wheel(plan)
    assert may_run_wheel(plan_of([new], (replace(ARM, attributes=()),)))


def test_a_missing_file_of_a_build_is_told_with_file_and_line(tmp_path: Path) -> None:
    new = build("new", ("", replace(WHEEL, overlay=(("lib/x.so", "/gone/x.so"),), preload=("/gone/y.so",))))
    with pytest.raises(RequestError) as caught:
        refuse_unfit_builds([new], [GPU])
    assert caught.value.source == "builds.yaml:2"
    assert "build new, runtime.overlay.lib/x.so: no such file: /gone/x.so" in str(caught.value)
    assert "build new, runtime.preload: no such file: /gone/y.so" in str(caught.value)


def test_the_inventorys_program_is_not_asked_for_where_no_build_means_it(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("devices: {a: {address: h, runtime: {kind: native, program: gone}}}\n")
    program(tmp_path / "lr", b"#!/bin/sh\n")
    (tmp_path / "builds.yaml").write_text("builds: {new: {kind: native, program: lr}}\n")
    from farm.plan.request import Arguments, read_request

    def asked(*builds: str) -> Plan:
        arguments = Arguments(inventory=tmp_path / "lab.yaml", models=("bundled:tiny",), builds=builds)
        return prepare(read_request(arguments), lambda *_: None, fetch=False).plan

    assert [cell.build for cell in asked("new").cells] == ["new"]
    with pytest.raises(RequestError, match=r"no such file: .*gone"):
        asked("new", "inventory")
    with pytest.raises(RequestError, match="named twice"):
        asked("new", "new")


@pytest.mark.parametrize(
    ("runtime", "says"),
    [
        ({"preload": "arm.so"}, "is for 64-bit ARM (aarch64), but the wheel is for x86-64"),
        ({"preload": "text.so"}, "is no library that the wheel can load"),
        ({"overlay": (("lib/libmegengine_shared.so", "arm.so"),)}, "but the wheel is for x86-64"),
        ({"overlay": (("lib/libmegengine_shared.so", "text.so"),)}, "is no library that the wheel can load"),
        ({"overlay": (("mge/logg.py", "text.so"),)}, "has no file mge/logg.py (did you mean mge/log.py?)"),
        ({"overlay": (("bin/x", "x86.so"),)}, "new libraries are lib/NAME.so"),
    ],
)  # fmt: skip
def test_files_that_the_wheel_cannot_load_are_refused(
    tmp_path: Path, runtime: dict[str, Any], says: str
) -> None:
    program(tmp_path / "arm.so", elf(AARCH64, kind=3))
    program(tmp_path / "x86.so", elf(X86_64, kind=3))
    program(tmp_path / "text.so", b"some text")

    def placed(value: Any) -> Any:
        if isinstance(value, str):
            return (str(tmp_path / value),)
        return tuple((name, str(tmp_path / path)) for name, path in value)

    new = build("new", ("", replace(WHEEL, **{key: placed(value) for key, value in runtime.items()})))
    with pytest.raises(RequestError) as caught:
        refuse_wrong_programs([GPU], [new])
    assert says in str(caught.value)
    assert caught.value.source == "builds.yaml:2"
    good = (
        ("lib/libmegengine_shared.so", str(tmp_path / "x86.so")),
        ("lib/new.so.1", str(tmp_path / "x86.so")),
    )
    fine = build("fine", ("", replace(WHEEL, overlay=good, preload=(str(tmp_path / "x86.so"),))))
    refuse_wrong_programs([GPU], [fine])


def test_what_a_native_program_preloads_must_be_for_it(tmp_path: Path) -> None:
    lr = program(tmp_path / "lr", elf(AARCH64))
    for data, says in (
        (elf(X86_64, kind=3), "is for x86-64, but"),
        (b"text", "no library that a program can load"),
    ):
        path = program(tmp_path / "p.so", data)
        new = build("new", ("", native(lr, preload=(str(path),))))
        with pytest.raises(RequestError) as caught:
            refuse_wrong_programs([replace(GPU, attributes=())], [new])
        assert says in str(caught.value)


def test_a_program_that_only_some_devices_may_get_is_not_held_against_the_others(tmp_path: Path) -> None:
    for_gpus = build("new", ("gpus >= 1", WHEEL), ("", native(program(tmp_path / "lr", elf(AARCH64)))))
    refuse_wrong_programs([ARM], [for_gpus])
    with pytest.raises(RequestError, match="the wheel runtime"):
        refuse_wrong_programs([ARM], [build("new", ("tag:board", WHEEL))])


def test_overlay_and_preload_are_part_of_a_programs_digest_and_files(tmp_path: Path) -> None:
    paths = {name: program(tmp_path / name, name.encode()) for name in ("lr", "a.so", "b.so", "c.so")}
    plain = native(paths["lr"], libraries=(str(paths["a.so"]),))
    over = replace(plain, overlay=(("lib/a.so", str(paths["b.so"])), ("lib/n.so", str(paths["c.so"]))))
    ahead = [
        replace(plain, preload=(str(paths[x]), str(paths[y])))
        for x, y in (("b.so", "c.so"), ("c.so", "b.so"))
    ]
    digests = [native_digest(own_files(one)) for one in (plain, over, *ahead)]
    assert len(set(digests)) == 4  # the order of what is preloaded counts, too
    assert [name for name, _ in own_files(over)] == ["load_and_run", "lib/a.so", "lib/n.so"]
    assert dict(own_files(over))["lib/a.so"].path == paths["b.so"]
    assert [name for name, _ in own_files(ahead[0])][-2:] == ["preload/0.so", "preload/1.so"]
    # The same bytes under other names here are the same build.
    for name, path in paths.items():
        path.rename(tmp_path / f"other-{name}")
    kept = native(
        tmp_path / "other-lr",
        overlay=(("lib/a.so", str(tmp_path / "other-b.so")), ("lib/n.so", str(tmp_path / "other-c.so"))),
    )
    assert native_digest(own_files(kept)) == digests[1]
    assert [name for name, _ in laid_over(own_files(kept), own_files(replace(WHEEL, overlay=kept.overlay)))] == [
        "load_and_run", "lib/a.so", "lib/n.so",
    ]  # fmt: skip
