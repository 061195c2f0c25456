"""Every parser of what a device sends: what goes in, which errors it may raise, and honest examples."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from farm.analysis.dumps.memory import memory_timeline
from farm.binaries.read import HEAD_BYTES, read_binary
from farm.causes.diagnose import announces_hang, diagnose, stranger
from farm.device.disk.stock import parse_stock
from farm.device.facts.nvidia import throttle_reasons
from farm.device.probe import parse_facts
from farm.device.spool import parse_files, parse_gathered, parse_state
from farm.device.wire import Reply, Status, WireError, decode, encode, parse_greeting, parse_reply
from farm.dumps.fastrun_cache import parse_cache
from farm.dumps.io_text import parse_io_text
from farm.dumps.malformed import MalformedError
from farm.dumps.profile import read_profile
from farm.dumps.static_mem import parse_static_memory
from farm.dumps.tensor import parse_head, parse_tensor
from farm.dumps.tensor_names import io_file_key, out_file_key
from farm.errors import DeviceError
from farm.logs.algorithms import algorithms
from farm.logs.exact_times import parse_exact_times
from farm.logs.fitting import parse_fitted
from farm.logs.help import parse_flags
from farm.logs.processes import parse_processes, parse_supervised
from farm.logs.round_log import round_log
from farm.logs.telemetry import parse_gpu_telemetry, parse_telemetry
from farm.run.programs.program import program_found
from farm.sim.program.files import tensor_bytes
from farm.sim.properties import Tensor
from tests.hostile.agent import PROBE, TELEMETRY

TRANSCRIPTS = Path(__file__).parents[1] / "data" / "transcripts"
STREAM_BYTES = 1 << 10


@dataclass(frozen=True)
class Parser:
    """`read` takes the bytes as they come from a device. `may_raise` are the errors that callers expect."""

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    may_raise: tuple[type[Exception], ...] = ()


def of_text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    """As the callers do it: bytes that are not UTF-8 are replaced."""
    return lambda data: parse(data.decode("utf-8", "replace"))


def transcripts(*names: str) -> tuple[bytes, ...]:
    found = [json.loads((TRANSCRIPTS / f"{name}.json").read_text()) for name in names]
    return tuple((one["stdout"] + one["stderr"]).encode()[:20_000] for one in found)


def _reply(data: bytes) -> object:
    reply = parse_reply(data)
    return parse_state(reply) if reply.fields[:1] in (("running",), ("exited",)) else reply


def _gathered(data: bytes) -> object:
    line, _, rest = data.partition(b"\n")
    fields = tuple(word.decode("utf-8", "surrogateescape") for word in line.split(b" "))
    return parse_gathered(Reply(1, Status.DATA, fields, size_bytes=len(rest)), rest, STREAM_BYTES)


def _encoded(data: bytes) -> object:
    """What is decoded is what was encoded."""
    text = decode(data)
    assert decode(encode(text)) == text
    return text


def _causes(data: bytes) -> object:
    text = data.decode("utf-8", "replace")
    why, _, rest = text.partition("\n")
    codes = (None, 0, 1, 126, 127, 134, 139)
    return [diagnose(code, why, rest, text) for code in codes], stranger(text), announces_hang(text)


def _memory(text: str) -> object:
    return memory_timeline(parse_static_memory(text))


def _names(text: str) -> object:
    return out_file_key(text), io_file_key(text), throttle_reasons(text)


def _lines(parse: Callable[[Iterable[str]], object]) -> Callable[[str], object]:
    return lambda text: parse(text.split("\n"))


def _numbers(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def _piece(data: bytes) -> bytes:
    return _numbers(len(data)) + data


PROFILE = json.dumps(
    {
        "profiler": {
            "opr_internal_pf": {},
            "opr_footprint": {
                "1": {"computation": 10, "memory": 20, "in_shapes": ["{1,2}"], "out_shapes": ["{2}"]}
            },
            "host": {"1": {"host": {"start": 0.0, "kern": 0.1, "end": 0.5}}},
            "device": {"1": {"cpu0:0": {"start": 0.0, "kern": 0.1, "end": 0.5}}},
        },
        "graph_exec": {
            "operator": {
                "1": {"name": "a", "type": "MatrixMul", "input": ["2"], "output": ["3"], "extra": {"x": [1]}}
            },
            "comp_seq": ["1"],
            "var": {"2": {"name": "v", "shape": [1, 2], "log_shape": "{1,2}"}},
        },
    }
).encode()
MEMORY = json.dumps(
    {
        "opr": {"0": {"name": "a", "size": 4, "start": 0, "end": 1}},
        "chunk": {"0": {"type": "static_mem", "time_begin": "0", "time_end": "2", "logic_addr_begin": "0", "logic_addr_end": "64", "memory_address_begin": 0, "memory_address_end": 64}},
    }
).encode()  # fmt: skip
GPU = b"1.0 0, 120.5, 30, 1980, 0x0000000000000001\n2.0 0, 121.5, 31, 1980, 0x0\n"
STOCK = b"""== df
/dev/vda 100 50 50 50%% /
== files
./aa/%s
== sizes
8\tcas/aa/%s
== trees
one
== links
trees/one:
lrwxrwxrwx 1 u u 9 Jan 1 00:00 model.mge -> ../../cas/aa/%s
""" % ((b"aa" + b"0" * 62,) * 3)
STAT = b"12 (a) b) S 1 1 1 0 -1 4194560 1 0 0 0 11 22 0 0 20 0 1 0 1 1 1\n"
CACHE = _numbers(1) + _piece(b"profile:plat=cpu") + _numbers(1) + _piece(b"1,2;f32|")
CACHE += _piece(_numbers(1) + _piece(bytes(8) + _piece(b"x") + _piece(b"FAST")) + _piece(b":1;0.5;64"))
ELF = (
    b"\x7fELF\x02\x01\x01"
    + bytes(9)
    + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    + struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, 20, 20, 1)
    + b"/lib64/ld-linux.so.2\0"
)
TENSOR = tensor_bytes(Tensor((1.0, 2.0), (2,)))
FACTS = (
    PROBE.encode()
    + b"""== getprop
