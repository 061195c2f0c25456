"""JSON of any size from a stream, member by member: what is in memory is one member and one block.

Each member of an object is decoded by the json module's C scanner, so the walk costs little more than
`json.load`, which would need ten times the file's size. It reads what MegEngine writes, which is not always
JSON: bytes that are no UTF-8 (shown as U+FFFD) and control characters in names, `NaN`.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, Protocol

from farm.dumps.malformed import MalformedError

BLOCK_BYTES = 1 << 20
MEMBER_CHARS = 1 << 18
"""A longer member is passed over, not decoded."""
KEY_CHARS = 1000

_SPACE = re.compile(r"[ \t\r\n]*")
_PLAIN_KEY = re.compile(r'[ \t\r\n]*"([^"\\]{0,1000})"[ \t\r\n]*:[ \t\r\n]*')
# Possessive: a text without end is gone through once.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_AHEAD = {
    opening: re.compile(rf'[^"{pair}]*+(?:{_STRING}[^"{pair}]*+)*+', re.DOTALL)
    for opening, pair in (("{", "{}"), ("[", r"\[\]"))
}
_IN_STRING = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_AFTER = frozenset(",: }]\t\r\n")
_DECODE = json.JSONDecoder(strict=False).raw_decode


class Readable(Protocol):
    """A binary file, as far as it is needed here."""

    def read(self, size: int, /) -> bytes | None:
        """The next bytes, `size` at most; none at the end."""
        ...


class CutOffError(MalformedError):
    """The stream ended within a value."""


class TooLong:
    """Stands for a member that is longer than MEMBER_CHARS, or is no JSON."""


TOO_LONG = TooLong()


class JsonStream:
    """Walks through one JSON text. Raises MalformedError where it is none, CutOffError where it ends early;
    whatever the stream raises passes through.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._at = 0
        self._is_over = False

    def _more(self) -> bool:
        """Append a block to what is not used yet; False at the end of the stream."""
        if self._is_over:
            return False
        block = self._stream.read(BLOCK_BYTES) or b""
        self._is_over = not block
        self._text = self._text[self._at :] + self._decoder.decode(block, final=self._is_over)
        self._at = 0
        return not self._is_over

    def peek(self) -> str:
        """The next character that is no white space; not used up."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                raise CutOffError("the file is cut off")

    def enter(self, bracket: str) -> bool:
        """Step into the object (`{`) or list (`[`) that comes next; False if something else comes."""
        if self.peek() != bracket:
            return False
        self._at += 1
        return True

    def keys(self) -> Iterator[str]:
        """The keys of the object that was entered; after each, the caller takes the value (`value`, `skip` or
        `enter` and all within) before it asks for the next.
        """
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            yield self._key()
            if self._ends("}"):
                return

    def members(self) -> Iterator[tuple[str, Any]]:
        """Keys and decoded values of the object that was entered; TOO_LONG for what is passed over.

        The loop of `keys` and `value` again, for what is in the block already: most of a file.
        """
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            if (key := _PLAIN_KEY.match(self._text, self._at)) and key.end() < len(self._text):
                self._at = key.end()
                yield key[1], self.value()
            else:
                yield self._key(), self.value()
            if self._text.startswith(", ", self._at):
                self._at += 2
            elif self._ends("}"):
                return

    def items(self) -> Iterator[Any]:
        """The values of the list that was entered; TOO_LONG for what is passed over."""
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if self._ends("]"):
                return

    def value(self) -> Any:
        """The next value, decoded; TOO_LONG if it is longer than MEMBER_CHARS or is no JSON."""
        self.peek()
        while True:
            try:
                value, end = _DECODE(self._text, self._at)
            except (ValueError, RecursionError):
                pass
            else:
                # not the first half of a number, as `1` of `1.5e3`
                if self._text[end : end + 1] in _AFTER if end < len(self._text) else self._is_over:
                    self._at = end
                    return value
            if len(self._text) - self._at > MEMBER_CHARS or not self._more():
                self.skip()
                return TOO_LONG

    def skip(self) -> None:
        """Pass over the next value, whatever its length, without decoding it."""
        char = self.peek()
        if char == '"':
            self._skip_string()
        elif char in _AHEAD:
            self._skip_nested(char)
        else:
            self._skip_word()

    def _skip_nested(self, opening: str) -> None:
        """An object or a list, up to the bracket that closes it. Brackets of the other kind do not matter."""
        ahead, depth = _AHEAD[opening].match, 0
        while True:
            self._at = ahead(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at == len(self._text):
                if not self._more():
                    raise CutOffError("the file is cut off")
            elif (char := self._text[self._at]) == '"':  # it does not end within the block
                self._skip_string()
            else:
                self._at += 1
                depth += 1 if char == opening else -1
                if not depth:
                    return

    def _skip_word(self) -> None:
        """A number or a word: up to what may follow it."""
        while self._at < len(self._text) or self._more():
            if self._text[self._at] in ',}] \t\r\n"[{':
                return
            self._at += 1

    def _skip_string(self) -> None:
        self._at += 1
        while True:
            self._at = _IN_STRING.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._text.startswith('"', self._at):
                self._at += 1
                return
            if not self._more():
                raise CutOffError("the file is cut off")

    def _key(self) -> str:
        """A key and the colon after it."""
        if self.peek() != '"':
            raise MalformedError("the file is not JSON: a key is missing")
        key = self.value()
        if self.peek() != ":":
            raise MalformedError("the file is not JSON: a colon is missing")
        self._at += 1
        return key[:KEY_CHARS] if isinstance(key, str) else ""

    def _ends(self, bracket: str) -> bool:
        """Past a comma (False) or the closing bracket (True)."""
        char = self.peek()
        if char not in (",", bracket):
            raise MalformedError("the file is not JSON: a comma is missing")
        self._at += 1
        return char == bracket
