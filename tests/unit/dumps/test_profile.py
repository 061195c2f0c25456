"""Profiles: real ones, cut ones, forged ones, and one without end."""

import io
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.dumps import json_stream, profile, profile_parts
from farm.dumps.json_stream import TOO_LONG, JsonStream
from farm.dumps.malformed import MalformedError
from farm.dumps.profile import read_profile

SPAN = '{"start": 0.001, "kern": 0.002, "end": 0.004}'
OF_PROFILE_ANALYZE_S = {  # `--aggregate sum --aggregate-by type` on tests/unit/dumps/data/profile.json
    "device": {
        "ConvolutionForward": 65e-6, "ImmutableTensor": 4e-6, "Elemwise": 3e-6, "Reduce": 2e-6,
        "MatrixMul": 2e-6, "Host2DeviceCopy": 1e-6,
    },
    "host": {
        "ConvolutionForward": 20e-6, "ImmutableTensor": 6e-6, "Elemwise": 11e-6, "Reduce": 8e-6, "MatrixMul": 6e-6,
        "Host2DeviceCopy": 1e-6, "AxisAddRemove": 3e-6, "ComputingGraphImpl::CallbackCaller": 3e-6,
    },
}  # fmt: skip


class InPieces:
    """A file that gives a few bytes at a time."""

    def __init__(self, data, size=7):
        self.data, self.at, self.size = data, 0, size

    def read(self, size=-1):
        self.at += self.size
        return self.data[self.at - self.size : self.at]


def read(text):
    return read_profile(io.BytesIO(text if isinstance(text, bytes) else text.encode()))


def one_operator(span=SPAN, described='{"name": "conv", "type": "Conv"}', key="1"):
    return (
        f'{{"profiler": {{"host": {{}}, "device": {{"{key}": {{"cpu0": {span}}}}}}}, '
        f'"graph_exec": {{"operator": {{"{key}": {described}}}, "comp_seq": ["{key}"]}}}}'
    )


def test_a_profile_has_the_times_of_its_operators(samples):
    text = (samples / "profile.json").read_text()
    found = read(text)
    root = json.loads(text)
    assert found.problems == ()
    assert len(found.operators) == len(root["profiler"]["device"])
    for operator in found.operators:
        spans = root["profiler"]["device"][operator.id].values()
        assert operator.device_ms == pytest.approx(max(span["end"] - span["start"] for span in spans) * 1e3)
        assert 0 <= operator.kernel_ms <= operator.device_ms
    convolution = next(operator for operator in found.operators if operator.name == "first.Convolution")
    assert (convolution.type, convolution.computation) == ("ConvolutionForward", 110592)
    assert convolution.output_shapes == ((1, 8, 16, 16),)
    assert convolution.gflops == pytest.approx(110592 / convolution.device_ms / 1e6)
    order = [str(key) for key in root["graph_exec"]["comp_seq"]]
    assert [operator.id for operator in found.operators] == order


def test_its_totals_are_those_of_profile_analyze(samples):
    found = read((samples / "profile.json").read_bytes())
    assert found.device_ms == pytest.approx(sum(OF_PROFILE_ANALYZE_S["device"].values()) * 1e3)
    assert found.host_ms == pytest.approx(sum(OF_PROFILE_ANALYZE_S["host"].values()) * 1e3)
    for kind, seconds in OF_PROFILE_ANALYZE_S["host"].items():
        assert sum(one.host_ms for one in found.operators if one.type == kind) == pytest.approx(seconds * 1e3)


def test_what_is_split_over_blocks_is_read_as_in_one(samples, monkeypatch):
    data = (samples / "profile.json").read_bytes()
    assert read_profile(InPieces(data)) == read(data)
    monkeypatch.setattr(json_stream, "MEMBER_CHARS", 1200)  # variables are passed over, by hand
    assert read_profile(InPieces(data)).operators == read(data).operators


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "[" * 100_000, '{"profiler": 1, "graph_exec": []}', '{"profiler": {"device": {}}}'],
    ids=["empty", "cut", "list", "nothing", "deep", "wrong-shapes", "no-operators"],
)
def test_what_is_no_profile_is_malformed(text):
    with pytest.raises(MalformedError):
        read(text)


def test_a_profile_that_is_cut_off_anywhere_says_so_and_keeps_what_came(samples):
    data = (samples / "profile.json").read_bytes()
    whole = read(data)
    for end in (*range(1, len(data) - 1, 997), len(data) - 2):
        try:
            found = read(data[:end])
        except MalformedError as error:
            assert "cut off" in str(error) or "no operators" in str(error)
            continue
        assert "the file is cut off: what follows is missing" in found.problems
        assert len(found.operators) <= len(whole.operators)
        assert found.device_ms <= whole.device_ms + 1e-9


@pytest.mark.parametrize("time", ["1e999", "NaN", '"nan"', '"1"', "true", "-1", "[]", "null", "9" * 5000])
def test_an_operator_with_an_impossible_time_is_left_out_and_counted(time):
    found = read(one_operator(f'{{"start": 0, "kern": 0, "end": {time}}}'))
    assert found.operators == ()
    assert found.device_ms == 0
    assert "1 operator has" in found.problems[0]


def test_names_keep_their_html_and_lose_what_cannot_be_written():
    found = read(one_operator(described='{"name": "<script>alert(1)</script>\\ud800\x01", "type": 7}'))
    (operator,) = found.operators
    assert operator.name == "<script>alert(1)</script>\ufffd\x01"
    assert operator.name.encode()
    assert operator.type == ""


