"""The table of routes is whole, and the guards of the internal route hold."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from farm.runtime.install import InstalledRuntime

from .conftest import BUNDLED, Load, Wheel, close, golden
from .routes import routes

pytestmark = pytest.mark.wheel
TINY = BUNDLED / "tiny.mge"
ODD = Path(__file__).parent / "models"
OF_GFLAGS = {
    "flagfile",
    "fromenv",
    "tryfromenv",
    "undefok",
    "help",
    "helpfull",
    "helpmatch",
    "helpon",
    "helpshort",
    "version",
}


def test_every_flag_has_a_row_in_the_documentation_with_its_route(module: Load) -> None:
    assert set(routes()) == set(module("command_line.flags").table()) - OF_GFLAGS
    assert {route for route, _ in routes().values()} == {"c", "internal", "program"}


def test_no_flag_is_listed_twice(module: Load) -> None:
    names = [row[0] for _, rows in module("command_line.flag_table").FLAGS for row in rows]
    assert len(names) == len(set(names))


def changed(wheel: Wheel, wheel_folder: Path, old: str, new: str) -> Wheel:
    """The program with another number in one of its modules."""
    folder = wheel.place()
    (folder / "lib").symlink_to(wheel_folder / "lib")
    found = 0
    for path in (wheel_folder / "load_and_run.py", *(wheel_folder / "mge").rglob("*.py")):
        text = path.read_text()
        found += text.count(old)
        copy = folder / path.relative_to(wheel_folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text.replace(old, new))
    assert found == 1
    return Wheel(folder, wheel.scratch)


@pytest.mark.parametrize(
    "option", ["--range=1000", "--enable-ioc16", "--disable-mem-opt", "--model-dump=m.mge"]
)
def test_another_build_of_the_library_is_refused_with_its_own_exit_code(
    wheel: Wheel, wheel_folder: Path, option: str
) -> None:
    other = changed(wheel, wheel_folder, "d3b295c3793f08725594d2e8cc525b5c1d3c37f9", "0" * 40)
    done = other(TINY, option)
    assert done.code == 69
    assert "libmegengine_shared.so is another build" in done.err
    assert other(TINY, "--iter", "1").passed().e2e_ms


@pytest.mark.parametrize(
    ("option", "old", "new"),
    [
        ("--disable-mem-opt", "= 120, 256, 88,", "= 128, 256, 88,"),
        ("--disable-mem-opt", "= 120, 256, 88,", "= 120, 264, 88,"),
        # Not 201: the third byte then is padding, which may hold anything.
        ("--disable-mem-opt", "= 200, 204, 232", "= 202, 204, 232"),
        ("--enable-ioc16", "= 200, 204, 232", "= 200, 224, 232"),
        ("--get-static-mem-info=m", "= 120, 256, 88,", "= 120, 256, 80,"),
        ("--model-dump=m.mge", "25, 520", "25, 512"),
        ("--model-dump=m.mge", "25, 520", "28, 520"),
        ("--bin-out-dump=o", "= 16, 48, 8,", "= 16, 56, 8,"),
        ("--model-dump=m.mge", "56, 152, 208", "56, 160, 208"),
    ],
)
def test_a_structure_that_looks_otherwise_is_refused_before_it_is_touched(
    wheel: Wheel, wheel_folder: Path, option: str, old: str, new: str
) -> None:
    done = changed(wheel, wheel_folder, old, new)(TINY, option)
    assert (done.code, "not available here" in done.err) == (69, True), done.err


def test_the_build_id_is_that_of_the_installed_library(module: Load, wheel_runtime: InstalledRuntime) -> None:
    builds, elf = module("bindings.cpp_objects").BUILDS, module("bindings.elf")
    for library in wheel_runtime.libraries:
        if library.name in builds:
            assert builds[library.name] == (library.size_bytes, elf.build_id(str(library.path)))


def test_a_library_whose_end_is_missing_is_refused(wheel: Wheel, wheel_folder: Path, module: Load) -> None:
    """The smaller of the two, cut: no build id is found, and nothing is raised while looking."""
    folder = wheel.place()
    name = "liblite_shared_whl.cpython-310-x86_64-linux-gnu.so"
    shutil.copyfile(wheel_folder / "lib" / name, folder / name)
    with (folder / name).open("r+b") as stream:
        stream.truncate(1 << 16)
    assert module("bindings.elf").build_id(str(folder / name)) == ""


def test_the_internal_route_works_with_the_library_without_cuda_code(
    wheel: Wheel, wheel_folder: Path, cpu_libraries: Path
) -> None:
    folder = wheel.place()
    for name in ("load_and_run.py", "mge"):
        (folder / name).symlink_to(wheel_folder / name)
    (folder / "lib").symlink_to(cpu_libraries)
    options = (
        "--optimize-for-inference",
        "--get-static-mem-info",
        "memory",
        "--range",
        "1000",
        "--enable-fuse-conv-bias-with-z",
    )
    done = Wheel(folder, wheel.scratch).model("tiny", *options).passed()
    assert close(done.output(), golden("tiny"))


def test_cuda_needs_the_library_with_cuda_code(wheel: Wheel, wheel_folder: Path, cpu_libraries: Path) -> None:
    folder = wheel.place()
    for name in ("load_and_run.py", "mge"):
        (folder / name).symlink_to(wheel_folder / name)
    (folder / "lib").symlink_to(cpu_libraries)
    done = Wheel(folder, wheel.scratch)(TINY, "--cuda")
    assert (done.code, "without CUDA code" in done.err) == (69, True)


def test_a_test_case_cannot_be_passed_to_operators(wheel: Wheel, loader: Path) -> None:
    done = wheel(ODD / "testcase.mge", "--c-opr-lib", loader / "device.so", "--c-opr-lib-with-param")
    assert done.code == 69


class Recorder:
    """Takes every call of the library and keeps it."""

    handle = 0

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def __getattr__(self, name: str) -> object:
        return lambda *arguments: self.calls.append((name, *arguments))


@pytest.mark.parametrize(
    ("words", "policy", "shared", "equal"),
    [
        (["--fast-run"], 2 | 8, 0, 0),
        (["--full-run"], 2, 0, 0),
        (["--reproducible"], 1 | 4, 0, 0),
        (["--binary-equal-between-batch"], 1 | 4, 0, 1),
        (["--fast-run", "--reproducible"], 2 | 4 | 8, 0, 0),
        (["--fast-run", "--fast-run-shared-batch-size", "8"], 2 | 8, 8, 0),
    ],
)
def test_the_search_for_algorithms_is_set_up_as_the_flags_say(
    module: Load, capfd: pytest.CaptureFixture[str], words: list[str], policy: int, shared: int, equal: int
) -> None:
    """1 heuristic, 2 profile, 4 reproducible, 8 optimized: LiteAlgoSelectStrategy."""
    library = Recorder()
    values, _ = module("command_line.flags").parse(["m.mge", *words])
    module("execution.config").set_algorithms(library, Recorder(), values)
    assert library.calls == [
        ("set_network_algo_policy", 0, policy),
        ("set_network_algo_fastrun_config", 0, shared, equal),
    ]
    assert "strategy" in capfd.readouterr().err
