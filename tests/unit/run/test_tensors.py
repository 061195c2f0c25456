"""Dumps as they come: of another model, of the other byte order, of 10 GB, cut off, with hostile names."""

from __future__ import annotations

import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from farm.analysis.dumps.layouts import views
from farm.analysis.dumps.relaid import relaid
from farm.model.dumps import DumpComparison
from farm.model.limits.deadlines import Deadlines
from farm.model.outputs import Tolerance
from farm.run.tensors import compare, sides
from farm.run.tensors.compare import How, compare_dumps
from farm.run.tensors.opened import opened
from farm.run.tensors.sides import Dump, read_dump
from farm.run.tensors.work import Job, compare_batch

LOOSE = Tolerance("float32", 1e-3, 1e-5)


def head(variable: int, name: bytes, shape: tuple[int, ...], order: str = "<", inputs: bytes = b"") -> bytes:
    text = b"var={id:%d, layout:{1}, Float32, owner:%s{T}, name:%s, slot:0, cpu0:0} owner_opr_inputs=%s" % (
        variable, name, name, inputs,
    )  # fmt: skip
    return struct.pack(f"{order}10I", len(text), 0, 7, *shape, *(0,) * (7 - len(shape))) + text


def put(folder: Path, variable: int, values: list[float], name: bytes = b"n", inputs: bytes = b"") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{variable:06x}"
    path.write_bytes(head(variable, name, (len(values),), inputs=inputs) + np.array(values, "<f4").tobytes())
    return path


async def compared(one: Path, *others: Path, how: How | None = None) -> DumpComparison:
    return await compare_dumps(("reference", [one]), [(path.name, [path]) for path in others], how or How())


def told(dump: Dump) -> str:
    return "\n".join(dump.findings)


def test_a_dump_of_the_other_byte_order_is_named(tmp_path: Path) -> None:
    (tmp_path / "000001").write_bytes(head(1, b"a", (2,), ">") + bytes(8))
    assert "written in the other byte order (big-endian)" in told(read_dump("d", [tmp_path]))


def test_a_tensor_that_is_cut_off_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    put(tmp_path, 1, [1.0, 2.0])
    cut = put(tmp_path, 2, [1.0, 2.0])
    os.truncate(cut, cut.stat().st_size - 3)
    (tmp_path / "000003").write_bytes(b"\x07")
    dump = read_dump("d", [tmp_path])
    assert len(dump.tensors) == 1
    assert "000002: dumped tensor of shape (2,) (float32): 5 bytes of data" in told(dump)
    assert "000003: dumped tensor: truncated header" in told(dump)


def test_a_file_that_is_cut_off_while_it_is_compared_costs_its_own_pair_only(tmp_path: Path) -> None:
    paths = [put(tmp_path / "a", 1, [1.0] * 9), put(tmp_path / "a", 2, [1.0] * 9)]
    sources = read_dump("a", [tmp_path / "a"]).sources
    os.truncate(paths[0], paths[0].stat().st_size - 4)
    broken, whole = (one.difference for one in compare_batch(tuple(Job(one, one, LOOSE) for one in sources)))
    assert broken.problem == "it cannot be read: it was cut off while it was read"
    assert (whole.problem, whole.mismatches) == (None, 0)


def test_what_is_no_plain_file_or_gone_or_has_many_faults_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "000001")
    (tmp_path / "000002").symlink_to(tmp_path / "gone")
    for number in range(3, 12):
        (tmp_path / f"{number:06x}").write_bytes(b"no dump at all, but long enough for a head")
    dump = read_dump("d", [tmp_path])
    assert "000001 cannot be read: it is no plain file" in told(dump)
    assert "000002 cannot be read: No such file or directory" in told(dump)
    assert dump.findings[-2:] == ["6 more files cannot be read", "there are no tensors in it"]


