"""The JSON that `--profile` and `--profile-host` write: times, memory and shapes of operators.

A file of any size is read once, in at most 256 MB of memory: the first MAX_BYTES of it, of these the first
MAX_OPERATORS operators; the times of all others are in the sums.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from farm.dumps.json_stream import CutOffError, JsonStream, Readable
from farm.dumps.malformed import MalformedError
from farm.dumps.profile_parts import Parts
from farm.model.operators import Operator, Profile, signature

MAX_BYTES = 2 << 30
"""A device that writes without end costs a minute or two."""


def read_profile(file: Readable, algorithms: Mapping[str, str] | None = None) -> Profile:
    """The operators that were computed. `algorithms` is what a log tells of them (farm.logs.algorithms): by
    the name of an operator or by its signature.

    What is wrong with the file is in `problems`. Raises MalformedError if no operator can be read from it at
    all; what reading `file` raises passes through.
    """
    parts, limited = Parts(), _Limited(file)
    problems = []
    try:
        _walk(JsonStream(limited), parts)
    except CutOffError as error:
        why = f"only its first {MAX_BYTES >> 30} GiB are read" if limited.left <= 0 else str(error)
        problems.append(f"{why}: what follows is missing")
    except MalformedError as error:
        problems.append(f"{error}: what follows is missing")
    problems += parts.problems()
    if not parts.seen:
        raise MalformedError("; ".join(["the profile has no operators", *problems]))
    return Profile(
        operators=_operators(parts, algorithms or {}),
        device_ms=(math.fsum(device for device, _ in parts.device.values()) + parts.unlisted_device_s) * 1e3,
        host_ms=(math.fsum(parts.host.values()) + parts.unlisted_host_s) * 1e3,
        unlisted=parts.unlisted,
        problems=tuple(problems),
    )


class _Limited:
    """The first MAX_BYTES of a file."""

    def __init__(self, file: Readable) -> None:
        self._file, self.left = file, MAX_BYTES

    def read(self, size: int) -> bytes:
        block = self._file.read(min(size, self.left)) if self.left > 0 else None
        block = block or b""
        self.left -= len(block)
        return block


def _walk(stream: JsonStream, parts: Parts) -> None:
    if not stream.enter("{"):
        raise MalformedError("the profile is not a JSON object")
    for section in stream.keys():  # noqa: SIM118 - a walk, no mapping
        if section not in {"profiler", "graph_exec"} or not stream.enter("{"):
            stream.skip()
            continue
        for name in stream.keys():  # noqa: SIM118
            take = parts.readers.get(f"{section}.{name}")
            if take and stream.enter("{"):
                for key, value in stream.members():
                    take(key, value)
            elif name == "comp_seq" and stream.enter("["):
                for key in stream.items():
                    parts.take_place(key)
            else:
                stream.skip()


def _operators(parts: Parts, algorithms: Mapping[str, str]) -> tuple[Operator, ...]:
    places, last = parts.places, len(parts.places)
    keys = sorted(parts.device.keys() | parts.host.keys(), key=lambda key: (places.get(key, last), key))
    found = []
    for key in keys:
        device_s, kernel_s = parts.device.get(key, (0.0, 0.0))
        memory, computation, inputs, outputs = parts.sizes.get(key, (None, None, (), ()))
        name, kind = parts.described.get(key, ("", ""))
        operator = Operator(
            key,
            name,
            kind,
            device_ms=device_s * 1e3,
            kernel_ms=kernel_s * 1e3,
            host_ms=parts.host.get(key, 0.0) * 1e3,
            memory_bytes=memory,
            computation=computation,
            input_shapes=inputs,
            output_shapes=outputs,
            algorithm=_algorithm(algorithms, name, signature(kind, inputs, outputs)) if algorithms else None,
        )
        found.append(operator)
    return tuple(found)


def _algorithm(algorithms: Mapping[str, str], name: str, known_by: str) -> str | None:
    return algorithms.get(name) or algorithms.get(known_by)
