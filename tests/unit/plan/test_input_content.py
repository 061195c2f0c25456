import contextlib
import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.errors import RequestError
from farm.model.measurement import TensorInfo
from farm.options.input_spec import numbers
from farm.plan.content import npy as npy_files
from farm.plan.content.input_content import fit, fit_json, inline, mismatches, prepare
from farm.plan.content.npy import Content


def npy(array, **options):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **{"version": (1, 0), **options})
    return stream.getvalue()


def as_the_program_reads(data):
    """The array as load_and_run takes a .npy: the type's letters, the shape, then bytes in C order."""
    size = struct.unpack_from("<H", data, 8)[0]
    assert data[:8] == b"\x93NUMPY\x01\x00"
    header = eval(data[10 : 10 + size])
    assert header["descr"][1:] in ("f4", "i4", "i2", "u2", "i1", "u1")
    return np.frombuffer(data[10 + size :], "<" + header["descr"][1:]).reshape(header["shape"])


@pytest.mark.parametrize("dtype", ["<f4", "<i4", "<i2", "<u2", "i1", "u1"])
def test_what_the_program_reads_right_stays_as_it_is(dtype):
    data = npy(np.arange(6).reshape(2, 3).astype(dtype))
    prepared = prepare("x.npy", data)
    assert prepared.data is data
    assert prepared.notes == ()
    assert prepared.contents == (Content(None, np.dtype(dtype).name, (2, 3)),)


@pytest.mark.parametrize("dtype", ["<f4", "<i4", "<i2", "<u2", "i1", "u1"])
@pytest.mark.parametrize("shape", [(6,), (1, 2), (2, 1, 3), (1,) * 8])
def test_what_needs_no_conversion_is_read_without_numpy(dtype, shape, monkeypatch):
    data = npy(np.zeros(shape, dtype))
    monkeypatch.setattr(npy_files, "converted_npy", None)
    assert prepare("x.npy", data).contents == (Content(None, np.dtype(dtype).name, shape),)


@given(
    st.binary(max_size=3),
    st.integers(0, 140),
    st.sampled_from([0, 0, 1, 3]),
    st.sampled_from(["<f4", ">f4", "<f8", "i1", "?", "<i2"]),
    st.sampled_from([(6,), (2, 3), (), (0,), (1, 2, 3)]),
)
def test_what_is_read_without_numpy_is_what_numpy_reads(noise, at, cut, dtype, shape):
    data = npy(np.zeros(shape, dtype))
    data = data[:at] + noise + data[at + len(noise) : len(data) - cut]
    quick = npy_files.plain_content(data)
    if quick is not None:
        slow = npy_files.converted_npy("x.npy", data, None)
        assert (slow.data, slow.contents, slow.notes) == (data, (quick,), ())


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.asfortranarray(np.arange(6, dtype="<f4").reshape(2, 3)), "Fortran"),
        (np.arange(6, dtype="<f8").reshape(2, 3), "float64 converted to float32"),
        (np.arange(6, dtype="<i8").reshape(2, 3), "int64 converted to int32"),
        (np.arange(6, dtype=">f4").reshape(2, 3), "little endian"),
        (np.arange(6, dtype="<f2").reshape(2, 3), "float16 converted to float32"),
        (np.array([[True, False]]), "bool converted to uint8"),
    ],
)
def test_what_the_program_would_misread_is_converted_with_a_note(array, says):
    prepared = prepare("x.npy", npy(array))
    np.testing.assert_array_equal(as_the_program_reads(prepared.data), array)
    assert any(says in note for note in prepared.notes)


def test_a_newer_npy_and_a_scalar_are_written_as_the_program_reads_them():
    data = npy(np.ones(3, "<f4"), version=(2, 0))
    np.testing.assert_array_equal(as_the_program_reads(prepare("x.npy", data).data), [1, 1, 1])
    np.testing.assert_array_equal(as_the_program_reads(prepare("x.npy", npy(np.float32(7))).data), [7])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not numpy",
        npy(np.ones(3, "<f4"))[:-1],
        npy(np.ones(3, "<f4"))[:20],
        npy(np.array([2**40], "<i8")),
        npy(np.array([1e300], "<f8")),
        npy(np.array([1j])),
        npy(np.array(["a"])),
        npy(np.array([object()], object), allow_pickle=True),
    ],
    ids=["empty", "text", "cut", "cut-header", "too-large", "beyond-float32", "complex", "words", "pickle"],
)
def test_a_npy_that_cannot_be_an_input_is_refused(data):
    with pytest.raises(RequestError, match=r"x\.npy"):
        prepare("x.npy", data)


