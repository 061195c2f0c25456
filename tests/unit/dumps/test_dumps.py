import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.dumps.fastrun_cache import parse_cache
from farm.dumps.io_text import parse_io_text
from farm.dumps.malformed import MalformedError
from farm.dumps.static_mem import parse_static_memory
from farm.dumps.tensor import parse_tensor
from farm.dumps.tensor_names import io_file_key, out_file_key


def tensor_file(values, dtype, shape=None, name=b"var={id:7, layout:{}, owner:o{T}, name:n, slot:0}"):
    shape = values.shape if shape is None else shape
    padded = (*shape, *(0,) * (7 - len(shape)))
    return struct.pack("<3I7I", len(name), dtype, 7, *padded) + name + values.tobytes()


def test_a_binary_tensor_of_megengine_is_read(samples):
    tensor = parse_tensor((samples / "000005").read_bytes())
    assert (tensor.variable, tensor.name, tensor.owner) == (5, "first.bias", "first.bias{ImmutableTensor}")
    assert (tensor.dtype, tensor.shape) == ("float32", (1, 8, 1, 1))
    assert tensor.values.shape == (1, 8, 1, 1)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0, 3)])
def test_a_tensor_without_elements_keeps_its_zero(shape):
    assert parse_tensor(tensor_file(np.empty(shape, "<f4"), 0)).shape == shape


def test_a_tensor_that_was_cut_off_before_its_values_is_not_taken_for_one_without_any():
    whole = tensor_file(np.ones(2, "<f4"), 0)
    with pytest.raises(MalformedError, match=r"shape \(2,\) .*: 0 bytes"):
        parse_tensor(whole[:-8])


def test_the_binary_and_the_text_dump_agree(samples):
    text = {variable.id: variable for variable in parse_io_text((samples / "io.txt").read_text())}
    for name in ("000005", "000009"):
        binary = parse_tensor((samples / name).read_bytes())
        variable = text[binary.variable]
        assert variable.shape == binary.shape
        assert variable.head == pytest.approx(binary.values.ravel()[:5], rel=1e-3)
        assert variable.minimum == pytest.approx(binary.values.min(), rel=1e-2)
        assert variable.maximum == pytest.approx(binary.values.max(), rel=1e-2)


@pytest.mark.parametrize(
    ("number", "name", "values"),
    [
        (1, "uint8", np.array([0, 255], "u1")),
        (2, "int8", np.array([-128, 127], "i1")),
        (3, "int16", np.array([-2, 2], "<i2")),
        (4, "int32", np.array([-(2**31), 2**31 - 1], "<i4")),
        (9, "float16", np.array([0.5, -1], "<f2")),
        (13, "uint16", np.array([0, 65535], "<u2")),
        (100000, "quint8", np.array([1, 2], "u1")),
        (100001, "qint32", np.array([-1, 2], "<i4")),
        (100002, "qint8", np.array([-1, 2], "i1")),
        (100005, "qint16", np.array([-1, 2], "<i2")),
    ],
)
def test_every_type_with_whole_bytes_is_read(number, name, values):
    tensor = parse_tensor(tensor_file(values, number))
    assert tensor.dtype == name
    np.testing.assert_array_equal(tensor.values, values)


def test_bfloat16_is_widened():
    bits = (np.array([1.0, -2.5], "<f4").view("<u4") >> 16).astype("<u2")
    np.testing.assert_array_equal(parse_tensor(tensor_file(bits, 11)).values, np.array([1.0, -2.5], "<f4"))


def test_a_type_smaller_than_a_byte_has_no_values():
    tensor = parse_tensor(tensor_file(np.zeros(3, "u1"), 100004, shape=(6,)))
    assert (tensor.dtype, tensor.shape, tensor.values) == ("qint4", (6,), None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 11,
        struct.pack("<3I", 0, 0, 2**32 - 1),
        struct.pack("<3I7I", 2**32 - 1, 0, 7, 1, 0, 0, 0, 0, 0, 0),
        struct.pack("<3I7I", 0, 0, 7, *(2**32 - 1,) * 7),
        struct.pack("<3I7I", 0, 77, 7, 1, 0, 0, 0, 0, 0, 0) + b"1234",
        tensor_file(np.zeros(3, "<f4"), 0, shape=(4,)),
    ],
    ids=["empty", "short", "dimensions", "name", "huge-shape", "unknown-type", "too-little-data"],
)
def test_a_tensor_whose_sizes_do_not_add_up_is_malformed(data):
    with pytest.raises(MalformedError):
        parse_tensor(data)


