"""The import of asyncssh, without a fifth of its time."""

from __future__ import annotations

import ctypes.util

# It looks for liboqs and nettle, which have further algorithms. What the loader's cache does not have Python
# asks of a compiler and a linker, where there are any: seven processes. A library that is only there could
# not be loaded by its name either.
_asked = {
    name: getattr(ctypes.util, name) for name in ("_findLib_gcc", "_findLib_ld") if hasattr(ctypes.util, name)
}
for _name in _asked:
    setattr(ctypes.util, _name, lambda _library: None)
try:
    import asyncssh as asyncssh  # noqa: PLC0414 - handed on
finally:
    for _name, _ask in _asked.items():
        setattr(ctypes.util, _name, _ask)

__all__ = ["asyncssh"]
