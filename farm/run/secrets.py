"""Values that must not be kept: those of a device's environment whose names say so."""

from __future__ import annotations

import re
from collections.abc import Iterable

from farm.model.device import Device

HIDDEN = "***"
SHORTEST = 6
"""A shorter value is hidden where it is a value, but not looked for in texts: it may be part of any word."""

_NAME = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|PASS|PASSPHRASE|PWD|CREDENTIALS?|AUTH|COOKIE|APIKEY|KEY|PRIVATE)"
    r"(?:_|$)|TOKEN$|SECRET$|PASSWORD$|APIKEY$",
    re.IGNORECASE,
)
_NO_SECRETS = frozenset({"PWD", "OLDPWD"})


def is_secret(name: str) -> bool:
    """Whether the value of an environment variable of this name is one to hide."""
    return name.upper() not in _NO_SECRETS and bool(_NAME.search(name))


class Hider:
    """Replaces the secrets of devices in texts and logs by `***`; what is part of one of `names` is none."""

    def __init__(self, devices: Iterable[Device], names: Iterable[str] = ()) -> None:
        public = tuple(names)
        values = {
            value
            for device in devices
            for key, value in device.environment
            if is_secret(key) and len(value) >= SHORTEST and not any(value in name for name in public)
        }
        longest_first = sorted(values, key=len, reverse=True)
        self._text = re.compile("|".join(map(re.escape, longest_first))) if values else None
        encoded = (re.escape(value.encode("utf-8", "surrogateescape")) for value in longest_first)
        self._bytes = re.compile(b"|".join(encoded)) if values else None

    def text(self, text: str) -> str:
        return self._text.sub(HIDDEN, text) if self._text else text

    def log(self, log: bytes) -> bytes:
        return self._bytes.sub(HIDDEN.encode(), log) if self._bytes else log


def shown(environment: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """An environment as it may be shown."""
    return tuple((name, HIDDEN if is_secret(name) else value) for name, value in environment)