def test_a_tensor_cut_anywhere_is_malformed(samples):
    data = (samples / "000005").read_bytes()
    for end in range(len(data)):
        with pytest.raises(MalformedError):
            parse_tensor(data[:end])


def test_names_that_would_make_matching_slow_are_read():
    name = b"var={id:1, " + b"owner:, name:" * 20_000
    assert parse_tensor(tensor_file(np.zeros(1, "<f4"), 0, name=name)).variable is None
    line = "var1 produced: name=" + " layout={} owner_opr={" * 2_000 + "\n"
    assert parse_io_text(line * 100) == ()


def test_dump_file_names_give_run_and_variable():
    assert out_file_key("run0-var40") == (0, 40)
    assert io_file_key("00002a") == 42
    assert out_file_key("../run0-var40") is None
    assert io_file_key("00002a-inp0") is None


def test_every_variable_of_both_runs_is_in_the_text(samples):
    variables = parse_io_text((samples / "io.txt").read_text())
    assert len(variables) == 34
    out = variables[-1]
    assert (out.name, out.shape, out.dtype, out.operator_type) == ("out", (1, 10), "Float32", "Elemwise")
    assert out.inputs == (1, 73)


def test_the_text_dump_between_log_lines_is_found(transcripts):
    variables = parse_io_text(transcripts["io_dump_stderr"]["stderr"])
    assert len(variables) == 3 * len({variable.id for variable in variables})
    assert {"data", "c1.Convolution"} <= {variable.name for variable in variables}


def test_a_text_dump_cut_anywhere_gives_its_first_variables(samples):
    text = (samples / "io.txt").read_text()
    whole = parse_io_text(text)
    for end in range(0, len(text), 37):
        part = parse_io_text(text[:end])
        assert whole[: len(part)] == part


def test_a_statistic_that_is_no_number_is_none():
    text = (
        "var1 produced: name=x layout={1(1) Float32} owner_opr=a{B} opr1\n deps:\n"
        " val: [nan]min=nan max=inf mean=N/A l2=1 sd=-nan s\n"
    )
    (variable,) = parse_io_text(text)
    assert (variable.head, variable.minimum, variable.maximum, variable.mean, variable.l2) == (
        (),
        None,
        None,
        None,
        1.0,
    )


def test_the_memory_plan_has_a_peak(samples):
    memory = parse_static_memory((samples / "StaticMemoryInfo.json").read_text())
    assert len(memory.chunks) > 5
    assert memory.peak_bytes == max(chunk.end for chunk in memory.chunks if not chunk.is_weight)
    assert memory.weight_bytes > 0
    assert all(chunk.end >= chunk.start for chunk in memory.chunks)


def test_what_is_no_memory_plan_is_malformed():
    for text in ("", "{}", '{"chunk": 3}', '{"chunk": {}}'):
        with pytest.raises(MalformedError):
            parse_static_memory(text)


def test_a_cache_of_megengine_is_read_to_its_last_byte(samples):
    categories = parse_cache((samples / "fast-run.cache").read_bytes())
    sizes = {category.name: len(category.entries) for category in categories}
    assert sizes["profile:plat=cpu:ConvolutionForwardv5F0"] == 14
    algorithms = [one for category in categories for entry in category.entries for one in entry.algorithms]
    assert all(0 < algorithm.seconds < 1 and algorithm.name for algorithm in algorithms)


def test_an_empty_cache_has_nothing():
    assert parse_cache(b"\0\0\0\0") == ()


@pytest.mark.no_cover
def test_a_cache_cut_anywhere_is_malformed(samples):
    data = (samples / "fast-run.cache").read_bytes()
    for end in range(0, len(data), 97):
        with pytest.raises(MalformedError):
            parse_cache(data[:end])
    with pytest.raises(MalformedError):
        parse_cache(data + b"\0")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_malformed(data):
    for read in (parse_cache, parse_tensor):
        with contextlib.suppress(MalformedError):
            read(data)
