"""Text of devices and users made safe to write and to show: no half or invisible characters, bounded length,
no escaping path.

Bytes of a device that are no UTF-8 become surrogate escapes in farm.device.wire, because a name must reach
the device again as it came. What is kept of a run goes through `writable` once, when it is recorded. Escaping
HTML is not done here: that is the templates' autoescape.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Callable
from enum import Enum
from functools import cache
from pathlib import PurePosixPath
from typing import Any, TypeVar
from urllib.parse import quote

LONGEST_TEXT = 8000

# Cc controls, Cf formats (direction overrides, zero widths), Cs lone surrogates, Zl and Zp separators:
# they hide or reorder the text around them. Tab and newline are shown as they are.
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_PLAIN = re.compile(r"[\t\n -~]*")
_HALF = re.compile(r"[\ud800-\udfff]")

# Not allowed in names and values of inventory and suite files: they cannot be seen, typed or printed.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

_T = TypeVar("_T")


def has_controls(text: str) -> bool:
    """Whether there are control codes (but tab and newline) or half characters in a text."""
    return bool(_CONTROLS.search(text))


def visible(text: str) -> str:
    """`text` with characters that hide or reorder others written as `<U+202E>`, truncated when too long."""
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]} ... ({len(text) - LONGEST_TEXT} more characters)"
    if _PLAIN.fullmatch(text):
        return text
    return "".join(_shown(char) for char in text)


def writable(text: str) -> str:
    r"""`text` as it can be encoded: a byte that is no UTF-8 as `\xe9`, other half characters as `\ud83d`."""
    return _HALF.sub(lambda half: _escaped(ord(half[0])), text)


def _escaped(code: int) -> str:
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def one_line(text: str, limit: int) -> str:
    """`text` made visible on one line, white space folded, cut after `limit` characters."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= limit else f"{line[:limit]} ..."


def _shown(char: str) -> str:
    if char in "\t\n" or unicodedata.category(char) not in _HIDDEN:
        return char
    return f"<U+{ord(char):04X}>"


def cleaned(value: _T) -> _T:
    """The same nouns with every string in them made visible."""
    return changed(value, visible)


def changed(value: _T, change: Callable[[str], str]) -> _T:
    """The same nouns with every string in them changed; enums and numbers stay."""
    return _changed(value, change)  # type: ignore[no-any-return]


_AS_THEY_ARE = frozenset({type(None), bool, int, float})
"""Most of what a run has."""


@cache
def _fields(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if type(value) in _AS_THEY_ARE or isinstance(value, Enum):
        return value
    match value:
        case str() if type(value) is str:
            return change(value)
        case tuple():
            if set(map(type, value)) <= {float, int}:  # times per iteration: there may be very many
                return value
            return tuple(_changed(item, change) for item in value)
        case dict():
            return {_changed(key, change): _changed(item, change) for key, item in value.items()}
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return type(value)(
                **{name: _changed(getattr(value, name), change) for name in _fields(type(value))}
            )
        case _:
            return value


def relative_href(path: str) -> str | None:
    r"""A link to a file of the run directory, or None when `path` is absolute or leads out of it.

    It begins with `./` and has no `:` and no `\`, so that no browser reads a scheme or a host in it.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path:
        return None
    return "./" + quote("/".join(parts), safe="/")
