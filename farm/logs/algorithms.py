"""Which algorithm MegEngine chose for an operator, where a log tells: with `--verbose`, at the first run.

    [.. setup_algo@algo_chooser.cpp:87][DEBUG] MatrixMul: tensor layouts({1(16),16(1) Float32} ,
        {10(16),16(1) Float32} ) -> ({1(10),10(1) Float32} )): algo=X86_F32_BLAS workspace=0.00MiB attribute=9

Each pair `size(stride)` is a dimension. Versions after 1.13 add the operator's name: `MatrixMul(classify):`.
Operators of the same type and shapes share one line, since they share the choice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from farm.model.operators import Shapes, signature

MAX_ALGORITHMS = 10_000
MAX_LINE_CHARS = 4096

_CHOICE = re.compile(
    r"(?:^|\] )(?P<type>[\w:]{1,100})(?:\((?P<name>.{1,1000})\))?: tensor layouts\((?P<inputs>[^>]*)\) -> "
    r"\((?P<outputs>[^=]*)\)\): algo=(?P<algorithm>\S{1,300}) workspace="
)
_LAYOUT = re.compile(r"\{([^{}]*)\}")
_SIZE = re.compile(r"(\d{1,15})\(-?\d{1,20}\)")


def algorithms(lines: Iterable[str]) -> dict[str, str]:
    """Algorithm by operator name, or by `signature` where the log has no name; the last line counts. At most
    MAX_ALGORITHMS. Lines that are longer than MAX_LINE_CHARS or not whole are left out.
    """
    found: dict[str, str] = {}
    for line in lines:
        if "algo=" not in line or len(line) > MAX_LINE_CHARS:
            continue
        choice = _CHOICE.search(line)
        if choice and len(found) < MAX_ALGORITHMS:
            kind, inputs, outputs = choice["type"], _shapes(choice["inputs"]), _shapes(choice["outputs"])
            found[choice["name"] or signature(kind, inputs, outputs)] = choice["algorithm"]
    return found


def _shapes(text: str) -> Shapes:
    return tuple(
        tuple(int(size) for size in _SIZE.findall(layout))
        for layout in _LAYOUT.findall(text)
        if "(" in layout
    )
