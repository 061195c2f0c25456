"""Dumps as they come: of another model, of the other byte order, of 10 GB, cut off, with hostile names."""

from __future__ import annotations

import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from farm.model.dumps import DumpComparison
from farm.model.limits.deadlines import Deadlines
from farm.model.outputs import Tolerance
from farm.run.tensors import compare
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
    broken, whole = compare_batch(tuple(Job(one, one, LOOSE) for one in sources))
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
