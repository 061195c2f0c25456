"""Dumps and models that the program writes: whole, parsable, and the same numbers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from farm.dumps.io_text import parse_io_text
from farm.dumps.tensor import parse_tensor
from farm.dumps.tensor_names import io_file_key

from .conftest import BUNDLED, WALL_S, Wheel, close, golden, inputs_of, read_tensor

pytestmark = pytest.mark.wheel
TINY = BUNDLED / "tiny.mge"
ODD = Path(__file__).parent / "models"


def test_the_text_dump_has_every_run(wheel: Wheel) -> None:
    done = wheel(TINY, "--io-dump", "io.txt", "--iter", "2", "--input", inputs_of("tiny")).passed()
    variables = parse_io_text((done.folder / "io.txt").read_text())
    outputs = [variable for variable in variables if variable.name == "out"]
    assert len(outputs) == 3
    assert outputs[0].head == pytest.approx(golden("tiny").ravel()[: len(outputs[0].head)], rel=1e-3)


@pytest.mark.parametrize(
    ("option", "stream"), [("--io-dump-stdout", "stdout"), ("--io-dump-stderr", "stderr")]
)
def test_a_dump_to_a_stream_keeps_what_the_stream_already_held(
    wheel: Wheel, option: str, stream: str
) -> None:
    """Streams are files when the agent runs a round; the library opens its dump file anew, which would empty them."""
    folder = wheel.place()
    command = wheel.command(TINY, option, "--iter", "1")
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        subprocess.run(command, cwd=folder, stdout=out, stderr=err, timeout=WALL_S, check=True)
    texts = {name: (folder / name).read_text() for name in ("stdout", "stderr")}
    assert any(variable.name == "out" for variable in parse_io_text(texts[stream]))
    assert "megbrain/lite/load_and_run" in texts["stderr"]
    assert "=== total time" in texts["stderr"]


def test_a_dump_that_cannot_be_written_is_an_error_and_no_crash(wheel: Wheel) -> None:
    assert "failed to open none/io.txt for writing" in wheel(TINY, "--io-dump", "none/io.txt").why()
    folder = wheel.place()
    (folder / "file").touch()
    assert "failed to make folder file/o" in wheel(TINY, "--bin-io-dump", "file/o", within=folder).why()


def test_the_binary_dump_has_every_variable(wheel: Wheel) -> None:
    done = wheel(TINY, "--bin-io-dump", "deep/er", "--iter", "1", "--input", inputs_of("tiny")).passed()
    files = sorted((done.folder / "deep" / "er").iterdir())
    assert all(io_file_key(path.name) is not None for path in files)
    found = [parse_tensor(path.read_bytes()) for path in files]
    assert any(
        close(np.asarray(tensor.values), golden("tiny")) for tensor in found if tensor.values.shape == (1, 10)
    )
    image = np.load(BUNDLED / "tiny.data.npy")
    assert any(np.array_equal(tensor.values, image) for tensor in found if tensor.values.shape == image.shape)


def test_outputs_are_dumped_at_every_run_with_the_variables_number(wheel: Wheel) -> None:
    done = wheel.model("two_inputs").passed()
    files = sorted((done.folder / "o").iterdir())
    assert [path.name.split("-")[0] for path in files] == ["run0", "run1", "run2"]
    assert len({path.name.split("-")[1] for path in files}) == 1
    tensor = parse_tensor(files[0].read_bytes())
    assert (f"run0-var{tensor.variable}", tensor.name) == (files[0].name, "out")


READ_OUTPUT = """
import os, sys
sys.path.insert(0, sys.argv[1])
from mge.bindings import lite
library = lite.Library(os.path.join(sys.argv[1], "lib"))
config = lite.default_config()
for ios in (None, lite.outputs_as_shapes(library, sys.argv[2], config)):
    network = lite.Network(library, config, ios)
    network.load(sys.argv[2])
    network.tensor("data").fill(bytes(3 * 16 * 16 * 4), (1, 3, 16, 16))
    library.forward(network.handle)
    library.wait(network.handle)
    print(network.tensor("out").read().hex() if ios is None else network.tensor("out").layout().shape)
    if ios is not None:
        print(network.tensor("out").read().hex())