def test_a_tensor_of_ten_gigabytes_takes_a_few_megabytes(tmp_path: Path) -> None:
    """Its head is believed; of its values parts are in memory, one after the other."""
    count = 2_684_354_560
    path = tmp_path / "000001"
    path.write_bytes(head(1, b"a", (count // 1024, 1024)))
    os.truncate(path, path.stat().st_size + 4 * count)
    tracemalloc.start()
    try:
        (source,) = read_dump("d", [tmp_path]).sources
        with opened(source) as values:
            assert values.flat.size == count
            assert not values.flat[count - 100_000 : count].any()
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_more_tensors_than_the_memory_holds_are_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a billion of them, in files or in a text."""
    for number in range(1, 6):
        put(tmp_path / "d", number, [1.0])
    line = "var%d produced: name=n layout={1(1) Float32} owner_opr=o{T} opr6\n val: [1, ]min=1 max=1 mean=1 l2=1 sd=0 s\n"
    (tmp_path / "a.txt").write_text("".join(line % number for number in (1, 2, 3, 4, 5, 1, 2)))
    monkeypatch.setattr(sides, "MOST_TENSORS", 3)
    for path in (tmp_path / "d", tmp_path / "a.txt"):
        dump = read_dump("d", [path, path])
        assert len(dump.tensors) == 3
        assert [one for one in dump.findings if "only the first 3 tensors" in one] == [
            "only the first 3 tensors are compared"
        ]
    monkeypatch.setattr(sides, "MOST_NAMES", 2)
    assert "d: only its first 2 files are looked at" in told(read_dump("d", [tmp_path / "d"]))


def test_a_text_without_end_is_read_up_to_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = "var%d produced: name=n layout={1(1) Float32} owner_opr=o{T} opr6\n val: [nan, ]min=nan max=-nan mean=1 l2=1 sd=-nan s\n"
    (tmp_path / "a.txt").write_text(entry % 1)
    os.truncate(tmp_path / "a.txt", 10 << 30)
    monkeypatch.setattr(sides, "MOST_TEXT_BYTES", 1 << 20)
    tracemalloc.start()
    try:
        dump = read_dump("d", [tmp_path / "a.txt"])
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert len(dump.tensors) == 1
    assert "a.txt: only its first 1,048,576 bytes are read" in told(dump)


async def test_a_blocked_tensor_of_ten_gigabytes_takes_a_few_megabytes_or_is_named(tmp_path: Path) -> None:
    """Its channels are read one by one where their block is innermost; else it is not compared."""
    sizes = (1, 4, 32768, 20480)
    for name, shape in (("a", sizes), ("b", (1, 1, *sizes[2:], 4)), ("c", (1, sizes[2], 1, sizes[3], 4))):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "000001"
        path.write_bytes(head(1, b"n", shape))
        os.truncate(path, path.stat().st_size + (10 << 30))
    (source,) = read_dump("b", [tmp_path / "b"]).sources
    (layout, _) = views((1, 1, *sizes[2:], 4), sizes)[0]
    tracemalloc.start()
    try:
        with opened(source) as values:
            found = relaid(values, layout)
            assert (found.shape, found.flat.size) == (sizes, (10 << 30) // 4)
            assert not found.flat[found.flat.size - 300_000 :].any()
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    (side,) = (await compared(tmp_path / "a", tmp_path / "c")).sides
    (pair,) = side.pairs
    assert pair.difference.problem == (
        "it cannot be read: a piece of its layout NHCWc4 has 10,737,418,240 bytes: too many to turn round"
    )


def test_names_that_are_hostile_are_text_of_one_line(tmp_path: Path) -> None:
    put(tmp_path, 1, [1.0], name=b"\xff\x1b[31m\n<script>" + b"x" * 5000)
    (tensor,) = read_dump("d", [tmp_path]).tensors
    assert len(tensor.name) < 250
    assert tensor.name.isprintable()


async def test_a_dump_of_another_model_is_a_finding(tmp_path: Path) -> None:
    put(tmp_path / "a", 1, [1.0], name=b"one")
    put(tmp_path / "b", 1, [1.0, 2.0], name=b"two")
    (side,) = (await compared(tmp_path / "a", tmp_path / "b")).sides
    assert side.findings == (
        "0 of 1 tensors have a partner of their shape: it is a dump of another model, or of options that rebuild the graph",
    )
    assert (len(side.only_candidate), len(side.only_reference), side.first) == (1, 1, None)


async def test_several_dumps_are_compared_with_one_by_two_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three operators in a chain: the second is wrong in one dump, the weight of the third in another."""
    chain = {1: b"", 2: b"{id:1, layout:{1}}", 3: b"0={id:2, layout:{1}} 1={id:4, shape:{1}}", 4: b""}
    wrong: dict[str, dict[int, list[float]]] = {"a": {}, "b": {2: [9.0], 3: [8.0]}, "c": {4: [7.0], 3: [6.0]}}
    for name, changed in wrong.items():
        for variable, inputs in chain.items():
            put(tmp_path / name, variable, changed.get(variable, [1.0]), b"v%d" % variable, inputs)
    progress: list[int] = []
    monkeypatch.setattr(compare, "SMALL_BYTES", 0)
    monkeypatch.setattr(compare, "BATCH_TENSORS", 2)
    how = How(workers=2, progress=lambda _label, done, _total: progress.append(done))
    found = await compared(*(tmp_path / name for name in "aabc"), how=how)
    firsts = [side.first_diverging for side in found.sides]
    assert [one.candidate.name if one else None for one in firsts] == [None, "v2", "v3"]
    assert [one.divergence for one in found.sides[1].pairs] == ["agrees", "introduced", "agrees", "inherited"]
    assert progress == [16, 32] * 3


async def test_what_is_compared_too_slowly_costs_its_pairs_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "a", 1, [1.0])
    monkeypatch.setattr(compare, "SMALL_BYTES", 0)
    found = {
        limit_s: await compared(
            tmp_path / "a", tmp_path / "a", how=How(deadlines=Deadlines(compare_tensors_s=limit_s))
        )
        for limit_s in (60.0, 1e-9)
    }
    problems = {limit_s: one.sides[0].pairs[0].difference.problem for limit_s, one in found.items()}
    late = "it was not compared within 1e-09 s (deadline compare-tensors)"
    assert problems == {60.0: None, 1e-9: late}


def shaped(folder: Path, variable: int, array: np.ndarray, name: bytes, inputs: bytes = b"") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    begin = head(variable, name, array.shape, inputs=inputs)
    (folder / f"{variable:06x}").write_bytes(begin + array.astype("<f4").tobytes())


async def test_a_blocked_dump_is_compared_with_a_plain_one_and_its_wrong_operator_named(
    tmp_path: Path,
) -> None:
    """The weight has another id and no name on the blocked side: what reads it tells which it is."""
    draw = np.random.default_rng(2)
    image, weight = draw.standard_normal((1, 20, 4, 4)), draw.standard_normal((20, 16, 3, 3))
    made = draw.standard_normal((1, 20, 4, 4))
    shaped(tmp_path / "plain", 1, image, b"in")
    shaped(tmp_path / "plain", 2, weight, b"w")
    shaped(tmp_path / "plain", 3, made, b"conv", b"0={id:1, layout:{1}} 1={id:2, layout:{1}}")
    for name, wrong in (("good", 0.0), ("bad", 1.0)):
        changed = made.copy()
        changed[0, 17, 2, 3] += wrong
        padded = [np.pad(one, ((0, 0), (0, 4), (0, 0), (0, 0))) for one in (image, changed)]
        by_block = [one.reshape(1, 3, 8, 4, 4).transpose(0, 1, 3, 4, 2) for one in padded]
        # input channels inside, then output channels: the other order has the same shape
        turned = np.pad(weight, ((0, 4), (0, 0), (0, 0), (0, 0))).reshape(3, 8, 2, 8, 3, 3)
        shaped(tmp_path / name, 1, by_block[0], b"in")
        shaped(tmp_path / name, 70, turned.transpose(0, 2, 4, 5, 1, 3), b"dimshuffle[70]")
        shaped(tmp_path / name, 71, by_block[1], b"conv", b"0={id:1, layout:{1}} 1={id:70, layout:{1}}")
    good, bad = (await compared(*(tmp_path / name for name in ("plain", "good", "bad")))).sides
    assert (good.compared, good.beyond, good.only_candidate, good.only_reference) == (3, 0, (), ())
    assert [(one.candidate.name, one.matched, one.layouts) for one in good.pairs] == [
        ("in", "id", ("NCHWc8", "NCHW")),
        ("dimshuffle[70]", "reader", ("NCHWn8c8", "NCHW")),
        ("conv", "name", ("NCHWc8", "NCHW")),
    ]
    assert good.findings == ("3 tensors are compared in plain order (NCHWc8, NCHWn8c8)",)
    first = bad.first_diverging
    assert first is not None
    assert (first.candidate.name, first.difference.mismatches, first.difference.at) == (
        "conv",
        1,
        (0, 17, 2, 3),
    )


async def test_what_cannot_be_paired_says_why(tmp_path: Path) -> None:
    put(tmp_path / "a", 1, [1.0], b"in")
    put(tmp_path / "a", 2, [1.0], b"w")
    put(tmp_path / "a", 3, [1.0, 2.0], b"conv", b"0={id:1, layout:{1}}")
    put(tmp_path / "b", 1, [1.0], b"in")
    named = head(9, b"relu", (3,), inputs=b"0={id:1, layout:{1}}").replace(b"owner:relu{T}", b"owner:conv{T}")
    (tmp_path / "b" / "000009").write_bytes(named + bytes(12))
    kind = b"0={id:9, layout:{1}}"
    turn = head(10, b"t", (3, 1), inputs=kind).replace(b"owner:t{T}", b"owner:t{Reshape}")
    text = struct.unpack_from("<I", turn)[0] + len(b"Reshape") - 1
    (tmp_path / "b" / "00000a").write_bytes(struct.pack("<I", text) + turn[4:] + bytes(12))
    (side,) = (await compared(tmp_path / "a", tmp_path / "b")).sides
    assert {one.name: one.reason for one in (*side.only_candidate, *side.only_reference)} == {
        "relu": "this operator makes 'conv' on the other side",
        "t": "a change of shape or layout that only this side has",
        "conv": "this operator makes 'relu' on the other side",
        "w": "a constant: none of its name, and no single one like it has the same reader",
    }


async def test_where_no_process_can_be_started_each_pair_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "a", 1, [1.0])
    monkeypatch.setattr(compare, "SMALL_BYTES", 0)
    monkeypatch.setattr("sys.executable", str(tmp_path / "gone"))
    (side,) = (await compared(tmp_path / "a", tmp_path / "a")).sides
    problem = side.pairs[0].difference.problem
    assert problem is not None
    assert problem.startswith("it was not compared: [Errno 2] No such file or directory")


async def test_two_texts_are_compared_and_a_text_with_a_binary_is_a_finding(tmp_path: Path) -> None:
    line = "var7 produced: name=n layout={1(1) Float32} owner_opr=o{T} opr6\n deps:\n"
    for name, value in (("a.txt", "1.5"), ("b.txt", "1.7")):
        stats = f" val: [{value}, ]min={value} max={value} mean={value} l2={value} sd=N/A s\n"
        (tmp_path / name).write_text(line + stats)
    put(tmp_path / "d", 7, [1.5])
    found = await compared(tmp_path / "a.txt", tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "d")
    assert [side.beyond for side in found.sides] == [0, 1, 0]
    assert "a text dump and a binary one cannot be compared" in found.sides[2].findings[0]


async def test_golden_files_and_the_first_run_of_outputs_are_compared(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for run in (0, 1):
        values = np.array([1.0, run], "<f4").tobytes()
        (tmp_path / "out" / f"run{run}-var7").write_bytes(head(7, b"out", (2,)) + values)
    np.save(tmp_path / "out.npy", np.array([1.0, 0.0], "f4"))
    (side,) = (await compared(tmp_path / "out.npy", tmp_path / "out")).sides
    assert (side.compared, side.beyond) == (1, 0)
    assert side.findings == ("several runs of the model: run 0 is compared",)


@pytest.mark.parametrize("array", [np.zeros((2, 3), ">f4"), np.asfortranarray(np.zeros((2, 3)))])
def test_a_golden_file_in_another_order_is_named(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "x.npy", array)
    assert "save it with numpy.ascontiguousarray" in told(read_dump("d", [tmp_path / "x.npy"]))


@pytest.mark.parametrize(
    "header", [b"{'descr': (", b"{'descr': '<f4', 'shape': (" + b"(" * 3000, b"\xff", b"", b"{}"]
)
def test_a_header_of_a_golden_file_that_is_none_is_told(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    assert "cannot be read" in told(read_dump("d", [tmp_path / "x.npy"]))
