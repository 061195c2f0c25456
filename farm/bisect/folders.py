"""Folders that hold a build: a program with its libraries, or a builds file that defines one build."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from farm.errors import RequestError
from farm.files import ascii_name, is_file
from farm.inventory import builds
from farm.inventory.entry import NAME
from farm.inventory.files import BUILDS_FILE
from farm.model.build import Build, BuildChoice
from farm.model.device import Runtime, RuntimeKind

PROGRAMS = ("load_and_run", "bin/load_and_run")
LIBRARIES = ("", "lib", "bin")
"""Folders, below that of the build, in which its shared libraries are."""
_LIBRARY = re.compile(r".+\.so(\.\d+)*\Z")
_YAML = (".yaml", ".yml")
LONGEST_NAME = 50


def build_in(path: Path, name: str) -> Build | str:
    """The build in a folder, or the one that a builds file defines; why there is none.

    Raises RequestError, with file and line, for mistakes in a builds file.
    """
    file = path if path.suffix in _YAML else path / BUILDS_FILE
    if is_file(file):
        found = builds.load(file)
        if len(found) != 1:
            raise RequestError(f"{file} defines {len(found)} builds", hint="define one in the file of a step")
        return replace(found[0], name=name)
    program = next((path / one for one in PROGRAMS if is_file(path / one)), None)
    if program is None:
        return f"there is no {' or '.join(PROGRAMS)}, and no {BUILDS_FILE}, in {path}"
    libraries = tuple(str(one) for part in LIBRARIES for one in _libraries(path / part))
    runtime = Runtime(RuntimeKind.NATIVE, str(program), libraries)
    return Build(name, (BuildChoice((), runtime, str(path)),), str(path))


def _libraries(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if _LIBRARY.match(one.name) and is_file(one))
    except OSError:
        return []


def names_of(texts: Sequence[str]) -> tuple[str, ...]:
    """A name for each folder or step, all different: what tells them apart, without what all begin or end
    with. `out/v1/install` and `out/v2/install` are v1 and v2.

    Raises RequestError where two are the same.
    """
    twice = next((text for text in texts if texts.count(text) > 1), None) if len(texts) < 2000 else None
    if twice is not None or len(set(texts)) < len(texts):
        raise RequestError(f"{twice or 'a build'} is twice in the order", hint="remove one")
    parts = [Path(text).parts for text in texts]
    first, last = _shared(parts), _shared([one[::-1] for one in parts])
    cut = [one[first : max(len(one) - last, first + 1)] for one in parts]
    names = tuple(build_name("-".join(one) or text) for one, text in zip(cut, texts, strict=True))
    return names if len(set(names)) == len(names) else tuple(map(build_name, texts))


def _shared(parts: Iterable[Sequence[str]]) -> int:
    """How many parts all begin with; of a single one all but the last."""
    several = list(parts)
    if len(several) == 1:
        return max(len(several[0]) - 1, 0)
    count = 0
    for column in zip(*several, strict=False):
        if len(set(column)) > 1:
            break
        count += 1
    return count


def build_name(text: str) -> str:
    """A text as the name of a build; one that had to be changed ends with digits of its digest."""
    if NAME.fullmatch(text) and builds.reserved(text) is None:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{ascii_name(text)[:LONGEST_NAME].strip('.-')}-{digest}"
