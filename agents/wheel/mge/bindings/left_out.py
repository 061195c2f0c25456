"""Tables that farm leaves out of the library for devices without an NVIDIA GPU.

They are cuRAND's, which nothing on a CPU calls. In the file they are zeros; in memory they are locked here,
so that who reads them all the same ends the run with a clear error, never with numbers made of zeros.
"""

import ctypes
import mmap
import os
from ctypes import POINTER, c_int, c_ulong, c_void_p
from typing import Any

from mge import log
from mge.bindings import elf
from mge.bindings.cpp_objects import BUILDS
from mge.bindings.lite import Library
from mge.bindings.lite_c import CORE
from mge.errors import UnavailableError

EXIT_UNAVAILABLE = 69  # as in load_and_run.py
# (offset in the file, address in the library, size), all in bytes, of the build that BUILDS names: whole
# pages, so that everything outside of them is as it was. The same as in farm/runtime/wheel.py.
TABLES = ((0xED1D000, 0xED1D000, 20443136), (0x5ACB7000, 0x5ACB8000, 20475904))
LANDMARK, LANDMARK_ADDRESS = "curand_precomputed_mt19937_polynomials_1", 0xED1C740
SEGMENTATION_FAULT, PROT_NONE = 11, 0
SA_SIGINFO, SA_RESETHAND = 4, 0x80000000
FAULT_ADDRESS_OFFSET = 16  # in a siginfo_t of x86-64
HANDLER = ctypes.CFUNCTYPE(None, c_int, c_void_p, c_void_p)


class SignalAction(ctypes.Structure):
    """`struct sigaction` of glibc on x86-64."""

    _fields_ = (
        ("handler", HANDLER),
        ("mask", c_ulong * 16),
        ("flags", ctypes.c_uint),
        ("restorer", c_void_p),
    )


def lock(library: Library) -> None:
    """Locks what is missing of a library. Raises UnavailableError when the system does not let it."""
    if not _missing(os.path.join(library.folder, CORE)):
        return
    landmark = ctypes.c_char.in_dll(library.core, LANDMARK)
    base = ctypes.addressof(landmark) - LANDMARK_ADDRESS
    system = ctypes.CDLL(None, use_errno=True)
    system.mprotect.argtypes = (c_void_p, ctypes.c_size_t, c_int)
    system.sigaction.argtypes = (c_int, POINTER(SignalAction), c_void_p)
    locked = [(base + address, base + address + size) for _, address, size in TABLES]
    handler = HANDLER(lambda _, info, __: _ended(info, locked))
    # Once only: a fault elsewhere comes again when the handler returns, and ends the process as ever.
    action = SignalAction(handler, flags=SA_SIGINFO | SA_RESETHAND)
    failed = system.sigaction(SEGMENTATION_FAULT, ctypes.byref(action), None)
    for first, end in locked:
        failed = failed or system.mprotect(first, end - first, PROT_NONE)
    if failed:
        number = ctypes.get_errno()
        raise UnavailableError(f"cannot lock what is left out of {CORE}: {os.strerror(number)}")
    library.guards.append(handler)


def _missing(path: str) -> bool:
    """Whether this is the build of which farm leaves the tables out, and they are."""
    if elf.build_id(path) != BUILDS[CORE][1]:
        return False
    with open(path, "rb") as stream:
        for offset, _, _ in TABLES:
            stream.seek(offset)
            if any(stream.read(mmap.PAGESIZE)):
                return False
    return True


def _ended(info: int, locked: Any) -> None:
    address = c_void_p.from_address(info + FAULT_ADDRESS_OFFSET).value or 0
    if any(first <= address < end for first, end in locked):
        log.raw(
            "load_and_run.py: not available here: a table of cuRAND was read, and the library in lib/ is the "
            "one without what is for NVIDIA GPUs: run this on a device with a GPU\n"
        )
        os._exit(EXIT_UNAVAILABLE)
