"""The order of a bisect: which builds there are, from GOOD to BAD: names, folders, or steps of a command."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from farm.bisect.folders import names_of
from farm.errors import RequestError
from farm.files import is_file, user_path
from farm.suggest import nearest
from farm.visible import one_line

MOST_BYTES = 1 << 20
MOST_BUILDS = 5000


@dataclass(frozen=True)
class Order:
    """The builds from GOOD to BAD: their names, and what each is in the user's words (a name of the builds
    file, a folder, a step).
    """

    names: tuple[str, ...]
    texts: tuple[str, ...]

    def between(self, good: str, bad: str) -> Order:
        """Those from GOOD to BAD; turned round where BAD comes first. Raises RequestError."""
        first, last = self._place("GOOD", good), self._place("BAD", bad)
        if first == last:
            raise RequestError(f"GOOD and BAD are both {self.names[first]}", hint="name two builds")
        step = 1 if first < last else -1
        chosen = range(first, last + step, step)
        return Order(tuple(self.names[one] for one in chosen), tuple(self.texts[one] for one in chosen))

    def _place(self, what: str, word: str) -> int:
        for known in (self.names, self.texts, tuple(map(_plain, self.texts))):
            if word in known:
                return known.index(word)
        if (plain := _plain(word)) in (texts := [_plain(one) for one in self.texts]):
            return texts.index(plain)
        begun = [number for number, text in enumerate(self.texts) if text.startswith(word)]
        if word and len(begun) == 1:  # an abbreviated commit
            return begun[0]
        shown = one_line(", ".join(self.names), 200)
        raise RequestError(
            f"{what} {word!r} is not one of the builds{nearest(word, self.names)}", hint=f"they are: {shown}"
        )


def _plain(text: str) -> str:
    return str(user_path(text)).rstrip("/")


def order_of_folders(pattern: str) -> Order:
    """Of a glob, in the natural order of their names (v9 before v10), or of a file with a folder on each line
    (relative to the file). Raises RequestError.
    """
    path = user_path(pattern)
    if is_file(path):
        texts = [str(path.parent / user_path(line)) for line in lines_of(path)]
    else:
        found = (one for one in glob.iglob(str(path)) if Path(one).is_dir())  # noqa: PTH207 - of any depth
        texts = sorted(_first(found, f"--folders {pattern}"), key=_natural)
    return _order(texts, f"--folders {pattern}")


def order_of_steps(path: Path) -> Order:
    """Of a file with a step on each line. Raises RequestError."""
    return _order(lines_of(path), f"--steps {path}")


def order_of_names(names: Sequence[str]) -> Order:
    """Of builds of a builds file. Raises RequestError."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RequestError(f"--order names {twice} twice", hint="remove one")
    return Order(tuple(names), tuple(names))


def _order(texts: Sequence[str], source: str) -> Order:
    if len(texts) < 2:
        what = "nothing" if not texts else f"only {texts[0]}"
        raise RequestError(
            f"{source} has {what}: a bisect needs two builds", hint="name at least GOOD and BAD"
        )
    return Order(names_of(texts), tuple(texts))


def _first(texts: Iterable[str], source: str) -> list[str]:
    found: list[str] = []
    for one in texts:
        found.append(one)
        if len(found) > MOST_BUILDS:
            raise RequestError(f"{source} has more than {MOST_BUILDS} builds", hint="name fewer")
    return found


def lines_of(path: Path) -> list[str]:
    """The lines of a file, without empty ones and comments (#). Raises RequestError."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise RequestError(f"{path}: cannot read the file: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{path} is no text in UTF-8") from error
    if len(data) > MOST_BYTES:
        raise RequestError(f"{path} is larger than {MOST_BYTES} bytes", hint="write one build on each line")
    lines = [line.strip() for line in text.splitlines()]
    return _first((line for line in lines if line and not line.startswith("#")), str(path))


def _natural(text: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text)]
