"""The import of asyncssh, without a fifth of its time."""

from __future__ import annotations

import ctypes.util
import os

# It looks for liboqs and nettle, which have further algorithms. What the loader's cache does not have Python
# asks of a compiler and a linker, where there are any: seven processes. Without LD_LIBRARY_PATH, a library
# that is only there could not be loaded by its name either.
_names = () if "LD_LIBRARY_PATH" in os.environ else ("_findLib_gcc", "_findLib_ld")
_asked = {name: getattr(ctypes.util, name) for name in _names if hasattr(ctypes.util, name)}
for _name in _asked:
    setattr(ctypes.util, _name, lambda _library: None)
try:
    import asyncssh as asyncssh  # noqa: PLC0414 - handed on
finally:
    for _name, _ask in _asked.items():
        setattr(ctypes.util, _name, _ask)

__all__ = ["asyncssh"]
