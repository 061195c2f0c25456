"""What is in the archive of a run. Its first member says it: `farm-run.json`, then the files in its order.

farm-run.json               version, run, farm's version, and each file with its size and SHA-256
run/<path>                  the files of the run folder
kept/<sha256>               with --kept: what was pushed, so that the run can be measured again elsewhere
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from farm.errors import RequestError
from farm.files import is_tree_name

FIRST = "farm-run.json"
RUN, KEPT = "run", "kept"
VERSION = 1
MOST_FILES = 1_000_000
LARGEST_FIRST_BYTES = 512 << 20
"""Of farm-run.json: a million files with long names."""

AGAIN = "copy it again, or make it again: farm runs export RUN"

_STRICT = ConfigDict(extra="ignore")


def _inside(path: str) -> str:
    """A relative path that does not lead out of its folder, in its one spelling."""
    if not is_tree_name(path) or PurePosixPath(path).as_posix() != path or len(path) > 4096:
        raise ValueError("it leads out of the archive")
    return path


@dataclass(config=_STRICT, frozen=True)
class Member:
    """A file of the archive, by its path in it."""

    path: Annotated[str, AfterValidator(_inside)]
    size_bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(config=_STRICT, frozen=True)
class Link:
    """A file of the run that is another one of it, `to`, under another name; both by their paths here."""

    path: Annotated[str, AfterValidator(_inside)]
    to: str


@dataclass(config=_STRICT, frozen=True)
class Contents:
    """`run` is the name of the run's folder."""

    version: int
    run: str
    farm_version: str
    files: tuple[Member, ...]
    links: tuple[Link, ...] = ()

    @property
    def size_bytes(self) -> int:
        return sum(one.size_bytes for one in self.files)


_CONTENTS: TypeAdapter[Contents] = TypeAdapter(Contents)


def to_json(contents: Contents) -> bytes:
    return _CONTENTS.dump_json(contents, indent=1) + b"\n"


def from_json(data: bytes, source: str) -> Contents:
    """Raises RequestError for what is no such file, or of a version that this farm does not know."""
    try:
        found = _CONTENTS.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise RequestError(f"{source}: {FIRST} is damaged: {first['msg']}", hint=AGAIN) from error
    if found.version != VERSION:
        raise RequestError(
            f"{source} has version {found.version}; this farm reads version {VERSION}",
            hint="use the farm that wrote it, or a newer one",
        )
    if why := _fault(found):
        raise RequestError(f"{source}: {FIRST} is damaged: {why}", hint=AGAIN)
    return found


def _fault(contents: Contents) -> str | None:
    files = {one.path for one in contents.files}
    paths = files | {one.path for one in contents.links}
    if len(paths) != len(contents.files) + len(contents.links):
        return "a name stands twice"
    if len(paths) > MOST_FILES:
        return f"more than {MOST_FILES:,} files"
    if any(parent.as_posix() in paths for path in paths for parent in PurePosixPath(path).parents):
        return "a file is a folder, too"
    return None if {one.to for one in contents.links} <= files else "a link leads to no file of it"
