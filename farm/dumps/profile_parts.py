"""What a profile says of each operator, gathered part by part as they stand in the file, in bounded memory.

An operator's time is the largest `end - start` over its computing nodes, in seconds, of the last run
(the `self time` of megengine.tools.profile_analyze); `kern - start` is waiting, `end - kern` computing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from farm.dumps.json_text import as_count, as_list

MAX_OPERATORS = 100_000
KEPT_CHARS = 24 << 20
"""For the names and shapes of all operators together; behind it names are short, and shapes left out."""
SHORT_NAME = 40
NAME_LIMIT = 1000
ID_LIMIT = 40
MAX_SHAPES = 64
MAX_DIMENSIONS = 8
DIMENSION_CHARS = 16
"""What a dimension of a shape counts in KEPT_CHARS."""
MAX_SECONDS = 1e9

_HALF = re.compile(r"[\ud800-\udfff]")

Sizes = tuple[int | None, int | None, tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]


class Parts:
    """By operator id: `device` seconds (all, computing), `host` seconds, `sizes` (bytes, operations, shapes),
    `described` (name, type), and `places` in the order of computation. `seen` counts entries with times,
    usable or not; the `unlisted` are in the sums only.
    """

    def __init__(self) -> None:
        self.device: dict[str, tuple[float, float]] = {}
        self.host: dict[str, float] = {}
        self.sizes: dict[str, Sizes] = {}
        self.described: dict[str, tuple[str, str]] = {}
        self.places: dict[str, int] = {}
        self.seen = self.unlisted = 0
        self.unlisted_device_s = self.unlisted_host_s = 0.0
        self.readers: dict[str, Callable[[str, Any], None]] = {
            "profiler.device": self._take_device,
            "profiler.host": self._take_host,
            "profiler.opr_footprint": self._take_sizes,
            "graph_exec.operator": self._take_description,
        }
        self._ids: set[str] = set()
        self._kept: dict[Any, Any] = {}
        self._chars = KEPT_CHARS
        self._bad_times: set[str] = set()
        self._unreadable = self._shortened = 0

    def problems(self) -> list[str]:
        """What of the file is not used, in words."""
        nameless = len((self.device.keys() | self.host.keys()) - self.described.keys())
        told = (
            (len(self._bad_times), "times that are no numbers in order (start, kern, end)"),
            (self._unreadable, "an entry that cannot be read"),
            (nameless, "no name in the file"),
            (self.unlisted, f"no place in the list (it has the first {MAX_OPERATORS}): they are in the sums"),
            (self._shortened, "names or shapes that are left out: the file has too many"),
        )
        return [
            f"{count} operator{'s have' if count > 1 else ' has'} {what}" for count, what in told if count
        ]

    def take_place(self, key: Any) -> None:
        """The next operator in the order of computation."""
        if isinstance(key, str | int) and len(self.places) < MAX_OPERATORS:
            self.places.setdefault(str(key)[:ID_LIMIT], len(self.places))

    def _is_listed(self, key: str) -> bool:
        if key in self._ids:
            return True
        if len(self._ids) >= MAX_OPERATORS or len(key) > ID_LIMIT:
            return False
        self._ids.add(key)
        return True

    def _take_device(self, key: str, value: Any) -> None:
        self.seen += 1
        times = self._times(key, value)
        if times is None:
            return
        if self._is_listed(key):
            self.device[key] = times
        else:
            self.unlisted += 1
            self.unlisted_device_s += times[0]

    def _take_host(self, key: str, value: Any) -> None:
        self.seen += 1
        times = self._times(key, value)
        if times is None:
            return
        if self._is_listed(key):
            self.host[key] = times[0]
        else:
            self.unlisted_host_s += times[0]

    def _times(self, key: str, value: Any) -> tuple[float, float] | None:
        """Self time and computing time in seconds, the largest over the nodes with all three in order."""
        longest = computing = -1.0
        spans: Iterable[Any] = value.values() if isinstance(value, dict) else (None,)
        for span in spans:
            try:
                start, kern, end = span["start"], span["kern"], span["end"]
                if -MAX_SECONDS < start <= kern <= end < MAX_SECONDS and end is not True:
                    longest, computing = max(longest, end - start), max(computing, end - kern)
                    continue
            except (TypeError, KeyError):
                pass
            if len(self._bad_times) < MAX_OPERATORS:
                self._bad_times.add(key[:ID_LIMIT])
        return (longest, computing) if longest >= 0 else None

    def _take_sizes(self, key: str, value: Any) -> None:
        if not isinstance(value, dict):
            self._unreadable += 1
        elif self._is_listed(key):
            self.sizes[key] = (
                as_count(value.get("memory")),
                as_count(value.get("computation")),
                self._shapes(value.get("in_shapes")),
                self._shapes(value.get("out_shapes")),
            )

    def _take_description(self, key: str, value: Any) -> None:
        if not isinstance(value, dict):
            self._unreadable += 1
        elif self._is_listed(key):
            self.described[key] = self._name(value.get("name")), self._name(value.get("type"))

    def _name(self, value: Any) -> str:
        name = value[:NAME_LIMIT] if isinstance(value, str) else ""
        if (kept := self._kept.get(name)) is not None:
            return kept  # type: ignore[no-any-return]
        if self._chars < len(name):
            self._shortened += 1
            return name[:SHORT_NAME]
        name = _HALF.sub("\ufffd", name)
        self._chars -= len(name)
        self._kept[name] = name
        return name

    def _shapes(self, value: Any) -> tuple[tuple[int, ...], ...]:
        shapes = as_list(value)[:MAX_SHAPES]
        if not shapes:
            return ()
        known = tuple(
            tuple(size for one in as_list(shape)[:MAX_DIMENSIONS] if (size := as_count(one)) is not None)
            for shape in shapes
        )
        if (kept := self._kept.get(known)) is not None:
            return kept  # type: ignore[no-any-return]
        cost = DIMENSION_CHARS * sum(len(shape) + 4 for shape in known)
        if self._chars < cost:
            self._shortened += 1
            return ()
        self._chars -= cost
        self._kept[known] = known
        return known
