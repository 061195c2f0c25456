"""The algorithms that farm prefers where none are configured: those that cost OpenSSH and this machine least.

By measurement, see docs/decisions/0052-what-a-login-costs-a-device.md. All of the usual ones stay allowed.
"""

from __future__ import annotations

import functools
import platform
from pathlib import Path
from typing import Any

from asyncssh.kex import get_default_kex_algs

_FAST_WITH_AES = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
_FAST_KEX = b"ecdh-sha2-nistp256"
_SLOW_KEX = b"curve25519-sha256"


def preferred() -> dict[str, Any]:
    """Options of asyncssh.connect; those of the configuration replace them."""
    ciphers = {"encryption_algs": _FAST_WITH_AES} if _has_aes() else {}
    return {"kex_algs": list(_kex()), **ciphers}


@functools.cache
def _kex() -> tuple[str, ...]:
    """Asyncssh's own order, but for P-256 before X25519: OpenSSH has the latter in plain C, and takes the
    former from OpenSSL, which has it in assembler. What withstands quantum computers stays before both.
    """
    names = get_default_kex_algs()
    if {_FAST_KEX, _SLOW_KEX} <= set(names):  # where FIPS is asked for, the latter is not
        names = [name for name in names if name != _FAST_KEX]
        names.insert(names.index(_SLOW_KEX), _FAST_KEX)
    return tuple(name.decode("ascii") for name in names)


@functools.cache
def _has_aes() -> bool:
    """Whether this CPU has AES instructions: then AES-GCM costs half of what ChaCha20 does."""
    try:
        facts = Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return platform.machine() in {"arm64", "x86_64", "AMD64"}
    return any("aes" in line.split() for line in facts.splitlines() if line.startswith(("flags", "Features")))