sys.stdout.flush()
os._exit(0)
"""


def test_the_value_of_an_output_is_only_copied_when_asked_for(wheel: Wheel, wheel_folder: Path) -> None:
    assert "copy to host" in wheel(TINY, "--copy-to-host").passed().err
    command = [wheel.python, "-B", "-c", READ_OUTPUT, str(wheel_folder), str(TINY)]
    said = subprocess.run(
        command, capture_output=True, text=True, timeout=WALL_S, check=True
    ).stdout.splitlines()
    assert said[1] == "(1, 10)"
    assert said[0] != said[2]


@pytest.mark.parametrize("model", ["tiny", "two_inputs", "int8", "shufflenet_v2_x0_5"])
def test_a_dumped_model_computes_the_same(wheel: Wheel, model: str) -> None:
    done = wheel(BUNDLED / f"{model}.mge", "--model-dump", "again.mge", "--iter", "1").passed()
    again = wheel(
        "again.mge", "--input", inputs_of(model), "--bin-out-dump", "o", within=done.folder
    ).passed()
    assert close(again.output(), golden(model))


@pytest.mark.parametrize("option", ["--model-dump", "--optimize-for-inference"])
def test_inputs_keep_their_names_in_a_model_whose_operators_have_none(wheel: Wheel, option: str) -> None:
    first = (
        ("--model-dump", "again.mge")
        if option == "--model-dump"
        else ("--optimize-for-inference", "--model-dump", "again.mge")
    )
    done = wheel(ODD / "unnamed.mge", *first, "--iter", "1", "--input", inputs_of("two_inputs")).passed()
    again = wheel(
        "again.mge", "--input", inputs_of("two_inputs"), "--bin-out-dump", "o", within=done.folder
    ).passed()
    assert close(again.output(), golden("two_inputs"))


@pytest.mark.parametrize("model", [BUNDLED / "int8.mge", ODD / "unnamed.mge"], ids=lambda path: path.stem)
def test_a_transformed_model_is_dumped_with_its_names_and_computes_the_same(
    wheel: Wheel, model: Path
) -> None:
    name = "int8" if model.stem == "int8" else "two_inputs"
    options = (
        "--layout-transform",
        "cpu",
        "--layout-transform-dump",
        "new.mge",
        "--iter",
        "1",
        "--input",
        inputs_of(name),
    )
    done = wheel(model, *options).passed()
    again = wheel("new.mge", "--input", inputs_of(name), "--bin-out-dump", "o", within=done.folder).passed()
    assert close(again.output(), golden(name))


def test_a_packed_model_runs_with_its_options(wheel: Wheel) -> None:
    folder = wheel.place()
    info = {"name": "packed_model", "valid": True, "backend": "MGE", "has_compression": False, "version": "1.13.0",
            "device": {"type": "CPU", "number_threads": 2}}  # fmt: skip
    (folder / "info.json").write_text(json.dumps(info))
    wheel(TINY, "--fast-run", "--fast-run-algo-policy", "algo.cache", "--iter", "1", within=folder).passed()
    family = ("--pack-info-json", "info.json", "--pack-cache", "algo.cache")
    wheel(TINY, "--packed-model-dump", "packed.mge", *family, within=folder).passed()
    wheel(TINY, "--packed-model-dump", "plain.mge", within=folder).passed()
    found = {}
    for name in ("packed", "plain"):
        options = ("--profile", f"{name}.json", "--input", inputs_of("tiny"), "--bin-out-dump", f"{name}.out")
        done = wheel(f"{name}.mge", *options, within=folder).passed()
        assert close(done.output(f"{name}.out"), golden("tiny"))
        found[name] = "multithread" in (folder / f"{name}.json").read_text()
    assert found == {"packed": True, "plain": False}


def test_a_packed_model_names_its_ciphers_and_is_not_encrypted(wheel: Wheel) -> None:
    packed = {}
    for ciphers in (("AES_default", "RC4_default"), ("RC4_default", "AES_default"), ("NONE", "NONE")):
        options = ("--pack-info-cryption", ciphers[0], "--pack-model-cryption", ciphers[1])
        done = wheel(TINY, "--packed-model-dump", "p.mge", *options, "--iter", "1").passed()
        packed[ciphers] = (done.folder / "p.mge").read_bytes()
        assert TINY.read_bytes() in packed[ciphers]
        assert all(cipher.encode() in packed[ciphers] for cipher in ciphers)
    assert len(set(packed.values())) == 3


def test_a_model_with_a_test_case_is_fed_with_it(wheel: Wheel) -> None:
    done = wheel(ODD / "testcase.mge", "--iter", "2", "--bin-out-dump", "o").passed()
    assert "=== finished test #0" in done.err
    assert done.out.count("AssertEqual: err=") == 3
    assert read_tensor(next((done.folder / "o").iterdir())).shape == (1, 10)
    assert wheel(ODD / "testcase.mge", "--lite").code == 134


def test_a_test_case_that_is_cut_off_is_an_error(wheel: Wheel) -> None:
    folder = wheel.place()
    (folder / "cut.mge").write_bytes((ODD / "testcase.mge").read_bytes()[:7000])
    assert wheel("cut.mge", within=folder).code == 134


def test_a_run_that_fails_leaves_no_scratch_folder(wheel: Wheel) -> None:
    done = wheel(ODD / "testcase.mge", "--input", "nothing:[1.0]")
    assert done.code == 134
    assert [path.name for path in done.folder.iterdir()] == []
