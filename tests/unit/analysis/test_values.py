"""The numbers of every type of MegEngine, from a dump on disk, are numpy's in double precision."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from farm.analysis import tensors
from farm.analysis.tensors import difference
from farm.dumps.tensor import LOW_BITS
from farm.model.outputs import TensorDifference, Tolerance
from farm.run.tensors.opened import opened
from farm.run.tensors.sides import read_dump

Array = NDArray[Any]
SHAPE = (3, 7, 5)
LAYOUTS = {
    "qint8": "QuantizedS8(0.05)",
    "quint8": "Quantized8Asymm(0.25, 128)",
    "quint4": "Quantized4Asymm(0.5,7)",
}
NUMBERS = {
    "float32": (0, "<f4"), "uint8": (1, "u1"), "int8": (2, "i1"), "int16": (3, "<i2"), "int32": (4, "<i4"),
    "intb1": (5, ""), "intb2": (6, ""), "intb4": (7, ""), "byte": (8, "u1"), "float16": (9, "<f2"), "uintb4": (10, ""),
    "bfloat16": (11, "bf"), "bool": (12, "u1"), "uint16": (13, "<u2"), "complex64": (14, "<c8"),
    "quint8": (100000, "u1"), "qint32": (100001, "<i4"), "qint8": (100002, "i1"), "quint4": (100003, ""),
    "qint4": (100004, ""), "qint16": (100005, "<i2"), "qint1": (100006, "i1"),
}  # fmt: skip
SCALES = {"qint8": (0.05, 0), "quint8": (0.25, 128), "quint4": (0.5, 7)}


def drawn(dtype: str, seed: int) -> tuple[bytes, Array]:
    """Bytes as MegEngine stores them, and the numbers that they mean."""
    draw = np.random.default_rng(seed)
    storage = NUMBERS[dtype][1]
    count = math.prod(SHAPE)
    if dtype in LOW_BITS:
        return packed(dtype, draw.integers(0, 1 << LOW_BITS[dtype], count))
    if storage == "bf":
        high = draw.standard_normal(count).astype("<f4").view("<u4") >> 16
        return high.astype("<u2").tobytes(), (high << 16).astype("<u4").view("<f4").astype(float)
    if storage == "<c8":
        values: Array = (draw.standard_normal(count) + 1j * draw.standard_normal(count)).astype("<c8")
    elif "f" in storage:
        values = draw.standard_normal(count).astype(storage)
    elif dtype == "bool":
        values = draw.integers(0, 2, count).astype("u1")
    else:
        limits = np.iinfo(storage)
        values = draw.integers(limits.min, limits.max, count, endpoint=True).astype(storage)
    return values.tobytes(), values.astype(complex if storage == "<c8" else float)


def packed(dtype: str, codes: Array) -> tuple[bytes, Array]:
    bits = LOW_BITS[dtype]
    per = 8 // bits
    padded = np.concatenate([codes, np.zeros(-len(codes) % per, int)]).reshape(-1, per)
    data = (padded << (np.arange(per) * bits)).sum(axis=1).astype("u1").tobytes()
    if dtype == "qint4":
        return data, np.where(codes > 7, codes - 16, codes).astype(float)
    meant = 2 * codes - ((1 << bits) - 1) if dtype.startswith("intb") else codes
    return data, meant.astype(float)


def written(path: Path, dtype: str, data: bytes) -> Path:
    layout = LAYOUTS.get(dtype, "Type")
    name = f"var={{id:7, layout:{{3(35),7(5),5(1) {layout}}}, Type, owner:o{{T}}, name:n, slot:0}}".encode()
    path.mkdir()
    head = struct.pack("<10I", len(name), NUMBERS[dtype][0], 7, *SHAPE, 0, 0, 0, 0)
    (path / "000007").write_bytes(head + name + data)
    return path


def compared(one: Path, other: Path, tolerance: Tolerance) -> TensorDifference:
    (ours,), (theirs,) = read_dump("a", [one]).sources, read_dump("b", [other]).sources
    with opened(ours) as candidate, opened(theirs) as reference:
        return difference(candidate, reference, tolerance)


@pytest.mark.parametrize("dtype", NUMBERS)
def test_the_numbers_of_every_type_are_numpys(
    dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensors, "CHUNK", 16)
    (data, ours), (other, theirs) = drawn(dtype, 1), drawn(dtype, 2)
    paths = written(tmp_path / "a", dtype, data), written(tmp_path / "b", dtype, other)
    found = compared(*paths, Tolerance(dtype, 0.1, 0.0))
    scale, zero = SCALES.get(dtype, (1.0, 0))
    ours, theirs = (ours - zero) * scale, (theirs - zero) * scale
    apart = np.abs(ours - theirs)
    assert found.problem is None
    assert found.scale == (SCALES[dtype][0] if dtype in SCALES else None)
    assert (found.elements, found.mismatches) == (105, int(np.count_nonzero(apart > 0.1 * np.abs(theirs))))
    assert found.max_abs == pytest.approx(apart.max(), rel=1e-12)
    assert found.at is not None
    assert apart.reshape(SHAPE)[found.at] == pytest.approx(apart.max())
    has = theirs != 0
    assert found.max_rel == pytest.approx((apart[has] / np.abs(theirs[has])).max(), rel=1e-12)
    noise, signal = (apart**2).sum(), (np.abs(theirs) ** 2).sum()
    assert found.snr_db == pytest.approx(10 * math.log10(signal / noise), rel=1e-9)
    dot = (theirs.conj() * ours).sum().real
    assert found.cosine == pytest.approx(dot / math.sqrt((np.abs(ours) ** 2).sum() * signal), rel=1e-9)


def test_rows_that_start_on_a_byte_each_are_read(tmp_path: Path) -> None:
    """Five values of four bits take three bytes: half a byte of each row means nothing."""
    rows = np.arange(105).reshape(21, 5) % 16
    data = np.concatenate([rows, np.full((21, 1), 9)], axis=1).reshape(-1, 2)
    one = written(tmp_path / "a", "quint4", (data[:, 0] | data[:, 1] << 4).astype("u1").tobytes())
    whole = written(tmp_path / "b", "quint4", packed("quint4", rows.reshape(-1))[0])
    (ours,), (theirs,) = read_dump("a", [one]).sources, read_dump("b", [whole]).sources
    from farm.analysis.values import stored

    with opened(ours) as padded, opened(theirs) as plain:
        assert np.array_equal(stored(padded, 0, 105), stored(plain, 0, 105))
        assert np.array_equal(stored(padded, 33, 60), rows.reshape(-1)[33:60])


@pytest.mark.parametrize(("dtype", "integer"), [("<f4", "<i4"), ("<f2", "<i2")])
def test_ulp_count_the_numbers_between_two(dtype: str, integer: str, tmp_path: Path) -> None:
    name = {"<f4": "float32", "<f2": "float16"}[dtype]
    theirs = np.random.default_rng(3).standard_normal(105).astype(dtype)
    steps = np.random.default_rng(4).integers(0, 50, 105)
    ours = (theirs.view(integer) + steps.astype(integer)).view(dtype)
    ours[0], theirs[0] = -theirs[1], theirs[1]  # other signs: no number
    ours[2], theirs[2] = 0, np.finfo(dtype).tiny / 2  # subnormal: no number
    paths = written(tmp_path / "a", name, ours.tobytes()), written(tmp_path / "b", name, theirs.tobytes())
    assert compared(*paths, Tolerance(name, 0, 0)).max_ulp == max(steps[1], *steps[3:])
