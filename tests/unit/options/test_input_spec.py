import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.errors import RequestError
from farm.options.input_spec import InputPart, numbers, parse_input


def parts(text):
    return [(part.tensor, part.inline, part.path) for part in parse_input(text)]


def test_parts_have_names_and_files_or_numbers():
    assert parts("data:[[1.0,2.0]];b:dir/b.npy") == [("data", "[[1.0,2.0]]", None), ("b", None, "dir/b.npy")]


def test_a_part_without_a_name_keeps_none():
    assert parts("x.npy") == [(None, None, "x.npy")]
    assert parts("7") == [(None, "7", None)]
    assert parts("names.json") == [(None, None, "names.json")]


@pytest.mark.parametrize("name", ["a.json", "a.npy", "a.ppm", "a.pgm", "A.NPY"])
def test_the_suffix_makes_it_a_file(name):
    (part,) = parse_input(f"data:{name}")
    assert part.path == name
    assert part.suffix == "." + name.lower().split(".")[1]


def test_nothing_is_no_part():
    assert parse_input("") == parse_input(" ; ;") == ()


def test_only_the_first_colon_divides():
    assert parts("data:a:b.npy") == [("data", None, "a:b.npy")]


def test_a_shape_has_no_data_and_says_so():
    (part,) = parse_input("data:{1,3,224,224}")
    assert part.inline == "{1,3,224,224}"
    assert "no data" in part.notes[0]


def test_a_whole_number_with_an_exponent_is_made_a_float():
    (part,) = parse_input("b:[1,1,1e-3]")
    assert part.inline == "[1,1,1.0e-3]"
    assert part.notes == ("'[1,1,1e-3]' is read as float32",)


def test_spaces_are_taken_out():
    assert parts("data: [ 1.0, 2.0 ]") == [("data", "[1.0,2.0]", None)]


def test_a_name_before_json_is_noted_as_ignored():
    (part,) = parse_input("data:x.json")
    assert "ignores" in part.notes[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("data:[[1,2],[3,4]", "unbalanced"),
        ("data:hello", "is neither a file"),
        ("data:photo.jpg", "is neither a file"),
        ("data:", "no data"),
        (":x.npy", "no name"),
        ("data:[[1,2],[3]]", "cannot be read"),
        ("data:[]", "cannot be read"),
        ("data:[1 2]", "cannot be read"),
        ("data:{1,x}", "not a shape"),
        ("data:{}", "not a shape"),
        ("data:a.npy;data:b.npy", "twice"),
        ("1.0;2.0", "twice"),
        ("data:" + "[" * 40 + "1" + "]" * 40, "neither"),
        ("x" * (2 << 20), "too long"),
        ("data:[1.0,3e39]", "out of range for float32"),
        ("data:[[-3.5e38]]", "out of range"),
        ("data:[1e999]", "out of range"),
        (f"data:[{'9' * 400}]", "out of range"),
    ],
    ids=["unbalanced", "word", "jpeg", "empty", "nameless", "ragged", "nothing", "no-comma", "bad-shape", "empty-shape",
         "twice", "twice-unnamed", "deep", "huge", "float32", "negative", "infinite", "400-digits"],
)  # fmt: skip
def test_what_the_program_would_abort_on_is_refused(text, says):
    with pytest.raises(RequestError, match=says):
        parse_input(text)


def test_numbers_say_how_the_program_reads_them():
    assert numbers("[[1,2],[3,4]]") == ([[[1, 2], [3, 4]]], False)
    assert numbers("1.5,007") == ([1.5, 7], True)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="data:;[]{}1.,e-+ npyjson\n\0", max_size=60))
def test_any_text_gives_parts_or_a_request_error(text):
    try:
        found = parse_input(text)
    except RequestError:
        return
    assert all(isinstance(part, InputPart) and (part.inline is None) != (part.path is None) for part in found)
