"""What a run writes, in the formats of load_and_run."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from farm.sim.properties import Program, Tensor, Written

FLOAT32 = 0
MAX_DIMENSIONS = 7


def write_all(program: Program, model: str, options: dict[str, str], runs: int) -> None:
    """All files of a run of `runs` iterations, warm-ups included."""
    names = {model, *options, *(name.replace("_", "-") for name in options)}
    shift = sum(amount for name, amount in program.shifts if name in names)
    program = replace(program, outputs=tuple(_shifted(one, shift) for one in program.outputs))
    for name, write in _WRITERS.items():
        if name in options and name not in program.forgets:
            write(program, Path(options[name]), runs)
    for name in ("io_dump_stdout", "io_dump_stderr"):
        if name in options:
            Path(f"/dev/{name.removeprefix('io_dump_')}").write_text(_io_text(program))
    for written in program.writes:
        _write(written)


def _shifted(tensor: Tensor, amount: float) -> Tensor:
    return replace(tensor, values=tuple(value + amount for value in tensor.values)) if amount else tensor


def _write(written: Written) -> None:
    for index in range(written.count):
        path = os.fsencode(written.name) + (b"%d" % index if written.count > 1 else b"")
        os.makedirs(os.path.dirname(path) or b".", exist_ok=True)  # noqa: PTH103, PTH120 - names are bytes
        with open(path, "wb") as stream:  # noqa: PTH123
            if written.size_bytes:  # sparse: its size costs no disk
                stream.truncate(written.size_bytes)


def _bin_out(program: Program, folder: Path, runs: int) -> None:
    for run in range(runs):
        for tensor in program.outputs:
            (folder / f"run{run}-var{tensor.variable}").write_bytes(
                tensor_bytes(_shifted(tensor, program.drift * run))
            )


def _bin_io(program: Program, folder: Path, _: int) -> None:
    for tensor in program.outputs:
        (folder / f"{tensor.variable:06x}").write_bytes(tensor_bytes(tensor))


def tensor_bytes(tensor: Tensor) -> bytes:
    """A dumped variable: see farm/dumps/tensor.py."""
    shape = (*tensor.shape, *[0] * (MAX_DIMENSIONS - len(tensor.shape)))
    layout = ",".join(map(str, tensor.shape))
    name = (
        f"var={{id:{tensor.variable}, layout:{{{layout}}}, Float32, owner:{tensor.name}{{Simulated}}, "
        f"name:{tensor.name}, slot:0, cpu0:0, s, 4, 1}}"
    ).encode()
    values = _values(tensor)
    return struct.pack(f"<3I{MAX_DIMENSIONS}I", len(name), FLOAT32, MAX_DIMENSIONS, *shape) + name + values


def _values(tensor: Tensor) -> bytes:
    count = 1
    for length in tensor.shape:
        count *= length
    given = tensor.values
    return struct.pack(f"<{count}f", *(given[index % len(given)] for index in range(count)))


def _io_text(program: Program) -> str:
    return "".join(
        f"var{tensor.variable} produced: name={tensor.name} "
        f"layout={{{','.join(map(str, tensor.shape))} Float32}} "
        f"owner_opr={tensor.name}{{Simulated}} opr{tensor.variable - 1}\n deps:\n"
        f" val: [{', '.join(f'{value:.4g}' for value in tensor.values[:5])}]"
        f"min={min(tensor.values):.3g} max={max(tensor.values):.3g} mean=0 l2=0 sd=0 s\n"
        for tensor in program.outputs
    )


PRODUCT_FLOP, SUM_BYTES = 20_000_000, 10_000_000
"""Of the two operators that every model has, half of its time each: 20 GFLOP/s and 10 GB/s at 2 ms."""


def _profile(program: Program, path: Path, _: int) -> None:
    half_s = program.latency_ms / 2000
    spans = {
        "1": {"start": 0.0, "kern": 0.0, "end": half_s},
        "2": {"start": half_s, "kern": half_s, "end": 2 * half_s},
    }
    graph = {
        "operator": {
            "1": {"name": "product", "type": "MatrixMul", "input": [], "output": []},
            "2": {"name": "sum", "type": "Elemwise", "input": [], "output": []},
        },
        "comp_seq": ["1", "2"],
        "var": {},
    }
    profiler = {
        "opr_internal_pf": {},
        "opr_footprint": {
            "1": {"computation": PRODUCT_FLOP, "memory": SUM_BYTES // 10, "in_shapes": [], "out_shapes": []},
            "2": {"computation": SUM_BYTES // 12, "memory": SUM_BYTES, "in_shapes": [], "out_shapes": []},
        },
        "host": {key: {"host": span} for key, span in spans.items()},
        "device": {key: {"cpu0:0": span} for key, span in spans.items()},
    }
    path.write_text(json.dumps({"profiler": profiler, "graph_exec": graph}))


def _static_memory(_program: Program, folder: Path, _: int) -> None:
    (folder / "StaticMemoryInfo.json").write_text('{"opr": {}, "chunk": {}}')
    (folder / "graph.json").write_text("{}")


def _empty_cache(_program: Program, path: Path, _: int) -> None:
    path.write_bytes(struct.pack("<I", 0))  # no categories; TensorRT's is the same


_WRITERS: dict[str, Callable[[Program, Path, int], None]] = {
    "bin_out_dump": _bin_out,
    "bin_io_dump": _bin_io,
    "io_dump": lambda program, path, _: _append(path, _io_text(program)),
    "profile": _profile,
    "profile_host": _profile,
    "get_static_mem_info": _static_memory,
    "fast_run_algo_policy": _empty_cache,
    "tensorrt_cache": _empty_cache,
}


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as stream:
        stream.write(text)
