"""Profiles and dumped tensors that are bombs, or something else than they say."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.hostile.attack import Attack, Job
from tests.hostile.attacks.payloads import BOTH, HTML


def profile(change: Callable[[bytes], bytes]) -> Callable[[Job], Job]:
    """Another profile."""

    def changed(job: Job) -> Job:
        return replace(
            job,
            files={
                n: change(d) if b"profile" in n or n == b"p" or n.endswith(b".json") else d
                for n, d in job.files.items()
            },
        )

    return changed


def edited(change: Callable[[Any], Any]) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        made = json.loads(data)
        return json.dumps(change(made) or made).encode()

    return changed


def dumps(change: Callable[[bytes], bytes]) -> Callable[[Job], Job]:
    """Other tensors in the dumps of the check rounds."""
    return lambda job: replace(job, files={n: change(d) if b"var" in n else d for n, d in job.files.items()})


def named(text: str) -> Callable[[Any], None]:
    def change(made: Any) -> None:
        for one in made["graph_exec"]["operator"].values():
            one["name"] = one["type"] = text
        made["profiler"]["opr_footprint"]["1"]["in_shapes"] = [text]
        made["profiler"]["device"] = {
            key: {text: span}
            for key, (span, *_) in ((k, list(v.values())) for k, v in made["profiler"]["device"].items())
        }

    return change


def everywhere(value: Any) -> Callable[[Any], Any]:
    """In the place of each leaf."""

    def change(made: Any) -> Any:
        if isinstance(made, dict):
            return {key: change(one) for key, one in made.items()}
        return [change(one) for one in made] if isinstance(made, list) and made else value

    return change


def many(made: Any) -> None:
    graph, host = made["graph_exec"], made["profiler"]["host"]
    span = {"host": {"start": 0.0, "kern": 0.0, "end": 1.0}}
    for number in range(3, 50_000):
        graph["operator"][str(number)] = {"name": f"o{number}", "type": "Elemwise", "input": [], "output": []}
        host[str(number)] = span
    graph["comp_seq"] = list(graph["operator"])


def with_head(*values: int) -> Callable[[bytes], bytes]:
    """name length, type, dimensions, then the sizes."""
    return lambda data: struct.pack(f"<{len(values)}I", *values) + data[4 * len(values) :]


ATTACKS = (
    Attack("bomb-deep", "a profile of 200,000 brackets", job=profile(lambda _: b"[" * 200_000), fails=None),
    Attack("bomb-deep-keys", "a profile of 100,000 objects in each other", job=profile(lambda _: b'{"graph_exec":' * 100_000), fails=None),
    Attack("bomb-long", "a profile of 4 MiB of zeros", job=profile(lambda data: data[:-1] + b',"x":[' + b"0," * (2 << 20) + b"0]}"), fails=None),
    Attack("bomb-digits", "a number of 100,000 digits", job=profile(lambda data: data.replace(b"0.0", b"9" * 100_000)), fails=None),
    Attack("bomb-exponent", "numbers like 1e999999999 and NaN", job=profile(lambda data: data.replace(b"0.0", b"1e999999999").replace(b"10000000", b"-Infinity").replace(b"0.001", b"NaN")), fails=None),
    Attack("bomb-string", "a name of 2 MiB", job=profile(edited(named("n" * (2 << 20)))), fails=None),
    Attack("bomb-html", "markup and escapes for names", job=profile(edited(named(BOTH))), fails=None),
    Attack("bomb-half", "half characters for names", job=profile(lambda data: data.replace(b"product", rb"\ud800\udc00\udfff\u0000\u202e")), fails=None),
    Attack("bomb-keys", "markup for the numbers of operators", job=profile(lambda data: data.replace(b'"1"', json.dumps(HTML).encode())), fails=None),
    Attack("bomb-lists", "lists where numbers are expected", job=profile(edited(everywhere([[]]))), fails=None),
    Attack("bomb-objects", "objects where texts are expected", job=profile(edited(everywhere({"__class__": {"__init__": 1}}))), fails=None),
    Attack("bomb-null", "null everywhere", job=profile(edited(everywhere(None))), fails=None),
    Attack("bomb-minus", "-1 everywhere", job=profile(edited(everywhere(-1))), fails=None),
    Attack("bomb-huge", "10^30 everywhere", job=profile(edited(everywhere(10**30))), fails=None),
    Attack("bomb-many", "50,000 operators", job=profile(edited(many)), fails=None),
    Attack("bomb-utf16", "a profile in UTF-16", job=profile(lambda data: data.decode().encode("utf-16")), fails=None),
    Attack("bomb-bytes", "a profile that is no text", job=profile(lambda _: bytes(range(256)) * 100), fails=None),
    Attack("bomb-cut", "half a profile", job=profile(lambda data: data[: len(data) // 2]), fails=None),
    Attack("bomb-empty", "an empty profile", job=profile(lambda _: b""), fails=None),
    Attack("tensor-shape", "a tensor of 2^224 numbers", job=dumps(with_head(8, 0, 7, *[0xFFFFFFFF] * 7)), fails=None),
    Attack("tensor-name", "a name of 4 GiB", job=dumps(with_head(0xFFFFFFFF)), fails=None),
    Attack("tensor-type", "a type that there is not", job=dumps(lambda data: data[:4] + b"\xff" * 4 + data[8:]), fails=None),
    Attack("tensor-dimensions", "2^32 dimensions", job=dumps(lambda data: data[:8] + b"\xff" * 4 + data[12:]), fails=None),
    Attack("tensor-nan", "numbers that are none", job=dumps(lambda data: data[:-4] + b"\xff" * 4), fails=None),
    Attack("tensor-html", "markup for the name of an output", job=dumps(lambda data: data.replace(b"owner:out", b"owner:" + HTML.replace("{", "").encode()[:3])), fails=None),
    Attack("tensor-empty", "an empty file", job=dumps(lambda _: b""), fails=None),
)  # fmt: skip
