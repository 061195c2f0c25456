"""The C library's heap."""

import ctypes

LARGE_BYTES = 1 << 16
"""glibc's malloc(3) looks through freed small pieces for one of this size, and keeps it in the heap."""


def settle() -> None:
    """Have glibc put the small pieces that were freed together now, which it else does within the next large
    request: `malloc_consolidate` in its malloc.c.
    """
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.free(library.malloc(LARGE_BYTES))
