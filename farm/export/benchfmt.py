"""Go's benchmark format, as benchstat reads it: `benchstat -row /model -col /build run.txt`.

Source: golang.org/design/14313-benchmark-format, and golang.org/x/perf/benchfmt (reader.go, name.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

from farm.export.cells import named, safe
from farm.model.run import Results

NS_IN_MS = 1e6

_UNSAFE = re.compile(r"[\s/%]")
_LAST_NUMBER = re.compile(r"-(?=[0-9]+\Z)")


def benchfmt(results: Results) -> str:
    """A line for each round that counts, in ns/op, which benchstat knows. Keys of a name: model, device,
    variant, build. Cells without such rounds have no line: the format has no word for a failure. What is of
    the run alone is a comment, since benchstat puts runs that differ in a key into tables of their own.
    """
    return "".join(f"{line}\n" for line in _lines(results))


def _lines(results: Results) -> Iterator[str]:
    yield f"# farm {safe(results.farm_version)}, run {safe(results.run_id)}, {safe(results.started_at)}"
    yield "Unit ns/op better=lower"
    for one in named(results):
        keys = (
            ("model", one.model),
            ("device", one.device),
            ("variant", one.variant),
            ("build", one.build),
        )
        name = _ended("/".join(("BenchmarkInference", *(f"{key}={_escaped(value)}" for key, value in keys))))
        for value_ms, result in zip(one.values_ms, one.counted, strict=True):
            yield f"{name} {max(len(result.e2e_ms), 1)} {value_ms * NS_IN_MS:.1f} ns/op"


def _escaped(text: str) -> str:
    """One word, and one part of a name: spaces of Unicode end a word, too."""
    return _UNSAFE.sub(lambda found: quote(found[0], safe=""), text)


def _ended(text: str) -> str:
    """`-4` at the end of a name is Go's number of processors, and no part of the build's."""
    return _LAST_NUMBER.sub("%2D", text)