def test_a_npy_whose_header_ends_in_the_middle_of_a_word_is_refused():
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } ("
    with pytest.raises(RequestError, match=r"x\.npy"):
        prepare(
            "x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n" + bytes(24)
        )


def test_a_npy_cut_anywhere_is_refused():
    data = npy(np.arange(5, dtype="<f8"))
    for end in range(len(data)):
        with pytest.raises(RequestError):
            prepare("x.npy", data[:end])


PIXELS = bytes(range(2 * 3 * 3))


@pytest.mark.parametrize(
    "header",
    [
        b"P6\n3 2\n255\n",
        b"P6 3 2 255\n",
        b"P6\n# made by hand\n3 2\n# more\n255\n",
        b"P6\n3\n2\n255 ",
        b"P6\n3 2 255\n",
    ],
    ids=["three-lines", "one-line", "comments", "a-number-a-line", "right"],
)
def test_an_image_gets_the_header_that_the_program_reads(header):
    prepared = prepare("x.ppm", header + PIXELS)
    assert prepared.data == b"P6\n3 2 255\n" + PIXELS
    assert prepared.contents == (Content(None, "uint8", (1, 2, 3, 3)),)
    assert bool(prepared.notes) == (header != b"P6\n3 2 255\n")


def test_a_grey_image_and_one_in_text_form_are_read():
    assert prepare("x.pgm", b"P5\n2 2\n255\nabcd").contents == (Content(None, "uint8", (1, 2, 2, 1)),)
    prepared = prepare("x.pgm", b"P2\n2 2\n255\n1 2\n3 4\n")
    assert prepared.data == b"P5\n2 2 255\n\x01\x02\x03\x04"
    assert "text form" in prepared.notes[0]


@pytest.mark.parametrize(
    "data",
    [b"", b"P6", b"P7\n3 2\n255\n", b"P6\n3 2\n255\n" + PIXELS[:-1], b"P6\n0 2\n255\n", b"P6\n3 2\n65535\n" + PIXELS * 2,
     b"P2\n2 1\n255\n1 x", b"P2\n1 1\n255\n300", b"\x89PNG" + b"\0" * 50, b"P6" + b" " * (1 << 20)],
    ids=["empty", "cut", "pam", "short", "no-width", "16-bit", "word", "large", "png", "spaces"],
)  # fmt: skip
def test_a_damaged_image_is_refused(data):
    with pytest.raises(RequestError, match=r"x\.ppm"):
        prepare("x.ppm", data)


def tensor(**changes):
    return json.dumps({"data": {"shape": [1, 3], "type": "float32", "raw": [3, 4.5, 5]} | changes}).encode()


def test_json_that_the_program_reads_stays_as_it_is():
    data = tensor()
    prepared = prepare("x.json", data)
    assert prepared.data is data
    assert prepared.contents == (Content("data", "float32", (1, 3)),)


@pytest.mark.parametrize(
    "changes",
    [
        {"raw": ["3", "4.5", "5"]},
        {"raw": [[3, 4.5, 5]]},
        {"raw": "[3, 4.5, 5]"},
        {"type": "float64"},
        {"type": "double"},
    ],
    ids=str,
)
def test_the_documented_shape_of_json_is_made_what_the_program_reads(changes):
    prepared = prepare("x.json", tensor(**changes))
    assert json.loads(prepared.data) == {"data": {"shape": [1, 3], "type": "float32", "raw": [3, 4.5, 5]}}
    assert prepared.notes


def test_the_example_of_the_documentation_lacks_a_brace_and_is_read():
    prepared = prepare(
        "x.json",
        b'{"data_f32":\n\n    "shape": [1,3],\n    "type": "int32",\n    "raw": [3,4,5]\n    }\n}\n',
    )
    assert json.loads(prepared.data) == {"data_f32": {"shape": [1, 3], "type": "int32", "raw": [3, 4, 5]}}
    assert "brace" in prepared.notes[0]


def test_a_name_with_an_escape_is_written_plainly():
    data = json.dumps({"输入": {"shape": [1], "type": "int", "raw": [1]}}).encode()
    assert b"\\u" in data
    assert "输入".encode() in prepare("x.json", data).data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"data":\n "shape": [1,3], "type": "int32", "raw": [3,4,5] }',
        b"[" * 100_000,
        tensor(shape=[2, 3]),
        tensor(shape=[]),
        tensor(shape=[0]),
        tensor(shape="x"),
        tensor(type="string"),
        tensor(type=3),
        tensor(raw=[1, 2, "x"]),
        tensor(raw=[1, 2, None]),
        tensor(raw={"a": 1}),
        tensor(type="int32"),
        tensor(type="uint8", raw=[1, 2, 300]),
        tensor(raw=[1, 2, float("nan")]),
        b'{"data": {"shape": [1]}}',
        tensor(raw=[1, 2, 10**400]),
        tensor(type="int64", raw=[1, 2, -(10**400)]),
        tensor(raw=[1, 2, "1" * 400]),
        tensor(raw=[1, 2, "[" * 100_000]),
        tensor(shape=[10**400]),
        tensor(shape=[1] * 600),
        tensor(shape=[1, 3], raw=[1, 2, "\ud800"]),
        tensor().replace(b'"data"', b'"\\ud800"'),
        tensor().replace(b"data", b"caf\xe9"),
    ],
    ids=["empty", "list", "nothing", "half-closed", "deep", "count", "no-shape", "zero", "word-shape", "type", "type-number",
         "word", "null", "object", "fraction-into-int", "too-large", "nan", "half", "400-digits", "400-digits-int", "400-digits-text", "deep-text",
         "400-digits-shape", "dimensions", "surrogate-text", "surrogate-name", "latin-1"],
)  # fmt: skip
def test_json_that_cannot_be_an_input_is_refused(data):
    with pytest.raises(RequestError, match=r"x\.json"):
        prepare("x.json", data)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_in_another_unicode_encoding_is_sent_as_the_program_reads_it(encoding):
    plain = tensor()
    made = prepare("x.json", plain.decode().encode(encoding))
    assert json.loads(made.data.decode("ascii")) == json.loads(plain)
    assert any("x.json" in note for note in made.notes)
    half_closed = b'{"data":\n "shape": [1,3], "type": "int32", "raw": [3,4,5] }}'
    assert prepare("x.json", half_closed.decode().encode(encoding)).contents