def test_bytes_that_are_no_text_do_not_hide_the_times():
    (operator,) = read(one_operator().encode().replace(b"conv", b"c\xff\xfev")).operators
    assert operator.name == "c\ufffd\ufffdv"
    assert operator.device_ms == pytest.approx(3)


def test_more_operators_than_the_memory_holds_are_in_the_sums(monkeypatch):
    monkeypatch.setattr(profile_parts, "MAX_OPERATORS", 10)
    device = ", ".join(f'"{key}": {{"c": {SPAN}}}' for key in range(25))
    found = read(f'{{"profiler": {{"device": {{{device}}}}}}}')
    assert (len(found.operators), found.unlisted) == (10, 15)
    assert found.device_ms == pytest.approx(25 * 3)
    assert any("15 operators have no place in the list" in problem for problem in found.problems)


class Endless:
    """Operators without end, each with a name of its own."""

    def __init__(self, total):
        self.left, self.key = total, 0
        self.start = b'{"profiler": {"device": {'

    def read(self, size=-1):
        rows = [self.start]
        self.start = b""
        keys = range(self.key, self.key + 200)
        rows += [b'"%d": {"%s": %s}, ' % (key, b"n" * 200, SPAN.encode()) for key in keys]
        self.key = keys.stop
        block = b"".join(rows)
        self.left -= len(block)
        return block if self.left > 0 else b""


def test_a_file_without_end_takes_no_more_than_its_share_of_memory(monkeypatch):
    monkeypatch.setattr(profile_parts, "MAX_OPERATORS", 500)
    tracemalloc.start()
    try:
        found = read_profile(Endless(1 << 20))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.unlisted > 2000
    assert peak_bytes < 1 << 20


def test_a_file_is_read_up_to_the_limit_and_no_further(monkeypatch):
    monkeypatch.setattr(profile, "MAX_BYTES", 100_000)
    found = read_profile(Endless(1 << 30))
    assert "only its first 0 GiB are read: what follows is missing" in found.problems
    assert 100 < len(found.operators) < 1000


def test_names_and_shapes_beyond_the_memory_are_left_out_and_said(monkeypatch):
    monkeypatch.setattr(profile_parts, "KEPT_CHARS", 100)
    rows = ", ".join(f'"{key}": {{"name": "{key}{"x" * 90}", "type": "T"}}' for key in range(3))
    device = ", ".join(f'"{key}": {{"c": {SPAN}}}' for key in range(3))
    found = read(f'{{"profiler": {{"device": {{{device}}}}}, "graph_exec": {{"operator": {{{rows}}}}}}}')
    assert [len(one.name) for one in found.operators] == [91, 40, 40]
    assert any("the file has too many" in problem for problem in found.problems)


def test_one_entry_that_is_no_json_does_not_hide_the_others(monkeypatch):
    monkeypatch.setattr(json_stream, "BLOCK_BYTES", 64)
    monkeypatch.setattr(json_stream, "MEMBER_CHARS", 200)
    device = f'"1": {{"c": {SPAN}}}, "2": {{oops "," }}, "3": {{"c": {SPAN}}}'
    found = read(f'{{"profiler": {{"device": {{{device}}}}}{" " * 300}}}')
    assert [one.id for one in found.operators] == ["1", "3"]
    assert any("1 operator has" in problem for problem in found.problems)


def test_the_algorithm_is_found_by_name_or_by_type_and_shapes(samples):
    data = (samples / "profile.json").read_bytes()
    known = {
        "second.Convolution": "WINOGRAD",
        "ConvolutionForward ((1, 3, 16, 16), (8, 3, 3, 3)) ((1, 8, 16, 16),)": "IM2COL",
    }
    found = {one.name: one.algorithm for one in read_profile(io.BytesIO(data), known).operators}
    assert (found["first.Convolution"], found["second.Convolution"]) == ("IM2COL", "WINOGRAD")
    assert found["data"] is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=8), inside, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=6), st.integers(1, 9), st.integers(0, 2))
def test_members_are_those_of_json_however_the_file_is_cut_into_blocks(value, size, indent):
    text = json.dumps(value, ensure_ascii=False, indent=indent or None).encode()
    stream = JsonStream(InPieces(text, size))
    assert stream.enter("{")
    assert dict(stream.members()) == value
    skipping = JsonStream(InPieces(text + b" ,", size))
    skipping.skip()
    assert skipping.peek() == ","


@given(st.binary(max_size=200), st.integers(0, 60))
def test_any_bytes_are_a_profile_or_malformed(noise, at):
    text = one_operator().encode()
    try:
        found = read(text[:at] + noise + text[at:])
    except MalformedError:
        return
    assert found.device_ms >= 0


def test_an_entry_that_is_nested_too_deep_is_passed_over():
    deep = "[" * 100_000 + "]" * 100_000
    found = read(f'{{"profiler": {{"device": {{"1": {deep}, "2": {{"c": {SPAN}}}}}}}}}')
    assert [one.id for one in found.operators] == ["2"]
    with pytest.raises(MalformedError, match="cut off"):
        read('{"profiler": {"device": {"1": ' + "[" * 300_000)


def test_a_long_member_is_passed_over(monkeypatch):
    monkeypatch.setattr(json_stream, "MEMBER_CHARS", 50)
    long = '{"x": "' + 'y\\"{' * 100 + '", "z": [1, [2]]}'
    stream = JsonStream(InPieces(f'{{"a": {long}, "b": 1}}'.encode()))
    assert stream.enter("{")
    assert list(stream.members()) == [("a", TOO_LONG), ("b", 1)]
