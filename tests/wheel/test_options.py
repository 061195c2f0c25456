"""Every option that changes how a model is computed: it has its effect, and the outputs stay what they should be."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from farm.dumps.fastrun_cache import parse_cache
from farm.dumps.io_text import parse_io_text
from farm.dumps.profile import read_profile
from farm.dumps.static_mem import parse_static_memory
from farm.logs.fitting import parse_fitted

from .conftest import BUNDLED, Ended, Wheel, close, golden, inputs_of

pytestmark = pytest.mark.wheel
TINY = BUNDLED / "tiny.mge"
ODD = Path(__file__).parent / "models"
HALF = 5e-3
"""Relative error of computing in float16, or of other rounding in 8 bits than MegEngine's usual."""


def operators(done: Ended) -> Counter[str]:
    """How many operators of each type the computed graph has."""
    with (done.folder / "p.json").open("rb") as file:
        return Counter(operator.type for operator in read_profile(file).operators)


def computed(wheel: Wheel, model: str, *options: str) -> tuple[Counter[str], np.ndarray]:
    done = wheel.model(model, "--profile", "p.json", *options).passed()
    return operators(done), done.output()


@pytest.mark.parametrize(
    ("model", "option", "has", "relative"),
    [
        ("tiny", "--enable-nchw4", "ConvBiasForward", 1e-5),
        ("tiny", "--enable-chwn4", "ConvBiasForward", 1e-5),
        ("tiny", "--enable-nchw44", "ConvBiasForward", 1e-5),
        ("tiny", "--enable-nchw88", "ConvBiasForward", 1e-5),
        ("tiny", "--enable-nchw32", "ConvBiasForward", 1e-5),
        ("tiny", "--enable-nchw64", "ConvBiasForward", 1e-5),
        ("tiny", "--enable-nhwcd4", "RelayoutFormat", 1e-5),
        ("tiny", "--enable-nchw44-dot", "ConvBiasForward", 1e-5),
        ("tiny", "--enable-fuse-conv-bias-nonlinearity", "ConvBiasForward", 1e-5),
        ("tiny", "--enable-fuse-conv-bias-with-z", "ConvBiasForward", 1e-5),
        ("tiny", "--enable-ioc16", "TypeCvt", HALF),
        ("two_inputs", "--enable-nchw44", "ConvBiasForward", 1e-5),
        ("int8", "--enable-nchw44", "Dimshuffle", 1e-5),
        ("int8", "--enable-nchw4", "RelayoutFormat", 2e-2),
        ("int8", "--enable-nchw32", "RelayoutFormat", 2e-2),
        ("int8", "--enable-nchw64", "Dimshuffle", 2e-2),
    ],
)
def test_layouts_and_fusions_change_the_graph_and_keep_the_outputs(
    wheel: Wheel, model: str, option: str, has: str, relative: float
) -> None:
    plain, _ = computed(wheel, model)
    changed, output = computed(wheel, model, option)
    assert changed[has] > plain[has]
    assert close(output, golden(model), relative)


@pytest.mark.parametrize("model", ["tiny", "two_inputs", "int8", "shufflenet_v2_x0_5"])
def test_optimising_for_inference_keeps_the_outputs(wheel: Wheel, model: str) -> None:
    done = wheel.model(model, "--optimize-for-inference").passed()
    assert "enable optimize for inference optimization" in done.err
    assert close(done.output(), golden(model))