def wanted(dtype, *shape):
    return TensorInfo("input", "data", shape, dtype)


def test_a_npy_is_converted_to_the_type_of_the_model():
    prepared = fit("x.npy", npy(np.array([[1, 2]], "<i4")), wanted("float32", 1, 2))
    np.testing.assert_array_equal(as_the_program_reads(prepared.data), np.array([[1, 2]], "<f4"))
    assert "int32 converted to the model's float32" in prepared.notes[0]
    prepared = fit("x.npy", npy(np.array([[1, 255]], "<f8")), wanted("uint8", 1, 2))
    assert as_the_program_reads(prepared.data).dtype == np.uint8


def test_a_npy_of_the_right_type_stays_as_it_is():
    data = npy(np.ones(2, "<f4"))
    assert fit("x.npy", data, wanted("float32", 2)).data is data
    assert fit("x.npy", data, wanted("", 2)).data is data


@pytest.mark.parametrize(
    ("value", "dtype"), [(0.5, "int32"), (256.0, "uint8"), (-1.0, "uint8"), (np.inf, "int8")]
)
def test_numbers_that_the_type_of_the_model_cannot_hold_are_refused(value, dtype):
    with pytest.raises(RequestError, match="cannot represent"):
        fit("x.npy", npy(np.array([value], "<f4")), wanted(dtype, 1))


