"""Numbers for inputs that nobody gave: the same bytes for the same seed, on every machine, at any time."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

from farm.model.measurement import TensorInfo
from farm.plan.content.npy import Array, save

if TYPE_CHECKING:
    import numpy as np

LARGEST = 1 << 26
"""Elements of one input: 256 MB of float32."""

RANGES = {
    "float32": "-1 to 1",
    "int32": "0 or 1",
    "int16": "all of int16",
    "uint16": "all of uint16",
    "int8": "all of int8",
    "uint8": "all of uint8",
}
"""By type. int32 is what indices have: 0 and 1 are in every table. int8 and uint8 are also what a quantised
input is listed as, whose scale makes a range of all of them.
"""


def why_not(tensor: TensorInfo) -> str | None:
    """Why an input cannot have random numbers; None where it can."""
    if tensor.dtype not in RANGES:
        return f"its type {tensor.dtype} cannot be sent"
    if not tensor.shape or min(tensor.shape) < 1:
        return "its shape is not known"
    if math.prod(tensor.shape) > LARGEST:
        return f"it has more than {LARGEST:,} elements"
    return "its name has a `;` or `:`" if set(";:") & set(tensor.name) else None


def random_input(tensor: TensorInfo, seed: int) -> bytes:
    """A .npy for the input. Only the raw bits of PCG64 are used: numpy promises that these stay as they are
    (NEP 19), and promises it of no distribution.
    """
    import numpy as np

    text = f"{seed}/{tensor.name}/{tensor.dtype}/{','.join(map(str, tensor.shape))}"
    entropy = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest(), "big")
    bits = np.random.PCG64(entropy).random_raw(math.prod(tensor.shape))
    return save(_numbers(np.asarray(bits, np.uint64), tensor.dtype).reshape(tensor.shape))


def _numbers(bits: np.ndarray[tuple[int], np.dtype[np.uint64]], dtype: str) -> Array:
    import numpy as np

    if dtype == "float32":
        return (bits >> np.uint64(40)).astype(np.float32) * np.float32(2**-23) - np.float32(1)
    if dtype == "int32":
        return (bits & np.uint64(1)).astype(np.int32)
    size = np.dtype(dtype).itemsize
    return bits.astype(f"u{size}").view(dtype)