def test_optimising_for_inference_uses_the_other_graph_options(wheel: Wheel) -> None:
    plain, _ = computed(wheel, "tiny", "--optimize-for-inference")
    fused, output = computed(
        wheel, "tiny", "--optimize-for-inference", "--enable-fuse-conv-bias-nonlinearity"
    )
    assert (plain["ConvBiasForward"], fused["ConvBiasForward"]) == (0, 2)
    assert close(output, golden("tiny"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--enable-fuse-preprocess",), "enable fuse-preprocess optimization"),
        (("--weight-preprocess",), "enable weight-preprocess optimization"),
        (("--fuse-grain",), "enable fuse-grain optimization"),
        (("--const-shape",), "enable const var shape"),
        (("--no-sanity-check",), "disable var sanity check optimization"),
        (("--record-comp-seq",), "set record_comp_seq_level to 1"),
        (("--reproducible",), "enable reproducible strategy"),
        (("--binary-equal-between-batch",), "enable reproducible strategy"),
        (("--fast-run",), "enable fast-run strategy"),
        (("--full-run",), "enable full-run strategy"),
        (("--workspace-limit", "1000"), "set workspace limit to 1000"),
        (("--tensorrt",), "enable TensorRT"),
        (("--check-dispatch",), "enable cpu dispatch check"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_options_that_only_change_how_it_is_computed_keep_the_outputs(
    wheel: Wheel, options: tuple[str, ...], says: str
) -> None:
    done = wheel.model("two_inputs", *options).passed()
    assert says in done.err
    assert close(done.output(), golden("two_inputs"))


def test_a_constant_shape_cannot_change_any_more(wheel: Wheel) -> None:
    folder = wheel.place()
    np.save(folder / "x.npy", np.ones((1, 3, 20, 24), np.float32))
    options = ("--iter", "1", "--input", "data:x.npy")
    wheel(TINY, *options, within=folder).passed()
    assert "disallowed shape change" in wheel(TINY, *options, "--const-shape", within=folder).why()


def test_weights_that_are_preprocessed_fix_the_shape_of_the_algorithm(wheel: Wheel) -> None:
    done = wheel.model("shufflenet_v2_x0_5", "--weight-preprocess").passed()
    assert close(done.output(), golden("shufflenet_v2_x0_5"), 1e-4)


def test_a_recorded_sequence_of_level_2_runs_and_reads_its_input(wheel: Wheel) -> None:
    options = ("--record-comp-seq2", "--no-sanity-check", "--iter", "3", "--io-dump", "io.txt")
    done = wheel(TINY, *options, "--input", inputs_of("tiny")).passed()
    assert len(done.e2e_ms) == 3
    assert "set record_comp_seq_level to 2" in done.err


def test_fake_first_computes_nothing_the_first_time(wheel: Wheel) -> None:
    counts = {}
    for options in ((), ("--fake-first",)):
        done = wheel(TINY, "--iter", "1", "--warmup-iter", "1", "--io-dump", "io.txt", *options).passed()
        counts[options] = len(parse_io_text((done.folder / "io.txt").read_text()))
    assert counts[("--fake-first",)] * 2 == counts[()]


def test_a_fast_run_cache_is_written_and_then_used(wheel: Wheel) -> None:
    first = wheel.model("tiny", "--fast-run", "--fast-run-algo-policy", "algo.cache").passed()
    found = parse_cache((first.folder / "algo.cache").read_bytes())
    assert any("Convolution" in category.name for category in found)
    assert close(first.output(), golden("tiny"))
    shutil.rmtree(first.folder / "o")
    second = wheel.model("tiny", "--fast-run-algo-policy", "algo.cache", within=first.folder).passed()
    assert "detect fast-run cache usable" in second.err
    again = parse_cache((first.folder / "algo.cache").read_bytes())
    assert {category.name for category in again} == {category.name for category in found}
    assert np.array_equal(second.output(), first.output())


def test_a_fast_run_for_another_batch_is_kept_under_that_batch(wheel: Wheel) -> None:
    shapes = {}
    for options in ((), ("--fast-run-shared-batch-size", "4")):
        done = wheel.model("tiny", "--fast-run", "--fast-run-algo-policy", "algo.cache", *options).passed()
        assert close(done.output(), golden("tiny"))
        cache = parse_cache((done.folder / "algo.cache").read_bytes())
        shapes[options] = {entry.layouts for category in cache for entry in category.entries}
    assert shapes[()] != shapes[("--fast-run-shared-batch-size", "4")]


def test_a_damaged_fast_run_cache_is_an_error(wheel: Wheel) -> None:
    folder = wheel.place()
    (folder / "algo.cache").write_bytes(b"\x07\0\0\0\xff\xff\xff")
    done = wheel(TINY, "--fast-run-algo-policy", "algo.cache", within=folder)
    assert done.code == 134


def test_equal_rows_stay_equal_in_every_bit(wheel: Wheel) -> None:
    done = wheel.model("tiny", "--binary-equal-between-batch", "--batch-size", "8").passed()
    output = done.output()
    assert output.shape == (8, 10)
    assert all(np.array_equal(row, output[0]) for row in output)


def test_a_tensorrt_cache_is_written(wheel: Wheel) -> None:
    done = wheel.model("tiny", "--tensorrt", "--tensorrt-cache", "trt.cache").passed()
    assert (done.folder / "trt.cache").stat().st_size >= 4


def test_static_memory_is_planned_unless_told_otherwise(wheel: Wheel) -> None:
    planned = {}
    for options in ((), ("--disable-mem-opt",)):
        done = wheel.model("tiny", "--get-static-mem-info", "memory", *options).passed()
        plan = parse_static_memory((done.folder / "memory" / "StaticMemoryInfo.json").read_text())
        assert (done.folder / "memory" / "graph.json").stat().st_size > 0
        assert close(done.output(), golden("tiny"))
        planned[options] = len(plan.chunks)
    assert planned[()] > planned[("--disable-mem-opt",)]


def test_a_number_out_of_range_stops_the_run_and_names_the_variable(wheel: Wheel) -> None:
    wheel.model("tiny", "--range", "1000").passed()
    why = wheel(TINY, "--range", "0.001").why()
    assert "float value out of range: var:" in why
    assert "name:" in why


def test_checked_variables_are_reported_and_a_changing_one_is_found(wheel: Wheel) -> None:
    done = wheel(TINY, "--check-var-value", "1:0", "--iter", "3").passed()
    assert "VarValueChecker: going to check" in done.err + done.out


def test_verbose_says_more(wheel: Wheel) -> None:
    plain, verbose = wheel(TINY).passed(), wheel(TINY, "--verbose").passed()
    assert len(verbose.err) > len(plain.err)
    assert "enable verbose" in verbose.err


def test_the_debugger_is_waited_for(wheel: Wheel) -> None:
    done = wheel(TINY, "--wait-gdb", "--iter", "1", stdin="\n").passed()
    assert re.search(r"wait for gdb attach \(pid=\d+\): ", done.out)
    assert "finished test" in done.err


def test_an_expected_output_that_differs_stops_the_run_unless_told_otherwise(wheel: Wheel) -> None:
    model = ODD / "testcase.mge"
    picture = f"image:{BUNDLED / 'two_inputs.image.npy'}"
    wheel(model, "--iter", "1").passed()
    other = "weights:3,3,3,3,3,3,3,3,3,3.0"
    assert "Unequal value" in wheel(model, "--iter", "1", "--input", f"{picture};{other}").why()
    done = wheel(model, "--iter", "2", "--input", f"{picture};{other}", "--disable-assert-throw").passed()
    assert "disable assert throw" in done.err
    assert len(done.e2e_ms) == 2


def test_a_library_of_operators_is_started_by_its_entry(wheel: Wheel, loader: Path) -> None:
    assert "usual 1" in wheel(TINY, "--c-opr-lib", loader / "loader.so").passed().out
    done = wheel(TINY, "--c-opr-lib", loader / "loader.so", "--c-opr-init-interface", "other_init").passed()
    assert "other 1" in done.out
    missing = wheel(TINY, "--c-opr-lib", loader / "loader.so", "--c-opr-init-interface", "nothing")
    assert "can not resolve nothing" in missing.why()


def test_parameters_need_the_loaders_three_functions(wheel: Wheel, loader: Path) -> None:
    why = wheel(TINY, "--c-opr-lib", loader / "loader.so", "--c-opr-lib-with-param").why()
    assert "copr_param_device_ptr_malloc" in why
    wheel(TINY, "--c-opr-lib", loader / "device.so", "--c-opr-lib-with-param").passed()


def test_a_file_that_is_no_library_is_named(wheel: Wheel) -> None:
    assert "tiny.mge" in wheel(TINY, "--c-opr-lib", TINY).why()


def test_fitting_prints_the_best_options_and_packs_a_model_with_them(wheel: Wheel) -> None:
    options = ("--fitting", "--dump-fitting-model", "best.mge", "--input", inputs_of("tiny"))
    done = wheel(TINY, *options).passed(anywhere=True)
    best = parse_fitted(done.out)
    assert best
    assert "--cpu=true" in best
    again = wheel(
        "best.mge", "--input", inputs_of("tiny"), "--bin-out-dump", "o", within=done.folder
    ).passed()
    assert close(again.output(), golden("tiny"))


def test_fitting_a_file_that_is_no_model_is_an_error(wheel: Wheel) -> None:
    folder = wheel.place()
    (folder / "x.mge").write_bytes(b"text" * 99)
    assert "no set of options could be run" in wheel("x.mge", "--fitting", within=folder).why()