[ro.build.version.release]: [14]
== nvidia
name, memory.total [MiB], compute_cap, driver_version
NVIDIA H200, 143771 MiB, 9.0, 550.54
== libc
glibc 2.36
== pythons
/usr/bin/python3 cpython 3.11.2 numpy
== files
/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq:3000000
/sys/class/thermal/thermal_zone0/temp:45000
/sys/fs/cgroup/cpu.max:max 100000
/proc/self/status:Cpus_allowed_list:\t0-3,7
/sys/class/power_supply/BAT0/type:Battery
/proc/cpuinfo:CPU implementer\t: 0x41
/proc/cpuinfo:CPU part\t: 0xd0b
/proc/device-tree/compatible:rockchip,rk3588\0x
"""
)

PARSERS: dict[str, Parser] = {
    "wire-reply": Parser(_reply, (b"1 ok a b%20c\n", b"2 err held x 1 2 3 4\n", b"3 data 10 1 2 3 4\n", b"4 ok exited 0 - 1 2 3\n"), (WireError, DeviceError)),
    "wire-greeting": Parser(parse_greeting, (b"farm-agent 1 42 /home/u/.cache\n", b"farm-agent 1 err no-tool x\n"), (WireError,)),
    "wire-field": Parser(_encoded, (b"a%20b%25%0A", b"%00", "模\u202e".encode()), (WireError,)),
    "spool-files": Parser(parse_files, (b"0" * 64 + b" 12 out/a%20b\n",), (DeviceError,)),
    "spool-gathered": Parser(_gathered, (b"70 2 2 2\n" + b"0" * 64 + b" 1 ab\nooeett",), (DeviceError,)),
    "facts": Parser(of_text(parse_facts), (FACTS, PROBE.encode())),
    "stock": Parser(of_text(parse_stock), (STOCK,)),
    "processes": Parser(of_text(parse_processes), (STAT * 2,)),
    "supervised": Parser(of_text(parse_supervised), (b"sh\0/w/agents/a.sh\0supervise\0/w\0job\0-\0" + b"7 8\0",)),
    "telemetry": Parser(of_text(parse_telemetry), (TELEMETRY, b"uptime_s load_1m cores running cpu own cpu0_khz temp:a_mc cooling:b energy:c_uj power:d_uw current:e_ua voltage:e_uv throttle:cpu0:core\n1.0 0.5 0,1 0 1,2,3,4,5,6,7,8 1+2 3000 45000 0 5 6 7 8 9\n")),
    "gpu-telemetry": Parser(of_text(parse_gpu_telemetry), (GPU,)),
    "exact-times": Parser(of_text(parse_exact_times), (b"1000 900\n2000 1900\n",)),
    "log": Parser(of_text(lambda text: round_log(text, text, 2)), transcripts("default", "cpu_mt2", "verbose", "thread2_input", "model_info", "lite_thread2")),
    "help": Parser(of_text(parse_flags), transcripts("help")),
    "fitting": Parser(of_text(parse_fitted), transcripts("lite_fitting", "fitting_cpu")),
    "algorithms": Parser(of_text(_lines(algorithms)), transcripts("verbose", "lite_verbose")),
    "causes": Parser(_causes, transcripts("bad_empty", "copr_missing", "cuda", "in_wrong_shape", "unknown", "jit")),
    "profile": Parser(lambda data: read_profile(io.BytesIO(data)), (PROFILE,), (MalformedError,)),
    "static-memory": Parser(of_text(_memory), (MEMORY,), (MalformedError,)),
    "io-text": Parser(of_text(parse_io_text), transcripts("lite_io_dump_stdout", "io_dump_stderr"), (MalformedError,)),
    "tensor": Parser(parse_tensor, (TENSOR,), (MalformedError,)),
    "tensor-head": Parser(lambda data: parse_head(data[:4096], len(data)), (TENSOR,), (MalformedError,)),
    "tensor-names": Parser(of_text(_names), (b"run0-var81", b"00002a", b"0x0000000000000008")),
    "fast-run-cache": Parser(parse_cache, (CACHE, _numbers(0)), (MalformedError,)),
    "program": Parser(lambda data: read_binary(io.BytesIO(data[:HEAD_BYTES]), len(data)), (ELF, b"#!/bin/sh\n")),
    "program-found": Parser(program_found, (b"/opt/load_and_run\n" + b"0" * 64 + b"  /opt/load_and_run\nwhole\n",)),
}  # fmt: skip