def test_integers_that_a_float_would_round_are_refused():
    with pytest.raises(RequestError, match="exactly"):
        fit("x.npy", npy(np.array([2**24 + 1], "<i4")), wanted("float32", 1))
    exact = npy(np.array([2**24], "<i4"))
    assert as_the_program_reads(fit("x.npy", exact, wanted("float32", 1)).data) == [2**24]


def test_a_double_is_not_rounded_on_its_way_into_an_integer():
    data = npy(np.array([2**24 + 1], "<f8"))
    assert as_the_program_reads(fit("x.npy", data, wanted("int32", 1)).data) == [2**24 + 1]


def test_an_image_for_a_float_input_becomes_an_array_unless_its_channels_are_elsewhere():
    data = b"P6\n3 2 255\n" + PIXELS
    prepared = fit("x.ppm", data, wanted("float32", 1, 2, 3, 3))
    assert as_the_program_reads(prepared.data).tolist() == np.arange(18.0).reshape(1, 2, 3, 3).tolist()
    assert fit("x.ppm", data, wanted("uint8", 1, 8, 8, 3)).data is data
    with pytest.raises(RequestError, match="channels last"):
        fit("x.ppm", data, wanted("uint8", 1, 3, 2, 2))


def test_json_is_declared_in_the_type_of_the_model():
    prepared = fit_json("x.json", tensor(type="int", raw=[3, 4, 5]), {"data": wanted("float32", 1, 3)})
    assert json.loads(prepared.data)["data"]["type"] == "float32"
    assert prepared.contents == (Content("data", "float32", (1, 3)),)
    assert "int32 converted to the model's float32" in prepared.notes[0]
    with pytest.raises(RequestError, match="cannot represent"):
        fit_json("x.json", tensor(), {"data": wanted("uint8", 1, 3)})
    data = tensor()
    assert fit_json("x.json", data, {"data": wanted("float32", 1, 3)}).data is data
    assert fit_json("x.json", data, {}).data is data


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("[[1,2],[3,4]]", (2, 2)),
        ("[1,2],[3,4]", (2, 2)),
        ("1,2,3", (1, 3)),
        ("[[[1,2]]]", (1, 2)),
        ("7", (1, 1)),
    ],
)
def test_numbers_of_a_text_get_the_rank_and_type_of_the_model(text, shape):
    prepared = inline(numbers(text)[0], wanted("float32", 0, 0))
    array = as_the_program_reads(prepared.data)
    assert (array.shape, array.dtype) == (shape, np.float32)


def test_a_fraction_for_an_integer_input_is_refused():
    with pytest.raises(RequestError, match="cannot represent"):
        inline(numbers("[1.5]")[0], wanted("int32", 1))


MODEL = (wanted("float32", 1, 3), TensorInfo("input", "image", (1, 8, 8, 3), "uint8"))


def test_data_that_fits_the_model_has_no_mismatch():
    assert (
        mismatches((Content(None, "float32", (5, 3)), Content("image", "uint8", (1, 4, 4, 3))), MODEL) == ()
    )


def test_a_shape_or_type_that_the_model_does_not_say_is_not_compared():
    unknown = (TensorInfo("input", "data", (), ""),)
    assert mismatches((Content(None, "int8", (1, 2, 3)),), unknown) == ()


def test_wrong_name_type_and_rank_are_found_before_a_device_is_touched():
    found = mismatches(
        (
            Content("nope", "float32", (1,)),
            Content("data", "int32", (1, 3)),
            Content("image", "uint8", (8, 8, 3)),
        ),
        MODEL,
    )
    assert "no input 'nope' (it has: data, image)" in found[0]
    assert "is float32, the data is int32" in found[1]
    assert "4 dimensions, the data has 3" in found[2]


def test_a_file_of_another_kind_is_refused():
    with pytest.raises(RequestError, match="not an input file"):
        prepare("x.jpg", b"")


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=120), st.sampled_from(["x.npy", "x.json", "x.ppm"]))
def test_any_bytes_are_prepared_or_refused(data, name):
    prefixes = {"x.npy": b"\x93NUMPY\x01\x00", "x.json": b'{"a":', "x.ppm": b"P6\n"}
    for bytes_ in (data, prefixes[name] + data):
        with contextlib.suppress(RequestError):
            prepare(name, bytes_)
